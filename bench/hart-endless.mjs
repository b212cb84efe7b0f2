// @ts-check
/**
 * The host's memory under a program that writes code without end (hart/endless.c): resident bytes every few seconds, and
 * whether they were bounded: at their most in the last third of the time no more than in the two before. They go up and
 * down, as compiled modules are made and V8 gives them back. It runs only where it is asked for by name, for ten
 * minutes.
 *
 *   HOLSTEIN_ENDLESS_SECONDS=60  shorter: much less than that, and all of it is the start
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Programs } from './hart/programs.mjs';

const MIB = 2 ** 20;
const CHILD = fileURLToPath(new URL('hart/endless-child.mjs', import.meta.url));
const SECONDS = Number(process.env['HOLSTEIN_ENDLESS_SECONDS'] ?? 600);
const SAMPLES = 60;
/** How much more the last third may have than those before: what a host's memory moves by anyway. */
const TOLERANCE = 1.05;

/** @typedef {import('./hart/endless-child.mjs').Sample} Sample */

/** Resident memory at its most, in MiB. @param {readonly Sample[]} samples */
const mostResident = (samples) => Math.max(...samples.map(({ rssBytes }) => rssBytes)) / MIB;

/** @param {Sample} sample */
const describe = ({ seconds, retired, rssBytes, maps }) =>
  `${seconds.toFixed(0).padStart(5)} s ${(retired / 1e6).toFixed(0).padStart(8)} M instructions ` +
  `${(rssBytes / MIB).toFixed(0).padStart(6)} MiB resident` +
  (maps === undefined ? '' : ` ${`${maps}`.padStart(6)} memory maps`);

/** The samples of a process that runs the program, as they come. @param {string} program @returns {AsyncGenerator<Sample>} */
async function* sample(program) {
  const child = spawn(process.execPath, [CHILD, program, `${SECONDS}`, `${SECONDS / SAMPLES}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line);
    const status = await ended;
    if (status !== 0) throw new Error(`the program that writes code without end has ended: ${status}`);
  } finally {
    child.kill();
    await ended;
  }
}

export async function* measureEndless() {
  const missing = Programs.missing();
  if (missing !== undefined) {
    console.error(`hart-endless: skipped: ${missing}`);
    return;
  }
  const programs = new Programs();
  try {
    /** @type {Sample[]} */
    const samples = [];
    for await (const taken of sample(programs.compile('endless', { runs: 0 }))) {
      samples.push(taken);
      yield { note: describe(taken) };
    }
    const third = Math.floor(samples.length / 3);
    const before = mostResident(samples.slice(0, -third));
    const last = mostResident(samples.slice(-third));
    const verdict = last <= before * TOLERANCE ? 'bounded' : 'not bounded';
    yield {
      note:
        `resident memory was ${verdict}: ${last.toFixed(0)} MiB at its most in the last third of the time, ` +
        `${before.toFixed(0)} MiB before`,
    };
    yield {
      name: 'hart-endless',
      unit: 'MiB',
      holstein: last,
      peer: before,
      peerName: 'itself before',
      ratio: before / last,
    };
  } finally {
    programs.remove();
  }
}
