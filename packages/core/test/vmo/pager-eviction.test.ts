/** Clean pages go when frames are short: which, in which order, and that what is read stays right. */
import { describe, expect, test, vi } from 'vitest';
import { type FrameNumber, OutOfMemory, PAGE_SIZE, Usage } from '../../src/frame/index.js';
import type { Vmo } from '../../src/vmo/index.js';
import { Random } from '../support/random.js';
import {
  expectBytes,
  first,
  makePaged,
  type Paged,
  patternOf,
  readByte,
  readPages,
  settle,
  TestPager,
  writeByte,
} from './paged.js';

const page = (count = 1): Uint8Array => new Uint8Array(count * PAGE_SIZE);

/** The pages that have frames. */
const present = (vmo: Vmo<'read'>): number[] => {
  const pages: number[] = [];
  for (let at = 0; at * PAGE_SIZE < vmo.size; at++) {
    if (vmo.isCommitted(at * PAGE_SIZE)) pages.push(at);
  }
  return pages;
};

/** Reads pages 0, 1, 2 … until no frame is free. @returns how many. */
const fillRam = ({ objects, vmo }: Paged): number => {
  let pages = 0;
  while (objects.memory.freeFrames > 0) readByte(vmo, pages++);
  return pages;
};

/** A paged object that has taken all of a small RAM, and a way to ask for frames that are not there. */
const makeFull = (pages = 200): Paged & { readonly full: number; take(frames: number): number[] } => {
  const paged = makePaged(pages, { frames: 64 });
  const full = fillRam(paged);
  paged.pager.heard();
  return {
    ...paged,
    full,
    /** Takes frames for something else. @returns the pages that went for them. */
    take: (frames) => {
      const { memory } = paged.objects;
      const before = present(paged.vmo);
      const taken: FrameNumber[] = [];
      try {
        while (taken.length < frames) taken.push(memory.allocate(Usage.Kernel));
        const after = new Set(present(paged.vmo));
        return before.filter((at) => !after.has(at));
      } finally {
        for (const frame of taken) memory.release(frame);
      }
    },
  };
};

