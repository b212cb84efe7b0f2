/**
 * Address spaces: mappings, page faults, fork, and copies to and from a process's memory.
 * `VirtualMemory` makes spaces over one RAM; an `AddressSpace` is one process's memory.
 */
export { AddressSpace, type ForkKind } from './address-space.js';
export {
  type CloseEvent,
  type CopyEvent,
  EVENT_KINDS,
  type EventKind,
  EventLog,
  type EventLogOptions,
  type FaultEvent,
  type ForkEvent,
  MAX_LOG_CAPACITY,
  type MemoryEvent,
  type SplitEvent,
  type WaitBeginEvent,
  type WaitEndEvent,
  type WaitResult,
} from './event-log.js';
export type { FaultName } from './fault.js';
export type { FaultsByAccess } from './fault-counts.js';
export type {
  FaultFailure,
  FaultOutcome,
  PagerFailure,
  Resolution,
  Resolved,
  Waiting,
} from '../paging/index.js';
export { inspectSpace, inspectSpaces, type InspectOptions } from './inspect.js';
export type { MapOptions } from './map.js';
export { formatMapping, type Mapping, type OnFork, type Protection, type MapSharing } from './mapping.js';
export type { PinnedMemory } from './pin.js';
export type { RemapOptions } from './remap.js';
export { ReverseMap } from './reverse-map.js';
export {
  type AddressSpaceStatistics,
  memoryStatistics,
  type MemoryStatistics,
  type SpaceMemory,
  spaceStatistics,
} from './statistics.js';
export { toChromeTrace, type TraceOptions } from './trace.js';
export { copyIn, copyInString, copyOut, type UserCopyError, type UserCopyResult } from './user-copy.js';
export { type SpaceStatistics, VirtualMemory } from './virtual-memory.js';
