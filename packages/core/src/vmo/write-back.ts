/**
 * Writing changed pages back to the pager (pager.ts draws the states). Each run of dirty pages awaits its end as
 * `saving`; a page that is written meanwhile is dirty again, and stays so.
 */
import { HolsteinError } from '../frame/index.js';
import type { MemoryObject } from './memory-object.js';
import { REQUEST_PAGES } from './page-source.js';
import { type PageSlot, SLOT_DIRTY, SLOT_SAVING } from './page-slot.js';
import { isChanged } from './page-writes.js';
import type { Steps } from './steps.js';

/** The first changed page of `first … end - 1`; -1 where there is none. */
export const nextChanged = (object: MemoryObject, first: number, end: number): number =>
  nextMarked(object, first, end, isChanged);

const nextDirty = (object: MemoryObject, first: number, end: number): number =>
  nextMarked(object, first, end, isDirty);

const nextMarked = (
  { pages }: MemoryObject,
  first: number,
  end: number,
  wanted: (slot: PageSlot) => boolean,
): number => {
  let page = pages.next(first, end);
  while (page !== -1 && !wanted(pages.get(page))) page = pages.next(page + 1, end);
  return page;
};

const isDirty = (slot: PageSlot): boolean => (slot & SLOT_DIRTY) !== 0;

/**
 * Tells the pager of the size, and writes the dirty pages of `first … end - 1` back, in order. One at a time does so.
 * @throws PagerError where the pager fails: the pages that it has not taken are dirty still; HolsteinError ENOTSUP
 *   where there are dirty pages and it takes none back.
 */
export function* writeBack(object: MemoryObject, first: number, end: number): Steps {
  const source = object.source!;
  while (source.writingBack !== undefined) yield source.writingBack;
  if (!source.isWritable) {
    const page = nextChanged(object, first, end);
    if (page === -1) return;
    throw cannotGoBack(object, page);
  }
  let done!: () => void;
  source.writingBack = new Promise((resolve) => (done = resolve));
  try {
    yield* source.tellSize();
    for (let page = nextDirty(object, first, end); page !== -1; page = nextDirty(object, page, end)) {
      // It may have been detached meanwhile.
      if (!source.isWritable) throw cannotGoBack(object, page);
      page = yield* writeRunBack(object, page, Math.min(end, object.sizePages));
    }
  } finally {
    source.writingBack = undefined;
    done();
  }
}

const cannotGoBack = (object: MemoryObject, page: number): HolsteinError => {
  const why = object.source!.isAttached ? 'takes no bytes back' : 'is detached';
  return new HolsteinError('ENOTSUP', `page ${page} of ${object.name} is changed, and its pager ${why}`);
};

/** @returns the page after the run. */
function* writeRunBack(object: MemoryObject, first: number, end: number): Steps<number> {
  const { pages } = object;
  let last = first;
  while (last < end && last - first < REQUEST_PAGES && isDirty(pages.get(last))) {
    pages.mark(last, (pages.get(last) & ~SLOT_DIRTY) | SLOT_SAVING);
    last++;
  }
  // What maps them must ask before it writes again, or nobody would hear of it.
  object.notifyLost(first, last - first);
  try {
    yield object.source!.writeBack(first, last);
  } catch (error) {
    endSaving(object, first, last, () => SLOT_DIRTY);
    throw error;
  }
  // What an open view may write is never clean.
  endSaving(object, first, last, (page) => (object.isPagePinned(page) ? SLOT_DIRTY : 0));
  object.home.counters.pagesWrittenBack += last - first;
  return last;
}

const endSaving = (
  { pages }: MemoryObject,
  first: number,
  last: number,
  marks: (page: number) => PageSlot,
): void => {
  for (let page = first; page < last; page++) {
    const slot = pages.get(page);
    if ((slot & SLOT_SAVING) !== 0) pages.mark(page, (slot & ~SLOT_SAVING) | marks(page));
  }
};
