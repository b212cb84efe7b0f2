/**
 * Getting pages ready to be written: after it each page of a range has a frame that its object alone has. It happens
 * for all of them or for none: what is missing is brought in and asked for first, then every frame that is wanted is
 * allocated, and only then is anything changed, which cannot fail any more.
 */
import { type FrameNumber, HolsteinError, InvalidArgument, Usage } from '../frame/index.js';
import { type MemoryObject, MISSING, missing } from './memory-object.js';
import { REQUEST_PAGES } from './page-source.js';
import {
  EMPTY,
  type PageSlot,
  SLOT_DIRTY,
  SLOT_KEEP,
  SLOT_SAVING,
  SLOT_USED,
  slotFrame,
  SLOT_ZERO,
} from './page-slot.js';
import type { Steps } from './steps.js';

/** Pages `first … end - 1`; of those, `wholeFirst … wholeEnd - 1` are going to be overwritten from end to end. */
export interface WriteRange {
  readonly first: number;
  readonly end: number;
  readonly wholeFirst: number;
  readonly wholeEnd: number;
}

/**
 * Whether a range can be written with no more ado, and how.
 * @returns the first page's frame where all are in a row in RAM; 0 where they are not; NOT_OWN where it cannot be.
 */
export const ownRow = (object: MemoryObject, first: number, end: number): number => {
  const { memory, pages, source } = object;
  const row = slotFrame(pages.own(first));
  let isRow = true;
  for (let page = first; page < end; page++) {
    const slot = pages.own(page);
    const frame = slotFrame(slot);
    if (frame === 0 || (source !== undefined && !isDirty(slot))) return NOT_OWN;
    if (frame !== row + page - first || memory.isWatched(frame)) isRow = false;
  }
  return isRow ? row : 0;
};

export const NOT_OWN = -1;

/**
 * Makes pages the object's own and, where it has a pager, dirty. The content of those that are going to be overwritten
 * is whatever it is: the caller writes them at once.
 * @throws OutOfMemory, PagerError; InvalidArgument where the object was cut meanwhile; nothing has changed then, but that
 *   pages were brought in.
 */
export function* ownPages(object: MemoryObject, range: WriteRange): Steps {
  const granted = noneGranted(object);
  while (ownRow(object, range.first, range.end) === NOT_OWN) {
    const waiting = tryOwnPages(object, range, granted);
    if (waiting === undefined) return;
    yield* waitHolding(object, range.first, range.end, waiting);
  }
}

/** As `ownPages`, for pages `first … end - 1` that are written in any part. */
export const ownAll = (object: MemoryObject, first: number, end: number): Steps =>
  ownPages(object, { first, end, wholeFirst: 0, wholeEnd: 0 });

/** Pages whose first write a pager has agreed to: none yet. */
export const noneGranted = (object: MemoryObject): Set<number> =>
  object.source === undefined ? NONE : new Set();

/** For objects without a pager, which nobody has to agree for. */
const NONE = new Set<number>();

/** Waits, and keeps what is brought in for these pages meanwhile from being evicted before it is used. */
export function* waitHolding(
  object: MemoryObject,
  first: number,
  end: number,
  waiting: Promise<void>,
): Steps {
  const release = holdPages(object, first, end);
  try {
    yield waiting;
  } finally {
    release();
  }
}

/**
 * As `ownPages`, as far as it goes without waiting.
 * @param granted pages whose first write the pager has agreed to, to be kept from try to try.
 * @returns undefined where it is done; otherwise what to wait for before trying again.
 */
export const tryOwnPages = (
  object: MemoryObject,
  range: WriteRange,
  granted: Set<number>,
): Promise<void> | undefined => tryOwnRanges(object, [range], granted);

