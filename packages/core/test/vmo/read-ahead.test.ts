/** Reading ahead: a pager whose every answer takes long is asked for more than is wanted. */
import { expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/frame/index.js';
import { type ByteRange, MemoryObjects, type Pager, type Vmo } from '../../src/vmo/index.js';

const PAGES = 40;

/** An object over a pager that notes what it is asked for, in pages. */
const makeObject = (options: { readonly readAheadBytes?: number; readonly memoryBytes?: number }) => {
  const { memoryBytes = 2 ** 20, ...rest } = options;
  const objects = MemoryObjects.create({ memoryBytes });
  const asked: [first: number, pages: number][] = [];
  const pager: Pager = {
    commit({ offset, length }: ByteRange): Uint8Array {
      asked.push([offset / PAGE_SIZE, Math.ceil(length / PAGE_SIZE)]);
      return Uint8Array.from({ length }, (_, index) => Math.floor((offset + index) / PAGE_SIZE));
    },
    writeBack() {},
  };
  const vmo = objects.create({ size: PAGES * PAGE_SIZE - 100, pager, ...rest });
  return { objects, asked, vmo };
};

const byteAt = (vmo: Vmo<'read'>, page: number): number | undefined =>
  vmo.readSync(page * PAGE_SIZE, new Uint8Array(1))[0];

test('nothing is read ahead unless it is asked for', () => {
  const { asked, vmo } = makeObject({});
  byteAt(vmo, 3);
  byteAt(vmo, 4);
  expect(asked).toEqual([
    [3, 1],
    [4, 1],
  ]);
});

test('a missing page brings those after it, up to the end, and they are asked for no more', () => {
  const { objects, asked, vmo } = makeObject({ readAheadBytes: 16 * PAGE_SIZE });
  for (let page = 0; page < PAGES; page++) expect(byteAt(vmo, page)).toBe(page);
  expect(asked).toEqual([
    [0, 16],
    [16, 16],
    [32, 8],
  ]);
  expect(objects.statistics().pagesSupplied).toBe(PAGES);
  expect(objects.audit()).toEqual([]);
});

test('reading ahead stops at a page that is there', () => {
  const { asked, vmo } = makeObject({ readAheadBytes: 16 * PAGE_SIZE });
  vmo.supply(5 * PAGE_SIZE, new Uint8Array(PAGE_SIZE).fill(99));
  expect(byteAt(vmo, 2)).toBe(2);
  expect(asked).toEqual([[2, 3]]);
  expect(byteAt(vmo, 5)).toBe(99);
});

test('what is wanted comes whole, where it is more than is read ahead', () => {
  const { asked, vmo } = makeObject({ readAheadBytes: 4 * PAGE_SIZE });
  vmo.readSync(0, new Uint8Array(10 * PAGE_SIZE));
  expect(asked).toEqual([[0, 10]]);
});

test('where frames are short, what is wanted is there and the rest is not', () => {
  const { objects, vmo } = makeObject({ readAheadBytes: 32 * PAGE_SIZE, memoryBytes: 2 ** 16 });
  for (const page of [20, 0, 39, 7]) expect(byteAt(vmo, page)).toBe(page);
  expect(objects.audit()).toEqual([]);
});

test.each([-1, 2 ** 20 + 1, NaN, Infinity])('%d bytes cannot be read ahead', (readAheadBytes) => {
  expect(() => makeObject({ readAheadBytes })).toThrow(/read ahead .* bytes: give 0 to 1048576/);
});
