import { describe, expect, test } from 'vitest';
import { OutOfMemory, PAGE_SIZE, virtAddr } from '../../src/frame/index.js';
import { MAX_PAGES, MAXVA } from '../../src/paging/index.js';
import { type AddressSpace, formatMapping, type RemapOptions } from '../../src/space/index.js';
import { countAt, frameAt, peek, poke } from '../model/touch.js';
import { failEachAllocation, makeWorld, snapshot, type World } from '../model/world.js';
import { TestPager } from '../vmo/paged.js';
import {
  access,
  at,
  bytesOf,
  codeOf,
  FORK_KINDS,
  makeTagged,
  makeZeros,
  mapAt,
  mappedIn,
  setVmoByte,
  squeeze,
  tag,
  vmoByte,
  warm,
} from './mapped.js';

const makeSmall = (): World => makeWorld(512 * 1024);
const mapsOf = (space: AddressSpace): string[] => [...space.mappings].map(formatMapping);

interface Pages {
  readonly from: number;
  readonly pages: number;
  readonly newPages?: number;
  readonly to?: number | 'anywhere';
  readonly overlap?: 'refuse' | 'replace';
}

/** In pages. @returns the page where the range begins now. */
const remap = (space: AddressSpace, { from, pages, newPages, to, overlap }: Pages): number => {
  const options: RemapOptions = {
    at: at(from),
    lengthBytes: bytesOf(pages),
    ...(newPages === undefined ? {} : { newLengthBytes: bytesOf(newPages) }),
    ...(to === undefined ? {} : { to: to === 'anywhere' ? to : at(to) }),
    ...(overlap === undefined ? {} : { overlap }),
  };
  return space.remap(options) / PAGE_SIZE;
};

/** A space with pages 0 … pages - 1 of its own, each written with its number and one. */
const makeOwn = (world: World, pages: number): AddressSpace => {
  const space = world.space();
  mapAt(space, 0, pages, { name: 'heap' });
  for (let page = 0; page < pages; page++) poke(space, page, page + 1);
  return space;
};

const peekAll = (space: AddressSpace, first: number, pages: number): number[] =>
  Array.from({ length: pages }, (_, index) => peek(space, first + index));

describe('in place', () => {
  test('a range that is to be shorter loses its tail', () => {
    using world = makeSmall();
    const space = makeOwn(world, 4);
    const { freeFrames } = world.memory;
    expect(remap(space, { from: 0, pages: 4, newPages: 1 })).toBe(0);
    expect(world.memory.freeFrames).toBe(freeFrames + 3);
    expect(mapsOf(space)).toEqual(['0x0-0x1000 rw- heap']);
    expect(remap(space, { from: 0, pages: 1 })).toBe(0);
    expect(remap(space, { from: 0, pages: 1, to: 'anywhere' })).toBe(0);
    expect(peek(space, 0)).toBe(1);
  });

  test('a range that is to be longer goes on: zeros, or further pages of the object', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 4);
    const space = makeOwn(world, 1);
    mapAt(space, 8, 2, { vmo, sharing: 'shared', offsetBytes: PAGE_SIZE });
    expect(remap(space, { from: 0, pages: 1, newPages: 3 })).toBe(0);
    expect(remap(space, { from: 8, pages: 2, newPages: 5 })).toBe(8);
    expect(peekAll(space, 0, 3)).toEqual([1, 0, 0]);
    expect(peekAll(space, 8, 3)).toEqual([tag(1), tag(2), tag(3)]);
    expect(access(space, 11, 'read')).toBe('beyond-end');
    poke(space, 10, 1);
    expect(vmoByte(vmo, 3)).toBe(1);
    expect(mapsOf(space)).toEqual(['0x0-0x3000 rw- heap', '0x8000-0xd000 rw-']);
  });

  test('of several mappings the last goes on, as it is protected', () => {
    using world = makeSmall();
    const space = makeOwn(world, 4);
    space.protect(at(2), bytesOf(2), 'r--');
    remap(space, { from: 0, pages: 4, newPages: 6 });
    expect(mapsOf(space)).toEqual(['0x0-0x2000 rw- heap', '0x2000-0x6000 r-- heap']);
    expect(access(space, 5, 'write')).toBe('protection');
  });

  test('where there is no room it is EEXIST, and nothing changes', () => {
    using world = makeSmall();
    const space = makeOwn(world, 2);
    mapAt(space, 4, 1, { name: 'wall' });
    const before = snapshot(world);
    expect(codeOf(() => remap(space, { from: 0, pages: 2, newPages: 5 }))).toBe('EEXIST');
    // What goes on behind the range is in the way as well.
    expect(codeOf(() => remap(space, { from: 0, pages: 1, newPages: 2 }))).toBe('EEXIST');
    expect(snapshot(world)).toBe(before);
    remap(space, { from: 0, pages: 2, newPages: 4 });
    expect(mapsOf(space)).toEqual(['0x0-0x4000 rw- heap', '0x4000-0x5000 rw- wall']);
  });
});

