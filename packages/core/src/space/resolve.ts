/**
 * Resolving page faults: the one way by which pages come into being or become writable, for the hart and for the
 * kernel's copies alike.
 *
 *      the mapping      there is nothing       there is a page
 *      anonymous        read: the zero frame   write: copy on write (paging/cow-ext.ts)
 *                       write: zeros
 *      private object   read: its frame        write: copy on write
 *                       write: a copy of it
 *      shared object    its frame; to write it, made the object's own and dirty first
 *
 * A pager may be asked only while nothing is half done: then all is looked at anew. While entries are changed nothing
 * is evicted, for that would change entries too.
 */
import { type FrameNumber, HolsteinError, OutOfMemory, Usage, type Vpn, vpn } from '../frame/index.js';
import {
  type Access,
  BEYOND_END,
  COPIED,
  type FaultOutcome,
  makePte,
  MAPPED,
  mapOwned,
  MAX_PAGES,
  OUT_OF_MEMORY,
  PRESENT,
  PROTECTION,
  PTE_A,
  PTE_COW,
  PTE_D,
  PTE_READONLY_SHARED,
  PTE_RIGHTS,
  PTE_U,
  PTE_V,
  PTE_W,
  pteFrame,
  requiredBits,
  REUSED,
  REVOKED,
  UNMAPPED,
  ZERO_FILLED,
  ZERO_MAPPED,
} from '../paging/index.js';
import { PagerError } from '../vmo/index.js';
import type { AddressSpace } from './address-space.js';
import { type Backing, isObjects } from './backing.js';
import type { Mapping } from './mapping.js';
import { writePinned } from './pin.js';

/** Frames that a fault may want: copies of tables at two levels, as many new ones, and the page. */
const FRAMES_WANTED = 5;
/** How often a page that was made ready may be gone again before memory counts as too short for it. */
const MOST_TRIES = 16;
/** Pages that one fault maps at most, where their object has them: those of one aligned group. */
const FAULT_AROUND_PAGES = 16;

/** A page of an object must be made ready first. */
const NOT_READY = 'not ready';
/** Room was made, and much may have changed meanwhile. */
const LOOK_AGAIN = 'look again';

export const resolveFault = (space: AddressSpace, page: Vpn, access: Access): FaultOutcome => {
  try {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const mapping = page < MAX_PAGES ? space.list.find(page) : undefined;
      if (mapping === undefined) return UNMAPPED;
      const required = requiredBits(access) & (PTE_RIGHTS | PTE_U);
      if ((mapping.rights & required) !== required) return PROTECTION;
      const { backing } = mapping;
      if (backing !== undefined && !backing.object.isOpen) return REVOKED;
      if (backing !== undefined && backing.objectPage(page) >= backing.object.endPage) return BEYOND_END;
      const outcome = resolveIn(space, page, access, mapping);
      if (outcome === LOOK_AGAIN) continue;
      if (outcome !== NOT_READY) return outcome;
      const toOwn = mapping.sharing === 'shared' && access === 'write';
      const waiting = makeReady(backing!, backing!.objectPage(page), toOwn ? 'write' : 'read');
      if (waiting !== undefined) return { kind: 'waiting', until: waiting };
    }
    return OUT_OF_MEMORY;
  } catch (error) {
    if (error instanceof OutOfMemory) return OUT_OF_MEMORY;
    if (error instanceof PagerError) return { kind: 'pager-error', error };
    throw error;
  }
};

/** Resolves a fault in a mapping that grants the access, unless a page must be brought, or room was made for it. */
const resolveIn = (
  space: AddressSpace,
  page: Vpn,
  access: Access,
  mapping: Mapping,
): FaultOutcome | typeof NOT_READY | typeof LOOK_AGAIN => {
  const { objects } = space.virtualMemory;
  const outcome = resolveUndisturbed(space, page, access, mapping);
  if (outcome !== OUT_OF_MEMORY) return outcome;
  // The page itself is not to go. Pagers hear of what does, and may do anything.
  const release = mapping.backing === undefined ? undefined : holdPage(mapping.backing, page);
  try {
    return objects.makeRoom(space.memory.freeFrames + FRAMES_WANTED) ? LOOK_AGAIN : OUT_OF_MEMORY;
  } finally {
    release?.();
  }
};

/** The same, while nothing is evicted. */
const resolveUndisturbed = (
  space: AddressSpace,
  page: Vpn,
  access: Access,
  mapping: Mapping,
): FaultOutcome | typeof NOT_READY => {
  const { objects } = space.virtualMemory;
  const { backing } = mapping;
  objects.pauseEviction();
  try {
    if (backing === undefined) return resolveAnonymous(space, page, access, mapping);
    return mapping.sharing === 'shared'
      ? resolveShared(space, page, access, mapping, backing)
      : resolvePrivate(space, page, access, mapping, backing);
  } catch (error) {
    if (error instanceof OutOfMemory) return OUT_OF_MEMORY;
    throw error;
  } finally {
    objects.resumeEviction();
  }
};

const holdPage = (backing: Backing, page: Vpn): (() => void) | undefined => {
  const objectPage = backing.objectPage(page);
  return backing.object.hold(objectPage, objectPage + 1);
};

const makeReady = (
  { object }: Backing,
  page: number,
  access: 'read' | 'write',
): Promise<void> | undefined => {
  try {
    return object.makeReady(page, access);
  } catch (error) {
    // The pager itself may have cut the object, closed or revoked it: whoever looks again sees.
    const isFailure = error instanceof OutOfMemory || error instanceof PagerError;
    if ((isFailure && object.isOpen) || !(error instanceof HolsteinError)) throw error;
    return undefined;
  }
};

