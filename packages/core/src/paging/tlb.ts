/**
 * The software TLB: arrays of lines in RAM's reserved frames, which the hart's WebAssembly reads inline
 * and this class fills and flushes. Reads, writes and fetches have an array each, so that losing the
 * right to write costs no read.
 *
 * A line, 16 bytes, direct-mapped by the low bits of the page number:
 *
 *      0                                       8             12            16
 *      +---------------------------------------+-------------+-------------+
 *      | key u64                               | addend i32  | extra i32   |
 *      +---------------------------------------+-------------+-------------+
 *
 *      key: | page number, to bit 63 … 12 | tag, bits 11 … 3 | 0, bits 2 … 0 |
 *
 * - `tag` (1 … 511) names the address space, so that a switch flushes nothing. An empty line has key 0,
 *   which no lookup can ask for.
 * - The hart compares the key with `(address & (~0xfff | size - 1)) | tag << 3`: one comparison checks
 *   the whole 64-bit page number (a non-canonical address cannot match), the space, and the alignment.
 *   A misaligned access misses into the slow path.
 * - `addend` + the address's low word is the byte in RAM, modulo 2^32.
 * - `extra` is the hart's own (fetch lines: where the decoded code lies).
 *
 * A space's tags are good for one generation. When the 511 are spent, the whole TLB is flushed and a
 * new generation begins; `activate` gives the space new ones.
 */
import {
  type FrameNumber,
  frameOf,
  frameStart,
  hex,
  InvalidArgument,
  PAGE_SIZE,
  type PhysAddr,
  physAddr,
  type PhysicalMemory,
  Usage,
  type Vpn,
  vpn,
} from '../frame/index.js';
import { type Access, ACCESSES } from './pte.js';

export const TLB_LINE_BYTES = 16;
export const TLB_ADDEND = 8;
export const TLB_EXTRA = 12;
/** Shift of the tag within a key: below it the three bits that catch misalignment. */
export const TLB_TAG_SHIFT = 3;
const TAG_BITS = 9;
const LAST_TAG = (1 << TAG_BITS) - 1;

/** Lines in each array: powers of two. */
export const TLB_LINES: Readonly<Record<Access, number>> = { read: 4096, write: 4096, execute: 512 };
/** Byte offset of each array from the TLB's start. */
export const TLB_OFFSETS: Readonly<Record<Access, number>> = {
  read: 0,
  write: TLB_LINES.read * TLB_LINE_BYTES,
  execute: (TLB_LINES.read + TLB_LINES.write) * TLB_LINE_BYTES,
};
/** Where a RAM's TLB begins: after frame 0, whose bytes are the hart's own. */
export const TLB_START = physAddr(PAGE_SIZE);
/** Bytes of RAM that a TLB takes. */
export const TLB_BYTES = TLB_OFFSETS.execute + TLB_LINES.execute * TLB_LINE_BYTES;

if (TLB_TAG_SHIFT + TAG_BITS !== Math.log2(PAGE_SIZE)) {
  throw new InvalidArgument('a TLB key has no room for its tag below the page number');
}

/** The tags under which one address space's lines stand. Made by `Tlb.context`. */
export interface TlbContext {
  generation: number;
  readonly tags: Record<Access, number>;
}

/** A line in use, as audits see it. */
export interface TlbLine {
  readonly access: Access;
  readonly tag: number;
  readonly page: Vpn;
  readonly frame: FrameNumber;
  readonly extra: number;
}

export class Tlb {
  readonly start: PhysAddr;
  readonly #words: Uint32Array;
  #generation = 1;
  #lastTag = 0;

  /**
   * Takes `TLB_BYTES` of `memory`'s reserved frames, from `start` on (16-byte aligned, zero; a hart's is at TLB_START).
   * @throws InvalidArgument where they are not aligned, or not all reserved.
   */
  constructor(memory: PhysicalMemory, start: PhysAddr = TLB_START) {
    if (start % TLB_LINE_BYTES !== 0) throw new InvalidArgument('a TLB starts at a multiple of 16 bytes');
    const last = physAddr(start + TLB_BYTES - 1);
    if (start < 0 || last >= memory.sizeBytes || memory.usage(frameOf(last)) !== Usage.Reserved) {
      throw new InvalidArgument(`a TLB at ${hex(start)} does not fit the reserved frames`);
    }
    this.start = start;
    this.#words = memory.words;
  }

  /** A context for a new address space. It has no tags until it is activated. */
  context(): TlbContext {
    return { generation: 0, tags: { read: 0, write: 0, execute: 0 } };
  }

