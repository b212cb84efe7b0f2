/**
 * Looking through the tree of a page list (page-list.ts) for the next slot of a kind. All pages here are the tree's: `from`
 * is where the search begins, and `end`, which is no further than the tree goes, where it ends. -1 is none.
 */
import { BITS, countsClean, countsFirst, MASK, type PageNode, spanOf, WIDTH } from './page-node.js';
import { EMPTY, type PageSlot } from './page-slot.js';

/** The next slot that is not empty. */
export const nextUsed = (root: PageNode | undefined, top: number, from: number, end: number): number => {
  let at = from;
  while (at < end) {
    let node = root;
    let level = top;
    for (; level > 0 && node !== undefined; level--) node = node.children[(at >>> (level * BITS)) & MASK];
    if (node === undefined) {
      // The loop went one level too far: everything below that child is empty.
      at = afterNode(at, level);
      continue;
    }
    for (let index = at & MASK; index < WIDTH && at < end; index++, at++) {
      if (node.slots[index] !== EMPTY) return at;
    }
  }
  return -1;
};

/** The next slot that nodes count as clean. */
export const nextClean = (root: PageNode | undefined, top: number, from: number, end: number): number =>
  nextCounted(root, top, from, end, 'clean', countsClean);

/** The next slot that nodes count as one that goes first. */
export const nextFirst = (root: PageNode | undefined, top: number, from: number, end: number): number =>
  nextCounted(root, top, from, end, 'first', countsFirst);

/** Never looks below a node that counts none. */
const nextCounted = (
  root: PageNode | undefined,
  top: number,
  from: number,
  end: number,
  below: 'clean' | 'first',
  counts: (slot: PageSlot) => 0 | 1,
): number => {
  let at = from;
  while (at < end) {
    let node = root;
    let level = top;
    while (level > 0 && node !== undefined && node[below] > 0) {
      node = node.children[(at >>> (level * BITS)) & MASK];
      level--;
    }
    if (node === undefined || node[below] === 0) {
      at = afterNode(at, level);
      continue;
    }
    for (let index = at & MASK; index < WIDTH && at < end; index++, at++) {
      if (counts(node.slots[index]!) === 1) return at;
    }
  }
  return -1;
};

/** The first page after the node of a level that a page is below. */
const afterNode = (at: number, level: number): number => {
  const span = spanOf(level);
  return (Math.floor(at / span) + 1) * span;
};
