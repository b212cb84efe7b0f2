// @ts-check
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { DynPage, PAGE_SIZE, PhysicalMemory } from '@holstein/core/frame';
import { MemoryObjects } from '@holstein/core/vmo';

/** @typedef {(memory: PhysicalMemory, port: import('node:worker_threads').MessagePort) => Promise<void>} Role */

/** Has a memory object, and hands out its pages. @type {Role} */
const write = async (memory, port) => {
  const objects = new MemoryObjects(memory);
  const vmo = objects.create({ size: 2 * PAGE_SIZE });
  vmo.writeSync(0, new TextEncoder().encode('written in one thread'));
  vmo.writeSync(PAGE_SIZE, Uint8Array.of(1));

  // A page handle owns a reference to its frame. As a raw reference it can be posted.
  port.postMessage([0, PAGE_SIZE].map((offset) => vmo.page(offset, 'read')?.intoRaw()));

  await once(port, 'message');
  vmo.writeSync(PAGE_SIZE, Uint8Array.of(2));
  port.postMessage('done');

  await once(port, 'message');
  vmo.close();
  port.postMessage('done');
};

/** Is given pages, and reads them where they lie. @type {Role} */
const read = async (memory, port) => {
  const pages = [];
  const [addresses] = await once(port, 'message');
  for (const address of addresses) pages.push(DynPage.fromRaw(memory, address));
  const [text, number] = pages.map(({ address }) => memory.bytes.subarray(address, address + PAGE_SIZE));
  // TextDecoder takes no shared bytes: it gets a copy of these.
  port.postMessage(`"${new TextDecoder().decode(text?.slice(0, 21))}" and ${number?.[0]}`);

  await once(port, 'message');
  port.postMessage(`${number?.[0]}, and ${pages[1]?.referenceCount} references to its page`);

  await once(port, 'message');
  for (const page of pages) page.close();
  port.postMessage('done');
};

if (isMainThread) {
  const memory = new PhysicalMemory({ sizeBytes: 2 ** 20, threads: 'shared' });
  const framesInUse = () => memory.statistics().byUsage.Frame;
  const start = (/** @type {string} */ role) =>
    new Worker(new URL(import.meta.url), { workerData: { ram: memory.share(), role } });
  const [writer, reader] = [start('write'), start('read')];
  /** Posts a message, which is copied, and waits for the answer. @param {Worker} worker @param {unknown} message */
  const ask = async (worker, message) => {
    worker.postMessage(message, []);
    return (await once(worker, 'message'))[0];
  };

  const [addresses] = await once(writer, 'message');
  console.log(`the reader sees ${await ask(reader, addresses)}`);
  await ask(writer, 'write again');
  console.log(`the reader sees ${await ask(reader, 'look again')}`);
  await ask(writer, 'close the object');
  console.log(`the object is closed: ${framesInUse()} frames are in use`);
  await ask(reader, 'close the pages');
  console.log(`the pages are closed: ${framesInUse()} frames, ${memory.audit().length} problems`);
} else if (parentPort !== null) {
  const memory = new PhysicalMemory(workerData.ram);
  await (workerData.role === 'write' ? write : read)(memory, parentPort);
}
