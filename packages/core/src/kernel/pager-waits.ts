/**
 * Processes that wait for asynchronous pagers. The promise itself is the channel that they wait for; when it settles they
 * try again, or hear that the pager has failed.
 */
import { PagerError } from '../vmo/index.js';
import type { Channel } from './file.js';
import type { FailedWait, Process } from './process.js';

export class PagerWaits {
  readonly #wake: (channel: Channel) => void;
  /** What is waited for, and what comes of it, which is never rejected. */
  readonly #answers = new Map<Promise<void>, Promise<void>>();

  constructor(wake: (channel: Channel) => void) {
    this.#wake = wake;
  }

  /** Settles when a pager has answered that one of these processes waits for; undefined where none does. */
  answerTo(processes: Iterable<Process>): Promise<void> | undefined {
    const answers: Promise<void>[] = [];
    for (const { channel } of processes) {
      const answer = channel instanceof Promise ? this.#answers.get(channel) : undefined;
      if (answer !== undefined) answers.push(answer);
    }
    return answers.length === 0 ? undefined : Promise.race(answers);
  }

  /** Lets a process wait. @param what it was about to do: it is tried again, or fails. */
  park(process: Process, until: Promise<void>, what: FailedWait['what']): void {
    process.channel = until;
    process.state = 'blocked';
    const wake = (): void => {
      this.#answers.delete(until);
      this.#wake(until);
    };
    const failed = (error: unknown): void => {
      if (error instanceof PagerError && process.channel === until) process.failedWait = { what, error };
      wake();
    };
    this.#answers.set(until, until.then(wake, failed));
  }
}
