/**
 * The mappings of an address space, sorted. They do not overlap, and neighbours that are alike in all are one.
 *
 * A list knows which backings its mappings have and how many have each, so that a backing hears when a space begins to
 * use it and when it ends. A clone costs the same however many mappings there are.
 */
import { HolsteinError, type Vpn } from '../frame/index.js';
import type { Backing } from './backing.js';
import { formatMapping, formatRange, type Mapping } from './mapping.js';
import { newSortedMap, type SortedMap } from './sorted-map.js';

export class MappingList implements Iterable<Mapping> {
  readonly #byStart: SortedMap<Mapping>;
  /** How many mappings have a backing. */
  readonly #backings: Map<Backing, number>;
  /** How many mappings the child of a fork has not as they are. */
  #uninherited = 0;
  /** No room for `pages` pages is between two pages: known until something is unmapped. */
  #noRoom: { readonly from: number; readonly to: number; readonly pages: number } | undefined;
  /** The mapping that was found last: most faults are near the one before. */
  #found: Mapping | undefined;
  /** What the tree puts its answers in, so that a look-up allocates nothing. */
  readonly #pair = [] as unknown as [number, Mapping];

  constructor(byStart: SortedMap<Mapping> = newSortedMap(), backings: Iterable<[Backing, number]> = []) {
    this.#byStart = byStart;
    this.#backings = new Map(backings);
  }

  get size(): number {
    return this.#byStart.size;
  }

  /** Whether there is any mapping that the child of a fork has not as it is. */
  get hasUninherited(): boolean {
    return this.#uninherited > 0;
  }

  /** What the mappings show. */
  get backings(): Iterable<Backing> {
    return this.#backings.keys();
  }

  /** The mapping that holds a page, if any. */
  find(page: Vpn): Mapping | undefined {
    const found = this.#found;
    if (found !== undefined && found.start <= page && page < found.end) return found;
    const mapping = this.#byStart.getPairOrNextLower(page, this.#pair)?.[1];
    if (mapping === undefined || mapping.end <= page) return undefined;
    this.#found = mapping;
    return mapping;
  }

  /** The mappings with pages of `start … end - 1`, whole, in order. */
  *overlapping(start: number, end: number): Generator<Mapping> {
    let mapping = this.#byStart.getPairOrNextLower(start)?.[1];
    if (mapping === undefined || mapping.end <= start) mapping = this.#byStart.nextHigherPair(start)?.[1];
    while (mapping !== undefined && mapping.start < end) {
      yield mapping;
      mapping = this.#byStart.nextHigherPair(mapping.start)?.[1];
    }
  }

  /** The same, cut to the range. */
  *partsIn(start: Vpn, end: Vpn): Generator<Mapping> {
    for (const mapping of this.overlapping(start, end)) yield cutTo(mapping, start, end);
  }

  /** Whether every page of a range is mapped. */
  covers(start: Vpn, end: Vpn): boolean {
    let at: number = start;
    for (const mapping of this.overlapping(start, end)) {
      if (mapping.start > at) return false;
      at = mapping.end;
    }
    return at >= end;
  }

  /** The highest free range of `pages` pages in `from … to - 1`; undefined where there is none. */
  freeBelow(from: number, to: number, pages: number): number | undefined {
    // Where the last search ended there is no room above, unless for less.
    const known = this.#noRoom;
    let end = known !== undefined && known.to === to && known.pages <= pages ? known.from : to;
    for (const [, mapping] of this.#byStart.entriesReversed(end)) {
      if (mapping.start >= end) continue;
      if (end - Math.max(mapping.end, from) >= pages) break;
      end = mapping.start;
    }
    if (end - from < pages) return undefined;
    this.#noRoom = { from: end, to, pages };
    return end - pages;
  }

  /** Whether no page of a range is mapped. */
  isFree(start: number, end: number): boolean {
    return this.overlapping(start, end).next().done === true;
  }

  /** @throws HolsteinError EEXIST where a page of the range is mapped. */
  checkFree(start: Vpn, end: Vpn): void {
    for (const there of this.overlapping(start, end)) {
      throw new HolsteinError(
        'EEXIST',
        `cannot map ${formatRange(start, end)}: ${formatMapping(there)} is there already`,
      );
    }
  }

