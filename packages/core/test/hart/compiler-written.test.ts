/** Compiled code never differs from memory: it is thrown away before an instruction that was written over could run. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import type { Hart } from '../../src/hart/index.js';
import { PTE_A, PTE_D, PTE_R, PTE_U, PTE_W } from '../../src/paging/index.js';
import { copyOut } from '../../src/space/index.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { BareMachine, type BareMachineOptions } from '../support/riscv/bare-machine.js';

const CODE = 0x1_0000;
const SECOND = CODE + PAGE_SIZE;
const ALIAS = 0x8_0000;
const DATA = 0x4_0000;
const ECALL = encode('ecall');
const FENCE_I = encode('fence.i');
const C_NOP = 0x0001;
const COMPILING: readonly BareMachineOptions[] = [{ jit: 'eager' }, { jit: 'auto', jitThreshold: 1 }];

const add = (imm: number): number => encode('addi', { rd: x.a0, rs1: x.a0, imm });
/** Writes the word in a1 to the address in a2. */
const WRITE = encode('sw', { rs1: x.a2, rs2: x.a1 });
const RETURN = encode('jalr', { rs1: x.ra });
const jump = (from: number, to: number, rd: number = x.zero): number => encode('jal', { rd, imm: to - from });

let machine: BareMachine;
let hart: Hart;

afterEach(() => {
  expect(machine.audit()).toEqual([]);
  machine[Symbol.dispose]();
});

/** Runs from an address to a system call. @returns what was added to a0. */
const call = (at: number): number => {
  hart.pc = BigInt(at);
  hart.registers[x.a0] = 0n;
  expect(machine.run(100_000)).toBe('system-call');
  return hart.registerAsInt(x.a0);
};

/** Lets what `call` runs be compiled, with writes that go elsewhere. @param expected what it adds each time. */
const warm = (at: number, expected: number): void => {
  hart.registers[x.a1] = 0n;
  hart.registers[x.a2] = BigInt(DATA);
  for (let turn = 0; turn < 4; turn++) expect(call(at)).toBe(expected);
};

const writeNext = (address: number, word: number): void => {
  hart.registers[x.a1] = BigInt.asUintN(64, BigInt(word));
  hart.registers[x.a2] = BigInt(address);
};

