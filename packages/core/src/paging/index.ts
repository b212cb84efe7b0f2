/**
 * Page tables: the Sv39 entry, the `PageTable` interface with its two implementations (three-level tables
 * in RAM, and a mock), copy on write over any of them, and the software TLB that the hart looks
 * translations up in. A table owns a reference to every frame that it maps.
 */
export type { Undo } from './undo.js';
export { CowExt, type CowOptions } from './cow-ext.js';
export { PageCursor } from './cursor.js';
export {
  BEYOND_END,
  COPIED,
  type FaultFailure,
  type FaultOutcome,
  MAPPED,
  OUT_OF_MEMORY,
  type PagerFailure,
  type PlainFailure,
  PRESENT,
  PROTECTION,
  type Resolution,
  type Resolved,
  REUSED,
  REVOKED,
  UNMAPPED,
  type Waiting,
  ZERO_FILLED,
  ZERO_MAPPED,
} from './fault.js';
export { FirstError } from './first-error.js';
export { MockPageTable, type PageFaultHandler } from './mock-page-table.js';
export { PageTableEntry, type Sharing } from './page-table-entry.js';
export { mapOwned, MAX_PAGES, MAXVA, type PageTable, type UsedBitUpdates } from './page-table.js';
export * from './pte.js';
export { readShares, writeShares } from './shares.js';
export { staleLines } from './stale-lines.js';
export { Sv39PageTable, type Sv39Options } from './sv39-page-table.js';
export { isLeaf, type Level, pagesAt, ROOT_LEVEL } from './sv39-format.js';
export { TlbBatch } from './tlb-batch.js';
export {
  Tlb,
  TLB_ADDEND,
  TLB_BYTES,
  TLB_EXTRA,
  TLB_LINE_BYTES,
  TLB_LINES,
  TLB_OFFSETS,
  TLB_START,
  TLB_TAG_SHIFT,
  type TlbContext,
  type TlbLine,
} from './tlb.js';
export { type PlacedTable, visitEntries } from './visit-entries.js';
