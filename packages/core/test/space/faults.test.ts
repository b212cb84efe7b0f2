import { describe, expect, test } from 'vitest';
import { frameStart, OutOfMemory, PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import { type Access, MAX_PAGES, PTE_A, PTE_COW, PTE_D, PTE_G, PTE_W } from '../../src/paging/index.js';
import type { FaultName, FaultOutcome, Protection } from '../../src/space/index.js';
import { countAt, entry, frameAt, mapPages, peek, poke } from '../model/touch.js';
import { contentOf, failEachAllocation, makeWorld, snapshot, type World } from '../model/world.js';

const ACCESSES: readonly Access[] = ['read', 'write', 'execute'];
const nameOf = (outcome: FaultOutcome): FaultName =>
  outcome.kind === 'resolved' ? outcome.by : outcome.kind;

/** Makes one fault, and expects it to be counted under its own name and no other. */
const fault = (world: World, make: () => FaultOutcome): FaultName => {
  const before = world.virtualMemory.statistics().faults;
  const name = nameOf(make());
  expect(world.virtualMemory.statistics().faults).toEqual({ ...before, [name]: before[name] + 1 });
  return name;
};

describe('a fault is', () => {
  test.each(ACCESSES)('unmapped where no mapping holds the page (%s)', (access) => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 1, 1, 'rwx');
    for (const page of [0, 2, MAX_PAGES - 1, MAX_PAGES, 2 ** 27, 2 ** 52, -1, NaN]) {
      expect(fault(world, () => space.handleFault(vpn(page), access))).toBe('unmapped');
    }
  });

  const grants: readonly [Protection, string][] = [
    ['---', ''],
    ['r--', 'r'],
    ['rw-', 'rw'],
    ['r-x', 'rx'],
    ['rwx', 'rwx'],
    ['--x', 'x'],
  ];
  test.each(grants)('protection where a mapping of %s grants only "%s"', (protection, letters) => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 3, protection);
    for (const [page, access] of ACCESSES.entries()) {
      const granted = letters.includes({ read: 'r', write: 'w', execute: 'x' }[access]);
      const before = snapshot(world);
      const name = fault(world, () => space.handleFault(vpn(page), access));
      expect(name === 'protection').toBe(!granted);
      if (!granted) expect(snapshot(world)).toBe(before);
      // And again, now that the page may be there.
      expect(fault(world, () => space.handleFault(vpn(page), access))).toBe(
        granted ? 'present' : 'protection',
      );
    }
  });

  test('zero-mapped by a first read: the zero frame, shared, and no frame taken for the page', () => {
    using world = makeWorld();
    const { memory, virtualMemory } = world;
    const [one, two] = [world.space(), world.space()];
    mapPages(one, 0, 3, 'rw-');
    mapPages(two, 0, 1, 'rwx');
    expect(fault(world, () => one.handleFault(vpn(0), 'read'))).toBe('zero-mapped');
    const frames = memory.statistics().byUsage.Frame;
    expect(fault(world, () => one.handleFault(vpn(2), 'read'))).toBe('zero-mapped');
    expect(fault(world, () => two.handleFault(vpn(0), 'execute'))).toBe('zero-mapped');
    expect(memory.statistics().byUsage.Frame).toBe(frames);
    expect([frameAt(one, 0), frameAt(one, 2), frameAt(two, 0)]).toEqual(
      Array.from({ length: 3 }, () => virtualMemory.zeroFrame),
    );
    expect(memory.count(virtualMemory.zeroFrame)).toBe(4);
  });

  test('zero-filled by a first write, and by the first write after reads', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 2, 'rw-');
    world.fill();
    for (const frame of world.held) world.memory.write(frame, 0, new Uint8Array(PAGE_SIZE).fill(0xee));
    world.drain();
    expect(fault(world, () => space.handleFault(vpn(0), 'write'))).toBe('zero-filled');
    peek(space, 1);
    expect(fault(world, () => space.handleFault(vpn(1), 'write'))).toBe('zero-filled');
    for (const page of [0, 1]) {
      expect(contentOf(space, vpn(page)).every((byte) => byte === 0)).toBe(true);
      expect(frameAt(space, page)).not.toBe(world.virtualMemory.zeroFrame);
      expect(countAt(space, page)).toBe(1);
    }
  });

  test('copied for the first writer of a shared page, and reused for the last', () => {
    using world = makeWorld();
    const parent = world.space();
    mapPages(parent, 0, 1, 'rw-');
    poke(parent, 0, 5);
    const child = parent.fork('pages');
    const shared = frameAt(parent, 0);
    expect(fault(world, () => child.handleFault(vpn(0), 'write'))).toBe('copied');
    expect(frameAt(parent, 0)).toBe(shared);
    expect(contentOf(child, vpn(0))).toEqual(contentOf(parent, vpn(0)));
    world.fill();
    expect(fault(world, () => parent.handleFault(vpn(0), 'write'))).toBe('reused');
    expect(frameAt(parent, 0)).toBe(shared);
    expect(entry(parent, 0) & (PTE_W | PTE_COW)).toBe(PTE_W);
    expect(world.virtualMemory.statistics().framesCopied).toBe(1);
  });

  test('present where the access is granted already, and then nothing changes', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 1, 'rw-');
    poke(space, 0, 1);
    const before = snapshot(world);
    expect(fault(world, () => space.handleFault(vpn(0), 'read'))).toBe('present');
    expect(fault(world, () => space.handleFault(vpn(0), 'write'))).toBe('present');
    expect(snapshot(world)).toBe(before);
  });

  test('present for a read of a shared page: reading breaks no sharing', () => {
    using world = makeWorld();
    const parent = world.space();
    mapPages(parent, 0, 1, 'rwx');
    poke(parent, 0, 1);
    const child = parent.fork('pages');
    for (const access of ['read', 'execute'] as const) {
      expect(fault(world, () => child.handleFault(vpn(0), access))).toBe('present');
    }
    expect(countAt(parent, 0)).toBe(2);
  });

  test('out-of-memory where a frame or a table is wanting, and then nothing changes', () => {
    using world = makeWorld();
    const parent = world.space();
    mapPages(parent, 0, 1, 'rw-');
    mapPages(parent, 511, 2, 'rw-');
    poke(parent, 0, 1);
    const child = parent.fork('pages');
    // A write wants a frame; a read below a new table wants the table; a shared page wants its copy.
    const attempts: readonly [number, Access, number][] = [
      [0, 'write', 0],
      [511, 'write', 0],
      [512, 'read', 0],
      [512, 'write', 1],
    ];
    for (const [page, access, left] of attempts) {
      world.fill(left);
      const before = snapshot(world);
      expect(fault(world, () => child.handleFault(vpn(page), access))).toBe('out-of-memory');
      expect(snapshot(world)).toBe(before);
      world.check();
      world.drain();
    }
    expect(peek(child, 0)).toBe(1);
  });

  test('not in want of memory for a first read below a table that is there', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 2, 'rw-');
    poke(space, 0, 1);
    world.fill();
    expect(fault(world, () => space.handleFault(vpn(1), 'read'))).toBe('zero-mapped');
  });
});

