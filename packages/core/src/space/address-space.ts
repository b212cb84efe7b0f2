/**
 * An address space: a page table and the mappings that say what it may hold.
 *
 * It owns its table, and through it a reference to every frame mapped. Pages come into being when they
 * are first touched (resolve.ts). A fork shares what there is copy on write; the first write to a shared page copies
 * it, unless the writer is its only owner.
 *
 *      in a mapping that is          a page that may be written has                      any other has
 *      private                       W (the frame is the space's alone) or COW           neither
 *      shared                        RO and W, or RO (find the object's page out first)  RO
 *
 * (RO is bit 9 of an entry, paging/pte.ts.) Seeds 003 and 004, without their defects.
 */
import {
  type FrameNumber,
  hex,
  HolsteinError,
  InvalidArgument,
  NO_FRAME,
  OutOfMemory,
  type PhysicalMemory,
  Usage,
  type VirtAddr,
  type Vpn,
} from '../frame/index.js';
import {
  type Access,
  CowExt,
  type FaultFailure,
  type FaultOutcome,
  FirstError,
  PTE_COW,
  PTE_READONLY_SHARED,
  PTE_RIGHTS,
  PTE_U,
  PTE_W,
  pteFrame,
  Sv39PageTable,
  type Undo,
  type Waiting,
} from '../paging/index.js';
import { type Backing, isObjects } from './backing.js';
import { checkWord } from './check-word.js';
import { FaultCounts } from './fault-counts.js';
import { forkEagerly, forkPages, forkTables } from './fork.js';
import { checkOnFork, mapInto, type MapOptions } from './map.js';
import { MappingList } from './mapping-list.js';
import {
  allows,
  formatMapping,
  formatRange,
  type Mapping,
  ON_FORK,
  type OnFork,
  type Protection,
  rightsOf,
} from './mapping.js';
import { pageRange } from './page-range.js';
import { allocateCopies, copyPinned, type PinnedMemory, pinIn, type Pins } from './pin.js';
import { remapIn, type RemapOptions } from './remap.js';
import { recordFault } from './record-fault.js';
import { mapUsed, resolveFault } from './resolve.js';
import { type AddressSpaceStatistics, spaceStatistics } from './statistics.js';
import type { VirtualMemory } from './virtual-memory.js';

/** How `fork` gives the child its memory: sharing page tables, page by page copy on write, or all copied at once. */
export type ForkKind = 'tables' | 'pages' | 'eager';

const FORKS: Readonly<Record<ForkKind, (parent: AddressSpace, child: AddressSpace) => void>> = {
  tables: forkTables,
  pages: forkPages,
  eager: forkEagerly,
};

/** Frames that a change of mappings usually wants: tables that are copied at either edge of a range. */
const FRAMES_WANTED = 8;

export class AddressSpace implements Disposable {
  readonly virtualMemory: VirtualMemory;
  readonly memory: PhysicalMemory;
  readonly table: Sv39PageTable;
  /** Counts from 1 over all spaces of the virtual memory: no two ever have the same. */
  readonly id: number;
  /** What shares this table's pages in a fork, and copies them when they are written. @internal */
  readonly copyOnWrite: CowExt<Sv39PageTable>;
  /** For the layer's own use. @internal */
  list: MappingList;
  /** Pages whose frame is not the space's own: the zero frame, or a memory object's. For the layer's own use. @internal */
  borrowed = { zeros: 0, ofObjects: 0 };
  /** Pages that must stay where they are. For the layer's own use. @internal */
  readonly pins: Pins = new Map();
  /** Made with the first fault: many children of forks never have one. For the layer's own use. @internal */
  faults: FaultCounts | undefined;
  readonly #closed: (space: AddressSpace) => void;

