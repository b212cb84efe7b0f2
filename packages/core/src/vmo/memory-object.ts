/**
 * A memory object: so many bytes, some of whose pages have frames (seed 001's `Vmo_`; Zircon's `VmObjectPaged`).
 * Capabilities (vmo.ts) are how users get at it; the object itself knows no rights.
 *
 * What a page is, is found in three places, the first that says something deciding:
 *
 *      1. the object's own page list
 *      2. its base: another object, as far as the object sees of it; that object's list, base, pager
 *      3. its pager, as far as that goes
 *      and where none does, zeros
 *
 * Only families with a pager have bases. A snapshot of anything else shares the page list and is done:
 *
 *      anonymous   A ── list ─┐                    paged   R ── list, pager
 *      snapshot    S ── list ─┴▶ the same nodes            S ── list (R's, shared), base R, frozen
 *                                                          W ── list (empty),       base R, live
 *
 * A live base shows what the base does; W is a 'snapshot-at-least-on-write'. A frozen one shows what it was when
 * the child was made: the pages that had frames then are in the child's own list, those that come later are
 * clean, so they are what the pager had; and just before one is first changed in R it is given to S.
 *
 * States:  open    some capability leads to it
 *          hidden  none does, but objects have it as their base: what they no longer see of it is freed
 *          gone    nothing does; all is freed
 */
import { type FrameNumber, METADATA_OWNER, PAGE_SIZE, pagesIn, type PhysicalMemory } from '../frame/index.js';
import { MAX_LIST_PAGES, PageList } from './page-list.js';
import { EMPTY, type PageSlot, SLOT_FRAME, SLOT_USED, slotFrame } from './page-slot.js';
import type { PageSource } from './page-source.js';
import { PageRanges } from './page-ranges.js';

/** The most bytes an object can have: 4 TiB. */
export const MAX_OBJECT_BYTES = MAX_LIST_PAGES * PAGE_SIZE;

export type ObjectKind =
  | 'anonymous'
  | 'contiguous'
  | 'dma'
  | 'paged'
  | 'snapshot'
  | 'snapshot-at-least-on-write'
  | 'snapshot-modified';

/** What an object sees of another, beneath its own pages. All in pages. */
export interface Base {
  readonly object: MemoryObject;
  /** The base's page that is the object's page 0. */
  readonly offset: number;
  /** Pages of the object from here on see nothing of the base. Never grows. */
  limit: number;
  /** Whether the object sees the base as it was when the object was made. */
  readonly frozen: boolean;
}

/** A part of an object that is reached, in pages. The whole of it has no end. */
export interface Window {
  readonly first: number;
  readonly end: number;
  /** What reaches it: capabilities of the same reach, one open view, or what a space has mapped. */
  readonly of: 'capabilities' | 'view' | 'mapping' | 'writable mapping';
  /** How many of them there are. */
  holders: number;
}

/** Hears that pages are not any more what they were: their frames may be freed as soon as it returns. Must not throw. */
export interface ObjectObserver {
  /** The pages that it wants to hear of: `first … end - 1`. Default: all. */
  readonly span?: { readonly first: number; readonly end: number };
  pagesLost(firstPage: number, pages: number): void;
  /** The object ends before these pages. They have been told of as lost. */
  pagesCut?(firstPage: number, pages: number): void;
}

/** What the objects of one RAM have in common (memory-objects.ts). */
export interface ObjectHome {
  readonly memory: PhysicalMemory;
  readonly counters: ObjectCounters;
  /** Makes the object known, and gives it its number. */
  enter(object: MemoryObject): number;
  leave(object: MemoryObject): void;
}

/** Counts since the memory objects were made. */
export interface ObjectCounters {
  snapshots: number;
  /** Pages copied because one of two owners wrote. */
  pagesCopied: number;
  /** Pages filled with zeros for a first write, or a commit. */
  pagesZeroed: number;
  /** Pages that pagers have filled. */
  pagesSupplied: number;
  pagesWrittenBack: number;
  pagesEvicted: number;
}

export interface ObjectOptions {
  readonly kind: ObjectKind;
  readonly sizeBytes: number;
  readonly resizable?: boolean | undefined;
  readonly name?: string | undefined;
}

