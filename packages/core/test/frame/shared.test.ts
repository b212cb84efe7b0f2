/**
 * RAM that several threads use at once: real ones (shared-worker.mjs, which runs the built library).
 */
import { readdirSync, statSync } from 'node:fs';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import {
  DynPage,
  FrameMeta,
  frameNumber,
  HolsteinError,
  InvalidArgument,
  Page,
  PAGE_SIZE,
  type PhysAddr,
  physAddr,
  PhysicalMemory,
  Segment,
  UniquePage,
  Usage,
} from '../../src/frame/index.js';
import { expectRefusal, joinedBlocks, stateOf } from './state.js';

const SIZE_BYTES = 2 * 2 ** 20;
const makeShared = (options: { reserveFrames?: number; checking?: 'on' } = {}): PhysicalMemory =>
  new PhysicalMemory({ sizeBytes: SIZE_BYTES, threads: 'shared', ...options });

const WORKER = new URL('shared-worker.mjs', import.meta.url);
const WORKERS = 3;

interface Work {
  readonly memory: PhysicalMemory;
  readonly kind: 'pages' | 'frames' | 'race';
  readonly workers: number;
  readonly operations: number;
  /** Raw references for each worker, by its place. */
  readonly raws?: (worker: number) => readonly number[];
}

/** Runs workers to their ends. @returns what each answers, and how often the destructor ran for each frame. */
const runWorkers = async ({ memory, kind, workers, operations, raws = () => [] }: Work) => {
  const destroyed = new SharedArrayBuffer(memory.totalFrames * 4);
  const owners = new SharedArrayBuffer(memory.totalFrames * 4);
  const gate = new SharedArrayBuffer(8);
  const peers: MessagePort[][] = Array.from({ length: workers }, () => []);
  for (let one = 0; one < workers; one++) {
    for (let other = one + 1; other < workers; other++) {
      const { port1, port2 } = new MessageChannel();
      peers[one]!.push(port1);
      peers[other]!.push(port2);
    }
  }
  const run = (index: number): Promise<Record<string, number>> => {
    const ports = peers[index]!;
    const workerData = {
      ram: memory.share(),
      kind,
      seed: index + 1,
      operations,
      raws: raws(index),
      destroyed,
      owners,
      gate,
      peers: ports,
    };
    const worker = new Worker(WORKER, { workerData, transferList: ports });
    return new Promise((resolve, reject) => {
      worker.on('message', resolve);
      worker.on('error', reject);
    });
  };
  const answers = await Promise.all(Array.from({ length: workers }, (_, index) => run(index)));
  return { answers, destroyed: new Int32Array(destroyed), owners: new Int32Array(owners) };
};

test('the library that the workers run is built, from the sources as they are', () => {
  const sources = new URL('../../src/frame/', import.meta.url);
  // tsc -b writes it whenever it finds anything to build.
  const built = statSync(new URL('../../dist/.tsbuildinfo', import.meta.url), { throwIfNoEntry: false });
  expect(built, 'there is no packages/core/dist: npm test builds it before it runs this').toBeDefined();
  const newer = readdirSync(sources).filter(
    (name) => statSync(new URL(name, sources)).mtimeMs > built!.mtimeMs,
  );
  expect(newer, 'the workers would run stale code: build packages/core/dist first (npm run build)').toEqual(
    [],
  );
});

