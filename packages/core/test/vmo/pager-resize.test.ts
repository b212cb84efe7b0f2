/** Resizing objects that have a pager: what is cut off never comes back, and the pager hears of sizes in the right order. */
import { describe, expect, test } from 'vitest';
import { HolsteinError, OutOfMemory, PAGE_SIZE } from '../../src/frame/index.js';
import {
  errorOf,
  expectBytes,
  expectPagerError,
  first,
  makePaged,
  patternOf,
  readByte,
  readPages,
  settle,
  writeByte,
} from './paged.js';

const page = (count = 1): Uint8Array => new Uint8Array(count * PAGE_SIZE);
const resizable = (pages: number, answers: 'now' | 'later' | 'held' = 'now') =>
  makePaged(pages, { resizable: true, answers });

describe('growing', () => {
  test('what is new is zeros, is asked of nobody, and takes no frame until it is written', () => {
    const { pager, vmo } = resizable(2);
    vmo.resizeSync(5 * PAGE_SIZE);
    expectBytes(readPages(vmo, 0, 5), Uint8Array.from([...pager.bytes, ...page(3)]));
    expect(pager.heard()).toEqual(['commit 0+2']);
    expect(vmo.committedBytes).toBe(2 * PAGE_SIZE);
    writeByte(vmo, 3, 7);
    expect(pager.heard()).toEqual(['update 3+1']);
    expect(vmo.committedBytes).toBe(3 * PAGE_SIZE);
  });

  test.each([0.25, 1, 1.75, 3])(
    'from %d pages, asks the pager for nothing, and a later read is right',
    (pages) => {
      const { pager, vmo } = resizable(pages);
      vmo.resizeSync(4 * PAGE_SIZE);
      expect(pager.heard()).toEqual([]);
      const expected = page(4);
      expected.set(patternOf(0, pages * PAGE_SIZE));
      expectBytes(readPages(vmo, 0, 4), expected);
    },
  );

  test('needs no pager that answers at once, nor one that works', () => {
    const { pager, vmo } = resizable(1.5, 'held');
    vmo.resizeSync(3 * PAGE_SIZE);
    pager.failures.set('commit', new Error('no'));
    vmo.resizeSync(4 * PAGE_SIZE);
    expect(pager.heard()).toEqual([]);
    expect(vmo.size).toBe(4 * PAGE_SIZE);
  });

  test('a read that is under way gets what the pager has, and zeros after it', async () => {
    const { pager, vmo } = resizable(1.5, 'held');
    const read = vmo.read(PAGE_SIZE, new Uint8Array(PAGE_SIZE / 2));
    vmo.resizeSync(3 * PAGE_SIZE);
    pager.finishNext();
    expectBytes(await read, patternOf(PAGE_SIZE, PAGE_SIZE / 2));
    const expected = page(2);
    expected.set(patternOf(PAGE_SIZE, PAGE_SIZE / 2));
    expectBytes(readPages(vmo, 1, 2), expected);
  });
});

