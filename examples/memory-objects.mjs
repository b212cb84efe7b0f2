// @ts-check
import { inspect, MemoryObjects } from '@holstein/core/vmo';

const objects = MemoryObjects.create({ memoryBytes: 2 ** 20 });
const text = new TextEncoder();

const heap = objects.create({ size: 0x4000, name: 'heap' });
heap.writeSync(0, text.encode('hello'));
heap.writeSync(0x1000, text.encode('world'));
console.log(`written:\n${inspect(heap)}\n`);

const before = heap.createChild({ kind: 'snapshot', name: 'before' });
console.log(`snapshot taken:\n${inspect(heap)}\n`);

heap.writeSync(0, text.encode('HELLO'));
console.log(`written again:\n${inspect(heap)}\n`);

const bytes = before.readSync(0, new Uint8Array(5));
console.log(`the snapshot has "${new TextDecoder().decode(bytes)}"\n`);

heap.close();
console.log(`parent closed:\n${inspect(before)}`);
before.close();