/** What `content` answers where a pager has to be asked. */
export const MISSING = -1;

/** Where the page lies that `content` found missing. */
export const missing: { object: MemoryObject | undefined; page: number } = { object: undefined, page: 0 };

export class MemoryObject {
  readonly home: ObjectHome;
  readonly memory: PhysicalMemory;
  /** All of RAM: one step nearer than through `memory`, for reads of a few bytes. */
  readonly bytes: Uint8Array;
  readonly id: number;
  readonly kind: ObjectKind;
  readonly resizable: boolean;
  sizeBytes: number;
  pages: PageList;
  base: Base | undefined;
  source: PageSource | undefined;
  /** Objects whose base this is. */
  readonly views = new Set<MemoryObject>();
  readonly windows = new Set<Window>();
  /** Pages that must stay where they are, and be nobody else's. */
  readonly pins = new PageRanges();
  readonly observers = new Set<ObjectObserver>();
  /** Pages that an operation is about to use: they are not evicted meanwhile. */
  readonly held = new PageRanges();
  /** The object that this was made from, and those made from it, for reports. */
  parent: MemoryObject | undefined;
  readonly children = new Set<MemoryObject>();
  readonly #name: string | undefined;

  constructor(home: ObjectHome, options: ObjectOptions, pages = new PageList(home.memory)) {
    this.home = home;
    this.memory = home.memory;
    this.bytes = home.memory.bytes;
    this.kind = options.kind;
    this.sizeBytes = options.sizeBytes;
    this.resizable = options.resizable === true;
    this.pages = pages;
    this.id = home.enter(this);
    this.#name = options.name;
  }

  get name(): string {
    return this.#name ?? `${this.kind} ${this.id}`;
  }

  get sizePages(): number {
    return pagesIn(this.sizeBytes);
  }

  /** Whether no capability leads to it. */
  get isHidden(): boolean {
    return this.windows.size === 0;
  }

  /** Whether nothing leads to it: it has no pages any more, and must get none. */
  get isGone(): boolean {
    return this.windows.size === 0 && this.views.size === 0;
  }

  /** Whether every page is pinned for good: it is a device's. */
  get isPinned(): boolean {
    return this.kind === 'contiguous' || this.kind === 'dma';
  }

  /** The frame that holds what a page is; 0 where it is zeros without a frame; MISSING where a pager must be asked. */
  content(page: number): number {
    const slot = this.pages.get(page);
    return slot !== EMPTY && this.source === undefined ? slot & SLOT_FRAME : this.#look(page);
  }

