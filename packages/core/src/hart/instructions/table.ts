/** The instruction table, whole, and the decoder and disassembler that are read off it. */
import { hex } from '../../frame/index.js';
import { bits, operandsOf } from './formats.js';
import type { CompressedInstruction, Format, Instruction, Operands } from './instruction.js';
import { RV64A } from './rv64a.js';
import { RV64C } from './rv64c.js';
import { RV64I } from './rv64i.js';
import { RV64M } from './rv64m.js';

/** Every 32-bit instruction. An instruction's place here is its number in decoded code. */
export const INSTRUCTIONS: readonly Instruction[] = [...RV64I, ...RV64M, ...RV64A];
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

const candidates = (word: number): readonly Instruction[] =>
  byOpcode[bits(word, 6, 2) | (bits(word, 14, 12) << 5)]!;

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
    const { rd, rs1, rs2, imm } = operandsOf(format, word);
    return { rd, rs1, rs2, imm, name, instruction, number: numberOf.get(name)!, sizeBytes: 4 };
  }
  return undefined;
};

const decodeCompressed = (halfword: number): Decoded | undefined => {
  for (const { name, match, mask, expandsTo, operands } of compressedCandidates(halfword)) {
    if ((halfword & mask) !== match) continue;
    // The first that matches is the most specific: where it is reserved, no other is meant.
    const found = operands(halfword);
    if (found === undefined) return undefined;
    const { rd, rs1, rs2, imm } = found;
    const number = numberOf.get(expandsTo)!;
    return { rd, rs1, rs2, imm, name, instruction: INSTRUCTIONS[number]!, number, sizeBytes: 2 };
  }
  return undefined;
};

/** The registers' names in the standard calling convention, by number. */
export const REGISTER_NAMES: readonly string[] =
  'zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6'.split(
    ' ',
  );

/** Where a jump goes, as a 64-bit address: below 0 it comes around. */
const target = (pc: number, imm: number): string => hex(BigInt.asUintN(64, BigInt(pc + imm)));

type Writer = (operands: Operands, register: (number: number) => string, pc: number) => string;

const WRITERS: Readonly<Record<Format, Writer>> = {
  R: ({ rd, rs1, rs2 }, r) => `${r(rd)}, ${r(rs1)}, ${r(rs2)}`,
  I: ({ rd, rs1, imm }, r) => `${r(rd)}, ${r(rs1)}, ${imm}`,
  shift: ({ rd, rs1, imm }, r) => `${r(rd)}, ${r(rs1)}, ${imm}`,
  shift32: ({ rd, rs1, imm }, r) => `${r(rd)}, ${r(rs1)}, ${imm}`,
  load: ({ rd, rs1, imm }, r) => `${r(rd)}, ${imm}(${r(rs1)})`,
  store: ({ rs1, rs2, imm }, r) => `${r(rs2)}, ${imm}(${r(rs1)})`,
  branch: ({ rs1, rs2, imm }, r, pc) => `${r(rs1)}, ${r(rs2)}, ${target(pc, imm)}`,
  upper: ({ rd, imm }, r) => `${r(rd)}, ${hex(imm >>> 12)}`,
  jump: ({ rd, imm }, r, pc) => `${r(rd)}, ${target(pc, imm)}`,
  'jump-register': ({ rd, rs1, imm }, r) => `${r(rd)}, ${imm}(${r(rs1)})`,
  fence: () => '',
  system: () => '',
  atomic: ({ rd, rs1, rs2 }, r) => `${r(rd)}, ${r(rs2)}, (${r(rs1)})`,
  'load-reserved': ({ rd, rs1 }, r) => `${r(rd)}, (${r(rs1)})`,
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
  return `${name} ${WRITERS[format](decoded, (number) => REGISTER_NAMES[number]!, pc)}`.trimEnd();
};
