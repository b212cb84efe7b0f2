/**
 * A run: turns of the kernel, with the host's between them, until process 1 has exited or something else ends it.
 *
 *      turn → output is taken → wait for input, a pager or the host's event loop → turn …
 */
import { InvalidArgument } from '../frame/index.js';
import type { Kernel, KernelState } from '../kernel/index.js';
import type { Host } from './host.js';
import {
  type ByteSink,
  type ConsoleInput,
  type ConsoleOutput,
  InputPump,
  sinkOf,
  sourceOf,
  unlessAborted,
} from './streams.js';

export interface RunOptions {
  /** Console input. Without it processes read the end of the file. */
  readonly input?: ConsoleInput;
  /** Console output. Without it output is dropped. A stream is left open at the end. */
  readonly output?: ConsoleOutput;
  /** Ends the run early: all processes are killed. */
  readonly signal?: AbortSignal;
  /** And so does having run so many instructions, 1 or more, all processes together. */
  readonly maxInstructions?: number;
}

/**
 *      exited    process 1 has exited
 *      aborted   the signal ended the run
 *      limited   it had run as many instructions as it might
 *      stuck     every process waited for another; they were killed
 */
export type RunOutcome = 'exited' | 'aborted' | 'limited' | 'stuck';

/** For how long the machine runs before the host's event loop gets a turn. */
const TURN_MS = 10;
/** And how much output it has before the sink gets it. */
export const MOST_OUTPUT_BYTES = 65_536;

interface Turn {
  readonly state: KernelState | 'limited';
  readonly output: readonly Uint8Array[];
}

/** @throws InvalidArgument for a number of instructions that makes no sense. */
export const checkRunOptions = ({ maxInstructions = Number.POSITIVE_INFINITY }: RunOptions): void => {
  if (maxInstructions === Number.POSITIVE_INFINITY) return;
  if (Number.isSafeInteger(maxInstructions) && maxInstructions >= 1) return;
  throw new InvalidArgument(`maxInstructions of ${maxInstructions}: give a whole number, 1 or more`);
};

export class Run {
  readonly #kernel: Kernel;
  readonly #host: Host;
  readonly #options: RunOptions;
  readonly #maxInstructions: number;
  /** How often it was woken. */
  #wakes = 0;
  /** Ends the wait for input or a pager. */
  #endWait: (() => void) | undefined;

  constructor(kernel: Kernel, host: Host, options: RunOptions) {
    this.#kernel = kernel;
    this.#host = host;
    this.#options = options;
    this.#maxInstructions = options.maxInstructions ?? Number.POSITIVE_INFINITY;
  }

  /** Something has happened to the kernel from outside: who could not go on may be able to. */
  wake(): void {
    this.#wakes++;
    this.#endWait?.();
  }

  /** Runs to the end. @throws what input or output reject with. */
  async toEnd(): Promise<RunOutcome> {
    const { input, output } = this.#options;
    const { console } = this.#kernel;
    const source = input === undefined ? undefined : sourceOf(input);
    if (source === undefined) console.endInput();
    const sink = sinkOf(output ?? { write: () => {} });
    const pump = source === undefined ? undefined : new InputPump(source.end, console);
    try {
      return await this.#turns(pump, sink.end);
    } finally {
      source?.letGo();
      sink.letGo();
    }
  }

  async #turns(pump: InputPump | undefined, sink: ByteSink): Promise<RunOutcome> {
    const { console, table } = this.#kernel;
    const { signal } = this.#options;
    for (;;) {
      // From here on: what wakes it while output is taken must not be slept over after.
      const woken = new Promise<void>((resolve) => (this.#endWait = resolve));
      const wakes = this.#wakes;
      const turn = this.#turn();
      for (const bytes of turn.output) {
        if ((await unlessAborted(sink.write(bytes), signal)) === 'aborted') return 'aborted';
      }
      if (turn.state === 'halted') return 'exited';
      if (turn.state === 'limited') return 'limited';
      if (signal?.aborted === true) break;
      if (turn.state === 'stuck' && wakes === this.#wakes) return 'stuck';
      const isInputWanted = console.wantsInput && table.hasWaiterFor(console.inputChannel);
      const arrival = isInputWanted ? pump?.ask() : undefined;
      const event = this.#nextEvent(turn.state, arrival === undefined ? [woken] : [woken, arrival]);
      if ((await unlessAborted(event, signal)) === 'aborted') break;
      pump?.throwFailure();
    }
    // What a turn has written that was interrupted, and now does not go on.
    if (console.outputBytes > 0) await unlessAborted(sink.write(console.takeOutput()), signal);
    return 'aborted';
  }

  /** What to wait for before the next turn. */
  #nextEvent(state: Turn['state'], events: readonly Promise<void>[]): Promise<void> {
    switch (state) {
      case 'waiting-for-input':
        return Promise.race(events);
      case 'waiting-for-pager':
        return Promise.race([this.#kernel.pagerAnswer, ...events]);
      default:
        return this.#host.pause();
    }
  }

  /**
   * Steps until the host should have a turn, or nothing more can be done. Output is taken after each turn of a process,
   * so that the room that writers see depends on what has run, never on the host's speed or on how the hart ran it.
   */
  #turn(): Turn {
    const kernel = this.#kernel;
    const output: Uint8Array[] = [];
    const end = this.#host.now() + TURN_MS;
    let outputBytes = 0;
    for (;;) {
      const left = this.#maxInstructions - kernel.instructions;
      const state = left > 0 || kernel.exitStatus !== undefined ? kernel.step(left) : 'limited';
      if (state !== 'interrupted' && kernel.console.outputBytes > 0) {
        output.push(kernel.console.takeOutput());
        outputBytes += output.at(-1)!.length;
      }
      const goesOn = state === 'running' || state === 'interrupted' || state === 'waiting-for-output';
      if (!goesOn || outputBytes >= MOST_OUTPUT_BYTES || this.#host.now() >= end) return { state, output };
    }
  }
}
