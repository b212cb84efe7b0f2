/**
 * What a store's files may take, counted as xv6's disk counts it, so that a program that fills the disk meets its end
 * where it expects it: an inode for each file, directory and device, and blocks of 1024 bytes for what they hold.
 *
 *      a file     its bytes, and a block of block numbers from the thirteenth block on
 *      a directory   an entry for each name, '.' and '..' included, and for each hole that an unlinked name has left
 */
import type { FileProblem } from './store.js';

export const BLOCK_BYTES = 1024;
const DIRECT_BLOCKS = 12;

/** From here on a limit is none, and nothing is counted. */
export const UNLIMITED = 2 ** 30;

/** The blocks of a file, or of a directory's entries, of so many bytes. */
export const blocksOf = (sizeBytes: number): number => {
  const blocks = Math.ceil(sizeBytes / BLOCK_BYTES);
  return blocks > DIRECT_BLOCKS ? blocks + 1 : blocks;
};

export interface DiskLimits {
  /** Files, directories and devices. */
  readonly inodes: number;
  /** Blocks of 1024 bytes. */
  readonly diskBlocks: number;
}

export class DiskBudget {
  readonly #limits: DiskLimits;
  readonly #seen = new Set<string>();
  #inodes = 0;
  #blocks = 0;

  constructor(limits: DiskLimits) {
    this.#limits = limits;
  }

  /** Whether anything is limited: what is there must be counted then. */
  get isLimited(): boolean {
    return this.#limits.inodes < UNLIMITED || this.#limits.diskBlocks < UNLIMITED;
  }

  get inodes(): number {
    return this.#inodes;
  }

  get blocks(): number {
    return this.#blocks;
  }

  /** Whether so many blocks more can be had. */
  hasRoomFor(blocks: number): boolean {
    const { diskBlocks } = this.#limits;
    return diskBlocks >= UNLIMITED || this.#blocks + blocks <= diskBlocks;
  }

  /**
   * Counts what a host has, be it too much or not, unless it has been counted before. @param key what the host knows it by.
   */
  see(key: string, blocks: number): void {
    if (!this.isLimited || this.#seen.has(key)) return;
    this.#seen.add(key);
    this.add(1, blocks);
  }

  /** Notes what is counted already, for it has been taken. */
  note(key: string): void {
    if (this.isLimited) this.#seen.add(key);
  }

  /** It is gone for good. */
  end(key: string | undefined, blocks: number): void {
    if (key !== undefined) this.#seen.delete(key);
    this.add(-1, -blocks);
  }

  /** Counts more, or less. */
  add(inodes: number, blocks: number): void {
    this.#inodes = Math.max(0, this.#inodes + inodes);
    this.#blocks = Math.max(0, this.#blocks + blocks);
  }

  /** Takes both or neither. Fewer blocks, or less than none, can always be had. */
  take(inodes: number, blocks: number): FileProblem | undefined {
    const most = this.#limits.inodes;
    if (inodes > 0 && most < UNLIMITED && this.#inodes + inodes > most) return 'ENOSPC';
    if (blocks > 0 && !this.hasRoomFor(blocks)) return 'ENOSPC';
    this.add(inodes, blocks);
    return undefined;
  }
}
