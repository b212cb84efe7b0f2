/** Opening a path: what `open` gives a descriptor for, and how it is then read and written. */
import { PAGE_SIZE, type VirtAddr, virtAddr } from '../../frame/index.js';
import { type AddressSpace, copyIn, copyOut } from '../../space/index.js';
import type { Console } from '../console.js';
import { type FileOperations, type OpenMode, type Transfer, whenNotMoved } from '../file.js';
import { CONSOLE_MAJOR, type Device, MOST_MAJORS } from './device.js';
import type { FileStat, FileTree } from './file-tree.js';
import type { Directory } from './directory.js';
import type { AnyInode } from './inode-table.js';
import { cutName } from './names.js';
import type { RegularFile } from './regular-file.js';
import type { FileProblem } from './store.js';

/** open's modes, as xv6 numbers them. */
export const O_WRONLY = 0x001;
export const O_RDWR = 0x002;
export const O_CREATE = 0x200;
export const O_TRUNC = 0x400;

/** Bytes that are moved before others have their turn: with xv6's limits, all of a file. */
const MOST_AT_ONCE = 2 ** 20;
/** And entries of a directory, each of which the host is asked about. */
const MOST_ENTRIES_AT_ONCE = 256;
/** `struct dirent` has 16 bits for a number: larger ones show as this. */
const LARGEST_ENTRY_NUMBER = 0xffff;

export interface OpenedPath {
  readonly operations: FileOperations;
  readonly mode: OpenMode;
}

/** Opens a path, and makes a file there where the mode says so. */
export const openPath = (
  files: FileTree,
  console: Console,
  path: Uint8Array,
  from: Directory,
  flags: number,
): OpenedPath | FileProblem => {
  const inode = findOrCreate(files, path, from, flags);
  if (typeof inode === 'string') return inode;
  const mode = { readable: (flags & O_WRONLY) === 0, writable: (flags & (O_WRONLY | O_RDWR)) !== 0 };
  const problem = prepare(inode, mode, flags);
  if (problem === undefined) return { operations: operationsOf(files, console, inode), mode };
  files.inodes.release(inode);
  return problem;
};

/** Opens a device whose inode is at hand. */
export const openDevice = (
  files: FileTree,
  console: Console,
  device: Device,
): FileOperations | FileProblem => {
  const problem = files.inodes.hold(device);
  return problem ?? operationsOf(files, console, device);
};

/** @returns the inode, held. */
const findOrCreate = (
  files: FileTree,
  path: Uint8Array,
  from: Directory,
  flags: number,
): AnyInode | FileProblem => {
  const found = files.find(path, from);
  if (found === 'ENOENT' && (flags & O_CREATE) !== 0) return files.createFile(path, from);
  if (typeof found === 'string') return found;
  return files.inodes.hold(found) ?? found;
};

const prepare = (inode: AnyInode, { writable }: OpenMode, flags: number): FileProblem | undefined => {
  switch (inode.kind) {
    case 'directory':
      return flags === 0 ? inode.refresh() : 'EISDIR';
    case 'device':
      return inode.major >= 0 && inode.major < MOST_MAJORS ? undefined : 'EINVAL';
    case 'file': {
      const truncates = (flags & O_TRUNC) !== 0;
      if (!writable && !truncates) return undefined;
      const problem = inode.reopen();
      if (problem !== undefined) return problem;
      if (!inode.isWritable) return 'EACCES';
      return truncates ? inode.truncate() : undefined;
    }
  }
};

const operationsOf = (files: FileTree, console: Console, inode: AnyInode): FileOperations => {
  switch (inode.kind) {
    case 'directory':
      return new OpenDirectory(files, inode);
    case 'device':
      return new OpenDevice(files, inode, inode.major === CONSOLE_MAJOR ? console : undefined);
    case 'file':
      return new OpenRegularFile(files, inode);
  }
};

/** What all have in common that hold an inode, and are somewhere in it. */
abstract class OpenInode<I extends AnyInode> implements FileOperations {
  readonly inode: I;
  protected readonly files: FileTree;
  /** The next byte that is read or written. */
  protected offset = 0;

  constructor(files: FileTree, inode: I) {
    this.files = files;
    this.inode = inode;
  }

  stat(): FileStat {
    return this.files.stat(this.inode);
  }

  abstract read(space: AddressSpace, to: VirtAddr, count: number, done: number): Transfer;
  abstract write(space: AddressSpace, from: VirtAddr, count: number, done: number): Transfer;

  close(): FileProblem | undefined {
    return this.files.inodes.release(this.inode);
  }

