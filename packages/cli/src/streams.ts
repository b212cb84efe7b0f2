/** Node's standard streams as the machine's console. */
import type { ByteSink, ByteSource } from '@holstein/core';

/** Reads only when asked, so a program that reads nothing takes nothing of its caller's input. */
export class StreamSource implements ByteSource {
  readonly #stream: NodeJS.ReadStream;
  #iterator: AsyncIterator<Uint8Array> | undefined;
  #isReading = false;

  constructor(stream: NodeJS.ReadStream) {
    this.#stream = stream;
  }

  /** Whether more has been asked for, and has not come. */
  get isReading(): boolean {
    return this.#isReading;
  }

  async read(): Promise<{ done: boolean; value?: Uint8Array }> {
    this.#iterator ??= this.#stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    this.#isReading = true;
    try {
      const { done, value } = await this.#iterator.next();
      return done === true ? { done: true } : { done: false, value: value as Uint8Array };
    } finally {
      this.#isReading = false;
    }
  }

  /** Lets go of the stream, so that Node can end. */
  close(): void {
    if (this.#iterator !== undefined) this.#stream.destroy();
  }
}

/** Waits for every write: a slow reader slows the machine down, and nothing piles up. */
export class StreamSink implements ByteSink {
  readonly #stream: NodeJS.WriteStream;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    // The failed write rejects with the same error; without a listener Node would end at once.
    stream.on('error', () => {});
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }
}