  /** Adds a mapping where none is. */
  add(mapping: Mapping): void {
    this.#rewrite(mapping.start, mapping.end, [mapping]);
  }

  /** Takes a range out; what of it is not mapped is passed over. @returns the backings that no mapping has any more. */
  remove(start: Vpn, end: Vpn): Backing[] {
    return this.#rewrite(start, end, []);
  }

  /** Puts others in the place of the mappings in a range, which all lie within it. @returns as `remove`. */
  replace(start: Vpn, end: Vpn, mappings: readonly Mapping[]): Backing[] {
    return this.#rewrite(start, end, mappings);
  }

  /** Changes the parts of mappings that lie in a range. */
  change(start: Vpn, end: Vpn, change: Partial<Omit<Mapping, 'start' | 'end' | 'backing'>>): void {
    this.#rewrite(
      start,
      end,
      [...this.partsIn(start, end)].map((part) => ({ ...part, ...change })),
    );
  }

  /** A list of its own with the same mappings. */
  clone(): MappingList {
    const list = new MappingList(this.#byStart.clone(), this.#backings);
    list.#uninherited = this.#uninherited;
    return list;
  }

  *[Symbol.iterator](): Iterator<Mapping> {
    yield* this.#byStart.values();
  }

  /** Puts mappings in the place of all that lies in a range, and joins them with their neighbours where they are alike. */
  #rewrite(start: Vpn, end: Vpn, mappings: readonly Mapping[]): Backing[] {
    this.#found = undefined;
    if (mappings.length === 0) this.#noRoom = undefined;
    const old = [...this.overlapping(start, end)];
    const next: Mapping[] = [];
    const before = start > 0 ? this.#endingAt(start) : undefined;
    const after = this.#byStart.get(end);
    if (before !== undefined) old.push(before);
    if (after !== undefined) old.push(after);
    const [first] = old;
    const kept: Mapping[] = before === undefined ? [] : [before];
    if (first !== undefined && first.start < start && first !== before)
      kept.push(cutTo(first, first.start, start));
    const tail = old.find((mapping) => mapping.start < end && mapping.end > end);
    const rest = tail === undefined ? [] : [cutTo(tail, end, tail.end)];
    if (after !== undefined) rest.push(after);
    for (const mapping of [...kept, ...mappings, ...rest]) {
      const last = next.at(-1);
      if (last !== undefined && isAlike(last, mapping)) next[next.length - 1] = { ...last, end: mapping.end };
      else next.push(mapping);
    }
    for (const mapping of next) this.#count(mapping, 1);
    for (const mapping of old) this.#byStart.delete(mapping.start);
    for (const mapping of next) this.#byStart.set(mapping.start, mapping);
    return old.map((mapping) => this.#count(mapping, -1)).filter((backing) => backing !== undefined);
  }

  #endingAt(page: Vpn): Mapping | undefined {
    const mapping = this.#byStart.nextLowerPair(page)?.[1];
    return mapping?.end === page ? mapping : undefined;
  }

  /** Counts a mapping. @returns its backing where no mapping has it any more. */
  #count({ backing, onFork }: Mapping, change: 1 | -1): Backing | undefined {
    if (onFork !== 'inherit') this.#uninherited += change;
    if (backing === undefined) return undefined;
    const mappings = (this.#backings.get(backing) ?? 0) + change;
    if (mappings > 0) this.#backings.set(backing, mappings);
    else this.#backings.delete(backing);
    return mappings === 0 ? backing : undefined;
  }
}

/** The part of a mapping that lies in a range. */
const cutTo = (mapping: Mapping, start: Vpn, end: Vpn): Mapping =>
  mapping.start >= start && mapping.end <= end
    ? mapping
    : {
        ...mapping,
        start: mapping.start < start ? start : mapping.start,
        end: mapping.end > end ? end : mapping.end,
      };

/** Whether two mappings can be one: the second begins where the first ends, and they are alike in all else. */
const isAlike = (one: Mapping, other: Mapping): boolean =>
  one.end === other.start &&
  one.protection === other.protection &&
  one.ceiling === other.ceiling &&
  one.sharing === other.sharing &&
  one.onFork === other.onFork &&
  one.backing === other.backing &&
  one.name === other.name;
