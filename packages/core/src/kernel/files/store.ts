/**
 * A store: a directory of some host file system, which is the machine's root directory or is mounted somewhere below it.
 *
 * Every path that reaches the host is made here, of the store's directory and names that have been looked at one by one: a
 * name is never '..', holds no separator, and nothing is opened through a symbolic link. What the host throws becomes a
 * `FileProblem`.
 */
import { type ErrorCode, hex, HolsteinError, InvalidArgument } from '../../frame/index.js';
import type { HostFileSystem, HostStats } from './host-file-system.js';
import { PagerError } from '../../vmo/index.js';
import { isPossible } from './names.js';

/** Where a machine's files are. */
export interface StoreOptions {
  readonly fileSystem: HostFileSystem;
  /** The directory that is the machine's. An absolute path without symbolic links. Default '/'. */
  readonly directory?: string;
  /** Default 'read-write'. */
  readonly access?: 'read-write' | 'read-only';
}

/** Why an operation on files was not done; nothing has changed then. A guest hears -1. */
export type FileProblem = Extract<
  ErrorCode,
  | 'EACCES'
  | 'EBUSY'
  | 'EEXIST'
  | 'EFBIG'
  | 'EINVAL'
  | 'EIO'
  | 'EISDIR'
  | 'ELOOP'
  | 'ENAMETOOLONG'
  | 'ENFILE'
  | 'ENOENT'
  | 'ENOMEM'
  | 'ENOSPC'
  | 'ENOTDIR'
  | 'ENOTEMPTY'
  | 'EROFS'
  | 'EXDEV'
>;

const PROBLEMS: ReadonlySet<string> = new Set<FileProblem>([
  'EACCES',
  'EBUSY',
  'EEXIST',
  'EFBIG',
  'EINVAL',
  'EISDIR',
  'ELOOP',
  'ENAMETOOLONG',
  'ENOENT',
  'ENOSPC',
  'ENOTDIR',
  'ENOTEMPTY',
  'EROFS',
  'EXDEV',
]);

const BIGINT = { bigint: true } as const;
const NEW_FILE_MODE = 0o666;
const NAMES_PER_CALL = 16;

/** A file of the host that is open. */
export interface HostFile {
  readonly fd: number;
  readonly writable: boolean;
  readonly stats: HostStats;
}

export class Store {
  readonly #fileSystem: HostFileSystem;
  readonly isReadOnly: boolean;
  /** As `struct stat` has it: 1 for the root's store. */
  readonly device: number;
  /** Calls to the host, which take their time. */
  hostCalls = 0;
  readonly #directory: string;
  /** What would lead elsewhere in a name. A host that cannot be told to follow no link is taken for Windows. */
  readonly #separators: RegExp;

  /** @throws InvalidArgument where the directory is none. */
  constructor({ fileSystem, directory = '/', access = 'read-write' }: StoreOptions, device: number) {
    this.#fileSystem = fileSystem;
    this.isReadOnly = access === 'read-only';
    this.device = device;
    this.#separators = fileSystem.constants.O_NOFOLLOW === undefined ? /[/\\:\0]/ : /[/\0]/;
    this.#directory = directory.endsWith('/') ? directory.slice(0, -1) : directory;
    const stats = this.stats('');
    if (typeof stats === 'string' || !stats.isDirectory()) {
      throw new InvalidArgument(`the files of a machine are to be in ${directory}, which is no directory`);
    }
  }

  /** Whether a file can have a name here. */
  allows(name: string): boolean {
    return isPossible(name) && !this.#separators.test(name);
  }

  /** The host's file system, for a call of it that is counted. */
  get calling(): HostFileSystem {
    this.hostCalls++;
    return this.#fileSystem;
  }

  /** What a path is, a symbolic link itself included. Paths begin with '/' or are empty: the store's directory. */
  stats(path: string): HostStats | FileProblem {
    return this.#try(() => this.calling.lstatSync(this.#hostPath(path), BIGINT));
  }

  /** What the host knows a file or directory by, whatever its path; undefined where there is nothing. */
  keyOf(path: string): string | undefined {
    const stats = this.stats(path);
    return typeof stats === 'string' ? undefined : this.keyIn(stats);
  }

  keyIn({ dev, ino }: HostStats): string {
    return `${this.device} ${hex(dev)} ${hex(ino)}`;
  }

  /** Where a symbolic link leads. */
  linkTarget(path: string): string | { readonly problem: FileProblem } {
    const target = this.#try(() => ({ target: this.calling.readlinkSync(this.#hostPath(path)) }));
    return typeof target === 'string' ? { problem: target } : target.target;
  }

  names(path: string): string[] | FileProblem {
    const names = this.#try(() => this.calling.readdirSync(this.#hostPath(path)));
    // A long list takes as long as some calls.
    this.hostCalls += Math.floor(names.length / NAMES_PER_CALL);
    return names;
  }

