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

  /** Settles when some pager has answered; undefined where no process waits for one. */
  get answer(): Promise<void> | undefined {
    return this.#answers.size === 0 ? undefined : Promise.race(this.#answers.values());
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
