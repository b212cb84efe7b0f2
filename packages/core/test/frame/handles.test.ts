import { describe, expect, test } from 'vitest';
import {
  BorrowedPage,
  DynPage,
  FrameMeta,
  frameNumber,
  frameStart,
  FrameReferenceError,
  HolsteinError,
  InvalidArgument,
  KernelMeta,
  KernelStackMeta,
  type MetadataType,
  OutOfMemory,
  Page,
  PAGE_SIZE,
  PageTableMeta,
  physAddr,
  type PhysicalMemory,
  Segment,
  UniquePage,
  Usage,
} from '../../src/frame/index.js';
import { COUNT_UNIQUE, MAX_COUNT } from '../../src/frame/slot.js';
import { expectRefusal, makeMemory, plantCount, stateOf } from './state.js';

const PLACE = physAddr(20 * PAGE_SIZE);
const NOTHING = { owner: 0, lists: 0, readShares: 0, writeShares: 0 };
const ZEROS = {
  [Usage.Frame]: NOTHING,
  [Usage.PageTable]: { owner: 0, index: 0, entries: 0, level: 0 },
};

/** Fails unless all that was taken has been given back. */
const expectAllFree = (memory: PhysicalMemory): void => {
  expect(memory.freeFrames).toBe(memory.totalFrames - memory.firstAllocatable);
  expect(memory.audit()).toEqual([]);
};

