/**
 * What the address spaces of one RAM share: the frames, the memory objects, the TLB, the zero frame, and the statistics.
 * It makes address spaces, knows which are alive, and recounts every reference that they hold.
 */
import {
  frameNumber,
  type FrameNumber,
  hex,
  InvalidArgument,
  PhysicalMemory,
  Usage,
  usageName,
} from '../frame/index.js';
import {
  FirstError,
  readShares,
  type Sv39Options,
  Tlb,
  TLB_BYTES,
  TLB_START,
  type UsedBitUpdates,
  writeShares,
} from '../paging/index.js';
import { type CloseOptions, MemoryObjects } from '../vmo/index.js';
import { AddressSpace } from './address-space.js';
import { auditSpace, ExpectedCounts } from './audit.js';
import type { EventLog } from './event-log.js';
import { FaultCounts } from './fault-counts.js';
import type { FaultName } from './fault.js';
import { MappingList } from './mapping-list.js';
import type { PinnedMemory } from './pin.js';

/** Counts since the virtual memory was made. Pages are 4096 bytes. */
export interface SpaceStatistics {
  readonly forks: number;
  /** Page tables that forks had left shared, and that were copied because something below them was to change. */
  readonly tablesCopied: number;
  /** Page faults, the kernel's own on behalf of a process included, by what became of them. */
  readonly faults: Readonly<Record<FaultName, number>>;
  /** Frames copied because a shared page was written. */
  readonly framesCopied: number;
  /** Frames that an eager fork would have copied, at the time of each fork. */
  readonly framesSharedByForks: number;
  /** Frames that the eager fork, where it was asked for, did copy. */
  readonly framesCopiedByForks: number;
}

export class VirtualMemory implements Disposable {
  readonly memory: PhysicalMemory;
  /** What its spaces can map: objects over the same RAM. They are closed with it. */
  readonly objects: MemoryObjects;
  readonly tlb: Tlb;
  readonly updates: UsedBitUpdates;
  /** A frame of zeros that every read of untouched anonymous memory shares. This object holds a reference. */
  readonly zeroFrame: FrameNumber;
  /** The address spaces that are not closed. */
  readonly spaces: ReadonlySet<AddressSpace>;

  /** Where memory events are recorded. Default: nowhere. It may be set and taken away at any time, and is its maker's. */
  log: EventLog | undefined;

  /** Memory that is pinned. For the layer's own use. @internal */
  readonly pinned = new Set<PinnedMemory>();
  /** Page faults of the spaces that are closed. */
  readonly #pastFaults = new FaultCounts();
  /** For the layer's own use. @internal */
  readonly counters = {
    forks: 0,
    /** Entries that forks have made one by one. */
    entriesSharedByForks: 0,
    tablesCopied: 0,
    framesSharedByForks: 0,
    framesCopiedByForks: 0,
  };
  readonly #spaces = new Set<AddressSpace>();
  #lastId = 0;
  #closed = false;

  /**
   * Makes RAM, a TLB and the virtual memory over them, for use without a hart.
   * @param options.memoryBytes a multiple of 64 KiB, the TLB's 140 KiB and the frame table included.
   * @throws InvalidArgument where RAM of that size is not possible; OutOfMemory where the host has none.
   */
  static create(options: { readonly memoryBytes: number }): VirtualMemory {
    const memory = new PhysicalMemory({
      sizeBytes: options.memoryBytes,
      reservedBytes: TLB_START + TLB_BYTES,
    });
    return new VirtualMemory(memory, new Tlb(memory));
  }

  /**
   * @param options.updates who sets A and D in entries: the hart's walk, as unless told, or this, after a fault.
   * @throws OutOfMemory where there is no frame for the zero frame.
   */
  constructor(memory: PhysicalMemory, tlb: Tlb, { updates = 'hardware' }: Sv39Options = {}) {
    this.memory = memory;
    this.updates = updates;
    this.tlb = tlb;
    this.spaces = this.#spaces;
    this.zeroFrame = memory.allocate(Usage.Kernel, { content: 'zeros' });
    this.objects = new MemoryObjects(memory);
  }

