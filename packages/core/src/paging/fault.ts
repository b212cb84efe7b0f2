/**
 * What became of a page fault, as far as page tables can say. A guest's fault is a value, never an
 * exception; the values are shared and frozen, so that a fault allocates nothing.
 *
 *      resolved        the access may be made again, and will succeed
 *      protection      a page is there, and does not grant the access
 *      unmapped        nothing is mapped
 *      out-of-memory   a frame or a table was wanting; nothing has changed
 */
export type FaultOutcome = Resolved | FaultFailure;

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
  /** The page grants the access already: nothing was to be done. */
  | 'present';

export interface Resolved {
  readonly kind: 'resolved';
  readonly by: Resolution;
}

export interface FaultFailure {
  readonly kind: 'protection' | 'unmapped' | 'out-of-memory';
}

const resolved = (by: Resolution): Resolved => Object.freeze({ kind: 'resolved', by });
const failure = (kind: FaultFailure['kind']): FaultFailure => Object.freeze({ kind });

export const COPIED = resolved('copied');
export const REUSED = resolved('reused');
export const ZERO_FILLED = resolved('zero-filled');
export const ZERO_MAPPED = resolved('zero-mapped');
export const PRESENT = resolved('present');
export const PROTECTION = failure('protection');
export const UNMAPPED = failure('unmapped');
export const OUT_OF_MEMORY = failure('out-of-memory');
