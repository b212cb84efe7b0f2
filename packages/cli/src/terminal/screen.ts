/**
 * The screen: what stands on the user's terminal, and in what order it gets there.
 *
 * The guest writes to standard output, holstein itself to standard error, and where both are one terminal they
 * must not get in each other's way. What holstein shows beyond the guest's text, the line that is being edited
 * and the status line, is an overlay: it stands behind the guest's text, and is taken away while something is printed.
 *
 * Where the guest's text ends is known by its last line alone: `tail`, what it has written since the last newline.
 */
import { stripVTControlCharacters } from 'node:util';
import type { ByteSink } from '@holstein/core';
import { StreamSink } from '../streams.js';

/** What stands behind the guest's text for a while. */
export interface Overlay {
  /** Leaves the guest's text alone on the screen, and the cursor behind it. Does nothing where nothing is shown. */
  hide(): void;
  /** The text has been printed: it may come back, behind what is the tail now. */
  show(): void;
}

/** So many bytes of a tail are kept at most. Whoever writes no newlines at all writes no prompts either. */
const LONGEST_TAIL = 1000;
const NEWLINE = 0x0a;

export class Screen implements ByteSink {
  readonly overlays = new Set<Overlay>();
  readonly #output: NodeJS.WriteStream;
  readonly #sink: StreamSink;
  readonly #messages: NodeJS.WriteStream;
  #tail: Uint8Array = new Uint8Array();

  /**
   * @param output where the guest's text goes.
   * @param messages where holstein's own lines go.
   */
  constructor(output: NodeJS.WriteStream, messages: NodeJS.WriteStream) {
    this.#output = output;
    this.#sink = new StreamSink(output);
    this.#messages = messages;
    // Without a listener Node would end at once. What can't be said here can't be said anywhere.
    messages.on('error', () => {});
  }

  /** What the guest has written since the last newline, or since it last went back to the beginning of the line. */
  get tail(): string {
    return new TextDecoder().decode(this.#tail).split('\r').at(-1)!;
  }

  /** Prints bytes of the guest's. @returns a promise that settles when they are written, or can't be. */
  write(bytes: Uint8Array): Promise<void> {
    return this.#print(() => {
      const newlineEnd = bytes.lastIndexOf(NEWLINE) + 1;
      const rest = bytes.subarray(newlineEnd).subarray(-LONGEST_TAIL);
      const kept = newlineEnd > 0 ? [] : [this.#tail];
      this.#tail = Buffer.concat([...kept, rest]).subarray(-LONGEST_TAIL);
      return this.#sink.write(bytes);
    });
  }

  /** Prints a line of holstein's own. */
  message(line: string): void {
    this.#print(() => this.#messages.write(`holstein: ${line}\n`));
  }

  /** Goes to a new line. @param text ends the old one. */
  endLine(text = ''): void {
    this.#print(() => this.#output.write(`${text}\r\n`));
    this.lineEnded();
  }

  /** The user has gone to a new line, by Enter. */
  lineEnded(): void {
    this.#tail = new Uint8Array();
  }

  #print<T>(print: () => T): T {
    for (const overlay of this.overlays) overlay.hide();
    const result = print();
    for (const overlay of this.overlays) overlay.show();
    return result;
  }
}

/** How wide a terminal is; some say 0, and don't know. */
export const columnsOf = (terminal: NodeJS.WriteStream): number => terminal.columns || 80;

const WIDE =
  /[\p{Emoji_Presentation}\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\u{ff01}-\u{ff60}]/u;
const INVISIBLE = /[\p{Mn}\p{Me}\p{Cc}\p{Cf}]/u;
const TAB_STOP = 8;

/** Columns that a text takes on a terminal, as if it had no end. */
export const widthOf = (text: string): number => {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) {
    if (character === '\t') width += TAB_STOP - (width % TAB_STOP);
    else if (WIDE.test(character)) width += 2;
    else if (!INVISIBLE.test(character)) width += 1;
  }
  return width;
};
