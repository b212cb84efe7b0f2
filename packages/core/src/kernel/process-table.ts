/**
 * All processes: who is whose child, who waits for what, and whose turn is next.
 *
 * Turns go round by process number, so that every run is deterministic.
 */
import type { Channel } from './file.js';
import type { Process } from './process.js';

export class ProcessTable {
  readonly #processes = new Map<number, Process>();
  #lastPid = 0;
  /** The process that ran last: the next turn is for those after it. */
  #lastRun = 0;

  get all(): ReadonlyMap<number, Process> {
    return this.#processes;
  }

  get size(): number {
    return this.#processes.size;
  }

  /** @param make is given the number of a new process. */
  add(make: (pid: number) => Process): Process {
    const process = make(++this.#lastPid);
    this.#processes.set(process.pid, process);
    return process;
  }

  /** Frees the place of a process that is gone. */
  forget({ pid }: Process): void {
    this.#processes.delete(pid);
  }

  /** Whether one process is another's child, or a child's child, and so on. */
  isDescendant(process: Process, of: Process): boolean {
    for (let at = process.parent; at !== undefined; at = at.parent) if (at === of) return true;
    return false;
  }

  *childrenOf(parent: Process): Generator<Process> {
    for (const process of this.#processes.values()) if (process.parent === parent) yield process;
  }

  /** A child that has exited; 'none' where there are no children at all. */
  findZombie(parent: Process): Process | 'none' | 'all-alive' {
    let any = false;
    for (const child of this.childrenOf(parent)) {
      if (child.state === 'zombie') return child;
      any = true;
    }
    return any ? 'all-alive' : 'none';
  }

  /** Whether any process waits for a channel. */
  hasWaiterFor(channel: Channel): boolean {
    for (const process of this.#processes.values()) if (process.channel === channel) return true;
    return false;
  }

  /** Makes what waits for a channel try again. */
  wake(channel: Channel): void {
    for (const process of this.#processes.values()) {
      if (process.channel === channel) process.unblock();
    }
  }

  /** Those that wait for a clock, with the ticks that they wait for. */
  *sleepers(clock: Channel): Generator<Process & { readonly progress: number }> {
    for (const process of this.#processes.values()) {
      if (process.channel === clock) yield process as Process & { readonly progress: number };
    }
  }

  /** The next in turn: by pid, from the one after the last, and round. */
  nextRunnable(): Process | undefined {
    let first: Process | undefined;
    let next: Process | undefined;
    for (const process of this.#processes.values()) {
      if (process.state !== 'runnable') continue;
      if (first === undefined || process.pid < first.pid) first = process;
      if (process.pid > this.#lastRun && (next === undefined || process.pid < next.pid)) next = process;
    }
    const chosen = next ?? first;
    if (chosen !== undefined) this.#lastRun = chosen.pid;
    return chosen;
  }
}
