/**
 * All of a world that a failed operation must leave as it was: mappings, tables, entries, objects' pages, and every
 * frame's count. Where there are pagers, pages and counts are left out: what a pager has brought in stays, and is given
 * to snapshots, whatever fails after. The audit counts it all the same.
 */
import { type FrameNumber, vpn } from '../../src/frame/index.js';
import { MAX_PAGES } from '../../src/paging/index.js';
import { formatMapping } from '../../src/space/index.js';
import type { MemoryObject } from '../../src/vmo/memory-object.js';
import { type PageSlot, SLOT_DIRTY, SLOT_FRAME, SLOT_SAVING, SLOT_USED } from '../../src/vmo/page-slot.js';
import type { World } from './world.js';

/** The state as text, to be compared with another. */
export const stateOf = (world: World): string => {
  const { memory, virtualMemory } = world;
  const all = [...objectsOf(world)];
  const hasPagers = all.some(({ source, base }) => source !== undefined || base !== undefined);
  const spaces = [...virtualMemory.spaces].map((space) => [
    [...space.mappings].map(formatMapping),
    [...space.table.tables()],
    [...space.table.mappedPages(vpn(0), vpn(MAX_PAGES))].map((page) => [page, space.table.entry(page)]),
  ]);
  const counts: (readonly [frame: number, count: number])[] = [];
  for (let frame = memory.firstAllocatable; frame < memory.totalFrames; frame++) {
    const count = memory.count(frame as FrameNumber);
    if (count > 0) counts.push([frame, count]);
  }
  const objects = all.map((object) => [object.name, object.sizeBytes, [...slotsOf(object)]]);
  return JSON.stringify(hasPagers ? { spaces } : { spaces, objects, counts });
};

/** Frames that are free, or can be had by dropping what a pager can bring again. */
export const framesAtHand = (world: World): number =>
  world.memory.freeFrames + new Set(cleanFrames(objectsOf(world))).size;

const objectsOf = (world: World): Iterable<MemoryObject> => world.virtualMemory.objects.all;

const isClean = (slot: PageSlot): boolean => (slot & (SLOT_DIRTY | SLOT_SAVING)) === 0;

/** The pages that an object has, and their frames. */
function* slotsOf({ pages, sizePages }: MemoryObject): Iterable<readonly [page: number, slot: PageSlot]> {
  for (let page = pages.next(0, sizePages); page !== -1; page = pages.next(page + 1, sizePages)) {
    yield [page, pages.get(page) & ~SLOT_USED];
  }
}

/** The frames of pages that can be had again. */
function* cleanFrames(objects: Iterable<MemoryObject>): Iterable<number> {
  for (const { pages, sizePages, source } of objects) {
    if (source === undefined) continue;
    for (let page = pages.next(0, sizePages); page !== -1; page = pages.next(page + 1, sizePages)) {
      if (isClean(pages.get(page))) yield pages.get(page) & SLOT_FRAME;
    }
  }
}
