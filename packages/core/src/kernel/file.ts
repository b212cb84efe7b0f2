/**
 * Open files: what a descriptor stands for. Descriptors of several processes may stand for one open file,
 * which is closed with its last reference.
 */
import type { VirtAddr } from '../frame/index.js';
import type { AddressSpace, UserCopyResult } from '../space/index.js';
import type { FileStat } from './files/file-tree.js';
import type { AnyInode } from './files/inode-table.js';
import type { FileProblem } from './files/store.js';

/** What a process waits for: the very object that will change, or the promise of a pager's answer. */
export type Channel = object;

/** The call has to wait: it is made again when something has happened to the channel. */
export interface Wait {
  readonly wait: Channel;
  /** What it has done so far. */
  readonly progress?: number;
}

/** The call has done a part of its work, and is made again: at the process's next turn, where this one is spent. */
export interface Again {
  readonly again: number;
}

/** What read and write answer: a number of bytes, -1, or that the call is not done. */
export type Transfer = number | Wait | Again;

/** What becomes of a call whose copy to or from a process's memory was not made: it waits for a pager, or gives -1. */
export const whenNotCopied = (result: Exclude<UserCopyResult, 'ok'> | 'ENAMETOOLONG'): Wait | -1 =>
  typeof result === 'object' ? { wait: result.until } : -1;

/** As `whenNotCopied`, for a transfer of which earlier tries have moved something. */
export const whenNotMoved = (result: Exclude<UserCopyResult, 'ok'>, done: number): Transfer => {
  if (typeof result === 'object') return { wait: result.until, progress: done };
  return done > 0 ? done : -1;
};

export interface FileOperations {
  /** What it holds, if anything. */
  readonly inode?: AnyInode;
  /** Undefined for what fstat does not know, a pipe. */
  stat?(): FileStat;
  /**
   * Reads at most `count` (more than 0) bytes to an address of `space`. 0 is the end of the file.
   * @param done how many bytes earlier tries of this call have read.
   */
  read(space: AddressSpace, to: VirtAddr, count: number, done: number): Transfer;
  /**
   * Writes bytes from an address of `space`.
   * @param done how many of `count` earlier tries of this call have written.
   * @returns the bytes written by this try and those before.
   */
  write(space: AddressSpace, from: VirtAddr, count: number, done: number): Transfer;
  /** The last reference is gone. @returns why what was written could not be kept. */
  close(): FileProblem | undefined;
}

export interface OpenMode {
  readonly readable: boolean;
  readonly writable: boolean;
}

export class OpenFile {
  readonly operations: FileOperations;
  readonly readable: boolean;
  readonly writable: boolean;
  /** Descriptors that stand for this file. */
  references = 1;

  constructor(operations: FileOperations, { readable, writable }: OpenMode) {
    this.operations = operations;
    this.readable = readable;
    this.writable = writable;
  }
}

/** All open files, up to a limit. */
export class FileTable {
  readonly #open = new Set<OpenFile>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get files(): ReadonlySet<OpenFile> {
    return this.#open;
  }

  /** Whether `count` more files can be opened. */
  hasRoomFor(count: number): boolean {
    return this.#open.size + count <= this.#limit;
  }

  /** Opens a file, with one reference. There must be room. */
  open(operations: FileOperations, mode: OpenMode): OpenFile {
    const file = new OpenFile(operations, mode);
    this.#open.add(file);
    return file;
  }

  /** Drops a reference. @returns why what was written could not be kept, where it was the last. */
  release(file: OpenFile): FileProblem | undefined {
    file.references--;
    if (file.references > 0) return undefined;
    this.#open.delete(file);
    return file.operations.close();
  }
}