describe('anywhere', () => {
  test('a range stays where there is room, and else goes where the space chooses', () => {
    using world = makeSmall();
    const space = makeOwn(world, 3);
    mapAt(space, 5, 1, { name: 'wall' });
    expect(remap(space, { from: 0, pages: 3, newPages: 5, to: 'anywhere' })).toBe(0);
    const moved = remap(space, { from: 0, pages: 5, newPages: 8, to: 'anywhere' });
    expect(moved).toBe(MAX_PAGES - 8);
    expect(peekAll(space, moved, 8)).toEqual([1, 2, 3, 0, 0, 0, 0, 0]);
    expect(access(space, 0, 'read')).toBe('unmapped');
    // At the very top there is no room above, and it goes below.
    expect(remap(space, { from: moved, pages: 8, newPages: 9, to: 'anywhere' })).toBe(MAX_PAGES - 17);
    expect(peek(space, MAX_PAGES - 15)).toBe(3);
  });

  test('the first part of a mapping goes by itself', () => {
    using world = makeSmall();
    const space = makeOwn(world, 4);
    const moved = remap(space, { from: 1, pages: 2, newPages: 4, to: 'anywhere' });
    expect(peekAll(space, moved, 4)).toEqual([2, 3, 0, 0]);
    expect([peek(space, 0), access(space, 1, 'read'), access(space, 2, 'read'), peek(space, 3)]).toEqual([
      1,
      'unmapped',
      'unmapped',
      4,
    ]);
  });

  test('where there is room nowhere it is ENOMEM', () => {
    using world = makeSmall();
    const space = makeOwn(world, 2);
    mapAt(space, 2, MAX_PAGES - 2, { name: 'all' });
    const before = snapshot(world);
    expect(codeOf(() => remap(space, { from: 0, pages: 2, newPages: 3, to: 'anywhere' }))).toBe('ENOMEM');
    expect(codeOf(() => remap(space, { from: 0, pages: 2, newPages: MAX_PAGES, to: 'anywhere' }))).toBe(
      'ENOMEM',
    );
    expect(snapshot(world)).toBe(before);
  });
});

