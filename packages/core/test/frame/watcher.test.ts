import { expect, test } from 'vitest';
import {
  type FrameNumber,
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
    this.heard.push(['freed', frame, this.memory.count(frame), this.memory.isWatched(frame)]);
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

test('a watcher hears of the end of a watched frame while it still has its last reference', () => {
  const memory = makeMemory();
  const notes = new Notes(memory);
  const frame = memory.allocate(Usage.Frame);
  memory.watch(frame);
  memory.retain(frame);
  memory.release(frame);
  expect(notes.heard).toEqual([]);
  memory.release(frame);
  expect(notes.heard).toEqual([['freed', frame, 1, false]]);
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
