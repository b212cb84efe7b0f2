/** The tables of an Sv39 tree, and one of them read entry by entry. */
import { type FrameNumber, frameStart, type PhysicalMemory } from '../frame/index.js';
import { PTE_BYTES, PTE_TABLE_SHARED, pteFrame } from './pte.js';
import { ENTRIES, isLeaf, pagesAt } from './sv39-format.js';

/** A table on its way from the root, and the first page below it. */
export interface PlacedTable {
  readonly table: FrameNumber;
  readonly level: number;
  readonly first: number;
}

/**
 * Calls `visit` for each entry of a table that is not empty, as it stands there, with the first of the pages that it is
 * about.
 */
export const visitEntries = (
  { words }: PhysicalMemory,
  { table, level, first }: PlacedTable,
  visit: (pte: number, page: number) => void,
): void => {
  const start = frameStart(table) >>> 2;
  const pages = pagesAt(level);
  for (let index = 0; index < ENTRIES; index++) {
    const pte = words[start + index * (PTE_BYTES / 4)]!;
    if (pte !== 0) visit(pte, first + index * pages);
  }
};

/** A table, and at which level it stands. */
export interface VisitedTable {
  readonly table: FrameNumber;
  readonly level: number;
  /** Whether the entry that leads to it is marked shared. */
  readonly isShared: boolean;
}

/** A table, and those below it that `enter` lets be visited, with what is below those. */
export function* visitTablesFrom(
  memory: PhysicalMemory,
  visited: VisitedTable,
  enter: (table: FrameNumber) => boolean,
): Generator<VisitedTable> {
  const { table, level } = visited;
  if (!enter(table)) return;
  yield visited;
  if (level === 0) return;
  const start = frameStart(table) >>> 2;
  for (let index = 0; index < ENTRIES; index++) {
    const pte = memory.words[start + index * (PTE_BYTES / 4)]!;
    if (pte === 0 || isLeaf(pte)) continue;
    yield* visitTablesFrom(
      memory,
      { table: pteFrame(pte), level: level - 1, isShared: (pte & PTE_TABLE_SHARED) !== 0 },
      enter,
    );
  }
}
