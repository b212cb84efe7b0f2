/** What a memory object asks of a pager that answers at once: which ranges, and what becomes of the answers. */
import { describe, expect, test } from 'vitest';
import { OutOfMemory, PAGE_SIZE } from '../../src/frame/index.js';
import { inspect } from '../../src/vmo/index.js';
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
  TestPager,
  writeByte,
} from './paged.js';

describe('what is asked for', () => {
  test('to make an object asks nothing, and takes no frame', () => {
    const { objects, pager } = makePaged(1000);
    expect(pager.calls).toEqual([]);
    expect(objects.memory.freeFrames).toBe(objects.memory.totalFrames - objects.memory.firstAllocatable);
  });

  test('a read asks for the pages that it touches, in one call, and not again', () => {
    const { pager, vmo } = makePaged(8);
    expectBytes(
      vmo.readSync(2 * PAGE_SIZE - 1, new Uint8Array(PAGE_SIZE + 2)),
      patternOf(2 * PAGE_SIZE - 1, PAGE_SIZE + 2),
    );
    expect(pager.heard()).toEqual(['commit 1+3']);
    expectBytes(readPages(vmo, 1, 3), patternOf(PAGE_SIZE, 3 * PAGE_SIZE));
    expect(vmo.committedBytes).toBe(3 * PAGE_SIZE);
    expect(pager.heard()).toEqual([]);
  });

  test('pages that are there are left out: each run that is missing is a call', () => {
    const { pager, vmo } = makePaged(8);
    for (const page of [2, 5]) readByte(vmo, page);
    pager.heard();
    expectBytes(readPages(vmo, 0, 8), pager.bytes);
    expect(pager.heard()).toEqual(['commit 0+2', 'commit 3+2', 'commit 6+2']);
  });

  test.each(['commit', 'prefetch', 'always-need'] as const)('%s asks as a read does', async (what) => {
    const { pager, vmo } = makePaged(8);
    for (const page of [2, 5]) readByte(vmo, page);
    pager.heard();
    if (what === 'commit') vmo.commitSync();
    else if (what === 'prefetch') await vmo.prefetch();
    else await vmo.hint('always-need');
    expect(pager.heard()).toEqual(['commit 0+2', 'commit 3+2', 'commit 6+2']);
    expectBytes(readPages(vmo, 0, 8), pager.bytes);
    await vmo.sync();
    expect(pager.heard()).toEqual([]);
  });

  test('at most 256 pages are asked for in a call', () => {
    const { pager, vmo } = makePaged(600, { frames: 1024 });
    expectBytes(readPages(vmo, 1, 599), pager.bytes.subarray(PAGE_SIZE));
    expect(pager.heard()).toEqual(['commit 1+256', 'commit 257+256', 'commit 513+87']);
  });

  test('the last page is asked for to the byte, and reads zeros where it grows beyond', () => {
    const { pager, vmo } = makePaged(2.5, { resizable: true });
    expectBytes(vmo.readSync(0, new Uint8Array(2.5 * PAGE_SIZE)), pager.bytes);
    expect(pager.heard()).toEqual(['commit 0+2.5']);
    vmo.resizeSync(3 * PAGE_SIZE);
    expectBytes(
      readPages(vmo, 2),
      Uint8Array.from([...patternOf(2 * PAGE_SIZE, PAGE_SIZE / 2), ...new Uint8Array(PAGE_SIZE / 2)]),
    );
  });

  test('a single byte in the last page can be all that there is', () => {
    const { pager, vmo } = makePaged(1 + 1 / PAGE_SIZE);
    expect(readByte(vmo, 1)).toBe(first(1));
    expect(pager.heard()).toEqual([`commit 1+${1 / PAGE_SIZE}`]);
  });

  test('an object of no bytes asks nothing', async () => {
    const { pager, vmo } = makePaged(0);
    expect(vmo.readSync(0, new Uint8Array())).toHaveLength(0);
    vmo.commitSync();
    await vmo.prefetch();
    await vmo.sync();
    expect(pager.heard()).toEqual([]);
  });

  test('what a read does not need is not asked for, whatever else is missing', () => {
    const { pager, vmo } = makePaged(1000);
    expect(readByte(vmo, 999)).toBe(first(999));
    expect(readByte(vmo, 0)).toBe(first(0));
    expect(pager.heard()).toEqual(['commit 999+1', 'commit 0+1']);
  });

  test('empty ranges and calls that are refused ask nothing', () => {
    const { pager, vmo } = makePaged(2);
    vmo.readSync(PAGE_SIZE, new Uint8Array());
    vmo.writeSync(PAGE_SIZE, new Uint8Array());
    vmo.zeroSync({ offset: 5, length: 0 });
    vmo.commitSync({ offset: 5, length: 0 });
    expect(() => vmo.readSync(2 * PAGE_SIZE - 1, new Uint8Array(2))).toThrow(/not within/);
    expect(() => vmo.writeSync(2 * PAGE_SIZE, Uint8Array.of(1))).toThrow(/not within/);
    expect(pager.heard()).toEqual([]);
  });

  test('a write asks for the pages that it overwrites in part, and for their leave; not for whole ones', () => {
    const { pager, vmo } = makePaged(8);
    vmo.writeSync(2 * PAGE_SIZE - 1, new Uint8Array(3 * PAGE_SIZE + 2).fill(7));
    expect(pager.heard()).toEqual(['commit 1+1', 'commit 5+1', 'update 1+5']);
    expect(readByte(vmo, 1, PAGE_SIZE - 2)).toBe(pager.bytes[2 * PAGE_SIZE - 2]);
    expect(readByte(vmo, 1, PAGE_SIZE - 1)).toBe(7);
    expectBytes(readPages(vmo, 2, 3), new Uint8Array(3 * PAGE_SIZE).fill(7));
    expect(readByte(vmo, 5)).toBe(7);
    expect(readByte(vmo, 5, 1)).toBe(pager.bytes[5 * PAGE_SIZE + 1]);
  });

  test('a write of the last page up to the end of the object, in the middle of a page, asks for it', () => {
    const { pager, vmo } = makePaged(1.5);
    vmo.writeSync(0, new Uint8Array(1.5 * PAGE_SIZE).fill(7));
    expect(pager.heard()).toEqual(['commit 1+0.5', 'update 0+1.5']);
    expectBytes(vmo.readSync(0, new Uint8Array(1.5 * PAGE_SIZE)), new Uint8Array(1.5 * PAGE_SIZE).fill(7));
  });

  test('whole pages become zeros without being read, and parts are read', () => {
    const { pager, vmo } = makePaged(4);
    vmo.zeroSync({ offset: PAGE_SIZE, length: 2 * PAGE_SIZE });
    expect(pager.heard()).toEqual(['update 1+2']);
    expect(vmo.committedBytes).toBe(0);
    vmo.zeroSync({ offset: 10, length: 10 });
    expect(pager.heard()).toEqual(['commit 0+1', 'update 0+1']);
    const expected = patternOf(0, 4 * PAGE_SIZE)
      .fill(0, 10, 20)
      .fill(0, PAGE_SIZE, 3 * PAGE_SIZE);
    expectBytes(readPages(vmo, 0, 4), expected);
  });

  test('a decommitted page is dropped, and asked for again', () => {
    const { pager, vmo } = makePaged(4);
    readPages(vmo, 0, 4);
    pager.heard();
    vmo.decommit({ offset: PAGE_SIZE, length: 2 * PAGE_SIZE });
    expect(pager.heard()).toEqual(['decommit 1+1', 'decommit 2+1']);
    expect(vmo.committedBytes).toBe(2 * PAGE_SIZE);
    expect(vmo.isCommitted(PAGE_SIZE)).toBe(false);
    expectBytes(readPages(vmo, 0, 4), pager.bytes);
    expect(pager.heard()).toEqual(['commit 1+2']);
  });

  test('bytes are copied: what the pager does to its array later changes nothing', () => {
    const { pager, vmo } = makePaged(1);
    pager.commit = ({ length }) => {
      pager.bytes = new Uint8Array(length).fill(9);
      return pager.bytes;
    };
    expect(readByte(vmo, 0)).toBe(9);
    pager.bytes.fill(1);
    expect(readByte(vmo, 0)).toBe(9);
  });

  test('a slice and a reference ask for their part of the same pages', () => {
    const { pager, vmo } = makePaged(8);
    const slice = vmo.createChild({ kind: 'slice', offset: 2 * PAGE_SIZE, size: 3 * PAGE_SIZE });
    const reference = vmo.createChild({ kind: 'reference' });
    expectBytes(readPages(slice, 1), patternOf(3 * PAGE_SIZE, PAGE_SIZE));
    expect(pager.heard()).toEqual(['commit 3+1']);
    expectBytes(readPages(reference, 2, 3), patternOf(2 * PAGE_SIZE, 3 * PAGE_SIZE));
    expect(pager.heard()).toEqual(['commit 2+1', 'commit 4+1']);
    expectBytes(readPages(slice, 0, 3), patternOf(2 * PAGE_SIZE, 3 * PAGE_SIZE));
    expect(pager.heard()).toEqual([]);
  });

  test('page() brings the page in, and gives its frame', () => {
    const { objects, pager, vmo } = makePaged(2);
    using page = vmo.page(PAGE_SIZE + 3, 'read')!;
    expect(pager.heard()).toEqual(['commit 1+1']);
    expect(objects.memory.count(page.frame)).toBe(2);
  });

  test('inspect says what the pager has, and what is clean', () => {
    const { vmo } = makePaged(4);
    readByte(vmo, 1);
    expect(inspect(vmo).replace(/frame 0x[0-9a-f]+/, 'frame F')).toBe(
      [
        '* file (paged, 16384 bytes)',
        '      0x0-0x1000 -> pager',
        '      0x1000-0x2000 -> frame F, own, clean',
        '      0x2000-0x4000 -> pager',
      ].join('\n'),
    );
  });
});

