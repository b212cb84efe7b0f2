/** A pager over a Blob, which may be a File that a user has chosen. It answers later, and can only be read. */
import type { ByteRange } from '../pager.js';
import { cannotBeWritten, checkWithin, type SizedPager } from './sized-pager.js';

/**
 * A pager over a Blob or File, in browsers and in Node, whose `fs.openAsBlob` makes one of a file (below 4 GiB, in Node
 * 20): what is wanted is read from it, and no more. It cannot be written: a write to the object is a `PagerError` whose
 * cause has the code ENOTSUP. A snapshot of the object can be written, costs nothing, and keeps its changes to itself.
 */
export const blobPager = (blob: Blob): BlobPager => new BlobPager(blob);

export class BlobPager implements SizedPager {
  readonly #blob: Blob;

  /** Use `blobPager`. @internal */
  constructor(blob: Blob) {
    this.#blob = blob;
  }

  get size(): number {
    return this.#blob.size;
  }

  /** @throws InvalidArgument beyond its size; NotReadableError (DOMException) where a File has changed. */
  async commit(range: ByteRange): Promise<Uint8Array> {
    checkWithin(range, this.size, 'the Blob');
    const part = this.#blob.slice(range.offset, range.offset + range.length);
    return new Uint8Array(await part.arrayBuffer());
  }

  /** @throws HolsteinError ENOTSUP */
  update(): void {
    throw cannotBeWritten('ENOTSUP', 'a Blob');
  }

  /** Does nothing: a Blob is not closed. */
  close(): void {}
}
