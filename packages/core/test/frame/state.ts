/** What a refused operation must leave as it was, and the check that it did. */
import { expect } from 'vitest';
import {
  type ErrorCode,
  frameNumber,
  frameStart,
  HolsteinError,
  MAX_ORDER,
  OutOfMemory,
  PAGE_SIZE,
  PhysicalMemory,
  type PhysicalMemoryOptions,
  Usage,
} from '../../src/frame/index.js';
import { SLOT_COUNT, SLOT_METADATA, SLOT_METADATA_BYTES } from '../../src/frame/slot.js';

export const makeMemory = (options: Partial<PhysicalMemoryOptions> = {}): PhysicalMemory =>
  new PhysicalMemory({ sizeBytes: 256 * 1024, ...options });

/** Every frame's counts, usage, metadata and content, and the statistics. How free frames are joined is left out. */
export const stateOf = (memory: PhysicalMemory): unknown => {
  const frames = [];
  for (let index = 0; index < memory.totalFrames; index++) {
    const frame = frameNumber(index);
    const usage = memory.usage(frame);
    if (usage === Usage.Unused || usage === Usage.Meta) {
      frames.push([usage, memory.count(frame)]);
      continue;
    }
    const start = frameStart(frame);
    const metadata = memory.metadata(frame);
    frames.push([
      usage,
      memory.slots.rawCount(frame),
      memory.slots.handles(frame),
      memory.slots.raw(frame),
      memory.isWatched(frame),
      memory.bytes.slice(metadata, metadata + SLOT_METADATA_BYTES).join(' '),
      memory.bytes.slice(start, start + PAGE_SIZE).toString(),
    ]);
  }
  const { freeBlocks, ...statistics } = memory.statistics();
  const joined = freeBlocks.reduce((sum, blocks, order) => sum + blocks * 2 ** order, 0);
  return { frames, statistics, joined, raw: [...(memory.ledger?.outstanding() ?? [])] };
};

/** Fails where `attempt` does not throw holstein's own error of that code and message, or changes anything. */
export const expectRefusal = (
  memory: PhysicalMemory,
  attempt: () => unknown,
  code: ErrorCode,
  message: string | RegExp,
): void => {
  const before = stateOf(memory);
  let error: unknown;
  try {
    attempt();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(HolsteinError);
  expect(error).toMatchObject({ code });
  expect((error as HolsteinError).message).toMatch(message);
  expect(stateOf(memory)).toEqual(before);
  expect(memory.audit()).toEqual([]);
};

/** Gives a frame a count that no test has the time to reach. */
export const plantCount = (memory: PhysicalMemory, frame: number, count: number): void => {
  memory.words[(memory.metadata(frameNumber(frame)) - SLOT_METADATA + SLOT_COUNT) / 4] = count;
};

/**
 * Free blocks by order, when the cache of single frames has been joined with them. For RAM below 2 GiB: no
 * frame there is so aligned as is asked for, and the cache is joined before that is refused.
 */
export const joinedBlocks = (memory: PhysicalMemory): readonly number[] => {
  const impossible = { frames: 1, usage: Usage.Frame, alignmentFrames: 2 ** MAX_ORDER };
  expect(() => memory.allocateRange(impossible)).toThrow(OutOfMemory);
  return memory.statistics().freeBlocks;
};
