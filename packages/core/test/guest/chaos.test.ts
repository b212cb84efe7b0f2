/**
 * Random system calls with random arguments from several processes (guest/programs/chaos), on machines of several
 * kinds and sizes, with the whole machine audited again and again while they run.
 */
import { describe, expect, test } from 'vitest';
import type { Host, MachineOptions, RunResult } from '../../src/machine/index.js';
import { Machine } from '../../src/machine/index.js';
import { expectNothingLost, GUEST_JIT, guestFiles, MIB } from '../support/machine.js';

interface ChaosRun {
  readonly seed: number;
  /** Random calls that are made, or a few more. */
  readonly calls: number;
  readonly processes: number;
  /** Turns between two audits of the machine. */
  readonly auditEvery: number;
  readonly options: MachineOptions;
}

const RUNS: readonly ChaosRun[] = [
  { seed: 1, calls: 40_000, processes: 3, auditEvery: 60, options: { memoryBytes: 16 * MIB } },
  { seed: 2, calls: 30_000, processes: 3, auditEvery: 60, options: { memoryBytes: 16 * MIB, fork: 'pages' } },
  { seed: 3, calls: 30_000, processes: 3, auditEvery: 60, options: { memoryBytes: 16 * MIB, fork: 'eager' } },
  // So little memory that it runs out: in calls, which say so, and in stores, which kill.
  { seed: 4, calls: 30_000, processes: 5, auditEvery: 60, options: { memoryBytes: MIB } },
  { seed: 5, calls: 20_000, processes: 5, auditEvery: 60, options: { memoryBytes: MIB, fork: 'pages' } },
  {
    seed: 6,
    calls: 20_000,
    processes: 5,
    auditEvery: 60,
    options: { memoryBytes: 1.25 * MIB, fork: 'eager' },
  },
  // Turns so short that calls of many processes fall between any two of one.
  {
    seed: 7,
    calls: 20_000,
    processes: 8,
    auditEvery: 1500,
    options: { memoryBytes: 4 * MIB, quantumInstructions: 1009 },
  },
  {
    seed: 8,
    calls: 10_000,
    processes: 3,
    auditEvery: 5000,
    options: { memoryBytes: 16 * MIB, fork: 'pages', quantumInstructions: 97 },
  },
  {
    seed: 9,
    calls: 10_000,
    processes: 2,
    auditEvery: 2000,
    options: { memoryBytes: 2 * MIB, fork: 'eager', quantumInstructions: 311 },
  },
  {
    seed: 10,
    calls: 10_000,
    processes: 4,
    auditEvery: 400,
    options: { memoryBytes: 8 * MIB, quantumInstructions: 5003, checking: 'on' },
  },
];

/** Seeds that have failed once, with what they found: they are run for ever. */
const FOUND: readonly (ChaosRun & { readonly found: string })[] = [];

/** What may be said of these processes: they store only to memory that they have, unless there is none left for it. */
const EXPECTED_LOG = /: out of memory when it (read|wrote|jumped)| cannot run .*: it /s;

/** A host whose clock gives every step of the kernel a turn of its own. */
const hostThat = (atTurn: () => void): Host => {
  let time = 0;
  return {
    now: () => (time += 1000),
    pause: () => {
      atTurn();
      return Promise.resolve();
    },
  };
};

interface Outcome {
  readonly text: string;
  readonly log: readonly string[];
  readonly result: RunResult;
}

const runChaos = async ({ seed, calls, processes, auditEvery, options }: ChaosRun): Promise<Outcome> => {
  const log: string[] = [];
  const decoder = new TextDecoder();
  let text = '';
  let turns = 0;
  const host = hostThat(() => {
    if (++turns % auditEvery === 0) expect(machine.audit(), `turn ${turns}, after ${text}`).toEqual([]);
  });
  using machine = new Machine({
    files: guestFiles,
    log: (line) => log.push(line),
    host,
    jit: GUEST_JIT,
    ...options,
  });
  const result = await machine.run(['/init', '/chaos', ...[seed, calls, processes].map(String)], {
    output: { write: (bytes) => void (text += decoder.decode(bytes, { stream: true })) },
  });
  expectNothingLost(machine, result);
  expect(turns).toBeGreaterThan(auditEvery * 10);
  return { text, log, result };
};

const describeRun = ({ seed, calls, processes, options }: ChaosRun): string =>
  `seed ${seed}: ${calls} calls, ${processes} processes, ${JSON.stringify(options)}`;

describe('random system calls leave the machine whole', () => {
  test.each([...RUNS, ...FOUND].map((run) => [describeRun(run), run] as const))('%s', async (_, run) => {
    const { text, log, result } = await runChaos(run);
    const made = /^chaos: (\d+): (\d+) calls, (\d+) processes, ok\n$/.exec(text);
    expect(made, text).not.toBeNull();
    expect(made!.slice(1).map(Number)).toEqual([run.seed, expect.any(Number), run.processes]);
    expect(Number(made![2])).toBeGreaterThanOrEqual(run.calls);
    expect(result).toMatchObject({ outcome: 'exited', exitStatus: 0 });
    expect(log.filter((line) => !EXPECTED_LOG.test(line))).toEqual([]);
  });

  test('more than 200,000 of them', () => {
    expect(RUNS.reduce((sum, { calls }) => sum + calls, 0)).toBeGreaterThanOrEqual(200_000);
  });

  test('the same for the same seed, to the instruction', async () => {
    const run = { ...RUNS[3]!, calls: 4000 };
    expect(await runChaos(run)).toEqual(await runChaos(run));
  });
});