describe('a page from an unused frame', () => {
  test('is the page at that address, with its metadata and one reference', () => {
    const memory = makeMemory();
    using page = Page.fromUnused(memory, PLACE, FrameMeta, { owner: 0xffff_ffff });
    expect(page.address).toBe(PLACE);
    expect(page.frame).toBe(20);
    expect(page.level).toBe(1);
    expect(page.sizeBytes).toBe(PAGE_SIZE);
    expect(page.usage).toBe(Usage.Frame);
    expect(page.type).toBe(FrameMeta);
    expect(page.metadata).toEqual({ ...NOTHING, owner: 0xffff_ffff });
    expect(page.referenceCount).toBe(1);
    expect(page.isOpen).toBe(true);
    expect(memory.usage(frameNumber(20))).toBe(Usage.Frame);
    expect(memory.audit()).toEqual([]);
  });

  test.each([
    [FrameMeta, ['owner', 'lists', 'readShares', 'writeShares'], 1],
    [PageTableMeta, ['owner', 'index', 'entries', 'level'], 2],
    [KernelMeta, [], 0],
    [KernelStackMeta, ['owner', 'index'], 2],
  ] as const)(
    'has the metadata of its usage, each word in its place: %o',
    (type: MetadataType, fields, settable) => {
      const memory = makeMemory();
      const all = Object.fromEntries(fields.map((field, index) => [field, index + 1]));
      const own = Object.fromEntries(Object.entries(all).slice(0, settable));
      using page = Page.fromUnused(memory, PLACE, type, own);
      const place = memory.metadata(page.frame) / 4;
      const words = memory.words.subarray(place, place + 4);
      expect([...words]).toEqual([0, 1, 0, 0].map((_, index) => own[fields[index]!] ?? 0));
      // The others are the layers', who write their words themselves.
      words.set(Object.values(all));
      expect(page.metadata).toEqual(all);
      expect(page.usage).toBe(type.usage);
    },
  );

  test.each([
    [FrameMeta, 'lists'],
    [FrameMeta, 'readShares'],
    [FrameMeta, 'writeShares'],
    [PageTableMeta, 'entries'],
    [PageTableMeta, 'level'],
  ] as const)('of %o is not given %s, which the layers above keep, nor is one changed so', (type, field) => {
    const memory = makeMemory();
    const forged = { [field]: 7 };
    for (const forge of [
      () => Page.allocate<MetadataType>(memory, type, forged),
      () => Page.fromUnused<MetadataType>(memory, PLACE, type, forged),
      () => Segment.allocate<MetadataType>(memory, type, { frames: 2 }, () => forged),
    ]) {
      expectRefusal(memory, forge, 'EINVAL', `metadata ${field} is not to be set`);
    }
    using unique = UniquePage.allocate<MetadataType>(memory, type);
    expectRefusal(memory, () => unique.setMetadata({ owner: 1, ...forged }), 'EINVAL', field);
    expect(unique.metadata).toEqual(ZEROS[type.usage]);
  });

  test('has zeros for the metadata that is not given, whatever the last page had', () => {
    const memory = makeMemory();
    const last = Page.fromUnused(memory, PLACE, FrameMeta);
    memory.words.fill(9, memory.metadata(last.frame) / 4, memory.metadata(last.frame) / 4 + 4);
    last.close();
    using page = Page.fromUnused(memory, PLACE, FrameMeta);
    expect(page.metadata).toEqual(NOTHING);
  });

  test('may be the first, or the last, that there is', () => {
    const memory = makeMemory();
    using first = Page.fromUnused(memory, frameStart(memory.firstAllocatable), FrameMeta);
    using last = Page.fromUnused(memory, physAddr(memory.sizeBytes - PAGE_SIZE), FrameMeta);
    expect([first.frame, last.frame]).toEqual([memory.firstAllocatable, memory.totalFrames - 1]);
    expect(memory.audit()).toEqual([]);
  });

  test.each([1, 8, PAGE_SIZE - 1, PAGE_SIZE + 1])('refuses an address %d bytes beside the page', (bytes) => {
    const memory = makeMemory();
    const from = () => Page.fromUnused(memory, physAddr(PLACE + bytes), FrameMeta);
    expectRefusal(memory, from, 'EINVAL', 'is not page-aligned');
  });

  test.each([-PAGE_SIZE, 256 * 1024, 2 ** 32, 2 ** 40, 0.5, NaN, Infinity, -Infinity])(
    'refuses address %d, which is not in RAM',
    (address) => {
      const memory = makeMemory();
      const from = () => Page.fromUnused(memory, physAddr(address), FrameMeta);
      expectRefusal(memory, from, 'EINVAL', 'is not in RAM');
      expect(from).toThrow(InvalidArgument);
    },
  );

  test('refuses the hart’s pages and the slots’', () => {
    const memory = makeMemory();
    for (let frame = 0; frame < memory.firstAllocatable; frame++) {
      const from = () => Page.fromUnused(memory, frameStart(frameNumber(frame)), FrameMeta);
      expectRefusal(memory, from, 'EINVAL', 'not all allocatable');
    }
  });

  test('refuses a page in use, and its owner goes on', () => {
    const memory = makeMemory();
    using page = Page.fromUnused(memory, PLACE, PageTableMeta, { index: 2 });
    const from = () => Page.fromUnused(memory, PLACE, FrameMeta, { owner: 9 });
    expectRefusal(memory, from, 'EBUSY', '0x14');
    expect(page.metadata).toEqual({ owner: 0, index: 2, entries: 0, level: 0 });
  });

  test('refuses a page in use as such even where no page is free', () => {
    const memory = makeMemory();
    while (memory.freeFrames > 0) memory.allocate(Usage.Frame);
    expectRefusal(memory, () => Page.fromUnused(memory, PLACE, FrameMeta), 'EBUSY', '0x14');
  });

  test('leaves the reserve alone', () => {
    const memory = makeMemory({ reserveFrames: 2 });
    while (memory.freeFrames > 2) memory.allocate(Usage.Frame);
    const free = Array.from({ length: memory.totalFrames }, (_, frame) => frameNumber(frame)).find(
      (frame) => memory.usage(frame) === Usage.Unused,
    )!;
    const from = () => Page.fromUnused(memory, frameStart(free), FrameMeta);
    expectRefusal(memory, from, 'ENOMEM', 'out of memory');
  });

  test('refuses metadata that the usage does not have, or that is no 32-bit number', () => {
    const memory = makeMemory();
    const cases: readonly [initial: object, message: string][] = [
      [{ entries: 1 }, 'entries is not among the metadata'],
      [{ constructor: 1 }, 'constructor is not among the metadata'],
      [{ owner: -1 }, 'metadata owner of -1'],
      [{ owner: 2 ** 32 }, 'unsigned 32-bit'],
      [{ owner: 0.5 }, 'unsigned 32-bit'],
      [{ owner: NaN }, 'unsigned 32-bit'],
      [{ owner: '1' }, 'unsigned 32-bit'],
    ];
    for (const [initial, message] of cases) {
      expectRefusal(memory, () => Page.fromUnused(memory, PLACE, FrameMeta, initial), 'EINVAL', message);
      expectRefusal(memory, () => Page.allocate(memory, FrameMeta, initial), 'EINVAL', message);
      expectRefusal(memory, () => UniquePage.allocate(memory, FrameMeta, initial), 'EINVAL', message);
    }
  });

  test('fails by script, and nothing is lost', () => {
    const memory = makeMemory();
    for (const make of [
      () => Page.fromUnused(memory, PLACE, FrameMeta),
      () => Page.allocate(memory, FrameMeta),
      () => UniquePage.allocate(memory, FrameMeta),
    ]) {
      memory.failAllocation(1);
      expectRefusal(memory, make, 'ENOMEM', 'out of memory');
      make().close();
      expectAllFree(memory);
    }
  });
});