  /** Use `VirtualMemory.createSpace`. @internal */
  constructor(
    virtualMemory: VirtualMemory,
    id: number,
    list: MappingList,
    closed: (space: AddressSpace) => void,
  ) {
    this.virtualMemory = virtualMemory;
    this.list = list;
    this.memory = virtualMemory.memory;
    this.id = id;
    const { tlb, updates } = virtualMemory;
    const onSplit = (page: Vpn, level: number): void => {
      virtualMemory.counters.tablesCopied++;
      virtualMemory.log?.split(id, page, level);
    };
    this.table = new Sv39PageTable(this.memory, tlb, { updates, onSplit });
    // The virtual memory holds a reference to the zero frame, so nobody is ever its only owner.
    this.copyOnWrite = new CowExt(this.table, { zeroFrame: virtualMemory.zeroFrame });
    this.#closed = closed;
  }

  get mappings(): Iterable<Mapping> & Pick<MappingList, 'find' | 'covers'> {
    return this.list;
  }

  /** Pages that have a frame, shared or not, other than the zero frame. */
  get residentFrames(): number {
    return this.table.pagesMapped - this.borrowed.zeros;
  }

  /** Of these, the pages whose frame is no memory object's: what an eager fork copies. */
  get ownFrames(): number {
    return this.residentFrames - this.borrowed.ofObjects;
  }

  // ------------------------------------------------------------------ mappings

