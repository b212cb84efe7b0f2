/**
 * Mappings: which pages of an address space exist, and what may be done with them. Whether a page may be
 * written is its mapping's word, never read off an entry's W bit.
 *
 * The list is sorted, its mappings do not overlap, and neighbours that grant the same are one mapping.
 * Mappings are immutable values, so a fork shares them. (Anonymous and private, all of them, until memory
 * objects arrive beneath.)
 */
import { hex, HolsteinError, InvalidArgument, pageStart, type Vpn } from '../frame/index.js';
import { PTE_R, PTE_U, PTE_W, PTE_X } from '../paging/index.js';

/** What a mapping grants to user mode, as `/proc/PID/maps` writes it. Write without read is not possible in Sv39. */
export type Protection = '---' | 'r--' | 'rw-' | 'r-x' | 'rwx' | '--x';

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

/** U, R, W and X as a protection grants them. */
export const rightsOf = (protection: Protection): number => {
  if (!Object.hasOwn(RIGHTS, protection)) {
    throw new InvalidArgument(
      `protection '${String(protection)}' is none of ${Object.keys(RIGHTS).join(' ')}`,
    );
  }
  return RIGHTS[protection];
};

export interface Mapping {
  readonly start: Vpn;
  /** One past the last page. */
  readonly end: Vpn;
  readonly protection: Protection;
  /** U, R, W and X bits: what entries of this mapping may grant at most. */
  readonly rights: number;
}

export class MappingList implements Iterable<Mapping> {
  #mappings: Mapping[] = [];

  /** The mapping that holds a page, if any. */
  find(page: Vpn): Mapping | undefined {
    const mapping = this.#mappings[this.#firstEndingAfter(page)];
    return mapping !== undefined && mapping.start <= page ? mapping : undefined;
  }

  /** @throws HolsteinError EEXIST where a page of it is mapped already; nothing has changed then. */
  add(start: Vpn, end: Vpn, protection: Protection): void {
    const rights = rightsOf(protection);
    const at = this.#firstEndingAfter(start);
    const next = this.#mappings[at];
    if (next !== undefined && next.start < end) {
      throw new HolsteinError(
        'EEXIST',
        `cannot map ${formatRange(start, end)}: ${formatMapping(next)} is there already`,
      );
    }
    this.#splice(at, 0, [{ start, end, protection, rights }]);
  }

  /** Takes a range out; what of it is not mapped is passed over. */
  remove(start: Vpn, end: Vpn): void {
    this.#rewrite(start, end, () => undefined);
  }

  /** @throws HolsteinError ENOMEM where a page of the range is not mapped; nothing has changed then. */
  protect(start: Vpn, end: Vpn, protection: Protection): void {
    const rights = rightsOf(protection);
    if (!this.covers(start, end)) {
      throw new HolsteinError('ENOMEM', `cannot protect ${formatRange(start, end)}: not all of it is mapped`);
    }
    this.#rewrite(start, end, (mapping) => ({ ...mapping, protection, rights }));
  }

  /** Whether every page of a range is mapped. */
  covers(start: Vpn, end: Vpn): boolean {
    let at: number = start;
    for (let index = this.#firstEndingAfter(start); at < end; index++) {
      const mapping = this.#mappings[index];
      if (mapping === undefined || mapping.start > at) return false;
      at = mapping.end;
    }
    return true;
  }

  /** A list of its own with the same mappings. */
  clone(): MappingList {
    const list = new MappingList();
    list.#mappings = this.#mappings.slice();
    return list;
  }

  [Symbol.iterator](): Iterator<Mapping> {
    return this.#mappings[Symbol.iterator]();
  }

  /** Replaces the parts of mappings that lie in a range by what `change` makes of them. */
  #rewrite(start: Vpn, end: Vpn, change: (part: Mapping) => Mapping | undefined): void {
    const first = this.#firstEndingAfter(start);
    const parts: Mapping[] = [];
    let after = first;
    for (; after < this.#mappings.length && this.#mappings[after]!.start < end; after++) {
      const mapping = this.#mappings[after]!;
      if (mapping.start < start) parts.push({ ...mapping, end: start });
      const changed = change({
        ...mapping,
        start: mapping.start < start ? start : mapping.start,
        end: mapping.end > end ? end : mapping.end,
      });
      if (changed !== undefined) parts.push(changed);
      if (mapping.end > end) parts.push({ ...mapping, start: end });
    }
    this.#splice(first, after - first, parts);
  }

  /** Splices mappings in, and joins those at the seams that are alike and touch. */
  #splice(at: number, removed: number, added: readonly Mapping[]): void {
    const before = this.#mappings.slice(Math.max(0, at - 1), at);
    const after = this.#mappings.slice(at + removed, at + removed + 1);
    const joined: Mapping[] = [];
    for (const mapping of [...before, ...added, ...after]) {
      const last = joined.at(-1);
      if (last !== undefined && last.end === mapping.start && last.protection === mapping.protection) {
        joined[joined.length - 1] = { ...last, end: mapping.end };
      } else {
        joined.push(mapping);
      }
    }
    this.#mappings.splice(at - before.length, before.length + removed + after.length, ...joined);
  }

  /** Index of the first mapping that ends after a page: the one that holds it, or the next. */
  #firstEndingAfter(page: Vpn): number {
    let low = 0;
    let high = this.#mappings.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#mappings[middle]!.end > page) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** A range of pages as addresses, for people. */
export const formatRange = (start: Vpn, end: Vpn): string =>
  `${hex(pageStart(start))}-${hex(pageStart(end))}`;

/** `0x1000-0x3000 rw-`, as `/proc/PID/maps` writes it. */
export const formatMapping = (mapping: Mapping): string =>
  `${formatRange(mapping.start, mapping.end)} ${mapping.protection}`;
