/** A pager over bytes in memory. It answers at once. */
import type { ByteRange } from '../pager.js';
import { checkWithin, type SizedPager } from './sized-pager.js';

/**
 * A pager over an array: pages are read from it when they are wanted, and `sync` writes changed pages into it.
 * @param bytes read and written in place, as long as the object over it is not resized.
 */
export const bytesPager = (bytes: Uint8Array): BytesPager => new BytesPager(bytes);

export class BytesPager implements SizedPager {
  #bytes: Uint8Array;

  /** Use `bytesPager`. @internal */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** What it has now: the array that was given, a part of it once it was cut, a longer copy once it has grown. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  /** @throws InvalidArgument beyond its size, as `writeBack`. */
  commit(range: ByteRange): Uint8Array {
    checkWithin(range, this.size, 'the array');
    return this.#bytes.subarray(range.offset, range.offset + range.length);
  }

  writeBack(range: ByteRange, bytes: Uint8Array): void {
    checkWithin(range, this.size, 'the array');
    this.#bytes.set(bytes, range.offset);
  }

  /** @throws RangeError where the host has no memory for a longer array. */
  resize(sizeBytes: number): void {
    if (sizeBytes <= this.size) {
      this.#bytes = this.#bytes.subarray(0, sizeBytes);
      return;
    }
    const longer = new Uint8Array(sizeBytes);
    longer.set(this.#bytes);
    this.#bytes = longer;
  }

  /** Does nothing: the bytes stay. */
  close(): void {}
}
