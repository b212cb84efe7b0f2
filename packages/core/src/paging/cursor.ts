/**
 * A cursor over a range of a page table: it stands on a page, and maps, unmaps or protects from there on,
 * or looks for the next page that is mapped (after Asterinas' `CursorMut`).
 *
 * Every operation on several pages is a transaction: where memory runs out half-way, the table, the
 * references and the counts of shares are as they were, and the cursor stands where it stood.
 * Superpages that lie wholly in what is changed stay whole; those on its edge are split first.
 */
import { type FrameNumber, hex, InvalidArgument, type Vpn, vpn } from '../frame/index.js';
import { FirstError } from './first-error.js';
import type { PageTable } from './page-table.js';
import { PTE_FLAGS, pteFrame } from './pte.js';
import type { Undo } from './undo.js';

export class PageCursor {
  readonly start: Vpn;
  /** One past the last page. */
  readonly end: Vpn;
  readonly #table: PageTable;
  #page: Vpn;

  /** Use `PageTable.cursor`. @internal */
  constructor(table: PageTable, start: Vpn, end: Vpn) {
    if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || start > end) {
      throw new InvalidArgument(`pages ${start} to ${end} are no range`);
    }
    this.#table = table;
    this.start = start;
    this.end = end;
    this.#page = start;
  }

  /** Where the cursor stands; `end` when it is through. */
  get page(): Vpn {
    return this.#page;
  }

  /** Goes to a page of the range, or to its end. */
  jump(page: Vpn): void {
    if (!Number.isInteger(page) || page < this.start || page > this.end) {
      throw new InvalidArgument(`page ${page} is not in ${hex(this.start)} to ${hex(this.end)}`);
    }
    this.#page = page;
  }

  /** The entry of the page under the cursor; 0 where it is not mapped. */
  query(): number {
    return this.#page < this.end ? this.#table.entry(this.#page) : 0;
  }

  /** Goes to the first mapped page at or after the cursor. @returns it; undefined, at the end, where there is none. */
  nextPresent(): Vpn | undefined {
    const found = this.#table.nextMapped(this.#page, this.end);
    this.#page = found === -1 ? this.end : vpn(found);
    return found === -1 ? undefined : this.#page;
  }

  /**
   * Maps one page after the other, from the cursor on, and goes past them. The table takes over the
   * caller's references.
   * @throws as `PageTable.map`, and InvalidArgument where the range is too short; no page is mapped then.
   */
  map(frames: readonly FrameNumber[], flags: number): void {
    const first = this.#page;
    const end = this.#endAfter(frames.length);
    let mapped = 0;
    try {
      for (const frame of frames) {
        this.#table.map(vpn(first + mapped), frame, flags);
        mapped++;
      }
    } catch (error) {
      while (mapped > 0) this.#table.unmap(vpn(first + --mapped));
      throw error;
    }
    this.#page = end;
  }

  /**
   * Unmaps `lengthPages` pages from the cursor on, drops their references after one flush, and goes past
   * them. What is not mapped is passed over.
   * @returns how many pages were mapped.
   * @throws OutOfMemory where a superpage on the edge can't be split; nothing has changed then. What the
   *   first destructor that failed threw; all is unmapped then.
   */
  unmap(lengthPages = this.end - this.#page): number {
    const end = this.#endAfter(lengthPages);
    this.#table.isolate(this.#page, end);
    const batch = this.#table.batch();
    const first = new FirstError();
    let unmapped = this.#table.dropShared(this.#page, end, batch);
    for (const { page, pages } of this.#leaves(end)) {
      unmapped += pages;
      try {
        batch.release(pteFrame(this.#table.unmapLeaf(page, batch)), pages);
      } catch (error) {
        first.note(error);
      }
    }
    this.#page = end;
    try {
      batch.flush();
    } catch (error) {
      first.note(error);
    }
    first.rethrow();
    return unmapped;
  }

  /**
   * Changes the flags of the mapped pages among `lengthPages` from the cursor on, and goes past them.
   * @param change from the flags of an entry to the new ones; V is kept.
   * @returns how many pages were mapped.
   * @throws as `PageTable.protect`, and whatever `change` throws; nothing has changed then.
   */
  protect(change: (flags: number) => number, lengthPages = this.end - this.#page): number {
    const end = this.#endAfter(lengthPages);
    const undoIsolate = this.#table.isolate(this.#page, end);
    let shareAgain: Undo | undefined;
    try {
      shareAgain = this.#table.ownAll(this.#page, end);
    } catch (error) {
      undoIsolate();
      throw error;
    }
    using batch = this.#table.batch();
    const changed: { readonly page: Vpn; readonly flags: number }[] = [];
    let pagesChanged = 0;
    try {
      for (const { page, pages } of this.#leaves(end)) {
        const flags = this.#table.entry(page) & PTE_FLAGS;
        this.#table.protectLeaf(page, change(flags), batch);
        changed.push({ page, flags });
        pagesChanged += pages;
      }
    } catch (error) {
      for (const { page, flags } of changed) this.#table.protectLeaf(page, flags, batch);
      shareAgain?.();
      undoIsolate();
      throw error;
    }
    this.#page = end;
    return pagesChanged;
  }

  /** The first page of each leaf entry from the cursor to `end`, where `isolate` has made one end. */
  *#leaves(end: Vpn): Generator<{ readonly page: Vpn; readonly pages: number }> {
    for (let from: number = this.#page; ;) {
      const found = this.#table.nextMapped(from, end);
      if (found === -1) return;
      const page = vpn(found);
      const pages = this.#table.leafPages(page);
      yield { page, pages };
      from = page + pages;
    }
  }

  #endAfter(lengthPages: number): Vpn {
    const end = this.#page + lengthPages;
    if (!Number.isInteger(lengthPages) || lengthPages < 0 || end > this.end) {
      throw new InvalidArgument(
        `${lengthPages} pages from ${hex(this.#page)} on end beyond ${hex(this.end)}`,
      );
    }
    return vpn(end);
  }
}
