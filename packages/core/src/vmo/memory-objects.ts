/**
 * The memory objects of one RAM: it makes them, knows which there are, gives clean pages back when frames are short,
 * and recounts every reference that they hold.
 */
import {
  type FrameNumber,
  frameNumber,
  frameOf,
  HolsteinError,
  InvalidArgument,
  PAGE_SIZE,
  type PhysAddr,
  PhysicalMemory,
  Usage,
} from '../frame/index.js';
import { auditObjects, recountObjects } from './audit.js';
import { attribute, type Attribution } from './attribution.js';
import { type Capability, type CloseOptions, revokeAll } from './capability.js';
import { checkSize } from './child.js';
import { Evictor } from './evict.js';
import { MemoryObject, type ObjectCounters, type ObjectHome, type ObjectKind } from './memory-object.js';
import { PageSource, REQUEST_PAGES } from './page-source.js';
import type { Pager } from './pager.js';
import { DEFAULT_RIGHTS, type DefaultRight, type Right, rightBits } from './rights.js';
import { Vmo } from './vmo.js';

/** Where the frames of a contiguous object are to be. */
export interface Placement {
  /** The physical address of the first byte: of a frame. Default: wherever there is room. */
  readonly at?: PhysAddr;
  /** The first address is a multiple of this power of two, of bytes, 4096 or more. Default 4096. */
  readonly alignmentBytes?: number;
}

export interface VmoOptions<R extends Right = DefaultRight> {
  /** Bytes, 0 … 4 TiB. It takes frames as they are written. */
  readonly size: number;
  /** Whether the size can change. Default false. */
  readonly resizable?: boolean;
  /** What the capability is to have. Default: all but 'exec'. */
  readonly rights?: readonly R[];
  /** What fills its pages, and takes them back. Default: zeros. */
  readonly pager?: Pager;
  /**
   * Bytes, up to 1 MiB: where a page is missing, the pager is asked for so many from there on, as far as they are missing
   * too. For pagers whose every answer takes long. Default 0: what is wanted alone.
   */
  readonly readAheadBytes?: number;
  /** All its frames at once, in a row in RAM, for good. */
  readonly contiguous?: boolean | Placement;
  /** For a device that reads and writes it by physical addresses: contiguous, and said to be so. */
  readonly dma?: boolean;
  /** For reports and errors. Default: its kind and number. */
  readonly name?: string;
}

/** Counts since the memory objects were made, and what there is now. */
export interface ObjectStatistics extends Readonly<ObjectCounters> {
  readonly objects: number;
}

export class MemoryObjects implements Disposable, ObjectHome {
  readonly memory: PhysicalMemory;
  /** For the layer's own use. @internal */
  readonly counters: ObjectCounters = {
    snapshots: 0,
    pagesCopied: 0,
    pagesZeroed: 0,
    pagesSupplied: 0,
    pagesWrittenBack: 0,
    pagesEvicted: 0,
  };
  readonly #objects = new Map<number, MemoryObject>();
  /** Those of the objects that have a pager. */
  readonly #paged = new Set<MemoryObject>();
  /** Capabilities that were derived from no other. */
  readonly #roots = new Set<Capability>();
  readonly #reclaim: (frames: number) => number;
  /** What is asked to give changed pages back to their pagers where too few are clean. */
  readonly #cleaners = new Set<() => void>();
  /** How many ask for nothing to be evicted now. */
  #pausedEviction = 0;
  #lastId = 0;
  #closed = false;

