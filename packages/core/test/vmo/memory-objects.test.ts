/** Memory objects as a whole: making and closing them, arguments that make no sense, the audit, and large families. */
import { describe, expect, test } from 'vitest';
import { frameNumber, HolsteinError, PhysicalMemory, Usage } from '../../src/frame/index.js';
import { inspect, MAX_OBJECT_BYTES, MemoryObjects, type Vmo, type VmoOptions } from '../../src/vmo/index.js';
import {
  contents,
  expectRefusal,
  expectRejection,
  KIB,
  NotingPager,
  PAGE,
  pages,
  peek,
  peekAt,
  poke,
  snap,
  TIB,
  word,
  World,
} from './family.js';

const NO_NUMBERS = [NaN, Infinity, -Infinity, -1, 0.5, 2 ** 53, 2 ** 64, '1', null, true, {}, []];

describe('create', () => {
  test.each(NO_NUMBERS)('refuses a size of %s', (size) => {
    using world = new World();
    const create = () => world.objects.create({ size: size as number });
    expectRefusal(world, create, 'EINVAL', 'give a whole number from 0 to 4398046511104');
    expectRefusal(world, () => world.objects.create({} as VmoOptions), 'EINVAL', 'undefined bytes');
  });

  test('makes objects of 0 bytes, of 1, and of 4 TiB, and none larger', () => {
    using world = new World();
    const sizes = [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 ** 31, 2 ** 32 + 1, 4 * TIB - 1, 4 * TIB];
    for (const size of sizes) {
      const vmo = world.objects.create({ size });
      expect([vmo.size, vmo.committedBytes, vmo.kind, vmo.resizable]).toEqual([size, 0, 'anonymous', false]);
      if (size > 0) vmo.writeSync(size - 1, Uint8Array.of(7));
      if (size > 0) expect(vmo.readSync(size - 1, new Uint8Array(1))).toEqual(Uint8Array.of(7));
      expectRefusal(world, () => vmo.writeSync(size, Uint8Array.of(7)), 'EINVAL', `the ${size} bytes`);
    }
    expect([MAX_OBJECT_BYTES, world.frames]).toEqual([4 * TIB, sizes.length - 1]);
    expectRefusal(world, () => world.objects.create({ size: 4 * TIB + 1 }), 'EINVAL', 'give a whole number');
  });

  test('names objects by kind and number where they have no name', () => {
    using world = new World();
    const names = [
      world.make(1),
      world.make(1, { name: 'heap' }),
      world.make(1, { dma: true }),
      world.make(1, { pager: new NotingPager() }),
      world.make(1, { contiguous: true }),
    ].map(({ name }) => name);
    expect(names).toEqual(['anonymous 1', 'heap', 'dma 3', 'paged 4', 'contiguous 5']);
  });

  test('works over RAM that others use too', () => {
    const memory = new PhysicalMemory({ sizeBytes: 256 * KIB, checking: 'on' });
    const frame = memory.allocate(Usage.Frame);
    const [one, two] = [new MemoryObjects(memory), new MemoryObjects(memory)];
    const vmo = one.create({ size: PAGE });
    poke(vmo, 0, 1);
    poke(two.create({ size: PAGE }), 0, 2);
    // What the one has, the other is told of.
    expect(one.audit([frame, frameNumber(frame + 2)])).toEqual([
      expect.stringContaining('1 slots of page lists, 0 were found'),
    ]);
    two.close();
    expect(one.audit([frame])).toEqual([]);
    expect(one.audit()).toEqual([expect.stringContaining('counts 1 references, 0 were found')]);
    one.close();
    memory.release(frame);
    expect(memory.audit()).toEqual([]);
  });
});

