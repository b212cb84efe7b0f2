import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import { MAXVA } from '../../src/paging/index.js';
import { type AddressSpace, copyIn, copyInString, copyOut } from '../../src/space/index.js';
import { countAt, entry, mapPages, peek, poke } from '../model/touch.js';
import { contentOf, entriesOf, makeWorld, type World } from '../model/world.js';

/** Pages 0 … 3 rw-, 4 unmapped, 5 r--, 6 rw-, 7 --x, 8 ---; and the last page of all rw-. */
const makeSpace = (world: World): AddressSpace => {
  const space = world.space();
  mapPages(space, 0, 4, 'rw-');
  mapPages(space, 5, 1, 'r--');
  mapPages(space, 6, 1, 'rw-');
  mapPages(space, 7, 1, '--x');
  mapPages(space, 8, 1, '---');
  mapPages(space, MAXVA / PAGE_SIZE - 1, 1, 'rw-');
  return space;
};
const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 7) % 251);
const at = (page: number, offset = 0) => virtAddr(page * PAGE_SIZE + offset);

/** Addresses at which not even one byte can be had, as a guest's registers may hold them. */
const BAD_ADDRESSES: readonly [string, number][] = [
  ['an unmapped page', 4 * PAGE_SIZE],
  ['a page that grants nothing', 8 * PAGE_SIZE],
  ['a page that is only run', 7 * PAGE_SIZE + 12],
  ['MAXVA', MAXVA],
  ['beyond MAXVA', MAXVA + PAGE_SIZE],
  ['2^39', 2 ** 39],
  ['2^53', 2 ** 53],
  ['2^63', 2 ** 63],
  ['2^64 - 1, rounded', Number(0xffff_ffff_ffff_ffffn)],
  ['2^64 - 2^12', 2 ** 64 - PAGE_SIZE],
  ['a negative number', -1],
  ['a negative page', -PAGE_SIZE],
  ['NaN', NaN],
  ['infinity', Infinity],
  ['half a byte', 0.5],
];

