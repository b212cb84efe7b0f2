/** Compiled code stops where interpreted code does: after as many instructions, with the same registers. */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, virtAddr, vpnOf } from '../../src/frame/index.js';
import { type FaultResolver, MAX_BUDGET } from '../../src/hart/index.js';
import { Random } from '../support/random.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { BareMachine, type BareMachineOptions } from '../support/riscv/bare-machine.js';
import { type BlocksProgram, CODE, DATA, randomBlocks } from '../support/riscv/random-blocks.js';

const COMPILING: readonly BareMachineOptions[] = [
  { jit: 'eager' },
  { jit: 'auto', jitThreshold: 1 },
  { jit: 'auto', jitThreshold: 5 },
];
const ECALL = encode('ecall');

const machineWith = ({ entry, code, data }: BlocksProgram, options: BareMachineOptions): BareMachine => {
  const machine = new BareMachine(options);
  machine.place(CODE, code, 'r-x');
  machine.place(DATA, data, 'rw-');
  machine.hart.pc = BigInt(entry);
  return machine;
};

/** From the beginning, with whatever has been compiled. */
const restart = (machine: BareMachine, { entry, data }: BlocksProgram): void => {
  for (let at = 0; at < data.length; at += PAGE_SIZE) {
    machine.poke(DATA + at, data.subarray(at, at + PAGE_SIZE));
  }
  machine.hart.clearContext();
  machine.hart.clearReservation();
  machine.hart.pc = BigInt(entry);
  machine.retired = 0;
};

const stateOf = ({ hart }: BareMachine): string =>
  [hart.pc, hart.fcsr, ...hart.registers, ...hart.floatRegisters].join(' ');

/** The state before each instruction, and at the end. */
const steps = (program: BlocksProgram): string[] => {
  using machine = machineWith(program, { jit: 'off' });
  const states = [stateOf(machine)];
  let stop;
  while ((stop = machine.run(1)) === 'budget') states.push(stateOf(machine));
  expect(stop).toBe('system-call');
  states.push(stateOf(machine));
  return states;
};

describe.each(COMPILING)('with %o', (options) => {
  test('a run in slices of any size is at each cut where single steps are', () => {
    for (const seed of [1, 2]) {
      const program = randomBlocks(new Random(seed), { count: 40 });
      const states = steps(program);
      expect(states.length).toBeGreaterThan(150);
      using machine = machineWith(program, options);
      for (const slice of [...Array.from({ length: 9 }, (_, index) => index + 2), 23, 60, 133]) {
        restart(machine, program);
        while (machine.run(slice) === 'budget') {
          expect(machine.retired % slice).toBe(0);
          expect(stateOf(machine), `seed ${seed}, ${slice}, at ${machine.retired}`).toBe(
            states[machine.retired],
          );
        }
        expect(machine.retired).toBe(states.length - 1);
        expect(stateOf(machine)).toBe(states.at(-1));
      }
      expect(machine.audit()).toEqual([]);
    }
  });

  test('a run that is cut once, at any instruction, comes to the same end', () => {
    const program = randomBlocks(new Random(7), { count: 40 });
    const states = steps(program);
    using machine = machineWith(program, options);
    for (let first = 0; first < states.length - 1; first++) {
      restart(machine, program);
      expect(machine.run(first)).toBe('budget');
      expect(stateOf(machine), `at ${first}`).toBe(states[first]);
      expect(machine.run(MAX_BUDGET)).toBe('system-call');
      expect(machine.hart.retired).toBe(states.length - 1 - first);
      expect(stateOf(machine)).toBe(states.at(-1));
    }
    expect(machine.audit()).toEqual([]);
  });

  test('what a resolver charges is taken off, also more than is left, and the rest of a long run’s', () => {
    const pages = 30;
    /** Stores to a new page in every third round, from the middle of a block. */
    const program = [
      encode('addi', { rd: x.a0, rs1: x.a0, imm: 1 }),
      encode('sd', { rs1: x.a1, rs2: x.a0, imm: 16 }),
      encode('ld', { rd: x.a3, rs1: x.a1, imm: 16 }),
      encode('add', { rd: x.a1, rs1: x.a1, rs2: x.a2 }),
      encode('bne', { rs1: x.a1, rs2: x.a4, imm: -16 }),
      ECALL,
    ];
    const start = (mode: BareMachineOptions): BareMachine => {
      const machine = new BareMachine(mode);
      machine.place(CODE, codeBytes(program), 'r-x');
      machine.space.map({ at: virtAddr(DATA), lengthBytes: pages * PAGE_SIZE, protection: 'rw-' });
      machine.hart.pc = BigInt(CODE);
      machine.hart.registers[x.a1] = BigInt(DATA);
      machine.hart.registers[x.a2] = BigInt(PAGE_SIZE / 4);
      machine.hart.registers[x.a4] = BigInt(DATA + pages * PAGE_SIZE);
      return machine;
    };
    const run = (mode: BareMachineOptions, slice: number, cost: number): string[] => {
      using machine = start(mode);
      const { hart } = machine;
      const seen: string[] = [];
      const resolve: FaultResolver = (page, access) => {
        // What it is told of the run is as exact as at a stop.
        seen.push(`fault ${page} ${access} after ${hart.retired}`);
        return machine.space.handleFault(page, access).kind === 'resolved' ? cost : 0;
      };
      for (let runs = 0; runs < 5000; runs++) {
        const stop = hart.run(slice, resolve);
        seen.push(`${stop} ${hart.retired} ${hart.pc} ${[...hart.registers].join(' ')}`);
        if (stop !== 'budget') break;
      }
      expect(seen.at(-1)).toMatch(/^system-call/);
      expect(machine.audit()).toEqual([]);
      return seen;
    };
    for (const cost of [1, 7, 100]) {
      for (const slice of [1, 3, 7, 11, 99, 100, 101, MAX_BUDGET]) {
        expect(run(options, slice, cost), `${cost} of ${slice}`).toEqual(run({ jit: 'off' }, slice, cost));
      }
    }
  });

  test('a cost beyond the part of a long run that it falls into is taken from the next parts', () => {
    // More than the million instructions that run at a time.
    const budget = 3_500_000;
    const loop = [
      encode('addi', { rd: x.a0, rs1: x.a0, imm: 1 }),
      encode('bne', { rs1: x.a0, rs2: x.a4, imm: -4 }),
      encode('ld', { rd: x.a3, rs1: x.a1 }),
      encode('addi', { rd: x.a0 }),
      encode('addi', { rd: x.a4, rs1: x.a5 }),
      encode('jal', { imm: -20 }),
    ];
    const run = (mode: BareMachineOptions, cost: number): unknown => {
      using machine = new BareMachine(mode);
      const { hart, space } = machine;
      machine.place(CODE, codeBytes(loop), 'r-x');
      space.map({ at: virtAddr(DATA), lengthBytes: PAGE_SIZE, protection: 'rw-' });
      hart.pc = BigInt(CODE);
      hart.registers[x.a1] = BigInt(DATA);
      hart.registers[x.a4] = 300_000n;
      hart.registers[x.a5] = 77_777n;
      const resolve: FaultResolver = (page, access) =>
        space.handleFault(page, access).kind === 'resolved' ? cost : 0;
      const stop = hart.run(budget, resolve);
      expect(stop).toBe('budget');
      expect(hart.retired).toBe(Math.max(600_000, budget - cost));
      return [hart.retired, hart.pc, ...hart.registers];
    };
    for (const cost of [
      1, 399_999, 400_000, 400_001, 1_400_000, 1_400_001, 2_899_999, 2_900_000, 9_000_000,
    ]) {
      expect(run(options, cost), String(cost)).toEqual(run({ jit: 'off' }, cost));
    }
  });
});

