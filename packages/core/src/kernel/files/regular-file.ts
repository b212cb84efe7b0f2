/**
 * A regular file. Its bytes are a memory object with a pager over the host's file, so that who reads, writes and runs it
 * sees the same pages; the object is made when the file is first held, and stays a while after.
 *
 *      unopened → clean     held, or read, or run for the first time: the object is made
 *      clean    → changed   written or cut
 *      changed  → clean     sync: at the last release, and whenever someone asks
 *      clean    → unopened  nobody holds it, and room is wanted for others, or the host's file has changed
 *
 * A program that runs has its file's object mapped, and must not see what is written to the file later: the first write
 * after that gives the file another object, and leaves the one that it had to those who run it.
 */
import { HolsteinError, OutOfMemory } from '../../frame/index.js';
import { filePager, type MemoryObjects, type Vmo } from '../../vmo/index.js';
import { blocksOf, type DiskBudget } from './disk-budget.js';
import type { HostStats } from './host-file-system.js';
import { Inode } from './inode.js';
import { type FileProblem, type HostFile, problemOf, type Store } from './store.js';

/** What the kernel does with a file's object. */
type FileObject = Vmo<'read' | 'write' | 'exec' | 'dup'>;

/** What a process may do with a program's object. */
export type ProgramObject = Vmo<'read' | 'exec'>;

/** What a regular file is made from. */
export interface FileHome {
  readonly objects: MemoryObjects;
  readonly budget: DiskBudget;
  /** Bytes of the largest file. */
  readonly fileBytes: number;
  /** Writes back what can be: frames are short. */
  readonly relieve: () => void;
}

/** What is read at a time only to have it in memory. */
const LOAD_BYTES = 65_536;

export class RegularFile extends Inode {
  override readonly kind = 'file';
  /** One of its names, the last by which it was found, as a path of the store. */
  path: string;
  readonly #home: FileHome;
  #open: OpenContent | undefined;
  /** The size when it was last looked at, for as long as it is not open. */
  #sizeBytes: number;

  constructor(store: Store, number: number, path: string, home: FileHome, stats: HostStats) {
    super(store, number);
    this.path = path;
    this.#home = home;
    this.links = Number(stats.nlink);
    this.#sizeBytes = Number(stats.size);
  }

  get sizeBytes(): number {
    return this.#open?.object.size ?? this.#sizeBytes;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Whether there is something that the host has not got yet. */
  get isChanged(): boolean {
    return this.#open?.isChanged ?? false;
  }

  /** Whether it can be written at all. The file must be open. */
  get isWritable(): boolean {
    return this.#open!.handle.file.writable;
  }

  /** Takes note of what the host says of it, under a name by which it was found. */
  look(path: string, stats: HostStats): void {
    this.path = path;
    this.links = Number(stats.nlink);
    if (this.#open === undefined) {
      this.#sizeBytes = Number(stats.size);
    } else if (this.holders === 0 && !this.#open.isChanged && !this.#open.isAsSeen(stats)) {
      this.close();
      this.#sizeBytes = Number(stats.size);
    }
  }

  /** Opens it, unless it is. @param created the host's file, where it has just been made. */
  open(created?: HostFile): FileProblem | undefined {
    if (this.#open !== undefined) return undefined;
    const file = created ?? this.store.open(this.path);
    if (typeof file === 'string') return file;
    const handle = new HostHandle(this.store, file);
    const object = this.#makeObject(handle, Number(file.stats.size));
    if (typeof object === 'string') return object;
    this.#open = new OpenContent(handle, object);
    return undefined;
  }

  /** Fills `into` from a place on. The file must be open, and have so many bytes. */
  read(offset: number, into: Uint8Array): FileProblem | undefined {
    return this.#withRoom(() => void this.#open!.object.readSync(offset, into));
  }

  /** Whether it may have so many bytes. */
  hasRoomFor(sizeBytes: number): boolean {
    const more = blocksOf(sizeBytes) - blocksOf(this.sizeBytes);
    return sizeBytes <= this.#home.fileBytes && (more <= 0 || this.#home.budget.hasRoomFor(more));
  }

  /** Writes all bytes or none. The file must be open. A place beyond the end is refused, as xv6 does. */
  write(offset: number, bytes: Uint8Array): FileProblem | undefined {
    const end = offset + bytes.length;
    const size = this.sizeBytes;
    if (offset > size) return 'EINVAL';
    if (end > this.#home.fileBytes) return 'EFBIG';
    const problem = this.#beforeChange();
    if (problem !== undefined) return problem;
    const more = blocksOf(Math.max(end, size)) - blocksOf(size);
    const full = this.#home.budget.take(0, more);
    if (full !== undefined) return full;
    const failed = this.#withRoom(() => this.#writeBytes(offset, bytes));
    if (failed !== undefined) this.#home.budget.take(0, -more);
    return failed;
  }

  /** Cuts off what is beyond so many bytes, by default everything. The file must be open. */
  truncate(sizeBytes = 0): FileProblem | undefined {
    const size = this.sizeBytes;
    if (size <= sizeBytes) return undefined;
    const problem =
      this.#beforeChange() ?? this.#withRoom(() => void this.#open!.object.resizeSync(sizeBytes));
    if (problem === undefined) this.#home.budget.take(0, blocksOf(sizeBytes) - blocksOf(size));
    return problem;
  }

  /** The object, for a process to run it. What is written to the file later, it does not see. The file must be open. */
  program(): ProgramObject {
    this.#open!.isRun = true;
    return this.#open!.object;
  }

  /** Brings bytes into memory, as far as they are not there. The file must be open, and have them. */
  load(offset: number, length: number): FileProblem | undefined {
    const piece = new Uint8Array(Math.min(length, LOAD_BYTES));
    return this.#withRoom(() => {
      for (let at = offset; at < offset + length; at += LOAD_BYTES) {
        this.#open!.object.readSync(at, piece.subarray(0, Math.min(LOAD_BYTES, offset + length - at)));
      }
    });
  }

  /** Gives the host what is changed. What fails is changed still. */
  sync(): FileProblem | undefined {
    const open = this.#open;
    if (open === undefined || !open.isChanged) return undefined;
    const problem = attempt(() => open.object.syncSync());
    if (problem === undefined) open.noteSaved();
    return problem;
  }

  /** Lets go of the object: what is not saved is lost. */
  close(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#sizeBytes = open.object.size;
    this.#open = undefined;
    open.object.close({ unwritten: 'discard' });
  }

  #writeBytes(offset: number, bytes: Uint8Array): void {
    const { object } = this.#open!;
    const size = object.size;
    const end = offset + bytes.length;
    if (end > size) object.resizeSync(end);
    try {
      object.writeSync(offset, bytes);
    } catch (error) {
      if (end > size) object.resizeSync(size);
      throw error;
    }
    this.#open!.isChanged = true;
  }

