import { describe, expect, test } from 'vitest';
import {
  FrameMeta,
  InvalidArgument,
  METADATA_INDEX,
  OutOfMemory,
  Page,
  PAGE_SIZE,
  Usage,
  virtAddr,
  vpn,
} from '../../src/frame/index.js';
import { makePte, PTE_A, PTE_COW, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X } from '../../src/paging/index.js';
import { type AddressSpace, VirtualMemory } from '../../src/space/index.js';
import { FAULT_NAMES } from '../../src/space/fault.js';
import { entry, frameAt, mapPages, peek, poke } from '../model/touch.js';
import { makeMemory, makeTlb, makeWorld, type World } from '../model/world.js';

describe('a virtual memory', () => {
  test('holds one frame of its own, and gives it back', () => {
    const memory = makeMemory();
    const free = memory.freeFrames;
    const virtualMemory = new VirtualMemory(memory, makeTlb(memory));
    expect(memory.freeFrames).toBe(free - 1);
    expect(memory.usage(virtualMemory.zeroFrame)).toBe(Usage.Kernel);
    virtualMemory.close();
    expect(memory.freeFrames).toBe(free);
  });

  test('can be made together with its RAM', () => {
    using virtualMemory = VirtualMemory.create({ memoryBytes: 256 * 1024 });
    const space = virtualMemory.createSpace();
    mapPages(space, 0, 1, 'rw-');
    poke(space, 0, 1);
    expect(virtualMemory.audit()).toEqual([]);
    expect(() => VirtualMemory.create({ memoryBytes: 128 * 1024 })).toThrow(InvalidArgument);
  });

  test('cannot be made without a frame', () => {
    const memory = makeMemory();
    memory.failAllocation(1);
    expect(() => new VirtualMemory(memory, makeTlb(memory))).toThrow(OutOfMemory);
  });

  test('closed twice does nothing, even when its zero frame has a new owner', () => {
    const memory = makeMemory();
    const tlb = makeTlb(memory);
    const first = new VirtualMemory(memory, tlb);
    first.close();
    using second = new VirtualMemory(memory, tlb);
    expect(second.zeroFrame).toBe(first.zeroFrame);
    first.close();
    first[Symbol.dispose]();
    expect(memory.count(second.zeroFrame)).toBe(1);
    expect(second.audit()).toEqual([]);
  });

  test('closed makes no more spaces', () => {
    using world = makeWorld();
    world.virtualMemory.close();
    expect(() => world.virtualMemory.createSpace()).toThrow(InvalidArgument);
    expect(world.virtualMemory.audit()).toEqual([]);
  });

  test('knows the spaces that are open, and closes them', () => {
    using world = makeWorld();
    const [one, two] = [world.space(), world.space()];
    const child = one.fork();
    expect([...world.virtualMemory.spaces]).toEqual([one, two, child]);
    two.close();
    expect([...world.virtualMemory.spaces]).toEqual([one, child]);
  });

  test('closes every space to its end, though destructors throw', () => {
    using world = makeWorld();
    const { memory, virtualMemory } = world;
    const [one, two] = [world.space(), world.space()];
    for (const space of [one, two]) {
      mapPages(space, 0, 2, 'rw-');
      for (const page of [0, 1]) poke(space, page, 1);
    }
    let destroyed = 0;
    memory.setDestructor(Usage.Frame, () => {
      throw new Error(`destructor ${++destroyed}`);
    });
    expect(() => one.close()).toThrow('destructor 1');
    expect([...virtualMemory.spaces, ...one.mappings]).toEqual([two]);
    expect(() => virtualMemory.close()).toThrow('destructor 3');
    expect(destroyed).toBe(4);
    one.close();
    virtualMemory.close();
    expect([virtualMemory.spaces.size, memory.statistics().byUsage.Kernel]).toEqual([0, 0]);
  });

  test('makes no space where there is no frame for its table, and remembers none', () => {
    using world = makeWorld();
    world.memory.failAllocation(1);
    expect(() => world.space()).toThrow(OutOfMemory);
    expect(world.virtualMemory.spaces.size).toBe(0);
  });
});

describe('a space that is closed', () => {
  test('twice drops its pages once', () => {
    using world = makeWorld();
    const parent = world.space();
    mapPages(parent, 0, 1, 'rw-');
    poke(parent, 0, 1);
    const child = parent.fork();
    parent.close();
    parent[Symbol.dispose]();
    expect(peek(child, 0)).toBe(1);
  });

  test('has no memory, whatever the registers in frame 0 hold', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 1, 'rw-');
    poke(space, 0, 1);
    const frame = frameAt(space, 0);
    space.close();
    world.memory.words.fill(makePte(frame, PTE_V | PTE_R | PTE_U), 0, PAGE_SIZE / 4);
    expect(space.reach(vpn(0), 'read')).toEqual({ kind: 'unmapped' });
    expect([...space.mappings]).toEqual([]);
    using child = space.fork();
    expect([...child.table.mappedPages(vpn(0), vpn(2 ** 26))]).toEqual([]);
  });

  test('unmaps nothing, though the registers in frame 0 look like tables', () => {
    using world = makeWorld();
    const space = world.space();
    space.close();
    using other = world.space();
    mapPages(other, 0, 1, 'rw-');
    poke(other, 0, 1);
    // As if it were a shared table, which is let go of where all of it is unmapped.
    world.memory.retain(other.table.root);
    world.memory.words.fill(makePte(other.table.root, PTE_V | PTE_COW), 0, PAGE_SIZE / 4);
    const before = world.memory.words.slice(0, PAGE_SIZE / 4);
    space.unmap(virtAddr(0), 2 ** 30);
    expect(world.memory.words.slice(0, PAGE_SIZE / 4)).toEqual(before);
    expect(world.memory.count(other.table.root)).toBe(2);
    world.memory.release(other.table.root);
    expect(peek(other, 0)).toBe(1);
  });
});

