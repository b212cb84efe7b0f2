/**
 * The kernel's file layer against a plain model of it, in random programs of several processes. A seed that fails stays
 * in its table.
 */
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { type KernelLimits, xv6Limits } from '../../src/kernel/index.js';
import { randomNumbers } from '../support/random.js';
import { UNLIMITED } from './files-model.js';
import { filesSteps, randomFilesStep } from './files-steps.js';
import type { FilesTwinOptions } from './files-checks.js';
import { FilesTwin } from './files-twin.js';

const KIB = 1024;

/** Of everything so little that programs meet its end. */
const TIGHT: KernelLimits = xv6Limits({
  filesPerProcess: 6,
  openFiles: 14,
  fileBytes: 150_000,
  inodes: 24,
  diskBlocks: 300,
  inodesInMemory: 10,
});
const UNLIMITED_DISK: KernelLimits = {
  ...TIGHT,
  inodes: UNLIMITED,
  diskBlocks: UNLIMITED,
  fileBytes: 1_500_000,
};

const AMPLE: FilesTwinOptions = { memoryBytes: 4096 * KIB, limits: TIGHT, memory: 'ample' };
const KINDS: Readonly<Record<string, FilesTwinOptions>> = {
  'memory is ample': AMPLE,
  'the disk is unlimited': { ...AMPLE, memoryBytes: 16_384 * KIB, limits: UNLIMITED_DISK },
  'the host refuses writes at times': { ...AMPLE, host: 'failing' },
  'memory is short': { memoryBytes: 256 * KIB, limits: TIGHT, memory: 'short' },
  'each allocation is failed first': { memoryBytes: 2048 * KIB, limits: TIGHT, memory: 'failing' },
};

describe.each(Object.entries(KINDS))('files agree with the model where %s', (_name, options) => {
  test('in short programs, checked after every call', () => {
    fc.assert(
      fc.property(fc.array(filesSteps, { maxLength: 60, size: 'max' }), (program) => {
        using twin = new FilesTwin(options);
        for (const step of program) {
          twin.step(step);
          twin.check();
        }
        twin.finish();
      }),
      { numRuns: 40 },
    );
  });

  test.each([1, 2])('in a program of 5000 calls (seed %i)', (seed) => {
    const next = randomNumbers(seed);
    using twin = new FilesTwin(options);
    for (let index = 1; index <= 5000; index++) {
      twin.step(randomFilesStep(next));
      if (index % 20 === 0) twin.check();
    }
    twin.finish();
    for (const [what, count] of twin.results) results.set(what, (results.get(what) ?? 0) + count);
  });
});

const results = new Map<string, number>();

afterAll(() => {
  console.log(
    [...results]
      .toSorted()
      .map(([k, v]) => k + ' ' + v)
      .join('; '),
  );
  expect(results.size).toBeGreaterThan(0);
});
