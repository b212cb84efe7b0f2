/**
 * A pager: what fills the pages of a memory object when they are first wanted, and takes changed ones back
 * (seed 001's `Pager`, grown to what Zircon's can do).
 *
 *                     commit                 first write: update
 *      (absent) ────────────────▶ clean ───────────────────────────▶ dirty ◀──┐
 *          ▲                       │ ▲                                  │      │ written meanwhile: update,
 *          └── decommit, evicted ──┘ │ writeBack done     sync: writeBack     │ or writeBack failed
 *                                    └──────────────── awaiting-clean ◀─┘ ─────┘
 *
 * Every call may answer at once or with a promise. What it throws, or rejects with, reaches whoever wanted the
 * page, as the cause of a `PagerError`, and leaves the object as it was. No call is made while the object is in
 * the middle of a change, so a pager may use the object that it fills.
 */
import { HolsteinError } from '../frame/index.js';

/** Bytes of a memory object: `length` of them, from `offset` on. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface Pager {
  /**
   * Gives the bytes of a range of whole pages, whose end is cut at the end of what the pager has. They are
   * copied, and the array is not kept. Pages that were supplied, written or cut off meanwhile stay as they are.
   * @returns exactly `range.length` bytes: anything else is a failure.
   */
  commit(range: ByteRange): Uint8Array | Promise<Uint8Array>;
  /**
   * Hears that clean pages are about to be written for the first time, and once for all who are about to. A pager that
   * throws, for it has no room or is not to be written, prevents the write.
   */
  update?(range: ByteRange): void | Promise<void>;
  /**
   * Takes changed bytes back. The range begins at a page, and ends at one or at the object's end.
   * @param bytes its own copy, to be kept if it likes.
   */
  writeBack?(range: ByteRange, bytes: Uint8Array): void | Promise<void>;
  /**
   * Cuts or grows what it has to so many bytes; what is new is zeros. Asked by `sync` alone, before it writes back.
   */
  resize?(sizeBytes: number): void | Promise<void>;
  /**
   * Hears that clean pages were dropped: they will be asked for again. It may be called while room is made for
   * something else, so it had better do no more than note it. Must not throw.
   */
  decommit?(range: ByteRange): void;
  /** Hears that the object needs it no longer. Called once. Must not throw. */
  close?(): void;
}

/** The calls of a pager that can fail. */
export type PagerCall = 'commit' | 'update' | 'writeBack' | 'resize';

/** A pager has failed, or is gone: `cause` is what it threw. The object is as it was, and the access may be tried again. */
export class PagerError extends HolsteinError {
  override readonly name = 'PagerError';

  constructor(message: string, options?: ErrorOptions) {
    super('EIO', message, options);
  }
}
