/**
 * The slots' words, and the operations on counts that are safe where several threads share RAM: there
 * every change of a count is one compare-and-exchange, and a frame's first count is stored last.
 *
 * Alone in its RAM a thread does the same with plain reads and writes, which cost a tenth.
 */
import { type FrameNumber, hex, type PhysAddr, physAddr } from './address.js';
import { FrameReferenceError } from './errors.js';
import type { FrameHooks } from './frame-hooks.js';
import {
  COUNT_UNIQUE,
  MAX_COUNT,
  SLOT_BYTES,
  SLOT_COUNT,
  SLOT_HANDLES,
  SLOT_METADATA,
  SLOT_RAW,
  SLOT_STATE,
  STATE_USAGE_MASK,
  type Usage,
} from './slot.js';

const SLOT_WORDS = SLOT_BYTES >>> 2;
const COUNT = SLOT_COUNT >>> 2;
const STATE = SLOT_STATE >>> 2;
const RAW = SLOT_RAW >>> 2;
const METADATA = SLOT_METADATA >>> 2;
const HANDLES = SLOT_HANDLES >>> 2;

export interface SlotsLayout {
  readonly words: Uint32Array;
  /** Index in `words` of slot 0. */
  readonly start: number;
  readonly frames: number;
  readonly shared: boolean;
  /** Asked before a last reference is dropped in shared RAM. */
  readonly hooks: FrameHooks;
}

export class FrameSlots {
  readonly #words: Uint32Array;
  /** Index in `words` of slot 0. */
  readonly #start: number;
  readonly #frames: number;
  readonly #shared: boolean;
  readonly #hooks: FrameHooks;

  constructor({ words, start, frames, shared, hooks }: SlotsLayout) {
    this.#words = words;
    this.#start = start;
    this.#frames = frames;
    this.#shared = shared;
    this.#hooks = hooks;
  }

