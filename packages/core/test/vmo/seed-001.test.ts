/** The defects of seed 001 (Asterinas's `Vmo`), each a test that an implementation with it would fail. */
import { describe, expect, test } from 'vitest';
import { frameStart, PAGE_SIZE, physAddr } from '../../src/frame/index.js';
import { MAX_OBJECT_BYTES } from '../../src/vmo/index.js';
import {
  contents,
  expectAllOrNothing,
  expectRefusal,
  expectRejection,
  frameOfPage,
  Losses,
  NotingPager,
  pages,
  peek,
  peekAt,
  poke,
  readAll,
  SlowPager,
  snap,
  SNAPSHOT_KINDS,
  TIB,
  word,
  World,
} from './family.js';

const KINDS = ['slice', 'reference', ...SNAPSHOT_KINDS] as const;

describe('001.1: children commit nothing of their parent when they are made', () => {
  test.each(KINDS)('a %s of 4 TiB takes no frame, and is made where there is none', (kind) => {
    using world = new World();
    const parent = world.objects.create({ size: 4 * TIB });
    poke(parent, 3, 4);
    world.fill();
    const before = world.frames;
    const child = parent.createChild({ kind });
    expect([child.size, world.frames, world.memory.freeFrames]).toEqual([4 * TIB, before, 0]);
    expect([peek(child, 3), peek(child, 2), peekAt(child, 4 * TIB - 4)]).toEqual([4, 0, 0]);
    expect([child.isCommitted(3 * PAGE_SIZE), child.isCommitted(2 * PAGE_SIZE)]).toEqual([true, false]);
  });

  test('copies of pinned pages are all made, or none is and the call fails', () => {
    using world = new World();
    const parent = world.objects.create({ size: 4 * PAGE_SIZE, contiguous: true });
    for (const page of [0, 1, 2, 3]) poke(parent, page, page + 1);
    expectAllOrNothing(world, 4, () => parent.createChild({ kind: 'snapshot' }));
    expect(world.frames).toBe(8);
  });
});

describe('001.2: whether a parent’s later write shows in a child depends on the child’s kind alone', () => {
  const parents = {
    root: (world: World) => world.tagged(2),
    snapshot: (world: World) => snap(world.tagged(2), 0, 2),
    'snapshot of a snapshot': (world: World) => snap(snap(world.tagged(2), 0, 2), 0, 2),
    'snapshot that outlived its parent': (world: World) => {
      using root = world.tagged(2);
      return snap(root, 0, 2);
    },
    slice: (world: World) => world.tagged(2).createChild({ kind: 'slice' }),
    reference: (world: World) => world.tagged(2).createChild({ kind: 'reference' }),
    'one that has written its pages': (world: World) => {
      const vmo = snap(world.tagged(2), 0, 2);
      poke(vmo, 0, 1);
      poke(vmo, 1, 2);
      return vmo;
    },
    'one made of zeros': (world: World) => {
      const vmo = world.make(2);
      for (const page of [0, 1]) poke(vmo, page, page + 1);
      return vmo;
    },
  };

  test.each(Object.entries(parents))('of a %s', (_, make) => {
    using world = new World();
    const parent = make(world);
    const shared = [parent.createChild({ kind: 'slice' }), parent.createChild({ kind: 'reference' })];
    const own = SNAPSHOT_KINDS.map((kind) => snap(parent, 0, 2, { kind }));
    poke(parent, 0, 11);
    parent.writeSync(PAGE_SIZE, new Uint8Array(PAGE_SIZE).fill(7));
    for (const child of shared) expect(contents(child)).toEqual([11, 0x0707_0707]);
    for (const child of own) expect(contents(child)).toEqual([1, 2]);
    poke(own[0]!, 0, 12);
    expect([parent, ...shared, own[1]!].map((vmo) => peek(vmo, 0))).toEqual([11, 11, 11, 1]);
  });
});

