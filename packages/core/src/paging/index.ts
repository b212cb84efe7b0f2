/**
 * Page tables: the Sv39 entry, three-level tables in RAM, and the software TLB that the hart looks
 * translations up in. A table owns a reference to every frame that it maps.
 */
export * from './pte.js';
export { MAX_PAGES, MAXVA, Sv39PageTable } from './sv39-page-table.js';
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