  /** Leaves the object that programs run to them. */
  #beforeChange(): FileProblem | undefined {
    const open = this.#open!;
    if (!open.handle.file.writable) return 'EACCES';
    if (!open.isRun) {
      open.isChanged = true;
      return undefined;
    }
    const problem = this.sync();
    if (problem !== undefined) return problem;
    const object = this.#makeObject(open.handle, open.object.size);
    if (typeof object === 'string') return object;
    open.object.close();
    this.#open = new OpenContent(open.handle, object);
    this.#open.isChanged = true;
    return undefined;
  }

  #makeObject(handle: HostHandle, size: number): FileObject | FileProblem {
    const { objects } = this.#home;
    const pager = handle.pager(size, this.path);
    try {
      return objects.create({
        size,
        pager,
        resizable: true,
        rights: ['read', 'write', 'exec', 'dup'],
        name: this.path,
      });
    } catch (error) {
      pager.close();
      return problemOf(error);
    }
  }

  /** Tries once more where frames are short and writing back gives some. */
  #withRoom(work: () => void): FileProblem | undefined {
    const problem = attempt(work);
    if (problem !== 'ENOMEM') return problem;
    this.#home.relieve();
    return attempt(work);
  }
}

/** The host's file, for as long as a pager is over it. */
class HostHandle {
  readonly file: HostFile;
  readonly #store: Store;
  #pagers = 0;

  constructor(store: Store, file: HostFile) {
    this.#store = store;
    this.file = file;
  }

  /** Another pager over it, which takes it to have so many bytes. */
  pager(size: number, path: string): ReturnType<typeof filePager> {
    const { fileSystem } = this.#store;
    const { fd, writable } = this.file;
    this.#pagers++;
    const opened = {
      openSync: () => fd,
      fstatSync: () => ({ size, isFile: () => true }),
      readSync: fileSystem.readSync.bind(fileSystem),
      writeSync: fileSystem.writeSync.bind(fileSystem),
      ftruncateSync: fileSystem.ftruncateSync.bind(fileSystem),
      closeSync: () => {
        this.#pagers--;
        if (this.#pagers === 0) fileSystem.closeSync(fd);
      },
    };
    return filePager(opened, path, { mode: writable ? 'r+' : 'r' });
  }

  stats(): HostStats {
    return this.#store.fileSystem.fstatSync(this.file.fd, { bigint: true });
  }
}

/** What a file has while it is open. */
class OpenContent {
  readonly handle: HostHandle;
  readonly object: FileObject;
  isChanged = false;
  /** Whether a process has been given the object to run. */
  isRun = false;
  #seen: HostStats;

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
    return size === this.#seen.size && mtimeNs === this.#seen.mtimeNs;
  }
}

const attempt = (work: () => void): FileProblem | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof OutOfMemory) return 'ENOMEM';
    if (error instanceof HolsteinError) return problemOf(error);
    throw error;
  }
};
