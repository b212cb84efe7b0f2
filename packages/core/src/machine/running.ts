/** A program that runs, with its console as web streams. */
import type { ByteSource } from './streams.js';

/** What `Machine.start` gives. */
export interface RunningProgram<Result> {
  /** Console input. What is written waits until the program reads; what it never reads is dropped at its end. */
  readonly input: WritableStream<Uint8Array>;
  /** Console output, to be read: the program waits where it is not. It closes when the program has ended. */
  readonly output: ReadableStream<Uint8Array>;
  /** Settles as `Machine.run` does. */
  readonly result: Promise<Result>;
}

/** A stream to write to whose other end is a source, a piece at a time. */
export class InputStream implements ByteSource {
  readonly writable: WritableStream<Uint8Array>;
  /** A piece that nobody has asked for yet, and what lets its writer go on. */
  #waiting: { readonly piece: Piece; readonly taken: () => void } | undefined;
  #asked: ((piece: Piece) => void) | undefined;
  #isDropped = false;

  constructor() {
    this.writable = new WritableStream<Uint8Array>({
      write: (value) => this.#give({ done: false, value }),
      close: () => this.#give({ done: true }),
      abort: () => this.#give({ done: true }),
    });
  }

  read(): Promise<Piece> {
    const waiting = this.#waiting;
    if (waiting === undefined) return new Promise((resolve) => (this.#asked = resolve));
    this.#waiting = undefined;
    waiting.taken();
    return Promise.resolve(waiting.piece);
  }

  /** Nobody will read any more: writers do not wait. */
  drop(): void {
    this.#isDropped = true;
    this.#waiting?.taken();
    this.#waiting = undefined;
  }

  #give(piece: Piece): Promise<void> | undefined {
    if (this.#isDropped) return undefined;
    const asked = this.#asked;
    if (asked !== undefined) {
      this.#asked = undefined;
      asked(piece);
      return undefined;
    }
    return new Promise((taken) => (this.#waiting = { piece, taken }));
  }
}

interface Piece {
  readonly done: boolean;
  readonly value?: Uint8Array;
}