describe('a RAM of a few dozen frames', () => {
  test('an object of thousands of pages is read from end to end, and is right', () => {
    const { objects, pager, vmo } = makePaged(3000);
    for (let at = 0; at < 3000; at++) expect(readByte(vmo, at, at % PAGE_SIZE)).toBe(pager.bytes[at * 4097]);
    const { pagesSupplied, pagesEvicted } = objects.statistics();
    expect(pagesSupplied).toBe(3000);
    expect(pagesEvicted).toBe(3000 - vmo.committedBytes / PAGE_SIZE);
    expect(pager.heard().filter((call) => call.startsWith('decommit'))).toHaveLength(pagesEvicted);
  });

  test('one read of more than RAM has every byte, and asks for each page about once', () => {
    const { objects, pager, vmo } = makePaged(1000);
    expectBytes(vmo.readSync(7, new Uint8Array(999 * PAGE_SIZE)), patternOf(7, 999 * PAGE_SIZE));
    expect(objects.statistics().pagesSupplied).toBe(1000);
    expect(pager.heard()[0]).toBe('commit 0+256');
  });

  test('reads of more than RAM at once, of a pager that answers later, have every byte', async () => {
    const { vmo } = makePaged(900, { answers: 'later' });
    const starts = [0, 100, 500, 250];
    const reads = await Promise.all(starts.map((start) => vmo.read(start * PAGE_SIZE, page(400))));
    for (const [index, bytes] of reads.entries()) {
      expectBytes(bytes, patternOf(starts[index]! * PAGE_SIZE, 400 * PAGE_SIZE));
    }
  });

  test('what is prefetched does not drive itself out as it comes', async () => {
    const { objects, pager, vmo } = makePaged(600);
    await vmo.prefetch();
    expect(objects.statistics().pagesSupplied).toBe(600);
    expect(pager.heard().filter((call) => call.startsWith('commit')).length).toBeLessThan(30);
  });

  test('a write of more than RAM fails whole', () => {
    const { pager, vmo } = makePaged(100);
    writeByte(vmo, 50, 7);
    expect(() => vmo.writeSync(0, page(100))).toThrow(OutOfMemory);
    expect(present(vmo)).toContain(50);
    const expected = patternOf(0, 100 * PAGE_SIZE);
    expected[50 * PAGE_SIZE] = 7;
    expectBytes(readPages(vmo, 0, 100), expected);
    vmo.syncSync();
    expect(pager.heard().filter((call) => call.startsWith('writeBack'))).toEqual(['writeBack 50+1']);
  });

  test('so does a commit', () => {
    const { vmo } = makePaged(100);
    expect(() => vmo.commitSync()).toThrow(OutOfMemory);
    expectBytes(readPages(vmo, 0, 100), patternOf(0, 100 * PAGE_SIZE));
  });

  test('it is written from end to end, with a sync now and then', () => {
    const { pager, vmo } = makePaged(1000);
    for (let at = 0; at < 1000; at++) {
      writeByte(vmo, at, at % 250, 5);
      if (at % 40 === 39) vmo.syncSync();
    }
    for (let at = 0; at < 1000; at++) {
      expect([readByte(vmo, at, 5), readByte(vmo, at)]).toEqual([at % 250, first(at)]);
    }
    vmo.syncSync();
    expect(pager.bytes[999 * PAGE_SIZE + 5]).toBe(999 % 250);
  });

  test('where nothing is clean, memory runs out, and a sync makes room', () => {
    const { vmo } = makePaged(100);
    let at = 0;
    expect(() => {
      for (; at < 100; at++) writeByte(vmo, at, 9);
    }).toThrow(OutOfMemory);
    expect(vmo.committedBytes).toBe(at * PAGE_SIZE);
    expect(() => readByte(vmo, 99)).toThrow(OutOfMemory);
    vmo.syncSync();
    for (; at < 100; at++) {
      writeByte(vmo, at, 9);
      vmo.syncSync();
    }
    expectBytes(
      readPages(vmo, 0, 100),
      patternOf(0, 100 * PAGE_SIZE).map((byte, offset) => (offset % PAGE_SIZE === 0 ? 9 : byte)),
    );
  });

  test('reads and writes of two objects and a plain one, in any order, agree with arrays', async () => {
    const random = new Random(11);
    const { objects, pager, vmo } = makePaged(150, { answers: 'later' });
    const otherPager = new TestPager(100 * PAGE_SIZE);
    const other = objects.create({ size: otherPager.size, pager: otherPager });
    const plain = objects.create({ size: 8 * PAGE_SIZE });
    const models = [
      { object: vmo, bytes: pager.bytes.slice() },
      { object: other, bytes: otherPager.bytes.slice() },
      { object: plain, bytes: page(8) },
    ];
    for (let step = 0; step < 1500; step++) {
      const { object, bytes } = random.pick(models);
      const length = random.below(3 * PAGE_SIZE);
      const offset = random.below(bytes.length - length);
      const choice = random.below(8);
      if (choice < 4) {
        expectBytes(
          await object.read(offset, new Uint8Array(length)),
          bytes.subarray(offset, offset + length),
        );
      } else if (choice < 6) {
        const from = new Uint8Array(length).fill(random.below(256));
        await object.write(offset, from);
        bytes.set(from, offset);
      } else if (choice === 6) {
        await object.zero({ offset, length });
        bytes.fill(0, offset, offset + length);
      }
      if (step % 5 === 0) await Promise.all([vmo.sync(), other.sync()]);
    }
    for (const { object, bytes } of models)
      expectBytes(await object.read(0, new Uint8Array(bytes.length)), bytes);
    await Promise.all([vmo.sync(), other.sync()]);
    expectBytes(pager.bytes, models[0]!.bytes);
    expectBytes(otherPager.bytes, models[1]!.bytes);
    expect(objects.statistics().pagesEvicted).toBeGreaterThan(100);
  });
});

