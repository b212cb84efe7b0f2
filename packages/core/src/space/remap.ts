/**
 * Moving, growing and shrinking mappings (Linux's mremap). Pages that have frames move with their entries: nothing is
 * copied, and a shared frame stays as shared as it was.
 */
import {
  HolsteinError,
  InvalidArgument,
  PAGE_SIZE,
  type VirtAddr,
  virtAddr,
  vpn,
  type Vpn,
} from '../frame/index.js';
import { type FirstError, mapOwned, MAX_PAGES, PTE_FLAGS, pteFrame, type Undo } from '../paging/index.js';
import type { AddressSpace } from './address-space.js';
import type { Backing } from './backing.js';
import { checkWord } from './check-word.js';
import { findPlace } from './map.js';
import { formatRange, type Mapping } from './mapping.js';
import { pageRange, pagesOf } from './page-range.js';
import { movePins } from './pin.js';

export interface RemapOptions {
  /** Where the range begins that is remapped: all of it must be mapped. */
  readonly at: VirtAddr;
  readonly lengthBytes: number;
  /** What it is to become: where it is shorter the tail is unmapped, where it is longer the last mapping goes on. Default: as it is. */
  readonly newLengthBytes?: number;
  /** Where it goes: an address; 'anywhere', if there is no room where it is. Default: it stays. */
  readonly to?: VirtAddr | 'anywhere';
  /** With an address: whether what is there already makes it fail, or is unmapped. Default 'refuse'. */
  readonly overlap?: 'refuse' | 'replace';
}

/** What a remap leaves behind: where the range begins, and the backings that are not used any more. */
interface Remapped {
  readonly at: VirtAddr;
  readonly unused: Backing[];
}

/** @throws as `AddressSpace.remap`; nothing has changed then. */
export const remapIn = (space: AddressSpace, options: RemapOptions, first: FirstError): Remapped => {
  const { at, lengthBytes, newLengthBytes = lengthBytes, to, overlap = 'refuse' } = options;
  const [start, end] = pageRange(at, lengthBytes);
  const pages = pagesOf(newLengthBytes);
  if (!space.list.covers(start, end)) {
    throw new HolsteinError('ENOMEM', `cannot remap ${formatRange(start, end)}: not all of it is mapped`);
  }
  checkWord('overlap', overlap, ['refuse', 'replace']);
  if (typeof to === 'number') {
    const [target] = pageRange(to, newLengthBytes);
    return { at: to, unused: moveTo(space, start, end, target, pages, overlap, first) };
  }
  if (to !== undefined && to !== 'anywhere')
    throw new InvalidArgument(`remap to '${String(to)}': give an address or anywhere`);
  if (overlap === 'replace') throw new InvalidArgument('what is to be replaced? give `to` an address');
  if (start + pages <= end) {
    const left = vpn(start + pages);
    return { at, unused: left < end ? space.put(left, end, [], first) : [] };
  }
  const grownEnd = start + pages;
  if (to === undefined || (grownEnd <= MAX_PAGES && space.list.isFree(end, grownEnd))) {
    growInPlace(space, start, end, pageRange(at, newLengthBytes)[1]);
    return { at, unused: [] };
  }
  const place = findPlace(space, pages);
  const unused = moveTo(space, start, end, place, pages, 'refuse', first);
  return { at: virtAddr(place * PAGE_SIZE), unused };
};

const growInPlace = (space: AddressSpace, start: Vpn, end: Vpn, newEnd: Vpn): void => {
  space.list.checkFree(end, newEnd);
  const parts = [...space.list.partsIn(start, end)];
  space.list.replace(start, newEnd, grown(parts, newEnd));
};

/** Mappings of which the last ends somewhere else. */
const grown = (parts: readonly Mapping[], end: Vpn): Mapping[] => {
  parts.at(-1)!.backing?.growTo(end);
  return parts.map((part, index) => (index === parts.length - 1 ? { ...part, end } : part));
};

