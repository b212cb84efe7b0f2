/** What a regular file has while it is open: the host's file, and the memory object over it. */
import { OutOfMemory } from '../../frame/index.js';
import { filePager, type Vmo } from '../../vmo/index.js';
import type { HostFileSystem, HostStats } from './host-file-system.js';
import { type FileProblem, type HostFile, problemOf, type Store } from './store.js';

/** What the kernel does with a file's object. */
export type FileObject = Vmo<'read' | 'write' | 'exec' | 'dup'>;

/** The host's file, for as long as a pager is over it. */
export class HostHandle {
  readonly file: HostFile;
  readonly #store: Store;
  readonly #report: (problem: string) => void;
  #pagers = 0;

  constructor(store: Store, file: HostFile, report: (problem: string) => void) {
    this.#store = store;
    this.file = file;
    this.#report = report;
  }

  /** Another pager over it, which takes it to have so many bytes. */
  pager(size: number, path: string): ReturnType<typeof filePager> {
    const { fd, writable } = this.file;
    this.#pagers++;
    const opened = {
      openSync: () => fd,
      fstatSync: () => ({ size, isFile: () => true }),
      readSync: (...args: Parameters<HostFileSystem['readSync']>) => this.#store.calling.readSync(...args),
      writeSync: (...args: Parameters<HostFileSystem['writeSync']>) => this.#store.calling.writeSync(...args),
      ftruncateSync: (file: number, sizeBytes: number) => this.#store.calling.ftruncateSync(file, sizeBytes),
      closeSync: () => {
        this.#pagers--;
        const problem = this.#pagers > 0 ? undefined : attempt(() => this.#store.calling.closeSync(fd));
        if (problem !== undefined)
          this.#report(`${this.#store.describe(path)} could not be closed: ${problem}`);
      },
    };
    return filePager(opened, path, { mode: writable ? 'r+' : 'r' });
  }

  /** Undefined where the host does not say. */
  stats(): HostStats | undefined {
    let stats: HostStats | undefined;
    attempt(() => void (stats = this.#store.calling.fstatSync(this.file.fd, { bigint: true })));
    return stats;
  }
}

/** What a file has while it is open. */
export class OpenContent {
  readonly handle: HostHandle;
  readonly object: FileObject;
  isChanged = false;
  /** Whether a process has been given the object to run. */
  isRun = false;
  /** What the host last said of it; undefined where it did not. */
  #seen: HostStats | undefined;

  constructor(handle: HostHandle, object: FileObject) {
    this.handle = handle;
    this.object = object;
    this.#seen = handle.file.stats;
  }

  noteSaved(): void {
    this.isChanged = false;
    this.#seen = this.handle.stats();
  }

  /** Whether the host's file is as it was when this was opened, or last saved. */
  isAsSeen({ size, mtimeNs }: HostStats): boolean {
    return size === this.#seen?.size && mtimeNs === this.#seen.mtimeNs;
  }

  /** Bytes that the host has, as far as it has said. */
  get hostSize(): number | undefined {
    return this.#seen === undefined ? undefined : Number(this.#seen.size);
  }
}

/** Does something that memory or a host may refuse. @throws what neither says. */
export const attempt = (work: () => void): FileProblem | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof OutOfMemory) return 'ENOMEM';
    return problemOf(error);
  }
};
