/**
 * The nodes of page lists (page-list.ts): 64-way, and shared by as many lists and nodes above as they count references.
 *
 * Each says of all that is below it how many slots are clean, and how many go first, so that the evictor goes by what it
 * has no use for. Like the marks that they count, both mean something in the lists of objects that have a pager; `first`,
 * which changes in place, is exact in those alone.
 */
import {
  EMPTY,
  type PageSlot,
  SLOT_DIRTY,
  SLOT_FIRST,
  SLOT_SAVING,
  SLOT_ZERO,
  slotFrame,
} from './page-slot.js';

export const BITS = 6;
export const WIDTH = 2 ** BITS;
export const MASK = WIDTH - 1;
/** Levels above the leaves that a tree can have: page numbers of 31 bits need five. */
const TOP_LEVEL = 5;

/** A node of the tree: a leaf has slots, a branch has children. All have one shape, so that a walk stays quick. */
export class PageNode {
  /** Roots of lists and children of branches that are this node. */
  references = 1;
  /** Slots or children that are not empty. */
  used = 0;
  /** Slots below that have a frame and are neither dirty nor awaiting-clean. */
  clean = 0;
  /** Slots below that are marked to go first. */
  first = 0;
  readonly slots: PageSlot[];
  readonly children: (PageNode | undefined)[];

  constructor(slots: PageSlot[], children: (PageNode | undefined)[]) {
    this.slots = slots;
    this.children = children;
  }
}

/** 1 for a slot that a node counts as clean, otherwise 0. */
export const countsClean = (slot: PageSlot): 0 | 1 =>
  slotFrame(slot) !== 0 && (slot & (SLOT_DIRTY | SLOT_SAVING)) === 0 ? 1 : 0;

/** 1 for a slot that a node counts as one that goes first, otherwise 0. */
export const countsFirst = (slot: PageSlot): 0 | 1 => ((slot & SLOT_FIRST) === 0 ? 0 : 1);

/** Adds what a node counts to what another does, or takes it from there. */
export const addCounts = (to: PageNode, of: PageNode, sign: 1 | -1): void => {
  to.clean += sign * of.clean;
  to.first += sign * of.first;
};

export const NO_SLOTS: PageSlot[] = [];
export const NO_CHILDREN: (PageNode | undefined)[] = [];

export const emptyNode = (level: number): PageNode =>
  level === 0
    ? new PageNode(
        Array.from({ length: WIDTH }, () => EMPTY),
        NO_CHILDREN,
      )
    : new PageNode(NO_SLOTS, Array.from<PageNode | undefined>({ length: WIDTH }).fill(undefined));

/** Pages below a node, by its level. */
const SPANS: readonly number[] = Array.from({ length: TOP_LEVEL + 1 }, (_, level) => WIDTH ** (level + 1));

export const spanOf = (level: number): number => SPANS[level]!;

/** Nodes all of whose pages are SLOT_ZERO, one for each level. This table holds a reference to each, so they stay shared. */
const zeroNodes: PageNode[] = [];

export const zerosBelow = (level: number): PageNode => {
  let node = zeroNodes[level];
  if (node === undefined) {
    node = emptyNode(level);
    node.used = WIDTH;
    if (level === 0) node.slots.fill(SLOT_ZERO);
    else for (let index = 0; index < WIDTH; index++) node.children[index] = zerosBelow(level - 1);
    zeroNodes[level] = node;
  }
  node.references++;
  return node;
};

/** Whether a node is one that stands for zeros, whose references are counted over all RAMs. @internal */
export const isZeroNode = (node: PageNode): boolean => zeroNodes.includes(node);
