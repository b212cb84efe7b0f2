/** The pagers over bytes in memory and over a Blob. */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/frame/index.js';
import { blobPager, bytesPager } from '../../src/vmo/index.js';
import {
  errorOf,
  expectBytes,
  expectPagerError,
  makeObjects,
  patternOf,
  readByte,
  writeByte,
} from './paged.js';

describe('a pager over bytes', () => {
  test('reads what is wanted, writes back in place, and knows its size', () => {
    const bytes = patternOf(0, 2.5 * PAGE_SIZE);
    const pager = bytesPager(bytes);
    expect(pager.size).toBe(2.5 * PAGE_SIZE);
    const vmo = makeObjects().create({ size: pager.size, pager });
    expectBytes(vmo.readSync(0, new Uint8Array(vmo.size)), patternOf(0, 2.5 * PAGE_SIZE));
    vmo.writeSync(2.5 * PAGE_SIZE - 1, Uint8Array.of(7));
    expect(bytes.at(-1)).not.toBe(7);
    vmo.syncSync();
    expect(bytes.at(-1)).toBe(7);
    expect(pager.bytes).toBe(bytes);
    vmo.close();
    expect(pager.bytes.length).toBe(2.5 * PAGE_SIZE);
  });

  test('a part of a buffer is that part', () => {
    const buffer = new Uint8Array(3 * PAGE_SIZE).fill(1);
    const pager = bytesPager(buffer.subarray(100, 100 + PAGE_SIZE));
    const vmo = makeObjects().create({ size: pager.size, pager });
    vmo.clearSync();
    vmo.syncSync();
    expectBytes(buffer, new Uint8Array(3 * PAGE_SIZE).fill(1).fill(0, 100, 100 + PAGE_SIZE));
  });

  test('grows into a copy, with zeros, and `bytes` is what it has then', async () => {
    const bytes = patternOf(0, PAGE_SIZE);
    const pager = bytesPager(bytes);
    const vmo = makeObjects().create({ size: pager.size, pager, resizable: true });
    vmo.resizeSync(3 * PAGE_SIZE + 5);
    writeByte(vmo, 2, 9);
    await vmo.sync();
    expect(pager.size).toBe(3 * PAGE_SIZE + 5);
    const expected = new Uint8Array(3 * PAGE_SIZE + 5);
    expected.set(patternOf(0, PAGE_SIZE));
    expected[2 * PAGE_SIZE] = 9;
    expectBytes(pager.bytes, expected);
    expectBytes(bytes, patternOf(0, PAGE_SIZE));
  });

  test('cut, it is a part of the array; grown again, what was cut is zeros', async () => {
    const bytes = patternOf(0, 2 * PAGE_SIZE);
    const pager = bytesPager(bytes);
    const vmo = makeObjects().create({ size: pager.size, pager, resizable: true });
    vmo.resizeSync(100);
    await vmo.sync();
    expect(pager.bytes.buffer).toBe(bytes.buffer);
    expect(pager.bytes.length).toBe(100);
    vmo.resizeSync(2 * PAGE_SIZE);
    await vmo.sync();
    const expected = new Uint8Array(2 * PAGE_SIZE);
    expected.set(patternOf(0, 100));
    expectBytes(pager.bytes, expected);
    expectBytes(bytes, patternOf(0, 2 * PAGE_SIZE));
  });

  test('an object that is larger than it hears so, and what to do', () => {
    const pager = bytesPager(new Uint8Array(PAGE_SIZE));
    const vmo = makeObjects().create({ size: 2 * PAGE_SIZE, pager, name: 'too large' });
    expect(readByte(vmo, 0)).toBe(0);
    const error = errorOf(() => readByte(vmo, 1));
    expectPagerError(error, 'make the object with size: pager.size');
    expect((error as Error).cause).toMatchObject({ code: 'EINVAL' });
    expectPagerError(
      errorOf(() => {
        vmo.writeSync(PAGE_SIZE, new Uint8Array(PAGE_SIZE));
        vmo.syncSync();
      }),
      'bytes 0x1000 to 0x2000 are not within the 4096 bytes of the array',
    );
    vmo.close({ unwritten: 'discard' });
  });

  test('no bytes at all', async () => {
    const pager = bytesPager(new Uint8Array());
    const vmo = makeObjects().create({ size: pager.size, pager, resizable: true });
    await vmo.sync();
    vmo.resizeSync(5);
    vmo.writeSync(0, Uint8Array.of(1, 2, 3, 4, 5));
    await vmo.sync();
    expect([...pager.bytes]).toEqual([1, 2, 3, 4, 5]);
  });

  test('bytes in shared memory', () => {
    const bytes = new Uint8Array(new SharedArrayBuffer(PAGE_SIZE));
    const pager = bytesPager(bytes);
    const vmo = makeObjects().create({ size: pager.size, pager });
    bytes[0] = 5;
    expect(readByte(vmo, 0)).toBe(5);
    writeByte(vmo, 0, 6);
    vmo.syncSync();
    expect(bytes[0]).toBe(6);
  });
});

