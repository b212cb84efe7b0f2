/**
 * The console: what processes write waits here for the host to take it, what the host gives waits for
 * processes to read. Both queues are bounded: a writer waits when the host is slow, and the host can see
 * when no more input is wanted.
 */
import { type VirtAddr, virtAddr } from '../frame/index.js';
import { type AddressSpace, copyIn, copyOut } from '../space/index.js';
import { type Transfer, whenNotCopied, whenNotMoved } from './file.js';

const NEWLINE = 0x0a;

export class Console {
  readonly #capacity: number;
  readonly #wake: (channel: object) => void;
  #output: Uint8Array[] = [];
  #outputBytes = 0;
  /** Input that has not been read, piece by piece, an empty one for an end; and how much of the first piece has been. */
  #input: Uint8Array[] = [];
  #inputStart = 0;
  #inputBytes = 0;
  #inputEnded = false;
  /** What a process that waits for input waits for, and one that waits for room. */
  readonly inputChannel = {};
  readonly outputChannel = {};

  constructor(capacityBytes: number, wake: (channel: object) => void) {
    this.#capacity = capacityBytes;
    this.#wake = wake;
  }

  /** Whether more input is wanted: none is while enough waits to be read. */
  get wantsInput(): boolean {
    return !this.#inputEnded && this.#inputBytes < this.#capacity;
  }

  get outputBytes(): number {
    return this.#outputBytes;
  }

  /** Takes all output that waits, in order. */
  takeOutput(): Uint8Array {
    const taken = new Uint8Array(this.#outputBytes);
    let at = 0;
    for (const piece of this.#output) {
      taken.set(piece, at);
      at += piece.length;
    }
    this.#output = [];
    this.#outputBytes = 0;
    if (taken.length > 0) this.#wake(this.outputChannel);
    return taken;
  }

  giveInput(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#input.push(bytes.slice());
    this.#inputBytes += bytes.length;
    this.#wake(this.inputChannel);
  }

  /** One reader that has read what is there gets 0, as at a terminal where Ctrl-D is typed: more may come after. */
  giveEnd(): void {
    this.#input.push(new Uint8Array());
    this.#wake(this.inputChannel);
  }

  /** Drops what has not been read, as a terminal does at Ctrl-C. */
  dropInput(): void {
    this.#input = [];
    this.#inputStart = 0;
    this.#inputBytes = 0;
  }

  /** No more input will come: readers get what is there, then 0. */
  endInput(): void {
    this.#inputEnded = true;
    this.#wake(this.inputChannel);
  }

  /** Gives at most a line, as a terminal does. */
  read(space: AddressSpace, to: VirtAddr, count: number): Transfer {
    const first = this.#input[0];
    if (first === undefined) return this.#inputEnded ? 0 : { wait: this.inputChannel };
    if (first.length === 0) {
      this.#input.shift();
      return 0;
    }
    const line = this.#peekLine(count);
    const copied = copyOut(space, to, line);
    if (copied !== 'ok') return whenNotCopied(copied);
    this.#takeInput(line.length);
    return line.length;
  }

  write(space: AddressSpace, from: VirtAddr, count: number, done: number): Transfer {
    const room = this.#capacity - this.#outputBytes;
    const bytes = new Uint8Array(Math.min(count - done, room));
    const copied = copyIn(space, virtAddr(from + done), bytes);
    if (copied !== 'ok') return whenNotMoved(copied, done);
    if (bytes.length > 0) this.#output.push(bytes);
    this.#outputBytes += bytes.length;
    const progress = done + bytes.length;
    return progress === count ? count : { wait: this.outputChannel, progress };
  }

  /** The input up to the end of the line, or `most` bytes of it. */
  #peekLine(most: number): Uint8Array {
    const line = new Uint8Array(Math.min(most, this.#inputBytes, this.#capacity));
    let length = 0;
    let start = this.#inputStart;
    for (const piece of this.#input) {
      if (piece.length === 0) break;
      const part = piece.subarray(start, start + line.length - length);
      const end = part.indexOf(NEWLINE) + 1;
      line.set(end > 0 ? part.subarray(0, end) : part, length);
      length += end > 0 ? end : part.length;
      if (end > 0 || length === line.length) break;
      start = 0;
    }
    return line.subarray(0, length);
  }

  #takeInput(bytes: number): void {
    this.#inputBytes -= bytes;
    this.#inputStart += bytes;
    while (this.#inputStart > 0 && this.#inputStart >= this.#input[0]!.length) {
      this.#inputStart -= this.#input.shift()!.length;
    }
  }
}
