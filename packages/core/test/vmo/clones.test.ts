/** Snapshots of memory without a pager, after Zircon's clone tests: what each sees, and whose the frames are. */
import { describe, expect, test } from 'vitest';
import {
  contents,
  expectAllOrNothing,
  frameOfPage,
  PAGE,
  pages,
  peek,
  type Plain,
  poke,
  readAll,
  snap,
  SNAPSHOT_KINDS,
  TIB,
  World,
} from './family.js';

/** All orders of some things. */
const orders = <T>(things: readonly T[]): T[][] =>
  things.length === 0
    ? [[]]
    : things.flatMap((first, index) => orders(things.toSpliced(index, 1)).map((rest) => [first, ...rest]));

describe.each(SNAPSHOT_KINDS)('%s of memory without a pager', (kind) => {
  test('shows what the parent was, and neither shows what the other writes later', () => {
    using world = new World();
    const parent = world.tagged(1);
    const child = snap(parent, 0, 1, { kind });
    expect([peek(parent, 0), peek(child, 0), world.frames]).toEqual([1, 1, 1]);
    poke(child, 0, 2);
    expect([peek(parent, 0), peek(child, 0), world.frames]).toEqual([1, 2, 2]);
    const other = snap(parent, 0, 1, { kind });
    poke(parent, 0, 3);
    expect([peek(parent, 0), peek(child, 0), peek(other, 0), world.frames]).toEqual([3, 2, 1, 3]);
  });

  test('either may go first', () => {
    using world = new World();
    for (const gone of ['parent', 'child'] as const) {
      const family = { parent: world.tagged(2), child: undefined as Plain | undefined };
      family.child = snap(family.parent, 0, 2, { kind });
      family[gone]!.close();
      const left = gone === 'parent' ? family.child : family.parent;
      expect(contents(left)).toEqual([1, 2]);
      expect(world.costs(left)).toEqual(['2']);
      expect(world.frames).toBe(2);
      left.close();
      expect(world.frames).toBe(0);
    }
  });

  test('each side pays for what it has alone, and the last of two owners writes in place', () => {
    using world = new World();
    const parent = world.tagged(2);
    expect(world.costs(parent)).toEqual(['2']);
    const child = snap(parent, 0, 2, { kind });
    expect(world.costs(parent, child)).toEqual(['1', '1']);
    poke(parent, 0, 3);
    expect(world.costs(parent, child)).toEqual(['3/2', '3/2']);
    poke(child, 1, 4);
    expect(world.costs(parent, child)).toEqual(['2', '2']);
    world.fill();
    // Nobody else has these any more: no memory is needed.
    poke(parent, 1, 5);
    poke(child, 0, 6);
    expect(world.costs(parent, child)).toEqual(['2', '2']);
    expect([contents(parent), contents(child)]).toEqual([
      [3, 5],
      [6, 4],
    ]);
  });

  test('of a page of zeros: it costs whoever writes it, one after the other', () => {
    using world = new World();
    const root = world.make(1);
    const [one, two] = [snap(root, 0, 1, { kind }), snap(root, 0, 1, { kind })];
    const family = [root, one, two, snap(one, 0, 1, { kind })];
    family.forEach((vmo, index) => {
      poke(vmo, 0, index + 1);
      family.forEach((other, place) => {
        const written = place <= index;
        expect([peek(other, 0), ...world.costs(other)]).toEqual(written ? [place + 1, '1'] : [0, '0']);
      });
    });
  });

  test('of a part: it sees no more of its parent than that', () => {
    using world = new World();
    const parent = world.tagged(3);
    const child = snap(parent, 1, 3, { kind });
    expect(contents(child)).toEqual([2, 3, 0]);
    expect(world.costs(parent, child)).toEqual(['2', '1']);
    poke(child, 1, 4);
    parent.close();
    expect(contents(child)).toEqual([2, 4, 0]);
    expect(world.costs(child)).toEqual(['2']);
    expect(world.frames).toBe(2);
  });
});

