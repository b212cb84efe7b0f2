/** What `MemoryFiles` throws: errors as Node's, with the same codes, properties and messages. */

/** As Node says it on Linux, where most of these numbers and habits come from. */
const DESCRIPTIONS = {
  EBADF: 'bad file descriptor',
  EBUSY: 'resource busy or locked',
  EEXIST: 'file already exists',
  EFBIG: 'file too large',
  EINVAL: 'invalid argument',
  EISDIR: 'illegal operation on a directory',
  ELOOP: 'too many symbolic links encountered',
  ENAMETOOLONG: 'name too long',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EPERM: 'operation not permitted',
} as const;

export type MemoryFilesErrorCode = keyof typeof DESCRIPTIONS;

/** What was called, by the name that Node's errors have for it, and with which paths. */
export interface Call {
  readonly syscall: string;
  readonly path?: string;
  /** The second path, of calls that have two. */
  readonly dest?: string;
}

export class MemoryFilesError extends Error {
  override readonly name = 'MemoryFilesError';
  readonly code: MemoryFilesErrorCode;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;

  constructor(code: MemoryFilesErrorCode, { syscall, path, dest }: Call) {
    const first = path === undefined ? '' : ` '${path}'`;
    const second = dest === undefined ? '' : ` -> '${dest}'`;
    super(`${code}: ${DESCRIPTIONS[code]}, ${syscall}${first}${second}`);
    this.code = code;
    this.syscall = syscall;
    if (path !== undefined) this.path = path;
    if (dest !== undefined) this.dest = dest;
  }
}