describe('answers that are no good', () => {
  test('what the pager throws is the cause, and the next who reads asks again', () => {
    const { pager, vmo } = makePaged(4);
    const cause = new Error('the disk is on fire');
    pager.failures.set('commit', cause);
    const error = errorOf(() => readPages(vmo, 1, 2));
    expectPagerError(
      error,
      'the pager of file failed in commit of bytes 0x1000 to 0x3000: the disk is on fire',
      cause,
    );
    expect(vmo.committedBytes).toBe(0);
    pager.failures.clear();
    expectBytes(readPages(vmo, 1, 2), patternOf(PAGE_SIZE, 2 * PAGE_SIZE));
    expect(pager.heard()).toEqual(['commit 1+2', 'commit 1+2']);
  });

  test.each(['a string', undefined, null, 17])('%o can be thrown too', (cause) => {
    const { pager, vmo } = makePaged(1);
    pager.failures.set('commit', cause);
    const error = errorOf(() => readByte(vmo, 0));
    expectPagerError(error, String(cause));
    expect((error as Error).cause).toBe(cause);
  });

  test.each([0, 1, PAGE_SIZE - 1, PAGE_SIZE + 1, 2 * PAGE_SIZE])('%d bytes for a page', (length) => {
    const { pager, vmo } = makePaged(4);
    pager.commit = () => new Uint8Array(length);
    expectPagerError(
      errorOf(() => readByte(vmo, 0)),
      `gave ${length} bytes for 4096`,
    );
    expect(vmo.committedBytes).toBe(0);
  });

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a string', 'text'],
    ['a number', 5],
    ['an ArrayBuffer', new ArrayBuffer(PAGE_SIZE)],
    ['an array', Array.from({ length: PAGE_SIZE }, () => 1)],
    ['a Uint16Array', new Uint16Array(PAGE_SIZE)],
  ])('not a Uint8Array: %s', (_, answer) => {
    const { pager, vmo } = makePaged(4);
    pager.commit = () => answer as unknown as Uint8Array;
    expectPagerError(
      errorOf(() => readByte(vmo, 0)),
      /not a Uint8Array/,
    );
    expect(vmo.committedBytes).toBe(0);
  });

  test('a failure in the middle of a read leaves what came before', () => {
    const { pager, vmo } = makePaged(4);
    readByte(vmo, 1);
    pager.during.commit = ({ offset }) => {
      if (offset > 0) throw new Error('worn out');
    };
    expectPagerError(
      errorOf(() => readPages(vmo, 0, 4)),
      'worn out',
    );
    expect(vmo.committedBytes).toBe(2 * PAGE_SIZE);
    expectBytes(readPages(vmo, 0, 2), patternOf(0, 2 * PAGE_SIZE));
  });

  test('a failed read of a page that a write needs leaves nothing written', () => {
    const { pager, vmo } = makePaged(4);
    pager.failures.set('commit', new Error('worn out'));
    expectPagerError(
      errorOf(() => vmo.writeSync(10, new Uint8Array(2 * PAGE_SIZE).fill(7))),
      'worn out',
    );
    expect(vmo.committedBytes).toBe(0);
    pager.failures.clear();
    expectBytes(readPages(vmo, 0, 4), pager.bytes);
  });
});

