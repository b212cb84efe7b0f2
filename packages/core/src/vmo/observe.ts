/** Observing a capability: its holder hears of the pages that it reaches, counted from where it begins. */
import { PAGE_SIZE, pagesIn } from '../frame/index.js';
import type { Reach } from './capability.js';
import type { ObjectObserver } from './memory-object.js';

/** Tells an observer of an object's pages, as far as they are reached. @returns what ends it. */
export const observeReach = ({ object, start, sizeBytes }: Reach, observer: ObjectObserver): Disposable => {
  const first = start / PAGE_SIZE;
  const end = sizeBytes === undefined ? Infinity : pagesIn(start + sizeBytes);
  const within = (firstPage: number, pages: number, tell: (page: number, pages: number) => void): void => {
    const from = Math.max(firstPage, first);
    const to = Math.min(firstPage + pages, end);
    if (from < to) tell(from - first, to - from);
  };
  const own: ObjectObserver = {
    pagesLost: (page, pages) => within(page, pages, (from, count) => observer.pagesLost(from, count)),
    pagesCut: (page, pages) => within(page, pages, (from, count) => observer.pagesCut?.(from, count)),
  };
  object.observers.add(own);
  return { [Symbol.dispose]: () => void object.observers.delete(own) };
};
