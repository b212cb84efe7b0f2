// @ts-check
/**
 * The benchmark's programs: which there are, how often each does its work, and how they are compiled. One file runs
 * under qemu's user mode and on a hart without a kernel.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** How often each does its work: half a second to a second under qemu-riscv64 on a processor of 2020 or so. */
export const RUNS = /** @type {const} */ ({
  sieve: 70,
  bits: 100,
  copy: 65,
  calls: 320,
  sort: 28,
  tokens: 450,
  chase: 35,
  nbody: 150,
  matrix: 100,
  fourier: 280,
  bytecode: 13,
  sha256: 450,
  cipher: 3500,
  words: 60,
  search: 45,
  pack: 90,
  compiler: 2000,
});

const COMPILER = 'riscv64-unknown-elf-gcc';
const HOW_TO_INSTALL = `${COMPILER} is not installed; Debian and Ubuntu: apt-get install gcc-riscv64-unknown-elf`;
const FLAGS = [
  ...['-march=rv64gc', '-mabi=lp64d', '-mcmodel=medany', '-std=gnu11', '-O2', '-Wall', '-Wextra', '-Werror'],
  // Or a square root would be a call to the C library, which there is none of; and a loop that copies, one of memcpy.
  ...[
    '-ffreestanding',
    '-fno-math-errno',
    '-fno-tree-loop-distribute-patterns',
    '-nostdlib',
    '-static',
    '-s',
  ],
  ...['-Wl,-z,max-page-size=4096', '-Wl,--build-id=none'],
];

/** @param {string} name */
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** @param {string} tool */
export const isInstalled = (tool) => spawnSync(tool, ['--version'], { stdio: 'ignore' }).status === 0;

/** A temporary folder of compiled programs. */
export class Programs {
  #folder = mkdtempSync(join(tmpdir(), 'holstein-bench-'));

  /** @returns {string | undefined} why there can be no programs here. */
  static missing() {
    return isInstalled(COMPILER) ? undefined : HOW_TO_INSTALL;
  }

  /** A path in the folder. @param {string} name */
  path(name) {
    return join(this.#folder, name);
  }

  /**
   * Compiles a program.
   * @param {string} name of NAME.c beside this file
   * @param {{ runs?: number, source?: string }} [options] source: a file that stands in its place
   * @returns {string} the ELF file
   */
  compile(name, { runs = 1, source = here(`${name}.c`) } = {}) {
    const program = this.path(`${name}.elf`);
    const { status, stderr, error } = spawnSync(
      COMPILER,
      [
        ...FLAGS,
        '-I',
        here('.'),
        '-T',
        here('program.ld'),
        `-DRUNS=${runs}`,
        '-o',
        program,
        here('start.c'),
        source,
      ],
      { encoding: 'utf8' },
    );
    if (status !== 0)
      throw new Error(`${name}.c does not compile: ${error?.message ?? stderr.slice(0, 1000)}`);
    return program;
  }

  remove() {
    rmSync(this.#folder, { recursive: true });
  }
}
