/**
 * A pager over bytes in memory that fails when it is told to, answers at once or later, and checks how it is used: it
 * is asked for whole pages that are not there yet, hears of every page that is written before it is, and is given
 * back what the oracle says that is in them.
 */
import { PAGE_SIZE } from '../../src/frame/index.js';
import type { ByteRange, Pager } from '../../src/vmo/index.js';
import { type EagerObject, spanOf } from './eager-objects.js';

/** Which of the calls that a pager need not have it has. */
export interface PagerShape {
  readonly update: boolean;
  readonly writeBack: boolean;
  readonly resize: boolean;
}

/** Lets an answer wait. What it is given is called when the time has come. */
export type Later = <T>(answer: () => T) => T | Promise<T>;

const atOnce: Later = (answer) => answer();

export class ScriptedPager {
  readonly shape: PagerShape;
  readonly pager: Pager;
  /** What it has. */
  bytes: Uint8Array;
  /** Calls that it will answer before it fails the next; undefined where it will not. */
  failAfter: number | undefined;
  failures = 0;
  closed = 0;
  /** Pages that are asked for, and have not been answered. */
  readonly asked = new Set<number>();
  /** Pages that are being written, so that nobody knows what they are. */
  readonly beingWritten = new Set<number>();
  #telling = 0;
  /** Pages whose first write it has heard of, and that have not been written back since. */
  readonly updated = new Set<number>();
  /** The least size that the object has had: what lies beyond was cut off once. */
  lowestBytes: number;
  /** The object that it fills. */
  object!: EagerObject;
  /** Whether the object has a frame for a page. */
  isCommitted!: (page: number) => boolean;

  constructor(bytes: Uint8Array, shape: PagerShape, later: Later = atOnce) {
    this.bytes = bytes;
    this.lowestBytes = bytes.length;
    this.shape = shape;
    this.pager = {
      commit: (range) => this.#commit(range, later),
      decommit: (range) => this.#decommit(range),
      close: () => void this.closed++,
      ...(shape.update ? { update: (range) => this.#update(range, later) } : {}),
      ...(shape.writeBack ? { writeBack: (range, bytes) => this.#writeBack(range, bytes, later) } : {}),
      ...(shape.resize ? { resize: (sizeBytes) => this.#tell(later, () => this.#resize(sizeBytes)) } : {}),
    };
  }

  /** The bytes of a range, zeros beyond what it has. */
  read({ offset, length }: ByteRange): Uint8Array {
    const bytes = new Uint8Array(length);
    bytes.set(this.bytes.subarray(offset, offset + length));
    return bytes;
  }

  #commit(range: ByteRange, later: Later): Uint8Array | Promise<Uint8Array> {
    this.#checkRange(range, this.object.limitBytes);
    const pages = spanOf(range.offset, range.length);
    for (const page of pages) {
      if (this.isCommitted(page)) throw new Error(`page ${page} is asked for, and is there`);
      if (this.asked.has(page)) throw new Error(`page ${page} is asked for twice`);
      this.asked.add(page);
    }
    return later(() => {
      for (const page of pages) this.asked.delete(page);
      this.#failPerhaps('commit');
      for (const page of pages) if (page < this.object.sizePages) this.object.held.add(page);
      return this.read(range);
    });
  }

  #decommit(range: ByteRange): void {
    for (const page of spanOf(range.offset, range.length)) {
      if (this.object.dirty.has(page)) throw new Error(`page ${page} is dropped, and is changed`);
      this.object.held.delete(page);
    }
  }

  #update(range: ByteRange, later: Later): void | Promise<void> {
    this.#checkRange(range, this.object.sizeBytes);
    return later(() => {
      this.#failPerhaps('update');
      for (const page of spanOf(range.offset, range.length)) this.updated.add(page);
    });
  }

  #writeBack(range: ByteRange, bytes: Uint8Array, later: Later): void | Promise<void> {
    this.#checkRange(range, this.object.sizeBytes);
    const end = range.offset + range.length;
    const wanted = this.object.bytes.subarray(range.offset, end);
    const isSettled = (index: number): boolean =>
      !this.beingWritten.has(Math.floor((range.offset + index) / PAGE_SIZE));
    const wrong = wanted.findIndex((byte, index) => byte !== bytes[index] && isSettled(index));
    if (wrong !== -1 || bytes.length !== range.length) {
      throw new Error(`byte ${range.offset + wrong} is written back, and is another`);
    }
    for (const page of spanOf(range.offset, range.length)) {
      if (!this.object.dirty.has(page) && !this.object.maybeDirty.has(page))
        throw new Error(`page ${page} is written back, and is not changed`);
    }
    return this.#tell(later, () => {
      this.#failPerhaps('writeBack');
      if (end > this.bytes.length) this.#setSize(end);
      this.bytes.set(bytes, range.offset);
    });
  }

  #resize(sizeBytes: number): void {
    this.#failPerhaps('resize');
    this.#setSize(Math.min(sizeBytes, this.bytes.length));
    this.#setSize(sizeBytes);
    this.object.limitBytes = Math.min(sizeBytes, this.object.sizeBytes);
    this.lowestBytes = Infinity;
  }

  #tell(later: Later, answer: () => void): void | Promise<void> {
    this.#telling++;
    return later(() => {
      this.#telling--;
      answer();
    });
  }

  /** Whether it is being told a size, or given bytes. */
  get isTelling(): boolean {
    return this.#telling > 0;
  }

  #setSize(sizeBytes: number): void {
    const bytes = new Uint8Array(sizeBytes);
    bytes.set(this.bytes.subarray(0, sizeBytes));
    this.bytes = bytes;
  }

  #checkRange({ offset, length }: ByteRange, limit: number): void {
    const end = offset + length;
    if (offset % PAGE_SIZE === 0 && length > 0 && end <= limit && (end % PAGE_SIZE === 0 || end === limit))
      return;
    throw new Error(`the pager is called for ${length} bytes at ${offset}, of ${limit}`);
  }

  #failPerhaps(what: string): void {
    if (this.failAfter === undefined) return;
    if (this.failAfter > 0) {
      this.failAfter--;
      return;
    }
    this.failAfter = undefined;
    this.failures++;
    throw new Error(`${what} is to fail`);
  }
}
