import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, virtAddr } from '../../src/frame/index.js';
import { MAX_PAGES, MAXVA } from '../../src/paging/index.js';
import { type AddressSpace, formatMapping, type MapOptions } from '../../src/space/index.js';
import { peek, poke } from '../model/touch.js';
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
  tag,
  vmoByte,
  warm,
} from './mapped.js';

const makeSmall = (): World => makeWorld(512 * 1024);
const pageOf = (address: number): number => address / PAGE_SIZE;
const place = (space: AddressSpace, pages: number, options: Partial<MapOptions> = {}): number =>
  pageOf(space.map({ lengthBytes: bytesOf(pages), protection: 'rw-', ...options }));
const mapsOf = (space: AddressSpace): string[] => [...space.mappings].map(formatMapping);

describe('without a place', () => {
  test('mappings go below MAXVA, one below the other, and into the highest hole that has room', () => {
    using world = makeSmall();
    const space = world.space();
    expect(place(space, 4, { name: 'a' })).toBe(MAX_PAGES - 4);
    expect(place(space, 2, { name: 'b' })).toBe(MAX_PAGES - 6);
    expect(place(space, 3, { name: 'c' })).toBe(MAX_PAGES - 9);
    space.unmap(at(MAX_PAGES - 6), bytesOf(2));
    expect(place(space, 3, { name: 'd' })).toBe(MAX_PAGES - 12);
    expect(place(space, 1, { name: 'e' })).toBe(MAX_PAGES - 5);
    expect(place(space, 1, { name: 'f' })).toBe(MAX_PAGES - 6);
    poke(space, MAX_PAGES - 12, 1);
  });

  test('nothing goes where a null pointer leads, and where no room is left it is ENOMEM', () => {
    using world = makeSmall();
    const space = world.space();
    expect(place(space, MAX_PAGES - 16)).toBe(16);
    const before = snapshot(world);
    expect(codeOf(() => place(space, 1))).toBe('ENOMEM');
    expect(codeOf(() => place(space, 1, { near: at(20) }))).toBe('ENOMEM');
    expect(snapshot(world)).toBe(before);
    // Whoever asks for it may have it.
    mapAt(space, 0, 16);
    expect(place(world.space(), 1)).toBe(MAX_PAGES - 1);
    expect(codeOf(() => place(world.space(), MAX_PAGES - 15))).toBe('ENOMEM');
  });

  test('a mapping that reaches into the lowest pages leaves the room above it', () => {
    using world = makeSmall();
    const space = world.space();
    mapAt(space, 0, 20, { name: 'low' });
    mapAt(space, 30, MAX_PAGES - 30, { name: 'high' });
    expect(codeOf(() => place(space, 11))).toBe('ENOMEM');
    expect(place(space, 10)).toBe(20);
  });

  test('shared memory that is refused for want of room leaves no object behind', () => {
    using world = makeSmall();
    const space = world.space();
    mapAt(space, 0, MAX_PAGES);
    expect(codeOf(() => place(space, 1, { sharing: 'shared' }))).toBe('ENOMEM');
    expect(world.virtualMemory.objects.statistics().objects).toBe(0);
  });
});

describe('near a place', () => {
  test('a mapping goes there if all of it is free, else where the space chooses', () => {
    using world = makeSmall();
    const space = world.space();
    expect(place(space, 4, { near: at(100) })).toBe(100);
    expect(place(space, 2, { near: at(103) })).toBe(MAX_PAGES - 2);
    expect(place(space, 2, { near: at(99) })).toBe(MAX_PAGES - 4);
    expect(place(space, 2, { near: at(98) })).toBe(98);
    expect(place(space, 2, { near: at(104) })).toBe(104);
  });

  test('that is no page is EINVAL', () => {
    using world = makeSmall();
    const space = world.space();
    for (const near of [1, -PAGE_SIZE, NaN, MAXVA]) {
      expect(codeOf(() => place(space, 1, { near: virtAddr(near) }))).toBe('EINVAL');
    }
  });
});

