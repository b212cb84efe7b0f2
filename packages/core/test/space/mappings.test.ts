import { describe, expect, test } from 'vitest';
import { InvalidArgument, OutOfMemory, PAGE_SIZE, Usage, virtAddr, vpn } from '../../src/frame/index.js';
import { MAX_PAGES, MAXVA, PTE_COW, PTE_R, PTE_U, PTE_W } from '../../src/paging/index.js';
import { type AddressSpace, formatMapping, type Protection } from '../../src/space/index.js';
import { countAt, entry, frameAt, mapPages, peek, poke } from '../model/touch.js';
import { makeWorld, snapshot, type World } from '../model/world.js';

const bytesOf = (pages: number): number => pages * PAGE_SIZE;
const at = (page: number) => virtAddr(page * PAGE_SIZE);

describe('ranges', () => {
  test.each([
    ['no length', 0, 0],
    ['a negative length', 0, -PAGE_SIZE],
    ['an address that is not aligned', 1, PAGE_SIZE],
    ['a length that is not whole pages', 0, PAGE_SIZE + 1],
    ['a negative address', -PAGE_SIZE, PAGE_SIZE],
    ['an end beyond MAXVA', MAXVA - PAGE_SIZE, 2 * PAGE_SIZE],
    ['a start at MAXVA', MAXVA, PAGE_SIZE],
    ['a length beyond MAXVA', 0, MAXVA + PAGE_SIZE],
    ['an end beyond 2^53', 2 ** 52, 2 ** 53 - PAGE_SIZE],
    ['an address of 2^63', 2 ** 63, PAGE_SIZE],
    ['NaN for an address', NaN, PAGE_SIZE],
    ['NaN for a length', 0, NaN],
    ['an infinite length', 0, Infinity],
  ])('with %s are refused by every operation, and nothing changes', (_name, address, lengthBytes) => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 2, 'rw-');
    poke(space, 0, 1);
    const before = snapshot(world);
    const start = virtAddr(address);
    expect(() => space.map({ at: start, lengthBytes, protection: 'rw-' })).toThrow(InvalidArgument);
    expect(() => space.unmap(start, lengthBytes)).toThrow(InvalidArgument);
    expect(() => space.protect(start, lengthBytes, 'r--')).toThrow(InvalidArgument);
    expect(() => space.commit(start, lengthBytes)).toThrow(InvalidArgument);
    expect(snapshot(world)).toBe(before);
  });

  test('may be all of the user half', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, MAX_PAGES, 'rw-');
    poke(space, MAX_PAGES - 1, 3);
    poke(space, 0, 4);
    expect([peek(space, MAX_PAGES - 1), peek(space, 0)]).toEqual([3, 4]);
    space.protect(at(0), MAXVA, 'r--');
    space.unmap(at(0), MAXVA);
    expect([...space.mappings]).toEqual([]);
    expect([...space.table.tables()]).toHaveLength(1);
  });

  test('that overlap a mapping are refused with EEXIST, and nothing changes', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 2, 2, 'rw-');
    const before = snapshot(world);
    expect(() => mapPages(space, 3, 2, 'rw-')).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(snapshot(world)).toBe(before);
  });

  test.each(['-w-', 'constructor'])("with protection '%s' are refused", (protection) => {
    using world = makeWorld();
    const space = world.space();
    expect(() => mapPages(space, 0, 1, protection as Protection)).toThrow(InvalidArgument);
    expect([...space.mappings]).toEqual([]);
  });
});

describe('unmap', () => {
  test('drops the pages of the range, and no others', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 510, 4, 'rw-');
    for (const page of [510, 511, 512, 513]) poke(space, page, page % 256);
    const { free } = world.memory.statistics();
    space.unmap(at(511), bytesOf(2));
    expect(world.memory.freeFrames).toBe(free + 2);
    expect([peek(space, 510), peek(space, 513)]).toEqual([510 % 256, 513 % 256]);
    expect([...space.mappings].map(formatMapping)).toEqual([
      '0x1fe000-0x1ff000 rw-',
      '0x201000-0x202000 rw-',
    ]);
  });

  test('passes over what is not mapped', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 5, 1, 'rw-');
    space.unmap(at(0), bytesOf(100));
    space.unmap(at(0), bytesOf(100));
    expect([...space.mappings]).toEqual([]);
  });

  test('forgets the content: mapped again, a page is zero', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 1, 'rw-');
    poke(space, 0, 9);
    space.unmap(at(0), PAGE_SIZE);
    mapPages(space, 0, 1, 'rw-');
    expect(peek(space, 0)).toBe(0);
  });

  test('of one side of a fork leaves the other its pages', () => {
    using world = makeWorld();
    const parent = world.space();
    mapPages(parent, 0, 1, 'rw-');
    poke(parent, 0, 9);
    const child = parent.fork('pages');
    parent.unmap(at(0), PAGE_SIZE);
    expect(peek(child, 0)).toBe(9);
    expect(countAt(child, 0)).toBe(1);
  });
});

