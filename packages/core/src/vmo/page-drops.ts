/** Giving pages back: as zeros, or to the pager that can bring them again. */
import { type FrameNumber, HolsteinError, PAGE_SIZE, Usage } from '../frame/index.js';
import { type MemoryObject, MISSING } from './memory-object.js';
import { pageOf, storeZeros } from './page-bytes.js';
import { EMPTY, SLOT_DIRTY, SLOT_FRAME, SLOT_USED, SLOT_ZERO, slotFrame } from './page-slot.js';
import {
  askUpdates,
  bringIn,
  checkThere,
  dirtyMarks,
  fillFrame,
  giveOriginal,
  holdPages,
  isChanged,
  isReady,
  noneGranted,
  ownAll,
  tryOwnRanges,
  waitHolding,
  type WriteRange,
} from './page-writes.js';
import type { Steps } from './steps.js';

/** Makes bytes zeros, and gives whole pages back. All, or nothing. @throws OutOfMemory, PagerError */
export function* zeroBytes(object: MemoryObject, start: number, length: number): Steps {
  const end = start + length;
  const first = Math.ceil(start / PAGE_SIZE);
  const last = end === object.sizeBytes ? object.sizePages : pageOf(end);
  // What lies before the first whole page, and after the last.
  const head = { start, end: Math.min(first * PAGE_SIZE, end) };
  const tail = { start: Math.max(last * PAGE_SIZE, start), end };
  const edges = (first > last ? [head] : [head, tail]).filter((edge) => edge.start < edge.end);
  const granted = noneGranted(object);
  for (;;) {
    const waiting = tryReady();
    if (waiting === undefined) break;
    yield* waitHolding(object, pageOf(start), last, waiting);
  }
  checkThere(object, { first: pageOf(start), end: Math.ceil(end / PAGE_SIZE) });
  for (const edge of edges) {
    const page = pageOf(edge.start);
    if (slotFrame(object.pages.get(page)) !== 0) storeZeros(object, edge.start, edge.end);
    // The page is zeros as it is. Its own from now on, whatever becomes of it beneath.
    else if (object.source === undefined) emptyPages(object, page, page + 1);
  }
  if (first < last) zeroPages(object, first, last);

  function tryReady(): Promise<void> | undefined {
    const release = holdPages(object, pageOf(start), last);
    try {
      const written = edges.map((edge) => pageOf(edge.start)).filter((page) => object.content(page) !== 0);
      return readyToZero(object, first, last, granted) ?? tryOwnRanges(object, written.map(partly), granted);
    } finally {
      release();
    }
  }
}

/** A page of which only a part is going to be written. */
const partly = (page: number): WriteRange => ({ first: page, end: page + 1, wholeFirst: 0, wholeEnd: 0 });

/** Before pages of an object with a pager become zeros, who sees them as they were must have them, and the pager agree. */
const readyToZero = (
  object: MemoryObject,
  first: number,
  last: number,
  granted: Set<number>,
): Promise<void> | undefined => {
  if (object.source === undefined) return undefined;
  for (let page = first; page < last; page++) {
    while (object.lacksOriginal(page) && object.content(page) === MISSING) {
      const waiting = bringIn(object, page, page + 1);
      if (waiting !== undefined) return waiting;
    }
  }
  return askUpdates(object, first, last, granted);
};

/** Makes pages zeros. Nothing in it can fail. */
const zeroPages = (object: MemoryObject, first: number, last: number): void => {
  object.notifyLost(first, last - first);
  if (object.source !== undefined) {
    for (let page = first; page < last; page++) zeroPagedPage(object, page);
    return;
  }
  let from = first;
  for (const pinned of object.isPinned ? range(first, last) : object.pins.pages(first, last)) {
    storeZeros(object, pinned * PAGE_SIZE, (pinned + 1) * PAGE_SIZE);
    emptyPages(object, from, pinned);
    from = pinned + 1;
  }
  emptyPages(object, from, last);
};

