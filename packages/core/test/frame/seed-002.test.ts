/** What seed 002's page handles get wrong (the rows 002.* of the list of the seeds' defects), and these do not. */
import { describe, expect, test, vi } from 'vitest';
import {
  DynPage,
  FrameMeta,
  type FrameNumber,
  frameNumber,
  frameStart,
  KernelStackMeta,
  Page,
  PAGE_SIZE,
  PageTableMeta,
  physAddr,
  type PhysicalMemory,
  Segment,
  UniquePage,
  Usage,
} from '../../src/frame/index.js';
import { MAX_COUNT, SLOT_BYTES, SLOT_METADATA } from '../../src/frame/slot.js';
import { expectRefusal, makeMemory, plantCount } from './state.js';

const PLACE = physAddr(20 * PAGE_SIZE);

describe('002.1: metadata is written before the page is published', () => {
  const METADATA = { owner: 0x1111, index: 0x2222 };
  const ZEROS = [0, 0, 0, 0];

  const plain = (memory: PhysicalMemory, frame: FrameNumber): Disposable => ({
    [Symbol.dispose]: () => memory.release(frame),
  });
  const makers: Record<string, (memory: PhysicalMemory) => Disposable> = {
    allocate: (memory) => plain(memory, memory.allocate(Usage.PageTable)),
    'allocate with metadata': (memory) =>
      plain(memory, memory.allocate(Usage.PageTable, { metadata: [0x1111, 0x2222], content: 'zeros' })),
    'Page.fromUnused': (memory) => Page.fromUnused(memory, PLACE, PageTableMeta, METADATA),
    'Page.allocate': (memory) => Page.allocate(memory, PageTableMeta, METADATA),
    'UniquePage.allocate': (memory) => UniquePage.allocate(memory, PageTableMeta, METADATA),
    'Segment.allocate': (memory) => Segment.allocate(memory, PageTableMeta, { frames: 3 }, () => METADATA),
    'Segment.allocate at a place': (memory) =>
      Segment.allocate(memory, PageTableMeta, { frames: 3, at: frameNumber(40) }, () => METADATA),
  };

  /** Every frame has had an owner, who has left its metadata in the slot. */
  const leaveMetadata = (memory: PhysicalMemory): void => {
    const frames = Array.from({ length: memory.freeFrames }, () => memory.allocate(Usage.Frame));
    for (const frame of frames) {
      const metadata = memory.metadata(frame) / 4;
      memory.words.fill(0xdead, metadata, metadata + 4);
      memory.release(frame);
    }
  };

  test.each(Object.entries(makers))('by %s: whoever sees a count sees usage and metadata', (name, make) => {
    const memory = makeMemory({ threads: 'shared' });
    leaveMetadata(memory);
    const slots = memory.metadata(frameNumber(0)) - SLOT_METADATA;
    /** What another thread that reads a slot at this moment finds there. */
    const seen: unknown[] = [];
    const look = (): void => {
      for (let index: number = memory.firstAllocatable; index < memory.totalFrames; index++) {
        const frame = frameNumber(index);
        if (memory.slots.rawCount(frame) === 0) continue;
        const metadata = memory.metadata(frame) / 4;
        seen.push([memory.usage(frame), [...memory.words.subarray(metadata, metadata + 4)]]);
      }
    };
    // Between any two atomic operations: counts of shared RAM are changed by these alone.
    const { store, add, compareExchange } = Atomics;
    const isSlot = (index: number): boolean =>
      index * 4 >= slots && index * 4 < slots + memory.totalFrames * SLOT_BYTES;
    vi.spyOn(Atomics, 'store').mockImplementation(((words: Uint32Array, index: number, value: number) => {
      const result = store(words, index, value);
      if (isSlot(index)) look();
      return result;
    }) as typeof Atomics.store);
    vi.spyOn(Atomics, 'add').mockImplementation(((words: Uint32Array, index: number, value: number) => {
      const result = add(words, index, value);
      if (isSlot(index)) look();
      return result;
    }) as typeof Atomics.add);
    vi.spyOn(Atomics, 'compareExchange').mockImplementation(((
      words: Uint32Array,
      index: number,
      from: number,
      to: number,
    ) => {
      const result = compareExchange(words, index, from, to);
      if (isSlot(index)) look();
      return result;
    }) as typeof Atomics.compareExchange);
    try {
      const made = make(memory);
      vi.restoreAllMocks();
      made[Symbol.dispose]();
    } finally {
      vi.restoreAllMocks();
    }
    expect(seen.length).toBeGreaterThan(0);
    const words = name === 'allocate' ? ZEROS : [0x1111, 0x2222, 0, 0];
    for (const each of seen) expect(each).toEqual([Usage.PageTable, words]);
    expect(memory.audit()).toEqual([]);
  });
});

