/**
 * The page table, whatever it is made of: `Sv39PageTable` in RAM, or a `MockPageTable`. It maps pages of
 * the user half to frames, and holds an entry (pte.ts) for each.
 *
 * Ownership: an entry owns one reference to the frame that it names. `map` takes over the caller's,
 * `unmap` hands it back, `replace` swaps one for another, `close` drops all that are left. An entry that
 * covers several pages (a superpage) owns one reference to each of the frames that it covers, so it can
 * be split, merged, and unmapped in part, and no count changes.
 *
 * Whatever changes an entry also keeps the counts of shares (shares.ts), and flushes what a TLB may hold
 * of it before it returns, or hands it to the batch that it was given.
 *
 * `entry`, `replace`, `unmap` and `protect` are about one page of 4096 bytes, superpage or not.
 */
import {
  type FrameNumber,
  frameNumber,
  hex,
  InvalidArgument,
  type PhysicalMemory,
  usageName,
  type Vpn,
} from '../frame/index.js';
import type { PageCursor } from './cursor.js';
import type { PageTableEntry } from './page-table-entry.js';
import {
  type Access,
  PTE_COW,
  PTE_FLAGS,
  PTE_R,
  PTE_RIGHTS,
  PTE_SHARED,
  PTE_V,
  PTE_W,
  pteFrame,
} from './pte.js';
import type { TlbBatch } from './tlb-batch.js';
import type { Undo } from './undo.js';

/** One more than the highest address of the user half of Sv39 (xv6's MAXVA): 2^38. */
export const MAXVA = 2 ** 38;
/** Pages below MAXVA. */
export const MAX_PAGES = 2 ** 26;

/** Who sets A and D: the hardware's walk (Svadu), or the kernel when a walk faults for want of them (Svade). */
export type UsedBitUpdates = 'hardware' | 'fault';

export interface PageTable extends Disposable {
  readonly memory: PhysicalMemory;
  /** Who sets A and D: `translate`, or whoever resolves the fault that it answers where they are wanting. */
  readonly updates: UsedBitUpdates;

  /**
   * Maps a page that is not mapped. The table takes over the caller's reference to `frame`.
   * @param flags PTE bits other than V and the frame.
   * @throws HolsteinError EEXIST where the page is mapped; OutOfMemory where a table is wanting;
   *   HolsteinError EOVERFLOW where the frame's shares cannot be counted; InvalidArgument for a page
   *   beyond MAXVA, flags that make no leaf (`checkLeaf`), a frame that is free, reserved or not in RAM, or
   *   a table that is closed. The table is then as it was, and the reference still the caller's.
   */
  map(page: Vpn, frame: FrameNumber, flags: number): void;

  /**
   * Takes a page's mapping away.
   * @returns the entry that was there, whose frame's reference is now the caller's; 0 where there was none.
   * @throws OutOfMemory where a superpage has to be split, and then nothing has changed; what a page table's
   *   destructor throws, and then the page is unmapped and its reference dropped.
   */
  unmap(page: Vpn): number;

  /**
   * Changes a mapped page's entry: its flags, its frame, or both. Where the frame changes, the new one's
   * reference becomes the table's and the old one's the caller's.
   * @param pte a valid leaf entry, whole.
   * @returns the old entry.
   * @throws HolsteinError ENOENT where the page is not mapped; InvalidArgument for an entry that is no
   *   valid leaf; EOVERFLOW and OutOfMemory as `map`. Nothing has changed then.
   */
  replace(page: Vpn, pte: number): number;

  /** Changes a mapped page's flags. @returns the old entry. @throws as `replace` */
  protect(page: Vpn, flags: number): number;

  /** The page's leaf entry, as if no superpage held it; 0 where the page is not mapped. */
  entry(page: Vpn): number;

  /** The same as an object; undefined where the page is not mapped. */
  getEntry(page: Vpn): PageTableEntry | undefined;

  /**
   * What the hardware's walk finds for user mode: checks the rights, and sets A, and D for a write.
   * @returns the frame; NO_FRAME where a hart would take a fault.
   */
  translate(page: Vpn, access: Access): FrameNumber;

  /** The first mapped page in `start … end - 1`, or -1. */
  nextMapped(start: number, end: number): number;

  /**
   * The mapped pages in `start … end - 1`, in order, passing over what no table covers. The table may be
   * changed between steps.
   */
  mappedPages(start: Vpn, end: Vpn): Iterable<Vpn>;

  /** A cursor over `start … end - 1`, for changes of whole ranges. */
  cursor(start: Vpn, end: Vpn): PageCursor;

  /**
   * Takes the right to write from a range that is about to be shared: every W becomes COW, one flush follows.
   * @throws OutOfMemory where a superpage on the range's edge can't be split; EOVERFLOW and InvalidArgument
   *   where a frame's shares cannot be counted. Nothing has changed then.
   */
  shareWrites(start: Vpn, end: Vpn): void;

  /**
   * Makes every table on the way to a page this table's alone, where a fork has left them shared. What is mapped stays
   * the same, but that an entry which was COW for being in a shared table may have W then.
   * @returns what shares them again, for whoever fails before having changed anything; undefined where none was shared.
   * @throws OutOfMemory, and then nothing has changed.
   */
  own(page: Vpn): Undo | undefined;

