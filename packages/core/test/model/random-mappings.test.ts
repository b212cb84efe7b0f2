/**
 * Mapped memory objects and copy on write against spaces that share nothing, in random programs. The three ways to fork
 * run the same programs side by side. A seed that fails stays in its table.
 */
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { randomNumbers } from '../support/random.js';
import type { Forks } from './twin-bench.js';
import { ALL, randomStepOf, stepsOf, WITHOUT_PAGERS } from './twin-steps.js';
import { Twin } from './twin.js';

const MIB = 1024 * 1024;
const THREE_WAYS: readonly Forks[] = ['tables', 'pages', 'eager'];
const LEAST_SPACES = 8;

/** Long programs, in RAM that is ample. */
const SEEDS = [1, 2, 3, 4];
const OPERATIONS = 25_000;

const programsOf = (operations: typeof ALL) => fc.array(stepsOf(operations), { maxLength: 80, size: 'max' });

test('the long programs have 100,000 operations', () => {
  expect(SEEDS.length * OPERATIONS).toBeGreaterThanOrEqual(100_000);
});

describe('three ways to fork agree with eager copies', () => {
  test('in short programs, checked after every operation', () => {
    fc.assert(
      fc.property(programsOf(ALL), (program) => {
        using twin = new Twin({ sizeBytes: 2 * MIB, worlds: THREE_WAYS });
        for (const step of program) {
          twin.step(step);
          twin.check();
        }
        twin.readAll();
      }),
      { numRuns: 50 },
    );
  });

  const results = new Map<string, number>();

  test.each(SEEDS)(`in a program of ${OPERATIONS} operations over 8 spaces and more (seed %i)`, (seed) => {
    const next = randomNumbers(seed);
    using twin = new Twin({ sizeBytes: 6 * MIB, worlds: THREE_WAYS, leastSpaces: LEAST_SPACES });
    let steps = 0;
    for (let index = 1; index <= OPERATIONS; index++) {
      twin.step(randomStepOf(ALL, next));
      if (twin.spaces >= LEAST_SPACES) steps++;
      if (index % 250 === 0) twin.check();
      if (index % 2500 === 0) twin.readAll();
    }
    twin.readAll();
    expect(steps).toBeGreaterThan(0.95 * OPERATIONS);
    for (const [what, count] of twin.results) results.set(what, (results.get(what) ?? 0) + count);
  });

  afterAll(() => {
    for (const [what, least] of Object.entries(OFTEN)) {
      expect(results.get(what) ?? 0, what).toBeGreaterThanOrEqual(least);
    }
  });
});

/** What must have come about in the long programs, and how often at least: otherwise they have not tried it. */
const OFTEN: Readonly<Record<string, number>> = {
  'access resolved': 15_000,
  'access protection': 5_000,
  'access unmapped': 1_000,
  'access beyond-end': 1_000,
  'access revoked': 500,
  'access pager-error': 5,
  'write of a shared page': 1_000,
  'own copy of an object’s page': 500,
  'own copies lost: cut': 10,
  'own copies lost: revoked': 10,
  'own copies not needed': 300,
  'mapped an object, private': 1_000,
  'mapped an object, shared': 1_000,
  'mapped over others': 200,
  'mapped elsewhere: anywhere': 200,
  'mapped elsewhere: near': 100,
  'remapped in place, cut': 100,
  'remapped in place, grown': 20,
  'remapped moved, grown': 100,
  'remapped moved, as long': 100,
  'moved an own page': 50,
  'fork of a fork': 1_000,
  'fork of a page: omit': 200,
  'fork of a page: wipe': 100,
  'forkTables done': 1_000,
  'exec done': 200,
  'exit done': 500,
  'prefault done': 200,
  'protect EACCES': 50,
  'copyOut done': 300,
  'copyInString done': 100,
  'child: snapshot': 200,
  'child: snapshot-at-least-on-write': 100,
  'child: slice': 100,
  'an object is cut': 200,
  'an object grows': 200,
  'decommitVmo EBUSY': 20,
  'syncVmo done': 200,
};

describe('mapped memory agrees with eager copies', () => {
  test.each([
    ['with pagers', ALL],
    ['without pagers', WITHOUT_PAGERS],
  ])('in short programs each of whose allocations is failed first, %s', (_name, operations) => {
    fc.assert(
      fc.property(programsOf(operations), (program) => {
        using twin = new Twin({ sizeBytes: MIB, failAllocations: true });
        for (const step of program) twin.step(step);
        twin.readAll();
      }),
      { numRuns: 60 },
    );
  });

  test.each([
    [11, 384, 'hardware'],
    [12, 448, 'fault'],
    [13, 512, 'hardware'],
  ] as const)(
    'in a program of 10,000 operations (seed %i) in %i KiB, A and D set by %s',
    (seed, kibibytes, updates) => {
      const next = randomNumbers(seed);
      using twin = new Twin({ sizeBytes: kibibytes * 1024, updates });
      for (let index = 1; index <= 10_000; index++) {
        twin.step(randomStepOf(ALL, next));
        if (index % 100 === 0) twin.check();
        if (index % 1000 === 0) twin.readAll();
      }
      twin.readAll();
      if (kibibytes > 448) return;
      for (const what of SHORT_OF_MEMORY) expect(twin.results.get(what) ?? 0, what).toBeGreaterThan(0);
    },
  );
});

const SHORT_OF_MEMORY = ['access out-of-memory', 'forkTables out-of-memory', 'writeVmo out-of-memory'];