describe('in the place of others', () => {
  test('what is there is unmapped, in part where it is longer, and its pages are dropped', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 4);
    const space = world.space();
    mapAt(space, 0, 4, { name: 'old' });
    for (let page = 0; page < 4; page++) poke(space, page, page + 1);
    const { freeFrames } = world.memory;
    mapAt(space, 1, 2, { vmo, overlap: 'replace', name: 'new' });
    expect(world.memory.freeFrames).toBe(freeFrames + 2);
    expect([0, 1, 2, 3].map((page) => peek(space, page))).toEqual([1, tag(0), tag(1), 4]);
    expect(mapsOf(space)).toEqual(['0x0-0x1000 rw- old', '0x1000-0x3000 rw- new', '0x3000-0x4000 rw- old']);
  });

  test('the object that was there is let go of, and the one that comes is kept, be they the same', () => {
    using world = makeSmall();
    const { objects } = world.virtualMemory;
    const space = world.space();
    mapAt(space, 0, 2, { sharing: 'shared' });
    poke(space, 0, 1);
    mapAt(space, 0, 2, { sharing: 'shared', overlap: 'replace' });
    expect(objects.statistics().objects).toBe(1);
    expect(peek(space, 0)).toBe(0);
    using vmo = makeTagged(world, 2);
    mapAt(space, 0, 2, { vmo, overlap: 'replace' });
    mapAt(space, 0, 2, { vmo, offsetBytes: PAGE_SIZE, overlap: 'replace' });
    expect([objects.statistics().objects, peek(space, 0)]).toEqual([1, tag(1)]);
    world.check();
  });

  test('without replace it is EEXIST, be it by a single page', () => {
    using world = makeSmall();
    const space = world.space();
    mapAt(space, 3, 1);
    const before = snapshot(world);
    for (const start of [0, 3]) expect(codeOf(() => mapAt(space, start, 4))).toBe('EEXIST');
    expect(codeOf(() => mapAt(space, 0, 4, { sharing: 'shared' }))).toBe('EEXIST');
    expect(snapshot(world)).toBe(before);
    expect(world.virtualMemory.objects.statistics().objects).toBe(0);
  });

  test.each(FORK_KINDS)('one side of a fork by %s leaves the other what it had', (kind) => {
    using world = makeSmall();
    const vmo = makeTagged(world, 4);
    const parent = world.space();
    mapAt(parent, 0, 4, { vmo, sharing: 'shared' });
    mapAt(parent, 4, 2);
    for (const page of [0, 1, 4, 5]) poke(parent, page, 20 + page);
    const child = parent.fork(kind);
    warm([parent, child]);
    mapAt(child, 1, 4, { overlap: 'replace' });
    world.check();
    expect([0, 1, 4, 5].map((page) => peek(parent, page))).toEqual([20, 21, 24, 25]);
    expect([0, 1, 4, 5].map((page) => peek(child, page))).toEqual([20, 0, 0, 25]);
    world.check();
  });

  test('is a transaction: at whatever allocation it fails, all is as it was', () => {
    using world = makeWorld(1024 * 1024);
    const vmo = makeTagged(world, 4);
    const parent = world.space();
    mapAt(parent, 510, 4, { vmo });
    for (const page of [510, 511, 512, 513]) poke(parent, page, page % 100);
    const child = parent.fork('tables');
    const before = snapshot(world);
    const { objects } = world.virtualMemory;
    const failed = failEachAllocation(
      world.memory,
      () => {
        const code = codeOf(() => mapAt(child, 511, 2, { sharing: 'shared', overlap: 'replace' }));
        return code === 'done' ? 'done' : 'out-of-memory';
      },
      () => {
        expect(snapshot(world)).toBe(before);
        expect(objects.statistics().objects).toBe(1);
      },
    );
    expect(failed).toBe(3);
    expect([510, 511, 512, 513].map((page) => peek(child, page))).toEqual([10, 0, 0, 13]);
    expect([510, 511, 512, 513].map((page) => peek(parent, page))).toEqual([10, 11, 12, 13]);
  });

  test('the new mapping stands, and shows its object, though the old object’s pager throws when it is closed', () => {
    using world = makeSmall();
    const space = world.space();
    const pager = new TestPager(PAGE_SIZE);
    pager.during.close = () => {
      throw new Error('no');
    };
    {
      using old = makeZeros(world, 1, { pager });
      mapAt(space, 0, 1, { vmo: old });
    }
    const vmo = makeTagged(world, 1);
    expect(() => mapAt(space, 0, 1, { vmo, overlap: 'replace' })).toThrow('no');
    expect([...space.mappings]).toHaveLength(1);
    expect(access(space, 0, 'read')).toBe('mapped');
    expect(peek(space, 0)).toBe(tag(0));
  });
});

