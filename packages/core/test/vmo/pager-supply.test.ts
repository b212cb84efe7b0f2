/** Pages that come without being asked for, and what remains when the pager is detached. */
import { describe, expect, test } from 'vitest';
import { OutOfMemory, PAGE_SIZE } from '../../src/frame/index.js';
import {
  errorOf,
  expectBytes,
  expectPagerError,
  first,
  makeObjects,
  makePaged,
  patternOf,
  readByte,
  readPages,
  writeByte,
} from './paged.js';

describe('supply', () => {
  test('pages come without being asked for', () => {
    const { pager, vmo } = makePaged(4);
    vmo.supply(PAGE_SIZE, patternOf(PAGE_SIZE, 2 * PAGE_SIZE));
    expect(vmo.committedBytes).toBe(2 * PAGE_SIZE);
    expectBytes(readPages(vmo, 1, 2), patternOf(PAGE_SIZE, 2 * PAGE_SIZE));
    expect(pager.heard()).toEqual([]);
  });

  test('they are clean: dropped and asked for as any', () => {
    const { pager, vmo } = makePaged(4);
    vmo.supply(0, patternOf(0, PAGE_SIZE));
    vmo.syncSync();
    vmo.decommit();
    readByte(vmo, 0);
    expect(pager.heard()).toEqual(['decommit 0+1', 'commit 0+1']);
  });

  test('what is there is not replaced: neither clean pages nor written ones, nor zeros', () => {
    const { vmo } = makePaged(4);
    readByte(vmo, 0);
    writeByte(vmo, 1, 7);
    vmo.zeroSync({ offset: 2 * PAGE_SIZE, length: PAGE_SIZE });
    vmo.supply(0, new Uint8Array(4 * PAGE_SIZE).fill(9));
    expect([0, 1, 2, 3].map((page) => readByte(vmo, page))).toEqual([first(0), 7, 0, 9]);
    vmo.supply(0, new Uint8Array(4 * PAGE_SIZE).fill(8));
    expect(readByte(vmo, 3)).toBe(9);
  });

  test('the last page can be given to the byte', () => {
    const { vmo } = makePaged(1.5, { resizable: true });
    vmo.supply(PAGE_SIZE, new Uint8Array(PAGE_SIZE / 2).fill(9));
    vmo.resizeSync(2 * PAGE_SIZE);
    expectBytes(readPages(vmo, 1), new Uint8Array(PAGE_SIZE).fill(9, 0, PAGE_SIZE / 2));
  });

  test('a slice takes it at its own offsets', () => {
    const { pager, vmo } = makePaged(4);
    const slice = vmo.createChild({ kind: 'slice', offset: 2 * PAGE_SIZE });
    slice.supply(PAGE_SIZE, new Uint8Array(PAGE_SIZE).fill(9));
    expect(readByte(vmo, 3)).toBe(9);
    expect(pager.heard()).toEqual([]);
  });

  test('pages that the object has gained since are zeros, which are not replaced', () => {
    const { vmo } = makePaged(1, { resizable: true });
    vmo.resizeSync(3 * PAGE_SIZE);
    vmo.supply(0, new Uint8Array(3 * PAGE_SIZE).fill(9));
    expect([0, 1, 2].map((page) => readByte(vmo, page))).toEqual([9, 0, 0]);
  });

  test('so is what it has gained in the page where it was cut', () => {
    const { vmo } = makePaged(2, { resizable: true });
    vmo.resizeSync(1.5 * PAGE_SIZE);
    vmo.resizeSync(2 * PAGE_SIZE);
    vmo.supply(PAGE_SIZE, new Uint8Array(PAGE_SIZE).fill(9));
    expectBytes(readPages(vmo, 1), new Uint8Array(PAGE_SIZE).fill(9, 0, PAGE_SIZE / 2));
  });

  test.each([
    ['beyond the end', 4 * PAGE_SIZE, PAGE_SIZE],
    ['over the end', 3 * PAGE_SIZE, 2 * PAGE_SIZE],
    ['inside of a page', 1, PAGE_SIZE],
    ['a part of a page', 0, PAGE_SIZE - 1],
    ['a negative offset', -PAGE_SIZE, PAGE_SIZE],
  ])('%s is refused', (_, offset, length) => {
    const { vmo } = makePaged(4);
    expect(() => vmo.supply(offset, new Uint8Array(length))).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(vmo.committedBytes).toBe(0);
  });

  test('an object without a pager takes none, and neither does a snapshot of one that has', () => {
    const plain = makeObjects().create({ size: PAGE_SIZE });
    expect(() => plain.supply(0, new Uint8Array(PAGE_SIZE))).toThrow(
      expect.objectContaining({ code: 'ENOTSUP' }),
    );
    const child = makePaged(1).vmo.createChild({ kind: 'snapshot' });
    expect(() => child.supply(0, new Uint8Array(PAGE_SIZE))).toThrow(
      expect.objectContaining({ code: 'ENOTSUP' }),
    );
    expect(() => child.detachPager()).toThrow(expect.objectContaining({ code: 'ENOTSUP' }));
  });

  test('it needs the right to write', () => {
    const { vmo } = makePaged(1);
    const reader = vmo.duplicate().restrict('read').toDyn();
    expect(() => reader.supply(0, new Uint8Array(PAGE_SIZE))).toThrow(
      expect.objectContaining({ code: 'EACCES' }),
    );
    expect(() => reader.detachPager()).toThrow(expect.objectContaining({ code: 'EACCES' }));
  });

  test('where memory runs out, the pages before are there', () => {
    const { objects, pager, vmo } = makePaged(4);
    objects.memory.failAllocation(3);
    expect(() => vmo.supply(0, pager.bytes.slice())).toThrow(OutOfMemory);
    expect(vmo.committedBytes).toBe(2 * PAGE_SIZE);
    expectBytes(readPages(vmo, 0, 4), pager.bytes);
  });
});