  /** As `own`, for all that is mapped of a range. */
  ownAll(start: Vpn, end: Vpn): Undo | undefined;

  /**
   * Unmaps what of a range lies in tables that others share and that hold nothing else: lets go of the tables, which
   * takes no memory. @returns how many pages were mapped there.
   */
  dropShared(start: Vpn, end: Vpn, batch: TlbBatch): number;

  /** As `replace`, of a page that is mapped, after `own` and by an entry that needs no check: for inner loops. */
  replaceOwned(page: Vpn, pte: number): void;

  /** A batch whose flush is this table's. */
  batch(): TlbBatch;

  /** How many pages the leaf entry that holds a page covers: 1, 512 or 262144; 0 where there is none. */
  leafPages(page: Vpn): number;

  /**
   * Splits what straddles the range's edges, so that every leaf entry, and every table that others share, lies inside or
   * outside of it.
   * @returns what puts the superpages that it split together again, and shares the tables again.
   * @throws OutOfMemory, and then nothing is split.
   */
  isolate(start: Vpn, end: Vpn): () => void;

  /**
   * Takes the leaf entry away that begins with `page`, superpage or not.
   * @returns it; the references to all frames that it covers are now the caller's.
   * @throws as `unmap`, but nothing is split.
   */
  unmapLeaf(page: Vpn, batch?: TlbBatch): number;

  /** Changes the flags of the leaf entry that begins with `page`. @returns the old entry. @throws as `replace` */
  protectLeaf(page: Vpn, flags: number, batch?: TlbBatch): number;

  /**
   * Drops every reference and every table. Closing twice does nothing.
   * @throws what the first destructor that failed threw; the table is closed all the same.
   */
  close(): void;
}

/** @throws InvalidArgument where a page is not of the user half. */
export const checkPage = (page: Vpn): void => {
  if (!Number.isInteger(page) || page < 0 || page >= MAX_PAGES) {
    throw new InvalidArgument(`page ${page} is not in the user half of Sv39 (0 to 2^26 - 1)`);
  }
};

/** @throws InvalidArgument where `frames` frames from `frame` on are not all in RAM, in use, and someone's to map. */
export const checkFrame = (memory: PhysicalMemory, frame: FrameNumber, frames = 1): void => {
  if (frame >>> 0 !== frame || frame + frames > memory.totalFrames) {
    throw new InvalidArgument(`there is no frame ${hex(frame)} (RAM has ${memory.totalFrames})`);
  }
  if (frame < memory.firstAllocatable) {
    throw new InvalidArgument(`frame ${hex(frame)} is ${usageName(memory.usage(frame))}: it is never mapped`);
  }
  for (let index = 0; index < frames; index++) {
    if (memory.count(frameNumber(frame + index)) > 0) continue;
    throw new InvalidArgument(`frame ${hex(frame + index)} is free`);
  }
};

/** @throws InvalidArgument where flags make no leaf entry: no page table here ever holds others. */
export const checkLeaf = (page: Vpn, flags: number): void => {
  if (LEAF_FLAGS[flags] === 1) return;
  throw new InvalidArgument(`page ${hex(page)}: flags ${flags} make no leaf: ${whyNoLeaf(flags)}`);
};

/** What is wrong with flags; undefined where they make a leaf. */
const whyNoLeaf = (flags: number): string | undefined => {
  if (flags >>> 0 !== flags || flags > PTE_FLAGS) return 'only bits 9 to 0 are flags';
  if ((flags & PTE_RIGHTS) === 0) return 'R, W or X is wanting';
  if ((flags & (PTE_R | PTE_W)) === PTE_W) return 'W without R is reserved';
  if ((flags & PTE_W) !== 0 && (flags & PTE_COW) !== 0) return 'what is copied on write has no W';
  if ((flags & PTE_SHARED) === PTE_SHARED) return 'a page is shared in the one way or the other';
  return undefined;
};

/** By all ten flags: 1 where they make a leaf. */
const LEAF_FLAGS = Uint8Array.from({ length: PTE_FLAGS + 1 }, (_, flags) =>
  whyNoLeaf(flags) === undefined ? 1 : 0,
);

/** @throws InvalidArgument where `pte` is no entry that may stand in the place of `old`. */
export const checkReplacement = (memory: PhysicalMemory, page: Vpn, pte: number, old: number): void => {
  if (pte >>> 0 !== pte || (pte & PTE_V) === 0) {
    throw new InvalidArgument(`page ${hex(page)}: ${hex(pte)} is not a valid entry`);
  }
  checkLeaf(page, pte & PTE_FLAGS);
  // What is mapped already has been checked.
  if (pteFrame(pte) !== pteFrame(old)) checkFrame(memory, pteFrame(pte));
};

/**
 * Maps a page to a frame whose reference is the caller's: the table's now, or dropped where it refuses.
 * @throws as `PageTable.map`.
 */
export const mapOwned = (table: PageTable, page: Vpn, frame: FrameNumber, flags: number): void => {
  try {
    table.map(page, frame, flags);
  } catch (error) {
    table.memory.release(frame);
    throw error;
  }
};