describe('001.3: a commit of a child keeps what the child has from its parent', () => {
  test.each(SNAPSHOT_KINDS)('%s: it gets copies, not zeros', (kind) => {
    using world = new World();
    const parent = world.tagged(3);
    const child = snap(parent, 1, 3, { kind });
    child.commitSync();
    expect(contents(child)).toEqual([2, 3, 0]);
    expect(world.frames).toBe(6);
    expect(world.costs(parent, child)).toEqual(['3', '3']);
    // No write needs memory any more.
    world.fill();
    for (const page of [0, 1, 2]) poke(child, page, 9);
    expect(contents(parent)).toEqual([1, 2, 3]);
  });

  test('a slice’s pages are the parent’s, and stay as they are', () => {
    using world = new World();
    const parent = world.tagged(2);
    const slice = parent.createChild({ kind: 'slice' });
    slice.commitSync();
    expect(contents(slice)).toEqual([1, 2]);
    expect(world.frames).toBe(2);
  });

  test.each(SNAPSHOT_KINDS)('%s of an object with a pager: it gets what the pager has', (kind) => {
    using world = new World();
    const parent = world.make(2, { pager: new NotingPager() });
    const child = snap(parent, 0, 2, { kind });
    child.commitSync();
    expect(contents(child)).toEqual([100, 101]);
    poke(parent, 0, 1);
    expect(contents(child)).toEqual([100, 101]);
  });
});

describe('001.4: what a child has given up does not come back from its parent', () => {
  describe.each(SNAPSHOT_KINDS)('%s', (kind) => {
    const families = {
      'without a pager': (world: World) => world.tagged(3),
      'with a pager': (world: World) => world.make(3, { pager: new NotingPager() }),
    };

    test.each(Object.entries(families))('%s: a decommit leaves zeros', (_, make) => {
      using world = new World();
      const parent = make(world);
      const before = contents(parent);
      const child = snap(parent, 0, 3, { kind });
      poke(child, 1, 9);
      child.decommit(pages(0, 2));
      expect(contents(child)).toEqual([0, 0, before[2]]);
      expect([child.isCommitted(0), child.isCommitted(PAGE_SIZE)]).toEqual([false, false]);
      expect(contents(parent)).toEqual(before);
      expect(world.frames).toBe(3);
      // Nor do its own children get it from there.
      expect(contents(snap(child, 0, 3, { kind }))).toEqual([0, 0, before[2]]);
    });

    test.each(Object.entries(families))('%s: a cut and regrown part is zeros', (_, make) => {
      using world = new World();
      const parent = make(world);
      const before = contents(parent);
      const child = snap(parent, 0, 3, { kind, resizable: true });
      poke(child, 2, 9);
      child.resizeSync(PAGE_SIZE + 2);
      child.resizeSync(5 * PAGE_SIZE);
      const [, second] = before;
      expect(contents(child)).toEqual([before[0], second! & 0xffff, 0, 0, 0]);
      expect(contents(parent)).toEqual(before);
    });
  });
});

test('001.5: reading a child beyond what it has of its parent gives zeros and takes no frame, however often', () => {
  using world = new World();
  const parent = world.tagged(1);
  for (const kind of SNAPSHOT_KINDS) {
    const child = snap(parent, 0, 100, { kind });
    world.fill();
    for (let time = 0; time < 50; time++) {
      expect(contents(child)).toEqual([1, ...Array.from({ length: 99 }, () => 0)]);
    }
    expect(child.page(50 * PAGE_SIZE, 'read')).toBeUndefined();
    expect(child.committedBytes).toBe(PAGE_SIZE);
    world.giveBack();
  }
  expect(world.frames).toBe(1);
});

describe('001.6: a slice is its parent’s pages', () => {
  test('writes through it are dirty, are told to the pager, and go back through either', async () => {
    using world = new World();
    const pager = new NotingPager();
    const parent = world.make(4, { pager });
    const slice = parent.createChild({ kind: 'slice', offset: 2 * PAGE_SIZE });
    const of = slice.createChild({ kind: 'slice', offset: PAGE_SIZE });
    poke(slice, 0, 1);
    poke(of, 0, 2);
    expect(pager.news).toEqual(['commit 2+1', 'update 2+1', 'commit 3+1', 'update 3+1']);
    of.syncSync();
    await parent.sync();
    expect(pager.news).toEqual(['writeBack 3+1', 'writeBack 2+1']);
    expect([...pager.written]).toEqual([
      [3, 2],
      [2, 1],
    ]);
    slice.clearSync(pages(0, 1));
    expect(pager.news).toEqual(['update 2+1']);
    slice.syncSync();
    expect(pager.news).toEqual(['writeBack 2+1']);
  });

  test('it does not drift away after a decommit, of the parent or of itself', () => {
    using world = new World();
    const parent = world.tagged(3);
    const slice = parent.createChild({ kind: 'slice', offset: PAGE_SIZE });
    expect(contents(slice)).toEqual([2, 3]);
    parent.decommit(pages(1, 1));
    expect(contents(slice)).toEqual([0, 3]);
    poke(parent, 1, 7);
    slice.decommit(pages(1, 1));
    expect([contents(slice), contents(parent)]).toEqual([
      [7, 0],
      [1, 7, 0],
    ]);
    poke(slice, 1, 8);
    expect(contents(parent)).toEqual([1, 7, 8]);
    expect(world.frames).toBe(3);
  });
});

