/**
 * The machine's console as this process has it: a terminal with a line editor where both ends are one that understands
 * escape sequences, else plain streams; and a status line where standard error is one.
 */
import type { ByteSource, Machine } from '@holstein/core';
import type { CtrlC } from './interruptions.js';
import { StreamSource } from './streams.js';
import { LineEditor } from './terminal/line-editor.js';
import type { Screen } from './terminal/screen.js';
import { StatusLine } from './terminal/status-line.js';

export interface HostConsoleOptions {
  readonly machine: Machine;
  /** Where the machine's output goes. */
  readonly screen: Screen;
  /** Whether to show a status line in long silences. */
  readonly progress: 'shown' | 'hidden';
  /** Ctrl-C, as a key. */
  readonly onInterrupt: () => void;
}

export class HostConsole implements Disposable {
  /** Where the machine's input comes from. */
  readonly input: ByteSource;
  readonly #machine: Machine;
  readonly #source: LineEditor | StreamSource;
  readonly #status: StatusLine | undefined;

  constructor({ machine, screen, progress, onInterrupt }: HostConsoleOptions) {
    this.#machine = machine;
    const { stdin, stdout, stderr } = process;
    this.#source =
      isCapable(stdin) && isCapable(stdout)
        ? new LineEditor({
            input: stdin,
            output: stdout,
            screen,
            onInterrupt,
            onEnd: () => machine.kernel?.console.giveEnd(),
          })
        : new StreamSource(stdin);
    this.input = this.#source;
    if (progress === 'shown' && isCapable(stderr)) {
      const isIdle = (): boolean => this.#source.isReading;
      this.#status = new StatusLine({ machine, output: stderr, screen, sharesLine: stdout.isTTY, isIdle });
    }
  }

  /** Ctrl-C is for what runs in the foreground; where nothing does, whoever prompts for a line begins a new one. */
  interruptForeground(): CtrlC {
    const killed = this.#machine.interrupt();
    if (!(this.#source instanceof LineEditor)) return 'foreground';
    const wasPrompting = this.#source.isReading;
    this.#source.interrupted(killed ? 'killed' : 'none');
    return wasPrompting ? 'prompt' : 'foreground';
  }

  [Symbol.dispose](): void {
    this.#status?.close();
    this.#source.close();
  }
}

const isCapable = (stream: { readonly isTTY: boolean }): boolean =>
  stream.isTTY && process.env['TERM'] !== 'dumb';
