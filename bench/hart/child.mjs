// @ts-check
/**
 * A process that runs one program on a hart of its own, so that nothing that was compiled for another helps it.
 *
 *   node child.mjs FILE auto|off|eager [LIMIT]
 *
 * Prints a line of JSON: what the program wrote and how long it took, from its first instruction to its end. With a
 * limit it says too when so many instructions were done.
 */
import { readFileSync } from 'node:fs';
import { createBareHart } from './bare-hart.mjs';

/**
 * Times in milliseconds.
 * @typedef {object} Report
 * @property {string} output
 * @property {number} retired instructions
 * @property {number} madeMs until the hart was there and the program loaded
 * @property {number} limitMs from there on, until `LIMIT` instructions were done
 * @property {number} runMs until its end
 */

const [file, jit = 'auto', limit = '0'] = process.argv.slice(2);
if (file === undefined || (jit !== 'auto' && jit !== 'off' && jit !== 'eager')) {
  throw new Error('usage: node child.mjs FILE auto|off|eager [LIMIT]');
}
const program = readFileSync(file);
const before = performance.now();
const bare = createBareHart(program, jit);
const made = performance.now();
await bare.run(Number(limit));
const limited = performance.now();
await bare.run();
const done = performance.now();
if (bare.status !== 0) throw new Error(`the program ended with status ${bare.status}: ${bare.output}`);
/** @type {Report} */
const report = {
  output: bare.output,
  retired: bare.retired,
  madeMs: made - before,
  limitMs: limited - made,
  runMs: done - made,
};
// Whatever is still being compiled is of no use any more.
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0));
