/** How a region's search reads code: from frames that have decoded code, by pages' distances from the region's root. */
import { type FrameNumber, frameStart, NO_FRAME, PAGE_SIZE, type PhysicalMemory } from '../../frame/index.js';
import type { CodeCache } from '../code-cache.js';
import { HANDLER_DECODE } from '../handlers.js';
import { decode, type Decoded, isCompressed } from '../instructions/index.js';
import { RECORD_BYTES, RECORD_JUMPS, RECORDS_IN_PAGE } from '../layout.js';
import type { CompiledCode } from './compiled-code.js';
import { type CodeReader, pageOf } from './region.js';

export class PageReader implements CodeReader {
  readonly #codeCache: CodeCache;
  readonly #code: CompiledCode;
  readonly #view: DataView;
  readonly #when: 'hot' | 'eager';
  readonly #fetchFrame: (distance: number) => FrameNumber;
  readonly #frames = new Map<number, FrameNumber>();
  readonly #taken = new Set<FrameNumber>();

  /** @param when 'hot' reads only what has been run. @param fetchFrame the frame that a page of code is now. */
  constructor(
    codeCache: CodeCache,
    code: CompiledCode,
    memory: PhysicalMemory,
    when: 'hot' | 'eager',
    fetchFrame: (distance: number) => FrameNumber,
  ) {
    this.#codeCache = codeCache;
    this.#code = code;
    this.#view = new DataView(memory.memory.buffer);
    this.#when = when;
    this.#fetchFrame = fetchFrame;
  }

  /**
   * The frame of a page; NO_FRAME where there is none, or none that has decoded code. A frame that is mapped twice counts for
   * the page that it was asked for first: its records can lead back to one page only.
   */
  frameOf(page: number): FrameNumber {
    const known = this.#frames.get(page);
    if (known !== undefined) return known;
    const found = this.#fetchFrame(page);
    const isUsable =
      found !== NO_FRAME && this.#codeCache.slotOf(found) !== undefined && !this.#taken.has(found);
    const frame = isUsable ? found : NO_FRAME;
    if (isUsable) this.#taken.add(found);
    this.#frames.set(page, frame);
    return frame;
  }

  read(relative: number): Decoded | undefined {
    const frame = this.frameOf(pageOf(relative));
    if (frame === NO_FRAME) return undefined;
    const offset = relative & (PAGE_SIZE - 1);
    if (this.#when === 'hot' && this.#code.handlerAt(this.#recordAt(frame, offset)) === HANDLER_DECODE)
      return undefined;
    const low = this.#view.getUint16(frameStart(frame) + offset, true);
    if (isCompressed(low)) return decode(low);
    const isCrossing = offset === PAGE_SIZE - 2;
    const second = isCrossing ? this.frameOf(pageOf(relative) + 1) : frame;
    if (second === NO_FRAME) return undefined;
    const high = this.#view.getUint16(frameStart(second) + ((offset + 2) & (PAGE_SIZE - 1)), true);
    return decode(low | (high << 16));
  }

  targetsNear(relative: number): readonly number[] {
    const page = pageOf(relative);
    const frame = this.frameOf(page);
    const targets: number[] = [];
    for (let halfword = 0; halfword < RECORDS_IN_PAGE; halfword++) {
      const record = this.#recordAt(frame, halfword * 2);
      if (this.#view.getUint16(record + RECORD_JUMPS, true) !== 0)
        targets.push(page * PAGE_SIZE + halfword * 2);
    }
    return targets;
  }

  #recordAt(frame: FrameNumber, offset: number): number {
    return this.#codeCache.slotOf(frame)! + (offset >>> 1) * RECORD_BYTES;
  }
}