describe('references', () => {
  test('are counted over clones of either kind, and the last to close frees the frame', () => {
    const memory = makeMemory();
    const page = Page.allocate(memory, FrameMeta, { owner: 3 });
    const clone = page.clone();
    const dyn = clone.clone().intoDyn();
    const dynClone = dyn.clone();
    expect(page.referenceCount).toBe(4);
    expect(clone.metadata.owner).toBe(3);
    expect([clone.frame, dyn.frame, dynClone.frame]).toEqual([page.frame, page.frame, page.frame]);
    expect(memory.slots.handles(page.frame)).toBe(4);
    const { frame } = page;
    for (const [closed, handle] of [page, dynClone, clone].entries()) {
      handle.close();
      expect(memory.count(frame)).toBe(3 - closed);
      expect(memory.audit()).toEqual([]);
    }
    expect(dyn.usage).toBe(Usage.Frame);
    dyn.close();
    expectAllFree(memory);
  });

  test('are dropped at the end of a using block, also where it is left by an error', () => {
    const memory = makeMemory();
    expect(() => {
      using page = Page.allocate(memory, FrameMeta);
      using clone = page.clone();
      using dyn = clone.clone().intoDyn();
      using unique = UniquePage.allocate(memory, KernelMeta);
      expect(dyn.referenceCount).toBe(3);
      expect(unique.referenceCount).toBe(1);
      throw new Error('left');
    }).toThrow('left');
    expectAllFree(memory);
  });

  test('cannot be more than fit: a clone is refused, and nothing has changed', () => {
    const memory = makeMemory();
    const page = Page.allocate(memory, FrameMeta);
    const dyn = page.clone().intoDyn();
    plantCount(memory, page.frame, MAX_COUNT);
    expectRefusal(memory, () => page.clone(), 'EOVERFLOW', `${MAX_COUNT} references already`);
    expectRefusal(memory, () => dyn.clone(), 'EOVERFLOW', `${MAX_COUNT} references already`);
    expectRefusal(memory, () => page.borrow().clone(), 'EOVERFLOW', 'already');
    expect([page.isOpen, dyn.isOpen]).toEqual([true, true]);
    plantCount(memory, page.frame, MAX_COUNT - 1);
    page.clone().close();
    plantCount(memory, page.frame, 2);
    page.close();
    dyn.close();
    expectAllFree(memory);
  });

  test('of inner loops and of handles are the same counts', () => {
    const memory = makeMemory();
    const page = Page.allocate(memory, FrameMeta);
    const { frame } = page;
    memory.retain(frame);
    expect(page.referenceCount).toBe(2);
    page.close();
    expect(memory.count(frame)).toBe(1);
    memory.release(frame);
    expectAllFree(memory);
  });
});

