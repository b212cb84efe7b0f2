/** Encodes the instruction table's 32-bit instructions, so that tests need no assembler. */
import { INSTRUCTIONS, type Instruction, REGISTER_NAMES } from '../../../src/hart/index.js';

export interface Operands {
  readonly rd?: number;
  readonly rs1?: number;
  readonly rs2?: number;
  readonly imm?: number;
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

/** Bits `high` … `low` of a number, moved to begin at bit `to`. */
const field = (value: number, high: number, low: number, to: number): number =>
  ((value >> low) & (2 ** (high - low + 1) - 1)) << to;

const immediateBits = (format: Instruction['format'], imm: number): number => {
  switch (format) {
    case 'I':
    case 'load':
    case 'jump-register':
      return field(imm, 11, 0, 20);
    case 'shift':
      return field(imm, 5, 0, 20);
    case 'shift32':
      return field(imm, 4, 0, 20);
    case 'store':
      return field(imm, 11, 5, 25) | field(imm, 4, 0, 7);
    case 'branch':
      return field(imm, 12, 12, 31) | field(imm, 10, 5, 25) | field(imm, 4, 1, 8) | field(imm, 11, 11, 7);
    case 'upper':
      return imm & ~0xfff;
    case 'jump':
      return field(imm, 20, 20, 31) | field(imm, 10, 1, 21) | field(imm, 11, 11, 20) | field(imm, 19, 12, 12);
    case 'R':
    case 'fence':
    case 'system':
    case 'atomic':
    case 'load-reserved':
      return 0;
  }
};

/** The word of an instruction. An `upper` immediate is the whole value that is added or loaded. */
export const encode = (name: string, { rd = 0, rs1 = 0, rs2 = 0, imm = 0 }: Operands = {}): number => {
  const instruction = INSTRUCTIONS.find((candidate) => candidate.name === name);
  if (instruction === undefined) throw new Error(`there is no instruction ${name}`);
  const { format, match, mask } = instruction;
  const operands = (rd << 7) | (rs1 << 15) | (rs2 << 20) | immediateBits(format, imm);
  if ((operands & mask) !== 0)
    throw new Error(`${name} has no room for ${JSON.stringify({ rd, rs1, rs2, imm })}`);
  return match | operands;
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
