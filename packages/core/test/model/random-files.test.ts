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
import type { FilesTwinOptions } from './files-twin-state.js';
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

const WORLDS: Readonly<Record<string, FilesTwinOptions>> = {
  'memory is ample': AMPLE,
  'the disk is unlimited': { ...AMPLE, memoryBytes: 16_384 * KIB, limits: UNLIMITED_DISK },
  'the host refuses writes at times': { ...AMPLE, host: 'failing' },
  'memory is short': { memoryBytes: 256 * KIB, limits: TIGHT, memory: 'short' },
  'each allocation is failed first': { memoryBytes: 2048 * KIB, limits: TIGHT, memory: 'failing' },
};

/** Long programs. */
const SEEDS = [1, 2];
const CALLS = 3000;

/** What must have come about in the long programs, and how often at least: otherwise they have not tried it. */
const OFTEN: Readonly<Record<string, number>> = {
  'open done': 1000,
  'open ENFILE': 200,
  'open ENOSPC': 30,
  'close done': 2000,
  'close ENOSPC': 4,
  'read done': 800,
  'read out of memory': 3,
  'write done': 500,
  'write a part': 5,
  'write no room': 300,
  'write out of memory': 5,
  'link done': 250,
  'link EXDEV': 250,
  'unlink done': 400,
  'unlink ENOTEMPTY': 100,
  'unlink EROFS': 50,
  'makeDirectory done': 200,
  'makeDirectory ENOSPC': 100,
  'makeDevice done': 80,
  'changeDirectory done': 350,
  'changeDirectory ENFILE': 60,
  'list done': 150,
  'run done': 100,
  'run ENFILE': 10,
  'run ENOMEM': 2,
  'fork done': 250,
  'exit done': 200,
  'restart done': 15,
  'changeOnHost done': 150,
  'sync refused': 15,
  'allocation failed': 100,
};

const results = new Map<string, number>();

describe.each(Object.entries(WORLDS))('files agree with the model where %s', (_name, options) => {
  test('in short programs, checked after every call', () => {
    fc.assert(
      fc.property(fc.array(filesSteps, { maxLength: 50, size: 'max' }), (program) => {
        using twin = new FilesTwin(options);
        for (const step of program) {
          twin.step(step);
          twin.check();
        }
        twin.finish();
      }),
      { numRuns: 20 },
    );
  });

  test.each(SEEDS)(`in a program of ${CALLS} calls (seed %i)`, (seed) => {
    const next = randomNumbers(seed);
    using twin = new FilesTwin(options);
    for (let index = 1; index <= CALLS; index++) {
      twin.step(randomFilesStep(next));
      if (index % 20 === 0) twin.check();
    }
    twin.finish();
    for (const [what, count] of twin.results) results.set(what, (results.get(what) ?? 0) + count);
  });
});

afterAll(() => {
  for (const [what, least] of Object.entries(OFTEN)) {
    expect(results.get(what) ?? 0, what).toBeGreaterThanOrEqual(least);
  }
});
