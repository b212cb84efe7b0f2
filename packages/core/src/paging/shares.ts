/**
 * How often a frame is shared: the number of entries that name it "readonly and shared" and "writable and
 * shared", over all page tables (seed 000's `FrameRcMap`).
 *
 * The counts lie in the frame's metadata slot and are a view of the entries: whoever writes, replaces or
 * removes an entry tells `moveShares`, so no way of mapping goes round them, and a frame that is in no
 * shared entry has no row that could be left behind. Every entry owns a reference to its frame, so a
 * count of shares is never above the frame's count of references.
 *
 * Where threads share RAM, every change of a count is one compare-and-exchange; no thread looks at both.
 *
 * Only frames of usage Frame and Kernel have the two counts; no other may be marked shared.
 */
import {
  FrameReferenceError,
  frameNumber,
  type FrameNumber,
  hex,
  HolsteinError,
  InvalidArgument,
  METADATA_READ_SHARES,
  METADATA_WRITE_SHARES,
  type PhysicalMemory,
  Usage,
  usageName,
} from '../frame/index.js';
import { PTE_COW, PTE_SHARED, pteFrame } from './pte.js';

const MAX_SHARES = 0xffff_ffff;

/** Entries, in all tables, that name a frame "readonly and shared". */
export const readShares = (memory: PhysicalMemory, frame: FrameNumber): number =>
  hasShares(memory, frame) ? memory.words[wordOf(memory, frame, METADATA_READ_SHARES)]! : 0;

/** Entries, in all tables, that name a frame "writable and shared". */
export const writeShares = (memory: PhysicalMemory, frame: FrameNumber): number =>
  hasShares(memory, frame) ? memory.words[wordOf(memory, frame, METADATA_WRITE_SHARES)]! : 0;

/**
 * Keeps the counts in step with an entry that is about to change.
 * @param before the leaf entry as it is, 0 where there is none; `after` likewise, as it will be.
 * @param pages how many frames, from the one that it names on, the entry covers.
 * @throws HolsteinError EOVERFLOW where a count would pass 2^32 - 1; InvalidArgument for a frame that
 *   cannot be shared. No count has changed then.
 */
export const moveShares = (memory: PhysicalMemory, before: number, after: number, pages = 1): void => {
  const old = before & PTE_SHARED;
  const next = after & PTE_SHARED;
  const from = pteFrame(before);
  const to = pteFrame(after);
  const same = from === to;
  const added = same ? next & ~old : next;
  const removed = same ? old & ~next : old;
  if (added !== 0) addToRun(memory, to, added, pages);
  if (removed === 0) return;
  for (let page = 0; page < pages; page++) subtract(memory, frameNumber(from + page), removed);
};

/** Adds to all of a run of frames, or to none. */
const addToRun = (memory: PhysicalMemory, first: FrameNumber, marks: number, pages: number): void => {
  let added = 0;
  try {
    for (; added < pages; added++) add(memory, frameNumber(first + added), marks);
  } catch (error) {
    while (added > 0) subtract(memory, frameNumber(first + --added), marks);
    throw error;
  }
};

const hasShares = (memory: PhysicalMemory, frame: FrameNumber): boolean => {
  const usage = memory.usage(frame);
  return usage === Usage.Frame || usage === Usage.Kernel;
};

/**
 * Counts a second entry like one of a single page, both of which are to be `shared`: as two calls of `moveShares`.
 * @throws as `moveShares`; no count has changed then.
 */
export const shareTwice = (memory: PhysicalMemory, entry: number, shared: number): void => {
  const mark = shared & PTE_SHARED;
  if (mark !== 0) add(memory, pteFrame(shared), mark, (entry & PTE_SHARED) === mark ? 1 : 2);
};

/** Counts more marks of a frame. @param mark PTE_COW or PTE_READONLY_SHARED: no leaf has both. */
const add = (memory: PhysicalMemory, frame: FrameNumber, mark: number, more = 1): void => {
  if (!hasShares(memory, frame)) {
    throw new InvalidArgument(`frame ${hex(frame)} is ${usageName(memory.usage(frame))}: it is never shared`);
  }
  const { words } = memory;
  const index = wordOf(memory, frame, fieldOf(mark));
  for (;;) {
    const count = words[index]!;
    if (count > MAX_SHARES - more) {
      throw new HolsteinError('EOVERFLOW', `frame ${hex(frame)} is shared ${count} times already`);
    }
    if (exchange(words, index, count, count + more)) return;
  }
};

const subtract = (memory: PhysicalMemory, frame: FrameNumber, mark: number): void => {
  const { words } = memory;
  const index = wordOf(memory, frame, fieldOf(mark));
  for (;;) {
    const count = words[index]!;
    if (count === 0) {
      throw new FrameReferenceError('EINVAL', `frame ${hex(frame)} counts fewer shares than entries have`);
    }
    if (exchange(words, index, count, count - 1)) return;
  }
};

/** Changes a count from one value to another. @returns whether it had the first. Alone in its RAM a thread just writes. */
const exchange = (words: Uint32Array, index: number, from: number, to: number): boolean => {
  if (isShared(words)) return Atomics.compareExchange(words, index, from, to) === from;
  words[index] = to;
  return true;
};

const isShared = (words: Uint32Array): boolean => {
  if (words !== lastWords) {
    lastWords = words;
    lastIsShared = !(words.buffer instanceof ArrayBuffer);
  }
  return lastIsShared;
};

/** What was answered last: to ask a RAM costs more than to count. */
let lastWords: Uint32Array | undefined;
let lastIsShared = false;

const fieldOf = (mark: number): number => (mark === PTE_COW ? METADATA_WRITE_SHARES : METADATA_READ_SHARES);

const wordOf = (memory: PhysicalMemory, frame: FrameNumber, field: number): number =>
  (memory.metadata(frame) + field) >>> 2;