describe('a guard', () => {
  test('faults for every access, cannot be given rights, and goes with unmap', () => {
    using world = makeSmall();
    const space = world.space();
    mapAt(space, 0, 4, { name: 'stack' });
    space.guard({ at: at(4), lengthBytes: PAGE_SIZE });
    expect(mapsOf(space)).toEqual(['0x0-0x4000 rw- stack', '0x4000-0x5000 --- guard']);
    for (const kind of ['read', 'write', 'execute'] as const)
      expect(access(space, 4, kind)).toBe('protection');
    for (const protection of ['r--', 'rw-', 'r-x', 'rwx', '--x'] as const) {
      expect(codeOf(() => space.protect(at(3), bytesOf(2), protection))).toBe('EACCES');
    }
    expect(space.mappings.find(0 as never)?.protection).toBe('rw-');
    space.protect(at(4), PAGE_SIZE, '---');
    expect(codeOf(() => mapAt(space, 4, 1))).toBe('EEXIST');
    space.unmap(at(4), PAGE_SIZE);
    mapAt(space, 4, 1);
    poke(space, 4, 1);
  });

  test('is put in the place of what is there only where asked, and is forked', () => {
    using world = makeSmall();
    const space = world.space();
    mapAt(space, 0, 3);
    for (const page of [0, 1, 2]) poke(space, page, page + 1);
    expect(codeOf(() => space.guard({ at: at(1), lengthBytes: PAGE_SIZE }))).toBe('EEXIST');
    space.guard({ at: at(1), lengthBytes: PAGE_SIZE, overlap: 'replace' });
    const child = space.fork();
    expect([0, 1, 2].map((page) => access(child, page, 'read'))).toEqual(['ready', 'protection', 'ready']);
    expect(peek(child, 2)).toBe(3);
    expect(child.residentFrames).toBe(2);
  });

  test('goes where the space has room', () => {
    using world = makeSmall();
    const space = world.space();
    expect(pageOf(space.guard({ lengthBytes: PAGE_SIZE }))).toBe(MAX_PAGES - 1);
    expect(pageOf(space.guard({ near: at(50), lengthBytes: PAGE_SIZE }))).toBe(50);
  });
});

