/** What running processes may use at most, and the check of it. */
import { InvalidArgument } from '../frame/index.js';

/** The defaults are xv6's: its programs expect to meet them. */
export interface KernelLimits {
  /** Processes at a time, zombies included. */
  readonly processes: number;
  /** Descriptors of a process. */
  readonly filesPerProcess: number;
  /** Open files in all: ends of pipes, and openings of the console. */
  readonly openFiles: number;
  /** Arguments of exec, the null pointer that ends them included. */
  readonly arguments: number;
  /** Bytes of a path, its zero byte included. */
  readonly pathBytes: number;
  /** Bytes that a pipe holds. */
  readonly pipeBytes: number;
  /** Bytes of output that the console holds before a writer waits, and of input before the host does. */
  readonly consoleBytes: number;
}

export const XV6_LIMITS: KernelLimits = {
  processes: 64,
  filesPerProcess: 16,
  openFiles: 100,
  arguments: 32,
  pathBytes: 128,
  pipeBytes: 512,
  consoleBytes: 65_536,
};

/** The least that a machine works with: descriptors 0, 1 and 2, a program's path and the null after it. */
const LEAST: Readonly<Partial<Record<keyof KernelLimits, number>>> = { filesPerProcess: 3, arguments: 2 };

/** @throws InvalidArgument for a limit that is not a whole number, or too small to work with. */
export const checkLimits = (limits: KernelLimits): void => {
  for (const [name, value] of Object.entries(limits) as [keyof KernelLimits, number][]) {
    const least = LEAST[name] ?? 1;
    if (Number.isSafeInteger(value) && value >= least && value <= 2 ** 30) continue;
    throw new InvalidArgument(`limit ${name} of ${value}: give a whole number from ${least} to 2^30`);
  }
};
