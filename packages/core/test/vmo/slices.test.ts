/** Slices and references: windows on their parent's own pages. */
import { describe, expect, test } from 'vitest';
import { InvalidArgument } from '../../src/frame/index.js';
import { MAX_OBJECT_BYTES, type Vmo } from '../../src/vmo/index.js';
import {
  contents,
  expectAllOrNothing,
  expectRefusal,
  NotingPager,
  PAGE,
  pages,
  peek,
  peekAt,
  type Plain,
  poke,
  readAll,
  snap,
  World,
} from './family.js';

/** A slice of `count` pages from page `first` on. */
const slice = (vmo: Plain, first: number, count: number): Plain =>
  vmo.createChild({ kind: 'slice', offset: first * PAGE, size: count * PAGE });

describe('a slice', () => {
  test('reads and writes its parent’s pages', () => {
    using world = new World();
    const root = world.make(4);
    poke(root, 0, 42);
    poke(root, 1, 42);
    const part = slice(root, 1, 2);
    expect(peek(part, 0)).toBe(42);
    poke(part, 0, 84);
    poke(part, 1, 85);
    expect(contents(root)).toEqual([42, 84, 85, 0]);
    poke(root, 1, 1);
    expect(contents(part)).toEqual([1, 85]);
    expect(world.frames).toBe(3);
  });

  test('commits and decommits its parent’s pages', () => {
    using world = new World();
    const root = world.tagged(3);
    const part = slice(root, 1, 1);
    root.decommit();
    expect([peek(part, 0), world.frames]).toEqual([0, 0]);
    part.commitSync();
    expect([1, 0, 2].map((page) => root.isCommitted(page * PAGE))).toEqual([true, false, false]);
    poke(part, 0, 5);
    expect(peek(root, 1)).toBe(5);
    part.decommit();
    expect([peek(root, 1), world.frames]).toEqual([0, 0]);
  });

  test('of a slice writes through to the root', () => {
    using world = new World();
    const root = world.make(4);
    const inner = slice(slice(root, 1, 3), 1, 2);
    poke(inner, 0, 1);
    poke(inner, 1, 2);
    expect(contents(root)).toEqual([0, 0, 1, 2]);
  });

  test('must lie within its parent', () => {
    using world = new World();
    const root = world.make(2);
    const part = slice(root, 1, 1);
    const cases: [Plain, number, number][] = [
      [root, 0, 3 * PAGE],
      [root, PAGE, PAGE + 1],
      [root, 2 * PAGE, 1],
      [root, 3 * PAGE, 0],
      [part, 0, PAGE + 1],
      [part, PAGE, 1],
      [part, 2 * PAGE, 0],
    ];
    for (const [vmo, offset, size] of cases) {
      const make = () => vmo.createChild({ kind: 'slice', offset, size });
      expectRefusal(world, make, 'EINVAL', /a slice of \d+ bytes at \d+ is not within the \d+ bytes of/);
    }
    for (const offset of [1, 100, PAGE - 1, -PAGE, NaN, 2 ** 53, PAGE + 0.5]) {
      const make = () => root.createChild({ kind: 'slice', offset, size: 0 });
      expectRefusal(world, make, 'EINVAL', 'give a multiple of 4096');
    }
    for (const size of [-1, 0.5, NaN, Infinity, MAX_OBJECT_BYTES + 1, 2 ** 53]) {
      const make = () => root.createChild({ kind: 'slice', size });
      expectRefusal(world, make, 'EINVAL', 'give a whole number from 0');
    }
  });

  test('is not of what can be resized, and cannot be resized itself', () => {
    using world = new World();
    const root = world.make(2, { resizable: true });
    expectRefusal(world, () => slice(root, 0, 1), 'ENOTSUP', 'can be resized');
    const copy = snap(root, 0, 2, { resizable: true });
    expectRefusal(world, () => slice(copy, 0, 1), 'ENOTSUP', 'can be resized');
    // The range is looked at first.
    expectRefusal(world, () => slice(root, 0, 3), 'EINVAL', 'not within');
    const fixed = world.make(2);
    const resizable = () => fixed.createChild({ kind: 'slice', resizable: true });
    expectRefusal(world, resizable, 'EINVAL', 'a slice cannot be resized');
    expect(slice(fixed, 0, 2).resizable).toBe(false);
  });

  test('may be empty, at the parent’s end too', () => {
    using world = new World();
    const root = world.make(1);
    for (const first of [0, 1]) {
      const none = slice(root, first, 0);
      expect(none.size).toBe(0);
      none.readSync(0, new Uint8Array());
      none.commitSync();
      expectRefusal(world, () => none.readSync(0, new Uint8Array(1)), 'EINVAL', 'not within the 0 bytes');
      expectRefusal(world, () => none.writeSync(0, new Uint8Array(1)), 'EINVAL', 'not within the 0 bytes');
      expectRefusal(world, () => none.isCommitted(0), 'EINVAL', 'not within the 0 bytes');
    }
    expect(world.frames).toBe(0);
  });

  test('has the size that was asked for, to the byte', () => {
    using world = new World();
    const root = world.tagged(2);
    const part = root.createChild({ kind: 'slice', offset: PAGE, size: 42 });
    expect([part.size, part.kind, part.name]).toEqual([42, 'anonymous', root.name]);
    expect(peekAt(part, 38)).toBe(0);
    expectRefusal(world, () => peekAt(part, 39), 'EINVAL', 'not within the 42 bytes');
    expect(readAll(part)).toHaveLength(42);
  });

  test('that ends inside a page gives nothing back of what lies beyond', () => {
    using world = new World();
    const root = world.make(2);
    root.writeSync(0, new Uint8Array(2 * PAGE).fill(7));
    const part = root.createChild({ kind: 'slice', size: PAGE + 42 });
    expectRefusal(world, () => part.decommit(), 'EINVAL', 'give whole pages');
    expectRefusal(world, () => part.decommit({ offset: PAGE }), 'EINVAL', 'give whole pages');
    part.zeroSync();
    expect(readAll(root)).toEqual(new Uint8Array(2 * PAGE).fill(7, PAGE + 42));
    expect(world.frames).toBe(1);
    part.decommit(pages(0, 1));
    // One that ends where its object does may.
    const small = world.objects.create({ size: 42 });
    poke(small, 0, 1);
    small.createChild({ kind: 'slice' }).decommit();
    expect([peek(small, 0), small.committedBytes]).toEqual([0, 0]);
  });

  test('checks every range against itself, whatever lies around it', () => {
    using world = new World();
    const root = world.make(6);
    const [outer, inner] = [slice(root, 1, 4), slice(slice(root, 1, 4), 1, 2)];
    for (const [vmo, count] of [
      [root, 6],
      [outer, 4],
      [inner, 2],
    ] as const) {
      for (let first = 0; first <= 7; first++) {
        for (let end = first; end <= 7; end++) {
          root.commitSync();
          const decommit = () => vmo.decommit(pages(first, end - first));
          if (end > count) {
            expect(decommit).toThrow(InvalidArgument);
            expect(world.frames).toBe(6);
          } else {
            decommit();
            expect(world.frames).toBe(6 - (end - first));
          }
        }
      }
    }
  });

  test('a thousand deep keeps the pages that it reaches, and no others', () => {
    using world = new World();
    let part = world.tagged(3);
    for (let depth = 0; depth < 1000; depth++) {
      const next = part.createChild({ kind: 'slice', offset: depth === 500 ? PAGE : 0 });
      part.close();
      part = next;
    }
    expect(contents(part)).toEqual([2, 3]);
    expect([world.frames, world.objects.statistics().objects]).toEqual([2, 1]);
  });

  test('that outlives its parent is charged with what it reaches; the rest is freed at once', () => {
    using world = new World();
    const root = world.tagged(6);
    const parts = [slice(root, 1, 2), slice(root, 2, 3)];
    expect(world.costs(root)).toEqual(['6']);
    root.close();
    expect(world.costs(parts[0]!)).toEqual(['4']);
    expect([contents(parts[0]!), contents(parts[1]!)]).toEqual([
      [2, 3],
      [3, 4, 5],
    ]);
    parts[0]!.close();
    expect([contents(parts[1]!), world.frames]).toEqual([[3, 4, 5], 3]);
    parts[1]!.close();
    expect(world.frames).toBe(0);
  });

  test('cannot reach beyond itself what was freed, and what it writes stays', () => {
    using world = new World();
    const root = world.tagged(4);
    const part = slice(root, 1, 2);
    root.close();
    part.clearSync();
    poke(part, 1, 9);
    expect([contents(part), world.frames]).toEqual([[0, 9], 2]);
    expectRefusal(world, () => slice(part, 0, 3), 'EINVAL', 'not within');
  });

  test('of a snapshot, and a snapshot of a slice', () => {
    using world = new World();
    const root = world.tagged(4);
    const part = slice(root, 1, 3);
    const copy = snap(part, 1, 3);
    expect(contents(copy)).toEqual([3, 4, 0]);
    poke(part, 1, 9);
    expect([contents(root), contents(copy)]).toEqual([
      [1, 2, 9, 4],
      [3, 4, 0],
    ]);
    const of = slice(copy, 0, 1);
    poke(of, 0, 5);
    expect([peek(copy, 0), peek(root, 2)]).toEqual([5, 9]);
    // Nor does a snapshot see what lies beyond a slice.
    expect(contents(snap(slice(root, 0, 2), 0, 4))).toEqual([1, 2, 0, 0]);
    expect(contents(snap(slice(root, 0, 2), 2, 1))).toEqual([0]);
  });

  test('that ends inside a page: a snapshot of it sees no more of that page', () => {
    using world = new World();
    const root = world.make(1);
    root.writeSync(0, new Uint8Array(PAGE).fill(7));
    const part = root.createChild({ kind: 'slice', size: 42 });
    let copy = part;
    expectAllOrNothing(world, 1, () => (copy = part.createChild({ kind: 'snapshot', size: PAGE })));
    expect(readAll(copy)).toEqual(new Uint8Array(PAGE).fill(7, 0, 42));
  });

  test('of a contiguous object is as pinned as that', () => {
    using world = new World();
    const root = world.make(3, { contiguous: true });
    const part = slice(root, 1, 2);
    expect(part.kind).toBe('contiguous');
    expect(part.physicalAddress(5)).toBe(root.physicalAddress(PAGE + 5));
    expectRefusal(world, () => part.decommit(), 'ENOTSUP', 'its pages stay where they are');
    poke(part, 0, 3);
    root.close();
    part.zeroSync();
    expect([peek(part, 0), part.committedBytes, world.frames]).toEqual([0, 2 * PAGE, 3]);
  });

  test('keeps the pages of an open view from a decommit by the parent', () => {
    using world = new World();
    const root = world.make(3);
    const part = slice(root, 1, 2);
    const view = part.viewSync(pages(1, 1));
    expectRefusal(world, () => root.decommit(), 'EBUSY', 'is in an open view');
    root.decommit(pages(0, 2));
    expect(view.pieces.map(({ offset, bytes }) => [offset, bytes.length])).toEqual([[PAGE, PAGE]]);
    view.close();
    root.decommit();
    expect(world.frames).toBe(0);
  });

  test('is a window on the object: the object is there once, whoever reaches it', () => {
    using world = new World();
    const root = world.tagged(1);
    const [part, reference] = [slice(root, 0, 1), root.createChild({ kind: 'reference' })];
    expect(world.objects.statistics().objects).toBe(1);
    expect(world.objects.attribution()).toHaveLength(1);
    expect(world.costs(part, reference)).toEqual(['1', '1']);
  });
});

