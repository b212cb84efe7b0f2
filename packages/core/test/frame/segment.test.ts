import { describe, expect, test } from 'vitest';
import {
  FrameMeta,
  type FrameNumber,
  frameNumber,
  frameStart,
  MAX_ORDER,
  OutOfMemory,
  Page,
  PAGE_SIZE,
  PageTableMeta,
  type PhysicalMemory,
  Segment,
  type SegmentOptions,
  Usage,
} from '../../src/frame/index.js';
import { MAX_COUNT } from '../../src/frame/slot.js';
import { expectRefusal, joinedBlocks, makeMemory, plantCount, stateOf } from './state.js';

const expectAllFree = (memory: PhysicalMemory): void => {
  expect(memory.freeFrames).toBe(memory.totalFrames - memory.firstAllocatable);
  expect(memory.audit()).toEqual([]);
};

const framesOf = (segment: Segment<typeof FrameMeta>): FrameNumber[] =>
  [...segment.pages()].map((page) => {
    using closing = page;
    return closing.frame;
  });

describe('allocate', () => {
  test.each([1, 2, 3, 5, 7, 8, 13, 31, 32])('gives %d pages in a row, each with one reference', (frames) => {
    const memory = makeMemory();
    const before = joinedBlocks(memory);
    const segment = Segment.allocate(memory, FrameMeta, { frames }, (index) => ({ owner: 4 + index }));
    expect([segment.length, segment.sizeBytes]).toEqual([frames, frames * PAGE_SIZE]);
    expect(memory.freeFrames).toBe(memory.totalFrames - memory.firstAllocatable - frames);
    for (let index = 0; index < frames; index++) {
      using page = segment.page(index);
      expect(page.address).toBe(segment.address + index * PAGE_SIZE);
      expect(page.metadata).toEqual({ owner: 4 + index, lists: 0, readShares: 0, writeShares: 0 });
      expect(page.referenceCount).toBe(2);
    }
    expect(memory.audit()).toEqual([]);
    segment.close();
    expectAllFree(memory);
    expect(joinedBlocks(memory)).toEqual(before);
  });

  test.each([1, 2, 4, 8, 16, 32])('aligns a segment to %d frames', (alignmentFrames) => {
    const memory = makeMemory();
    // A frame in use, so that nothing is aligned by accident.
    memory.allocateRange({ frames: 1, usage: Usage.Kernel, at: memory.firstAllocatable });
    for (const frames of [1, 3, 6]) {
      using segment = Segment.allocate(memory, FrameMeta, { frames, alignmentFrames });
      expect((segment.address / PAGE_SIZE) % alignmentFrames).toBe(0);
      expect(memory.audit()).toEqual([]);
    }
    expect(memory.freeFrames).toBe(memory.totalFrames - memory.firstAllocatable - 1);
  });

  test('gives the very place that is asked for, across blocks of several sizes', () => {
    const memory = makeMemory();
    using segment = Segment.allocate(memory, FrameMeta, { frames: 21, at: frameNumber(11) });
    expect(segment.address).toBe(frameStart(frameNumber(11)));
    expect(framesOf(segment)).toEqual(Array.from({ length: 21 }, (_, index) => 11 + index));
    expect(memory.usage(frameNumber(10))).toBe(Usage.Unused);
    expect(memory.usage(frameNumber(32))).toBe(Usage.Unused);
    expect(memory.audit()).toEqual([]);
  });

  test('gives all there is, where that is asked for by its place', () => {
    const memory = makeMemory();
    const frames = memory.totalFrames - memory.firstAllocatable;
    using segment = Segment.allocate(memory, FrameMeta, { frames, at: memory.firstAllocatable });
    expect(segment.length).toBe(frames);
    expect(memory.freeFrames).toBe(0);
    expect(memory.statistics().freeBlocks.every((blocks) => blocks === 0)).toBe(true);
    expect(memory.audit()).toEqual([]);
  });

  test.each(['off', 'on'] as const)('fills pages with zeros on request, checking %s', (checking) => {
    const memory = makeMemory({ checking });
    const at = frameNumber(16);
    const dirty = Segment.allocate(memory, FrameMeta, { frames: 4, at });
    memory.bytes.fill(0xee, dirty.address, dirty.address + dirty.sizeBytes);
    dirty.close();
    const old = Segment.allocate(memory, FrameMeta, { frames: 4, at });
    expect(memory.bytes[old.address]).toBe(checking === 'on' ? 0x5a : 0xee);
    old.close();
    using zeroed = Segment.allocate(memory, FrameMeta, { frames: 3, at, content: 'zeros' });
    const end = zeroed.address + zeroed.sizeBytes;
    expect(memory.bytes.subarray(zeroed.address, end).every((byte) => byte === 0)).toBe(true);
    expect(memory.bytes[end]).not.toBe(0);
  });

  test('refuses a place where one frame is in use, wherever that is, and takes nothing', () => {
    const memory = makeMemory();
    using busy = Page.fromUnused(memory, frameStart(frameNumber(20)), PageTableMeta);
    for (const [at, frames] of [
      [20, 1],
      [20, 5],
      [15, 6],
      [12, 20],
    ] as const) {
      const allocate = () => Segment.allocate(memory, FrameMeta, { frames, at: frameNumber(at) });
      expectRefusal(memory, allocate, 'EBUSY', 'not all are free');
    }
    expect(busy.referenceCount).toBe(1);
  });

  test('refuses more than are free, or than are free in a row, and takes nothing', () => {
    const memory = makeMemory();
    const all = memory.freeFrames;
    const allocate = (options: SegmentOptions) => () => Segment.allocate(memory, FrameMeta, options);
    expectRefusal(memory, allocate({ frames: all + 1 }), 'ENOMEM', `no ${all + 1} free frames in a row`);
    // Every second frame in use: 30 are free and no two of them neighbours.
    const held = [];
    for (let at: number = memory.firstAllocatable; at < memory.totalFrames; at += 2) {
      held.push(Segment.allocate(memory, FrameMeta, { frames: 1, at: frameNumber(at) }));
    }
    expect(memory.freeFrames).toBeGreaterThan(20);
    expectRefusal(memory, allocate({ frames: 2 }), 'ENOMEM', 'no 2 free frames in a row');
    expect(allocate({ frames: 2 })).toThrow(OutOfMemory);
    expect(allocate({ frames: 1 })).not.toThrow();
    for (const segment of held) segment.close();
  });

  test('refuses numbers that make no sense', () => {
    const memory = makeMemory();
    const refused = (options: SegmentOptions, message: string): void => {
      const allocate = () => Segment.allocate(memory, FrameMeta, options);
      expectRefusal(memory, allocate, 'EINVAL', message);
    };
    for (const frames of [0, -1, 1.5, NaN, Infinity, 2 ** MAX_ORDER + 1, 2 ** 32, 2 ** 53]) {
      refused({ frames }, 'give a whole number from 1 to 262144');
    }
    for (const alignmentFrames of [0, -2, 3, 0.5, NaN, Infinity, 2 ** (MAX_ORDER + 1)]) {
      refused({ frames: 1, alignmentFrames }, 'give a power of two from 1 to 262144');
    }
    for (const at of [-1, 0, 1, 63.5, NaN, Infinity, 64, 2 ** 32, 2 ** 32 + 20]) {
      refused({ frames: 1, at: frameNumber(at) }, 'are not all allocatable');
    }
    refused({ frames: 2, at: frameNumber(63) }, 'are not all allocatable');
    refused({ frames: 2, at: frameNumber(18), alignmentFrames: 4 }, 'frame 0x12 is not aligned to 4 frames');
  });

  test('refuses metadata of another usage before it takes a frame', () => {
    const memory = makeMemory();
    const metadata = (index: number) => (index === 3 ? { level: 1 } : { owner: 1 });
    const allocate = () => Segment.allocate(memory, FrameMeta, { frames: 5 }, metadata);
    expectRefusal(memory, allocate, 'EINVAL', 'level is not among the metadata');
  });

  test('fails by script, whatever way it is asked for', () => {
    const memory = makeMemory();
    for (const options of [{ frames: 3 }, { frames: 3, at: frameNumber(30) }, { frames: 1 }]) {
      memory.failAllocation(1);
      expectRefusal(memory, () => Segment.allocate(memory, FrameMeta, options), 'ENOMEM', 'out of memory');
      Segment.allocate(memory, FrameMeta, options).close();
    }
    expectAllFree(memory);
  });

  test('leaves the reserve alone, at a chosen place too', () => {
    const memory = makeMemory({ reserveFrames: 8 });
    using most = Segment.allocate(memory, FrameMeta, { frames: memory.freeFrames - 16, at: frameNumber(16) });
    expect(most.length + 16).toBe(memory.totalFrames - memory.firstAllocatable);
    for (const options of [{ frames: 9 }, { frames: 9, at: frameNumber(4) }]) {
      expectRefusal(memory, () => Segment.allocate(memory, FrameMeta, options), 'ENOMEM', 'out of memory');
    }
    using last = Segment.allocate(memory, FrameMeta, { frames: 8, at: frameNumber(4) });
    expect(last.length).toBe(8);
    expectRefusal(memory, () => memory.allocate(Usage.Frame), 'ENOMEM', 'out of memory');
  });
});

