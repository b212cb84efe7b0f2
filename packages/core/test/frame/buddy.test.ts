import { describe, expect, test } from 'vitest';
import {
  FrameMeta,
  type FrameNumber,
  frameNumber,
  InvalidArgument,
  MAX_ORDER,
  OutOfMemory,
  PAGE_SIZE,
  Page,
  PhysicalMemory,
  Segment,
  UniquePage,
  Usage,
} from '../../src/frame/index.js';
import { BuddyAllocator, CACHE_FRAMES } from '../../src/frame/buddy-allocator.js';
import { HEADER_BYTES } from '../../src/frame/meta-header.js';
import { FLAG_FREE_BLOCK, SLOT_BYTES, SLOT_STATE, STATE_ORDER_SHIFT } from '../../src/frame/slot.js';
import { Random } from '../support/random.js';
import { expectRefusal, joinedBlocks, makeMemory, stateOf } from './state.js';

const GIB = 2 ** 30;

const take = (memory: PhysicalMemory, frames: number, at?: number): FrameNumber =>
  memory.allocateRange({
    frames,
    usage: Usage.Frame,
    ...(at === undefined ? {} : { at: frameNumber(at) }),
  });

const give = (memory: PhysicalMemory, first: number, frames: number): void => {
  for (let frame = first; frame < first + frames; frame++) memory.release(frameNumber(frame));
};

/** What the blocks must be, when all frames from `first` to `end` - 1 are free and joined: said a second way. */
const wholeBlocks = (first: number, end: number): number[] => {
  const blocks = Array.from({ length: MAX_ORDER + 1 }, () => 0);
  const cut = (start: number, order: number): void => {
    if (start >= end || start + 2 ** order <= first) return;
    if (start >= first && start + 2 ** order <= end) blocks[order]!++;
    else {
      cut(start, order - 1);
      cut(start + 2 ** (order - 1), order - 1);
    }
  };
  for (let start = 0; start < end; start += 2 ** MAX_ORDER) cut(start, MAX_ORDER);
  return blocks;
};

/** Free blocks by order hold the frames that are free. */
const expectSum = (memory: PhysicalMemory): void => {
  const { freeBlocks, free } = memory.statistics();
  expect(freeBlocks.reduce((sum, blocks, order) => sum + blocks * 2 ** order, 0)).toBe(free);
};

describe('orders', () => {
  test.each([1, 2, 3, 7, 16, 31, 64])(
    'RAM of %d times 64 KiB begins as the largest blocks that fit',
    (times) => {
      const memory = makeMemory({ sizeBytes: times * 65536 });
      const { freeBlocks } = memory.statistics();
      expect(freeBlocks).toEqual(wholeBlocks(memory.firstAllocatable, memory.totalFrames));
      expectSum(memory);
    },
  );

  test('a block of each order, 4 KiB to 1 GiB, is aligned to its size, and all join again', () => {
    const memory = new PhysicalMemory({ sizeBytes: 3 * GIB });
    // In use throughout: its place, asked for again, has the cache joined.
    const held = take(memory, 1, memory.totalFrames - 1);
    const join = (): void => expect(() => take(memory, 1, held)).toThrow(/not all are free/);
    const before = memory.statistics();
    expect(before.freeBlocks[MAX_ORDER]).toBe(1);
    for (let order = 0; order <= MAX_ORDER; order++) {
      const frames = 2 ** order;
      const first = take(memory, frames);
      expect(first % frames, `order ${order}`).toBe(0);
      expect(memory.freeFrames).toBe(before.free - frames);
      expectSum(memory);
      if (order === MAX_ORDER) {
        expect(first).toBe(2 ** MAX_ORDER);
        // There is but one: frame 0 is the hart's, and the last GiB lacks the frame that is held.
        expect(() => take(memory, frames)).toThrow(OutOfMemory);
        expect(memory.count(frameNumber(first + frames - 1))).toBe(1);
      }
      give(memory, first, frames);
      join();
      expect(memory.statistics()).toEqual(before);
    }
    expect(memory.audit()).toEqual([]);
  });

  test('2^18 frames are the most: one more makes no sense', () => {
    const memory = makeMemory();
    const allocate = (): number => take(memory, 2 ** MAX_ORDER + 1);
    expectRefusal(memory, allocate, 'EINVAL', 'from 1 to 262144');
  });

  test.each([3, 5, 6, 7, 9, 17, 31])(
    'what a row of %d frames does not need of its block stays free',
    (frames) => {
      const memory = makeMemory();
      const free = memory.freeFrames;
      const first = take(memory, frames);
      expect(memory.freeFrames).toBe(free - frames);
      expect(memory.usage(frameNumber(first + frames))).toBe(Usage.Unused);
      take(memory, 1, first + frames);
      expect(memory.audit()).toEqual([]);
    },
  );
});