describe('a reference', () => {
  const family = (world: World): Plain[] => {
    const root = world.tagged(2, { resizable: true });
    const one = root.createChild({ kind: 'reference' });
    const two = one.createChild({ kind: 'reference' });
    return [root, one, two, two.createChild({ kind: 'reference' })];
  };

  test('of any depth shows every write, wherever it is made', () => {
    using world = new World();
    const all = family(world);
    all.forEach((writer, index) => {
      poke(writer, 1, 10 + index);
      for (const reader of all) expect(contents(reader)).toEqual([1, 10 + index]);
    });
    expect(world.frames).toBe(2);
  });

  test('shares the size, both ways and to the byte', () => {
    using world = new World();
    const all = family(world);
    for (const [index, size] of [2 * PAGE - 8, 3 * PAGE - 8, 5, 0, PAGE].entries()) {
      all[index % all.length]!.resizeSync(size);
      expect(all.map((vmo) => vmo.size)).toEqual(all.map(() => size));
    }
  });

  test('takes neither offset, size nor resizable', () => {
    using world = new World();
    const root = world.make(2, { resizable: true });
    for (const [options, message] of [
      [{ offset: PAGE }, 'has no offset and no size'],
      [{ size: 2 * PAGE }, 'has no offset and no size'],
      [{ resizable: true }, 'leave `resizable` out'],
      [{ resizable: false }, 'leave `resizable` out'],
    ] as const) {
      expectRefusal(world, () => root.createChild({ kind: 'reference', ...options }), 'EINVAL', message);
    }
    expect(root.createChild({ kind: 'reference', offset: 0 }).resizable).toBe(true);
  });

  test('survives the original, which stays resizable or not', () => {
    using world = new World();
    const [root, ...references] = family(world);
    root!.close();
    references[0]!.close();
    references[1]!.resizeSync(3 * PAGE);
    expect(contents(references[2]!)).toEqual([1, 2, 0]);
    const fixed = world.make(1);
    const reference = fixed.createChild({ kind: 'reference' });
    fixed.close();
    expectRefusal(world, () => reference.resizeSync(0), 'ENOTSUP', 'was not made resizable');
  });

  test('decommits the original’s pages, while others of them come and go', () => {
    using world = new World();
    const [root, one, two, three] = family(world);
    three!.decommit();
    expect([contents(root!), world.frames]).toEqual([[0, 0], 0]);
    poke(root!, 0, 1);
    one!.close();
    two!.decommit();
    expect([contents(root!), world.frames]).toEqual([[0, 0], 0]);
    poke(three!, 0, 1);
    root!.close();
    two!.decommit();
    expect(contents(three!)).toEqual([0, 0]);
  });

  test('of which a snapshot is made is as if it were of the original', () => {
    using world = new World();
    const [root, reference] = family(world);
    const copy = snap(reference!, 0, 2);
    poke(root!, 0, 0xbb);
    poke(copy, 1, 0xcc);
    expect([contents(root!), contents(reference!), contents(copy)]).toEqual([
      [0xbb, 2],
      [0xbb, 2],
      [1, 0xcc],
    ]);
  });

  test('of which a slice is made shares all writes', () => {
    using world = new World();
    const root = world.make(2);
    const part = slice(root.createChild({ kind: 'reference' }), 1, 1);
    poke(part, 0, 3);
    expect(contents(root)).toEqual([0, 3]);
    // And of a slice there are references, which reach as far as it does.
    const reference = part.createChild({ kind: 'reference' });
    poke(reference, 0, 4);
    expect([reference.size, peek(root, 1)]).toEqual([PAGE, 4]);
    expectRefusal(world, () => peek(reference, 1), 'EINVAL', 'not within the 4096 bytes');
  });
});

test('slices and references of an object with a pager ask it through the object', () => {
  using world = new World();
  const pager = new NotingPager();
  const root = world.make(4, { pager });
  const part: Vmo<'read'> = slice(root, 1, 2);
  expect(contents(part)).toEqual([101, 102]);
  expect(pager.news).toEqual(['commit 1+1', 'commit 2+1']);
  expect(contents(root.createChild({ kind: 'reference' }))).toEqual([100, 101, 102, 103]);
  expect(pager.news).toEqual(['commit 0+1', 'commit 3+1']);
});
