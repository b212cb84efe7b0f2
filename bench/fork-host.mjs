// @ts-check
/** The host's own fork: builds fork-host.c in a folder of its own, asks it, and leaves nothing behind. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('fork-host.c', import.meta.url));
const COMPILERS = ['cc', 'gcc', 'clang'];

/**
 * What fork-host.c answers: all times in nanoseconds.
 * @typedef {{ forks: number[], groups?: number[], exit?: number, exitIdle?: number }} HostTimes
 */

/**
 * @typedef {object} Host
 * @property {(mib: number, forks: number, what: 'forks' | 'writes') => Promise<HostTimes>} measure
 * @property {() => Promise<void>} close
 */

/** @param {string} folder @returns {string | undefined} the program that the first compiler that is here makes. */
const compile = (folder) => {
  const program = join(folder, 'fork-host');
  for (const compiler of COMPILERS) {
    const { error, status } = spawnSync(compiler, ['-O2', '-o', program, SOURCE], { stdio: 'ignore' });
    if (error === undefined && status === 0) return program;
  }
  return undefined;
};

/**
 * To be started while this process is small. @returns {Host | undefined} undefined where no compiler makes the program,
 * as on a host without fork.
 */
export const startHost = () => {
  const folder = mkdtempSync(join(tmpdir(), 'holstein-bench-'));
  const program = compile(folder);
  if (program === undefined) {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async measure(mib, forks, what) {
      child.stdin.write(`${mib} ${forks} ${what}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`fork-host ended before it had measured ${mib} MiB`);
      return JSON.parse(value);
    },
    async close() {
      child.stdin.end();
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
};
