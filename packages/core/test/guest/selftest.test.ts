/** The guest's own test of the system calls (guest/programs/selftest), whole, on machines of several kinds. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Machine, type MachineOptions } from '../../src/machine/index.js';
import { GUEST_JIT, guestFiles, MIB, type Run, runOn, runOnce } from '../support/machine.js';

/** Its cases print a line each; what else it prints, the last line says. */
const passedIn = ({ text }: Pick<Run, 'text'>): string[] =>
  text
    .split('\n')
    .filter((line) => line.endsWith(': ok'))
    .map((line) => line.slice(0, -': ok'.length));

const expectAllPassed = (run: Run): void => {
  expect(run.text).toMatch(/ALL SELF TESTS PASSED\n$/);
  expect(run).toMatchObject({ outcome: 'exited', exitStatus: 0 });
  const passed = passedIn(run);
  expect(passed.length).toBeGreaterThanOrEqual(150);
  expect(new Set(passed).size).toBe(passed.length);
  expect(run.text.split('\n')).toHaveLength(passed.length + 2);
};

describe('selftest passes', () => {
  const kinds: readonly (readonly [string, MachineOptions])[] = [
    ['with fork by tables', { fork: 'tables' }],
    ['with fork by pages', { fork: 'pages' }],
    ['with eager fork', { fork: 'eager' }],
    ['in 128 MiB', { memoryBytes: 128 * MIB }],
    ['in 6 MiB', { memoryBytes: 6 * MIB }],
    ['with short turns and few frames of decoded code', { quantumInstructions: 1009, codeSlots: 4 }],
    ['with turns of a few calls', { quantumInstructions: 211, fork: 'pages' }],
    ['with every hit of the TLB compared with a fresh walk', { memoryBytes: 8 * MIB, checking: 'on' }],
  ];
  test.each(kinds)('%s', async (_, options) => {
    expectAllPassed(await runOnce(['/init', '/selftest'], { memoryBytes: 16 * MIB, ...options }));
  });

  test('as process 1, which is given the orphans of its own cases', async () => {
    expectAllPassed(await runOnce(['/selftest'], { memoryBytes: 16 * MIB }));
  });

  test('with its files in a directory of the host, and leaves there what it found', async () => {
    const directory = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'holstein-selftest-')));
    try {
      const root = { fileSystem: fs, directory };
      expectAllPassed(await runOnce(['/init', '/selftest'], { memoryBytes: 16 * MIB, root }));
      const programs = Object.keys(guestFiles).map((path) => path.slice(1));
      expect(fs.readdirSync(directory).toSorted()).toEqual(programs.toSorted());
      for (const name of programs) {
        expect(Buffer.compare(fs.readFileSync(join(directory, name)), guestFiles[`/${name}`]!)).toBe(0);
      }
    } finally {
      fs.rmSync(directory, { recursive: true });
    }
  });

  test('from a shell that finds it by its name', async () => {
    const run = await runOnce(['/init', '/sh', '-c', 'selftest exec-copy chdir-executed'], {
      memoryBytes: 16 * MIB,
    });
    expect(passedIn(run)).toEqual(['exec-copy', 'chdir-executed']);
    expect(run.exitStatus).toBe(0);
  });
});

test('every run is the same, to the instruction', async () => {
  const once = async (): Promise<unknown> => {
    const { text, log, instructions, memory } = await runOnce(['/init', '/selftest'], {
      memoryBytes: 16 * MIB,
    });
    return { text, log, instructions, memory };
  };
  expect(await once()).toEqual(await once());
});

test('no fault is left without an outcome that the report names, and the log names each that kills', async () => {
  const { memory, log } = await runOnce(['/init', '/selftest'], { memoryBytes: 16 * MIB });
  const refused = (['protection', 'unmapped', 'out-of-memory'] as const).reduce(
    (sum, name) => sum + memory.faults[name],
    0,
  );
  expect(refused).toBeGreaterThanOrEqual(log.filter((line) => /it (read|wrote|jumped)/.test(line)).length);
  expect(memory.faults.present).toBe(0);
  const expected = /killed: (it|out of memory when it) (read|wrote|jumped|ran)|cannot run .*: it /;
  expect(log.filter((line) => !expected.test(line))).toEqual([]);
});

describe('of the cases of selftest', () => {
  test('--xv6 leaves out those that not every xv6 kernel passes', async () => {
    const run = await runOnce(['/init', '/selftest', '--xv6'], { memoryBytes: 16 * MIB });
    const passed = passedIn(run);
    expect(run.text).toMatch(/SELF TESTS PASSED: exit-status, .*, disk, memory\n$/);
    expect(passed).not.toContain('lazy-grow');
    expect(passed).not.toContain('path-empty');
    expect(passed.length).toBeGreaterThan(130);
    expect(run.exitStatus).toBe(0);
  });

  test('those run that are named, in their order', async () => {
    const run = await runOnce(['/init', '/selftest', 'file-create', 'getpid'], { memoryBytes: 8 * MIB });
    expect(run.text).toBe('getpid: ok\nfile-create: ok\nSELF TESTS PASSED: getpid, file-create\n');
    expect(run.exitStatus).toBe(0);
  });

  test('none runs where one that is named is not there', async () => {
    const run = await runOnce(['/init', '/selftest', 'getpid', 'file-creat'], { memoryBytes: 8 * MIB });
    expect(run.text).toMatch(/^selftest: no case is named file-creat; there are: exit-status /);
    expect(run.exitStatus).toBe(2);
  });

  /** What breaks the machine that the cases expect, a case that notices, and what it says. */
  const broken: readonly (readonly [string, MachineOptions, RegExp])[] = [
    ['open-files-limit', { limits: { openFiles: 60 } }, /open files \(expected 80 to 95, got 5\d\)/],
    ['process-limit', { limits: { processes: 30 } }, /children \(expected 50 to 62, got 2\d\)/],
    ['path-longest', { limits: { pathBytes: 100 } }, /open of \./],
    ['file-largest', { limits: { fileBytes: 1000 * 1024 } }, /write behind the largest size/],
    ['lazy-fork', { sbrk: 'eager' }, /sbrk_lazy of 1073741824 bytes failed/],
    ['pipe-blocked-writer', { limits: { pipeBytes: 4096 } }, /writer was done before its reader began/],
  ];
  test.each(broken)(
    '%s fails on a machine that is otherwise, and leaves nothing behind',
    async (name, options, said) => {
      using machine = new Machine({ jit: GUEST_JIT, files: guestFiles, memoryBytes: 16 * MIB, ...options });
      const run = await runOn(machine, ['/init', '/selftest', name]);
      expect(run.text).toMatch(said);
      expect(run.text).toMatch(new RegExp(`^selftest: ${name}: `));
      expect(run.exitStatus).toBe(1);
      // Which its cases could not make where it is there already.
      expect((await runOn(machine, ['/init', '/selftest', 'getpid'])).exitStatus).toBe(0);
    },
  );
});
