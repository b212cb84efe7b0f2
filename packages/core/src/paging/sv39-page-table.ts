/**
 * A page table of the Sv39 scheme (RISC-V privileged specification 20211203, section 4.4) in RAM. The tree
 * of its tables is sv39-tree.ts, the hardware's walk sv39-walk.ts; here is what its entries own and what
 * a change of them entails: references, shares (shares.ts) and the TLB.
 *
 * Ownership and flushing are `PageTable`'s: a leaf entry owns a reference to every frame that it covers,
 * and every change of an entry that was valid flushes its pages from the TLB before the method returns,
 * so a frame that `unmap` or `replace` hands back is in no TLB.
 *
 *      map(…, level 1 or 2)  a superpage                split   the same in smaller pages
 *      unmap, replace of a page inside a superpage       split it first; the rest stays as it was
 *      merge                 512 entries that are contiguous and alike become one again
 */
import {
  type FrameNumber,
  frameNumber,
  hex,
  HolsteinError,
  InvalidArgument,
  NO_FRAME,
  type PhysAddr,
  type PhysicalMemory,
  type Vpn,
  vpn,
} from '../frame/index.js';
import { PageCursor } from './cursor.js';
import { FirstError } from './first-error.js';
import { PageTableEntry } from './page-table-entry.js';
import {
  checkFrame,
  checkLeaf,
  checkPage,
  checkReplacement,
  MAX_PAGES,
  type PageTable,
  type UsedBitUpdates,
} from './page-table.js';
import {
  type Access,
  makePte,
  PTE_A,
  PTE_D,
  PTE_V,
  PTE_W,
  pteFrame,
  REQUIRED_BITS,
  sharedPte,
} from './pte.js';
import { releaseRun } from './shared-tables.js';
import { moveShares } from './shares.js';
import { type Level, pagesAt } from './sv39-format.js';
import { NO_SLOT, type SplitListener, Sv39Tree } from './sv39-tree.js';
import { ACCESS_FAULT, walk } from './sv39-walk.js';
import { TlbBatch } from './tlb-batch.js';
import type { Tlb, TlbContext } from './tlb.js';
import type { Undo } from './undo.js';
import type { VisitedTable } from './visit-entries.js';

export interface Sv39Options {
  /** Who sets A and D: the hart's walk (Svadu, as unless told), or the kernel after a fault (Svade). */
  readonly updates?: UsedBitUpdates;
  /** Hears of every table that is copied because other page tables share it. */
  readonly onSplit?: SplitListener;
}

export class Sv39PageTable implements PageTable {
  readonly memory: PhysicalMemory;
  readonly tlb: Tlb;
  /** Under which tags the TLB holds this table's translations. */
  readonly tlbContext: TlbContext;
  readonly updates: UsedBitUpdates;
  readonly #tree: Sv39Tree;
  #pagesMapped = 0;

  /** @throws OutOfMemory where there is no frame for the root table. */
  constructor(memory: PhysicalMemory, tlb: Tlb, { updates = 'hardware', onSplit }: Sv39Options = {}) {
    this.memory = memory;
    this.tlb = tlb;
    this.tlbContext = tlb.context();
    this.updates = updates;
    this.#tree = new Sv39Tree(memory, onSplit);
  }

  /** The root table's frame: what a real hart's satp register would name. NO_FRAME once closed. */
  get root(): FrameNumber {
    return this.#tree.root;
  }

  /** How many pages are mapped. */
  get pagesMapped(): number {
    return this.#pagesMapped;
  }

  /**
   * @param level 0 for a page; 1 or 2 for a superpage of 512 or 262,144 pages, whose page and frame are
   *   multiples of that. The table takes over a reference to each of the frames.
   */
  map(page: Vpn, frame: FrameNumber, flags: number, level: Level = 0): void {
    checkPage(page);
    const pages = pagesAt(level);
    checkFrame(this.memory, frame, pages);
    if (level > 0 && (page % pages !== 0 || frame % pages !== 0)) {
      throw new InvalidArgument(`mapping ${hex(page)} to ${hex(frame)}: both are multiples of ${pages}`);
    }
    if (this.root === NO_FRAME) throw new InvalidArgument(`mapping ${hex(page)}: the table is closed`);
    checkLeaf(page, flags);
    const slot = this.#tree.slotForMap(page, level);
    const pte = makePte(frame, flags | PTE_V);
    try {
      moveShares(this.memory, 0, pte, pages);
    } catch (error) {
      this.#tree.freeEmptyTables(page);
      throw error;
    }
    this.#tree.set(slot, pte);
    this.#pagesMapped += pages;
  }

