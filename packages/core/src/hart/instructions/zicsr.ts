/**
 * Zicsr, for the control and status registers that a program may use (unprivileged specification, chapters 9 and 11.2): fflags
 * and frm, which are parts of fcsr, and fcsr. The counters of time and of instructions are not granted: what they would say
 * depends on how the host runs the program. Other registers are not there. Either is illegal, as the decoder finds.
 */
import { FRM_SHIFT } from '../float/index.js';
import { FCSR } from '../layout.js';
import type { Emitter } from './emitter.js';
import { CSR_BITS } from './formats.js';
import type { Instruction } from './instruction.js';

const OPCODE_SYSTEM = 0x73;
const FUNCT3_MASK = 0x707f;
/** The bits that each register has, a byte a register: fflags (1) is in the lowest. */
const WIDTHS = 0xff_07_1f;
const FRM = 2;

/** rs1, or the number in its place. */
type Operand = 'register' | 'immediate';

/** Pushes where the register begins in fcsr. */
const pushShift = (e: Emitter): void => {
  const { code } = e;
  e.imm();
  code.i64(CSR_BITS);
  code.op('i64.and');
  code.i64(FRM);
  code.op('i64.eq', 'i64.extend_i32_u');
  code.i64(FRM_SHIFT);
  code.op('i64.mul');
};

/** Pushes ones for the bits that the register has, at the bottom. */
const pushWidth = (e: Emitter): void => {
  const { code } = e;
  code.i64(WIDTHS);
  e.imm();
  code.i64(CSR_BITS);
  code.op('i64.and');
  code.i64(1);
  code.op('i64.sub');
  code.i64(3);
  code.op('i64.shl', 'i64.shr_u');
  code.i64(0xff);
  code.op('i64.and');
};

/**
 * @param combine pushes the new value, of the old one (scratch 0) and the operand (scratch 1). A set or clear of no bits, which
 *   need not write, writes what was there.
 */
const csr = (name: string, funct3: number, operand: Operand, combine: (e: Emitter) => void): Instruction => ({
  name,
  format: operand === 'register' ? 'csr' : 'csr-immediate',
  match: OPCODE_SYSTEM | (funct3 << 12),
  mask: FUNCT3_MASK,
  emit: (e) => {
    const { code } = e;
    const [old, value, width, shift] = [e.scratch(0), e.scratch(1), e.scratch(2), e.scratch(3)];
    if (operand === 'register') {
      e.rs1();
    } else {
      e.imm();
      code.i64(12);
      code.op('i64.shr_u');
    }
    code.set(value);
    pushShift(e);
    code.set(shift);
    pushWidth(e);
    code.set(width);
    code.i32(0);
    code.memory('i64.load32_u', FCSR);
    code.get(shift);
    code.op('i64.shr_u');
    code.get(width);
    code.op('i64.and');
    code.set(old);
    // fcsr without the register, and the register's new value.
    code.i32(0);
    code.i32(0);
    code.memory('i64.load32_u', FCSR);
    code.get(width);
    code.get(shift);
    code.op('i64.shl');
    code.i64(-1);
    code.op('i64.xor', 'i64.and');
    combine(e);
    code.get(width);
    code.op('i64.and');
    code.get(shift);
    code.op('i64.shl', 'i64.or');
    code.memory('i64.store32', FCSR);
    e.writeRd(() => code.get(old));
  },
});

const write = (e: Emitter): void => e.code.get(e.scratch(1));

const set = (e: Emitter): void => {
  e.code.get(e.scratch(0));
  e.code.get(e.scratch(1));
  e.code.op('i64.or');
};

const clear = (e: Emitter): void => {
  e.code.get(e.scratch(0));
  e.code.get(e.scratch(1));
  e.code.i64(-1);
  e.code.op('i64.xor', 'i64.and');
};

export const ZICSR: readonly Instruction[] = [
  csr('csrrw', 1, 'register', write),
  csr('csrrs', 2, 'register', set),
  csr('csrrc', 3, 'register', clear),
  csr('csrrwi', 5, 'immediate', write),
  csr('csrrsi', 6, 'immediate', set),
  csr('csrrci', 7, 'immediate', clear),
];
