/** The defects of seed 003 (xv6 write-up A), each a test that an implementation with it would fail. */
import { expect, test } from 'vitest';
import { OutOfMemory, PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import { MAX_PAGES, MAXVA, PTE_COW, PTE_RIGHTS, PTE_U, PTE_W, PTE_X } from '../../src/paging/index.js';
import { copyOut } from '../../src/space/index.js';
import { countAt, entry, frameAt, mapPages, peek, poke } from '../model/touch.js';
import { entriesOf, makeWorld, snapshot } from '../model/world.js';

test('003.1: read-only pages stay read-only and writable pages do not become executable after a COW fault', () => {
  using world = makeWorld();
  const parent = world.space();
  mapPages(parent, 0, 2, 'rw-');
  poke(parent, 0, 1);
  poke(parent, 1, 2);
  parent.protect(virtAddr(0), PAGE_SIZE, 'r-x');
  const child = parent.fork('pages');
  for (const space of [parent, child]) {
    // Text: not marked COW by the fork, and no fault makes it writable.
    expect(entry(space, 0) & (PTE_W | PTE_COW)).toBe(0);
    expect(space.handleFault(vpn(0), 'write')).toEqual({ kind: 'protection' });
    expect(entry(space, 0) & (PTE_RIGHTS | PTE_COW)).toBe(PTE_RIGHTS & ~PTE_W);
    // Data: writable after the fault, and still not to be run.
    expect(space.handleFault(vpn(1), 'write').kind).toBe('resolved');
    expect(entry(space, 1) & (PTE_RIGHTS | PTE_U)).toBe((PTE_RIGHTS & ~PTE_X) | PTE_U);
    expect(space.handleFault(vpn(1), 'execute')).toEqual({ kind: 'protection' });
  }
});

test('003.2: the last owner writes in place, and needs no memory for it', () => {
  using world = makeWorld();
  const parent = world.space();
  mapPages(parent, 0, 1, 'rw-');
  poke(parent, 0, 1);
  const child = parent.fork('pages');
  parent.close();
  const frame = frameAt(child, 0);
  world.fill();
  expect(child.handleFault(vpn(0), 'write')).toEqual({ kind: 'resolved', by: 'reused' });
  expect(frameAt(child, 0)).toBe(frame);
  expect(peek(child, 0)).toBe(1);
});

test('003.3: a fork that fails at any page leaks no reference and leaves the parent writable', () => {
  using world = makeWorld();
  const parent = world.space();
  const pages = [0, 512, 1024, 2 ** 18];
  for (const page of pages) {
    mapPages(parent, page, 1, 'rw-');
    poke(parent, page, 1);
  }
  const before = snapshot(world);
  // The child wants a root, two middle and four leaf tables.
  for (let n = 1; n <= 7; n++) {
    world.memory.failAllocation(n);
    expect(() => parent.fork('pages')).toThrow(OutOfMemory);
    expect(snapshot(world)).toBe(before);
    for (const page of pages) {
      expect(countAt(parent, page)).toBe(1);
      expect(entry(parent, page) & (PTE_W | PTE_COW)).toBe(PTE_W);
    }
  }
  parent.fork('pages');
});

test('003.4: accesses outside what is mapped fail, at MAXVA and beyond too', () => {
  using world = makeWorld();
  const space = world.space();
  mapPages(space, 0, 1, 'rw-');
  poke(space, 0, 1);
  const before = entriesOf(space);
  for (const page of [1, 512, MAX_PAGES - 1, MAX_PAGES, 2 ** 27, 2 ** 52]) {
    expect(space.handleFault(vpn(page), 'write')).toEqual({ kind: 'unmapped' });
    expect(copyOut(space, virtAddr(page * PAGE_SIZE), Uint8Array.of(1))).toBe('EFAULT');
  }
  expect(copyOut(space, virtAddr(MAXVA), Uint8Array.of(1))).toBe('EFAULT');
  expect(entriesOf(space)).toEqual(before);
});

test('003.4: a fork forgets the TLB lines by which the parent could write', () => {
  using world = makeWorld();
  const { tlb } = world;
  const parent = world.space();
  mapPages(parent, 0, 1, 'rw-');
  poke(parent, 0, 1);
  const context = parent.table.tlbContext;
  tlb.activate(context);
  tlb.install(context, 'write', vpn(0), parent.table.translate(vpn(0), 'write'));
  const tag = context.tags.write;
  parent.fork('pages');
  tlb.activate(context);
  expect([...tlb.lines(context)]).toEqual([]);
  expect(context.tags.write).not.toBe(tag);
});

test('003.4: copyOut does not write a page that the process may not write', () => {
  using world = makeWorld();
  const space = world.space();
  for (const [page, protection] of (['r--', 'r-x', '--x', '---'] as const).entries()) {
    mapPages(space, page, 1, protection);
    expect(copyOut(space, virtAddr(page * PAGE_SIZE), Uint8Array.of(1))).toBe('EFAULT');
    expect(entry(space, page)).toBe(0);
    space.commit(virtAddr(page * PAGE_SIZE), PAGE_SIZE);
    expect(copyOut(space, virtAddr(page * PAGE_SIZE), Uint8Array.of(1))).toBe('EFAULT');
    expect(world.memory.bytes[frameAt(space, page) * PAGE_SIZE]).toBe(0);
  }
});
