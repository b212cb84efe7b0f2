/**
 * Accesses of one block that one look at the TLB can prove: they have the same base register, unchanged between them, and lie
 * so near that they are often on one page, as a function's accesses to its stack and a loop's to a structure are.
 */
import { type Format, operandKinds } from '../instructions/index.js';
import { accessOf } from './access.js';
import type { Placed } from './region.js';

/** Bytes that the accesses of a proof may lie apart. The nearer, the more often they are on one page. */
const MOST_SPAN = 512;

export interface Proof {
  readonly base: number;
  /** The place in its block of the first access. */
  readonly first: number;
  /** Bytes from the base to the lowest byte accessed, and to behind the highest. */
  low: number;
  high: number;
  /** 'write' where one of them writes: a page that may be written may be read. */
  kind: 'read' | 'write';
  accesses: number;
  /** Its number among the proofs of the block, from 0. */
  number: number;
}

const NONE: readonly undefined[] = [];

/**
 * The proof that each instruction of a block is part of, by its place; undefined where it is part of none, or the only one.
 * An empty list where the block has no proof at all.
 */
export const findProofs = (instructions: readonly Placed[]): readonly (Proof | undefined)[] => {
  const proofs: (Proof | undefined)[] = [];
  const open: (Proof | undefined)[] = [];
  let count = 0;
  for (let index = 0; index < instructions.length; index++) {
    const { instruction, rs1, rd, imm } = instructions[index]!.decoded;
    let proof: Proof | undefined;
    const access = PLAIN.has(instruction.format) ? accessOf(instruction) : undefined;
    if (access !== undefined) {
      const low = imm;
      const high = low + access.width;
      proof = open[rs1];
      if (proof === undefined || Math.max(proof.high, high) - Math.min(proof.low, low) > MOST_SPAN) {
        proof = { base: rs1, first: index, low, high, kind: access.kind, accesses: 0, number: 0 };
        open[rs1] = proof;
      }
      proof.low = Math.min(proof.low, low);
      proof.high = Math.max(proof.high, high);
      if (access.kind === 'write') proof.kind = 'write';
      if (++proof.accesses === 2) proof.number = count++;
    }
    proofs.push(proof);
    if (operandKinds(instruction).rd === 'x') open[rd] = undefined;
  }
  return count > 0 ? proofs.map((proof) => (proof?.accesses === 1 ? undefined : proof)) : NONE;
};

/** What an access with an immediate is: atomic ones have none, and must be aligned. */
const PLAIN: ReadonlySet<Format> = new Set<Format>(['load', 'store', 'float-load', 'float-store']);
