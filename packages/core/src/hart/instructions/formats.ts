/** Operands of the 32-bit encodings (unprivileged specification, figures 2.3 and 2.4). */
import { isLegalRounding } from '../float/index.js';
import type { Format, Instruction, OperandKind, OperandKinds, Operands } from './instruction.js';

/** Bits `high` … `low` of a word, 31 at most, as an unsigned number. */
export const bits = (word: number, high: number, low: number): number =>
  (word >>> low) & ((1 << (high - low + 1)) - 1);

/** The low `width` bits of a value, sign-extended. */
export const signExtend = (value: number, width: number): number => (value << (32 - width)) >> (32 - width);

const kinds = (
  rd: OperandKind,
  rs1: OperandKind = 'none',
  rs2: OperandKind = 'none',
  rs3: OperandKind = 'none',
): OperandKinds => ({ rd, rs1, rs2, rs3 });

interface Layout {
  readonly kinds: OperandKinds;
  readonly immediate: (word: number) => number;
  /** What bits 14 … 12 and 31 … 20 name beside operands, which not every value of them does. */
  readonly names: 'nothing' | 'rounding mode' | 'control register';
}

const none = (): number => 0;
const immediateI = (word: number): number => word >> 20;
const immediateS = (word: number): number => ((word >> 25) << 5) | bits(word, 11, 7);
const immediateB = (word: number): number =>
  ((word >> 31) << 12) | (bits(word, 7, 7) << 11) | (bits(word, 30, 25) << 5) | (bits(word, 11, 8) << 1);
const immediateU = (word: number): number => word & 0xffff_f000;
const immediateJ = (word: number): number =>
  ((word >> 31) << 20) | (bits(word, 19, 12) << 12) | (bits(word, 20, 20) << 11) | (bits(word, 30, 21) << 1);

const layout = (operands: OperandKinds, immediate: (word: number) => number = none): Layout => ({
  kinds: operands,
  immediate,
  names: 'nothing',
});

const rounded = (operands: OperandKinds): Layout => ({
  kinds: operands,
  immediate: none,
  names: 'rounding mode',
});

const control = (operands: OperandKinds, immediate: (word: number) => number): Layout => ({
  kinds: operands,
  immediate,
  names: 'control register',
});

const LAYOUTS: Readonly<Record<Format, Layout>> = {
  R: layout(kinds('x', 'x', 'x')),
  I: layout(kinds('x', 'x'), immediateI),
  shift: layout(kinds('x', 'x'), (word) => bits(word, 25, 20)),
  shift32: layout(kinds('x', 'x'), (word) => bits(word, 24, 20)),
  load: layout(kinds('x', 'x'), immediateI),
  store: layout(kinds('none', 'x', 'x'), immediateS),
  branch: layout(kinds('none', 'x', 'x'), immediateB),
  upper: layout(kinds('x'), immediateU),
  jump: layout(kinds('x'), immediateJ),
  'jump-register': layout(kinds('x', 'x'), immediateI),
  fence: layout(kinds('none')),
  system: layout(kinds('none')),
  atomic: layout(kinds('x', 'x', 'x')),
  'load-reserved': layout(kinds('x', 'x')),
  'float-load': layout(kinds('f', 'x'), immediateI),
  'float-store': layout(kinds('none', 'x', 'f'), immediateS),
  float: rounded(kinds('f', 'f', 'f')),
  'float-fused': rounded(kinds('f', 'f', 'f', 'f')),
  'float-unary': rounded(kinds('f', 'f')),
  'float-choice': layout(kinds('f', 'f', 'f')),
  'float-compare': layout(kinds('x', 'f', 'f')),
  'float-to-integer': rounded(kinds('x', 'f')),
  'integer-to-float': rounded(kinds('f', 'x')),
  'float-bits': layout(kinds('x', 'f')),
  'bits-to-float': layout(kinds('f', 'x')),
  csr: control(kinds('x', 'x'), (word) => bits(word, 31, 20)),
  'csr-immediate': control(kinds('x'), (word) => bits(word, 31, 20) | (bits(word, 19, 15) << 12)),
};

/** The control and status registers that a program may use, by number (chapter 11.2; not those that count time). */
export const CSR_NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'fflags'],
  [2, 'frm'],
  [3, 'fcsr'],
]);
export const CSR_BITS = 0xfff;

/** Which registers an instruction reads and writes. What it reads beside them is memory, pc and fcsr. */
export const operandKinds = ({ format }: Pick<Instruction, 'format'>): OperandKinds => LAYOUTS[format].kinds;

/**
 * The operands of a word of the given format. A format without rd has rd 0.
 * @returns undefined where the rounding mode is reserved, or the program may not use the control register.
 */
export const operandsOf = (format: Format, word: number): Operands | undefined => {
  const { kinds: operands, immediate, names } = LAYOUTS[format];
  const rm = names === 'rounding mode' ? bits(word, 14, 12) : undefined;
  if (rm !== undefined && !isLegalRounding(rm)) return undefined;
  if (names === 'control register' && !CSR_NAMES.has(bits(word, 31, 20))) return undefined;
  return {
    rd: operands.rd === 'none' ? 0 : bits(word, 11, 7),
    rs1: bits(word, 19, 15),
    rs2: bits(word, 24, 20),
    rs3: bits(word, 31, 27),
    imm: immediate(word),
    rm,
  };
};