describe('to an address', () => {
  test('pages move with their frames: nothing is copied, and no frame is taken but for tables', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 3);
    const space = makeOwn(world, 3);
    mapAt(space, 3, 3, { vmo });
    mapAt(space, 6, 1, { vmo, sharing: 'shared' });
    poke(space, 3, 50);
    peek(space, 4);
    poke(space, 6, 60);
    const frames = [0, 1, 2, 3, 4, 6].map((page) => frameAt(space, page));
    const { tables } = { tables: [...space.table.tables()].length };
    const { freeFrames } = world.memory;
    expect(remap(space, { from: 0, pages: 7, to: 1000 })).toBe(1000);
    expect([0, 1, 2, 3, 4, 6].map((page) => frameAt(space, 1000 + page))).toEqual(frames);
    expect(world.memory.freeFrames - freeFrames).toBe(tables - [...space.table.tables()].length);
    expect(peekAll(space, 1000, 7)).toEqual([1, 2, 3, 50, tag(1), tag(2), 60]);
    expect(mappedIn(space, 0, 1000)).toEqual([]);
    expect(world.virtualMemory.statistics().faults.copied).toBe(1);
    // What was writable is so still, with no fault; what is the object's still follows it.
    expect(access(space, 1000, 'write')).toBe('ready');
    setVmoByte(vmo, 1, 70);
    setVmoByte(vmo, 0, 71);
    expect([peek(space, 1004), peek(space, 1006), peek(space, 1003)]).toEqual([70, 71, 50]);
    world.check();
  });

  test('stale lines are gone: who writes the old place faults, who writes the new does not reach the old', () => {
    using world = makeSmall();
    const space = makeOwn(world, 2);
    warm([space]);
    remap(space, { from: 0, pages: 2, to: 2 });
    world.check();
    mapAt(space, 0, 2);
    poke(space, 0, 99);
    expect(peekAll(space, 0, 4)).toEqual([99, 0, 1, 2]);
  });

  test.each([
    ['up, shorter', { from: 0, pages: 4, newPages: 2, to: 10 }, [1, 2]],
    ['up, longer', { from: 0, pages: 4, newPages: 6, to: 10 }, [1, 2, 3, 4, 0, 0]],
    ['down to where it ended', { from: 2, pages: 2, to: 0, overlap: 'replace' }, [3, 4]],
    ['over a border of tables', { from: 0, pages: 4, to: 510 }, [1, 2, 3, 4]],
    ['by a gigapage', { from: 0, pages: 4, to: 2 ** 18 }, [1, 2, 3, 4]],
    ['to the top', { from: 0, pages: 4, to: MAX_PAGES - 4 }, [1, 2, 3, 4]],
  ] as const)('%s', (_name, options, expected) => {
    using world = makeSmall();
    const space = makeOwn(world, 4);
    const to = remap(space, options);
    expect(to).toBe(options.to);
    expect(peekAll(space, to, expected.length)).toEqual(expected);
    expect(space.residentFrames).toBeLessThanOrEqual(4);
    world.check();
  });

  test('what is there makes it EEXIST, or is unmapped with its pages and objects', () => {
    using world = makeSmall();
    const space = makeOwn(world, 3);
    mapAt(space, 10, 2, { sharing: 'shared', name: 'ring' });
    mapAt(space, 12, 2, { name: 'other' });
    for (const page of [10, 11, 12, 13]) poke(space, page, 100);
    const before = snapshot(world);
    expect(codeOf(() => remap(space, { from: 0, pages: 3, to: 10 }))).toBe('EEXIST');
    expect(snapshot(world)).toBe(before);
    expect(remap(space, { from: 0, pages: 3, newPages: 3, to: 10, overlap: 'replace' })).toBe(10);
    expect(mapsOf(space)).toEqual(['0xa000-0xd000 rw- heap', '0xd000-0xe000 rw- other']);
    expect(peekAll(space, 10, 4)).toEqual([1, 2, 3, 100]);
    expect(world.virtualMemory.objects.statistics().objects).toBe(0);
    expect(space.residentFrames).toBe(4);
    world.check();
  });

  test('pages without a frame replace those that had one', () => {
    using world = makeSmall();
    const space = world.space();
    mapAt(space, 0, 4, { name: 'sparse' });
    poke(space, 1, 1);
    mapAt(space, 10, 6, { name: 'full' });
    for (let page = 10; page < 16; page++) poke(space, page, page);
    remap(space, { from: 0, pages: 4, newPages: 5, to: 10, overlap: 'replace' });
    expect(peekAll(space, 10, 6)).toEqual([0, 1, 0, 0, 0, 15]);
    world.check();
  });

  test.each<readonly [string, Pages]>([
    ['its own place', { from: 0, pages: 4, to: 0 }],
    ['a place that overlaps it above', { from: 0, pages: 4, to: 3 }],
    ['a place that overlaps it below', { from: 2, pages: 2, to: 1 }],
    ['a place that overlaps what is to be dropped of it', { from: 0, pages: 4, newPages: 1, to: 3 }],
    ['a place that it would grow into', { from: 3, pages: 1, newPages: 4, to: 1 }],
    ['beyond MAXVA', { from: 0, pages: 4, to: MAX_PAGES - 3 }],
  ])('%s is EINVAL', (_name, options) => {
    using world = makeSmall();
    const space = makeOwn(world, 4);
    const before = snapshot(world);
    expect(codeOf(() => remap(space, { ...options, overlap: 'replace' }))).toBe('EINVAL');
    expect(snapshot(world)).toBe(before);
  });

  test.each(FORK_KINDS)('in a fork by %s moves for one side alone', (kind) => {
    using world = makeSmall();
    const vmo = makeTagged(world, 2);
    const parent = makeOwn(world, 3);
    mapAt(parent, 3, 2, { vmo, sharing: 'shared' });
    mapAt(parent, 5, 2, { vmo });
    peek(parent, 3);
    peek(parent, 5);
    const child = parent.fork(kind);
    warm([parent, child]);
    remap(child, { from: 0, pages: 7, to: 510 });
    world.check();
    expect(peekAll(child, 510, 7)).toEqual([1, 2, 3, tag(0), tag(1), tag(0), tag(1)]);
    expect(peekAll(parent, 0, 7)).toEqual([1, 2, 3, tag(0), tag(1), tag(0), tag(1)]);
    poke(child, 510, 90);
    poke(child, 513, 91);
    poke(parent, 1, 92);
    setVmoByte(vmo, 1, 93);
    expect(peekAll(child, 510, 7)).toEqual([90, 2, 3, 91, 93, 91, 93]);
    expect(peekAll(parent, 0, 7)).toEqual([1, 92, 3, 91, 93, 91, 93]);
    world.check();
    parent.close();
    expect(access(child, 511, 'write')).toMatch(/reused|ready/);
    vmo.close();
    expect(peek(child, 514)).toBe(93);
  });

  test.each(FORK_KINDS)(
    'is a transaction, in a fork by %s too: at whatever allocation it fails all is as it was',
    (kind) => {
      using world = makeWorld(2 * 1024 * 1024);
      const vmo = makeTagged(world, 4);
      const parent = world.space();
      mapAt(parent, 510, 4);
      mapAt(parent, 514, 2, { vmo, sharing: 'shared' });
      mapAt(parent, 516, 2, { vmo });
      mapAt(parent, 3000, 16, { name: 'wall' });
      for (let page = 510; page < 518; page++) poke(parent, page, page % 100);
      for (let page = 3000; page < 3016; page++) poke(parent, page, page % 100);
      const child = parent.fork(kind);
      const before = snapshot(world);
      const failed = failEachAllocation(
        world.memory,
        () => {
          try {
            remap(child, { from: 511, pages: 6, newPages: 8, to: 3068, overlap: 'replace' });
            return 'done';
          } catch (error) {
            expect(error).toBeInstanceOf(OutOfMemory);
            return 'out-of-memory';
          }
        },
        () => {
          expect(snapshot(world)).toBe(before);
          world.check();
        },
      );
      expect(failed).toBeGreaterThanOrEqual(1);
      expect(peekAll(child, 3068, 6)).toEqual([11, 12, 13, 14, 15, 16]);
      expect(peekAll(parent, 510, 8)).toEqual([10, 11, 12, 13, 14, 15, 16, 17]);
      expect(vmoByte(vmo, 0)).toBe(14);
      world.check();
    },
  );

  test.each(FORK_KINDS)('over what is there is a transaction, in a fork by %s too', (kind) => {
    using world = makeWorld(2 * 1024 * 1024);
    const vmo = makeTagged(world, 4);
    const parent = world.space();
    mapAt(parent, 0, 4);
    // Of the place, something in each of two tables is replaced, and something beside it stays.
    mapAt(parent, 1534, 5, { vmo, sharing: 'shared' });
    for (let page = 0; page < 4; page++) poke(parent, page, page + 1);
    for (let page = 1534; page < 1538; page++) poke(parent, page, page % 100);
    const child = parent.fork(kind);
    const before = snapshot(world);
    const failed = failEachAllocation(
      world.memory,
      () =>
        codeOf(() => remap(child, { from: 0, pages: 3, to: 1535, overlap: 'replace' })) === 'done'
          ? 'done'
          : 'out-of-memory',
      () => expect(snapshot(world)).toBe(before),
    );
    if (kind === 'tables') expect(failed).toBeGreaterThanOrEqual(4);
    expect([peekAll(child, 1534, 4), peek(child, 3)]).toEqual([[34, 1, 2, 3], 4]);
    expect([peekAll(parent, 1534, 4), peekAll(parent, 0, 4)]).toEqual([
      [34, 35, 36, 37],
      [1, 2, 3, 4],
    ]);
    world.check();
  });
});

