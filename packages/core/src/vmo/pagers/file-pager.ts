/** A pager over a file of the host. It answers at once. */
import { hex, HolsteinError, InvalidArgument } from '../../frame/index.js';
import type { ByteRange } from '../pager.js';
import { cannotBeWritten, checkWithin, type SizedPager } from './sized-pager.js';

/** What is wanted of a module of files: `node:fs` has it, and `memfs`. Its positions are bytes, up to 2^53 - 1. */
export interface HostFiles {
  openSync(path: string, flags: 'r' | 'r+'): number;
  fstatSync(fd: number): { readonly size: number; isFile(): boolean };
  readSync(fd: number, into: Uint8Array, offset: number, length: number, position: number): number;
  writeSync(fd: number, from: Uint8Array, offset: number, length: number, position: number): number;
  ftruncateSync(fd: number, sizeBytes: number): void;
  closeSync(fd: number): void;
}

export interface FilePagerOptions {
  /** 'r': the file is read, and a write to the object is refused. 'r+': `sync` writes it back too. Default 'r'. */
  readonly mode?: 'r' | 'r+';
}

/**
 * Opens a file, whose pages are read when they are wanted. It is to stay as it is, but for what is written through the
 * object: a change by someone else shows in pages that are not there yet. Where it ends too soon, the read is a
 * `PagerError` whose cause has the code ESTALE. Mode 'r' refuses writes likewise, with EACCES.
 * @param files such as `node:fs`.
 * @throws what `files` throws; InvalidArgument where `path` is no regular file.
 */
export const filePager = (files: HostFiles, path: string, options: FilePagerOptions = {}): SizedPager => {
  const { mode = 'r' } = options;
  if (mode !== 'r' && mode !== 'r+') {
    throw new InvalidArgument(`there is no mode ${String(mode)}: give 'r' or 'r+'`);
  }
  const fd = files.openSync(path, mode);
  try {
    const stats = files.fstatSync(fd);
    if (!stats.isFile()) throw new InvalidArgument(`${path} is not a regular file`);
    const open = { files, path, fd, size: stats.size };
    return mode === 'r' ? new ReadOnlyFile(open) : new WritableFile(open);
  } catch (error) {
    files.closeSync(fd);
    throw error;
  }
};

interface Opened {
  readonly files: HostFiles;
  readonly path: string;
  readonly fd: number;
  readonly size: number;
}

abstract class OpenFile implements SizedPager {
  protected readonly files: HostFiles;
  protected readonly path: string;
  readonly #fd: number;
  protected sizeBytes: number;
  #isOpen = true;

  constructor({ files, path, fd, size }: Opened) {
    this.files = files;
    this.path = path;
    this.#fd = fd;
    this.sizeBytes = size;
  }

  get size(): number {
    return this.sizeBytes;
  }

  protected get fd(): number {
    if (!this.#isOpen) throw new HolsteinError('EBADF', `the pager of ${this.path} is closed`);
    return this.#fd;
  }

  commit(range: ByteRange): Uint8Array {
    checkWithin(range, this.size, this.path);
    const { fd } = this;
    const bytes = new Uint8Array(range.length);
    for (let done = 0; done < bytes.length;) {
      const at = range.offset + done;
      const count = this.files.readSync(fd, bytes, done, bytes.length - done, at);
      if (count <= 0) {
        throw new HolsteinError(
          'ESTALE',
          `${this.path} ends at ${hex(at)}: it had ${this.size} bytes, and has been cut since`,
        );
      }
      done += count;
    }
    return bytes;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.files.closeSync(this.#fd);
  }
}

class ReadOnlyFile extends OpenFile {
  update(): void {
    throw cannotBeWritten('EACCES', `${this.path}, which is open with mode 'r',`);
  }
}

class WritableFile extends OpenFile {
  writeBack(range: ByteRange, bytes: Uint8Array): void {
    checkWithin(range, this.size, this.path);
    const { fd } = this;
    for (let done = 0; done < bytes.length;) {
      const at = range.offset + done;
      const count = this.files.writeSync(fd, bytes, done, bytes.length - done, at);
      if (count <= 0) throw new HolsteinError('EIO', `${this.path} takes no bytes at ${hex(at)}`);
      done += count;
    }
  }

  resize(sizeBytes: number): void {
    this.files.ftruncateSync(this.fd, sizeBytes);
    this.sizeBytes = sizeBytes;
  }
}
