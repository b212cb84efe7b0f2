/**
 * What a mapping shows: a memory object, from some page of it on. It is made by one call of `map` or `remap`, all parts
 * into which that mapping is cut have it, and so have the children of forks: page p of the object is page p + delta of
 * each of these spaces, or of none.
 *
 * It is the object's observer: when pages of the object change their frames it takes them away from all spaces at once.
 * Spaces that share tables have the same entries, so first every space is told, and then the entries are emptied.
 *
 *      made → closed     no mapping has it any more
 *      made → revoked    the capability that it came from was revoked: every access is refused from now on
 */
import { type FrameNumber, METADATA_LISTS, Usage, vpn, type Vpn } from '../frame/index.js';
import { pteFrame } from '../paging/index.js';
import type { MappedObject, MappingObserver } from '../vmo/index.js';
import type { AddressSpace } from './address-space.js';

/** Pages of an object: `first … end - 1`. */
export interface PageSpan {
  readonly first: number;
  readonly end: number;
}

export class Backing implements MappingObserver {
  readonly object: MappedObject;
  /** From a page of the object to the page of a space that shows it. */
  readonly delta: number;
  /** The spaces that have mappings with it. */
  readonly spaces = new Set<AddressSpace>();

  /** Pages of the object that mappings show, or have shown. */
  span: PageSpan;
  /** Whether those stay in memory once they are there, as long as this is open; and what ends that. */
  readonly #keeps: boolean;
  #letGo: (() => void) | undefined;

  /**
   * @param span pages of the object.
   * @param attach makes the hold on the object, which is closed with this.
   */
  constructor(
    delta: number,
    span: PageSpan,
    eviction: 'allowed' | 'refused',
    attach: (observer: MappingObserver) => MappedObject,
  ) {
    this.delta = delta;
    this.span = span;
    this.#keeps = eviction === 'refused';
    this.object = attach(this);
    this.#hold();
  }

  /** The page of the object that a page of a space shows. */
  objectPage(page: number): number {
    return page - this.delta;
  }

  /** The same object for pages that lie `pages` further up. */
  moved(pages: number): Backing {
    const eviction = this.#keeps ? 'refused' : 'allowed';
    // What is revoked stays so wherever it goes.
    return new Backing(this.delta + pages, this.span, eviction, (observer) =>
      this.object.isOpen ? this.object.another(observer) : this.object,
    );
  }

  /** A mapping of it goes on, up to a page of a space. */
  growTo(end: number): void {
    if (this.objectPage(end) <= this.span.end) return;
    this.#letGo?.();
    this.span = { first: this.span.first, end: this.objectPage(end) };
    this.#hold();
  }

  #hold(): void {
    const { first, end } = this.span;
    this.#letGo = this.#keeps && this.object.isOpen ? this.object.hold(first, end) : undefined;
  }

  /** Whoever maps the pages asks for them again; copies of their own stay. */
  pagesLost(first: number, pages: number): void {
    this.#takeAway(first, first + pages, isBorrowed);
  }

  /** The object has ended there: copies that spaces have of their own go too. */
  pagesCut(first: number, pages: number): void {
    this.#takeAway(first, first + pages, () => true);
  }

  revoked(): void {
    this.#letGo?.();
    this.#letGo = undefined;
    this.#takeAway(this.span.first, this.span.end, () => true);
  }

  /** Called when no mapping has it any more. @throws what giving the object's memory back threw. */
  close(): void {
    this.#letGo?.();
    this.#letGo = undefined;
    this.object.close();
  }

  #takeAway(first: number, end: number, picks: (space: AddressSpace, pte: number) => boolean): void {
    if (first >= this.span.end || end <= this.span.first) return;
    const start = vpn(Math.max(first, this.span.first) + this.delta);
    const last = vpn(Math.min(end, this.span.end) + this.delta);
    for (const space of this.spaces) {
      this.#eachPart(space, start, last, (from, to) => {
        space.table.disown(from, to, (pte) => {
          const isPicked = picks(space, pte);
          if (isPicked) space.countBorrowed(pte, -1);
          return isPicked;
        });
      });
    }
    for (const space of this.spaces) {
      this.#eachPart(space, start, last, (from, to) => {
        space.table.takeAway(from, to, (pte) => picks(space, pte));
      });
    }
  }

  #eachPart(space: AddressSpace, start: Vpn, end: Vpn, visit: (from: Vpn, to: Vpn) => void): void {
    for (const part of space.list.partsIn(start, end)) {
      if (part.backing === this) visit(part.start, part.end);
    }
  }
}

/** Whether an entry names a frame that is not the space's own: an object's, or the zero frame. */
export const isBorrowed = (space: AddressSpace, pte: number): boolean =>
  pteFrame(pte) === space.virtualMemory.zeroFrame || isObjects(space, pteFrame(pte));

/** Whether a frame is in the page list of some memory object. */
export const isObjects = ({ memory }: AddressSpace, frame: FrameNumber): boolean =>
  memory.usage(frame) === Usage.Frame && memory.words[(memory.metadata(frame) + METADATA_LISTS) >>> 2]! > 0;
