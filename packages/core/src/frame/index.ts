/**
 * Physical memory: RAM cut into 4096-byte frames, a metadata slot for each, and reference counts.
 * `PhysicalMemory` is the whole of it; addresses and errors, which every other layer uses, live here too.
 */
export * from './address.js';
export * from './errors.js';
export { MAX_ORDER } from './buddy-allocator.js';
export {
  FrameMeta,
  type InitialMetadata,
  KernelMeta,
  KernelStackMeta,
  type Metadata,
  type MetadataType,
  PageTableMeta,
} from './metadata-type.js';
export { BorrowedPage, type Converted, DynPage, Page, type PageOptions, UniquePage } from './page.js';
export { Segment, type SegmentOptions } from './segment.js';
export type { RawLedger, RawReference } from './ledger.js';
export { PhysicalMemory, type PhysicalMemoryOptions } from './physical-memory.js';
export type { FrameStatistics } from './statistics.js';
export type { FrameDestructor, FrameReclaimer, FrameWatcher } from './frame-hooks.js';
export type { AllocateOptions, AllocationClass, RangeOptions } from './range.js';
export { MAX_RAM_BYTES, type RamOptions, type SharedRam } from './ram.js';
export {
  type AllocatableUsage,
  METADATA_ENTRIES,
  METADATA_INDEX,
  METADATA_LEVEL,
  METADATA_LISTS,
  METADATA_OWNER,
  METADATA_READ_SHARES,
  METADATA_WRITE_SHARES,
  Usage,
  usageName,
  type UsageName,
} from './slot.js';
