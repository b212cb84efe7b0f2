import { describe, expect, test } from 'vitest';
import { OutOfMemory, PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import { PTE_COW, PTE_W } from '../../src/paging/index.js';
import { type AddressSpace, type ForkKind, formatMapping } from '../../src/space/index.js';
import { countAt, entry, frameAt, mapPages, peek, poke } from '../model/touch.js';
import { contentOf, entriesOf, failEachAllocation, makeWorld, snapshot, type World } from '../model/world.js';

const KINDS: readonly ForkKind[] = ['tables', 'pages', 'eager'];
const WRITTEN = [0, 1, 511, 512, 2 ** 18, 2 ** 26 - 1];

/** A space with pages under several tables: written, read only, only read, and never touched. */
const makeParent = (world: World): AddressSpace => {
  const parent = world.space();
  mapPages(parent, 0, 3, 'rw-');
  mapPages(parent, 511, 3, 'rwx');
  mapPages(parent, 2 ** 18, 1, 'rw-');
  mapPages(parent, 2 ** 26 - 1, 1, 'rw-');
  for (const page of WRITTEN) poke(parent, page, (page % 250) + 1);
  parent.protect(virtAddr(PAGE_SIZE), PAGE_SIZE, 'r-x');
  peek(parent, 513);
  return parent;
};

describe.each(KINDS)("fork '%s'", (kind) => {
  test('gives the child the same mappings and the same bytes', () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    const child = parent.fork(kind);
    expect([...child.mappings].map(formatMapping)).toEqual([...parent.mappings].map(formatMapping));
    for (const page of [0, 1, 2, 511, 512, 513, 2 ** 18, 2 ** 26 - 1]) {
      expect(contentOf(child, vpn(page))).toEqual(contentOf(parent, vpn(page)));
    }
    world.check();
  });

  test('keeps the writes of each side from the other', () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    const child = parent.fork(kind);
    poke(child, 0, 100);
    poke(parent, 512, 101);
    poke(child, 2, 102);
    expect([0, 512, 2].map((page) => peek(parent, page))).toEqual([1, 101, 0]);
    expect([0, 512, 2].map((page) => peek(child, page))).toEqual([100, 13, 102]);
  });

  test('keeps later mappings of each side from the other', () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    const child = parent.fork(kind);
    mapPages(child, 100, 1, 'rw-');
    parent.unmap(virtAddr(0), PAGE_SIZE);
    expect(parent.handleFault(vpn(100), 'read').kind).toBe('unmapped');
    expect(peek(child, 0)).toBe(1);
  });

  test('with each allocation failed leaves the parent bit for bit as it was, and loses no frame', () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    // A parent whose pages are shared already must not change either.
    const sibling = parent.fork();
    poke(parent, 0, 77);
    const before = snapshot(world);
    const entries = entriesOf(parent);
    const { forks } = world.virtualMemory.statistics();
    let child: AddressSpace | undefined;
    const attempt = (): 'done' | 'out-of-memory' => {
      try {
        child = parent.fork(kind);
        return 'done';
      } catch (error) {
        expect(error).toBeInstanceOf(OutOfMemory);
        return 'out-of-memory';
      }
    };
    const failed = failEachAllocation(world.memory, attempt, () => {
      expect(snapshot(world)).toBe(before);
      expect(entriesOf(parent)).toEqual(entries);
      expect(world.virtualMemory.statistics().forks).toBe(forks);
      world.check();
    });
    // The tables of the child: its root alone where it shares the others. And for eager copies each page that was written.
    const tables = kind === 'tables' ? 1 : [...child!.table.tables()].length;
    expect(failed).toBe(tables + (kind === 'eager' ? WRITTEN.length : 0));
    expect([peek(child!, 0), peek(sibling, 0)]).toEqual([77, 1]);
  });

  test('when memory is full leaves a parent that can go on writing', () => {
    using world = makeWorld();
    const parent = world.space();
    mapPages(parent, 0, 2, 'rw-');
    poke(parent, 0, 1);
    world.fill(kind === 'tables' ? 0 : 2);
    expect(() => parent.fork(kind)).toThrow(OutOfMemory);
    expect(entry(parent, 0) & PTE_W).toBe(PTE_W);
    poke(parent, 0, 2);
    world.check();
  });

  test('of forks of forks, closed in any order, keeps each its own and gives all back', () => {
    const orders = [
      [0, 1, 2, 3],
      [3, 2, 1, 0],
      [1, 3, 0, 2],
      [2, 0, 3, 1],
    ];
    for (const order of orders) {
      using world = makeWorld(512 * 1024);
      const spaces = [makeParent(world)];
      for (let generation = 1; generation < 4; generation++) {
        const child = spaces[generation - 1]!.fork(kind);
        poke(child, 0, 200 + generation);
        spaces.push(child);
      }
      const left = new Set([0, 1, 2, 3]);
      for (const index of order) {
        spaces[index]!.close();
        left.delete(index);
        world.check();
        for (const generation of left) {
          expect(peek(spaces[generation]!, 0)).toBe(generation === 0 ? 1 : 200 + generation);
          expect(peek(spaces[generation]!, 512)).toBe(13);
        }
      }
    }
  });
});

