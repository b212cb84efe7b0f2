/**
 * The order in which a region's blocks stand: a block that leads to another stands before it, but for the ways back in loops,
 * and the blocks of a loop stand together.
 *
 * Blocks that lead to each other around (strongly connected ones, which Tarjan's algorithm finds) are a loop. Its head is put
 * first, without the ways back to it the rest falls into parts, and those that are still connected are inner loops. Calls and
 * returns within the region are ways like others: a function that is called from one place stands in it, wherever its code
 * lies, where by addresses there would be a loop around all that is between.
 */

/** Loops within loops that are looked for: each takes a search of its own. Any order will do for what is within. */
const MOST_DEPTH = 16;

/** @param starts of all blocks. @param waysOf a block to others; to what is no block too. @returns the starts in order. */
export const orderOfFlow = (
  root: number,
  starts: Iterable<number>,
  waysOf: (start: number) => readonly number[],
): readonly number[] => {
  const order: number[] = [];
  const arrange = (blocks: ReadonlySet<number>, depth: number): void => {
    for (const [head, ...rest] of connectedParts(blocks, waysOf)) {
      order.push(head);
      if (depth === MOST_DEPTH) order.push(...rest);
      else if (rest.length > 0) arrange(new Set(rest), depth + 1);
    }
  };
  arrange(new Set([root, ...starts]), 0);
  return order;
};

/** Blocks that lead to each other around, or one block: the one that is found first, and the others as they are found. */
type Part = readonly [head: number, ...rest: number[]];

/** What is visited last stands next to its block: of two ways on that of the lower address, for a loop's way out is mostly behind it. */
const byAddressDown = (ways: readonly number[]): readonly number[] =>
  ways.length < 2 ? ways : ways.toSorted((a, b) => b - a);

/** The strongly connected parts of some blocks, those that lead to others first. They are looked for in the order of the set. */
const connectedParts = (
  blocks: ReadonlySet<number>,
  waysOf: (start: number) => readonly number[],
): readonly Part[] => {
  const numbers = new Map<number, number>();
  const lowest = new Map<number, number>();
  const stack: number[] = [];
  const isOnStack = new Set<number>();
  const parts: Part[] = [];
  const visit = (start: number): void => {
    const number = numbers.size;
    numbers.set(start, number);
    lowest.set(start, number);
    stack.push(start);
    isOnStack.add(start);
    for (const way of byAddressDown(waysOf(start))) {
      if (!blocks.has(way)) continue;
      if (!numbers.has(way)) {
        visit(way);
        lowest.set(start, Math.min(lowest.get(start)!, lowest.get(way)!));
      } else if (isOnStack.has(way)) {
        lowest.set(start, Math.min(lowest.get(start)!, numbers.get(way)!));
      }
    }
    if (lowest.get(start) !== number) return;
    const [head, ...rest] = stack.splice(stack.lastIndexOf(start));
    isOnStack.delete(start);
    for (const member of rest) isOnStack.delete(member);
    parts.push([head!, ...rest]);
  };
  for (const start of blocks) if (!numbers.has(start)) visit(start);
  return parts.toReversed();
};
