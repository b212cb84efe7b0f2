import { describe, expect, test } from 'vitest';
import {
  type AllocatableUsage,
  type FrameNumber,
  frameNumber,
  frameStart,
  InvalidArgument,
  MAX_ORDER,
  MAX_RAM_BYTES,
  OutOfMemory,
  PAGE_SIZE,
  PhysicalMemory,
  Usage,
} from '../../src/frame/index.js';
import { SLOT_METADATA_BYTES } from '../../src/frame/slot.js';

const KIB = 1024;
const SIZE_BYTES = 128 * KIB;
const makeMemory = (reservedBytes = 0): PhysicalMemory =>
  new PhysicalMemory({ sizeBytes: SIZE_BYTES, reservedBytes });

/** Every frame that can be had. */
const allocateAll = (memory: PhysicalMemory, usage: AllocatableUsage = Usage.Frame): FrameNumber[] => {
  const frames: FrameNumber[] = [];
  while (memory.freeFrames > 0) frames.push(memory.allocate(usage));
  return frames;
};

const framesOf = (memory: PhysicalMemory, usage: Usage): number[] =>
  Array.from({ length: memory.totalFrames }, (_, frame) => frame).filter(
    (frame) => memory.usage(frameNumber(frame)) === usage,
  );

describe('the layout of RAM', () => {
  test('reserved frames come first, then the slots, then what can be allocated', () => {
    const memory = makeMemory(3 * PAGE_SIZE);
    expect(framesOf(memory, Usage.Reserved)).toEqual([0, 1, 2]);
    expect(framesOf(memory, Usage.Meta)).toEqual([3]);
    expect(memory.firstAllocatable).toBe(4);
    expect(framesOf(memory, Usage.Unused)).toHaveLength(memory.totalFrames - 4);
    expect(memory.audit()).toEqual([]);
  });

  test('one frame is reserved even when none is asked for, so that frame 0 means none', () => {
    expect(framesOf(makeMemory(), Usage.Reserved)).toEqual([0]);
  });

  test('reserved bytes are rounded up to whole frames', () => {
    expect(framesOf(makeMemory(PAGE_SIZE + 1), Usage.Reserved)).toEqual([0, 1]);
  });

  test('the slots of a larger RAM take as many frames as they fill', () => {
    const memory = new PhysicalMemory({ sizeBytes: 1024 * KIB });
    // 256 slots of 32 bytes are two frames, and the header before them begins a third.
    expect(framesOf(memory, Usage.Meta)).toEqual([1, 2, 3]);
  });

  test('the views all show the same RAM', () => {
    const memory = makeMemory();
    memory.doublewords[SIZE_BYTES / 8 - 1] = 0x0102_0304_0506_0708n;
    expect(memory.words[SIZE_BYTES / 4 - 1]).toBe(0x0102_0304);
    expect(memory.bytes[SIZE_BYTES - 1]).toBe(1);
    expect(new Uint8Array(memory.memory.buffer)[SIZE_BYTES - 1]).toBe(1);
  });

  test('the WebAssembly memory cannot grow', () => {
    expect(() => makeMemory().memory.grow(1)).toThrow(RangeError);
  });
});

describe('sizes that are refused', () => {
  test.each([
    0,
    -65536,
    1,
    4096,
    65535,
    65537,
    1.5,
    NaN,
    Infinity,
    2 ** 32,
    2 ** 32 + 65536,
    2 ** 53,
    MAX_RAM_BYTES + 65536,
  ])('RAM of %d bytes', (sizeBytes) => {
    expect(() => new PhysicalMemory({ sizeBytes })).toThrow(InvalidArgument);
  });

  test.each([-1, 0.5, NaN, Infinity])('%d reserved bytes', (reservedBytes) => {
    expect(() => makeMemory(reservedBytes)).toThrow(InvalidArgument);
  });

  test('RAM that the hart and the slots fill to the last frame', () => {
    const all = SIZE_BYTES - PAGE_SIZE;
    expect(() => makeMemory(all)).toThrow(InvalidArgument);
    expect(() => makeMemory(2 ** 40)).toThrow(InvalidArgument);
    const memory = makeMemory(all - PAGE_SIZE);
    expect(memory.freeFrames).toBe(1);
    memory.allocate(Usage.Frame);
    expect(() => memory.allocate(Usage.Frame)).toThrow(OutOfMemory);
  });
});