describe('cutting', () => {
  test('pages beyond are freed, changed ones too, and read zeros when there are such again', () => {
    const { objects, pager, vmo } = resizable(6);
    readPages(vmo, 0, 6);
    writeByte(vmo, 4, 7);
    vmo.resizeSync(1.5 * PAGE_SIZE);
    expect(vmo.committedBytes).toBe(2 * PAGE_SIZE);
    expect(objects.audit()).toEqual([]);
    vmo.resizeSync(6 * PAGE_SIZE);
    const expected = page(6);
    expected.set(patternOf(0, 1.5 * PAGE_SIZE));
    expectBytes(readPages(vmo, 0, 6), expected);
    expect(pager.heard()).toEqual(['commit 0+6', 'update 4+1']);
  });

  test('so do pages that had not come yet, also in the page where it was cut', () => {
    const { pager, vmo } = resizable(6);
    vmo.resizeSync(1.5 * PAGE_SIZE);
    vmo.resizeSync(6 * PAGE_SIZE);
    const expected = page(6);
    expected.set(patternOf(0, 1.5 * PAGE_SIZE));
    expectBytes(readPages(vmo, 0, 6), expected);
    expect(pager.heard()).toEqual(['commit 0+1.5']);
  });

  test('changed pages that are cut off keep nothing from being closed', () => {
    const { pager, vmo } = resizable(3);
    writeByte(vmo, 2, 7);
    vmo.resizeSync(2 * PAGE_SIZE);
    vmo.close();
    expect(pager.heard()).toEqual(['commit 2+1', 'update 2+1', 'close']);
  });

  test('a page in an open view cannot be cut off', () => {
    const { vmo } = resizable(3);
    using _view = vmo.viewSync({ offset: 2 * PAGE_SIZE, length: 1 });
    expect(() => vmo.resizeSync(2 * PAGE_SIZE)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    expect(vmo.size).toBe(3 * PAGE_SIZE);
    vmo.resizeSync(2 * PAGE_SIZE + 1);
  });

  test('to nothing, and back', () => {
    const { pager, vmo } = resizable(3);
    vmo.resizeSync(0);
    vmo.resizeSync(3 * PAGE_SIZE);
    expectBytes(readPages(vmo, 0, 3), page(3));
    vmo.syncSync();
    expect(pager.heard()).toEqual(['resize 0+0', 'resize 0+3']);
    expectBytes(pager.bytes, page(3));
  });

  test('an object that was not made resizable refuses', () => {
    const { vmo } = makePaged(3);
    expect(() => vmo.resizeSync(1)).toThrow(expect.objectContaining({ code: 'ENOTSUP' }));
  });
});

describe('what the pager hears', () => {
  test('nothing before a sync, then the size, then what was written', () => {
    const { pager, vmo } = resizable(2);
    vmo.resizeSync(4 * PAGE_SIZE);
    writeByte(vmo, 3, 7);
    writeByte(vmo, 0, 7);
    expect(pager.heard()).toEqual(['update 3+1', 'commit 0+1', 'update 0+1']);
    vmo.syncSync();
    expect(pager.heard()).toEqual(['resize 0+4', 'writeBack 0+1', 'writeBack 3+1']);
    vmo.syncSync();
    expect(pager.heard()).toEqual([]);
    expectBytes(pager.bytes, readPages(vmo, 0, 4));
  });

  test('the least size that there was, and then the size, so that nothing comes back', () => {
    const { pager, vmo } = resizable(6);
    for (const pages of [5, 1.5, 4, 2, 5]) vmo.resizeSync(pages * PAGE_SIZE);
    vmo.syncSync();
    expect(pager.heard()).toEqual(['resize 0+1.5', 'resize 0+5']);
    const expected = page(5);
    expected.set(patternOf(0, 1.5 * PAGE_SIZE));
    expectBytes(pager.bytes, expected);
    expectBytes(readPages(vmo, 0, 5), expected);
    vmo.resizeSync(6 * PAGE_SIZE);
    vmo.syncSync();
    expect(pager.heard().at(-1)).toBe('resize 0+6');
  });

  test('the least size even where the object is as large as before', () => {
    const { pager, vmo } = resizable(3);
    vmo.resizeSync(PAGE_SIZE);
    vmo.resizeSync(3 * PAGE_SIZE);
    vmo.syncSync();
    expect(pager.heard()).toEqual(['resize 0+1', 'resize 0+3']);
  });

  test('nothing where it grew and was cut to what it was', () => {
    const { pager, vmo } = resizable(3);
    vmo.resizeSync(5 * PAGE_SIZE);
    vmo.resizeSync(3 * PAGE_SIZE);
    vmo.syncSync();
    expect(pager.heard()).toEqual([]);
  });

  test('a sync of an empty range tells the size alone', async () => {
    const { pager, vmo } = resizable(3);
    writeByte(vmo, 0, 1);
    pager.heard();
    vmo.resizeSync(2 * PAGE_SIZE);
    await vmo.sync({ offset: 0, length: 0 });
    expect(pager.heard()).toEqual(['resize 0+2']);
    vmo.syncSync();
  });

  test('what it was told of it has: zeros may be dropped, and are asked for', () => {
    const { pager, vmo } = resizable(1);
    vmo.resizeSync(3 * PAGE_SIZE);
    writeByte(vmo, 1, 7);
    vmo.syncSync();
    vmo.decommit();
    pager.heard();
    expect([readByte(vmo, 1), readByte(vmo, 2)]).toEqual([7, 0]);
    expect(pager.heard()).toEqual(['commit 1+1', 'commit 2+1']);
  });

  test('a refusal leaves it as it was: what was written is dirty still, and it is told again', () => {
    const { pager, vmo } = resizable(4);
    vmo.resizeSync(PAGE_SIZE);
    vmo.resizeSync(6 * PAGE_SIZE);
    writeByte(vmo, 5, 7);
    pager.heard();
    const cause = new Error('disk full');
    pager.failures.set('resize', cause);
    expectPagerError(
      errorOf(() => vmo.syncSync()),
      /failed in resize of bytes 0x0 to 0x1000: disk full/,
      cause,
    );
    expect(() => vmo.close()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    pager.failures.clear();
    // The least size is taken, and the next is not.
    pager.during.resize = ({ length }) => {
      if (length > PAGE_SIZE) throw cause;
    };
    pager.heard();
    expectPagerError(
      errorOf(() => vmo.syncSync()),
      'disk full',
      cause,
    );
    expect(pager.heard()).toEqual(['resize 0+1', 'resize 0+6']);
    delete pager.during.resize;
    vmo.syncSync();
    expect(pager.heard()).toEqual(['resize 0+6', 'writeBack 5+1']);
    const expected = page(6);
    expected.set(patternOf(0, PAGE_SIZE));
    expected[5 * PAGE_SIZE] = 7;
    expectBytes(pager.bytes, expected);
  });

  test('a cut while it is told is told after, and nothing comes back in between', async () => {
    const { pager, vmo } = resizable(2);
    vmo.resizeSync(6 * PAGE_SIZE);
    pager.answers = 'held';
    const sync = vmo.sync();
    await settle();
    vmo.resizeSync(1.5 * PAGE_SIZE);
    pager.answers = 'now';
    vmo.resizeSync(4 * PAGE_SIZE);
    pager.finishNext();
    await sync;
    const expected = page(4);
    expected.set(patternOf(0, 1.5 * PAGE_SIZE));
    expectBytes(readPages(vmo, 0, 4), expected);
    vmo.syncSync();
    expect(pager.heard()).toEqual(['resize 0+6', 'commit 0+1.5', 'resize 0+1.5', 'resize 0+4']);
    expectBytes(pager.bytes, expected);
    vmo.decommit();
    expectBytes(readPages(vmo, 0, 4), expected);
  });

  test('an object that is cut while it is synchronised: the sync goes on with what is left', async () => {
    const { pager, vmo } = resizable(6);
    for (const at of [0, 2, 4]) writeByte(vmo, at, 7);
    pager.heard();
    pager.answers = 'held';
    const sync = vmo.sync();
    await settle();
    vmo.resizeSync(3 * PAGE_SIZE);
    pager.answers = 'now';
    pager.finishNext();
    await sync;
    expect(pager.heard()).toEqual(['writeBack 0+1', 'writeBack 2+1']);
    vmo.syncSync();
    expect(pager.heard()).toEqual(['resize 0+3']);
    expect([pager.bytes[0], pager.bytes[2 * PAGE_SIZE]]).toEqual([7, 7]);
    vmo.close();
  });

  test('a page that is cut off while it is written back, and is there again, is zeros', async () => {
    const { pager, vmo } = resizable(3);
    writeByte(vmo, 2, 7);
    pager.answers = 'held';
    const sync = vmo.sync();
    await settle();
    vmo.resizeSync(PAGE_SIZE);
    vmo.resizeSync(3 * PAGE_SIZE);
    pager.answers = 'now';
    pager.finishNext();
    await sync;
    expect(readByte(vmo, 2)).toBe(0);
    vmo.syncSync();
    expectBytes(pager.bytes.subarray(PAGE_SIZE), page(2));
  });

  test('a commit, a prefetch and a hint that wait go on with what is left', async () => {
    for (const what of ['commit', 'prefetch', 'hint'] as const) {
      const { pager, vmo } = resizable(4, 'held');
      const waiting = what === 'hint' ? vmo.hint('always-need') : vmo[what]();
      vmo.resizeSync(2 * PAGE_SIZE);
      pager.finishNext();
      await waiting;
      expectBytes(readPages(vmo, 0, 2), patternOf(0, 2 * PAGE_SIZE));
      expect(vmo.committedBytes).toBe(2 * PAGE_SIZE);
    }
  });

  test('a write that waits for what is cut off fails, and writes nothing', async () => {
    const { pager, vmo } = resizable(4);
    readPages(vmo, 0, 4);
    pager.answers = 'held';
    const write = vmo.write(PAGE_SIZE, page(2).fill(7));
    await settle();
    vmo.resizeSync(2.5 * PAGE_SIZE);
    pager.finishNext();
    await expect(write).rejects.toMatchObject({ code: 'EINVAL' });
    expectBytes(vmo.readSync(0, new Uint8Array(2.5 * PAGE_SIZE)), patternOf(0, 2.5 * PAGE_SIZE));
  });

  test('a pager without resize keeps what it has, and what is new is kept for it', () => {
    const { pager, vmo } = resizable(2);
    Object.defineProperty(pager, 'resize', { value: undefined });
    vmo.resizeSync(1.5 * PAGE_SIZE);
    vmo.resizeSync(3 * PAGE_SIZE);
    vmo.syncSync();
    expect(pager.heard()).toEqual([]);
    const expected = page(3);
    expected.set(patternOf(0, 1.5 * PAGE_SIZE));
    expectBytes(readPages(vmo, 0, 3), expected);
  });
});

test('a grow that fails for want of memory changes nothing', () => {
  const { objects, vmo } = resizable(2);
  const child = vmo.createChild({ kind: 'snapshot', size: 100, resizable: true });
  const before = readPages(vmo, 0, 2);
  objects.memory.failAllocation(1);
  let error: unknown;
  try {
    // The rest of the child's page is the parent's, and must become zeros.
    child.resizeSync(PAGE_SIZE);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(OutOfMemory);
  expect(error).toBeInstanceOf(HolsteinError);
  expect(child.size).toBe(100);
  child.resizeSync(PAGE_SIZE);
  expect([readByte(child, 0, 99), readByte(child, 0, 100)]).toEqual([before[99], 0]);
  expect(readByte(vmo, 0)).toBe(first(0));
});