describe('a family of offsets', () => {
  test('parts of a part: freed from the middle', () => {
    using world = new World();
    const root = world.tagged(4);
    const part = snap(root, 1, 3);
    const [one, two] = [snap(part, 0, 2), snap(part, 2, 1)];
    expect([contents(one), contents(two)]).toEqual([[2, 3], [4]]);
    poke(part, 1, 4);
    part.close();
    expect([contents(one), contents(two)]).toEqual([[2, 3], [4]]);
    expect(world.costs(root, one, two)).toEqual(['5/2', '1', '1/2']);
    one.close();
    expect(world.costs(root, two)).toEqual(['7/2', '1/2']);
    two.close();
    expect(world.costs(root)).toEqual(['4']);
  });

  test('a write copies nothing for a child that cannot see it', () => {
    using world = new World();
    const root = world.tagged(2);
    const child = snap(root, 1, 2);
    poke(child, 0, 3);
    expect(world.costs(root, child)).toEqual(['2', '1']);
    const beyond = snap(child, 1, 1);
    poke(child, 0, 4);
    expect(world.costs(root, child, beyond)).toEqual(['2', '1', '0']);
    root.close();
    expect([peek(child, 0), ...world.costs(child)]).toEqual([4, '1']);
    beyond.close();
    expect([peek(child, 0), ...world.costs(child)]).toEqual([4, '1']);
  });

  test('beyond the parent’s end are zeros, which a child of the child sees as it left them', () => {
    using world = new World();
    const root = world.tagged(1);
    const child = snap(root, 0, 2);
    expect(contents(child)).toEqual([1, 0]);
    expect(world.costs(root, child)).toEqual(['1/2', '1/2']);
    poke(child, 1, 2);
    const next = snap(child, 0, 3);
    expect(contents(next)).toEqual([1, 2, 0]);
    expect(world.costs(root, child, next)).toEqual(['1/3', '5/6', '5/6']);
    poke(next, 2, 3);
    expect(world.costs(root, child, next)).toEqual(['1/3', '5/6', '11/6']);
    poke(next, 0, 4);
    poke(next, 1, 5);
    expect(world.costs(root, child, next)).toEqual(['1/2', '3/2', '3']);
    expect([contents(root), contents(child), contents(next)]).toEqual([[1], [1, 2], [4, 5, 3]]);
    child.close();
    expect(world.costs(root, next)).toEqual(['1', '3']);
  });

  test('wholly beyond the parent’s end there are zeros alone', () => {
    using world = new World();
    const root = world.tagged(1);
    const child = snap(root, 2, 2);
    expect(contents(child)).toEqual([0, 0]);
    expect(world.costs(root, child)).toEqual(['1', '0']);
    poke(child, 1, 2);
    const next = snap(child, 0, 3);
    expect(contents(next)).toEqual([0, 2, 0]);
    expect(world.costs(root, child, next)).toEqual(['1', '1/2', '1/2']);
    poke(next, 2, 3);
    expect(world.costs(root, child, next)).toEqual(['1', '1/2', '3/2']);
    expect(snap(root, 2 ** 29, 1).size).toBe(PAGE);
  });

  test('pages that no child sees are written in place, and go with the parent', () => {
    using world = new World();
    const root = world.tagged(3);
    const child = snap(root, 1, 1);
    expect(world.costs(root, child)).toEqual(['5/2', '1/2']);
    world.fill();
    poke(root, 0, 4);
    poke(root, 2, 5);
    expect(world.costs(root, child)).toEqual(['5/2', '1/2']);
    root.close();
    expect([contents(child), world.frames]).toEqual([[2], 1]);
  });

  test('a child of a small child does not see past it', () => {
    using world = new World();
    const root = world.tagged(3);
    expect(contents(snap(snap(root, 1, 1), 0, 2))).toEqual([2, 0]);
  });

  test('siblings of different parts', () => {
    using world = new World();
    const root = world.tagged(3);
    const one = snap(root, 1, 2);
    poke(one, 1, 4);
    const two = snap(root, 0, 1);
    expect(world.costs(root, one, two)).toEqual(['2', '3/2', '1/2']);
    root.close();
    expect([contents(one), contents(two), world.frames]).toEqual([[2, 4], [1], 3]);
  });

  test.each(['before', 'after'])('leaves of disjoint parts, whose parents go %s they are written', (when) => {
    using world = new World();
    const root = world.tagged(4);
    const middle = snap(root, 1, 2);
    const leaves = [snap(root, 0, 1), snap(middle, 0, 1), snap(middle, 1, 1), snap(root, 3, 1)];
    const closeParents = (): void => {
      root.close();
      middle.close();
    };
    if (when === 'before') closeParents();
    expect(leaves.map((leaf) => peek(leaf, 0))).toEqual([1, 2, 3, 4]);
    leaves.forEach((leaf, index) => poke(leaf, 0, index + 5));
    if (when === 'after') closeParents();
    expect(leaves.map((leaf) => peek(leaf, 0))).toEqual([5, 6, 7, 8]);
    expect(world.costs(...leaves)).toEqual(['1', '1', '1', '1']);
    expect(world.frames).toBe(4);
  });

  test('leaves of disjoint parts, closed in every order', () => {
    using world = new World();
    for (const order of orders([0, 1, 2, 3])) {
      const root = world.tagged(4);
      const middle = snap(root, 1, 2);
      const leaves = [snap(root, 0, 1), snap(middle, 0, 1), snap(middle, 1, 1), snap(root, 3, 1)];
      root.close();
      middle.close();
      const left = new Set(order);
      for (const gone of order) {
        leaves[gone]!.close();
        left.delete(gone);
        for (const index of left) {
          expect([peek(leaves[index]!, 0), ...world.costs(leaves[index]!)]).toEqual([index + 1, '1']);
        }
        expect(world.frames).toBe(left.size);
      }
    }
  });

  test('disjoint parts of a part, closed one by one, leave the root whole', () => {
    using world = new World();
    const root = world.tagged(6);
    const middle = snap(root, 1, 5);
    poke(middle, 3, 7);
    const parts = [snap(middle, 1, 4), snap(middle, 4, 1), snap(middle, 2, 1), snap(middle, 10, 1)];
    middle.close();
    for (const index of [0, 2, 3, 1]) parts[index]!.close();
    const last = snap(root, 0, 6);
    const all = [1, 2, 3, 4, 5, 6];
    expect([contents(last), contents(root)]).toEqual([all, all]);
    poke(root, 4, 8);
    expect([contents(last), contents(root)]).toEqual([all, all.with(4, 8)]);
    expect(world.frames).toBe(7);
  });

  test('parts of parts of which nothing is written, closed from above', () => {
    using world = new World();
    const root = world.make(3);
    const middle = snap(root, 1, 2);
    snap(middle, 0, 1);
    snap(root, 2, 1);
    root.close();
    const half = snap(middle, 1, 1);
    middle.close();
    expect(contents(snap(half, 0, 1))).toEqual([0]);
    expect(world.frames).toBe(0);
  });

  test('a chain whose links are one page on', () => {
    using world = new World();
    const root = world.tagged(1);
    const one = snap(root, 0, 1);
    const two = snap(one, 1, 1);
    poke(one, 0, 1);
    one.close();
    expect([peek(root, 0), peek(two, 0), world.frames]).toEqual([1, 0, 1]);
  });
});

