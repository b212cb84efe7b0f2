/** The hart's contract: every stop is exact, budgets are exact, faults name what was missing. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MAXVA, Sv39PageTable, Tlb, TLB_START } from '../../src/paging/index.js';
import { PAGE_SIZE, physAddr, PhysicalMemory, virtAddr } from '../../src/frame/index.js';
import { CONTEXT_BYTES, Hart, MAX_BUDGET } from '../../src/hart/index.js';
import { copyOut } from '../../src/space/index.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { BareMachine, JIT_MODES } from '../support/riscv/bare-machine.js';

const CODE = 0x1_0000;
const DATA = 0x4_0000;
const C_NOP = 0x0001;
const C_EBREAK = 0x9002;
const C_ADDI_A0_1 = 0x0505;
const NOP = encode('addi');
const ECALL = encode('ecall');
const EBREAK = encode('ebreak');
const ILLEGAL = 0;

describe.each(JIT_MODES)('with %o', (mode) => {
  let machine: BareMachine;
  let hart: Hart;

  beforeEach(() => {
    machine = new BareMachine(mode);
    hart = machine.hart;
  });

  afterEach(() => {
    expect(machine.audit()).toEqual([]);
    machine[Symbol.dispose]();
    expect(machine.memory.statistics().byUsage).toMatchObject({ Frame: 0, PageTable: 0, Kernel: 0 });
  });

  /** Places code, and data pages that are committed or not, and points pc at the code. */
  const start = (instructions: readonly number[], at = CODE): void => {
    machine.place(at, codeBytes(instructions), 'r-x');
    hart.pc = BigInt(at);
  };

  const registers = (): bigint[] => [...hart.registers];

  const setRegisters = (): bigint[] => {
    for (let register = 1; register < 32; register++) hart.registers[register] = BigInt(register) * 0x1111n;
    return registers();
  };

  /** Sets a register to an address that may be negative. */
  const point = (register: number, address: bigint | number): void => {
    hart.registers[register] = BigInt.asUintN(64, BigInt(address));
  };

  describe('stops', () => {
    test.each([
      ['system-call', ECALL, 2],
      ['breakpoint', EBREAK, 1],
      ['breakpoint', C_EBREAK, 1],
      ['illegal-instruction', ILLEGAL, 1],
      ['illegal-instruction', -1, 1],
    ] as const)(
      '%s (instruction %i) stops at the instruction and changes no register',
      (stop, instruction, retired) => {
        start([NOP, instruction]);
        const before = setRegisters();
        expect(hart.run(100)).toBe(stop);
        expect(hart.pc).toBe(BigInt(CODE + 4));
        expect(hart.retired).toBe(retired);
        expect(registers()).toEqual(before);
        // Nothing moves on by itself.
        expect(hart.run(100)).toBe(stop);
        expect(hart.pc).toBe(BigInt(CODE + 4));
        expect(hart.retired).toBe(retired - 1);
      },
    );

    test('a spent budget stops before the next instruction', () => {
      start([C_NOP, NOP, NOP]);
      expect(hart.run(2)).toBe('budget');
      expect(hart.pc).toBe(BigInt(CODE + 6));
      expect(hart.retired).toBe(2);
    });

    test.each(['lr.w', 'sc.w', 'amoadd.w', 'lr.d', 'sc.d', 'amoswap.d'])(
      '%s of a misaligned address is a trap of its own, on a page that is there or not',
      (name) => {
        machine.place(DATA, new Uint8Array(1), 'rw-');
        start([encode(name, { rd: x.a0, rs1: x.a1, ...(name.startsWith('lr') ? {} : { rs2: x.a2 }) })]);
        for (const page of [DATA, DATA + 0x10_0000]) {
          for (let offset = 1; offset < (name.endsWith('w') ? 4 : 8); offset++) {
            setRegisters();
            point(x.a1, page + offset);
            const before = registers();
            expect(machine.run(10)).toBe('misaligned-atomic');
            expect(hart.retired).toBe(0);
            expect(hart.pc).toBe(BigInt(CODE));
            expect(registers()).toEqual(before);
          }
        }
        expect(machine.read(DATA, 16)).toEqual(new Uint8Array(16));
      },
    );

    test('a doubleword atomic at a multiple of four is misaligned, a word atomic is not', () => {
      machine.place(DATA, new Uint8Array(1), 'rw-');
      start([
        encode('amoadd.w', { rd: x.a0, rs1: x.a1, rs2: x.a2 }),
        encode('amoadd.d', { rd: x.a0, rs1: x.a1, rs2: x.a2 }),
      ]);
      point(x.a1, DATA + 4);
      expect(hart.run(10)).toBe('misaligned-atomic');
      expect(hart.retired).toBe(1);
    });
  });

  describe('page faults', () => {
    const faultOf = (): unknown => ({ ...hart.fault });

    test.each([
      ['lb', 'read'],
      ['ld', 'read'],
      ['lr.d', 'read'],
      ['sb', 'write'],
      ['sd', 'write'],
      ['amoadd.d', 'write'],
      ['amoswap.w', 'write'],
    ] as const)('%s names its access, page and offset, and changes nothing', (name, access) => {
      const value = name.startsWith('s') || name.startsWith('amo') ? { rs2: x.a2 } : {};
      const result = name.startsWith('s') ? {} : { rd: x.a0 };
      start([NOP, encode(name, { rs1: x.a1, ...value, ...result })]);
      setRegisters();
      point(x.a1, DATA + 0x7f8);
      const before = registers();
      expect(hart.run(10)).toBe('page-fault');
      expect(faultOf()).toEqual({ access, page: DATA / PAGE_SIZE, offset: 0x7f8 });
      expect(hart.pc).toBe(BigInt(CODE + 4));
      expect(hart.retired).toBe(1);
      expect(registers()).toEqual(before);
    });

    test('a store-conditional whose reservation holds faults as a write, and succeeds once that is resolved', () => {
      machine.place(DATA, Uint8Array.of(7), 'rw-');
      using child = machine.space.fork();
      start([
        encode('lr.d', { rd: x.a0, rs1: x.a1 }),
        encode('sc.d', { rd: x.a3, rs1: x.a1, rs2: x.a2 }),
        ECALL,
      ]);
      point(x.a1, DATA);
      point(x.a2, 9);
      point(x.a3, 5);
      expect(hart.run(10)).toBe('page-fault');
      expect(faultOf()).toEqual({ access: 'write', page: DATA / PAGE_SIZE, offset: 0 });
      expect(hart.pc).toBe(BigInt(CODE + 4));
      expect(hart.registers[x.a3]).toBe(5n);
      expect(machine.run(10)).toBe('system-call');
      expect(hart.registers[x.a3]).toBe(0n);
      expect(machine.read(DATA, 1)[0]).toBe(9);
      expect(machine.read(DATA, 1, child)[0]).toBe(7);
    });

    test('a fetch from a page that is not there faults with execute', () => {
      hart.pc = BigInt(DATA + 0x10);
      expect(hart.run(10)).toBe('page-fault');
      expect(faultOf()).toEqual({ access: 'execute', page: DATA / PAGE_SIZE, offset: 0x10 });
      expect(hart.pc).toBe(BigInt(DATA + 0x10));
      expect(hart.retired).toBe(0);
    });

    test('a fetch from a page without the right to execute faults', () => {
      machine.place(DATA, codeBytes([ECALL]), 'rw-');
      hart.pc = BigInt(DATA);
      expect(machine.run(10)).toBe('page-fault');
      expect(hart.fault.access).toBe('execute');
    });

    test('the second half of an instruction faults at the start of its page, with pc at the first half', () => {
      const last = CODE + PAGE_SIZE - 2;
      start([C_NOP], last - 2);
      machine.place(CODE + 2 * PAGE_SIZE, new Uint8Array(1), 'r-x');
      hart.registers[x.a0] = 3n;
      // The low half of addi a0, a0, 1; the high half is 0x0015.
      machine.poke(last, Uint8Array.of(0x13, 0x05));
      expect(hart.run(10)).toBe('page-fault');
      expect(faultOf()).toEqual({ access: 'execute', page: CODE / PAGE_SIZE + 1, offset: 0 });
      expect(hart.pc).toBe(BigInt(last));
      expect(hart.retired).toBe(1);
      machine.place(CODE + PAGE_SIZE, Uint8Array.of(0x15, 0x00, 0x73, 0, 0, 0), 'r-x');
      expect(hart.run(10)).toBe('system-call');
      expect(hart.pc).toBe(BigInt(CODE + PAGE_SIZE + 2));
      expect(hart.registers[x.a0]).toBe(4n);
    });

    test.each([
      ['lh', 'read', 2],
      ['lw', 'read', 4],
      ['ld', 'read', 8],
      ['sh', 'write', 2],
      ['sw', 'write', 4],
      ['sd', 'write', 8],
    ] as const)(
      '%s across two pages faults on the second where that is missing, and moves nothing',
      (name, access, width) => {
        machine.place(DATA, new Uint8Array(PAGE_SIZE).fill(0x55), 'rw-');
        start([encode(name, access === 'read' ? { rd: x.a0, rs1: x.a1 } : { rs2: x.a0, rs1: x.a1 })]);
        for (let before = 1; before < width; before++) {
          setRegisters();
          point(x.a1, DATA + PAGE_SIZE - before);
          const state = registers();
          expect(machine.run(10)).toBe('page-fault');
          expect(faultOf()).toEqual({ access, page: DATA / PAGE_SIZE + 1, offset: 0 });
          expect(registers()).toEqual(state);
          expect(machine.read(DATA, PAGE_SIZE).every((byte) => byte === 0x55)).toBe(true);
        }
      },
    );

    test('a store across two pages faults on the first where that is missing, and writes nothing to the second', () => {
      machine.place(DATA + PAGE_SIZE, new Uint8Array(8).fill(0x55), 'rw-');
      start([encode('sd', { rs1: x.a1, rs2: x.zero })]);
      point(x.a1, DATA + PAGE_SIZE - 3);
      expect(machine.run(10)).toBe('page-fault');
      expect(faultOf()).toEqual({ access: 'write', page: DATA / PAGE_SIZE, offset: 4093 });
      expect(machine.read(DATA + PAGE_SIZE, 8)).toEqual(new Uint8Array(8).fill(0x55));
    });

    test.each([
      BigInt(MAXVA),
      2n ** 39n,
      2n ** 40n + BigInt(DATA),
      2n ** 63n,
      -1n,
      -8n,
      BigInt(DATA) - 2n ** 32n,
    ])('an address that is not canonical user memory (%s) faults, whatever its low bits', (address) => {
      machine.place(DATA, new Uint8Array(PAGE_SIZE), 'rw-');
      start([
        encode('lb', { rd: x.a0, rs1: x.a1 }),
        encode('sb', { rs1: x.a1, rs2: x.a0 }),
        encode('jalr', { rs1: x.a1 }),
      ]);
      const page = Number(BigInt.asUintN(64, address) >> 12n);
      // The TLB knows the page that the low bits name.
      point(x.a1, DATA);
      expect(machine.run(2)).toBe('budget');
      point(x.a1, address);
      for (const [step, access] of (['read', 'write', 'execute'] as const).entries()) {
        hart.pc = BigInt(CODE + step * 4);
        expect(machine.run(10)).toBe('page-fault');
        expect(hart.fault.access).toBe(access);
        expect(hart.fault.page).toBe(page);
      }
      expect(hart.pc).toBe(BigInt.asUintN(64, address) & ~1n);
    });

    test('a load that runs over the end of user memory faults beyond it', () => {
      machine.place(MAXVA - PAGE_SIZE, new Uint8Array(PAGE_SIZE), 'rw-');
      start([encode('ld', { rd: x.a0, rs1: x.a1 })]);
      point(x.a1, MAXVA - 4);
      expect(machine.run(10)).toBe('page-fault');
      expect(faultOf()).toEqual({ access: 'read', page: MAXVA / PAGE_SIZE, offset: 0 });
    });
  });

  describe('registers', () => {
    test('x0 stays zero, whatever writes to it', () => {
      machine.place(DATA, new Uint8Array(8).fill(0xff), 'rw-');
      start([
        encode('addi', { rd: x.zero, imm: 5 }),
        encode('lui', { rd: x.zero, imm: 0x1000 }),
        encode('ld', { rd: x.zero, rs1: x.a1 }),
        encode('amoadd.d', { rd: x.zero, rs1: x.a1, rs2: x.a1 }),
        encode('lr.d', { rd: x.zero, rs1: x.a1 }),
        encode('sc.d', { rd: x.zero, rs1: x.a2, rs2: x.a1 }),
        encode('jal', { rd: x.zero, imm: 4 }),
        encode('add', { rd: x.a0, rs1: x.zero, rs2: x.zero }),
        ECALL,
      ]);
      point(x.a0, 77);
      point(x.a1, DATA);
      point(x.a2, DATA);
      hart.registers[x.zero] = 9n;
      expect(machine.run(20)).toBe('system-call');
      expect(hart.registers[x.a0]).toBe(0n);
      expect(hart.registers[x.zero]).toBe(0n);
    });

    test('a context that was saved is the whole state', () => {
      start([C_ADDI_A0_1, C_ADDI_A0_1, C_ADDI_A0_1, ECALL]);
      expect(hart.run(1)).toBe('budget');
      const before = setRegisters();
      const context = new Uint8Array(CONTEXT_BYTES);
      hart.saveContext(context);
      expect(hart.run(10)).toBe('system-call');
      hart.loadContext(context);
      expect(registers()).toEqual(before);
      expect(hart.pc).toBe(BigInt(CODE + 2));
    });

    test('numbers are read as C would', () => {
      point(x.a0, -1);
      expect(hart.registerAsInt(x.a0)).toBe(-1);
      expect(hart.registerAsNumber(x.a0)).toBe(2 ** 64);
      point(x.a0, 2n ** 53n - 1n);
      expect(hart.registerAsNumber(x.a0)).toBe(Number.MAX_SAFE_INTEGER);
    });

    test('the lowest bit of pc is ignored, as there are no instructions at odd addresses', () => {
      start([C_ADDI_A0_1, C_ADDI_A0_1, ECALL]);
      hart.pc = BigInt(CODE + 1);
      expect(hart.run(1)).toBe('budget');
      expect(hart.pc).toBe(BigInt(CODE + 2));
      expect(hart.registers[x.a0]).toBe(1n);
    });
  });

  describe('budgets', () => {
    /** A loop with loads, stores across a page, atomics, calls and a page fault now and then. */
    const program = [
      encode('lui', { rd: x.a1, imm: DATA }),
      encode('addi', { rd: x.a2, imm: 60 }),
      encode('add', { rd: x.a0, rs1: x.a0, rs2: x.a2 }),
      C_ADDI_A0_1,
      encode('sd', { rs1: x.a1, rs2: x.a0, imm: -3 }),
      encode('ld', { rd: x.a3, rs1: x.a1, imm: -5 }),
      encode('amoadd.d', { rd: x.a4, rs1: x.a1, rs2: x.a3 }),
      encode('jal', { rd: x.ra, imm: 8 }),
      NOP,
      encode('xor', { rd: x.a5, rs1: x.a5, rs2: x.a4 }),
      encode('addi', { rd: x.a2, rs1: x.a2, imm: -1 }),
      encode('bne', { rs1: x.a2, rs2: x.zero, imm: -34 }),
      ECALL,
    ];
    /** Across a page boundary, in the middle of an instruction. */
    const AT = CODE + PAGE_SIZE - 24;

    const runInSlices = (slice: number): unknown => {
      using sliced = new BareMachine({ ...mode, codeSlots: 1 });
      sliced.place(AT, codeBytes(program), 'r-x');
      sliced.place(DATA - PAGE_SIZE, new Uint8Array(1), 'rw-', { pages: 2 });
      sliced.hart.pc = BigInt(AT);
      let slices = 1;
      while (sliced.run(slice) === 'budget') slices++;
      expect(slices).toBe(Math.ceil(sliced.retired / slice));
      expect(sliced.audit()).toEqual([]);
      return {
        registers: [...sliced.hart.registers],
        pc: sliced.hart.pc,
        retired: sliced.retired,
        data: sliced.read(DATA - PAGE_SIZE, 2 * PAGE_SIZE),
      };
    };

    test('slices of every size from 1 to 50, or one in five, come to the state of a single run', () => {
      const whole = runInSlices(MAX_BUDGET);
      expect(whole).toMatchObject({ retired: 2 + 60 * 9 + 1 });
      // With one code slot all is compiled anew at each turn of the loop, where it is before it runs.
      const step = mode.jit === 'eager' ? 5 : 1;
      for (let slice = 1; slice <= 50; slice += step) expect(runInSlices(slice)).toEqual(whole);
    });

    test('a budget of nothing runs nothing', () => {
      start([C_ADDI_A0_1, ECALL]);
      expect(hart.run(0)).toBe('budget');
      expect(hart.retired).toBe(0);
      expect(hart.pc).toBe(BigInt(CODE));
    });

    test.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, MAX_BUDGET + 1])(
      'a budget of %d is refused',
      (budget) => {
        start([NOP]);
        expect(() => hart.run(budget)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
      },
    );

    test('a hart that has entered no address space, or one that was closed, does not run', () => {
      const codeSlots = 1;
      const reservedBytes = Hart.reservedBytes({ codeSlots });
      const memory = new PhysicalMemory({ sizeBytes: 2 ** 20, reservedBytes });
      const tlb = new Tlb(memory, TLB_START);
      const idle = new Hart(memory, tlb, { codeSlots });
      expect(() => idle.run(1)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
      const table = new Sv39PageTable(memory, tlb);
      idle.enter(table);
      expect(idle.run(1)).toBe('page-fault');
      table.close();
      expect(() => idle.run(1)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    });

    test('a hart whose frames are not reserved, or whose TLB lies elsewhere, is refused', () => {
      const reservedBytes = Hart.reservedBytes({ codeSlots: 1 });
      const memory = new PhysicalMemory({ sizeBytes: 2 ** 20, reservedBytes });
      const refusal = expect.objectContaining({ code: 'EINVAL' });
      expect(() => new Hart(memory, new Tlb(memory, TLB_START), { codeSlots: 2 })).toThrow(refusal);
      const elsewhere = new Tlb(memory, physAddr(2 * TLB_START));
      expect(() => new Hart(memory, elsewhere, { codeSlots: 1 })).toThrow(refusal);
      expect(memory.audit()).toEqual([]);
    });

    test.each([0, -1, 1.5, 4097])('%d code slots are refused', (codeSlots) => {
      expect(() => Hart.reservedBytes({ codeSlots })).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    });
  });

  describe('page boundaries', () => {
    const END = CODE + PAGE_SIZE;

    test('every instruction runs alike before, across and after a page boundary', () => {
      const body = [
        C_ADDI_A0_1,
        encode('addi', { rd: x.a0, rs1: x.a0, imm: 2 }),
        C_ADDI_A0_1,
        encode('auipc', { rd: x.a1 }),
        ECALL,
      ];
      for (let at = END - 20; at <= END; at += 2) {
        using fresh = new BareMachine(mode);
        fresh.place(at, codeBytes(body), 'r-x');
        fresh.hart.pc = BigInt(at);
        expect(fresh.run(10)).toBe('system-call');
        expect(fresh.hart.registers[x.a0]).toBe(4n);
        expect(fresh.hart.registers[x.a1]).toBe(BigInt(at + 8));
        expect(fresh.hart.pc).toBe(BigInt(at + 12));
        expect(fresh.audit()).toEqual([]);
      }
    });

    test.each([
      ['forward to the next page', encode('beq', { imm: 8 }), END + 6],
      ['back into its own page', encode('jal', { rd: x.ra, imm: -1000 }), END - 1002],
      ['to the page before', encode('jal', { rd: x.ra, imm: -PAGE_SIZE }), END - 2 - PAGE_SIZE],
    ])('a jump that crosses a page boundary goes %s', (_, jump, target) => {
      machine.place(CODE - PAGE_SIZE, new Uint8Array(1), 'rwx', { pages: 3 });
      copyOut(machine.space, virtAddr(END - 2), codeBytes([jump]));
      copyOut(machine.space, virtAddr(target), codeBytes([C_ADDI_A0_1, ECALL]));
      hart.pc = BigInt(END - 2);
      expect(machine.run(10)).toBe('system-call');
      expect(hart.retired).toBe(3);
      expect(hart.pc).toBe(BigInt(target + 2));
      expect(hart.registers[x.ra]).toBe((jump & 0x80) === 0 ? 0n : BigInt(END + 2));
    });

    test('a jump that crosses a page boundary goes to itself, and into its own second half', () => {
      machine.place(CODE, new Uint8Array(1), 'rwx', { pages: 2 });
      copyOut(machine.space, virtAddr(END - 2), codeBytes([encode('jal')]));
      hart.pc = BigInt(END - 2);
      expect(machine.run(5)).toBe('budget');
      expect(hart.pc).toBe(BigInt(END - 2));
      // The second half of beq zero, zero, 2 is 0x0000.
      copyOut(machine.space, virtAddr(END - 2), codeBytes([encode('beq', { imm: 2 })]));
      expect(machine.run(5)).toBe('illegal-instruction');
      expect(hart.pc).toBe(BigInt(END));
    });

    test('a program may jump into the middle of an instruction, and both readings stay right', () => {
      // lui a0, 0x00010 is 0x00010537: its second half is c.nop-like 0x0001, then the next instruction.
      start([encode('lui', { rd: x.a0, imm: 0x1_0000 }), C_ADDI_A0_1, ECALL]);
      expect(machine.run(10)).toBe('system-call');
      expect(hart.registers[x.a0]).toBe(0x1_0001n);
      hart.pc = BigInt(CODE + 2);
      expect(machine.run(10)).toBe('system-call');
      expect(hart.registers[x.a0]).toBe(0x1_0002n);
      expect(hart.retired).toBe(3);
      hart.pc = BigInt(CODE);
      expect(machine.run(10)).toBe('system-call');
      expect(hart.registers[x.a0]).toBe(0x1_0001n);
    });

    test('running off the end of a page is a fault at the next page, after the last instruction has run', () => {
      start([C_ADDI_A0_1], END - 2);
      expect(machine.run(10)).toBe('page-fault');
      expect(hart.fault).toEqual({ access: 'execute', page: END / PAGE_SIZE, offset: 0 });
      expect(hart.pc).toBe(BigInt(END));
      expect(hart.retired).toBe(1);
    });
  });

  describe('reservations', () => {
    const pair = [
      encode('lr.w', { rd: x.a0, rs1: x.a1 }),
      encode('sc.w', { rd: x.a3, rs1: x.a2, rs2: x.a4 }),
      encode('sc.w', { rd: x.a5, rs1: x.a1, rs2: x.a4 }),
      ECALL,
    ];

    const startPair = (second: number): void => {
      machine.place(DATA, Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0x80), 'rw-');
      start(pair);
      point(x.a1, DATA);
      point(x.a2, second);
      point(x.a4, 0x1234_5678);
      point(x.a3, 99);
      point(x.a5, 99);
    };

    test('SC succeeds at the address of the LR, once', () => {
      startPair(DATA);
      expect(machine.run(10)).toBe('system-call');
      expect([hart.registers[x.a3], hart.registers[x.a5]]).toEqual([0n, 1n]);
      expect(machine.read(DATA, 4)).toEqual(Uint8Array.of(0x78, 0x56, 0x34, 0x12));
    });

    test('SC to another address fails, writes nothing and ends the reservation', () => {
      startPair(DATA + 4);
      expect(machine.run(10)).toBe('system-call');
      expect([hart.registers[x.a3], hart.registers[x.a5]]).toEqual([1n, 1n]);
      expect(machine.read(DATA, 8)).toEqual(Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0x80));
    });

    test.each([
      ['clearReservation', () => hart.clearReservation()],
      ['enter', () => hart.enter(machine.space.table)],
    ])('SC fails after %s', (_, between) => {
      startPair(DATA);
      expect(machine.run(1)).toBe('budget');
      between();
      expect(machine.run(10)).toBe('system-call');
      expect(hart.registers[x.a3]).toBe(1n);
      expect(machine.read(DATA, 1)[0]).toBe(1);
    });

    test('a reservation outlasts the end of a budget', () => {
      startPair(DATA);
      expect(machine.run(1)).toBe('budget');
      expect(machine.run(1)).toBe('budget');
      expect(hart.registers[x.a3]).toBe(0n);
    });

    test('SC without any LR fails at every address', () => {
      start([encode('sc.d', { rd: x.a3, rs1: x.a1, rs2: x.a4 }), ECALL]);
      for (const address of [0, DATA, -8]) {
        point(x.a1, address);
        hart.pc = BigInt(CODE);
        expect(machine.run(10)).toBe('system-call');
        expect(hart.registers[x.a3]).toBe(1n);
      }
    });

    test('LR.W extends the sign, AMO.W does too and ignores the high word of its operand', () => {
      startPair(DATA);
      machine.place(
        DATA + PAGE_SIZE,
        codeBytes([
          encode('lr.w', { rd: x.a0, rs1: x.a1 }),
          encode('amomaxu.w', { rd: x.a3, rs1: x.a1, rs2: x.a4 }),
          ECALL,
        ]),
        'r-x',
      );
      hart.pc = BigInt(DATA + PAGE_SIZE);
      point(x.a1, DATA + 4);
      point(x.a4, 0xffff_ffff_0000_0001n);
      expect(machine.run(10)).toBe('system-call');
      expect(hart.registers[x.a0]).toBe(0xffff_ffff_8000_0002n);
      expect(hart.registers[x.a3]).toBe(0xffff_ffff_8000_0002n);
      expect(machine.read(DATA + 4, 4)).toEqual(Uint8Array.of(2, 0, 0, 0x80));
    });
  });
});
