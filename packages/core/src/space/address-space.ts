/**
 * An address space: a page table and the mappings that say what it may hold.
 *
 * It owns its table, and through it a reference to every frame mapped. Pages come into being when they
 * are first touched: a read maps the shared zero frame, a write a frame of zeros. A fork shares frames
 * copy on write; the first write to a shared page copies it, unless the writer is its only owner.
 *
 * A page of a writable mapping has either W (the frame is this space's alone) or COW (find out at the
 * next write); a page of any other mapping has neither. Seeds 003 and 004, without their defects.
 */
import {
  type FrameNumber,
  hex,
  HolsteinError,
  InvalidArgument,
  NO_FRAME,
  OutOfMemory,
  PAGE_SIZE,
  type PhysicalMemory,
  Usage,
  type VirtAddr,
  type Vpn,
  vpn,
  vpnOf,
} from '../frame/index.js';
import {
  type Access,
  CowExt,
  type FaultFailure,
  type FaultOutcome,
  mapOwned,
  MAX_PAGES,
  MAXVA,
  OUT_OF_MEMORY,
  PROTECTION,
  PTE_A,
  PTE_COW,
  PTE_D,
  PTE_READONLY_SHARED,
  PTE_RIGHTS,
  PTE_U,
  PTE_W,
  pteFrame,
  REQUIRED_BITS,
  Sv39PageTable,
  type Undo,
  UNMAPPED,
  ZERO_FILLED,
  ZERO_MAPPED,
} from '../paging/index.js';
import { faultName } from './fault.js';
import { forkEagerly, forkPages, forkTables } from './fork.js';
import { formatRange, type Mapping, MappingList, type Protection, rightsOf } from './mapping.js';
import type { VirtualMemory } from './virtual-memory.js';

/** How `fork` gives the child its memory: sharing page tables, page by page copy on write, or all copied at once. */
export type ForkKind = 'tables' | 'pages' | 'eager';

const FORKS: Readonly<Record<ForkKind, (parent: AddressSpace, child: AddressSpace) => void>> = {
  tables: forkTables,
  pages: forkPages,
  eager: forkEagerly,
};

export interface MapOptions {
  /** Where: a multiple of 4096. */
  readonly at: VirtAddr;
  /** How much: a positive multiple of 4096 that ends at or below MAXVA. */
  readonly lengthBytes: number;
  readonly protection: Protection;
}

export class AddressSpace implements Disposable {
  readonly virtualMemory: VirtualMemory;
  readonly memory: PhysicalMemory;
  readonly table: Sv39PageTable;
  /** What shares this table's pages in a fork, and copies them when they are written. @internal */
  readonly copyOnWrite: CowExt<Sv39PageTable>;
  #mappings = new MappingList();
  /** Pages that are mapped to the zero frame. */
  #zeroPages = 0;
  readonly #closed: (space: AddressSpace) => void;

  /** Use `VirtualMemory.createSpace`. @internal */
  constructor(virtualMemory: VirtualMemory, closed: (space: AddressSpace) => void) {
    this.virtualMemory = virtualMemory;
    this.memory = virtualMemory.memory;
    this.table = new Sv39PageTable(this.memory, virtualMemory.tlb, { updates: virtualMemory.updates });
    // The virtual memory holds a reference to the zero frame, so nobody is ever its only owner.
    this.copyOnWrite = new CowExt(this.table, { zeroFrame: virtualMemory.zeroFrame });
    this.#closed = closed;
  }

  get mappings(): Iterable<Mapping> & Pick<MappingList, 'find' | 'covers'> {
    return this.#mappings;
  }

  /**
   * Maps anonymous private memory: zeros, until written.
   * @throws InvalidArgument for a range that is not whole pages below MAXVA, or a space that is closed;
   *   HolsteinError EEXIST where it overlaps a mapping.
   */
  map(options: MapOptions): void {
    const [start, end] = pageRange(options.at, options.lengthBytes);
    if (this.table.root === NO_FRAME)
      throw new InvalidArgument(`mapping ${hex(options.at)}: the space is closed`);
    this.#mappings.add(start, end, options.protection);
  }

  /** Pages that have a frame, shared or not, other than the zero frame. */
  get residentFrames(): number {
    return this.table.pagesMapped - this.#zeroPages;
  }