const moveTo = (
  space: AddressSpace,
  start: Vpn,
  end: Vpn,
  to: Vpn,
  pages: number,
  overlap: 'refuse' | 'replace',
  first: FirstError,
): Backing[] => {
  const toEnd = vpn(to + pages);
  if (to < end && start < toEnd) {
    throw new InvalidArgument(
      `cannot move ${formatRange(start, end)} to ${formatRange(to, toEnd)}: they overlap`,
    );
  }
  if (overlap === 'refuse') space.list.checkFree(to, toEnd);
  const kept = vpn(Math.min(end, start + pages));
  const mappings = movedMappings(space, start, kept, to, toEnd);
  let finish: (first: FirstError) => void;
  try {
    finish = moveEntries(space, { start, end, kept, to, toEnd });
  } catch (error) {
    for (const backing of new Set(mappings.map((mapping) => mapping.backing))) backing?.close();
    throw error;
  }
  const unused = [...space.list.remove(start, end), ...space.list.replace(to, toEnd, mappings)];
  space.enter(mappings);
  finish(first);
  return unused;
};

/** The mappings of a range as they are at another place, where the last goes on to its end. */
const movedMappings = (space: AddressSpace, start: Vpn, end: Vpn, to: Vpn, toEnd: Vpn): Mapping[] => {
  const backings = new Map<Backing, Backing>();
  const parts = [...space.list.partsIn(start, end)].map((part) => {
    const { backing } = part;
    if (backing !== undefined && !backings.has(backing)) backings.set(backing, backing.moved(to - start));
    return {
      ...part,
      start: vpn(part.start - start + to),
      end: vpn(part.end - start + to),
      backing: backing === undefined ? undefined : backings.get(backing),
    };
  });
  return grown(parts, toEnd);
};

/** Pages `start … end - 1`, of which those before `kept` move to `to`; they get the place up to `toEnd`. */
interface Move {
  readonly start: Vpn;
  readonly end: Vpn;
  readonly kept: Vpn;
  readonly to: Vpn;
  readonly toEnd: Vpn;
}

/**
 * Makes entries in the new place like those in the old.
 * @returns what takes away all that is to go, there and in the old place, which cannot fail for want of memory.
 * @throws OutOfMemory, and nothing has changed then.
 */
const moveEntries = (space: AddressSpace, move: Move): ((first: FirstError) => void) => {
  const { table, memory } = space;
  const { start, end, kept, to, toEnd } = move;
  const undos: (Undo | undefined)[] = [];
  /** What stood in the new place, by page. */
  const replaced: { readonly page: Vpn; readonly pte: number }[] = [];
  try {
    undos.push(table.isolate(start, end));
    undos.push(table.isolate(to, toEnd));
    // Below a table that others have, W stands for one who is left alone with it: two places of one space are not.
    undos.push(table.ownAll(start, kept));
    undos.push(table.ownAll(to, toEnd));
    for (const page of table.mappedPages(start, kept)) {
      const pte = table.entry(page);
      const target = vpn(page - start + to);
      const there = table.entry(target);
      memory.retain(pteFrame(pte));
      if (there === 0) mapOwned(table, target, pteFrame(pte), pte & PTE_FLAGS);
      else replaceOwned(space, target, pte);
      replaced.push({ page: target, pte: there });
    }
  } catch (error) {
    for (const { page, pte } of replaced.toReversed()) {
      memory.release(pteFrame(pte === 0 ? table.unmap(page) : table.replace(page, pte)));
    }
    for (const undo of undos.toReversed()) undo?.();
    throw error;
  }
  return (first) => {
    for (const { page, pte } of replaced) {
      space.countBorrowed(table.entry(page), 1);
      if (pte === 0) continue;
      space.countBorrowed(pte, -1);
      memory.release(pteFrame(pte));
    }
    const isNew = new Set<Vpn>(replaced.map(({ page }) => page));
    const gone = [...table.mappedPages(to, toEnd)].filter((page) => !isNew.has(page));
    movePins(space.pins, start, kept, to - start);
    for (const [from, until] of [
      ...gone.map((page) => [page, vpn(page + 1)] as const),
      [start, end] as const,
    ]) {
      try {
        space.dropPages(from, until);
      } catch (error) {
        first.note(error);
      }
    }
  };
};

/** Puts an entry whose reference is the caller's in the place of another, whose reference is the caller's then. */
const replaceOwned = ({ table, memory }: AddressSpace, page: Vpn, pte: number): void => {
  try {
    table.replace(page, pte);
  } catch (error) {
    memory.release(pteFrame(pte));
    throw error;
  }
};
