/**
 * The tree of an Sv39 table: three levels of 512 entries of eight bytes in RAM (privileged specification
 * 20211203, section 4.4). It makes tables and frees them, finds leaf entries, splits superpages and merges
 * them. It knows nothing of the references that leaves own, of shares or of the TLB: Sv39PageTable does.
 *
 *      virtual page number, 27 bits:   | 26 … 18: level 2, root | 17 … 9: level 1 | 8 … 0: level 0 |
 *
 *      an entry at level     2                1               0
 *      as a leaf covers      gigapage, 2^18   megapage, 512   1 page
 *      as a pointer names    a level 1 table  a level 0 table (reserved)
 *
 * Each table is a frame of usage PageTable that its parent entry owns; its slot's metadata has its level
 * and how many of its entries are not empty. A table that becomes empty is freed, but never the root. Several trees may
 * share tables (shared-tables.ts): `own` is called before anything below one is changed.
 * Physical memory is under 4 GiB, so the high word of every entry here is zero (pte.ts).
 */
import {
  type FrameNumber,
  frameNumber,
  frameOf,
  frameStart,
  hex,
  HolsteinError,
  METADATA_ENTRIES,
  NO_FRAME,
  PAGE_SIZE,
  type PhysAddr,
  physAddr,
  type PhysicalMemory,
  Usage,
  vpn,
  type Vpn,
} from '../frame/index.js';
import { FirstError } from './first-error.js';
import { MAX_PAGES } from './page-table.js';
import { makePte, PTE_BYTES, PTE_V, pteFrame } from './pte.js';
import {
  edgeLevel,
  ENTRIES,
  isLeaf,
  type Level,
  LEVEL_BITS,
  nextMultiple,
  pagesAt,
  ROOT_LEVEL,
} from './sv39-format.js';
import {
  dropEmptyTables,
  dropSharedTables,
  dropTable,
  isSharedTable,
  ownTable,
  shareEntries,
  shareTableAgain,
} from './shared-tables.js';
import type { Undo } from './undo.js';
import { type VisitedTable, visitTablesFrom } from './visit-entries.js';

export const NO_SLOT = 0 as PhysAddr;

/** Where the entry of `table`, at `level`, that leads to `page` lies. */
export const entryAddress = (table: FrameNumber, page: Vpn, level: number): PhysAddr =>
  physAddr(frameStart(table) + ((page >>> (level * LEVEL_BITS)) & (ENTRIES - 1)) * PTE_BYTES);

/** Hears that a table which others share too has been copied: the first page that it is about, and its level. */
export type SplitListener = (firstPage: Vpn, level: number) => void;

export class Sv39Tree {
  readonly memory: PhysicalMemory;
  /** The root table's frame. NO_FRAME once the tree is closed. */
  root: FrameNumber;
  /** The level at which the last `slot`, `slotForMap` or `nextMapped` ended: a second answer that allocates nothing. */
  level: Level = 0;
  /** Where the entry lies that the last `nextMapped` found. */
  found: PhysAddr = NO_SLOT;
  /** Whether the last `slot` lies below a table that other trees have: what it has of W is COW. */
  isShared = false;
  /**
   * The 512 pages whose level-0 table was found last, that table, and whether others have it: most operations are on
   * neighbours. Forgotten whenever a table is freed, or shared.
   */
  #region = -1;
  #regionTable: FrameNumber = NO_FRAME;
  #regionIsShared = false;

  readonly #onSplit: SplitListener | undefined;

  /** @throws OutOfMemory where there is no frame for the root table. */
  constructor(memory: PhysicalMemory, onSplit?: SplitListener) {
    this.memory = memory;
    this.#onSplit = onSplit;
    this.root = this.#newTable(ROOT_LEVEL, NO_SLOT);
  }