describe('threads that use the same RAM', () => {
  test('clone and drop handles to the same pages, and post references: none is lost, none freed twice', async () => {
    const memory = makeShared();
    let ended = 0;
    memory.setDestructor(Usage.Frame, () => ended++);
    const before = memory.statistics();
    const pages = Array.from({ length: 5 }, (_, owner) => Page.allocate(memory, FrameMeta, { owner }));
    const raws = Array.from({ length: WORKERS }, () => pages.map((page) => page.clone().intoRaw()));
    const { answers, destroyed } = await runWorkers({
      memory,
      kind: 'pages',
      workers: WORKERS,
      operations: 60_000,
      raws: (worker) => raws[worker]!,
    });
    const sum = (of: 'posted' | 'received'): number => answers.reduce((all, each) => all + each[of]!, 0);
    expect(sum('posted')).toBeGreaterThan(100);
    expect(sum('received')).toBe(sum('posted'));
    expect(memory.audit()).toEqual([]);
    // The references that this thread has are the last.
    expect(pages.map((page) => page.referenceCount)).toEqual([1, 1, 1, 1, 1]);
    expect(pages.map(({ frame }) => memory.slots.handles(frame) + memory.slots.raw(frame))).toEqual(
      pages.map(() => 1),
    );
    expect(destroyed.every((times) => times === 0)).toBe(true);
    for (const page of pages) page.close();
    expect(ended).toBe(5);
    expect(memory.audit()).toEqual([]);
    joinedBlocks(memory);
    expect(memory.statistics()).toEqual(before);
  });

  test('drop the last references between them: each destructor runs once in all', async () => {
    const memory = makeShared();
    const pages = Array.from({ length: 200 }, () => Page.allocate(memory, FrameMeta));
    const frames = pages.map(({ frame }) => frame);
    const raws = Array.from({ length: WORKERS }, () => pages.map((page) => page.clone().intoRaw()));
    for (const page of pages) page.close();
    const { destroyed } = await runWorkers({
      memory,
      kind: 'pages',
      workers: WORKERS,
      operations: 40_000,
      raws: (worker) => raws[worker]!,
    });
    expect(frames.map((frame) => destroyed[frame])).toEqual(frames.map(() => 1));
    expect(destroyed.reduce((sum, times) => sum + times, 0)).toBe(frames.length);
    expect(memory.freeFrames).toBe(memory.totalFrames - memory.firstAllocatable);
    expect(memory.audit()).toEqual([]);
  });

  test('allocate and free frames and rows of them: no frame is two threads’, and all come back', async () => {
    const memory = makeShared();
    const before = memory.statistics();
    const { answers, owners } = await runWorkers({
      memory,
      kind: 'frames',
      workers: WORKERS,
      operations: 50_000,
    });
    expect(answers.every((each) => each['refused']! > 0)).toBe(true);
    expect(owners.every((owner) => owner === 0)).toBe(true);
    expect(memory.audit()).toEqual([]);
    joinedBlocks(memory);
    expect(memory.statistics()).toEqual(before);
  });

  test('the same with poison: none writes to a frame that another has freed', async () => {
    const memory = makeShared({ checking: 'on' });
    const before = memory.statistics();
    await runWorkers({ memory, kind: 'frames', workers: 2, operations: 10_000 });
    expect(memory.audit()).toEqual([]);
    joinedBlocks(memory);
    expect(memory.statistics()).toEqual(before);
  });

  test('retain against the last release: the frame or a refusal, and one destructor a frame', async () => {
    const memory = makeShared();
    const operations = 10_000;
    const { answers, destroyed } = await runWorkers({
      memory,
      kind: 'race',
      workers: 2,
      operations,
      raws: () => [40],
    });
    expect(destroyed[40]).toBe(operations);
    // Both ends of the race were seen.
    expect(answers[1]!['got']).toBeGreaterThan(0);
    expect(answers[1]!['got']).toBeLessThan(operations);
    expect(memory.freeFrames).toBe(memory.totalFrames - memory.firstAllocatable);
    expect(memory.audit()).toEqual([]);
  });
});

describe('a thread without what another wants done at a frame’s end', () => {
  const makeTwo = () => {
    const memory = makeShared();
    const deaths: string[] = [];
    memory.setDestructor(Usage.Frame, (frame) => deaths.push(`here ${frame}`));
    return { memory, other: new PhysicalMemory(memory.share()), deaths };
  };
  /** How the other thread comes to have the only reference, and drops it. */
  const drops: Record<string, (memory: PhysicalMemory, other: PhysicalMemory) => () => void> = {
    'by number': (memory, other) => {
      const frame = memory.allocate(Usage.Frame);
      return () => other.release(frame);
    },
    'a page': (memory, other) => {
      const page = Page.fromRaw(other, Page.allocate(memory, FrameMeta).intoRaw(), FrameMeta);
      return () => page.close();
    },
    'a unique page': (_, other) => {
      const page = UniquePage.allocate(other, FrameMeta);
      return () => page.close();
    },
    'a segment': (_, other) => {
      const segment = Segment.allocate(other, FrameMeta, { frames: 1 });
      return () => segment.close();
    },
  };

  test.each(Object.entries(drops))('is refused the last drop until it names a destructor: %s', (_, make) => {
    const { memory, other, deaths } = makeTwo();
    const drop = make(memory, other);
    expectRefusal(
      other,
      drop,
      'EBUSY',
      /^last release of frame 0x\w+: Frame has a destructor in another thread/,
    );
    expectRefusal(other, drop, 'EBUSY', 'setDestructor');
    expect(memory.statistics().byUsage.Frame).toBe(1);
    other.setDestructor(Usage.Frame, () => deaths.push('there'));
    drop();
    expect(deaths).toEqual(['there']);
    expect(memory.statistics().byUsage.Frame).toBe(0);
    expect(memory.audit()).toEqual([]);
  });

  test('may drop references that are not the last, and frames of other usages', () => {
    const { memory, other, deaths } = makeTwo();
    const frame = memory.allocate(Usage.Frame);
    other.retain(frame);
    other.release(frame);
    other.release(other.allocate(Usage.KernelStack));
    memory.release(frame);
    expect(deaths).toEqual([`here ${frame}`]);
  });

  test('keeps of a segment what it may not drop, and drops it when closed again', () => {
    const { memory, other, deaths } = makeTwo();
    const segment = Segment.allocate(other, FrameMeta, { frames: 3 });
    const middle = frameNumber(segment.address / PAGE_SIZE + 1);
    memory.retain(middle);
    expect(() => segment.close()).toThrow('setDestructor');
    expect(memory.statistics().byUsage.Frame).toBe(3);
    expect([0, 1, 2].map((index) => memory.slots.handles(frameNumber(middle - 1 + index)))).toEqual([
      1, 0, 1,
    ]);
    other.setDestructor(Usage.Frame, (frame) => deaths.push(`there ${frame}`));
    segment.close();
    segment.close();
    memory.release(middle);
    expect(deaths).toEqual([`there ${middle - 1}`, `there ${middle + 1}`, `here ${middle}`]);
    expect(memory.audit()).toEqual([]);
  });

  test('is refused the last drop of a watched frame until it names a watcher', () => {
    const memory = makeShared();
    const other = new PhysicalMemory(memory.share());
    const freed: number[] = [];
    const watcher = { frameWritten: () => undefined, frameFreed: (frame: number) => void freed.push(frame) };
    memory.setWatcher(watcher);
    const frame = memory.allocate(Usage.Frame);
    memory.watch(frame);
    expectRefusal(other, () => other.release(frame), 'EBUSY', /another thread watches it; .*setWatcher/);
    other.setWatcher(watcher);
    other.release(frame);
    expect(freed).toEqual([frame]);
    expect(memory.audit()).toEqual([]);
  });
});

