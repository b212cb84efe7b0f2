/** Contiguous objects, and those for devices (dma): all their frames at once, in a row, for good. */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, physAddr } from '../../src/frame/index.js';
import {
  contents,
  expectAllOrNothing,
  expectRefusal,
  frameOfPage,
  NotingPager,
  PAGE,
  pages,
  peek,
  poke,
  readAll,
  snap,
  SNAPSHOT_KINDS,
  World,
} from './family.js';

describe('a contiguous object', () => {
  test('has all its frames when it is made, in a row, and all zeros', () => {
    using world = new World();
    // What was there before does not show.
    const last = world.make(20);
    last.writeSync(0, new Uint8Array(20 * PAGE).fill(9));
    last.close();
    const vmo = world.make(8, { contiguous: true });
    expect([vmo.kind, vmo.committedBytes, world.frames]).toEqual(['contiguous', 8 * PAGE, 8]);
    expect(readAll(vmo)).toEqual(new Uint8Array(8 * PAGE));
    const first = frameOfPage(vmo, 0)!;
    expect(Array.from({ length: 8 }, (_, page) => frameOfPage(vmo, page))).toEqual(
      Array.from({ length: 8 }, (_, page) => first + page),
    );
    expect(vmo.physicalAddress(0)).toBe(first * PAGE_SIZE);
  });

  test('of a size that is no multiple of a page has whole frames', () => {
    using world = new World();
    const vmo = world.objects.create({ size: PAGE + 1, contiguous: true });
    expect([vmo.size, world.frames]).toEqual([PAGE + 1, 2]);
    expect(vmo.physicalAddress(PAGE)).toBe(vmo.physicalAddress(0) + PAGE);
    expectRefusal(world, () => vmo.physicalAddress(PAGE + 1), 'EINVAL', 'not within');
    const none = world.objects.create({ size: 0, contiguous: true });
    expect([none.size, none.kind, world.frames]).toEqual([0, 'contiguous', 2]);
  });

  test('is aligned as asked', () => {
    using world = new World();
    for (const alignmentBytes of [4096, 8192, 65536, 262144]) {
      using vmo = world.make(3, { contiguous: { alignmentBytes } });
      expect(vmo.physicalAddress(0) % alignmentBytes).toBe(0);
    }
    for (const alignmentBytes of [0, 1, 2048, 4097, 12288, -4096, NaN, Infinity]) {
      const make = () => world.make(1, { contiguous: { alignmentBytes } });
      expectRefusal(world, make, 'EINVAL', /alignment of .* frames: give a power of two/);
    }
  });

  test('is made at the very place, or not at all', () => {
    using world = new World();
    const at = physAddr(64 * PAGE);
    const vmo = world.make(2, { contiguous: { at } });
    expect(vmo.physicalAddress(PAGE + 3)).toBe(65 * PAGE + 3);
    for (const address of [63, 64, 65]) {
      const make = () => world.make(2, { contiguous: { at: physAddr(address * PAGE) } });
      expectRefusal(world, make, 'EBUSY', 'not all are free');
    }
    for (const address of [1, PAGE + 8, -5, 0.5, NaN]) {
      const make = () => world.make(1, { contiguous: { at: physAddr(address) } });
      expectRefusal(world, make, 'EINVAL', 'give a multiple of 4096');
    }
    for (const address of [0, -PAGE, 2 ** 40, world.memory.sizeBytes]) {
      const make = () => world.make(1, { contiguous: { at: physAddr(address) } });
      expectRefusal(world, make, 'EINVAL', 'are not all allocatable');
    }
    vmo.close();
    expect(world.make(1, { contiguous: { at } }).physicalAddress(0)).toBe(at);
  });

  test('takes nothing where it does not fit', () => {
    using world = new World();
    // Every second frame is taken.
    world.fill();
    world.giveBack((frame) => frame % 2 === 0);
    expectRefusal(world, () => world.make(2, { contiguous: true }), 'ENOMEM', 'out of memory');
    const one = world.make(1, { contiguous: true });
    expect(one.physicalAddress(0) % (2 * PAGE)).toBe(0);
    expectRefusal(world, () => world.make(2 ** 18, { dma: true }), 'ENOMEM', 'out of memory');
    expectRefusal(world, () => world.make(2 ** 18 + 1, { dma: true }), 'EINVAL', 'frames: give');
    world.giveBack();
    expectAllOrNothing(world, 1, () => world.make(20, { contiguous: true }));
  });

  test.each([
    [{ contiguous: true, resizable: true }, 'cannot be resized'],
    [{ dma: true, resizable: true }, 'cannot be resized'],
    [{ contiguous: {}, resizable: true }, 'cannot be resized'],
    [{ contiguous: true, pager: new NotingPager() }, 'it takes no pager'],
    [{ dma: true, pager: new NotingPager() }, 'it takes no pager'],
  ])('takes no options that contradict it: %o', (options, message) => {
    using world = new World();
    expectRefusal(world, () => world.make(1, options), 'EINVAL', message);
  });

  test('keeps its frames, whatever is done to it', () => {
    using world = new World();
    const vmo = world.make(3, { contiguous: true });
    const at = vmo.physicalAddress(0);
    for (const page of [0, 1, 2]) poke(vmo, page, page + 1);
    expectRefusal(world, () => vmo.decommit(), 'ENOTSUP', 'its pages stay where they are');
    expectRefusal(world, () => vmo.decommit(pages(0, 0)), 'ENOTSUP', 'its pages stay where they are');
    expectRefusal(world, () => vmo.resizeSync(PAGE), 'ENOTSUP', 'was not made resizable');
    vmo.zeroSync({ offset: PAGE / 2, length: 2 * PAGE });
    expect(contents(vmo)).toEqual([1, 0, 0]);
    vmo.zeroSync();
    vmo.clearSync();
    vmo.commitSync();
    using copy = snap(vmo, 0, 3);
    poke(vmo, 1, 9);
    expect([vmo.physicalAddress(0), vmo.committedBytes, contents(vmo)]).toEqual([at, 3 * PAGE, [0, 9, 0]]);
    expect(contents(copy)).toEqual([0, 0, 0]);
    expect([0, 1, 2].map((page) => frameOfPage(vmo, page)! * PAGE)).toEqual([at, at + PAGE, at + 2 * PAGE]);
  });

  test('is seen by a device: what it writes to RAM is read, and what is written is there', () => {
    using world = new World();
    const vmo = world.make(2, { dma: true });
    const at = vmo.physicalAddress(PAGE - 2);
    world.memory.bytes.set([1, 2, 3, 4], at);
    expect(vmo.readSync(PAGE - 2, new Uint8Array(4))).toEqual(Uint8Array.of(1, 2, 3, 4));
    vmo.writeSync(PAGE - 1, Uint8Array.of(9, 8));
    expect([...world.memory.bytes.subarray(at, at + 4)]).toEqual([1, 9, 8, 4]);
    expect(vmo.kind).toBe('dma');
  });

  test('has a slice that keeps all of it where it is', () => {
    using world = new World();
    const vmo = world.make(4, { contiguous: true });
    const slice = vmo.createChild({ kind: 'slice', offset: 2 * PAGE, size: PAGE });
    const at = vmo.physicalAddress(2 * PAGE);
    vmo.close();
    expect([slice.physicalAddress(0), world.frames]).toEqual([at, 4]);
    slice.close();
    expect(world.frames).toBe(0);
  });
});

