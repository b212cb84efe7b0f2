/**
 * The types of the instruction table: one entry an instruction, with its encoding and its semantics.
 * Decoder, interpreter and disassembler are all made from the table (RISC-V unprivileged specification
 * 20191213, chapters 2 to 8, 16 and 24).
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
  | 'load-reserved';

/** Register numbers 0 … 31, and the immediate, sign-extended, in bytes where it is an offset. */
export interface Operands {
  readonly rd: number;
  readonly rs1: number;
  readonly rs2: number;
  readonly imm: number;
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
