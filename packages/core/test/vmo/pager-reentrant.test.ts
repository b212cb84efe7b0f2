/** Pagers that use the object that they fill, in the middle of a call. */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, Usage } from '../../src/frame/index.js';
import {
  errorOf,
  expectBytes,
  expectPagerError,
  first,
  makePaged,
  patternOf,
  readByte,
  readPages,
  writeByte,
} from './paged.js';

const page = (count = 1): Uint8Array => new Uint8Array(count * PAGE_SIZE);

/** Runs something in the first call alone. */
const once = (act: () => void): (() => void) => {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
};

describe('in commit, a pager', () => {
  test('reads other pages of the object', () => {
    const { pager, vmo } = makePaged(4);
    pager.during.commit = ({ offset }) => {
      if (offset > 0) readByte(vmo, offset / PAGE_SIZE - 1);
    };
    expect(readByte(vmo, 3)).toBe(first(3));
    expect(pager.heard()).toEqual(['commit 3+1', 'commit 2+1', 'commit 1+1', 'commit 0+1']);
    expect(vmo.committedBytes).toBe(4 * PAGE_SIZE);
  });

  test('cannot read the page that it is asked for: that would never end', () => {
    const { pager, vmo } = makePaged(4);
    pager.during.commit = () => readByte(vmo, 2);
    const error = errorOf(() => readPages(vmo, 1, 2));
    expectPagerError(error, 'the pager of file wants page 2, which it is being asked for');
    expectPagerError((error as Error).cause, 'the pager of file wants page 2, which it is being asked for');
    expect(vmo.committedBytes).toBe(0);
  });

  test('writes a page that it is asked for: what it wrote stays', () => {
    const { pager, vmo } = makePaged(4);
    pager.during.commit = once(() => vmo.writeSync(PAGE_SIZE, page().fill(7)));
    expect([...readPages(vmo, 0, 3)].filter((_, offset) => offset % PAGE_SIZE === 0)).toEqual([
      first(0),
      7,
      first(2),
    ]);
    vmo.syncSync();
    expect(pager.heard()).toEqual(['commit 0+3', 'update 1+1', 'writeBack 1+1']);
  });

  test('supplies what it is asked for, and what comes next: the first bytes stay', () => {
    const { pager, vmo } = makePaged(8);
    pager.during.commit = () => vmo.supply(0, page(4).fill(9));
    expect(readByte(vmo, 0)).toBe(9);
    expect(readByte(vmo, 3)).toBe(9);
    expect(pager.heard()).toEqual(['commit 0+1']);
  });

  test('closes the object: the read fails, and no frame is lost', () => {
    const { objects, pager, vmo } = makePaged(4);
    pager.during.commit = () => vmo.close();
    const free = objects.memory.freeFrames;
    expectPagerError(
      errorOf(() => readPages(vmo, 0, 2)),
      'its pager is closed',
    );
    expect(objects.memory.freeFrames).toBe(free);
    expect(objects.statistics().objects).toBe(0);
    expect(pager.heard()).toEqual(['commit 0+2', 'close']);
  });

  test('detaches itself: its answer is not taken', () => {
    const { pager, vmo } = makePaged(4);
    pager.during.commit = () => vmo.detachPager();
    expectPagerError(
      errorOf(() => readByte(vmo, 1)),
      'its pager is detached',
    );
    expect(vmo.committedBytes).toBe(0);
  });

  test('cuts the object: what lies beyond takes no frame, and a write there is refused', () => {
    const { pager, vmo } = makePaged(4, { resizable: true });
    pager.during.commit = once(() => vmo.resizeSync(1.5 * PAGE_SIZE));
    expect(errorOf(() => vmo.writeSync(PAGE_SIZE + 1, page(2)))).toMatchObject({ code: 'EINVAL' });
    expect(vmo.size).toBe(1.5 * PAGE_SIZE);
    vmo.resizeSync(4 * PAGE_SIZE);
    const expected = page(4);
    expected.set(patternOf(0, 1.5 * PAGE_SIZE));
    expectBytes(readPages(vmo, 0, 4), expected);
  });

  test('makes a snapshot, which has the page as it was', () => {
    const { pager, vmo } = makePaged(2);
    let child = vmo.createChild({ kind: 'snapshot', size: 0 });
    pager.during.commit = once(() => (child = vmo.createChild({ kind: 'snapshot' })));
    writeByte(vmo, 0, 7);
    expect([readByte(child, 0), readByte(vmo, 0)]).toEqual([first(0), 7]);
  });

  test('decommits all that is there', () => {
    const { pager, vmo } = makePaged(4);
    pager.during.commit = () => vmo.decommit();
    expect([0, 1, 2, 3].map((at) => readByte(vmo, at))).toEqual([0, 1, 2, 3].map(first));
    // Each call drops what came before it; what comes with it stays.
    expectBytes(readPages(vmo, 0, 4), pager.bytes);
  });
});

