/** What the tests of pagers have in common: RAM that must be free again after each test, and a pager that obeys them. */
import { afterEach, expect } from 'vitest';
import { PAGE_SIZE, PhysicalMemory } from '../../src/frame/index.js';
import {
  type ByteRange,
  MemoryObjects,
  type Pager,
  PagerError,
  type Vmo,
  type VmoOptions,
} from '../../src/vmo/index.js';
import type { PagerCall } from '../../src/vmo/pager.js';

/** A browser has only so many memories: the tests of a file share one of each size. */
const memories = new Map<number, PhysicalMemory>();
/** By frames, those of the test that runs. */
const opened = new Map<number, MemoryObjects>();

/** The test's memory objects over RAM of so many frames, some of which are the RAM's own. */
export const makeObjects = (frames = 64): MemoryObjects => {
  let objects = opened.get(frames);
  if (objects !== undefined) return objects;
  const memory =
    memories.get(frames) ?? new PhysicalMemory({ sizeBytes: frames * PAGE_SIZE, checking: 'on' });
  objects = new MemoryObjects(memory);
  opened.set(frames, objects);
  // It comes back below, if it is as it was.
  memories.delete(frames);
  return objects;
};

afterEach(() => {
  const all = [...opened];
  opened.clear();
  for (const [frames, objects] of all) {
    const { memory } = objects;
    expect(objects.audit()).toEqual([]);
    objects.close({ unwritten: 'discard' });
    expect(memory.audit()).toEqual([]);
    expect(memory.freeFrames, 'frames free at the end').toBe(memory.totalFrames - memory.firstAllocatable);
    memories.set(frames, memory);
  }
});

/** The byte that a new pager has at an offset: no two pages are alike, and no page is zeros. */
export const byteAt = (offset: number): number =>
  (Math.floor(offset / PAGE_SIZE) * 37 + (offset % PAGE_SIZE) * 11 + 5) % 251;

export const patternOf = (offset: number, length: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(length);
  for (let index = 0; index < length; index++) bytes[index] = byteAt(offset + index);
  return bytes;
};

/** As `toEqual`, which takes seconds for megabytes. */
export const expectBytes = (bytes: Uint8Array, expected: Uint8Array): void => {
  expect(bytes.length).toBe(expected.length);
  const wrong = bytes.findIndex((byte, index) => byte !== expected[index]);
  expect(wrong, 'the first byte that is wrong').toBe(-1);
};

/** A call that waits for the test to answer it. */
export interface HeldCall {
  readonly call: string;
  /** Answers it as a pager that keeps its word. */
  finish(): void;
  fail(error: unknown): void;
  /** Answers a commit with something else. */
  give(bytes: unknown): void;
}

type Heard = PagerCall | 'decommit' | 'close';

/**
 * A pager over an array that notes every call, as `commit 3+2` for pages 3 and 4, and `commit 3+1.5` where the range
 * ends in the middle of page 4.
 */
export class TestPager implements Pager {
  readonly calls: string[] = [];
  /** Calls that are not answered yet, where `answers` was 'held'. */
  readonly held: HeldCall[] = [];
  /** How calls are answered that come from now on. */
  answers: 'now' | 'later' | 'held' = 'now';
  /** What calls throw, or reject with, until it is taken out. */
  readonly failures = new Map<PagerCall, unknown>();
  /** What is done inside of calls, before they are answered. */
  readonly during: Partial<Record<Heard, (range: ByteRange) => void>> = {};
  bytes: Uint8Array;

  constructor(sizeBytes: number) {
    this.bytes = patternOf(0, sizeBytes);
  }

  get size(): number {
    return this.bytes.length;
  }