describe('many children', () => {
  test('of one page: they are written in every order', () => {
    using world = new World();
    for (const order of orders([0, 1, 2, 3])) {
      const root = world.tagged(1);
      const [one, two] = [snap(root, 0, 1), snap(root, 0, 1)];
      const family = [root, one, two, snap(one, 0, 1)];
      const expected = [1, 1, 1, 1];
      for (const index of order) {
        expected[index] = index + 5;
        poke(family[index]!, 0, index + 5);
        expect(family.map((vmo) => peek(vmo, 0))).toEqual(expected);
      }
      // The last that wrote took the page itself.
      expect(world.frames).toBe(4);
      for (const vmo of family) vmo.close();
    }
  });

  test('the last sharer takes the very frame', () => {
    using world = new World();
    const root = world.tagged(1);
    const frame = frameOfPage(root, 0);
    const children = Array.from({ length: 5 }, () => snap(root, 0, 1));
    for (const child of children) poke(child, 0, 9);
    poke(root, 0, 2);
    expect(frameOfPage(root, 0)).toBe(frame);
    expect(world.frames).toBe(6);
    expect(world.objects.statistics().pagesCopied).toBe(5);
  });

  test('a generation that is gone leaves each page with those that see it', () => {
    using world = new World();
    const root = world.tagged(1);
    const one = snap(root, 0, 1);
    const two = snap(one, 0, 1);
    poke(one, 0, 3);
    poke(two, 0, 4);
    expect(world.costs(root, one, two)).toEqual(['1', '1', '1']);
    root.close();
    expect([peek(one, 0), peek(two, 0), world.frames]).toEqual([3, 4, 2]);
    one.close();
    expect([peek(two, 0), ...world.costs(two)]).toEqual([4, '1']);
  });

  test('siblings of which the eldest goes: pages are passed on, not copied', () => {
    using world = new World();
    const root = world.make(2);
    poke(root, 0, 1);
    const [one, two, three] = [snap(root, 0, 2), snap(root, 1, 1), snap(root, 0, 2)];
    poke(three, 0, 2);
    poke(one, 0, 3);
    expect([one, three, root].map((vmo) => peek(vmo, 0))).toEqual([3, 2, 1]);
    expect(world.costs(root, one, two, three)).toEqual(['1', '1', '0', '1']);
  });

  const tagsWith = (index: number): number[] => [1, 2, 3, 4, 5, 6].with(index, 8);

  test.each(['closed', 'cut to nothing'])('are %s one by one, and the others pay for what is left', (how) => {
    using world = new World();
    const root = world.tagged(6, { resizable: true });
    const children = [1, 2, 3, 4, 5].map((page) => {
      const child = snap(root, 0, 6, { resizable: true });
      poke(child, page, 8);
      return child;
    });
    const leave = (vmo: Plain): void => (how === 'closed' ? vmo.close() : vmo.resizeSync(0));
    const expectLeft = (from: number): void =>
      children.forEach((child, index) => {
        if (index >= from) expect(contents(child)).toEqual(tagsWith(index + 1));
      });
    expect(world.costs(root, ...children)).toEqual(['7/6', ...Array.from({ length: 5 }, () => '59/30')]);
    expectLeft(0);
    leave(root);
    expect(world.costs(...children)).toEqual(Array.from({ length: 5 }, () => '11/5'));
    expectLeft(0);
    for (const child of children.slice(0, 3)) leave(child);
    expect(world.costs(children[3]!, children[4]!)).toEqual(['4', '4']);
    expectLeft(3);
    expect(world.frames).toBe(8);
  });
});

