/** Changing sizes: of an object, of what was made from it, to the byte, and under way. */
import { describe, expect, test } from 'vitest';
import { MAX_OBJECT_BYTES } from '../../src/vmo/index.js';
import { isZero } from '../../src/vmo/resize.js';
import {
  contents,
  expectAllOrNothing,
  expectRefusal,
  Losses,
  PAGE,
  pages,
  peek,
  type Plain,
  poke,
  readAll,
  SlowPager,
  snap,
  SNAPSHOT_KINDS,
  TIB,
  World,
} from './family.js';

const resizable = { resizable: true };

describe('an object', () => {
  test('grows by zeros, and shrinks for good', () => {
    using world = new World();
    const vmo = world.tagged(4, resizable);
    vmo.resizeSync(5 * PAGE);
    expect(contents(vmo)).toEqual([1, 2, 3, 4, 0]);
    expect(world.frames).toBe(4);
    vmo.resizeSync(2 * PAGE);
    expect([contents(vmo), world.frames]).toEqual([[1, 2], 2]);
    vmo.resizeSync(4 * PAGE);
    expect([contents(vmo), world.frames]).toEqual([[1, 2, 0, 0], 2]);
    vmo.resizeSync(0);
    expect([vmo.size, vmo.committedBytes, world.frames]).toEqual([0, 0, 0]);
  });

  test('has its size to the byte, and storage by pages', () => {
    using world = new World();
    const vmo = world.make(0, resizable);
    for (const size of [0, 1, 5, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE - 7, 4 * PAGE]) {
      vmo.resizeSync(size);
      expect(vmo.size).toBe(size);
      vmo.commitSync();
      expect(world.frames).toBe(Math.ceil(size / PAGE));
      expectRefusal(world, () => vmo.readSync(size, new Uint8Array(1)), 'EINVAL', `the ${size} bytes`);
      expect(world.objects.create({ size }).size).toBe(size);
    }
  });

  test('to the same size does nothing, in no memory too', () => {
    using world = new World();
    const vmo = world.tagged(1, resizable);
    vmo.resizeSync(100);
    const losses = new Losses();
    using _ = vmo.observe(losses);
    world.fill();
    vmo.resizeSync(100);
    expect(losses.news).toEqual([]);
  });

  test.each([-1, 0.5, NaN, Infinity, -Infinity, 2 ** 53, MAX_OBJECT_BYTES + 1])(
    'is not resized to %d bytes',
    async (size) => {
      using world = new World();
      const vmo = world.tagged(1, resizable);
      const message = `give a whole number from 0 to ${MAX_OBJECT_BYTES}`;
      expectRefusal(world, () => vmo.resizeSync(size), 'EINVAL', message);
      await expect(vmo.resize(size)).rejects.toMatchObject({ code: 'EINVAL' });
    },
  );

  test('goes to 4 TiB and back', () => {
    using world = new World();
    const vmo = world.tagged(1, resizable);
    vmo.resizeSync(4 * TIB);
    poke(vmo, 2 ** 30 - 1, 3);
    poke(vmo, 2 ** 20, 4);
    expect([peek(vmo, 0), peek(vmo, 2 ** 30 - 1), world.frames]).toEqual([1, 3, 3]);
    vmo.resizeSync(2 ** 32 + PAGE);
    expect([peek(vmo, 2 ** 20), world.frames]).toEqual([4, 2]);
    vmo.resizeSync(PAGE);
    expect([contents(vmo), world.frames]).toEqual([[1], 1]);
  });

  test('does not shrink where an open view would be cut, and what was refused changes nothing', () => {
    using world = new World();
    const vmo = world.tagged(4, resizable);
    const view = vmo.viewSync(pages(2, 1));
    expectRefusal(world, () => vmo.resizeSync(2 * PAGE), 'EBUSY', 'is in an open view');
    expectRefusal(world, () => vmo.resizeSync(0), 'EBUSY', 'is in an open view');
    // The page may be cut inside: its frame stays.
    vmo.resizeSync(2 * PAGE + 1);
    expect(view.pieces[0]!.bytes.subarray(0, 2)).toEqual(Uint8Array.of(3, 0));
    view.close();
    vmo.resizeSync(PAGE);
    expect(world.frames).toBe(1);
  });

  test('cut inside a page that others have keeps their end, and shows zeros when it grows', () => {
    using world = new World();
    const vmo = world.make(2, resizable);
    vmo.writeSync(0, new Uint8Array(2 * PAGE).fill(7));
    const copy = snap(vmo, 0, 2);
    vmo.resizeSync(100);
    expect(world.frames).toBe(2);
    expectAllOrNothing(world, 1, () => vmo.resizeSync(2 * PAGE));
    expect(readAll(vmo)).toEqual(new Uint8Array(2 * PAGE).fill(7, 0, 100));
    expect(readAll(copy)).toEqual(new Uint8Array(2 * PAGE).fill(7));
    expect(world.frames).toBe(3);
  });

  test('cut and cut again before it grows shows nothing of either', () => {
    using world = new World();
    const vmo = world.make(1, resizable);
    vmo.writeSync(0, new Uint8Array(PAGE).fill(7));
    using copy = snap(vmo, 0, 1);
    for (const size of [3000, 2000, 2500, 100, 101]) vmo.resizeSync(size);
    vmo.resizeSync(PAGE);
    expect(readAll(vmo)).toEqual(new Uint8Array(PAGE).fill(7, 0, 100));
    expect(readAll(copy)).toEqual(new Uint8Array(PAGE).fill(7));
  });

  test('tells observers of the pages that are lost, and of none when it grows by whole pages', () => {
    using world = new World();
    const vmo = world.tagged(4, resizable);
    const losses = new Losses();
    using _ = vmo.observe(losses);
    vmo.resizeSync(6 * PAGE);
    expect(losses.news).toEqual([]);
    vmo.resizeSync(2 * PAGE);
    expect(losses.news).toEqual(['2+4']);
  });
});

