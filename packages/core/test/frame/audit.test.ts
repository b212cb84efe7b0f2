import { beforeEach, describe, expect, test } from 'vitest';
import { type FrameNumber, frameNumber, hex, PhysicalMemory, Usage } from '../../src/frame/index.js';
import { SLOT_COUNT, SLOT_METADATA, SLOT_NEXT_FREE, SLOT_USAGE } from '../../src/frame/slot.js';

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
    memory.bytes[slot(used) + SLOT_USAGE] = Usage.Unused;
    expectProblems('usage and count disagree', 'the free list disagrees', 'the statistics say');
  });

  test('a usage other than the one that was counted', () => {
    memory.bytes[slot(used) + SLOT_USAGE] = Usage.Kernel;
    expectProblems('1 frames are Kernel, the statistics say 0', '0 frames are Frame, the statistics say 1');
  });

  test('a usage that there is not', () => {
    memory.bytes[slot(used) + SLOT_USAGE] = 200;
    expectProblems('0 frames are Frame, the statistics say 1');
  });

  test('a free list that runs in a circle', () => {
    setWord(freedBefore, SLOT_NEXT_FREE, freed);
    expectProblems('the free list runs in a circle');
  });

  test('a free list that runs into a frame in use', () => {
    setWord(freedBefore, SLOT_NEXT_FREE, used);
    expectProblems(`frame ${hex(used)} (Frame, 1 references): the free list disagrees`);
  });

  test('a free list that runs into the reserved frames', () => {
    setWord(freedBefore, SLOT_NEXT_FREE, 1);
    expectProblems('(Meta, 1 references): the free list disagrees');
  });

  test('a free list that ends too soon', () => {
    setWord(freed, SLOT_NEXT_FREE, 0);
    expectProblems(`frame ${hex(freedBefore)} (Unused, 0 references): the free list disagrees`, 'are free');
  });

  test('a free list that leads out of RAM', () => {
    setWord(freedBefore, SLOT_NEXT_FREE, 0xffff_ffff);
    expectProblems('the free list leads to 0xffffffff, which is no frame');
  });
});
