/**
 * Address spaces: mappings, page faults, fork, and copies to and from a process's memory.
 * `VirtualMemory` makes spaces over one RAM; an `AddressSpace` is one process's memory.
 */
export { AddressSpace, type ForkKind, type MapOptions } from './address-space.js';
export type { FaultName } from './fault.js';
export type { FaultFailure, FaultOutcome, Resolution, Resolved } from '../paging/index.js';
export { formatMapping, type Mapping, type Protection } from './mapping.js';
export { copyIn, copyInString, copyOut, type UserCopyError, type UserCopyResult } from './user-copy.js';
export { type SpaceStatistics, VirtualMemory } from './virtual-memory.js';