/** As `tryOwnPages`, for all of some ranges or for none. */
export const tryOwnRanges = (
  object: MemoryObject,
  ranges: readonly WriteRange[],
  granted: Set<number>,
): Promise<void> | undefined => {
  const frames: FrameNumber[] = [];
  // Nothing can be missing of an object with nothing beneath, and nobody takes its pages.
  const isAlone = object.source === undefined && object.base === undefined;
  const releases = isAlone ? [] : ranges.map(({ first, end }) => holdPages(object, first, end));
  try {
    for (;;) {
      for (const range of ranges) {
        checkThere(object, range);
        if (isAlone) continue;
        const waiting = bringInFor(object, range) ?? askUpdates(object, range.first, range.end, granted);
        if (waiting !== undefined) return waiting;
      }
      let wanted = 0;
      for (const range of ranges) wanted += framesWanted(object, range);
      if (frames.length >= wanted) break;
      // To allocate may evict pages, or a pager may have changed things: looked at again after.
      while (frames.length < wanted) frames.push(object.memory.allocate(Usage.Frame));
    }
    // Taken from the end: pages in a row get frames in a row, if there are.
    frames.reverse();
    for (const range of ranges) {
      for (let page = range.first; page < range.end; page++) {
        ownPage(object, page, page >= range.wholeFirst && page < range.wholeEnd, frames);
      }
    }
    return undefined;
  } finally {
    for (const release of releases) release();
    for (const frame of frames) object.memory.release(frame);
  }
};

/** Keeps pages, and those beneath them, from being evicted. @returns what ends it. */
export const holdPages = (object: MemoryObject, first: number, end: number): (() => void) => {
  const held = object.held.add(first, end);
  const { base } = object;
  const releaseBase =
    base === undefined ? undefined : holdPages(base.object, first + base.offset, end + base.offset);
  return () => {
    object.held.delete(held);
    releaseBase?.();
  };
};

/** Asks for the pages that `content` has just found missing, and those after it up to `end` of `object`. */
export const bringIn = (object: MemoryObject, page: number, end: number): Promise<void> | undefined => {
  const source = missing.object!.source!;
  const first = missing.page;
  let count = 1;
  while (
    count < REQUEST_PAGES &&
    page + count < end &&
    object.content(page + count) === MISSING &&
    missing.page === first + count
  ) {
    count++;
  }
  return source.request(first, count);
};

const bringInFor = (object: MemoryObject, range: WriteRange): Promise<void> | undefined => {
  for (let page = range.first; page < range.end; page++) {
    if (object.content(page) !== MISSING || !needsContent(object, page, range)) continue;
    // Whole pages in between may not be wanted: only a run that is.
    let end = page + 1;
    while (end < range.end && needsContent(object, end, range)) end++;
    if (object.content(page) !== MISSING) continue;
    const waiting = bringIn(object, page, end);
    if (waiting !== undefined) return waiting;
    if (object.content(page) === MISSING) page--;
  }
  return undefined;
};

/** Whether what a page was matters, although it is going to be written: to this object, or to one that sees it as it was. */
const needsContent = (object: MemoryObject, page: number, range: WriteRange): boolean =>
  page < range.wholeFirst || page >= range.wholeEnd || object.lacksOriginal(page);

/** Asks the pager's leave for the pages that are going to be dirty, a run at a time. @returns what to wait for. */
export const askUpdates = (
  object: MemoryObject,
  first: number,
  last: number,
  granted: Set<number>,
): Promise<void> | undefined => {
  const { source } = object;
  if (source === undefined) return undefined;
  const wanted = (page: number): boolean => !isDirty(object.pages.get(page)) && !granted.has(page);
  for (let page = first; page < last; page++) {
    if (!wanted(page)) continue;
    const under = source.updateUnder(page);
    if (under !== undefined) return under;
    let end = page + 1;
    while (end < last && wanted(end) && source.updateUnder(end) === undefined) end++;
    const waiting = source.askUpdate(page, end);
    for (let asked = page; asked < end; asked++) granted.add(asked);
    if (waiting !== undefined) return waiting;
    page = end - 1;
  }
  return undefined;
};

const framesWanted = (object: MemoryObject, range: WriteRange): number => {
  let wanted = 0;
  for (let page = range.first; page < range.end; page++) {
    if (!isReady(object, page) && !canMove(object, page)) wanted++;
  }
  return wanted;
};

