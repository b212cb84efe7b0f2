/** Operands of the 32-bit encodings (unprivileged specification, figures 2.3 and 2.4). */
import type { Format, Operands } from './instruction.js';

/** Bits `high` … `low` of a word, 31 at most, as an unsigned number. */
export const bits = (word: number, high: number, low: number): number =>
  (word >>> low) & ((1 << (high - low + 1)) - 1);

/** The low `width` bits of a value, sign-extended. */
export const signExtend = (value: number, width: number): number => (value << (32 - width)) >> (32 - width);

const immediate: Readonly<Record<Format, (word: number) => number>> = {
  R: () => 0,
  I: (word) => word >> 20,
  shift: (word) => bits(word, 25, 20),
  shift32: (word) => bits(word, 24, 20),
  load: (word) => word >> 20,
  store: (word) => ((word >> 25) << 5) | bits(word, 11, 7),
  branch: (word) =>
    ((word >> 31) << 12) | (bits(word, 7, 7) << 11) | (bits(word, 30, 25) << 5) | (bits(word, 11, 8) << 1),
  upper: (word) => word & 0xffff_f000,
  jump: (word) =>
    ((word >> 31) << 20) |
    (bits(word, 19, 12) << 12) |
    (bits(word, 20, 20) << 11) |
    (bits(word, 30, 21) << 1),
  'jump-register': (word) => word >> 20,
  fence: () => 0,
  system: () => 0,
  atomic: () => 0,
  'load-reserved': () => 0,
};

const HAS_RD: ReadonlySet<Format> = new Set<Format>([
  'R',
  'I',
  'shift',
  'shift32',
  'load',
  'upper',
  'jump',
  'jump-register',
  'atomic',
  'load-reserved',
]);

/** The operands of a word of the given format. A format without rd has rd 0. */
export const operandsOf = (format: Format, word: number): Operands => ({
  rd: HAS_RD.has(format) ? bits(word, 11, 7) : 0,
  rs1: bits(word, 19, 15),
  rs2: bits(word, 24, 20),
  imm: immediate[format](word),
});