describe('002.2: counts neither overflow nor underflow, checking or not', () => {
  test.each(['off', 'on'] as const)('checking %s', (checking) => {
    const memory = makeMemory({ checking });
    using page = Page.fromUnused(memory, PLACE, FrameMeta);
    const dyn = page.clone().intoDyn();
    plantCount(memory, page.frame, MAX_COUNT);
    for (const add of [
      () => page.clone(),
      () => dyn.clone(),
      () => page.borrow().clone(),
      () => memory.retain(page.frame),
    ]) {
      expectRefusal(memory, add, 'EOVERFLOW', 'references already');
    }
    plantCount(memory, page.frame, 2);
    dyn.close();
    page.close();
    expectRefusal(memory, () => memory.release(frameNumber(20)), 'EINVAL', 'release of free frame 0x14');
    expectRefusal(memory, () => memory.retain(frameNumber(20)), 'EINVAL', 'retain of free frame 0x14');
    expect(memory.count(frameNumber(20))).toBe(0);
  });
});

describe('002.3: a raw reference is restored once, as what it is, and a leaked one is found', () => {
  test.each(['off', 'on'] as const)(
    'a wrong usage and a second restore are refused, checking %s',
    (checking) => {
      const memory = makeMemory({ checking });
      const raw = Page.fromUnused(memory, PLACE, PageTableMeta, { index: 1 }).intoRaw();
      expectRefusal(memory, () => Page.fromRaw(memory, raw, FrameMeta), 'EINVAL', 'is PageTable, not Frame');
      using page = Page.fromRaw(memory, raw, PageTableMeta);
      expect(page.metadata.index).toBe(1);
      expectRefusal(memory, () => Page.fromRaw(memory, raw, PageTableMeta), 'EINVAL', 'restored already');
      expectRefusal(memory, () => DynPage.fromRaw(memory, raw), 'EINVAL', 'restored already');
    },
  );

  test('a restore that comes after the frame was freed does not reach the allocator’s links', () => {
    // The usage is looked at before: another thread may free the frame in between.
    const memory = makeMemory();
    const frames = [1, 2, 3].map(() => memory.allocate(Usage.Frame));
    for (const frame of frames) memory.release(frame);
    for (const frame of frames) expect(memory.slots.rawToHandle(frame)).toBe(false);
    expect(memory.audit()).toEqual([]);
  });

  test('a leaked one is named, with the place that made it', () => {
    const memory = makeMemory({ checking: 'on' });
    Page.fromUnused(memory, PLACE, FrameMeta).intoRaw();
    expect(memory.ledger!.report()).toEqual([
      expect.stringMatching(/^frame 0x14 has a raw reference made at .*seed-002\.test\.ts:\d+:\d+/),
    ]);
  });
});

describe('002.4: what the seed panics on is a typed error, after which all goes on', () => {
  const memory = makeMemory();
  const busy = Page.fromUnused(memory, PLACE, KernelStackMeta, { owner: 1 });
  const from = (address: number) => () => Page.fromUnused(memory, physAddr(address), FrameMeta);

  test.each([
    ['an address that is not aligned', from(PLACE + 8), 'EINVAL', 'is not page-aligned'],
    ['an address out of bounds', from(memory.sizeBytes), 'EINVAL', 'is not in RAM'],
    ['a page that is in use', from(PLACE), 'EBUSY', '0x14'],
    ['the metadata’s own page', from(PAGE_SIZE), 'EINVAL', 'not all allocatable'],
    [
      'the drop of a reserved page',
      () => memory.release(frameNumber(0)),
      'EINVAL',
      'Reserved is never freed',
    ],
    ['the drop of a metadata page', () => memory.release(frameNumber(1)), 'EINVAL', 'Meta is never freed'],
    ['the drop of an unused page', () => memory.release(frameNumber(30)), 'EINVAL', 'release of free frame'],
    ['a reference to an unused page', () => memory.retain(frameNumber(30)), 'EINVAL', 'retain of free frame'],
    ['a page of no frame', () => memory.retain(frameNumber(64)), 'EINVAL', 'there is no frame 64'],
    ['an unused page restored', () => DynPage.fromRaw(memory, physAddr(30 * PAGE_SIZE)), 'EINVAL', 'unused'],
  ] as const)('%s', (_, attempt, code, message) => {
    expectRefusal(memory, attempt, code, message);
    expect(busy.metadata.owner).toBe(1);
    const recovered = Page.allocate(memory, FrameMeta);
    expect(frameStart(recovered.frame)).toBe(recovered.address);
    recovered.close();
  });
});