  /** As `content`, wherever the page may be. */
  #look(page: number): number {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    let object: MemoryObject = this;
    let at = page;
    for (;;) {
      const slot = object.pages.get(at);
      if (slot !== EMPTY) {
        if (object.source !== undefined && (slot & SLOT_USED) === 0) object.pages.hint(at, slot | SLOT_USED);
        return slot & SLOT_FRAME;
      }
      const { base } = object;
      if (base === undefined) {
        if (object.source === undefined || !object.source.has(at)) return 0;
        missing.object = object;
        missing.page = at;
        return MISSING;
      }
      if (at >= base.limit) return 0;
      at += base.offset;
      object = base.object;
    }
  }

  /** Whether a page has a frame in the object's own list, be it shared or not. */
  isCommitted(page: number): boolean {
    return slotFrame(this.pages.get(page)) !== 0;
  }

  isPagePinned(page: number): boolean {
    return this.isPinned || this.pins.has(page);
  }

  /** Gives the object a frame for a page, in the place of what it had. Takes over the caller's reference. */
  install(page: number, frame: FrameNumber, marks: PageSlot): void {
    this.memory.words[(this.memory.metadata(frame) + METADATA_OWNER) >>> 2] = this.id;
    const before = this.pages.get(page);
    this.notifyLost(page, 1);
    this.pages.put(page, frame | marks);
    if (before === EMPTY) this.noteCovered(page, page + 1);
  }

  /** Tells whoever looks at pages of this object, or of one that sees them through it, that they change. */
  notifyLost(first: number, pages: number): void {
    if (this.observers.size === 0 && this.views.size === 0) return;
    for (const observer of this.observers) {
      const { span } = observer;
      if (span === undefined || (span.first < first + pages && span.end > first))
        observer.pagesLost(first, pages);
    }
    for (const view of this.views) {
      const { offset, limit } = view.base!;
      const start = Math.max(first - offset, 0);
      const end = Math.min(first + pages - offset, limit);
      if (start < end) view.notifyLost(start, end - start);
    }
  }

  /** Objects that see a page of this one as it was, and have no copy of it yet. */
  *frozenViewsLacking(page: number): Iterable<MemoryObject> {
    for (const view of this.views) {
      if (view.base!.frozen && view.#showsBeneath(page)) yield view;
    }
  }

  lacksOriginal(page: number): boolean {
    if (this.views.size === 0) return false;
    for (const view of this.views) {
      if (view.base!.frozen && view.#showsBeneath(page)) return true;
    }
    return false;
  }

  /**
   * Whether someone sees that page of its base through this object: it is within its sight, not covered by a page of
   * its own, and reached here.
   */
  #showsBeneath(basePage: number): boolean {
    const { offset, limit } = this.base!;
    const page = basePage - offset;
    return page >= 0 && page < limit && this.pages.get(page) === EMPTY && this.isReached(page);
  }

  /** Whether anyone can see a page of this object: a capability, or an object through its base. */
  isReached(page: number, except?: MemoryObject): boolean {
    for (const { first, end } of this.windows) {
      if (page >= first && page < end) return true;
    }
    for (const view of this.views) {
      if (view !== except && view.#showsBeneath(page)) return true;
    }
    return false;
  }

  /** Frees what the base holds for pages that this object does not show any more, if nobody else sees it. */
  noteCovered(first: number, end: number): void {
    const { base } = this;
    if (base === undefined || first >= base.limit) return;
    base.object.freeUnreached(base.offset + first, base.offset + Math.min(end, base.limit));
  }

  /** Frees the pages of a range that nobody can reach, here and beneath. */
  freeUnreached(first: number, end: number): void {
    if (this.isPinned || [...this.windows].some((window) => window.first <= first && window.end >= end))
      return;
    for (let page = this.pages.next(first, end); page !== -1; page = this.pages.next(page + 1, end)) {
      if (!this.isReached(page)) this.pages.remove(page, page + 1);
    }
    this.noteCovered(first, end);
  }

  /** Lets the object see no more of its base than `pages` pages. */
  limitBase(pages: number): void {
    const { base } = this;
    if (base === undefined || base.limit <= pages) return;
    const end = base.limit;
    base.limit = pages;
    base.object.freeUnreached(base.offset + pages, base.offset + end);
  }

  /** Opens a window, for one capability, or for a view. */
  open(first: number, end: number, of: Window['of'] = 'capabilities'): Window {
    const window = { first, end, of, holders: 1 };
    this.windows.add(window);
    return window;
  }

  /** Pins pages that are the object's own: they stay, whoever else lets go of the object. @returns what ends that. */
  pin(first: number, end: number): () => void {
    const pinned = this.pins.add(first, end);
    const window = this.open(first, end, 'view');
    return () => {
      this.pins.delete(pinned);
      this.letGo(window);
    };
  }

  /** Drops a hold. @throws what giving memory back threw; the hold is dropped all the same. */
  letGo(window: Window): void {
    window.holders--;
    if (window.holders > 0) return;
    this.windows.delete(window);
    this.#freeIfUnreached();
  }

  #freeIfUnreached(): void {
    if (this.isGone) this.#destroy();
    else this.freeUnreached(0, this.sizePages);
  }

  #destroy(): void {
    this.home.leave(this);
    for (const child of this.children) {
      child.parent = this.parent;
      this.parent?.children.add(child);
    }
    this.parent?.children.delete(this);
    this.source?.close();
    const { base } = this;
    try {
      this.pages.release();
    } finally {
      if (base !== undefined) {
        base.object.views.delete(this);
        base.object.#freeIfUnreached();
      }
    }
  }
}