describe('memory that runs out', () => {
  test('a read needs a frame for the first page, and no page is half there', () => {
    const { objects, pager, vmo } = makePaged(4);
    objects.memory.failAllocation(1);
    expect(() => readPages(vmo, 0, 4)).toThrow(OutOfMemory);
    expect(vmo.committedBytes).toBe(0);
    expectBytes(readPages(vmo, 0, 4), pager.bytes);
  });

  test('where there is no frame for a later page, the earlier ones are read, and it is asked for again', () => {
    const { objects, pager, vmo } = makePaged(4);
    objects.memory.failAllocation(3);
    expectBytes(readPages(vmo, 0, 4), pager.bytes);
    expect(pager.heard()).toEqual(['commit 0+4', 'commit 2+2']);
  });

  test.each([1, 2, 3, 4])('a write writes nothing where allocation %d fails', (nth) => {
    const { objects, vmo, pager } = makePaged(4);
    objects.memory.failAllocation(nth);
    expect(() => vmo.writeSync(10, new Uint8Array(3 * PAGE_SIZE).fill(7))).toThrow(OutOfMemory);
    expectBytes(readPages(vmo, 0, 4), patternOf(0, 4 * PAGE_SIZE));
    expect(pager.heard().filter((call) => call.startsWith('writeBack'))).toEqual([]);
    vmo.syncSync();
    expect(pager.heard()).toEqual([]);
  });
});

