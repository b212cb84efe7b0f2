/**
 * Page tables that several trees share, as a fork leaves them: a table is copied when one of the trees is about to
 * change something below it, a level at a time (after On-demand-fork, EuroSys 2021, which shares the lowest level).
 *
 *      parent's root ─▶ T1 ─▶ T0 ─▶ frames           the fork copies the root; T1 has two references, and
 *                       ▲                            both entries that name it are marked shared
 *      child's root ────┘
 *
 *      the child writes a page of T0:
 *
 *      parent's root ─▶ T1 ──▶ T0 ─▶ A B             T1 was copied, so T0 was shared; then T0 was copied, and
 *                                                    what it had of W is COW in both; then the page itself
 *      child's root ──▶ T1' ─▶ T0' ─▶ A B'
 *
 * A table is owned once by each entry that names it. What lies below a shared one keeps its W, for the one who is left
 * alone with it to write; meanwhile the mark on the way to it takes W from everyone. So an entry's frame has one
 * reference for each table that has the entry, not for each tree that sees it.
 */
import {
  type FrameNumber,
  frameNumber,
  frameStart,
  METADATA_ENTRIES,
  METADATA_INDEX,
  METADATA_OWNER,
  frameOf,
  PAGE_SIZE,
  type PhysAddr,
  type PhysicalMemory,
  Usage,
} from '../frame/index.js';
import { FirstError } from './first-error.js';
import { makePte, PTE_BYTES, PTE_TABLE_SHARED, PTE_V, pteFrame, sharedPte } from './pte.js';
import { moveShares, shareTwice } from './shares.js';
import { ENTRIES, isLeaf, pagesAt } from './sv39-format.js';
import type { PlacedTable } from './visit-entries.js';

const ENTRY_WORDS = PTE_BYTES / 4;
const TABLE_WORDS = PAGE_SIZE / 4;

/** Whether an entry leads to a table that other trees may have. */
export const isSharedTable = (pte: number): boolean => !isLeaf(pte) && (pte & PTE_TABLE_SHARED) !== 0;

/**
 * Gives the tree that has an entry a table of its own below it: the one that is there, where all others have let go
 * of it, or a copy. Nobody sees any difference.
 * @param slot where the entry lies: in a table that the tree has alone. @param level of the table that it names.
 * @returns the table.
 * @throws OutOfMemory; HolsteinError EOVERFLOW where references or shares cannot be counted. Nothing has changed then.
 */
export const ownTable = (memory: PhysicalMemory, slot: PhysAddr, level: number): FrameNumber => {
  const shared = pteFrame(memory.words[slot >>> 2]!);
  if (memory.count(shared) === 1) {
    const metadata = memory.metadata(shared);
    memory.words[(metadata + METADATA_OWNER) >>> 2] = frameOf(slot);
    memory.words[(metadata + METADATA_INDEX) >>> 2] = (slot % PAGE_SIZE) / PTE_BYTES;
    memory.words[slot >>> 2] = makePte(shared, PTE_V);
    return shared;
  }
  const own = copyTable(memory, shared, slot, level);
  memory.words[slot >>> 2] = makePte(own, PTE_V);
  memory.release(shared);
  return own;
};

/**
 * Takes back what `ownTable` did, when nothing has been changed since below the table.
 * @param pte the entry as it was before.
 */
export const shareTableAgain = (memory: PhysicalMemory, slot: PhysAddr, pte: number, level: number): void => {
  const own = pteFrame(memory.words[slot >>> 2]!);
  const shared = pteFrame(pte);
  if (own !== shared) memory.retain(shared);
  memory.words[slot >>> 2] = pte;
  if (own === shared) return;
  const first = new FirstError();
  dropTable(memory, own, level, first);
  first.rethrow();
};

const copyTable = (
  memory: PhysicalMemory,
  table: FrameNumber,
  slot: PhysAddr,
  level: number,
): FrameNumber => {
  const metadata = [frameOf(slot), (slot % PAGE_SIZE) / PTE_BYTES, entriesOf(memory, table), level];
  const copy = memory.allocate(Usage.PageTable, { metadata, content: 'zeros' });
  try {
    shareEntries(memory, table, copy, level);
  } catch (error) {
    dropTable(memory, copy, level, new FirstError());
    throw error;
  }
  return copy;
};

/**
 * Shares everything that a table leads to with another, which is empty, or leads to empty tables where the one leads to
 * tables: those are filled likewise. Tables below are marked in both, and what could be written is COW in both. Where it
 * throws, the other table has what it has got until then.
 * @throws HolsteinError EOVERFLOW
 */
export const shareEntries = (
  memory: PhysicalMemory,
  table: FrameNumber,
  other: FrameNumber,
  level: number,
): void => {
  const { words } = memory;
  const from = frameStart(table) >>> 2;
  const to = frameStart(other) >>> 2;
  const pages = pagesAt(level);
  for (let word = 0; word < TABLE_WORDS; word += ENTRY_WORDS) {
    const pte = words[from + word]!;
    if (pte === 0) continue;
    if (words[to + word] !== 0) {
      shareEntries(memory, pteFrame(pte), pteFrame(words[to + word]!), level - 1);
    } else if (!isLeaf(pte)) {
      memory.retain(pteFrame(pte));
      words[from + word] = pte | PTE_TABLE_SHARED;
      words[to + word] = pte | PTE_TABLE_SHARED;
    } else {
      const shared = sharedPte(pte) >>> 0;
      shareLeaf(memory, pte, shared, pages);
      words[from + word] = shared;
      words[to + word] = shared;
    }
  }
  memory.words[(memory.metadata(other) + METADATA_ENTRIES) >>> 2] = entriesOf(memory, table);
};

