/**
 * A file system that lies in the host's memory: what a machine has for its files where nothing else is given, and what
 * runs where there is no disk. It has the semantics of POSIX, and of `node:fs` the names, numbers and errors that Linux
 * has there. It has no permissions, no users, no clock and no working directory: all paths begin at the root.
 *
 * Inode numbers and descriptors are not used twice, so that who keeps one too long hears of it. What has lost its last
 * name lives on for as long as a descriptor is open for it.
 */
import { InvalidArgument } from '../../frame/index.js';
import type { HostFileSystem, HostStats } from './host-file-system.js';
import { MAX_FILE_BYTES } from './memory-content.js';
import { type Call, MemoryFilesError, type MemoryFilesErrorCode } from './memory-files-error.js';
import {
  type AnyInode,
  MemoryFile,
  MemoryDirectory,
  MemoryLink,
  MemoryStats,
  MemoryVolume,
} from './memory-inodes.js';
import { checkPath, findInode, findPlace, type Place } from './memory-paths.js';

export interface MemoryFilesOptions {
  /** What all files may hold together, in bytes; writing more is ENOSPC. Default: what the host's memory takes. */
  readonly capacityBytes?: number;
}

const O_RDONLY = 0;
const O_WRONLY = 0o1;
const O_RDWR = 0o2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const O_NONBLOCK = 0o4000;
const O_DIRECTORY = 0o20_0000;
const O_NOFOLLOW = 0o40_0000;
const ACCESS = O_WRONLY | O_RDWR;
const KNOWN = ACCESS | O_CREAT | O_EXCL | O_TRUNC | O_NONBLOCK | O_DIRECTORY | O_NOFOLLOW;

/** Those below are the standard streams nearly everywhere: a number from elsewhere is not mistaken for one of these. */
const FIRST_DESCRIPTOR = 3;

interface Opening {
  readonly inode: MemoryFile | MemoryDirectory;
  readonly readable: boolean;
  readonly writable: boolean;
}

export class MemoryFiles implements HostFileSystem {
  /** Linux's. A flag that is not among them is EINVAL. */
  readonly constants = {
    O_RDONLY,
    O_WRONLY,
    O_RDWR,
    O_CREAT,
    O_EXCL,
    O_TRUNC,
    O_NONBLOCK,
    O_DIRECTORY,
    O_NOFOLLOW,
  } as const;
  readonly #volume: MemoryVolume;
  readonly #root: MemoryDirectory;
  readonly #openings = new Map<number, Opening>();
  #nextDescriptor = FIRST_DESCRIPTOR;

  constructor({ capacityBytes = Infinity }: MemoryFilesOptions = {}) {
    if (!(capacityBytes >= 0)) {
      throw new InvalidArgument(`a capacity of ${capacityBytes} bytes: give 0 or more`);
    }
    this.#volume = new MemoryVolume(capacityBytes);
    this.#root = new MemoryDirectory(this.#volume);
  }

  /** Bytes that the contents of files take: what was written, and no holes. */
  get usedBytes(): number {
    return this.#volume.usedBytes;
  }

  /** How many descriptors are open. */
  get openDescriptors(): number {
    return this.#openings.size;
  }

  openSync(path: string, flags: number, _mode?: number): number {
    const call = { syscall: 'open', path };
    const access = flags & ACCESS;
    if (access === ACCESS || (flags & ~KNOWN) !== 0) refuse('EINVAL', call);
    // POSIX leaves open which of the two is made.
    if ((flags & O_CREAT) !== 0 && (flags & O_DIRECTORY) !== 0) refuse('EINVAL', call);
    const inode = (flags & O_CREAT) === 0 ? this.#find(path, flags, call) : this.#create(path, flags, call);
    if (inode.kind !== 'directory' && (flags & O_DIRECTORY) !== 0) refuse('ENOTDIR', call);
    if (inode.kind === 'link') refuse('ELOOP', call);
    if (inode.kind === 'directory' && (access !== O_RDONLY || (flags & (O_TRUNC | O_CREAT)) !== 0)) {
      refuse('EISDIR', call);
    }
    if (inode.kind === 'file' && (flags & O_TRUNC) !== 0) inode.resize(0);
    inode.openings++;
    const fd = this.#nextDescriptor++;
    this.#openings.set(fd, { inode, readable: access !== O_WRONLY, writable: access !== O_RDONLY });
    return fd;
  }

  closeSync(fd: number): void {
    const { inode } = this.#opening(fd, { syscall: 'close' });
    this.#openings.delete(fd);
    inode.openings--;
    inode.release();
  }

  /** @returns how many bytes: 0 at the end and beyond it. */
  readSync(fd: number, into: Uint8Array, offset: number, length: number, position: number): number {
    const call = { syscall: 'read' };
    const { inode, readable } = this.#opening(fd, call);
    if (!readable) refuse('EBADF', call);
    if (inode.kind === 'directory') refuse('EISDIR', call);
    checkPosition(position, call);
    return inode.read(position, partOf(into, offset, length));
  }

