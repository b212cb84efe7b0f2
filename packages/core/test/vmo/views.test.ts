/** Views: bytes of an object where they lie in RAM. */
import { describe, expect, test } from 'vitest';
import { type PageView } from '../../src/vmo/index.js';
import {
  contents,
  expectAllOrNothing,
  expectRefusal,
  expectRejection,
  frameOfPage,
  NotingPager,
  PAGE,
  pages,
  peek,
  poke,
  readAll,
  SlowPager,
  snap,
  SNAPSHOT_KINDS,
  Losses,
  word,
  World,
} from './family.js';

/** All bytes of a view, in order. */
const bytesOf = (view: PageView): number[] => view.pieces.flatMap(({ bytes }) => [...bytes]);

const layout = (view: PageView): number[][] => view.pieces.map(({ offset, bytes }) => [offset, bytes.length]);

describe('a view', () => {
  test('is the bytes themselves: to write them is to write the object, and the other way', () => {
    using world = new World();
    const vmo = world.tagged(3);
    using view = vmo.viewSync({ offset: PAGE - 4, length: 8 });
    expect(bytesOf(view)).toEqual([0, 0, 0, 0, 2, 0, 0, 0]);
    view.pieces[0]!.bytes[0] = 7;
    expect(vmo.readSync(PAGE - 4, new Uint8Array(1))).toEqual(Uint8Array.of(7));
    vmo.writeSync(PAGE - 3, Uint8Array.of(8));
    expect(bytesOf(view).slice(0, 2)).toEqual([7, 8]);
  });

  test('commits the pages that it shows, and no others; with content 0 where nothing was', () => {
    using world = new World();
    const vmo = world.make(5);
    using view = vmo.viewSync(pages(1, 2));
    expect([0, 1, 2, 3].map((page) => vmo.isCommitted(page * PAGE))).toEqual([false, true, true, false]);
    expect(bytesOf(view).every((byte) => byte === 0)).toBe(true);
  });

  test('has a piece for each row of frames, with its offset in the object', () => {
    using world = new World();
    const vmo = world.make(4);
    for (const page of [2, 0, 1, 3]) poke(vmo, page, page + 1);
    using view = vmo.viewSync({ offset: 100, length: 3 * PAGE });
    expect(view.pieces.length).toBeGreaterThan(1);
    let at = 100;
    for (const { offset, bytes } of view.pieces) {
      expect(offset).toBe(at);
      at += bytes.length;
    }
    expect(at).toBe(3 * PAGE + 100);
    expect(Uint8Array.from(bytesOf(view))).toEqual(vmo.readSync(100, new Uint8Array(3 * PAGE)));
    const row = world.make(4, { contiguous: true });
    using whole = row.viewSync();
    expect(layout(whole)).toEqual([[0, 4 * PAGE]]);
  });

  test('counts from the slice that it was asked of', () => {
    using world = new World();
    const vmo = world.tagged(4);
    const slice = vmo.createChild({ kind: 'slice', offset: 2 * PAGE, size: PAGE + 5 });
    using view = slice.viewSync({ offset: 3 });
    expect(view.pieces[0]!.offset).toBe(3);
    expect(bytesOf(view)).toHaveLength(PAGE + 2);
    expect(bytesOf(view)[PAGE - 3]).toBe(4);
    expectRefusal(world, () => slice.viewSync({ offset: PAGE, length: 6 }), 'EINVAL', 'not within');
  });

  test('may be empty, anywhere, and pins nothing', async () => {
    using world = new World();
    const vmo = world.tagged(2);
    const copy = snap(vmo, 0, 2);
    for (const offset of [0, 5, PAGE, 2 * PAGE]) {
      using view = vmo.viewSync({ offset, length: 0 });
      using later = await copy.view({ offset, length: 0 });
      expect([view.pieces, later.pieces]).toEqual([[], []]);
      world.check();
      copy.decommit(pages(0, 0));
    }
    vmo.decommit();
    expect(contents(copy)).toEqual([1, 2]);
  });

  test('of a clone copies what it shares, all or nothing', () => {
    using world = new World();
    const root = world.tagged(3);
    const copy = snap(root, 0, 3);
    let view: PageView | undefined;
    expectAllOrNothing(world, 2, () => (view = copy.viewSync(pages(0, 2))));
    view!.pieces[0]!.bytes[0] = 9;
    expect([contents(root), contents(copy)]).toEqual([
      [1, 2, 3],
      [9, 2, 3],
    ]);
    expect(world.costs(root, copy)).toEqual(['5/2', '5/2']);
    view!.close();
  });

  test('is shown no more when it is closed, and closing twice does nothing', () => {
    using world = new World();
    const vmo = world.tagged(1);
    const view = vmo.viewSync();
    view.close();
    view.close();
    expect(() => view.pieces).toThrow(
      expect.objectContaining({ code: 'EBADF', message: 'the view is closed' }),
    );
    vmo.decommit();
    expect(world.frames).toBe(0);
  });

  test('wants Read and Write, and a range within the object', async () => {
    using world = new World();
    const vmo = world.tagged(1);
    expectRefusal(world, () => vmo.viewSync({ offset: 1, length: PAGE }), 'EINVAL', 'not within');
    await expectRejection(world, () => vmo.view({ offset: PAGE + 1 }), 'EINVAL', 'not within');
    const reader = vmo.duplicate().restrict('dup', 'read').toDyn();
    await expectRejection(world, () => reader.view(), 'EACCES', 'view needs the right write');
  });
});