/** Takes the references and counts the shares of a second entry like one that is there, which becomes `shared`. */
const shareLeaf = (memory: PhysicalMemory, pte: number, shared: number, pages: number): void => {
  if (pages === 1) {
    memory.retain(pteFrame(pte));
    try {
      shareTwice(memory, pte, shared);
    } catch (error) {
      memory.release(pteFrame(pte));
      throw error;
    }
    return;
  }
  let retained = 0;
  try {
    for (; retained < pages; retained++) memory.retain(frameNumber(pteFrame(pte) + retained));
    moveShares(memory, 0, shared, pages);
  } catch (error) {
    while (retained > 0) memory.release(frameNumber(pteFrame(pte) + --retained));
    throw error;
  }
  try {
    moveShares(memory, pte, shared, pages);
  } catch (error) {
    moveShares(memory, shared, 0, pages);
    while (retained > 0) memory.release(frameNumber(pteFrame(pte) + --retained));
    throw error;
  }
};

/** Lets go of a table; the last to do so drops all that it leads to. `first` notes what is thrown. */
export const dropTable = (
  memory: PhysicalMemory,
  table: FrameNumber,
  level: number,
  first: FirstError,
): void => {
  if (memory.count(table) === 1) {
    const { words } = memory;
    const start = frameStart(table) >>> 2;
    for (let word = start; word < start + TABLE_WORDS; word += ENTRY_WORDS) {
      const pte = words[word]!;
      if (pte === 0) continue;
      if (isLeaf(pte)) dropLeaf(memory, pte, pagesAt(level), first);
      else dropTable(memory, pteFrame(pte), level - 1, first);
    }
  }
  try {
    memory.release(table);
  } catch (error) {
    first.note(error);
  }
};

const dropLeaf = (memory: PhysicalMemory, pte: number, pages: number, first: FirstError): void => {
  try {
    moveShares(memory, pte, 0, pages);
  } catch (error) {
    first.note(error);
  }
  releaseRun(memory, pte, pages, first);
};

/** Drops the references that a leaf entry owns. `first` notes what is thrown. */
export const releaseRun = (memory: PhysicalMemory, pte: number, pages: number, first: FirstError): void => {
  const frame = pteFrame(pte);
  for (let index = 0; index < pages; index++) {
    try {
      memory.release(frameNumber(frame + index));
    } catch (error) {
      first.note(error);
    }
  }
};

/**
 * Lets go of every table below one, itself the tree's alone, that others have and that holds only pages of
 * `start … end - 1`; and of those that hold nothing any more.
 * @param visit called with the pages of each. @returns how many pages were mapped there.
 */
export const dropSharedTables = (
  memory: PhysicalMemory,
  above: PlacedTable,
  start: number,
  end: number,
  visit: (first: number, pages: number) => void,
): number => {
  let dropped = 0;
  letGoBelow(memory, above, start, end, (below, pte) => {
    if (!isSharedTable(pte) || memory.count(below.table) === 1) {
      dropped += dropSharedTables(memory, below, start, end, visit);
      return entriesOf(memory, below.table) === 0;
    }
    const span = pagesAt(above.level);
    if (below.first < start || below.first + span > end) return false;
    dropped += countPages(memory, below.table, below.level);
    visit(below.first, span);
    return true;
  });
  return dropped;
};

/** Lets go of every table below one that holds nothing, as far as it has pages of `start … end - 1`. */
export const dropEmptyTables = (
  memory: PhysicalMemory,
  above: PlacedTable,
  start: number,
  end: number,
): void =>
  letGoBelow(memory, above, start, end, (below) => {
    dropEmptyTables(memory, below, start, end);
    return entriesOf(memory, below.table) === 0;
  });

/** Asks of each table to which one leads, as far as it has pages of `start … end - 1`, whether to let go of it. */
const letGoBelow = (
  memory: PhysicalMemory,
  { table, level, first }: PlacedTable,
  start: number,
  end: number,
  isToGo: (below: PlacedTable, pte: number) => boolean,
): void => {
  if (level === 0) return;
  const span = pagesAt(level);
  const last = Math.min(Math.ceil((end - first) / span), ENTRIES);
  for (let index = Math.max(Math.floor((start - first) / span), 0); index < last; index++) {
    const word = (frameStart(table) + index * PTE_BYTES) >>> 2;
    const pte = memory.words[word]!;
    if (pte === 0 || isLeaf(pte)) continue;
    const below = { table: pteFrame(pte), level: level - 1, first: first + index * span };
    if (!isToGo(below, pte)) continue;
    memory.words[word] = 0;
    memory.words[(memory.metadata(table) + METADATA_ENTRIES) >>> 2]! -= 1;
    memory.release(below.table);
  }
};

const entriesOf = (memory: PhysicalMemory, table: FrameNumber): number =>
  memory.words[(memory.metadata(table) + METADATA_ENTRIES) >>> 2]!;

/** Pages that are mapped below a table. */
const countPages = (memory: PhysicalMemory, table: FrameNumber, level: number): number => {
  const start = frameStart(table) >>> 2;
  let pages = 0;
  for (let word = start; word < start + TABLE_WORDS; word += ENTRY_WORDS) {
    const pte = memory.words[word]!;
    if (pte === 0) continue;
    pages += isLeaf(pte) ? pagesAt(level) : countPages(memory, pteFrame(pte), level - 1);
  }
  return pages;
};
