/** Comparisons that cost little where all is well: random programs make them by the million. */
import { expect } from 'vitest';
import type { FileStat } from '../../src/kernel/index.js';
import type { ModelFiles, ModelInode } from './files-model.js';

/** As `toBe`, in a fraction of its time. */
export const expectSame = (found: unknown, expected: unknown, what: string): void => {
  if (!Object.is(found, expected)) expect(found, what).toBe(expected);
};

/** As `toEqual`, of lists. */
export const expectSameList = (
  found: readonly unknown[],
  expected: readonly unknown[],
  what: string,
): void => {
  if (found.length === expected.length && found.every((item, index) => item === expected[index])) return;
  expect(found, what).toEqual(expected);
};

/** As `toEqual`, of bytes. */
export const expectSameBytes = (found: Uint8Array, expected: Uint8Array, what: string): void => {
  expectSame(found.length, expected.length, `${what}: length`);
  for (let at = 0; at < found.length; at++) {
    if (found[at] !== expected[at]) {
      expect.fail(`${what}: byte ${at} of ${found.length} is ${found[at]}, not ${expected[at]}`);
    }
  }
};

/** What `struct stat` says is right, but for the number. */
export const expectStat = (stat: FileStat, model: ModelFiles, inode: ModelInode, what: string): void => {
  expectSame(stat.device, inode.store.device, `${what}: device`);
  expectSame(stat.type, STAT_TYPES[inode.kind], `${what}: type`);
  expectSame(stat.links, model.linksOf(inode), `${what}: links`);
  expectSame(stat.sizeBytes, model.sizeOf(inode), `${what}: size`);
};

const STAT_TYPES = { directory: 1, file: 2, device: 3 } as const;
