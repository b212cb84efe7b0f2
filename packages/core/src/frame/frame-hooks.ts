/**
 * What a thread wants done at the end of frames: a destructor for each usage, and one watcher of single frames;
 * and who gives frames back when there are none left.
 *
 * They are functions, so each thread has its own. Where RAM is shared the header says which usages have a
 * destructor in some thread, and the slot that a frame is watched: a thread that has none itself may not drop the
 * last reference, for then nobody would be told.
 */
import { type FrameNumber, hex } from './address.js';
import { FrameReferenceError } from './errors.js';
import { HEADER_DESTRUCTORS } from './meta-header.js';
import { FLAG_WATCHED, STATE_USAGE_MASK, type Usage, USAGE_COUNT, usageName } from './slot.js';

export type FrameDestructor = (frame: FrameNumber) => void;

/**
 * Gives frames back that can be had again, such as clean pages, when an allocation finds none free. It must not
 * allocate. @param frames how many are wanted. @returns how many it has given back.
 */
export type FrameReclaimer = (frames: number) => number;

/** Hears of changes to the frames that it watches. */
export interface FrameWatcher {
  /** Bytes `offset … offset + length - 1` of a watched frame have just been written. */
  frameWritten(frame: FrameNumber, offset: number, length: number): void;
  /** A watched frame is about to be freed, and is watched no more. */
  frameFreed(frame: FrameNumber): void;
}

export class FrameHooks {
  watcher: FrameWatcher | undefined;
  readonly reclaimers = new Set<FrameReclaimer>();
  readonly #words: Uint32Array;
  /** Index in `words` of the Meta header. */
  readonly #header: number;
  /** By usage. */
  readonly #destructors: (FrameDestructor | undefined)[] = Array.from({ length: USAGE_COUNT });

  constructor(words: Uint32Array, header: number) {
    this.#words = words;
    this.#header = header;
  }

  /** Asks the reclaimers for frames, one after the other. @returns whether they gave any. */
  reclaim(frames: number): boolean {
    let given = 0;
    for (const reclaimer of this.reclaimers) {
      if (given < frames) given += reclaimer(frames - given);
    }
    return given > 0;
  }

  setDestructor(usage: Usage, destructor: FrameDestructor): void {
    this.#destructors[usage] = destructor;
    Atomics.or(this.#words, this.#header + HEADER_DESTRUCTORS, 1 << usage);
  }

  destructor(usage: Usage): FrameDestructor | undefined {
    return this.#destructors[usage];
  }

  /**
   * Asked before the last reference to a frame is dropped in RAM that is shared.
   * @param state the state word of the frame's slot.
   * @throws FrameReferenceError (EBUSY) where another thread has a destructor for it, or watches it, and this
   *   thread has no destructor or no watcher of its own.
   */
  checkLast(frame: FrameNumber, state: number): void {
    const usage = (state & STATE_USAGE_MASK) as Usage;
    const destroyed = (Atomics.load(this.#words, this.#header + HEADER_DESTRUCTORS) & (1 << usage)) !== 0;
    if (destroyed && this.#destructors[usage] === undefined) {
      const name = usageName(usage);
      throw new FrameReferenceError(
        'EBUSY',
        `last release of frame ${hex(frame)}: ${name} has a destructor in another thread; name this thread's with setDestructor`,
      );
    }
    if ((state & FLAG_WATCHED) !== 0 && this.watcher === undefined) {
      throw new FrameReferenceError(
        'EBUSY',
        `last release of frame ${hex(frame)}: another thread watches it; name this thread's watcher with setWatcher`,
      );
    }
  }
}