describe('allocate', () => {
  test('gives every frame once, each with one reference, and then runs out', () => {
    const memory = makeMemory();
    const frames = allocateAll(memory);
    expect(frames).toHaveLength(memory.totalFrames - memory.firstAllocatable);
    expect(new Set(frames).size).toBe(frames.length);
    for (const frame of frames) {
      expect(frame).toBeGreaterThanOrEqual(memory.firstAllocatable);
      expect(frame).toBeLessThan(memory.totalFrames);
      expect(memory.count(frame)).toBe(1);
      expect(memory.usage(frame)).toBe(Usage.Frame);
    }
    expect(() => memory.allocate(Usage.Frame)).toThrow(OutOfMemory);
    expect(() => memory.allocate(Usage.Frame)).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
    expect(memory.audit()).toEqual([]);
  });

  test('gives freed frames again, in whatever order they were freed', () => {
    const memory = makeMemory();
    const frames = allocateAll(memory);
    const order = frames.toSorted((a, b) => ((a * 7) % 11) - ((b * 7) % 11));
    for (const frame of order) memory.release(frame);
    expect(memory.audit()).toEqual([]);
    expect(new Set(allocateAll(memory))).toEqual(new Set(frames));
    expect(memory.audit()).toEqual([]);
  });

  test('clears the metadata of a frame, and leaves its content', () => {
    const memory = makeMemory();
    const frame = memory.allocate(Usage.PageTable);
    const metadata = memory.metadata(frame);
    memory.bytes.fill(0xaa, metadata, metadata + SLOT_METADATA_BYTES);
    memory.bytes[frameStart(frame)] = 7;
    memory.release(frame);
    expect(memory.allocate(Usage.Frame)).toBe(frame);
    expect([...memory.bytes.subarray(metadata, metadata + SLOT_METADATA_BYTES)]).toEqual(
      Array.from({ length: SLOT_METADATA_BYTES }, () => 0),
    );
    expect(memory.bytes[frameStart(frame)]).toBe(7);
  });

  test('with options zeros the content and writes the metadata', () => {
    const memory = makeMemory();
    const dirty = memory.allocate(Usage.Frame);
    memory.bytes.fill(7, frameStart(dirty), frameStart(dirty) + PAGE_SIZE);
    memory.release(dirty);
    const frame = memory.allocate(Usage.PageTable, { metadata: [1, 2, 0, 3], content: 'zeros' });
    expect(frame).toBe(dirty);
    expect(memory.count(frame)).toBe(1);
    expect(
      memory.bytes.subarray(frameStart(frame), frameStart(frame) + PAGE_SIZE).every((b) => b === 0),
    ).toBe(true);
    const words = memory.metadata(frame) / 4;
    expect([...memory.words.subarray(words, words + 4)]).toEqual([1, 2, 0, 3]);
    expect(memory.audit()).toEqual([]);
  });

  test("metadata of neighbours, and of the last frame, lies in the slots' own frames", () => {
    const memory = makeMemory();
    const frames = allocateAll(memory);
    const starts = frames.map((frame) => memory.metadata(frame));
    for (const [index, start] of starts.slice(1).entries()) {
      expect(start - starts[index]!).toBeGreaterThanOrEqual(SLOT_METADATA_BYTES);
    }
    expect(starts.at(-1)! + SLOT_METADATA_BYTES).toBeLessThanOrEqual(memory.firstAllocatable * PAGE_SIZE);
  });
});

describe('statistics', () => {
  test('follow every usage', () => {
    const memory = makeMemory(2 * PAGE_SIZE);
    const frame = memory.allocate(Usage.Frame);
    memory.allocate(Usage.PageTable);
    memory.allocate(Usage.Kernel);
    memory.allocate(Usage.KernelStack);
    memory.retain(frame);
    const free = memory.totalFrames - memory.firstAllocatable - 4;
    expect(memory.statistics()).toEqual({
      total: 32,
      allocatable: 29,
      free,
      inUse: 32 - free,
      byUsage: { Unused: free, Reserved: 2, Frame: 1, PageTable: 1, Meta: 1, Kernel: 1, KernelStack: 1 },
      // Frames 3 to 6 are in use: 7, then 8 to 15, then 16 to 31 are free.
      freeBlocks: [1, 0, 0, 1, 1, ...Array.from({ length: MAX_ORDER - 4 }, () => 0)],
    });
    memory.release(frame);
    expect(memory.statistics().byUsage.Frame).toBe(1);
    memory.release(frame);
    expect(memory.statistics().byUsage).toMatchObject({ Frame: 0, Unused: free + 1 });
    expect(memory.freeFrames).toBe(free + 1);
  });
});

