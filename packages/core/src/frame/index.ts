/**
 * Physical memory: RAM cut into 4096-byte frames, a metadata slot for each, and reference counts.
 * `PhysicalMemory` is the whole of it; addresses and errors, which every other layer uses, live here too.
 */
export * from './address.js';
export * from './errors.js';
export {
  type FrameStatistics,
  type FrameWatcher,
  MAX_RAM_BYTES,
  PhysicalMemory,
  type PhysicalMemoryOptions,
} from './physical-memory.js';
export {
  type AllocatableUsage,
  METADATA_ENTRIES,
  METADATA_INDEX,
  METADATA_LEVEL,
  METADATA_OWNER,
  METADATA_READ_SHARES,
  METADATA_WRITE_SHARES,
  Usage,
  usageName,
  type UsageName,
} from './slot.js';
