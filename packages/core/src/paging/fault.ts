/**
 * What became of a page fault, as far as page tables can say. A guest's fault is a value, never an
 * exception; most values are shared and frozen, so that a fault allocates nothing.
 *
 *      resolved        the access may be made again, and will succeed
 *      waiting         an asynchronous pager has been asked: the access is to be made again when it has answered
 *      protection      a page is there, and does not grant the access
 *      unmapped        nothing is mapped
 *      beyond-end      the mapping goes on, and the memory object that it shows has ended
 *      revoked         the capability by which the object was mapped has been revoked
 *      pager-error     the object's pager could not bring the page
 *      out-of-memory   a frame or a table was wanting; nothing has changed
 */
export type FaultOutcome = Resolved | FaultFailure | Waiting;

/** How a fault was resolved. */
export type Resolution =
  /** The shared frame was copied, and the copy is this space's own. */
  | 'copied'
  /** This space was the frame's only owner: it was made writable in place. */
  | 'reused'
  /** A fresh frame of zeros was mapped. */
  | 'zero-filled'
  /** The shared zero frame was mapped, to be read only. */
  | 'zero-mapped'
  /** The frame that a memory object has for the page was mapped. */
  | 'mapped'
  /** The page grants the access already: nothing was to be done. */
  | 'present';

export interface Resolved {
  readonly kind: 'resolved';
  readonly by: Resolution;
}

export interface PlainFailure {
  readonly kind: 'protection' | 'unmapped' | 'beyond-end' | 'revoked' | 'out-of-memory';
}

export interface PagerFailure {
  readonly kind: 'pager-error';
  /** A `PagerError`. */
  readonly error: Error;
}

export type FaultFailure = PlainFailure | PagerFailure;

export interface Waiting {
  readonly kind: 'waiting';
  /** Settles when the access is to be made again; rejected with a `PagerError` where the pager has failed. */
  readonly until: Promise<void>;
}

const resolved = (by: Resolution): Resolved => Object.freeze({ kind: 'resolved', by });
const failure = (kind: PlainFailure['kind']): PlainFailure => Object.freeze({ kind });

export const COPIED = resolved('copied');
export const REUSED = resolved('reused');
export const ZERO_FILLED = resolved('zero-filled');
export const ZERO_MAPPED = resolved('zero-mapped');
export const MAPPED = resolved('mapped');
export const PRESENT = resolved('present');
export const PROTECTION = failure('protection');
export const UNMAPPED = failure('unmapped');
export const BEYOND_END = failure('beyond-end');
export const REVOKED = failure('revoked');
export const OUT_OF_MEMORY = failure('out-of-memory');
