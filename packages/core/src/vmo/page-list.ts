/**
 * A page list: which frame each page of a memory object has. It is a radix tree of 64-way nodes, and nodes are
 * shared: to share a whole list costs one reference to its root, and a shared node is copied when a list that
 * has it changes something below.
 *
 *      list of the parent ──▶ (2) ──┬──▶ (1) ─▶ frames          ( ) a node and its references:
 *                              ▲    └──▶ (1) ─▶ frames              list roots and slots of nodes above
 *      list of a snapshot ─────┘
 *
 *      after the snapshot has written a page on the right:
 *
 *      list of the parent ──▶ (1) ──┬──▶ (2) ─▶ frames
 *                                   └──▶ (1) ─▶ frames A B
 *      list of a snapshot ──▶ (1) ──┬──▶ (the same 2)
 *                                   └──▶ (1) ─▶ frames A C        A has two references now
 *
 * Every slot of every leaf owns one reference to its frame, and is counted in the frame's `lists` (frame/slot.ts).
 * A list may write a frame in place where it alone leads there: no node on the path is shared, and one slot of
 * all lists names the frame.
 *
 * Nodes are objects of the host: they take no frames, and no operation here allocates one. A list of a part of
 * another has an origin: its page 0 is page `origin` of the tree.
 */
import { type FrameNumber, frameNumber, METADATA_LISTS, type PhysicalMemory } from '../frame/index.js';
import { FirstError } from '../paging/index.js';
import {
  addCounts,
  BITS,
  countsClean,
  countsFirst,
  emptyNode,
  MASK,
  NO_CHILDREN,
  NO_SLOTS,
  PageNode,
  spanOf,
  WIDTH,
  zerosBelow,
} from './page-node.js';
import { nextClean, nextFirst, nextUsed } from './page-search.js';
import { EMPTY, type PageSlot, SLOT_ZERO, slotFrame } from './page-slot.js';

/** The most pages that a list can have. */
export const MAX_LIST_PAGES = 2 ** 30;
/** A tree's page numbers have 31 bits: so far out a list may begin that it can still have all its pages. */
const MAX_ORIGIN = 2 ** 30;

const NO_FLAT = new Int32Array(0);

/** How many walks from the root it takes before a list keeps what they find, and the highest level at which it does. */
const WALKS_TO_KEEP = 256;
const LEVEL_TO_KEEP = 2;

/** Slots by page of the tree, 0 for those that were not looked up. Only a list of up to 1 GiB that is read all over has them. */
export interface FoundSlots {
  slots: Int32Array;
}