describe.each(COMPILING)('with %o, code that is written', (options) => {
  beforeEach(() => {
    machine = new BareMachine(options);
    ({ hart } = machine);
    machine.place(DATA, new Uint8Array(PAGE_SIZE), 'rw-');
  });

  test.each([1, 2, 3, 4, 5])('%d instructions ahead in the same block runs as written', (ahead) => {
    machine.place(CODE, codeBytes([add(1), WRITE, ...Array.from({ length: 5 }, () => add(1)), ECALL]), 'rwx');
    warm(CODE, 6);
    writeNext(CODE + 4 + 4 * ahead, add(100));
    expect(call(CODE)).toBe(105);
    warm(CODE, 105);
    writeNext(CODE + 4 + 4 * ahead, add(1));
    expect(call(CODE)).toBe(6);
    warm(CODE, 6);
  });

  test('in another block of the region runs as written, ahead and behind', () => {
    const code = [
      encode('addi', { rd: x.a3, imm: 3 }),
      add(1), // CODE + 4: the head of a loop
      WRITE,
      encode('beq', { rs1: x.a4, imm: 8 }),
      add(1000),
      add(10), // CODE + 20: in a block of its own
      encode('addi', { rd: x.a3, rs1: x.a3, imm: -1 }),
      encode('bne', { rs1: x.a3, imm: -24 }),
      ECALL,
    ];
    machine.place(CODE, codeBytes(code), 'rwx');
    warm(CODE, 33);
    writeNext(CODE + 20, add(20));
    expect(call(CODE)).toBe(63);
    warm(CODE, 63);
    // The first round has its head behind it.
    writeNext(CODE + 4, add(2));
    expect(call(CODE)).toBe(65);
    warm(CODE, 66);
  });

  test('in its own loop, once more in each round, runs as it was written last', () => {
    const code = [
      encode('addi', { rd: x.a3, imm: 50 }),
      WRITE,
      encode('add', { rd: x.a1, rs1: x.a1, rs2: x.a4 }),
      add(0), // CODE + 12
      encode('addi', { rd: x.a3, rs1: x.a3, imm: -1 }),
      encode('bne', { rs1: x.a3, imm: -16 }),
      ECALL,
    ];
    machine.place(CODE, codeBytes(code), 'rwx');
    warm(CODE, 0);
    writeNext(CODE + 12, add(1));
    hart.registers[x.a4] = BigInt(1 << 20);
    expect(call(CODE)).toBe((50 * 51) / 2);
    warm(CODE, 50 * 50);
  });

  test('on another page of the region runs as written, from either page', () => {
    const twoPages = new Uint8Array(2 * PAGE_SIZE);
    twoPages.set(
      codeBytes([jump(CODE, SECOND, x.ra), add(1), jump(CODE + 8, SECOND + 64, x.ra), add(1), ECALL]),
    );
    twoPages.set(codeBytes([WRITE, add(10), RETURN]), PAGE_SIZE);
    twoPages.set(codeBytes([add(10), RETURN]), PAGE_SIZE + 64);
    machine.place(CODE, twoPages, 'rwx');
    warm(CODE, 22);
    writeNext(CODE + 4, add(2)); // what the callee returns to
    expect(call(CODE)).toBe(23);
    warm(CODE, 23);
    writeNext(SECOND + 64, add(20)); // what is called next
    expect(call(CODE)).toBe(33);
    warm(CODE, 33);
    writeNext(SECOND + 4, add(30)); // the instruction after the write
    expect(call(CODE)).toBe(53);
    warm(CODE, 53);
  });

  test('across the border of two pages runs as written, in either half', () => {
    const at = SECOND - 2;
    machine.place(CODE, new Uint8Array(1), 'rwx', { pages: 2 });
    copyOut(
      machine.space,
      virtAddr(at - 8),
      codeBytes([add(1), encode('sh', { rs1: x.a2, rs2: x.a1 }), add(1), ECALL]),
    );
    const start = at - 8;
    warm(start, 2);
    writeNext(SECOND, add(7) >>> 16);
    expect(call(start)).toBe(8);
    warm(start, 8);
    // The first half with another destination.
    writeNext(at, encode('addi', { rd: x.a5, rs1: x.a0, imm: 7 }) & 0xffff);
    expect(call(start)).toBe(1);
    expect(hart.registerAsInt(x.a5)).toBe(8);
    warm(start, 1);
    copyOut(machine.space, virtAddr(SECOND), Uint8Array.of((add(5) >>> 16) & 0xff, (add(5) >>> 24) & 0xff));
    warm(start, 1);
    expect(hart.registerAsInt(x.a5)).toBe(6);
    copyOut(machine.space, virtAddr(at), codeBytes([C_NOP, C_NOP]));
    hart.registers[x.a5] = 0n;
    warm(start, 1);
    expect(hart.registers[x.a5]).toBe(0n);
  });

  test('through another mapping runs as written, in the same block too', () => {
    machine.place(CODE, codeBytes([add(1), WRITE, add(1), add(1), ECALL]), 'rwx');
    const { memory, space } = machine;
    const frame = machine.frameAt(CODE);
    memory.retain(frame);
    space.table.map(vpn(ALIAS / PAGE_SIZE), frame, PTE_U | PTE_R | PTE_W | PTE_A | PTE_D);
    warm(CODE, 3);
    for (const value of [10, 20, 30]) {
      writeNext(ALIAS + 8, add(value));
      expect(call(CODE)).toBe(value + 2);
      warm(CODE, value + 2);
    }
    space.table.unmap(vpn(ALIAS / PAGE_SIZE));
    memory.release(frame);
  });

  test('by a write of data that reaches into it from the page before runs as written', () => {
    machine.place(CODE, new Uint8Array(PAGE_SIZE), 'rw-');
    machine.place(SECOND, codeBytes([add(1), WRITE, add(1), ECALL]), 'rwx');
    warm(SECOND, 2);
    // The upper half of the word is the first half of the first instruction: addi a0, a0 becomes addi a5, a0.
    const low = encode('addi', { rd: x.a5, rs1: x.a0, imm: 0 }) & 0xffff;
    writeNext(SECOND - 2, (low << 16) | 0x1234);
    expect(call(SECOND)).toBe(2);
    expect(call(SECOND)).toBe(1);
    expect(machine.read(SECOND - 2, 2)).toEqual(Uint8Array.of(0x34, 0x12));
  });

  test('by the kernel in the middle of a run runs as written', () => {
    const code = [add(1), encode('bne', { rs1: x.a0, rs2: x.a3, imm: -4 }), ECALL];
    machine.place(CODE, codeBytes(code), 'rwx');
    hart.registers[x.a3] = 10_000n;
    warm(CODE, 10_000);
    hart.registers[x.a0] = 0n;
    hart.pc = BigInt(CODE);
    expect(machine.run(2001)).toBe('budget');
    expect(hart.registers[x.a0]).toBe(1001n);
    expect(hart.pc).toBe(BigInt(CODE + 4));
    expect(copyOut(machine.space, virtAddr(CODE), codeBytes([add(2)]))).toBe('ok');
    hart.registers[x.a3] = 2001n;
    expect(machine.run(1000)).toBe('budget');
    expect(hart.registers[x.a0]).toBe(2001n);
    expect(machine.run(1000)).toBe('system-call');
    expect(hart.retired).toBe(2);
  });

  test('with an instruction that stops the hart stops it', () => {
    machine.place(CODE, codeBytes([add(1), WRITE, add(1), add(1), ECALL]), 'rwx');
    warm(CODE, 3);
    writeNext(CODE + 8, encode('ebreak'));
    hart.registers[x.a0] = 0n;
    hart.pc = BigInt(CODE);
    expect(machine.run(100)).toBe('breakpoint');
    expect(hart.pc).toBe(BigInt(CODE + 8));
    expect(hart.registers[x.a0]).toBe(1n);
    expect(copyOut(machine.space, virtAddr(CODE + 8), new Uint8Array(4))).toBe('ok');
    expect(machine.run(100)).toBe('illegal-instruction');
    expect(copyOut(machine.space, virtAddr(CODE + 8), codeBytes([add(5)]))).toBe('ok');
    expect(machine.run(100)).toBe('system-call');
    expect(hart.registers[x.a0]).toBe(7n);
  });

  test('by sc and amo runs as written', () => {
    const code = [
      encode('lr.w', { rd: x.a5, rs1: x.a2 }),
      encode('sc.w', { rd: x.a6, rs1: x.a2, rs2: x.a1 }),
      add(1), // CODE + 8
      encode('amoxor.w', { rd: x.a5, rs1: x.a3, rs2: x.a4 }),
      add(1), // CODE + 16
      FENCE_I,
      ECALL,
    ];
    machine.place(CODE, codeBytes(code), 'rwx');
    hart.registers[x.a3] = BigInt(DATA + 8);
    warm(CODE, 2);
    writeNext(CODE + 8, add(10));
    expect(call(CODE)).toBe(11);
    expect(hart.registers[x.a6]).toBe(0n);
    warm(CODE, 11);
    writeNext(DATA, 0);
    hart.registers[x.a3] = BigInt(CODE + 16);
    hart.registers[x.a4] = BigInt((1 ^ 2) << 20);
    expect(call(CODE)).toBe(12);
    expect(call(CODE)).toBe(11);
  });

  test('beside data that is written all the time stays as it is', () => {
    const rounds = 2000;
    const code = [
      encode('lw', { rd: x.a1, rs1: x.a2 }),
      encode('addi', { rd: x.a1, rs1: x.a1, imm: 1 }),
      WRITE,
      add(1),
      encode('bne', { rs1: x.a0, rs2: x.a3, imm: -16 }),
      ECALL,
    ];
    machine.place(CODE, codeBytes(code), 'rwx');
    hart.registers[x.a2] = BigInt(CODE + 64);
    hart.registers[x.a3] = BigInt(rounds);
    for (let turn = 1; turn <= 3; turn++) {
      expect(call(CODE)).toBe(rounds);
      expect(hart.registerAsInt(x.a1)).toBe(turn * rounds);
    }
    expect(hart.compilation.thrownAway.written).toBe(0);
  });
});

