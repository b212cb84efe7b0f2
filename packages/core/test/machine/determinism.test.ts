/**
 * A run is the same however the hart ran it: interpreted or compiled, whenever that was, with much room for code or little,
 * on a fast host or a slow one. The same is said of output, log, instructions, the kernel's time and all memory events.
 */
import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from 'vitest';
import { Kernel } from '../../src/kernel/index.js';
import { type Host, Machine, type MachineOptions, type RunOptions } from '../../src/machine/index.js';
import { EventLog } from '../../src/space/index.js';
import { encode, x } from '../support/riscv/assembler.js';
import { DATA_PAGE, manyPages, writableProgram } from '../support/code-heavy.js';
import {
  branch,
  CALL,
  call,
  type Code,
  expectNothingLost,
  guestFiles,
  inChild,
  label,
  li,
  MIB,
} from '../support/machine.js';

let step: MockInstance<Kernel['step']>;
beforeEach(() => {
  step = vi.spyOn(Kernel.prototype, 'step');
});
afterEach(() => {
  step.mockRestore();
});

/** How often turns were interrupted since the test began. */
const interruptions = (): number => step.mock.results.filter(({ value }) => value === 'interrupted').length;

/** A host that is so slow that its event loop gets a turn after each step. */
const slowHost = (): Host => {
  let time = 0;
  return { now: () => (time += 1000), pause: () => Promise.resolve() };
};

/** All of a run that may not depend on how it was run. */
const runOf = async (
  argv: readonly [string, ...string[]],
  options: MachineOptions,
  runOptions: RunOptions = { maxInstructions: 100_000_000 },
) => {
  const log: string[] = [];
  const decoder = new TextDecoder();
  let text = '';
  using machine = new Machine({ memoryBytes: 16 * MIB, ...options, log: (line) => log.push(line) });
  const events = new EventLog({ capacity: 2 ** 16, now: () => machine.kernel?.time ?? 0 });
  machine.virtualMemory.log = events;
  const result = await machine.run(argv, {
    ...runOptions,
    output: { write: (bytes) => void (text += decoder.decode(bytes, { stream: true })) },
  });
  expectNothingLost(machine, result);
  const { outcome, exitStatus, instructions, memory } = result;
  const moved = { ...memory, framesInUseBefore: 0, framesInUseAfter: 0 };
  const { time } = machine.kernel!;
  return {
    seen: { text, log, outcome, exitStatus, instructions, time, moved, events: [...events] },
    compiled: machine.hart.compilation.compiledRegions,
  };
};

type Seen = Awaited<ReturnType<typeof runOf>>['seen'];

/** More room for decoded code moves all other frames. */
const withoutFrames = ({ events, ...others }: Seen): unknown => ({
  ...others,
  events: events.map((event) => ({ ...event, frame: 0, from: 0, to: 0 })),
});

/** Writes the low byte of s0 to the console. */
const printS0: Code = [
  li(x.t0, DATA_PAGE),
  encode('sb', { rs1: x.t0, rs2: x.s0 }),
  call(CALL.write, 1, DATA_PAGE, 1),
];

const TURNS = 12;
/** In this process and three children: `turn` some times, each with its letter in s0, and a letter after each. */
const byFour = (turn: Code): Uint8Array =>
  writableProgram(
    li(x.s0, 'A'.charCodeAt(0)),
    [1, 2, 3].map((child) => [
      call(CALL.fork),
      inChild(
        li(x.s0, 'A'.charCodeAt(0) + child),
        // Some are quicker than others: who writes when depends on what a turn lets each do.
        li(x.s1, TURNS - child),
        branch('jal', 'turn'),
      ),
    ]),
    li(x.s1, TURNS),
    label('turn'),
    turn,
    printS0,
    encode('addi', { rd: x.s1, rs1: x.s1, imm: -1 }),
    // Too far for a branch.
    branch('beq', 'end', x.s1),
    branch('jal', 'turn'),
    label('end'),
    call(CALL.wait, DATA_PAGE),
    call(CALL.wait, DATA_PAGE),
    call(CALL.wait, DATA_PAGE),
    call(CALL.exit, 7),
  );

/** Runs code that it has just written, some times: each time it has to be decoded. */
const writesItself = (times: number): Code => [
  li(x.s2, times),
  encode('auipc', { rd: x.s3 }),
  label('again'),
  // addi s4, s4, s2's low bits: the word is 0 apart from its immediate and the fixed bits.
  li(x.t1, encode('addi', { rd: x.s4, rs1: x.s4 })),
  encode('slli', { rd: x.t2, rs1: x.s2, imm: 20 }),
  encode('or', { rd: x.t1, rs1: x.t1, rs2: x.t2 }),
  encode('sw', { rs1: x.s3, rs2: x.t1, imm: 4 * 8 }),
  encode('fence.i'),
  encode('addi', { rd: x.zero }),
  encode('addi', { rd: x.s4, rs1: x.s4 }),
  encode('addi', { rd: x.s2, rs1: x.s2, imm: -1 }),
  branch('bne', 'again', x.s2),
  encode('andi', { rd: x.s4, rs1: x.s4, imm: 0xf }),
];

/** Straight through 3 pages, 3 times. */
const LONG_LINE: Code = [
  li(x.s2, 3),
  label('along'),
  Array.from({ length: 3 * 1024 }, (_, at) => encode('addi', { rd: x.s4, rs1: x.s4, imm: at % 2048 })),
  encode('addi', { rd: x.s2, rs1: x.s2, imm: -1 }),
  branch('beq', 'line done', x.s2),
  branch('jal', 'along'),
  label('line done'),
];