describe('breaking copy on write', () => {
  const OTHERS = PTE_A | PTE_D | PTE_G;

  test.each([
    ['in a copy', true],
    ['in place', false],
  ])('%s keeps every flag but W and COW', (_name, shared) => {
    for (const flags of [OTHERS, PTE_G, PTE_A, PTE_D, 0]) {
      using world = makeWorld();
      const parent = world.space();
      mapPages(parent, 0, 1, 'rwx');
      poke(parent, 0, 1);
      parent.table.replace(vpn(0), (entry(parent, 0) & ~OTHERS) | flags);
      const child = parent.fork('pages');
      expect(entry(child, 0)).toBe(entry(parent, 0));
      if (!shared) parent.close();
      const before = entry(child, 0) & 0x3ff;
      expect(before & OTHERS).toBe(flags);
      child.handleFault(vpn(0), 'write');
      expect(entry(child, 0) & 0x3ff).toBe((before & ~PTE_COW) | PTE_W);
    }
  });

  test('is not for a page that is readonly-shared, be its mapping writable', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 1, 'rw-');
    poke(space, 0, 1);
    space.table.getEntry(vpn(0))!.setShared('readonly');
    expect(space.handleFault(vpn(0), 'write')).toEqual({ kind: 'protection' });
    space.protect(virtAddr(0), PAGE_SIZE, 'r--');
    space.protect(virtAddr(0), PAGE_SIZE, 'rwx');
    expect(space.handleFault(vpn(0), 'write')).toEqual({ kind: 'protection' });
    expect(space.table.getEntry(vpn(0))).toMatchObject({ readonlyShared: true, writable: false });
  });

  test('never writes the zero frame', () => {
    using world = makeWorld();
    const parent = world.space();
    mapPages(parent, 0, 1, 'rw-');
    peek(parent, 0);
    const child = parent.fork('pages');
    parent.close();
    poke(child, 0, 9);
    const start = frameStart(world.virtualMemory.zeroFrame);
    expect(world.memory.bytes.subarray(start, start + PAGE_SIZE).every((byte) => byte === 0)).toBe(true);
  });

  test('in a copy forgets the TLB lines of the old frame, reads and fetches too', () => {
    using world = makeWorld();
    const parent = world.space();
    mapPages(parent, 0, 1, 'rwx');
    poke(parent, 0, 1);
    const child = parent.fork('pages');
    world.tlb.activate(child.table.tlbContext);
    for (const access of ['read', 'execute'] as const) {
      world.tlb.install(child.table.tlbContext, access, vpn(0), child.table.translate(vpn(0), access));
    }
    expect([...world.tlb.lines(child.table.tlbContext)]).toHaveLength(2);
    child.handleFault(vpn(0), 'write');
    expect([...world.tlb.lines(child.table.tlbContext)]).toEqual([]);
  });
});

