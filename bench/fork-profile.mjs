// @ts-check
/**
 * `node bench/fork-profile.mjs`: where the time of a first write after a fork goes. V8's sampling profiler runs while the
 * children of fork-program.mjs write, and its samples are summed by the part of the source that they are in.
 */
import { Session } from 'node:inspector';
import { startProgram } from './fork-child.mjs';

const CHILDREN = 100;
const WARM_UP = 20;
const SAMPLE_MICROSECONDS = 100;

/** What samples are summed under: the first that fits a function's name and its file. @type {readonly (readonly [string, RegExp])[]} */
const PARTS = [
  [
    'copying the page (frame/page-copy)',
    / .*\/frame\/page-copy\.js$|^(wasm-function\[0\]|c) wasm:|^copy .*physical-memory\.js$/,
  ],
  ['the interpreter (WebAssembly)', / wasm:/],
  ['the hart: miss, walk, TLB', /\/hart\/|\/paging\/(sv39-walk|tlb)\.js$/],
  ['the kernel: its turns, its accounting', /\/kernel\/|\/bench\//],
  ['the space: the mapping, the answer', /\/space\/|\/vmo\//],
  ['page tables: entries, table copies, shares', /\/paging\//],
  ['frames: allocation, counts', /\/frame\//],
  ['garbage collection', /^\(garbage collector\)/],
  ['all else', /(?:)/],
];

const session = new Session();
session.connect();
/** @param {string} method @param {object} [parameters] @returns {any} In one thread the answer is there at once. */
const post = (method, parameters) => {
  /** @type {any} */
  let answer;
  session.post(method, parameters, (error, result) => {
    if (error !== null) throw error;
    answer = result;
  });
  return answer;
};

/** When children wrote: from and to, in the profiler's microseconds. @type {(readonly [number, number])[]} */
const windows = [];
const now = () => Number(process.hrtime.bigint() / 1000n);
const program = startProgram({ fork: 'tables' }, (write) => {
  const start = now();
  write();
  windows.push([start, now()]);
});

for (let children = 0; children < WARM_UP; children++) program();
post('Profiler.enable');
post('Profiler.setSamplingInterval', { interval: SAMPLE_MICROSECONDS });
post('Profiler.start');
windows.length = 0;
/** @type {number[]} */
const pages = [];
for (let children = 0; children < CHILDREN; children++) pages.push(program().page);
/** @type {{ nodes: any[], samples: number[], timeDeltas: number[], startTime: number }} */
const { nodes, samples, timeDeltas, startTime } = post('Profiler.stop').profile;

const partOf = new Map(
  nodes.map(({ id, callFrame: { functionName, url } }) => [
    id,
    PARTS.find(([, fits]) => fits.test(`${functionName} ${url}`))?.[0] ?? '',
  ]),
);
const sums = new Map(PARTS.map(([part]) => [part, 0]));
let [at, window] = [startTime, 0];
samples.forEach((id, index) => {
  at += timeDeltas[index] ?? 0;
  while (window < windows.length && (windows[window]?.[1] ?? 0) < at) window++;
  if (at < (windows[window]?.[0] ?? Infinity)) return;
  const part = partOf.get(id) ?? '';
  sums.set(part, (sums.get(part) ?? 0) + 1);
});

const total = [...sums.values()].reduce((sum, count) => sum + count, 0);
const median = pages.toSorted((a, b) => a - b)[pages.length >> 1] ?? NaN;
console.log(`first write to a page after a fork: ${(median * 1000).toFixed(0)} ns (${total} samples)`);
for (const [part, count] of sums) {
  const share = count / total;
  const figures = `${(share * 100).toFixed(0).padStart(3)} %  ${(share * median * 1000).toFixed(0).padStart(5)} ns`;
  console.log(`${part.padEnd(46)} ${figures}`);
}
