/** `MemoryFiles` against `node:fs`, in random programs. A seed that fails stays in its table. */
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { randomNumbers } from '../../support/random.js';
import { HostFilesTwin, randomStep, steps } from './host-files-twin.js';

/** Long programs. */
const SEEDS = [1, 2, 3, 4];
const OPERATIONS = 4000;

describe('MemoryFiles does as node:fs does', () => {
  test('in short programs, checked after every operation', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 30, size: 'max' }), (program) => {
        using twin = new HostFilesTwin();
        for (const step of program) {
          twin.step(step);
          twin.check();
        }
        twin.finish();
      }),
      { numRuns: 25 },
    );
  });

  const results = new Map<string, number>();

  test.each(SEEDS)(`in a program of ${OPERATIONS} operations (seed %i)`, (seed) => {
    const next = randomNumbers(seed);
    using twin = new HostFilesTwin();
    for (let index = 1; index <= OPERATIONS; index++) {
      twin.step(randomStep(next));
      if (index % 100 === 0) twin.check();
    }
    twin.finish();
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
  'open done': 150,
  'open EEXIST': 50,
  'open ELOOP': 25,
  'read done': 50,
  'read EISDIR': 25,
  'write done': 100,
  'write EBADF': 100,
  'ftruncate done': 50,
  'ftruncate EINVAL': 50,
  'fstat done': 50,
  'lstat done': 150,
  'lstat ELOOP': 5,
  'readlink done': 5,
  'readdir done': 100,
  'mkdir done': 75,
  'makeDirectories done': 150,
  'rmdir done': 20,
  'rmdir ENOTEMPTY': 100,
  'unlink done': 100,
  'unlink EISDIR': 250,
  'link done': 10,
  'link EPERM': 40,
  'symlink done': 100,
  'rename done': 40,
  'rename ENOTEMPTY': 25,
  'rename EINVAL': 2,
  'readFile done': 40,
  'writeFile done': 150,
};
