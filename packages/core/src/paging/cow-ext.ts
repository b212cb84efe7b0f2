/**
 * The copy-on-write extension of a page table (seed 000): shared mappings, and what happens when one is
 * written. It works over any `PageTable` and keeps nothing itself. Whether a page is shared stands in
 * its entry, how many entries share a frame in the frame's slot (shares.ts), who owns it in the frame's
 * count of references. So several extensions over several tables agree, and nothing that is done to a
 * table behind an extension's back puts it wrong.
 *
 *                mapToShared 'writable'                         mapToShared 'readonly'
 *                        │                                              │
 *                        ▼                                              ▼
 *      ┌──── writable and shared (COW, no W) ────┐             readonly and shared ──write──▶ protection
 *      │ write, other references                 │ write, none
 *      ▼                                         ▼
 *      a copy, W: copied                         the frame itself, W: reused
 *
 * Reads and fetches never break sharing. The copy has the entry's flags but for COW, which W replaces.
 * Whether a frame has other owners is its count of references, not of shares: a handle, or a mapping that
 * is not marked shared, keeps a page from being written in place just as well.
 *
 * Ownership is `PageTable`'s: `mapToShared` takes over the caller's reference, and where a shared frame
 * is unmapped or replaced by its copy the entry's reference is dropped, which frees the frame if it was
 * the last. Out of memory changes nothing.
 */
import {
  type FrameNumber,
  frameNumber,
  hex,
  HolsteinError,
  NO_FRAME,
  OutOfMemory,
  type PhysicalMemory,
  Usage,
  type Vpn,
  vpn,
} from '../frame/index.js';
import {
  COPIED,
  type FaultOutcome,
  OUT_OF_MEMORY,
  PRESENT,
  PROTECTION,
  REUSED,
  UNMAPPED,
  ZERO_FILLED,
} from './fault.js';
import type { Sharing } from './page-table-entry.js';
import { mapOwned, MAX_PAGES, type PageTable } from './page-table.js';
import {
  type Access,
  grants,
  makePte,
  PTE_COW,
  PTE_FLAGS,
  PTE_R,
  PTE_READONLY_SHARED,
  PTE_SHARED,
  PTE_U,
  PTE_V,
  PTE_W,
  pteFrame,
  sharedPte,
  usedBits,
} from './pte.js';
import { readShares, writeShares } from './shares.js';

export interface CowOptions {
  /**
   * A frame of zeros that many pages share until they are written: its copies are filled rather than
   * copied. Who names it holds a reference to it, so no page is ever its only owner.
   */
  readonly zeroFrame?: FrameNumber;
}

export class CowExt<Table extends PageTable = PageTable> {
  /** The table underneath. It may be used directly: counts and sharing hold whatever is done to it. */
  readonly table: Table;
  readonly memory: PhysicalMemory;
  readonly #zeroFrame: FrameNumber;

  constructor(table: Table, { zeroFrame = NO_FRAME }: CowOptions = {}) {
    this.table = table;
    this.memory = table.memory;
    this.#zeroFrame = zeroFrame;
  }

  /**
   * Maps a page to a frame that it shares. The table takes over the caller's reference to the frame.
   * @param flags PTE bits as for `PageTable.map`; W and the marks of sharing are set as `sharing` says.
   * @throws as `PageTable.map`; nothing has changed then, and the reference is still the caller's.
   */
  mapToShared(page: Vpn, frame: FrameNumber, sharing: Sharing, flags: number = PTE_U | PTE_R): void {
    const mark = sharing === 'writable' ? PTE_COW : PTE_READONLY_SHARED;
    this.table.map(page, frame, (flags & ~(PTE_SHARED | PTE_W)) | mark);
  }

  /**
   * Unmaps a page, shared or by now private, and drops its reference.
   * @throws HolsteinError ENOENT where the page is not mapped; OutOfMemory where a superpage has to be split.
   */
  unmapShared(page: Vpn): void {
    const pte = this.table.unmap(page);
    if (pte === 0) throw new HolsteinError('ENOENT', `page ${hex(page)} is not mapped`);
    this.memory.release(pteFrame(pte));
  }

  /** Entries, of all tables over this RAM, that name a frame "readonly and shared". */
  readCount(frame: FrameNumber): number {
    return readShares(this.memory, frame);
  }

  /** Entries, of all tables over this RAM, that name a frame "writable and shared". */
  writeCount(frame: FrameNumber): number {
    return writeShares(this.memory, frame);
  }