describe('reach', () => {
  test('gives the frame, its fault resolved, or the failure', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 1, 'r--');
    expect(space.reach(vpn(0), 'read')).toBe(world.virtualMemory.zeroFrame);
    expect(space.reach(vpn(0), 'write')).toEqual({ kind: 'protection' });
    expect(space.reach(vpn(1), 'read')).toEqual({ kind: 'unmapped' });
    expect(world.virtualMemory.statistics().faults).toMatchObject({ 'zero-mapped': 1, present: 0 });
  });

  test('makes no fault where there is nothing to resolve', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 1, 'rw-');
    poke(space, 0, 1);
    const { faults } = world.virtualMemory.statistics();
    expect(space.reach(vpn(0), 'write')).toBe(frameAt(space, 0));
    expect(world.virtualMemory.statistics().faults).toEqual(faults);
  });
});

describe('commit', () => {
  const commit = (space: ReturnType<World['space']>, page: number, pages: number): void =>
    space.commit(virtAddr(page * PAGE_SIZE), pages * PAGE_SIZE);

  test('gives pages their frames, so that touching them needs no memory', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 510, 3, 'rw-');
    mapPages(space, 513, 1, 'r--');
    poke(space, 511, 8);
    commit(space, 510, 4);
    world.fill();
    for (const page of [510, 512]) poke(space, page, 1);
    expect([510, 511, 512, 513].map((page) => peek(space, page))).toEqual([1, 8, 1, 0]);
    commit(space, 510, 4);
  });

  test('of a range that is not all mapped is refused with ENOMEM, and nothing changes', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 2, 'rw-');
    const before = snapshot(world);
    expect(() => commit(space, 0, 3)).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
    expect(() => commit(space, 7, 1)).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
    expect(snapshot(world)).toBe(before);
  });

  test('of more than there is changes nothing, and takes no time for 2^26 pages', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, MAX_PAGES, 'rw-');
    poke(space, 1, 1);
    const before = snapshot(world);
    for (const pages of [MAX_PAGES, 2 ** 20, world.memory.freeFrames + 2]) {
      expect(() => commit(space, 0, pages)).toThrow(expect.objectContaining({ name: 'OutOfMemory' }));
      expect(snapshot(world)).toBe(before);
    }
  });
});

test('commit with each allocation failed changes nothing, and then gives all', () => {
  using world = makeWorld();
  const space = world.space();
  mapPages(space, 510, 4, 'rw-');
  poke(space, 510, 1);
  const before = snapshot(world);
  const attempt = (): 'done' | 'out-of-memory' => {
    try {
      space.commit(virtAddr(510 * PAGE_SIZE), 4 * PAGE_SIZE);
      return 'done';
    } catch (error) {
      expect(error).toBeInstanceOf(OutOfMemory);
      return 'out-of-memory';
    }
  };
  // Three frames, and a leaf table for the last two of them.
  expect(failEachAllocation(world.memory, attempt, () => expect(snapshot(world)).toBe(before))).toBe(4);
});
