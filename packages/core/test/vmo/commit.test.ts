/** Pages on demand: reads and writes, commit and decommit, zero and clear. */
import { describe, expect, test } from 'vitest';
import { MAX_OBJECT_BYTES } from '../../src/vmo/index.js';
import {
  contents,
  expectAllOrNothing,
  expectRefusal,
  frameOfPage,
  Losses,
  NotingPager,
  PAGE,
  pages,
  peek,
  peekAt,
  type Plain,
  poke,
  readAll,
  SlowPager,
  snap,
  SNAPSHOT_KINDS,
  TIB,
  word,
  World,
} from './family.js';

const filled = (world: World, count: number): Plain => {
  const vmo = world.make(count);
  vmo.writeSync(0, new Uint8Array(count * PAGE).fill(0xff));
  return vmo;
};

/** Bytes of 0xff, but zeros from `start` to `end`. */
const ffExcept = (count: number, start: number, end: number): Uint8Array =>
  new Uint8Array(count * PAGE).fill(0xff).fill(0, start, end);

describe('what was never written', () => {
  test('reads zeros, and takes no frame, whatever is read', async () => {
    using world = new World();
    const vmo = world.make(100);
    world.fill();
    expect(readAll(vmo)).toEqual(new Uint8Array(100 * PAGE));
    expect(await vmo.read(PAGE - 1, new Uint8Array(2 * PAGE).fill(9))).toEqual(new Uint8Array(2 * PAGE));
    await vmo.prefetch();
    await vmo.hint('always-need');
    expect([vmo.isCommitted(0), vmo.committedBytes, vmo.page(0, 'read')]).toEqual([false, 0, undefined]);
  });

  test('takes a frame a page at the first write, and no more', () => {
    using world = new World();
    const vmo = world.make(8);
    vmo.writeSync(3 * PAGE - 2, word(0x0403_0201));
    expect([2, 3, 4].map((page) => vmo.isCommitted(page * PAGE))).toEqual([true, true, false]);
    expect([vmo.committedBytes, world.frames]).toEqual([2 * PAGE, 2]);
    expect(vmo.readSync(3 * PAGE - 3, new Uint8Array(6))).toEqual(Uint8Array.of(0, 1, 2, 3, 4, 0));
    poke(vmo, 2, 1);
    expect(world.frames).toBe(2);
    expect(world.objects.statistics()).toMatchObject({ pagesZeroed: 2, pagesCopied: 0 });
  });

  test('a write of whole pages fills no zeros first, and leaves no poison', () => {
    using world = new World();
    const vmo = world.make(4);
    vmo.writeSync(PAGE - 1, new Uint8Array(2 * PAGE + 2).fill(5));
    expect(world.objects.statistics().pagesZeroed).toBe(2);
    expect(readAll(vmo)).toEqual(new Uint8Array(4 * PAGE).fill(5, PAGE - 1, 3 * PAGE + 1));
  });

  test('lies at any distance: across 2^31, 2^32, and at the end of 4 TiB', () => {
    using world = new World();
    const vmo = world.objects.create({ size: MAX_OBJECT_BYTES });
    const places = [2 ** 31 - 2, 2 ** 32 - 2, 2 ** 32, 2 ** 40 - 3, 2 ** 41 + 1, 4 * TIB - 4];
    places.forEach((offset, index) => vmo.writeSync(offset, word(index + 1)));
    places.forEach((offset, index) => expect(peekAt(vmo, offset)).toBe(index === 1 ? 0x3_0002 : index + 1));
    expect(world.frames).toBe(2 + 2 + 2 + 1 + 1);
    expectRefusal(world, () => vmo.writeSync(4 * TIB - 3, word(1)), 'EINVAL', 'not within');
    expectRefusal(world, () => vmo.writeSync(4 * TIB, word(1)), 'EINVAL', 'not within');
    const copy = snap(vmo, 2 ** 20 - 1, 2);
    expect(copy.readSync(PAGE - 2, new Uint8Array(5))).toEqual(Uint8Array.of(2, 0, 3, 0, 0));
    vmo.decommit();
    expect(world.frames).toBe(2);
  });
});

