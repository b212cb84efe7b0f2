/**
 * Physical memory: RAM, its frames, and who holds each. RAM is one `WebAssembly.Memory` made at its full size (the host
 * commits it lazily). A physical address is a byte offset into it.
 *
 *      0            reserved              meta                                    sizeBytes
 *      +------------+---------------------+---------------------------------------+
 *      | Reserved: the hart's files       | Meta: header  | allocatable frames    |
 *      |                                  | and slots     |                       |
 *      +------------+---------------------+---------------------------------------+
 *
 * A frame is born by `allocate` with one reference, which its caller owns. `retain` adds one, `release`
 * drops one, and the last `release` runs the usage's destructor and frees the frame. These three are the
 * inner loops' interface to the counts in the slots (seed 002); `Page` and its kin are the safe one.
 *
 * Where RAM is shared, other threads make a PhysicalMemory of their own over it (`share`). Counts are
 * changed by compare-and-exchange, and the allocator's lists under a lock that is held for some hundred
 * nanoseconds.
 */
import {
  type FrameNumber,
  frameNumber,
  frameStart,
  hex,
  NO_FRAME,
  PAGE_SIZE,
  type PhysAddr,
} from './address.js';
import { auditFrames } from './audit.js';
import { BuddyAllocator } from './buddy-allocator.js';
import { FrameReferenceError, HolsteinError, InvalidArgument, OutOfMemory } from './errors.js';
import { type FrameDestructor, FrameHooks, type FrameReclaimer, type FrameWatcher } from './frame-hooks.js';
import { FrameSlots } from './frame-slots.js';
import { RawLedger } from './ledger.js';
import {
  HEADER_BY_USAGE,
  HEADER_BYTES,
  HEADER_FIRST,
  HEADER_LOCK,
  HEADER_MAGIC,
  HEADER_TOTAL,
  MAGIC,
} from './meta-header.js';
import { type PageCopy, pageCopyFor } from './page-copy.js';
import { checkPoison, poison } from './poison.js';
import {
  type AllocateOptions,
  type AllocationClass,
  checkRange,
  type RangeOptions,
  reserveOf,
} from './range.js';
import { layOut, makeRam, type RamOptions, type SharedRam } from './ram.js';
import { type FrameStatistics, readStatistics } from './statistics.js';
import {
  type AllocatableUsage,
  COUNT_UNIQUE,
  FLAG_POISONED,
  FLAG_WATCHED,
  STATE_USAGE_MASK,
  Usage,
  usageName,
} from './slot.js';

export interface PhysicalMemoryOptions extends RamOptions {
  /** RAM that another thread has made: its `share()`. The sizes must be the same. */
  readonly memory?: WebAssembly.Memory;
  /** Frames that ordinary allocations leave free, for those that may use the reserve. Default 0. */
  readonly reserveFrames?: number;
  /** Costly checks: freed frames are poisoned, raw references are kept in a ledger. Default 'off'. */
  readonly checking?: 'off' | 'on';
}

export class PhysicalMemory {
  /** RAM, as the hart's WebAssembly modules import it. */
  readonly memory: WebAssembly.Memory;
  /** All of RAM as bytes, words of 32 bits and of 64, and a DataView. RAM never grows, so they stay good. */
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly doublewords: BigUint64Array;
  readonly view: DataView;
  readonly sizeBytes: number;
  /** Whether other threads may use the same RAM. */
  readonly isShared: boolean;
  readonly totalFrames: number;
  /** The first frame that `allocate` may give out; all below are Reserved or Meta. */
  readonly firstAllocatable: FrameNumber;
  /** The counts and metadata, for this layer's own use. @internal */
  readonly slots: FrameSlots;
  /** Where raw references were made; undefined unless checking is on. */
  readonly ledger: RawLedger | undefined;

  readonly #options: PhysicalMemoryOptions;
  readonly #allocator: BuddyAllocator;
  /** Index in `words` of the Meta header. */
  readonly #header: number;
  readonly #checking: boolean;
  readonly #reserveFrames: number;
  readonly #hooks: FrameHooks;
  readonly #copyPage: PageCopy;
  #failWhen: (() => boolean) | undefined;