describe('which pages go', () => {
  test('a frame for anything at all is found, and the pager hears what went', () => {
    const { full, objects, pager, take, vmo } = makeFull();
    expect(objects.memory.freeFrames).toBe(0);
    const gone = take(1);
    // A few more than were wanted, for more will be.
    expect(gone).toHaveLength(32);
    expect(pager.heard().toSorted()).toEqual(gone.map((at) => `decommit ${at}+1`).toSorted());
    expect(objects.statistics().pagesEvicted).toBe(32);
    expect(present(vmo)).toHaveLength(full - 32);
  });

  test('other memory objects get frames from it, and failing that nobody does', () => {
    const { full, objects, vmo } = makeFull();
    const plain = objects.create({ size: 100 * PAGE_SIZE });
    plain.commitSync({ length: full * PAGE_SIZE });
    expect(present(vmo)).toEqual([]);
    expect(() => plain.commitSync()).toThrow(OutOfMemory);
    plain.decommit();
    expect(readByte(vmo, 3)).toBe(first(3));
  });

  test('pages that nobody will want go first, those that are always wanted go last', async () => {
    const { full, take, vmo } = makeFull();
    await vmo.hint('dont-need', { offset: 20 * PAGE_SIZE, length: 4 * PAGE_SIZE });
    await vmo.hint('always-need', { offset: 0, length: 4 * PAGE_SIZE });
    await vmo.hint('always-need', { offset: 40 * PAGE_SIZE, length: 4 * PAGE_SIZE });
    const gone = take(1);
    expect(gone).toEqual(expect.arrayContaining([20, 21, 22, 23]));
    const kept = [0, 1, 2, 3, 40, 41, 42, 43];
    expect(gone.filter((at) => kept.includes(at))).toEqual([]);
    take(full - 8);
    expect(present(vmo)).toEqual(kept);
    take(full - 7);
    expect(present(vmo).length).toBeLessThan(8);
  });

  test('the later hint holds', async () => {
    const { full, take, vmo } = makeFull();
    await vmo.hint('dont-need');
    await vmo.hint('always-need', { offset: 0, length: 2 * PAGE_SIZE });
    await vmo.hint('always-need', { offset: 5 * PAGE_SIZE, length: PAGE_SIZE });
    await vmo.hint('dont-need', { offset: 5 * PAGE_SIZE, length: PAGE_SIZE });
    take(full - 2);
    expect(present(vmo)).toEqual([0, 1]);
  });

  test('dont-need brings nothing in', async () => {
    const { pager, vmo } = makePaged(4);
    await vmo.hint('dont-need');
    expect(pager.heard()).toEqual([]);
    expect(vmo.committedBytes).toBe(0);
  });

  test('a hint through a slice or a child is about the pages of the pager', async () => {
    const { full, take, vmo } = makeFull();
    const slice = vmo.createChild({ kind: 'slice', offset: 8 * PAGE_SIZE, size: 2 * PAGE_SIZE });
    const child = vmo.createChild({
      kind: 'snapshot-at-least-on-write',
      offset: 16 * PAGE_SIZE,
      size: 4 * PAGE_SIZE,
    });
    await slice.hint('always-need');
    await child.hint('always-need', { offset: PAGE_SIZE, length: 2 * PAGE_SIZE });
    take(full - 4);
    expect(present(vmo)).toEqual([8, 9, 17, 18]);
  });

  test('a hint on an object without a pager changes nothing', async () => {
    const { objects } = makePaged(1);
    const plain = objects.create({ size: 4 * PAGE_SIZE });
    writeByte(plain, 1, 1);
    await plain.hint('dont-need');
    await plain.hint('always-need');
    expect(present(plain)).toEqual([1]);
  });

  test('pages that were used since the hand passed go after those that were not', () => {
    const { full, take, vmo } = makeFull();
    take(1);
    // The hand has been round: nothing counts as used now but what is used from here on.
    const left = present(vmo);
    expect(left).toHaveLength(full - 32);
    const used = left.filter((_, index) => index % 3 === 0);
    for (const at of used) readByte(vmo, at);
    take(full - used.length);
    expect(present(vmo)).toEqual(used);
  });

  test('changed pages stay, pinned pages stay, pages being written back stay', async () => {
    const { full, pager, take, vmo } = makeFull();
    using _view = vmo.viewSync({ offset: 3 * PAGE_SIZE, length: 2 * PAGE_SIZE });
    vmo.syncSync();
    writeByte(vmo, 7, 1);
    vmo.zeroSync({ offset: 9 * PAGE_SIZE, length: PAGE_SIZE });
    writeByte(vmo, 11, 1);
    pager.answers = 'held';
    const sync = vmo.sync({ offset: 11 * PAGE_SIZE, length: PAGE_SIZE });
    await settle();
    take(full - 4);
    expect(present(vmo)).toEqual([3, 4, 7, 11]);
    expect(() => take(full - 3)).toThrow(OutOfMemory);
    pager.finishNext();
    await sync;
    pager.answers = 'now';
    vmo.syncSync({ offset: 7 * PAGE_SIZE, length: PAGE_SIZE });
    take(full - 2);
    expect(present(vmo)).toEqual([3, 4]);
  });

  test('pages that a snapshot has too stay, for that frees no frame; and go when it is gone', () => {
    const { full, take, vmo } = makeFull();
    const child = vmo.createChild({ kind: 'snapshot', offset: 0, size: 10 * PAGE_SIZE });
    const tail = vmo.createChild({ kind: 'snapshot' });
    tail.close();
    take(full - 10);
    expect(present(vmo)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    child.close();
    take(full);
    expect(present(vmo)).toEqual([]);
  });

  test('a frame that someone has a handle to stays', () => {
    const { full, take, vmo } = makeFull();
    {
      using _page = vmo.page(5 * PAGE_SIZE, 'read')!;
      take(full - 1);
      expect(present(vmo)).toEqual([5]);
    }
    take(full);
    expect(present(vmo)).toEqual([]);
  });

  test('what a child has written stays, and what it sees of the parent comes again', () => {
    const { full, take, vmo } = makeFull();
    const child = vmo.createChild({ kind: 'snapshot-at-least-on-write' });
    writeByte(child, 3, 7);
    take(full - 1);
    expect(present(vmo)).toEqual([]);
    expect(present(child)).toEqual([3]);
    expect([readByte(child, 3), readByte(child, 4)]).toEqual([7, first(4)]);
  });

  test('nothing goes of an object whose pager is detached', () => {
    const { full, take, vmo } = makeFull();
    vmo.detachPager();
    expect(() => take(1)).toThrow(OutOfMemory);
    expect(present(vmo)).toHaveLength(full);
  });

  test('nothing goes that the pager has only in part', () => {
    const paged = makePaged(3, { resizable: true });
    const { objects, vmo } = paged;
    vmo.resizeSync(1.5 * PAGE_SIZE);
    vmo.resizeSync(3 * PAGE_SIZE);
    vmo.commitSync();
    const free = objects.memory.freeFrames;
    const taken = Array.from({ length: free + 1 }, () => objects.memory.allocate(Usage.Kernel));
    // Page 0 can be had again; page 1 is half the pager's, page 2 is none of it.
    expect(present(vmo)).toEqual([1, 2]);
    for (const frame of taken) objects.memory.release(frame);
  });

  test('a last page that is only a part of one goes too', () => {
    const { objects, pager, vmo } = makePaged(2.5);
    readByte(vmo, 2);
    const taken: FrameNumber[] = [];
    const free = objects.memory.freeFrames;
    while (taken.length <= free) taken.push(objects.memory.allocate(Usage.Kernel));
    expect(present(vmo)).toEqual([]);
    for (const frame of taken) objects.memory.release(frame);
    expect(pager.heard()).toEqual(['commit 2+0.5', 'decommit 2+0.5']);
    expect(readByte(vmo, 2)).toBe(first(2));
  });

  test('an observer hears of a page before its frame is free', () => {
    const { full, objects, take, vmo } = makeFull();
    const lost: number[] = [];
    using _observing = vmo.observe({
      pagesLost: (at, pages) => {
        expect(pages).toBe(1);
        expect(objects.memory.freeFrames).toBe(lost.length);
        lost.push(at);
      },
    });
    expect(take(1)).toEqual(lost.toSorted((one, other) => one - other));
    expect(lost).toHaveLength(32);
    expect(full).toBeGreaterThan(32);
  });

  test('the pages that a write is about to fill are not taken for its own frames', () => {
    const { full, vmo } = makeFull();
    // All of them are clean and there: the write needs each as it is, and two frames more.
    const child = vmo.createChild({ kind: 'snapshot-at-least-on-write' });
    child.writeSync(10 * PAGE_SIZE + 1, new Uint8Array(2 * PAGE_SIZE).fill(7));
    expect(readByte(child, 10)).toBe(first(10));
    expect(readByte(child, 12, 1)).toBe(patternOf(12 * PAGE_SIZE + 1, 1)[0]);
    expect(present(child)).toEqual([10, 11, 12]);
    expect(full).toBeGreaterThan(0);
  });

  test('a closed object is not looked at any more', () => {
    const { full, objects, take, vmo } = makeFull();
    vmo.close();
    expect(objects.memory.freeFrames).toBe(full);
    expect(() => {
      for (let round = 0; round < 2; round++) {
        const frames = Array.from({ length: full }, () => objects.memory.allocate(Usage.Kernel));
        for (const frame of frames) objects.memory.release(frame);
      }
    }).not.toThrow();
    expect(take).toBeTypeOf('function');
  });
});

describe('what eviction looks at', () => {
  /** How often pages of an object are looked up while something is done. */
  const looksAt = ({ reach }: Vmo<'read'>, act: () => void): number => {
    const spy = vi.spyOn(reach.object.pages, 'get');
    try {
      act();
      return spy.mock.calls.length;
    } finally {
      spy.mockRestore();
    }
  };

  /** An object that has taken all of a RAM of hundreds of frames. */
  const makeLarge = (): Paged & { readonly full: number; takeOne(): void } => {
    const paged = makePaged(2000, { frames: 640 });
    return {
      ...paged,
      full: fillRam(paged),
      takeOne: () => {
        const { memory } = paged.objects;
        memory.release(memory.allocate(Usage.Kernel));
      },
    };
  };

  test('is a few pages beyond the hand, where no page goes first', () => {
    const { full, objects, takeOne, vmo } = makeLarge();
    expect(full).toBeGreaterThan(500);
    // The hand goes round, and takes the marks of use from all.
    expect(looksAt(vmo, takeOne)).toBeGreaterThanOrEqual(full);
    for (let page = full; objects.memory.freeFrames > 0; page++) readByte(vmo, page);
    // For each of 32 pages, whether it may go, and whether somebody maps it.
    expect(looksAt(vmo, takeOne)).toBe(2 * 32);
  });

  test('is those that go first alone, wherever they are', async () => {
    const { full, objects, takeOne, vmo } = makeLarge();
    const hinted = Array.from({ length: 32 }, (_, index) => full - 5 * index - 1).toReversed();
    for (const page of hinted) await vmo.hint('dont-need', { offset: page * PAGE_SIZE, length: PAGE_SIZE });
    expect(looksAt(vmo, takeOne)).toBe(2 * 32);
    expect(objects.memory.freeFrames).toBe(32);
    expect(present(vmo)).toEqual(
      Array.from({ length: full }, (_, page) => page).filter((page) => !hinted.includes(page)),
    );
  });

  test('is nothing of what is changed', () => {
    const { objects, pager, vmo } = makePaged(500, { frames: 640 });
    for (let page = 0; page < 500; page++) writeByte(vmo, page, 1);
    const other = objects.create({ size: pager.size, pager: new TestPager(pager.size) });
    const pages = fillRam({ objects, pager, vmo: other });
    const looks = looksAt(vmo, () => {
      for (let page = pages; page < pages + 200; page++) readByte(other, page);
    });
    expect(looks).toBe(0);
    expect(objects.statistics().pagesEvicted).toBeGreaterThanOrEqual(200);
  });

  test('is each page once, where none can go', () => {
    const { full, objects, vmo } = makeLarge();
    const child = vmo.createChild({ kind: 'snapshot' });
    expect(looksAt(vmo, () => expect(() => objects.memory.allocate(Usage.Kernel)).toThrow(OutOfMemory))).toBe(
      full,
    );
    child.close();
  });
});