describe('close', () => {
  test('revokes every capability, frees every frame, and makes no more objects', () => {
    const objects = MemoryObjects.create({ memoryBytes: 256 * KIB });
    const vmo = objects.create({ size: 4 * PAGE });
    vmo.commitSync();
    const all: Vmo<never>[] = [vmo, vmo.duplicate(), vmo.createChild({ kind: 'slice' }), snap(vmo, 0, 4)];
    objects.close();
    objects.close();
    expect(all.map(({ state }) => state)).toEqual(['stale', 'stale', 'stale', 'stale']);
    expect(objects.memory.statistics().byUsage.Frame).toBe(0);
    expect(() => objects.create({ size: 1 })).toThrow('the memory objects are closed');
    expect(objects.audit()).toEqual([]);
  });

  test('gives clean pages back no more: RAM asks nobody who is closed', () => {
    const memory = new PhysicalMemory({ sizeBytes: 64 * KIB });
    const objects = new MemoryObjects(memory);
    objects.create({ size: PAGE, pager: new NotingPager() }).commitSync();
    while (memory.freeFrames > 0) memory.allocate(Usage.Kernel);
    // The clean page goes first.
    memory.allocate(Usage.Kernel);
    expect(objects.statistics().pagesEvicted).toBe(1);
    objects.close();
    expect(() => memory.allocate(Usage.Kernel)).toThrow('out of memory');
  });

  test('leaves the pages of an open view until that is closed', () => {
    const objects = MemoryObjects.create({ memoryBytes: 64 * KIB });
    const vmo = objects.create({ size: 3 * PAGE });
    vmo.commitSync();
    const view = vmo.viewSync(pages(1, 1));
    objects.close();
    expect([view.pieces.length, objects.memory.statistics().byUsage.Frame]).toEqual([1, 1]);
    expect(objects.audit()).toEqual([]);
    view.close();
    expect(objects.memory.statistics().byUsage.Frame).toBe(0);
  });

  test('over RAM that threads share counts as over any', () => {
    const memory = new PhysicalMemory({ sizeBytes: 256 * KIB, threads: 'shared' });
    const objects = new MemoryObjects(memory);
    const vmo = objects.create({ size: 4 * PAGE });
    poke(vmo, 1, 1);
    const copy = snap(vmo, 0, 4);
    poke(copy, 1, 2);
    poke(vmo, 2, 3);
    expect([contents(vmo), contents(copy)]).toEqual([
      [0, 1, 3, 0],
      [0, 2, 0, 0],
    ]);
    expect(objects.audit()).toEqual([]);
    objects.close();
    expect(memory.audit()).toEqual([]);
  });

  test('statistics count what was done', () => {
    using world = new World();
    const vmo = world.make(4);
    vmo.writeSync(10, new Uint8Array(PAGE));
    const copy = snap(vmo, 0, 4);
    poke(copy, 0, 1);
    vmo.commitSync(pages(2, 2));
    const paged = world.make(2, { pager: new NotingPager() });
    poke(paged, 0, peek(paged, 1));
    paged.syncSync();
    expect(world.objects.statistics()).toEqual({
      objects: 3,
      snapshots: 1,
      pagesCopied: 1,
      pagesZeroed: 4,
      pagesSupplied: 2,
      pagesWrittenBack: 1,
      pagesEvicted: 0,
    });
  });
});

