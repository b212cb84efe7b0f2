/**
 * The order in which a region's blocks stand: a block that leads to another stands before it, but for the ways back in loops,
 * and the blocks of a loop stand together.
 *
 * Blocks that lead to each other around (strongly connected ones, which Tarjan's algorithm finds) are a loop. Its head is put
 * first, without the ways back to it the rest falls into parts, and those that are still connected are inner loops. Calls and
 * returns within the region are ways like others: a function that is called from one place stands in it, wherever its code
 * lies, where by addresses there would be a loop around all that is between.
 */

/** @param starts of all blocks. @param waysOf a block to others; to what is no block too. @returns the starts in order. */
export const orderOfFlow = (
  root: number,
  starts: Iterable<number>,
  waysOf: (start: number) => readonly number[],
): readonly number[] => {
  const all = new Set(starts);
  const found = connectedParts([root, ...all], all, waysOf);
  /** How early each block is found from the root. */
  const ranks = new Map([...reversePostorder(root, all, waysOf)].map((start, rank) => [start, rank]));
  const order: number[] = [];
  const arrange = (parts: readonly Part[]): void => {
    for (const { members, isLoop } of parts) {
      if (!isLoop) {
        order.push(members[0]!);
        continue;
      }
      const byRank = members.toSorted((a, b) => ranks.get(a)! - ranks.get(b)!);
      const [head, ...rest] = byRank;
      order.push(head!);
      arrange(connectedParts(rest, new Set(rest), waysOf));
    }
  };
  arrange(found);
  return order;
};

interface Part {
  readonly members: readonly number[];
  readonly isLoop: boolean;
}

/** What is visited last stands next to its block: of two ways on that of the lower address, for a loop's way out is mostly behind it. */
const byAddressDown = (ways: readonly number[]): readonly number[] =>
  ways.length < 2 ? ways : ways.toSorted((a, b) => b - a);

/** The strongly connected parts of some blocks, those that lead to others first. @param from where to begin, in this order. */
const connectedParts = (
  from: readonly number[],
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
    let leadsToItself = false;
    for (const way of byAddressDown(waysOf(start))) {
      if (!blocks.has(way)) continue;
      if (way === start) leadsToItself = true;
      if (!numbers.has(way)) {
        visit(way);
        lowest.set(start, Math.min(lowest.get(start)!, lowest.get(way)!));
      } else if (isOnStack.has(way)) {
        lowest.set(start, Math.min(lowest.get(start)!, numbers.get(way)!));
      }
    }
    if (lowest.get(start) !== number) return;
    const members = stack.splice(stack.lastIndexOf(start));
    for (const member of members) isOnStack.delete(member);
    parts.push({ members, isLoop: members.length > 1 || leadsToItself });
  };
  for (const start of from) if (!numbers.has(start)) visit(start);
  return parts.toReversed();
};

const reversePostorder = (
  root: number,
  blocks: ReadonlySet<number>,
  waysOf: (start: number) => readonly number[],
): readonly number[] => {
  const seen = new Set<number>();
  const order: number[] = [];
  const visit = (start: number): void => {
    if (seen.has(start) || !blocks.has(start)) return;
    seen.add(start);
    for (const way of byAddressDown(waysOf(start))) visit(way);
    order.push(start);
  };
  visit(root);
  for (const start of blocks) visit(start);
  return order.toReversed();
};
