/** Whose the frames are: private, shared and fractional bytes, which sum to the frames in use. */
import { describe, expect, test } from 'vitest';
import { addFractions, type Fraction } from '../../src/vmo/index.js';
import { inPages, NotingPager, PAGE, pages, peek, poke, snap, World } from './family.js';

const fraction = (numerator: bigint | number, denominator: bigint | number = 1n): Fraction => ({
  numerator: BigInt(numerator),
  denominator: BigInt(denominator),
});

/** The parts of all objects sum to the frames that objects have, exactly. */
const expectSum = (world: World): void => {
  const sum = world.objects
    .attribution()
    .reduce((all, { fractionalBytes }) => addFractions(all, fractionalBytes), fraction(0));
  expect(sum).toEqual(fraction(world.frames * PAGE));
};

describe('attribution', () => {
  test('of an object alone: what it has written, all private', () => {
    using world = new World();
    const vmo = world.make(3, { name: 'heap' });
    const empty = { name: 'heap', kind: 'anonymous', isHidden: false, privateBytes: 0, sharedBytes: 0 };
    expect(world.attribution(vmo)).toMatchObject({ ...empty, fractionalBytes: fraction(0) });
    poke(vmo, 1, 1);
    expect(world.attribution(vmo)).toMatchObject({
      ...empty,
      privateBytes: PAGE,
      fractionalBytes: fraction(PAGE),
    });
    // To read costs nothing.
    expect(peek(vmo, 2)).toBe(0);
    vmo.clearSync();
    expect(world.attribution(vmo)).toMatchObject({ privateBytes: 3 * PAGE, sharedBytes: 0 });
    vmo.zeroSync(pages(0, 1));
    expect(world.attribution(vmo)).toMatchObject({ privateBytes: 2 * PAGE, sharedBytes: 0 });
  });

  test('of shared frames: each owner counts them whole as shared, and by its part', () => {
    using world = new World();
    const root = world.tagged(3);
    const one = snap(root, 0, 3);
    const two = snap(root, 0, 1);
    poke(one, 2, 9);
    expect(world.attribution(root)).toMatchObject({
      privateBytes: PAGE,
      sharedBytes: 2 * PAGE,
      fractionalBytes: fraction((PAGE * 11) / 2, 3),
    });
    expect(world.costs(root, one, two)).toEqual(['11/6', '11/6', '1/3']);
    expect(world.attribution(two)).toMatchObject({ privateBytes: 0, sharedBytes: PAGE });
    expectSum(world);
  });

  test('is in lowest terms, and exact where no number of bytes is', () => {
    using world = new World();
    const root = world.tagged(1);
    const [one, two] = [snap(root, 0, 1), snap(root, 0, 1)];
    for (const vmo of [root, one, two]) {
      expect(world.attribution(vmo).fractionalBytes).toEqual(fraction(PAGE, 3));
    }
    const rest = Array.from({ length: 4 }, () => snap(root, 0, 1));
    expect(world.attribution(rest[0]!).fractionalBytes).toEqual(fraction(PAGE, 7));
    rest.pop()!.close();
    expect(world.attribution(root).fractionalBytes).toEqual(fraction(PAGE / 2, 3));
    expectSum(world);
  });

  test('a page zeroed in one of three is the other two’s, half each', () => {
    using world = new World();
    const root = world.tagged(1);
    const [one, two] = [snap(root, 0, 1), snap(root, 0, 1)];
    root.zeroSync();
    expect(world.costs(root, one, two)).toEqual(['0', '1/2', '1/2']);
    expectSum(world);
  });

  test('slices and references are their object, once; and are charged when it is theirs alone', () => {
    using world = new World();
    const root = world.tagged(3);
    const slice = root.createChild({ kind: 'slice', offset: PAGE, size: PAGE });
    const reference = root.createChild({ kind: 'reference' });
    expect(world.objects.attribution()).toHaveLength(1);
    root.close();
    expect(world.attribution(reference)).toMatchObject({ privateBytes: 3 * PAGE, isHidden: false });
    reference.close();
    expect(world.attribution(slice)).toMatchObject({ privateBytes: PAGE, sharedBytes: 0 });
    expectSum(world);
  });

  test('what an object sees of its base is the base’s; the base that is hidden is charged with it', () => {
    using world = new World();
    const root = world.make(3, { pager: new NotingPager(), name: 'file' });
    const child = snap(root, 0, 3, { kind: 'snapshot-at-least-on-write' });
    expect([peek(child, 0), peek(child, 1)]).toEqual([100, 101]);
    poke(child, 1, 5);
    expect(world.costs(root, child)).toEqual(['2', '1']);
    root.close();
    const [file, copy] = world.objects.attribution();
    // Its page 1 nobody sees any more.
    expect(file).toMatchObject({ name: 'file', isHidden: true, privateBytes: PAGE });
    expect(copy).toMatchObject({ isHidden: false, privateBytes: PAGE });
    expectSum(world);
  });

  test('of a snapshot of an object with a pager: half of what was there, and all of what came after', () => {
    using world = new World();
    const root = world.make(3, { pager: new NotingPager() });
    expect(peek(root, 0)).toBe(100);
    const copy = snap(root, 0, 3);
    expect(world.costs(root, copy)).toEqual(['1/2', '1/2']);
    expect(peek(root, 1)).toBe(101);
    expect(world.costs(root, copy)).toEqual(['3/2', '1/2']);
    // The first change gives the page to the snapshot.
    poke(root, 1, 7);
    expect([...world.costs(root, copy), peek(copy, 1)]).toEqual(['3/2', '3/2', 101]);
    expectSum(world);
  });

  test('of contiguous objects: all of it, and a clone has copies', () => {
    using world = new World();
    const root = world.make(4, { contiguous: true });
    const copy = snap(root, 1, 2);
    expect(world.costs(root, copy)).toEqual(['4', '2']);
    expect(world.attribution(copy)).toMatchObject({ privateBytes: 2 * PAGE, sharedBytes: 0 });
    expectSum(world);
  });

  test('sums to the frames after each of many changes, over generations', () => {
    using world = new World();
    const family = [world.tagged(40)];
    for (let step = 1; step <= 60; step++) {
      const parent = family[(step * 7) % family.length]!;
      if (step % 3 === 0) family.push(snap(parent, step % 5, 30 + (step % 20)));
      poke(family[(step * 5) % family.length]!, step % 30, 1000 + step);
      if (step % 7 === 0) family[(step * 3) % family.length]!.zeroSync(pages(step % 20, 3));
      if (step % 10 === 0) family.splice((step * 11) % family.length, 1)[0]!.close();
      expectSum(world);
    }
    expect(family.length).toBeGreaterThan(10);
  });
});

test('fractions are added exactly, in lowest terms', () => {
  expect(addFractions(fraction(1, 3), fraction(1, 6))).toEqual(fraction(1, 2));
  expect(addFractions(fraction(0), fraction(0, 5))).toEqual(fraction(0));
  expect(addFractions(fraction(1, 2), fraction(1, 2))).toEqual(fraction(1));
  expect(addFractions(fraction(2n ** 70n, 3), fraction(1, 3))).toEqual(fraction(2n ** 70n + 1n, 3));
  expect(inPages(fraction(4096 * 5, 6))).toBe('5/6');
});
