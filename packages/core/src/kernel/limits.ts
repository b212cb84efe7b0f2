/** What running processes may use at most, and the check of it. */
import { InvalidArgument } from '../frame/index.js';
import { MAX_OBJECT_BYTES } from '../vmo/index.js';
import { USER_END } from './memory-layout.js';

/** The defaults are xv6's: its programs expect to meet them. */
export interface KernelLimits {
  /** Processes at a time, zombies included. */
  readonly processes: number;
  /** Descriptors of a process. */
  readonly filesPerProcess: number;
  /** Open files in all, ends of pipes among them. */
  readonly openFiles: number;
  /** Arguments of exec, the null pointer that ends them included. */
  readonly arguments: number;
  /** Bytes of a path, its zero byte included. */
  readonly pathBytes: number;
  /** Bytes of a name that count: what is longer is cut. It sets the size of `struct dirent`, with two more. */
  readonly nameBytes: number;
  /** Bytes of the largest file. */
  readonly fileBytes: number;
  /** Files, directories and devices of a store. From 2^30 on, as many as its host takes. */
  readonly inodes: number;
  /** Blocks of 1024 bytes that these take (files/disk-budget.ts). From 2^30 on, as many as the host has. */
  readonly diskBlocks: number;
  /** Files and directories that are open or working directories. */
  readonly inodesInMemory: number;
  /** Bytes of a program's file: exec loads them in one go, but for reading them. */
  readonly programBytes: number;
  /** Bytes of address space that a process may have. */
  readonly processBytes: number;
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
  nameBytes: 14,
  fileBytes: 268 * 1024,
  inodes: 200,
  // 2000, less those of the boot sector, the log, the inodes and the map of free blocks.
  diskBlocks: 1954,
  inodesInMemory: 50,
  programBytes: 16 * 2 ** 20,
  processBytes: USER_END,
  pipeBytes: 512,
  consoleBytes: 65_536,
};

/**
 * The least that a machine works with: descriptors 0, 1 and 2; a program's path and the null after it; '..'; the root, the
 * console, a program and a file that it opens.
 */
const LEAST: Readonly<Partial<Record<keyof KernelLimits, number>>> = {
  filesPerProcess: 3,
  arguments: 2,
  nameBytes: 2,
  inodesInMemory: 4,
};
/** The most that makes sense where it is not 2^30. */
const MOST: Readonly<Partial<Record<keyof KernelLimits, number>>> = {
  nameBytes: 255,
  pathBytes: 65_536,
  pipeBytes: 2 ** 26,
  consoleBytes: 2 ** 26,
  fileBytes: MAX_OBJECT_BYTES,
  processBytes: USER_END,
};

/** xv6's limits, but for those that are given. @throws InvalidArgument for one that makes no sense. */
export const xv6Limits = (limits: Partial<KernelLimits> = {}): KernelLimits => {
  const all = { ...XV6_LIMITS, ...limits };
  checkLimits(all);
  return all;
};

/** The size of a directory's entry, `struct dirent`: a number of 16 bits, and the name. */
export const entryBytes = ({ nameBytes }: Pick<KernelLimits, 'nameBytes'>): number => 2 + nameBytes;

/** @throws InvalidArgument for a limit that is not a whole number, or too small to work with. */
const checkLimits = (limits: KernelLimits): void => {
  for (const [name, value] of Object.entries(limits) as [keyof KernelLimits, number][]) {
    const least = LEAST[name] ?? 1;
    const most = MOST[name] ?? 2 ** 30;
    if (Number.isSafeInteger(value) && value >= least && value <= most) continue;
    throw new InvalidArgument(`limit ${name} of ${value}: give a whole number from ${least} to ${most}`);
  }
};
