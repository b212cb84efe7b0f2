/** Reports for people: an address space as state tables, of its mappings and of the tree of its page tables. */
import {
  type FrameNumber,
  hex,
  InvalidArgument,
  METADATA_ENTRIES,
  NO_FRAME,
  PAGE_SIZE,
  vpn,
} from '../frame/index.js';
import {
  formatPteFlags,
  isLeaf,
  pagesAt,
  type PlacedTable,
  PTE_TABLE_SHARED,
  pteFrame,
  ROOT_LEVEL,
  visitEntries,
} from '../paging/index.js';
import { formatFrames, joinRanges, type StateRange } from '../vmo/index.js';
import type { AddressSpace } from './address-space.js';
import { isObjects } from './backing.js';
import { formatRange, type Mapping } from './mapping.js';

export interface InspectOptions {
  /** Lines of each space's mappings, and of its tables, that are shown at most: 1 or more. Default 100. */
  readonly mostLines?: number;
  /** What is shown: mappings alone, or the page tables too. Default 'tables'. */
  readonly depth?: 'mappings' | 'tables';
}

/**
 * An address space as state tables: what it maps, and the tree of its page tables. Pages in a row are one line where their
 * flags are equal, and their frames are in a row or one and the same.
 *
 *      space 1: 3 pages resident, 2 of zeros
 *        0x1000-0x6000  -> rw- private  anonymous  3 of 5 resident, 2 of zeros  heap
 *
 *        0x0-0x8000000000     -> table 0x26        level 2, 1 reference, 1 entry
 *          0x0-0x40000000     -> table 0x28        level 1, 2 references, 1 entry, shared
 *            0x0-0x200000     -> table 0x29        level 0, 1 reference, 5 entries
 *              0x1000-0x2000  -> frame 0x27        VRW-U-AD--, 1 reference
 *              0x2000-0x4000  -> frames 0x2a-0x2b  VRW-U-AD--, 1 reference
 *              0x4000-0x6000  -> frame 0x25        VR--U-A-c-, zeros
 *
 * A table is shared, or was, where the entry that leads to it is marked so; all below it is shared with it. Entries are
 * shown as they stand in their tables: below a shared one, W counts as COW. A mapping says where in its object it begins,
 * what it is called, its ceiling where that is not rwx, and what forks do with it where they do not inherit it.
 */
export const inspectSpace = (space: AddressSpace, options: InspectOptions = {}): string =>
  inspectSpaces([space], options);

/**
 * Several address spaces, one after the other. What they share is shown once, with the first of them.
 * @throws InvalidArgument for spaces that are not of one virtual memory.
 */
export const inspectSpaces = (
  spaces: Iterable<AddressSpace>,
  { mostLines = 100, depth = 'tables' }: InspectOptions = {},
): string => {
  if (!(mostLines >= 1)) throw new InvalidArgument(`a report of ${mostLines} lines: give 1 or more`);
  const report = new Report(mostLines, depth);
  return [...spaces].map((space) => report.describe(space).join('\n')).join('\n\n');
};

/** Cells of a line. */
type Row = readonly string[];

/** Pages that have an entry: those that show the zero frame, and all others. */
interface PageCounts {
  readonly resident: number;
  readonly zeros: number;
}

class Report {
  readonly #mostLines: number;
  readonly #depth: 'mappings' | 'tables';
  /** Where each table was shown. */
  readonly #shown = new Map<FrameNumber, AddressSpace>();
  /** What there is below tables, for the next space that has them. */
  readonly #counts = new Map<FrameNumber, PageCounts>();
  #first: AddressSpace | undefined;

  constructor(mostLines: number, depth: 'mappings' | 'tables') {
    this.#mostLines = mostLines;
    this.#depth = depth;
  }