  /** Notes that bytes have been moved. */
  protected moved(bytes: number, done: number, isAll: boolean): Transfer {
    this.offset += bytes;
    return isAll ? done + bytes : { again: done + bytes };
  }
}

class OpenRegularFile extends OpenInode<RegularFile> {
  read(space: AddressSpace, to: VirtAddr, count: number, done: number): Transfer {
    const left = Math.min(count - done, this.inode.sizeBytes - this.offset);
    if (left <= 0) return done;
    const bytes = new Uint8Array(Math.min(left, MOST_AT_ONCE));
    if (this.inode.read(this.offset, bytes) !== undefined) return done > 0 ? done : -1;
    const copied = copyOut(space, virtAddr(to + done), bytes);
    if (copied !== 'ok') return whenNotMoved(copied, done);
    return this.moved(bytes.length, done, bytes.length === left);
  }

  /**
   * What does not fit is refused whole, but for what tries before this have written. Of bytes that are not all there, those
   * before the first that is not are written, and the call fails all the same: as on xv6.
   */
  write(space: AddressSpace, from: VirtAddr, count: number, done: number): Transfer {
    if (done === 0 && !this.inode.hasRoomFor(this.offset + count)) return -1;
    const bytes = new Uint8Array(Math.min(count - done, MOST_AT_ONCE));
    const copied = copyIn(space, virtAddr(from + done), bytes);
    if (copied === 'EFAULT') return this.#writeReadable(space, from + done, bytes.length);
    if (copied !== 'ok') return whenNotMoved(copied, done);
    if (this.inode.write(this.offset, bytes) !== undefined) return done > 0 ? done : -1;
    return this.moved(bytes.length, done, done + bytes.length === count);
  }

  /** Writes what can be read of bytes that end, or begin, where nothing is. */
  #writeReadable(space: AddressSpace, from: number, count: number): -1 {
    for (let done = 0; done < count;) {
      const piece = new Uint8Array(Math.min(count - done, PAGE_SIZE - ((from + done) % PAGE_SIZE)));
      if (copyIn(space, virtAddr(from + done), piece) !== 'ok') break;
      if (this.inode.write(this.offset, piece) !== undefined) break;
      this.offset += piece.length;
      done += piece.length;
    }
    return -1;
  }
}

class OpenDirectory extends OpenInode<Directory> {
  read(space: AddressSpace, to: VirtAddr, count: number, done: number): Transfer {
    const { entryBytes } = this.files;
    const left = Math.min(count - done, this.inode.slotCount * entryBytes - this.offset);
    if (left <= 0) return done;
    if (!this.inode.isRemoved && !this.inode.isInPlace) return -1;
    const first = Math.floor(this.offset / entryBytes);
    const end = Math.min(Math.ceil((this.offset + left) / entryBytes), first + MOST_ENTRIES_AT_ONCE);
    const start = this.offset - first * entryBytes;
    const bytes = this.#entries(first, end).subarray(start, start + left);
    const copied = copyOut(space, virtAddr(to + done), bytes);
    if (copied !== 'ok') return whenNotMoved(copied, done);
    return this.moved(bytes.length, done, bytes.length === left);
  }

  write(): -1 {
    return -1;
  }

  /** Slots as a row of `struct dirent`. */
  #entries(first: number, end: number): Uint8Array {
    const { entryBytes } = this.files;
    const bytes = new Uint8Array((end - first) * entryBytes);
    const view = new DataView(bytes.buffer);
    for (let slot = first; slot < end; slot++) {
      const name = this.inode.nameAt(slot);
      if (name === undefined) continue;
      const at = (slot - first) * entryBytes;
      const number = this.files.entryNumber(this.inode, name);
      view.setUint16(at, Math.min(number, LARGEST_ENTRY_NUMBER), true);
      bytes.set(cutName(name, entryBytes - 2), at + 2);
    }
    return bytes;
  }
}

/** A device; without a driver all that can be done with it is to look at it. */
class OpenDevice extends OpenInode<Device> {
  readonly #driver: Console | undefined;

  constructor(files: FileTree, inode: Device, driver: Console | undefined) {
    super(files, inode);
    this.#driver = driver;
  }

  read(space: AddressSpace, to: VirtAddr, count: number): Transfer {
    return this.#driver?.read(space, to, count) ?? -1;
  }

  write(space: AddressSpace, from: VirtAddr, count: number, done: number): Transfer {
    return this.#driver?.write(space, from, count, done) ?? -1;
  }
}
