/** The pager over files of the host, through `node:fs`. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/frame/index.js';
import { blobPager, filePager, type PagerError } from '../../src/vmo/index.js';
import { errorOf, expectBytes, makeObjects, patternOf, readByte, writeByte } from './paged.js';

const GIB = 2 ** 30;
let folder = '';

beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'holstein-vmo-'));
});

afterAll(() => fs.rmSync(folder, { recursive: true }));

const makeFile = (name: string, bytes: Uint8Array): string => {
  const path = join(folder, name);
  fs.writeFileSync(path, bytes);
  return path;
};

/** Descriptors that this process has open, where the host says so. */
const openFiles = (path: string): number =>
  fs.existsSync('/proc/self/fd')
    ? fs.readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`) === path;
        } catch {
          return false;
        }
      }).length
    : 0;

test('a file is read, changed, grown and cut through an object', async () => {
  const path = makeFile('some', patternOf(0, 3.5 * PAGE_SIZE));
  const pager = filePager(fs, path, { mode: 'r+' });
  {
    await using vmo = makeObjects().create({ size: pager.size, pager, resizable: true });
    expectBytes(vmo.readSync(0, new Uint8Array(vmo.size)), patternOf(0, 3.5 * PAGE_SIZE));
    writeByte(vmo, 1, 7);
    vmo.resizeSync(PAGE_SIZE + 100);
    vmo.resizeSync(5 * PAGE_SIZE + 1);
    vmo.writeSync(5 * PAGE_SIZE, Uint8Array.of(9));
    expect(fs.statSync(path).size).toBe(3.5 * PAGE_SIZE);
  }
  const expected = new Uint8Array(5 * PAGE_SIZE + 1);
  expected.set(patternOf(0, PAGE_SIZE + 100));
  expected[PAGE_SIZE] = 7;
  expected[5 * PAGE_SIZE] = 9;
  expectBytes(fs.readFileSync(path), expected);
  expect(openFiles(path)).toBe(0);
});

test("mode 'r' leaves the file as it is, and a snapshot can be written", () => {
  const path = makeFile('read only', patternOf(0, PAGE_SIZE));
  fs.chmodSync(path, 0o444);
  const pager = filePager(fs, path);
  const vmo = makeObjects().create({ size: pager.size, pager });
  expect((errorOf(() => writeByte(vmo, 0, 1)) as PagerError).cause).toMatchObject({ code: 'EACCES' });
  const own = vmo.createChild({ kind: 'snapshot' });
  writeByte(own, 0, 1);
  expect([readByte(own, 0), readByte(vmo, 0)]).toEqual([1, patternOf(0, 1)[0]]);
  own.close();
  vmo.close();
  expectBytes(fs.readFileSync(path), patternOf(0, PAGE_SIZE));
  expect(openFiles(path)).toBe(0);
});

test('errors of the host are as the host gives them', () => {
  expect(() => filePager(fs, join(folder, 'nothing'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(() => filePager(fs, folder)).toThrow(/is not a regular file/);
  expect(openFiles(folder)).toBe(0);
});

test('a file that someone cuts meanwhile', () => {
  const path = makeFile('cut', patternOf(0, 2 * PAGE_SIZE));
  const pager = filePager(fs, path);
  const vmo = makeObjects().create({ size: pager.size, pager });
  fs.truncateSync(path, PAGE_SIZE);
  expect((errorOf(() => readByte(vmo, 1)) as PagerError).cause).toMatchObject({ code: 'ESTALE' });
  expect(readByte(vmo, 0)).toBe(patternOf(0, 1)[0]);
});

test('a sparse file of 4 GiB opens at once: it is read, written and grown near its end', () => {
  const path = makeFile('sparse', new Uint8Array());
  const size = 4 * GIB + 5 * PAGE_SIZE + 123;
  fs.truncateSync(path, size);
  const fd = fs.openSync(path, 'r+');
  fs.writeSync(fd, patternOf(0, 123), 0, 123, size - 123);
  fs.closeSync(fd);

  let reads = 0;
  const counting = {
    ...fs,
    readSync: (file: number, into: Uint8Array, offset: number, length: number, position: number): number => {
      reads++;
      return fs.readSync(file, into, offset, length, position);
    },
  };
  const objects = makeObjects();
  const free = objects.memory.freeFrames;
  const pager = filePager(counting, path, { mode: 'r+' });
  expect(pager.size).toBe(size);
  const vmo = objects.create({ size: pager.size, pager, resizable: true });
  expect([reads, objects.memory.freeFrames, vmo.committedBytes]).toEqual([0, free, 0]);

  expectBytes(vmo.readSync(size - 123, new Uint8Array(123)), patternOf(0, 123));
  expect([reads, vmo.committedBytes]).toEqual([1, PAGE_SIZE]);
  expectBytes(vmo.readSync(4 * GIB - 1, new Uint8Array(2)), new Uint8Array(2));
  vmo.writeSync(4 * GIB - 2, patternOf(7, 4));
  vmo.resizeSync(size + PAGE_SIZE);
  vmo.writeSync(size + 10, Uint8Array.of(99));
  const snapshot = vmo.createChild({ kind: 'snapshot' });
  vmo.syncSync();
  expect(fs.statSync(path).size).toBe(size + PAGE_SIZE);
  const found = new Uint8Array(4);
  const again = fs.openSync(path, 'r');
  fs.readSync(again, found, 0, 4, 4 * GIB - 2);
  expectBytes(found, patternOf(7, 4));
  fs.readSync(again, found, 0, 1, size + 10);
  expect(found[0]).toBe(99);
  fs.closeSync(again);

  vmo.decommit();
  snapshot.close();
  vmo.decommit();
  expectBytes(vmo.readSync(4 * GIB - 2, new Uint8Array(4)), patternOf(7, 4));
  vmo.resizeSync(2 * PAGE_SIZE);
  vmo.syncSync();
  expect(fs.statSync(path).size).toBe(2 * PAGE_SIZE);
  vmo.close();
  expect(openFiles(path)).toBe(0);
});

// Node 20 takes a larger file's size modulo 4 GiB.
test('a file of 3 GiB is a Blob too, that is read as it is wanted', async () => {
  const path = makeFile('sparse blob', new Uint8Array());
  const size = 3 * GIB + 123;
  fs.truncateSync(path, size);
  const fd = fs.openSync(path, 'r+');
  fs.writeSync(fd, patternOf(0, 123), 0, 123, size - 123);
  fs.closeSync(fd);
  const pager = blobPager(await fs.openAsBlob(path));
  expect(pager.size).toBe(size);
  const objects = makeObjects();
  const vmo = objects.create({ size: pager.size, pager });
  expectBytes(await vmo.read(size - 123, new Uint8Array(123)), patternOf(0, 123));
  expect(objects.statistics().pagesSupplied).toBe(1);
  fs.truncateSync(path, 5);
  const error: unknown = await vmo.read(PAGE_SIZE, new Uint8Array(1)).catch((reason: unknown) => reason);
  expect((error as PagerError).cause).toMatchObject({ name: 'NotReadableError' });
});