describe('pages in an open view', () => {
  test('stay where they are: no decommit, no cut', () => {
    using world = new World();
    const vmo = world.tagged(3, { resizable: true });
    const view = vmo.viewSync({ offset: PAGE + 5, length: 1 });
    const frame = frameOfPage(vmo, 1);
    expectRefusal(world, () => vmo.decommit(), 'EBUSY', 'is in an open view');
    expectRefusal(world, () => vmo.decommit(pages(1, 1)), 'EBUSY', 'is in an open view');
    expectRefusal(world, () => vmo.resizeSync(PAGE), 'EBUSY', 'is in an open view');
    vmo.decommit(pages(0, 1));
    vmo.decommit(pages(2, 1));
    vmo.zeroSync();
    vmo.clearSync();
    expect([frameOfPage(vmo, 1), bytesOf(view)]).toEqual([frame, [0]]);
    view.close();
    vmo.decommit();
  });

  test('of several views stay until the last is closed', () => {
    using world = new World();
    const vmo = world.tagged(2);
    const [one, two, three] = [vmo.viewSync(), vmo.viewSync(pages(0, 1)), vmo.viewSync(pages(1, 1))];
    one.close();
    expectRefusal(world, () => vmo.decommit(pages(0, 1)), 'EBUSY', 'is in an open view');
    two.close();
    vmo.decommit(pages(0, 1));
    expectRefusal(world, () => vmo.decommit(pages(1, 1)), 'EBUSY', 'is in an open view');
    three.close();
    vmo.decommit();
  });

  test.each(SNAPSHOT_KINDS)(
    'are copied for a %s, so that what is written through the view is not in it',
    (kind) => {
      using world = new World();
      const vmo = world.tagged(3);
      using view = vmo.viewSync(pages(1, 1));
      let copy = vmo;
      expectAllOrNothing(world, 1, () => (copy = snap(vmo, 0, 3, { kind })));
      expect(world.costs(vmo, copy)).toEqual(['2', '2']);
      view.pieces[0]!.bytes[0] = 9;
      expect([contents(vmo), contents(copy)]).toEqual([
        [1, 9, 3],
        [1, 2, 3],
      ]);
      // Elsewhere nothing is copied.
      const apart = snap(vmo, 2, 1, { kind });
      expect([contents(apart), world.frames]).toEqual([[3], 4]);
    },
  );

  test('of a clone are copied for its own clones', () => {
    using world = new World();
    const root = world.tagged(2);
    const copy = snap(root, 0, 2);
    using view = copy.viewSync(pages(0, 1));
    const next = snap(copy, 0, 2);
    view.pieces[0]!.bytes[0] = 9;
    poke(next, 1, 8);
    expect([contents(root), contents(copy), contents(next)]).toEqual([
      [1, 2],
      [9, 2],
      [1, 8],
    ]);
    expect(world.frames).toBe(2 + 1 + 1 + 1);
  });

  test('of a parent and of its clone, after the cloning, are no page of both', () => {
    using world = new World();
    const root = world.tagged(3);
    const copy = snap(root, 0, 3);
    using one = root.viewSync();
    using two = copy.viewSync();
    expect(bytesOf(one)).toEqual(bytesOf(two));
    expect(world.costs(root, copy)).toEqual(['3', '3']);
    one.pieces[0]!.bytes[0] = 9;
    expect([contents(root), contents(copy)]).toEqual([
      [9, 2, 3],
      [1, 2, 3],
    ]);
  });

  test('outlive every capability: they go with the view', () => {
    using world = new World();
    const vmo = world.tagged(3);
    const view = vmo.viewSync(pages(1, 1));
    vmo.close();
    expect(bytesOf(view).slice(0, 4)).toEqual([2, 0, 0, 0]);
    // The others are reached by nobody any more.
    expect([world.frames, world.objects.statistics().objects]).toEqual([1, 1]);
    world.check();
    view.close();
    expect([world.frames, world.objects.statistics().objects]).toEqual([0, 0]);
  });

  test('of an object with a pager count as changed, and are not clean while the view is open', async () => {
    using world = new World();
    const pager = new NotingPager();
    const vmo = world.make(2, { pager });
    const view = vmo.viewSync(pages(1, 1));
    expect(pager.news).toEqual(['commit 1+1', 'update 1+1']);
    view.pieces[0]!.bytes[0] = 5;
    await vmo.sync();
    expect([pager.news, pager.written.get(1)]).toEqual([['writeBack 1+1'], 5]);
    // It may have been written since, and nobody would know.
    view.pieces[0]!.bytes[0] = 6;
    await vmo.sync();
    expect([pager.news, pager.written.get(1)]).toEqual([['writeBack 1+1'], 6]);
    view.close();
    await vmo.sync();
    expect(pager.news).toEqual(['writeBack 1+1']);
    await vmo.sync();
    expect(pager.news).toEqual([]);
  });
});