const resolveAnonymous = (space: AddressSpace, page: Vpn, access: Access, mapping: Mapping): FaultOutcome => {
  const pte = space.table.entry(page);
  if (pte !== 0) return resolveMapped(space, page, access, pte);
  if (access === 'write') {
    mapUsed(space, page, space.memory.allocate(Usage.Frame, { content: 'zeros' }), mapping.rights);
    return ZERO_FILLED;
  }
  mapZeroFrame(space, page, copyOnWrite(mapping.rights));
  return ZERO_MAPPED;
};

/** A page that has an entry, in a private mapping: it is there, or is to be copied. */
const resolveMapped = (space: AddressSpace, page: Vpn, access: Access, pte: number): FaultOutcome => {
  if (access === 'write' && writePinned(space, page, pte)) return REUSED;
  const outcome = space.copyOnWrite.handlePageFault(page, access, pte);
  if (outcome === ZERO_FILLED) space.borrowed.zeros--;
  return outcome;
};

const resolvePrivate = (
  space: AddressSpace,
  page: Vpn,
  access: Access,
  mapping: Mapping,
  backing: Backing,
): FaultOutcome | typeof NOT_READY => {
  const pte = space.table.entry(page);
  if (pte !== 0) {
    const wasObjects = access === 'write' && isObjects(space, pteFrame(pte));
    const outcome = resolveMapped(space, page, access, pte);
    if (outcome === COPIED && wasObjects) space.borrowed.ofObjects--;
    return outcome;
  }
  const objectPage = backing.objectPage(page);
  if (!backing.object.isReady(objectPage, 'read')) return NOT_READY;
  if (access !== 'write') return mapReady(space, page, mapping, backing, copyOnWrite(mapping.rights));
  const frame = backing.object.frame(objectPage);
  const own = space.memory.allocate(Usage.Frame, frame === 0 ? { content: 'zeros' } : {});
  if (frame !== 0) space.memory.copy(frame, own);
  mapUsed(space, page, own, mapping.rights);
  return frame === 0 ? ZERO_FILLED : COPIED;
};

const resolveShared = (
  space: AddressSpace,
  page: Vpn,
  access: Access,
  mapping: Mapping,
  backing: Backing,
): FaultOutcome | typeof NOT_READY => {
  const pte = space.table.entry(page);
  if (access !== 'write') {
    if (pte !== 0) return space.copyOnWrite.handlePageFault(page, access);
    if (!backing.object.isReady(backing.objectPage(page), 'read')) return NOT_READY;
    return mapReady(space, page, mapping, backing, (mapping.rights & ~PTE_W) | PTE_READONLY_SHARED);
  }
  const objectPage = backing.objectPage(page);
  if (!backing.object.isReady(objectPage, 'write')) return NOT_READY;
  const frame = backing.object.frame(objectPage);
  const flags = mapping.rights | PTE_READONLY_SHARED;
  if (pte === 0) {
    mapObjectFrame(space, page, frame, flags | PTE_A | PTE_D);
    return MAPPED;
  }
  // Where a fork shares the table, it is this that makes it the space's own.
  space.table.replace(page, makePte(frame, flags | PTE_V | PTE_A | PTE_D));
  return (pte & PTE_W) === 0 ? MAPPED : PRESENT;
};

/** Maps what an object has for a page that is ready, and for those around it. */
const mapReady = (
  space: AddressSpace,
  page: Vpn,
  mapping: Mapping,
  backing: Backing,
  flags: number,
): FaultOutcome => {
  const frame = backing.object.frame(backing.objectPage(page));
  if (frame === 0) {
    mapZeroFrame(space, page, flags);
    return ZERO_MAPPED;
  }
  mapObjectFrame(space, page, frame, flags | PTE_A);
  mapAround(space, page, mapping, backing, flags);
  return MAPPED;
};

/** Maps the pages around one that is mapped now, as far as their object has frames for them. They share its table. */
const mapAround = (
  space: AddressSpace,
  page: Vpn,
  mapping: Mapping,
  backing: Backing,
  flags: number,
): void => {
  const { object } = backing;
  const group = page - (page % FAULT_AROUND_PAGES);
  const first = Math.max(group, mapping.start);
  const end = Math.min(group + FAULT_AROUND_PAGES, mapping.end, object.endPage + backing.delta);
  for (let near = first; near < end; near++) {
    if (near === page || space.table.entry(vpn(near)) !== 0) continue;
    const objectPage = backing.objectPage(near);
    const frame = object.presentFrame(objectPage);
    if (frame !== 0 && object.isReady(objectPage, 'read')) mapObjectFrame(space, vpn(near), frame, flags);
  }
};

const mapObjectFrame = (space: AddressSpace, page: Vpn, frame: FrameNumber, flags: number): void => {
  space.memory.retain(frame);
  mapOwned(space.table, page, frame, flags);
  space.borrowed.ofObjects++;
};

const mapZeroFrame = (space: AddressSpace, page: Vpn, flags: number): void => {
  const { zeroFrame } = space.virtualMemory;
  space.memory.retain(zeroFrame);
  mapUsed(space, page, zeroFrame, flags);
  space.borrowed.zeros++;
};

/** Maps a page that is about to be used, so that the access does not fault once more for want of A or D. */
export const mapUsed = (space: AddressSpace, page: Vpn, frame: FrameNumber, flags: number): void => {
  mapOwned(space.table, page, frame, flags | PTE_A | ((flags & PTE_W) === 0 ? 0 : PTE_D));
};

/** The rights of a page that is not the space's own: to be copied where it may be written. */
const copyOnWrite = (rights: number): number =>
  (rights & PTE_W) === 0 ? rights : (rights & ~PTE_W) | PTE_COW;
