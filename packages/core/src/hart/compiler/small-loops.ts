/**
 * The innermost loops of a region that are small, which are written with more care:
 *
 * - The registers that they write are held back in locals, and put into RAM on the ways out of the loop.
 * - The smallest remember the page of each pointer's last access. Nothing can change the TLB while a region runs, so a page
 *   that it has granted is good until the loop is left. The next access compares its address with a local, and looks at the TLB
 *   only where the page differs. Elsewhere that is more often in vain, and V8 has two more variables to keep.
 */
import { operandKinds } from '../instructions/index.js';
import { accessOf } from './access.js';
import type { Layout, Loop } from './loops.js';
import type { Placed, Region } from './region.js';

/** Instructions of a small loop, and of one that remembers pages. */
const MOST_INSTRUCTIONS = 64;
const MOST_REMEMBERING = 24;
/** Pages that a loop remembers: each takes two locals. */
const MOST_PAGES = 4;

/** The accesses that share a page: those of a kind by one base register. */
export type PageKey = `${'read' | 'write'} ${number}`;

export const pageKey = (access: 'read' | 'write', base: number): PageKey => `${access} ${base}`;

export interface SmallLoop {
  /** x and f registers that it writes. */
  readonly written: ReadonlySet<number>;
  readonly writtenFloats: ReadonlySet<number>;
  /** What remembers pages. */
  readonly pages: readonly PageKey[];
}

export const findSmallLoops = ({ blocks }: Region, { loopAt }: Layout): ReadonlyMap<Loop, SmallLoop> => {
  const outer = new Set(loopAt.map((loop) => loop?.parent));
  const found = new Map<Loop, SmallLoop>();
  for (const loop of loopAt) {
    if (loop === undefined || outer.has(loop)) continue;
    const within = blocks.slice(loop.head, loop.last + 1);
    const instructions = within.flatMap((block) => block.instructions);
    // An indirect jump has too many ways out.
    if (instructions.length > MOST_INSTRUCTIONS || within.some(({ end }) => end.kind === 'indirect'))
      continue;
    found.set(loop, {
      written: writtenBy(instructions, 'x'),
      writtenFloats: writtenBy(instructions, 'f'),
      pages: instructions.length > MOST_REMEMBERING ? [] : pagesOf(instructions),
    });
  }
  return found;
};

const writtenBy = (instructions: readonly Placed[], kind: 'x' | 'f'): ReadonlySet<number> => {
  const written = new Set<number>();
  for (const { decoded } of instructions) {
    if (operandKinds(decoded.instruction).rd === kind) written.add(decoded.rd);
  }
  if (kind === 'x') written.delete(0);
  return written;
};

const pagesOf = (instructions: readonly Placed[]): readonly PageKey[] => {
  const keys = new Set<PageKey>();
  for (const { decoded } of instructions) {
    const access = accessOf(decoded.instruction);
    if (access !== undefined) keys.add(pageKey(access.kind, decoded.rs1));
  }
  return keys.size > MOST_PAGES ? [] : [...keys];
};