describe('a view that waits for the pager', () => {
  test('is opened with its pages: what happens in the turns until then finds them pinned', async () => {
    using world = new World();
    const pager = new SlowPager();
    const vmo = world.make(2, { pager });
    const opening = vmo.view();
    const copies: ReturnType<typeof snap>[] = [];
    // A snapshot is made in every turn, whichever it is in which the view gets its pages.
    const snapping = (async () => {
      for (let turn = 0; turn < 30; turn++) {
        await Promise.resolve();
        copies.push(snap(vmo, 0, 2));
      }
    })();
    await pager.answer();
    const view = await opening;
    await snapping;
    world.check();
    view.pieces[0]!.bytes[0] = 7;
    expect(peek(vmo, 0)).toBe(7);
    for (const copy of copies) expect(peek(copy, 0)).toBe(100);
    view.close();
    for (const copy of copies) copy.close();
  });

  test('is not opened where the capability is closed, or the object cut, meanwhile', async () => {
    using world = new World();
    const pager = new SlowPager();
    const vmo = world.make(4, { pager, resizable: true });
    const other = vmo.duplicate();
    const closed = other.view().catch((error: unknown) => error);
    const cut = vmo.view().catch((error: unknown) => error);
    other.close();
    vmo.resizeSync(PAGE);
    await pager.answer();
    expect(await closed).toMatchObject({ code: 'EBADF' });
    expect(await cut).toMatchObject({ code: 'EINVAL' });
    expect(vmo.viewSync(pages(0, 1)).close()).toBeUndefined();
  });

  test('at once is refused, and says what to call', () => {
    using world = new World();
    const vmo = world.make(1, { pager: new SlowPager() });
    expect(() => vmo.viewSync()).toThrow('use await view()');
  });
});

test('page gives a handle that keeps the frame, when the object has let go of it too', () => {
  using world = new World();
  const vmo = world.tagged(2);
  const page = vmo.page(PAGE, 'read')!;
  vmo.decommit();
  expect([world.frames, page.referenceCount, world.memory.words[page.address / 4]]).toEqual([1, 1, 2]);
  world.check();
  page.close();
  expect(world.frames).toBe(0);
});

test('page for writing makes the page the object’s own, all or nothing, and shows in the object', () => {
  using world = new World();
  const root = world.tagged(2);
  const copy = snap(root, 0, 2);
  const losses = new Losses();
  using _ = copy.observe(losses);
  expectAllOrNothing(world, 1, () => copy.page(PAGE + 9, 'write')!.close());
  expect(losses.news).toEqual(['1+1']);
  using page = copy.page(PAGE, 'write')!;
  world.memory.bytes.set(word(77), page.address);
  expect([contents(root), contents(copy)]).toEqual([
    [1, 2],
    [1, 77],
  ]);
  expect(losses.news).toEqual([]);
  expect(readAll(copy)).toHaveLength(2 * PAGE);
  expectRefusal(world, () => copy.page(2 * PAGE, 'read'), 'EINVAL', 'not within');
  expectRefusal(world, () => copy.page(0, 'execute' as 'read'), 'EINVAL', 'a page for execute');
});