describe('001.7: the frames of a contiguous object are found by page', () => {
  test('each byte lies where its physical address says, on every page', () => {
    using world = new World();
    const vmo = world.objects.create({ size: 5 * PAGE_SIZE, contiguous: true });
    const first = vmo.physicalAddress(0);
    for (const offset of [0, 1, 4095, 4096, 4097, 8192, 3 * 4096 + 7, 5 * 4096 - 1]) {
      expect(vmo.physicalAddress(offset)).toBe(first + offset);
      vmo.writeSync(offset, Uint8Array.of(offset % 251));
      expect(world.memory.bytes[first + offset]).toBe(offset % 251);
    }
    for (const page of [0, 1, 2, 3, 4])
      expect(frameStart(frameOfPage(vmo, page)!)).toBe(first + page * PAGE_SIZE);
    expect(world.frames).toBe(5);
  });

  test('at a chosen place too', () => {
    using world = new World();
    const at = physAddr(100 * PAGE_SIZE);
    const vmo = world.objects.create({ size: 3 * PAGE_SIZE, contiguous: { at }, dma: true });
    expect([0, 1, 2].map((page) => frameOfPage(vmo, page))).toEqual([100, 101, 102]);
  });
});

describe('001.8: ranges are checked whole before anything changes', () => {
  const bad = [
    [0, 2 * PAGE_SIZE + 1],
    [2 * PAGE_SIZE + 1, 0],
    [2 * PAGE_SIZE, 1],
    [1, Number.MAX_SAFE_INTEGER],
    [Number.MAX_SAFE_INTEGER, 1],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [2 ** 64, 1],
    [2 ** 32, 1],
    [0, 2 ** 32],
    [-1, 1],
    [0, -1],
    [PAGE_SIZE, -PAGE_SIZE],
  ] as const;

  test.each(bad)('offset %d and length %d', async (offset, length) => {
    using world = new World();
    const vmo = world.tagged(2, { resizable: true });
    const range = { offset, length };
    const outside = 'are not within the 8192 bytes';
    for (const operate of [
      () => vmo.commitSync(range),
      () => vmo.decommit(range),
      () => vmo.clearSync(range),
      () => vmo.zeroSync(range),
      () => vmo.viewSync(range),
      () => vmo.syncSync(range),
    ]) {
      expectRefusal(world, operate, 'EINVAL', outside);
    }
    for (const operate of [
      () => vmo.commit(range),
      () => vmo.clear(range),
      () => vmo.zero(range),
      () => vmo.view(range),
      () => vmo.prefetch(range),
      () => vmo.sync(range),
      () => vmo.hint('dont-need', range),
    ]) {
      await expectRejection(world, operate, 'EINVAL', outside);
    }
  });

  test.each([
    [0, 8193],
    [8192, 1],
    [8193, 0],
    [Number.MAX_SAFE_INTEGER, 2],
    [2 ** 53, 0],
    [-1, 1],
  ])('bytes at %d, %d of them', async (offset, length) => {
    using world = new World();
    const vmo = world.tagged(2);
    const bytes = new Uint8Array(length);
    const outside = 'are not within the 8192 bytes';
    expectRefusal(world, () => vmo.readSync(offset, bytes), 'EINVAL', outside);
    expectRefusal(world, () => vmo.writeSync(offset, bytes), 'EINVAL', outside);
    await expectRejection(world, () => vmo.read(offset, bytes), 'EINVAL', outside);
    await expectRejection(world, () => vmo.write(offset, bytes), 'EINVAL', outside);
  });

  test('an empty range does nothing, on a page’s edge or not, and at the very end', async () => {
    using world = new World();
    const vmo = world.make(2);
    const nothing = new Uint8Array();
    for (const offset of [0, 5, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 2 * PAGE_SIZE]) {
      const range = { offset, length: 0 };
      vmo.readSync(offset, nothing);
      vmo.writeSync(offset, nothing);
      vmo.commitSync(range);
      vmo.clearSync(range);
      vmo.zeroSync(range);
      await Promise.all([vmo.write(offset, nothing), vmo.read(offset, nothing), vmo.commit(range)]);
      await Promise.all([vmo.clear(range), vmo.zero(range), vmo.prefetch(range)]);
    }
    vmo.decommit({ offset: PAGE_SIZE, length: 0 });
    expect(vmo.committedBytes).toBe(0);
    expect(world.frames).toBe(0);
  });

  test('a resize while an operation waits for the pager is seen by it', async () => {
    using world = new World();
    const pager = new SlowPager();
    const vmo = world.make(4, { pager, resizable: true });
    const whole = new Uint8Array(4 * PAGE_SIZE);
    const under = [
      vmo.read(0, whole),
      vmo.write(3 * PAGE_SIZE + 1, word(1)),
      vmo.commit(),
      vmo.zero({ offset: 3 * PAGE_SIZE + 1, length: 5 }),
    ].map((promise) => promise.catch((error: unknown) => error));
    vmo.resizeSync(2 * PAGE_SIZE);
    await pager.answer();
    const outside = { code: 'EINVAL', message: expect.stringContaining('not within') as unknown };
    // A commit goes on with what is left.
    const [read, written, committed, zeroed] = await Promise.all(under);
    expect([read, written, zeroed]).toMatchObject([outside, outside, outside]);
    expect([committed, vmo.committedBytes]).toEqual([undefined, 2 * PAGE_SIZE]);
    expect(vmo.size).toBe(2 * PAGE_SIZE);
    world.check();
  });

  test('a write, a clear and a commit that run out of memory at any page leave nothing behind', () => {
    using world = new World();
    const vmo = world.make(4);
    expectAllOrNothing(world, 3, () => vmo.writeSync(PAGE_SIZE / 2, new Uint8Array(2 * PAGE_SIZE).fill(1)));
    vmo.decommit();
    expectAllOrNothing(world, 3, () => vmo.clearSync({ offset: 10, length: 2 * PAGE_SIZE }));
    vmo.decommit();
    expectAllOrNothing(world, 4, () => vmo.commitSync());
    const child = snap(vmo, 0, 4);
    expectAllOrNothing(world, 2, () => child.writeSync(100, new Uint8Array(PAGE_SIZE)));
    expectAllOrNothing(world, 2, () => child.commitSync());
    expect(world.frames).toBe(8);
  });
});