const zeroPagedPage = (object: MemoryObject, page: number): void => {
  const slot = object.pages.get(page);
  const source = object.source!;
  if (slot === EMPTY && !source.has(page)) return;
  if (!isChanged(slot)) giveOriginal(object, page, object.content(page));
  source.cancel(page, page + 1);
  if (object.isPagePinned(page)) {
    storeZeros(object, page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
    object.pages.mark(page, slotFrame(slot) | dirtyMarks(slot));
  } else {
    object.pages.put(page, SLOT_ZERO | SLOT_DIRTY);
  }
};

/** Takes the frames of pages that have no pager: they are zeros, whatever lies beneath. */
const emptyPages = (object: MemoryObject, first: number, last: number): void => {
  if (first >= last) return;
  object.pages.remove(first, last);
  const { base } = object;
  if (base === undefined || first >= base.limit) return;
  const end = Math.min(last, base.limit);
  object.pages.hide(first, end);
  object.noteCovered(first, end);
};

function* range(first: number, last: number): Iterable<number> {
  for (let page = first; page < last; page++) yield page;
}

/**
 * Gives the frames of pages back. Where there is a pager, clean pages are dropped, to be brought again; elsewhere the
 * pages are zeros.
 * @throws HolsteinError ENOTSUP where the object is a device's; EBUSY where a page is pinned, or changed and not
 *   written back. Nothing has changed then.
 */
export const decommitPages = (object: MemoryObject, first: number, last: number): void => {
  if (object.isPinned) {
    throw new HolsteinError('ENOTSUP', `${object.name} is ${object.kind}: its pages stay where they are`);
  }
  if (object.pins.touches(first, last)) {
    throw new HolsteinError(
      'EBUSY',
      `a page of ${first} to ${last - 1} of ${object.name} is in an open view`,
    );
  }
  if (object.source === undefined) {
    if (first < last) zeroPages(object, first, last);
    return;
  }
  for (let page = object.pages.next(first, last); page !== -1; page = object.pages.next(page + 1, last)) {
    if (isChanged(object.pages.get(page))) {
      throw new HolsteinError(
        'EBUSY',
        `page ${page} of ${object.name} is not written back: sync() first, or zero() it`,
      );
    }
  }
  for (let page = object.pages.next(first, last); page !== -1; page = object.pages.next(page + 1, last)) {
    // Its pager, which hears of each, may have written the next.
    if (!isChanged(object.pages.get(page))) dropClean(object, page);
  }
};

/** Drops a clean page, if the pager can bring it again. */
export const dropClean = (object: MemoryObject, page: number): void => {
  if (!object.source!.canRestore(page)) return;
  object.notifyLost(page, 1);
  object.pages.remove(page, page + 1);
  object.source!.noteDropped(page, page + 1);
};

/**
 * Gives pages frames that are the object's own, so that no write to them needs memory any more. Where there is a pager,
 * all are brought in, and stay clean. All, or nothing but what was brought in.
 * @throws OutOfMemory, PagerError
 */
export function* commitPages(object: MemoryObject, first: number, last: number): Steps {
  if (object.source === undefined) {
    yield* ownAll(object, first, last);
    return;
  }
  const release = holdPages(object, first, last);
  try {
    // While one page was waited for, another may have been dropped again.
    do yield* prefetchPages(object, first, last);
    while (!commitPresent(object, first, Math.min(last, object.sizePages)));
  } finally {
    release();
  }
}

/** As `commitPages`, where there is a pager and all is brought in. @returns false, and has done nothing, where it is not. */
const commitPresent = (object: MemoryObject, first: number, last: number): boolean => {
  const frames: FrameNumber[] = [];
  try {
    for (;;) {
      let wanted = 0;
      for (let page = first; page < last; page++) {
        if (object.content(page) === MISSING) return false;
        if (!isReady(object, page)) wanted++;
      }
      if (frames.length >= wanted) break;
      while (frames.length < wanted) frames.push(object.memory.allocate(Usage.Frame));
    }
    frames.reverse();
    for (let page = first; page < last; page++) {
      if (!isReady(object, page)) commitPage(object, page, frames.pop()!);
    }
    return true;
  } finally {
    for (const frame of frames) object.memory.release(frame);
  }
};

/** Gives a page a frame of its own, with what it is: that changes nothing, so a clean page stays clean. */
const commitPage = (object: MemoryObject, page: number, frame: FrameNumber): void => {
  const slot = object.pages.get(page);
  const content = object.content(page);
  if (!isChanged(slot)) giveOriginal(object, page, content);
  fillFrame(object, frame, content);
  object.install(page, frame, (slot & ~(SLOT_FRAME | SLOT_ZERO)) | SLOT_USED);
};

/** Brings in what is missing of pages, in order. @throws PagerError, OutOfMemory */
export function* prefetchPages(object: MemoryObject, first: number, last: number): Steps {
  for (let page = first; page < last; page++) {
    while (object.content(page) === MISSING) {
      const waiting = bringIn(object, page, last);
      if (waiting !== undefined) yield* waitHolding(object, page, page + 1, waiting);
    }
  }
}
