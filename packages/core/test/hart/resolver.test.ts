/** Page faults that the hart's user resolves while it runs: nothing of them can be seen but their cost. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PAGE_SIZE, virtAddr, type Vpn } from '../../src/frame/index.js';
import { type FaultResolver, type Hart, MAX_BUDGET } from '../../src/hart/index.js';
import { type Access, TLB_TAG_SHIFT } from '../../src/paging/index.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { BareMachine, JIT_MODES } from '../support/riscv/bare-machine.js';

const CODE = 0x1_0000;
const DATA = 0x4_0000;
const PAGES = 40;
const COST = 10;
const NOP = encode('addi');
const ECALL = encode('ecall');
/** a0 += a2 and store it, until it is a3. */
const STORES = [
  encode('sd', { rs1: x.a0, rs2: x.a0 }),
  encode('add', { rd: x.a0, rs1: x.a0, rs2: x.a2 }),
  encode('bne', { rs1: x.a0, rs2: x.a3, imm: -8 }),
  ECALL,
];

describe.each(JIT_MODES)('with %o', (mode) => {
  let machine: BareMachine;
  let hart: Hart;
  let asked: (readonly [page: number, access: Access])[];

  /** What the space can do, at a cost that is the same each time. */
  const resolve: FaultResolver = (page, access) => {
    asked.push([page, access]);
    return machine.space.handleFault(page, access).kind === 'resolved' ? COST : 0;
  };

  beforeEach(() => {
    machine = new BareMachine(mode);
    hart = machine.hart;
    asked = [];
  });

  afterEach(() => {
    expect(machine.audit()).toEqual([]);
    machine[Symbol.dispose]();
    expect(machine.memory.statistics().byUsage).toMatchObject({ Frame: 0, PageTable: 0, Kernel: 0 });
  });

  const start = (instructions: readonly number[], at = CODE): void => {
    machine.place(at, codeBytes(instructions), 'r-x');
    hart.pc = BigInt(at);
  };

  /** The loop over `PAGES` pages that are mapped, and have never been touched. */
  const startStores = (): void => {
    start(STORES);
    machine.space.map({ at: virtAddr(DATA), lengthBytes: PAGES * PAGE_SIZE, protection: 'rw-' });
    hart.registers[x.a0] = BigInt(DATA);
    hart.registers[x.a2] = BigInt(PAGE_SIZE);
    hart.registers[x.a3] = BigInt(DATA + PAGES * PAGE_SIZE);
  };

  const INSTRUCTIONS = 3 * PAGES + 1;

  /** How many of them a budget is enough for, by the count of whoever is told of each fault at a stop. */
  const affordable = (budget: number): number => {
    let instructions = 0;
    for (let left = budget; left > 0 && instructions < INSTRUCTIONS; left--) {
      if (instructions % 3 === 0) left -= COST;
      if (left <= 0) break;
      instructions++;
    }
    return instructions;
  };

  describe('a fault that is resolved', () => {
    test('does not stop the run, and is no instruction', () => {
      startStores();
      expect(hart.run(MAX_BUDGET, resolve)).toBe('system-call');
      expect(hart.retired).toBe(INSTRUCTIONS);
      expect(asked).toEqual(Array.from({ length: PAGES }, (_, page) => [DATA / PAGE_SIZE + page, 'write']));
      expect(machine.read(DATA + 7 * PAGE_SIZE, 8)).toEqual(
        new Uint8Array(new BigUint64Array([BigInt(DATA + 7 * PAGE_SIZE)]).buffer),
      );
    });

    test('takes its cost from the budget, which ends the run before the instruction where none is left', () => {
      for (let budget = 0; budget < 60; budget++) {
        machine[Symbol.dispose]();
        machine = new BareMachine(mode);
        ({ hart } = machine);
        asked = [];
        startStores();
        const instructions = affordable(budget);
        expect(hart.run(budget, resolve)).toBe('budget');
        expect(hart.retired, `of ${budget}`).toBe(instructions);
        expect(hart.pc).toBe(BigInt(CODE + 4 * (instructions % 3)));
        expect(hart.registers[x.a0]).toBe(BigInt(DATA + Math.floor((instructions + 1) / 3) * PAGE_SIZE));
        // It runs on as if nothing had been.
        expect(hart.run(MAX_BUDGET, resolve)).toBe('system-call');
        expect(hart.retired).toBe(INSTRUCTIONS - instructions);
        expect(asked).toHaveLength(PAGES);
      }
    });

    test('costs so much that any budget ends the run', () => {
      startStores();
      expect(hart.run(1000, (page, access) => resolve(page, access) * 1_000_000)).toBe('budget');
      expect(hart.retired).toBe(0);
      expect(hart.pc).toBe(BigInt(CODE));
      expect(asked).toHaveLength(1);
    });

    test('may be a fetch, of an instruction that crosses pages too', () => {
      const last = CODE + PAGE_SIZE - 2;
      machine.space.map({ at: virtAddr(CODE), lengthBytes: 3 * PAGE_SIZE, protection: 'r-x' });
      hart.pc = BigInt(last);
      // Zeros: what is fetched is an illegal instruction of 16 bits, once both resolvers have been asked.
      expect(hart.run(100, resolve)).toBe('illegal-instruction');
      expect(hart.pc).toBe(BigInt(last));
      expect(hart.retired).toBe(0);
      machine.poke(last, Uint8Array.of(0, 0));
      machine.space.protect(virtAddr(CODE), PAGE_SIZE, 'rwx');
      machine.space.handleFault((CODE / PAGE_SIZE) as Vpn, 'write');
      // The low half of addi a0, a0, 0: the high half is zeros, on a page that has never been touched.
      machine.poke(last, Uint8Array.of(0x13, 0x05));
      asked = [];
      expect(hart.run(100, resolve)).toBe('illegal-instruction');
      expect(asked).toEqual([[CODE / PAGE_SIZE + 1, 'execute']]);
      expect(hart.pc).toBe(BigInt(last + 4));
      expect(hart.retired).toBe(1);
    });

    test.each([
      ['ld', 'read', 3],
      ['sd', 'write', 5],
    ] as const)('may be of either page that %s crosses', (name, access, before) => {
      machine.space.map({ at: virtAddr(DATA), lengthBytes: 2 * PAGE_SIZE, protection: 'rw-' });
      start([encode(name, access === 'read' ? { rd: x.a0, rs1: x.a1 } : { rs2: x.a0, rs1: x.a1 }), ECALL]);
      hart.registers[x.a0] = 0x0102_0304_0506_0708n;
      hart.registers[x.a1] = BigInt(DATA + PAGE_SIZE - before);
      expect(hart.run(100, resolve)).toBe('system-call');
      expect(hart.retired).toBe(2);
      expect(asked).toEqual([0, 1].map((page) => [DATA / PAGE_SIZE + page, access]));
      if (access === 'read') expect(hart.registers[x.a0]).toBe(0n);
      else expect(machine.read(DATA + PAGE_SIZE - before, 8)).toEqual(Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1));
    });

    test('lets a program that writes the page that it runs from go on in its copy', () => {
      // It turns the nop before its ecall into addi a0, a0, 1.
      const code = [encode('sw', { rs1: x.a1, rs2: x.a2 }), NOP, ECALL];
      machine.place(CODE, codeBytes(code), 'rwx');
      using child = machine.space.fork();
      hart.pc = BigInt(CODE);
      hart.registers[x.a0] = 0n;
      hart.registers[x.a1] = BigInt(CODE + 4);
      hart.registers[x.a2] = BigInt(encode('addi', { rd: x.a0, rs1: x.a0, imm: 1 }));
      expect(hart.run(100, resolve)).toBe('system-call');
      expect(hart.registers[x.a0]).toBe(1n);
      expect(asked).toEqual([[CODE / PAGE_SIZE, 'write']]);
      expect(machine.read(CODE + 4, 4, child)).toEqual(codeBytes([NOP]));
    });

    test('may take rights away that the TLB has: a resolver that forks', () => {
      start([
        encode('sd', { rs1: x.a0, rs2: x.a1 }),
        encode('sd', { rs1: x.a2, rs2: x.a1 }),
        encode('sd', { rs1: x.a0, rs2: x.a2 }),
        ECALL,
      ]);
      machine.place(DATA, Uint8Array.of(1), 'rw-', { pages: 2 });
      hart.registers[x.a0] = BigInt(DATA);
      hart.registers[x.a1] = 7n;
      hart.registers[x.a2] = BigInt(DATA + PAGE_SIZE);
      let child: ReturnType<typeof machine.space.fork> | undefined;
      const forking: FaultResolver = (page, access) => {
        child ??= machine.space.fork();
        return resolve(page, access);
      };
      expect(hart.run(100, forking)).toBe('system-call');
      expect(asked.map(([page]) => page - DATA / PAGE_SIZE)).toEqual([1, 0]);
      expect(machine.read(DATA, 1, child)).toEqual(Uint8Array.of(7));
      expect(machine.read(DATA, 8)).toEqual(Uint8Array.of(0, 0x10, 4, 0, 0, 0, 0, 0));
      expect(machine.audit()).toEqual([]);
      child!.close();
    });

    test('may begin a new generation of the TLB', () => {
      startStores();
      const flushing: FaultResolver = (page, access) => {
        machine.tlb.flushAll();
        return resolve(page, access);
      };
      expect(hart.run(MAX_BUDGET, flushing)).toBe('system-call');
      expect(hart.retired).toBe(INSTRUCTIONS);
      expect(machine.space.table.tlbContext.tags.write << TLB_TAG_SHIFT).toBeGreaterThan(0);
    });
  });

  describe('a fault that is not resolved', () => {
    test('stops the run as it would have without a resolver', () => {
      start([NOP, encode('sd', { rs1: x.a1, rs2: x.a2 })]);
      hart.registers[x.a1] = BigInt(DATA + 8);
      expect(hart.run(100, resolve)).toBe('page-fault');
      expect(asked).toEqual([[DATA / PAGE_SIZE, 'write']]);
      expect({ ...hart.fault }).toEqual({ access: 'write', page: DATA / PAGE_SIZE, offset: 8 });
      expect(hart.pc).toBe(BigInt(CODE + 4));
      expect(hart.retired).toBe(1);
    });

    test('comes after those that were: the count of instructions is exact', () => {
      startStores();
      machine.space.unmap(virtAddr(DATA + 5 * PAGE_SIZE), PAGE_SIZE);
      expect(hart.run(MAX_BUDGET, resolve)).toBe('page-fault');
      expect(hart.retired).toBe(15);
      expect(hart.registers[x.a0]).toBe(BigInt(DATA + 5 * PAGE_SIZE));
      expect(asked).toHaveLength(6);
    });

    test('a resolver is asked in its own run only', () => {
      startStores();
      expect(hart.run(3, resolve)).toBe('budget');
      expect(hart.run(100)).toBe('page-fault');
      expect(asked).toHaveLength(1);
    });
  });

  test('what a resolver throws is thrown by run, with pc where the fault is', () => {
    startStores();
    let left = 3;
    const failing: FaultResolver = (page, access) => {
      if (left-- === 0) throw new Error('no more');
      return resolve(page, access);
    };
    expect(() => hart.run(MAX_BUDGET, failing)).toThrow('no more');
    expect(hart.pc).toBe(BigInt(CODE));
    expect(hart.retired).toBe(9);
    expect(hart.run(MAX_BUDGET, resolve)).toBe('system-call');
    expect(hart.retired).toBe(INSTRUCTIONS - 9);
  });
});
