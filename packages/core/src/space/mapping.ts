/**
 * Mappings: which pages of an address space exist, what they show, and what may be done with them. Whether a page may be
 * written is its mapping's word, never read off an entry's W bit.
 *
 *      backing     sharing     a page is
 *      none        private     zeros, until the space writes it
 *      an object   private     the object's page as it is now, until the space writes it and has a copy of its own
 *      an object   shared      the object's page; anonymous memory that is shared has an object of its own
 *
 * Mappings are immutable values, so forks share them.
 */
import { hex, InvalidArgument, pageStart, type Vpn } from '../frame/index.js';
import { PTE_R, PTE_RIGHTS, PTE_U, PTE_W, PTE_X } from '../paging/index.js';
import type { Backing } from './backing.js';

/** What a mapping grants to user mode, as `/proc/PID/maps` writes it. Write without read is not possible in Sv39. */
export type Protection = '---' | 'r--' | 'rw-' | 'r-x' | 'rwx' | '--x';

/** Whether what is written is the space's alone, or everybody's who maps the same. */
export type MapSharing = 'private' | 'shared';

/** What the child of a fork has of a mapping: the same; nothing (DONTFORK); or zeros (WIPEONFORK). */
export type OnFork = (typeof ON_FORK)[number];
export const ON_FORK = ['inherit', 'omit', 'wipe'] as const;

/**
 * PTE bits that a protection may lead to. A page that grants nothing keeps its content behind an entry
 * that is the supervisor's alone.
 */
const RIGHTS: Readonly<Record<Protection, number>> = {
  '---': PTE_R,
  'r--': PTE_U | PTE_R,
  'rw-': PTE_U | PTE_R | PTE_W,
  'r-x': PTE_U | PTE_R | PTE_X,
  rwx: PTE_U | PTE_R | PTE_W | PTE_X,
  '--x': PTE_U | PTE_X,
};

/** U, R, W and X as a protection grants them. @throws InvalidArgument for what is no protection. */
export const rightsOf = (protection: Protection): number => {
  if (!Object.hasOwn(RIGHTS, protection)) {
    throw new InvalidArgument(
      `protection '${String(protection)}' is none of ${Object.keys(RIGHTS).join(' ')}`,
    );
  }
  return RIGHTS[protection];
};

/** Whether a ceiling lets a protection be given. */
export const allows = (ceiling: Protection, protection: Protection): boolean =>
  protection === '---' || (rightsOf(protection) & ~rightsOf(ceiling) & (PTE_RIGHTS | PTE_U)) === 0;

export interface Mapping {
  readonly start: Vpn;
  /** One past the last page. */
  readonly end: Vpn;
  readonly protection: Protection;
  /** U, R, W and X bits: what entries of this mapping may grant at most. */
  readonly rights: number;
  /** The most that `protect` may ever give. */
  readonly ceiling: Protection;
  readonly sharing: MapSharing;
  readonly onFork: OnFork;
  /** What it shows; undefined where it is anonymous and private. */
  readonly backing: Backing | undefined;
  /** For people. */
  readonly name: string | undefined;
}

/** A range of pages as addresses, for people. */
export const formatRange = (start: Vpn, end: Vpn): string =>
  `${hex(pageStart(start))}-${hex(pageStart(end))}`;

/** `0x1000-0x3000 rw-`, as `/proc/PID/maps` writes it, and its name if it has one. */
export const formatMapping = ({ start, end, protection, name }: Mapping): string =>
  `${formatRange(start, end)} ${protection}${name === undefined ? '' : ` ${name}`}`;