describe('what a fork’s child has of a mapping', () => {
  test.each(FORK_KINDS)('by %s: the same, nothing, or zeros', (kind) => {
    using world = makeSmall();
    const { objects } = world.virtualMemory;
    const vmo = makeTagged(world, 2);
    const parent = world.space();
    mapAt(parent, 0, 2, { name: 'same' });
    mapAt(parent, 2, 2, { onFork: 'omit', name: 'secret' });
    mapAt(parent, 4, 2, { onFork: 'wipe', name: 'seed' });
    mapAt(parent, 6, 2, { vmo, sharing: 'shared', onFork: 'omit', name: 'device' });
    mapAt(parent, 8, 2, { sharing: 'shared', onFork: 'omit', name: 'own ring' });
    for (let page = 0; page < 10; page++) poke(parent, page, page + 1);
    const before = snapshot(world);
    const child = parent.fork(kind);
    expect(mapsOf(child)).toEqual(['0x0-0x2000 rw- same', '0x4000-0x6000 rw- seed']);
    expect([0, 1, 4, 5].map((page) => peek(child, page))).toEqual([1, 2, 0, 0]);
    expect([2, 3, 6, 7, 8, 9].map((page) => access(child, page, 'read'))).toEqual(
      Array.from({ length: 6 }, () => 'unmapped'),
    );
    for (let page = 0; page < 10; page++) expect(peek(parent, page)).toBe(page + 1);
    poke(child, 4, 99);
    expect(peek(parent, 4)).toBe(5);
    // The grandchild's as well: how it is forked is the mapping's own.
    const grandchild = child.fork(kind);
    expect(peek(grandchild, 4)).toBe(0);
    world.check();
    const held = objects.statistics().objects;
    grandchild.close();
    child.close();
    expect(objects.statistics().objects).toBe(held);
    if (kind === 'eager') expect(snapshot(world)).toBe(before);
    parent.unmap(at(8), bytesOf(2));
    expect(objects.statistics().objects).toBe(held - 1);
  });

  test.each(FORK_KINDS)('by %s can be said of a part, and taken back', (kind) => {
    using world = makeSmall();
    const parent = world.space();
    mapAt(parent, 508, 8);
    for (let page = 508; page < 516; page++) poke(parent, page, page % 256);
    parent.onFork(at(510), bytesOf(4), 'omit');
    parent.onFork(at(511), PAGE_SIZE, 'inherit');
    parent.onFork(at(513), bytesOf(2), 'wipe');
    const child = parent.fork(kind);
    const seen = Array.from({ length: 8 }, (_, index) => {
      const kindOf = access(child, 508 + index, 'read');
      return kindOf === 'unmapped' ? kindOf : peek(child, 508 + index);
    });
    expect(seen).toEqual([508 % 256, 509 % 256, 'unmapped', 511 % 256, 'unmapped', 0, 0, 515 % 256]);
    parent.onFork(at(508), bytesOf(8), 'inherit');
    expect([...parent.mappings]).toHaveLength(1);
    const second = parent.fork(kind);
    for (let page = 508; page < 516; page++) expect(peek(second, page)).toBe(page % 256);
    world.check();
  });

  test('is refused where it makes no sense: EINVAL for a word or a wiped object, ENOMEM for what is not mapped', () => {
    using world = makeSmall();
    const vmo = makeTagged(world, 1);
    const space = world.space();
    mapAt(space, 0, 1);
    mapAt(space, 1, 1, { vmo });
    mapAt(space, 2, 1, { sharing: 'shared' });
    const before = mapsOf(space);
    const set = (first: number, pages: number, word: string) => (): void =>
      space.onFork(at(first), bytesOf(pages), word as never);
    expect([set(0, 2, 'wipe'), set(2, 1, 'wipe'), set(0, 1, 'never')].map(codeOf)).toEqual([
      'EINVAL',
      'EINVAL',
      'EINVAL',
    ]);
    expect([set(0, 4, 'omit'), set(9, 1, 'omit')].map(codeOf)).toEqual(['ENOMEM', 'ENOMEM']);
    expect(mapsOf(space)).toEqual(before);
    expect([...space.mappings].map(({ onFork }) => onFork)).toEqual(['inherit', 'inherit', 'inherit']);
  });

  test.each(FORK_KINDS)(
    'by %s: where memory runs out for dropping it, there is no child, and the parent is as it was',
    (kind) => {
      using world = makeWorld(1024 * 1024);
      const { objects } = world.virtualMemory;
      const vmo = makeTagged(world, 2);
      const parent = world.space();
      mapAt(parent, 508, 8);
      mapAt(parent, 600, 2, { vmo, onFork: 'omit' });
      mapAt(parent, 700, 2, { sharing: 'shared' });
      for (let page = 508; page < 516; page++) poke(parent, page, page % 256);
      poke(parent, 600, 1);
      poke(parent, 700, 2);
      parent.onFork(at(510), bytesOf(4), 'omit');
      const failed = failEachAllocation(
        world.memory,
        () => {
          const code = codeOf(() => parent.fork(kind).close());
          if (code !== 'done') expect(code).toBe('ENOMEM');
          return code === 'done' ? 'done' : 'out-of-memory';
        },
        () => {
          world.check();
          expect(world.virtualMemory.spaces.size).toBe(1);
          expect(objects.statistics().objects).toBe(2);
          for (let page = 508; page < 516; page++) expect(peek(parent, page)).toBe(page % 256);
          expect([peek(parent, 600), peek(parent, 601), peek(parent, 700)]).toEqual([1, tag(1), 2]);
        },
      );
      expect(failed).toBeGreaterThanOrEqual(4);
      poke(parent, 510, 1);
      expect(vmoByte(vmo, 0)).toBe(tag(0));
    },
  );
});

describe('a mapping of all of the user half', () => {
  test('of an object takes no time for what is not touched', () => {
    using world = makeSmall();
    const vmo = makeZeros(world, MAX_PAGES + 5);
    const space = world.space();
    mapAt(space, 0, MAX_PAGES, { vmo, sharing: 'shared', offsetBytes: bytesOf(5) });
    for (const page of [0, 511, 2 ** 18, MAX_PAGES - 1]) poke(space, page, 7);
    for (let turn = 0; turn < 20; turn++) {
      const child = space.fork();
      child.protect(at(1), MAXVA - PAGE_SIZE, 'r--');
      child.dontNeed(at(0), MAXVA);
      child.unmap(at(3), MAXVA - bytesOf(6));
      child.close();
      vmo.decommit({ offset: 0, length: bytesOf(MAX_PAGES) });
      for (const page of [0, 511, 2 ** 18, MAX_PAGES - 1]) poke(space, page, 7);
    }
    expect(vmoByte(vmo, 5)).toBe(7);
    expect(mappedIn(space, 0, MAX_PAGES)).toEqual([0, 511, 2 ** 18, MAX_PAGES - 1]);
    vmo.revoke();
    expect(mappedIn(space, 0, MAX_PAGES)).toEqual([]);
    expect([...space.table.tables()]).toHaveLength(1);
  });
});
