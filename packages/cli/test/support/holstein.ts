/** The built command, and ways to run it without a terminal. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The built command. */
export const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** The guest's programs. */
export const bin = fileURLToPath(new URL('../../../../guest/bin/', import.meta.url));
/** The checkout. */
export const root = fileURLToPath(new URL('../../../..', import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command to its end. */
export const holstein = (
  args: readonly string[],
  { input = '', cwd = root }: { readonly input?: string | Uint8Array; readonly cwd?: string } = {},
): Ended => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    cwd,
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  return { status, stdout, stderr };
};

/** Runs a line of the host's shell, in which "$@" is the command. */
export const inShell = (line: string, ...args: readonly string[]): Ended => {
  const { status, stdout, stderr } = spawnSync(
    '/bin/sh',
    ['-c', line, 'sh', process.execPath, main, ...args],
    {
      encoding: 'utf8',
    },
  );
  return { status, stdout, stderr };
};

/** A directory for a test's files, removed when it is disposed of. */
export class TestDirectory implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'holstein-cli-'));

  file(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}
