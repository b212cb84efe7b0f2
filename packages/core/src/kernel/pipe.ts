/**
 * A pipe: a ring of bytes between two open files. Readers wait while it is empty and somebody may still
 * write; writers wait while it is full and somebody may still read.
 */
import { type VirtAddr, virtAddr } from '../frame/index.js';
import { type AddressSpace, copyIn, copyOut } from '../space/index.js';
import { type FileOperations, type Transfer, whenNotCopied, whenNotMoved } from './file.js';

export class Pipe {
  readonly #ring: Uint8Array;
  readonly #wake: (pipe: Pipe) => void;
  /** Bytes ever read and written: their difference is what the ring holds. */
  #read = 0;
  #written = 0;
  #readerOpen = true;
  #writerOpen = true;

  /** @param wake is called when the pipe has changed, with the pipe as the channel. */
  constructor(bytes: number, wake: (pipe: Pipe) => void) {
    this.#ring = new Uint8Array(bytes);
    this.#wake = wake;
  }

  /** The operations of the end that is read from. */
  readonly reader: FileOperations = {
    read: (space, to, count) => this.#readTo(space, to, count),
    write: () => -1,
    close: () => {
      this.#readerOpen = false;
      this.#wake(this);
      return undefined;
    },
  };

  readonly writer: FileOperations = {
    read: () => -1,
    write: (space, from, count, done) => this.#writeFrom(space, from, count, done),
    close: () => {
      this.#writerOpen = false;
      this.#wake(this);
      return undefined;
    },
  };

  #readTo(space: AddressSpace, to: VirtAddr, count: number): Transfer {
    const held = this.#written - this.#read;
    if (held === 0) return this.#writerOpen ? { wait: this } : 0;
    const bytes = new Uint8Array(Math.min(count, held));
    const start = this.#read % this.#ring.length;
    const beforeEnd = this.#ring.subarray(start, start + bytes.length);
    bytes.set(beforeEnd);
    bytes.set(this.#ring.subarray(0, bytes.length - beforeEnd.length), beforeEnd.length);
    // Only what has arrived is taken out.
    const copied = copyOut(space, to, bytes);
    if (copied !== 'ok') return whenNotCopied(copied);
    this.#read += bytes.length;
    this.#wake(this);
    return bytes.length;
  }

  #writeFrom(space: AddressSpace, from: VirtAddr, count: number, done: number): Transfer {
    if (!this.#readerOpen) return -1;
    const free = this.#ring.length - (this.#written - this.#read);
    const bytes = new Uint8Array(Math.min(count - done, free));
    const copied = copyIn(space, virtAddr(from + done), bytes);
    if (copied !== 'ok') return whenNotMoved(copied, done);
    const start = this.#written % this.#ring.length;
    const beforeEnd = bytes.subarray(0, this.#ring.length - start);
    this.#ring.set(beforeEnd, start);
    this.#ring.set(bytes.subarray(beforeEnd.length), 0);
    this.#written += bytes.length;
    if (bytes.length > 0) this.#wake(this);
    const progress = done + bytes.length;
    return progress === count ? count : { wait: this, progress };
  }
}