  commit(range: ByteRange): Uint8Array | Promise<Uint8Array> {
    return this.#answer('commit', range, () => {
      expect(range.offset + range.length).toBeLessThanOrEqual(this.bytes.length);
      return this.bytes.slice(range.offset, range.offset + range.length);
    }) as Uint8Array | Promise<Uint8Array>;
  }

  update(range: ByteRange): void | Promise<void> {
    return this.#answer('update', range, () => {}) as void | Promise<void>;
  }

  writeBack(range: ByteRange, bytes: Uint8Array): void | Promise<void> {
    expect(bytes.length).toBe(range.length);
    return this.#answer('writeBack', range, () =>
      this.bytes.set(bytes, range.offset),
    ) as void | Promise<void>;
  }

  resize(sizeBytes: number): void | Promise<void> {
    return this.#answer('resize', { offset: 0, length: sizeBytes }, () => {
      const bytes = new Uint8Array(sizeBytes);
      bytes.set(this.bytes.subarray(0, sizeBytes));
      this.bytes = bytes;
    }) as void | Promise<void>;
  }

  decommit(range: ByteRange): void {
    this.#note('decommit', range);
    this.during.decommit?.(range);
  }

  close(): void {
    this.calls.push('close');
    this.during.close?.({ offset: 0, length: 0 });
  }

  /** The calls since this was asked last, and forgets them. */
  heard(): string[] {
    return this.calls.splice(0);
  }

  /** Answers the held call that came first. @returns which it was. */
  finishNext(): string {
    const next = this.held.shift();
    if (next === undefined) throw new Error('no call is held');
    next.finish();
    return next.call;
  }

  #note(what: Heard, { offset, length }: ByteRange): string {
    const call = `${what} ${offset / PAGE_SIZE}+${length / PAGE_SIZE}`;
    this.calls.push(call);
    return call;
  }

  #answer(what: PagerCall, range: ByteRange, act: () => unknown): unknown {
    const call = this.#note(what, range);
    this.during[what]?.(range);
    const answer = (): unknown => {
      if (this.failures.has(what)) throw this.failures.get(what);
      return act();
    };
    if (this.answers === 'now') return answer();
    if (this.answers === 'later') return Promise.resolve().then(answer);
    return new Promise<unknown>((resolve, reject) => {
      this.held.push({
        call,
        finish: () => {
          try {
            resolve(answer());
          } catch (error) {
            reject(error as Error);
          }
        },
        fail: reject,
        give: resolve,
      });
    });
  }
}

export interface Paged {
  readonly objects: MemoryObjects;
  readonly pager: TestPager;
  readonly vmo: Vmo<'dup' | 'read' | 'write'>;
}

/** An object of so many pages, parts of pages too, over a pager that has all of it. */
export const makePaged = (
  pages: number,
  options: Partial<VmoOptions> & { readonly frames?: number; readonly answers?: TestPager['answers'] } = {},
): Paged => {
  const { frames = 64, answers = 'now', ...rest } = options;
  const objects = makeObjects(frames);
  const pager = new TestPager(pages * PAGE_SIZE);
  pager.answers = answers;
  const vmo = objects.create({ size: pager.size, pager, name: 'file', ...rest });
  return { objects, pager, vmo };
};

export const readPages = (vmo: Vmo<'read'>, first: number, pages = 1): Uint8Array =>
  vmo.readSync(first * PAGE_SIZE, new Uint8Array(pages * PAGE_SIZE));

/** One byte of a page: the first, unless told. */
export const readByte = (vmo: Vmo<'read'>, page: number, at = 0): number =>
  vmo.readSync(page * PAGE_SIZE + at, new Uint8Array(1))[0]!;

export const writeByte = (vmo: Vmo<'write'>, page: number, value: number, at = 0): void =>
  vmo.writeSync(page * PAGE_SIZE + at, Uint8Array.of(value));

/** The first byte of a page as a new pager has it. */
export const first = (page: number): number => byteAt(page * PAGE_SIZE);

/** All that a thrown call was refused with. */
export const errorOf = (attempt: () => unknown): unknown => {
  try {
    attempt();
  } catch (error) {
    return error;
  }
  throw new Error('it was not refused');
};

/** Fails where the error is not a PagerError of that message and cause. */
export const expectPagerError = (error: unknown, message: string | RegExp, cause?: unknown): void => {
  expect(error).toBeInstanceOf(PagerError);
  expect(error).toMatchObject({ code: 'EIO', name: 'PagerError' });
  expect((error as PagerError).message).toMatch(message);
  if (cause !== undefined) expect((error as PagerError).cause).toBe(cause);
};

/** What has become of a promise, after all that can happen without the host has happened. */
export const stateOf = async (promise: Promise<unknown>): Promise<'waiting' | 'done' | 'failed'> => {
  let state: 'waiting' | 'done' | 'failed' = 'waiting';
  promise.then(
    () => (state = 'done'),
    () => (state = 'failed'),
  );
  await settle();
  return state;
};

/** Lets everything happen that waits for promises alone. */
export const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
};
