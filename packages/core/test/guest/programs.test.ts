import { describe, expect, test } from 'vitest';
import { Machine } from '../../src/machine/index.js';
import { GUEST_JIT, guestFiles, MIB, runOn, runOnce } from '../support/machine.js';

const COWTEST_OUTPUT = `simple: ok
simple: ok
three: ok
three: ok
three: ok
file: ok
forkfork: ok
readonly: ok
oom: ok
ALL COW TESTS PASSED
`;

describe('cowtest', () => {
  test.each([8, 33, 128])('passes in %i MiB, sharing what an eager fork would have copied', async (mib) => {
    const run = await runOnce(['/init', '/cowtest'], { memoryBytes: mib * MIB });
    expect(run.text).toBe(COWTEST_OUTPUT);
    expect(run).toMatchObject({ outcome: 'exited', exitStatus: 0 });
    const { memory } = run;
    expect(memory.framesCopied).toBeGreaterThan(0);
    expect(memory.framesMadeWritable).toBeGreaterThan(0);
    expect(memory.framesNeverCopied).toBe(memory.framesSharedByForks - memory.framesCopied);
    // The cases kill four processes on purpose: three that write to their text, one without memory.
    expect(memory.faults['out-of-memory']).toBe(1);
    expect(run.log.filter((line) => line.includes('out of memory'))).toHaveLength(1);
    expect(run.log.filter((line) => line.includes('it wrote') && line.includes('r-x'))).toHaveLength(3);
    expect(run.log).toHaveLength(4);
  });

  test('passes with turns so short that processes interleave everywhere', async () => {
    const run = await runOnce(['/init', '/cowtest'], { memoryBytes: 8 * MIB, quantumInstructions: 97 });
    expect(run.text).toBe(COWTEST_OUTPUT);
  });

  test('runs as process 1, without init', async () => {
    const run = await runOnce(['/cowtest'], { memoryBytes: 8 * MIB });
    expect(run.text).toBe(COWTEST_OUTPUT);
  });

  test('simple fails for want of memory where fork copies eagerly', async () => {
    const run = await runOnce(['/init', '/cowtest', 'simple'], { fork: 'eager' });
    expect(run.exitStatus).toBe(1);
    expect(run.text).toMatch(/^cowtest: simple: fork/);
    expect(run.text).not.toContain('ok');
    expect(run.memory.framesSharedByForks).toBe(0);
  });

  test('refuses a case that does not exist, and names those that do', async () => {
    const run = await runOnce(['/init', '/cowtest', 'simplest']);
    expect(run.exitStatus).toBe(2);
    expect(run.text).toContain('simple');
  });

  test('runs one case alone and does not claim the others', async () => {
    const run = await runOnce(['/init', '/cowtest', 'readonly'], { memoryBytes: 8 * MIB });
    expect(run.exitStatus).toBe(0);
    expect(run.text).toBe('readonly: ok\nCOW TESTS PASSED: readonly\n');
  });
});

test('cowtest passes with every hit of the TLB compared with a fresh walk', async () => {
  const argv = ['/init', '/cowtest', 'forkfork', 'file', 'readonly', 'oom', 'three'] as const;
  const run = await runOnce(argv, { memoryBytes: 8 * MIB, checking: 'on' });
  expect(run.exitStatus).toBe(0);
});

test('hello says hello and lists its arguments', async () => {
  const run = await runOnce(['/init', '/hello', 'two words', '']);
  expect(run.text).toBe('hello from holstein: pid 2\n  argv[1] = two words\n  argv[2] = \n');
  expect(run.exitStatus).toBe(0);
});

test('init passes on the status of its program, and says where there is none', async () => {
  const run = await runOnce(['/init', '/nonesuch']);
  expect(run.exitStatus).toBe(127);
  expect(run.text).toBe('init: cannot run /nonesuch\n');
});

test('forkbomb forks until there are no processes left, and every one is reaped', async () => {
  const run = await runOnce(['/init', '/forkbomb'], { memoryBytes: 16 * MIB });
  expect(run.text).toBe('forkbomb: 62 processes, then fork said -1\n');
  expect(run.exitStatus).toBe(0);
});

test('forkbomb meets the end of memory in a small machine, in fork or in a write, and all is given back', async () => {
  const endings = new Set<string>();
  for (let taken = 0; taken < 8; taken++) {
    // By pages: a fork that shares tables wants so little that memory always ends in a write.
    const log: string[] = [];
    using machine = new Machine({
      files: guestFiles,
      memoryBytes: 960 * 1024,
      fork: 'pages',
      jit: GUEST_JIT,
      log: (line) => log.push(line),
    });
    // What is left when memory ends depends on where it begins.
    using held = machine.virtualMemory.objects.create({ size: taken * 4096 });
    held.commitSync();
    const result = await runOn(machine, ['/init', '/forkbomb']);
    const run = { ...result, log };
    const processes = /^forkbomb: (\d+) processes, then fork said -1\n$/.exec(run.text)?.[1];
    if (processes === undefined) {
      expect(run.log).toEqual([
        expect.stringMatching(/^process 2 \(forkbomb\) killed: out of memory when it wrote/),
      ]);
      expect(run.exitStatus).toBe(-1);
      endings.add('in a write');
    } else {
      expect(Number(processes)).toBeLessThan(62);
      expect(run.exitStatus).toBe(0);
      endings.add('in fork');
    }
  }
  expect(endings).toEqual(new Set(['in a write', 'in fork']));
});

test('a program that never ends is ended by its signal', async () => {
  const run = await runOnce(['/init', '/spin'], {}, { signal: AbortSignal.timeout(50) });
  expect(run).toMatchObject({ outcome: 'aborted', exitStatus: -1 });
});

describe('kbench', () => {
  test.each([
    ['null', 1000],
    ['fork', 20],
    ['exec', 10],
    ['pipe', 50],
    ['file', 2],
    ['cow', 5],
    ['touch', 5],
  ])('does %s %i times and says so', async (name, count) => {
    const run = await runOnce(['/init', '/kbench', name, String(count)], { memoryBytes: 8 * MIB });
    expect(run.text).toBe(`kbench: ${name} ${count} ok\n`);
    expect(run.exitStatus).toBe(0);
  });

  test('does nothing that it does not know', async () => {
    for (const argv of [['nulls', '1'], ['null'], ['null', '0'], ['null', 'x'], []]) {
      const run = await runOnce(['/init', '/kbench', ...argv], { memoryBytes: 8 * MIB });
      expect(run.text).toBe('usage: kbench null|fork|exec|pipe|file|cow|touch COUNT\n');
      expect(run.exitStatus).toBe(2);
    }
  });
});
