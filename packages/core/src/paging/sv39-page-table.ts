/**
 * An Sv39 page table in RAM: three levels of 512 entries of eight bytes (privileged specification
 * 20211203, section 4.4). Each table is a frame of usage PageTable that its parent entry owns.
 *
 *      virtual page number, user half:  | 25 … 18: root | 17 … 9: middle | 8 … 0: leaf table |
 *
 * Ownership: a leaf entry owns one reference to the frame that it names. `map` takes over the caller's
 * reference, `unmap` hands it back, `replace` swaps one for another, `close` drops all that are left.
 *
 * Every change of an entry that was valid flushes its page from the TLB before the method returns, so a
 * frame that `unmap` or `replace` hands back is in no TLB.
 *
 * A table counts its entries in its slot's metadata (word 0), and one that becomes empty is freed.
 */
import {
  type FrameNumber,
  frameOf,
  frameStart,
  hex,
  HolsteinError,
  InvalidArgument,
  METADATA_ENTRIES,
  NO_FRAME,
  type PhysAddr,
  physAddr,
  type PhysicalMemory,
  Usage,
  vpn,
  type Vpn,
} from '../frame/index.js';
import {
  type Access,
  makePte,
  PTE_A,
  PTE_D,
  PTE_R,
  PTE_RIGHTS,
  PTE_V,
  PTE_W,
  pteFrame,
  REQUIRED_BITS,
} from './pte.js';
import type { Tlb, TlbContext } from './tlb.js';

/** One more than the highest address of the user half of Sv39 (xv6's MAXVA): 2^38. */
export const MAXVA = 2 ** 38;
/** Pages below MAXVA. */
export const MAX_PAGES = 2 ** 26;
const ENTRIES = 512;
const LEVEL_BITS = 9;
const ROOT_LEVEL = 2;
const PTE_BYTES = 8;
const NO_SLOT = 0 as PhysAddr;

export class Sv39PageTable implements Disposable {
  readonly memory: PhysicalMemory;
  readonly tlb: Tlb;
  /** Under which tags the TLB holds this table's translations. */
  readonly tlbContext: TlbContext;
  /** The root table's frame: what a real hart's satp register would name. NO_FRAME once closed. */
  #root: FrameNumber;

  /** @throws OutOfMemory where there is no frame for the root table. */
  constructor(memory: PhysicalMemory, tlb: Tlb) {
    this.memory = memory;
    this.tlb = tlb;
    this.tlbContext = tlb.context();
    this.#root = this.#newTable();
  }

  get root(): FrameNumber {
    return this.#root;
  }

