// @ts-check
import { inspect, MemoryObjects } from '@holstein/core/vmo';

const objects = MemoryObjects.create({ memoryBytes: 2 ** 20 });
/** What is paged: here an array. It could be anything that has bytes. */
const store = new Uint8Array(0x2000).fill(7);

/** @type {import('@holstein/core/vmo').Pager} */
const pager = {
  async commit({ offset, length }) {
    console.log(`  pager: commit ${length} bytes at ${offset}`);
    return store.subarray(offset, offset + length);
  },
  update({ offset, length }) {
    console.log(`  pager: update ${length} bytes at ${offset}`);
  },
  async writeBack({ offset, length }, bytes) {
    console.log(`  pager: writeBack ${length} bytes at ${offset}\n${inspect(file)}`);
    store.set(bytes, offset);
  },
  decommit({ offset, length }) {
    console.log(`  pager: decommit ${length} bytes at ${offset}`);
  },
};

const file = objects.create({ size: store.length, pager, name: 'file' });
console.log(`created:\n${inspect(file)}`);

console.log('read:');
await file.read(0, new Uint8Array(10));
console.log(inspect(file));

console.log('snapshot taken, then written:');
const before = file.createChild({ kind: 'snapshot', name: 'before' });
await file.write(0, Uint8Array.of(8));
console.log(inspect(file));

console.log('sync:');
await file.sync();
console.log(inspect(file));

console.log('decommitted:');
file.decommit();
console.log(inspect(file));

before.close();
file.close();
