/**
 * The status line: on a terminal, what a run that has printed nothing for a while is about. It stands behind the
 * guest's text, and the cursor before it, so that erasing to the end of the line is all that it takes to be rid of it.
 */
import type { Machine } from '@holstein/core';
import { columnsOf, type Overlay, type Screen, widthOf } from './screen.js';

const SILENCE_MS = 2000;
const REFRESH_MS = 500;
/** With less room behind the guest's text there is no status line. */
const LEAST_COLUMNS = 24;
const ERASE_TO_END_OF_LINE = '\u{1b}[K';
const cursorLeft = (columns: number): string => `\u{1b}[${columns}D`;

export interface StatusLineOptions {
  readonly machine: Machine;
  /** The terminal. */
  readonly output: NodeJS.WriteStream;
  readonly screen: Screen;
  /** Whether the guest's text is on the same terminal. */
  readonly sharesLine: boolean;
  /** Whether the machine waits for its user rather than the other way round. */
  readonly isIdle: () => boolean;
}

export class StatusLine implements Overlay {
  readonly #options: StatusLineOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = performance.now();
  #printedAt = this.#startedAt;
  #shown = false;

  constructor(options: StatusLineOptions) {
    this.#options = options;
    options.screen.overlays.add(this);
    this.#timer = setInterval(() => this.#refresh(), REFRESH_MS);
  }

  hide(): void {
    if (this.#shown) this.#options.output.write(ERASE_TO_END_OF_LINE);
    this.#shown = false;
  }

  /** Something else has been printed: silence begins anew. */
  show(): void {
    this.#printedAt = performance.now();
  }

  close(): void {
    clearInterval(this.#timer);
    this.hide();
    this.#options.screen.overlays.delete(this);
  }

  #refresh(): void {
    const { output, screen, machine, isIdle, sharesLine } = this.#options;
    this.hide();
    if (isIdle()) this.#printedAt = performance.now();
    const now = performance.now();
    if (now - this.#printedAt < SILENCE_MS) return;
    const columns = columnsOf(output);
    const room = columns - (sharesLine ? widthOf(screen.tail) % columns : 0) - 1;
    const text = describe(machine, (now - this.#startedAt) / 1000).slice(0, room);
    if (room < LEAST_COLUMNS) return;
    output.write(`${text}${cursorLeft(text.length)}`);
    this.#shown = true;
  }
}

/** Such as `[12 s, 3.4 G instructions, 3 processes, 812 frames]`. */
const describe = ({ kernel, memory }: Machine, seconds: number): string => {
  const processes = kernel?.processes.size ?? 0;
  return `[${[
    `${Math.floor(seconds)} s`,
    `${formatCount(kernel?.instructions ?? 0)} instructions`,
    `${processes} ${processes === 1 ? 'process' : 'processes'}`,
    `${memory.statistics().inUse.toLocaleString('en-US')} frames`,
  ].join(', ')}]`;
};

const formatCount = (count: number): string =>
  count >= 1e9 ? `${(count / 1e9).toFixed(1)} G` : `${(count / 1e6).toFixed(1)} M`;
