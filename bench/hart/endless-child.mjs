// @ts-check
/**
 * A process that runs a program which does not end, and prints a line of JSON every so often: how it is doing.
 *
 *   node endless-child.mjs FILE SECONDS PERIOD
 */
import { readFileSync } from 'node:fs';
import { createBareHart } from './bare-hart.mjs';

/**
 * @typedef {object} Sample
 * @property {number} seconds since the start
 * @property {number} retired instructions
 * @property {number} rssBytes the process's resident memory
 * @property {number | undefined} maps how many memory maps it has, where the host's Linux says so
 */

/** V8 takes some for each module, and a process cannot have endlessly many. */
const memoryMaps = () => {
  try {
    return readFileSync('/proc/self/maps', 'utf8').split('\n').length - 1;
  } catch {
    return undefined;
  }
};

const [file, seconds, period] = process.argv.slice(2);
if (file === undefined || !(Number(seconds) > 0) || !(Number(period) > 0)) {
  throw new Error('usage: node endless-child.mjs FILE SECONDS PERIOD');
}
const bare = createBareHart(readFileSync(file), 'auto');
const start = performance.now();
const sinceStart = () => (performance.now() - start) / 1000;
setInterval(
  () => {
    /** @type {Sample} */
    const sample = {
      seconds: sinceStart(),
      retired: bare.retired,
      rssBytes: process.memoryUsage().rss,
      maps: memoryMaps(),
    };
    console.log(JSON.stringify(sample));
    if (sinceStart() >= Number(seconds)) process.exit(0);
  },
  Number(period) * 1000,
);
await bare.run();
throw new Error(`the program has ended with status ${bare.status}: ${bare.output}`);