describe('arguments that make no sense', () => {
  const make = (world: World): Vmo =>
    world.objects
      .create({ size: 2 * PAGE, resizable: true, rights: ['dup', 'read', 'write', 'exec'] })
      .toDyn();
  const bytes = new Uint8Array(1);

  test.each(NO_NUMBERS)('an offset of %s', async (value) => {
    using world = new World();
    const vmo = make(world);
    const offset = value as number;
    for (const call of [
      () => vmo.readSync(offset, bytes),
      () => vmo.writeSync(offset, bytes),
      () => vmo.page(offset, 'read'),
      () => vmo.page(offset, 'write'),
      () => vmo.isCommitted(offset),
      () => vmo.physicalAddress(offset),
      () => vmo.supply(offset, bytes),
      () => vmo.commitSync({ offset, length: 1 }),
      () => vmo.decommit({ offset, length: PAGE }),
      () => vmo.clearSync({ offset, length: 1 }),
      () => vmo.zeroSync({ offset, length: 1 }),
      () => vmo.viewSync({ offset, length: 1 }),
      () => vmo.syncSync({ offset, length: 1 }),
      () => vmo.createChild({ kind: 'slice', offset, size: 0 }),
      () => vmo.createChild({ kind: 'snapshot', offset, size: 0 }),
    ]) {
      expectRefusal(world, call, 'EINVAL', /not within|give a multiple/);
    }
    for (const call of [
      () => vmo.read(offset, bytes),
      () => vmo.write(offset, bytes),
      () => vmo.commit({ offset, length: 1 }),
      () => vmo.prefetch({ offset, length: 1 }),
      () => vmo.hint('dont-need', { offset, length: 1 }),
    ]) {
      await expectRejection(world, call, 'EINVAL', 'not within');
    }
  });

  test.each(NO_NUMBERS.filter((value) => value !== null))('a length, or a size, of %s', async (value) => {
    using world = new World();
    const vmo = make(world);
    const length = value as number;
    for (const call of [
      () => vmo.commitSync({ length }),
      () => vmo.decommit({ length }),
      () => vmo.clearSync({ length }),
      () => vmo.zeroSync({ length }),
      () => vmo.viewSync({ length }),
      () => vmo.syncSync({ length }),
      () => vmo.createChild({ kind: 'slice', size: length }),
      () => vmo.createChild({ kind: 'snapshot', size: length }),
      () => vmo.resizeSync(length),
    ]) {
      expectRefusal(world, call, 'EINVAL', /not within|give a whole number|give whole pages/);
    }
    for (const call of [
      () => vmo.clear({ length }),
      () => vmo.zero({ length }),
      () => vmo.view({ length }),
      () => vmo.sync({ length }),
      () => vmo.resize(length),
    ]) {
      await expectRejection(world, call, 'EINVAL', /not within|give a whole number/);
    }
  });

  test.each([
    ['an ArrayBuffer', new ArrayBuffer(4)],
    ['an array', [1, 2]],
    ['a string', 'bytes'],
    ['a Uint16Array', new Uint16Array(2)],
    ['a DataView', new DataView(new ArrayBuffer(2))],
    ['nothing', undefined],
    ['null', null],
    ['a number', 7],
  ])('%s for bytes', async (_, value) => {
    using world = new World();
    const vmo = make(world);
    const wrong = value as unknown as Uint8Array;
    const message = /takes a Uint8Array, not \w+/;
    expectRefusal(world, () => vmo.readSync(0, wrong), 'EINVAL', message);
    expectRefusal(world, () => vmo.writeSync(0, wrong), 'EINVAL', message);
    expectRefusal(world, () => vmo.supply(0, wrong), 'EINVAL', message);
    await expectRejection(world, () => vmo.read(0, wrong), 'EINVAL', message);
    await expectRejection(world, () => vmo.write(0, wrong), 'EINVAL', message);
  });

  test('bytes that are detached are none, and those that are part of an array are that part', () => {
    using world = new World();
    const vmo = make(world);
    const detached = new Uint8Array(4);
    structuredClone(detached, { transfer: [detached.buffer] });
    vmo.writeSync(0, detached);
    vmo.readSync(0, detached);
    expect(world.frames).toBe(0);
    const whole = Uint8Array.of(1, 2, 3, 4, 5);
    vmo.writeSync(PAGE - 1, whole.subarray(1, 3));
    vmo.readSync(PAGE - 2, whole.subarray(0, 4));
    expect(whole).toEqual(Uint8Array.of(0, 2, 3, 0, 5));
    const shared = new Uint8Array(new SharedArrayBuffer(2));
    expect(vmo.readSync(PAGE - 1, shared)).toEqual(new Uint8Array(shared));
    expect([...shared]).toEqual([2, 3]);
  });

  test('hints that there are not', async () => {
    using world = new World();
    const vmo = make(world);
    for (const hint of ['never', '', 'ALWAYS-NEED', undefined, 1]) {
      await expectRejection(world, () => vmo.hint(hint as 'dont-need'), 'EINVAL', 'there is no hint');
    }
  });

  test('supply and detach without a pager', () => {
    using world = new World();
    const vmo = make(world);
    expectRefusal(world, () => vmo.supply(0, new Uint8Array(PAGE)), 'ENOTSUP', 'has no pager');
    expectRefusal(world, () => vmo.supply(1, new Uint8Array(PAGE)), 'EINVAL', 'give whole pages');
    expectRefusal(world, () => vmo.detachPager(), 'ENOTSUP', 'has no pager');
  });

  test('errors are holstein’s own, with a code', () => {
    using world = new World();
    expect(() => make(world).readSync(-1, bytes)).toThrow(HolsteinError);
  });
});

