/**
 * The reverse map of a virtual memory: how many address spaces have each frame, and each page table. It is taken by a
 * walk, and true until the next change. The zero frame, which everybody has, is left out.
 *
 * Each table is read once, however many spaces share it. A table has the spaces of all tables that lead to it; forks
 * share tables where they stand, so no space comes to one by two ways, and their numbers add up:
 *
 *      space 1 ─▶ T1 ──┐                   T1 1 space, T1' 2
 *      space 2 ─┐      ├─▶ T0 ─▶ A B       T0, A and B 3
 *      space 3 ─┴▶ T1' ┘
 *
 * Those of a frame's tables add up too, as long as all have it for the same page. Where they do not, as when a space maps
 * an object twice, the spaces themselves are counted.
 */
import { type FrameNumber, frameNumber, NO_FRAME, type PhysicalMemory } from '../frame/index.js';
import { isLeaf, pagesAt, type PlacedTable, pteFrame, ROOT_LEVEL, visitEntries } from '../paging/index.js';
import type { VirtualMemory } from './virtual-memory.js';

/** The spaces that have a table: one, without parts, or those of the parts, no two of which have one in common. */
interface Users {
  readonly id: number;
  readonly count: number;
  readonly parts: readonly Users[];
}

interface UsedTable extends PlacedTable {
  readonly users: Users;
}

/** Instead of a page: the frame is found at several. */
const SEVERAL = 0xffff_ffff;

export class ReverseMap {
  readonly #memory: PhysicalMemory;
  readonly #zeroFrame: FrameNumber;
  readonly #tables = new Map<FrameNumber, UsedTable>();
  /** By frame. */
  readonly #spaces: Uint32Array;
  /** By frame: the page for which tables have it, plus one; 0 where none has it; or SEVERAL. */
  readonly #pages: Uint32Array;
  #lastId = 0;

  constructor({ memory, spaces, zeroFrame }: VirtualMemory) {
    this.#memory = memory;
    this.#zeroFrame = zeroFrame;
    this.#spaces = new Uint32Array(memory.totalFrames);
    this.#pages = new Uint32Array(memory.totalFrames);
    let atLevel: UsedTable[] = [];
    for (const { table } of spaces) {
      if (table.root === NO_FRAME) continue;
      atLevel.push({ table: table.root, level: ROOT_LEVEL, first: 0, users: this.#oneSpace() });
    }
    while (atLevel.length > 0) {
      for (const table of atLevel) this.#tables.set(table.table, table);
      atLevel = this.#tablesBelow(atLevel);
    }
    if (this.#countByPage() > 0) this.#countBySpace();
  }

  /** How many spaces map a frame. */
  spacesOf(frame: FrameNumber): number {
    return this.#spaces[frame]!;
  }

  /** How many spaces have a page table. */
  spacesOfTable(table: FrameNumber): number {
    return this.#tables.get(table)?.users.count ?? 0;
  }

  /** Whether a frame is mapped at several pages: one space may have it twice then. */
  isAtSeveralPages(frame: FrameNumber): boolean {
    return this.#pages[frame] === SEVERAL;
  }

  /** For each page table that there is, how many spaces have it. */
  *tableUsers(): Generator<number> {
    for (const { users } of this.#tables.values()) yield users.count;
  }

  /** For each frame that is mapped, how many spaces map it. */
  *frameUsers(): Generator<number> {
    for (const spaces of this.#spaces) if (spaces > 0) yield spaces;
  }

  #oneSpace(): Users {
    return { id: ++this.#lastId, count: 1, parts: [] };
  }

  #usersOf(parts: readonly Users[]): Users {
    if (parts.length === 1) return parts[0]!;
    return { id: ++this.#lastId, count: parts.reduce((sum, { count }) => sum + count, 0), parts };
  }

  /** The tables to which all tables of one level lead. */
  #tablesBelow(tables: readonly UsedTable[]): UsedTable[] {
    const below = new Map<FrameNumber, { readonly placed: PlacedTable; readonly users: Users[] }>();
    for (const above of tables) {
      const { level, users } = above;
      if (level === 0) continue;
      visitEntries(this.#memory, above, (pte, first) => {
        if (isLeaf(pte)) return;
        const table = pteFrame(pte);
        const known = below.get(table);
        if (known === undefined)
          below.set(table, { placed: { table, level: level - 1, first }, users: [users] });
        else known.users.push(users);
      });
    }
    return [...below.values()].map(({ placed, users }) => ({ ...placed, users: this.#usersOf(users) }));
  }

  #eachFrame(visit: (frame: FrameNumber, page: number, users: Users) => void): void {
    for (const table of this.#tables.values()) {
      const pages = pagesAt(table.level);
      visitEntries(this.#memory, table, (pte, page) => {
        const frame = pteFrame(pte);
        if (!isLeaf(pte) || frame === this.#zeroFrame) return;
        for (let index = 0; index < pages; index++)
          visit(frameNumber(frame + index), page + index, table.users);
      });
    }
  }

  /** Counts the spaces of frames that are all mapped for one page. @returns how many frames are not. */
  #countByPage(): number {
    let others = 0;
    this.#eachFrame((frame, page, users) => {
      const known = this.#pages[frame]!;
      if (known === 0 || known === page + 1) {
        this.#pages[frame] = page + 1;
        this.#spaces[frame]! += users.count;
      } else if (known !== SEVERAL) {
        this.#pages[frame] = SEVERAL;
        others++;
      }
    });
    return others;
  }

  #countBySpace(): void {
    const found = new Map<FrameNumber, Set<Users>>();
    this.#eachFrame((frame, _, users) => {
      if (!this.isAtSeveralPages(frame)) return;
      const known = found.get(frame);
      if (known === undefined) found.set(frame, new Set([users]));
      else known.add(users);
    });
    // Frames of the same tables have the same spaces.
    const counted = new Map<string, number>();
    for (const [frame, users] of found) {
      const key = [...users].map(({ id }) => id).join(' ');
      const count = counted.get(key) ?? countSpaces(users);
      counted.set(key, count);
      this.#spaces[frame] = count;
    }
  }
}

const countSpaces = (users: ReadonlySet<Users>): number => {
  const [one] = users;
  if (users.size === 1) return one!.count;
  const spaces = new Set<Users>();
  for (const each of users) addSpaces(each, spaces);
  return spaces.size;
};

const addSpaces = (users: Users, spaces: Set<Users>): void => {
  if (users.parts.length === 0) spaces.add(users);
  for (const part of users.parts) addSpaces(part, spaces);
};