describe('a handle that is not open', () => {
  const uses = {
    frame: (page: Page<typeof FrameMeta>) => page.frame,
    address: (page) => page.address,
    level: (page) => page.level,
    sizeBytes: (page) => page.sizeBytes,
    usage: (page) => page.usage,
    referenceCount: (page) => page.referenceCount,
    metadata: (page) => page.metadata,
    clone: (page) => page.clone(),
    intoRaw: (page) => page.intoRaw(),
    intoDyn: (page) => page.intoDyn(),
    intoUnique: (page) => page.intoUnique(),
    borrow: (page) => page.borrow(),
  } satisfies Record<string, (page: Page<typeof FrameMeta>) => unknown>;

  /** Somebody else's page, in the frame that the handle had. */
  const reuse = (memory: PhysicalMemory) => Page.fromUnused(memory, PLACE, FrameMeta, { owner: 5 });

  test.each(Object.entries(uses))('refuses %s, closed or moved', (_, use) => {
    const memory = makeMemory();
    const closed = Page.fromUnused(memory, PLACE, FrameMeta);
    closed.close();
    const other = reuse(memory);
    expectRefusal(memory, () => use(closed), 'EBADF', 'the handle to frame 0x14 is closed');
    const moved = other.clone();
    const dyn = moved.intoDyn();
    expectRefusal(memory, () => use(moved), 'EBADF', 'the handle to frame 0x14 is moved');
    expect([closed.isOpen, moved.isOpen]).toEqual([false, false]);
    dyn.close();
    other.close();
    expectAllFree(memory);
  });

  test('of a DynPage refuses all that one can do', () => {
    const memory = makeMemory();
    const closed = reuse(memory).intoDyn();
    closed.close();
    using other = reuse(memory);
    const moved = other.clone().intoDyn();
    using back = DynPage.fromRaw(memory, moved.intoRaw());
    expect(back.usage).toBe(Usage.Frame);
    for (const dyn of [closed, moved]) {
      for (const use of [
        () => dyn.frame,
        () => dyn.address,
        () => dyn.level,
        () => dyn.sizeBytes,
        () => dyn.usage,
        () => dyn.referenceCount,
        () => dyn.clone(),
        () => dyn.intoRaw(),
        () => dyn.into(FrameMeta),
        () => dyn.into(PageTableMeta),
      ]) {
        expectRefusal(memory, use, 'EBADF', 'the handle to frame 0x14 is');
      }
    }
  });

  test('of a UniquePage refuses all that one can do', () => {
    const memory = makeMemory();
    const closed = UniquePage.allocate(memory, FrameMeta);
    closed.close();
    const moved = UniquePage.allocate(memory, FrameMeta);
    using shared = moved.share();
    expect(shared.referenceCount).toBe(1);
    for (const [unique, state] of [
      [closed, 'closed'],
      [moved, 'moved'],
    ] as const) {
      for (const use of [
        () => unique.frame,
        () => unique.metadata,
        () => unique.setMetadata({ owner: 1 }),
        () => unique.bytes,
        () => unique.share(),
        () => unique.intoRaw(),
        () => unique.referenceCount,
      ]) {
        expectRefusal(memory, use, 'EBADF', `is ${state}`);
      }
    }
  });

  test('closes again and again without effect', () => {
    const memory = makeMemory();
    const closed = reuse(memory);
    closed.close();
    using other = reuse(memory);
    const moved = other.clone();
    using dyn = moved.intoDyn();
    const unique = UniquePage.allocate(memory, FrameMeta);
    unique.close();
    const before = stateOf(memory);
    for (const handle of [closed, moved, unique]) {
      handle.close();
      handle[Symbol.dispose]();
    }
    expect(stateOf(memory)).toEqual(before);
    expect(dyn.referenceCount).toBe(2);
  });
});

describe('conversions', () => {
  test('a DynPage becomes the page that its usage says, and that a DynPage, with the same reference', () => {
    const memory = makeMemory();
    const page = Page.allocate(memory, PageTableMeta, { owner: 12, index: 1 });
    const dyn = page.intoDyn();
    expect(page.isOpen).toBe(false);
    expect(dyn.referenceCount).toBe(1);
    const converted = dyn.into(PageTableMeta);
    if (!converted.ok) throw new Error('it does not fit');
    expect(dyn.isOpen).toBe(false);
    expect(converted.page.metadata).toEqual({ owner: 12, index: 1, entries: 0, level: 0 });
    expect(converted.page.referenceCount).toBe(1);
    converted.page.close();
    expectAllFree(memory);
  });

  test('a DynPage of another usage is given back: the very same handle, open, and nothing has changed', () => {
    const memory = makeMemory();
    using dyn = Page.allocate(memory, KernelMeta).intoDyn();
    for (const type of [FrameMeta, PageTableMeta, KernelStackMeta]) {
      const before = stateOf(memory);
      const converted = dyn.into(type);
      expect(converted.ok).toBe(false);
      expect(converted.page).toBe(dyn);
      expect(dyn.isOpen).toBe(true);
      expect(stateOf(memory)).toEqual(before);
    }
    expect(dyn.usage).toBe(Usage.Kernel);
  });

  test('a page with another reference, of whatever kind, does not become unique', () => {
    const memory = makeMemory();
    const page = Page.allocate(memory, FrameMeta);
    const expectGivenBack = (): void => {
      const before = stateOf(memory);
      const converted = page.intoUnique();
      expect(converted.ok).toBe(false);
      expect(converted.page).toBe(page);
      expect(page.isOpen).toBe(true);
      expect(stateOf(memory)).toEqual(before);
    };
    using clone = page.clone();
    expectGivenBack();
    const raw = clone.intoRaw();
    expectGivenBack();
    DynPage.fromRaw(memory, raw).close();
    memory.retain(page.frame);
    expectGivenBack();
    memory.release(page.frame);
    const converted = page.intoUnique();
    expect(converted.ok).toBe(true);
    expect(page.isOpen).toBe(false);
    converted.page.close();
    expectAllFree(memory);
  });
});

