/** Reports: a family's state tables, drawn again after each event. */
import { expect, test } from 'vitest';
import { physAddr } from '../../src/frame/index.js';
import { inspect, type Vmo } from '../../src/vmo/index.js';
import { NotingPager, PAGE, pages, peek, poke, SlowPager, snap, World } from './family.js';

/** Fails unless the report is this text, which may stand indented, on lines of its own. */
const expectReport = (vmo: Vmo<never>, text: string): void => {
  const lines = text.split('\n').slice(1, -1);
  const indent = Math.min(...lines.map((line) => /^ */.exec(line)![0].length));
  // A line begins with a star, or with a space in its place.
  const starred = lines.some((line) => line[indent] === '*');
  expect(inspect(vmo)).toBe(lines.map((line) => line.slice(starred ? indent : indent - 2)).join('\n'));
};

test('memory without a pager: zeros, frames of its own, shared ones, and what a child has written', () => {
  using world = new World();
  const heap = world.make(4, { name: 'heap' });
  expectReport(
    heap,
    `
    * heap (anonymous, 16384 bytes)
          0x0-0x4000 -> zeros
    `,
  );
  for (const page of [0, 1, 3]) poke(heap, page, 1);
  expectReport(
    heap,
    `
    * heap (anonymous, 16384 bytes)
          0x0-0x2000 -> frames 0x4-0x5, own
          0x2000-0x3000 -> zeros
          0x3000-0x4000 -> frame 0x6, own
    `,
  );
  const copy = snap(heap, 0, 6, { name: 'copy' });
  expectReport(
    copy,
    `
      heap (anonymous, 16384 bytes)
          0x0-0x2000 -> frames 0x4-0x5, shared by 2
          0x2000-0x3000 -> zeros
          0x3000-0x4000 -> frame 0x6, shared by 2
    *     copy (snapshot, 24576 bytes)
              0x0-0x2000 -> frames 0x4-0x5, shared by 2
              0x2000-0x3000 -> zeros
              0x3000-0x4000 -> frame 0x6, shared by 2
              0x4000-0x6000 -> zeros
    `,
  );
  poke(copy, 1, 2);
  expectReport(
    heap,
    `
    * heap (anonymous, 16384 bytes)
          0x0-0x1000 -> frame 0x4, shared by 2
          0x1000-0x2000 -> frame 0x5, own
          0x2000-0x3000 -> zeros
          0x3000-0x4000 -> frame 0x6, shared by 2
          copy (snapshot, 24576 bytes)
              0x0-0x1000 -> frame 0x4, shared by 2
              0x1000-0x2000 -> frame 0x7, own
              0x2000-0x3000 -> zeros
              0x3000-0x4000 -> frame 0x6, shared by 2
              0x4000-0x6000 -> zeros
    `,
  );
  heap.close();
  copy.zeroSync(pages(3, 1));
  expectReport(
    copy,
    `
    * copy (snapshot, 24576 bytes)
          0x0-0x1000 -> frame 0x4, own
          0x1000-0x2000 -> frame 0x7, own
          0x2000-0x6000 -> zeros
    `,
  );
});

test('an object with a pager: what it has asked for, changed, and is writing back', async () => {
  using world = new World();
  const pager = new NotingPager();
  const file = world.objects.create({ size: 5 * PAGE, pager, name: 'file' });
  expectReport(
    file,
    `
    * file (paged, 20480 bytes)
          0x0-0x5000 -> pager
    `,
  );
  for (const page of [1, 2]) peek(file, page);
  poke(file, 2, 1);
  file.zeroSync(pages(4, 1));
  expectReport(
    file,
    `
    * file (paged, 20480 bytes)
          0x0-0x1000 -> pager
          0x1000-0x2000 -> frame 0x4, own, clean
          0x2000-0x3000 -> frame 0x5, own, dirty
          0x3000-0x4000 -> pager
          0x4000-0x5000 -> zeros, dirty
    `,
  );
  let taken = (): void => {};
  pager.writeBack = () => new Promise<void>((resolve) => (taken = resolve));
  const synced = file.sync(pages(2, 1));
  expectReport(
    file,
    `
    * file (paged, 20480 bytes)
          0x0-0x1000 -> pager
          0x1000-0x2000 -> frame 0x4, own, clean
          0x2000-0x3000 -> frame 0x5, own, awaiting-clean
          0x3000-0x4000 -> pager
          0x4000-0x5000 -> zeros, dirty
    `,
  );
  taken();
  await synced;
  file.decommit(pages(1, 1));
  expectReport(
    file,
    `
    * file (paged, 20480 bytes)
          0x0-0x2000 -> pager
          0x2000-0x3000 -> frame 0x5, own, clean
          0x3000-0x4000 -> pager
          0x4000-0x5000 -> zeros, dirty
    `,
  );
});

