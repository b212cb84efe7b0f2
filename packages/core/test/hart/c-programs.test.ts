/** Programs that gcc compiles print the same on the hart as under qemu. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import { BareMachine, JIT_MODES } from '../support/riscv/bare-machine.js';
import { GCC, QEMU, runTool, ScratchDirectory, testWith } from '../support/riscv/tools.js';

const PROGRAMS = ['sorting', 'hashing', 'matrices', 'strings', 'calls', 'division', 'switches', 'atomics'];
const FLOAT_PROGRAMS = ['doubles', 'singles', 'rounding'];
const LEVELS = ['-O0', '-O2', '-Os'];
const WITHOUT_FLOAT = ['-march=rv64imac', '-mabi=lp64'];
/** Without errno a square root is an instruction. */
const WITH_FLOAT = ['-march=rv64gc', '-mabi=lp64d', '-fno-math-errno'];
const FLAGS = [
  ...['-mcmodel=medany', '-mno-strict-align'],
  ...['-std=c11', '-Wall', '-Werror', '-ffreestanding', '-nostdlib', '-static'],
  // Or a loop that copies becomes a call of memcpy, which is that loop.
  ...['-fno-builtin', '-fno-tree-loop-distribute-patterns', '-fwrapv'],
  ...['-Wl,-z,max-page-size=4096', '-Wl,-z,separate-code', '-Wl,--build-id=none'],
];
/** Ends a process that a bug has sent around in circles. */
const QUANTUM = 200_000;
const MOST_QUANTA = 500;

const source = (name: string): string =>
  fileURLToPath(new URL(`../support/riscv/programs/${name}.c`, import.meta.url));

describe.each(LEVELS)('compiled with %s', (level) => {
  for (const name of [...PROGRAMS, ...FLOAT_PROGRAMS]) {
    testWith([GCC, QEMU], `${name}.c prints what it prints under qemu`, () => {
      using directory = new ScratchDirectory();
      const file = directory.file(name);
      const target = FLOAT_PROGRAMS.includes(name) ? WITH_FLOAT : WITHOUT_FLOAT;
      runTool(GCC, [...target, ...FLAGS, level, '-o', file, source(name), source('runtime'), '-lgcc']);
      const expected = runTool(QEMU, [file]);
      expect(expected.length).toBeGreaterThan(20);

      for (const mode of JIT_MODES) {
        using machine = new BareMachine(mode);
        machine.load(readFileSync(file));
        let quanta = 0;
        const { output, status } = machine.runToExit(QUANTUM, () => {
          if (++quanta > MOST_QUANTA) throw new Error(`not done after ${machine.retired} instructions`);
        });
        expect(Buffer.from(output).toString()).toBe(Buffer.from(expected).toString());
        expect(status).toBe(0);
        expect(machine.audit()).toEqual([]);
      }
    });
  }
});
