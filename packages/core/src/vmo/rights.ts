/**
 * What a capability lets its holder do with a memory object (seed 001; DESIGN.md "Rights").
 *
 *      dup     duplicate the capability, and make children of the object
 *      read    read it, and map it readable
 *      write   write it, resize it, decommit and write back its pages, and map it writable
 *      exec    map it executable
 *
 * A set of rights is a word of bits at run time and a union of names in types.
 */
import { HolsteinError, InvalidArgument } from '../frame/index.js';

export const RIGHTS = ['dup', 'read', 'write', 'exec'] as const;

export type Right = (typeof RIGHTS)[number];

/** What a new object's capability has unless asked otherwise, as Zircon's: all but 'exec'. */
export const DEFAULT_RIGHTS = ['dup', 'read', 'write'] as const;
export type DefaultRight = (typeof DEFAULT_RIGHTS)[number];

/** A set of rights, as bits. */
export type RightBits = number;

export const DUP: RightBits = 1;
export const READ: RightBits = 2;
export const WRITE: RightBits = 4;
export const EXEC: RightBits = 8;
/** A bit that is no right's: that a capability is open. */
export const OPEN: RightBits = 1 << 8;

const BITS: Readonly<Record<Right, RightBits>> = { dup: DUP, read: READ, write: WRITE, exec: EXEC };

/** @throws InvalidArgument for a name that is no right's. */
export const rightBits = (rights: readonly Right[]): RightBits => {
  let bits = 0;
  for (const right of rights) {
    if (!Object.hasOwn(BITS, right)) {
      throw new InvalidArgument(`there is no right ${String(right)}: give any of ${RIGHTS.join(', ')}`);
    }
    bits |= BITS[right];
  }
  return bits;
};

export const rightNames = (bits: RightBits): readonly Right[] =>
  RIGHTS.filter((right) => (bits & BITS[right]) !== 0);

/** @throws HolsteinError EACCES where `held` does not have all of `wanted`. */
export const requireRights = (held: RightBits, wanted: RightBits, what: string): void => {
  if ((wanted & ~held) === 0) return;
  const has = rightNames(held).join(', ') || 'nothing';
  throw new HolsteinError(
    'EACCES',
    `${what} needs the right ${rightNames(wanted & ~held).join(' and ')}; this capability has ${has}`,
  );
};