describe('a pager over a Blob', () => {
  const makeBlob = (sizeBytes: number): Blob => {
    // In pieces, as a Blob may be.
    const bytes = patternOf(0, sizeBytes);
    return new Blob([bytes.slice(0, 1000), bytes.slice(1000)]);
  };

  test('reads what is wanted, and no more', async () => {
    const pager = blobPager(makeBlob(10 * PAGE_SIZE - 7));
    expect(pager.size).toBe(10 * PAGE_SIZE - 7);
    const objects = makeObjects();
    const vmo = objects.create({ size: pager.size, pager });
    const bytes = await vmo.read(3 * PAGE_SIZE - 1, new Uint8Array(2));
    expectBytes(bytes, patternOf(3 * PAGE_SIZE - 1, 2));
    expect(objects.statistics().pagesSupplied).toBe(2);
    expectBytes(await vmo.read(0, new Uint8Array(vmo.size)), patternOf(0, 10 * PAGE_SIZE - 7));
  });

  test('is a File, too', async () => {
    const pager = blobPager(new File([patternOf(0, PAGE_SIZE)], 'a file'));
    const vmo = makeObjects().create({ size: pager.size, pager });
    await vmo.prefetch();
    expect(readByte(vmo, 0)).toBe(patternOf(0, 1)[0]);
  });

  test('answers later: a read that cannot wait throws EAGAIN', () => {
    const pager = blobPager(makeBlob(PAGE_SIZE));
    const vmo = makeObjects().create({ size: pager.size, pager });
    expect(() => readByte(vmo, 0)).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
  });

  test('cannot be written, and says how one can write all the same', async () => {
    const pager = blobPager(makeBlob(2 * PAGE_SIZE));
    const vmo = makeObjects().create({ size: pager.size, pager });
    const error: unknown = await vmo.write(5, Uint8Array.of(1)).catch((reason: unknown) => reason);
    expectPagerError(error, 'a Blob cannot be written: write to a snapshot of the object');
    expect((error as Error).cause).toMatchObject({ code: 'ENOTSUP' });
    await expect(vmo.zero()).rejects.toMatchObject({ code: 'EIO' });
    await expect(vmo.view()).rejects.toMatchObject({ code: 'EIO' });
    expectBytes(await vmo.read(0, new Uint8Array(vmo.size)), patternOf(0, 2 * PAGE_SIZE));
    await vmo.sync();

    const own = vmo.createChild({ kind: 'snapshot' });
    await own.write(5, Uint8Array.of(1));
    expect(readByte(own, 0, 5)).toBe(1);
    expect(readByte(vmo, 0, 5)).toBe(patternOf(5, 1)[0]);
    {
      await using _closed = vmo;
    }
    own.close();
  });

  test('an object that is larger than it hears so', async () => {
    const pager = blobPager(new Blob(['abc']));
    const vmo = makeObjects().create({ size: 4, pager });
    const error: unknown = await vmo.read(0, new Uint8Array(1)).catch((reason: unknown) => reason);
    expectPagerError(error, 'make the object with size: pager.size');
  });

  test('what the Blob throws reaches the reader', async () => {
    const cause = new DOMException('the file has changed', 'NotReadableError');
    const blob = makeBlob(PAGE_SIZE);
    Object.defineProperty(blob, 'slice', { value: () => ({ arrayBuffer: () => Promise.reject(cause) }) });
    const pager = blobPager(blob);
    const vmo = makeObjects().create({ size: pager.size, pager });
    const error: unknown = await vmo.read(0, new Uint8Array(1)).catch((reason: unknown) => reason);
    expectPagerError(error, 'the file has changed', cause);
  });

  test('an empty one', async () => {
    const pager = blobPager(new Blob([]));
    const vmo = makeObjects().create({ size: pager.size, pager });
    await vmo.prefetch();
    expect(vmo.size).toBe(0);
  });
});