describe('copyOut and copyIn', () => {
  test.each([
    [0, 1],
    [0, PAGE_SIZE],
    [4095, 2],
    [100, 3 * PAGE_SIZE],
    [0, 4 * PAGE_SIZE],
    [PAGE_SIZE, 0],
  ])('move bytes from address %i, %i of them, across pages', (address, length) => {
    using world = makeWorld();
    const space = makeSpace(world);
    const source = pattern(length);
    expect(copyOut(space, virtAddr(address), source)).toBe('ok');
    const target = new Uint8Array(length);
    expect(copyIn(space, virtAddr(address), target)).toBe('ok');
    expect(target).toEqual(source);
    const around = contentOf(space, vpn(Math.floor(address / PAGE_SIZE)));
    expect(around.subarray(0, address % PAGE_SIZE).every((byte) => byte === 0)).toBe(true);
  });

  test('reach the very last byte below MAXVA, and not one further', () => {
    using world = makeWorld();
    const space = makeSpace(world);
    expect(copyOut(space, virtAddr(MAXVA - 2), Uint8Array.of(1, 2))).toBe('ok');
    expect(copyOut(space, virtAddr(MAXVA - 2), Uint8Array.of(3, 4, 5))).toBe('EFAULT');
    const target = new Uint8Array(2);
    expect(copyIn(space, virtAddr(MAXVA - 2), target)).toBe('ok');
    expect([...target]).toEqual([1, 2]);
    expect(copyIn(space, virtAddr(MAXVA - 1), target)).toBe('EFAULT');
  });

  test.each(BAD_ADDRESSES)('fail at %s, and change nothing', (_name, address) => {
    using world = makeWorld();
    const space = makeSpace(world);
    poke(space, 0, 1);
    const before = entriesOf(space);
    const target = Uint8Array.of(9, 9);
    expect(copyIn(space, virtAddr(address), target)).toBe('EFAULT');
    expect(copyOut(space, virtAddr(address), target)).toBe('EFAULT');
    expect([...target]).toEqual([9, 9]);
    expect(entriesOf(space)).toEqual(before);
  });

  test.each([
    ['unmapped', 3],
    ['only run', 6],
  ])('of a range whose second page is %s move nothing at all', (_name, page) => {
    using world = makeWorld();
    const space = makeSpace(world);
    poke(space, page, 77);
    const before = contentOf(space, vpn(page));
    const target = new Uint8Array(2 * PAGE_SIZE).fill(9);
    expect(copyOut(space, at(page), target)).toBe('EFAULT');
    expect(copyIn(space, at(page), target)).toBe('EFAULT');
    expect(contentOf(space, vpn(page))).toEqual(before);
    expect(target.every((byte) => byte === 9)).toBe(true);
  });

  test('read a page that may only be read, and never write it', () => {
    using world = makeWorld();
    const space = makeSpace(world);
    space.protect(at(0), PAGE_SIZE, 'r--');
    expect(peek(space, 5)).toBe(0);
    for (const page of [0, 5]) {
      expect(copyOut(space, at(page, 8), Uint8Array.of(1))).toBe('EFAULT');
      expect(contentOf(space, vpn(page)).every((byte) => byte === 0)).toBe(true);
    }
    // A write that ends in a page that may only be read writes nothing before it either.
    space.protect(at(2), PAGE_SIZE, 'r-x');
    expect(copyOut(space, at(1, 4000), pattern(200))).toBe('EFAULT');
    expect(contentOf(space, vpn(1)).every((byte) => byte === 0)).toBe(true);
  });

  test('a copy out breaks copy on write first, a copy in does not', () => {
    using world = makeWorld();
    const parent = makeSpace(world);
    for (const page of [0, 1]) poke(parent, page, 5);
    const child = parent.fork('pages');
    expect(peek(child, 0)).toBe(5);
    expect(countAt(child, 0)).toBe(2);
    expect(copyOut(child, at(0, 4090), pattern(20))).toBe('ok');
    expect([countAt(child, 0), countAt(child, 1)]).toEqual([1, 1]);
    expect([peek(parent, 0), peek(parent, 1)]).toEqual([5, 5]);
    expect(contentOf(parent, vpn(0))[4091]).toBe(0);
  });

  test('a copy out into a space that is not the last one made goes where it is told', () => {
    using world = makeWorld(512 * 1024);
    const spaces = [makeSpace(world), makeSpace(world), makeSpace(world)];
    copyOut(spaces[1]!, at(0), Uint8Array.of(6));
    expect(spaces.map((space) => peek(space, 0))).toEqual([0, 6, 0]);
  });

  test('with each allocation failed say ENOMEM, and no byte has moved', () => {
    using world = makeWorld();
    const parent = makeSpace(world);
    poke(parent, 0, 5);
    const child = parent.fork('pages');
    const source = new Uint8Array(3 * PAGE_SIZE).fill(1);
    let n = 0;
    for (; ; n++) {
      world.memory.failAllocation(n + 1);
      const result = copyOut(child, at(0), source);
      world.memory.failAllocation(0);
      if (result === 'ok') break;
      expect(result).toBe('ENOMEM');
      expect([0, 1, 2].map((page) => peek(child, page))).toEqual([5, 0, 0]);
      world.check();
    }
    expect(n).toBeGreaterThan(0);
    expect([0, 1, 2].map((page) => peek(child, page))).toEqual([1, 1, 1]);
    expect([0, 1, 2].map((page) => peek(parent, page))).toEqual([5, 0, 0]);
  });

  test('of no bytes are fine anywhere', () => {
    using world = makeWorld();
    const space = makeSpace(world);
    for (const address of [0, 4 * PAGE_SIZE, MAXVA, 2 ** 63]) {
      expect(copyOut(space, virtAddr(address), new Uint8Array(0))).toBe('ok');
      expect(copyIn(space, virtAddr(address), new Uint8Array(0))).toBe('ok');
    }
    expect(entriesOf(space).size).toBe(0);
  });

  test('a copy out tells the watcher of a watched frame', () => {
    using world = makeWorld();
    const space = makeSpace(world);
    poke(space, 0, 1);
    const heard: number[][] = [];
    world.memory.setWatcher({
      frameWritten: (frame, offset, length) => heard.push([frame, offset, length]),
      frameFreed: () => {},
    });
    const frame = space.reach(vpn(0), 'write') as never;
    world.memory.watch(frame);
    copyOut(space, at(0, 4094), pattern(10));
    expect(heard).toEqual([[frame, 4094, 2]]);
  });
});

