/**
 * The types of the instruction table: one entry an instruction, with its encoding and its semantics.
 * Decoder, interpreter and disassembler are all made from the table (RISC-V unprivileged specification
 * 20191213, chapters 2 to 9, 11, 12, 16 and 24).
 */
import type { Emitter } from './emitter.js';

/** Where an encoding keeps its operands, and how assembly writes them. */
export type Format =
  | 'R'
  | 'I'
  /** A shift by a 6-bit, or (shift32) a 5-bit, constant. */
  | 'shift'
  | 'shift32'
  | 'load'
  | 'store'
  | 'branch'
  | 'upper'
  | 'jump'
  | 'jump-register'
  | 'fence'
  | 'system'
  /** An atomic operation: rd, rs2, (rs1). */
  | 'atomic'
  | 'load-reserved'
  | 'float-load'
  | 'float-store'
  /** Floating-point arithmetic, rounded: of two operands, of three, and of one. */
  | 'float'
  | 'float-fused'
  | 'float-unary'
  /** Of two operands and not rounded. */
  | 'float-choice'
  | 'float-compare'
  | 'float-to-integer'
  | 'integer-to-float'
  /** Bits, or what is read off them, to an integer register, and bits from one. */
  | 'float-bits'
  | 'bits-to-float'
  /** With another register, or with a number of 5 bits in its place. */
  | 'csr'
  | 'csr-immediate';

/**
 * Register numbers 0 … 31, and the immediate, sign-extended, in bytes where it is an offset. Of formats 'csr' and
 * 'csr-immediate' it is the register's number in 12 bits, then the number in 5.
 */
export interface Operands {
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly rs3: number;
  readonly imm: number;
  /** The rounding mode, 0 … 4 or DYNAMIC; undefined where the instruction has none. */
  readonly rm: number | undefined;
}

/** What a register operand names: an integer register, a floating-point one, or nothing. */
export type OperandKind = 'x' | 'f' | 'none';

/** Which registers instructions of a format read, as rs1 to rs3, and write, as rd. */
export interface OperandKinds {
  readonly rd: OperandKind;
  readonly rs1: OperandKind;
  readonly rs2: OperandKind;
  readonly rs3: OperandKind;
}

/** An instruction of 32 bits. A word is this instruction if `(word & mask) === match`. */
export interface Instruction {
  readonly name: string;
  readonly format: Format;
  readonly match: number;
  readonly mask: number;
  readonly emit: (emitter: Emitter) => void;
}

/** An instruction of 16 bits: another way to write one of the 32-bit ones. */
export interface CompressedInstruction {
  readonly name: string;
  readonly match: number;
  readonly mask: number;
  /** The name of the instruction that it stands for. */
  readonly expandsTo: string;
  /** Its operands there; undefined where these bits are reserved. */
  readonly operands: (bits: number) => Operands | undefined;
}