  describe(space: AddressSpace): string[] {
    this.#first ??= space;
    if (space.virtualMemory !== this.#first.virtualMemory)
      throw new InvalidArgument(
        `space ${space.id} is of another virtual memory than space ${this.#first.id}`,
      );
    const { table } = space;
    if (table.root === NO_FRAME) return [`space ${space.id}: closed`];
    const { zeros } = space.borrowed;
    const root = { table: table.root, level: ROOT_LEVEL, first: 0 };
    const mappings = [...this.#mappingRows(space, root)];
    const lines = [
      `space ${space.id}: ${count(space.residentFrames, 'page', 'pages')} resident${zeros === 0 ? '' : `, ${zeros} of zeros`}`,
      ...this.#align(mappings, space.list.size),
    ];
    if (this.#depth === 'mappings') return lines;
    return [
      ...lines,
      ...(mappings.length === 0 ? [] : ['']),
      ...this.#alignAll([...this.#tableRows(space, root, false)]),
    ];
  }

  /** As many as are shown. */
  *#mappingRows(space: AddressSpace, root: PlacedTable): Generator<Row> {
    let rows = 0;
    for (const mapping of space.list) {
      if (rows++ >= this.#mostLines) return;
      const { start, end, protection, sharing } = mapping;
      const { resident, zeros } = this.#countPages(space, root, start, end);
      yield [
        formatRange(start, end),
        `-> ${protection} ${sharing}`,
        describeBacking(mapping),
        `${resident} of ${end - start} resident${zeros === 0 ? '' : `, ${zeros} of zeros`}`,
        notesOn(mapping),
      ];
    }
  }

  *#tableRows(space: AddressSpace, placed: PlacedTable, isMarked: boolean): Generator<Row> {
    const { memory } = space;
    const { table, level, first } = placed;
    const entries = memory.words[(memory.metadata(table) + METADATA_ENTRIES) >>> 2]!;
    const before = this.#shown.get(table);
    const words = [
      `level ${level}`,
      count(memory.count(table), 'reference', 'references'),
      count(entries, 'entry', 'entries'),
      ...(isMarked ? [memory.count(table) > 1 ? 'shared' : 'was shared'] : []),
      ...(before === undefined ? [] : [`shown in space ${before.id}`]),
    ];
    const end = first + pagesAt(level + 1);
    yield [indented(level + 1, first, end), `-> table ${hex(table)}`, words.join(', ')];
    if (before !== undefined) return;
    this.#shown.set(table, space);
    const tables: TableBelow[] = [];
    const leaves: StateRange[] = [];
    visitEntries(memory, placed, (pte, page) => {
      if (isLeaf(pte)) leaves.push(leafRange(space, pte, page, level));
      else tables.push({ ...tableBelow(placed, pte, page), isMarked: (pte & PTE_TABLE_SHARED) !== 0 });
    });
    const parts = [...joinRanges(leaves), ...tables].toSorted((one, other) => one.first - other.first);
    for (const part of parts) {
      if ('table' in part) yield* this.#tableRows(space, part, part.isMarked);
      else yield [indented(level, part.first, part.end), `-> ${formatFrames(part)}`, part.state];
    }
  }

  /** The entries below a table for pages of `start … end - 1`. What is below a whole table is counted once for all spaces. */
  #countPages(space: AddressSpace, placed: PlacedTable, start: number, end: number): PageCounts {
    const { table, level, first } = placed;
    const isWhole = start <= first && first + pagesAt(level + 1) <= end;
    const known = isWhole ? this.#counts.get(table) : undefined;
    if (known !== undefined) return known;
    let [resident, zeros] = [0, 0];
    visitEntries(space.memory, placed, (pte, page) => {
      const covered = Math.min(page + pagesAt(level), end) - Math.max(page, start);
      if (covered <= 0) return;
      if (!isLeaf(pte)) {
        const counts = this.#countPages(space, tableBelow(placed, pte, page), start, end);
        resident += counts.resident;
        zeros += counts.zeros;
      } else if (pteFrame(pte) === space.virtualMemory.zeroFrame) {
        zeros += covered;
      } else {
        resident += covered;
      }
    });
    const counts = { resident, zeros };
    if (isWhole) this.#counts.set(table, counts);
    return counts;
  }

  #alignAll(rows: readonly Row[]): string[] {
    return this.#align(rows.slice(0, this.#mostLines), rows.length);
  }

  /** Lines whose cells stand one below the other, and what to know of those that are not shown. */
  #align(rows: readonly Row[], all: number): string[] {
    const widths: number[] = [];
    for (const row of rows) {
      for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
    const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  '));
    const left = all - rows.length;
    if (left > 0) lines.push(`… ${count(left, 'line', 'lines')} more`);
    return lines.map((line) => `  ${line}`.trimEnd());
  }
}

interface TableBelow extends PlacedTable {
  /** Whether the entry that leads to it says that others may have it. */
  readonly isMarked: boolean;
}

const tableBelow = ({ level }: PlacedTable, pte: number, first: number): PlacedTable => ({
  table: pteFrame(pte),
  level: level - 1,
  first,
});

const leafRange = (space: AddressSpace, pte: number, page: number, level: number): StateRange => {
  const frame = pteFrame(pte);
  const flags = formatPteFlags(pte);
  return {
    first: page,
    end: page + pagesAt(level),
    frame,
    state: `${flags}, ${whatIs(space, frame, level)}`,
  };
};

const whatIs = (space: AddressSpace, frame: FrameNumber, level: number): string => {
  if (level > 0) return level === 1 ? 'megapage' : 'gigapage';
  if (frame === space.virtualMemory.zeroFrame) return 'zeros';
  const references = count(space.memory.count(frame), 'reference', 'references');
  return isObjects(space, frame) ? `object’s, ${references}` : references;
};

const describeBacking = ({ backing, start }: Mapping): string => {
  if (backing === undefined) return 'anonymous';
  const { name, isOpen } = backing.object;
  return `${name} from ${hex(backing.objectPage(start) * PAGE_SIZE)}${isOpen ? '' : ', revoked'}`;
};

const notesOn = ({ name, ceiling, onFork }: Mapping): string => {
  const notes = [
    name,
    ceiling === 'rwx' ? undefined : `ceiling ${ceiling}`,
    onFork === 'inherit' ? undefined : `onFork ${onFork}`,
  ];
  return notes.filter((note) => note !== undefined).join(', ');
};

/** A range of pages, the further to the right the lower the level of what it is about. */
const indented = (level: number, first: number, end: number): string =>
  '  '.repeat(ROOT_LEVEL + 1 - level) + formatRange(vpn(first), vpn(end));

const count = (number: number, one: string, several: string): string =>
  `${number} ${number === 1 ? one : several}`;
