/** Numbers in a memory object, beside what a DataView on plain bytes says of the same. */
import { describe, expect, test } from 'vitest';
import { OutOfMemory, PAGE_SIZE } from '../../src/frame/index.js';
import { MemoryObjects, type VmoDataView } from '../../src/vmo/index.js';
import { randomNumbers } from '../support/random.js';

const PAGES = 6;
const NUMBERS = ['Int8', 'Uint8', 'Int16', 'Uint16', 'Int32', 'Uint32', 'Float32', 'Float64'] as const;
const BIG_NUMBERS = ['BigInt64', 'BigUint64'] as const;

const makeObjects = (memoryBytes = 2 ** 20): MemoryObjects => MemoryObjects.create({ memoryBytes });

/** More reads than a page list wants before it keeps what it has found. */
const readAllOver = (view: VmoDataView<'read'>, sizeBytes: number): void => {
  for (let index = 0; index < 2000; index++) view.getUint8((index * 4099) % sizeBytes);
};

describe('a data view of a memory object', () => {
  test.each([
    ['anonymous', {}],
    ['resizable', { resizable: true }],
    ['contiguous', { contiguous: true }],
    [
      'paged',
      { pager: { commit: ({ length }: { readonly length: number }) => new Uint8Array(length), update() {} } },
    ],
  ])('agrees with a DataView on numbers of all kinds and both orders (%s)', (_, options) => {
    const size = PAGES * PAGE_SIZE - 5;
    using objects = makeObjects();
    const view = objects.create({ size, ...options }).dataView();
    const model = new DataView(new ArrayBuffer(size));
    const next = randomNumbers(7);
    for (let index = 0; index < 6000; index++) {
      const name = NUMBERS[next(NUMBERS.length)]!;
      // Often across the border of two pages.
      const near = next(2) === 0 ? (1 + next(PAGES - 1)) * PAGE_SIZE - 4 : next(size - 8);
      const offset = near + next(8) < size - 8 ? near + next(8) : near;
      const littleEndian = next(2) === 0;
      if (next(2) === 0) {
        const value = (next(2 ** 16) - 2 ** 15) * 65537.25;
        view[`set${name}`](offset, value, littleEndian);
        model[`set${name}`](offset, value, littleEndian);
      }
      expect(view[`get${name}`](offset, littleEndian)).toBe(model[`get${name}`](offset, littleEndian));
    }
    for (const name of BIG_NUMBERS) {
      for (const offset of [0, 4092, 4096, size - 8]) {
        view[`set${name}`](offset, 0x8123_4567_89ab_cdefn);
        model[`set${name}`](offset, 0x8123_4567_89ab_cdefn);
        expect(view[`get${name}`](offset)).toBe(model[`get${name}`](offset));
      }
    }
    expect(objects.audit()).toEqual([]);
    objects.close({ unwritten: 'discard' });
  });

  test('reads zeros where nothing was written, and commits nothing', () => {
    using objects = makeObjects();
    const vmo = objects.create({ size: PAGES * PAGE_SIZE });
    const view = vmo.dataView();
    readAllOver(view, vmo.size);
    expect(view.getFloat64(PAGE_SIZE - 4)).toBe(0);
    expect(vmo.committedBytes).toBe(0);
  });

  test('sees what becomes of pages that it has looked up: written, copied for a snapshot, decommitted', () => {
    using objects = makeObjects();
    const vmo = objects.create({ size: PAGES * PAGE_SIZE });
    for (let page = 0; page < PAGES; page++) vmo.dataView().setUint8(page * PAGE_SIZE, page + 1);
    const view = vmo.dataView();
    readAllOver(view, vmo.size);
    const snapshot = vmo.createChild({ kind: 'snapshot' });
    const before = snapshot.dataView();
    readAllOver(before, vmo.size);
    view.setUint8(PAGE_SIZE, 99);
    expect([view.getUint8(PAGE_SIZE), before.getUint8(PAGE_SIZE)]).toEqual([99, 2]);
    snapshot.writeSync(2 * PAGE_SIZE, Uint8Array.of(77));
    expect([view.getUint8(2 * PAGE_SIZE), before.getUint8(2 * PAGE_SIZE)]).toEqual([3, 77]);
    vmo.decommit({ offset: 3 * PAGE_SIZE, length: PAGE_SIZE });
    expect([view.getUint8(3 * PAGE_SIZE), before.getUint8(3 * PAGE_SIZE)]).toEqual([0, 4]);
    snapshot.close();
    view.setUint8(4 * PAGE_SIZE, 5);
    expect(view.getUint8(4 * PAGE_SIZE)).toBe(5);
    expect(objects.audit()).toEqual([]);
  });

  test('of a slice begins where the slice does, and ends there', () => {
    using objects = makeObjects();
    const vmo = objects.create({ size: PAGES * PAGE_SIZE });
    const slice = vmo.createChild({ kind: 'slice', offset: 2 * PAGE_SIZE, size: PAGE_SIZE + 10 });
    const view = slice.dataView();
    view.setUint32(8, 0xdead_beef);
    expect(vmo.dataView().getUint32(2 * PAGE_SIZE + 8)).toBe(0xdead_beef);
    readAllOver(view, slice.size);
    expect(() => view.getUint32(PAGE_SIZE + 8)).toThrow('are not within the 4106 bytes');
  });

  test('of a snapshot of a part, and of a slice of that, is of the pages that those have', () => {
    using objects = makeObjects();
    const vmo = objects.create({ size: 200 * PAGE_SIZE });
    for (let page = 0; page < 200; page++) vmo.dataView().setUint8(page * PAGE_SIZE, page);
    const part = vmo.createChild({ kind: 'snapshot', offset: 70 * PAGE_SIZE, size: 100 * PAGE_SIZE });
    const slice = part.createChild({ kind: 'slice', offset: 10 * PAGE_SIZE });
    const [ofPart, ofSlice] = [part.dataView(), slice.dataView()];
    for (let round = 0; round < 10; round++) {
      for (let page = 0; page < 90; page++) {
        expect([ofPart.getUint8(page * PAGE_SIZE), ofSlice.getUint8(page * PAGE_SIZE)]).toEqual([
          70 + page,
          80 + page,
        ]);
      }
    }
    ofSlice.setUint8(5 * PAGE_SIZE, 7);
    expect([ofPart.getUint8(15 * PAGE_SIZE), vmo.dataView().getUint8(85 * PAGE_SIZE)]).toEqual([7, 85]);
    expect(objects.audit()).toEqual([]);
  });

  test.each([-1, 0.5, NaN, 2 ** 31, 2 ** 32, 2 ** 53, PAGES * PAGE_SIZE - 7, Infinity])(
    'refuses offset %d, to read and to write',
    (offset) => {
      using objects = makeObjects();
      const vmo = objects.create({ size: PAGES * PAGE_SIZE });
      const view = vmo.dataView();
      view.setFloat64(0, 1);
      readAllOver(view, vmo.size);
      expect(() => view.getFloat64(offset)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
      expect(() => view.setFloat64(offset, 1)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    },
  );

  test('reaches what lies beyond 2^31 and 2^32', () => {
    using objects = makeObjects();
    const view = objects.create({ size: 2 ** 40 }).dataView();
    for (const offset of [2 ** 31 - 4, 2 ** 31, 2 ** 32 - 4, 2 ** 40 - 8]) {
      view.setFloat64(offset, offset);
      expect(view.getFloat64(offset)).toBe(offset);
    }
    expect(objects.audit()).toEqual([]);
  });

  test('asks for the right that each call needs, while the capability is open', () => {
    using objects = makeObjects();
    const vmo = objects.create({ size: PAGE_SIZE });
    vmo.dataView().setInt32(0, 5);
    const reader = vmo.duplicate().restrict('read');
    const view = reader.dataView() as VmoDataView;
    readAllOver(view, PAGE_SIZE);
    expect(view.getInt32(0)).toBe(5);
    expect(() => view.setInt32(0, 6)).toThrow(expect.objectContaining({ code: 'EACCES' }));
    const writer = vmo.duplicate().restrict('write').dataView() as VmoDataView;
    writer.setInt32(0, 6);
    expect(() => writer.getInt32(0)).toThrow(expect.objectContaining({ code: 'EACCES' }));
    expect(view.getInt32(0)).toBe(6);
    reader.close();
    expect(() => view.getInt32(0)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    expect(() => view.setInt32(0, 1)).toThrow(expect.objectContaining({ code: 'EBADF' }));
    const revoked = vmo.dataView();
    readAllOver(revoked, PAGE_SIZE);
    vmo.revoke();
    expect(() => revoked.getInt32(0)).toThrow(expect.objectContaining({ code: 'ESTALE' }));
  });

  test('does not compile without the right', () => {
    const compiled = (reader: VmoDataView<'read'>, writer: VmoDataView<'write'>): void => {
      reader.getInt8(0);
      writer.setInt8(0, 1);
      // @ts-expect-error a reader does not write
      reader.setInt8(0, 1);
      // @ts-expect-error a writer does not read
      writer.getInt8(0);
    };
    expect(compiled).toBeTypeOf('function');
  });

  test('a number across two pages is written whole, or not at all', () => {
    using objects = makeObjects(2 ** 16);
    const { memory } = objects;
    const vmo = objects.create({ size: PAGES * PAGE_SIZE });
    const view = vmo.dataView();
    memory.failAllocation(2);
    expect(() => view.setFloat64(PAGE_SIZE - 4, Math.PI)).toThrow(OutOfMemory);
    memory.failAllocation(0);
    expect(view.getFloat64(PAGE_SIZE - 4)).toBe(0);
    expect(vmo.committedBytes).toBe(0);
    view.setFloat64(PAGE_SIZE - 4, Math.PI);
    expect(view.getFloat64(PAGE_SIZE - 4)).toBe(Math.PI);
  });

  test('follows an object that is resized', () => {
    using objects = makeObjects();
    const vmo = objects.create({ size: PAGE_SIZE, resizable: true });
    const view = vmo.dataView();
    view.setUint8(100, 1);
    vmo.resizeSync(50);
    expect(() => view.getUint8(100)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    vmo.resizeSync(3 * PAGE_SIZE);
    expect(view.getUint8(100)).toBe(0);
    view.setUint8(2 * PAGE_SIZE, 3);
    expect(view.getUint8(2 * PAGE_SIZE)).toBe(3);
  });
});
