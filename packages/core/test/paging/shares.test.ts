import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { PhysicalMemory, Usage, vpn } from '../../src/frame/index.js';
import { readShares, writeShares } from '../../src/paging/index.js';

const WORKER = new URL('shares-worker.mjs', import.meta.url);

test('three threads that share and unshare one frame lose no count', async () => {
  const memory = new PhysicalMemory({ sizeBytes: 2 * 2 ** 20, threads: 'shared' });
  const frame = memory.allocate(Usage.Frame);
  const [gate, workers] = [new SharedArrayBuffer(4), 3];
  const run = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const workerData = { ram: memory.share(), frame, page: vpn(1), operations: 300_000, gate, workers };
      const worker = new Worker(WORKER, { workerData });
      worker.on('message', resolve);
      worker.on('error', reject);
    });
  expect(await Promise.all([run(), run(), run()])).toEqual(['done', 'done', 'done']);
  expect([memory.count(frame), readShares(memory, frame), writeShares(memory, frame)]).toEqual([1, 0, 0]);
  expect(memory.audit()).toEqual([]);
  memory.release(frame);
});