describe('detach', () => {
  test('what is there stays, and who wants more gets an error', () => {
    const { pager, vmo } = makePaged(4);
    readByte(vmo, 1);
    pager.heard();
    vmo.detachPager();
    expect(pager.heard()).toEqual(['close']);
    expectBytes(readPages(vmo, 1), patternOf(PAGE_SIZE, PAGE_SIZE));
    expectPagerError(
      errorOf(() => readByte(vmo, 2)),
      'page 2 of file has no frame, and its pager is detached',
    );
    expectPagerError(
      errorOf(() => readPages(vmo, 1, 2)),
      'page 2 of file has no frame, and its pager is detached',
    );
    expectPagerError(
      errorOf(() => vmo.supply(0, new Uint8Array(PAGE_SIZE))),
      'detached',
    );
    expect(pager.heard()).toEqual([]);
  });

  test('the pager is closed once, however often it is detached', () => {
    const { pager, vmo } = makePaged(1);
    vmo.detachPager();
    vmo.detachPager();
    vmo.close();
    expect(pager.heard()).toEqual(['close']);
  });

  test('the pager is closed when the last capability is', () => {
    const { pager, vmo } = makePaged(1);
    const other = vmo.duplicate();
    vmo.close();
    expect(pager.heard()).toEqual([]);
    other.close();
    expect(pager.heard()).toEqual(['close']);
  });

  test('what is there can be written, without leave; what is missing only whole', () => {
    const { pager, vmo } = makePaged(4);
    readByte(vmo, 1);
    vmo.detachPager();
    pager.heard();
    writeByte(vmo, 1, 7);
    expectPagerError(
      errorOf(() => writeByte(vmo, 2, 7)),
      'detached',
    );
    vmo.writeSync(2 * PAGE_SIZE, new Uint8Array(PAGE_SIZE).fill(8));
    vmo.zeroSync({ offset: 3 * PAGE_SIZE, length: PAGE_SIZE });
    expect([1, 2, 3].map((page) => readByte(vmo, page))).toEqual([7, 8, 0]);
    expect(pager.heard()).toEqual([]);
  });

  test('decommit drops nothing then, for it could not come back', () => {
    const { pager, vmo } = makePaged(2);
    readPages(vmo, 0, 2);
    vmo.detachPager();
    pager.heard();
    vmo.decommit();
    expectBytes(readPages(vmo, 0, 2), pager.bytes);
    expect(pager.heard()).toEqual([]);
  });

  test('changed pages have nowhere to go: sync says so, and close does not hold on to them', async () => {
    const { vmo } = makePaged(2);
    writeByte(vmo, 1, 7);
    vmo.detachPager();
    await expect(vmo.sync()).rejects.toMatchObject({
      code: 'ENOTSUP',
      message: 'page 1 of file is changed, and its pager is detached',
    });
    await vmo.sync({ offset: 0, length: PAGE_SIZE });
    expect(readByte(vmo, 1)).toBe(7);
    vmo.close();
    expect(vmo.state).toBe('closed');
  });

  test('an object can still be made smaller and larger', () => {
    const { pager, vmo } = makePaged(2.5, { resizable: true });
    vmo.detachPager();
    pager.heard();
    vmo.resizeSync(1.5 * PAGE_SIZE);
    vmo.resizeSync(4 * PAGE_SIZE);
    expectBytes(readPages(vmo, 2, 2), new Uint8Array(2 * PAGE_SIZE));
    expectPagerError(
      errorOf(() => readByte(vmo, 1)),
      'detached',
    );
    expect(pager.heard()).toEqual([]);
  });
});