describe('of a family', () => {
  test.each(['child', 'parent'] as const)('the %s is cut, and the other keeps all', (which) => {
    using world = new World();
    const parent = world.tagged(4, resizable);
    const child = snap(parent, 0, 4, resizable);
    poke(parent, 1, 5);
    poke(child, 2, 5);
    expect(world.costs(parent, child)).toEqual(['3', '3']);
    const [target, other, own] = which === 'child' ? [child, parent, 1] : [parent, child, 2];
    target.resizeSync(PAGE);
    expect(contents(other)).toEqual([1, 2, 3, 4].with(own, 5));
    expect(contents(target)).toEqual([1]);
    expect(world.costs(other, target)).toEqual(['7/2', '1/2']);
    target.resizeSync(2 * PAGE);
    expect(contents(target)).toEqual([1, 0]);
    // What it alone has is written in place.
    world.fill();
    poke(other, 3, 6);
    expect(world.costs(other, target)).toEqual(['7/2', '1/2']);
    other.close();
    expect([contents(target), ...world.costs(target)]).toEqual([[1, 0], '1']);
  });

  test.each(SNAPSHOT_KINDS)('a %s that grows does not see its parent’s later pages', (kind) => {
    using world = new World();
    const parent = world.tagged(2);
    const child = snap(parent, 0, 1, { kind, resizable: true });
    child.resizeSync(2 * PAGE);
    expect(contents(child)).toEqual([1, 0]);
    poke(parent, 1, 3);
    expect(contents(child)).toEqual([1, 0]);
    expect(world.costs(parent, child)).toEqual(['3/2', '1/2']);
  });

  test('a part outlives the cut of what it was made from', () => {
    using world = new World();
    const parent = world.tagged(3, resizable);
    const child = snap(parent, 1, 1);
    parent.resizeSync(0);
    expect([contents(child), ...world.costs(parent, child)]).toEqual([[2], '0', '1']);
    parent.resizeSync(3 * PAGE);
    expect([contents(parent), contents(child)]).toEqual([[0, 0, 0], [2]]);
  });

  test('three disjoint parts and their parent are cut in every order', () => {
    using world = new World();
    for (const [one, two, last] of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ] as const) {
      const parent = world.tagged(3, resizable);
      const parts = [0, 1, 2].map((page) => snap(parent, page, 1, resizable));
      expect(world.costs(parent, ...parts)).toEqual(['3/2', '1/2', '1/2', '1/2']);
      for (const vmo of [parts[one]!, parts[two]!, parent]) vmo.resizeSync(0);
      expect(contents(parts[last]!)).toEqual([last + 1]);
      expect(world.costs(parent, parts[one]!, parts[two]!, parts[last]!)).toEqual(['0', '0', '0', '1']);
      parts[last]!.resizeSync(0);
      expect(world.frames).toBe(0);
      for (const vmo of [parent, ...parts]) vmo.close();
    }
  });

  test('pages go as soon as the last that sees them is cut', () => {
    using world = new World();
    const root = world.tagged(3, resizable);
    const one = snap(root, 0, 2, resizable);
    poke(root, 0, 4);
    poke(one, 1, 5);
    const two = snap(root, 0, 1);
    expect(contents(two)).toEqual([4]);
    one.resizeSync(0);
    expect(contents(root)).toEqual([4, 2, 3]);
    expect(world.costs(root, one, two)).toEqual(['5/2', '0', '1/2']);
    root.resizeSync(0);
    expect([contents(two), ...world.costs(root, one, two)]).toEqual([[4], '0', '0', '1']);
  });

  test('a range cut between two children reads zeros, and is written anew', () => {
    using world = new World();
    const root = world.tagged(4, resizable);
    snap(root, 0, 4);
    snap(root, 2, 1, resizable);
    root.resizeSync(PAGE);
    root.resizeSync(4 * PAGE);
    expect(contents(root)).toEqual([1, 0, 0, 0]);
    for (const page of [1, 2, 3]) poke(root, page, 9);
    expect([contents(root), world.frames]).toEqual([[1, 9, 9, 9], 7]);
  });

  test('zeros that were cut are zeros in a part that still has them', () => {
    using world = new World();
    const root = world.make(4, resizable);
    poke(root, 2, 1);
    snap(root, 0, 4);
    root.zeroSync(pages(2, 1));
    const part = snap(root, 2, 1);
    root.resizeSync(PAGE);
    expect(contents(part)).toEqual([0]);
    poke(part, 0, 1);
    expect(world.frames).toBe(2);
  });

  test.each(SNAPSHOT_KINDS)('a %s is resizable as it was asked, whatever its parent is', (kind) => {
    using world = new World();
    const fixed = snap(world.make(1, resizable), 0, 1, { kind });
    expectRefusal(world, () => fixed.resizeSync(0), 'ENOTSUP', 'was not made resizable');
    const growing = snap(world.make(1), 0, 1, { kind, resizable: true });
    growing.resizeSync(2 * PAGE);
    expect([fixed.resizable, growing.resizable, growing.size]).toEqual([false, true, 2 * PAGE]);
  });
});

