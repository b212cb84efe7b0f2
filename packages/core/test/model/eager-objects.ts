/**
 * The oracle: memory objects that share nothing. Each is an array of bytes, and a snapshot copies all of it at once.
 * Nobody counts anything, and nothing runs out.
 *
 * What is not a copy by definition is a view: a 'snapshot-at-least-on-write' or 'snapshot-modified' of an object that
 * has a pager shows the bytes that its base has now, page by page, until it has a page of its own.
 *
 * `held` are the pages for which an implementation without sharing would have a frame: those that were written,
 * committed or brought in, and at a snapshot a copy of each that had content.
 */
import { PAGE_SIZE } from '../../src/frame/index.js';
import type { ObjectKind, SnapshotKind } from '../../src/vmo/index.js';

export const pagesOf = (bytes: number): number => Math.ceil(bytes / PAGE_SIZE);

/** Pages `first … end - 1`, which someone reaches, or has pinned. */
export interface PageSpan {
  readonly first: number;
  readonly end: number;
}

/** What a view shows: `limit` pages of `object`, from page `offset` on. */
interface LiveBase {
  readonly object: EagerObject;
  readonly offset: number;
  limit: number;
}

export interface EagerOptions {
  readonly kind: ObjectKind;
  readonly sizeBytes: number;
  readonly resizable: boolean;
  /** What a pager has at first. */
  readonly paged?: Uint8Array;
}

export interface EagerSnapshot {
  readonly kind: SnapshotKind;
  /** Of the parent, in bytes: the child's first. */
  readonly start: number;
  /** Bytes of the parent that the child begins with. */
  readonly seenBytes: number;
  readonly sizeBytes: number;
  readonly resizable: boolean;
}

export class EagerObject {
  readonly kind: ObjectKind;
  readonly resizable: boolean;
  sizeBytes: number;
  /** Whole pages. Beyond the size, and where a view shows its base, there are zeros. */
  bytes: Uint8Array;
  readonly held = new Set<number>();
  /** Capabilities and open views that lead here. */
  readonly reachers = new Set<PageSpan>();
  readonly pins = new Set<PageSpan>();
  /** Views of this object, closed ones too. */
  readonly views = new Set<EagerObject>();
  /** Objects that see this one as it was when they were made. */
  readonly copies = new Set<EagerObject>();
  base: LiveBase | undefined;
  /** The object whose pager may be asked for a page of this one: itself, or what it was made from. */
  source: EagerObject | undefined;
  /** The pager has bytes up to here. */
  limitBytes = 0;
  /** Pages that are certainly changed and not written back, and those that may be. */
  readonly dirty = new Set<number>();
  readonly maybeDirty = new Set<number>();
  /** Pages of a view that are its own. */
  readonly #own = new Set<number>();

  constructor({ kind, sizeBytes, resizable, paged }: EagerOptions) {
    this.kind = kind;
    this.sizeBytes = sizeBytes;
    this.resizable = resizable;
    this.bytes = new Uint8Array(pagesOf(sizeBytes) * PAGE_SIZE);
    if (this.isDevice) for (let page = 0; page < this.sizePages; page++) this.held.add(page);
    if (paged === undefined) return;
    this.bytes.set(paged);
    this.limitBytes = sizeBytes;
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    this.source = this;
  }

  get sizePages(): number {
    return pagesOf(this.sizeBytes);
  }

  get isDevice(): boolean {
    return this.kind === 'contiguous' || this.kind === 'dma';
  }

  get isPaged(): boolean {
    return this.source === this;
  }

  /** Whether somebody has a capability to it, or a view open. */
  get isOpen(): boolean {
    return this.reachers.size > 0;
  }

  /** Whether somebody reaches a page otherwise than by a view of this object. */
  isReached(page: number): boolean {
    for (const { first, end } of this.reachers) if (page >= first && page < end) return true;
    return false;
  }

  isPinned(page: number): boolean {
    return this.isDevice || [...this.pins].some(({ first, end }) => page >= first && page < end);
  }

