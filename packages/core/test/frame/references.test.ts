import { describe, expect, test } from 'vitest';
import {
  type FrameNumber,
  frameNumber,
  FrameReferenceError,
  PAGE_SIZE,
  PhysicalMemory,
  Usage,
} from '../../src/frame/index.js';
import { SLOT_METADATA } from '../../src/frame/slot.js';

const makeMemory = (): PhysicalMemory => new PhysicalMemory({ sizeBytes: 65536, reservedBytes: PAGE_SIZE });

/** The word of a frame's slot that holds its count. */
const countWord = (memory: PhysicalMemory, frame: FrameNumber): number =>
  (memory.metadata(frame) - SLOT_METADATA) / 4;

const EINVAL = expect.objectContaining({ code: 'EINVAL', name: 'FrameReferenceError' }) as Error;

describe('references', () => {
  test('are counted up and down, and the last one frees the frame', () => {
    const memory = makeMemory();
    const free = memory.freeFrames;
    const frame = memory.allocate(Usage.Frame);
    memory.retain(frame);
    memory.retain(frame);
    expect(memory.count(frame)).toBe(3);
    memory.release(frame);
    memory.release(frame);
    expect(memory.count(frame)).toBe(1);
    expect(memory.freeFrames).toBe(free - 1);
    memory.release(frame);
    expect(memory.count(frame)).toBe(0);
    expect(memory.usage(frame)).toBe(Usage.Unused);
    expect(memory.freeFrames).toBe(free);
    expect(memory.audit()).toEqual([]);
  });

  test('a double free is caught, and changes nothing', () => {
    const memory = makeMemory();
    const frame = memory.allocate(Usage.Frame);
    memory.release(frame);
    const before = memory.bytes.slice();
    expect(() => memory.release(frame)).toThrow(EINVAL);
    expect(memory.bytes).toEqual(before);
    expect(memory.audit()).toEqual([]);
    expect(memory.allocate(Usage.Frame)).not.toBe(memory.allocate(Usage.Frame));
  });

  test('a free frame cannot be retained, whether it was ever given out or not', () => {
    const memory = makeMemory();
    const frame = memory.allocate(Usage.Frame);
    memory.release(frame);
    expect(() => memory.retain(frame)).toThrow(EINVAL);
    const never = frameNumber(memory.totalFrames - 1);
    expect(() => memory.retain(never)).toThrow(EINVAL);
    expect(() => memory.release(never)).toThrow(EINVAL);
    expect(memory.audit()).toEqual([]);
  });

  test('Reserved and Meta frames are never freed', () => {
    const memory = makeMemory();
    for (let frame = 0; frame < memory.firstAllocatable; frame++) {
      expect(() => memory.release(frameNumber(frame))).toThrow(EINVAL);
      expect(memory.count(frameNumber(frame))).toBe(1);
    }
    memory.retain(frameNumber(0));
    memory.release(frameNumber(0));
    expect(memory.audit()).toEqual([]);
  });

  test.each([-1, 0.5, 16, 17, 2 ** 32, 2 ** 32 + 2, NaN, Infinity])(
    'frame %d does not exist, whatever is asked of it',
    (number) => {
      const memory = makeMemory();
      const frame = frameNumber(number);
      const before = memory.bytes.slice();
      for (const ask of [
        () => memory.retain(frame),
        () => memory.release(frame),
        () => memory.count(frame),
        () => memory.usage(frame),
        () => memory.metadata(frame),
        () => memory.watch(frame),
        () => memory.unwatch(frame),
        () => memory.isWatched(frame),
      ]) {
        expect(ask).toThrow(FrameReferenceError);
      }
      expect(memory.bytes).toEqual(before);
    },
  );

  test('a count of 2^32 - 2 overflows loudly, and stays: one more is what a unique owner has', () => {
    const memory = makeMemory();
    const frame = memory.allocate(Usage.Frame);
    const word = countWord(memory, frame);
    memory.words[word] = 2 ** 32 - 3;
    memory.retain(frame);
    expect(memory.count(frame)).toBe(2 ** 32 - 2);
    const before = memory.bytes.slice();
    expect(() => memory.retain(frame)).toThrow(expect.objectContaining({ code: 'EOVERFLOW' }));
    expect(memory.bytes).toEqual(before);
    memory.release(frame);
    expect(memory.count(frame)).toBe(2 ** 32 - 3);
  });
});
