/** The console's two ends on the host: where input comes from, and where output goes. */
import type { Console } from '../kernel/index.js';

/** Where a machine's console input comes from: a `ReadableStreamDefaultReader` is one. */
export interface ByteSource {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
}

/** Console input as `Machine.run` takes it: bytes, text (UTF-8), a web stream, or whatever gives bytes when it is asked. */
export type ConsoleInput = Uint8Array | string | ReadableStream<Uint8Array> | ByteSource;

/** Where a machine's console output goes: a `WritableStreamDefaultWriter` is one. A promise is waited for. */
export interface ByteSink {
  write(bytes: Uint8Array): unknown;
}

/** Console output as `Machine.run` takes it: a web stream, or whatever takes bytes. */
export type ConsoleOutput = WritableStream<Uint8Array> | ByteSink;

/** An end of the console, and what lets go of a stream when the run has ended. */
interface Held<End> {
  readonly end: End;
  readonly letGo: () => void;
}

const NOTHING_HELD = (): void => {};

export const sourceOf = (input: ConsoleInput): Held<ByteSource> => {
  if (!(input instanceof ReadableStream)) {
    const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input;
    return { end: bytes instanceof Uint8Array ? onePiece(bytes) : bytes, letGo: NOTHING_HELD };
  }
  const reader = input.getReader();
  return { end: reader, letGo: () => reader.releaseLock() };
};

export const sinkOf = (output: ConsoleOutput): Held<ByteSink> => {
  if (!(output instanceof WritableStream)) return { end: output, letGo: NOTHING_HELD };
  const writer = output.getWriter();
  return { end: writer, letGo: () => writer.releaseLock() };
};

const onePiece = (bytes: Uint8Array): ByteSource => {
  let isGiven = false;
  return {
    read: () => {
      const piece = isGiven ? { done: true } : { done: false, value: bytes };
      isGiven = true;
      return Promise.resolve(piece);
    },
  };
};

/**
 * Brings input to the console when it is asked to, one read at a time. The machine runs on meanwhile.
 *
 *      idle → ask → reading → the source has answered → idle, or ended
 */
export class InputPump {
  readonly #source: ByteSource;
  readonly #console: Console;
  #reading: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(source: ByteSource, console: Console) {
    this.#source = source;
    this.#console = console;
  }

  /**
   * Starts a read, unless one is under way.
   * @returns a promise that settles when it has been answered; a failure shows in `throwFailure`.
   */
  ask(): Promise<void> {
    this.#reading ??= this.#read();
    return this.#reading;
  }

  /** Throws what the source has rejected with, if it has. */
  throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #read(): Promise<void> {
    try {
      const { done, value } = await this.#source.read();
      if (value !== undefined) this.#console.giveInput(value);
      if (done) this.#console.endInput();
    } catch (error) {
      this.#failure = { error };
    } finally {
      this.#reading = undefined;
    }
  }
}

/** Settles as `work` does, or with 'aborted' as soon as the signal says so. */
export const unlessAborted = async <T>(
  work: T | Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T | 'aborted'> => {
  if (signal === undefined) return work;
  let stopListening: (() => void) | undefined;
  const aborted = new Promise<'aborted'>((resolve) => {
    const listener = (): void => resolve('aborted');
    signal.addEventListener('abort', listener);
    stopListening = () => signal.removeEventListener('abort', listener);
    if (signal.aborted) listener();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    stopListening?.();
  }
};