  /**
   * A new, empty address space. It is its maker's to close.
   * @throws OutOfMemory; InvalidArgument where the virtual memory is closed.
   */
  createSpace(): AddressSpace {
    return this.addSpace(new MappingList());
  }

  /** A new address space with a list of mappings, and no page. For the layer's own use. @internal */
  addSpace(list: MappingList): AddressSpace {
    if (this.#closed) throw new InvalidArgument('the virtual memory is closed');
    const space = new AddressSpace(this, this.#lastId + 1, list, (closed) => {
      this.#spaces.delete(closed);
      if (closed.faults !== undefined) this.#pastFaults.add(closed.faults);
    });
    this.#lastId++;
    this.#spaces.add(space);
    return space;
  }

  statistics(): SpaceStatistics {
    const { forks, tablesCopied, framesSharedByForks, framesCopiedByForks } = this.counters;
    const counts = new FaultCounts();
    counts.add(this.#pastFaults);
    for (const space of this.#spaces) if (space.faults !== undefined) counts.add(space.faults);
    const faults = counts.byName();
    return {
      forks,
      tablesCopied,
      framesSharedByForks,
      framesCopiedByForks,
      framesCopied: faults.copied,
      faults,
    };
  }

  /**
   * Checks DESIGN.md's invariants 1 to 6: recounts every frame's references from the page tables and the objects' page
   * lists, and compares entries with mappings and objects, and TLB lines with fresh walks.
   * @param holders frames that others hold, one item for each reference. Open handles and raw references
   *   count by themselves.
   * @returns a line for each thing that is wrong; none where all is well.
   */
  audit(holders: Iterable<FrameNumber> = []): string[] {
    const objects = this.objects.recount();
    const problems = [...this.memory.audit(), ...objects.problems];
    const expected = new ExpectedCounts(this.memory.totalFrames);
    const { references } = expected;
    for (let frame = 0; frame < references.length; frame++) references[frame] = objects.lists[frame]!;
    for (let frame = 0; frame < this.memory.firstAllocatable; frame++) references[frame]!++;
    if (!this.#closed) references[this.zeroFrame]!++;
    for (const frame of holders) references[frame]!++;
    for (const { frames } of this.pinned) for (const frame of frames) references[frame]!++;
    for (const space of this.#spaces) problems.push(...auditSpace(space, expected));
    for (let index = 0; index < this.memory.totalFrames; index++) {
      const frame = frameNumber(index);
      const count = this.memory.count(frame);
      const { slots } = this.memory;
      const found = references[index]! + (count === 0 ? 0 : slots.handles(frame) + slots.raw(frame));
      const what = (): string => `frame ${hex(index)} (${usageName(this.memory.usage(frame))}) counts`;
      if (count !== found) problems.push(`${what()} ${count} references, ${found} were found`);
      if (count === 0) continue;
      const [read, write] = [expected.readShares[index], expected.writeShares[index]];
      const [readCounted, writeCounted] = [readShares(this.memory, frame), writeShares(this.memory, frame)];
      if (readCounted === read && writeCounted === write) continue;
      problems.push(
        `${what()} ${readCounted} read and ${writeCounted} write shares, ${read} and ${write} were found`,
      );
    }
    return problems;
  }

  /**
   * Closes all memory objects and every space that is still open, and lets the zero frame go. Closing twice does nothing.
   * @throws HolsteinError EBUSY where changed pages of objects are not written back, and nothing has changed then; what
   *   the first destructor that failed threw, and then all is closed all the same.
   */
  close({ unwritten = 'refuse' }: CloseOptions = {}): void {
    if (this.#closed) return;
    this.objects.close({ unwritten });
    this.#closed = true;
    const first = new FirstError();
    for (const space of this.#spaces) {
      try {
        space.close();
      } catch (error) {
        first.note(error);
      }
    }
    try {
      this.memory.release(this.zeroFrame);
    } catch (error) {
      first.note(error);
    }
    first.rethrow();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
