/** Copy on write against spaces that share nothing, in random programs on anonymous memory. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomNumbers } from '../support/random.js';
import { ANONYMOUS, randomStepOf, stepsOf } from './twin-steps.js';
import { Twin } from './twin.js';

const steps = stepsOf(ANONYMOUS);

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
      { numRuns: 100 },
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
        twin.step(randomStepOf(ANONYMOUS, next));
        if (index % 100 === 0) twin.check();
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
