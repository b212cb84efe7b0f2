/**
 * Handles to one page, after seed 002:
 *
 *      Page<M>          a reference to a page whose usage, and so whose metadata, is known
 *      DynPage          a reference to a page of whatever usage
 *      UniquePage<M>    the only reference there is: its owner may write content and metadata
 *      BorrowedPage<M>  a look at a page through somebody's open handle, which counts for nothing
 *
 * They turn into each other; a conversion that does not fit gives the page back as it was.
 */
import { type FrameNumber, frameStart, PAGE_SIZE, type PhysAddr } from './address.js';
import { HolsteinError } from './errors.js';
import {
  type InitialMetadata,
  type Metadata,
  type MetadataType,
  metadataWords,
  readMetadata,
  writeMetadata,
} from './metadata-type.js';
import { frameAtAddress, PageHandle, takeRaw } from './page-handle.js';
import type { PhysicalMemory } from './physical-memory.js';
import type { AllocateOptions } from './range.js';
import { COUNT_UNIQUE } from './slot.js';

/** What may be asked of a new page, besides its metadata. */
export type PageOptions = Omit<AllocateOptions, 'metadata'>;

/** What a conversion gives: the page as wanted, or the one that was to be converted, unchanged. */
export type Converted<Wanted, Given> =
  { readonly ok: true; readonly page: Wanted } | { readonly ok: false; readonly page: Given };

export class DynPage extends PageHandle {
  /** For this layer's own use. @internal */
  static adopt(memory: PhysicalMemory, frame: FrameNumber): DynPage {
    return new DynPage(memory, frame);
  }

  /** A handle to a page in use, with a reference of its own. @throws FrameReferenceError as `PhysicalMemory.retain` */
  static to(memory: PhysicalMemory, frame: FrameNumber): DynPage {
    memory.retain(frame);
    memory.slots.addHandle(frame);
    return new DynPage(memory, frame);
  }

  /**
   * Restores a page from what `intoRaw` gave, once.
   * @throws InvalidArgument for an address that is no page's; FrameReferenceError (EINVAL) where the page
   *   is unused or has no raw reference.
   */
  static fromRaw(memory: PhysicalMemory, address: PhysAddr): DynPage {
    return new DynPage(memory, takeRaw(memory, address));
  }

  /** Another handle to the same page. @throws FrameReferenceError (EOVERFLOW) */
  clone(): DynPage {
    return new DynPage(this.memory, this.retainForHandle());
  }

  /** The page as one of a known type, if that is its usage. This handle is moved where it is. */
  into<M extends MetadataType>(type: M): Converted<Page<M>, DynPage> {
    if (this.usage !== type.usage) return { ok: false, page: this };
    return { ok: true, page: Page.adopt(this.memory, this.move(), type) };
  }
}

/** A handle to a page whose usage is known. */
abstract class TypedPageHandle<M extends MetadataType> extends PageHandle {
  readonly type: M;

  protected constructor(memory: PhysicalMemory, frame: FrameNumber, type: M) {
    super(memory, frame);
    this.type = type;
  }

  get metadata(): Metadata<M> {
    return readMetadata(this.memory.words, this.memory.slots, this.frame, this.type);
  }
}

export class Page<M extends MetadataType> extends TypedPageHandle<M> {
  /** For this layer's own use. @internal */
  static adopt<M extends MetadataType>(memory: PhysicalMemory, frame: FrameNumber, type: M): Page<M> {
    return new Page(memory, frame, type);
  }

  /**
   * A page of whatever frame is free. Its content is not cleared unless `options` say so.
   * @throws OutOfMemory where no frame is free, or only the reserve's and this is not for it; InvalidArgument for
   *   metadata that the usage does not have, or that a layer keeps.
   */
  static allocate<M extends MetadataType>(
    memory: PhysicalMemory,
    type: M,
    initial?: InitialMetadata<M>,
    options?: PageOptions,
  ): Page<M> {
    return UniquePage.allocate(memory, type, initial, options).share();
  }

  /**
   * The page of a very frame that is free, with its metadata: no one sees the page without.
   * @throws InvalidArgument for an address that is no allocatable page's; HolsteinError EBUSY where the
   *   page is in use; OutOfMemory where only the reserve is left, or a script says so. Nothing has changed then.
   */
  static fromUnused<M extends MetadataType>(
    memory: PhysicalMemory,
    address: PhysAddr,
    type: M,
    initial?: InitialMetadata<M>,
  ): Page<M> {
    const frame = frameAtAddress(memory, address);
    memory.allocateRange({ frames: 1, usage: type.usage, at: frame }, [metadataWords(type, initial)]);
    memory.slots.addHandle(frame);
    return new Page(memory, frame, type);
  }

