/** The defects of seed 004 (xv6 write-up B), each a test that an implementation with it would fail. */
import { expect, test } from 'vitest';
import { PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import { type Access, MAX_PAGES, MAXVA } from '../../src/paging/index.js';
import { type AddressSpace, copyIn, copyOut } from '../../src/space/index.js';
import { countAt, frameAt, mapPages, peek, poke } from '../model/touch.js';
import { makeWorld, snapshot } from '../model/world.js';

/** A process whose instruction is made again for as long as its fault is resolved. */
const accessLikeAProcess = (space: AddressSpace, page: number, access: Access): string => {
  for (let faults = 0; faults < 3; faults++) {
    if (space.table.translate(vpn(page), access) !== 0) return 'done';
    const outcome = space.handleFault(vpn(page), access);
    if (outcome.kind !== 'resolved') return outcome.kind;
  }
  return 'faults for ever';
};

test('004.1: every failure has its own kind, and a fault that fails is not one to be retried', () => {
  using world = makeWorld();
  const parent = world.space();
  mapPages(parent, 0, 1, 'rw-');
  mapPages(parent, 1, 1, 'r-x');
  mapPages(parent, 2, 1, 'rw-');
  poke(parent, 0, 1);
  const child = parent.fork();
  world.fill();
  expect(accessLikeAProcess(child, 0, 'write')).toBe('out-of-memory');
  expect(accessLikeAProcess(child, 1, 'write')).toBe('protection');
  expect(accessLikeAProcess(child, 3, 'write')).toBe('unmapped');
  expect(accessLikeAProcess(child, 0, 'read')).toBe('done');
  world.drain();
  expect(accessLikeAProcess(child, 0, 'write')).toBe('done');
});

test('004.1: a copyOut whose fault fails has written nowhere in RAM', () => {
  using world = makeWorld();
  const parent = world.space();
  mapPages(parent, 0, 1, 'rw-');
  mapPages(parent, 1, 1, 'r--');
  poke(parent, 0, 1);
  peek(parent, 1);
  const child = parent.fork();
  world.fill();
  const source = new Uint8Array(PAGE_SIZE).fill(0xc3);
  const before = world.memory.bytes.slice();
  expect(copyOut(child, virtAddr(0), source)).toBe('ENOMEM');
  expect(copyOut(child, virtAddr(PAGE_SIZE), source)).toBe('EFAULT');
  expect(copyOut(child, virtAddr(5 * PAGE_SIZE), source)).toBe('EFAULT');
  expect(copyOut(child, virtAddr(2 ** 64 - 1), source)).toBe('EFAULT');
  expect(Buffer.compare(world.memory.bytes, before)).toBe(0);
});

test('004.2: a page without an entry, or at MAXVA and beyond, is a value, never a crash', () => {
  using world = makeWorld();
  const space = world.space();
  const pages = [0, 1, 2 ** 18, MAX_PAGES - 1, MAX_PAGES, MAX_PAGES + 1, 2 ** 51, 2 ** 52 - 1];
  for (const page of pages) {
    for (const access of ['read', 'write', 'execute'] as const) {
      expect(space.handleFault(vpn(page), access)).toEqual({ kind: 'unmapped' });
      expect(space.reach(vpn(page), access)).toEqual({ kind: 'unmapped' });
    }
  }
  for (const address of [0, MAXVA - 1, MAXVA, 2 ** 39, 2 ** 63, 2 ** 64]) {
    expect(copyOut(space, virtAddr(address), Uint8Array.of(1))).toBe('EFAULT');
    expect(copyIn(space, virtAddr(address), new Uint8Array(1))).toBe('EFAULT');
  }
  expect([...space.table.tables()]).toHaveLength(1);
});

test('004.3: copyOut into text that processes share writes nothing in any of them', () => {
  using world = makeWorld();
  const parent = world.space();
  mapPages(parent, 0, 1, 'rw-');
  poke(parent, 0, 0x13);
  parent.protect(virtAddr(0), PAGE_SIZE, 'r-x');
  const child = parent.fork();
  for (const space of [parent, child]) {
    expect(copyOut(space, virtAddr(0), Uint8Array.of(0xff))).toBe('EFAULT');
  }
  expect(frameAt(child, 0)).toBe(frameAt(parent, 0));
  expect([peek(parent, 0), peek(child, 0)]).toEqual([0x13, 0x13]);
});

test('004.4: a double free of a page is an error at once, and frees nothing twice', () => {
  using world = makeWorld();
  const { memory } = world;
  const parent = world.space();
  mapPages(parent, 0, 1, 'rw-');
  poke(parent, 0, 1);
  const child = parent.fork();
  const frame = frameAt(parent, 0);
  parent.close();
  parent.close();
  expect(countAt(child, 0)).toBe(1);
  child.close();
  const free = memory.freeFrames;
  expect(() => memory.release(frame)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  expect(memory.freeFrames).toBe(free);
  expect(memory.count(frame)).toBe(0);
});

test('004.4: the count that decides between a copy and the same frame is the count of that moment', () => {
  using world = makeWorld();
  const spaces = [world.space()];
  mapPages(spaces[0]!, 0, 1, 'rw-');
  poke(spaces[0]!, 0, 1);
  spaces.push(spaces[0]!.fork(), spaces[0]!.fork());
  expect(spaces[1]!.handleFault(vpn(0), 'write')).toEqual({ kind: 'resolved', by: 'copied' });
  const grandchild = spaces[2]!.fork();
  expect(spaces[0]!.handleFault(vpn(0), 'write')).toEqual({ kind: 'resolved', by: 'copied' });
  spaces[2]!.close();
  expect(grandchild.handleFault(vpn(0), 'write')).toEqual({ kind: 'resolved', by: 'reused' });
});

test("004.5: copyOut writes the space that it is given, whichever runs, and breaks that one's sharing", () => {
  using world = makeWorld();
  const running = world.space();
  mapPages(running, 0, 1, 'rw-');
  poke(running, 0, 1);
  const other = running.fork();
  world.tlb.activate(running.table.tlbContext);
  const before = frameAt(running, 0);
  expect(copyOut(other, virtAddr(0), Uint8Array.of(2))).toBe('ok');
  expect(frameAt(running, 0)).toBe(before);
  expect([peek(running, 0), peek(other, 0)]).toEqual([1, 2]);
  // A bad address of the other kills nobody and changes neither.
  const state = snapshot(world);
  expect(copyOut(other, virtAddr(PAGE_SIZE), Uint8Array.of(3))).toBe('EFAULT');
  expect(snapshot(world)).toBe(state);
});
