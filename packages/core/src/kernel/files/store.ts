/**
 * A store: a directory of some host file system, which is the machine's root directory or is mounted somewhere below it.
 *
 * Every path that reaches the host is made here, of the store's directory and names that have been looked at one by one: a
 * name is never '..', holds no separator, and nothing is opened through a symbolic link. What the host throws becomes a
 * `FileProblem`.
 */
import { HolsteinError, InvalidArgument, type ErrorCode } from '../../frame/index.js';
import type { HostFileSystem, HostStats } from './host-file-system.js';
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

/** A file of the host that is open. */
export interface HostFile {
  readonly fd: number;
  readonly writable: boolean;
  readonly stats: HostStats;
}

export class Store {
  readonly fileSystem: HostFileSystem;
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
    this.fileSystem = fileSystem;
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

  /** What a path is, a symbolic link itself included. Paths begin with '/' or are empty: the store's directory. */
  stats(path: string): HostStats | FileProblem {
    return this.#try(() => this.fileSystem.lstatSync(this.#hostPath(path), BIGINT));
  }

  /** Where a symbolic link leads. */
  linkTarget(path: string): string | { readonly problem: FileProblem } {
    const target = this.#try(() => ({ target: this.fileSystem.readlinkSync(this.#hostPath(path)) }));
    return typeof target === 'string' ? { problem: target } : target.target;
  }

  names(path: string): string[] | FileProblem {
    return this.#try(() => this.fileSystem.readdirSync(this.#hostPath(path)));
  }

  /** The sizes of all files and directories, a directory's being that of so many bytes for each of its names. */
  *contents(entryBytes: number): Iterable<number> {
    const counted = new Set<string>();
    const paths = [''];
    for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
      const stats = this.stats(path);
      if (typeof stats === 'string' || counted.has(`${stats.dev} ${stats.ino}`)) continue;
      counted.add(`${stats.dev} ${stats.ino}`);
      const names = stats.isDirectory() ? this.names(path) : undefined;
      if (!Array.isArray(names)) {
        yield Number(stats.size);
        continue;
      }
      yield (names.length + 2) * entryBytes;
      for (const name of names) paths.push(`${path}/${name}`);
    }
  }

  /** Opens a regular file: for writing too, where that is possible. */
  open(path: string): HostFile | FileProblem {
    const { O_RDONLY, O_RDWR } = this.fileSystem.constants;
    if (!this.isReadOnly) {
      const opened = this.#open(path, O_RDWR, true);
      // What may be read alone is still a file.
      if (opened !== 'EACCES' && opened !== 'EROFS') return opened;
    }
    return this.#open(path, O_RDONLY, false);
  }

  /** Makes a regular file that is not there yet, and opens it. */
  create(path: string): HostFile | FileProblem {
    const { O_RDWR, O_CREAT, O_EXCL } = this.fileSystem.constants;
    return this.#change(() => this.#open(path, O_RDWR | O_CREAT | O_EXCL, true));
  }

  makeDirectory(path: string): FileProblem | undefined {
    return this.#change(() => this.#do(() => void this.fileSystem.mkdirSync(this.#hostPath(path))));
  }

  removeDirectory(path: string): FileProblem | undefined {
    return this.#change(() => this.#do(() => this.fileSystem.rmdirSync(this.#hostPath(path))));
  }

  unlink(path: string): FileProblem | undefined {
    return this.#change(() => this.#do(() => this.fileSystem.unlinkSync(this.#hostPath(path))));
  }

  link(existing: string, path: string): FileProblem | undefined {
    return this.#change(() =>
      this.#do(() => this.fileSystem.linkSync(this.#hostPath(existing), this.#hostPath(path))),
    );
  }

  /** As messages name a path. */
  describe(path: string): string {
    return this.#hostPath(path);
  }

  #open(path: string, flags: number, writable: boolean): HostFile | FileProblem {
    const { constants } = this.fileSystem;
    // A pipe of the host that takes a file's place would make the host wait.
    const careful = flags | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    const fd = this.#try(() => this.fileSystem.openSync(this.#hostPath(path), careful, NEW_FILE_MODE));
    if (typeof fd === 'string') return fd;
    const stats = this.#try(() => this.fileSystem.fstatSync(fd, BIGINT));
    if (typeof stats !== 'string' && stats.isFile()) return { fd, writable, stats };
    this.#do(() => this.fileSystem.closeSync(fd));
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
    this.hostCalls++;
    try {
      return call();
    } catch (error) {
      return problemOf(error);
    }
  }
}

/** @throws the error, where it is no host's. */
export const problemOf = (error: unknown): FileProblem => {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') throw error;
  if (error instanceof HolsteinError || PROBLEMS.has(error.code)) {
    return PROBLEMS.has(error.code) || error.code === 'ENOMEM' ? (error.code as FileProblem) : 'EIO';
  }
  // Node says EPERM where POSIX leaves a choice, as for the unlinking of a directory.
  return error.code === 'EPERM' ? 'EACCES' : 'EIO';
};