  /** Makes sure that a space's tags are good, before the hart runs in it. */
  activate(context: TlbContext): void {
    if (context.generation === this.#generation) return;
    const tag = this.#newTag();
    context.generation = this.#generation;
    for (const access of ACCESSES) context.tags[access] = tag;
  }

  /**
   * Enters a translation.
   * @throws InvalidArgument where the context is not active: its tags may be another space's by now.
   */
  install(context: TlbContext, access: Access, page: Vpn, frame: FrameNumber, extra = 0): void {
    if (context.generation !== this.#generation) throw new InvalidArgument('the TLB context is not active');
    const line = this.#line(access, page);
    const pageLow = page << 12;
    this.#words[line] = pageLow | (tagOf(context, access) << TLB_TAG_SHIFT);
    this.#words[line + 1] = page >>> 20;
    this.#words[line + 2] = frameStart(frame) - pageLow;
    this.#words[line + 3] = extra;
  }

  /** Forgets one page, whatever the access. */
  flushPage(context: TlbContext, page: Vpn): void {
    if (context.generation !== this.#generation) return;
    const { tags } = context;
    this.#flushLine(this.#line('read', page), page, tags.read);
    this.#flushLine(this.#line('write', page), page, tags.write);
    this.#flushLine(this.#line('execute', page), page, tags.execute);
  }

  #flushLine(line: number, page: Vpn, tag: number): void {
    const low = ((page << 12) | (tag << TLB_TAG_SHIFT)) >>> 0;
    if (this.#words[line] === low && this.#words[line + 1] === page >>> 20) this.#clear(line);
  }

  /** Forgets all that a space may write, in constant time. */
  flushWrites(context: TlbContext): void {
    if (context.generation !== this.#generation) return;
    // Where that begins a new generation, all of this context's tags are good for nothing.
    context.tags.write = this.#newTag();
  }

  /** Forgets a whole space, in constant time. */
  flushSpace(context: TlbContext): void {
    context.generation = 0;
  }

  flushAll(): void {
    this.#words.fill(0, this.start >>> 2, (this.start + TLB_BYTES) >>> 2);
    this.#generation++;
    this.#lastTag = 0;
  }

  /** Forgets every line of one kind that names a frame, in whatever space. Reads all lines of the kind. */
  flushFrame(access: Access, frame: FrameNumber): void {
    const first = (this.start + TLB_OFFSETS[access]) >>> 2;
    for (let line = first; line < first + TLB_LINES[access] * 4; line += 4) {
      if (this.#words[line] !== 0 && this.#frameNamedBy(line) === frame) this.#clear(line);
    }
  }

  /** All lines in use whose tags are some context's: what `audit()` compares with fresh walks. */
  *lines(context: TlbContext): Generator<TlbLine> {
    if (context.generation !== this.#generation) return;
    for (const access of ACCESSES) {
      const first = (this.start + TLB_OFFSETS[access]) >>> 2;
      for (let line = first; line < first + TLB_LINES[access] * 4; line += 4) {
        const low = this.#words[line]!;
        const tag = (low & (PAGE_SIZE - 1)) >>> TLB_TAG_SHIFT;
        if (low === 0 || tag !== context.tags[access]) continue;
        const page = vpn(this.#words[line + 1]! * 2 ** 20 + (low >>> 12));
        yield { access, tag, page, frame: this.#frameNamedBy(line), extra: this.#words[line + 3]! };
      }
    }
  }

  #frameNamedBy(line: number): FrameNumber {
    const pageLow = this.#words[line]! & ~(PAGE_SIZE - 1);
    return frameOf(physAddr((this.#words[line + 2]! + pageLow) >>> 0));
  }

  /** Index in `words`. By name, as in `tagOf`. */
  #line(access: Access, page: Vpn): number {
    const bytes =
      access === 'write'
        ? TLB_OFFSETS.write + (page & (TLB_LINES.write - 1)) * TLB_LINE_BYTES
        : access === 'read'
          ? TLB_OFFSETS.read + (page & (TLB_LINES.read - 1)) * TLB_LINE_BYTES
          : TLB_OFFSETS.execute + (page & (TLB_LINES.execute - 1)) * TLB_LINE_BYTES;
    return (this.start + bytes) >>> 2;
  }

  #clear(line: number): void {
    this.#words[line] = 0;
    this.#words[line + 1] = 0;
  }

  #newTag(): number {
    if (this.#lastTag === LAST_TAG) this.flushAll();
    return ++this.#lastTag;
  }
}

// These go by name: V8 looks a property up some ten times slower where its name is a variable.
const tagOf = ({ tags }: TlbContext, access: Access): number =>
  access === 'write' ? tags.write : access === 'read' ? tags.read : tags.execute;