describe('a chosen place', () => {
  test('in the middle of a free block leaves the block’s other frames free, whatever place it is', () => {
    const memory = makeMemory();
    const whole = wholeBlocks(memory.firstAllocatable, memory.totalFrames);
    for (let at: number = memory.firstAllocatable; at < memory.totalFrames; at++) {
      for (const frames of [1, 2, 3, 8, 17]) {
        if (at + frames > memory.totalFrames) continue;
        expect(take(memory, frames, at)).toBe(at);
        const left = wholeBlocks(memory.firstAllocatable, at);
        const right = wholeBlocks(at + frames, memory.totalFrames);
        expect(memory.statistics().freeBlocks).toEqual(left.map((blocks, order) => blocks + right[order]!));
        give(memory, at, frames);
        expect(joinedBlocks(memory)).toEqual(whole);
      }
    }
    expect(memory.audit()).toEqual([]);
  });

  test('is had though its frames wait in the cache', () => {
    const memory = makeMemory();
    const frames = Array.from({ length: 20 }, () => memory.allocate(Usage.Frame));
    for (const frame of frames) memory.release(frame);
    const first = Math.min(...frames);
    expect(take(memory, 20, first)).toBe(first);
    expect(memory.audit()).toEqual([]);
  });

  test('may cross from one block into the next, where the reserved frames end too', () => {
    const memory = makeMemory({ reservedBytes: 5 * 4096 });
    const { firstAllocatable: first, totalFrames: end } = memory;
    for (const [at, frames] of [
      [first, 1],
      [first, end - first],
      [first + 1, end - first - 2],
      [31, 2],
      [end - 1, 1],
    ] as const) {
      take(memory, frames, at);
      expect(memory.audit()).toEqual([]);
      give(memory, at, frames);
    }
    expect(joinedBlocks(memory)).toEqual(wholeBlocks(first, end));
  });
});

describe('joining', () => {
  test.each([1, 2, 3, 4, 5])(
    'random rows, freed in any order, come back as the blocks of boot (seed %d)',
    (seed) => {
      const random = new Random(seed);
      const memory = makeMemory({ sizeBytes: 4 * 2 ** 20, checking: seed === 5 ? 'on' : 'off' });
      const whole = memory.statistics().freeBlocks;
      let rows: { first: number; frames: number }[] = [];
      for (let step = 0; step < 1500; step++) {
        if (rows.length > 0 && random.below(5) < 2) {
          const [{ first, frames }] = rows.splice(random.below(rows.length), 1) as [(typeof rows)[0]];
          give(memory, first, frames);
          continue;
        }
        const frames = random.below(4) === 0 ? 1 + random.below(60) : 1;
        const { firstAllocatable: low } = memory;
        const at =
          random.below(3) === 0 ? low + random.below(memory.totalFrames - low - frames + 1) : undefined;
        const single = frames === 1 && at === undefined;
        try {
          rows.push({ first: single ? memory.allocate(Usage.Frame) : take(memory, frames, at), frames });
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(ENOMEM|EBUSY)$/) });
        }
        if (step % 100 === 0) expect(memory.audit()).toEqual([]);
      }
      rows = rows.toSorted(() => random.below(3) - 1);
      for (const { first, frames } of rows) give(memory, first, frames);
      expect(memory.freeFrames).toBe(memory.totalFrames - memory.firstAllocatable);
      expect(joinedBlocks(memory)).toEqual(whole);
      expect(memory.audit()).toEqual([]);
    },
  );

  test('happens when the cache overflows, without being asked for', () => {
    const memory = makeMemory({ sizeBytes: CACHE_FRAMES * PAGE_SIZE + 2 ** 22 });
    const frames: FrameNumber[] = [];
    while (memory.freeFrames > 0) frames.push(memory.allocate(Usage.Frame));
    for (const frame of frames.slice(0, CACHE_FRAMES)) memory.release(frame);
    expect(memory.statistics().freeBlocks[0]).toBe(CACHE_FRAMES);
    memory.release(frames[CACHE_FRAMES]!);
    expect(memory.statistics().freeBlocks[0]).toBeLessThan(CACHE_FRAMES);
    expectSum(memory);
    expect(memory.audit()).toEqual([]);
  });

  test('happens when a larger block is wanted than there is', () => {
    const memory = makeMemory();
    const frames: FrameNumber[] = [];
    while (memory.freeFrames > 0) frames.push(memory.allocate(Usage.Frame));
    const row = frames.filter((frame) => frame >= 32);
    for (const frame of row) memory.release(frame);
    expect(memory.statistics().freeBlocks[0]).toBe(32);
    expect(take(memory, 32)).toBe(32);
  });

  test('every order of freeing five neighbours gives the blocks of before', () => {
    const memory = makeMemory();
    const permute = (left: number[], done: number[]): void => {
      if (left.length > 0) {
        for (const each of left)
          permute(
            left.filter((other) => other !== each),
            [...done, each],
          );
        return;
      }
      take(memory, 5, 16);
      for (const index of done) {
        memory.release(frameNumber(16 + index));
        joinedBlocks(memory);
      }
      expect(memory.statistics().freeBlocks).toEqual(whole);
    };
    const whole = joinedBlocks(memory);
    permute([0, 1, 2, 3, 4], []);
    expect(memory.audit()).toEqual([]);
  });
});