describe('statistics', () => {
  test('every count of what pagers do', () => {
    const { objects, pager, vmo } = makePaged(8);
    const zero = {
      objects: 1,
      snapshots: 0,
      pagesCopied: 0,
      pagesZeroed: 0,
      pagesSupplied: 0,
      pagesWrittenBack: 0,
      pagesEvicted: 0,
    };
    expect(objects.statistics()).toEqual(zero);
    readPages(vmo, 0, 3);
    vmo.supply(3 * PAGE_SIZE, patternOf(3 * PAGE_SIZE, PAGE_SIZE));
    expect(objects.statistics()).toEqual({ ...zero, pagesSupplied: 4 });
    // Clean pages of the object alone are written in place, and whole ones are not filled.
    writeByte(vmo, 0, 1);
    vmo.writeSync(5 * PAGE_SIZE, new Uint8Array(PAGE_SIZE));
    expect(objects.statistics()).toEqual({ ...zero, pagesSupplied: 4 });
    vmo.syncSync();
    expect(objects.statistics()).toEqual({ ...zero, pagesSupplied: 4, pagesWrittenBack: 2 });
    vmo.decommit();
    const child = vmo.createChild({ kind: 'snapshot' });
    writeByte(child, 1, 2);
    expect(objects.statistics()).toEqual({
      ...zero,
      objects: 2,
      snapshots: 1,
      pagesSupplied: 5,
      pagesCopied: 1,
      pagesWrittenBack: 2,
    });
    pager.failures.set('commit', new Error('no'));
    expect(() => readByte(vmo, 7)).toThrow(/no/);
    expect(objects.statistics().pagesSupplied).toBe(5);
  });

  test('what grows has pages of zeros, which count where they are written or committed', () => {
    const { objects, vmo } = makePaged(1, { resizable: true });
    vmo.resizeSync(4 * PAGE_SIZE);
    expect(objects.statistics().pagesZeroed).toBe(0);
    writeByte(vmo, 1, 1);
    expect(objects.statistics().pagesZeroed).toBe(1);
    vmo.commitSync({ offset: PAGE_SIZE });
    expect(objects.statistics().pagesZeroed).toBe(3);
  });
});

test('a pager can be no more than a function for its pages', () => {
  const objects = makeObjects();
  const vmo = objects.create({
    size: 2 * PAGE_SIZE,
    pager: { commit: ({ offset, length }) => new Uint8Array(length).fill(offset / PAGE_SIZE + 1) },
  });
  expect([readByte(vmo, 0), readByte(vmo, 1)]).toEqual([1, 2]);
  writeByte(vmo, 0, 9);
  expect(readByte(vmo, 0)).toBe(9);
  expect(() => vmo.syncSync()).toThrow(
    expect.objectContaining({
      code: 'ENOTSUP',
      message: expect.stringMatching(/is changed, and its pager takes no bytes back/) as unknown,
    }),
  );
  // Nobody could write it back, so nothing is lost that could have been kept.
  vmo.close();
});

test('two objects have each their own pager', () => {
  const objects = makeObjects();
  const [one, other] = [new TestPager(PAGE_SIZE), new TestPager(PAGE_SIZE)];
  other.bytes.fill(99);
  const [first1, second] = [one, other].map((pager) => objects.create({ size: PAGE_SIZE, pager }));
  expect([readByte(first1!, 0), readByte(second!, 0)]).toEqual([first(0), 99]);
  expect([one.heard(), other.heard()]).toEqual([['commit 0+1'], ['commit 0+1']]);
});