test('snapshots of an object with a pager, live and frozen; and when it grows, and is closed', () => {
  using world = new World();
  const file = world.objects.create({
    size: 4 * PAGE,
    pager: new NotingPager(),
    name: 'file',
    resizable: true,
  });
  peek(file, 1);
  const live = snap(file, 1, 3, { name: 'live', kind: 'snapshot-at-least-on-write' });
  const frozen = snap(file, 0, 4, { name: 'frozen' });
  poke(live, 1, 5);
  expectReport(
    live,
    `
      file (paged, 16384 bytes)
          0x0-0x1000 -> pager
          0x1000-0x2000 -> frame 0x4, shared by 2, clean
          0x2000-0x3000 -> frame 0x5, own, clean
          0x3000-0x4000 -> pager
    *     live (snapshot-at-least-on-write, 12288 bytes)
              0x0-0x1000 -> file from 0x1000, live
              0x1000-0x2000 -> frame 0x6, own
              0x2000-0x3000 -> file from 0x3000, live
          frozen (snapshot, 16384 bytes)
              0x0-0x1000 -> file from 0x0, as it was
              0x1000-0x2000 -> frame 0x4, shared by 2
              0x2000-0x4000 -> file from 0x2000, as it was
    `,
  );
  file.resizeSync(6 * PAGE);
  poke(file, 1, 9);
  expectReport(
    file,
    `
    * file (paged, 24576 bytes)
          0x0-0x1000 -> pager
          0x1000-0x2000 -> frame 0x7, own, dirty
          0x2000-0x3000 -> frame 0x5, own, clean
          0x3000-0x4000 -> pager
          0x4000-0x6000 -> zeros
          live (snapshot-at-least-on-write, 12288 bytes)
              0x0-0x1000 -> file from 0x1000, live
              0x1000-0x2000 -> frame 0x6, own
              0x2000-0x3000 -> file from 0x3000, live
          frozen (snapshot, 16384 bytes)
              0x0-0x1000 -> file from 0x0, as it was
              0x1000-0x2000 -> frame 0x4, own
              0x2000-0x4000 -> file from 0x2000, as it was
    `,
  );
  file.close({ unwritten: 'discard' });
  frozen.close();
  // What nobody sees any more is gone.
  expectReport(
    live,
    `
      file (paged, 24576 bytes, closed)
          0x0-0x1000 -> pager
          0x1000-0x2000 -> frame 0x7, own, dirty
          0x2000-0x4000 -> pager
          0x4000-0x6000 -> zeros
    *     live (snapshot-at-least-on-write, 12288 bytes)
              0x0-0x1000 -> file from 0x1000, live
              0x1000-0x2000 -> frame 0x6, own
              0x2000-0x3000 -> file from 0x3000, live
    `,
  );
});

test('a slice is its object, which is marked; and what only slices reach', () => {
  using world = new World();
  const heap = world.make(3, { name: 'heap' });
  heap.commitSync();
  const slice = heap.createChild({ kind: 'slice', offset: PAGE, size: PAGE });
  expect(inspect(slice)).toBe(inspect(heap));
  heap.close();
  expectReport(
    slice,
    `
    * heap (anonymous, 12288 bytes)
          0x0-0x1000 -> zeros
          0x1000-0x2000 -> frame 0x5, own
          0x2000-0x3000 -> zeros
    `,
  );
});

test('pages in an open view, and a device’s, are pinned', () => {
  using world = new World();
  const heap = world.make(3, { name: 'heap' });
  const view = heap.viewSync(pages(1, 1));
  expectReport(
    heap,
    `
    * heap (anonymous, 12288 bytes)
          0x0-0x1000 -> zeros
          0x1000-0x2000 -> frame 0x4, own, pinned
          0x2000-0x3000 -> zeros
    `,
  );
  view.close();
  expect(inspect(heap)).not.toContain('pinned');
  expectReport(
    world.make(2, { dma: true, contiguous: { at: physAddr(16 * PAGE) }, name: 'ring' }),
    `
    * ring (dma, 8192 bytes)
          0x0-0x2000 -> frames 0x10-0x11, own, pinned
    `,
  );
});

test('generations stand below each other, and move up when one goes', () => {
  using world = new World();
  const one = world.make(1, { name: 'one' });
  poke(one, 0, 1);
  const two = snap(one, 0, 1, { name: 'two' });
  const three = snap(two, 0, 1, { name: 'three' });
  snap(one, 0, 0, { name: 'four' });
  expectReport(
    three,
    `
      one (anonymous, 4096 bytes)
          0x0-0x1000 -> frame 0x4, shared by 3
          two (snapshot, 4096 bytes)
              0x0-0x1000 -> frame 0x4, shared by 3
    *         three (snapshot, 4096 bytes)
                  0x0-0x1000 -> frame 0x4, shared by 3
          four (snapshot, 0 bytes)
    `,
  );
  two.close();
  expectReport(
    three,
    `
      one (anonymous, 4096 bytes)
          0x0-0x1000 -> frame 0x4, shared by 2
          four (snapshot, 0 bytes)
    *     three (snapshot, 4096 bytes)
              0x0-0x1000 -> frame 0x4, shared by 2
    `,
  );
});

test('of 4 TiB with three pages is as short as they are few', () => {
  using world = new World();
  const vmo = world.objects.create({ size: 2 ** 42, name: 'disk' });
  for (const page of [0, 2 ** 20, 2 ** 30 - 1]) poke(vmo, page, 1);
  expectReport(
    vmo,
    `
    * disk (anonymous, 4398046511104 bytes)
          0x0-0x1000 -> frame 0x4, own
          0x1000-0x100000000 -> zeros
          0x100000000-0x100001000 -> frame 0x5, own
          0x100001000-0x3fffffff000 -> zeros
          0x3fffffff000-0x40000000000 -> frame 0x6, own
    `,
  );
});

test('asks no pager, changes nothing, and needs an open capability', async () => {
  using world = new World();
  const pager = new SlowPager();
  const vmo = world.make(2, { pager });
  const before = inspect(vmo);
  expect(inspect(vmo)).toBe(before);
  expect(pager.calls).toEqual([]);
  const under = vmo.read(0, new Uint8Array(1));
  expect(inspect(vmo)).toBe(before);
  await pager.answer();
  await under;
  const closed = vmo.duplicate();
  closed.close();
  expect(() => inspect(closed)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  const stale = vmo.duplicate();
  stale.revoke();
  expect(() => inspect(stale)).toThrow(expect.objectContaining({ code: 'ESTALE' }));
});
