import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Access } from '../../src/paging/index.js';
import { randomNumbers } from '../support/random.js';
import { ACCESSES, OPERATIONS, PAGES, PROTECTIONS, type Step, Twin } from './twin.js';

/** More often than the rest: what makes sharing and breaks it. */
const WEIGHTED = [
  ...OPERATIONS,
  ...[
    'map',
    'map',
    'protect',
    'commit',
    'copyIn',
    'copyOut',
    'copyOut',
    'forkTables',
    'forkTables',
    'forkTables',
  ],
  ...Array.from({ length: 20 }, () => 'access'),
] as readonly Step['operation'][];
const USUAL_ACCESSES: readonly Access[] = [...ACCESSES, 'write'];

const steps: fc.Arbitrary<Step> = fc.record({
  operation: fc.constantFrom(...WEIGHTED),
  space: fc.nat(7),
  mapped: fc.boolean(),
  page: fc.nat(PAGES.length - 1),
  lengthPages: fc.integer({ min: 1, max: 4 }),
  offset: fc.nat(4095),
  protection: fc.constantFrom<Step['protection'][]>(...PROTECTIONS, 'rw-', 'rw-', 'rwx'),
  access: fc.constantFrom(...USUAL_ACCESSES),
  value: fc.nat(255),
});

const randomStep = (next: (below: number) => number): Step => {
  const oneOf = <T>(items: readonly T[]): T => items[next(items.length)]!;
  return {
    operation: oneOf(WEIGHTED),
    space: next(8),
    mapped: next(8) > 0,
    page: next(PAGES.length),
    lengthPages: 1 + next(4),
    offset: next(4096),
    protection: oneOf<Step['protection']>([...PROTECTIONS, 'rw-', 'rw-', 'rwx']),
    access: oneOf(USUAL_ACCESSES),
    value: next(256),
  };
};

describe('copy on write agrees with eager copies', () => {
  test('in short programs, checked after every operation', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 60, size: 'max' }), (program) => {
        using twin = new Twin({ sizeBytes: 384 * 1024 });
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
      fc.property(fc.array(steps, { maxLength: 40, size: 'max' }), (program) => {
        using twin = new Twin({ sizeBytes: 384 * 1024, failAllocations: true });
        for (const step of program) twin.step(step);
        twin.check();
      }),
      { numRuns: 100 },
    );
  });

  test.each([
    [1, 320, 'hardware'],
    [2, 384, 'fault'],
    [3, 512, 'fault'],
    [4, 1024, 'hardware'],
  ] as const)(
    'in a program of 20,000 operations (seed %i) in %i KiB, A and D set by %s',
    (seed, kibibytes, updates) => {
      const next = randomNumbers(seed);
      using twin = new Twin({ sizeBytes: kibibytes * 1024, updates });
      for (let index = 0; index < 20_000; index++) {
        twin.step(randomStep(next));
        if (index % 50 === 0) twin.check();
      }
      twin.check();
      if (kibibytes <= 384) {
        expect(twin.results.get('access out-of-memory')).toBeGreaterThan(0);
        expect(twin.results.get('forkTables out-of-memory')).toBeGreaterThan(0);
      }
      expect(twin.results.get('access resolved')).toBeGreaterThan(2000);
      expect(twin.results.get('forkTables done')).toBeGreaterThan(500);
    },
  );
});
