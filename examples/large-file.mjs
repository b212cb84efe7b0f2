// @ts-check
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filePager, MemoryObjects } from '@holstein/core/vmo';

const [MIB, GIB] = [2 ** 20, 2 ** 30];

// A file of 4 GiB, with some text far out and holes all around.
const folder = fs.mkdtempSync(join(tmpdir(), 'large-file-'));
const path = join(folder, 'sparse');
const file = fs.openSync(path, 'w');
fs.ftruncateSync(file, 4 * GIB);
fs.writeSync(file, 'far out', 3 * GIB);
fs.closeSync(file);

// 2 MiB of RAM are enough to look at it.
const objects = MemoryObjects.create({ memoryBytes: 2 * MIB });
const pager = filePager(fs, path, { mode: 'r+' });
const vmo = objects.create({ size: pager.size, pager });
console.log(`opened ${vmo.size / GIB} GiB: ${objects.statistics().pagesSupplied} pages read`);

const text = vmo.readSync(3 * GIB, new Uint8Array(7));
console.log(`"${new TextDecoder().decode(text)}": ${objects.statistics().pagesSupplied} page read`);

// Going through 16 MiB: pages that have been read make room for others.
const piece = new Uint8Array(65536);
for (let at = 0; at < 16 * MIB; at += piece.length) vmo.readSync(at, piece);
const { pagesSupplied, pagesEvicted } = objects.statistics();
console.log(`${pagesSupplied} pages read into ${objects.memory.statistics().allocatable} frames`);
console.log(`some were evicted: ${pagesEvicted > 0}`);

// What is changed stays in RAM until it is written back.
vmo.writeSync(3 * GIB + 4, new TextEncoder().encode('in '));
await vmo.sync();
console.log(`${objects.statistics().pagesWrittenBack} page written back`);
vmo.close();

const check = fs.openSync(path, 'r');
fs.readSync(check, text, 0, text.length, 3 * GIB);
fs.closeSync(check);
console.log(`the file has "${new TextDecoder().decode(text)}"`);
fs.rmSync(folder, { recursive: true });
