/**
 * A segment: pages in a row in physical memory, with a reference to each. It may be cut into segments,
 * which share nothing, or sliced, which adds references; its pages outlive it where somebody has handles
 * to them.
 */
import { type FrameNumber, frameNumber, frameStart, hex, PAGE_SIZE, type PhysAddr } from './address.js';
import { HolsteinError, InvalidArgument } from './errors.js';
import { type InitialMetadata, type MetadataType, metadataWords } from './metadata-type.js';
import { Page } from './page.js';
import type { PhysicalMemory } from './physical-memory.js';
import { checkRange, type RangeOptions } from './range.js';

export type SegmentOptions = Omit<RangeOptions, 'usage'>;

export class Segment<M extends MetadataType> implements Disposable {
  readonly type: M;
  readonly #memory: PhysicalMemory;
  readonly #first: FrameNumber;
  readonly #frames: number;
  #open = true;
  /** Of a closed segment: pages whose references could not be dropped. */
  #refused: FrameNumber[] = [];

  /** Takes over a reference to each frame, accounted for as open handles. */
  private constructor(memory: PhysicalMemory, first: FrameNumber, frames: number, type: M) {
    this.#memory = memory;
    this.#first = first;
    this.#frames = frames;
    this.type = type;
  }

  /**
   * Allocates pages in a row.
   * @param metadataOf each page's metadata, by its place in the segment.
   * @throws as `PhysicalMemory.allocateRange`, and InvalidArgument for metadata that the usage does not have.
   */
  static allocate<M extends MetadataType>(
    memory: PhysicalMemory,
    type: M,
    options: SegmentOptions,
    metadataOf?: (index: number) => InitialMetadata<M>,
  ): Segment<M> {
    const range = { ...options, usage: type.usage };
    checkRange(range, memory.firstAllocatable, memory.totalFrames);
    const words = Array.from({ length: options.frames }, (_, index) =>
      metadataWords(type, metadataOf?.(index)),
    );
    const first = memory.allocateRange(range, words);
    for (const index of words.keys()) memory.slots.addHandle(frameNumber(first + index));
    return new Segment(memory, first, options.frames, type);
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** @throws HolsteinError EBADF where the segment is closed or was split. So do all others. */
  get address(): PhysAddr {
    this.#checkOpen();
    return frameStart(this.#first);
  }

  /** How many pages. */
  get length(): number {
    this.#checkOpen();
    return this.#frames;
  }

  get sizeBytes(): number {
    return this.length * PAGE_SIZE;
  }

  /** A handle to one of the pages. @throws InvalidArgument where there is no such page. */
  page(index: number): Page<M> {
    this.#checkOpen();
    if (!Number.isInteger(index) || index < 0 || index >= this.#frames) {
      throw new InvalidArgument(`page ${index} of a segment of ${this.#frames}`);
    }
    const frame = frameNumber(this.#first + index);
    this.#memory.retain(frame);
    this.#memory.slots.addHandle(frame);
    return Page.adopt(this.#memory, frame, this.type);
  }

  /** A handle to each page in turn, for the caller to close. */
  *pages(): Generator<Page<M>> {
    for (let index = 0; index < this.length; index++) yield this.page(index);
  }

  /**
   * Pages `start … end - 1` as a segment of their own: this one keeps its references too.
   * @throws InvalidArgument for a range that is empty or not within; FrameReferenceError (EOVERFLOW), and
   *   then nothing has changed.
   */
  slice(start: number, end: number): Segment<M> {
    this.#checkOpen();
    this.#checkRange(start, end);
    const first = frameNumber(this.#first + start);
    let retained = 0;
    try {
      for (; retained < end - start; retained++) {
        this.#memory.retain(frameNumber(first + retained));
        this.#memory.slots.addHandle(frameNumber(first + retained));
      }
    } catch (error) {
      while (retained-- > 0) this.#drop(frameNumber(first + retained));
      throw error;
    }
    return new Segment(this.#memory, first, end - start, this.type);
  }

  /** Cuts the segment in two, before page `at`, each with its references. This one is gone then. */
  split(at: number): readonly [before: Segment<M>, after: Segment<M>] {
    this.#checkOpen();
    this.#checkRange(0, at);
    this.#checkRange(at, this.#frames);
    this.#open = false;
    return [
      new Segment(this.#memory, this.#first, at, this.type),
      new Segment(this.#memory, frameNumber(this.#first + at), this.#frames - at, this.type),
    ];
  }

  /**
   * Drops the references, all of them even where a destructor throws. Closing twice does nothing, but for pages
   * that were refused: it tries them again.
   * @throws as `Page.close`, and what the first destructor that throws does.
   */
  close(): void {
    const frames = this.#open
      ? Array.from({ length: this.#frames }, (_, index) => frameNumber(this.#first + index))
      : this.#refused;
    this.#open = false;
    this.#refused = [];
    const errors: unknown[] = [];
    for (const frame of frames) {
      try {
        this.#drop(frame);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #drop(frame: FrameNumber): void {
    let last;
    try {
      last = this.#memory.slots.releaseHandle(frame);
    } catch (error) {
      this.#refused.push(frame);
      throw error;
    }
    if (last) this.#memory.free(frame);
  }

  #checkOpen(): void {
    if (!this.#open) throw new HolsteinError('EBADF', `the segment at frame ${hex(this.#first)} is closed`);
  }

  #checkRange(start: number, end: number): void {
    const whole = Number.isInteger(start) && Number.isInteger(end);
    if (whole && start >= 0 && start < end && end <= this.#frames) return;
    throw new InvalidArgument(
      `pages ${start} to ${end} of a segment of ${this.#frames}: give a range within it, not empty`,
    );
  }
}
