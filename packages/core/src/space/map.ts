/** Making mappings: where they go, what they show, and what they may ever be given. */
import {
  hex,
  HolsteinError,
  InvalidArgument,
  PAGE_SIZE,
  type VirtAddr,
  virtAddr,
  vpn,
  type Vpn,
} from '../frame/index.js';
import { type FirstError, MAX_PAGES, PTE_R, PTE_U, PTE_W, PTE_X } from '../paging/index.js';
import { type MappedObject, type MappingObserver, type Right, Vmo } from '../vmo/index.js';
import type { AddressSpace } from './address-space.js';
import { Backing } from './backing.js';
import {
  allows,
  formatRange,
  type Mapping,
  ON_FORK,
  type OnFork,
  type Protection,
  rightsOf,
  type MapSharing,
} from './mapping.js';
import { checkWord } from './check-word.js';
import { checkPages, pageRange, pagesOf } from './page-range.js';

export interface MapOptions {
  /** Exactly where: a multiple of 4096. */
  readonly at?: VirtAddr;
  /** Where it would best be: there if that is free, else wherever the space has room. Not with `at`. */
  readonly near?: VirtAddr;
  /** How much: a positive multiple of 4096 that ends at or below MAXVA. */
  readonly lengthBytes: number;
  readonly protection: Protection;
  /** What it shows: a capability with the rights that are asked for. Without it, anonymous memory: zeros. */
  readonly vmo?: Vmo<never>;
  /** Where the mapping begins in the object: a multiple of 4096. Default 0. */
  readonly offsetBytes?: number;
  /** Default 'private'. */
  readonly sharing?: MapSharing;
  /** The most that `protect` may ever give. Default: all that the capability's rights allow. */
  readonly ceiling?: Protection;
  /** Default 'inherit'. */
  readonly onFork?: OnFork;
  /** Whether pages that an object's pager has brought may go again, to be brought anew, while they are mapped. Default 'allowed'. */
  readonly eviction?: 'allowed' | 'refused';
  /** With `at`: whether what is there already makes it fail, or is unmapped. Default 'refuse'. */
  readonly overlap?: 'refuse' | 'replace';
  /** For people: reports and messages show it. */
  readonly name?: string;
}

/** Below this address the space itself puts nothing: whoever follows a null pointer is to fault. */
const LOWEST_PLACE = virtAddr(0x10000);
const ALL: Protection = 'rwx';

/**
 * @returns where it begins, and the backings that are not used any more.
 * @throws as `AddressSpace.map`; nothing has changed then.
 */
export const mapInto = (
  space: AddressSpace,
  options: MapOptions,
  first: FirstError,
): { readonly at: VirtAddr; readonly unused: Backing[] } => {
  const {
    lengthBytes,
    vmo,
    offsetBytes = 0,
    sharing = 'private',
    onFork = 'inherit',
    overlap = 'refuse',
  } = options;
  const pages = pagesOf(lengthBytes);
  checkPages(offsetBytes, 'an offset');
  rightsOf(options.protection);
  checkWords(options);
  const start = placeOf(space, options, pages);
  const end = vpn(start + pages);
  if (overlap === 'refuse') space.list.checkFree(start, end);
  checkOnFork(onFork, vmo === undefined && sharing === 'private', start, end);
  const ceiling = ceilingOf(options);
  const backing =
    vmo === undefined && sharing === 'private' ? undefined : backingOf(space, options, start, ceiling);
  const { protection, name } = options;
  const mapping: Mapping = {
    start,
    end,
    protection,
    rights: rightsOf(protection),
    ceiling,
    sharing,
    onFork,
    backing,
    name,
  };
  try {
    return { at: virtAddr(start * PAGE_SIZE), unused: space.put(start, end, [mapping], first) };
  } catch (error) {
    backing?.close();
    throw error;
  }
};

const checkWords = ({
  at,
  near,
  vmo,
  offsetBytes,
  sharing,
  onFork,
  eviction,
  overlap,
  ceiling,
}: MapOptions): void => {
  checkWord('sharing', sharing, ['private', 'shared']);
  checkWord('onFork', onFork, ON_FORK);
  checkWord('eviction', eviction, ['allowed', 'refused']);
  checkWord('overlap', overlap, ['refuse', 'replace']);
  if (ceiling !== undefined) rightsOf(ceiling);
  if (at !== undefined && near !== undefined)
    throw new InvalidArgument('a mapping is `at` a place or `near` it: give one');
  if (at === undefined && overlap === 'replace')
    throw new InvalidArgument('what is to be replaced? give `at`');
  if (vmo !== undefined && !(vmo instanceof Vmo)) throw new InvalidArgument('`vmo` is not a Vmo');
  if (vmo === undefined && offsetBytes !== undefined)
    throw new InvalidArgument('an offset in what? give `vmo`');
};