test('the last block is not joined with whatever lies behind the slots, however like a free block it looks', () => {
  const [slots, first, end] = [HEADER_BYTES / 4, 16, 48];
  const words = new Uint32Array(slots + (end + 1) * (SLOT_BYTES / 4));
  // No slot is there: it is the first word of content, written by whoever has that frame.
  const behind = slots + end * (SLOT_BYTES / 4) + SLOT_STATE / 4;
  words[behind] = FLAG_FREE_BLOCK | (4 << STATE_ORDER_SHIFT);
  const layout = { words, header: 0, slots, first: frameNumber(first), end: frameNumber(end) };
  const allocator = new BuddyAllocator(layout);
  allocator.initialize();
  const told = new Set<number>();
  expect(allocator.audit((frame) => told.size === told.add(frame).size)).toEqual([]);
  expect([allocator.freeFrames, allocator.blocks(4), allocator.blocks(5)]).toEqual([32, 2, 0]);
  expect(words[behind]).toBe(FLAG_FREE_BLOCK | (4 << STATE_ORDER_SHIFT));
});

describe('fragmentation', () => {
  test('every second frame free gives single frames only, and one more makes a pair', () => {
    const memory = makeMemory();
    take(memory, memory.freeFrames, memory.firstAllocatable);
    for (let frame = memory.firstAllocatable + 1; frame < memory.totalFrames; frame += 2)
      give(memory, frame, 1);
    expect(() => take(memory, 2)).toThrow(OutOfMemory);
    expect(
      memory
        .statistics()
        .freeBlocks.slice(1)
        .every((blocks) => blocks === 0),
    ).toBe(true);
    give(memory, 40, 1);
    expect(take(memory, 2)).toBe(40);
    expect(memory.audit()).toEqual([]);
  });
});

