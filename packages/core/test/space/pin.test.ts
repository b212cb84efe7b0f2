import { describe, expect, test } from 'vitest';
import { frameStart, OutOfMemory, PAGE_SIZE, virtAddr } from '../../src/frame/index.js';
import type { AddressSpace, ForkKind } from '../../src/space/index.js';
import { frameAt, mapPages, peek, poke } from '../model/touch.js';
import { failEachAllocation, makeWorld, snapshot, type World } from '../model/world.js';

const KINDS: readonly ForkKind[] = ['tables', 'pages', 'eager'];
const AT = virtAddr(4 * PAGE_SIZE);

/** A byte at a page's start, where the pinned frame lies in RAM. */
const deviceReads = ({ memory }: World, frame: number): number => memory.bytes[frame * PAGE_SIZE]!;

const pinned = (world: World): AddressSpace => {
  const space = world.space();
  mapPages(space, 4, 3, 'rw-');
  for (let page = 4; page < 7; page++) poke(space, page, page);
  return space;
};

describe('pinned memory', () => {
  test.each(KINDS)(
    'is written in place by its space after a fork by %s, and the child has a copy',
    (kind) => {
      using world = makeWorld();
      const space = pinned(world);
      using pin = space.pin(AT, 2 * PAGE_SIZE);
      const child = space.fork(kind);
      poke(space, 4, 40);
      expect(deviceReads(world, pin.frames[0]!)).toBe(40);
      expect(peek(child, 4)).toBe(4);
      poke(child, 5, 50);
      expect(deviceReads(world, pin.frames[1]!)).toBe(5);
      const grandchild = child.fork(kind);
      world.memory.bytes[frameStart(pin.frames[0]!)] = 44;
      expect([peek(space, 4), peek(child, 4), peek(grandchild, 4)]).toEqual([44, 4, 4]);
      world.check();
    },
  );

  test.each(KINDS)('that is shared with a child already becomes the space’s own first (%s)', (kind) => {
    using world = makeWorld();
    const space = pinned(world);
    const child = space.fork(kind);
    using pin = space.pin(AT, PAGE_SIZE);
    expect(frameAt(child, 4)).not.toBe(pin.frames[0]);
    poke(space, 4, 9);
    expect(deviceReads(world, pin.frames[0]!)).toBe(9);
    expect(peek(child, 4)).toBe(4);
  });

  test('stays coherent when it is made read-only and writable again, and when it moves', () => {
    using world = makeWorld();
    const space = pinned(world);
    using pin = space.pin(AT, PAGE_SIZE);
    space.fork();
    space.protect(AT, PAGE_SIZE, 'r--');
    space.protect(AT, PAGE_SIZE, 'rw-');
    poke(space, 4, 41);
    expect(deviceReads(world, pin.frames[0]!)).toBe(41);
    space.remap({ at: AT, lengthBytes: PAGE_SIZE, to: virtAddr(20 * PAGE_SIZE) });
    space.fork();
    poke(space, 20, 42);
    expect(deviceReads(world, pin.frames[0]!)).toBe(42);
  });

  test('of a shared mapping is pinned in its object: a snapshot copies it', () => {
    using world = makeWorld();
    const { objects } = world.virtualMemory;
    using vmo = objects.create({ size: 2 * PAGE_SIZE });
    const space = world.space();
    space.map({ at: AT, lengthBytes: 2 * PAGE_SIZE, protection: 'rw-', vmo, sharing: 'shared' });
    const pin = space.pin(AT, 2 * PAGE_SIZE);
    using snap = vmo.createChild({ kind: 'snapshot' });
    poke(space, 4, 7);
    expect(deviceReads(world, pin.frames[0]!)).toBe(7);
    expect(snap.readSync(0, new Uint8Array(1))[0]).toBe(0);
    expect(() => vmo.decommit()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    world.check();
    pin.close();
    vmo.decommit();
    expect(peek(space, 4)).toBe(0);
  });

  test('keeps its frames when it is unmapped, until it is closed', () => {
    using world = makeWorld();
    const space = pinned(world);
    const pin = space.pin(AT, PAGE_SIZE);
    const [frame] = pin.frames;
    space.close();
    expect(world.memory.count(frame!)).toBe(1);
    expect(deviceReads(world, frame!)).toBe(4);
    world.check();
    pin.close();
    pin.close();
    expect(world.memory.count(frame!)).toBe(0);
    expect(() => pin.frames).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  test('pinned twice is pinned until both are closed', () => {
    using world = makeWorld();
    const space = pinned(world);
    const one = space.pin(AT, PAGE_SIZE);
    const other = space.pin(AT, 2 * PAGE_SIZE);
    one.close();
    space.fork();
    poke(space, 4, 8);
    expect(deviceReads(world, other.frames[0]!)).toBe(8);
    other.close();
    space.fork();
    const before = frameAt(space, 4);
    poke(space, 4, 9);
    expect(frameAt(space, 4)).not.toBe(before);
  });

  test('is refused where it cannot be written, and nothing is pinned', () => {
    using world = makeWorld();
    const space = pinned(world);
    mapPages(space, 7, 1, 'r--');
    expect(() => space.pin(AT, 4 * PAGE_SIZE)).toThrow(expect.objectContaining({ code: 'EFAULT' }));
    expect(() => space.pin(virtAddr(0), PAGE_SIZE)).toThrow(expect.objectContaining({ code: 'EFAULT' }));
    expect(world.memory.count(frameAt(space, 4))).toBe(1);
  });

  test.each(KINDS)('a fork by %s that cannot copy it fails, and leaves all as it was', (kind) => {
    using world = makeWorld();
    const space = pinned(world);
    using _pin = space.pin(AT, 3 * PAGE_SIZE);
    const before = snapshot(world);
    const failures = failEachAllocation(
      world.memory,
      () => {
        try {
          space.fork(kind);
          return 'done';
        } catch (error) {
          if (error instanceof OutOfMemory) return 'out-of-memory';
          throw error;
        }
      },
      () => world.check(),
    );
    expect(failures).toBeGreaterThan(3);
    expect(snapshot(world)).not.toBe(before);
    poke(space, 4, 90);
    expect(deviceReads(world, frameAt(space, 4))).toBe(90);
  });
});