describe('slice', () => {
  test('adds a reference to each of its pages, and outlives the segment', () => {
    const memory = makeMemory();
    const segment = Segment.allocate(memory, FrameMeta, { frames: 10 }, (owner) => ({ owner }));
    const frames = framesOf(segment);
    const slice = segment.slice(2, 6);
    const of = slice.slice(1, 2);
    expect(frames.map((frame) => memory.count(frame))).toEqual([1, 1, 2, 3, 2, 2, 1, 1, 1, 1]);
    expect(framesOf(slice)).toEqual(frames.slice(2, 6));
    expect(memory.audit()).toEqual([]);
    segment.close();
    expect(frames.map((frame) => memory.count(frame))).toEqual([0, 0, 1, 2, 1, 1, 0, 0, 0, 0]);
    using page = of.page(0);
    expect(page.metadata.owner).toBe(3);
    slice.close();
    of.close();
    page.close();
    expectAllFree(memory);
  });

  test('may be the whole', () => {
    const memory = makeMemory();
    using segment = Segment.allocate(memory, FrameMeta, { frames: 3 });
    using slice = segment.slice(0, 3);
    expect(slice.address).toBe(segment.address);
  });

  test('refuses what is empty, or not within', () => {
    const memory = makeMemory();
    using segment = Segment.allocate(memory, FrameMeta, { frames: 10 });
    for (const [start, end] of [
      [0, 0],
      [3, 3],
      [4, 3],
      [-1, 2],
      [0, 11],
      [10, 11],
      [0.5, 2],
      [0, 1.5],
      [NaN, 1],
      [0, NaN],
      [0, Infinity],
    ] as const) {
      expectRefusal(memory, () => segment.slice(start, end), 'EINVAL', 'of a segment of 10');
    }
  });

  test.each([0, 1, 4, 8])('that overflows at page %d leaves all pages as they were', (index) => {
    const memory = makeMemory();
    using segment = Segment.allocate(memory, FrameMeta, { frames: 9 });
    const frame = segment.address / PAGE_SIZE + index;
    plantCount(memory, frame, MAX_COUNT);
    expectRefusal(memory, () => segment.slice(0, 9), 'EOVERFLOW', 'references already');
    expectRefusal(memory, () => segment.page(index), 'EOVERFLOW', 'references already');
    plantCount(memory, frame, 1);
  });
});

