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
import { CompiledCode } from './compiler/compiled-code.js';
import { standingBits } from './float/index.js';
import {
  HANDLER_CROSSING,
  HANDLER_DECODE,
  HANDLER_ILLEGAL,
  HANDLER_NEXT_PAGE,
  handlerOf,
} from './handlers.js';
import { decode, isCompressed, operandKinds } from './instructions/index.js';
import {
  CODE_CACHE_START,
  CODE_SLOT_BYTES,
  DISCARD_REGISTER,
  PAGE_RECORD_BYTES,
  RECORD_BYTES,
  RECORD_HANDLER,
  RECORD_IMM,
  RECORD_RD,
  RECORD_ROUNDING,
  RECORD_RS1,
  RECORD_RS2,
  RECORD_RS3,
  RECORD_STANDING,
  RECORDS_IN_PAGE,
  registerOffset,
  SLOT_CROSSING,
  SLOT_CROSSING_END,
  SLOT_SECOND,
} from './layout.js';

export class CodeCache implements FrameWatcher {
  /** What has been compiled of the decoded code. */
  readonly compiled: CompiledCode;
  readonly #memory: PhysicalMemory;
  readonly #tlb: Tlb;
  readonly #view: DataView;
  /** The frame of each slot; NO_FRAME where it is free. */
  readonly #frames: FrameNumber[];
  readonly #slots = new Map<FrameNumber, number>();
  /** The slot to be taken next: they are taken in turn. */
  #next = 0;

