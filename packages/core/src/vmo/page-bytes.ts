/** Bytes of a memory object, to and from its frames. Frames in a row are copied in one go. */
import { type FrameNumber, frameStart, PAGE_SIZE } from '../frame/index.js';
import { type MemoryObject, MISSING } from './memory-object.js';
import { slotFrame } from './page-slot.js';
import { REQUEST_PAGES } from './page-source.js';
import { bringIn, holdPages, ownPages, type WriteRange } from './page-writes.js';
import type { Steps } from './steps.js';

const ZEROS = new Uint8Array(PAGE_SIZE);
/** Up to here, to copy byte by byte is quicker than a copy by the host. */
const FEW_BYTES = 16;

/** The page of a byte. Page numbers have 31 bits at most (`MAX_OBJECT_BYTES`), so this is its floor. */
export const pageOf = (offset: number): number => (offset / PAGE_SIZE) | 0;

/** Reads bytes from `start` on. What is never written reads zeros, and gets no frame. @throws PagerError, OutOfMemory */
export function* readBytes(object: MemoryObject, start: number, into: Uint8Array): Steps {
  let done = copyPresent(object, start, into, 0);
  while (done < into.length) {
    const page = pageOf(start + done);
    const end = Math.min(pageOf(start + into.length - 1) + 1, page + REQUEST_PAGES);
    // The first alone: others who read wait for frames too. Those that come with it stay until all have come.
    const release = holdPages(object, page, page + 1);
    try {
      // Looked up again, for its answer says where it is missing.
      if (object.content(page) === MISSING) {
        const waiting = bringIn(object, page, end);
        if (waiting !== undefined) yield waiting;
      }
    } finally {
      release();
    }
    done = copyPresent(object, start, into, done);
  }
}

/** Copies from byte `start + done` on, until a page is missing. @returns how many bytes of `into` are there now. */
export const copyPresent = (object: MemoryObject, start: number, into: Uint8Array, done: number): number => {
  const { bytes } = object;
  const end = start + into.length;
  let at = start + done;
  while (at < end) {
    const page = pageOf(at);
    const frame = object.content(page);
    if (frame === MISSING) return at - start;
    let next = (page + 1) * PAGE_SIZE;
    if (frame === 0) {
      into.fill(0, at - start, Math.min(next, end) - start);
    } else {
      for (let row = 1; next < end && object.content(page + row) === frame + row; row++) next += PAGE_SIZE;
      const from = frameStart(frame as FrameNumber) + (at - page * PAGE_SIZE);
      copyBytes(bytes, from, into, at - start, Math.min(next, end) - at);
    }
    at = next;
  }
  return into.length;
};

const copyBytes = (
  from: Uint8Array,
  fromStart: number,
  into: Uint8Array,
  intoStart: number,
  length: number,
): void => {
  if (length <= FEW_BYTES) {
    for (let index = 0; index < length; index++) into[intoStart + index] = from[fromStart + index]!;
  } else {
    into.set(from.subarray(fromStart, fromStart + length), intoStart);
  }
};

/** Writes bytes from `start` on: all, or none. @throws OutOfMemory, PagerError */
export function* writeBytes(object: MemoryObject, start: number, from: Uint8Array): Steps {
  yield* ownPages(object, writeRange(start, from.length));
  storeBytes(object, start, from);
}

/** Writes zeros as `writeBytes` writes bytes: their pages have frames then. */
export function* clearBytes(object: MemoryObject, start: number, length: number): Steps {
  yield* ownPages(object, writeRange(start, length));
  storeZeros(object, start, start + length);
}

/** Stores zeros in pages that are the object's own. */
export const storeZeros = (object: MemoryObject, start: number, end: number): void => {
  for (let at = start; at < end;) {
    const next = Math.min((pageOf(at) + 1) * PAGE_SIZE, end);
    storeBytes(object, at, ZEROS.subarray(0, next - at));
    at = next;
  }
};

export const writeRange = (start: number, length: number): WriteRange => {
  const end = start + length;
  const [wholeFirst, wholeEnd] = [Math.ceil(start / PAGE_SIZE), pageOf(end)];
  return { first: pageOf(start), end: Math.ceil(end / PAGE_SIZE), wholeFirst, wholeEnd };
};

/** Stores bytes in frames that are in a row, and that nobody watches. */
export const storeInRow = (object: MemoryObject, frame: number, start: number, from: Uint8Array): void => {
  const to = frameStart(frame as FrameNumber) + (start - pageOf(start) * PAGE_SIZE);
  copyBytes(from, 0, object.bytes, to, from.length);
};

/** Stores bytes in pages that are the object's own. */
export const storeBytes = (object: MemoryObject, start: number, from: Uint8Array): void => {
  const { memory, pages } = object;
  const end = start + from.length;
  let at = start;
  while (at < end) {
    const page = pageOf(at);
    const frame = slotFrame(pages.get(page));
    let next = (page + 1) * PAGE_SIZE;
    const to = frameStart(frame) + (at - page * PAGE_SIZE);
    if (memory.isWatched(frame)) {
      memory.write(frame, at - page * PAGE_SIZE, from.subarray(at - start, Math.min(next, end) - start));
    } else {
      for (let row = frame + 1; next < end && isNextInRow(object, pageOf(next), row); row++)
        next += PAGE_SIZE;
      copyBytes(from, at - start, memory.bytes, to, Math.min(next, end) - at);
    }
    at = next;
  }
};

const isNextInRow = (object: MemoryObject, page: number, frame: number): boolean =>
  slotFrame(object.pages.get(page)) === frame && !object.memory.isWatched(frame as FrameNumber);