describe("fork 'pages'", () => {
  test('takes no frame but tables, and shares every page', () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    const { Frame } = world.memory.statistics().byUsage;
    const child = parent.fork('pages');
    expect(world.memory.statistics().byUsage.Frame).toBe(Frame);
    for (const page of WRITTEN) {
      expect(frameAt(child, page)).toBe(frameAt(parent, page));
      expect(countAt(child, page)).toBe(2);
      expect(entry(child, page)).toBe(entry(parent, page));
      expect(entry(child, page) & (PTE_W | PTE_COW)).toBe(page === 1 ? 0 : PTE_COW);
    }
    expect(world.virtualMemory.statistics()).toMatchObject({
      forks: 1,
      framesSharedByForks: WRITTEN.length,
      framesCopiedByForks: 0,
    });
  });

  test("forgets the TLB lines by which the parent could write, and keeps the reads'", () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    const { tlb } = world;
    tlb.activate(parent.table.tlbContext);
    for (const access of ['read', 'write'] as const) {
      tlb.install(parent.table.tlbContext, access, vpn(0), parent.table.translate(vpn(0), access));
    }
    parent.fork('pages');
    expect([...tlb.lines(parent.table.tlbContext)].map(({ access }) => access)).toEqual(['read']);
  });

  test('many times over wants one copy for each writer but the last', () => {
    using world = makeWorld(512 * 1024);
    const parent = world.space();
    mapPages(parent, 0, 1, 'rw-');
    poke(parent, 0, 1);
    const spaces = [parent, ...Array.from({ length: 6 }, () => parent.fork('pages'))];
    expect(countAt(parent, 0)).toBe(7);
    for (const [index, space] of spaces.entries()) poke(space, 0, 50 + index);
    expect(spaces.map((space) => peek(space, 0))).toEqual([50, 51, 52, 53, 54, 55, 56]);
    expect(world.virtualMemory.statistics().faults).toMatchObject({ copied: 6, reused: 1 });
  });

  test('the last owner writes in place even when memory is full', () => {
    using world = makeWorld();
    const parent = world.space();
    mapPages(parent, 0, 1, 'rw-');
    poke(parent, 0, 1);
    const child = parent.fork('pages');
    parent.close();
    world.fill();
    poke(child, 0, 2);
    expect(peek(child, 0)).toBe(2);
    expect(world.virtualMemory.statistics().faults).toMatchObject({ copied: 0, reused: 1 });
  });
});

test("fork 'eager' shares nothing but the zero frame", () => {
  using world = makeWorld(512 * 1024);
  const parent = makeParent(world);
  const child = parent.fork('eager');
  for (const page of WRITTEN) {
    expect(frameAt(child, page)).not.toBe(frameAt(parent, page));
    expect([countAt(child, page), countAt(parent, page)]).toEqual([1, 1]);
    expect(entry(child, page) & 0x3ff).toBe(entry(parent, page) & 0x3ff);
  }
  expect(frameAt(child, 513)).toBe(world.virtualMemory.zeroFrame);
  expect(world.virtualMemory.statistics()).toMatchObject({
    framesSharedByForks: 0,
    framesCopiedByForks: WRITTEN.length,
  });
});
