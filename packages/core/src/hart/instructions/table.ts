/** The instruction table, whole, and the decoder and disassembler that are read off it. */
import { hex } from '../../frame/index.js';
import { DYNAMIC, ROUND } from '../float/index.js';
import { bits, CSR_BITS, CSR_NAMES, operandKinds, operandsOf } from './formats.js';
import type { CompressedInstruction, Format, Instruction, OperandKind, Operands } from './instruction.js';
import { RV64A } from './rv64a.js';
import { RV64C } from './rv64c.js';
import { RV64D } from './rv64d.js';
import { RV64F } from './rv64f.js';
import { RV64I } from './rv64i.js';
import { RV64M } from './rv64m.js';
import { ZICSR } from './zicsr.js';

/**
 * Every 32-bit instruction. An instruction's place here is its number in decoded code. The objects have one shape, so that
 * the decoder reads each in the same way.
 */
export const INSTRUCTIONS: readonly Instruction[] = [
  ...RV64I,
  ...RV64M,
  ...RV64A,
  ...RV64F,
  ...RV64D,
  ...ZICSR,
].map(({ name, format, match, mask, emit }) => ({ name, format, match, mask, emit }));
export const COMPRESSED_INSTRUCTIONS: readonly CompressedInstruction[] = RV64C;

export interface Decoded extends Operands {
  /** What the bits are called: the compressed name for a compressed instruction. */
  readonly name: string;
  readonly instruction: Instruction;
  /** The instruction's place in `INSTRUCTIONS`. */
  readonly number: number;
  readonly sizeBytes: 2 | 4;
}

/** Whether an instruction that begins with this halfword has 16 bits. */
export const isCompressed = (halfword: number): boolean => (halfword & 3) !== 3;

const numberOf = new Map(INSTRUCTIONS.map((instruction, number) => [instruction.name, number]));

/**
 * For each value of some bits, the encodings that can have it, in the order of the table. A value's bits count from 0.
 * @param width how many bits there are. @param spread puts a value's bits where they are in a word.
 */
const indexed = <E extends Pick<Instruction, 'match' | 'mask'>>(
  encodings: readonly E[],
  width: number,
  spread: (value: number) => number,
): readonly (readonly E[])[] => {
  const places = spread(2 ** width - 1);
  return Array.from({ length: 2 ** width }, (_, value) =>
    encodings.filter(({ match, mask }) => ((match ^ spread(value)) & mask & places) === 0),
  );
};

/** The 32-bit instructions by major opcode, bits 6 … 2, and funct3, bits 14 … 12. */
const byOpcode = indexed(INSTRUCTIONS, 8, (value) => (bits(value, 4, 0) << 2) | (bits(value, 7, 5) << 12));

/** Those of the opcode OP-FP, where funct3 is mostly a rounding mode, by funct5, bits 31 … 27. */
const OP_FP = 0x53;
const byFunct5 = indexed(
  INSTRUCTIONS.filter(({ match }) => (match & 0x7f) === OP_FP),
  5,
  (value) => value << 27,
);

const candidates = (word: number): readonly Instruction[] =>
  (word & 0x7f) === OP_FP ? byFunct5[word >>> 27]! : byOpcode[bits(word, 6, 2) | (bits(word, 14, 12) << 5)]!;

/** The compressed ones by quadrant, bits 1 and 0, and funct3, bits 15 … 13. */
const byQuadrant = indexed(
  COMPRESSED_INSTRUCTIONS,
  5,
  (value) => bits(value, 1, 0) | (bits(value, 4, 2) << 13),
);

const compressedCandidates = (halfword: number): readonly CompressedInstruction[] =>
  byQuadrant[bits(halfword, 1, 0) | (bits(halfword, 15, 13) << 2)]!;

/**
 * Decodes an instruction.
 * @param word its 32 bits; of a compressed one the low 16 count.
 * @returns undefined for an illegal instruction.
 */
export const decode = (word: number): Decoded | undefined =>
  isCompressed(word) ? decodeCompressed(word & 0xffff) : decodeWord(word);

const decodeWord = (word: number): Decoded | undefined => {
  for (const instruction of candidates(word)) {
    const { name, format, match, mask } = instruction;
    if ((word & mask) !== match) continue;
    const operands = operandsOf(format, word);
    if (operands === undefined) return undefined;
    const { rd, rs1, rs2, rs3, imm, rm } = operands;
    return { rd, rs1, rs2, rs3, imm, rm, name, instruction, number: numberOf.get(name)!, sizeBytes: 4 };
  }
  return undefined;
};

const decodeCompressed = (halfword: number): Decoded | undefined => {
  for (const { name, match, mask, expandsTo, operands } of compressedCandidates(halfword)) {
    if ((halfword & mask) !== match) continue;
    // The first that matches is the most specific: where it is reserved, no other is meant.
    const found = operands(halfword);
    if (found === undefined) return undefined;
    const number = numberOf.get(expandsTo)!;
    const { rd, rs1, rs2, rs3, imm, rm } = found;
    const instruction = INSTRUCTIONS[number]!;
    return { rd, rs1, rs2, rs3, imm, rm, name, instruction, number, sizeBytes: 2 };
  }
  return undefined;
};

/** The registers' names in the standard calling convention, by number. */
export const REGISTER_NAMES: readonly string[] =
  'zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'.split(
    ' ',
  );

/** The floating-point registers' names there. */
export const FLOAT_REGISTER_NAMES: readonly string[] =
  'ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 fa6 fa7 fs2 fs3 fs4 fs5 fs6 fs7 fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11'.split(
    ' ',
  );