  /**
   * Maps a page that is not mapped. The table takes over the caller's reference to `frame`.
   * @param flags PTE bits other than V and the frame.
   * @throws HolsteinError EEXIST where the page is mapped; OutOfMemory where a table is wanting;
   *   InvalidArgument for a page beyond MAXVA, flags without rights, or a table that is closed. The table
   *   is then as it was, and the reference still the caller's.
   */
  map(page: Vpn, frame: FrameNumber, flags: number): void {
    checkPage(page);
    if (this.#root === NO_FRAME) throw new InvalidArgument(`mapping ${hex(page)}: the table is closed`);
    if ((flags & PTE_RIGHTS) === 0) throw new InvalidArgument(`mapping ${hex(page)}: a leaf needs R, W or X`);
    const slot = this.#slotForMap(page);
    if (this.memory.words[slot >>> 2] !== 0) {
      throw new HolsteinError('EEXIST', `page ${hex(page)} is mapped already`);
    }
    this.memory.words[slot >>> 2] = makePte(frame, flags | PTE_V);
    this.#addEntries(frameOf(slot), 1);
  }

  /**
   * Takes a mapping away.
   * @returns the entry that was there, whose frame's reference is now the caller's; 0 where there was none.
   */
  unmap(page: Vpn): number {
    const slot = this.slot(page);
    if (slot === NO_SLOT) return 0;
    const pte = this.memory.words[slot >>> 2]!;
    if (pte === 0) return 0;
    this.memory.words[slot >>> 2] = 0;
    this.tlb.flushPage(this.tlbContext, page);
    this.#addEntries(frameOf(slot), -1);
    this.#freeEmptyTables(page);
    return pte;
  }

  /**
   * Changes a mapped page's entry: its flags, its frame, or both. Where the frame changes, the new one's
   * reference becomes the table's and the old one's the caller's.
   * @param pte a valid leaf entry, whole.
   * @returns the old entry.
   */
  replace(page: Vpn, pte: number): number {
    const slot = this.slot(page);
    const old = slot === NO_SLOT ? 0 : this.memory.words[slot >>> 2]!;
    if (old === 0) throw new HolsteinError('ENOENT', `page ${hex(page)} is not mapped`);
    if ((pte & PTE_V) === 0 || (pte & PTE_RIGHTS) === 0) {
      throw new InvalidArgument(`page ${hex(page)}: ${hex(pte)} is not a valid leaf entry`);
    }
    this.memory.words[slot >>> 2] = pte;
    this.tlb.flushPage(this.tlbContext, page);
    return old;
  }

  /** The page's leaf entry; 0 where the page is not mapped. */
  entry(page: Vpn): number {
    const slot = this.slot(page);
    return slot === NO_SLOT ? 0 : this.memory.words[slot >>> 2]!;
  }

  /**
   * Where the page's leaf entry lies in RAM; 0 where there is no leaf table for it. Good until the next
   * change of the table.
   */
  slot(page: Vpn): PhysAddr {
    if (page >= MAX_PAGES || this.#root === NO_FRAME) return NO_SLOT;
    const middle = this.memory.words[entryAddress(this.#root, page, 2) >>> 2]!;
    if (middle === 0) return NO_SLOT;
    const leaf = this.memory.words[entryAddress(pteFrame(middle), page, 1) >>> 2]!;
    if (leaf === 0) return NO_SLOT;
    return entryAddress(pteFrame(leaf), page, 0);
  }

  /**
   * The hardware's walk for user mode (privileged specification, section 4.3.2): checks the rights and
   * sets A, and D for a write, as a hart with Svadu does.
   * @returns the frame; NO_FRAME where a real hart would take a page fault.
   */
  translate(page: Vpn, access: Access): FrameNumber {
    const slot = this.slot(page);
    if (slot === NO_SLOT) return NO_FRAME;
    const pte = this.memory.words[slot >>> 2]!;
    const required = REQUIRED_BITS[access];
    if ((pte & required) !== required) return NO_FRAME;
    if ((pte & (PTE_R | PTE_W)) === PTE_W) return NO_FRAME;
    this.memory.words[slot >>> 2] = pte | (access === 'write' ? PTE_A | PTE_D : PTE_A);
    return pteFrame(pte);
  }

  /**
   * The mapped pages in `start … end - 1`, in order, passing over what no table covers. The table may be
   * changed between steps.
   */
  *mappedPages(start: Vpn, end: Vpn): Generator<Vpn> {
    for (let page = this.#nextMapped(start, end); page !== -1; page = this.#nextMapped(page + 1, end)) {
      yield vpn(page);
    }
  }

  /** The frames of this table's own tables, the root first: what an audit counts. */
  *tables(): Generator<FrameNumber> {
    if (this.#root !== NO_FRAME) yield* this.#tablesBelow(this.#root, ROOT_LEVEL);
  }

  /** Drops the reference of every leaf and frees every table. Closing twice does nothing. */
  close(): void {
    if (this.#root === NO_FRAME) return;
    this.tlb.flushSpace(this.tlbContext);
    this.#closeBelow(this.#root, ROOT_LEVEL);
    this.#root = NO_FRAME;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The first mapped page in `page … end - 1`, or -1. */
  #nextMapped(page: number, end: number): number {
    const words = this.memory.words;
    const last = this.#root === NO_FRAME ? 0 : Math.min(end, MAX_PAGES);
    let at = page;
    while (at < last) {
      const middle = words[entryAddress(this.#root, vpn(at), 2) >>> 2]!;
      if (middle === 0) {
        at = nextMultiple(at, ENTRIES * ENTRIES);
        continue;
      }
      const leaf = words[entryAddress(pteFrame(middle), vpn(at), 1) >>> 2]!;
      const tableEnd = Math.min(last, nextMultiple(at, ENTRIES));
      if (leaf === 0) {
        at = tableEnd;
        continue;
      }
      const table = frameStart(pteFrame(leaf)) >>> 2;
      for (; at < tableEnd; at++) {
        if (words[table + (at % ENTRIES) * 2] !== 0) return at;
      }
    }
    return -1;
  }

  #closeBelow(table: FrameNumber, level: number): void {
    const first = frameStart(table) >>> 2;
    for (let index = first; index < first + ENTRIES * 2; index += 2) {
      const pte = this.memory.words[index]!;
      if (pte === 0) continue;
      if (level === 0) this.memory.release(pteFrame(pte));
      else this.#closeBelow(pteFrame(pte), level - 1);
    }
    this.memory.release(table);
  }

  *#tablesBelow(table: FrameNumber, level: number): Generator<FrameNumber> {
    yield table;
    if (level === 0) return;
    const first = frameStart(table) >>> 2;
    for (let index = first; index < first + ENTRIES * 2; index += 2) {
      const pte = this.memory.words[index]!;
      if (pte !== 0) yield* this.#tablesBelow(pteFrame(pte), level - 1);
    }
  }

  /** Finds the page's leaf entry, making the tables on its path. Out of memory undoes what it made. */
  #slotForMap(page: Vpn): PhysAddr {
    let table = this.#root;
    for (let level = ROOT_LEVEL; level > 0; level--) {
      const address = entryAddress(table, page, level);
      let pte = this.memory.words[address >>> 2]!;
      if (pte === 0) {
        try {
          pte = makePte(this.#newTable(), PTE_V);
        } catch (error) {
          this.#freeEmptyTables(page);
          throw error;
        }
        this.memory.words[address >>> 2] = pte;
        this.#addEntries(table, 1);
      }
      table = pteFrame(pte);
    }
    return entryAddress(table, page, 0);
  }

  #newTable(): FrameNumber {
    const table = this.memory.allocate(Usage.PageTable);
    this.memory.zero(table);
    return table;
  }

  /** Frees the tables on a page's path that hold nothing, from the leaf table up; never the root. */
  #freeEmptyTables(page: Vpn): void {
    const path: FrameNumber[] = [this.#root];
    for (let level = ROOT_LEVEL; level > 0; level--) {
      const pte = this.memory.words[entryAddress(path.at(-1)!, page, level) >>> 2]!;
      if (pte === 0) break;
      path.push(pteFrame(pte));
    }
    while (path.length > 1 && this.#entries(path.at(-1)!) === 0) {
      const empty = path.pop()!;
      const parent = path.at(-1)!;
      const level = ROOT_LEVEL + 1 - path.length;
      this.memory.words[entryAddress(parent, page, level) >>> 2] = 0;
      this.#addEntries(parent, -1);
      this.memory.release(empty);
    }
  }

  #entries(table: FrameNumber): number {
    return this.memory.words[(this.memory.metadata(table) + METADATA_ENTRIES) >>> 2]!;
  }

  #addEntries(table: FrameNumber, change: 1 | -1): void {
    this.memory.words[(this.memory.metadata(table) + METADATA_ENTRIES) >>> 2]! += change;
  }
}

const checkPage = (page: Vpn): void => {
  if (!Number.isInteger(page) || page < 0 || page >= MAX_PAGES) {
    throw new InvalidArgument(`page ${page} is not in the user half of Sv39 (0 to 2^26 - 1)`);
  }
};

/** The address of the entry of `table`, at `level`, that leads to `page`. */
const entryAddress = (table: FrameNumber, page: Vpn, level: number): PhysAddr =>
  physAddr(frameStart(table) + ((page >>> (level * LEVEL_BITS)) & (ENTRIES - 1)) * PTE_BYTES);

const nextMultiple = (value: number, step: number): number => (Math.floor(value / step) + 1) * step;
