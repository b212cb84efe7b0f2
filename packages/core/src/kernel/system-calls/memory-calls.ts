/** The system call that moves the break. */
import { HolsteinError, OutOfMemory, PAGE_SIZE, virtAddr } from '../../frame/index.js';
import type { AddressSpace } from '../../space/index.js';
import { roundUpToPage } from '../memory-layout.js';
import type { Process } from '../process.js';
import { A0, A1, FAILED, type Result, type SystemCall } from './arguments.js';

/** sbrk's second argument, since 2025: memory when it is touched. */
const LAZY = 2;
/** Memory that a process gets before others have their turn, and gives back. */
const GROWTH_BYTES = 4 * 2 ** 20;
const SHRINKING_BYTES = 16 * 2 ** 20;
/** Pages of heap that a frame of page tables is wanted for, and frames that any growth may want besides. */
const PAGES_PER_TABLE = 512;
const TABLES_BESIDES = 4;

/**
 * Moves the break by a signed number of bytes. What is too much to grow by is an error; what is too much to shrink by does
 * nothing, as on xv6.
 */
export const sbrk: SystemCall = (kernel, process) => {
  // Shrinking in parts, the break moves along: `progress` is where it was.
  const first = process.progress ?? 0;
  const isShrinking = first < 0;
  const before = isShrinking ? -first : process.breakAddress;
  const moved = before + kernel.hart.registerAsSigned(A0);
  if (moved < 0) return before;
  if (moved > kernel.limits.processBytes) return FAILED;
  if (moved < before) return shrink(process, before, moved);
  const isLazy =
    kernel.sbrkKind === 'by-argument' ? kernel.hart.registerAsInt(A1) === LAZY : kernel.sbrkKind === 'lazy';
  const grown = growHeap(process, moved, isLazy ? 'lazy' : process.progress);
  if (grown !== 'done') return grown;
  process.breakAddress = moved;
  return before;
};

/** Gives memory back from its end on, a part at a time. Where page tables must be copied for that and cannot, it stops there. */
const shrink = (process: Process, before: number, moved: number): Result => {
  const { space, breakAddress } = process;
  const next = Math.max(moved, breakAddress - SHRINKING_BYTES);
  const [oldEnd, newEnd] = [roundUpToPage(breakAddress), roundUpToPage(next)];
  try {
    if (newEnd < oldEnd) space.unmap(virtAddr(newEnd), oldEnd - newEnd);
  } catch (error) {
    if (error instanceof OutOfMemory) return FAILED;
    throw error;
  }
  process.breakAddress = next;
  return next === moved ? before : { again: -before };
};

/**
 * Maps memory, and commits it unless it is lazy, a part at a time.
 * @param committed bytes that earlier tries have committed; undefined where there were none.
 * @returns -1 where there is no memory for it, or something is mapped there already: nothing has changed then.
 */
const growHeap = (
  { space, breakAddress }: Process,
  moved: number,
  committed: number | 'lazy' | undefined,
): Result | 'done' => {
  const at = virtAddr(roundUpToPage(breakAddress));
  const lengthBytes = roundUpToPage(moved) - at;
  if (lengthBytes === 0) return 'done';
  if (committed === undefined || committed === 'lazy') {
    if (committed !== 'lazy' && !hasFrames(space, lengthBytes / PAGE_SIZE)) return FAILED;
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
  const end = Math.min(start + GROWTH_BYTES, lengthBytes);
  try {
    space.commit(virtAddr(at + start), end - start);
    return end === lengthBytes ? 'done' : { again: end };
  } catch (error) {
    // Others have taken what was there when it began.
    space.unmap(at, lengthBytes);
    if (error instanceof OutOfMemory) return FAILED;
    throw error;
  }
};

/**
 * Whether there are frames for so many pages, be it that clean pages of files go for them. Without, a process that can't be
 * given what it asks for would first take all that there is from others.
 */
const hasFrames = ({ memory, virtualMemory }: AddressSpace, pages: number): boolean => {
  const tables = Math.ceil(pages / PAGES_PER_TABLE) + TABLES_BESIDES;
  if (pages + tables <= memory.freeFrames) return true;
  if (pages > memory.totalFrames) return false;
  virtualMemory.objects.makeRoom(pages + tables);
  // Some tables may be there already.
  return pages <= memory.freeFrames;
};