/** @throws InvalidArgument where a mapping is to be wiped that shows anything but its space's own memory. */
export const checkOnFork = (onFork: OnFork, isAnonymous: boolean, start: Vpn, end: Vpn): void => {
  if (onFork !== 'wipe' || isAnonymous) return;
  throw new InvalidArgument(
    `${formatRange(start, end)} shows an object: only private anonymous memory can be wiped in a fork's child`,
  );
};

const placeOf = (space: AddressSpace, { at, near, lengthBytes }: MapOptions, pages: number): Vpn => {
  if (at !== undefined) return pageRange(at, lengthBytes)[0];
  if (near !== undefined) {
    const [start, end] = pageRange(near, lengthBytes);
    if (space.list.isFree(start, end)) return start;
  }
  return findPlace(space, pages);
};

/** The highest place with room for so many pages. @throws HolsteinError ENOMEM where there is none. */
export const findPlace = (space: AddressSpace, pages: number): Vpn => {
  const place = space.list.freeBelow(LOWEST_PLACE / PAGE_SIZE, MAX_PAGES, pages);
  if (place !== undefined) return vpn(place);
  throw new HolsteinError(
    'ENOMEM',
    `no ${pages} pages in a row are free between ${hex(LOWEST_PLACE)} and MAXVA`,
  );
};

/** @throws HolsteinError EACCES where the protection is beyond the ceiling. */
const ceilingOf = (options: MapOptions): Protection => {
  const { protection, vmo, sharing = 'private' } = options;
  const ceiling = options.ceiling ?? (vmo === undefined ? ALL : highest(vmo, sharing));
  if (options.ceiling === undefined || allows(ceiling, protection)) return ceiling;
  throw new HolsteinError('EACCES', `a mapping ${protection} is beyond its ceiling, ${ceiling}`);
};

/** The most that a capability's rights allow. What is private may always be written. */
const highest = ({ rights }: Vmo<never>, sharing: MapSharing): Protection => {
  const may = (right: Right): boolean => rights.includes(right);
  if (!may('read')) return may('exec') ? '--x' : '---';
  const writable = sharing === 'private' || may('write');
  if (may('exec')) return writable ? 'rwx' : 'r-x';
  return writable ? 'rw-' : 'r--';
};

/** @throws HolsteinError EACCES, EBADF, ESTALE; InvalidArgument for an object over another RAM. */
const backingOf = (space: AddressSpace, options: MapOptions, start: Vpn, ceiling: Protection): Backing => {
  const { vmo, offsetBytes = 0, sharing = 'private', protection, lengthBytes, name } = options;
  const { eviction = 'allowed' } = options;
  const needed = [...rightsNeeded(protection, sharing), ...rightsNeeded(ceiling, sharing)];
  if (vmo === undefined) return anonymousBacking(space, start, lengthBytes, name, needed);
  if (vmo.reach.object.home !== space.virtualMemory.objects) {
    throw new InvalidArgument(`${vmo.name} is not one of this virtual memory's objects`);
  }
  const first = vmo.reach.start / PAGE_SIZE + offsetBytes / PAGE_SIZE;
  const shown = { first, end: first + lengthBytes / PAGE_SIZE };
  return new Backing(start - first, shown, eviction, (observer) => vmo.attach(needed, observer));
};

/** Shared anonymous memory is an object of its own, which lasts as long as somebody maps it. */
const anonymousBacking = (
  space: AddressSpace,
  start: Vpn,
  size: number,
  name: string | undefined,
  needed: readonly Right[],
): Backing => {
  const { objects } = space.virtualMemory;
  const rights = ['dup', 'read', 'write', 'exec'] as const;
  using vmo = objects.create({ size, rights, name: name ?? 'shared memory' });
  const shown = { first: 0, end: size / PAGE_SIZE };
  return new Backing(start, shown, 'allowed', (observer: MappingObserver): MappedObject =>
    vmo.attach(needed, observer),
  );
};

/** The rights to an object that a protection asks for. */
const rightsNeeded = (protection: Protection, sharing: MapSharing): Right[] => {
  const bits = rightsOf(protection);
  const granted = (bits & PTE_U) === 0 ? 0 : bits;
  const needed: Right[] = [];
  if ((granted & PTE_R) !== 0) needed.push('read');
  if ((granted & PTE_W) !== 0 && sharing === 'shared') needed.push('write');
  if ((granted & PTE_X) !== 0) needed.push('exec');
  return needed;
};
