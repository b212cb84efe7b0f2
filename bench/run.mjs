// @ts-check
/**
 * `npm run bench -- NAME…`: runs benchmarks, each against a peer that is measured in the same run.
 * With --json prints only a list of { name, unit, holstein, peer, peerName, ratio } on standard output;
 * ratio = peer / holstein in time, so more is better.
 */
import { measureFork } from './fork.mjs';
import { measureEndless } from './hart-endless.mjs';
import { measureHart } from './hart.mjs';
import { measureJit } from './jit.mjs';
import { measureKernel } from './kernel.mjs';
import { measurePaging } from './paging.mjs';
import { measureVmo } from './vmo.mjs';

/**
 * @typedef {{ name: string, unit: string, holstein: number, peer: number, peerName: string, ratio: number }} Result
 */

/** For people, in place of a result: a table, or why something is not measured. @typedef {{ note: string }} Note */

/** @typedef {() => Iterable<Result | Note> | AsyncIterable<Result | Note>} Benchmark */

/** @type {Readonly<Record<string, Benchmark>>} */
const BENCHMARKS = {
  fork: measureFork,
  hart: measureHart,
  'hart-endless': measureEndless,
  jit: measureJit,
  kernel: measureKernel,
  paging: measurePaging,
  vmo: measureVmo,
};

/** Those that take so long that they run only where they are asked for. */
const ON_REQUEST = ['hart-endless'];

const args = process.argv.slice(2);
const json = args.includes('--json');
const names = args.filter((arg) => arg !== '--json');
const unknown = names.find((name) => !Object.hasOwn(BENCHMARKS, name));
if (unknown !== undefined) {
  console.error(
    `bench: there is no benchmark ${unknown}: give any of ${Object.keys(BENCHMARKS).join(', ')}, or none for all but ${ON_REQUEST.join(', ')}`,
  );
  process.exit(2);
}

const usual = Object.keys(BENCHMARKS).filter((name) => !ON_REQUEST.includes(name));
/** @type {Result[]} */
const results = [];
for (const name of names.length > 0 ? names : usual) {
  const benchmark = /** @type {Benchmark} */ (BENCHMARKS[name]);
  for await (const result of benchmark()) {
    if ('note' in result) {
      if (!json) console.log(result.note);
      continue;
    }
    results.push(result);
    if (json) continue;
    const { unit, holstein, peer, peerName, ratio } = result;
    console.log(
      `${result.name.padEnd(30)} ${holstein.toFixed(2).padStart(10)} ${unit}   ` +
        `${peerName.padEnd(18)} ${peer.toFixed(2).padStart(10)} ${unit}   ratio ${ratio.toFixed(2)}`,
    );
  }
}
if (json) console.log(JSON.stringify(results, undefined, 2));