describe('raw references', () => {
  test('keep the page, and are restored as either kind of handle', () => {
    const memory = makeMemory();
    const raw = Page.fromUnused(memory, PLACE, FrameMeta, { owner: 4 }).intoRaw();
    expect(raw).toBe(PLACE);
    expect(memory.count(frameNumber(20))).toBe(1);
    expect([memory.slots.handles(frameNumber(20)), memory.slots.raw(frameNumber(20))]).toEqual([0, 1]);
    expect(memory.audit()).toEqual([]);
    const page = Page.fromRaw(memory, raw, FrameMeta);
    expect(page.metadata.owner).toBe(4);
    expect(page.referenceCount).toBe(1);
    const dyn = DynPage.fromRaw(memory, page.intoRaw());
    expect(dyn.referenceCount).toBe(1);
    DynPage.fromRaw(memory, dyn.intoRaw()).close();
    expectAllFree(memory);
  });

  test('are counted: as many as were made are restored, and not one more', () => {
    const memory = makeMemory();
    using page = Page.fromUnused(memory, PLACE, FrameMeta);
    const raws = [page.clone().intoRaw(), page.clone().intoDyn().intoRaw()];
    const restored = raws.map((raw) => Page.fromRaw(memory, raw, FrameMeta));
    const again = () => DynPage.fromRaw(memory, raws[0]!);
    expectRefusal(memory, again, 'EINVAL', 'has no raw reference: was it restored already?');
    expect(again).toThrow(FrameReferenceError);
    for (const each of restored) each.close();
    expect(page.referenceCount).toBe(1);
  });

  test('of no handle are not made by retain: an address alone restores nothing', () => {
    const memory = makeMemory();
    const frame = memory.allocate(Usage.Frame);
    memory.retain(frame);
    const from = () => DynPage.fromRaw(memory, frameStart(frame));
    expectRefusal(memory, from, 'EINVAL', 'has no raw reference');
  });

  test('are refused where the page is unused, is something else, or is none', () => {
    const memory = makeMemory();
    const raw = Page.fromUnused(memory, PLACE, FrameMeta).intoRaw();
    const restore = (address: number, type?: MetadataType) => () =>
      type === undefined
        ? DynPage.fromRaw(memory, physAddr(address))
        : Page.fromRaw(memory, physAddr(address), type);
    for (const type of [undefined, FrameMeta]) {
      expectRefusal(memory, restore(PLACE + PAGE_SIZE, type), 'EINVAL', 'frame 0x15 is unused');
      expectRefusal(memory, restore(PLACE + 4, type), 'EINVAL', 'is not page-aligned');
      expectRefusal(memory, restore(memory.sizeBytes, type), 'EINVAL', 'is not in RAM');
      expectRefusal(memory, restore(-PAGE_SIZE, type), 'EINVAL', 'is not in RAM');
      expectRefusal(memory, restore(NaN, type), 'EINVAL', 'is not in RAM');
    }
    expectRefusal(memory, restore(0), 'EINVAL', 'has no raw reference');
    expectRefusal(memory, restore(PLACE, PageTableMeta), 'EINVAL', 'frame 0x14 is Frame, not PageTable');
    Page.fromRaw(memory, raw, FrameMeta).close();
    expectRefusal(memory, restore(PLACE), 'EINVAL', 'is unused');
    expectAllFree(memory);
  });
});