  unmap(page: Vpn): number {
    if (this.#tree.slot(page) === NO_SLOT) return 0;
    if (this.#tree.level > 0) this.#tree.split(page, 0);
    return this.unmapLeaf(page);
  }

  replace(page: Vpn, pte: number): number {
    const shareAgain = this.#tree.own(page);
    try {
      return this.#replaceOwn(page, pte);
    } catch (error) {
      shareAgain?.();
      throw error;
    }
  }

  replaceOwned(page: Vpn, pte: number): void {
    const slot = this.#tree.slot(page);
    if (slot === NO_SLOT || this.#tree.level > 0 || this.#tree.isShared) {
      this.replace(page, pte);
      return;
    }
    moveShares(this.memory, this.memory.words[slot >>> 2]!, pte);
    this.memory.words[slot >>> 2] = pte;
    this.tlb.flushPage(this.tlbContext, page);
  }

  /** As `replace`, where no table on the way is shared. */
  #replaceOwn(page: Vpn, pte: number): number {
    const slot = this.#tree.slot(page);
    const { level } = this.#tree;
    const old = slot === NO_SLOT ? 0 : this.#entryAt(slot, page);
    if (old === 0) throw notMapped(page);
    checkReplacement(this.memory, page, pte, old);
    moveShares(this.memory, old, pte);
    if (level > 0) this.#splitOrUndo(page, pte, old);
    this.memory.words[(level > 0 ? this.#tree.slot(page) : slot) >>> 2] = pte;
    this.tlb.flushPage(this.tlbContext, page);
    return old;
  }

  protect(page: Vpn, flags: number): number {
    const old = this.entry(page);
    if (old === 0) throw notMapped(page);
    checkLeaf(page, flags);
    return this.replace(page, makePte(pteFrame(old), flags | PTE_V));
  }

  entry(page: Vpn): number {
    const slot = this.#tree.slot(page);
    return slot === NO_SLOT ? 0 : this.#entryAt(slot, page);
  }

  getEntry(page: Vpn): PageTableEntry | undefined {
    return this.entry(page) === 0 ? undefined : new PageTableEntry(this, page);
  }

  /**
   * Where the entry that holds the page lies in RAM, or would; 0 where there is no leaf table for it. Good
   * until the next change of the table.
   */
  slot(page: Vpn): PhysAddr {
    return this.#tree.slot(page);
  }

  translate(page: Vpn, access: Access): FrameNumber {
    const found = walk(this.memory, this.root, page, access, this.updates);
    return found < 0 ? NO_FRAME : frameNumber(found);
  }

  /** The frame of a page that can be written with no more ado, used bits and all; else NO_FRAME, though a walk might find one. */
  writableFrame(page: Vpn): FrameNumber {
    const slot = this.#tree.slot(page);
    if (slot === NO_SLOT || this.#tree.level > 0 || this.#tree.isShared) return NO_FRAME;
    const pte = this.memory.words[slot >>> 2]!;
    return (pte & WRITABLE) === WRITABLE ? pteFrame(pte) : NO_FRAME;
  }

  /** What `translate` would answer, A and D left alone: what a TLB line must agree with. */
  lookUp(page: Vpn, access: Access): FrameNumber {
    const found = walk(this.memory, this.root, page, access, 'none');
    return found < 0 ? NO_FRAME : frameNumber(found);
  }

  /** Which exception the access raises: a page fault, or an access fault for memory that is not there. */
  faultOf(page: Vpn, access: Access): 'none' | 'page' | 'access' {
    const found = walk(this.memory, this.root, page, access, this.updates === 'fault' ? 'fault' : 'none');
    return found >= 0 ? 'none' : found === ACCESS_FAULT ? 'access' : 'page';
  }

  own(page: Vpn): Undo | undefined {
    return this.#tree.own(page);
  }

  ownAll(start: Vpn, end: Vpn): Undo | undefined {
    return this.#tree.ownAll(start, end);
  }

  /**
   * Gives another table, which is empty, all that this one maps: a fork whose cost does not depend on how much that is.
   * Both share the tables below their roots, and copy one when they are about to change what lies below it.
   * @param edges pages at which the other table is going to be cut: what that takes is taken now, before anything is shared.
   * @throws OutOfMemory for an edge; HolsteinError EOVERFLOW where references cannot be counted. The other table is to be
   *   closed then; this one maps what it did.
   */
  shareTables(other: Sv39PageTable, edges: Iterable<number> = []): void {
    for (const page of edges) this.#tree.makeEdge(other.#tree, page);
    this.#tree.shareWith(other.#tree);
    other.#pagesMapped = this.#pagesMapped;
    this.tlb.flushWrites(this.tlbContext);
  }

  dropShared(start: Vpn, end: Vpn, batch: TlbBatch): number {
    const dropped = this.#tree.dropShared(start, end, (first, pages) => batch.forget(vpn(first), pages));
    this.#pagesMapped -= dropped;
    return dropped;
  }

  /**
   * The first half of taking entries away from everybody who has them, as when a memory object loses pages: this table
   * counts those that `picks` picks no more, and the TLB forgets them. All whose mappings show the same do so, before
   * any of them goes on with `takeAway`. Needs no memory, and copies no table. Superpages are passed over.
   * @param picks may be asked of an entry more than once.
   */
  disown(start: Vpn, end: Vpn, picks: (pte: number) => boolean): void {
    using batch = this.batch();
    for (const { page, pte } of this.#entriesIn(start, end)) {
      if (!picks(pte)) continue;
      this.#pagesMapped--;
      batch.forget(page);
    }
    this.#tree.forgetFound();
  }

  /**
   * The second half: empties the entries, in tables that others share too, and drops their references.
   * @throws what the first destructor that failed threw, when all is done.
   */
  takeAway(start: Vpn, end: Vpn, picks: (pte: number) => boolean): void {
    const first = new FirstError();
    for (const { slot, pte } of this.#entriesIn(start, end)) {
      if (!picks(pte)) continue;
      moveShares(this.memory, pte, 0);
      this.#tree.clear(slot);
      releaseRun(this.memory, pte, 1, first);
    }
    this.#tree.dropEmpty(start, end);
    first.rethrow();
  }

  /** The entries of single pages, as they stand in their tables, shared or not. */
  *#entriesIn(start: Vpn, end: Vpn): Generator<{ page: Vpn; slot: PhysAddr; pte: number }> {
    for (let page = this.nextMapped(start, end); page !== -1; page = this.nextMapped(page + 1, end)) {
      if (this.#tree.level > 0) continue;
      const slot = this.#tree.found;
      yield { page: vpn(page), slot, pte: this.memory.words[slot >>> 2]! };
    }
  }

  nextMapped(start: number, end: number): number {
    return this.#tree.nextMapped(start, end);
  }

  *mappedPages(start: Vpn, end: Vpn): Generator<Vpn> {
    for (let page = this.nextMapped(start, end); page !== -1; page = this.nextMapped(page + 1, end)) {
      yield vpn(page);
    }
  }

  cursor(start: Vpn, end: Vpn): PageCursor {
    return new PageCursor(this, start, end);
  }

  batch(): TlbBatch {
    return new TlbBatch(this.memory, this.tlb, this.tlbContext);
  }

  shareWrites(start: Vpn, end: Vpn): void {
    const undoIsolate = this.isolate(start, end);
    const changed: { readonly slot: PhysAddr; readonly pte: number; readonly pages: number }[] = [];
    try {
      for (let page = this.nextMapped(start, end); page !== -1;) {
        // In a table that others have, W counts as COW already: it becomes COW for all who have it.
        const slot = this.#tree.found;
        const pages = pagesAt(this.#tree.level);
        const pte = this.memory.words[slot >>> 2]!;
        if ((pte & PTE_W) !== 0) {
          const shared = sharedPte(pte) >>> 0;
          moveShares(this.memory, pte, shared, pages);
          this.memory.words[slot >>> 2] = shared;
          changed.push({ slot, pte, pages });
        }
        page = this.nextMapped(page + pages, end);
      }
    } catch (error) {
      for (const { slot, pte, pages } of changed) {
        moveShares(this.memory, sharedPte(pte) >>> 0, pte, pages);
        this.memory.words[slot >>> 2] = pte;
      }
      undoIsolate();
      throw error;
    }
    this.tlb.flushWrites(this.tlbContext);
  }

  leafPages(page: Vpn): number {
    const slot = this.#tree.slot(page);
    if (slot === NO_SLOT || this.memory.words[slot >>> 2] === 0) return 0;
    return pagesAt(this.#tree.level);
  }

  /** Splits the superpage that holds a page, if one does, down to pages. @throws OutOfMemory */
  split(page: Vpn): void {
    this.#tree.split(page, 0);
  }

  /**
   * Merges the entries around a page into a superpage, and those into a greater one, as far as they are
   * contiguous and have equal flags. @returns whether any were.
   */
  merge(page: Vpn): boolean {
    if (!this.#tree.merge(page)) return false;
    this.#tree.merge(page);
    return true;
  }

  isolate(start: Vpn, end: Vpn): () => void {
    if (start >= end) return () => {};
    const levels: number[] = [];
    const shareAgain: (Undo | undefined)[] = [];
    const undo = (): void => {
      // The last first: both edges may lie in one gigapage.
      for (const edge of [end, start].slice(-levels.length)) {
        for (let level = levels.pop()!; level > 0; level--) this.#tree.merge(edge);
      }
      levels.length = 0;
      for (const share of shareAgain.splice(0).toReversed()) share?.();
    };
    try {
      for (const edge of [start, end]) shareAgain.push(this.#tree.ownEdge(edge));
      for (const edge of [start, end]) levels.push(this.#splitAt(edge));
    } catch (error) {
      undo();
      throw error;
    }
    return undo;
  }

  unmapLeaf(page: Vpn, batch?: TlbBatch): number {
    this.#tree.own(page);
    const slot = this.#leafSlot(page);
    if (slot === NO_SLOT) return 0;
    const pages = pagesAt(this.#tree.level);
    const pte = this.memory.words[slot >>> 2]!;
    moveShares(this.memory, pte, 0, pages);
    const tableIsEmpty = this.#tree.clear(slot);
    this.#pagesMapped -= pages;
    this.#forget(page, pages, batch);
    if (tableIsEmpty) this.#freeTablesOf(page, pte, pages, batch);
    return pte;
  }

  protectLeaf(page: Vpn, flags: number, batch?: TlbBatch): number {
    this.#tree.own(page);
    const slot = this.#leafSlot(page);
    if (slot === NO_SLOT) throw notMapped(page);
    checkLeaf(page, flags);
    const pages = pagesAt(this.#tree.level);
    const old = this.memory.words[slot >>> 2]!;
    const pte = makePte(pteFrame(old), flags | PTE_V);
    moveShares(this.memory, old, pte, pages);
    this.memory.words[slot >>> 2] = pte;
    this.#forget(page, pages, batch);
    return old;
  }

  /** The frames of the tables, the root first; those too that other tables share. */
  tables(): Generator<FrameNumber> {
    return this.#tree.tables();
  }

  /** The tables with their levels, as an audit counts them. @param enter whether to visit one, and what is below. */
  visitTables(enter?: (table: FrameNumber) => boolean): Generator<VisitedTable> {
    return this.#tree.visitTables(enter);
  }

  close(): void {
    if (this.root === NO_FRAME) return;
    this.tlb.flushSpace(this.tlbContext);
    this.#pagesMapped = 0;
    const first = new FirstError();
    this.#tree.close(first);
    first.rethrow();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The entry in a slot that `#tree.slot(page)` has just found, as if no superpage held the page. */
  #entryAt(slot: PhysAddr, page: Vpn): number {
    const found = this.memory.words[slot >>> 2]!;
    const pte = this.#tree.isShared ? sharedPte(found) >>> 0 : found;
    const low = page & (pagesAt(this.#tree.level) - 1);
    return low === 0 ? pte : (pte + makePte(frameNumber(low), 0)) >>> 0;
  }

  /** The slot of the leaf entry that begins with a page; NO_SLOT where there is none. */
  #leafSlot(page: Vpn): PhysAddr {
    const slot = this.#tree.slot(page);
    if (slot === NO_SLOT || this.memory.words[slot >>> 2] === 0) return NO_SLOT;
    if (page % pagesAt(this.#tree.level) !== 0) {
      throw new InvalidArgument(`page ${hex(page)} is inside a superpage`);
    }
    return slot;
  }

  /** Splits the superpage that holds both a page and the one before it. @returns by how many levels. */
  #splitAt(page: Vpn): number {
    if (page >= MAX_PAGES || this.#tree.slot(page) === NO_SLOT) return 0;
    const before = this.#tree.level;
    if (page % pagesAt(before) === 0) return 0;
    const after = page % pagesAt(1) === 0 ? 1 : 0;
    this.#tree.split(page, after);
    return before - after;
  }

  #splitOrUndo(page: Vpn, pte: number, old: number): void {
    try {
      this.#tree.split(page, 0);
    } catch (error) {
      moveShares(this.memory, pte, old);
      throw error;
    }
  }

  /**
   * Frees the tables that were the way to a page, when all else is done. Where a destructor of theirs throws,
   * nobody hears of the entry any more: its references are dropped, as a caller would have done.
   */
  #freeTablesOf(page: Vpn, pte: number, pages: number, batch: TlbBatch | undefined): void {
    const first = new FirstError();
    try {
      this.#tree.freeEmptyTables(page);
    } catch (error) {
      first.note(error);
      if (batch === undefined) releaseRun(this.memory, pte, pages, first);
      else batch.release(pteFrame(pte), pages);
    }
    first.rethrow();
  }

  #forget(page: Vpn, pages: number, batch: TlbBatch | undefined): void {
    if (batch !== undefined) {
      batch.forget(page, pages);
    } else if (pages === 1) {
      this.tlb.flushPage(this.tlbContext, page);
    } else {
      this.tlb.flushSpace(this.tlbContext);
    }
  }
}

/** What an entry has that user mode writes by, and that has been written by before. */
const WRITABLE = REQUIRED_BITS.write | PTE_A | PTE_D;

const notMapped = (page: Vpn): HolsteinError =>
  new HolsteinError('ENOENT', `page ${hex(page)} is not mapped`);
