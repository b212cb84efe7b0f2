import { expect, test, vi } from 'vitest';
import {
  type FrameNumber,
  frameNumber,
  frameStart,
  PAGE_SIZE,
  PhysicalMemory,
  Usage,
  vpn,
} from '../../src/frame/index.js';
import { PTE_R, PTE_U, Sv39PageTable } from '../../src/paging/index.js';
import { makeTlb, RESERVED_BYTES } from '../model/world.js';

test('a new table is empty, and its metadata is there, before anyone can see its frame', () => {
  const memory = new PhysicalMemory({
    sizeBytes: 256 * 1024,
    reservedBytes: RESERVED_BYTES,
    threads: 'shared',
  });
  const frames: FrameNumber[] = [];
  while (memory.freeFrames > 0) frames.push(memory.allocate(Usage.Frame));
  for (const frame of frames) {
    memory.write(frame, 0, new Uint8Array(PAGE_SIZE).fill(0xff));
    memory.release(frame);
  }
  /** What another thread finds that looks at a table's frame as soon as it has a count. */
  const seen = new Map<FrameNumber, unknown>();
  const look = (): void => {
    for (let index: number = memory.firstAllocatable; index < memory.totalFrames; index++) {
      const frame = frameNumber(index);
      if (memory.slots.rawCount(frame) === 0 || memory.usage(frame) !== Usage.PageTable || seen.has(frame)) {
        continue;
      }
      const [metadata, start] = [memory.metadata(frame) / 4, frameStart(frame)];
      const empty = memory.bytes.subarray(start, start + PAGE_SIZE).every((byte) => byte === 0);
      seen.set(frame, [empty, ...memory.words.subarray(metadata, metadata + 4)]);
    }
  };
  const { store } = Atomics;
  vi.spyOn(Atomics, 'store').mockImplementation(((words: Uint32Array, index: number, value: number) => {
    const result = store(words, index, value);
    look();
    return result;
  }) as typeof Atomics.store);
  try {
    const table = new Sv39PageTable(memory, makeTlb(memory));
    table.map(vpn((3 << 18) | (5 << 9) | 7), memory.allocate(Usage.Frame), PTE_R | PTE_U);
    const [root, middle] = [...table.tables()];
    expect([...seen.values()]).toEqual([
      [true, 0, 0, 0, 2],
      [true, root, 3, 0, 1],
      [true, middle, 5, 0, 0],
    ]);
  } finally {
    vi.restoreAllMocks();
  }
});
