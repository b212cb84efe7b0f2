/** `--trace FILE`: the memory events of a run, for Perfetto (ui.perfetto.dev) or chrome://tracing. */
import { constants, fstatSync, ftruncateSync, openSync, writeFileSync, closeSync } from 'node:fs';
import { EventLog, type Machine, toChromeTrace } from '@holstein/core';
import { CommandError, EXIT } from './exit-codes.js';

/** The latest events are kept, some 40 MiB of text. */
const MOST_EVENTS = 2 ** 18;

/** Learns, as address spaces are closed, whose they were. */
class NamedEventLog extends EventLog {
  readonly names = new Map<number, string>();
  readonly #machine: Machine;

  constructor(machine: Machine) {
    super({ capacity: MOST_EVENTS, now: () => performance.now() });
    this.#machine = machine;
  }

  override closed(space: number): void {
    for (const { pid, name, space: owned } of this.#machine.kernel?.processes.values() ?? []) {
      if (owned.id === space) this.names.set(space, `${pid} ${name}`);
    }
    super.closed(space);
  }
}

export class TraceFile implements Disposable {
  readonly #path: string;
  readonly #fd: number;
  #log: NamedEventLog | undefined;

  /** Opens the file, which keeps what it holds until `write`. @throws CommandError where it can't be written. */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT);
    } catch (error) {
      throw new CommandError(EXIT.usage, `cannot write the trace: ${(error as Error).message}`);
    }
  }

  /** Begins to record what happens in a machine. */
  record(machine: Machine): void {
    this.#log = new NamedEventLog(machine);
    machine.virtualMemory.log = this.#log;
  }

  /** Writes what has been recorded. @throws CommandError where that fails. */
  write(): void {
    if (this.#log === undefined) return;
    try {
      if (fstatSync(this.#fd).isFile()) ftruncateSync(this.#fd);
      writeFileSync(this.#fd, toChromeTrace(this.#log, { names: this.#log.names }));
    } catch (error) {
      throw new CommandError(
        EXIT.machine,
        `cannot write the trace to ${this.#path}: ${(error as Error).message}`,
      );
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