describe('001.9: resize', () => {
  test('of what is not resizable is refused, up, down and to the same', async () => {
    using world = new World();
    const vmo = world.tagged(2);
    for (const vmoOf of [vmo, vmo.createChild({ kind: 'slice' }), snap(vmo, 0, 2)]) {
      for (const size of [0, PAGE_SIZE, 2 * PAGE_SIZE, 3 * PAGE_SIZE]) {
        expectRefusal(world, () => vmoOf.resizeSync(size), 'ENOTSUP', 'was not made resizable');
        await expectRejection(world, () => vmoOf.resize(size), 'ENOTSUP', 'was not made resizable');
      }
    }
    expectRefusal(world, () => vmo.resizeSync(MAX_OBJECT_BYTES + 1), 'EINVAL', 'give a whole number');
  });

  test('that shrinks reaches the mappings before the frames are freed', () => {
    using world = new World();
    const vmo = world.tagged(4, { resizable: true });
    const freed: number[] = [];
    using _ = vmo.observe({ pagesLost: (first, count) => void freed.push(first, count, world.frames) });
    vmo.resizeSync(PAGE_SIZE + 100);
    // Its cut page is lost too: it may have another frame now, or an end of zeros.
    expect(freed).toEqual([1, 3, 4]);
    expect(world.frames).toBe(2);
  });

  test.each([1, 100, PAGE_SIZE - 1])('zeroes the end of a page that is cut at %d bytes', (bytes) => {
    using world = new World();
    const vmo = world.make(2, { resizable: true });
    vmo.writeSync(0, new Uint8Array(2 * PAGE_SIZE).fill(7));
    vmo.resizeSync(bytes);
    expect(world.frames).toBe(1);
    vmo.resizeSync(2 * PAGE_SIZE);
    expect(readAll(vmo)).toEqual(new Uint8Array(2 * PAGE_SIZE).fill(7, 0, bytes));
  });
});

