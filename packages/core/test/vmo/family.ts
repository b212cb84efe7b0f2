/** Families of memory objects for tests: pages marked by numbers, exact costs, and what a refusal must leave alone. */
import { expect } from 'vitest';
import {
  type ErrorCode,
  type FrameNumber,
  frameNumber,
  frameStart,
  HolsteinError,
  PAGE_SIZE,
  type PhysicalMemory,
  Usage,
} from '../../src/frame/index.js';
import {
  type Attribution,
  type ByteRange,
  type ChildOptions,
  type DefaultRight,
  type Fraction,
  MemoryObjects,
  type ObjectObserver,
  type Pager,
  type SnapshotKind,
  type Vmo,
  type VmoOptions,
} from '../../src/vmo/index.js';
import { SLOT_USED } from '../../src/vmo/page-slot.js';

export const PAGE = PAGE_SIZE;
export const KIB = 1024;
export const TIB = 2 ** 40;
export const SNAPSHOT_KINDS: readonly SnapshotKind[] = [
  'snapshot',
  'snapshot-at-least-on-write',
  'snapshot-modified',
];

/** A capability as `create` gives it. */
export type Plain = Vmo<DefaultRight>;

/** Memory objects of a test. At its end all is well, and nothing is left. */
export class World implements Disposable {
  readonly objects: MemoryObjects;
  #taken: FrameNumber[] = [];

  /** Freed frames are poisoned, so that nothing reads what nobody has any more. */
  constructor(memoryBytes = 1024 * KIB) {
    this.objects = MemoryObjects.create({ memoryBytes, checking: 'on' });
  }

  get memory(): PhysicalMemory {
    return this.objects.memory;
  }

  /** Frames that objects have. */
  get frames(): number {
    return this.memory.statistics().byUsage.Frame;
  }

  /** An object of so many pages. */
  make(pages: number, options: Partial<VmoOptions> = {}): Plain {
    return this.objects.create({ size: pages * PAGE, ...options });
  }

  /** An object whose page `i` begins with `i + 1`. */
  tagged(pages: number, options: Partial<VmoOptions> = {}): Plain {
    const vmo = this.make(pages, options);
    for (let page = 0; page < pages; page++) poke(vmo, page, page + 1);
    return vmo;
  }

  /** Takes every free frame, until `giveBack`. They count as Kernel. */
  fill(except = 0): void {
    while (this.memory.freeFrames > except) this.#taken.push(this.memory.allocate(Usage.Kernel));
  }

