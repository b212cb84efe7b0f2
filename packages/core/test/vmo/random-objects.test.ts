/**
 * Memory objects against the oracle that copies eagerly (test/model/eager-objects.ts), in random programs. A seed that
 * fails stays in its table, and what it has found becomes a case of found-by-chance.test.ts.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Breadth } from '../model/object-steps.js';
import { objectSteps, randomObjectStep } from '../model/object-steps.js';
import { ObjectRace } from '../model/object-race.js';
import { ObjectTwin } from '../model/object-twin.js';
import { emptyRam } from '../model/ram-pool.js';
import { randomNumbers } from '../support/random.js';

/** A page of a browser runs a part of it: it has another clock, and the same code. */
const PART = 'document' in globalThis ? 1 / 8 : 1;
const some = (count: number): number => Math.ceil(count * PART);

interface LongPrograms {
  readonly seed: number;
  readonly pagers: 'none' | 'some' | 'all';
  readonly kibibytes: number;
  readonly breadth: Breadth;
  readonly programs: number;
  readonly operations: number;
  readonly auditEvery: number;
  readonly checking?: 'on';
}

const LONG: readonly LongPrograms[] = [
  ...(['none', 'some', 'all'] as const).flatMap((pagers, index): LongPrograms[] => [
    { seed: index, pagers, kibibytes: 128, breadth: 'small', programs: 20, operations: 400, auditEvery: 1 },
    {
      seed: 10 + index,
      pagers,
      kibibytes: 256,
      breadth: 'small',
      programs: 34,
      operations: 1600,
      auditEvery: 20,
    },
    {
      seed: 20 + index,
      pagers,
      kibibytes: 2048,
      breadth: 'wide',
      programs: 8,
      operations: 300,
      auditEvery: 20,
    },
  ]),
  {
    seed: 30,
    pagers: 'some',
    kibibytes: 512,
    breadth: 'small',
    programs: 5,
    operations: 400,
    auditEvery: 10,
    checking: 'on',
  },
  {
    seed: 31,
    pagers: 'some',
    kibibytes: 2048,
    breadth: 'vast',
    programs: 1,
    operations: 150,
    auditEvery: 25,
  },
];

/** Programs of operations that are in flight at the same time. */
const RACES = [
  { seed: 40, kibibytes: 192, programs: 60, rounds: 40 },
  { seed: 41, kibibytes: 384, programs: 60, rounds: 40 },
] as const;
/** More than these are begun in each round. */
const RACING_AT_LEAST = 4;

test('the programs below have 200,000 operations and more', () => {
  const operations = LONG.reduce((sum, { programs, operations }) => sum + programs * operations, 0);
  const racing = RACES.reduce((sum, { programs, rounds }) => sum + programs * rounds * RACING_AT_LEAST, 0);
  expect(operations + racing).toBeGreaterThanOrEqual(200_000);
});

const programs = fc.array(objectSteps, { maxLength: 80, size: 'max' });

describe.each(['none', 'some', 'all'] as const)(
  'memory objects agree with eager copies, pagers: %s',
  (pagers) => {
    test('in short programs, checked after every operation', async () => {
      await fc.assert(
        fc.asyncProperty(programs, fc.nat(63), async (program, last) => {
          using twin = new ObjectTwin({ memory: emptyRam(192), pagers });
          for (const step of program) {
            twin.step(step);
            twin.check();
          }
          await twin.finish(last);
        }),
        { numRuns: some(120) },
      );
    });

    test('in short programs each of whose allocations is failed first', async () => {
      await fc.assert(
        fc.asyncProperty(programs, fc.nat(63), async (program, last) => {
          using twin = new ObjectTwin({ memory: emptyRam(512), pagers, failAllocations: true });
          for (const step of program) twin.step(step);
          await twin.finish(last);
        }),
        { numRuns: some(150) },
      );
    });
  },
);

test.each(LONG)(
  'memory objects agree with eager copies in long programs (seed $seed, pagers: $pagers, $breadth, $kibibytes KiB)',
  async ({ seed, pagers, kibibytes, breadth, programs, operations, auditEvery, checking }) => {
    const next = randomNumbers(seed);
    const results = new Map<string, number>();
    for (let program = 0; program < some(programs); program++) {
      using twin = new ObjectTwin({ memory: emptyRam(kibibytes, checking), pagers, breadth });
      for (let index = 0; index < operations; index++) {
        twin.step(randomObjectStep(next));
        if (index % auditEvery === 0) twin.check();
        if (index % 400 === 399) twin.readAll();
      }
      await twin.finish(next(64));
      for (const [key, count] of twin.results) results.set(key, (results.get(key) ?? 0) + count);
    }
    if (PART < 1 || breadth !== 'small') return;
    const often = ['write done', 'child done', 'resize done', 'zero done', 'decommit done', 'revoke done'];
    if (pagers === 'all') often.push('write EIO', 'sync done', 'sync EIO', 'supply done', 'decommit EBUSY');
    if (kibibytes === 128) often.push('write ENOMEM', 'commit ENOMEM');
    for (const key of often) expect(results.get(key) ?? 0, key).toBeGreaterThan(0);
  },
);

test.each(RACES)(
  'memory objects agree with eager copies while their pagers answer in any order (seed $seed, $kibibytes KiB)',
  async ({ seed, kibibytes, programs, rounds }) => {
    const next = randomNumbers(seed);
    const results = new Map<string, number>();
    let operations = 0;
    for (let program = 0; program < some(programs); program++) {
      using race = new ObjectRace(emptyRam(kibibytes), next);
      for (let round = 0; round < rounds; round++) await race.round();
      await race.finish();
      operations += race.operations;
      for (const [key, count] of race.results) results.set(key, (results.get(key) ?? 0) + count);
    }
    expect(operations).toBeGreaterThan(some(programs) * rounds * RACING_AT_LEAST);
    const often = ['write EIO', 'read EINVAL', 'write ESTALE', 'snapshot done', 'resize done', 'sync EIO'];
    if (PART === 1) for (const key of often) expect(results.get(key) ?? 0, key).toBeGreaterThan(0);
  },
);