describe('while a resize waits for the pager', () => {
  /** One that ends inside page 1, which the pager has whole. */
  const cutInside = (world: World): { vmo: Plain; pager: SlowPager } => {
    const pager = new SlowPager();
    const source = world.make(2, { pager });
    const vmo = source.createChild({
      kind: 'snapshot-at-least-on-write',
      size: PAGE + 100,
      resizable: true,
    });
    return { vmo, pager };
  };

  test('another that grows it further holds', async () => {
    using world = new World();
    const { vmo, pager } = cutInside(world);
    const [one, two] = [vmo.resize(3 * PAGE), vmo.resize(5 * PAGE)];
    await pager.answer();
    await Promise.all([one, two]);
    expect(vmo.size).toBe(5 * PAGE);
    expect([1, 2, 3, 4].map((page) => peek(vmo, page))).toEqual([101, 0, 0, 0]);
    world.check();
  });

  test('another that makes it larger at once: it is cut, with what was written there', async () => {
    using world = new World();
    const { vmo, pager } = cutInside(world);
    const growing = vmo.resize(2 * PAGE);
    // A cut to whole pages waits for nothing, nor does the growth after it.
    vmo.resizeSync(PAGE);
    vmo.resizeSync(9 * PAGE);
    poke(vmo, 7, 7);
    await pager.answer();
    await growing;
    expect([vmo.size, world.frames]).toEqual([2 * PAGE, 1]);
    world.check();
    expect(peek(vmo, 1)).toBe(0);
  });

  test('a capability that is closed meanwhile resizes nothing', async () => {
    using world = new World();
    const { vmo, pager } = cutInside(world);
    const other = vmo.duplicate();
    const ended = vmo.resize(3 * PAGE).catch((error: unknown) => error);
    vmo.close();
    await pager.answer();
    expect(await ended).toMatchObject({ code: 'EBADF' });
    expect(other.size).toBe(PAGE + 100);
  });

  test('the same at once is refused, and says what to call', () => {
    using world = new World();
    const { vmo } = cutInside(world);
    expect(() => vmo.resizeSync(2 * PAGE)).toThrow('use await resize()');
    expect(vmo.size).toBe(PAGE + 100);
  });
});

describe('whether the end of a page is zeros', () => {
  /** Three frames, of which the middle one is asked about: all beside it is 7. */
  const middle = (): { readonly bytes: Uint8Array; readonly words: Uint32Array } => {
    const words = new Uint32Array((3 * PAGE) / 4);
    const bytes = new Uint8Array(words.buffer);
    bytes.fill(7, 0, PAGE);
    bytes.fill(7, 2 * PAGE);
    return { bytes, words };
  };

  test('is seen from any byte on, whichever byte is none', () => {
    const memory = middle();
    const offsets = [0, 1, 2, 3, 4, 5, 6, 7, 8, 100, 2047, PAGE - 5, PAGE - 4, PAGE - 3, PAGE - 2, PAGE - 1];
    for (const offset of offsets) expect(isZero(memory, 1, offset)).toBe(true);
    for (let other = 0; other < PAGE; other++) {
      memory.bytes[PAGE + other] = 0x80;
      const seen = offsets.filter((offset) => isZero(memory, 1, offset));
      expect(seen).toEqual(offsets.filter((offset) => offset > other));
      memory.bytes[PAGE + other] = 0;
    }
  });

  test('is seen word by word: it is asked for each append to a file', () => {
    const { bytes, words } = middle();
    let reads = 0;
    const counting = <A extends Uint8Array | Uint32Array>(array: A): A =>
      new Proxy(array, {
        get: (target, key) => {
          reads++;
          return Reflect.get(target, key) as unknown;
        },
      });
    const memory = { bytes: counting(bytes), words: counting(words) };
    for (const [offset, most] of [
      [0, 1024],
      [1, 3 + 1023],
      [4093, 3],
      [4092, 1],
    ] as const) {
      reads = 0;
      expect(isZero(memory, 1, offset)).toBe(true);
      expect(reads).toBe(most);
    }
  });
});
