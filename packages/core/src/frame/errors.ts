/** The errors that the library throws: each has a literal `code`, as the errors of Node's own modules have. */

export type ErrorCode =
  | 'EACCES'
  | 'EAGAIN'
  | 'EBADF'
  | 'EBUSY'
  | 'EEXIST'
  | 'EFAULT'
  | 'EFBIG'
  | 'EINVAL'
  | 'EIO'
  | 'EISDIR'
  | 'ELOOP'
  | 'ENAMETOOLONG'
  | 'ENFILE'
  | 'ENOENT'
  | 'ENOEXEC'
  | 'ENOMEM'
  | 'ENOSPC'
  | 'ENOTDIR'
  | 'ENOTEMPTY'
  | 'ENOTSUP'
  | 'EOVERFLOW'
  | 'EROFS'
  | 'ESTALE'
  | 'EXDEV';

/** What every error of holstein's is an instance of. */
export class HolsteinError extends Error {
  override readonly name: string = 'HolsteinError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** No frame is free. Whatever was asked for has changed nothing. */
export class OutOfMemory extends HolsteinError {
  override readonly name = 'OutOfMemory';

  constructor(what: string) {
    super('ENOMEM', `out of memory: ${what}`);
  }
}

/** A reference count was used wrongly: holstein's own mistake or its caller's, never a guest's. */
export class FrameReferenceError extends HolsteinError {
  override readonly name = 'FrameReferenceError';
}

/** Bad arguments: what was passed, to what, and what would be right. */
export class InvalidArgument extends HolsteinError {
  override readonly name = 'InvalidArgument';

  constructor(message: string) {
    super('EINVAL', message);
  }
}
