/**
 * Open files: what a descriptor stands for. Descriptors of several processes may stand for one open file,
 * which is closed with its last reference.
 */
import type { VirtAddr } from '../frame/index.js';
import type { AddressSpace, UserCopyResult } from '../space/index.js';

/** The call has to wait: it is made again when something has happened to `channel`. */
export interface Wait {
  readonly wait: Channel;
}

/** What a process waits for: the very object that will change, or the promise of a pager's answer. */
export type Channel = object;

/** What becomes of a call whose copy to or from a process's memory was not made: it waits for a pager, or gives -1. */
export const whenNotCopied = (result: Exclude<UserCopyResult, 'ok'> | 'ENAMETOOLONG'): Wait | -1 =>
  typeof result === 'object' ? { wait: result.until } : -1;

/** What read and write answer: a number of bytes, -1, or that the caller has to wait. */
export type Transfer = number | Wait;

/** As `whenNotCopied`, for a write of which earlier tries have moved something. */
export const whenNotWritten = (
  result: Exclude<UserCopyResult, 'ok'>,
  done: number,
): Transfer | (Wait & { progress: number }) => {
  if (typeof result === 'object') return { wait: result.until, progress: done };
  return done > 0 ? done : -1;
};

export interface FileOperations {
  /** Reads at most `count` (more than 0) bytes to an address of `space`. 0 is the end of the file. */
  read(space: AddressSpace, to: VirtAddr, count: number): Transfer;
  /**
   * Writes bytes from an address of `space`.
   * @param done how many of `count` earlier tries of this call have written.
   * @returns the bytes written by this try and those before; or, to wait, `progress` so far.
   */
  write(
    space: AddressSpace,
    from: VirtAddr,
    count: number,
    done: number,
  ): Transfer | (Wait & { progress: number });
  /** The last reference is gone. */
  close(): void;
}

export class OpenFile {
  readonly operations: FileOperations;
  readonly readable: boolean;
  readonly writable: boolean;
  /** Descriptors that stand for this file. */
  references = 1;

  constructor(operations: FileOperations, mode: { readonly readable: boolean; readonly writable: boolean }) {
    this.operations = operations;
    this.readable = mode.readable;
    this.writable = mode.writable;
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
  open(
    operations: FileOperations,
    mode: { readonly readable: boolean; readonly writable: boolean },
  ): OpenFile {
    const file = new OpenFile(operations, mode);
    this.#open.add(file);
    return file;
  }

  release(file: OpenFile): void {
    file.references--;
    if (file.references > 0) return;
    this.#open.delete(file);
    file.operations.close();
  }
}
