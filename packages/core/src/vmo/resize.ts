/**
 * Changing the size of an object, to the byte. What is cut off is gone: where the object grows again there are zeros,
 * whatever lies beneath.
 */
import { HolsteinError, PAGE_SIZE, type PhysicalMemory } from '../frame/index.js';
import { type MemoryObject, MISSING, missing } from './memory-object.js';
import { pageOf, storeZeros } from './page-bytes.js';
import { prefetchPages } from './page-drops.js';
import { slotFrame } from './page-slot.js';
import { giveOriginal, isReady, ownAll } from './page-writes.js';
import type { Steps } from './steps.js';

/** Of memory's `words`. */
const WORD_BYTES = 4;

/**
 * @throws HolsteinError EBUSY where a page to be cut is in an open view, or an object that sees the pages as they were
 *   has not got one of them yet; OutOfMemory, PagerError where it grows, or is cut inside a page that is shared. Nothing has
 *   changed then.
 */
export function* resizeObject(object: MemoryObject, sizeBytes: number): Steps {
  while (sizeBytes > object.sizeBytes) {
    const before = object.sizeBytes;
    yield* clearTail(object, before);
    // While it waited, another may have changed the size.
    if (object.sizeBytes === before) object.sizeBytes = sizeBytes;
  }
  if (sizeBytes < object.sizeBytes) {
    checkCut(object, sizeBytes);
    yield* ownTail(object, sizeBytes);
  }
  if (sizeBytes < object.sizeBytes) cut(object, sizeBytes);
}

/**
 * Makes what will be the last page the object's own, where it has a pager: objects may show what the page is, now or
 * later, and must not show what is cut off.
 */
function* ownTail(object: MemoryObject, sizeBytes: number): Steps {
  const tail = pageOf(sizeBytes);
  const frame = slotFrame(object.pages.get(tail));
  const offset = sizeBytes % PAGE_SIZE;
  if (object.source === undefined || offset === 0 || frame === 0) return;
  if (isReady(object, tail) || isZero(object.memory, frame, offset)) return;
  yield* ownAll(object, tail, tail + 1);
}

/**
 * Makes what the last page has beyond a number of bytes zeros. It is, but for a page that came from the base, or that
 * was shared when the object was cut.
 */
export function* clearTail(object: MemoryObject, sizeBytes: number): Steps {
  const page = pageOf(sizeBytes);
  const offset = sizeBytes % PAGE_SIZE;
  if (offset === 0) return;
  // What the pager gives of the page ends there, or before: zeros are what follows.
  if (object.content(page) === MISSING && missing.object!.source!.endsBefore(missing.page, offset)) return;
  yield* prefetchPages(object, page, page + 1);
  const frame = object.content(page);
  if (frame === 0 || isZero(object.memory, frame, offset)) return;
  yield* ownAll(object, page, page + 1);
  storeZeros(object, sizeBytes, (page + 1) * PAGE_SIZE);
}

/** Whether a page is the last, and has a frame with something beyond the object's end. */
export const hasTail = (object: MemoryObject, page: number): boolean => {
  const offset = object.sizeBytes % PAGE_SIZE;
  if (offset === 0 || page !== pageOf(object.sizeBytes)) return false;
  const frame = object.content(page);
  return frame > 0 && !isZero(object.memory, frame, offset);
};

/** Whether a frame has nothing but zeros from a byte of it to its end: up to three bytes, then whole words. @internal */
export const isZero = (
  { bytes, words }: Pick<PhysicalMemory, 'bytes' | 'words'>,
  frame: number,
  offset: number,
): boolean => {
  let at = frame * PAGE_SIZE + offset;
  const endWord = ((frame + 1) * PAGE_SIZE) / WORD_BYTES;
  for (; at % WORD_BYTES !== 0; at++) {
    if (bytes[at] !== 0) return false;
  }
  for (let word = at / WORD_BYTES; word < endWord; word++) {
    if (words[word] !== 0) return false;
  }
  return true;
};

/** @throws HolsteinError EBUSY as `resizeObject`. */
const checkCut = (object: MemoryObject, sizeBytes: number): void => {
  const [first, last] = [Math.ceil(sizeBytes / PAGE_SIZE), object.sizePages];
  if (object.pins.touches(first, last)) {
    throw new HolsteinError('EBUSY', `a page of ${object.name} beyond ${sizeBytes} bytes is in an open view`);
  }
  if (object.source === undefined || object.views.size === 0) return;
  // Beyond what its pager has, nothing can be missing.
  for (let page = pageOf(sizeBytes); page < Math.min(last, object.source.pages); page++) {
    if (!object.lacksOriginal(page) || object.content(page) !== MISSING) continue;
    throw new HolsteinError(
      'EBUSY',
      `a snapshot of ${object.name} has page ${page} still to come from its pager: commit() the snapshot first`,
    );
  }
};

const cut = (object: MemoryObject, sizeBytes: number): void => {
  checkCut(object, sizeBytes);
  const [first, last] = [Math.ceil(sizeBytes / PAGE_SIZE), object.sizePages];
  keepOriginals(object, pageOf(sizeBytes), last);
  object.notifyLost(pageOf(sizeBytes), last - pageOf(sizeBytes));
  for (const observer of object.observers) observer.pagesCut?.(first, last - first);
  object.source?.cut(sizeBytes);
  object.sizeBytes = sizeBytes;
  for (const view of object.views) view.limitBase(Math.max(first - view.base!.offset, 0));
  object.limitBase(first);
  object.pages.remove(first, last);
  // A last page that others have too keeps its end until the object grows: nobody can read it before.
  const tail = pageOf(sizeBytes);
  if (tail < first && slotFrame(object.pages.own(tail)) !== 0) {
    storeZeros(object, sizeBytes, first * PAGE_SIZE);
  }
};

/** Gives every page that is about to be cut to those who see it as it was. Where there is none they see zeros. */
const keepOriginals = (object: MemoryObject, first: number, last: number): void => {
  if (object.source === undefined || object.views.size === 0) return;
  const { pages } = object;
  for (let page = pages.next(first, last); page !== -1; page = pages.next(page + 1, last)) {
    if (object.lacksOriginal(page)) giveOriginal(object, page, object.content(page));
  }
};