  /** What a page is now. */
  page(page: number): Uint8Array {
    const { base } = this;
    if (!this.#isLive(page)) return this.bytes.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
    const start = (base!.offset + page) * PAGE_SIZE;
    return base!.object.bytes.subarray(start, start + PAGE_SIZE);
  }

  /** All its bytes, now. */
  content(): Uint8Array {
    const content = this.bytes.slice(0, this.sizeBytes);
    const limit = this.base === undefined ? 0 : Math.min(this.base.limit, this.sizePages);
    for (let page = 0; page < limit; page++) {
      if (!this.#isLive(page)) continue;
      content.set(
        this.page(page).subarray(0, Math.min(PAGE_SIZE, this.sizeBytes - page * PAGE_SIZE)),
        page * PAGE_SIZE,
      );
    }
    return content;
  }

  /** Pages that a write of bytes makes changed which were certainly not. */
  newlyDirty(start: number, length: number): number[] {
    return spanOf(start, length).filter((page) => !this.dirty.has(page) && !this.maybeDirty.has(page));
  }

  write(start: number, from: Uint8Array): void {
    this.touch(start, from.length);
    this.bytes.set(from, start);
  }

  /** Makes pages the object's own, with frames, as a write does. */
  touch(start: number, length: number): void {
    for (const page of spanOf(start, length)) {
      this.#hold(page);
      if (this.isPaged) this.#soil(page);
    }
  }

  /** Says that bytes are being written: by when they are is not known. */
  soilPerhaps(start: number, length: number): void {
    if (this.isPaged) for (const page of spanOf(start, length)) this.#soilPerhaps(page);
  }

  /** Says that pages are being written back: whether they are is not known. */
  cleanPerhaps(pages: readonly number[]): void {
    for (const page of pages) if (this.dirty.delete(page)) this.maybeDirty.add(page);
  }

  /** Says that pages have been written back. */
  clean(pages: readonly number[]): void {
    for (const page of pages) {
      if (this.isPinned(page)) continue;
      this.dirty.delete(page);
      this.maybeDirty.delete(page);
    }
  }

  /** Bytes that a view has stored, as far as they are in the object still. */
  poke(at: number, byte: number): void {
    if (at < this.sizeBytes) this.bytes[at] = byte;
  }

  commit(start: number, length: number): void {
    for (const page of spanOf(start, length)) this.#hold(page);
  }

  zero(start: number, length: number): void {
    const end = start + length;
    const last = end === this.sizeBytes ? this.sizePages : Math.floor(end / PAGE_SIZE);
    for (const page of spanOf(start, length)) {
      const whole = page * PAGE_SIZE >= start && page < last;
      if (this.isPaged) {
        if (whole && !this.dirty.has(page)) this.maybeDirty.add(page);
        else if (!whole) this.#soilPerhaps(page);
      }
      if (!whole && this.source !== undefined) this.held.add(page);
      this.#keep(page);
      if (whole && !this.isPinned(page)) this.held.delete(page);
    }
    this.bytes.fill(0, start, end);
  }

  /** Gives whole pages back: what has a pager keeps its bytes. */
  decommit(start: number, length: number): void {
    if (!this.isPaged) this.zero(start, length);
  }

  resize(sizeBytes: number): void {
    const pages = pagesOf(sizeBytes);
    const least = Math.min(sizeBytes, this.sizeBytes);
    // What the last page has beyond it must be zeros, and may have to be written for that.
    if (this.isPaged && least % PAGE_SIZE > 0) this.#soilPerhaps(Math.floor(least / PAGE_SIZE));
    if (sizeBytes < this.sizeBytes) {
      this.bytes = this.bytes.slice(0, pages * PAGE_SIZE);
      this.bytes.fill(0, sizeBytes);
      for (const set of [this.held, this.dirty, this.maybeDirty, this.#own]) {
        for (const page of set) if (page >= pages) set.delete(page);
      }
      if (this.base !== undefined) this.base.limit = Math.min(this.base.limit, pages);
      for (const { base } of this.views)
        base!.limit = Math.min(base!.limit, Math.max(pages - base!.offset, 0));
      this.limitBytes = Math.min(this.limitBytes, sizeBytes);
    } else {
      this.#clearTail(this.sizeBytes);
      const bytes = new Uint8Array(pages * PAGE_SIZE);
      bytes.set(this.bytes);
      this.bytes = bytes;
    }
    this.sizeBytes = sizeBytes;
  }

  snapshot({ kind, start, seenBytes, sizeBytes, resizable }: EagerSnapshot): EagerObject {
    const child = new EagerObject({ kind, sizeBytes, resizable });
    const first = start / PAGE_SIZE;
    const seen = pagesOf(seenBytes);
    child.source = this.source;
    if (kind !== 'snapshot') child.#look(this, first, seen);
    for (let page = 0; page < seen; page++) {
      if (child.base !== undefined && page < child.base.limit) {
        if (this.isPaged || this.#isLive(first + page)) continue;
        child.#own.add(page);
      }
      child.bytes.set(this.page(first + page), page * PAGE_SIZE);
      if (this.#hasContent(first + page)) child.held.add(page);
    }
    if (seenBytes < sizeBytes) {
      child.#clearTail(seenBytes);
    }
    child.bytes.fill(0, Math.min(seenBytes, child.bytes.length));
    if (child.base === undefined) this.source?.copies.add(child);
    return child;
  }

  /** Makes a child a view of what its parent shows. */
  #look(parent: EagerObject, first: number, seen: number): void {
    const { base } = parent;
    if (parent.isPaged && seen > 0) this.base = { object: parent, offset: first, limit: seen };
    else if (base !== undefined && base.limit > first && seen > 0) {
      const limit = Math.min(seen, base.limit - first);
      this.base = { object: base.object, offset: base.offset + first, limit };
    }
    this.base?.object.views.add(this);
  }

  /** Whether an eager implementation has bytes of its own for a page, or would have to have them to copy it. */
  #hasContent(page: number): boolean {
    return this.isPaged || this.#isLive(page) || this.held.has(page);
  }

  /** Whether a view shows its base's page. */
  #isLive(page: number): boolean {
    return this.base !== undefined && page < this.base.limit && !this.#own.has(page);
  }

  /** Whether some view shows a page of this object. */
  isShown(page: number): boolean {
    return [...this.views].some(
      (view) =>
        view.isOpen &&
        page >= view.base!.offset &&
        view.#isLive(page - view.base!.offset) &&
        view.base!.object === this,
    );
  }

  /** Makes a page the object's own, as it is. */
  #keep(page: number): void {
    if (!this.#isLive(page)) return;
    this.bytes.set(this.page(page), page * PAGE_SIZE);
    this.bytes.fill(0, Math.min(this.sizeBytes, (page + 1) * PAGE_SIZE), (page + 1) * PAGE_SIZE);
    this.#own.add(page);
  }

  #hold(page: number): void {
    this.#keep(page);
    this.held.add(page);
  }

  #soil(page: number): void {
    this.maybeDirty.delete(page);
    this.dirty.add(page);
  }

  #soilPerhaps(page: number): void {
    if (!this.dirty.has(page)) this.maybeDirty.add(page);
  }

  /** Before bytes from a place on come into sight: where a page of the base has any there, the rest is copied. */
  #clearTail(sizeBytes: number): void {
    const page = Math.floor(sizeBytes / PAGE_SIZE);
    const offset = sizeBytes % PAGE_SIZE;
    if (offset === 0 || !this.#isLive(page)) return;
    if (
      this.page(page)
        .subarray(offset)
        .every((byte) => byte === 0)
    )
      return;
    this.#hold(page);
    this.bytes.fill(0, sizeBytes, (page + 1) * PAGE_SIZE);
  }
}

/** The pages that bytes lie in. */
export const spanOf = (start: number, length: number): number[] => {
  const first = Math.floor(start / PAGE_SIZE);
  return length === 0
    ? []
    : Array.from({ length: pagesOf(start + length) - first }, (_, index) => first + index);
};