  /**
   * Where a page's leaf entry lies, or the empty level-0 entry where it would; NO_SLOT where there is no
   * table for it. `level` tells which.
   */
  slot(page: Vpn): PhysAddr {
    if (page >>> 0 !== page || page >= MAX_PAGES || this.root === NO_FRAME) return NO_SLOT;
    if (page >>> LEVEL_BITS === this.#region) {
      this.level = 0;
      this.isShared = this.#regionIsShared;
      return entryAddress(this.#regionTable, page, 0);
    }
    let table = this.root;
    this.isShared = false;
    for (let level = ROOT_LEVEL; level > 0; level--) {
      const address = entryAddress(table, page, level);
      const pte = this.memory.words[address >>> 2]!;
      if (pte === 0) return NO_SLOT;
      if (isLeaf(pte)) {
        this.level = level as Level;
        return address;
      }
      if (isSharedTable(pte)) this.isShared = true;
      table = pteFrame(pte);
    }
    this.level = 0;
    this.#knowRegion(page, table, this.isShared);
    return entryAddress(table, page, 0);
  }

  /**
   * Makes every table on the way to a page this tree's alone. What is mapped stays the same.
   * @returns what shares them again, for whoever fails afterwards; undefined where they were its alone already.
   * @throws OutOfMemory; HolsteinError EOVERFLOW where references or shares cannot be counted. Nothing has changed then.
   */
  own(page: Vpn): Undo | undefined {
    if (page >>> LEVEL_BITS === this.#region && !this.#regionIsShared) return undefined;
    if (page >>> 0 !== page || page >= MAX_PAGES || this.root === NO_FRAME) return undefined;
    return this.#ownDownTo(page, 0);
  }

  /** As `own`, for those tables that hold pages on both sides of the border between a page and the one before it. */
  ownEdge(page: number): Undo | undefined {
    if (page >= MAX_PAGES || this.root === NO_FRAME) return undefined;
    return this.#ownDownTo(vpn(page), edgeLevel(page));
  }

  /** As `own`, for every table below which a page of `start … end - 1` is mapped. */
  ownAll(start: number, end: number): Undo | undefined {
    const undos: Undo[] = [];
    const undo = (): void => {
      for (const each of undos.toReversed()) each();
    };
    try {
      for (let page = this.nextMapped(start, end); page !== -1;) {
        const next = nextMultiple(page, pagesAt(Math.max(this.level, 1)));
        const each = this.own(vpn(page));
        if (each !== undefined) undos.push(each);
        page = this.nextMapped(next, end);
      }
    } catch (error) {
      undo();
      throw error;
    }
    return undos.length === 0 ? undefined : undo;
  }

  #ownDownTo(page: Vpn, lowest: number): Undo | undefined {
    let undos: Undo[] | undefined;
    let table = this.root;
    try {
      for (let level = ROOT_LEVEL; level > lowest; level--) {
        const slot = entryAddress(table, page, level);
        const pte = this.memory.words[slot >>> 2]!;
        if (pte === 0 || isLeaf(pte)) return undos === undefined ? undefined : () => this.#undo(undos!);
        table = pteFrame(pte);
        if (!isSharedTable(pte)) continue;
        this.#region = -1;
        const shared = table;
        table = ownTable(this.memory, slot, level - 1);
        if (table !== shared) this.#onSplit?.(vpn(page - (page % pagesAt(level))), level - 1);
        (undos ??= []).push(() => shareTableAgain(this.memory, slot, pte, level - 1));
      }
    } catch (error) {
      if (undos !== undefined) this.#undo(undos);
      throw error;
    }
    if (lowest === 0) this.#knowRegion(page, table, false);
    return undos === undefined ? undefined : () => this.#undo(undos!);
  }

  #undo(undos: Undo[]): void {
    this.#region = -1;
    for (const undo of undos.toReversed()) undo();
  }