  /**
   * Makes RAM, and memory objects over it.
   * @param options.memoryBytes a multiple of 64 KiB, up to 4 GiB less 64 KiB; the host commits it as it is used.
   * @throws InvalidArgument where RAM of that size is not possible; OutOfMemory where the host has none.
   */
  static create(options: { readonly memoryBytes: number; readonly checking?: 'off' | 'on' }): MemoryObjects {
    const { memoryBytes, checking = 'off' } = options;
    return new MemoryObjects(new PhysicalMemory({ sizeBytes: memoryBytes, checking }));
  }

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
    const evictor = new Evictor(this.#paged);
    this.#reclaim = (frames) => {
      if (this.#pausedEviction > 0) return 0;
      let evicted = evictor.evict(frames);
      if (evicted < frames && this.#cleaners.size > 0) {
        for (const clean of this.#cleaners) clean();
        evicted += evictor.evict(frames - evicted);
      }
      this.counters.pagesEvicted += evicted;
      return evicted;
    };
    memory.addReclaimer(this.#reclaim);
  }

  /**
   * Makes a memory object.
   * @returns the first capability to it, which is the caller's to close.
   * @throws InvalidArgument for a size that is not possible, or options that do not go together; where it is contiguous,
   *   OutOfMemory, and HolsteinError EBUSY where the chosen place is in use. Nothing has changed then.
   */
  create<R extends Right = DefaultRight>(options: VmoOptions<R>): Vmo<R> {
    if (this.#closed) throw new InvalidArgument('the memory objects are closed');
    const { size, pager, rights = DEFAULT_RIGHTS } = options;
    checkSize(size);
    const bits = rightBits(rights);
    const kind = kindOf(options);
    const readAhead = readAheadPages(options);
    const frames = kind === 'contiguous' || kind === 'dma' ? this.#allocateRow(options) : undefined;
    const object = new MemoryObject(this, { ...options, kind, sizeBytes: size });
    if (frames !== undefined) {
      for (let page = 0; page < object.sizePages; page++) object.install(page, frameNumber(frames + page), 0);
    }
    if (pager !== undefined) {
      object.source = new PageSource(object, pager, readAhead);
      this.#paged.add(object);
    }
    const reach = { object, window: object.open(0, Infinity), start: 0, sizeBytes: undefined };
    return new Vmo<R>(reach, bits, this.#roots);
  }

  #allocateRow({ size, contiguous }: VmoOptions<Right>): FrameNumber | undefined {
    if (size === 0) return undefined;
    const { at, alignmentBytes = PAGE_SIZE } = typeof contiguous === 'object' ? contiguous : {};
    if (at !== undefined && at % PAGE_SIZE !== 0) {
      throw new InvalidArgument(`an object at physical address ${at}: give a multiple of ${PAGE_SIZE}`);
    }
    return this.memory.allocateRange({
      frames: Math.ceil(size / PAGE_SIZE),
      usage: Usage.Frame,
      alignmentFrames: alignmentBytes / PAGE_SIZE,
      content: 'zeros',
      ...(at === undefined ? {} : { at: frameOf(at) }),
    });
  }

  /** For the layer's own use. @internal */
  enter(object: MemoryObject): number {
    const id = ++this.#lastId;
    this.#objects.set(id, object);
    return id;
  }

  /** For the layer's own use. @internal */
  leave(object: MemoryObject): void {
    this.#objects.delete(object.id);
    this.#paged.delete(object);
  }

  /** The objects that there are, hidden ones too, for the layer's own use. @internal */
  get all(): Iterable<MemoryObject> {
    return this.#objects.values();
  }

  /**
   * Has `clean` asked to write changed pages back where evicting clean ones gives too few frames. It must wait for nobody,
   * and leave alone what is in the middle of a change. For the core's own use. @internal
   */
  addCleaner(clean: () => void): void {
    this.#cleaners.add(clean);
  }

  /**
   * Evicts until so many frames are free, as far as there are pages that can be. Pagers hear of it, and may do anything.
   * @returns whether any was evicted. For the core's own use. @internal
   */
  makeRoom(frames: number): boolean {
    const wanted = frames - this.memory.freeFrames;
    return wanted > 0 && this.#paged.size > 0 && this.#reclaim(wanted) > 0;
  }

  /**
   * From here to `resumeEviction` no page is evicted and no pager called for that, for page tables are being changed that
   * it could change too. For the core's own use. @internal
   */
  pauseEviction(): void {
    this.#pausedEviction++;
  }

  /** For the core's own use. @internal */
  resumeEviction(): void {
    this.#pausedEviction--;
  }

  statistics(): ObjectStatistics {
    return { ...this.counters, objects: this.#objects.size };
  }

  /** Whose the frames are, object by object. The fractional bytes of all sum to the frames that objects have. */
  attribution(): readonly Attribution[] {
    return attribute(this.#objects.values());
  }

  /**
   * Recounts every node and frame from the objects' page lists, and checks what must hold of each object.
   * @param holders frames that others hold, one item for each reference. Open handles and raw references count by
   *   themselves.
   * @returns a line for each thing that is wrong; none where all is well.
   */
  audit(holders: Iterable<FrameNumber> = []): string[] {
    return auditObjects(this.memory, [...this.#objects.values()], holders);
  }

  /** As `audit`, of the objects alone; and by frame, how many references they hold. For the core's own use. @internal */
  recount(): { readonly problems: readonly string[]; readonly lists: Uint32Array } {
    return recountObjects(this.memory, [...this.#objects.values()]);
  }

  /**
   * Revokes every capability, which frees every object. Closing twice does nothing.
   * @throws HolsteinError EBUSY where changed pages are not written back; nothing has changed then.
   */
  close({ unwritten = 'refuse' }: CloseOptions = {}): void {
    if (this.#closed) return;
    revokeAll(this.#roots, unwritten);
    this.#closed = true;
    this.memory.removeReclaimer(this.#reclaim);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const kindOf = ({
  contiguous = false,
  dma = false,
  pager,
  resizable = false,
}: VmoOptions<Right>): ObjectKind => {
  const inRow = dma || contiguous !== false;
  if (inRow && resizable) throw new InvalidArgument('a contiguous object cannot be resized');
  if (inRow && pager !== undefined)
    throw new InvalidArgument('a contiguous object has all its pages: it takes no pager');
  if (dma) return 'dma';
  if (inRow) return 'contiguous';
  return pager === undefined ? 'anonymous' : 'paged';
};

const readAheadPages = ({ readAheadBytes = 0 }: VmoOptions<Right>): number => {
  const pages = Math.ceil(readAheadBytes / PAGE_SIZE);
  if (readAheadBytes >= 0 && pages <= REQUEST_PAGES) return pages;
  throw new InvalidArgument(`read ahead ${readAheadBytes} bytes: give 0 to ${REQUEST_PAGES * PAGE_SIZE}`);
};

/** @throws HolsteinError EBADF where the capability is closed or moved, ESTALE where it is revoked. */
export const openObject = (vmo: Capability): MemoryObject => {
  if (!vmo.isOpen)
    throw new HolsteinError(
      vmo.state === 'stale' ? 'ESTALE' : 'EBADF',
      `a capability to ${vmo.reach.object.name} is ${vmo.state}`,
    );
  return vmo.reach.object;
};
