import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TABLE_KINDS } from '../paging/each-table.js';
import { pagingSteps, randomPagingStep } from './paging-steps.js';
import { PagingTwin } from './paging-twin.js';
import { randomNumbers } from '../support/random.js';

const KIBIBYTES = {
  Sv39PageTable: { scarce: 256, ample: 1024 },
  MockPageTable: { scarce: 192, ample: 512 },
};
/** How long each program is, and how many of its operations lie between two audits. */
const LENGTHS = {
  Sv39PageTable: {
    scarce: { operations: 10_000, auditEvery: 1 },
    ample: { operations: 20_000, auditEvery: 20 },
  },
  MockPageTable: {
    scarce: { operations: 45_000, auditEvery: 1 },
    ample: { operations: 45_000, auditEvery: 1 },
  },
};

const programs = fc.array(pagingSteps, { maxLength: 100, size: 'max' });
const updates = fc.constantFrom('hardware', 'fault');

describe.each(TABLE_KINDS)('frames, tables and copy on write over %s agree with a plain model', (kind) => {
  test('in short programs, audited after every operation', () => {
    fc.assert(
      fc.property(programs, updates, (program, updates) => {
        using twin = new PagingTwin({ kind, sizeBytes: 320 * 1024, updates });
        for (const step of program) {
          twin.step(step);
          twin.check();
        }
      }),
      { numRuns: 150 },
    );
  });

  test('in short programs each of whose allocations is failed first', () => {
    fc.assert(
      fc.property(programs, updates, (program, updates) => {
        using twin = new PagingTwin({ kind, sizeBytes: 320 * 1024, updates, failAllocations: true });
        for (const step of program) twin.step(step);
        twin.check();
      }),
      { numRuns: 100 },
    );
  });

  test.each([
    [1, 'scarce', 'hardware'],
    [2, 'ample', 'hardware'],
    [5, 'scarce', 'fault'],
    [6, 'ample', 'fault'],
  ] as const)('in a long program (seed %i), memory being %s, A and D set by %s', (seed, memory, updates) => {
    const next = randomNumbers(seed);
    using twin = new PagingTwin({ kind, sizeBytes: KIBIBYTES[kind][memory] * 1024, updates });
    const { operations, auditEvery } = LENGTHS[kind][memory];
    for (let index = 0; index < operations; index++) {
      twin.step(randomPagingStep(next));
      if (index % auditEvery === 0) twin.check();
    }
    twin.check();
    const often = {
      scarce: ['allocate out-of-memory', 'fault out-of-memory', 'access done', 'map done'],
      ample: ['fault copied', 'fault reused', 'fault protection', 'shareAll done', 'shareAll EEXIST'],
    };
    for (const key of often[memory]) expect(twin.results.get(key) ?? 0, key).toBeGreaterThan(2);
  });
});

test.each([
  [3, 'hardware'],
  [7, 'fault'],
] as const)(
  'and with megapages, in a program of 5,000 operations (seed %i), A and D set by %s',
  (seed, updates) => {
    const next = randomNumbers(seed);
    using twin = new PagingTwin({ kind: 'Sv39PageTable', sizeBytes: 5 * 2 ** 20, megapages: true, updates });
    for (let index = 0; index < 5000; index++) {
      twin.step(randomPagingStep(next));
      if (index % 50 === 0) twin.check();
    }
    twin.check();
    expect(twin.results.get('mapMegapage done') ?? 0).toBeGreaterThan(20);
  },
);

test.each([
  [4, 'hardware'],
  [8, 'fault'],
] as const)(
  'and with megapages, each allocation failed first (seed %i), A and D set by %s',
  (seed, updates) => {
    const next = randomNumbers(seed);
    using twin = new PagingTwin({
      kind: 'Sv39PageTable',
      sizeBytes: 5 * 2 ** 20,
      megapages: true,
      failAllocations: true,
      updates,
    });
    for (let index = 0; index < 150; index++) twin.step(randomPagingStep(next));
    twin.check();
  },
);