describe.each(SNAPSHOT_KINDS)('a %s of a contiguous object', (kind) => {
  test('is a copy, and is neither contiguous nor pinned', () => {
    using world = new World();
    const vmo = world.make(4, { contiguous: true });
    for (const page of [0, 1, 2, 3]) poke(vmo, page, page + 1);
    const copy = snap(vmo, 1, 5, { kind });
    expect([contents(copy), copy.kind, world.frames]).toEqual([[2, 3, 4, 0, 0], kind, 7]);
    poke(vmo, 1, 8);
    poke(copy, 1, 9);
    expect([contents(vmo), contents(copy)]).toEqual([
      [1, 8, 3, 4],
      [2, 9, 4, 0, 0],
    ]);
    expectRefusal(world, () => copy.physicalAddress(0), 'ENOTSUP', 'may move');
    copy.decommit(pages(0, 2));
    expect([contents(copy), world.frames]).toEqual([[0, 0, 4, 0, 0], 5]);
    vmo.close();
    expect([peek(copy, 2), world.frames]).toEqual([4, 1]);
    // And a snapshot of the copy shares.
    snap(copy, 0, 5, { kind });
    expect(world.frames).toBe(1);
  });

  test('of a part copies the part, all or nothing', () => {
    using world = new World();
    const vmo = world.make(6, { contiguous: true });
    expectAllOrNothing(world, 2, () => snap(vmo, 2, 2, { kind }));
    expectAllOrNothing(world, 1, () => snap(vmo, 5, 9, { kind }));
    expectAllOrNothing(world, 0, () => snap(vmo, 6, 9, { kind }));
    expect(world.frames).toBe(9);
  });
});

test('only contiguous objects have a physical address', () => {
  using world = new World();
  for (const vmo of [world.tagged(1), world.make(1, { pager: new NotingPager() })]) {
    expectRefusal(world, () => vmo.physicalAddress(0), 'ENOTSUP', 'may move');
  }
});