describe('of an object’s mapping', () => {
  test('keeps to its ceiling, its sharing and what a fork has of it', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 2);
    const space = world.space();
    mapAt(space, 0, 2, {
      vmo,
      protection: 'r--',
      ceiling: 'r--',
      sharing: 'shared',
      onFork: 'omit',
      name: 'map',
    });
    remap(space, { from: 0, pages: 2, to: 20 });
    const [mapping] = [...space.mappings];
    expect(mapping).toMatchObject({
      start: 20,
      end: 22,
      ceiling: 'r--',
      sharing: 'shared',
      onFork: 'omit',
      name: 'map',
    });
    expect(codeOf(() => space.protect(at(20), PAGE_SIZE, 'rw-'))).toBe('EACCES');
    expect([...space.fork().mappings]).toEqual([]);
  });

  test('that was revoked does not bring it back', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 2);
    const copy = vmo.duplicate();
    const space = world.space();
    mapAt(space, 0, 2, { vmo: copy, sharing: 'shared' });
    mapAt(space, 10, 1, { vmo: copy, eviction: 'refused' });
    copy.revoke();
    remap(space, { from: 0, pages: 2, to: 4 });
    remap(space, { from: 10, pages: 1, newPages: 2, to: 20 });
    expect([4, 5, 20].map((page) => access(space, page, 'read'))).toEqual(['revoked', 'revoked', 'revoked']);
    expect(access(space, 4, 'write')).toBe('revoked');
    vmo.close();
    expect(world.virtualMemory.objects.statistics().objects).toBe(0);
    remap(space, { from: 4, pages: 2, newPages: 3, to: 40 });
    expect(access(space, 40, 'read')).toBe('revoked');
    world.check();
  });

  test('lets the object go with the last of its parts, wherever they were moved', () => {
    using world = makeSmall();
    const { objects } = world.virtualMemory;
    const pager = new TestPager(bytesOf(4));
    const space = world.space();
    {
      using vmo = makeZeros(world, 4, { pager });
      mapAt(space, 0, 4, { vmo, protection: 'r--' });
    }
    remap(space, { from: 1, pages: 1, to: 10 });
    remap(space, { from: 2, pages: 2, to: 20 });
    remap(space, { from: 20, pages: 2, newPages: 1, to: 30 });
    const child = space.fork();
    expect([peek(space, 0), peek(space, 10), peek(space, 30)]).toEqual([
      pager.bytes[0],
      pager.bytes[PAGE_SIZE],
      pager.bytes[bytesOf(2)],
    ]);
    for (const page of [0, 10, 30]) space.unmap(at(page), PAGE_SIZE);
    child.unmap(at(0), PAGE_SIZE);
    remap(child, { from: 10, pages: 1, to: 11 });
    child.unmap(at(30), PAGE_SIZE);
    expect(objects.statistics().objects).toBe(1);
    child.unmap(at(11), PAGE_SIZE);
    expect(objects.statistics().objects).toBe(0);
    expect(pager.heard().at(-1)).toBe('close');
  });

  test.each(['private', 'shared'] as const)(
    'that is %s and moves below where the object would begin, or above where it would end, still hears of changes',
    (sharing) => {
      using world = makeSmall();
      const vmo = makeTagged(world, 8, { resizable: true });
      const space = world.space();
      mapAt(space, 10, 8, { vmo, sharing });
      // Page 0 of the object would be at -2, and pages beyond the object's third beyond MAXVA.
      remap(space, { from: 12, pages: 1, to: 0 });
      remap(space, { from: 11, pages: 1, to: MAX_PAGES - 1 });
      remap(space, { from: 14, pages: 2, newPages: 4, to: 1 });
      expect([0, MAX_PAGES - 1, 1, 2, 3, 4].map((page) => peek(space, page))).toEqual(
        [2, 1, 4, 5, 6, 7].map(tag),
      );
      warm([space]);
      for (let page = 0; page < 8; page++) setVmoByte(vmo, page, 100 + page);
      vmo.decommit({ offset: bytesOf(5), length: PAGE_SIZE });
      world.check();
      const now = [102, 101, 104, 0, 106, 107];
      expect([0, MAX_PAGES - 1, 1, 2, 3, 4].map((page) => peek(space, page))).toEqual(now);
      vmo.resizeSync(bytesOf(2));
      world.check();
      expect([0, 1, 4].map((page) => access(space, page, 'read'))).toEqual(Array(3).fill('beyond-end'));
      expect(peek(space, MAX_PAGES - 1)).toBe(101);
      vmo.revoke();
      expect(mappedIn(space, 0, MAX_PAGES)).toEqual([]);
    },
  );

  test('that keeps its pages from eviction keeps those that it has grown by, too', () => {
    using world = makeSmall();
    const pager = new TestPager(bytesOf(4));
    const vmo = makeZeros(world, 4, { pager });
    const space = world.space();
    mapAt(space, 0, 2, { vmo, protection: 'r--', eviction: 'refused' });
    remap(space, { from: 0, pages: 2, newPages: 4 });
    expect(space.prefault(at(0), bytesOf(4), 'read')).toBeUndefined();
    squeeze(world);
    expect(mappedIn(space, 0, 4)).toEqual([0, 1, 2, 3]);
    const moved = remap(space, { from: 0, pages: 4, to: 100 });
    squeeze(world);
    expect(mappedIn(space, moved, 4)).toEqual([100, 101, 102, 103]);
  });

  test('leaves a copy of its own where it was only in the fork that has it there', () => {
    using world = makeSmall();
    const parent = makeOwn(world, 1);
    const child = parent.fork('tables');
    expect(countAt(parent, 0)).toBe(1);
    remap(child, { from: 0, pages: 1, to: 600 });
    expect(frameAt(child, 600)).toBe(frameAt(parent, 0));
    expect(countAt(parent, 0)).toBe(2);
    poke(child, 600, 9);
    expect(peek(parent, 0)).toBe(1);
    expect(access(parent, 0, 'write')).toBe('reused');
  });
});

