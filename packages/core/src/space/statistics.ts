/**
 * How much memory address spaces have, and what they save by sharing it.
 *
 * A frame counts once for a space, however many of its pages show it. What n spaces have is a n-th of each one's, so that
 * the parts of all sum to the frames that are mapped (Linux's resident, unique and proportional set sizes); so too for
 * page tables. Spaces that share a table all have what is below it. The zero frame counts for nobody. Nothing is ever
 * swapped out. That an object holds a frame as well makes it no less private: others may come by it, but none has it mapped.
 */
import { type FrameNumber, frameNumber, PAGE_SIZE } from '../frame/index.js';
import { isLeaf, pagesAt, pteFrame, visitEntries } from '../paging/index.js';
import { type Fraction, sumOfParts } from '../vmo/index.js';
import type { AddressSpace } from './address-space.js';
import type { FaultsByAccess } from './fault-counts.js';
import { ReverseMap } from './reverse-map.js';
import type { VirtualMemory } from './virtual-memory.js';

/** What one space has. Pages and frames are of 4096 bytes. */
export interface SpaceMemory {
  /** Bytes of the frames that it maps: private and shared ones. */
  readonly residentBytes: number;
  /** Bytes of frames that no other space maps. */
  readonly privateBytes: number;
  /** Bytes of frames that other spaces map too, each counted whole. */
  readonly sharedBytes: number;
  /** Its part of all, in bytes: each frame divided by the number of spaces that map it. */
  readonly proportionalBytes: Fraction;
  /** Pages that show the zero frame. */
  readonly zeroPages: number;
  /** Pages that show the frame of a memory object. */
  readonly objectPages: number;
  /** All other pages that have a frame: written by this space, or by those that it is a fork of. */
  readonly ownPages: number;
  /** Bytes of page tables that no other space has. */
  readonly privateTableBytes: number;
  /** Bytes of page tables that other spaces have too, each counted whole. */
  readonly sharedTableBytes: number;
  /** Its part of the page tables, in bytes: each divided by the number of spaces that have it. */
  readonly proportionalTableBytes: Fraction;
}

/** What `AddressSpace.statistics` says. */
export interface AddressSpaceStatistics extends SpaceMemory {
  /** Page faults since the space was made, the kernel's own on its behalf included. */
  readonly faults: FaultsByAccess;
}

/** What all spaces of a virtual memory have. All but `spaces` in frames of 4096 bytes. */
export interface MemoryStatistics {
  readonly spaces: number;
  /** Frames that one space maps. With the shared ones: all frames that are mapped, but for the zero frame. */
  readonly privateFrames: number;
  /** Frames that several spaces map. */
  readonly sharedFrames: number;
  /** Frames that there would be more, had each space its own of all that it maps. */
  readonly framesSaved: number;
  /** Page tables that one space has. */
  readonly privateTables: number;
  /** Page tables that several spaces have. */
  readonly sharedTables: number;
  /** Page tables that there would be more, had each space its own. */
  readonly tablesSaved: number;
}

/**
 * Who else has what a space maps takes a walk over all spaces, each table once.
 * @param reverseMap that walk, where it has been made already and nothing has changed since.
 */
export const spaceStatistics = (
  space: AddressSpace,
  reverseMap: ReverseMap = new ReverseMap(space.virtualMemory),
): SpaceMemory => {
  /** Frames, and tables, by how many spaces have them. */
  const frames = new Map<number, number>();
  const tables = new Map<number, number>();
  for (const table of space.table.tables()) addOne(tables, reverseMap.spacesOfTable(table));
  eachFrame(space, reverseMap, (frame) => addOne(frames, reverseMap.spacesOf(frame)));
  const { all, ofOne, ofSeveral } = totals(frames);
  const ofTables = totals(tables);
  return {
    residentBytes: all * PAGE_SIZE,
    privateBytes: ofOne * PAGE_SIZE,
    sharedBytes: ofSeveral * PAGE_SIZE,
    proportionalBytes: sumOfParts(frames),
    zeroPages: space.borrowed.zeros,
    objectPages: space.borrowed.ofObjects,
    ownPages: space.ownFrames,
    privateTableBytes: ofTables.ofOne * PAGE_SIZE,
    sharedTableBytes: ofTables.ofSeveral * PAGE_SIZE,
    proportionalTableBytes: sumOfParts(tables),
  };
};

/** What all spaces have together, and have saved. Each table is read once, however many share it. */
export const memoryStatistics = (virtualMemory: VirtualMemory): MemoryStatistics => {
  const reverseMap = new ReverseMap(virtualMemory);
  const frames = totals(byUsers(reverseMap.frameUsers()));
  const tables = totals(byUsers(reverseMap.tableUsers()));
  return {
    spaces: virtualMemory.spaces.size,
    privateFrames: frames.ofOne,
    sharedFrames: frames.ofSeveral,
    framesSaved: frames.uses - frames.all,
    privateTables: tables.ofOne,
    sharedTables: tables.ofSeveral,
    tablesSaved: tables.uses - tables.all,
  };
};

/** The frames that a space maps, each once, without the zero frame. */
const eachFrame = (
  { table, memory, virtualMemory: { zeroFrame } }: AddressSpace,
  reverseMap: ReverseMap,
  visit: (frame: FrameNumber) => void,
): void => {
  const seen = new Set<FrameNumber>();
  for (const { table: frame, level } of table.visitTables()) {
    visitEntries(memory, { table: frame, level, first: 0 }, (pte) => {
      if (!isLeaf(pte) || pteFrame(pte) === zeroFrame) return;
      for (let index = 0; index < pagesAt(level); index++) {
        const mapped = frameNumber(pteFrame(pte) + index);
        if (reverseMap.isAtSeveralPages(mapped)) {
          if (seen.has(mapped)) continue;
          seen.add(mapped);
        }
        visit(mapped);
      }
    });
  }
};

const addOne = (counts: Map<number, number>, users: number): void => {
  counts.set(users, (counts.get(users) ?? 0) + 1);
};

const byUsers = (users: Iterable<number>): ReadonlyMap<number, number> => {
  const counts = new Map<number, number>();
  for (const each of users) addOne(counts, each);
  return counts;
};

/** @param counts how many there are, by how many spaces have each. */
const totals = (counts: ReadonlyMap<number, number>) => {
  let [all, uses] = [0, 0];
  for (const [users, count] of counts) {
    all += count;
    uses += users * count;
  }
  const ofOne = counts.get(1) ?? 0;
  return { all, uses, ofOne, ofSeveral: all - ofOne };
};