export class PageList {
  readonly memory: PhysicalMemory;
  #root: PageNode | undefined;
  #level = 0;
  /** Pages that the tree has room for: none where there is no root. */
  #span = 0;
  /** The tree's page that is page 0 here. */
  #origin = 0;
  /** What lookups have found, for those who must be quick (data-view.ts): the object stays, its table may change. */
  readonly found: FoundSlots = { slots: NO_FLAT };
  #walks = 0;
  /** The leaf that was read last, and that number; -1 for none. */
  #lastLeaf: PageNode | undefined;
  #lastLeafPage = -1;
  /** Likewise, of leaves to which this list alone leads. */
  #ownedLeaf: PageNode | undefined;
  #ownedLeafPage = -1;
  /** Where in RAM's words frame 0's count of slots is, and how far the next frame's. */
  readonly #listsStart: number;
  readonly #listsStride: number;

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
    this.#listsStart = listsWord(memory, 0);
    this.#listsStride = listsWord(memory, 1) - this.#listsStart;
  }

  get isEmpty(): boolean {
    return this.#root === undefined;
  }

  /** The root and its level, for the audit. @internal */
  get tree(): { readonly root: PageNode | undefined; readonly level: number; readonly origin: number } {
    return { root: this.#root, level: this.#level, origin: this.#origin };
  }

  get(page: number): PageSlot {
    const at = page + this.#origin;
    return this.found.slots[at] || this.#find(at);
  }

  /** As `get`, through the tree, of a page of the tree. */
  #find(at: number): PageSlot {
    const leafPage = at >>> BITS;
    if (leafPage === this.#lastLeafPage) return this.#lastLeaf!.slots[at & MASK]!;
    if (at >= this.#span) return EMPTY;
    let node = this.#root!;
    for (let shift = this.#level * BITS; shift > 0; shift -= BITS) {
      const child = node.children[(at >>> shift) & MASK];
      if (child === undefined) return EMPTY;
      node = child;
    }
    this.#lastLeaf = node;
    this.#lastLeafPage = leafPage;
    const slot = node.slots[at & MASK]!;
    if (++this.#walks > WALKS_TO_KEEP && this.#level <= LEVEL_TO_KEEP) this.#keep(at, slot);
    return slot;
  }

  #keep(at: number, slot: PageSlot): void {
    if (this.found.slots.length === 0) this.found.slots = new Int32Array(this.#span);
    this.found.slots[at] = slot;
  }

  /** As `get`, where this list alone leads to the page's frame; otherwise EMPTY. */
  own(page: number): PageSlot {
    const at = page + this.#origin;
    if (at >>> BITS !== this.#ownedLeafPage && !this.#findOwned(at)) return EMPTY;
    const slot = this.#ownedLeaf!.slots[at & MASK]!;
    const frame = slotFrame(slot);
    return frame === 0 || this.#lists(frame) === 1 ? slot : EMPTY;
  }

  /** Looks for the leaf of a page of the tree. @returns whether there is one to which this list alone leads. */
  #findOwned(at: number): boolean {
    if (at >= this.#span) return false;
    let node = this.#root!;
    for (let shift = this.#level * BITS; shift > 0; shift -= BITS) {
      const child = node.children[(at >>> shift) & MASK];
      if (node.references !== 1 || child === undefined) return false;
      node = child;
    }
    if (node.references !== 1) return false;
    this.#ownedLeaf = node;
    this.#ownedLeafPage = at >>> BITS;
    return true;
  }

  /**
   * Puts a slot in the place of what is there, whose reference is dropped. Takes over the caller's reference to
   * the new frame.
   * @throws FrameReferenceError (EOVERFLOW) where a node must be copied and a frame has 2^32 - 2 references;
   *   nothing has changed then.
   */
  put(page: number, slot: PageSlot): void {
    const before = this.swap(page, slot);
    if (slotFrame(before) !== 0) this.memory.release(slotFrame(before));
  }

  /** Puts a slot in the place of what is there. The reference to that is the caller's now. @throws as `put`. */
  swap(page: number, slot: PageSlot): PageSlot {
    const leaf = this.#ownLeaf(page + this.#origin);
    const index = (page + this.#origin) & MASK;
    const before = leaf.slots[index]!;
    if (before === EMPTY) leaf.used++;
    leaf.slots[index] = slot;
    this.#countBelow(page + this.#origin, before, slot);
    this.#forget(page + this.#origin);
    if (slotFrame(slot) !== 0) this.#countLists(slotFrame(slot), 1);
    if (slotFrame(before) !== 0) this.#countLists(slotFrame(before), -1);
    return before;
  }

  /** Changes the marks of a slot that is not empty; its frame stays. @throws as `put`. */
  mark(page: number, slot: PageSlot): void {
    const at = page + this.#origin;
    const { slots } = this.#ownLeaf(at);
    const before = slots[at & MASK]!;
    slots[at & MASK] = slot;
    this.#countBelow(at, before, slot);
    this.#forget(at);
  }

  /**
   * Changes marks that are only hints, in place, for whoever else has the node.
   * @param slot what `get` has just given, with other hints.
   */
  hint(page: number, slot: PageSlot): void {
    const at = page + this.#origin;
    if (this.#lastLeafPage !== at >>> BITS) this.#find(at);
    const { slots } = this.#lastLeaf!;
    const before = slots[at & MASK]!;
    slots[at & MASK] = slot;
    this.#countBelow(at, before, slot);
    this.#forget(at);
  }

  /** Takes a page's frame out, which the list alone leads to. @returns its slot, whose reference is the caller's now. */
  take(page: number): PageSlot {
    const slot = this.get(page);
    if (slotFrame(slot) !== 0) this.memory.retain(slotFrame(slot));
    this.remove(page, page + 1);
    return slot;
  }

  /** Empties the slots of pages `from … to - 1`, and drops their references. Costs what is there, not the range. */
  remove(from: number, to: number): void {
    this.#replace(from + this.#origin, to + this.#origin, EMPTY);
  }

  /** Makes pages `from … to - 1` zeros that hide what lies beneath. Whole subtrees of such zeros are shared. */
  hide(from: number, to: number): void {
    if (from >= to) return;
    this.#grow(to + this.#origin);
    this.#replace(from + this.#origin, to + this.#origin, SLOT_ZERO);
  }

  /** The first page of `from … to - 1` whose slot is not empty; -1 where there is none. */
  next(from: number, to: number): number {
    return this.#inList(nextUsed(this.#root, this.#level, from + this.#origin, this.#endOf(to)));
  }

  /** As `next`, of slots that have a frame and are neither dirty nor awaiting-clean. Goes by all else at no cost. */
  nextClean(from: number, to: number): number {
    return this.#inList(nextClean(this.#root, this.#level, from + this.#origin, this.#endOf(to)));
  }

  /** Likewise of slots that are marked to go first. For lists of objects that have a pager. */
  nextFirst(from: number, to: number): number {
    return this.#inList(nextFirst(this.#root, this.#level, from + this.#origin, this.#endOf(to)));
  }

  /** The tree's page before which a search up to a page of the list ends. */
  #endOf(to: number): number {
    return Math.min(to + this.#origin, this.#span);
  }

  /** The list's page that is a page of the tree; -1 for none. */
  #inList(at: number): number {
    return at === -1 ? -1 : at - this.#origin;
  }

  /**
   * A list of pages `from … to - 1`, which share their frames and nodes with this one. Costs the same whatever the
   * range holds: a reference to the root, and the nodes on an edge where the range leaves something out.
   * @param to where the range goes to the list's end, undefined.
   * @throws as `put`; nothing has changed then.
   */
  share(from: number, to?: number): PageList {
    const list = new PageList(this.memory);
    if (this.#root === undefined) return list;
    if (this.#origin + from > MAX_ORIGIN) return this.#copy(list, from, to);
    this.#root.references++;
    this.#ownedLeafPage = -1;
    list.#setRoot(this.#root, this.#level);
    list.#origin = this.#origin + from;
    try {
      if (from > 0) list.#replace(0, list.#origin, EMPTY);
      if (to !== undefined) list.#replace(this.#origin + to, this.#span, EMPTY);
    } catch (error) {
      list.release();
      throw error;
    }
    return list;
  }

  /** Shares frames alone, where the nodes would be too far out for page numbers to stay small. */
  #copy(list: PageList, from: number, to = MAX_LIST_PAGES): PageList {
    for (let page = this.next(from, to); page !== -1; page = this.next(page + 1, to)) {
      const slot = this.get(page);
      if (slotFrame(slot) !== 0) this.memory.retain(slotFrame(slot));
      list.put(page - from, slot);
    }
    return list;
  }

  /** Drops every reference of the list, which is empty then. @throws what the first that failed threw; all are dropped. */
  release(): void {
    const [root, level] = [this.#root, this.#level];
    if (root === undefined) return;
    this.#setRoot(undefined, 0);
    this.#forgetLeaves();
    const first = new FirstError();
    this.#drop(root, level, first);
    first.rethrow();
  }

  /** Makes the slots of pages `from … to - 1` of the tree `mark`. */
  #replace(from: number, to: number, mark: PageSlot): void {
    const end = Math.min(to, this.#span);
    if (from >= end) return;
    this.#forgetLeaves();
    const first = new FirstError();
    const root = this.#unshared(this.#root!, this.#level);
    this.#root = root;
    this.#replaceBelow(root, this.#level, from, end, mark, first);
    if (root.used === 0) this.#setRoot(undefined, 0);
    first.rethrow();
  }

  /** @param node has one reference. @param from as `to`, counted from the node's first page. */
  #replaceBelow(
    node: PageNode,
    level: number,
    from: number,
    to: number,
    mark: PageSlot,
    first: FirstError,
  ): void {
    if (level === 0) {
      this.#replaceSlots(node, from, to, mark, first);
      return;
    }
    const below = level - 1;
    const span = spanOf(below);
    for (let index = Math.floor(from / span); index * span < to; index++) {
      const [start, end] = [Math.max(from - index * span, 0), Math.min(to - index * span, span)];
      const child = node.children[index];
      if (child === undefined && mark === EMPTY) continue;
      let next: PageNode | undefined;
      if (end - start === span) {
        next = mark === EMPTY ? undefined : zerosBelow(below);
      } else {
        next = child === undefined ? emptyNode(below) : this.#unshared(child, below);
      }
      node.children[index] = next;
      if (child === undefined) node.used++;
      else addCounts(node, child, -1);
      if (end - start === span) {
        if (child !== undefined) this.#drop(child, below, first);
      } else {
        try {
          this.#replaceBelow(next!, below, start, end, mark, first);
        } finally {
          addCounts(node, next!, 1);
        }
        if (next!.used === 0) next = node.children[index] = undefined;
      }
      if (next === undefined) node.used--;
    }
  }

  #replaceSlots(leaf: PageNode, from: number, to: number, mark: PageSlot, first: FirstError): void {
    for (let index = from; index < to; index++) {
      const slot = leaf.slots[index]!;
      leaf.slots[index] = mark;
      leaf.used += Number(mark !== EMPTY) - Number(slot !== EMPTY);
      leaf.clean += countsClean(mark) - countsClean(slot);
      leaf.first += countsFirst(mark) - countsFirst(slot);
      this.#dropSlot(slot, first);
    }
  }

  /** The leaf of a page of the tree, with no node on the way shared: made, or copied, where need be. */
  #ownLeaf(at: number): PageNode {
    this.#grow(at + 1);
    let node = this.#unshared(this.#root!, this.#level);
    this.#root = node;
    for (let level = this.#level; level > 0; level--) {
      const index = (at >>> (level * BITS)) & MASK;
      const child = node.children[index];
      if (child === undefined) node.used++;
      else if (child.references === 1) {
        node = child;
        continue;
      }
      const own = child === undefined ? emptyNode(level - 1) : this.#unshared(child, level - 1);
      node.children[index] = own;
      node = own;
    }
    this.#lastLeaf = this.#ownedLeaf = node;
    this.#lastLeafPage = this.#ownedLeafPage = at >>> BITS;
    return node;
  }

  /** Makes the tree high enough for so many pages. */
  #grow(pages: number): void {
    if (pages <= this.#span) return;
    let [root, level] = [this.#root, this.#level];
    while (spanOf(level) < pages) {
      level++;
      if (root === undefined) continue;
      const above = emptyNode(level);
      above.children[0] = root;
      above.used = 1;
      addCounts(above, root, 1);
      root = above;
    }
    this.#forgetLeaves();
    this.#setRoot(root ?? emptyNode(level), level);
  }

  /** The node itself if it has one reference; otherwise a copy, which takes that reference's place. */
  #unshared(node: PageNode, level: number): PageNode {
    if (node.references === 1) return node;
    const copy =
      level === 0
        ? new PageNode(this.#retained(node.slots), NO_CHILDREN)
        : new PageNode(NO_SLOTS, node.children.slice());
    for (const child of copy.children) {
      if (child !== undefined) child.references++;
    }
    copy.used = node.used;
    addCounts(copy, node, 1);
    node.references--;
    return copy;
  }

  /** A copy of slots, with a reference of its own to every frame. All or none are taken. */
  #retained(slots: readonly PageSlot[]): PageSlot[] {
    let done = 0;
    try {
      for (; done < WIDTH; done++) {
        const frame = slotFrame(slots[done]!);
        if (frame === 0) continue;
        this.memory.retain(frame);
        this.#countLists(frame, 1);
      }
    } catch (error) {
      const first = new FirstError();
      while (done > 0) this.#dropSlot(slots[--done]!, first);
      throw error;
    }
    return slots.slice();
  }

  /** Drops one reference to a node, and with the last all that it leads to. */
  #drop(node: PageNode, level: number, first: FirstError): void {
    node.references--;
    if (node.references > 0) return;
    if (level === 0) {
      for (const slot of node.slots) this.#dropSlot(slot, first);
      return;
    }
    for (const child of node.children) {
      if (child !== undefined) this.#drop(child, level - 1, first);
    }
  }

  #dropSlot(slot: PageSlot, first: FirstError): void {
    const frame = slotFrame(slot);
    if (frame === 0) return;
    this.#countLists(frame, -1);
    try {
      this.memory.release(frame);
    } catch (error) {
      first.note(error);
    }
  }

  #lists(frame: FrameNumber): number {
    return this.memory.words[this.#listsStart + frame * this.#listsStride]!;
  }

  #countLists(frame: FrameNumber, change: 1 | -1): void {
    const word = this.#listsStart + frame * this.#listsStride;
    if (this.memory.isShared) Atomics.add(this.memory.words, word, change);
    else this.memory.words[word]! += change;
  }

  /** A slot of the tree has changed: what is above it counts it so. */
  #countBelow(at: number, before: PageSlot, slot: PageSlot): void {
    const clean = countsClean(slot) - countsClean(before);
    const first = countsFirst(slot) - countsFirst(before);
    if (clean === 0 && first === 0) return;
    let node = this.#root!;
    for (let level = this.#level; ; level--) {
      node.clean += clean;
      node.first += first;
      if (level === 0) return;
      node = node.children[(at >>> (level * BITS)) & MASK]!;
    }
  }

  #setRoot(root: PageNode | undefined, level: number): void {
    this.#root = root;
    this.#level = level;
    this.#span = root === undefined ? 0 : spanOf(level);
  }

  /** A slot has changed. */
  #forget(at: number): void {
    if (at < this.found.slots.length) this.found.slots[at] = EMPTY;
  }

  #forgetLeaves(): void {
    this.#lastLeaf = this.#ownedLeaf = undefined;
    this.#lastLeafPage = this.#ownedLeafPage = -1;
    this.found.slots = NO_FLAT;
    this.#walks = 0;
  }
}

const listsWord = (memory: PhysicalMemory, frame: number): number =>
  (memory.metadata(frameNumber(frame)) + METADATA_LISTS) >>> 2;
