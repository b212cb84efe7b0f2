/**
 * Console input from a terminal, a line at a time, edited with node:readline: history, arrow keys, and the guest's own
 * prompt before it.
 *
 *      idle      the terminal is in its usual mode: it keeps what is typed, and sends Ctrl-C as SIGINT
 *      reading   the machine has asked for a line. The terminal is in raw mode: every key comes here
 *      holding   nobody has asked, but lines that came with the last one are still to be read. In raw mode, so that the
 *                terminal does not show the rest of them before their time
 *      ended     there is no terminal any more
 *
 *      idle, holding → reading   read
 *      reading → idle            Enter; Ctrl-D in an empty line; Ctrl-C, by `interrupted`
 *      reading → holding         these, where more has been typed
 *      holding → idle            Ctrl-C; or too much to be kept here
 *
 * Keys are given to readline one by one, and only while a line is asked for. What comes beyond the end of that
 * line, pasted or typed ahead, waits for the next `read`, and is then shown where it belongs.
 */
import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline';
import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { ByteSource } from '@holstein/core';
import { columnsOf, type Overlay, type Screen, widthOf } from './screen.js';

type Answer = Awaited<ReturnType<ByteSource['read']>>;

export interface LineEditorOptions {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WriteStream;
  /** What shows the guest's text, on the same terminal. */
  readonly screen: Screen;
  /** Ctrl-C, as a key. `interrupted` is to be called. */
  readonly onInterrupt: () => void;
  /** Ctrl-D: whoever reads is to find the end of input, and whoever reads after that is not. */
  readonly onEnd: () => void;
}

const HISTORY_LINES = 1000;
/** Runs of text that are longer, which only pasting makes, are given to readline whole: key by key it gets slow. */
const LONG_RUN = 64;
/** So many keys after an escape may be the rest of its sequence. */
const LONGEST_SEQUENCE = 16;
/** So many characters that nobody has read are kept here; the terminal keeps what comes after. */
const MOST_TYPED = 2 ** 20;
/** What comes so soon after the terminal was put into raw mode has been typed before. */
const AHEAD_MS = 100;
const ESCAPE = '\u{1b}';
const CTRL_C = '\u{3}';
const CTRL_D = '\u{4}';
const NOTHING = new Uint8Array();
/** At a line that holds it the guest's shell gives up what it was reading, and prompts anew. */
const CTRL_C_LINE = new TextEncoder().encode(`${CTRL_C}\n`);

export class LineEditor implements ByteSource, Overlay {
  readonly #options: LineEditorOptions;
  readonly #decoder = new StringDecoder('utf8');
  /** What has been typed, and not yet given to readline. */
  #typed = '';
  /** Keys to come that may be the rest of an escape sequence. */
  #sequence = 0;
  #history: string[] = [];
  #reading:
    { readonly readline: Interface; readonly keys: Readable; answer(answer: Answer): void } | undefined;
  /** Whether the line stands on the screen. */
  #shown = false;
  #ended = false;
  /** When the terminal was put into raw mode. */
  #takenAt = 0;

