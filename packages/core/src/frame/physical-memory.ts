/**
 * Physical memory: RAM, its frames, and who holds each.
 *
 * RAM is one `WebAssembly.Memory` made at its full size (the host commits it lazily). A physical
 * address is a byte offset into it.
 *
 *      0            reserved              meta                                    sizeBytes
 *      +------------+---------------------+---------------------------------------+
 *      | Reserved: the hart's files       | Meta: a slot  | allocatable frames    |
 *      +------------+---------------------+---------------------------------------+
 *
 * A frame is born by `allocate` with one reference, which its caller owns. `retain` adds one, `release`
 * drops one, and the last `release` frees the frame. These three are the inner loops' interface to the
 * counts in the slots (seed 002).
 */
import { OutOfMemory, FrameReferenceError, InvalidArgument } from './errors.js';
import {
  type FrameNumber,
  frameNumber,
  frameStart,
  hex,
  NO_FRAME,
  PAGE_SIZE,
  pagesIn,
  type PhysAddr,
  physAddr,
} from './address.js';
import {
  type AllocatableUsage,
  FLAG_WATCHED,
  SLOT_BYTES,
  SLOT_COUNT,
  SLOT_FLAGS,
  SLOT_METADATA,
  SLOT_NEXT_FREE,
  SLOT_USAGE,
  Usage,
  USAGE_COUNT,
  usageName,
  type UsageName,
} from './slot.js';

const WASM_PAGE_BYTES = 65536;
const MAX_COUNT = 0xffff_ffff;

/** The largest RAM: 4 GiB less one WebAssembly page, so that every physical address fits 32 bits. */
export const MAX_RAM_BYTES = 2 ** 32 - WASM_PAGE_BYTES;

export interface PhysicalMemoryOptions {
  /** Size of RAM in bytes: a multiple of 65,536, at most 4 GiB less 64 KiB. */
  readonly sizeBytes: number;
  /** Bytes at the bottom of RAM that are the hart's, rounded up to frames. At least one frame is kept. */
  readonly reservedBytes?: number;
}

/** Hears of changes to the frames that it watches. */
export interface FrameWatcher {
  /** Bytes `offset … offset + length - 1` of a watched frame have just been written. */
  frameWritten(frame: FrameNumber, offset: number, length: number): void;
  /** A watched frame is about to be freed, and is watched no more. */
  frameFreed(frame: FrameNumber): void;
}

/** Frames by usage, and the totals. All in frames. */
export interface FrameStatistics {
  readonly total: number;
  readonly allocatable: number;
  readonly free: number;
  readonly inUse: number;
  readonly byUsage: Readonly<Record<UsageName, number>>;
}

export class PhysicalMemory {
  /** RAM, as the hart's WebAssembly modules import it. */
  readonly memory: WebAssembly.Memory;
  /** All of RAM as bytes, as 32-bit words and as 64-bit words. RAM never grows, so the views stay good. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  readonly doublewords: BigUint64Array<ArrayBuffer>;
  readonly sizeBytes: number;
  readonly totalFrames: number;
  /** The first frame that `allocate` may give out; all below are Reserved or Meta. */
  readonly firstAllocatable: FrameNumber;

  /** Physical address of slot 0. */
  readonly #slots: PhysAddr;
  /** Frames at and above this one have never been given out. */
  #frontier: number;
  #freeHead: FrameNumber = NO_FRAME;
  #freeFrames: number;
  readonly #framesByUsage: number[] = Array.from({ length: USAGE_COUNT }, () => 0);
  #watcher: FrameWatcher | undefined;
  #allocationsUntilFailure = 0;

