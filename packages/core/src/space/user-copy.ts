/**
 * Copies between the host and a process's memory, for system calls. They go through the same fault path
 * as the hart's own accesses: nothing is read that the process could not read, nothing written that it
 * could not write, and a shared page is copied first.
 *
 * A copy is all or nothing: every page is reached before the first byte moves.
 */
import {
  type FrameNumber,
  frameStart,
  NO_FRAME,
  PAGE_SIZE,
  pageOffset,
  type VirtAddr,
  virtAddr,
  vpn,
  vpnOf,
} from '../frame/index.js';
import { type Access, MAXVA, type Waiting } from '../paging/index.js';
import type { AddressSpace } from './address-space.js';

/**
 * EFAULT: a page that the process may not access so. ENOMEM: a page wanted a frame, and none was free. EIO: a pager
 * could not bring a page.
 */
export type UserCopyError = 'EFAULT' | 'ENOMEM' | 'EIO';
/** Waiting: the copy is to be made again when an asynchronous pager has answered. */
export type UserCopyResult = 'ok' | UserCopyError | Waiting;

/** How often pages that were reached may be gone again before memory counts as too short for them. */
const MOST_TRIES = 4;

/** Copies `target.length` bytes from a process's memory into `target`. */
export const copyIn = (space: AddressSpace, from: VirtAddr, target: Uint8Array): UserCopyResult => {
  const failure = reachAll(space, from, target.length, 'read');
  if (failure !== undefined) return failure;
  forEachPiece(space, from, target.length, 'read', (frame, offset, done, length) => {
    const start = frameStart(frame) + offset;
    target.set(space.memory.bytes.subarray(start, start + length), done);
  });
  return 'ok';
};

/** Copies bytes into a process's memory. On an error nothing has been written. */
export const copyOut = (space: AddressSpace, to: VirtAddr, source: Uint8Array): UserCopyResult => {
  const failure = reachAll(space, to, source.length, 'write');
  if (failure !== undefined) return failure;
  forEachPiece(space, to, source.length, 'write', (frame, offset, done, length) => {
    space.memory.write(frame, offset, source.subarray(done, done + length));
  });
  return 'ok';
};

/**
 * Copies a string that ends with a zero byte.
 * @param maxBytes the longest that is accepted, the zero byte included.
 * @returns the bytes before the zero, or ENAMETOOLONG where there is none among the first `maxBytes`.
 */
export const copyInString = (
  space: AddressSpace,
  from: VirtAddr,
  maxBytes: number,
): Uint8Array | UserCopyError | 'ENAMETOOLONG' | Waiting => {
  if (!Number.isInteger(from)) return 'EFAULT';
  const collected = new Uint8Array(maxBytes);
  let length = 0;
  while (length < maxBytes) {
    const address = virtAddr(from + length);
    const piece = Math.min(maxBytes - length, PAGE_SIZE - pageOffset(address));
    const target = collected.subarray(length, length + piece);
    const result = copyIn(space, address, target);
    if (result !== 'ok') return result;
    const end = target.indexOf(0);
    if (end !== -1) return collected.slice(0, length + end);
    length += piece;
  }
  return 'ENAMETOOLONG';
};

/** Reaches every page of a range, so that a copy that follows cannot fail half-way. */
export const reachAll = (
  space: AddressSpace,
  at: VirtAddr,
  lengthBytes: number,
  access: Access,
): UserCopyError | Waiting | undefined => {
  if (lengthBytes === 0) return undefined;
  if (!(Number.isInteger(at) && at >= 0 && at + lengthBytes <= MAXVA)) return 'EFAULT';
  const last = vpnOf(virtAddr(at + lengthBytes - 1));
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    let faults = 0;
    for (let page = vpnOf(at); page <= last; page = vpn(page + 1)) {
      if (space.table.translate(page, access) !== NO_FRAME) continue;
      faults++;
      const outcome = space.handleFault(page, access);
      if (outcome.kind === 'resolved') continue;
      return outcome.kind === 'waiting' ? outcome : ERRORS[outcome.kind];
    }
    // Bringing one page in may have taken another.
    if (faults === 0 || last === vpnOf(at)) return undefined;
  }
  return 'ENOMEM';
};

const ERRORS = {
  protection: 'EFAULT',
  unmapped: 'EFAULT',
  'beyond-end': 'EFAULT',
  revoked: 'EFAULT',
  'pager-error': 'EIO',
  'out-of-memory': 'ENOMEM',
} as const;

/** Walks a range that `reachAll` has reached, page by page. */
const forEachPiece = (
  space: AddressSpace,
  at: VirtAddr,
  lengthBytes: number,
  access: Access,
  visit: (frame: FrameNumber, offset: number, done: number, length: number) => void,
): void => {
  for (let done = 0; done < lengthBytes;) {
    const address = virtAddr(at + done);
    const offset = pageOffset(address);
    const length = Math.min(lengthBytes - done, PAGE_SIZE - offset);
    visit(space.table.translate(vpnOf(address), access), offset, done, length);
    done += length;
  }
};
