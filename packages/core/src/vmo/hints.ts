/** Hints about pages that have a pager: which to keep when frames are short, and which to drop first. */
import { InvalidArgument } from '../frame/index.js';
import type { MemoryObject } from './memory-object.js';
import { prefetchPages } from './page-drops.js';
import { EMPTY, SLOT_FIRST, SLOT_KEEP, SLOT_USED, slotFrame } from './page-slot.js';
import type { Steps } from './steps.js';

/** What is said of pages: they are brought in and kept, or go first. The later word holds. */
export type Hint = 'always-need' | 'dont-need';

const HINTS: readonly string[] = ['always-need', 'dont-need'] satisfies Hint[];

/** @throws InvalidArgument for a hint that there is not; PagerError, OutOfMemory where pages that are always needed cannot be brought in. */
export function* hintPages(object: MemoryObject, first: number, end: number, hint: Hint): Steps {
  if (!HINTS.includes(hint)) {
    throw new InvalidArgument(`there is no hint ${String(hint)}: give one of ${HINTS.join(', ')}`);
  }
  if (hint === 'always-need') yield* prefetchPages(object, first, end);
  for (let page = first; page < end; page++) markPage(object, page, hint);
}

/** Marks a page where its pager's object has it; one that has none, or was written in a child, is not dropped anyway. */
const markPage = (object: MemoryObject, page: number, hint: Hint): void => {
  const slot = object.pages.get(page);
  const { base } = object;
  if (slot === EMPTY && base !== undefined) {
    if (page < base.limit) markPage(base.object, page + base.offset, hint);
    return;
  }
  if (object.source === undefined || slotFrame(slot) === 0) return;
  const marks = hint === 'always-need' ? SLOT_KEEP | SLOT_USED : SLOT_FIRST;
  object.pages.hint(page, (slot & ~(SLOT_KEEP | SLOT_FIRST | SLOT_USED)) | marks);
};