  /**
   * Unmaps a range, and drops its pages. What of it is not mapped is passed over.
   * @throws InvalidArgument; OutOfMemory where a superpage on the range's edge can't be split, and then
   *   nothing has changed.
   */
  unmap(at: VirtAddr, lengthBytes: number): void {
    const [start, end] = pageRange(at, lengthBytes);
    // The one step that may want memory.
    this.table.isolate(start, end);
    this.#mappings.remove(start, end);
    this.#zeroPages -= this.#zeroPagesIn(start, end);
    this.table.cursor(start, end).unmap();
  }

  /**
   * Changes what a range grants. A page that becomes writable is written in place or copied as its count
   * says, at its next write.
   * @throws InvalidArgument; HolsteinError ENOMEM where part of the range is not mapped, and OutOfMemory
   *   (ENOMEM as well) where a superpage on its edge can't be split. Nothing has changed then.
   */
  protect(at: VirtAddr, lengthBytes: number, protection: Protection): void {
    const [start, end] = pageRange(at, lengthBytes);
    const mappings = this.#mappings.clone();
    mappings.protect(start, end, protection);
    const rights = rightsOf(protection);
    this.table.cursor(start, end).protect((flags) => {
      const kept = flags & ~(PTE_RIGHTS | PTE_U | PTE_COW);
      return kept | (rights & ~PTE_W) | ((rights & PTE_W) === 0 ? 0 : writeMark(flags));
    });
    this.#mappings = mappings;
  }

  /**
   * Gives every untouched page of a mapped range a frame of its own now, rather than at its first touch.
   * Pages that have a frame keep it, shared or not.
   * @throws InvalidArgument; OutOfMemory, and then nothing has changed; HolsteinError ENOMEM where it is
   *   not all mapped.
   */
  commit(at: VirtAddr, lengthBytes: number): void {
    const [start, end] = pageRange(at, lengthBytes);
    if (!this.#mappings.covers(start, end)) {
      throw new HolsteinError('ENOMEM', `cannot commit ${formatRange(start, end)}: not all of it is mapped`);
    }
    const missing = end - start;
    if (missing > this.memory.freeFrames + this.#pagesMapped(start, end)) {
      throw new OutOfMemory(
        `${missing} pages at ${hex(at)} want more than ${this.memory.freeFrames} free frames`,
      );
    }
    const committed: Vpn[] = [];
    const shareAgain: Undo[] = [];
    try {
      for (let page = start; page < end; page++) {
        if (this.table.entry(page) !== 0) continue;
        const undo = this.table.own(page);
        if (undo !== undefined) shareAgain.push(undo);
        this.#mapZeros(page, this.#mappings.find(page)!);
        committed.push(page);
      }
    } catch (error) {
      for (const page of committed) this.memory.release(pteFrame(this.table.unmap(page)));
      for (const undo of shareAgain.toReversed()) undo();
      throw error;
    }
  }

  /**
   * Resolves a page fault, or says why it can't be. The one way by which pages come into being or become
   * writable: for the hart, and for the kernel's copies alike.
   */
  handleFault(page: Vpn, access: Access): FaultOutcome {
    const outcome = this.#resolve(page, access);
    this.virtualMemory.counters.faults[faultName(outcome)]++;
    return outcome;
  }

  /**
   * The frame of a page that user mode may access so, its fault resolved where that was needed. The frame
   * may be used until the next change of the space; for a write it is this space's alone.
   */
  reach(page: Vpn, access: Access): FrameNumber | FaultFailure {
    const frame = this.table.translate(page, access);
    if (frame !== NO_FRAME) return frame;
    const outcome = this.handleFault(page, access);
    return outcome.kind === 'resolved' ? this.table.translate(page, access) : outcome;
  }

  /**
   * A child with the same mappings and, as far as anyone can see, a copy of all memory. It is the
   * caller's to close.
   * @throws OutOfMemory, and then this space is as it was and no frame is lost.
   */
  fork(kind: ForkKind = 'tables'): AddressSpace {
    const child = this.virtualMemory.createSpace();
    child.#mappings = this.#mappings.clone();
    try {
      FORKS[kind](this, child);
      child.#zeroPages = this.#zeroPages;
    } catch (error) {
      child.close();
      throw error;
    }
    this.virtualMemory.counters.forks++;
    return child;
  }

