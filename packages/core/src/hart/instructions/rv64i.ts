/** RV64I, the base integer instructions, and Zifencei (unprivileged specification, chapters 2, 3 and 5). */
import type { MemoryOpcode, Opcode } from '../wasm/index.js';
import type { Emitter, Width } from './emitter.js';
import type { Format, Instruction } from './instruction.js';

const OPCODE = {
  load: 0x03,
  miscMem: 0x0f,
  immediate: 0x13,
  auipc: 0x17,
  immediate32: 0x1b,
  store: 0x23,
  register: 0x33,
  lui: 0x37,
  register32: 0x3b,
  branch: 0x63,
  jalr: 0x67,
  jal: 0x6f,
  system: 0x73,
} as const;

const OPCODE_MASK = 0x7f;
const FUNCT3_MASK = 0x707f;
const FUNCT7_MASK = 0xfe00_707f | 0;
const FUNCT6_MASK = 0xfc00_707f | 0;

const encode = (opcode: number, funct3 = 0, funct7 = 0): number => opcode | (funct3 << 12) | (funct7 << 25);

/** An instruction of format R: `push` leaves its i64 result, or (32-bit) an i64 whose low word counts. */
export const register = (
  name: string,
  funct3: number,
  funct7: number,
  push: (e: Emitter) => void,
): Instruction => ({
  name,
  format: 'R',
  match: encode(OPCODE.register, funct3, funct7),
  mask: FUNCT7_MASK,
  emit: (e) => e.writeRd(() => push(e)),
});

export const register32 = (
  name: string,
  funct3: number,
  funct7: number,
  push: (e: Emitter) => void,
): Instruction => ({
  ...register(name, funct3, funct7, push),
  match: encode(OPCODE.register32, funct3, funct7),
  emit: (e) =>
    e.writeRd(() => {
      push(e);
      e.code.op('i64.extend32_s');
    }),
});

const immediate = (
  name: string,
  opcode: number,
  funct3: number,
  push: (e: Emitter) => void,
): Instruction => ({
  name,
  format: 'I',
  match: encode(opcode, funct3),
  mask: FUNCT3_MASK,
  emit: (e) => e.writeRd(() => push(e)),
});

const shift = (name: string, funct3: number, funct7: number, push: (e: Emitter) => void): Instruction => ({
  ...immediate(name, OPCODE.immediate, funct3, push),
  format: 'shift',
  match: encode(OPCODE.immediate, funct3, funct7),
  mask: FUNCT6_MASK,
});

const shift32 = (name: string, funct3: number, funct7: number, push: (e: Emitter) => void): Instruction => ({
  ...immediate(name, OPCODE.immediate32, funct3, push),
  format: 'shift32',
  match: encode(OPCODE.immediate32, funct3, funct7),
  mask: FUNCT7_MASK,
});

/** Pushes `rs1 op rs2`, or `rs1 op imm`. */
const registers =
  (...operation: Opcode[]) =>
  (e: Emitter): void => {
    e.rs1();
    e.rs2();
    e.code.op(...operation);
  };

const withImmediate =
  (...operation: Opcode[]) =>
  (e: Emitter): void => {
    e.rs1();
    e.imm();
    e.code.op(...operation);
  };

/** Pushes the low words of rs1 and of `amount`, shifted as 32-bit values and extended to 64. */
const wordShift =
  (operation: Opcode, amount: 'rs2' | 'imm') =>
  (e: Emitter): void => {
    e.rs1();
    e.code.op('i32.wrap_i64');
    e[amount]();
    e.code.op('i32.wrap_i64', operation, 'i64.extend_i32_s');
  };

/** Pushes rs1 + imm, the address of a load or store. */
const effectiveAddress = (e: Emitter) => (): void => withImmediate('i64.add')(e);

const load = (name: string, funct3: number, width: Width, opcode: MemoryOpcode): Instruction => ({
  name,
  format: 'load',
  match: encode(OPCODE.load, funct3),
  mask: FUNCT3_MASK,
  emit: (e) => {
    const host = e.translate('read', width, effectiveAddress(e));
    e.writeRd(() => e.readAt(opcode, host));
  },
});

const store = (name: string, funct3: number, width: Width, opcode: MemoryOpcode): Instruction => ({
  name,
  format: 'store',
  match: encode(OPCODE.store, funct3),
  mask: FUNCT3_MASK,
  emit: (e) => {
    const host = e.translate('write', width, effectiveAddress(e));
    e.writeAt(opcode, host, () => e.rs2());
    e.written(host);
  },
});

const branch = (name: string, funct3: number, comparison: Opcode): Instruction => ({
  name,
  format: 'branch',
  match: encode(OPCODE.branch, funct3),
  mask: FUNCT3_MASK,
  emit: (e) => e.branchIf(() => registers(comparison)(e)),
});

const other = (
  name: string,
  format: Format,
  match: number,
  mask: number,
  emit: (e: Emitter) => void,
): Instruction => ({ name, format, match, mask, emit });