  /** Gives frames back that `fill` took. */
  giveBack(which: (frame: FrameNumber) => boolean = () => true): void {
    for (const frame of this.#taken) if (which(frame)) this.memory.release(frame);
    this.#taken = this.#taken.filter((frame) => !which(frame));
  }

  attribution(vmo: Vmo<never>): Attribution {
    return this.objects.attribution().find(({ name }) => name === vmo.name)!;
  }

  /** What each object's part of the frames is, in pages: '2', or '5/6'. */
  costs(...vmos: readonly Vmo<never>[]): string[] {
    return vmos.map((vmo) => inPages(this.attribution(vmo).fractionalBytes));
  }

  check(holders: Iterable<FrameNumber> = []): void {
    expect(this.objects.audit([...this.#taken, ...holders])).toEqual([]);
  }

  [Symbol.dispose](): void {
    this.giveBack();
    this.check();
    this.objects.close({ unwritten: 'discard' });
    expect(this.objects.statistics().objects).toBe(0);
    expect(this.frames).toBe(0);
    this.check();
  }
}

export const inPages = ({ numerator, denominator }: Fraction): string => {
  const [top, bottom] = [numerator, denominator * BigInt(PAGE)];
  const divisor = greatest(top, bottom);
  return bottom === divisor ? `${top / divisor}` : `${top / divisor}/${bottom / divisor}`;
};

const greatest = (one: bigint, other: bigint): bigint => (other === 0n ? one : greatest(other, one % other));

// ------------------------------------------------------------------ pages

export const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** Writes a number at the start of a page. */
export const poke = (vmo: Vmo<'write'>, page: number, value: number): void =>
  vmo.writeSync(page * PAGE, word(value));

export const peekAt = (vmo: Vmo<'read'>, offset: number): number =>
  new DataView(vmo.readSync(offset, new Uint8Array(4)).buffer).getUint32(0, true);

/** The number at the start of a page. */
export const peek = (vmo: Vmo<'read'>, page: number): number => peekAt(vmo, page * PAGE);

/** The numbers at the start of all pages. */
export const contents = (vmo: Vmo<'read'>): number[] =>
  Array.from({ length: Math.ceil(vmo.size / PAGE) }, (_, page) => peek(vmo, page));

export const readAll = (vmo: Vmo<'read'>): Uint8Array => vmo.readSync(0, new Uint8Array(vmo.size));

/** A range of pages, in bytes. */
export const pages = (first: number, count: number): ByteRange => ({
  offset: first * PAGE,
  length: count * PAGE,
});

/** A snapshot of `count` pages from page `first` on. */
export const snap = (
  vmo: Vmo<'dup' | 'read'>,
  first: number,
  count: number,
  options: Partial<ChildOptions<SnapshotKind, DefaultRight>> = {},
): Plain =>
  vmo.createChild<SnapshotKind, DefaultRight>({
    kind: 'snapshot',
    offset: first * PAGE,
    size: count * PAGE,
    ...options,
  });

/** The frame of a page as a mapping of it has. */
export const frameOfPage = (vmo: Vmo<'read'>, page: number): FrameNumber | undefined => {
  using handle = vmo.page(page * PAGE, 'read');
  return handle?.frame;
};

// ------------------------------------------------------------------ refusals

/** All of every object, and every frame in use. Only when pages were last used is left out. */
export const stateOf = ({ objects, memory }: World): unknown => {
  const all = [...objects.all].map((object) => {
    const slots: string[] = [];
    for (
      let page = object.pages.next(0, object.sizePages);
      page !== -1;
      page = object.pages.next(page + 1, object.sizePages)
    ) {
      slots.push(`${page}: ${(object.pages.get(page) & ~SLOT_USED).toString(16)}`);
    }
    const { id, name, kind, sizeBytes, base, parent, children, windows, pins, held, observers } = object;
    return {
      slots,
      base: base === undefined ? undefined : { ...base, object: base.object.name },
      parent: parent?.name,
      children: [...children].map((child) => child.name),
      windows: [...windows].map((window) => ({ ...window })),
      pins: [...pins.pages(0, 64)],
      held: held.isEmpty,
      observers: observers.size,
      ...{ id, name, kind, sizeBytes },
    };
  });
  const frames: string[] = [];
  for (let index = 0; index < memory.totalFrames; index++) {
    const frame = frameNumber(index);
    if (memory.usage(frame) !== Usage.Frame) continue;
    const metadata = memory.metadata(frame) / 4;
    const start = frameStart(frame) / 4;
    const sum = memory.words
      .subarray(start, start + PAGE / 4)
      .reduce((hash, value) => Math.imul(hash ^ value, 0x0100_0193), 0);
    frames.push(
      [index, memory.count(frame), ...memory.words.subarray(metadata, metadata + 4), sum].join(' '),
    );
  }
  return { all, frames, byUsage: memory.statistics().byUsage, counters: objects.statistics() };
};

const expectError = (error: unknown, code: ErrorCode, message: string | RegExp): void => {
  expect(error).toBeInstanceOf(HolsteinError);
  expect(error).toMatchObject({ code });
  expect((error as HolsteinError).message).toMatch(message);
};

/** Fails where `attempt` does not throw holstein's own error of that code and message, or changes anything. */
export const expectRefusal = (
  world: World,
  attempt: () => unknown,
  code: ErrorCode,
  message: string | RegExp,
): void => {
  const before = stateOf(world);
  let error: unknown;
  try {
    attempt();
  } catch (thrown) {
    error = thrown;
  }
  expectError(error, code, message);
  expect(stateOf(world)).toEqual(before);
  world.check();
};

/** As `expectRefusal`, of a promise. */
export const expectRejection = async (
  world: World,
  attempt: () => Promise<unknown>,
  code: ErrorCode,
  message: string | RegExp,
): Promise<void> => {
  const before = stateOf(world);
  const error = await attempt().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expectError(error, code, message);
  expect(stateOf(world)).toEqual(before);
  world.check();
};

/** Fails each allocation of an operation in turn, each of which must change nothing, and then lets it be. */
export const expectAllOrNothing = (world: World, allocations: number, operate: () => unknown): void => {
  for (let n = 1; n <= allocations; n++) {
    world.memory.failAllocation(n);
    expectRefusal(world, operate, 'ENOMEM', 'out of memory');
  }
  // Were there more of them, this would fail.
  world.memory.failAllocation(allocations + 1);
  operate();
  world.memory.failAllocation(0);
  world.check();
};

// ------------------------------------------------------------------ pagers and observers

/** A pager over numbers: page `i` begins with `100 + i`. It writes down what it is asked. */
export class NotingPager implements Pager {
  readonly calls: string[] = [];
  /** What came back, by page. */
  readonly written = new Map<number, number>();

  /** The calls since this was last read. */
  get news(): string[] {
    return this.calls.splice(0);
  }

  commit(range: ByteRange): Uint8Array | Promise<Uint8Array> {
    this.note('commit', range);
    return this.bytes(range);
  }

  update(range: ByteRange): void {
    this.note('update', range);
  }

  writeBack(range: ByteRange, bytes: Uint8Array): void | Promise<void> {
    this.note('writeBack', range);
    const words = new DataView(bytes.buffer);
    for (let at = 0; at < range.length; at += PAGE)
      this.written.set((range.offset + at) / PAGE, words.getUint32(at, true));
  }

  decommit(range: ByteRange): void {
    this.note('decommit', range);
  }

  close(): void {
    this.calls.push('close');
  }

  protected bytes({ offset, length }: ByteRange): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += PAGE) {
      const page = (offset + at) / PAGE;
      bytes.set(word(this.written.get(page) ?? 100 + page), at);
    }
    return bytes;
  }

  protected note(call: string, { offset, length }: ByteRange): void {
    this.calls.push(`${call} ${offset / PAGE}+${length / PAGE}`);
  }
}

/** The same, whose commits are answered when the test says so. */
export class SlowPager extends NotingPager {
  readonly #waiting: (() => void)[] = [];

  override commit(range: ByteRange): Promise<Uint8Array> {
    this.note('commit', range);
    return new Promise((resolve) => this.#waiting.push(() => resolve(this.bytes(range))));
  }

  /** Answers the commits that wait, and those that follow from that. */
  async answer(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) {
      for (const answer of this.#waiting.splice(0)) answer();
      await Promise.resolve();
    }
  }
}

/** An observer that writes down which pages were lost. */
export class Losses implements ObjectObserver {
  readonly #lost: string[] = [];

  /** What was lost since this was last read. */
  get news(): string[] {
    return this.#lost.splice(0);
  }

  pagesLost(firstPage: number, count: number): void {
    this.#lost.push(`${firstPage}+${count}`);
  }
}