  /**
   * @throws InvalidArgument where the size is not a multiple of 64 KiB, too large, or leaves no frame
   *   to allocate; OutOfMemory where the host has no room for it.
   */
  constructor(options: PhysicalMemoryOptions) {
    const { sizeBytes, reservedBytes = 0 } = options;
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % WASM_PAGE_BYTES !== 0) {
      throw new InvalidArgument(`RAM of ${sizeBytes} bytes: its size must be a positive multiple of 64 KiB`);
    }
    if (sizeBytes > MAX_RAM_BYTES) {
      throw new InvalidArgument(`RAM of ${sizeBytes} bytes: at most 4 GiB less 64 KiB are possible`);
    }
    if (!Number.isSafeInteger(reservedBytes) || reservedBytes < 0) {
      throw new InvalidArgument(`${reservedBytes} reserved bytes: must be a whole number, not negative`);
    }
    const totalFrames = sizeBytes / PAGE_SIZE;
    const reservedFrames = Math.max(1, pagesIn(reservedBytes));
    const metaFrames = pagesIn(totalFrames * SLOT_BYTES);
    const firstAllocatable = reservedFrames + metaFrames;
    if (firstAllocatable >= totalFrames) {
      throw new InvalidArgument(
        `RAM of ${sizeBytes} bytes is too small: the hart and the frame table alone take ` +
          `${firstAllocatable * PAGE_SIZE} bytes`,
      );
    }
    try {
      const pages = sizeBytes / WASM_PAGE_BYTES;
      this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    } catch (cause) {
      throw new OutOfMemory(`the host has no ${sizeBytes} bytes of memory for RAM (${String(cause)})`);
    }
    const buffer = this.memory.buffer as ArrayBuffer;
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.doublewords = new BigUint64Array(buffer);
    this.sizeBytes = sizeBytes;
    this.totalFrames = totalFrames;
    this.#slots = physAddr(reservedFrames * PAGE_SIZE);
    this.firstAllocatable = frameNumber(firstAllocatable);
    this.#frontier = firstAllocatable;
    this.#freeFrames = totalFrames - firstAllocatable;
    this.#framesByUsage[Usage.Unused] = this.#freeFrames;
    for (let frame = 0; frame < firstAllocatable; frame++) {
      this.#publish(frameNumber(frame), frame < reservedFrames ? Usage.Reserved : Usage.Meta);
    }
  }

  /** Frames that `allocate` could give out now. */
  get freeFrames(): number {
    return this.#freeFrames;
  }

  /**
   * Takes a free frame, with one reference that the caller owns. Its content is whatever its last
   * owner left: `zero` it, or write all of it, before anyone else can see it.
   * @throws OutOfMemory where no frame is free.
   */
  allocate(usage: AllocatableUsage): FrameNumber {
    if (this.#allocationIsScriptedToFail() || this.#freeFrames === 0) {
      throw new OutOfMemory(
        `no free frame for usage ${usageName(usage)} (${this.#freeFrames} of ${this.totalFrames} frames free)`,
      );
    }
    let frame = this.#freeHead;
    if (frame !== NO_FRAME) {
      this.#freeHead = frameNumber(this.words[(this.#slot(frame) + SLOT_NEXT_FREE) >>> 2]!);
    } else {
      frame = frameNumber(this.#frontier++);
    }
    this.#freeFrames--;
    this.#framesByUsage[Usage.Unused]!--;
    this.#publish(frame, usage);
    return frame;
  }

  /**
   * Adds a reference to a frame in use.
   * @throws FrameReferenceError (EINVAL) where the frame is free or does not exist; (EOVERFLOW) where
   *   the count would pass 2^32 - 1.
   */
  retain(frame: FrameNumber): void {
    const index = this.#slot(frame) >>> 2;
    const count = this.words[index]!;
    if (count === 0) throw new FrameReferenceError('EINVAL', `retain of free frame ${hex(frame)}`);
    if (count === MAX_COUNT) {
      throw new FrameReferenceError('EOVERFLOW', `frame ${hex(frame)} has 2^32 - 1 references already`);
    }
    this.words[index] = count + 1;
  }

  /**
   * Drops a reference; the last one frees the frame.
   * @throws FrameReferenceError (EINVAL) where the frame is free already, was never given out, or is
   *   Reserved or Meta.
   */
  release(frame: FrameNumber): void {
    const slot = this.#slot(frame);
    const count = this.words[slot >>> 2]!;
    if (count === 0) throw new FrameReferenceError('EINVAL', `release of free frame ${hex(frame)}`);
    if (count > 1) {
      this.words[slot >>> 2] = count - 1;
      return;
    }
    this.#free(frame, slot);
  }

  /** References to a frame; 0 where it is free. */
  count(frame: FrameNumber): number {
    return this.words[this.#slot(frame) >>> 2]!;
  }

  usage(frame: FrameNumber): Usage {
    return this.bytes[this.#slot(frame) + SLOT_USAGE] as Usage;
  }

  /** Where the usage's own metadata of a frame lies: SLOT_METADATA_BYTES bytes, zero when it is allocated. */
  metadata(frame: FrameNumber): PhysAddr {
    return physAddr(this.#slot(frame) + SLOT_METADATA);
  }

  /** Fills a frame with zeros. */
  zero(frame: FrameNumber): void {
    // Asked first, for it refuses a frame that does not exist.
    const watched = this.isWatched(frame);
    const start = frameStart(frame);
    this.bytes.fill(0, start, start + PAGE_SIZE);
    if (watched) this.#watcher?.frameWritten(frame, 0, PAGE_SIZE);
  }

  /** Copies a whole frame. */
  copy(from: FrameNumber, to: FrameNumber): void {
    const watched = this.isWatched(to);
    const start = frameStart(this.#existing(from));
    this.bytes.copyWithin(frameStart(to), start, start + PAGE_SIZE);
    if (watched) this.#watcher?.frameWritten(to, 0, PAGE_SIZE);
  }

  /** Writes bytes into one frame, beginning at byte `offset` of it. They must end inside the frame. */
  write(frame: FrameNumber, offset: number, data: Uint8Array): void {
    const watched = this.isWatched(frame);
    if (!Number.isInteger(offset) || offset < 0 || offset + data.length > PAGE_SIZE) {
      throw new InvalidArgument(`${data.length} bytes at ${offset} do not fit a frame`);
    }
    this.bytes.set(data, frameStart(frame) + offset);
    if (watched) this.#watcher?.frameWritten(frame, offset, data.length);
  }

  /** Names the one watcher of this RAM (the hart, for frames whose code it has decoded). */
  setWatcher(watcher: FrameWatcher): void {
    this.#watcher = watcher;
  }

  watch(frame: FrameNumber): void {
    this.bytes[this.#slot(frame) + SLOT_FLAGS]! |= FLAG_WATCHED;
  }

  unwatch(frame: FrameNumber): void {
    this.bytes[this.#slot(frame) + SLOT_FLAGS]! &= ~FLAG_WATCHED;
  }

  isWatched(frame: FrameNumber): boolean {
    return (this.bytes[this.#slot(frame) + SLOT_FLAGS]! & FLAG_WATCHED) !== 0;
  }

  /**
   * Scripts a failure, for tests: the n-th allocation from now (1 is the next) throws OutOfMemory.
   * 0 takes the script back. It is spent when it has fired.
   */
  failAllocation(n: number): void {
    this.#allocationsUntilFailure = n;
  }

  statistics(): FrameStatistics {
    const byUsage = Object.fromEntries(
      this.#framesByUsage.map((frames, usage) => [usageName(usage as Usage), frames]),
    ) as Record<UsageName, number>;
    return {
      total: this.totalFrames,
      allocatable: this.totalFrames - this.firstAllocatable,
      free: this.#freeFrames,
      inUse: this.totalFrames - this.#freeFrames,
      byUsage,
    };
  }

  /**
   * Recounts the slots from scratch: usage is Unused if and only if the count is 0, the free list and
   * the frontier hold exactly the Unused frames, and the statistics agree.
   * @returns a line for each thing that is wrong; none where all is well.
   */
  audit(): string[] {
    const problems: string[] = [];
    const free = new Set<number>();
    for (let frame = this.#freeHead; frame !== NO_FRAME;) {
      if (free.has(frame)) {
        problems.push(`the free list runs in a circle at frame ${hex(frame)}`);
        break;
      }
      if (frame >= this.totalFrames) {
        problems.push(`the free list leads to ${hex(frame)}, which is no frame`);
        break;
      }
      free.add(frame);
      frame = frameNumber(this.words[(this.#slot(frame) + SLOT_NEXT_FREE) >>> 2]!);
    }
    for (let frame = this.#frontier; frame < this.totalFrames; frame++) free.add(frame);
    const byUsage = this.#framesByUsage.map(() => 0);
    for (let index = 0; index < this.totalFrames; index++) {
      const frame = frameNumber(index);
      const usage = this.usage(frame);
      const count = this.count(frame);
      byUsage[usage]!++;
      const state = `frame ${hex(frame)} (${usageName(usage)}, ${count} references)`;
      if ((usage === Usage.Unused) !== (count === 0)) problems.push(`${state}: usage and count disagree`);
      if ((usage === Usage.Unused) !== free.has(frame)) problems.push(`${state}: the free list disagrees`);
    }
    for (let usage = 0; usage < USAGE_COUNT; usage++) {
      if (byUsage[usage] !== this.#framesByUsage[usage]) {
        problems.push(
          `${byUsage[usage]} frames are ${usageName(usage as Usage)}, the statistics say ${this.#framesByUsage[usage]}`,
        );
      }
    }
    if (free.size !== this.#freeFrames) {
      problems.push(`${free.size} frames are free, the statistics say ${this.#freeFrames}`);
    }
    return problems;
  }

  /** Gives a frame its usage and first reference. The usage is written last: it publishes the rest. */
  #publish(frame: FrameNumber, usage: Usage): void {
    const slot = this.#slot(frame);
    this.words[(slot + SLOT_COUNT) >>> 2] = 1;
    this.bytes[slot + SLOT_FLAGS] = 0;
    this.bytes.fill(0, slot + SLOT_METADATA, slot + SLOT_BYTES);
    this.bytes[slot + SLOT_USAGE] = usage;
    this.#framesByUsage[usage]!++;
  }

  #free(frame: FrameNumber, slot: number): void {
    const usage = this.bytes[slot + SLOT_USAGE]! as Usage;
    if (usage === Usage.Reserved || usage === Usage.Meta) {
      throw new FrameReferenceError(
        'EINVAL',
        `release of frame ${hex(frame)}: ${usageName(usage)} is never freed`,
      );
    }
    if (this.isWatched(frame)) {
      this.unwatch(frame);
      this.#watcher?.frameFreed(frame);
    }
    this.words[slot >>> 2] = 0;
    this.bytes[slot + SLOT_USAGE] = Usage.Unused;
    this.words[(slot + SLOT_NEXT_FREE) >>> 2] = this.#freeHead;
    this.#freeHead = frame;
    this.#freeFrames++;
    this.#framesByUsage[Usage.Unused]!++;
    this.#framesByUsage[usage]!--;
  }

  #slot(frame: FrameNumber): number {
    return this.#slots + this.#existing(frame) * SLOT_BYTES;
  }

  #existing(frame: FrameNumber): FrameNumber {
    // A negative, fractional or too large number fails the one comparison.
    if (frame >>> 0 !== frame || frame >= this.totalFrames) {
      throw new FrameReferenceError('EINVAL', `there is no frame ${frame} (RAM has ${this.totalFrames})`);
    }
    return frame;
  }

  #allocationIsScriptedToFail(): boolean {
    if (this.#allocationsUntilFailure === 0) return false;
    this.#allocationsUntilFailure--;
    return this.#allocationsUntilFailure === 0;
  }
}
