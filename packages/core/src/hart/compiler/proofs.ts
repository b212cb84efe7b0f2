/**
 * Accesses of one block that one look at the TLB can prove: they have the same base register, unchanged between them, and lie
 * so near that they are often on one page, as a function's accesses to its stack and a loop's to a structure are.
 */
import type { Placed } from './region.js';
import { operandKinds } from '../instructions/index.js';
import { accessOf } from './access.js';

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
}

/** The proof that each instruction of a block is part of, by its place; those of a single access are left out. */
export const findProofs = (instructions: readonly Placed[]): ReadonlyMap<number, Proof> => {
  const open = new Map<number, Proof>();
  const proofs = new Map<number, Proof>();
  for (const [index, { decoded }] of instructions.entries()) {
    const { format } = decoded.instruction;
    const access = accessOf(decoded.instruction);
    if (access !== undefined && (format === 'load' || format === 'store')) {
      const low = decoded.imm;
      const high = low + access.width;
      let proof = open.get(decoded.rs1);
      if (proof === undefined || Math.max(proof.high, high) - Math.min(proof.low, low) > MOST_SPAN) {
        proof = {
          base: decoded.rs1,
          first: index,
          low,
          high,
          kind: access.kind,
          accesses: 0,
        };
        open.set(decoded.rs1, proof);
      }
      proof.low = Math.min(proof.low, low);
      proof.high = Math.max(proof.high, high);
      if (access.kind === 'write') proof.kind = 'write';
      proof.accesses++;
      proofs.set(index, proof);
    }
    if (operandKinds(decoded.instruction).rd === 'x') open.delete(decoded.rd);
  }
  for (const [index, proof] of proofs) if (proof.accesses === 1) proofs.delete(index);
  return proofs;
};