describe('wrong frees', () => {
  test.each(['off', 'on'] as const)(
    'a frame in a free block, in the cache or in a middle, checking %s',
    (checking) => {
      const memory = makeMemory({ checking });
      const [cached, used] = [memory.allocate(Usage.Frame), memory.allocate(Usage.Frame)];
      memory.release(cached);
      for (let index = 0; index < memory.totalFrames; index++) {
        const frame = frameNumber(index);
        if (frame === used) continue;
        expect(() => memory.release(frame)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
      }
      expectRefusal(memory, () => memory.release(cached), 'EINVAL', 'release of free frame');
      expectRefusal(
        memory,
        () => memory.release(frameNumber(memory.totalFrames)),
        'EINVAL',
        'there is no frame',
      );
      memory.release(used);
      expectRefusal(memory, () => memory.release(used), 'EINVAL', 'release of free frame');
      expect(joinedBlocks(memory)).toEqual(wholeBlocks(memory.firstAllocatable, memory.totalFrames));
    },
  );

  test('that stop half-way through a row have changed nothing before', () => {
    const memory = makeMemory();
    const first = take(memory, 4);
    memory.release(first);
    const before = stateOf(memory);
    expect(() => give(memory, first, 4)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(stateOf(memory)).toEqual(before);
    give(memory, first + 1, 3);
    expect(memory.audit()).toEqual([]);
  });
});

describe('the reserve', () => {
  const RESERVE = { allocationClass: 'reserve' } as const;

  test('is refused to ordinary allocations and given to those that name it', () => {
    const memory = makeMemory({ reserveFrames: 3 });
    const frames: FrameNumber[] = [];
    while (memory.freeFrames > 3) frames.push(memory.allocate(Usage.Frame));
    expectRefusal(memory, () => memory.allocate(Usage.Frame), 'ENOMEM', '(3 of 64 frames free)');
    expectRefusal(memory, () => take(memory, 1), 'ENOMEM', 'out of memory');
    for (let left = 3; left > 0; left--) frames.push(memory.allocate(Usage.PageTable, RESERVE));
    expect(() => memory.allocate(Usage.Frame, RESERVE)).toThrow(OutOfMemory);
    expect(memory.audit()).toEqual([]);
    for (const frame of frames) memory.release(frame);
    memory.allocate(Usage.Frame);
  });

  const takers: Record<string, (memory: PhysicalMemory, options?: typeof RESERVE) => unknown> = {
    allocate: (memory, options) => memory.allocate(Usage.Frame, { metadata: [1], ...options }),
    allocateUnique: (memory, options) => memory.allocateUnique(Usage.Frame, options),
    allocateRange: (memory, options) => memory.allocateRange({ frames: 2, usage: Usage.Frame, ...options }),
    'Page.allocate': (memory, options) => Page.allocate(memory, FrameMeta, {}, options),
    'UniquePage.allocate': (memory, options) => UniquePage.allocate(memory, FrameMeta, {}, options),
    'Segment.allocate': (memory, options) => Segment.allocate(memory, FrameMeta, { frames: 2, ...options }),
  };

  test.each(Object.entries(takers))('is had by %s when it names it, and only then', (_, takeIt) => {
    const memory = makeMemory({ reserveFrames: 2 });
    take(memory, memory.freeFrames - 2, memory.firstAllocatable);
    expectRefusal(memory, () => takeIt(memory), 'ENOMEM', '(2 of 64 frames free)');
    takeIt(memory, RESERVE);
    expect(memory.freeFrames).toBeLessThan(2);
    expect(memory.audit()).toEqual([]);
  });

  test.each([-1, 0.5, NaN, Infinity, 63])('of %d frames makes no sense', (reserveFrames) => {
    expect(() => makeMemory({ reserveFrames })).toThrow(InvalidArgument);
  });
});

describe('scripted failures', () => {
  test('by chance are the same for the same seed, and none loses anything', () => {
    const run = (): string => {
      const memory = makeMemory();
      const random = new Random(42);
      memory.failAllocationsWhen(() => random.below(3) === 0);
      let outcomes = '';
      for (let step = 0; step < 60; step++) {
        const before = memory.freeFrames;
        const frames = step % 4 === 0 ? 3 : 1;
        try {
          const first = frames === 1 ? memory.allocate(Usage.Frame) : take(memory, frames);
          outcomes += 'x';
          give(memory, first, step % 5 === 0 ? 0 : frames);
        } catch (error) {
          expect(error).toBeInstanceOf(OutOfMemory);
          expect(memory.freeFrames).toBe(before);
          outcomes += '.';
        }
        expect(memory.audit()).toEqual([]);
      }
      memory.failAllocationsWhen(undefined);
      memory.allocate(Usage.Frame);
      return outcomes;
    };
    const outcomes = run();
    expect(outcomes).toBe(run());
    expect(outcomes).toMatch(/x/);
    expect(outcomes).toMatch(/\./);
  });

  test('at the n-th call count rows and chosen places as one call each', () => {
    const memory = makeMemory();
    memory.failAllocation(4);
    memory.allocate(Usage.Frame);
    take(memory, 5);
    take(memory, 1, 50);
    expectRefusal(memory, () => take(memory, 7), 'ENOMEM', 'no 7 free frames in a row');
    take(memory, 7);
  });
});
