// @ts-check
/**
 * One of several threads that share a frame copy on write (shares.test.ts), each in a page table of its own. A worker
 * runs plain JavaScript, so this is the built library.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { PhysicalMemory } from '../../dist/frame/index.js';
import { CowExt, MockPageTable } from '../../dist/paging/index.js';

/**
 * @typedef {object} Work what a worker is to do
 * @property {import('../../dist/frame/index.js').SharedRam} ram
 * @property {import('../../dist/frame/index.js').FrameNumber} frame
 * @property {import('../../dist/frame/index.js').Vpn} page
 * @property {number} operations
 * @property {SharedArrayBuffer} gate a word that counts the workers that are ready: all begin at once
 * @property {number} workers
 */
/** @type {Work} */
const { ram, frame, page, operations, gate, workers } = workerData;
const memory = new PhysicalMemory(ram);
const cow = new CowExt(new MockPageTable(memory));
const ready = new Int32Array(gate);
Atomics.add(ready, 0, 1);
Atomics.notify(ready, 0);
for (let here = Atomics.load(ready, 0); here < workers; here = Atomics.load(ready, 0)) {
  Atomics.wait(ready, 0, here);
}
for (let index = 0; index < operations; index++) {
  memory.retain(frame);
  cow.mapToShared(page, frame, index % 3 === 0 ? 'readonly' : 'writable');
  cow.unmapShared(page);
}
parentPort?.postMessage('done', []);
