/** Reclaimers: who gives frames back when an allocation finds none free (frame-hooks.ts). */
import { describe, expect, test } from 'vitest';
import {
  DynPage,
  type FrameNumber,
  frameNumber,
  FrameMeta,
  OutOfMemory,
  type PhysicalMemory,
  UniquePage,
  Usage,
} from '../../src/frame/index.js';
import { MAX_COUNT } from '../../src/frame/slot.js';
import { expectRefusal, makeMemory, plantCount } from './state.js';

/** Takes every frame that is free. */
const fill = (memory: PhysicalMemory): FrameNumber[] =>
  Array.from({ length: memory.freeFrames }, () => memory.allocate(Usage.Frame));

/** A reclaimer that has frames to give, and writes down what it is asked for. */
const giver = (memory: PhysicalMemory, frames: FrameNumber[]) => {
  const asked: number[] = [];
  const reclaim = (wanted: number): number => {
    asked.push(wanted);
    const given = frames.splice(0, wanted);
    for (const frame of given) memory.release(frame);
    return given.length;
  };
  return { asked, reclaim };
};

describe('allocate', () => {
  test('asks a reclaimer for one frame when nothing is free, and not before', () => {
    const memory = makeMemory();
    const frames = fill(memory);
    memory.release(frames.pop()!);
    const { asked, reclaim } = giver(memory, [frames[0]!, frames[1]!]);
    memory.addReclaimer(reclaim);
    memory.allocate(Usage.Frame);
    expect(asked).toEqual([]);
    expect(memory.allocate(Usage.PageTable)).toBe(frames[0]);
    expect(memory.allocate(Usage.Frame, { content: 'zeros' })).toBe(frames[1]);
    expect(asked).toEqual([1, 1]);
    expect(memory.audit()).toEqual([]);
  });

  test('is out of memory where the reclaimers give nothing, and where what they gave is not for it', () => {
    const memory = makeMemory({ reserveFrames: 2 });
    const kept = Array.from({ length: memory.freeFrames - 2 }, () => memory.allocate(Usage.Frame));
    const { asked, reclaim } = giver(memory, []);
    memory.addReclaimer(reclaim);
    expectRefusal(memory, () => memory.allocate(Usage.Frame), 'ENOMEM', 'out of memory');
    expect(asked).toEqual([1]);
    memory.removeReclaimer(reclaim);
    // The reserve is empty: what is given back goes into it first.
    const urgent = [1, 2].map(() => memory.allocate(Usage.Frame, { allocationClass: 'reserve' }));
    const one = giver(memory, kept.slice(0, 1));
    memory.addReclaimer(one.reclaim);
    expect(() => memory.allocate(Usage.Frame)).toThrow(OutOfMemory);
    expect(one.asked).toEqual([1]);
    expect(memory.freeFrames).toBe(1);
    for (const frame of urgent) memory.release(frame);
    expect(memory.audit()).toEqual([]);
  });

  test('tries again once, and believes a reclaimer no more than what is free', () => {
    const memory = makeMemory();
    fill(memory);
    let calls = 0;
    memory.addReclaimer(() => ++calls);
    expect(() => memory.allocate(Usage.Frame)).toThrow(OutOfMemory);
    expect(calls).toBe(1);
  });

  test('asks several in the order that they came, and no more than it needs', () => {
    const memory = makeMemory();
    const frames = fill(memory);
    const givers = [giver(memory, []), giver(memory, [frames[0]!]), giver(memory, [frames[1]!])];
    for (const { reclaim } of givers) memory.addReclaimer(reclaim);
    expect(memory.allocate(Usage.Frame)).toBe(frames[0]);
    expect(givers.map(({ asked }) => asked)).toEqual([[1], [1], []]);
    expect(memory.allocate(Usage.Frame)).toBe(frames[1]);
    expect(givers.map(({ asked }) => asked)).toEqual([[1, 1], [1, 1], [1]]);
    expectRefusal(memory, () => memory.allocate(Usage.Frame), 'ENOMEM', 'out of memory');
  });

  test('asks nobody who was removed, and nobody twice who was added twice', () => {
    const memory = makeMemory();
    const frames = fill(memory);
    const [gone, twice] = [giver(memory, [frames[0]!]), giver(memory, [])];
    memory.addReclaimer(gone.reclaim);
    memory.addReclaimer(twice.reclaim);
    memory.addReclaimer(twice.reclaim);
    memory.removeReclaimer(gone.reclaim);
    expect(() => memory.allocate(Usage.Frame)).toThrow(OutOfMemory);
    expect([gone.asked, twice.asked]).toEqual([[], [1]]);
  });

  test('that a script fails asks nobody', () => {
    const memory = makeMemory();
    const { asked, reclaim } = giver(memory, []);
    memory.addReclaimer(reclaim);
    memory.failAllocation(1);
    expect(() => memory.allocate(Usage.Frame)).toThrow(OutOfMemory);
    expect(asked).toEqual([]);
  });
});

test('allocateRange does not ask: a row of frames is not to be had one by one', () => {
  const memory = makeMemory();
  const { asked, reclaim } = giver(memory, fill(memory));
  memory.addReclaimer(reclaim);
  const options = { frames: 1, usage: Usage.Frame };
  expectRefusal(memory, () => memory.allocateRange(options), 'ENOMEM', 'out of memory');
  expect(asked).toEqual([]);
});

describe('DynPage.to', () => {
  test('is a handle with a reference of its own, to a page of any usage', () => {
    const memory = makeMemory();
    for (const usage of [Usage.Frame, Usage.PageTable, Usage.Kernel] as const) {
      const frame = memory.allocate(usage);
      const page = DynPage.to(memory, frame);
      expect([page.frame, page.usage, page.referenceCount]).toEqual([frame, usage, 2]);
      expect(memory.slots.handles(frame)).toBe(1);
      expect(memory.audit()).toEqual([]);
      memory.release(frame);
      expect(page.referenceCount).toBe(1);
      page.close();
      expect(memory.usage(frame)).toBe(Usage.Unused);
    }
    expect(memory.audit()).toEqual([]);
  });

  test('refuses frames that cannot be retained', () => {
    const memory = makeMemory();
    const frame = memory.allocate(Usage.Frame);
    using unique = UniquePage.allocate(memory, FrameMeta);
    expectRefusal(memory, () => DynPage.to(memory, unique.frame), 'EBUSY', 'unique owner');
    const free = frameNumber(memory.totalFrames - 1);
    expectRefusal(memory, () => DynPage.to(memory, free), 'EINVAL', 'retain of free frame');
    expectRefusal(memory, () => DynPage.to(memory, frameNumber(memory.totalFrames)), 'EINVAL', /frame/);
    plantCount(memory, frame, MAX_COUNT);
    expectRefusal(memory, () => DynPage.to(memory, frame), 'EOVERFLOW', 'references already');
    plantCount(memory, frame, 1);
  });
});

test('isShared says whether other threads may use the same RAM', () => {
  expect(makeMemory().isShared).toBe(false);
  expect(makeMemory({ threads: 'shared' }).isShared).toBe(true);
});
