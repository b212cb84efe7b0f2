/** Forks that share page tables: what is copied when, who still sees what, and what it costs. */
import { describe, expect, test } from 'vitest';
import { OutOfMemory, PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import { PTE_COW, PTE_W } from '../../src/paging/index.js';
import type { AddressSpace } from '../../src/space/index.js';
import { countAt, entry, frameAt, mapPages, peek, poke } from '../model/touch.js';
import { contentOf, makeWorld, type World } from '../model/world.js';

const usedBy = ({ memory }: World) => {
  const { Frame, PageTable } = memory.statistics().byUsage;
  return { frames: Frame, tables: PageTable };
};

/** A space with pages 0 … 3 written, in one leaf table. */
const makeParent = (world: World, pages = 4): AddressSpace => {
  const parent = world.space();
  mapPages(parent, 0, pages, 'rw-');
  for (let page = 0; page < pages; page++) poke(parent, page, page + 1);
  return parent;
};

describe("fork 'tables'", () => {
  test('takes one frame, whatever there is to fork', () => {
    for (const pages of [1, 100]) {
      using world = makeWorld(1024 * 1024);
      const parent = makeParent(world, pages);
      const before = usedBy(world);
      parent.fork('tables');
      expect(usedBy(world)).toEqual({ frames: before.frames, tables: before.tables + 1 });
      world.check();
    }
  });

  test('leaves both sides pages that are COW, in frames with one reference', () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    const child = parent.fork('tables');
    for (const space of [parent, child]) {
      expect(entry(space, 1) & (PTE_W | PTE_COW)).toBe(PTE_COW);
      expect(countAt(space, 1)).toBe(1);
    }
    expect(frameAt(child, 1)).toBe(frameAt(parent, 1));
  });

  test('copies two tables and a page at the first write, a page at the next, and nothing for the last owner', () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    const child = parent.fork('tables');
    const before = usedBy(world);
    poke(child, 0, 100);
    expect(usedBy(world)).toEqual({ frames: before.frames + 1, tables: before.tables + 2 });
    poke(child, 1, 101);
    expect(usedBy(world)).toEqual({ frames: before.frames + 2, tables: before.tables + 2 });
    // The tables are the parent's alone now, and so is the frame of what the child has copied.
    poke(parent, 0, 50);
    expect(usedBy(world)).toEqual({ frames: before.frames + 2, tables: before.tables + 2 });
    expect([peek(parent, 0), peek(parent, 1), peek(child, 0), peek(child, 1)]).toEqual([50, 2, 100, 101]);
    world.check();
  });

  test('gives the tables back to the one who is left, with the right to write', () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    const child = parent.fork('tables');
    const frame = frameAt(parent, 2);
    parent.close();
    world.fill();
    poke(child, 2, 9);
    expect(frameAt(child, 2)).toBe(frame);
    expect(world.virtualMemory.statistics().faults).toMatchObject({ copied: 0, reused: 1 });
  });

  test('shares what is read, and copies no table for it', () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    const child = parent.fork('tables');
    const before = usedBy(world);
    for (let page = 0; page < 4; page++) expect(peek(child, page)).toBe(page + 1);
    expect(usedBy(world)).toEqual(before);
  });

  test('keeps a page that one side touches first from the other', () => {
    using world = makeWorld(512 * 1024);
    const parent = world.space();
    mapPages(parent, 0, 8, 'rw-');
    poke(parent, 0, 1);
    const child = parent.fork('tables');
    poke(child, 5, 55);
    expect(peek(parent, 5)).toBe(0);
    expect(peek(child, 5)).toBe(55);
    world.check();
  });

  test('unmaps whole tables that are shared with no memory at all', () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    const child = parent.fork('tables');
    const { tables } = usedBy(world);
    world.fill();
    child.unmap(virtAddr(0), 512 * 512 * PAGE_SIZE);
    expect(child.table.pagesMapped).toBe(0);
    expect(usedBy(world).tables).toBe(tables);
    expect(contentOf(parent, vpn(3))[0]).toBe(4);
    world.check();
  });

  test.each(['unmap', 'protect'] as const)(
    '%s of a part of a shared table wants memory, and changes nothing without',
    (operation) => {
      using world = makeWorld(512 * 1024);
      const parent = makeParent(world);
      const child = parent.fork('tables');
      const change = (): void =>
        operation === 'unmap'
          ? child.unmap(virtAddr(0), PAGE_SIZE)
          : child.protect(virtAddr(0), PAGE_SIZE, 'r--');
      // One of the two tables is there to be had.
      world.fill(1);
      const before = usedBy(world);
      expect(change).toThrow(OutOfMemory);
      expect(usedBy(world)).toEqual(before);
      expect([...child.mappings]).toHaveLength(1);
      expect(peek(child, 0)).toBe(1);
      world.check();
      world.drain();
      change();
      expect(peek(parent, 0)).toBe(1);
      expect(entry(child, 0) & PTE_W).toBe(0);
      world.check();
    },
  );

  test('a write for which there is no memory changes nothing, be it the table or the page that is wanting', () => {
    using world = makeWorld(512 * 1024);
    const parent = makeParent(world);
    const child = parent.fork('tables');
    for (const left of [0, 1, 2]) {
      world.fill(left);
      const before = usedBy(world);
      expect(child.handleFault(vpn(0), 'write').kind).toBe('out-of-memory');
      expect(usedBy(world)).toEqual(before);
      world.check();
      world.drain();
    }
    poke(child, 0, 7);
    expect([peek(parent, 0), peek(child, 0)]).toEqual([1, 7]);
  });

  test('of forks by tables, by pages and eager ones, one of the other, keeps each its own', () => {
    using world = makeWorld(2 * 1024 * 1024);
    const spaces = [makeParent(world)];
    for (const kind of ['tables', 'pages', 'tables', 'eager', 'tables', 'tables'] as const) {
      const child = spaces.at(-1)!.fork(kind);
      poke(child, 1, 10 * spaces.length);
      spaces.push(child);
      world.check();
    }
    expect(spaces.map((space) => peek(space, 1))).toEqual([2, 10, 20, 30, 40, 50, 60]);
    while (spaces.length > 0) {
      spaces.splice(spaces.length >> 1, 1)[0]!.close();
      world.check();
      for (const space of spaces) expect(peek(space, 3)).toBe(4);
    }
  });
});
