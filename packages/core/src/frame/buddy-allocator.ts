/**
 * The buddy allocator: free frames as blocks of 2^order frames, aligned to their size, in a doubly linked
 * list for each order. A block that is larger than wanted is halved; a block that is freed joins its buddy,
 * the other half of the block that they once were, where that is free too.
 *
 * Single frames come and go most, a process's whole memory at a time, so up to CACHE_FRAMES freed ones wait in a
 * stack of their own, unjoined, and are joined when they become too many or a larger block is wanted.
 *
 * It knows free frames only, through their slots and the header; whoever uses it keeps others out while it
 * works, and writes the slots of what it gives out.
 */
import { type FrameNumber, frameNumber, hex, NO_FRAME } from './address.js';
import {
  HEADER_BLOCK_COUNTS,
  HEADER_BLOCKS,
  HEADER_CACHE,
  HEADER_CACHED,
  HEADER_FREE,
  HEADER_ORDERS,
} from './meta-header.js';
import {
  FLAG_CACHED,
  FLAG_FREE_BLOCK,
  FLAG_POISONED,
  SLOT_BYTES,
  SLOT_NEXT_FREE,
  SLOT_PREVIOUS_FREE,
  SLOT_STATE,
  STATE_ORDER_SHIFT,
} from './slot.js';

/** The largest block: 2^18 frames, 1 GiB. */
export const MAX_ORDER = 18;
/** Single free frames that may wait to be joined: 128 MiB of them. To join all takes a millisecond or two. */
export const CACHE_FRAMES = 32_768;

const SLOT_WORDS = SLOT_BYTES >>> 2;
const STATE = SLOT_STATE >>> 2;
const NEXT = SLOT_NEXT_FREE >>> 2;
const PREVIOUS = SLOT_PREVIOUS_FREE >>> 2;

export interface BuddyLayout {
  readonly words: Uint32Array;
  /** Index in `words` of the header, and of slot 0. */
  readonly header: number;
  readonly slots: number;
  /** Frames from `first` to `end - 1` are the allocator's. */
  readonly first: FrameNumber;
  readonly end: number;
}

export class BuddyAllocator {
  readonly #words: Uint32Array;
  readonly #header: number;
  readonly #slots: number;
  readonly #first: number;
  readonly #end: number;

  constructor({ words, header, slots, first, end }: BuddyLayout) {
    this.#words = words;
    this.#header = header;
    this.#slots = slots;
    this.#first = first;
    this.#end = end;
  }