describe('commit', () => {
  test('gives frames to all pages that a range touches, each of zeros, and again does nothing', () => {
    using world = new World();
    const vmo = world.make(5);
    poke(vmo, 2, 3);
    vmo.commitSync({ offset: 0x10 + PAGE, length: 2 * PAGE });
    expect([0, 1, 2, 3, 4].map((page) => vmo.isCommitted(page * PAGE))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
    expect(contents(vmo)).toEqual([0, 0, 3, 0, 0]);
    world.fill();
    vmo.commitSync({ offset: PAGE, length: 3 * PAGE });
    poke(vmo, 1, 5);
    expect(world.frames).toBe(3);
  });

  test('and decommit, and commit', async () => {
    using world = new World();
    const vmo = world.make(3);
    await vmo.commit();
    vmo.decommit();
    await vmo.commit();
    expect(world.frames).toBe(3);
  });

  test('of a clone copies what it shares, and only that', () => {
    using world = new World();
    const root = world.tagged(3);
    const child = snap(root, 0, 3);
    poke(child, 0, 9);
    expect(world.costs(root, child)).toEqual(['2', '2']);
    child.commitSync(pages(1, 1));
    expect(world.costs(root, child)).toEqual(['5/2', '5/2']);
    // The root has page 1 alone now.
    const frame = frameOfPage(root, 1);
    root.commitSync(pages(1, 1));
    expect(frameOfPage(root, 1)).toBe(frame);
    expect([contents(root), contents(child)]).toEqual([
      [1, 2, 3],
      [9, 2, 3],
    ]);
  });

  test('that runs out of memory at any page commits none', () => {
    using world = new World();
    const root = world.tagged(2);
    const child = snap(root, 0, 4);
    expectAllOrNothing(world, 4, () => child.commitSync());
    expect(world.frames).toBe(6);
  });

  test('with a pager: what it has beyond the pager is committed whole or not at all', () => {
    using world = new World();
    const pager = new NotingPager();
    const vmo = world.make(1, { pager, resizable: true });
    vmo.resizeSync(4 * PAGE);
    expect(contents(vmo)).toEqual([100, 0, 0, 0]);
    expectAllOrNothing(world, 3, () => vmo.commitSync());
    expect(contents(vmo)).toEqual([100, 0, 0, 0]);
    expect([vmo.committedBytes, pager.news]).toEqual([4 * PAGE, ['commit 0+1']]);
    // They are clean: there is nothing to write back.
    vmo.syncSync();
    expect(pager.news).toEqual([]);
  });

  test('with a pager and a snapshot: no write needs memory any more, and the snapshot keeps what it shows', () => {
    using world = new World();
    const vmo = world.make(3, { pager: new NotingPager() });
    expect([peek(vmo, 0), peek(vmo, 1)]).toEqual([100, 101]);
    const copy = snap(vmo, 0, 3);
    poke(copy, 1, 7);
    expect(peek(vmo, 2)).toBe(102);
    expectAllOrNothing(world, 2, () => vmo.commitSync({ offset: 0, length: 3 * PAGE }));
    expect(world.costs(vmo, copy)).toEqual(['3', '3']);
    world.fill();
    for (const page of [0, 2]) poke(vmo, page, 5);
    expect(contents(copy)).toEqual([100, 7, 102]);
  });

  test('with a pager: a page that goes while another is waited for is brought again, and is not zeros', async () => {
    using world = new World();
    const pager = new SlowPager();
    const vmo = world.make(3, { pager });
    vmo.supply(0, new Uint8Array(PAGE).fill(6));
    const committed = vmo.commit();
    expect(pager.news).toEqual(['commit 1+2']);
    vmo.decommit(pages(0, 1));
    await pager.answer();
    await committed;
    expect(pager.news).toEqual(['decommit 0+1', 'commit 0+1']);
    expect(contents(vmo)).toEqual([100, 101, 102]);
  });

  test('with a pager: what it is cut to while it waits is not committed beyond its end', async () => {
    using world = new World();
    const pager = new NotingPager();
    const vmo = world.make(4, { pager, resizable: true });
    pager.commit = (range) => {
      if (range.offset === PAGE) vmo.resizeSync(2 * PAGE);
      return new Uint8Array(range.length);
    };
    void vmo.readSync(0, new Uint8Array(1));
    vmo.commitSync();
    expect(vmo.size).toBe(2 * PAGE);
    world.check();
  });
});

describe('decommit', () => {
  test('gives frames back, and leaves zeros', () => {
    using world = new World();
    const vmo = world.tagged(4);
    vmo.decommit(pages(1, 2));
    expect([contents(vmo), world.frames]).toEqual([[1, 0, 0, 4], 2]);
    vmo.decommit();
    vmo.decommit();
    expect([contents(vmo), world.frames]).toEqual([[0, 0, 0, 0], 0]);
  });

  test('takes whole pages alone, or those to the object’s end', () => {
    using world = new World();
    const vmo = world.objects.create({ size: 2 * PAGE + 5 });
    vmo.commitSync();
    for (const [offset, length] of [
      [0x10, 0x100],
      [0, 1],
      [1, PAGE],
      [PAGE, PAGE + 4],
      [2 * PAGE, 4],
      [2 * PAGE + 5, 0],
      [1, 0],
    ] as const) {
      expectRefusal(world, () => vmo.decommit({ offset, length }), 'EINVAL', 'give whole pages of 4096');
    }
    vmo.decommit({ offset: 2 * PAGE, length: 5 });
    expect(world.frames).toBe(2);
    vmo.decommit({ offset: PAGE });
    expect(world.frames).toBe(1);
    // Whether they have frames does not matter.
    expectRefusal(world, () => vmo.decommit({ offset: PAGE, length: 1 }), 'EINVAL', 'give whole pages');
  });

  test('of an object that has clones takes nothing from them', () => {
    using world = new World();
    const root = world.tagged(2);
    const child = snap(root, 0, 2);
    root.decommit(pages(0, 1));
    expect(world.costs(root, child)).toEqual(['1/2', '3/2']);
    child.decommit();
    expect([contents(root), contents(child), world.frames]).toEqual([[0, 2], [0, 0], 1]);
  });

  test('needs no memory where nodes of page lists are shared', () => {
    using world = new World();
    const root = world.tagged(100);
    const child = snap(root, 0, 100);
    world.fill();
    child.decommit(pages(10, 80));
    expect(world.costs(root, child)).toEqual(['90', '10']);
    expect(peek(root, 50)).toBe(51);
  });

  test('costs what is there: 4 TiB with a few pages', () => {
    using world = new World();
    const vmo = world.objects.create({ size: 4 * TIB });
    for (const page of [0, 2 ** 15, 2 ** 25, 2 ** 30 - 1]) poke(vmo, page, 1);
    const copy = snap(vmo, 0, 2 ** 30);
    vmo.decommit({ offset: 2 ** 32 });
    expect([peek(vmo, 2 ** 15), peek(vmo, 2 ** 25), peek(copy, 2 ** 25)]).toEqual([1, 0, 1]);
    copy.decommit();
    expect(world.frames).toBe(2);
  });

  test('tells observers first', () => {
    using world = new World();
    const vmo = world.tagged(4);
    const frames: number[] = [];
    using _ = vmo.observe({ pagesLost: (first, count) => void frames.push(first, count, world.frames) });
    vmo.decommit(pages(1, 2));
    expect(frames).toEqual([1, 2, 4]);
  });
});

describe('zero', () => {
  test.each([
    ['within a page', 2, 42, 91],
    ['across an edge', 2, PAGE / 2, PAGE],
    ['a page and two parts', 3, PAGE / 2, 2 * PAGE],
    ['from a page’s start', 2, PAGE, 10],
    ['to a page’s end', 2, PAGE - 10, 10],
    ['all', 2, 0, 2 * PAGE],
    ['whole pages', 4, PAGE, 2 * PAGE],
    ['a byte', 1, PAGE - 1, 1],
  ])('makes %s zeros, and gives whole pages back', (_, count, offset, length) => {
    using world = new World();
    const vmo = filled(world, count);
    vmo.zeroSync({ offset, length });
    expect(readAll(vmo)).toEqual(ffExcept(count, offset, offset + length));
    const whole = Math.max(Math.floor((offset + length) / PAGE) - Math.ceil(offset / PAGE), 0);
    expect(world.frames).toBe(count - whole);
  });

  test('of what was never written takes no frame, in part or whole', () => {
    using world = new World();
    const vmo = world.make(4);
    world.fill();
    vmo.zeroSync({ offset: PAGE / 2, length: 2 * PAGE });
    vmo.zeroSync();
    expect(world.frames).toBe(0);
  });

  test('to the object’s end gives its last page back, though it is not whole', () => {
    using world = new World();
    const vmo = world.objects.create({ size: PAGE + 50 });
    vmo.writeSync(0, new Uint8Array(PAGE + 50).fill(1));
    vmo.zeroSync({ offset: 10 });
    expect([world.frames, readAll(vmo)]).toEqual([1, new Uint8Array(PAGE + 50).fill(1, 0, 10)]);
  });

  test('of a contiguous object keeps its frames', async () => {
    using world = new World();
    const vmo = world.make(2, { contiguous: true });
    for (const page of [0, 1]) poke(vmo, page, page + 1);
    await vmo.zero(pages(0, 1));
    expect([contents(vmo), vmo.committedBytes]).toEqual([[0, 2], 2 * PAGE]);
  });

  test.each(SNAPSHOT_KINDS)('of a %s hides what it had, and no more', (kind) => {
    using world = new World();
    const root = world.make(2);
    poke(root, 0, 1);
    const child = snap(root, 0, 2, { kind });
    expect(world.costs(root, child)).toEqual(['1/2', '1/2']);
    child.zeroSync(pages(0, 1));
    expect([...world.costs(root, child), peek(root, 0), peek(child, 0)]).toEqual(['1', '0', 1, 0]);
    root.zeroSync(pages(0, 1));
    expect(world.frames).toBe(0);
    poke(child, 0, 3);
    expect([...world.costs(root, child), peek(root, 0)]).toEqual(['0', '1', 0]);
  });

  test('of a part of a shared page copies it, and makes no second copy', () => {
    using world = new World();
    const root = filled(world, 2);
    const child = snap(root, 0, 2);
    expectAllOrNothing(world, 2, () => child.zeroSync({ offset: PAGE - 10, length: 20 }));
    expect(readAll(child)).toEqual(ffExcept(2, PAGE - 10, PAGE + 10));
    expect(readAll(root)).toEqual(ffExcept(2, 0, 0));
    world.fill();
    child.zeroSync({ offset: 5, length: 5 });
    expect(world.frames).toBe(4);
  });

  test('that gives pages back after the edges failed gives none', () => {
    using world = new World();
    const root = filled(world, 4);
    const child = snap(root, 0, 4);
    expectAllOrNothing(world, 2, () => child.zeroSync({ offset: 100, length: 3 * PAGE }));
    expect(world.costs(root, child)).toEqual(['4', '2']);
  });

  test('leaves no memory of what is gone when the other side goes', () => {
    using world = new World();
    const root = world.tagged(2);
    const child = snap(root, 0, 2);
    child.zeroSync(pages(0, 1));
    expect(world.costs(root, child)).toEqual(['3/2', '1/2']);
    root.close();
    expect([...world.costs(child), ...contents(child)]).toEqual(['1', 0, 2]);
    child.writeSync(64, word(7));
    expect([peek(child, 0), peekAt(child, 64), world.frames]).toEqual([0, 7, 2]);
  });

  test('in a family of three', () => {
    using world = new World();
    const root = world.tagged(3);
    const one = snap(root, 0, 3);
    expect(world.costs(root, one)).toEqual(['3/2', '3/2']);
    root.zeroSync(pages(0, 1));
    expect(world.costs(root, one)).toEqual(['1', '2']);
    const two = snap(root, 0, 3);
    expect(world.costs(root, one, two)).toEqual(['2/3', '5/3', '2/3']);
    one.zeroSync(pages(1, 1));
    expect(world.costs(root, one, two)).toEqual(['5/6', '4/3', '5/6']);
    expect([contents(root), contents(one), contents(two)]).toEqual([
      [0, 2, 3],
      [1, 0, 3],
      [0, 2, 3],
    ]);
    one.close();
    expect(world.costs(root, two)).toEqual(['1', '1']);
    root.writeSync(64, word(5));
    expect([...world.costs(root, two), peek(root, 0)]).toEqual(['2', '1', 0]);
    two.writeSync(PAGE + 64, word(6));
    expect([peek(two, 1), peekAt(root, PAGE + 64)]).toEqual([2, 0]);
    expect(world.costs(root, two)).toEqual(['5/2', '3/2']);
  });

  test('in a family that has written before', () => {
    using world = new World();
    const root = world.make(2);
    poke(root, 0, 1);
    const child = snap(root, 0, 2);
    poke(root, 0, 2);
    expect(world.costs(root, child)).toEqual(['1', '1']);
    child.zeroSync(pages(0, 1));
    expect(world.costs(root, child)).toEqual(['1', '0']);
    const one = snap(root, 0, 1);
    const two = snap(root, 0, 1);
    expect(world.costs(root, one, two)).toEqual(['1/3', '1/3', '1/3']);
    root.zeroSync(pages(0, 1));
    expect(world.costs(root, one, two)).toEqual(['0', '1/2', '1/2']);
    root.close();
    expect([contents(child), contents(one), contents(two)]).toEqual([[0, 0], [2], [2]]);
  });

  test('of what an open view shows is seen in it, and its frame stays', () => {
    using world = new World();
    const vmo = filled(world, 3);
    const view = vmo.viewSync(pages(1, 1));
    vmo.zeroSync();
    expect(view.pieces[0]!.bytes.every((byte) => byte === 0)).toBe(true);
    expect(world.frames).toBe(1);
    view.pieces[0]!.bytes[7] = 9;
    expect(vmo.readSync(PAGE + 7, new Uint8Array(1))).toEqual(Uint8Array.of(9));
    view.close();
  });
});

describe('clear', () => {
  test('writes zeros: its pages have frames then', async () => {
    using world = new World();
    const vmo = world.make(4);
    vmo.clearSync({ offset: PAGE - 1, length: PAGE + 2 });
    expect([world.frames, contents(vmo)]).toEqual([3, [0, 0, 0, 0]]);
    const other = filled(world, 3);
    await other.clear({ offset: 42, length: PAGE });
    expect(readAll(other)).toEqual(ffExcept(3, 42, PAGE + 42));
    other.clearSync();
    expect([world.frames, contents(other)]).toEqual([6, [0, 0, 0]]);
  });

  test('of a clone leaves the parent, and costs what a write does', () => {
    using world = new World();
    const root = world.tagged(3);
    const child = snap(root, 0, 3);
    expectAllOrNothing(world, 2, () => child.clearSync({ offset: 10, length: PAGE }));
    expect([contents(root), contents(child)]).toEqual([
      [1, 2, 3],
      [1, 0, 3],
    ]);
    expect(world.costs(root, child)).toEqual(['5/2', '5/2']);
  });

  test('tells observers of pages whose frames change', () => {
    using world = new World();
    const root = world.tagged(2);
    const child = snap(root, 0, 2);
    const losses = new Losses();
    using _ = child.observe(losses);
    child.clearSync(pages(1, 1));
    expect(losses.news).toEqual(['1+1']);
    child.clearSync(pages(1, 1));
    expect(losses.news).toEqual([]);
  });
});
