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
import { pagesIn } from '../../frame/index.js';
import type { MemoryObjects, Vmo } from '../../vmo/index.js';
import { blocksOf, type DiskBudget } from './disk-budget.js';
import type { HostStats } from './host-file-system.js';
import { Inode } from './inode.js';
import { attempt, type FileObject, HostHandle, OpenContent } from './open-content.js';
import { type FileProblem, type HostFile, problemOf, type Store } from './store.js';

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
  /** Hears of pages that the host has not got yet. */
  readonly noteChanged: (pages: number) => void;
  /** Hears what went wrong where nobody else can be told. */
  readonly report: (problem: string) => void;
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
  /** Blocks that it takes of its store's budget. */
  #chargedBlocks: number;
  /** Whether its object is in the middle of something. */
  #isBusy = false;

  constructor(store: Store, number: number, path: string, home: FileHome, stats: HostStats) {
    super(store, number, store.keyIn(stats));
    this.path = path;
    this.#home = home;
    this.links = Number(stats.nlink);
    this.#sizeBytes = Number(stats.size);
    this.#chargedBlocks = blocksOf(this.#sizeBytes);
  }

  get chargedBlocks(): number {
    return this.#chargedBlocks;
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
    const open = this.#open;
    if (open !== undefined && (this.holders > 0 || open.isChanged || open.isAsSeen(stats))) return;
    this.close();
    this.#sizeBytes = Number(stats.size);
    this.#charge(this.#sizeBytes);
  }

  /** Opens it, unless it is. @param created the host's file, where it has just been made. */
  open(created?: HostFile): FileProblem | undefined {
    if (this.#open !== undefined) return undefined;
    const file = created ?? this.store.open(this.path);
    if (typeof file === 'string') return file;
    const handle = new HostHandle(this.store, file, this.#home.report);
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
    const more = blocksOf(sizeBytes) - this.#chargedBlocks;
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
    if (!this.hasRoomFor(end)) return 'ENOSPC';
    const failed = this.#withRoom(() => this.#writeBytes(offset, bytes));
    this.#charge(this.sizeBytes);
    if (failed === undefined) this.#home.noteChanged(pagesIn(bytes.length));
    return failed;
  }

  /** Cuts off what is beyond so many bytes, by default everything. The file must be open. */
  truncate(sizeBytes = 0): FileProblem | undefined {
    const size = this.sizeBytes;
    if (size <= sizeBytes) return undefined;
    const problem =
      this.#beforeChange() ?? this.#withRoom(() => void this.#open!.object.resizeSync(sizeBytes));
    this.#charge(this.sizeBytes);
    return problem;
  }

  /**
   * The object, for a process to run it. What is written to the file later, it does not see. What is changed is written back
   * before. The file must be open.
   */
  program(): ProgramObject | FileProblem {
    const problem = this.sync();
    if (problem !== undefined) return problem;
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
    if (open === undefined || !open.isChanged || this.#isBusy) return undefined;
    const problem = attempt(() => open.object.syncSync());
    if (problem === undefined) open.noteSaved();
    return problem;
  }

  /** Opens it anew, so that it can be written if it now may be. The file must be open, and held once. */
  reopen(): FileProblem | undefined {
    if (this.isWritable || this.holders > 1) return undefined;
    const before = this.#open!;
    this.#open = undefined;
    const problem = this.open();
    if (problem !== undefined) this.#open = before;
    else before.object.close();
    return problem;
  }

  /** Lets go of the object: what is not saved is lost. */
  close(): void {
    const open = this.#open;
    if (open === undefined) return;
    // What the host has not got is lost.
    this.#sizeBytes = open.isChanged ? (open.hostSize ?? open.object.size) : open.object.size;
    this.#charge(this.#sizeBytes);
    this.#open = undefined;
    open.object.close({ unwritten: 'discard' });
  }

  /** Takes of the budget what so many bytes want, or gives back. */
  #charge(sizeBytes: number): void {
    const blocks = blocksOf(sizeBytes);
    this.#home.budget.add(0, blocks - this.#chargedBlocks);
    this.#chargedBlocks = blocks;
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
    const problem = this.#attempt(work);
    if (problem !== 'ENOMEM') return problem;
    this.#home.relieve();
    return this.#attempt(work);
  }

  /** Frames that are wanted for it may have other files written back, and not this one. */
  #attempt(work: () => void): FileProblem | undefined {
    this.#isBusy = true;
    try {
      return attempt(work);
    } finally {
      this.#isBusy = false;
    }
  }
}