describe('in update, a pager', () => {
  test('reads and writes other pages', () => {
    const { pager, vmo } = makePaged(4);
    pager.during.update = once(() => writeByte(vmo, 3, readByte(vmo, 2)));
    writeByte(vmo, 0, 7);
    expect([readByte(vmo, 0), readByte(vmo, 3)]).toEqual([7, first(2)]);
    expect(pager.heard()).toEqual(['commit 0+1', 'update 0+1', 'commit 2+1', 'commit 3+1', 'update 3+1']);
  });

  test('closes the object: the write fails, and no frame is lost', () => {
    for (const what of ['part', 'whole', 'clear', 'zero', 'view'] as const) {
      const { objects, pager, vmo } = makePaged(4);
      readPages(vmo, 0, 2);
      pager.during.update = () => vmo.close({ unwritten: 'discard' });
      expect(
        errorOf(() => {
          if (what === 'part') writeByte(vmo, 0, 7);
          else if (what === 'whole') vmo.writeSync(0, page(3));
          else if (what === 'clear') vmo.clearSync();
          else if (what === 'zero') vmo.zeroSync();
          else vmo.viewSync();
        }),
      ).toMatchObject({ code: 'EBADF' });
      expect(objects.statistics().objects).toBe(0);
      expect(objects.memory.freeFrames).toBe(objects.memory.totalFrames - objects.memory.firstAllocatable);
    }
  });

  test.each(['write', 'zero'] as const)('cuts the object: a %s fails, and changes nothing', (what) => {
    const { objects, pager, vmo } = makePaged(4, { resizable: true });
    pager.during.update = once(() => vmo.resizeSync(PAGE_SIZE));
    expect(
      errorOf(() => {
        if (what === 'write') vmo.writeSync(0, page(2));
        else vmo.zeroSync({ length: 2 * PAGE_SIZE });
      }),
    ).toMatchObject({ code: 'EINVAL' });
    expect(objects.audit()).toEqual([]);
    expect(vmo.size).toBe(PAGE_SIZE);
    expectBytes(readPages(vmo, 0), patternOf(0, PAGE_SIZE));
  });

  test('detaches itself: the write goes on', () => {
    const { pager, vmo } = makePaged(4);
    pager.during.update = () => vmo.detachPager();
    writeByte(vmo, 0, 7);
    expect(readByte(vmo, 0)).toBe(7);
  });

  test('makes a snapshot, which has the page as it was', () => {
    const { pager, vmo } = makePaged(2);
    let child = vmo.createChild({ kind: 'snapshot', size: 0 });
    pager.during.update = once(() => (child = vmo.createChild({ kind: 'snapshot' })));
    vmo.writeSync(0, page().fill(7));
    expect([readByte(child, 0), readByte(vmo, 0)]).toEqual([first(0), 7]);
  });
});