describe('copyInString', () => {
  const text = (result: ReturnType<typeof copyInString>): string =>
    result instanceof Uint8Array ? `'${new TextDecoder().decode(result)}'` : String(result);
  const put = (space: AddressSpace, address: number, string: string): void => {
    expect(copyOut(space, virtAddr(address), new TextEncoder().encode(string))).toBe('ok');
  };

  test('reads up to the zero byte', () => {
    using world = makeWorld();
    const space = makeSpace(world);
    put(space, 100, 'holstein\0moo');
    expect(text(copyInString(space, virtAddr(100), 64))).toBe("'holstein'");
    expect(text(copyInString(space, virtAddr(109), 64))).toBe("'moo'");
    expect(text(copyInString(space, virtAddr(108), 64))).toBe("''");
  });

  test('accepts a string whose zero byte is the last one allowed, and none longer', () => {
    using world = makeWorld();
    const space = makeSpace(world);
    put(space, 0, 'cow\0');
    expect(text(copyInString(space, at(0), 4))).toBe("'cow'");
    expect(text(copyInString(space, at(0), 3))).toBe('ENAMETOOLONG');
    expect(text(copyInString(space, at(0), 0))).toBe('ENAMETOOLONG');
    expect(text(copyInString(space, at(0, 3), 1))).toBe("''");
  });

  test('reads on across pages, to a limit that lies in a later one', () => {
    using world = makeWorld();
    const space = makeSpace(world);
    const long = 'm'.repeat(2 * PAGE_SIZE);
    put(space, 4000, `${long}\0`);
    expect(text(copyInString(space, virtAddr(4000), long.length + 1))).toBe(`'${long}'`);
    expect(text(copyInString(space, virtAddr(4000), long.length))).toBe('ENAMETOOLONG');
  });

  test('ends in the last byte of a page whose next is bad, and fails where it runs on', () => {
    using world = makeWorld();
    const space = makeSpace(world);
    put(space, 4 * PAGE_SIZE - 4, 'end\0');
    expect(text(copyInString(space, virtAddr(4 * PAGE_SIZE - 4), 100))).toBe("'end'");
    put(space, 4 * PAGE_SIZE - 4, 'endm');
    expect(text(copyInString(space, virtAddr(4 * PAGE_SIZE - 4), 100))).toBe('EFAULT');
    expect(text(copyInString(space, virtAddr(4 * PAGE_SIZE - 4), 4))).toBe('ENAMETOOLONG');
  });

  test('ends in the last byte below MAXVA, and fails where it runs on', () => {
    using world = makeWorld();
    const space = makeSpace(world);
    put(space, MAXVA - 3, 'up\0');
    expect(text(copyInString(space, virtAddr(MAXVA - 3), 128))).toBe("'up'");
    put(space, MAXVA - 3, 'upx');
    expect(text(copyInString(space, virtAddr(MAXVA - 3), 128))).toBe('EFAULT');
  });

  test.each(BAD_ADDRESSES)('fails at %s', (_name, address) => {
    using world = makeWorld();
    expect(copyInString(makeSpace(world), virtAddr(address), 16)).toBe('EFAULT');
  });

  test('says ENOMEM where a table is wanting', () => {
    using world = makeWorld();
    const space = makeSpace(world);
    world.fill();
    expect(copyInString(space, at(0), 16)).toBe('ENOMEM');
    expect(entry(space, 0)).toBe(0);
  });
});