  /**
   * Makes those tables in another tree that `ownEdge` of a page would copy, were they shared: empty, for `shareWith` to
   * fill. Then it is sure that the edge costs no memory any more. @throws OutOfMemory; the other tree is to be closed then.
   */
  makeEdge(other: Sv39Tree, page: number): void {
    if (page >= MAX_PAGES || this.root === NO_FRAME) return;
    const lowest = edgeLevel(page);
    let [table, made] = [this.root, other.root];
    for (let level = ROOT_LEVEL; level > lowest; level--) {
      const pte = this.memory.words[entryAddress(table, vpn(page), level) >>> 2]!;
      if (pte === 0 || isLeaf(pte)) return;
      const slot = entryAddress(made, vpn(page), level);
      if (this.memory.words[slot >>> 2] === 0) {
        other.set(slot, makePte(other.#newTable(level - 1, slot), PTE_V));
      }
      [table, made] = [pteFrame(pte), pteFrame(this.memory.words[slot >>> 2]!)];
    }
  }

  /**
   * Gives another tree, which has only its root and what `makeEdge` made, all that this one has: both share the tables
   * below, but for those.
   * @throws HolsteinError EOVERFLOW; the other tree has then what it has got until then.
   */
  shareWith(other: Sv39Tree): void {
    if (this.root === NO_FRAME) return;
    shareEntries(this.memory, this.root, other.root, ROOT_LEVEL);
    this.#region = -1;
  }

  /**
   * Lets go of every table that others have and that holds only pages of `start … end - 1`: they are unmapped, and
   * nothing is copied for it. @param visit called for each with what is below. @returns how many pages were mapped there.
   */
  dropShared(start: number, end: number, visit: (first: number, pages: number) => void): number {
    if (this.root === NO_FRAME) return 0;
    this.#region = -1;
    return dropSharedTables(
      this.memory,
      { table: this.root, level: ROOT_LEVEL, first: 0 },
      start,
      end,
      visit,
    );
  }

  /** Forgets which table was found last: others who share it may free it. */
  forgetFound(): void {
    this.#region = -1;
  }

  /** Lets go of tables with pages of `start … end - 1` that hold nothing, as they may when others have emptied them. */
  dropEmpty(start: number, end: number): void {
    if (this.root === NO_FRAME) return;
    this.#region = -1;
    dropEmptyTables(this.memory, { table: this.root, level: ROOT_LEVEL, first: 0 }, start, end);
  }

  #knowRegion(page: Vpn, table: FrameNumber, isShared: boolean): void {
    this.#region = page >>> LEVEL_BITS;
    this.#regionTable = table;
    this.#regionIsShared = isShared;
  }

  /**
   * The empty entry for a new leaf at a level, the tables on its path made where they are wanting.
   * @throws HolsteinError EEXIST where anything is mapped there; OutOfMemory. Nothing has changed then.
   */
  slotForMap(page: Vpn, level: Level): PhysAddr {
    const shareAgain = this.own(page);
    try {
      return this.#emptySlot(page, level);
    } catch (error) {
      shareAgain?.();
      throw error;
    }
  }

  #emptySlot(page: Vpn, level: Level): PhysAddr {
    const known = level === 0 && page >>> LEVEL_BITS === this.#region;
    let table = known ? this.#regionTable : this.root;
    for (let at = known ? 0 : ROOT_LEVEL; at > level; at--) {
      const address = entryAddress(table, page, at);
      let pte = this.memory.words[address >>> 2]!;
      if (isLeaf(pte)) throw existing(page);
      if (pte === 0) {
        try {
          pte = makePte(this.#newTable(at - 1, address), PTE_V);
        } catch (error) {
          this.freeEmptyTables(page);
          throw error;
        }
        this.set(address, pte);
      }
      table = pteFrame(pte);
    }
    const address = entryAddress(table, page, level);
    if (this.memory.words[address >>> 2] !== 0) throw existing(page);
    this.level = level;
    if (level === 0) this.#knowRegion(page, table, false);
    return address;
  }

  /** Fills an entry that was empty. */
  set(address: PhysAddr, pte: number): void {
    this.memory.words[address >>> 2] = pte;
    this.#addEntries(frameOf(address), 1);
  }

  /** Empties an entry. @returns whether its table holds nothing any more: `freeEmptyTables` is to be called then. */
  clear(address: PhysAddr): boolean {
    this.memory.words[address >>> 2] = 0;
    const table = frameOf(address);
    this.#addEntries(table, -1);
    return this.#entries(table) === 0;
  }

  /**
   * Frees the tables on a page's path that hold nothing, from the lowest up; never the root.
   * @throws what the first destructor that failed threw, when all are free.
   */
  freeEmptyTables(page: Vpn): void {
    const path: FrameNumber[] = [this.root];
    for (let level = ROOT_LEVEL; level > 0; level--) {
      const pte = this.memory.words[entryAddress(path.at(-1)!, page, level) >>> 2]!;
      if (pte === 0 || isLeaf(pte)) break;
      path.push(pteFrame(pte));
    }
    const first = new FirstError();
    while (path.length > 1 && this.#entries(path.at(-1)!) === 0) {
      const empty = path.pop()!;
      const parent = path.at(-1)!;
      this.memory.words[entryAddress(parent, page, ROOT_LEVEL + 1 - path.length) >>> 2] = 0;
      this.#addEntries(parent, -1);
      this.#releaseTable(empty, first);
    }
    first.rethrow();
  }

  /**
   * Splits the superpage that holds a page, until the page's leaf is at `level`. What is mapped stays the
   * same, so no TLB line is out of date.
   * @throws OutOfMemory, and then nothing is split.
   */
  split(page: Vpn, level: Level): void {
    const shareAgain = this.own(page);
    let split = 0;
    try {
      while (this.slot(page) !== NO_SLOT && this.level > level) {
        this.#splitOnce(this.slot(page));
        split++;
      }
    } catch (error) {
      for (; split > 0; split--) this.merge(page);
      shareAgain?.();
      throw error;
    }
  }

  /**
   * Merges the leaf entries of the table that holds a page's leaf into one superpage, where all 512 are
   * there, name contiguous frames from an aligned one on, and have equal flags.
   * @returns whether it did.
   */
  merge(page: Vpn): boolean {
    this.own(page);
    const slot = this.slot(page);
    if (slot === NO_SLOT || this.level === ROOT_LEVEL) return false;
    const { level } = this;
    const table = frameOf(slot);
    const words = this.memory.words;
    const start = frameStart(table) >>> 2;
    const pte = words[start]!;
    const aligned = pteFrame(pte) % pagesAt(level + 1) === 0;
    if (!aligned || !isLeaf(pte) || this.#entries(table) !== ENTRIES) return false;
    const step = makePte(frameNumber(pagesAt(level)), 0);
    for (let index = 1; index < ENTRIES; index++) {
      if (words[start + index * 2] !== (pte + index * step) >>> 0) return false;
    }
    words[this.#parentSlot(page, level) >>> 2] = pte;
    const first = new FirstError();
    this.#releaseTable(table, first);
    first.rethrow();
    return true;
  }

  /** The first page in `page … end - 1` that has a leaf, or -1. `found` and `level` tell where its entry is. */
  nextMapped(page: number, end: number): number {
    const words = this.memory.words;
    const last = this.root === NO_FRAME ? 0 : Math.min(end, MAX_PAGES);
    let at = page;
    while (at < last) {
      const known = at >>> LEVEL_BITS === this.#region;
      let table = known ? this.#regionTable : this.root;
      let level = known ? 0 : ROOT_LEVEL;
      let isShared = known && this.#regionIsShared;
      for (; level > 0; level--) {
        const address = entryAddress(table, vpn(at), level);
        const pte = words[address >>> 2]!;
        if (isLeaf(pte)) {
          this.level = level as Level;
          this.found = address;
          return at;
        }
        if (pte === 0) break;
        if (isSharedTable(pte)) isShared = true;
        table = pteFrame(pte);
      }
      if (level > 0) {
        at = nextMultiple(at, pagesAt(level));
        continue;
      }
      this.#knowRegion(vpn(at), table, isShared);
      const tableEnd = Math.min(last, nextMultiple(at, ENTRIES));
      const first = frameStart(table);
      for (; at < tableEnd; at++) {
        const address = physAddr(first + (at % ENTRIES) * PTE_BYTES);
        if (words[address >>> 2] === 0) continue;
        this.level = 0;
        this.found = address;
        return at;
      }
    }
    return -1;
  }

  /** The frames of the tables, the root first; those too that other trees have. */
  *tables(): Generator<FrameNumber> {
    for (const { table } of this.visitTables()) yield table;
  }

  /** The tables with their levels, the root first. @param enter whether to visit a table, and what is below. */
  *visitTables(enter: (table: FrameNumber) => boolean = () => true): Generator<VisitedTable> {
    if (this.root === NO_FRAME) return;
    yield* visitTablesFrom(this.memory, { table: this.root, level: ROOT_LEVEL, isShared: false }, enter);
  }

  /** Closes the tree: lets go of every table, and of what those hold that nobody else has. `first` notes what is thrown. */
  close(first: FirstError): void {
    const { root } = this;
    // Whoever comes by from a destructor finds a tree that is closed.
    this.root = NO_FRAME;
    this.#region = -1;
    dropTable(this.memory, root, ROOT_LEVEL, first);
  }

  #splitOnce(slot: PhysAddr): void {
    const level = this.level - 1;
    const table = this.#newTable(level, slot);
    const words = this.memory.words;
    const pte = words[slot >>> 2]!;
    const first = frameStart(table) >>> 2;
    const step = makePte(frameNumber(pagesAt(level)), 0);
    for (let index = 0; index < ENTRIES; index++) words[first + index * 2] = pte + index * step;
    this.#addEntries(table, ENTRIES);
    words[slot >>> 2] = makePte(table, PTE_V);
  }

  /** Where the entry lies that names the table at `level` on a page's path. */
  #parentSlot(page: Vpn, level: number): PhysAddr {
    let table = this.root;
    for (let at = ROOT_LEVEL; at > level + 1; at--) {
      table = pteFrame(this.memory.words[entryAddress(table, page, at) >>> 2]!);
    }
    return entryAddress(table, page, level + 1);
  }

  /** A table for the entry at `slot` to lead to, which its metadata names: the table that has the entry, and where. */
  #newTable(level: number, slot: PhysAddr): FrameNumber {
    // Words in the order of slot.ts: owner, index, entries, level.
    const metadata = [frameOf(slot), (slot % PAGE_SIZE) / PTE_BYTES, 0, level];
    return this.memory.allocate(Usage.PageTable, { metadata, content: 'zeros' });
  }

  #releaseTable(table: FrameNumber, first: FirstError): void {
    this.#region = -1;
    try {
      this.memory.release(table);
    } catch (error) {
      first.note(error);
    }
  }

  #entries(table: FrameNumber): number {
    return this.memory.words[(this.memory.metadata(table) + METADATA_ENTRIES) >>> 2]!;
  }

  #addEntries(table: FrameNumber, change: number): void {
    this.memory.words[(this.memory.metadata(table) + METADATA_ENTRIES) >>> 2]! += change;
  }
}

const existing = (page: Vpn): HolsteinError =>
  new HolsteinError('EEXIST', `page ${hex(page)} is mapped already`);