describe('content', () => {
  test('zero fills one frame and no other', () => {
    const memory = makeMemory();
    const [before, frame, after] = [1, 2, 3].map(() => memory.allocate(Usage.Frame));
    for (const each of [before!, frame!, after!]) memory.write(each, 0, new Uint8Array(PAGE_SIZE).fill(9));
    memory.zero(frame!);
    const sum = (of: FrameNumber): number =>
      memory.bytes.subarray(frameStart(of), frameStart(of) + PAGE_SIZE).reduce((a, b) => a + b, 0);
    expect([before!, frame!, after!].map(sum)).toEqual([9 * PAGE_SIZE, 0, 9 * PAGE_SIZE]);
  });

  test('copy takes the whole frame and leaves its source', () => {
    const memory = makeMemory();
    const from = memory.allocate(Usage.Frame);
    const to = memory.allocate(Usage.Frame);
    const content = Uint8Array.from({ length: PAGE_SIZE }, (_, index) => index * 31);
    memory.write(from, 0, content);
    memory.copy(from, to);
    for (const frame of [from, to]) {
      expect(memory.bytes.slice(frameStart(frame), frameStart(frame) + PAGE_SIZE)).toEqual(content);
    }
  });

  test('write goes where it is told, up to the last byte of the frame and not beyond', () => {
    const memory = makeMemory();
    const frame = memory.allocate(Usage.Frame);
    memory.write(frame, PAGE_SIZE - 2, Uint8Array.of(1, 2));
    expect(memory.bytes[frameStart(frame) + PAGE_SIZE - 1]).toBe(2);
    for (const offset of [PAGE_SIZE - 1, PAGE_SIZE, -1, NaN, 0.5, Infinity]) {
      expect(() => memory.write(frame, offset, Uint8Array.of(3, 4))).toThrow(InvalidArgument);
    }
    expect(memory.bytes.includes(3, frameStart(frame))).toBe(false);
  });

  test('nothing is changed by a write, a zero or a copy of a frame that does not exist', () => {
    const memory = makeMemory();
    for (const frame of allocateAll(memory)) memory.write(frame, 0, new Uint8Array(PAGE_SIZE).fill(5));
    const before = memory.bytes.slice();
    const good = memory.firstAllocatable;
    for (const number of [-1, -2, 0.5, memory.totalFrames, 2 ** 32 + good, NaN]) {
      const bad = frameNumber(number);
      for (const change of [
        () => memory.zero(bad),
        () => memory.copy(bad, good),
        () => memory.copy(good, bad),
        () => memory.write(bad, 0, Uint8Array.of(1)),
      ]) {
        expect(change).toThrow(expect.objectContaining({ code: 'EINVAL' }));
      }
    }
    expect(memory.bytes).toEqual(before);
  });
});

describe('failAllocation', () => {
  test('fails the n-th allocation from now, once', () => {
    const memory = makeMemory();
    memory.failAllocation(3);
    memory.allocate(Usage.Frame);
    memory.allocate(Usage.Frame);
    const free = memory.freeFrames;
    expect(() => memory.allocate(Usage.Frame)).toThrow(OutOfMemory);
    expect(memory.freeFrames).toBe(free);
    memory.allocate(Usage.Frame);
    expect(memory.audit()).toEqual([]);
  });

  test.each([-1, 1.5, NaN, Infinity])('of number %d makes no sense, and scripts nothing', (n) => {
    const memory = makeMemory();
    expect(() => memory.failAllocation(n)).toThrow(InvalidArgument);
    memory.allocate(Usage.Frame);
  });

  test('is taken back by 0', () => {
    const memory = makeMemory();
    memory.failAllocation(1);
    memory.failAllocation(0);
    memory.allocate(Usage.Frame);
  });

  test('is spent by an allocation that would have failed anyway', () => {
    const memory = makeMemory();
    const frames = allocateAll(memory);
    memory.failAllocation(1);
    expect(() => memory.allocate(Usage.Frame)).toThrow(OutOfMemory);
    memory.release(frames[0]!);
    expect(memory.allocate(Usage.Frame)).toBe(frames[0]);
  });
});

test('the largest RAM, 4 GiB less 64 KiB, can be used up to its last frame', () => {
  let memory: PhysicalMemory;
  try {
    memory = new PhysicalMemory({ sizeBytes: MAX_RAM_BYTES });
  } catch (error) {
    // A host without the room says so in the one way that callers know.
    expect(error).toBeInstanceOf(OutOfMemory);
    return;
  }
  expect(memory.totalFrames).toBe(2 ** 20 - 16);
  const given = new Uint8Array(memory.totalFrames);
  while (memory.freeFrames > 0) given[memory.allocate(Usage.Frame)]!++;
  // Each frame once, up to the very last.
  expect(given.subarray(0, memory.firstAllocatable).every((times) => times === 0)).toBe(true);
  expect(given.subarray(memory.firstAllocatable).every((times) => times === 1)).toBe(true);
  const top = frameNumber(memory.totalFrames - 1);
  memory.zero(top);
  memory.write(top, PAGE_SIZE - 1, Uint8Array.of(0x5a));
  expect(memory.bytes[MAX_RAM_BYTES - 1]).toBe(0x5a);
  memory.copy(top, memory.firstAllocatable);
  expect(memory.bytes[frameStart(memory.firstAllocatable) + PAGE_SIZE - 1]).toBe(0x5a);
  expect(() => memory.allocate(Usage.Frame)).toThrow(OutOfMemory);
  memory.release(top);
  expect(memory.freeFrames).toBe(1);
});
