/**
 * Children that are objects of their own: snapshots of three kinds. Slices and references are not; they are windows
 * on their parent's object (vmo.ts).
 *
 *      parent                  snapshot             at-least-on-write, modified
 *      anonymous, or a child   shares its pages     the same
 *      of such
 *      paged                   shares its pages;    has none of its own;
 *                              what comes later     what it has not written
 *                              is as it was         is as the parent is
 *      child of paged          shares its pages;    shares its pages;
 *                              beneath them what    beneath them what
 *                              was there            the parent sees
 *
 * None touches a page or calls a pager. Pinned pages alone are copied, for nobody may share those. All cost the same
 * whatever the size, but for a snapshot of a child of a paged object that is live: it costs as much as that has written.
 */
import { type FrameNumber, PAGE_SIZE, Usage } from '../frame/index.js';
import { type Base, MemoryObject, type ObjectOptions } from './memory-object.js';
import { PageList } from './page-list.js';
import { slotFrame } from './page-slot.js';

export type SnapshotKind = 'snapshot' | 'snapshot-at-least-on-write' | 'snapshot-modified';

export interface SnapshotOptions extends ObjectOptions {
  readonly kind: SnapshotKind;
  /** The page of the parent that is the child's page 0. */
  readonly first: number;
  /** How many pages of the parent the child sees from there on: what it has beyond is zeros. */
  readonly seen: number;
}

/** @throws OutOfMemory where pinned pages have to be copied; nothing has changed then. */
export const makeSnapshot = (parent: MemoryObject, options: SnapshotOptions): MemoryObject => {
  const shares = sharesPages(parent, options);
  const copiesSome = parent.isPinned || (shares && !parent.pins.isEmpty);
  const copies = copiesSome ? copyPinned(parent, options) : NO_COPIES;
  const pages = shares ? shareList(parent, options.first, options.seen) : new PageList(parent.memory);
  for (const [page, frame] of copies) pages.put(page, frame);
  let base: Base | undefined;
  try {
    if (options.seen > 0) base = baseBelow(parent, options);
  } catch (error) {
    pages.release();
    throw error;
  }
  const child = new MemoryObject(parent.home, options, pages);
  child.base = base;
  base?.object.views.add(child);
  child.parent = parent;
  parent.children.add(child);
  // What maps a page that is shared now must not write it any more.
  if (shares) parent.notifyLost(options.first, options.seen);
  return child;
};

const NO_COPIES: ReadonlyMap<number, FrameNumber> = new Map();

/** A device's pages are all copied; and a child whose view of a paged parent is live has none of its own at first. */
const sharesPages = (parent: MemoryObject, { kind, seen }: SnapshotOptions): boolean =>
  seen > 0 && !parent.isPinned && (parent.source === undefined || kind === 'snapshot');

const shareList = (parent: MemoryObject, first: number, seen: number): PageList =>
  parent.pages.share(first, first + seen >= parent.sizePages ? undefined : first + seen);

const baseBelow = (parent: MemoryObject, { kind, first, seen }: SnapshotOptions): Base | undefined => {
  const frozen = kind === 'snapshot';
  if (parent.source !== undefined) return { object: parent, offset: first, limit: seen, frozen };
  const { base } = parent;
  if (base === undefined || base.limit <= first) return undefined;
  const offset = base.offset + first;
  const limit = Math.min(seen, base.limit - first);
  if (!frozen || base.frozen) return { object: base.object, offset, limit, frozen: base.frozen };
  // What the parent sees is live: the child sees a snapshot of that, which nobody else does.
  const beneath = makeSnapshot(base.object, {
    kind: 'snapshot',
    sizeBytes: limit * PAGE_SIZE,
    name: `what ${parent.name} saw of ${base.object.name}`,
    first: offset,
    seen: limit,
  });
  // Its alone is what the parent does not have itself. This costs as much as the parent has written.
  for (let page = parent.pages.next(first, first + limit); page !== -1;) {
    beneath.pages.remove(page - first, page - first + 1);
    page = parent.pages.next(page + 1, first + limit);
  }
  return { object: beneath, offset: 0, limit, frozen: true };
};

/** Copies of the pinned pages that a child is to have, by their place in it. All, or none. */
const copyPinned = (
  parent: MemoryObject,
  { first, seen }: SnapshotOptions,
): ReadonlyMap<number, FrameNumber> => {
  const copies = new Map<number, FrameNumber>();
  const { memory } = parent;
  try {
    for (const page of pinnedPages(parent, first, first + seen)) {
      const frame = memory.allocate(Usage.Frame);
      copies.set(page - first, frame);
      memory.copy(slotFrame(parent.pages.get(page)), frame);
    }
  } catch (error) {
    for (const frame of copies.values()) memory.release(frame);
    throw error;
  }
  return copies;
};

const pinnedPages = (parent: MemoryObject, first: number, end: number): Iterable<number> =>
  parent.isPinned
    ? Array.from({ length: end - first }, (_, index) => first + index)
    : parent.pins.pages(first, end);
