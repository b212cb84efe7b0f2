// @ts-check
import { copyIn, copyOut, virtAddr, VirtualMemory } from '@holstein/core';

const MIB = 2 ** 20;
const virtualMemory = VirtualMemory.create({ memoryBytes: 64 * MIB });
let framesInUse = 0;
const framesTaken = () => {
  const before = framesInUse;
  framesInUse = virtualMemory.memory.statistics().inUse;
  return framesInUse - before;
};

// A parent with 32 MiB of memory, all of it written.
const parent = virtualMemory.createSpace();
const start = virtAddr(0x10000);
parent.map({ at: start, lengthBytes: 32 * MIB, protection: 'rw-' });
copyOut(parent, start, new Uint8Array(32 * MIB).fill(1));

// A second copy would not fit. A fork does: it shares every frame, and every page table but the root.
framesTaken();
const child = parent.fork();
console.log(`the fork took ${framesTaken()} frame, for its root table`);

// The child writes one byte, and gets a frame of its own, and the two tables that lead to it.
copyOut(child, start, Uint8Array.of(2));
console.log(`the first write took ${framesTaken()} more`);

const byte = new Uint8Array(1);
copyIn(parent, start, byte);
console.log(`the parent still sees ${byte[0]}`);

child.close();
parent.close();
console.log(`problems: ${virtualMemory.audit().length}`);