  /** All files and directories, and their sizes: a directory's is that of so many bytes for each of its names. */
  *contents(entryBytes: number): Iterable<{ readonly key: string; readonly sizeBytes: number }> {
    const seen = new Set<string>();
    const paths = [''];
    for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
      const stats = this.stats(path);
      if (typeof stats === 'string') continue;
      const key = this.keyIn(stats);
      if (seen.has(key)) continue;
      seen.add(key);
      const names = stats.isDirectory() ? this.names(path) : undefined;
      if (!Array.isArray(names)) {
        yield { key, sizeBytes: Number(stats.size) };
        continue;
      }
      yield { key, sizeBytes: (names.length + 2) * entryBytes };
      for (const name of names) paths.push(`${path}/${name}`);
    }
  }

  /** Opens a regular file: for writing too, where that is possible. */
  open(path: string): HostFile | FileProblem {
    const { O_RDONLY, O_RDWR } = this.#fileSystem.constants;
    if (!this.isReadOnly) {
      const opened = this.#open(path, O_RDWR, true);
      // What may be read alone is still a file.
      if (opened !== 'EACCES' && opened !== 'EROFS') return opened;
    }
    return this.#open(path, O_RDONLY, false);
  }

  /** Makes a regular file that is not there yet, and opens it. */
  create(path: string): HostFile | FileProblem {
    const { O_RDWR, O_CREAT, O_EXCL } = this.#fileSystem.constants;
    return this.#change(() => {
      const fd = this.#openDescriptor(path, O_RDWR | O_CREAT | O_EXCL);
      if (typeof fd === 'string') return fd;
      const file = this.#look(fd, true);
      if (typeof file === 'string') this.unlink(path);
      return file;
    });
  }

  makeDirectory(path: string): FileProblem | undefined {
    return this.#change(() => this.#do(() => void this.calling.mkdirSync(this.#hostPath(path))));
  }

  removeDirectory(path: string): FileProblem | undefined {
    return this.#change(() => this.#do(() => this.calling.rmdirSync(this.#hostPath(path))));
  }

  unlink(path: string): FileProblem | undefined {
    return this.#change(() => this.#do(() => this.calling.unlinkSync(this.#hostPath(path))));
  }

  link(existing: string, path: string): FileProblem | undefined {
    return this.#change(() =>
      this.#do(() => this.calling.linkSync(this.#hostPath(existing), this.#hostPath(path))),
    );
  }

  /** Gives a file that is open for writing these bytes, and no others. */
  fill({ fd }: HostFile, bytes: Uint8Array): FileProblem | undefined {
    return this.#do(() => {
      this.calling.ftruncateSync(fd, 0);
      for (let done = 0; done < bytes.length;) {
        const count = this.calling.writeSync(fd, bytes, done, bytes.length - done, done);
        if (count <= 0) throw new HolsteinError('EIO', 'the host takes no bytes');
        done += count;
      }
    });
  }

  closeFile({ fd }: HostFile): FileProblem | undefined {
    return this.#do(() => this.calling.closeSync(fd));
  }

  /** As messages name a path. */
  describe(path: string): string {
    return this.#hostPath(path);
  }

  #open(path: string, flags: number, writable: boolean): HostFile | FileProblem {
    const fd = this.#openDescriptor(path, flags);
    return typeof fd === 'string' ? fd : this.#look(fd, writable);
  }

  #openDescriptor(path: string, flags: number): number | FileProblem {
    const { O_NOFOLLOW, O_NONBLOCK } = this.#fileSystem.constants;
    // A pipe of the host that takes a file's place would make the host wait.
    const careful = flags | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);
    return this.#try(() => this.calling.openSync(this.#hostPath(path), careful, NEW_FILE_MODE));
  }

  /** What a descriptor is of; it is closed where that is no regular file. */
  #look(fd: number, writable: boolean): HostFile | FileProblem {
    const stats = this.#try(() => this.calling.fstatSync(fd, BIGINT));
    if (typeof stats !== 'string' && stats.isFile()) return { fd, writable, stats };
    this.#do(() => this.calling.closeSync(fd));
    return typeof stats === 'string' ? stats : 'EACCES';
  }

  #hostPath(path: string): string {
    return `${this.#directory}${path}` || '/';
  }

  #change<T>(change: () => T | FileProblem): T | FileProblem {
    return this.isReadOnly ? 'EROFS' : change();
  }

  #do(call: () => void): FileProblem | undefined {
    return this.#try(() => void call());
  }

  /** Calls the host. What it throws that is no error of its own is a bug, and goes on. */
  #try<T>(call: () => T): T | FileProblem {
    try {
      return call();
    } catch (error) {
      return problemOf(error);
    }
  }
}

/** @throws the error, where it is no host's. */
export const problemOf = (error: unknown): FileProblem => {
  // What a pager says, its host has said first.
  if (error instanceof PagerError) return hasCode(error.cause) ? problemOf(error.cause) : 'EIO';
  if (!hasCode(error)) throw error;
  if (error instanceof HolsteinError || PROBLEMS.has(error.code)) {
    return PROBLEMS.has(error.code) || error.code === 'ENOMEM' ? (error.code as FileProblem) : 'EIO';
  }
  // Node says EPERM where POSIX leaves a choice; ETXTBSY is a program that the host runs.
  return error.code === 'EPERM' || error.code === 'ETXTBSY' ? 'EACCES' : 'EIO';
};

const hasCode = (error: unknown): error is Error & { readonly code: string } =>
  error instanceof Error && 'code' in error && typeof error.code === 'string';
