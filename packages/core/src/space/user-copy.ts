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
  PAGE_SIZE,
  pageOffset,
  type VirtAddr,
  virtAddr,
  vpn,
  vpnOf,
} from '../frame/index.js';
import { type Access, MAXVA } from '../paging/index.js';
import type { AddressSpace } from './address-space.js';

/** EFAULT: a page that the process may not access so. ENOMEM: a page wanted a frame, and none was free. */
export type UserCopyError = 'EFAULT' | 'ENOMEM';
export type UserCopyResult = 'ok' | UserCopyError;

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
): Uint8Array | UserCopyError | 'ENAMETOOLONG' => {
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
const reachAll = (
  space: AddressSpace,
  at: VirtAddr,
  lengthBytes: number,
  access: Access,
): UserCopyError | undefined => {
  if (lengthBytes === 0) return undefined;
  if (!(Number.isInteger(at) && at >= 0 && at + lengthBytes <= MAXVA)) return 'EFAULT';
  const last = vpnOf(virtAddr(at + lengthBytes - 1));
  for (let page = vpnOf(at); page <= last; page++) {
    const reached = space.reach(vpn(page), access);
    if (typeof reached === 'object') return reached.kind === 'out-of-memory' ? 'ENOMEM' : 'EFAULT';
  }
  return undefined;
};

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