describe('a unique page', () => {
  test('is written by its owner: content and metadata', () => {
    const memory = makeMemory();
    const unique = UniquePage.allocate(memory, FrameMeta, { owner: 1 });
    expect(unique.type).toBe(FrameMeta);
    unique.bytes.fill(0xab);
    unique.setMetadata({ owner: 2 });
    expect(unique.metadata).toEqual({ ...NOTHING, owner: 2 });
    expect(unique.bytes).toHaveLength(PAGE_SIZE);
    const page = unique.share();
    expect(page.metadata).toEqual({ ...NOTHING, owner: 2 });
    expect(memory.bytes[page.address + PAGE_SIZE - 1]).toBe(0xab);
    expect(memory.bytes[page.address + PAGE_SIZE]).toBe(0);
    page.close();
    expectAllFree(memory);
  });

  test('has one reference, which nobody can add to or take', () => {
    const memory = makeMemory();
    using unique = UniquePage.allocate(memory, FrameMeta);
    expect(unique.referenceCount).toBe(1);
    expect(memory.slots.rawCount(unique.frame)).toBe(COUNT_UNIQUE);
    expectRefusal(memory, () => memory.retain(unique.frame), 'EBUSY', 'which has a unique owner');
    expectRefusal(memory, () => memory.release(unique.frame), 'EBUSY', 'which has a unique owner');
    expectRefusal(memory, () => DynPage.fromRaw(memory, unique.address), 'EINVAL', 'no raw reference');
    expectRefusal(
      memory,
      () => Page.fromUnused(memory, unique.address, FrameMeta),
      'EBUSY',
      'not all are free',
    );
  });

  test('has all of a change of its metadata, or none', () => {
    const memory = makeMemory();
    using unique = UniquePage.allocate(memory, KernelStackMeta, { owner: 1 });
    expectRefusal(
      memory,
      () => unique.setMetadata({ owner: 5, index: -1 }),
      'EINVAL',
      'metadata index of -1',
    );
    const wrong = { owner: 5, level: 1 };
    expectRefusal(memory, () => unique.setMetadata(wrong), 'EINVAL', 'level is not among the metadata');
  });

  test('becomes raw as an ordinary page', () => {
    const memory = makeMemory();
    const unique = UniquePage.allocate(memory, KernelStackMeta, { index: 1 });
    const raw = unique.intoRaw();
    expect(unique.isOpen).toBe(false);
    const page = Page.fromRaw(memory, raw, KernelStackMeta);
    expect(page.referenceCount).toBe(1);
    expect(page.metadata.index).toBe(1);
    page.close();
    expectAllFree(memory);
  });
});

describe('a borrowed page', () => {
  test('sees the page, counts for nothing, and gives a handle that counts', () => {
    const memory = makeMemory();
    const page = Page.allocate(memory, FrameMeta, { owner: 6 });
    memory.write(page.frame, 0, Uint8Array.of(1, 2, 3));
    const borrowed = page.borrow();
    expect(borrowed).toBeInstanceOf(BorrowedPage);
    expect([borrowed.frame, borrowed.address]).toEqual([page.frame, page.address]);
    expect(borrowed.metadata.owner).toBe(6);
    const content = borrowed.read();
    expect(content).toHaveLength(PAGE_SIZE);
    expect([...content.subarray(0, 4)]).toEqual([1, 2, 3, 0]);
    content.fill(9);
    expect(memory.bytes[page.address]).toBe(1);
    expect(page.referenceCount).toBe(1);
    const clone = borrowed.clone();
    expect(page.referenceCount).toBe(2);
    page.close();
    expect(clone.referenceCount).toBe(1);
    clone.close();
    expectAllFree(memory);
  });

  test.each(['closed', 'moved'])('is no use when its lender is %s, though the page is there', (end) => {
    const memory = makeMemory();
    const page = Page.allocate(memory, FrameMeta);
    using other = page.clone();
    const borrowed = page.borrow();
    using moved = end === 'moved' ? page.intoDyn() : undefined;
    page.close();
    for (const use of [
      () => borrowed.frame,
      () => borrowed.address,
      () => borrowed.metadata,
      () => borrowed.read(),
      () => borrowed.clone(),
    ]) {
      expectRefusal(memory, use, 'EBADF', 'the handle that the page was borrowed from is gone');
    }
    expect(other.referenceCount).toBe(moved === undefined ? 1 : 2);
  });
});