  /**
   * Answers a page fault of user mode. Where it is resolved the access may be made again; otherwise it is
   * not this extension's, or cannot be helped.
   * @param pte the page's entry, for who has just looked it up.
   */
  handlePageFault(page: Vpn, access: Access, pte: number = this.table.entry(page)): FaultOutcome {
    if (pte === 0) return UNMAPPED;
    try {
      if (access === 'write' && isWritableShared(pte)) return this.#breakSharing(page, pte);
      return grants(pte, access) ? this.#noteUse(page, pte, access) : PROTECTION;
    } catch (error) {
      if (error instanceof OutOfMemory) return OUT_OF_MEMORY;
      throw error;
    }
  }

  /**
   * Makes a page that is writable and shared private and writable: in place where its frame has no other
   * owner, a superpage as a whole where none of its frames has, else in a copy.
   * @throws OutOfMemory, and then nothing has changed.
   */
  #breakSharing(page: Vpn, pte: number): FaultOutcome {
    const shareAgain = this.table.own(page);
    if (shareAgain === undefined) return this.#breakOwn(page, pte);
    try {
      return this.#breakOwn(page, this.table.entry(page));
    } catch (error) {
      shareAgain();
      throw error;
    }
  }

  /** As `#breakSharing`, where no table on the way is shared. */
  #breakOwn(page: Vpn, pte: number): FaultOutcome {
    if (grants(pte, 'write')) {
      this.#noteUse(page, pte, 'write');
      return REUSED;
    }
    const shared = pteFrame(pte);
    // The write that is made again must not fault for want of A and D.
    const used = this.table.updates === 'fault' ? usedBits('write') : 0;
    const flags = (pte & PTE_FLAGS & ~PTE_COW) | PTE_W | used;
    if (this.memory.count(shared) === 1) {
      const pages = this.table.leafPages(page);
      if (pages > 1 && this.#isSoleOwner(page, shared, pages)) {
        this.table.protectLeaf(vpn(page - (page % pages)), flags);
      } else {
        this.table.replace(page, makePte(shared, flags));
      }
      return REUSED;
    }
    const own = this.memory.allocate(Usage.Frame);
    const isZero = shared === this.#zeroFrame;
    if (isZero) this.memory.zero(own);
    else this.memory.copy(shared, own);
    try {
      this.table.replaceOwned(page, makePte(own, flags));
    } catch (error) {
      this.memory.release(own);
      throw error;
    }
    this.memory.release(shared);
    return isZero ? ZERO_FILLED : COPIED;
  }

  /**
   * Shares every page with a table that maps none of them, as a fork does: both sides name the same
   * frames, and what could be written becomes writable and shared on both.
   *
   * This table is touched only when nothing can fail for want of memory: the first pass builds the other,
   * the second takes W away here and flushes what could be written.
   * @returns how many pages are shared that do not name the zero frame.
   * @throws as `PageTable.map`; both tables are then as they were.
   */
  shareAll(other: PageTable): number {
    const [start, end] = [vpn(0), vpn(MAX_PAGES)];
    let shared = 0;
    let page = this.table.nextMapped(start, end);
    try {
      for (; page !== -1; page = this.table.nextMapped(page + 1, end)) {
        const pte = this.table.entry(vpn(page));
        const frame = pteFrame(pte);
        this.memory.retain(frame);
        mapOwned(other, vpn(page), frame, sharedPte(pte) & PTE_FLAGS);
        if (frame !== this.#zeroFrame) shared++;
      }
      this.table.shareWrites(start, end);
    } catch (error) {
      for (const mapped of this.table.mappedPages(start, page === -1 ? end : vpn(page))) {
        this.memory.release(pteFrame(other.unmap(mapped)));
      }
      throw error;
    }
    return shared;
  }

  /** Whether the superpage of `pages` pages that maps `page` to `frame` owns each of its frames alone. */
  #isSoleOwner(page: Vpn, frame: FrameNumber, pages: number): boolean {
    const first = frame - (page % pages);
    for (let index = 0; index < pages; index++) {
      if (this.memory.count(frameNumber(first + index)) !== 1) return false;
    }
    return true;
  }

  /** An access that the entry grants faults only for want of A or D (Svade): the kernel sets them. */
  #noteUse(page: Vpn, pte: number, access: Access): FaultOutcome {
    const used = pte | usedBits(access);
    if (used !== (pte | 0)) this.table.replace(page, used);
    return PRESENT;
  }
}

const READABLE = PTE_V | PTE_U | PTE_R;

/** Whether a write by user mode breaks the sharing of an entry's page. */
const isWritableShared = (pte: number): boolean =>
  (pte & (READABLE | PTE_W | PTE_SHARED)) === (READABLE | PTE_COW);
