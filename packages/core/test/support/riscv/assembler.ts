/** Encodes the instruction table's 32-bit instructions, so that tests need no assembler. */
import {
  FLOAT_REGISTER_NAMES,
  INSTRUCTIONS,
  type Instruction,
  REGISTER_NAMES,
} from '../../../src/hart/index.js';

export interface Operands {
  readonly rd?: number;
  readonly rs1?: number;
  readonly rs2?: number;
  readonly rs3?: number;
  readonly imm?: number;
  /** The rounding mode of an instruction that has one: 7, as frm says, unless told otherwise. */
  readonly rm?: number;
}

type Digit = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
type RegisterName =
  | ('zero' | 'ra' | 'sp' | 'gp' | 'tp')
  | `t${Exclude<Digit, 7 | 8 | 9>}`
  | `a${Exclude<Digit, 8 | 9>}`
  | `s${Digit | 10 | 11}`;

/** Register numbers by name: `x.a0` is 10. */
export const x = Object.fromEntries(REGISTER_NAMES.map((name, number) => [name, number])) as Readonly<
  Record<RegisterName, number>
>;

type FloatRegisterName = `ft${Digit | 10 | 11}` | `fa${Exclude<Digit, 8 | 9>}` | `fs${Digit | 10 | 11}`;

/** Floating-point registers likewise: `f.fa0` is 10. */
export const f = Object.fromEntries(FLOAT_REGISTER_NAMES.map((name, number) => [name, number])) as Readonly<
  Record<FloatRegisterName, number>
>;

/** Control and status registers, for the immediate of the instructions that name them. */
export const CSR = { fflags: 1, frm: 2, fcsr: 3 } as const;

const DYNAMIC = 7;

/** Bits `high` … `low` of a number, moved to begin at bit `to`. */
const field = (value: number, high: number, low: number, to: number): number =>
  ((value >> low) & (2 ** (high - low + 1) - 1)) << to;

const immediateBits = (format: Instruction['format'], imm: number): number => {
  switch (format) {
    case 'I':
    case 'load':
    case 'float-load':
    case 'jump-register':
      return field(imm, 11, 0, 20);
    case 'shift':
      return field(imm, 5, 0, 20);
    case 'shift32':
      return field(imm, 4, 0, 20);
    case 'store':
    case 'float-store':
      return field(imm, 11, 5, 25) | field(imm, 4, 0, 7);
    case 'branch':
      return field(imm, 12, 12, 31) | field(imm, 10, 5, 25) | field(imm, 4, 1, 8) | field(imm, 11, 11, 7);
    case 'upper':
      return imm & ~0xfff;
    case 'jump':
      return field(imm, 20, 20, 31) | field(imm, 10, 1, 21) | field(imm, 11, 11, 20) | field(imm, 19, 12, 12);
    case 'csr':
      return field(imm, 11, 0, 20);
    case 'csr-immediate':
      return field(imm, 11, 0, 20) | field(imm, 16, 12, 15);
    case 'float':
    case 'float-fused':
    case 'float-unary':
    case 'float-choice':
    case 'float-compare':
    case 'float-to-integer':
    case 'integer-to-float':
    case 'float-bits':
    case 'bits-to-float':
    case 'R':
    case 'fence':
    case 'system':
    case 'atomic':
    case 'load-reserved':
      return 0;
  }
};

/** Whether bits 14 … 12 are a rounding mode. */
const rounds = (format: Instruction['format']): boolean =>
  ['float', 'float-fused', 'float-unary', 'float-to-integer', 'integer-to-float'].includes(format);

/**
 * The word of an instruction. An `upper` immediate is the whole value that is added or loaded; a `csr-immediate` one is the
 * register's number and, from bit 12 on, the operand.
 */
export const encode = (name: string, operands: Operands = {}): number => {
  const { rd = 0, rs1 = 0, rs2 = 0, rs3 = 0, imm = 0, rm } = operands;
  const instruction = INSTRUCTIONS.find((candidate) => candidate.name === name);
  if (instruction === undefined) throw new Error(`there is no instruction ${name}`);
  const { format, match, mask } = instruction;
  const rounding = rounds(format) ? (rm ?? DYNAMIC) : (rm ?? 0);
  const bits =
    (rd << 7) | (rs1 << 15) | (rs2 << 20) | (rs3 << 27) | (rounding << 12) | immediateBits(format, imm);
  if ((bits & mask) !== 0) throw new Error(`${name} has no room for ${JSON.stringify(operands)}`);
  return match | bits;
};

/** Machine code: two bytes for each compressed instruction, four for each other. */
export const codeBytes = (instructions: readonly number[]): Uint8Array => {
  const bytes: number[] = [];
  for (const instruction of instructions) {
    bytes.push(instruction & 0xff, (instruction >>> 8) & 0xff);
    if ((instruction & 3) === 3) bytes.push((instruction >>> 16) & 0xff, instruction >>> 24);
  }
  return Uint8Array.from(bytes);
};