describe('large families', () => {
  test('a thousand generations: each with a page of its own, closed from the top', () => {
    using world = new World(8 * 1024 * KIB);
    const root = world.make(1100);
    const generations = [root];
    for (let index = 1; index <= 1000; index++) {
      const next = snap(generations.at(-1)!, 0, 1100);
      poke(next, index, index);
      generations.push(next);
    }
    expect(world.frames).toBe(1000);
    const last = generations.at(-1)!;
    for (const index of [1, 500, 1000]) expect(peek(last, index)).toBe(index);
    expect(peek(generations[500]!, 501)).toBe(0);
    for (const each of generations.slice(0, -1)) each.close();
    expect([world.frames, world.objects.statistics().objects, peek(last, 77)]).toEqual([1000, 1, 77]);
  });

  test('a thousand generations closed from the bottom', () => {
    using world = new World();
    const generations = [world.tagged(2)];
    for (let index = 0; index < 1000; index++) generations.push(snap(generations.at(-1)!, 0, 2));
    expect(inspect(generations[1000]!).split('\n')).toHaveLength(2002);
    poke(generations[500]!, 0, 7);
    expect([peek(generations[1000]!, 0), world.frames]).toEqual([1, 3]);
    for (const each of generations.toReversed().slice(0, -1)) each.close();
    expect(world.frames).toBe(2);
  });

  test.each(['live', 'frozen'])('a thousand %s generations over a pager', (how) => {
    using world = new World();
    const kind = how === 'live' ? 'snapshot-at-least-on-write' : 'snapshot';
    let last = world.make(3, { pager: new NotingPager() });
    for (let index = 0; index < 1000; index++) {
      const next = snap(last, 0, 3, { kind });
      if (index === 500) poke(next, 1, 500);
      last.close();
      last = next;
    }
    expect(contents(last)).toEqual([100, 500, 102]);
    expect(world.objects.statistics().objects).toBeLessThan(10);
  });

  test('a thousand siblings share one page, and part with it one by one', () => {
    using world = new World(8 * 1024 * KIB);
    const root = world.tagged(1);
    const siblings = Array.from({ length: 1000 }, () => snap(root, 0, 1));
    expect([world.frames, ...world.costs(root)]).toEqual([1, '1/1001']);
    siblings.forEach((each, index) => poke(each, 0, index));
    expect([world.frames, ...world.costs(root)]).toEqual([1001, '1']);
    for (const index of [0, 999, 123]) expect(peek(siblings[index]!, 0)).toBe(index);
    root.close();
    for (const each of siblings) each.close();
    expect(world.frames).toBe(0);
  });

  test('4 TiB, sparse: a page at every power of two, through snapshots and cuts', () => {
    using world = new World();
    const vmo = world.objects.create({ size: 4 * TIB, resizable: true });
    const places = Array.from({ length: 30 }, (_, power) => 2 ** power);
    for (const page of places) poke(vmo, page, page);
    const copy = vmo.createChild({ kind: 'snapshot' });
    const far = vmo.createChild({ kind: 'snapshot', offset: 2 ** 41 });
    vmo.resizeSync(0);
    for (const page of places) expect(peekAt(copy, page * PAGE)).toBe(page);
    expect([peek(far, 0), peek(far, 1), far.size]).toEqual([2 ** 29, 0, 2 ** 41]);
    copy.writeSync(2 ** 41 - 2, word(0x0403_0201));
    expect(copy.readSync(2 ** 41 - 3, new Uint8Array(6))).toEqual(Uint8Array.of(0, 1, 2, 3, 4, 0));
    expect(peek(far, 0)).toBe(2 ** 29);
    copy.close();
    expect(world.frames).toBe(1);
  });
});