  /** Gives a free frame its usage, zero metadata and its first reference. The count, written last, publishes the rest. */
  publish(frame: FrameNumber, usage: Usage): void {
    const words = this.#words;
    const slot = this.#start + frame * SLOT_WORDS;
    words[slot + RAW] = 0;
    words[slot + METADATA] = 0;
    words[slot + METADATA + 1] = 0;
    words[slot + METADATA + 2] = 0;
    words[slot + METADATA + 3] = 0;
    words[slot + HANDLES] = 0;
    words[slot + STATE] = usage;
    if (this.#shared) Atomics.store(words, slot + COUNT, 1);
    else words[slot + COUNT] = 1;
  }

  /** Publishes with metadata that is written first: words of it, as a new frame's user wants them. */
  publishWith(frame: FrameNumber, usage: Usage, metadata: readonly number[], count = 1): void {
    const slot = this.#slot(frame);
    this.#words[slot + RAW] = 0;
    this.#words[slot + HANDLES] = 0;
    for (let word = 0; word < HANDLES - METADATA; word++) {
      this.#words[slot + METADATA + word] = metadata[word] ?? 0;
    }
    this.#words[slot + STATE] = usage;
    if (this.#shared) Atomics.store(this.#words, slot + COUNT, count);
    else this.#words[slot + COUNT] = count;
  }

  retain(frame: FrameNumber): void {
    const index = this.#slot(frame) + COUNT;
    for (;;) {
      const count = this.#words[index]!;
      if (count === 0 || count >= MAX_COUNT) throw refusal('retain', frame, count);
      if (!this.#shared) {
        this.#words[index] = count + 1;
        return;
      }
      if (Atomics.compareExchange(this.#words, index, count, count + 1) === count) return;
    }
  }

  /** Drops a reference. @returns whether it was the last: the frame is then the caller's to free. */
  release(frame: FrameNumber): boolean {
    const index = this.#slot(frame) + COUNT;
    for (;;) {
      const count = this.#words[index]!;
      if (count === 0 || count === COUNT_UNIQUE) throw refusal('release', frame, count);
      if (!this.#shared) {
        this.#words[index] = count - 1;
        return count === 1;
      }
      if (count === 1) this.#hooks.checkLast(frame, this.#words[index - COUNT + STATE]!);
      if (Atomics.compareExchange(this.#words, index, count, count - 1) === count) return count === 1;
    }
  }

  /** Drops an open handle and its reference. @returns as `release`. Where it is refused, nothing has changed. */
  releaseHandle(frame: FrameNumber): boolean {
    this.#dropHandle(frame);
    try {
      return this.release(frame);
    } catch (error) {
      this.addHandle(frame);
      throw error;
    }
  }

  /** Whether every reference to a frame is an open handle's or a raw one, so that nobody else has one to drop. */
  allAccountedFor(frame: FrameNumber): boolean {
    for (;;) {
      const [count, handles, raw] = [this.rawCount(frame), this.handles(frame), this.raw(frame)];
      if (handles + raw === 0 || count > handles + raw) return false;
      // Another thread may have turned one into the other between two looks: what is seen twice is so.
      if (this.rawCount(frame) === count && this.handles(frame) === handles && this.raw(frame) === raw) {
        return true;
      }
    }
  }

  /** The count as it stands: COUNT_UNIQUE where a `UniquePage` has the frame. */
  rawCount(frame: FrameNumber): number {
    const index = this.#slot(frame) + COUNT;
    return this.#shared ? Atomics.load(this.#words, index) : this.#words[index]!;
  }

  /** Changes the count from one value to another. @returns whether it had the first. */
  exchangeCount(frame: FrameNumber, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#words, this.#slot(frame) + COUNT, from, to) === from;
  }

  state(frame: FrameNumber): number {
    return this.#words[this.#slot(frame) + STATE]!;
  }

  usage(frame: FrameNumber): Usage {
    return (this.#words[this.#slot(frame) + STATE]! & STATE_USAGE_MASK) as Usage;
  }

  setFlag(frame: FrameNumber, flag: number): void {
    Atomics.or(this.#words, this.#slot(frame) + STATE, flag);
  }

  clearFlag(frame: FrameNumber, flag: number): void {
    Atomics.and(this.#words, this.#slot(frame) + STATE, ~flag);
  }

  /** The byte address of the usage's own metadata. */
  metadata(frame: FrameNumber): PhysAddr {
    return physAddr((this.#slot(frame) + METADATA) * 4);
  }

  /** Open handles of a frame, and raw references made of handles. */
  handles(frame: FrameNumber): number {
    return Atomics.load(this.#words, this.#slot(frame) + HANDLES);
  }

  raw(frame: FrameNumber): number {
    return Atomics.load(this.#words, this.#slot(frame) + RAW);
  }

  addHandle(frame: FrameNumber): void {
    Atomics.add(this.#words, this.#slot(frame) + HANDLES, 1);
  }

  /** Turns a handle into a raw reference. @throws FrameReferenceError (EINVAL) where the frame has no handle. */
  handleToRaw(frame: FrameNumber): void {
    this.#dropHandle(frame);
    Atomics.add(this.#words, this.#slot(frame) + RAW, 1);
  }

  /** Turns a raw reference into a handle. @returns false where there is no raw reference. */
  rawToHandle(frame: FrameNumber): boolean {
    const slot = this.#slot(frame);
    if (!this.#decrement(slot + RAW)) return false;
    Atomics.add(this.#words, slot + HANDLES, 1);
    return true;
  }

  #dropHandle(frame: FrameNumber): void {
    if (this.#decrement(this.#slot(frame) + HANDLES)) return;
    throw new FrameReferenceError(
      'EINVAL',
      `frame ${hex(frame)} has no open handle: its reference was dropped otherwise`,
    );
  }

  /** @returns false where the word is 0 already. */
  #decrement(index: number): boolean {
    for (;;) {
      const value = Atomics.load(this.#words, index);
      if (value === 0) return false;
      if (Atomics.compareExchange(this.#words, index, value, value - 1) === value) return true;
    }
  }

  #slot(frame: FrameNumber): number {
    // A negative, fractional or too large number fails the one comparison.
    if (frame >>> 0 !== frame || frame >= this.#frames) {
      throw new FrameReferenceError('EINVAL', `there is no frame ${frame} (RAM has ${this.#frames})`);
    }
    return this.#start + frame * SLOT_WORDS;
  }
}

const refusal = (what: 'retain' | 'release', frame: FrameNumber, count: number): FrameReferenceError => {
  if (count === 0) return new FrameReferenceError('EINVAL', `${what} of free frame ${hex(frame)}`);
  if (count === COUNT_UNIQUE) {
    return new FrameReferenceError('EBUSY', `${what} of frame ${hex(frame)}, which has a unique owner`);
  }
  return new FrameReferenceError('EOVERFLOW', `frame ${hex(frame)} has ${MAX_COUNT} references already`);
};