  constructor(memory: PhysicalMemory, tlb: Tlb, slots: number) {
    this.compiled = new CompiledCode(memory);
    this.#memory = memory;
    this.#tlb = tlb;
    this.#view = new DataView(memory.memory.buffer);
    this.#frames = Array.from({ length: slots }, () => NO_FRAME);
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
      this.#drop(before, 'decoded-code');
    }
    this.#frames[slot] = frame;
    this.#slots.set(frame, slot);
    const start = slotStart(slot);
    this.#memory.bytes.fill(0, start, start + CODE_SLOT_BYTES);
    this.#writeHandler(start + PAGE_RECORD_BYTES, HANDLER_NEXT_PAGE);
    this.#writeHandler(start + SLOT_CROSSING_END, HANDLER_NEXT_PAGE);
    this.#memory.watch(frame);
    this.#tlb.flushFrame('write', frame);
    return start;
  }

  /** The address of a frame's first record, if it has a slot. */
  slotOf(frame: FrameNumber): number | undefined {
    const slot = this.#slots.get(frame);
    return slot === undefined ? undefined : slotStart(slot);
  }

  /** The frame that a record stands for, and which of its halfwords. */
  placeOf(record: number): { readonly frame: FrameNumber; readonly halfword: number } {
    const slot = Math.floor((record - CODE_CACHE_START) / CODE_SLOT_BYTES);
    return { frame: this.#frames[slot]!, halfword: (record - slotStart(slot)) / RECORD_BYTES };
  }

  /** Decodes the instruction of a record, if it has not been. */
  makeDecoded(record: number): void {
    if (this.#view.getUint16(record + RECORD_HANDLER, true) === HANDLER_DECODE) this.decodeAt(record);
  }

  /** Decodes the instruction of a record that has not been decoded. */
  decodeAt(record: number): void {
    const { frame, halfword: index } = this.placeOf(record);
    const code = frameStart(frame) + index * 2;
    const halfword = this.#view.getUint16(code, true);
    if (isCompressed(halfword)) this.#writeRecord(record, halfword);
    else if (index === RECORDS_IN_PAGE - 1) this.#writeHandler(record, HANDLER_CROSSING);
    else this.#writeRecord(record, this.#view.getUint32(code, true));
  }

  /**
   * Decodes an instruction whose halves lie in two frames, the first of which has a slot.
   * @returns its record, which is good for as long as both frames stay what they are, if the second has a slot too.
   */
  decodeCrossing(first: FrameNumber, second: FrameNumber): number {
    const low = this.#view.getUint16(frameStart(first) + (RECORDS_IN_PAGE - 1) * 2, true);
    const high = this.#view.getUint16(frameStart(second), true);
    const start = this.slotOf(first)!;
    this.#writeRecord(start + SLOT_CROSSING, (high << 16) | low);
    this.#view.setUint32(start + SLOT_SECOND, this.slotOf(second) ?? 0, true);
    return start + SLOT_CROSSING;
  }

  frameWritten(frame: FrameNumber, offset: number, length: number): void {
    const slot = this.#slots.get(frame);
    if (slot === undefined || length === 0) return;
    // An instruction that begins a halfword earlier reaches into the bytes written.
    const first = Math.max(0, (offset >>> 1) - 1);
    const last = (offset + length - 1) >>> 1;
    this.compiled.halfwordsWritten(frame, first, last);
    const start = slotStart(slot);
    this.#memory.bytes.fill(0, start + first * RECORD_BYTES, start + (last + 1) * RECORD_BYTES);
    if (last === RECORDS_IN_PAGE - 1) this.#view.setUint32(start + SLOT_SECOND, 0, true);
    if (first === 0) this.#forgetCrossingsInto(start);
  }

  frameFreed(frame: FrameNumber): void {
    this.#drop(frame, 'freed');
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
        const handler = this.compiled.handlerAt(record);
        if (handler === HANDLER_DECODE) continue;
        const now = this.#memory.bytes.subarray(record, record + RECORD_BYTES);
        const before = now.slice();
        this.decodeAt(record);
        const isSame =
          this.#view.getUint16(record + RECORD_HANDLER, true) === handler &&
          now.every((byte, at) => at < RECORD_RD || byte === before[at]);
        now.set(before);
        if (!isSame) {
          problems.push(
            `frame ${hex(frame)}: the code decoded at offset ${index * 2} is not what memory holds`,
          );
        }
      }
    }
    problems.push(...this.compiled.audit((frame) => this.#slots.has(frame)));
    return problems;
  }

  #drop(frame: FrameNumber, reason: 'freed' | 'decoded-code'): void {
    this.compiled.frameDropped(frame, reason);
    const slot = this.#slots.get(frame)!;
    this.#slots.delete(frame);
    this.#forgetCrossingsInto(slotStart(slot));
    this.#frames[slot] = NO_FRAME;
    this.#tlb.flushFrame('execute', frame);
  }

  /** Forgets the instructions that end in the frame whose records begin there. */
  #forgetCrossingsInto(second: number): void {
    for (const slot of this.#slots.values()) {
      const address = slotStart(slot) + SLOT_SECOND;
      if (this.#view.getUint32(address, true) === second) this.#view.setUint32(address, 0, true);
    }
  }

  #writeRecord(record: number, word: number): void {
    const decoded = decode(word);
    if (decoded === undefined) {
      this.#writeHandler(record, HANDLER_ILLEGAL);
      return;
    }
    const view = this.#view;
    const { rd, rs1, rs2, rs3, imm, rm, instruction } = decoded;
    const kinds = operandKinds(instruction);
    const target = kinds.rd !== 'f' && rd === 0 ? DISCARD_REGISTER : rd;
    view.setUint16(record + RECORD_HANDLER, handlerOf(decoded), true);
    view.setUint16(record + RECORD_RD, registerOffset(target, kinds.rd === 'f'), true);
    view.setUint16(record + RECORD_RS1, registerOffset(rs1, kinds.rs1 === 'f'), true);
    view.setUint16(record + RECORD_RS2, registerOffset(rs2, kinds.rs2 === 'f'), true);
    if (rm === undefined) {
      view.setInt32(record + RECORD_IMM, imm, true);
    } else {
      view.setUint16(record + RECORD_RS3, registerOffset(rs3, kinds.rs3 === 'f'), true);
      view.setUint8(record + RECORD_ROUNDING, rm);
      view.setUint8(record + RECORD_STANDING, standingBits(rm));
    }
  }

  #writeHandler(record: number, handler: number): void {
    this.#view.setUint16(record + RECORD_HANDLER, handler, true);
  }
}

const slotStart = (slot: number): number => CODE_CACHE_START + slot * CODE_SLOT_BYTES;