test('a fault in the middle of a compiled block leaves all before it done, and nothing of it', () => {
  using machine = new BareMachine({ jit: 'eager' });
  const { hart } = machine;
  const ways = (
    ['lb', 'lh', 'lw', 'ld', 'sb', 'sh', 'sw', 'sd', 'amoadd.w', 'lr.d', 'fld', 'fsw'] as const
  ).map((name) => {
    const isAtomic = name.includes('.');
    const imm = isAtomic ? {} : { imm: 8 };
    const isStore = name.startsWith('s') || name === 'fsw';
    const value = isStore ? { rs2: x.a3 } : { rd: x.a3, ...(name === 'amoadd.w' ? { rs2: x.a5 } : {}) };
    return [name, encode(name, { rs1: x.a1, ...value, ...imm }), isAtomic ? 0 : 8] as const;
  });
  for (const [index, [name, instruction, offset]] of ways.entries()) {
    const at = CODE + index * PAGE_SIZE;
    const code = [
      encode('addi', { rd: x.a0, rs1: x.a0, imm: 1 }),
      encode('addi', { rd: x.a4, rs1: x.a4, imm: 2 }),
      instruction,
      encode('addi', { rd: x.a0, rs1: x.a0, imm: 16 }),
      encode('addi', { rd: x.a3, imm: 5 }),
      encode('jal', { imm: -20 }),
    ];
    machine.place(at, codeBytes(code), 'r-x');
    for (let round = 0; round < 4; round++) {
      hart.pc = BigInt(at);
      for (const register of [x.a0, x.a3, x.a4]) hart.registers[register] = 100n;
      hart.registers[x.a1] = BigInt(DATA);
      expect(hart.run(1000), name).toBe('page-fault');
      const access = name.startsWith('l') || name === 'fld' ? 'read' : 'write';
      expect({ ...hart.fault }).toEqual({ access, page: vpnOf(virtAddr(DATA)), offset });
      expect(hart.pc).toBe(BigInt(at + 8));
      expect(hart.retired).toBe(2);
      expect([x.a0, x.a3, x.a4].map((register) => hart.registers[register])).toEqual([101n, 100n, 102n]);
    }
  }
  expect(hart.compilation.compiledRegions).toBeGreaterThanOrEqual(ways.length);
  expect(machine.audit()).toEqual([]);
});