describe('is refused', () => {
  test('where the range is not all mapped: ENOMEM', () => {
    using world = makeSmall();
    const space = makeOwn(world, 2);
    mapAt(space, 3, 1);
    const before = snapshot(world);
    for (const options of [
      { from: 0, pages: 3 },
      { from: 0, pages: 4, newPages: 1 },
      { from: 2, pages: 1, to: 9 },
      { from: 0, pages: 4, to: 'anywhere', newPages: 9 },
    ] as const) {
      expect(codeOf(() => remap(space, options))).toBe('ENOMEM');
    }
    expect(snapshot(world)).toBe(before);
  });

  test.each<readonly [string, Partial<RemapOptions>]>([
    ['no length', { lengthBytes: 0 }],
    ['a new length of nothing', { newLengthBytes: 0 }],
    ['a new length that is not whole pages', { newLengthBytes: 5 }],
    ['a new length beyond MAXVA', { newLengthBytes: MAXVA + PAGE_SIZE }],
    ['an address that is of no page', { at: virtAddr(4) }],
    ['a place that is of no page', { to: virtAddr(4) }],
    ['a place that is not a number', { to: virtAddr(NaN) }],
    ['a word that is no place', { to: 'elsewhere' as never }],
    ['replacing without a place', { overlap: 'replace' }],
    ['replacing anywhere', { to: 'anywhere', overlap: 'replace' }],
    ['a word that is no overlap', { overlap: 'maybe' as never }],
  ])('with %s: EINVAL', (_name, options) => {
    using world = makeSmall();
    const space = makeOwn(world, 2);
    const before = snapshot(world);
    expect(codeOf(() => space.remap({ at: at(0), lengthBytes: PAGE_SIZE, ...options }))).toBe('EINVAL');
    expect(snapshot(world)).toBe(before);
  });
});