  /** @returns how many bytes: fewer than `length` where there is no room for all. */
  writeSync(fd: number, from: Uint8Array, offset: number, length: number, position: number): number {
    const call = { syscall: 'write' };
    const { inode, writable } = this.#opening(fd, call);
    if (!writable || inode.kind === 'directory') refuse('EBADF', call);
    checkPosition(position, call);
    const bytes = partOf(from, offset, length);
    if (length > 0 && position >= MAX_FILE_BYTES) refuse('EFBIG', call);
    const count = inode.write(position, bytes);
    if (count === 0 && length > 0) refuse('ENOSPC', call);
    return count;
  }

  ftruncateSync(fd: number, sizeBytes: number): void {
    const call = { syscall: 'ftruncate' };
    const { inode, writable } = this.#opening(fd, call);
    if (!writable || inode.kind === 'directory') refuse('EINVAL', call);
    checkPosition(sizeBytes, call);
    if (sizeBytes > MAX_FILE_BYTES) refuse('EFBIG', call);
    inode.resize(sizeBytes);
  }

  fstatSync(fd: number, _options: { readonly bigint: true }): HostStats {
    return new MemoryStats(this.#opening(fd, { syscall: 'fstat' }).inode);
  }

  lstatSync(path: string, _options: { readonly bigint: true }): HostStats {
    return new MemoryStats(findInode(this.#root, path, 'itself', { syscall: 'lstat', path }));
  }

  /** Whether a path leads to something. */
  existsSync(path: string): boolean {
    try {
      findInode(this.#root, path, 'follow', { syscall: 'access', path });
      return true;
    } catch (error) {
      if (error instanceof MemoryFilesError) return false;
      throw error;
    }
  }

  readlinkSync(path: string): string {
    const call = { syscall: 'readlink', path };
    const inode = findInode(this.#root, path, 'itself', call);
    return inode.kind === 'link' ? inode.target : refuse('EINVAL', call);
  }

  /** The names in the order in which they were made. */
  readdirSync(path: string): string[] {
    const call = { syscall: 'scandir', path };
    const inode = findInode(this.#root, path, 'follow', call);
    return inode.kind === 'directory' ? inode.names : refuse('ENOTDIR', call);
  }

  /**
   * Makes a directory, with `recursive` those on the way to it too.
   * @returns with `recursive` the path of the first directory that was made, if one was.
   */
  mkdirSync(path: string, { recursive = false }: { readonly recursive?: boolean } = {}): string | undefined {
    const call = { syscall: 'mkdir', path };
    if (recursive) return this.#makeDirectories(path, call);
    const place = findPlace(this.#root, path, 'entry', call);
    if (place.inode !== undefined) refuse('EEXIST', call);
    place.directory.add(place.name, new MemoryDirectory(this.#volume, place.directory));
    return undefined;
  }

  rmdirSync(path: string): void {
    const call = { syscall: 'rmdir', path };
    const place = findPlace(this.#root, path, 'entry', call);
    if (!place.isName) refuse(WHY_NOT_REMOVED[place.name]!, call);
    const { inode } = place;
    if (inode === undefined) refuse('ENOENT', call);
    if (inode.kind !== 'directory') refuse('ENOTDIR', call);
    if (!inode.isEmpty) refuse('ENOTEMPTY', call);
    place.directory.remove(place.name);
    inode.links = 0;
  }

  unlinkSync(path: string): void {
    const call = { syscall: 'unlink', path };
    const place = findPlace(this.#root, path, 'entry', call);
    if (place.inode === undefined) refuse('ENOENT', call);
    if (place.inode.kind === 'directory') refuse('EISDIR', call);
    if (place.endsWithSlash) refuse('ENOTDIR', call);
    place.directory.remove(place.name).release();
  }

  /** Of a symbolic link, the new name is one of the link itself. */
  linkSync(existing: string, path: string): void {
    const call = { syscall: 'link', path: existing, dest: path };
    const inode = findInode(this.#root, existing, 'itself', call);
    const place = this.#freePlace(path, call);
    if (inode.kind === 'directory') refuse('EPERM', call);
    place.directory.add(place.name, inode);
  }

  /** Makes a symbolic link, which need not lead anywhere. */
  symlinkSync(target: string, path: string): void {
    const call = { syscall: 'symlink', path: target, dest: path };
    checkPath(target, call);
    const place = this.#freePlace(path, call);
    place.directory.add(place.name, new MemoryLink(this.#volume, target));
  }

  /** Gives what is at `from` the name `to`, in the place of what has it. */
  renameSync(from: string, to: string): void {
    const call = { syscall: 'rename', path: from, dest: to };
    const source = findPlace(this.#root, from, 'entry', call);
    const target = findPlace(this.#root, to, 'entry', call);
    if (!source.isName || !target.isName) refuse('EBUSY', call);
    const moved = source.inode ?? refuse('ENOENT', call);
    if (moved.kind !== 'directory' && (source.endsWithSlash || target.endsWithSlash)) refuse('ENOTDIR', call);
    if (isWithin(target.directory, moved)) refuse('EINVAL', call);
    const replaced = target.inode;
    if (replaced === moved) return;
    if (replaced !== undefined) {
      if (isWithin(source.directory, replaced)) refuse('ENOTEMPTY', call);
      if (moved.kind === 'directory' && replaced.kind !== 'directory') refuse('ENOTDIR', call);
      if (moved.kind !== 'directory' && replaced.kind === 'directory') refuse('EISDIR', call);
      if (replaced.kind === 'directory' && !replaced.isEmpty) refuse('ENOTEMPTY', call);
      target.directory.remove(target.name);
      if (replaced.kind === 'directory') replaced.links = 0;
      replaced.release();
    }
    source.directory.remove(source.name);
    target.directory.add(target.name, moved);
  }

  /** The bytes of a file. */
  readFileSync(path: string): Uint8Array {
    const fd = this.openSync(path, O_RDONLY);
    try {
      const { inode } = this.#openings.get(fd)!;
      const bytes = new Uint8Array(inode.sizeBytes);
      this.readSync(fd, bytes, 0, bytes.length, 0);
      return bytes;
    } finally {
      this.closeSync(fd);
    }
  }

  /** Makes a file, or gives one another content. A string is written as UTF-8. */
  writeFileSync(path: string, content: Uint8Array | string): void {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    const fd = this.openSync(path, O_WRONLY | O_CREAT | O_TRUNC);
    try {
      for (let done = 0; done < bytes.length;) {
        done += this.writeSync(fd, bytes, done, bytes.length - done, done);
      }
    } finally {
      this.closeSync(fd);
    }
  }

  #find(path: string, flags: number, call: Call): AnyInode {
    return findInode(this.#root, path, (flags & O_NOFOLLOW) === 0 ? 'follow' : 'itself', call);
  }

  /** What O_CREAT opens: what is there, or a new file. */
  #create(path: string, flags: number, call: Call): AnyInode {
    const stopsAtLink = (flags & (O_EXCL | O_NOFOLLOW)) !== 0;
    const place = findPlace(this.#root, path, stopsAtLink ? 'entry' : 'target', call);
    if (place.isName && place.endsWithSlash) refuse('EISDIR', call);
    if (place.inode !== undefined) return (flags & O_EXCL) === 0 ? place.inode : refuse('EEXIST', call);
    const file = new MemoryFile(this.#volume);
    place.directory.add(place.name, file);
    return file;
  }

  /** Where a new name can be made, of what is no directory. */
  #freePlace(path: string, call: Call): Place {
    const place = findPlace(this.#root, path, 'entry', call);
    if (place.inode !== undefined) refuse('EEXIST', call);
    if (place.endsWithSlash) refuse('ENOENT', call);
    return place;
  }

  /** Makes the directories of a path that are not there. */
  #makeDirectories(path: string, call: Call): string | undefined {
    checkPath(path, call);
    let first: string | undefined;
    for (let end = path.indexOf('/', 1); ; end = path.indexOf('/', end + 1)) {
      const isLast = end === -1;
      const part = isLast ? path : path.slice(0, end);
      const place = findPlace(this.#root, part, 'entry', call);
      if (place.inode === undefined) {
        place.directory.add(place.name, new MemoryDirectory(this.#volume, place.directory));
        first ??= part;
      } else if (findInode(this.#root, part, 'follow', call).kind !== 'directory') {
        refuse(isLast ? 'EEXIST' : 'ENOTDIR', call);
      }
      if (isLast) return first;
    }
  }

  #opening(fd: number, call: Call): Opening {
    return this.#openings.get(fd) ?? refuse('EBADF', call);
  }
}

/** Why what is no name cannot be removed, as Linux says it. */
const WHY_NOT_REMOVED: Readonly<Record<string, MemoryFilesErrorCode>> = {
  '.': 'EINVAL',
  '..': 'ENOTEMPTY',
  '/': 'EBUSY',
};

function refuse(code: MemoryFilesErrorCode, call: Call): never {
  throw new MemoryFilesError(code, call);
}

const checkPosition = (position: number, call: Call): void => {
  if (!Number.isSafeInteger(position) || position < 0) refuse('EINVAL', call);
};

/** @throws RangeError where the bytes are not all there: the caller's mistake, and no file's. */
const partOf = (bytes: Uint8Array, offset: number, length: number): Uint8Array => {
  if (Number.isInteger(offset) && offset >= 0 && Number.isInteger(length) && length >= 0) {
    if (offset + length <= bytes.length) return bytes.subarray(offset, offset + length);
  }
  throw new RangeError(`${length} bytes from ${offset} on are not within the ${bytes.length} bytes given`);
};

/** Whether a directory is an inode, or lies somewhere in it. */
const isWithin = (directory: MemoryDirectory, inode: AnyInode): boolean => {
  let above = directory;
  while (above !== inode && above.parent !== above) above = above.parent;
  return above === inode;
};
