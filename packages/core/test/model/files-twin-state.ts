/** What the parts of `FilesTwin` have in common: the two sides, and how a call is tried and noted. */
import type { FileTable, OpenFile } from '../../src/kernel/file.js';
import type { Directory } from '../../src/kernel/files/directory.js';
import type { FileTree, KernelLimits } from '../../src/kernel/index.js';
import type { AddressSpace } from '../../src/space/index.js';
import type { FilesHost } from './files-host.js';
import type { ModelFiles, ModelInode, ModelProcess } from './files-model.js';
import type { World } from './world.js';

export interface FilesTwinOptions {
  readonly memoryBytes: number;
  readonly limits: KernelLimits;
  /**
   *      ample    nothing may fail for want of memory
   *      short    memory is too small for all that is open
   *      failing  each allocation of each call is failed, one after the other, before it is let pass
   */
  readonly memory: 'ample' | 'short' | 'failing';
  /** Whether the host refuses writes at times. */
  readonly host?: 'good' | 'failing';
}

export interface TwinProcess {
  readonly model: ModelProcess;
  workingDirectory: Directory;
  readonly files: (OpenFile | undefined)[];
}

/** A program that runs: the file's bytes as they were, mapped. */
export interface TwinProgram {
  readonly space: AddressSpace;
  readonly bytes: Uint8Array;
}

/** Both sides. */
export interface FilesTwinState {
  readonly world: World;
  readonly host: FilesHost;
  readonly model: ModelFiles;
  readonly tree: FileTree;
  readonly options: FilesTwinOptions;
  readonly fileTable: FileTable;
  readonly processes: readonly TwinProcess[];
  readonly programs: TwinProgram[];
  /** The numbers that inodes were seen to have. */
  readonly numbers: Map<ModelInode, number>;
}

/** Both sides, and how calls are made to them. */
export interface FilesTwinCalls extends FilesTwinState {
  /** Whether a call may fail for want of memory. */
  readonly mayRunOut: boolean;
  /** @param how 'all' compares what is in open files too. */
  check(how?: 'all' | 'outside'): void;
  /**
   * Does something, where allocations are to fail once for each of them before: it must change nothing then.
   * @param isFailure whether it has failed for want of memory.
   */
  withFailures<T>(work: () => T, isFailure: (outcome: T) => boolean): T;
  /** Notes that an inode has been let go. @param problem why it could not be saved. */
  released(inode: ModelInode, problem: string | undefined): void;
  note(what: string, result: string): void;
}

/** Bytes that tell places and writes apart. */
export const patternOf = (value: number, length: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = value * 7 + index * 31 + (index >> 8);
  return bytes;
};