describe('what a snapshot costs', () => {
  test('is the same for 4 TiB as for a page, and nothing in frames', () => {
    using world = new World();
    const root = world.objects.create({ size: 4 * TIB });
    for (const page of [0, 1, 2 ** 20, 2 ** 29, 2 ** 30 - 1]) poke(root, page, 7);
    world.fill();
    const child = root.createChild({ kind: 'snapshot' });
    expect([peek(child, 2 ** 30 - 1), peek(child, 2 ** 29), peek(child, 5)]).toEqual([7, 7, 0]);
    expect(world.frames).toBe(5);
    expect(child.committedBytes).toBe(5 * PAGE);
    world.giveBack();
    poke(child, 2 ** 29, 8);
    expect([peek(root, 2 ** 29), peek(child, 2 ** 29), world.frames]).toEqual([7, 8, 6]);
  });

  test('never is more than copies would be: a page for each that differs', () => {
    using world = new World();
    const root = world.tagged(8);
    let last = root;
    for (let generation = 1; generation <= 10; generation++) {
      last = snap(last, 0, 8);
      poke(last, generation % 8, 100 + generation);
      expect(world.frames).toBe(8 + generation);
    }
    expect(contents(root)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  test('the first write to a shared page wants one frame, all or nothing', () => {
    using world = new World();
    const root = world.tagged(4);
    const child = snap(root, 0, 4);
    expectAllOrNothing(world, 3, () => child.writeSync(PAGE - 1, new Uint8Array(PAGE + 2).fill(5)));
    expect(contents(root)).toEqual([1, 2, 3, 4]);
    expect(readAll(child).subarray(PAGE - 1, 2 * PAGE + 1)).toEqual(new Uint8Array(PAGE + 2).fill(5));
    expect([peek(child, 0), peek(child, 3), world.frames]).toEqual([1, 4, 7]);
  });

  test('clones made and closed a thousand times leave nothing', () => {
    using world = new World();
    const root = world.tagged(2);
    for (let time = 0; time < 1000; time++) {
      using child = snap(root, 0, 2);
      poke(time % 2 === 0 ? child : root, time % 2, time);
    }
    expect(world.frames).toBe(2);
  });

  test('a page that was zeroed in one clone is written in the next', () => {
    using world = new World();
    const root = world.make(3);
    poke(root, 1, 2);
    const first = snap(root, 0, 3);
    poke(first, 1, 3);
    first.zeroSync(pages(1, 1));
    first.close();
    const second = snap(root, 0, 3);
    poke(second, 1, 4);
    expect([contents(root), contents(second), world.frames]).toEqual([[0, 2, 0], [0, 4, 0], 2]);
  });
});

test('a snapshot is an object of its own: name, kind, size and whether it can be resized', () => {
  using world = new World();
  const root = world.objects.create({ size: 100, name: 'heap' });
  const child = root.createChild({ kind: 'snapshot', size: 5000, resizable: true, name: 'before' });
  expect([child.name, child.kind, child.size, child.resizable]).toEqual(['before', 'snapshot', 5000, true]);
  expect([root.name, root.kind, root.size, root.resizable]).toEqual(['heap', 'anonymous', 100, false]);
  const other = snap(root, 0, 1, { kind: 'snapshot-modified' });
  expect(other.name).toMatch(/^snapshot-modified \d+$/);
  expect(world.objects.statistics()).toMatchObject({ objects: 3, snapshots: 2 });
});

test('a snapshot that ends inside a page does not show the rest of it when it grows', () => {
  using world = new World();
  const root = world.make(2);
  root.writeSync(0, new Uint8Array(2 * PAGE).fill(7));
  const child = root.createChild({ kind: 'snapshot', size: 100, resizable: true });
  const beyond = child.createChild({ kind: 'snapshot', size: PAGE });
  child.resizeSync(2 * PAGE);
  const seen = new Uint8Array(2 * PAGE).fill(7, 0, 100);
  expect(readAll(child)).toEqual(seen);
  expect(readAll(beyond)).toEqual(seen.subarray(0, PAGE));
  expect(contents(root)).toEqual([0x0707_0707, 0x0707_0707]);
});
