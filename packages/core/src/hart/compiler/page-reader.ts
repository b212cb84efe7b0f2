/** How a region's search reads code: from frames that have decoded code, by pages' distances from the region's root. */
import {
  type FrameNumber,
  frameStart,
  NO_FRAME,
  PAGE_SIZE,
  type PhysAddr,
  type PhysicalMemory,
} from '../../frame/index.js';
import type { CodeCache } from '../code-cache.js';
import { HANDLER_DECODE } from '../handlers.js';
import { decode, type Decoded, isCompressed } from '../instructions/index.js';
import { RECORD_JUMPS, RECORD_SHIFT } from '../layout.js';
import type { CompiledCode, CompiledRegion } from './compiled-code.js';
import { type CodeReader, pageOf } from './region.js';

/** A page of code. */
interface Page {
  readonly frame: FrameNumber;
  /** Where its bytes and its records lie. */
  readonly start: PhysAddr;
  readonly records: number;
  /** Where jumps have led, once it has been asked for. */
  targets: readonly number[] | undefined;
}

export class PageReader implements CodeReader {
  readonly #codeCache: CodeCache;
  readonly #code: CompiledCode;
  readonly #view: DataView;
  readonly hotJumps: number;
  readonly #fetchFrame: (distance: number) => FrameNumber;
  readonly #stopsAtEntries: boolean;
  /** Regions that were stopped at. */
  readonly leadsTo = new Set<CompiledRegion>();
  readonly #pages = new Map<number, Page | undefined>();
  readonly #taken = new Set<FrameNumber>();

  /**
   * @param hotJumps 0 reads all code, and otherwise only what has been run.
   * @param fetchFrame the frame that a page of code is now.
   * @param stopsAtEntries reads nothing at which compiled code is entered.
   */
  constructor(
    codeCache: CodeCache,
    code: CompiledCode,
    memory: PhysicalMemory,
    hotJumps: number,
    fetchFrame: (distance: number) => FrameNumber,
    stopsAtEntries: boolean,
  ) {
    this.#codeCache = codeCache;
    this.#code = code;
    this.#view = new DataView(memory.memory.buffer);
    this.hotJumps = hotJumps;
    this.#fetchFrame = fetchFrame;
    this.#stopsAtEntries = stopsAtEntries;
  }

  /**
   * The frame of a page; NO_FRAME where there is none, or none that has decoded code. A frame that is mapped twice counts for
   * the page that it was asked for first: its records can lead back to one page only.
   */
  frameOf(page: number): FrameNumber {
    return this.#pageAt(page)?.frame ?? NO_FRAME;
  }

  read(relative: number): Decoded | undefined {
    const page = this.#pageAt(pageOf(relative));
    if (page === undefined) return undefined;
    const offset = relative & (PAGE_SIZE - 1);
    const record = recordIn(page, offset);
    if (this.hotJumps > 0 && this.#code.handlerAt(record) === HANDLER_DECODE) return undefined;
    const other = this.#stopsAtEntries ? this.#code.enteredAt(record) : undefined;
    if (other !== undefined) {
      this.leadsTo.add(other);
      return undefined;
    }
    const low = this.#view.getUint16(page.start + offset, true);
    if (isCompressed(low)) return decode(low);
    const isCrossing = offset === PAGE_SIZE - 2;
    const second = isCrossing ? this.#pageAt(pageOf(relative) + 1) : page;
    if (second === undefined) return undefined;
    const high = this.#view.getUint16(second.start + ((offset + 2) & (PAGE_SIZE - 1)), true);
    return decode(low | (high << 16));
  }

  targetsNear(relative: number): readonly number[] {
    const number = pageOf(relative);
    const page = this.#pageAt(number);
    if (page === undefined) return [];
    page.targets ??= this.#targetsIn(page).map((offset) => number * PAGE_SIZE + offset);
    return page.targets;
  }

  jumpsTo(relative: number): number {
    const page = this.#pageAt(pageOf(relative));
    if (page === undefined) return 0;
    const record = recordIn(page, relative & (PAGE_SIZE - 1));
    return this.#code.isEntry(record) ? this.hotJumps : this.#jumpsAt(record);
  }

  #jumpsAt(record: number): number {
    return this.#view.getUint16(record + RECORD_JUMPS, true);
  }

  #targetsIn(page: Page): number[] {
    const targets: number[] = [];
    for (let offset = 0; offset < PAGE_SIZE; offset += 2) {
      if (this.#jumpsAt(recordIn(page, offset)) !== 0) targets.push(offset);
    }
    return targets;
  }

  #pageAt(page: number): Page | undefined {
    if (this.#pages.has(page)) return this.#pages.get(page);
    const frame = this.#fetchFrame(page);
    const records = frame === NO_FRAME || this.#taken.has(frame) ? undefined : this.#codeCache.slotOf(frame);
    const found =
      records === undefined ? undefined : { frame, start: frameStart(frame), records, targets: undefined };
    if (found !== undefined) this.#taken.add(frame);
    this.#pages.set(page, found);
    return found;
  }
}

const recordIn = ({ records }: Page, offset: number): number => records + (offset << RECORD_SHIFT);
