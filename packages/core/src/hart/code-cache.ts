/**
 * The code cache: decoded records of the frames that code has lately run from, in the hart's reserved
 * frames of RAM.
 *
 * A slot holds the records of one frame, whatever spaces map it, so a forked process runs its parent's
 * decoded code. It is decoded an instruction at a time, as they first run. While a frame has a slot, it is
 * watched and no TLB line lets it be written directly: each write to it, by the hart or the kernel, makes
 * the records that it touches undecoded again. So decoded code never differs from memory, and fence.i has
 * nothing to do.
 *
 *      free → slotFor → holds a frame → its frame is freed, or the slot is wanted for another → free
 */
import {
  type FrameNumber,
  frameNumber,
  frameStart,
  type FrameWatcher,
  hex,
  NO_FRAME,
  type PhysicalMemory,
} from '../frame/index.js';
import type { Tlb } from '../paging/index.js';
import { HANDLER_CROSSING, HANDLER_ILLEGAL, HANDLER_NEXT_PAGE, handlerOf } from './handlers.js';
import { decode, isCompressed } from './instructions/index.js';
import {
  CODE_CACHE_START,
  CODE_SLOT_BYTES,
  CROSSING,
  DISCARD_REGISTER,
  PAGE_RECORD_BYTES,
  RECORD_BYTES,
  RECORD_HANDLER,
  RECORD_IMM,
  RECORD_RD,
  RECORD_RS1,
  RECORD_RS2,
  RECORDS_IN_PAGE,
  REGISTER_BYTES,
} from './layout.js';

export class CodeCache implements FrameWatcher {
  readonly #memory: PhysicalMemory;
  readonly #tlb: Tlb;
  readonly #view: DataView;
  /** The frame of each slot; NO_FRAME where it is free. */
  readonly #frames: FrameNumber[];
  readonly #slots = new Map<FrameNumber, number>();
  /** The slot to be taken next: they are taken in turn. */
  #next = 0;

  constructor(memory: PhysicalMemory, tlb: Tlb, slots: number) {
    this.#memory = memory;
    this.#tlb = tlb;
    this.#view = new DataView(memory.memory.buffer);
    this.#frames = Array.from({ length: slots }, () => NO_FRAME);
    this.#writeHandler(CROSSING + 2 * RECORD_BYTES, HANDLER_NEXT_PAGE);
    memory.setWatcher(this);
  }

  /** The address of a frame's first record. The frame gets a slot if it has none, perhaps another's. */
  slotFor(frame: FrameNumber): number {
    const known = this.slotOf(frame);
    if (known !== undefined) return known;
    const slot = this.#next;
    this.#next = (slot + 1) % this.#frames.length;
    const before = this.#frames[slot]!;
    if (before !== NO_FRAME) {
      this.#memory.unwatch(before);
      this.#drop(before);
    }
    this.#frames[slot] = frame;
    this.#slots.set(frame, slot);
    const start = slotStart(slot);
    this.#memory.bytes.fill(0, start, start + PAGE_RECORD_BYTES);
    this.#writeHandler(start + PAGE_RECORD_BYTES, HANDLER_NEXT_PAGE);
    this.#memory.watch(frame);
    this.#tlb.flushFrame('write', frame);
    return start;
  }

  /** The address of a frame's first record, if it has a slot. */
  slotOf(frame: FrameNumber): number | undefined {
    const slot = this.#slots.get(frame);
    return slot === undefined ? undefined : slotStart(slot);
  }

  /** Decodes the instruction of a record that has not been decoded. */
  decodeAt(record: number): void {
    const slot = Math.floor((record - CODE_CACHE_START) / CODE_SLOT_BYTES);
    const index = (record - slotStart(slot)) / RECORD_BYTES;
    const code = frameStart(this.#frames[slot]!) + index * 2;
    const halfword = this.#view.getUint16(code, true);
    if (isCompressed(halfword)) this.#writeRecord(record, halfword);
    else if (index === RECORDS_IN_PAGE - 1) this.#writeHandler(record, HANDLER_CROSSING);
    else this.#writeRecord(record, this.#view.getUint32(code, true));
  }

  /** Decodes an instruction whose halves lie in two frames, to the record that stands apart for it. */
  decodeCrossing(first: FrameNumber, second: FrameNumber): number {
    const low = this.#view.getUint16(frameStart(first) + (RECORDS_IN_PAGE - 1) * 2, true);
    const high = this.#view.getUint16(frameStart(second), true);
    this.#writeRecord(CROSSING, (high << 16) | low);
    return CROSSING;
  }

  frameWritten(frame: FrameNumber, offset: number, length: number): void {
    const slot = this.#slots.get(frame);
    if (slot === undefined || length === 0) return;
    // An instruction that begins a halfword earlier reaches into the bytes written.
    const first = Math.max(0, (offset >>> 1) - 1);
    const last = (offset + length - 1) >>> 1;
    const start = slotStart(slot);
    this.#memory.bytes.fill(0, start + first * RECORD_BYTES, start + (last + 1) * RECORD_BYTES);
  }

  frameFreed(frame: FrameNumber): void {
    this.#drop(frame);
  }

  /**
   * Checks that slots and watched frames are the same, and that what is decoded is what memory holds.
   * @returns a line for each thing that is wrong.
   */
  audit(): string[] {
    const problems: string[] = [];
    for (let index = 0; index < this.#memory.totalFrames; index++) {
      const frame = frameNumber(index);
      if (this.#memory.isWatched(frame) !== this.#slots.has(frame)) {
        problems.push(`frame ${hex(index)}: only one of hart and frame table knows of decoded code`);
      }
    }
    for (const [frame, slot] of this.#slots) {
      for (let index = 0; index < RECORDS_IN_PAGE; index++) {
        const record = slotStart(slot) + index * RECORD_BYTES;
        if (this.#view.getUint16(record, true) === 0) continue;
        const before = this.#memory.bytes.slice(record, record + RECORD_BYTES);
        this.decodeAt(record);
        const after = this.#memory.bytes.subarray(record, record + RECORD_BYTES);
        if (before.some((byte, at) => byte !== after[at])) {
          problems.push(
            `frame ${hex(frame)}: the code decoded at offset ${index * 2} is not what memory holds`,
          );
        }
      }
    }
    return problems;
  }

  #drop(frame: FrameNumber): void {
    const slot = this.#slots.get(frame)!;
    this.#slots.delete(frame);
    this.#frames[slot] = NO_FRAME;
    this.#tlb.flushFrame('execute', frame);
  }

  #writeRecord(record: number, word: number): void {
    const decoded = decode(word);
    if (decoded === undefined) {
      this.#writeHandler(record, HANDLER_ILLEGAL);
      return;
    }
    const view = this.#view;
    const rd = decoded.rd === 0 ? DISCARD_REGISTER : decoded.rd;
    view.setUint16(record + RECORD_HANDLER, handlerOf(decoded), true);
    view.setUint16(record + RECORD_RD, rd * REGISTER_BYTES, true);
    view.setUint16(record + RECORD_RS1, decoded.rs1 * REGISTER_BYTES, true);
    view.setUint16(record + RECORD_RS2, decoded.rs2 * REGISTER_BYTES, true);
    view.setInt32(record + RECORD_IMM, decoded.imm, true);
  }

  #writeHandler(record: number, handler: number): void {
    this.#view.setUint16(record + RECORD_HANDLER, handler, true);
  }
}

const slotStart = (slot: number): number => CODE_CACHE_START + slot * CODE_SLOT_BYTES;
