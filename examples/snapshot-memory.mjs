// @ts-check
import { MemoryObjects } from '@holstein/core/vmo';

const MIB = 2 ** 20;
const objects = MemoryObjects.create({ memoryBytes: 80 * MIB });
const framesInUse = () => objects.memory.statistics().byUsage.Frame;

// 64 MiB, all of it written. There is no room for a copy.
const vmo = objects.create({ size: 64 * MIB });
vmo.writeSync(0, new Uint8Array(64 * MIB).fill(1));
const before = framesInUse();

// There is for a snapshot. Whoever writes a page first gets a frame of his own for it.
const snapshot = vmo.createChild({ kind: 'snapshot' });
console.log(`the snapshot took ${framesInUse() - before} frames`);
vmo.writeSync(12345, Uint8Array.of(2));
console.log(`the first write took ${framesInUse() - before}`);

const [now, then] = [vmo, snapshot].map((object) => object.readSync(12345, new Uint8Array(1))[0]);
console.log(`the object has ${now}, the snapshot ${then}`);

// The object may go: the snapshot keeps what it needs.
vmo.close();
console.log(`${framesInUse() - before} frames are in use beyond the snapshot's own`);
snapshot.close();
console.log(`problems: ${objects.audit().length}`);
