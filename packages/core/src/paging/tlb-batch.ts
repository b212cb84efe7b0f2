/**
 * A batch of changes to one table whose flush is put off: the pages to forget, and the references to drop
 * once they are forgotten. A frame whose last reference stands in the batch is not free before the flush,
 * so no TLB line ever names a frame that someone else may have been given (DESIGN.md: frames go back only
 * after no TLB can hold them).
 *
 *      open ──flush──▶ open, empty          `using batch = table.batch()` flushes at the end of its block
 *
 * Few pages are flushed one by one, many by giving the space new tags, which costs the same for any number.
 */
import { type FrameNumber, frameNumber, type PhysicalMemory, type Vpn, vpn } from '../frame/index.js';
import { FirstError } from './first-error.js';
import type { Tlb, TlbContext } from './tlb.js';

/** Pages from which on forgetting the whole space is cheaper. */
const WHOLE_SPACE_PAGES = 64;

export class TlbBatch implements Disposable {
  readonly #memory: PhysicalMemory;
  readonly #tlb: Tlb | undefined;
  readonly #context: TlbContext | undefined;
  readonly #pages: Vpn[] = [];
  #wholeSpace = false;
  readonly #frames: FrameNumber[] = [];

  /** Use `PageTable.batch`. A table that no TLB caches has none. @internal */
  constructor(memory: PhysicalMemory, tlb?: Tlb, context?: TlbContext) {
    this.#memory = memory;
    this.#tlb = tlb;
    this.#context = context;
  }

  /** Notes that lines of `pages` pages, from `page` on, may be out of date. */
  forget(page: Vpn, pages = 1): void {
    if (this.#wholeSpace) return;
    if (this.#pages.length + pages > WHOLE_SPACE_PAGES) {
      this.#wholeSpace = true;
      this.#pages.length = 0;
      return;
    }
    for (let index = 0; index < pages; index++) this.#pages.push(vpn(page + index));
  }

  /** Takes over the caller's references to `frames` frames, from `frame` on, to be dropped after the flush. */
  release(frame: FrameNumber, frames = 1): void {
    for (let index = 0; index < frames; index++) this.#frames.push(frameNumber(frame + index));
  }

  /**
   * Flushes, then drops the references: all of them, once.
   * @throws what the first that could not be dropped threw.
   */
  flush(): void {
    // A destructor may ask for another flush.
    const frames = this.#frames.splice(0);
    if (this.#tlb !== undefined && this.#context !== undefined) {
      if (this.#wholeSpace) this.#tlb.flushSpace(this.#context);
      for (const page of this.#pages) this.#tlb.flushPage(this.#context, page);
    }
    this.#wholeSpace = false;
    this.#pages.length = 0;
    const first = new FirstError();
    for (const frame of frames) {
      try {
        this.#memory.release(frame);
      } catch (error) {
        first.note(error);
      }
    }
    first.rethrow();
  }

  [Symbol.dispose](): void {
    this.flush();
  }
}