  /**
   * @throws InvalidArgument where the size is not a multiple of 64 KiB, too large, leaves no frame to
   *   allocate, or is not that of `memory`; OutOfMemory where the host has no room for it.
   */
  constructor(options: PhysicalMemoryOptions) {
    const { totalFrames, metaFrame, firstAllocatable } = layOut(options);
    this.memory = options.memory ?? makeRam(options);
    const { buffer } = this.memory;
    if (buffer.byteLength !== options.sizeBytes) {
      throw new InvalidArgument(`RAM has ${buffer.byteLength} bytes, not ${options.sizeBytes}`);
    }
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.doublewords = new BigUint64Array(buffer);
    this.view = new DataView(buffer);
    this.#copyPage = pageCopyFor(this.memory, this.bytes);
    this.sizeBytes = options.sizeBytes;
    this.totalFrames = totalFrames;
    this.firstAllocatable = firstAllocatable;
    this.#options = options;
    this.isShared = !(buffer instanceof ArrayBuffer);
    this.#checking = options.checking === 'on';
    this.#reserveFrames = reserveOf(options, totalFrames - firstAllocatable);
    this.ledger = this.#checking ? new RawLedger() : undefined;
    this.#header = (metaFrame * PAGE_SIZE) >>> 2;
    this.#hooks = new FrameHooks(this.words, this.#header);
    const slots = this.#header + (HEADER_BYTES >>> 2);
    this.slots = new FrameSlots({
      words: this.words,
      start: slots,
      frames: totalFrames,
      shared: this.isShared,
      hooks: this.#hooks,
    });
    this.#allocator = new BuddyAllocator({
      words: this.words,
      header: this.#header,
      slots,
      first: firstAllocatable,
      end: totalFrames,
    });
    if (options.memory === undefined) this.#boot(metaFrame);
    else this.#checkBooted();
  }

  /** What another thread's PhysicalMemory is made with. @throws InvalidArgument where RAM is not shared. */
  share(): SharedRam {
    if (!this.isShared) throw new InvalidArgument("RAM is not shared: make it with threads: 'shared'");
    const { sizeBytes, reservedBytes = 0, reserveFrames = 0, checking = 'off' } = this.#options;
    return { memory: this.memory, sizeBytes, reservedBytes, reserveFrames, checking };
  }

  /** Frames that are free, the reserve included. */
  get freeFrames(): number {
    return this.#allocator.freeFrames;
  }

  /**
   * Takes a free frame, with one reference that the caller owns. Its content is whatever its last
   * owner left: ask for zeros, or write all of it before anyone else can see it.
   * @throws OutOfMemory where no frame is free, or only the reserve's and this is not for it;
   *   FrameReferenceError (EINVAL, checking only) where the frame was written while it was free.
   */
  allocate(usage: AllocatableUsage, options?: AllocateOptions): FrameNumber {
    if (options !== undefined) return this.#allocateWith(usage, options, 1);
    const frame = this.#take(usage, 'ordinary');
    this.slots.publish(frame, usage);
    return frame;
  }

  /** Takes a free frame for a sole owner. @throws as `allocate`. */
  allocateUnique(usage: AllocatableUsage, options: AllocateOptions = {}): FrameNumber {
    return this.#allocateWith(usage, options, COUNT_UNIQUE);
  }

  #allocateWith(usage: AllocatableUsage, options: AllocateOptions, count: number): FrameNumber {
    const { metadata = [], content = 'any', allocationClass = 'ordinary' } = options;
    const frame = this.#take(usage, allocationClass);
    if (content === 'zeros') this.zero(frame);
    this.slots.publishWith(frame, usage, metadata, count);
    return frame;
  }

  #take(usage: AllocatableUsage, allocationClass: AllocationClass): FrameNumber {
    if (this.#failWhen !== undefined && this.#failWhen()) throw this.#outOfMemory(1, usage);
    let frame = this.#takeFree(usage, allocationClass);
    if (frame === NO_FRAME && this.#hooks.reclaim(1)) frame = this.#takeFree(usage, allocationClass);
    if (frame === NO_FRAME) throw this.#outOfMemory(1, usage);
    if (this.#checking) this.#checkUnwritten(frame, 1, usage);
    return frame;
  }

  #takeFree(usage: AllocatableUsage, allocationClass: AllocationClass): FrameNumber {
    if (this.isShared) this.#lock();
    const frame =
      this.#allocator.freeFrames > this.#kept(allocationClass) ? this.#allocator.take() : NO_FRAME;
    if (frame !== NO_FRAME) this.#countUsage(usage, 1);
    if (this.isShared) this.#unlock();
    return frame;
  }

  /**
   * Takes frames in a row, each with one reference that the caller owns.
   * @param metadata each frame's words, there before anyone can see the frame. Default: zeros.
   * @returns the first.
   * @throws OutOfMemory where no free block (2^n frames, so aligned) holds so many, or only the reserve does;
   *   HolsteinError EBUSY where one at the chosen place is in use; InvalidArgument for numbers that make no
   *   sense; FrameReferenceError as `allocate`. Nothing has changed then.
   */
  allocateRange(options: RangeOptions, metadata?: readonly (readonly number[])[]): FrameNumber {
    const { frames, usage, alignmentFrames = 1, at, content = 'any', allocationClass = 'ordinary' } = options;
    checkRange(options, this.firstAllocatable, this.totalFrames);
    if (this.#failWhen !== undefined && this.#failWhen()) throw this.#outOfMemory(frames, usage);
    if (this.isShared) this.#lock();
    const enough = this.#allocator.freeFrames - frames >= this.#kept(allocationClass);
    let first = NO_FRAME;
    let busy = false;
    if (at === undefined) {
      if (enough) first = this.#takeBlock(frames, alignmentFrames);
    } else if (!this.#allocator.takeRange(at, frames)) {
      busy = true;
    } else if (enough) {
      first = at;
    } else {
      this.#allocator.giveRange(at, frames);
    }
    if (first !== NO_FRAME) this.#countUsage(usage, frames);
    if (this.isShared) this.#unlock();
    if (busy)
      throw new HolsteinError('EBUSY', `of the ${frames} frames from ${hex(at!)} on, not all are free`);
    if (first === NO_FRAME) throw this.#outOfMemory(frames, usage);
    if (this.#checking) this.#checkUnwritten(first, frames, usage);
    for (let index = 0; index < frames; index++) {
      const frame = frameNumber(first + index);
      if (content === 'zeros') this.zero(frame);
      this.slots.publishWith(frame, usage, metadata?.[index] ?? []);
    }
    return first;
  }

  /**
   * Adds a reference to a frame in use.
   * @throws FrameReferenceError (EINVAL) where the frame is free or does not exist; (EBUSY) where it has a
   *   unique owner; (EOVERFLOW) where it has 2^32 - 2 references. Nothing has changed then.
   */
  retain(frame: FrameNumber): void {
    this.slots.retain(frame);
  }

  /**
   * Drops a reference; the last one runs the usage's destructor and frees the frame.
   * @throws FrameReferenceError (EINVAL) where the frame is free already, was never given out, or is
   *   Reserved or Meta, or where every reference is a handle's or a raw one (checking only); (EBUSY) where it has
   *   a unique owner, or this thread may not drop the last reference (`setDestructor`). Nothing has changed then.
   */
  release(frame: FrameNumber): void {
    if (frame < this.firstAllocatable && this.slots.rawCount(frame) === 1) {
      throw new FrameReferenceError(
        'EINVAL',
        `release of frame ${hex(frame)}: ${usageName(this.usage(frame))} is never freed`,
      );
    }
    if (this.#checking && this.slots.allAccountedFor(frame)) {
      throw new FrameReferenceError(
        'EINVAL',
        `release of frame ${hex(frame)}, whose references are all handles' or raw: close or restore those`,
      );
    }
    if (this.slots.release(frame)) this.free(frame);
  }

  /** References to a frame; 0 where it is free. */
  count(frame: FrameNumber): number {
    const count = this.slots.rawCount(frame);
    return count === COUNT_UNIQUE ? 1 : count;
  }

  usage(frame: FrameNumber): Usage {
    return this.slots.usage(frame);
  }

  /** Where the usage's own metadata of a frame lies: SLOT_METADATA_BYTES bytes, zero when it is allocated. */
  metadata(frame: FrameNumber): PhysAddr {
    return this.slots.metadata(frame);
  }

  /**
   * Names what is to be done when the last reference to a frame of a usage is dropped, before the frame is
   * free: its content and metadata are still there. It runs once a frame, in the thread that drops. Once a
   * thread that shares RAM has named one, every thread that may drop a last reference to such a frame must name
   * its own: one without is refused that drop (FrameReferenceError EBUSY), and the reference stays.
   */
  setDestructor(usage: AllocatableUsage, destructor: FrameDestructor): void {
    this.#hooks.setDestructor(usage, destructor);
  }

  /** Fills a frame with zeros. */
  zero(frame: FrameNumber): void {
    // Asked first, for it refuses a frame that does not exist.
    const watched = this.isWatched(frame);
    this.bytes.fill(0, frameStart(frame), frameStart(frame) + PAGE_SIZE);
    if (watched) this.#hooks.watcher?.frameWritten(frame, 0, PAGE_SIZE);
  }

  /** Copies a whole frame. */
  copy(from: FrameNumber, to: FrameNumber): void {
    this.slots.state(from);
    const watched = this.isWatched(to);
    this.#copyPage(frameStart(to), frameStart(from));
    if (watched) this.#hooks.watcher?.frameWritten(to, 0, PAGE_SIZE);
  }

  /** Writes bytes into one frame, beginning at byte `offset` of it. They must end inside the frame. */
  write(frame: FrameNumber, offset: number, data: Uint8Array): void {
    const watched = this.isWatched(frame);
    if (!Number.isInteger(offset) || offset < 0 || offset + data.length > PAGE_SIZE) {
      throw new InvalidArgument(`${data.length} bytes at ${offset} do not fit a frame`);
    }
    this.bytes.set(data, frameStart(frame) + offset);
    if (watched) this.#hooks.watcher?.frameWritten(frame, offset, data.length);
  }

  /**
   * Names this thread's one watcher (the hart, for frames whose code it has decoded). A thread that shares RAM and
   * has none is refused the last drop of a watched frame, as `setDestructor` says. It hears of this thread's
   * writes only.
   */
  setWatcher(watcher: FrameWatcher): void {
    this.#hooks.watcher = watcher;
  }

  /** Names one who gives frames back when `allocate` finds none free. `allocateRange` does not ask. */
  addReclaimer(reclaimer: FrameReclaimer): void {
    this.#hooks.reclaimers.add(reclaimer);
  }

  removeReclaimer(reclaimer: FrameReclaimer): void {
    this.#hooks.reclaimers.delete(reclaimer);
  }

  /** @throws FrameReferenceError (EINVAL) where the frame is free: its flags are the allocator's. */
  watch(frame: FrameNumber): void {
    if (this.usage(frame) === Usage.Unused) {
      throw new FrameReferenceError('EINVAL', `frame ${hex(frame)} is free: it cannot be watched`);
    }
    this.slots.setFlag(frame, FLAG_WATCHED);
  }

  unwatch(frame: FrameNumber): void {
    this.slots.clearFlag(frame, FLAG_WATCHED);
  }

  isWatched(frame: FrameNumber): boolean {
    return (this.slots.state(frame) & FLAG_WATCHED) !== 0;
  }

  /**
   * Scripts a failure, for tests: the n-th allocation from now (1 is the next) throws OutOfMemory.
   * 0 takes the script back. It is spent when it has fired.
   * @throws InvalidArgument where n is negative or not whole.
   */
  failAllocation(n: number): void {
    if (!Number.isSafeInteger(n) || n < 0) {
      throw new InvalidArgument(`allocation ${n} cannot be failed: give a whole number, 0 or more`);
    }
    let left = n;
    this.failAllocationsWhen(n === 0 ? undefined : () => --left === 0);
  }

  /** Scripts failures by whatever `decide` answers, asked at each allocation; undefined takes the script back. */
  failAllocationsWhen(decide: (() => boolean) | undefined): void {
    this.#failWhen = decide;
  }

  statistics(): FrameStatistics {
    return readStatistics(this.words, this.#header, this.#allocator);
  }

  /**
   * Recounts the slots from scratch: usage is Unused if and only if the count is 0, the free lists hold
   * exactly the Unused frames, and the statistics agree. No other thread may be at work.
   * @returns a line for each thing that is wrong; none where all is well.
   */
  audit(): string[] {
    const free = new Set<number>();
    const problems = this.#allocator.audit((frame) => free.size === free.add(frame).size);
    return [...problems, ...auditFrames(this, free)];
  }

  #boot(metaFrame: number): void {
    this.words[this.#header + HEADER_TOTAL] = this.totalFrames;
    this.words[this.#header + HEADER_FIRST] = this.firstAllocatable;
    for (let frame = 0; frame < this.firstAllocatable; frame++) {
      this.slots.publish(frameNumber(frame), frame < metaFrame ? Usage.Reserved : Usage.Meta);
    }
    this.words[this.#header + HEADER_BY_USAGE + Usage.Reserved] = metaFrame;
    this.words[this.#header + HEADER_BY_USAGE + Usage.Meta] = this.firstAllocatable - metaFrame;
    this.#allocator.initialize();
    this.words[this.#header + HEADER_MAGIC] = MAGIC;
  }

  #checkBooted(): void {
    const booted =
      this.words[this.#header + HEADER_MAGIC] === MAGIC &&
      this.words[this.#header + HEADER_TOTAL] === this.totalFrames &&
      this.words[this.#header + HEADER_FIRST] === this.firstAllocatable;
    if (!booted) throw new InvalidArgument('that memory is not RAM of this layout: use what share() gives');
  }

  /** Frees a frame whose last reference is gone, for this layer's own use. @internal */
  free(frame: FrameNumber): void {
    const state = this.slots.state(frame);
    const usage = (state & STATE_USAGE_MASK) as Usage;
    const destructor = this.#hooks.destructor(usage);
    if (destructor === undefined && (state & FLAG_WATCHED) === 0) {
      this.#giveBack(frame, usage);
      return;
    }
    try {
      destructor?.(frame);
    } finally {
      try {
        this.#endWatch(frame);
      } finally {
        this.#giveBack(frame, usage);
      }
    }
  }

  #endWatch(frame: FrameNumber): void {
    if (!this.isWatched(frame)) return;
    this.unwatch(frame);
    this.#hooks.watcher?.frameFreed(frame);
  }

  #giveBack(frame: FrameNumber, usage: Usage): void {
    if (this.#checking) {
      poison(this.words, frame);
      this.slots.setFlag(frame, FLAG_POISONED);
    }
    if (this.isShared) this.#lock();
    this.#countUsage(usage, -1);
    this.#allocator.give(frame);
    if (this.isShared) this.#unlock();
  }

  /** Free frames that an allocation must leave. */
  #kept(allocationClass: AllocationClass): number {
    return allocationClass === 'ordinary' ? this.#reserveFrames : 0;
  }

  /** Takes the first frames of a block that is large and aligned enough, and gives back the rest. */
  #takeBlock(frames: number, alignmentFrames: number): FrameNumber {
    const order = 32 - Math.clz32(Math.max(frames, alignmentFrames) - 1);
    const first = this.#allocator.takeBlock(order);
    if (first !== NO_FRAME) this.#allocator.giveRange(first + frames, 2 ** order - frames);
    return first;
  }

  /** Gives frames that were written while they were free back, and says so. */
  #checkUnwritten(first: FrameNumber, frames: number, usage: Usage): void {
    let damage: string | undefined;
    for (let index = first; index < first + frames && damage === undefined; index++) {
      const frame = frameNumber(index);
      if ((this.slots.state(frame) & FLAG_POISONED) === 0) continue;
      damage = checkPoison(this.words, frame);
      // It is said once; frames not looked at keep their poison, and are checked when they are next taken.
      if (damage !== undefined) this.slots.clearFlag(frame, FLAG_POISONED);
    }
    if (damage === undefined) return;
    if (this.isShared) this.#lock();
    this.#countUsage(usage, -frames);
    this.#allocator.giveRange(first, frames);
    if (this.isShared) this.#unlock();
    throw new FrameReferenceError('EINVAL', damage);
  }

  #countUsage(usage: Usage, change: number): void {
    this.words[this.#header + HEADER_BY_USAGE + usage]! += change;
  }

  #outOfMemory(frames: number, usage: Usage): OutOfMemory {
    const wanted = frames === 1 ? 'no free frame' : `no ${frames} free frames in a row`;
    return new OutOfMemory(
      `${wanted} for usage ${usageName(usage)} (${this.freeFrames} of ${this.totalFrames} frames free)`,
    );
  }

  /** What it guards takes well under a microsecond, and never throws: it is not worth a sleep. */
  #lock(): void {
    while (Atomics.compareExchange(this.words, this.#header + HEADER_LOCK, 0, 1) !== 0);
  }

  #unlock(): void {
    Atomics.store(this.words, this.#header + HEADER_LOCK, 0);
  }
}