describe('protect', () => {
  test.each(['---', 'r--', 'r-x', '--x'] as const)('to %s and back keeps the content', (protection) => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 3, 'rw-');
    poke(space, 1, 42);
    const frame = frameAt(space, 1);
    space.protect(at(1), PAGE_SIZE, protection);
    expect(space.handleFault(vpn(1), 'write').kind).toBe('protection');
    world.check();
    space.protect(at(1), PAGE_SIZE, 'rw-');
    expect(peek(space, 1)).toBe(42);
    poke(space, 1, 43);
    expect(frameAt(space, 1)).toBe(frame);
    expect([...space.mappings]).toHaveLength(1);
  });

  test('to --- takes U, so that not even a read goes through, and a fork keeps the content behind it', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 1, 'rw-');
    poke(space, 0, 42);
    space.protect(at(0), PAGE_SIZE, '---');
    expect(entry(space, 0) & PTE_U).toBe(0);
    for (const access of ['read', 'write', 'execute'] as const) {
      expect(space.reach(vpn(0), access)).toEqual({ kind: 'protection' });
    }
    const child = space.fork('pages');
    child.protect(at(0), PAGE_SIZE, 'rw-');
    poke(child, 0, 7);
    space.protect(at(0), PAGE_SIZE, 'r--');
    expect([peek(space, 0), peek(child, 0)]).toEqual([42, 7]);
  });

  test('to writable does not make a shared page writable', () => {
    using world = makeWorld();
    const parent = world.space();
    mapPages(parent, 0, 1, 'rw-');
    poke(parent, 0, 1);
    parent.protect(at(0), PAGE_SIZE, 'r--');
    const child = parent.fork('pages');
    child.protect(at(0), PAGE_SIZE, 'rw-');
    expect(entry(child, 0) & (PTE_W | PTE_COW)).toBe(PTE_COW);
    world.check();
    poke(child, 0, 2);
    expect([peek(parent, 0), peek(child, 0)]).toEqual([1, 2]);
  });

  test('to writable does not make the zero frame writable', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 2, 'r--');
    expect([peek(space, 0), peek(space, 1)]).toEqual([0, 0]);
    space.protect(at(0), bytesOf(2), 'rw-');
    poke(space, 0, 5);
    expect([peek(space, 0), peek(space, 1)]).toEqual([5, 0]);
  });

  test('keeps flags that are not rights or COW', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 1, 'rw-');
    poke(space, 0, 1);
    const other = 0x20 | 0x40 | 0x80;
    space.table.replace(vpn(0), entry(space, 0) | other);
    for (const protection of ['---', 'rwx', '--x', 'rw-'] as const) {
      space.protect(at(0), PAGE_SIZE, protection);
      expect(entry(space, 0) & other).toBe(other);
    }
  });

  test('of a range that is not all mapped is refused with ENOMEM, and nothing changes', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 2, 'rw-');
    poke(space, 1, 1);
    const before = snapshot(world);
    expect(() => space.protect(at(1), bytesOf(2), 'r--')).toThrow(
      expect.objectContaining({ code: 'ENOMEM' }),
    );
    expect(snapshot(world)).toBe(before);
  });
});

describe('where memory runs out at the edge of a superpage', () => {
  const MEGA = 512;
  /** A space whose pages 512 to 1023 are one megapage, and no free frame. */
  const withMegapage = (world: World): AddressSpace => {
    const space = world.space();
    mapPages(space, MEGA, MEGA, 'rw-');
    const first = world.memory.allocateRange({
      frames: MEGA,
      usage: Usage.Frame,
      alignmentFrames: MEGA,
    });
    space.table.map(vpn(MEGA), first, PTE_U | PTE_R | PTE_W, 1);
    world.fill();
    return space;
  };

  test.each([
    ['unmap', (space: AddressSpace) => space.unmap(at(MEGA + 1), PAGE_SIZE)],
    ['protect', (space: AddressSpace) => space.protect(at(MEGA + 1), PAGE_SIZE, 'r--')],
  ] as const)(
    '%s changes neither mappings nor pages, and succeeds once there is a frame',
    (_name, change) => {
      using world = makeWorld(8 * 2 ** 20);
      const space = withMegapage(world);
      const before = snapshot(world);
      expect(() => change(space)).toThrow(OutOfMemory);
      expect([snapshot(world), space.table.leafPages(vpn(MEGA))]).toEqual([before, MEGA]);
      world.memory.release(world.held.pop()!);
      change(space);
      expect([...space.mappings].length).toBeGreaterThan(1);
      world.check();
      expect(peek(space, MEGA)).toBe(0);
    },
  );

  test('protect of the whole of it wants no frame', () => {
    using world = makeWorld(8 * 2 ** 20);
    const space = withMegapage(world);
    space.protect(at(MEGA), bytesOf(MEGA), 'r--');
    expect(space.table.leafPages(vpn(MEGA))).toBe(MEGA);
    world.check();
  });
});