const nothing = (): void => {};

export const RV64I: readonly Instruction[] = [
  other('lui', 'upper', OPCODE.lui, OPCODE_MASK, (e) => e.writeRd(() => e.imm())),
  other('auipc', 'upper', OPCODE.auipc, OPCODE_MASK, (e) =>
    e.writeRd(() => {
      e.pc();
      e.imm();
      e.code.op('i64.add');
    }),
  ),
  other('jal', 'jump', OPCODE.jal, OPCODE_MASK, (e) => {
    e.writeRd(() => e.nextPc());
    e.jump();
  }),
  other('jalr', 'jump-register', OPCODE.jalr, FUNCT3_MASK, (e) => {
    // The target is worked out before rd is written: they may be the same register.
    const target = e.scratch(0);
    withImmediate('i64.add')(e);
    e.code.i64(-2);
    e.code.op('i64.and');
    e.code.set(target);
    e.writeRd(() => e.nextPc());
    e.jumpTo(() => e.code.get(target));
  }),

  branch('beq', 0, 'i64.eq'),
  branch('bne', 1, 'i64.ne'),
  branch('blt', 4, 'i64.lt_s'),
  branch('bge', 5, 'i64.ge_s'),
  branch('bltu', 6, 'i64.lt_u'),
  branch('bgeu', 7, 'i64.ge_u'),

  load('lb', 0, 1, 'i64.load8_s'),
  load('lh', 1, 2, 'i64.load16_s'),
  load('lw', 2, 4, 'i64.load32_s'),
  load('ld', 3, 8, 'i64.load'),
  load('lbu', 4, 1, 'i64.load8_u'),
  load('lhu', 5, 2, 'i64.load16_u'),
  load('lwu', 6, 4, 'i64.load32_u'),
  store('sb', 0, 1, 'i64.store8'),
  store('sh', 1, 2, 'i64.store16'),
  store('sw', 2, 4, 'i64.store32'),
  store('sd', 3, 8, 'i64.store'),

  immediate('addi', OPCODE.immediate, 0, withImmediate('i64.add')),
  immediate('slti', OPCODE.immediate, 2, withImmediate('i64.lt_s', 'i64.extend_i32_u')),
  immediate('sltiu', OPCODE.immediate, 3, withImmediate('i64.lt_u', 'i64.extend_i32_u')),
  immediate('xori', OPCODE.immediate, 4, withImmediate('i64.xor')),
  immediate('ori', OPCODE.immediate, 6, withImmediate('i64.or')),
  immediate('andi', OPCODE.immediate, 7, withImmediate('i64.and')),
  immediate('addiw', OPCODE.immediate32, 0, withImmediate('i64.add', 'i64.extend32_s')),
  shift('slli', 1, 0x00, withImmediate('i64.shl')),
  shift('srli', 5, 0x00, withImmediate('i64.shr_u')),
  shift('srai', 5, 0x20, withImmediate('i64.shr_s')),
  shift32('slliw', 1, 0x00, wordShift('i32.shl', 'imm')),
  shift32('srliw', 5, 0x00, wordShift('i32.shr_u', 'imm')),
  shift32('sraiw', 5, 0x20, wordShift('i32.shr_s', 'imm')),

  register('add', 0, 0x00, registers('i64.add')),
  register('sub', 0, 0x20, registers('i64.sub')),
  register('sll', 1, 0x00, registers('i64.shl')),
  register('slt', 2, 0x00, registers('i64.lt_s', 'i64.extend_i32_u')),
  register('sltu', 3, 0x00, registers('i64.lt_u', 'i64.extend_i32_u')),
  register('xor', 4, 0x00, registers('i64.xor')),
  register('srl', 5, 0x00, registers('i64.shr_u')),
  register('sra', 5, 0x20, registers('i64.shr_s')),
  register('or', 6, 0x00, registers('i64.or')),
  register('and', 7, 0x00, registers('i64.and')),
  register32('addw', 0, 0x00, registers('i64.add')),
  register32('subw', 0, 0x20, registers('i64.sub')),
  register32('sllw', 1, 0x00, wordShift('i32.shl', 'rs2')),
  register32('srlw', 5, 0x00, wordShift('i32.shr_u', 'rs2')),
  register32('sraw', 5, 0x20, wordShift('i32.shr_s', 'rs2')),

  // One hart, whose accesses are in order, and whose decoded code never outlives a write to it: there is
  // nothing to wait for.
  other('fence', 'fence', encode(OPCODE.miscMem, 0), FUNCT3_MASK, nothing),
  other('fence.i', 'fence', encode(OPCODE.miscMem, 1), FUNCT3_MASK, nothing),

  other('ecall', 'system', 0x0000_0073, -1, (e) => e.trap('system-call')),
  other('ebreak', 'system', 0x0010_0073, -1, (e) => e.trap('breakpoint')),
];