const ROUNDING_NAMES: Readonly<Record<number, string>> = {
  0: 'rne',
  1: 'rtz',
  2: 'rdn',
  3: 'rup',
  4: 'rmm',
  7: 'dyn',
};
/** They never round: assemblers give them mode 0 unless told otherwise. */
const EXACT_CONVERSIONS: ReadonlySet<string> = new Set(['fcvt.d.s', 'fcvt.d.w', 'fcvt.d.wu']);

/** A rounding mode with the comma before it; nothing for the one that an assembler chooses. */
const roundingText = (name: string, rm: number | undefined): string =>
  rm === undefined || rm === (EXACT_CONVERSIONS.has(name) ? ROUND.nearestEven : DYNAMIC)
    ? ''
    : `, ${ROUNDING_NAMES[rm]!}`;

/** Where a jump goes, as a 64-bit address: below 0 it comes around. */
const target = (pc: number, imm: number): string => hex(BigInt.asUintN(64, BigInt(pc + imm)));

/** An instruction's operands as they are written: its registers, those that it has, and its rounding mode. */
interface Written {
  readonly rd: string;
  readonly rs1: string;
  readonly rs2: string;
  readonly rs3: string;
  readonly imm: number;
  readonly pc: number;
  readonly rm: string;
}

const csrName = (imm: number): string => CSR_NAMES.get(imm & CSR_BITS)!;

const WRITERS: Readonly<Record<Format, (operands: Written) => string>> = {
  R: ({ rd, rs1, rs2 }) => `${rd}, ${rs1}, ${rs2}`,
  I: ({ rd, rs1, imm }) => `${rd}, ${rs1}, ${imm}`,
  shift: ({ rd, rs1, imm }) => `${rd}, ${rs1}, ${imm}`,
  shift32: ({ rd, rs1, imm }) => `${rd}, ${rs1}, ${imm}`,
  load: ({ rd, rs1, imm }) => `${rd}, ${imm}(${rs1})`,
  store: ({ rs1, rs2, imm }) => `${rs2}, ${imm}(${rs1})`,
  branch: ({ rs1, rs2, imm, pc }) => `${rs1}, ${rs2}, ${target(pc, imm)}`,
  upper: ({ rd, imm }) => `${rd}, ${hex(imm >>> 12)}`,
  jump: ({ rd, imm, pc }) => `${rd}, ${target(pc, imm)}`,
  'jump-register': ({ rd, rs1, imm }) => `${rd}, ${imm}(${rs1})`,
  fence: () => '',
  system: () => '',
  atomic: ({ rd, rs1, rs2 }) => `${rd}, ${rs2}, (${rs1})`,
  'load-reserved': ({ rd, rs1 }) => `${rd}, (${rs1})`,
  'float-load': ({ rd, rs1, imm }) => `${rd}, ${imm}(${rs1})`,
  'float-store': ({ rs1, rs2, imm }) => `${rs2}, ${imm}(${rs1})`,
  float: ({ rd, rs1, rs2, rm }) => `${rd}, ${rs1}, ${rs2}${rm}`,
  'float-fused': ({ rd, rs1, rs2, rs3, rm }) => `${rd}, ${rs1}, ${rs2}, ${rs3}${rm}`,
  'float-unary': ({ rd, rs1, rm }) => `${rd}, ${rs1}${rm}`,
  'float-choice': ({ rd, rs1, rs2 }) => `${rd}, ${rs1}, ${rs2}`,
  'float-compare': ({ rd, rs1, rs2 }) => `${rd}, ${rs1}, ${rs2}`,
  'float-to-integer': ({ rd, rs1, rm }) => `${rd}, ${rs1}${rm}`,
  'integer-to-float': ({ rd, rs1, rm }) => `${rd}, ${rs1}${rm}`,
  'float-bits': ({ rd, rs1 }) => `${rd}, ${rs1}`,
  'bits-to-float': ({ rd, rs1 }) => `${rd}, ${rs1}`,
  csr: ({ rd, rs1, imm }) => `${rd}, ${csrName(imm)}, ${rs1}`,
  'csr-immediate': ({ rd, imm }) => `${rd}, ${csrName(imm)}, ${imm >> 12}`,
};

const written = ({ instruction, rd, rs1, rs2, rs3, imm, rm }: Decoded, pc: number): Written => {
  const kinds = operandKinds(instruction);
  const nameOf = (kind: OperandKind, register: number): string =>
    (kind === 'f' ? FLOAT_REGISTER_NAMES : REGISTER_NAMES)[register]!;
  return {
    rd: nameOf(kinds.rd, rd),
    rs1: nameOf(kinds.rs1, rs1),
    rs2: nameOf(kinds.rs2, rs2),
    rs3: nameOf(kinds.rs3, rs3),
    imm,
    pc,
    rm: roundingText(instruction.name, rm),
  };
};

/**
 * An instruction as assembly, in the terms of the 32-bit instruction that it is or stands for:
 * `c.addi` of 1 to a0 gives `addi a0, a0, 1`. Illegal ones give `.word` or `.half`.
 * @param pc the instruction's address, from which branch targets are worked out.
 */
export const disassemble = (word: number, pc = 0): string => {
  const decoded = decode(word);
  if (decoded === undefined) {
    return isCompressed(word)
      ? `.half 0x${(word & 0xffff).toString(16).padStart(4, '0')}`
      : `.word 0x${(word >>> 0).toString(16).padStart(8, '0')}`;
  }
  const { name, format } = decoded.instruction;
  return `${name} ${WRITERS[format](written(decoded, pc))}`.trimEnd();
};
