/** The shape of an Sv39 tree (privileged specification 20211203, section 4.4): its levels, and how wide they are. */
import { PTE_RIGHTS } from './pte.js';

/** 0 = a page of 4 KiB, 1 = a megapage of 2 MiB, 2 = a gigapage of 1 GiB. */
export type Level = 0 | 1 | 2;

export const ENTRIES = 512;
export const LEVEL_BITS = 9;
export const ROOT_LEVEL = 2;

/** Pages, and frames, that a leaf entry at a level covers. */
export const pagesAt = (level: number): number => 1 << (level * LEVEL_BITS);

/** Whether a valid entry is a leaf: otherwise it names the next table. */
export const isLeaf = (pte: number): boolean => (pte & PTE_RIGHTS) !== 0;

/** The level of the lowest table that has pages on both sides of the border between a page and the one before it. */
export const edgeLevel = (page: number): number => {
  let level = 0;
  while (level < ROOT_LEVEL && page % pagesAt(level + 1) === 0) level++;
  return level;
};

/** The first multiple of a step after a value. */
export const nextMultiple = (value: number, step: number): number => (Math.floor(value / step) + 1) * step;