  /**
   * Drops all memory. Closing twice does nothing.
   * @throws what the first destructor that failed threw; the space is closed all the same.
   */
  close(): void {
    this.#mappings = new MappingList();
    this.#zeroPages = 0;
    this.#closed(this);
    this.table.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #resolve(page: Vpn, access: Access): FaultOutcome {
    const mapping = page < MAX_PAGES ? this.#mappings.find(page) : undefined;
    if (mapping === undefined) return UNMAPPED;
    const required = REQUIRED_BITS[access] & (PTE_RIGHTS | PTE_U);
    if ((mapping.rights & required) !== required) return PROTECTION;
    const pte = this.table.entry(page);
    try {
      if (pte === 0) {
        if (access === 'write') this.#mapZeros(page, mapping);
        else this.#mapZeroFrame(page, mapping);
        return access === 'write' ? ZERO_FILLED : ZERO_MAPPED;
      }
      // An entry grants what its mapping does, but for the right to write (audit.ts).
      if (access !== 'write' && (pte & required) !== required) {
        throw new Error(`page ${hex(page)} grants less than its mapping`);
      }
      const outcome = this.copyOnWrite.handlePageFault(page, access);
      if (outcome === ZERO_FILLED) this.#zeroPages--;
      return outcome;
    } catch (error) {
      if (error instanceof OutOfMemory) return OUT_OF_MEMORY;
      throw error;
    }
  }

  #mapZeros(page: Vpn, mapping: Mapping): void {
    const frame = this.memory.allocate(Usage.Frame, { content: 'zeros' });
    this.#mapUsed(page, frame, mapping.rights);
  }

  #mapZeroFrame(page: Vpn, mapping: Mapping): void {
    this.memory.retain(this.virtualMemory.zeroFrame);
    const mark = (mapping.rights & PTE_W) === 0 ? 0 : PTE_COW;
    this.#mapUsed(page, this.virtualMemory.zeroFrame, (mapping.rights & ~PTE_W) | mark);
    this.#zeroPages++;
  }

  /** Maps a page that is about to be used, so that the access does not fault once more for want of A or D. */
  #mapUsed(page: Vpn, frame: FrameNumber, flags: number): void {
    mapOwned(this.table, page, frame, flags | PTE_A | ((flags & PTE_W) === 0 ? 0 : PTE_D));
  }

  #zeroPagesIn(start: Vpn, end: Vpn): number {
    if (this.#zeroPages === 0) return 0;
    let pages = 0;
    for (const page of this.table.mappedPages(start, end)) {
      if (pteFrame(this.table.entry(page)) === this.virtualMemory.zeroFrame) pages++;
    }
    return pages;
  }

  #pagesMapped(start: Vpn, end: Vpn): number {
    let pages = 0;
    for (const _ of this.table.mappedPages(start, end)) pages++;
    return pages;
  }
}

/** What of W, COW or neither a page has in a mapping that may be written. One that is readonly-shared is never written. */
const writeMark = (flags: number): number => {
  if ((flags & PTE_READONLY_SHARED) !== 0) return 0;
  return (flags & PTE_W) === 0 ? PTE_COW : PTE_W;
};

/** A byte range as pages: first, and one past the last. */
const pageRange = (at: VirtAddr, lengthBytes: number): readonly [start: Vpn, end: Vpn] => {
  const whole = Number.isSafeInteger(at) && Number.isSafeInteger(lengthBytes);
  if (!whole || at < 0 || lengthBytes <= 0 || at % PAGE_SIZE !== 0 || lengthBytes % PAGE_SIZE !== 0) {
    throw new InvalidArgument(
      `range of ${lengthBytes} bytes at ${at}: both must be multiples of ${PAGE_SIZE}, the length positive`,
    );
  }
  if (at + lengthBytes > MAXVA) {
    throw new InvalidArgument(
      `range of ${lengthBytes} bytes at ${hex(at)} ends beyond MAXVA (${hex(MAXVA)})`,
    );
  }
  return [vpnOf(at), vpn((at + lengthBytes) / PAGE_SIZE)];
};