  constructor(options: LineEditorOptions) {
    this.#options = options;
    const { input, screen } = options;
    screen.overlays.add(this);
    input.pause();
    input.on('data', this.#hear);
    // Of a terminal that is gone the one or the other is told.
    input.on('end', this.#hangUp);
    input.on('error', this.#hangUp);
  }

  get isReading(): boolean {
    return this.#reading !== undefined;
  }

  /** Asks the user for a line. */
  read(): Promise<Answer> {
    if (this.#ended) return Promise.resolve({ done: true });
    return new Promise((answer) => {
      const keys = new Readable({ read: () => {} });
      const { screen, output } = this.#options;
      const readline = createInterface({
        input: keys,
        output,
        terminal: true,
        history: this.#history,
        historySize: HISTORY_LINES,
        removeHistoryDuplicates: true,
      });
      this.#reading = { readline, keys, answer };
      readline.on('history', (history) => (this.#history = history));
      readline.on('line', (line) => {
        screen.lineEnded();
        this.#finish({ done: false, value: new TextEncoder().encode(`${line}\n`) });
      });
      readline.on('close', () => this.#endInput());
      readline.on('SIGTSTP', () => this.#suspend());
      this.#takeTerminal();
      this.show();
      this.#feed();
    });
  }

  /**
   * Ctrl-C was pressed: drops the line, and whatever was typed after it.
   * @param foreground what has become of it. Where it was killed nobody reads any more; else whoever does, a shell, is
   *   to prompt anew.
   */
  interrupted(foreground: 'killed' | 'none'): void {
    const { screen, input } = this.#options;
    this.#typed = '';
    if (this.#reading !== undefined) {
      this.#reading.readline.write(null, { ctrl: true, name: 'e' });
      this.#finish({ done: false, value: foreground === 'killed' ? NOTHING : CTRL_C_LINE });
      screen.endLine('^C');
    } else if (input.isRaw) {
      this.#giveTerminalBack();
      screen.endLine('^C');
    } else if (foreground === 'killed') {
      // The terminal itself has shown ^C, and is still behind it.
      screen.endLine();
    }
  }

  hide(): void {
    if (this.#reading === undefined || !this.#shown) return;
    const { screen, output } = this.#options;
    moveCursor(output, 0, -this.#reading.readline.getCursorPos().rows);
    cursorTo(output, 0);
    clearScreenDown(output);
    output.write(screen.tail);
    this.#shown = false;
  }

  /** readline's prompt is the tail, which it draws anew, from where that begins. */
  show(): void {
    if (this.#reading === undefined) return;
    const { readline } = this.#reading;
    const { screen, output } = this.#options;
    moveCursor(output, 0, -Math.floor(widthOf(screen.tail) / columnsOf(output)));
    // On which of its rows the cursor is, as readline remembers it: its types don't say so.
    Object.assign(readline, { prevRows: 0 });
    readline.setPrompt(screen.tail);
    readline.prompt(true);
    this.#shown = true;
  }

  /** Lets go of the terminal, as it was before. */
  close(): void {
    const { input, screen } = this.#options;
    screen.overlays.delete(this);
    input.off('data', this.#hear);
    input.off('end', this.#hangUp);
    this.#typed = '';
    if (this.#reading === undefined) this.#giveTerminalBack();
    else this.#finish({ done: true });
    this.#ended = true;
  }

  #finish(answer: Answer): void {
    const reading = this.#reading!;
    this.#reading = undefined;
    this.#shown = false;
    reading.readline.close();
    if (this.#typed === '') this.#giveTerminalBack();
    reading.answer(answer);
  }

  /** readline has closed: by Ctrl-D, or because `#finish` has closed it. */
  #endInput(): void {
    if (this.#reading === undefined) return;
    this.#options.onEnd();
    this.#finish({ done: false, value: NOTHING });
  }

  readonly #hear = (bytes: Buffer): void => {
    const heard = this.#decoder.write(bytes);
    // A terminal in its usual mode keeps a Ctrl-D as a zero, which in raw mode is Ctrl-Space.
    const isAhead = performance.now() - this.#takenAt < AHEAD_MS;
    const text = isAhead ? heard.replaceAll('\0', CTRL_D) : heard;
    const interrupt = text.lastIndexOf(CTRL_C);
    // As a terminal does it, what was typed before counts no more.
    if (interrupt !== -1) this.#options.onInterrupt();
    this.#typed += text.slice(interrupt + 1);
    this.#feed();
    if (this.#typed.length > MOST_TYPED) this.#giveTerminalBack();
  };

  readonly #hangUp = (): void => {
    this.#ended = true;
    if (this.#reading !== undefined) this.#finish({ done: true });
  };

  /** Gives readline what was typed, up to the end of the line. */
  #feed(): void {
    while (this.#typed !== '' && this.#reading !== undefined) {
      const { readline, keys } = this.#reading;
      const [run] = /^[^\p{Cc}]*/u.exec(this.#typed)!;
      const [key = ''] = /^(?:\r\n|.)/su.exec(this.#typed) ?? [];
      const isLong = run.length > LONG_RUN && this.#sequence === 0;
      this.#typed = this.#typed.slice(isLong ? run.length : key.length);
      this.#sequence = key === ESCAPE ? LONGEST_SEQUENCE : Math.max(0, this.#sequence - 1);
      if (isLong) readline.write(run);
      else keys.emit('data', key);
    }
  }

  #takeTerminal(): void {
    const { input } = this.#options;
    if (!input.isRaw) this.#takenAt = performance.now();
    input.setRawMode(true);
    input.resume();
  }

  #giveTerminalBack(): void {
    const { input } = this.#options;
    input.pause();
    // It may be gone.
    if (!this.#ended) input.setRawMode(false);
  }

  /** Ctrl-Z: stops, with whoever has started this, as the terminal would do it in its usual mode. */
  #suspend(): void {
    this.#giveTerminalBack();
    const goOn = (): void => {
      process.off('SIGCONT', goOn);
      if (this.#reading === undefined) return;
      this.#takeTerminal();
      this.show();
    };
    process.on('SIGCONT', goOn);
    process.kill(0, 'SIGTSTP');
    // Where there is no job control, that does nothing.
    setImmediate(goOn);
  }
}