  /**
   * Maps anonymous memory, or a memory object. It takes frames as it is touched.
   * @returns where it begins.
   * @throws InvalidArgument for a range that is not whole pages below MAXVA, options that do not go together, or a space
   *   that is closed; HolsteinError EEXIST where it overlaps a mapping; EACCES where the capability lacks a right; EBADF,
   *   ESTALE where it is not open; ENOMEM where there is no room; OutOfMemory as `unmap`. Nothing has changed then.
   */
  map(options: MapOptions): VirtAddr {
    return this.#remapping((first) => {
      if (this.table.root === NO_FRAME) throw new InvalidArgument('cannot map: the space is closed');
      return mapInto(this, options, first);
    }).at;
  }

  /** A range that nothing can be done with but unmapping it: whoever runs into it faults. @throws as `map` */
  guard(options: Pick<MapOptions, 'at' | 'near' | 'lengthBytes' | 'overlap'>): VirtAddr {
    return this.map({ ...options, protection: '---', ceiling: '---', name: 'guard' });
  }

  /**
   * Unmaps a range, and drops its pages. What of it is not mapped is passed over.
   * @throws InvalidArgument; OutOfMemory where a superpage, or a table that forks share, on the range's edge can't be
   *   split. Nothing has changed then.
   */
  unmap(at: VirtAddr, lengthBytes: number): void {
    const [start, end] = pageRange(at, lengthBytes);
    this.#remapping((first) => ({ unused: this.put(start, end, [], first) }));
  }

  /**
   * Changes what a range grants. A page that becomes writable is written in place or copied as its count
   * says, at its next write.
   * @throws InvalidArgument; HolsteinError ENOMEM where part of the range is not mapped, EACCES where it is more than a
   *   mapping's ceiling, and OutOfMemory (ENOMEM as well) as `unmap`. Nothing has changed then.
   */
  protect(at: VirtAddr, lengthBytes: number, protection: Protection): void {
    const [start, end] = pageRange(at, lengthBytes);
    const rights = rightsOf(protection);
    this.#change(() => {
      this.#checkMapped(start, end, 'protect');
      for (const mapping of this.list.overlapping(start, end)) {
        if (allows(mapping.ceiling, protection)) continue;
        throw new HolsteinError(
          'EACCES',
          `${formatMapping(mapping)} cannot be made ${protection}: its ceiling is ${mapping.ceiling}`,
        );
      }
      this.table.cursor(start, end).protect((flags) => protectedFlags(flags, rights));
      this.list.change(start, end, { protection, rights });
    });
  }

  /**
   * Moves, grows or shrinks a range of mappings. Pages move with their frames: nothing is copied.
   * @returns where it begins now.
   * @throws InvalidArgument; HolsteinError ENOMEM where part of the range is not mapped, or no place is to be had; EEXIST
   *   where there is something already; OutOfMemory. Nothing has changed then.
   */
  remap(options: RemapOptions): VirtAddr {
    return this.#remapping((first) => remapIn(this, options, first)).at;
  }

  /** Says what the child of a fork has of a range. @throws InvalidArgument; HolsteinError ENOMEM where it is not all mapped. */
  onFork(at: VirtAddr, lengthBytes: number, onFork: OnFork): void {
    const [start, end] = pageRange(at, lengthBytes);
    checkWord('onFork', onFork, ON_FORK);
    this.#checkMapped(start, end, 'change');
    for (const part of this.list.partsIn(start, end)) {
      checkOnFork(onFork, part.backing === undefined, part.start, part.end);
    }
    this.list.change(start, end, { onFork });
  }

  // ------------------------------------------------------------------ pages

  /**
   * Gives every untouched page of a range of private anonymous memory a frame of its own now, rather than at its first
   * touch. Pages that have a frame keep it, shared or not.
   * @throws InvalidArgument; OutOfMemory, and then nothing has changed; HolsteinError ENOMEM where it is
   *   not all mapped; ENOTSUP where part of it shows an object, which has its own `commit`.
   */
  commit(at: VirtAddr, lengthBytes: number): void {
    const [start, end] = pageRange(at, lengthBytes);
    this.#change(() => {
      this.#checkMapped(start, end, 'commit');
      for (const mapping of this.list.overlapping(start, end)) {
        if (mapping.backing === undefined) continue;
        throw new HolsteinError(
          'ENOTSUP',
          `${formatMapping(mapping)} shows an object: commit that, or prefault this`,
        );
      }
      const missing = end - start - this.#pagesMapped(start, end);
      if (missing > this.memory.freeFrames) {
        throw new OutOfMemory(
          `${missing} pages at ${hex(at)} want more than ${this.memory.freeFrames} free frames`,
        );
      }
      this.#commitPages(start, end);
    });
  }

  #commitPages(start: Vpn, end: Vpn): void {
    const committed: Vpn[] = [];
    const shareAgain: Undo[] = [];
    try {
      for (let page = start; page < end; page++) {
        if (this.table.entry(page) !== 0) continue;
        const undo = this.table.own(page);
        if (undo !== undefined) shareAgain.push(undo);
        const frame = this.memory.allocate(Usage.Frame, { content: 'zeros' });
        mapUsed(this, page, frame, this.list.find(page)!.rights);
        committed.push(page);
      }
    } catch (error) {
      for (const page of committed) this.memory.release(pteFrame(this.table.unmap(page)));
      for (const undo of shareAgain.toReversed()) undo();
      throw error;
    }
  }

  /**
   * Makes the pages of a range ready for an access, as if each were accessed so, one after the other.
   * @returns what became of the first that is not ready; undefined where all are. @throws InvalidArgument
   */
  prefault(at: VirtAddr, lengthBytes: number, access: Access): FaultFailure | Waiting | undefined {
    const [start, end] = pageRange(at, lengthBytes);
    for (let page = start; page < end; page++) {
      const reached = this.reach(page, access);
      if (typeof reached === 'object') return reached;
    }
    return undefined;
  }

  /**
   * Drops what the space has of a range: anonymous private memory is zeros again, a private mapping shows its object's
   * pages again, and a shared one loses nothing.
   * @throws as `protect`, but for EACCES.
   */
  dontNeed(at: VirtAddr, lengthBytes: number): void {
    const [start, end] = pageRange(at, lengthBytes);
    this.#change(() => {
      this.#checkMapped(start, end, 'drop');
      this.table.isolate(start, end);
      this.dropPages(start, end);
    });
  }

  /**
   * Resolves a page fault, or says why it can't be. The one way by which pages come into being or become
   * writable: for the hart, and for the kernel's copies alike.
   */
  handleFault(page: Vpn, access: Access): FaultOutcome {
    const { log } = this.virtualMemory;
    const outcome =
      log === undefined ? resolveFault(this, page, access) : recordFault(this, log, page, access);
    (this.faults ??= new FaultCounts()).count(access, outcome);
    return outcome;
  }

  /**
   * The frame of a page that user mode may access so, its fault resolved where that was needed. The frame
   * may be used until the next change of the space, or of an object that it maps; for a write it is this space's alone,
   * or the object's that is shared.
   */
  reach(page: Vpn, access: Access): FrameNumber | FaultFailure | Waiting {
    const frame = this.table.translate(page, access);
    if (frame !== NO_FRAME) return frame;
    const outcome = this.handleFault(page, access);
    return outcome.kind === 'resolved' ? this.table.translate(page, access) : outcome;
  }

  /**
   * Pins a range of memory that may be written, for a device or for the host to use where it lies in RAM: until it is
   * closed its frames are those of its pages, whatever is written or forked.
   * @throws InvalidArgument; HolsteinError EFAULT where a page of it may not be written, EIO where a pager fails, EAGAIN
   *   where one answers later; OutOfMemory. Nothing is pinned then.
   */
  pin(at: VirtAddr, lengthBytes: number): PinnedMemory {
    return pinIn(this, at, lengthBytes);
  }

  /** How much memory the space has, and how it has faulted. Walks all spaces of the virtual memory, each table once. */
  statistics(): AddressSpaceStatistics {
    const faults = this.faults ?? new FaultCounts();
    return { ...spaceStatistics(this), faults: faults.byAccess() };
  }

  // ------------------------------------------------------------------ life

  /**
   * A child with the same mappings and, as far as anyone can see, a copy of all private memory. It is the
   * caller's to close.
   * @throws OutOfMemory, and then this space is as it was and no frame is lost.
   */
  fork(kind: ForkKind = 'tables'): AddressSpace {
    checkWord('fork', kind, Object.keys(FORKS));
    const child = this.#change(() => this.#fork(kind));
    this.virtualMemory.counters.forks++;
    this.virtualMemory.log?.forked(this.id, child.id, kind);
    return child;
  }

  #fork(kind: ForkKind): AddressSpace {
    const copies = allocateCopies(this);
    let child: AddressSpace | undefined;
    try {
      child = this.virtualMemory.addSpace(this.list.clone());
      for (const backing of child.list.backings) backing.spaces.add(child);
      FORKS[kind](this, child);
      child.borrowed = { ...this.borrowed };
      copyPinned(this, child, copies);
      if (this.list.hasUninherited) child.#dropUninherited();
      return child;
    } catch (error) {
      for (const copy of copies) this.memory.release(copy);
      child?.close();
      throw error;
    }
  }

  /**
   * Drops all memory. Closing twice does nothing.
   * @throws what the first destructor that failed threw; the space is closed all the same.
   */
  close(): void {
    if (this.table.root === NO_FRAME) return;
    const { list } = this;
    this.list = new MappingList();
    this.borrowed = { zeros: 0, ofObjects: 0 };
    this.#closed(this);
    const first = new FirstError();
    try {
      this.table.close();
    } catch (error) {
      first.note(error);
    }
    this.#leave(list.backings, first);
    this.virtualMemory.log?.closed(this.id);
    first.rethrow();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // ------------------------------------------------------------------ for the layer's own use

  /**
   * Puts mappings in the place of all that lies in a range, whose pages are dropped. `first` notes what is thrown by then.
   * @returns the backings that no mapping has any more, to be left when nothing is half done.
   * @throws OutOfMemory, and nothing has changed then. @internal
   */
  put(start: Vpn, end: Vpn, mappings: readonly Mapping[], first: FirstError): Backing[] {
    // The one step that may want memory.
    this.table.isolate(start, end);
    const unused = this.list.replace(start, end, mappings);
    this.enter(mappings);
    try {
      this.dropPages(start, end);
    } catch (error) {
      first.note(error);
    }
    return unused;
  }

  /** Drops the pages of a range on whose edges no table is shared. @internal */
  dropPages(start: Vpn, end: Vpn): void {
    if (this.borrowed.zeros + this.borrowed.ofObjects > 0) {
      for (const page of this.table.mappedPages(start, end)) this.countBorrowed(this.table.entry(page), -1);
    }
    this.table.cursor(start, end).unmap();
  }

  /** Counts an entry that is made, or about to be taken away, where its frame is not the space's own. @internal */
  countBorrowed(pte: number, change: 1 | -1): void {
    if (pteFrame(pte) === this.virtualMemory.zeroFrame) this.borrowed.zeros += change;
    else if (isObjects(this, pteFrame(pte))) this.borrowed.ofObjects += change;
  }

  /** Tells the backings of mappings that the space has them. @internal */
  enter(mappings: Iterable<Mapping>): void {
    for (const { backing } of mappings) backing?.spaces.add(this);
  }

  /** Takes what the child of a fork is not to have from it. */
  #dropUninherited(): void {
    for (const { start, end, onFork } of [...this.list]) {
      if (onFork === 'inherit') continue;
      this.table.isolate(start, end);
      // The parent has the backings still: they are not closed.
      if (onFork === 'omit') for (const backing of this.list.remove(start, end)) backing.spaces.delete(this);
      this.dropPages(start, end);
    }
  }

  /** Lets go of backings that no mapping has any more. `first` notes what is thrown. */
  #leave(backings: Iterable<Backing>, first: FirstError): void {
    for (const backing of backings) {
      backing.spaces.delete(this);
      if (backing.spaces.size > 0) continue;
      try {
        backing.close();
      } catch (error) {
        first.note(error);
      }
    }
  }

  /** Runs a change of mappings, and then lets go of what is not used any more: pagers hear of that. */
  #remapping<Result extends { readonly unused: Backing[] }>(work: (first: FirstError) => Result): Result {
    const first = new FirstError();
    const result = this.#change(() => work(first));
    this.#leave(result.unused, first);
    first.rethrow();
    return result;
  }

  /**
   * Runs a change of mappings and entries, while nothing is evicted; where memory runs out, once more when there is room.
   * @param work leaves all as it was where it throws, and looks at everything anew: pagers hear of evictions.
   */
  #change<Result>(work: () => Result): Result {
    const { objects } = this.virtualMemory;
    for (let frames = FRAMES_WANTED; ; frames *= 4) {
      let failure: OutOfMemory;
      objects.pauseEviction();
      try {
        return work();
      } catch (error) {
        if (!(error instanceof OutOfMemory)) throw error;
        failure = error;
      } finally {
        objects.resumeEviction();
      }
      // Pagers may take what room there is: that is not gone along with for ever.
      if (frames > this.memory.totalFrames || !objects.makeRoom(this.memory.freeFrames + frames))
        throw failure;
    }
  }

  #checkMapped(start: Vpn, end: Vpn, what: string): void {
    if (this.list.covers(start, end)) return;
    throw new HolsteinError('ENOMEM', `cannot ${what} ${formatRange(start, end)}: not all of it is mapped`);
  }

  #pagesMapped(start: Vpn, end: Vpn): number {
    let pages = 0;
    for (const _ of this.table.mappedPages(start, end)) pages++;
    return pages;
  }
}

/** The flags of an entry whose mapping has other rights from now on. */
const protectedFlags = (flags: number, rights: number): number => {
  const kept = flags & ~(PTE_RIGHTS | PTE_U | PTE_COW);
  const writable = (rights & PTE_W) !== 0;
  // What is shared finds out at the next write whether it may, and so does what has no W.
  if ((flags & PTE_READONLY_SHARED) !== 0 || !writable) return kept | (rights & ~PTE_W);
  return kept | (rights & ~PTE_W) | ((flags & PTE_W) === 0 ? PTE_COW : PTE_W);
};
