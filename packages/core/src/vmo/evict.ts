/**
 * Eviction: when no frame is free, clean pages of objects with pagers are dropped, for they can be had again. A clock
 * hand goes round all of them, and passes over what was used since it last came by. What address spaces map is taken
 * from them first; that they used it shows only when they ask for it again.
 *
 *      first    pages that nobody will want soon (hint dont-need)
 *      second   pages that were not used since the hand passed
 *      third    any other clean page
 *      last     pages that are wanted always (hint always-need)
 *
 * Never: pages that are changed, pinned, about to be used, or that someone else holds too, for that frees no frame.
 */
import type { MemoryObject } from './memory-object.js';
import { dropClean } from './page-drops.js';
import type { PageList } from './page-list.js';
import { type PageSlot, SLOT_KEEP, SLOT_USED, slotFrame } from './page-slot.js';
import { isChanged } from './page-writes.js';

const MOST_AT_ONCE = 32;

interface Round {
  /** The next page of `from … to - 1` that the round looks at. What it finds nothing in costs it nothing. */
  readonly next: (pages: PageList, from: number, to: number) => number;
  readonly mayGo: (slot: PageSlot) => boolean;
  /** Whether the hand takes the mark of use from what it passes over. */
  readonly clearsUsed: boolean;
}

const nextFirst: Round['next'] = (pages, from, to) => pages.nextFirst(from, to);
const nextClean: Round['next'] = (pages, from, to) => pages.nextClean(from, to);

const ROUND_OF_FIRST: Round = { next: nextFirst, mayGo: () => true, clearsUsed: false };

/** Those of all clean pages. */
const ROUNDS: readonly Round[] = [
  { next: nextClean, mayGo: (slot) => (slot & (SLOT_USED | SLOT_KEEP)) === 0, clearsUsed: true },
  { next: nextClean, mayGo: (slot) => (slot & SLOT_KEEP) === 0, clearsUsed: false },
  { next: nextClean, mayGo: () => true, clearsUsed: false },
];

export class Evictor {
  readonly #objects: Iterable<MemoryObject>;
  /** Where the hand stands: an object's number and a page of it. */
  #objectId = 0;
  #page = 0;
  /** Pages that could go, and that the round has left for a later one. */
  #spared = 0;

  /** @param objects those with pagers, in the order of their numbers. */
  constructor(objects: Iterable<MemoryObject>) {
    this.#objects = objects;
  }

  /** Drops clean pages. @returns how many: a few more than wanted, if there are, for more will be wanted soon. */
  evict(frames: number): number {
    const wanted = Math.max(frames, MOST_AT_ONCE);
    let dropped = this.#turn(wanted, ROUND_OF_FIRST);
    for (const round of ROUNDS) {
      if (dropped >= frames) break;
      this.#spared = 0;
      const inRound = this.#turn(wanted - dropped, round);
      dropped += inRound;
      // Where nothing went and nothing was spared, a later round finds nothing either.
      if (inRound === 0 && this.#spared === 0) break;
    }
    return dropped;
  }

  /** Takes the hand round once, at most. */
  #turn(wanted: number, round: Round): number {
    const objects = [...this.#objects];
    const at = objects.findIndex(({ id }) => id >= this.#objectId);
    const start = at === -1 ? 0 : at;
    const from = objects[start]?.id === this.#objectId ? this.#page : 0;
    let dropped = 0;
    for (let index = 0; index <= objects.length && objects.length > 0; index++) {
      const object = objects[(start + index) % objects.length]!;
      const [first, end] = [index === 0 ? from : 0, index === objects.length ? from : object.sizePages];
      dropped += this.#turnOver(object, first, end, wanted - dropped, round);
      if (dropped >= wanted) break;
    }
    return dropped;
  }

  #turnOver(object: MemoryObject, first: number, end: number, wanted: number, round: Round): number {
    const { next, mayGo, clearsUsed } = round;
    let dropped = 0;
    let page = next(object.pages, first, end);
    for (; page !== -1 && dropped < wanted; page = next(object.pages, page + 1, end)) {
      const slot = object.pages.get(page);
      if (!isEvictable(object, page, slot)) continue;
      if (mayGo(slot)) {
        if (!isHeldByListAlone(object, page)) continue;
        dropClean(object, page);
        dropped++;
      } else {
        this.#spared++;
        if (clearsUsed) object.pages.hint(page, slot & ~SLOT_USED);
      }
    }
    this.#objectId = object.id;
    this.#page = page === -1 ? end : page;
    return dropped;
  }
}

const isEvictable = (object: MemoryObject, page: number, slot: PageSlot): boolean => {
  const frame = slotFrame(slot);
  return (
    frame !== 0 &&
    !isChanged(slot) &&
    !object.isPagePinned(page) &&
    !object.held.has(page) &&
    object.source!.canRestore(page) &&
    slotFrame(object.pages.own(page)) !== 0
  );
};

/** Whether nobody else has a page's frame. Who maps it is asked to let go; whoever cannot keeps it. */
const isHeldByListAlone = (object: MemoryObject, page: number): boolean => {
  const frame = slotFrame(object.pages.get(page));
  if (object.memory.count(frame) > 1) object.notifyLost(page, 1);
  return object.memory.count(frame) === 1;
};
