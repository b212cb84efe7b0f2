/**
 * Small loops, which hold registers back and remember pages: they walk through pages that may be written, only be read, or
 * are not there, across their ends, and come to what the interpreter comes to. A failure says with which seed to run it
 * again: HOLSTEIN_SEED=<seed>.
 */
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, virtAddr } from '../../src/frame/index.js';
import { copyIn } from '../../src/space/index.js';
import { Random } from '../support/random.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { BareMachine, type BareMachineOptions } from '../support/riscv/bare-machine.js';

const CODE = 0x1_0000;
/** Three pages that may be written, one that may only be read, one that is not there, and one more. */
const DATA = 0x10_0000;
const WRITABLE_PAGES = 3;
const READ_ONLY = DATA + WRITABLE_PAGES * PAGE_SIZE;
const BEHIND = READ_ONLY + 2 * PAGE_SIZE;
const PROGRAMS = 150;
const KEPT_SEEDS = [1];
const COMPILING: readonly BareMachineOptions[] = [
  { jit: 'eager' },
  { jit: 'auto', jitThreshold: 1 },
  { jit: 'auto', jitThreshold: 20 },
];
const LOADS = ['lb', 'lbu', 'lh', 'lhu', 'lw', 'lwu', 'ld', 'fld', 'flw'] as const;
const STORES = ['sb', 'sh', 'sw', 'sd', 'fsd', 'fsw'] as const;
const BASES = [x.a0, x.a1, x.a2] as const;
const COUNTER = x.s2;
const OUTER_COUNTER = x.s3;

interface Program {
  readonly code: readonly number[];
  readonly registers: ReadonlyMap<number, bigint>;
  readonly budgets: readonly number[];
}

/** An address near the end of a page, mostly: of one that may be written, or of any. */
const address = (random: Random, kind: 'writable' | 'any'): number => {
  const near = kind === 'writable' ? DATA + PAGE_SIZE : READ_ONLY + (random.below(8) - 4) * PAGE_SIZE;
  return near + random.below(random.below(4) === 0 ? PAGE_SIZE : 64) - 32;
};

const access = (random: Random): number => {
  const rs1 = random.pick(BASES);
  // Several by one base are proved together.
  const imm = random.below(3) === 0 ? random.below(600) - 300 : random.below(6) * 4 - 8;
  const register = x.t0 + random.below(2);
  return random.below(2) === 0
    ? encode(random.pick(LOADS), { rd: register, rs1, imm })
    : encode(random.pick(STORES), { rs1, rs2: register, imm });
};

const loop = (random: Random, mostRounds: number): number[] => {
  const body = Array.from({ length: 1 + random.below(4) }, () => access(random));
  for (const base of BASES) {
    const imm = random.pick([0, 1, 4, 8, 8, -8, 3, 520, -1000]);
    if (imm !== 0) body.push(encode('addi', { rd: base, rs1: base, imm }));
  }
  // Some have a block more.
  if (random.below(3) === 0) body.push(encode('bne', { rs1: x.t0, rs2: x.t1, imm: 8 }), access(random));
  body.push(encode('addi', { rd: COUNTER, rs1: COUNTER, imm: -1 }));
  body.push(encode('bne', { rs1: COUNTER, imm: -4 * body.length }));
  return [encode('addi', { rd: COUNTER, imm: 1 + random.below(mostRounds) }), ...body];
};

const randomProgram = (random: Random): Program => {
  // Half of them are to end without a fault.
  const kind = random.below(2) === 0 ? 'writable' : 'any';
  const [rounds, outerRounds] = kind === 'writable' ? [60, 3] : [200, 40];
  const loops = Array.from({ length: 1 + random.below(3) }, () => loop(random, rounds)).flat();
  const end = [
    encode('addi', { rd: OUTER_COUNTER, rs1: OUTER_COUNTER, imm: -1 }),
    encode('bne', { rs1: OUTER_COUNTER, imm: -4 * (loops.length + 1) }),
    encode('ecall'),
  ];
  const registers = new Map<number, bigint>([[OUTER_COUNTER, BigInt(1 + random.below(outerRounds))]]);
  for (const base of BASES)
    registers.set(
      base,
      BigInt(kind === 'any' && random.below(20) === 0 ? random.below(64) : address(random, kind)),
    );
  const budgets = Array.from({ length: 400 }, () => 1 + random.below(1 + random.below(3000)));
  return { code: [...loops, ...end], registers, budgets };
};

/** A line for each stop, with all that can be seen, and what is in memory at the end. */
const observe = ({ code, registers, budgets }: Program, options: BareMachineOptions): string[] => {
  using machine = new BareMachine(options);
  const { hart, space } = machine;
  machine.place(CODE, codeBytes(code), 'r-x');
  machine.place(DATA, new Uint8Array(1), 'rw-', { pages: WRITABLE_PAGES });
  machine.place(READ_ONLY, Uint8Array.of(1, 2, 3), 'r--');
  machine.place(BEHIND, new Uint8Array(1), 'rw-');
  hart.pc = BigInt(CODE);
  for (const [register, value] of registers) hart.registers[register] = value;
  const lines: string[] = [];
  for (const budget of budgets) {
    const before = machine.retired;
    const stop = machine.run(budget);
    const fault = stop === 'page-fault' ? ` ${hart.fault.access} ${hart.fault.page}` : '';
    lines.push(
      `${stop}${fault} after ${machine.retired - before} at ${hart.pc}: ${hart.registers.join()} ${hart.floatRegisters.join()}`,
    );
    if (stop !== 'budget') break;
  }
  for (const [start, pages] of [
    [DATA, WRITABLE_PAGES],
    [READ_ONLY, 1],
    [BEHIND, 1],
  ] as const) {
    const bytes = new Uint8Array(pages * PAGE_SIZE);
    copyIn(space, virtAddr(start), bytes);
    lines.push(Buffer.from(bytes).toString('base64'));
  }
  expect(machine.audit()).toEqual([]);
  return lines;
};

describe('small loops', () => {
  test('come to what the interpreter comes to, fault where it does, and stop where they are told', () => {
    const asked = process.env['HOLSTEIN_SEED'];
    const seeds = asked === undefined ? [...KEPT_SEEDS, Date.now() % 1_000_000_007] : [Number(asked)];
    const stops = new Map<string, number>();
    for (const seed of seeds) {
      for (let number = 0; number < PROGRAMS; number++) {
        const program = randomProgram(new Random(seed * 1000 + number));
        const expected = observe(program, { jit: 'off' });
        for (const options of COMPILING)
          expect(observe(program, options), `HOLSTEIN_SEED=${seed}, program ${number}`).toEqual(expected);
        const stop = expected.at(-4)!.split(' ', 2).join(' ');
        stops.set(stop, (stops.get(stop) ?? 0) + 1);
      }
    }
    expect(stops.get('page-fault read')).toBeGreaterThan(10);
    expect(stops.get('page-fault write')).toBeGreaterThan(10);
    expect(stops.get('system-call after')).toBeGreaterThan(10);
  });
});
