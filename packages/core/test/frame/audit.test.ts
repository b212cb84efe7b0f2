import { beforeEach, describe, expect, test } from 'vitest';
import {
  type FrameNumber,
  frameNumber,
  hex,
  PAGE_SIZE,
  PhysicalMemory,
  Usage,
} from '../../src/frame/index.js';
import { HEADER_BLOCKS, HEADER_CACHED, HEADER_ORDERS } from '../../src/frame/meta-header.js';
import {
  FLAG_FREE_BLOCK,
  SLOT_COUNT,
  SLOT_HANDLES,
  SLOT_METADATA,
  SLOT_NEXT_FREE,
  SLOT_PREVIOUS_FREE,
  SLOT_RAW,
  SLOT_STATE,
} from '../../src/frame/slot.js';

describe('an audit finds', () => {
  let memory: PhysicalMemory;
  let used: FrameNumber;
  let freed: FrameNumber;
  let freedBefore: FrameNumber;

  beforeEach(() => {
    memory = new PhysicalMemory({ sizeBytes: 65536 });
    [used, freedBefore, freed] = [
      memory.allocate(Usage.Frame),
      memory.allocate(Usage.Frame),
      memory.allocate(Usage.PageTable),
    ];
    memory.release(freedBefore);
    memory.release(freed);
    expect(memory.audit()).toEqual([]);
  });

  const slot = (frame: FrameNumber): number => memory.metadata(frame) - SLOT_METADATA;
  const setWord = (frame: FrameNumber, offset: number, value: number): void => {
    memory.words[(slot(frame) + offset) / 4] = value;
  };
  const header = (word: number): number => memory.words[PAGE_SIZE / 4 + word]!;
  const setHeader = (word: number, value: number): void => {
    memory.words[PAGE_SIZE / 4 + word] = value;
  };
  const expectProblems = (...words: string[]): void => {
    const problems = memory.audit();
    for (const word of words) expect(problems.join('\n')).toContain(word);
  };

  test('a frame in use whose count is 0', () => {
    setWord(used, SLOT_COUNT, 0);
    expectProblems(`frame ${hex(used)} (Frame, 0 references): usage and count disagree`);
  });

  test('a free frame whose count is not 0', () => {
    setWord(freed, SLOT_COUNT, 2);
    expectProblems(`frame ${hex(freed)} (Unused, 2 references): usage and count disagree`);
  });

  test('a frame never given out whose count is not 0', () => {
    setWord(frameNumber(memory.totalFrames - 1), SLOT_COUNT, 1);
    expectProblems('usage and count disagree');
  });

  test('a frame in use that says it is Unused', () => {
    memory.bytes[slot(used) + SLOT_STATE] = Usage.Unused;
    expectProblems('usage and count disagree', 'the free list disagrees', 'the statistics say');
  });

  test('a usage other than the one that was counted', () => {
    memory.bytes[slot(used) + SLOT_STATE] = Usage.Kernel;
    expectProblems('1 frames are Kernel, the statistics say 0', '0 frames are Frame, the statistics say 1');
  });

  test('a usage that there is not', () => {
    memory.bytes[slot(used) + SLOT_STATE] = 200;
    expectProblems('0 frames are Frame, the statistics say 1', '1 frames have usage 200, which there is not');
  });

  test('more handles, or more raw references, than there are references', () => {
    setWord(used, SLOT_HANDLES, 2);
    expectProblems(`frame ${hex(used)} (Frame, 1 references): has 2 handles and 0 raw references`);
    setWord(used, SLOT_HANDLES, 0);
    setWord(used, SLOT_RAW, 3);
    expectProblems(`frame ${hex(used)} (Frame, 1 references): has 0 handles and 3 raw references`);
  });

  test('a handle or a raw reference to a free frame', () => {
    setWord(freed, SLOT_HANDLES, 1);
    expectProblems(`frame ${hex(freed)} (Unused, 0 references): has 1 handles and 0 raw references`);
    setWord(freed, SLOT_HANDLES, 0);
    setWord(freed, SLOT_RAW, 1);
    expectProblems(`frame ${hex(freed)} (Unused, 0 references): has 0 handles and 1 raw references`);
  });

  // The frames that were freed last are in the cache: `freed`, then `freedBefore`.
  describe('in the cache of single frames', () => {
    test('a list that runs in a circle', () => {
      setWord(freedBefore, SLOT_NEXT_FREE, freed);
      expectProblems(`the list of cached frames has frame ${hex(freed)}, which is in a list already`);
    });

    test('a list that runs into a frame in use', () => {
      setWord(freedBefore, SLOT_NEXT_FREE, used);
      expectProblems(
        `frame ${hex(used)} (Frame, 1 references): the free list disagrees`,
        `frame ${hex(used)} is among the cached frames, its slot says ${hex(Usage.Frame)}`,
        'there are 3 cached frames, the header says 2',
      );
    });

    test('a list that runs into the reserved frames', () => {
      setWord(freedBefore, SLOT_NEXT_FREE, 1);
      expectProblems('the list of cached frames leads to frame 0x1, which cannot be free');
    });

    test('a list that ends too soon', () => {
      setWord(freed, SLOT_NEXT_FREE, 0);
      expectProblems(`frame ${hex(freedBefore)} (Unused, 0 references): the free list disagrees`, 'are free');
    });

    test('a list that leads out of RAM', () => {
      setWord(freedBefore, SLOT_NEXT_FREE, 0xffff_ffff);
      expectProblems('the list of cached frames leads to frame 0xffffffff, which cannot be free');
    });

    test('a list that runs into a free block', () => {
      const block = header(HEADER_BLOCKS + 3);
      setWord(freedBefore, SLOT_NEXT_FREE, block);
      expectProblems(`frame ${hex(block)} is among the cached frames, its slot says`, 'in a list already');
    });

    test('a wrong count of them', () => {
      setHeader(HEADER_CACHED, 1);
      expectProblems('there are 2 cached frames, the header says 1');
    });
  });

  describe('in the lists of free blocks', () => {
    let blocks: number[];

    beforeEach(() => {
      memory = new PhysicalMemory({ sizeBytes: 65536 * 4 });
      // Two blocks of order 1 that cannot be joined: the pairs 8, 9 and 12, 13.
      for (const at of [10, 14]) {
        memory.allocateRange({ frames: 2, usage: Usage.Frame, at: frameNumber(at) });
      }
      used = frameNumber(10);
      expect(memory.audit()).toEqual([]);
      blocks = [header(HEADER_BLOCKS + 1)];
      for (;;) {
        const next = memory.words[(slot(frameNumber(blocks.at(-1)!)) + SLOT_NEXT_FREE) / 4]!;
        if (next === 0) break;
        blocks.push(next);
      }
      expect(blocks.length).toBeGreaterThanOrEqual(2);
    });

    const first = (): FrameNumber => frameNumber(blocks[0]!);
    const last = (): FrameNumber => frameNumber(blocks.at(-1)!);

    test('a list that runs in a circle', () => {
      setWord(last(), SLOT_NEXT_FREE, first());
      expectProblems(
        `the list of free blocks of order 1 has frame ${hex(first())}, which is in a list already`,
      );
    });

    test('a list that runs into a frame in use', () => {
      setWord(last(), SLOT_NEXT_FREE, used);
      expectProblems(
        `frame ${hex(used)} (Frame, 1 references): the free list disagrees`,
        `frame ${hex(used)} is among the free blocks of order 1, its slot says ${hex(Usage.Frame)}`,
      );
    });

    test('a list that leads out of RAM, at its end or by the length of its block', () => {
      setWord(last(), SLOT_NEXT_FREE, 0xffff_ffff);
      expectProblems('the list of free blocks of order 1 leads to frame 0xffffffff, which cannot be free');
      setWord(last(), SLOT_NEXT_FREE, memory.totalFrames - 1);
      expectProblems(`the list of free blocks of order 1 leads to frame ${hex(memory.totalFrames)}`);
    });

    test('a list that ends too soon', () => {
      setWord(first(), SLOT_NEXT_FREE, 0);
      expectProblems(`frame ${hex(last())} (Unused, 0 references): the free list disagrees`, 'are free');
    });

    test('a link back that leads elsewhere', () => {
      setWord(last(), SLOT_PREVIOUS_FREE, 7);
      expectProblems(`in the list of free blocks of order 1, its slot says 0x7`);
      setWord(last(), SLOT_PREVIOUS_FREE, blocks.at(-2)!);
      expect(memory.audit()).toEqual([]);
      setWord(first(), SLOT_PREVIOUS_FREE, last());
      expectProblems(`frame ${hex(first())} comes after 0x0`);
    });

    test('a block whose slot has another order', () => {
      setWord(first(), SLOT_STATE, FLAG_FREE_BLOCK | (2 << 16));
      expectProblems(`frame ${hex(first())} is among the free blocks of order 1, its slot says 0x20200`);
    });

    test('a bit that says that a list is empty, or is not', () => {
      const orders = header(HEADER_ORDERS);
      setHeader(HEADER_ORDERS, orders & ~2);
      expectProblems('the bit of the free blocks of order 1 is 0');
      setHeader(HEADER_ORDERS, orders | (1 << 18));
      expectProblems('the bit of the free blocks of order 18 is 1');
    });
  });
});