  /** Frees all frames, whose slots and header are zero: the state at boot. */
  initialize(): void {
    this.giveRange(this.#first, this.#end - this.#first);
  }

  get freeFrames(): number {
    return this.#words[this.#header + HEADER_FREE]!;
  }

  /** Free blocks of an order, the cached single frames counted as order 0. */
  blocks(order: number): number {
    const cached = order === 0 ? this.#words[this.#header + HEADER_CACHED]! : 0;
    return this.#words[this.#header + HEADER_BLOCK_COUNTS + order]! + cached;
  }

  /** Takes a single frame; NO_FRAME where none is free. */
  take(): FrameNumber {
    const words = this.#words;
    const cached = words[this.#header + HEADER_CACHE]!;
    if (cached === NO_FRAME) return this.takeBlock(0);
    words[this.#header + HEADER_CACHE] = words[this.#slot(cached) + NEXT]!;
    words[this.#header + HEADER_CACHED]!--;
    words[this.#header + HEADER_FREE]!--;
    return frameNumber(cached);
  }

  /** Takes 2^order frames that start at a multiple of that; NO_FRAME where there are none. */
  takeBlock(order: number): FrameNumber {
    let block = this.#takeFromLists(order);
    if (block === NO_FRAME && this.#words[this.#header + HEADER_CACHED]! > 0) {
      this.joinCached();
      block = this.#takeFromLists(order);
    }
    return block;
  }

  /** Takes the frames `first … first + count - 1`. @returns false, and takes nothing, where one is not free. */
  takeRange(first: FrameNumber, count: number): boolean {
    if (first < this.#first || first + count > this.#end) return false;
    this.joinCached();
    for (let frame: number = first; frame < first + count;) {
      const block = this.#blockWith(frame);
      if (block === undefined) return false;
      frame = block.first + (1 << block.order);
    }
    for (let frame: number = first; frame < first + count;) {
      const block = this.#blockWith(frame)!;
      const end = block.first + (1 << block.order);
      this.#remove(block.first, block.order);
      this.#words[this.#header + HEADER_FREE]! -= 1 << block.order;
      if (block.first < first) this.giveRange(block.first, first - block.first);
      if (end > first + count) this.giveRange(first + count, end - first - count);
      frame = end;
    }
    return true;
  }

  /** Frees a single frame. */
  give(frame: FrameNumber): void {
    const words = this.#words;
    const slot = this.#slot(frame);
    words[slot + STATE] = (words[slot + STATE]! & FLAG_POISONED) | FLAG_CACHED;
    words[slot + NEXT] = words[this.#header + HEADER_CACHE]!;
    words[this.#header + HEADER_CACHE] = frame;
    words[this.#header + HEADER_FREE]!++;
    if (++words[this.#header + HEADER_CACHED]! > CACHE_FRAMES) this.joinCached();
  }

  /** Frees frames in a row, as the largest aligned blocks that they make. */
  giveRange(first: number, count: number): void {
    this.#words[this.#header + HEADER_FREE]! += count;
    const end = first + count;
    for (let frame = first; frame < end;) {
      const aligned = frame === 0 ? MAX_ORDER : 31 - Math.clz32(frame & -frame);
      const order = Math.min(aligned, 31 - Math.clz32(end - frame), MAX_ORDER);
      this.#join(frame, order);
      frame += 1 << order;
    }
  }

  /** Joins the cached single frames with their buddies. */
  joinCached(): void {
    const words = this.#words;
    let frame = words[this.#header + HEADER_CACHE]!;
    words[this.#header + HEADER_CACHE] = NO_FRAME;
    words[this.#header + HEADER_CACHED] = 0;
    while (frame !== NO_FRAME) {
      const next = words[this.#slot(frame) + NEXT]!;
      this.#join(frame, 0);
      frame = next;
    }
  }

  /**
   * Walks all lists and checks them against the header.
   * @param isFree is told of each free frame, and answers whether it was told of it before.
   * @returns a line for each thing that is wrong.
   */
  audit(isFree: (frame: number) => boolean): string[] {
    const problems: string[] = [];
    const visit = (frame: number, count: number, list: string): boolean => {
      for (let each = frame; each < frame + count; each++) {
        if (each < this.#first || each >= this.#end) {
          problems.push(`the list of ${list} leads to frame ${hex(each)}, which cannot be free`);
          return false;
        }
        if (isFree(each)) {
          problems.push(`the list of ${list} has frame ${hex(each)}, which is in a list already`);
          return false;
        }
      }
      return true;
    };
    let frames = 0;
    const cached = this.#words[this.#header + HEADER_CACHE]!;
    frames += this.#auditList(cached, 0, FLAG_CACHED, 'cached frames', HEADER_CACHED, visit, problems);
    for (let order = 0; order <= MAX_ORDER; order++) {
      const list = `free blocks of order ${order}`;
      const head = this.#words[this.#header + HEADER_BLOCKS + order]!;
      const bit = (this.#words[this.#header + HEADER_ORDERS]! >>> order) & 1;
      if ((head === NO_FRAME) === (bit === 1)) problems.push(`the bit of the ${list} is ${bit}`);
      const state = FLAG_FREE_BLOCK | (order << STATE_ORDER_SHIFT);
      frames += this.#auditList(head, order, state, list, HEADER_BLOCK_COUNTS + order, visit, problems);
    }
    if (frames !== this.freeFrames) {
      problems.push(`${frames} frames are free, the statistics say ${this.freeFrames}`);
    }
    return problems;
  }

  #auditList(
    head: number,
    order: number,
    state: number,
    list: string,
    counter: number,
    visit: (frame: number, count: number, list: string) => boolean,
    problems: string[],
  ): number {
    let blocks = 0;
    let frame = head;
    let before: number = NO_FRAME;
    while (frame !== NO_FRAME && visit(frame, 1 << order, list)) {
      const found = this.#words[this.#slot(frame) + STATE]! & ~FLAG_POISONED;
      if (found !== state)
        problems.push(`frame ${hex(frame)} is among the ${list}, its slot says ${hex(found)}`);
      // The cache is a stack, and has no links back.
      const previous = this.#words[this.#slot(frame) + PREVIOUS]!;
      if (state !== FLAG_CACHED && previous !== before)
        problems.push(
          `frame ${hex(frame)} comes after ${hex(before)} in the list of ${list}, its slot says ${hex(previous)}`,
        );
      blocks++;
      before = frame;
      frame = this.#words[this.#slot(frame) + NEXT]!;
    }
    const counted = this.#words[this.#header + counter]!;
    if (counted !== blocks) problems.push(`there are ${blocks} ${list}, the header says ${counted}`);
    return blocks * (1 << order);
  }

  #takeFromLists(order: number): FrameNumber {
    const larger = this.#words[this.#header + HEADER_ORDERS]! & (-1 << order);
    if (larger === 0) return NO_FRAME;
    let found = 31 - Math.clz32(larger & -larger);
    const block = this.#words[this.#header + HEADER_BLOCKS + found]!;
    this.#remove(block, found);
    while (found > order) {
      found--;
      this.#insert(block + (1 << found), found);
    }
    this.#words[this.#header + HEADER_FREE]! -= 1 << order;
    return frameNumber(block);
  }

  /** Puts a block into its list, joined with its buddy as often as that is free. */
  #join(frame: number, initialOrder: number): void {
    let block = frame;
    let order = initialOrder;
    while (order < MAX_ORDER) {
      const buddy = block ^ (1 << order);
      if (buddy < this.#first || buddy + (1 << order) > this.#end) break;
      const state = this.#words[this.#slot(buddy) + STATE]! & ~FLAG_POISONED;
      if (state !== (FLAG_FREE_BLOCK | (order << STATE_ORDER_SHIFT))) break;
      this.#remove(buddy, order);
      // Whichever of the two is in the middle of the larger block is no block of its own any more.
      const upper = this.#slot(Math.max(block, buddy)) + STATE;
      this.#words[upper] = this.#words[upper]! & FLAG_POISONED;
      block = Math.min(block, buddy);
      order++;
    }
    this.#insert(block, order);
  }

  #insert(frame: number, order: number): void {
    const words = this.#words;
    const head = this.#header + HEADER_BLOCKS + order;
    const next = words[head]!;
    const slot = this.#slot(frame);
    words[slot + STATE] =
      (words[slot + STATE]! & FLAG_POISONED) | FLAG_FREE_BLOCK | (order << STATE_ORDER_SHIFT);
    words[slot + NEXT] = next;
    words[slot + PREVIOUS] = NO_FRAME;
    if (next !== NO_FRAME) words[this.#slot(next) + PREVIOUS] = frame;
    words[head] = frame;
    words[this.#header + HEADER_BLOCK_COUNTS + order]!++;
    words[this.#header + HEADER_ORDERS]! |= 1 << order;
  }

  #remove(frame: number, order: number): void {
    const words = this.#words;
    const slot = this.#slot(frame);
    const next = words[slot + NEXT]!;
    const previous = words[slot + PREVIOUS]!;
    if (next !== NO_FRAME) words[this.#slot(next) + PREVIOUS] = previous;
    if (previous !== NO_FRAME) words[this.#slot(previous) + NEXT] = next;
    else words[this.#header + HEADER_BLOCKS + order] = next;
    words[slot + STATE] = words[slot + STATE]! & FLAG_POISONED;
    if (--words[this.#header + HEADER_BLOCK_COUNTS + order]! === 0) {
      words[this.#header + HEADER_ORDERS]! &= ~(1 << order);
    }
  }

  /** The free block that holds a frame, if one does. */
  #blockWith(frame: number): { readonly first: number; readonly order: number } | undefined {
    for (let order = 0; order <= MAX_ORDER; order++) {
      const first = frame - (frame % (1 << order));
      if (first < this.#first) return undefined;
      const state = this.#words[this.#slot(first) + STATE]! & ~FLAG_POISONED;
      if (state === (FLAG_FREE_BLOCK | (order << STATE_ORDER_SHIFT))) return { first, order };
    }
    return undefined;
  }

  #slot(frame: number): number {
    return this.#slots + frame * SLOT_WORDS;
  }
}
