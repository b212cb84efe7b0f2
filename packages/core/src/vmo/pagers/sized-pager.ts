/** What the pagers that come with holstein have in common: they know how much they have. */
import { type ErrorCode, hex, HolsteinError, InvalidArgument } from '../../frame/index.js';
import type { ByteRange, Pager } from '../pager.js';

/**
 * A pager that says what size the object over it should have: `objects.create({ size: pager.size, pager })`. An
 * object of another size is possible, but what is read beyond is a `PagerError`, and one that is resized cuts or
 * grows what the pager has to its own size. Each pager is one object's, which closes it.
 */
export interface SizedPager extends Pager {
  /** Bytes that it has. */
  readonly size: number;
  /** Lets go of what it uses: the object's to call, unless none was made. Closing twice does nothing. */
  close(): void;
}

/** @throws InvalidArgument where a pager that has `size` bytes does not have all of a range. */
export const checkWithin = ({ offset, length }: ByteRange, size: number, what: string): void => {
  if (offset + length <= size) return;
  throw new InvalidArgument(
    `bytes ${hex(offset)} to ${hex(offset + length)} are not within the ${size} bytes of ${what}: ` +
      'make the object with size: pager.size',
  );
};

/** Why what cannot be changed refuses a write. */
export const cannotBeWritten = (code: ErrorCode, what: string): HolsteinError =>
  new HolsteinError(
    code,
    `${what} cannot be written: write to a snapshot of the object, whose changes are its own`,
  );
