/**
 * What the kernel wants of whoever keeps its files: a part of the synchronous interface of `node:fs`, which
 * `node:fs` itself has, `memfs`, and `MemoryFiles`. Calls throw errors that have a `code`, as Node's do.
 */

/** What a path or a descriptor stands for, with numbers that no rounding may touch. */
export interface HostStats {
  /** Two paths are of one file where both numbers are the same. */
  readonly dev: bigint;
  readonly ino: bigint;
  /** Names that the file has; of a directory what the host says. */
  readonly nlink: bigint;
  /** Bytes. */
  readonly size: bigint;
  /** When the content was last changed: compared, and nothing else. */
  readonly mtimeNs: bigint;
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

/** Opens for reading and writing, or for reading: the numbers are the host's own (`constants`). */
export interface HostConstants {
  readonly O_RDONLY: number;
  readonly O_RDWR: number;
  readonly O_CREAT: number;
  readonly O_EXCL: number;
  /** Undefined where the host has no such thing, as Windows. */
  readonly O_NOFOLLOW?: number | undefined;
  readonly O_NONBLOCK?: number | undefined;
}

/** Paths are absolute, with '/' between their parts. Positions and sizes are in bytes. */
export interface HostFileSystem {
  readonly constants: HostConstants;
  /** @param mode the permissions of a file that is created. */
  openSync(path: string, flags: number, mode?: number): number;
  closeSync(fd: number): void;
  readSync(fd: number, into: Uint8Array, offset: number, length: number, position: number): number;
  writeSync(fd: number, from: Uint8Array, offset: number, length: number, position: number): number;
  ftruncateSync(fd: number, sizeBytes: number): void;
  fstatSync(fd: number, options: { readonly bigint: true }): HostStats;
  /** Of a symbolic link itself. */
  lstatSync(path: string, options: { readonly bigint: true }): HostStats;
  readlinkSync(path: string): string;
  /** The names in a directory, without '.' and '..'. */
  readdirSync(path: string): string[];
  mkdirSync(path: string): unknown;
  rmdirSync(path: string): void;
  unlinkSync(path: string): void;
  linkSync(existing: string, path: string): void;
}
