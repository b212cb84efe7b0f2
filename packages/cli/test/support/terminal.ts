/** Runs a command at a terminal of its own, which `script` (of util-linux) makes, and types at it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { test } from 'vitest';
import { main } from './holstein.js';
import { VirtualScreen } from './virtual-screen.js';

const isThere =
  spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') === true;

/** A test that needs terminals. Where there are none it is skipped, and says so; in continuous integration it fails. */
export const testAtTerminal = (name: string, run: () => Promise<void>): void => {
  if (isThere) {
    test(name, run);
  } else if (process.env['CI'] === 'true') {
    test(name, () => {
      throw new Error('script, of util-linux, is not installed, and CI=true asks for it');
    });
  } else {
    console.warn(`skipped: ${name}: script, of util-linux, is not installed`);
    test.skip(`${name} (script, of util-linux, is not installed)`, () => {});
  }
};

export const KEY = {
  enter: '\r',
  ctrlC: '\u{3}',
  ctrlD: '\u{4}',
  ctrlZ: '\u{1a}',
  up: '\u{1b}[A',
  down: '\u{1b}[B',
  left: '\u{1b}[D',
  backspace: '\u{7f}',
} as const;

const COLUMNS = 80;
const ROWS = 24;
const PATIENCE_MS = 60_000;

const quote = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;

export interface TerminalOptions {
  readonly cwd?: string;
  readonly columns?: number;
  /** Environment variables besides those that there are. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the shell does with the command's words. Unless told, it becomes the command. */
  readonly script?: string;
}

export class Terminal implements Disposable {
  readonly #child: ChildProcess;
  readonly #screen: VirtualScreen;
  readonly #ended: Promise<number>;
  /** All that has been printed. */
  output = '';
  #seen = 0;
  #changed: (() => void) | undefined;

  /** Runs `holstein` with arguments, or another command. */
  constructor(
    words: readonly string[] | { readonly command: readonly string[] },
    options: TerminalOptions = {},
  ) {
    const command = 'command' in words ? words.command : [process.execPath, main, ...words];
    const { cwd, columns = COLUMNS, env = {}, script = 'exec "$@"' } = options;
    this.#screen = new VirtualScreen(columns);
    const line = `stty rows ${ROWS} cols ${columns}; set -- ${command.map(quote).join(' ')}; ${script}`;
    this.#child = spawn('script', ['-qefc', line, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, TERM: 'xterm', SHELL: '/bin/sh', ...env },
      ...(cwd === undefined ? {} : { cwd }),
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      this.#screen.write(text);
      this.#changed?.();
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on('close', (code) => resolve(code ?? -1));
      this.#child.on('error', reject);
    });
    void this.#ended.finally(() => this.#changed?.());
  }

  /** What the terminal shows, row by row. */
  get lines(): string[] {
    return this.#screen.lines;
  }

  get cursor(): { readonly row: number; readonly column: number } {
    return this.#screen.cursor;
  }

  /** The command's exit code, when it has ended. */
  get exitCode(): Promise<number> {
    return this.#ended;
  }

  type(keys: string): void {
    this.#child.stdin!.write(keys);
  }

  /** Waits until a text has been printed, after that which was last waited for. */
  async expect(text: string): Promise<void> {
    await this.#until(() => this.output.indexOf(text, this.#seen) !== -1, `“${text}”`);
    this.#seen = this.output.indexOf(text, this.#seen) + text.length;
  }

  /** Waits until a line is read behind a prompt, empty where a program reads without one. */
  async expectPrompt(prompt = '$ ', line = ''): Promise<void> {
    // readline's last word is where the cursor is, and the terminal is in raw mode by then.
    const drawn = `${prompt}${line}\u{1b}[${prompt.length + line.length + 1}G`;
    await this.#until(() => this.output.length > this.#seen && this.output.endsWith(drawn), `“${prompt}”`);
    this.#seen = this.output.length;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }

  async #until(isTrue: () => boolean, what: string): Promise<void> {
    const end = Date.now() + PATIENCE_MS;
    while (!isTrue()) {
      if (this.#child.exitCode !== null || Date.now() > end) {
        throw new Error(`waited in vain for ${what}. The terminal shows:\n${this.lines.join('\n')}`);
      }
      const changed = new Promise<void>((resolve) => (this.#changed = resolve));
      const timer = setTimeout(() => this.#changed?.(), 100);
      await changed;
      clearTimeout(timer);
    }
  }
}