/** Ways to run code, with little room for it and with much. The first is what others are compared with. */
const WAYS: readonly MachineOptions[] = [
  { jit: 'off', codeSlots: 64 },
  { jit: 'off', codeSlots: 4, host: slowHost() },
  { jit: 'auto', jitThreshold: 2, codeSlots: 64, host: slowHost() },
  { jit: 'auto', jitThreshold: 2, codeSlots: 4 },
  { jit: 'auto', jitThreshold: 30, codeSlots: 64, jitBytes: 64 * 2 ** 10 },
  { jit: 'auto', codeSlots: 16 },
];
/** Those that compile again all that has been written, which takes a millisecond each time. */
const EAGER_WAYS: readonly MachineOptions[] = [
  { jit: 'eager', codeSlots: 64 },
  { jit: 'eager', codeSlots: 4, host: slowHost() },
];

const nameOf = ({ host, ...way }: MachineOptions): string =>
  `${JSON.stringify(way)}${host === undefined ? '' : ' on a slow host'}`;

describe('programs that the hart must decode again and again', () => {
  const programs: readonly (readonly [string, Uint8Array, readonly MachineOptions[]])[] = [
    ['writes itself', byFour(writesItself(6000)), WAYS],
    ['writes itself a little', byFour(writesItself(4)), [...WAYS, ...EAGER_WAYS]],
    ['has many pages', byFour(manyPages(7)), [...WAYS, ...EAGER_WAYS]],
    ['crosses pages', byFour(LONG_LINE), [...WAYS, ...EAGER_WAYS]],
  ];

  test.each(programs)('one that %s runs the same in every way', async (what, file, ways) => {
    const options: MachineOptions = {
      files: { '/program': file },
      quantumInstructions: 50_021,
      // So little that writers wait for room, which there is as soon as a turn is over.
      limits: { consoleBytes: 3 },
    };
    const [first, ...others] = ways;
    const expected = await runOf(['/program'], { ...options, ...first! });
    expect(expected.seen).toMatchObject({ outcome: 'exited', exitStatus: 7 });
    expect(expected.seen.text).toHaveLength(4 * TURNS - (1 + 2 + 3));
    // They take turns, so that it shows when each was pre-empted.
    expect(expected.seen.text).not.toBe([...expected.seen.text].toSorted().join(''));
    for (const way of others) {
      const run = await runOf(['/program'], { ...options, ...way });
      expect(withoutFrames(run.seen), nameOf(way)).toEqual(withoutFrames(expected.seen));
      if (way.jit === 'eager') expect(run.compiled).toBeGreaterThan(0);
      if (way.jit === 'off') expect(run.compiled).toBe(0);
    }
    if (what === 'writes itself' || what === 'has many pages') expect(interruptions()).toBeGreaterThan(10);
  });

  test('one that has many pages is cut at the same instruction by maxInstructions', async () => {
    const options: MachineOptions = {
      files: { '/program': programs[2]![1] },
      quantumInstructions: 5000,
    };
    for (const maxInstructions of [1, 777, 5000, 12_345]) {
      const runs = [];
      for (const way of WAYS) {
        const { seen } = await runOf(['/program'], { ...options, ...way }, { maxInstructions });
        expect(seen).toMatchObject({ outcome: 'limited', instructions: maxInstructions });
        runs.push(withoutFrames(seen));
      }
      for (const run of runs) expect(run).toEqual(runs[0]);
    }
    expect(interruptions()).toBeGreaterThan(10);
  });
});

describe('the guest’s programs run the same in every way', () => {
  const inEagerToo: readonly MachineOptions[] = [
    { jit: 'off' },
    { jit: 'auto' },
    { jit: 'auto', jitThreshold: 20 },
    { jit: 'eager' },
  ];
  const script = 'echo a | cat | wc; ls / | grep t > f; cat f; (echo b; echo c) | wc & wait; pmap; ps';
  const runs: readonly (readonly [
    MachineOptions,
    readonly MachineOptions[],
    readonly [string, ...string[]],
  ])[] = [
    [{}, inEagerToo, ['/init', '/sh', '-c', script]],
    [{}, inEagerToo, ['/init', '/hello', 'you']],
    [{ memoryBytes: 8 * MIB }, inEagerToo, ['/init', '/cowtest', 'simple', 'three', 'file', 'oom']],
    [{ quantumInstructions: 1009 }, inEagerToo, ['/init', '/kbench', 'pipe', '50']],
    [{ quantumInstructions: 5003 }, inEagerToo.slice(0, 3), ['/init', '/chaos', '11', '3000', '4']],
    [{}, inEagerToo.slice(0, 2), ['/init', '/selftest']],
  ];
  const named = runs.map(
    (run) => [`${run[2].slice(1).join(' ')} ${JSON.stringify(run[0])}`, ...run] as const,
  );
  test.each(named)('%s', async (_, options, ways, argv) => {
    const [first, ...others] = ways;
    const expected = await runOf(argv, { files: guestFiles, ...options, ...first! });
    expect(expected.seen).toMatchObject({ outcome: 'exited', exitStatus: 0 });
    for (const way of others) {
      const run = await runOf(argv, { files: guestFiles, ...options, ...way });
      expect(run.seen, nameOf(way)).toEqual(expected.seen);
    }
  });
});