describe('split', () => {
  test('cuts a segment in two, each with its references, and ends it', () => {
    const memory = makeMemory();
    const segment = Segment.allocate(memory, FrameMeta, { frames: 7 });
    const frames = framesOf(segment);
    const before = stateOf(memory);
    const [left, right] = segment.split(3);
    expect(stateOf(memory)).toEqual(before);
    expect(segment.isOpen).toBe(false);
    expect([framesOf(left), framesOf(right)]).toEqual([frames.slice(0, 3), frames.slice(3)]);
    segment.close();
    left.close();
    expect(frames.map((frame) => memory.count(frame))).toEqual([0, 0, 0, 1, 1, 1, 1]);
    right.close();
    expectAllFree(memory);
  });

  test('refuses to leave nothing on a side, and keeps the segment open', () => {
    const memory = makeMemory();
    using segment = Segment.allocate(memory, FrameMeta, { frames: 4 });
    for (const at of [0, 4, 5, -1, 1.5, NaN]) {
      expectRefusal(memory, () => segment.split(at), 'EINVAL', 'of a segment of 4');
      expect(segment.isOpen).toBe(true);
    }
  });
});

describe('pages', () => {
  test('outlive the segment that they are of', () => {
    const memory = makeMemory();
    const segment = Segment.allocate(memory, FrameMeta, { frames: 6 }, (owner) => ({ owner }));
    const pages = [...segment.pages()];
    expect(pages.map((page) => page.metadata.owner)).toEqual([0, 1, 2, 3, 4, 5]);
    segment.close();
    expect(pages.map((page) => page.referenceCount)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(memory.audit()).toEqual([]);
    for (const page of pages.toSorted((a, b) => (a.frame % 3) - (b.frame % 3))) page.close();
    expectAllFree(memory);
  });

  test('refuses a page that there is not', () => {
    const memory = makeMemory();
    using segment = Segment.allocate(memory, FrameMeta, { frames: 2 });
    for (const index of [-1, 2, 0.5, NaN, Infinity]) {
      expectRefusal(memory, () => segment.page(index), 'EINVAL', `page ${index} of a segment of 2`);
    }
  });

  test('are seen by the destructor once each, and one that throws does not keep the rest', () => {
    const memory = makeMemory();
    const segment = Segment.allocate(memory, FrameMeta, { frames: 5 });
    const frames = framesOf(segment);
    const seen: number[] = [];
    memory.setDestructor(Usage.Frame, (frame) => {
      seen.push(frame);
      if (seen.length === 2 || seen.length === 4) throw new Error(`number ${seen.length}`);
    });
    expect(() => segment.close()).toThrow('number 2');
    expect(seen).toEqual(frames);
    segment.close();
    expectAllFree(memory);
  });
});

test.each(['closed', 'split'])('a segment that is %s refuses everything but close', (end) => {
  const memory = makeMemory();
  const segment = Segment.allocate(memory, FrameMeta, { frames: 4 });
  const halves = end === 'split' ? segment.split(2) : [];
  if (end === 'closed') segment.close();
  for (const use of [
    () => segment.address,
    () => segment.length,
    () => segment.sizeBytes,
    () => segment.page(0),
    () => [...segment.pages()],
    () => segment.slice(0, 1),
    () => segment.split(1),
  ]) {
    expectRefusal(memory, use, 'EBADF', 'is closed');
  }
  const before = stateOf(memory);
  segment.close();
  segment[Symbol.dispose]();
  expect(stateOf(memory)).toEqual(before);
  for (const half of halves) half.close();
  expectAllFree(memory);
});
