import { expect, test } from 'vitest';
import {
  type FrameNumber,
  frameNumber,
  type FrameWatcher,
  PAGE_SIZE,
  PhysicalMemory,
  Usage,
} from '../../src/frame/index.js';

/** A watcher that writes down what it hears. */
class Notes implements FrameWatcher {
  readonly heard: unknown[] = [];
  readonly memory: PhysicalMemory;

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
    memory.setWatcher(this);
  }

  frameWritten(frame: FrameNumber, offset: number, length: number): void {
    this.heard.push(['written', frame, offset, length]);
  }

  frameFreed(frame: FrameNumber): void {
    const { memory } = this;
    const seen = [memory.count(frame), memory.usage(frame), memory.isWatched(frame), memory.freeFrames];
    this.heard.push(['freed', frame, ...seen]);
    // Nobody can take it up again.
    expect(() => memory.retain(frame)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  }
}

const makeMemory = (): PhysicalMemory => new PhysicalMemory({ sizeBytes: 65536 });

test('a watcher hears of every write to a watched frame, after it was made', () => {
  const memory = makeMemory();
  const notes = new Notes(memory);
  const [watched, other] = [memory.allocate(Usage.Frame), memory.allocate(Usage.Frame)];
  memory.watch(watched);
  memory.write(watched, 5, Uint8Array.of(1, 2, 3));
  memory.zero(watched);
  memory.copy(other, watched);
  memory.copy(watched, other);
  memory.zero(other);
  memory.write(other, 0, Uint8Array.of(1));
  expect(notes.heard).toEqual([
    ['written', watched, 5, 3],
    ['written', watched, 0, PAGE_SIZE],
    ['written', watched, 0, PAGE_SIZE],
  ]);
});

test('a refused write is not heard of', () => {
  const memory = makeMemory();
  const notes = new Notes(memory);
  const frame = memory.allocate(Usage.Frame);
  memory.watch(frame);
  expect(() => memory.write(frame, PAGE_SIZE, Uint8Array.of(1))).toThrow('do not fit');
  expect(notes.heard).toEqual([]);
});

test('a watcher hears of the end of a watched frame after its last reference, before it is free', () => {
  const memory = makeMemory();
  const notes = new Notes(memory);
  const frame = memory.allocate(Usage.Frame);
  memory.watch(frame);
  memory.retain(frame);
  memory.release(frame);
  expect(notes.heard).toEqual([]);
  const free = memory.freeFrames;
  memory.release(frame);
  expect(notes.heard).toEqual([['freed', frame, 0, Usage.Frame, false, free]]);
  expect(memory.freeFrames).toBe(free + 1);
});

test('a free frame cannot be watched: its flags are the allocator’s', () => {
  const memory = makeMemory();
  const frame = memory.allocate(Usage.Frame);
  memory.release(frame);
  const before = memory.bytes.slice();
  for (const free of [frame, frameNumber(memory.totalFrames - 1)]) {
    expect(() => memory.watch(free)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
  }
  expect(memory.bytes).toEqual(before);
  expect(memory.audit()).toEqual([]);
});

test('a frame whose watcher throws is free all the same', () => {
  const memory = makeMemory();
  memory.setWatcher({
    frameWritten: () => undefined,
    frameFreed: () => {
      throw new Error('the watcher’s own');
    },
  });
  const free = memory.freeFrames;
  const frame = memory.allocate(Usage.Frame);
  memory.watch(frame);
  expect(() => memory.release(frame)).toThrow('the watcher’s own');
  expect(memory.freeFrames).toBe(free);
  expect(memory.audit()).toEqual([]);
});

test('a frame is not watched when it is given out again', () => {
  const memory = makeMemory();
  const notes = new Notes(memory);
  const frame = memory.allocate(Usage.Frame);
  memory.watch(frame);
  memory.release(frame);
  notes.heard.length = 0;
  expect(memory.allocate(Usage.Frame)).toBe(frame);
  expect(memory.isWatched(frame)).toBe(false);
  memory.zero(frame);
  memory.release(frame);
  expect(notes.heard).toEqual([]);
});

test('unwatch ends it, and watching twice is watching once', () => {
  const memory = makeMemory();
  const notes = new Notes(memory);
  const frame = memory.allocate(Usage.Frame);
  memory.watch(frame);
  memory.watch(frame);
  memory.zero(frame);
  memory.unwatch(frame);
  memory.zero(frame);
  expect(memory.isWatched(frame)).toBe(false);
  memory.release(frame);
  expect(notes.heard).toEqual([['written', frame, 0, PAGE_SIZE]]);
});

test('frames may be watched before there is a watcher', () => {
  const memory = makeMemory();
  const frame = memory.allocate(Usage.Frame);
  memory.watch(frame);
  memory.zero(frame);
  memory.release(frame);
  expect(memory.audit()).toEqual([]);
});
