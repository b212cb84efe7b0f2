// @ts-check
import { copyIn, copyOut, inspectSpace, inspectSpaces, virtAddr, VirtualMemory } from '@holstein/core';

const virtualMemory = VirtualMemory.create({ memoryBytes: 2 ** 20 });
const text = new TextEncoder();

// A file of two pages. A private mapping shows it until it is written; a shared one is it.
const file = virtualMemory.objects.create({ size: 0x2000, name: 'file' });
file.writeSync(0, text.encode('first page'));
file.writeSync(0x1000, text.encode('second page'));

const parent = virtualMemory.createSpace();
const view = virtAddr(0x10000);
parent.map({ at: view, lengthBytes: 0x2000, protection: 'rw-', vmo: file });
const shared = parent.map({
  near: virtAddr(0x20000),
  lengthBytes: 0x1000,
  protection: 'rw-',
  vmo: file,
  offsetBytes: 0x1000,
  sharing: 'shared',
});
parent.guard({ at: virtAddr(0x30000), lengthBytes: 0x1000 });
copyOut(parent, view, text.encode('FIRST'));
copyOut(parent, shared, text.encode('SECOND'));
console.log(`written:\n${inspectSpace(parent)}\n`);

const child = parent.fork();
copyOut(child, shared, text.encode('Child'));
console.log(`forked, and written by the child:\n${inspectSpaces([parent, child])}\n`);

const read = (/** @type {import('@holstein/core').AddressSpace} */ space, /** @type {number} */ at) => {
  const bytes = new Uint8Array(11);
  copyIn(space, virtAddr(at), bytes);
  return new TextDecoder().decode(bytes).replaceAll('\0', '');
};
console.log(`the file has "${new TextDecoder().decode(file.readSync(0, new Uint8Array(10)))}"`);
console.log(`the parent sees "${read(parent, view)}" and "${read(parent, shared)}"`);
virtualMemory.close();
