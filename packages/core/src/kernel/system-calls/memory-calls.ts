/** The system call that moves the break. */
import { HolsteinError, OutOfMemory, type VirtAddr, virtAddr } from '../../frame/index.js';
import type { AddressSpace } from '../../space/index.js';
import { roundUpToPage } from '../memory-layout.js';
import { A0, A1, FAILED, type Result, type SystemCall } from './arguments.js';

/** sbrk's second argument, since 2025: memory when it is touched. */
const LAZY = 2;
/** Memory that a process gets at a time, before others have their turn. */
const COMMIT_BYTES = 4 * 2 ** 20;

/**
 * Moves the break by a signed number of bytes. What is too much to grow by is an error; what is too much to shrink by does
 * nothing, as on xv6.
 */
export const sbrk: SystemCall = (kernel, process) => {
  const { breakAddress, space } = process;
  const moved = breakAddress + kernel.hart.registerAsSigned(A0);
  if (moved < 0) return breakAddress;
  if (moved > kernel.limits.processBytes) return FAILED;
  const oldEnd = roundUpToPage(breakAddress);
  const newEnd = roundUpToPage(moved);
  if (newEnd > oldEnd) {
    const isLazy =
      kernel.sbrkKind === 'by-argument' ? kernel.hart.registerAsInt(A1) === LAZY : kernel.sbrkKind === 'lazy';
    const grown = growHeap(space, virtAddr(oldEnd), newEnd - oldEnd, isLazy ? 'lazy' : process.progress);
    if (grown !== 'done') return grown;
  } else if (newEnd < oldEnd) {
    space.unmap(virtAddr(newEnd), oldEnd - newEnd);
  }
  process.breakAddress = moved;
  return breakAddress;
};

/**
 * Maps memory, and commits it unless it is lazy, a part at a time.
 * @param committed bytes that earlier tries have committed; undefined where there were none.
 * @returns -1 where there is no memory for it, or something is mapped there already: nothing has changed then.
 */
const growHeap = (
  space: AddressSpace,
  at: VirtAddr,
  lengthBytes: number,
  committed: number | 'lazy' | undefined,
): Result | 'done' => {
  if (committed === undefined || committed === 'lazy') {
    try {
      space.map({ at, lengthBytes, protection: 'rw-', name: 'heap' });
    } catch (error) {
      if (error instanceof HolsteinError && (error.code === 'EEXIST' || error.code === 'ENOMEM'))
        return FAILED;
      throw error;
    }
    if (committed === 'lazy') return 'done';
  }
  const start = committed ?? 0;
  const end = Math.min(start + COMMIT_BYTES, lengthBytes);
  try {
    space.commit(virtAddr(at + start), end - start);
    return end === lengthBytes ? 'done' : { again: end };
  } catch (error) {
    space.unmap(at, lengthBytes);
    if (error instanceof OutOfMemory) return FAILED;
    throw error;
  }
};
