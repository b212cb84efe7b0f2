/**
 * How a region's blocks are laid out in WebAssembly, which has no jumps but out of blocks and to the heads of loops.
 *
 * Blocks stand in the order of flow (block-order.ts). A jump backwards makes a loop, from its target to where it comes from; loops
 * that overlap are made to nest. So each jump is either to the head of a loop around it, or forwards. A jump forwards into the
 * middle of a loop that does not surround it goes to the loop's head, which passes it on by the number that is left in a
 * variable; so do the ways into the region.
 *
 *      blocks    0   1   2   3   4   5   6          jumps 3 → 1, 5 → 2, 0 → 4
 *      loops         [───────────────]              the first, made longer to hold the second
 *                        [───────────]              4 is reached by its number, through both heads
 */
import { type Region, targetsOf } from './region.js';

export interface Loop {
  /** Its first and last block. */
  readonly head: number;
  readonly last: number;
  /** The loop around it; undefined where there is none. */
  readonly parent: Loop | undefined;
  /** Whether blocks in its middle are reached through its head, by number. */
  passesOn: boolean;
}

export interface Layout {
  /** The innermost loop that holds a block. */
  readonly loopOf: readonly (Loop | undefined)[];
  /** The loops that begin at a block: one at most. */
  readonly loopAt: readonly (Loop | undefined)[];
  /** Blocks at which the region may be entered: those that it names, and the heads of loops. */
  readonly entries: readonly number[];
  /** The number by which a block is passed on, from 1 in the order of blocks; 0 where it needs none. */
  readonly numbers: readonly number[];
}

/** Blocks that a block jumps to within its region. */
export const successorsOf = ({ blocks, blockAt }: Region, index: number): number[] => {
  const { end, returnsTo } = blocks[index]!;
  const targets = end.kind === 'indirect' ? returnsTo : targetsOf(end);
  return targets.map((target) => blockAt.get(target)).filter((target) => target !== undefined);
};

export const layOut = (region: Region): Layout => {
  const count = region.blocks.length;
  const { loopOf, loopAt } = nestLoops(region);
  const isPassed = region.blocks.map(() => false);
  const pass = (target: number, outside: Loop | undefined): void => {
    // From the block outwards: each loop between, but for one whose head is the target.
    let isDirect = true;
    for (let loop = loopOf[target]; loop !== outside; loop = loop!.parent) {
      if (loop!.head === target) continue;
      loop!.passesOn = true;
      isDirect = false;
    }
    if (!isDirect) isPassed[target] = true;
  };
  for (let index = 0; index < count; index++) {
    for (const target of successorsOf(region, index)) pass(target, commonLoop(loopOf[index], target));
  }
  const entries = region.blocks.flatMap(({ start }, index) =>
    region.entries.has(start) || loopAt[index] !== undefined ? [index] : [],
  );
  for (const entry of entries) {
    pass(entry, undefined);
    isPassed[entry] = true;
  }
  let number = 0;
  return { loopOf, loopAt, entries, numbers: isPassed.map((passed) => (passed ? ++number : 0)) };
};

/** The innermost loop around a place that holds a block too. */
export const commonLoop = (from: Loop | undefined, target: number): Loop | undefined => {
  let loop = from;
  while (loop !== undefined && (target < loop.head || target > loop.last)) loop = loop.parent;
  return loop;
};

const nestLoops = (region: Region): Pick<Layout, 'loopOf' | 'loopAt'> => {
  const count = region.blocks.length;
  /** The last block of the loop that begins at a block; -1 where none does. */
  const lasts = region.blocks.map(() => -1);
  for (let index = 0; index < count; index++) {
    for (const target of successorsOf(region, index)) {
      if (target <= index) lasts[target] = Math.max(lasts[target]!, index);
    }
  }
  for (let head = count - 1; head >= 0; head--) {
    // Inner loops are whole already: jump from one's end to the next.
    for (let inner = head + 1; inner <= lasts[head]!; inner++) {
      if (lasts[inner]! < 0) continue;
      lasts[head] = Math.max(lasts[head]!, lasts[inner]!);
      inner = lasts[inner]!;
    }
  }
  const loopOf: (Loop | undefined)[] = [];
  const loopAt: (Loop | undefined)[] = [];
  let around: Loop | undefined;
  for (let index = 0; index < count; index++) {
    while (around !== undefined && index > around.last) around = around.parent;
    if (lasts[index]! >= 0) {
      around = { head: index, last: lasts[index]!, parent: around, passesOn: false };
      loopAt.push(around);
    } else {
      loopAt.push(undefined);
    }
    loopOf.push(around);
  }
  return { loopOf, loopAt };
};
