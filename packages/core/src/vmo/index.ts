/**
 * Memory objects: bytes that take frames as they are written, can be snapshotted at no cost that depends on their size,
 * and may have a pager that fills them and takes changes back. `MemoryObjects` makes them, a `Vmo` is a capability to
 * one. Nothing here knows of page tables or processes: it is of use alone.
 */
export { addFractions, type Attribution, type Fraction, sumOfParts } from './attribution.js';
export { Capability, type CapabilityState, type CloseOptions } from './capability.js';
export type { ChildKind, ChildOptions, ChildRight, DefaultChildRight } from './child.js';
export type { SnapshotKind } from './clone.js';
export { VmoDataView } from './data-view.js';
export type { Hint } from './hints.js';
export { inspect } from './inspect.js';
export { MappedObject, type MappingObserver } from './mapped-object.js';
export {
  MAX_OBJECT_BYTES,
  type ObjectCounters,
  type ObjectKind,
  type ObjectObserver,
} from './memory-object.js';
export { MemoryObjects, type ObjectStatistics, type Placement, type VmoOptions } from './memory-objects.js';
export type { PageView, ViewPiece } from './page-view.js';
export { type ByteRange, type Pager, PagerError } from './pager.js';
export { blobPager, type BlobPager } from './pagers/blob-pager.js';
export { bytesPager, type BytesPager } from './pagers/bytes-pager.js';
export { filePager, type FilePagerOptions, type HostFiles } from './pagers/file-pager.js';
export {
  type Fetch,
  httpPager,
  type HttpPager,
  type HttpPagerOptions,
  type HttpRequest,
} from './pagers/http-pager.js';
export type { SizedPager } from './pagers/sized-pager.js';
export { DEFAULT_RIGHTS, type DefaultRight, type Right, RIGHTS } from './rights.js';
export { formatFrames, joinRanges, type StateRange } from './state-ranges.js';
export { Vmo } from './vmo.js';