describe('share', () => {
  test('gives what a second PhysicalMemory is made with: the same frames, counts and statistics', () => {
    const memory = makeShared();
    const page = Page.allocate(memory, FrameMeta, { owner: 3 });
    const other = new PhysicalMemory(memory.share());
    expect(stateOf(other)).toEqual(stateOf(memory));
    const raw = page.clone().intoRaw();
    const there = Page.fromRaw(other, raw, FrameMeta);
    expect(there.metadata.owner).toBe(3);
    page.close();
    expect(memory.count(there.frame)).toBe(1);
    expect(() => DynPage.fromRaw(memory, raw)).toThrow('was it restored already?');
    there.close();
    expect(memory.freeFrames).toBe(memory.totalFrames - memory.firstAllocatable);
    expect([memory.audit(), other.audit()]).toEqual([[], []]);
  });

  test('passes the reserve and the checking on', () => {
    const memory = makeShared({ reserveFrames: 5, checking: 'on' });
    const other = new PhysicalMemory(memory.share());
    while (memory.freeFrames > 5) memory.allocate(Usage.Frame);
    expect(() => other.allocate(Usage.Frame)).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
    const frame = other.allocate(Usage.Frame, { allocationClass: 'reserve' });
    other.release(frame);
    expect(other.bytes[frame * PAGE_SIZE]).toBe(0x5a);
    expect(other.ledger).toBeDefined();
  });

  test('is refused where RAM is not shared', () => {
    const memory = new PhysicalMemory({ sizeBytes: SIZE_BYTES });
    expect(() => memory.share()).toThrow(InvalidArgument);
    expect(() => memory.share()).toThrow("make it with threads: 'shared'");
  });

  test('needs the sizes that RAM has', () => {
    const memory = makeShared();
    const shared = memory.share();
    const before = memory.bytes.slice();
    for (const [wrong, message] of [
      [{ sizeBytes: SIZE_BYTES - 65536 }, `RAM has ${SIZE_BYTES} bytes`],
      [{ sizeBytes: SIZE_BYTES + 65536 }, `RAM has ${SIZE_BYTES} bytes`],
      [{ reservedBytes: 3 * PAGE_SIZE }, 'is not RAM of this layout'],
      [{ reservedBytes: SIZE_BYTES }, 'is too small'],
    ] as const) {
      const attach = () => new PhysicalMemory({ ...shared, ...wrong });
      expect(attach).toThrow(message);
      expect(attach).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    }
    expect(Buffer.compare(memory.bytes, before)).toBe(0);
  });

  test('needs RAM that was set up', () => {
    const pages = SIZE_BYTES / 65536;
    const blank = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const attach = () => new PhysicalMemory({ sizeBytes: SIZE_BYTES, memory: blank });
    expect(attach).toThrow('is not RAM of this layout');
    expect(new Uint8Array(blank.buffer).every((byte) => byte === 0)).toBe(true);
  });
});

test('a frame’s metadata and count are there before its usage can be taken for granted', () => {
  const memory = makeShared();
  using page = Page.fromUnused(memory, physAddr(30 * PAGE_SIZE) as PhysAddr, FrameMeta, { owner: 1 });
  const other = new PhysicalMemory(memory.share());
  other.retain(frameNumber(30));
  expect(page.referenceCount).toBe(2);
  other.release(frameNumber(30));
  expect(() => Page.fromUnused(other, page.address, FrameMeta)).toThrow(HolsteinError);
});
