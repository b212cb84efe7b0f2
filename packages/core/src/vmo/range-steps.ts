/** Operations on ranges of bytes, as the calls of a capability run them: what they are on pages, and when they are worth it. */
import { PAGE_SIZE } from '../frame/index.js';
import type { MemoryObject } from './memory-object.js';
import { pageOf } from './page-bytes.js';
import type { Steps } from './steps.js';
import { writeBack } from './write-back.js';

/** Whether an empty range is worth a call; and whether one that is cut while it waits goes on with what is left. */
export type Empty = 'nothing to do' | 'empty too' | 'empty or cut too';

/** @param start as `length`, in bytes of the object. */
export type RangeSteps = (object: MemoryObject, start: number, length: number) => Steps;

/** Steps on all pages that a range of bytes touches. */
export const onPages =
  (steps: (object: MemoryObject, first: number, end: number) => Steps): RangeSteps =>
  (object, start, length) =>
    steps(object, pageOf(start), length === 0 ? pageOf(start) : pagesTo(start + length));

/** The page after the last that bytes up to `end` touch. */
export const pagesTo = (end: number): number => Math.ceil(end / PAGE_SIZE);

export function* syncPages(object: MemoryObject, first: number, end: number): Steps {
  if (object.source !== undefined) yield* writeBack(object, first, end);
}