describe('001.10: a pager hears of every first write, and may use the object meanwhile', () => {
  test('from within update, commit and writeBack', async () => {
    using world = new World();
    const pager = new NotingPager();
    const vmo = world.make(8, { pager });
    pager.update = (range) => {
      pager.calls.push(`update ${range.offset / PAGE_SIZE}`);
      // Page 1 brings in page 3, and writes page 5, which updates once more.
      if (range.offset === PAGE_SIZE) poke(vmo, 5, peek(vmo, 3));
    };
    poke(vmo, 1, 1);
    expect(pager.news).toEqual(['commit 1+1', 'update 1', 'commit 3+1', 'commit 5+1', 'update 5']);
    expect([peek(vmo, 1), peek(vmo, 5)]).toEqual([1, 103]);
    let snapshot: number[] = [];
    pager.writeBack = (range) => {
      pager.calls.push(`writeBack ${range.offset / PAGE_SIZE}`);
      using child = vmo.createChild({ kind: 'snapshot' });
      snapshot = [peek(child, 1), peek(child, 5)];
    };
    await vmo.sync();
    expect(pager.news).toEqual(['writeBack 1', 'writeBack 5']);
    expect(snapshot).toEqual([1, 103]);
  });

  test('a write through a mapping is told, makes the page dirty, and goes back', () => {
    using world = new World();
    const pager = new NotingPager();
    const vmo = world.make(2, { pager });
    {
      using page = vmo.page(PAGE_SIZE, 'read')!;
      expect(pager.news).toEqual(['commit 1+1']);
      expect(world.memory.words[page.address / 4]).toBe(101);
      vmo.syncSync();
      expect(pager.news).toEqual([]);
    }
    {
      using page = vmo.page(PAGE_SIZE, 'write')!;
      expect(pager.news).toEqual(['update 1+1']);
      world.memory.words[page.address / 4] = 7;
    }
    vmo.syncSync();
    expect(pager.news).toEqual(['writeBack 1+1']);
    expect(pager.written.get(1)).toBe(7);
  });

  test('a mapping that may be written is lost when its page is written back: the next write is told again', () => {
    using world = new World();
    const pager = new NotingPager();
    const vmo = world.make(2, { pager });
    const losses = new Losses();
    using _ = vmo.observe(losses);
    vmo.page(0, 'write')!.close();
    expect(losses.news).not.toEqual([]);
    vmo.syncSync();
    expect(losses.news).toEqual(['0+1']);
    pager.calls.length = 0;
    vmo.page(0, 'write')!.close();
    expect(pager.news).toEqual(['update 0+1']);
  });
});

describe('001.11: every way to a page asks for its right, and says EACCES', () => {
  test('a frame for writing wants Write, and one for reading Read', () => {
    using world = new World();
    const vmo = world.tagged(1);
    const reader = vmo.duplicate().restrict('read').toDyn();
    expectRefusal(world, () => reader.page(0, 'write'), 'EACCES', 'needs the right write');
    expectRefusal(world, () => reader.viewSync(), 'EACCES', 'needs the right write');
    const writer = vmo.duplicate().restrict('write').toDyn();
    expectRefusal(world, () => writer.page(0, 'read'), 'EACCES', 'needs the right read');
    expectRefusal(world, () => writer.viewSync(), 'EACCES', 'needs the right read');
    const both = vmo.duplicate().restrict('read', 'write').toDyn();
    expectRefusal(world, () => both.createChild({ kind: 'slice' }), 'EACCES', 'needs the right dup');
    reader.page(0, 'read')!.close();
    writer.page(0, 'write')!.close();
  });
});

describe('001.12: rights do not grow', () => {
  test('restrict takes away, and never adds', () => {
    using world = new World();
    const vmo = world.make(1).restrict('dup', 'read').toDyn();
    expectRefusal(world, () => vmo.restrict('read', 'write'), 'EACCES', 'needs the right write');
    expectRefusal(world, () => vmo.restrict('exec'), 'EACCES', 'needs the right exec');
    expect(vmo.state).toBe('open');
    expect(vmo.restrict('read').rights).toEqual(['read']);
  });

  test.each(SNAPSHOT_KINDS)('a %s may be written, and is not executed too', (kind) => {
    using world = new World();
    const vmo = world.objects.create({ size: PAGE_SIZE, rights: ['dup', 'read', 'write', 'exec'] });
    expect(vmo.createChild({ kind }).rights).toEqual(['dup', 'read', 'write']);
    const wanted = { kind, rights: ['read', 'exec'] as const };
    expect(vmo.createChild(wanted).rights).toEqual(['read', 'exec']);
    const both = { kind, rights: ['write', 'exec'] as const };
    expectRefusal(world, () => vmo.createChild(both), 'EINVAL', 'is not written and executed');
  });
});