describe('what is thrown away', () => {
  beforeEach(() => {
    machine = new BareMachine({ jit: 'eager' });
    ({ hart } = machine);
    machine.place(DATA, new Uint8Array(PAGE_SIZE), 'rw-');
  });

  test('are the regions whose instructions were written, and no others of their page', () => {
    machine.place(CODE, codeBytes([add(1), ECALL, add(2), ECALL]), 'rwx');
    expect([call(CODE), call(CODE + 8)]).toEqual([1, 2]);
    expect(hart.compilation).toMatchObject({ compiledRegions: 2, keptRegions: 2 });
    for (const [offset, kept] of [
      [16, 2],
      [6, 2], // what is not compiled: the system call
      [0, 1],
    ] as const) {
      copyOut(machine.space, virtAddr(CODE + offset), machine.read(CODE + offset, 2));
      expect(hart.compilation.keptRegions, `offset ${offset}`).toBe(kept);
    }
    expect(hart.compilation.thrownAway.written).toBe(1);
    expect([call(CODE), call(CODE + 8)]).toEqual([1, 2]);
    expect(hart.compilation.compiledRegions).toBe(3);
  });

  test('are all of a frame that is freed, and of one whose decoded code goes', () => {
    machine.place(CODE, codeBytes([add(1), ECALL, add(2), ECALL]), 'rwx');
    expect([call(CODE), call(CODE + 8)]).toEqual([1, 2]);
    machine.space.unmap(virtAddr(CODE), PAGE_SIZE);
    expect(hart.compilation).toMatchObject({ keptRegions: 0, keptModules: 0, keptBytes: 0 });
    expect(hart.compilation.thrownAway.freed).toBe(2);
    for (let page = 0; page < 20; page++) {
      machine.place(CODE + page * PAGE_SIZE, codeBytes([add(page), ECALL]), 'r-x');
      expect(call(CODE + page * PAGE_SIZE)).toBe(page);
    }
    // Sixteen frames of decoded code are kept.
    expect(hart.compilation.thrownAway['decoded-code']).toBe(4);
    expect(hart.compilation.keptRegions).toBe(16);
  });
});