/** Whether the frame that the object has for a page can be written: nobody else has it, and nobody is yet to be given it. */
export const isReady = (object: MemoryObject, page: number): boolean => {
  const slot = object.pages.own(page);
  if (slotFrame(slot) === 0) return false;
  return (
    object.source === undefined || (slot & (SLOT_DIRTY | SLOT_SAVING)) !== 0 || !object.lacksOriginal(page)
  );
};

/** Whether a page of the base is seen by this object alone, and by nobody who could see more: it moves here. */
const canMove = (object: MemoryObject, page: number): boolean => {
  const { base } = object;
  if (base === undefined || page >= base.limit || object.pages.get(page) !== EMPTY) return false;
  const from = base.object;
  const at = page + base.offset;
  return slotFrame(from.pages.own(at)) !== 0 && !from.isPagePinned(at) && !from.isReached(at, object);
};

/** Makes one page the object's own. Everything that can fail has been done. */
const ownPage = (object: MemoryObject, page: number, whole: boolean, frames: FrameNumber[]): void => {
  const marks = object.source === undefined ? 0 : dirtyMarks(object.pages.get(page));
  if (isReady(object, page)) {
    if (object.source !== undefined) object.pages.mark(page, slotFrame(object.pages.get(page)) | marks);
    return;
  }
  if (canMove(object, page)) {
    const { base } = object;
    const slot = base!.object.pages.take(page + base!.offset);
    object.install(page, slotFrame(slot), marks);
    return;
  }
  const content = object.content(page);
  if (object.source !== undefined) {
    if (!isChanged(object.pages.get(page))) giveOriginal(object, page, content);
    object.source.cancel(page, page + 1);
  }
  const frame = frames.pop()!;
  if (!whole) fillFrame(object, frame, content);
  object.install(page, frame, marks);
};

export const fillFrame = (object: MemoryObject, frame: FrameNumber, content: number): void => {
  const { memory, home } = object;
  if (content === 0) {
    memory.zero(frame);
    home.counters.pagesZeroed++;
  } else {
    memory.copy(content as FrameNumber, frame);
    home.counters.pagesCopied++;
  }
};

/** Gives a page as it is to every object that has it from here as it was. */
export const giveOriginal = (object: MemoryObject, page: number, content: number): void => {
  if (object.views.size === 0) return;
  for (const view of object.frozenViewsLacking(page)) {
    const at = page - view.base!.offset;
    if (content > 0) {
      object.memory.retain(content as FrameNumber);
      view.pages.put(at, content);
    } else {
      view.pages.put(at, SLOT_ZERO);
    }
  }
};

/** Dirty, and not on its way to the pager: a write changes nothing more. */
export const isDirty = (slot: PageSlot): boolean => (slot & SLOT_DIRTY) !== 0;

/** Dirty or awaiting-clean: not what the pager has. */
export const isChanged = (slot: PageSlot): boolean => (slot & (SLOT_DIRTY | SLOT_SAVING)) !== 0;

/** The marks of a slot whose page is written. */
export const dirtyMarks = (slot: PageSlot): PageSlot => (slot & SLOT_KEEP) | SLOT_DIRTY | SLOT_USED;

/** @throws InvalidArgument, HolsteinError EBADF where the object was cut or closed meanwhile, perhaps by its own pager. */
export const checkThere = (object: MemoryObject, range: Pick<WriteRange, 'first' | 'end'>): void => {
  if (range.end > object.sizePages) throw cutMeanwhile(object, range);
  // One that has let go of all but a slice may have left these pages to nobody.
  const isReached =
    range.end <= range.first || (object.isReached(range.first) && object.isReached(range.end - 1));
  if (object.isGone || !isReached) throw new HolsteinError('EBADF', `${object.name} was closed meanwhile`);
};

const cutMeanwhile = (
  object: MemoryObject,
  { first, end }: Pick<WriteRange, 'first' | 'end'>,
): InvalidArgument =>
  new InvalidArgument(
    `pages ${first} to ${end - 1} of ${object.name} are not all there: it was cut to ${object.sizeBytes} bytes meanwhile`,
  );