describe('an audit finds', () => {
  const setUp = (world: World): AddressSpace => {
    const space = world.space();
    mapPages(space, 0, 2, 'rw-');
    mapPages(space, 2, 1, 'r-x');
    poke(space, 0, 1);
    peek(space, 1);
    peek(space, 2);
    return space;
  };
  /** Puts an entry where it does not belong, audits, and takes it back. */
  const planted = (world: World, space: AddressSpace, page: number, pte: number): string => {
    const word = space.table.slot(vpn(page)) / 4;
    const before = world.memory.words[word]!;
    world.memory.words[word] = pte;
    const problems = world.virtualMemory.audit();
    world.memory.words[word] = before;
    return problems.join('\n');
  };

  test('entries that their mapping does not allow', () => {
    using world = makeWorld();
    const space = setUp(world);
    const [own, zero, text] = [entry(space, 0), entry(space, 1), entry(space, 2)];
    expect(planted(world, space, 0, own | PTE_X)).toContain('grants more than its mapping');
    expect(planted(world, space, 2, text | PTE_W)).toContain('grants more than its mapping');
    expect(planted(world, space, 0, own & ~PTE_U)).toContain('grants less than its mapping');
    expect(planted(world, space, 0, own | PTE_COW)).toContain('has both W and COW');
    expect(planted(world, space, 1, (zero & ~PTE_COW) | PTE_W)).toContain('its frame is shared');
    expect(planted(world, space, 1, zero & ~PTE_COW)).toContain('neither writable nor shared');
    expect(planted(world, space, 2, text | PTE_COW)).toContain('COW in a mapping that is not writable');
    expect(planted(world, space, 0, own & ~PTE_R)).toContain('W without R is reserved');
    expect(planted(world, space, 0, own & ~PTE_V)).toContain('not a valid leaf');
    expect(planted(world, space, 3, text)).toContain('no mapping holds it');
  });

  test('entries that name the wrong frame', () => {
    using world = makeWorld();
    const space = setUp(world);
    const flags = entry(space, 0) & 0x3ff;
    expect(planted(world, space, 0, makePte(space.table.root, flags))).toContain('is PageTable');
    expect(planted(world, space, 0, 0)).toContain('counts 1 references, 0 were found');
  });

  test('a reference too many, unless it is said who holds it', () => {
    using world = makeWorld();
    const space = setUp(world);
    const frame = frameAt(space, 1);
    world.memory.retain(frame);
    expect(world.virtualMemory.audit().join()).toContain('counts 4 references, 3 were found');
    expect(world.virtualMemory.audit([frame])).toEqual([]);
    world.memory.release(frame);
  });

  test('a page table whose metadata names another place than the one that leads to it', () => {
    using world = makeWorld();
    const space = setUp(world);
    const { memory } = world;
    const [, , leaf] = [...space.table.tables()];
    const index = (memory.metadata(leaf!) + METADATA_INDEX) >>> 2;
    memory.words[index]! += 1;
    expect(world.virtualMemory.audit().join()).toContain(
      'the entry that its metadata names does not lead to it',
    );
    memory.words[index]! -= 1;
  });

  test('references that handles and raw references account for, and only those', () => {
    using world = makeWorld();
    setUp(world);
    using page = Page.allocate(world.memory, FrameMeta);
    const raw = page.clone().intoRaw();
    expect(world.virtualMemory.audit()).toEqual([]);
    world.memory.retain(page.frame);
    expect(world.virtualMemory.audit().join()).toContain('counts 3 references, 2 were found');
    world.memory.release(page.frame);
    Page.fromRaw(world.memory, raw, FrameMeta).close();
  });

  test('a TLB line that is stale', () => {
    using world = makeWorld();
    const space = setUp(world);
    const { tlb } = world;
    const context = space.table.tlbContext;
    tlb.activate(context);
    tlb.install(context, 'write', vpn(1), world.virtualMemory.zeroFrame);
    expect(world.virtualMemory.audit().join()).toContain('the TLB grants write of page 0x1000');
    tlb.flushPage(context, vpn(1));
    tlb.install(context, 'read', vpn(0), world.virtualMemory.zeroFrame);
    expect(world.virtualMemory.audit().join()).toContain('the TLB grants read of page 0x0');
    tlb.flushSpace(context);
  });
});

test('statistics are a copy, and start at nothing', () => {
  using world = makeWorld();
  const before = world.virtualMemory.statistics();
  const space = world.space();
  space.map({ at: virtAddr(0), lengthBytes: PAGE_SIZE, protection: 'rw-' });
  peek(space, 0);
  poke(space, 0, 1);
  space.fork();
  poke(space, 0, 2);
  expect(before).toEqual({
    forks: 0,
    framesCopied: 0,
    tablesCopied: 0,
    framesCopiedByForks: 0,
    framesSharedByForks: 0,
    faults: Object.fromEntries(FAULT_NAMES.map((name) => [name, 0])),
  });
  expect(world.virtualMemory.statistics()).toMatchObject({
    forks: 1,
    framesCopied: 1,
    framesSharedByForks: 1,
    faults: { copied: 1, 'zero-filled': 1, 'zero-mapped': 1 },
  });
  expect(entry(space, 0) & PTE_A).toBe(PTE_A);
});
