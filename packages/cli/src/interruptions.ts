/**
 * What ends a run early, or a part of it: Ctrl-C and the signals that mean the end.
 *
 *      SIGTERM, SIGHUP   end the machine
 *      Ctrl-C            ends the machine; or, where there is a foreground, is its affair, and ends the machine when
 *                        three of them come in a row to no avail
 *
 * Whoever sends more than a few does not want to wait for the machine's end, and ends this process.
 */
import { EXIT, type ExitCode } from './exit-codes.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type EndingSignal = (typeof SIGNALS)[number];

const EXIT_CODES: Readonly<Record<EndingSignal, ExitCode>> = {
  SIGINT: EXIT.interrupted,
  SIGTERM: EXIT.terminated,
  SIGHUP: EXIT.hungUp,
};

/** One Ctrl-C may come as several signals, for the terminal and npm each send one. */
const ECHO_MS = 100;
/** So many in so short a time end the machine. */
const IMPATIENT_INTERRUPTS = 3;
const IMPATIENT_MS = 1500;
/** So many signals that end the machine are borne, before this process ends. */
const PATIENT_ENDS = 2;

/** What became of a Ctrl-C: whoever was in the foreground has had it, or it was a prompt's, where it is harmless. */
export type CtrlC = 'foreground' | 'prompt';

export class Interruptions implements Disposable {
  readonly #onCtrlC: (() => CtrlC) | undefined;
  readonly #ending = new AbortController();
  readonly #listeners: readonly (readonly [EndingSignal, () => void])[];
  #exitCode: ExitCode = EXIT.interrupted;
  #ends = 0;
  /** When Ctrl-C was last pressed, and when those were that nobody prompted for. */
  #interruptedAt = Number.NEGATIVE_INFINITY;
  #interrupts: readonly number[] = [];

  /** @param onCtrlC what Ctrl-C does. Without it Ctrl-C ends the machine. */
  constructor(onCtrlC?: () => CtrlC) {
    this.#onCtrlC = onCtrlC;
    this.#listeners = SIGNALS.map((signal) => [
      signal,
      signal === 'SIGINT' ? () => this.#interruptOnce() : () => this.#end(signal),
    ]);
    for (const [signal, listener] of this.#listeners) process.on(signal, listener);
  }

  /** Is aborted when the machine is to end. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** The command's exit code, where the machine has been ended so. */
  get exitCode(): ExitCode {
    return this.#exitCode;
  }

  /** Ctrl-C, as a key. */
  interrupt(): void {
    const now = performance.now();
    this.#interruptedAt = now;
    if (this.#onCtrlC === undefined) {
      this.#end('SIGINT');
    } else if (this.#onCtrlC() === 'foreground') {
      this.#interrupts = [...this.#interrupts, now].slice(-IMPATIENT_INTERRUPTS);
      const enough = this.#interrupts.length === IMPATIENT_INTERRUPTS;
      if (enough && now - this.#interrupts[0]! <= IMPATIENT_MS) this.#end('SIGINT');
    }
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners) process.off(signal, listener);
  }

  #interruptOnce(): void {
    if (performance.now() - this.#interruptedAt >= ECHO_MS) this.interrupt();
  }

  #end(signal: EndingSignal): void {
    if (this.#ends === 0) this.#exitCode = EXIT_CODES[signal];
    this.#ending.abort();
    if (++this.#ends > PATIENT_ENDS) process.exit(this.#exitCode);
  }
}