describe('in writeBack, a pager', () => {
  test('reads the object, and writes the very page, which is dirty still', () => {
    const { pager, vmo } = makePaged(2);
    writeByte(vmo, 0, 7);
    pager.during.writeBack = once(() => writeByte(vmo, 0, readByte(vmo, 0) + 1));
    vmo.syncSync();
    expect([pager.bytes[0], readByte(vmo, 0)]).toEqual([7, 8]);
    expect(() => vmo.close()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    vmo.syncSync();
    expect(pager.bytes[0]).toBe(8);
    vmo.close();
  });

  test('cannot wait for a write-back, for it is one', () => {
    const { pager, vmo } = makePaged(2);
    writeByte(vmo, 0, 7);
    pager.during.writeBack = () => vmo.syncSync();
    const error = errorOf(() => vmo.syncSync());
    expectPagerError(error, 'failed in writeBack');
    expect((error as Error).cause).toMatchObject({ code: 'EAGAIN' });
    delete pager.during.writeBack;
    vmo.syncSync();
    expect(pager.bytes[0]).toBe(7);
  });

  test('closes the object: the rest is lost, as was said', () => {
    const { objects, pager, vmo } = makePaged(4);
    for (const at of [0, 2]) writeByte(vmo, at, 7);
    pager.during.writeBack = () => vmo.close({ unwritten: 'discard' });
    vmo.syncSync();
    expect(objects.statistics().objects).toBe(0);
    expect(pager.bytes[2 * PAGE_SIZE]).toBe(first(2));
  });

  test('cuts the object: what is cut is not written back', () => {
    const { pager, vmo } = makePaged(4, { resizable: true });
    for (const at of [0, 2]) writeByte(vmo, at, 7);
    pager.heard();
    pager.during.writeBack = once(() => vmo.resizeSync(PAGE_SIZE));
    vmo.syncSync();
    vmo.syncSync();
    expect(pager.heard()).toEqual(['writeBack 0+1', 'resize 0+1']);
  });

  test('detaches itself: the rest has nowhere to go', () => {
    const { pager, vmo } = makePaged(4);
    for (const at of [0, 2]) writeByte(vmo, at, 7);
    pager.during.writeBack = () => vmo.detachPager();
    expect(errorOf(() => vmo.syncSync())).toMatchObject({ code: 'ENOTSUP' });
    expect(pager.heard().filter((call) => call.startsWith('writeBack'))).toEqual(['writeBack 0+1']);
  });
});

describe('in the other calls, a pager', () => {
  test('that is told the size cuts the object again: it is told that too, at the next sync', () => {
    const { pager, vmo } = makePaged(2, { resizable: true });
    vmo.resizeSync(4 * PAGE_SIZE);
    pager.during.resize = once(() => vmo.resizeSync(PAGE_SIZE));
    vmo.syncSync();
    vmo.syncSync();
    expect(pager.heard()).toEqual(['resize 0+4', 'resize 0+1']);
    expectBytes(pager.bytes, patternOf(0, PAGE_SIZE));
  });

  test('that hears of a dropped page writes another, which is not dropped', () => {
    const { pager, vmo } = makePaged(4);
    readPages(vmo, 0, 4);
    pager.during.decommit = once(() => writeByte(vmo, 2, 7));
    vmo.decommit();
    expect(readByte(vmo, 2)).toBe(7);
    vmo.syncSync();
    expect(pager.bytes[2 * PAGE_SIZE]).toBe(7);
  });

  test('that hears of an evicted page closes the object: the frame that was wanted is found', () => {
    const { objects, pager, vmo } = makePaged(200);
    let pages = 0;
    while (objects.memory.freeFrames > 0) readByte(vmo, pages++);
    pager.during.decommit = once(() => vmo.close());
    const frame = objects.memory.allocate(Usage.Kernel);
    expect(vmo.state).toBe('closed');
    objects.memory.release(frame);
    expect(objects.memory.freeFrames).toBe(pages);
  });

  test.each(['write', 'close'] as const)(
    'that hears of an evicted page has a %s of what the room is for',
    (what) => {
      const { objects, pager, vmo } = makePaged(200);
      let pages = 0;
      while (objects.memory.freeFrames > 0) readByte(vmo, pages++);
      pager.during.decommit = once(() => {
        if (what === 'write') vmo.writeSync(100 * PAGE_SIZE, page().fill(7));
        else vmo.close();
      });
      if (what === 'write') expect(readByte(vmo, 100)).toBe(7);
      else
        expectPagerError(
          errorOf(() => readByte(vmo, 100)),
          'its pager is closed',
        );
      expect(objects.audit()).toEqual([]);
    },
  );

  test('that is closed cannot use the object any more', () => {
    const { pager, vmo } = makePaged(2);
    readByte(vmo, 0);
    let error: unknown;
    pager.during.close = () => (error = errorOf(() => readByte(vmo, 0)));
    vmo.close();
    expect(error).toMatchObject({ code: 'EBADF' });
  });

  test('that is detached can read what is there', () => {
    const { pager, vmo } = makePaged(2);
    readByte(vmo, 0);
    let seen = -1;
    pager.during.close = () => (seen = readByte(vmo, 0));
    vmo.detachPager();
    expect(seen).toBe(first(0));
  });
});

describe('a pager over another object of the same RAM', () => {
  test('both have their pages, and give them back in turn', () => {
    const { objects, pager, vmo } = makePaged(100);
    const above = objects.create({
      size: vmo.size,
      pager: {
        commit: ({ offset, length }) => vmo.readSync(offset, new Uint8Array(length)),
        writeBack: ({ offset }, bytes) => vmo.writeSync(offset, bytes),
      },
    });
    expectBytes(readPages(above, 0, 100), pager.bytes);
    for (let at = 0; at < 100; at += 9) {
      writeByte(above, at, at);
      above.syncSync();
      vmo.syncSync();
    }
    for (let at = 0; at < 100; at += 9) {
      expect([readByte(above, at), readByte(vmo, at), pager.bytes[at * PAGE_SIZE]]).toEqual([at, at, at]);
    }
    expect(readByte(above, 1)).toBe(first(1));
    expect(objects.statistics().pagesEvicted).toBeGreaterThan(100);
    above.close();
  });

  test('a failure below is the cause of the one above', () => {
    const { objects, pager, vmo } = makePaged(1);
    const above = objects.create({
      size: PAGE_SIZE,
      name: 'above',
      pager: { commit: ({ offset, length }) => vmo.readSync(offset, new Uint8Array(length)) },
    });
    const cause = new Error('worn out');
    pager.failures.set('commit', cause);
    const error = errorOf(() => readByte(above, 0));
    expectPagerError(error, 'the pager of above failed in commit');
    expectPagerError((error as Error).cause, 'the pager of file failed in commit', cause);
  });
});