  /** As `DynPage.fromRaw`, and the page must be of the type. */
  static fromRaw<M extends MetadataType>(memory: PhysicalMemory, address: PhysAddr, type: M): Page<M> {
    return new Page(memory, takeRaw(memory, address, type.usage), type);
  }

  /** Another handle to the same page. @throws FrameReferenceError (EOVERFLOW); HolsteinError EBADF, as all. */
  clone(): Page<M> {
    return new Page(this.memory, this.retainForHandle(), this.type);
  }

  /** The page as one of a usage that is not known; this handle is moved. @throws HolsteinError EBADF where it is not open. */
  intoDyn(): DynPage {
    return DynPage.adopt(this.memory, this.move());
  }

  /**
   * The page as its owner's alone, if this is the only reference to it: this handle is moved then.
   * @throws HolsteinError EBADF where it is not open.
   */
  intoUnique(): Converted<UniquePage<M>, Page<M>> {
    if (!this.memory.slots.exchangeCount(this.frame, 1, COUNT_UNIQUE)) return { ok: false, page: this };
    return { ok: true, page: UniquePage.adopt(this.memory, this.move(), this.type) };
  }

  /** A look at the page that lasts no longer than this handle. */
  borrow(): BorrowedPage<M> {
    void this.frame;
    return new BorrowedPage(this, this.memory);
  }
}

export class UniquePage<M extends MetadataType> extends TypedPageHandle<M> {
  /** For this layer's own use. @internal */
  static adopt<M extends MetadataType>(memory: PhysicalMemory, frame: FrameNumber, type: M): UniquePage<M> {
    return new UniquePage(memory, frame, type);
  }

  /** As `Page.allocate`. */
  static allocate<M extends MetadataType>(
    memory: PhysicalMemory,
    type: M,
    initial?: InitialMetadata<M>,
    options?: PageOptions,
  ): UniquePage<M> {
    const metadata = metadataWords(type, initial);
    const frame = memory.allocateUnique(type.usage, { ...options, metadata });
    memory.slots.addHandle(frame);
    return new UniquePage(memory, frame, type);
  }

  /** @throws InvalidArgument for what the usage does not have, or a layer keeps; nothing is set then. */
  setMetadata(changes: InitialMetadata<M>): void {
    writeMetadata(this.memory.words, this.memory.slots, this.frame, this.type, changes);
  }

  /** The page's content, to be read and written. Not to be kept beyond the handle. */
  get bytes(): Uint8Array {
    return this.memory.bytes.subarray(this.address, this.address + PAGE_SIZE);
  }

  /** The page as one that may have other references. */
  share(): Page<M> {
    this.memory.slots.exchangeCount(this.frame, COUNT_UNIQUE, 1);
    return Page.adopt(this.memory, this.move(), this.type);
  }

  override intoRaw(): PhysAddr {
    return this.share().intoRaw();
  }

  override close(): void {
    if (!this.isOpen) return;
    const { frame } = this;
    this.memory.slots.exchangeCount(frame, COUNT_UNIQUE, 1);
    try {
      super.close();
    } finally {
      // It was refused: the owner is still the only one.
      if (this.isOpen) this.memory.slots.exchangeCount(frame, 1, COUNT_UNIQUE);
    }
  }
}

export class BorrowedPage<M extends MetadataType> {
  readonly #lender: Page<M>;
  readonly #memory: PhysicalMemory;

  /** Use `Page.borrow`. @internal */
  constructor(lender: Page<M>, memory: PhysicalMemory) {
    this.#lender = lender;
    this.#memory = memory;
  }

  /** @throws HolsteinError EBADF where the lender's handle is not open any more. So do all others. */
  get frame(): FrameNumber {
    if (!this.#lender.isOpen)
      throw new HolsteinError('EBADF', 'the handle that the page was borrowed from is gone');
    return this.#lender.frame;
  }

  get address(): PhysAddr {
    return frameStart(this.frame);
  }

  get metadata(): Metadata<M> {
    void this.frame;
    return this.#lender.metadata;
  }

  /** A copy of the page's content. */
  read(): Uint8Array {
    return this.#memory.bytes.slice(this.address, this.address + PAGE_SIZE);
  }

  /** A handle that counts. */
  clone(): Page<M> {
    void this.frame;
    return this.#lender.clone();
  }
}
