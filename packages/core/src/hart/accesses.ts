/**
 * Accesses to memory that the TLB does not know: they are translated by the page table, and made in place or, where that is not
 * possible, by way of SCRATCH_DATA.
 *
 *      readMiss  → the byte in RAM, or SCRATCH_DATA with the bytes gathered from two pages
 *      writeMiss → the byte in RAM; or SCRATCH_DATA, then the hart writes there → writeDone
 */
import {
  type FrameNumber,
  frameStart,
  NO_FRAME,
  PAGE_SIZE,
  type PhysAddr,
  type PhysicalMemory,
  type Vpn,
  vpn,
} from '../frame/index.js';
import type { Access, Sv39PageTable, Tlb } from '../paging/index.js';
import { SCRATCH_DATA } from './layout.js';

/** What becomes of a page fault: an answer (interpreter-border.ts). */
export type AnswerFault = (access: Access, page: Vpn, offset: number) => number;

export class Accesses {
  readonly #memory: PhysicalMemory;
  readonly #tlb: Tlb;
  readonly #table: () => Sv39PageTable;
  readonly #answerFault: AnswerFault;
  /** A write that was redirected to SCRATCH_DATA: where its bytes belong. */
  readonly #redirected = {
    first: NO_FRAME as FrameNumber,
    offset: 0,
    width: 0,
    second: NO_FRAME as FrameNumber,
  };

  /** @param table of the space that runs. */
  constructor(memory: PhysicalMemory, tlb: Tlb, table: () => Sv39PageTable, answerFault: AnswerFault) {
    this.#memory = memory;
    this.#tlb = tlb;
    this.#table = table;
    this.#answerFault = answerFault;
  }

  readMiss(page: Vpn, low: number, width: number): number {
    const offset = low & (PAGE_SIZE - 1);
    const frame = this.#table().translate(page, 'read');
    if (frame === NO_FRAME) return this.#answerFault('read', page, offset);
    this.#tlb.install(this.#table().tlbContext, 'read', page, frame);
    if (offset + width <= PAGE_SIZE) return frameStart(frame) + offset;
    const second = this.#table().translate(vpn(page + 1), 'read');
    if (second === NO_FRAME) return this.#answerFault('read', vpn(page + 1), 0);
    this.#gather(frame, offset, width, second);
    return SCRATCH_DATA;
  }

  writeMiss(page: Vpn, low: number, width: number): number {
    const offset = low & (PAGE_SIZE - 1);
    const frame = this.#table().translate(page, 'write');
    if (frame === NO_FRAME) return this.#answerFault('write', page, offset);
    const crosses = offset + width > PAGE_SIZE;
    const second = crosses ? this.#table().translate(vpn(page + 1), 'write') : NO_FRAME;
    if (crosses && second === NO_FRAME) return this.#answerFault('write', vpn(page + 1), 0);
    const watched = this.#memory.isWatched(frame);
    if (!watched) this.#tlb.install(this.#table().tlbContext, 'write', page, frame);
    if (!crosses && !watched) return frameStart(frame) + offset;
    // The bytes as they are go along: an atomic operation reads before it writes.
    this.#gather(frame, offset, width, second);
    this.#redirected.first = frame;
    this.#redirected.offset = offset;
    this.#redirected.width = width;
    this.#redirected.second = second;
    return SCRATCH_DATA;
  }

  writeDone(): void {
    const { first, offset, width, second } = this.#redirected;
    const inFirst = Math.min(width, PAGE_SIZE - offset);
    const { bytes } = this.#memory;
    this.#memory.write(first, offset, bytes.subarray(SCRATCH_DATA, SCRATCH_DATA + inFirst));
    if (inFirst < width)
      this.#memory.write(second, 0, bytes.subarray(SCRATCH_DATA + inFirst, SCRATCH_DATA + width));
  }

  /** Brings `width` bytes that begin in one frame, and perhaps end in another, to SCRATCH_DATA. */
  #gather(first: FrameNumber, offset: number, width: number, second: FrameNumber): void {
    const { bytes } = this.#memory;
    const start: PhysAddr = frameStart(first);
    const inFirst = Math.min(width, PAGE_SIZE - offset);
    bytes.copyWithin(SCRATCH_DATA, start + offset, start + offset + inFirst);
    if (inFirst < width) {
      bytes.copyWithin(SCRATCH_DATA + inFirst, frameStart(second), frameStart(second) + width - inFirst);
    }
  }
}
