/** Registers in compiled blocks: what was known of one is forgotten where it is written in another way. */
import { expect, test } from 'vitest';
import { codeBytes, encode, f, x } from '../support/riscv/assembler.js';
import { BareMachine, JIT_MODES } from '../support/riscv/bare-machine.js';

const CODE = 0x1_0000;
const DATA = 0x4_0000;
const ECALL = encode('ecall');
const CANONICAL_NAN = 0x7fc0_0000n;

const run = (machine: BareMachine, code: readonly number[]): void => {
  machine.place(CODE, codeBytes([...code, ECALL]), 'r-x');
  for (let turn = 0; turn < 4; turn++) {
    machine.hart.pc = BigInt(CODE);
    expect(machine.run(100)).toBe('system-call');
  }
  expect(machine.audit()).toEqual([]);
};

test.each(JIT_MODES)('a register that held a single and is written as a double is no single (%o)', (mode) => {
  const double = { rd: f.ft0, rs1: f.ft1, rs2: f.ft1 };
  for (const overwrite of [
    encode('fadd.d', double),
    encode('fld', { rd: f.ft0, rs1: x.a1 }),
    encode('fmv.d.x', { rd: f.ft0, rs1: x.a2 }),
  ]) {
    using machine = new BareMachine(mode);
    const { hart } = machine;
    machine.place(DATA, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 'rw-');
    hart.registers[x.a1] = BigInt(DATA);
    hart.registers[x.a2] = 0x1234n;
    hart.floatRegisters[f.ft1] = 0x3ff0_0000_0000_0000n;
    run(machine, [
      encode('fcvt.s.w', { rd: f.ft0, rs1: x.a1 }),
      encode('fadd.s', { rd: f.ft2, rs1: f.ft0, rs2: f.ft0 }),
      overwrite,
      encode('fsgnj.s', { rd: f.ft3, rs1: f.ft0, rs2: f.ft0 }),
    ]);
    expect(hart.floatRegisters[f.ft3]! & 0xffff_ffffn).toBe(CANONICAL_NAN);
    expect(hart.floatRegisters[f.ft2]).toBe(0xffff_ffff_4900_0000n);
  }
});

test.each(JIT_MODES)('a base that an access overwrites is a new base for those behind it (%o)', (mode) => {
  using machine = new BareMachine(mode);
  const { hart } = machine;
  const content = new Uint8Array(64);
  new DataView(content.buffer).setBigUint64(8, BigInt(DATA + 32), true);
  machine.place(DATA, content, 'rw-');
  hart.registers[x.a3] = BigInt(DATA);
  run(machine, [
    encode('addi', { rd: x.a1, rs1: x.a3 }),
    encode('sd', { rs1: x.a1, rs2: x.a3, imm: 16 }),
    encode('ld', { rd: x.a1, rs1: x.a1, imm: 8 }),
    encode('sd', { rs1: x.a1, rs2: x.a1, imm: 8 }),
    encode('ld', { rd: x.a2, rs1: x.a1, imm: 8 }),
    encode('jal', { rd: x.zero, imm: 4 }),
    encode('add', { rd: x.a4, rs1: x.zero, rs2: x.a2 }),
  ]);
  expect(hart.registers[x.a4]).toBe(BigInt(DATA + 32));
  expect(new BigUint64Array(machine.read(DATA + 40, 8).buffer)[0]).toBe(BigInt(DATA + 32));
  expect(new BigUint64Array(machine.read(DATA + 16, 8).buffer)[0]).toBe(BigInt(DATA));
});