describe('the destructor of a usage', () => {
  const ends: Record<string, (memory: PhysicalMemory) => void> = {
    'a page': (memory) => Page.fromUnused(memory, PLACE, FrameMeta, { owner: 8 }).close(),
    'a DynPage': (memory) => Page.fromUnused(memory, PLACE, FrameMeta, { owner: 8 }).intoDyn().close(),
    'a unique page': (memory) => {
      const unique = Page.fromUnused(memory, PLACE, FrameMeta, { owner: 8 }).intoUnique();
      unique.page.close();
    },
    'a restored page': (memory) => {
      const raw = Page.fromUnused(memory, PLACE, FrameMeta, { owner: 8 }).intoRaw();
      DynPage.fromRaw(memory, raw).close();
    },
    'the last of three': (memory) => {
      const page = Page.fromUnused(memory, PLACE, FrameMeta, { owner: 8 });
      const others = [page.clone(), page.clone().intoDyn()];
      page.close();
      for (const other of others) other.close();
    },
    'an inner loop’s reference': (memory) => {
      const page = Page.fromUnused(memory, PLACE, FrameMeta, { owner: 8 });
      const { frame } = page;
      memory.retain(frame);
      page.close();
      memory.release(frame);
    },
  };

  test.each(Object.entries(ends))('runs once at the drop of %s, with all of it still there', (_, end) => {
    const memory = makeMemory();
    memory.bytes.fill(0x77, PLACE, PLACE + PAGE_SIZE);
    const seen: unknown[] = [];
    const free = memory.freeFrames;
    memory.setDestructor(Usage.Frame, (frame) => {
      const owner = memory.words[memory.metadata(frame) / 4];
      seen.push([frame, memory.usage(frame), owner, memory.bytes[frameStart(frame)], memory.freeFrames]);
      // It is no one's any more, and not free yet.
      expect(() => memory.retain(frame)).toThrow(FrameReferenceError);
      expect(() => memory.release(frame)).toThrow(FrameReferenceError);
      expect(() => Page.fromUnused(memory, PLACE, FrameMeta)).toThrow(HolsteinError);
    });
    end(memory);
    expect(seen).toEqual([[20, Usage.Frame, 8, 0x77, free - 1]]);
    expectAllFree(memory);
  });

  test('is that of the usage alone', () => {
    const memory = makeMemory();
    const heard: string[] = [];
    memory.setDestructor(Usage.Frame, () => heard.push('Frame'));
    memory.setDestructor(Usage.PageTable, () => heard.push('PageTable'));
    memory.setDestructor(Usage.KernelStack, () => heard.push('KernelStack'));
    for (const type of [KernelMeta, PageTableMeta, FrameMeta, KernelStackMeta] as readonly MetadataType[]) {
      Page.allocate(memory, type).intoDyn().close();
    }
    expect(heard).toEqual(['PageTable', 'Frame', 'KernelStack']);
  });

  test('that throws is heard of, and its frame is free all the same', () => {
    const memory = makeMemory();
    memory.setDestructor(Usage.Frame, () => {
      throw new Error('the destructor’s own');
    });
    const page = Page.allocate(memory, FrameMeta);
    expect(() => page.close()).toThrow('the destructor’s own');
    expect(page.isOpen).toBe(false);
    page.close();
    expectAllFree(memory);
    const unique = UniquePage.allocate(memory, FrameMeta);
    expect(() => unique.close()).toThrow('the destructor’s own');
    const frame = memory.allocate(Usage.Frame);
    expect(() => memory.release(frame)).toThrow('the destructor’s own');
    expectAllFree(memory);
  });

  test('may drop other pages, and so end a whole tree of them', () => {
    const memory = makeMemory();
    const order: number[] = [];
    memory.setDestructor(Usage.PageTable, (frame) => {
      order.push(frame);
      const child = memory.words[frameStart(frame) / 4]!;
      if (child !== 0) DynPage.fromRaw(memory, physAddr(child)).close();
    });
    let raw = 0;
    for (let depth = 0; depth < 10; depth++) {
      const page = Page.allocate(memory, PageTableMeta, { index: depth });
      memory.words[page.address / 4] = raw;
      raw = page.intoRaw();
    }
    DynPage.fromRaw(memory, physAddr(raw)).close();
    expect(order).toHaveLength(10);
    expectAllFree(memory);
  });
});

test('pages run out with a typed error, and nothing has changed', () => {
  const memory = makeMemory();
  const pages: Page<typeof FrameMeta>[] = [];
  while (memory.freeFrames > 0) pages.push(Page.allocate(memory, FrameMeta));
  expectRefusal(memory, () => Page.allocate(memory, FrameMeta), 'ENOMEM', 'no free frame for usage Frame');
  expect(() => UniquePage.allocate(memory, PageTableMeta)).toThrow(OutOfMemory);
  for (const page of pages) page.close();
  expectAllFree(memory);
});
