/**
 * What seed 001 says that a memory object is, sentence by sentence: its doc comments on features, flags, capabilities and
 * rights. What it does otherwise than it says is in seed-001.test.ts.
 */
import { describe, expect, test } from 'vitest';
import { physAddr } from '../../src/frame/index.js';
import { type Right, RIGHTS, type Vmo } from '../../src/vmo/index.js';
import {
  contents,
  expectRefusal,
  frameOfPage,
  NotingPager,
  PAGE,
  pages,
  peek,
  poke,
  readAll,
  snap,
  SNAPSHOT_KINDS,
  word,
  World,
} from './family.js';

describe('“a type of capability that represents a range of memory pages”', () => {
  test('its size is given in bytes, and its storage in pages', () => {
    using world = new World();
    const vmo = world.objects.create({ size: 2 * PAGE + 1 });
    vmo.commitSync();
    expect([vmo.size, vmo.committedBytes, world.frames]).toEqual([2 * PAGE + 1, 3 * PAGE, 3]);
  });

  test('whoever has no capability to it has no way to it, and it is gone', () => {
    using world = new World();
    const vmo = world.tagged(2);
    vmo.close();
    expect([world.frames, world.objects.statistics().objects]).toEqual([0, 0]);
  });
});

describe('“I/O interface: read and write methods to access the memory pages that it contains”', () => {
  test('at any offset, of any length, within pages and across them', async () => {
    using world = new World();
    const vmo = world.make(4);
    const expected = new Uint8Array(4 * PAGE);
    const ranges = [
      [0, 1],
      [PAGE - 1, 2],
      [5, 15],
      [6, 16],
      [7, 17],
      [PAGE, PAGE],
      [PAGE - 3, 2 * PAGE + 6],
      [3 * PAGE + 1, PAGE - 1],
      [0, 4 * PAGE],
    ] as const;
    for (const [index, [offset, length]] of ranges.entries()) {
      const bytes = Uint8Array.from({ length }, (_, at) => (at * 7 + index + 1) % 256);
      expected.set(bytes, offset);
      if (index % 2 === 0) vmo.writeSync(offset, bytes);
      else await vmo.write(offset, bytes);
      expect(readAll(vmo)).toEqual(expected);
      for (const [from, count] of ranges) {
        const read = index % 2 === 1 ? vmo.readSync(from, new Uint8Array(count)) : undefined;
        expect(read ?? (await vmo.read(from, new Uint8Array(count)))).toEqual(
          expected.slice(from, from + count),
        );
      }
    }
  });

  test('a read fills the array that it was given, whatever was there, and gives it back', async () => {
    using world = new World();
    const vmo = world.tagged(1);
    const into = new Uint8Array(8).fill(0xee);
    expect(vmo.readSync(0, into)).toBe(into);
    expect([...into]).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
    expect(await vmo.read(PAGE - 8, into)).toBe(into);
    expect([...into]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test('bytes of RAM may be written from, and read into: those of a view too', () => {
    using world = new World();
    const vmo = world.tagged(2);
    const other = world.tagged(2);
    using view = other.viewSync({ offset: PAGE, length: 8 });
    vmo.writeSync(4, view.pieces[0]!.bytes);
    expect([...vmo.readSync(0, new Uint8Array(8))]).toEqual([1, 0, 0, 0, 2, 0, 0, 0]);
    vmo.readSync(0, view.pieces[0]!.bytes);
    expect([peek(other, 1), other.readSync(PAGE + 4, new Uint8Array(1))]).toEqual([1, Uint8Array.of(2)]);
  });
});

describe('“on-demand paging: the memory pages are allocated lazily when the page is first accessed”', () => {
  test('by a write; a read of what is not there is of zeros, and allocates nothing', () => {
    using world = new World();
    const vmo = world.make(3);
    expect([peek(vmo, 1), world.frames]).toEqual([0, 0]);
    poke(vmo, 1, 1);
    expect([0, 1, 2].map((page) => vmo.isCommitted(page * PAGE))).toEqual([false, true, false]);
  });

  test('“except for contiguous VMOs”: they are allocated upon the creation, rather than on demand', () => {
    using world = new World();
    const vmo = world.make(3, { contiguous: true });
    expect([0, 1, 2].map((page) => vmo.isCommitted(page * PAGE))).toEqual([true, true, true]);
    world.fill();
    vmo.writeSync(0, new Uint8Array(3 * PAGE).fill(1));
    expect(world.frames).toBe(3);
  });
});

describe('“tree structure: given a VMO, one can create a child VMO from it”', () => {
  test('“which can only access a subset of the parent’s memory”', () => {
    using world = new World();
    const root = world.tagged(4);
    const slice = root.createChild({ kind: 'slice', offset: PAGE, size: 2 * PAGE });
    const copy = snap(root, 1, 2);
    for (const child of [slice, copy]) {
      expect(contents(child)).toEqual([2, 3]);
      for (const offset of [-PAGE, -1, 2 * PAGE, 3 * PAGE]) {
        expectRefusal(world, () => child.readSync(offset, new Uint8Array(1)), 'EINVAL', 'not within');
        expectRefusal(world, () => child.writeSync(offset, new Uint8Array(1)), 'EINVAL', 'not within');
        expectRefusal(world, () => child.page(offset, 'write'), 'EINVAL', 'not within');
        expectRefusal(world, () => child.commitSync({ offset, length: 1 }), 'EINVAL', 'not within');
      }
    }
    // Nor can a child of the child.
    expectRefusal(
      world,
      () => slice.createChild({ kind: 'slice', offset: PAGE, size: 2 * PAGE }),
      'EINVAL',
      'not within',
    );
    expect(contents(snap(slice, 0, 4))).toEqual([2, 3, 0, 0]);
  });

  test('to any depth, and a child outlives its parent', () => {
    using world = new World();
    let last = world.tagged(8);
    for (let depth = 1; depth < 8; depth++) {
      const child =
        depth % 2 === 0 ? snap(last, 1, 8 - depth) : last.createChild({ kind: 'slice', offset: PAGE });
      last.close();
      last = child;
    }
    expect([contents(last), world.frames]).toEqual([[8], 1]);
  });
});

describe('“copy-on-write: prevents any writes on the child from affecting the parent”', () => {
  test.each(SNAPSHOT_KINDS)('%s: “by duplicating memory pages only upon the first writes”', (kind) => {
    using world = new World();
    const root = world.tagged(3);
    const child = snap(root, 0, 3, { kind });
    expect([frameOfPage(child, 1), world.frames]).toEqual([frameOfPage(root, 1), 3]);
    const { pagesCopied } = world.objects.statistics();
    for (const value of [5, 6, 7]) {
      poke(child, 1, value);
      expect([peek(root, 1), peek(child, 1), world.frames]).toEqual([2, value, 4]);
    }
    expect(world.objects.statistics().pagesCopied - pagesCopied).toBe(1);
    expect([0, 2].map((page) => frameOfPage(child, page))).toEqual(
      [0, 2].map((page) => frameOfPage(root, page)),
    );
    for (const change of [
      () => child.clearSync(),
      () => child.zeroSync(),
      () => child.commitSync(),
      () => child.decommit(),
      () => child.viewSync().close(),
      () => child.page(0, 'write')!.close(),
    ]) {
      change();
      expect(contents(root)).toEqual([1, 2, 3]);
    }
  });
});

describe('“access control: VMOs restrict the accessible range of memory and the allowed I/O operations”', () => {
  test('a part of an object, to be read alone', () => {
    using world = new World();
    const root = world.tagged(3);
    const given = root.createChild({ kind: 'slice', offset: PAGE, size: PAGE, rights: ['read'] }).toDyn();
    expect(contents(given)).toEqual([2]);
    expectRefusal(world, () => peek(given, 1), 'EINVAL', 'not within');
    expectRefusal(world, () => poke(given, 0, 1), 'EACCES', 'needs the right write');
    expectRefusal(world, () => given.duplicate(), 'EACCES', 'needs the right dup');
  });
});

describe('“device driver support: physically contiguous memory pages starting at a target address”', () => {
  test('if specified upon creation', () => {
    using world = new World();
    const at = physAddr(200 * PAGE);
    const vmo = world.make(4, { contiguous: { at }, dma: true });
    expect([0, 1, 2, 3].map((page) => vmo.physicalAddress(page * PAGE))).toEqual(
      [200, 201, 202, 203].map((frame) => frame * PAGE),
    );
  });

  test('DMA: what the device writes to those addresses is in the object, and the other way', () => {
    using world = new World();
    const vmo = world.make(1, { dma: true });
    world.memory.bytes.set(word(77), vmo.physicalAddress(40));
    expect(vmo.readSync(40, new Uint8Array(1))).toEqual(Uint8Array.of(77));
    vmo.writeSync(41, Uint8Array.of(78));
    expect(world.memory.bytes[vmo.physicalAddress(41)]).toBe(78);
  });
});

describe('“file system support”', () => {
  test('“by default, a VMO’s memory pages are initially all zeros”, whatever the frames held', () => {
    using world = new World(256 * 1024);
    const last = world.make(world.memory.freeFrames);
    last.writeSync(0, new Uint8Array(last.size).fill(0xff));
    last.close();
    const vmo = world.make(world.memory.freeFrames);
    vmo.commitSync();
    expect(readAll(vmo)).toEqual(new Uint8Array(vmo.size));
  });

  test('“if a VMO is attached to a pager upon creation, its pages will be populated by the pager”', () => {
    using world = new World();
    const pager = new NotingPager();
    const vmo = world.make(3, { pager });
    expect([contents(vmo), vmo.kind]).toEqual([[100, 101, 102], 'paged']);
    // A page cache: no page is asked for twice.
    expect(contents(vmo)).toEqual([100, 101, 102]);
    expect(pager.news).toEqual(['commit 0+1', 'commit 1+1', 'commit 2+1']);
    poke(vmo, 1, 5);
    vmo.decommit(pages(0, 1));
    expect(pager.news).toEqual(['update 1+1', 'decommit 0+1']);
    expect(peek(vmo, 0)).toBe(100);
    expect(pager.news).toEqual(['commit 0+1']);
  });
});

describe('the rights', () => {
  const ALL = ['dup', 'read', 'write', 'exec'] as const;

  /** What a capability with all rights but one can do. */
  const without = (world: World, right: Right): Vmo => {
    const vmo = world.objects.create({ size: PAGE, rights: ALL, resizable: true });
    return vmo.restrict(...RIGHTS.filter((each) => each !== right)).toDyn();
  };

  test('“the Dup right allows duplicating a VMO and creating children out of a VMO”', () => {
    using world = new World();
    const vmo = without(world, 'dup');
    expectRefusal(world, () => vmo.duplicate(), 'EACCES', 'duplicate needs the right dup');
    for (const kind of ['slice', 'reference', ...SNAPSHOT_KINDS] as const) {
      expectRefusal(world, () => vmo.createChild({ kind }), 'EACCES', 'needs the right dup');
    }
    poke(vmo, 0, peek(vmo, 0));
  });

  test('“the Read, Write, Exec rights allow creating memory mappings with such permissions”', () => {
    using world = new World();
    const [writer, reader] = [without(world, 'read'), without(world, 'write')];
    expectRefusal(world, () => writer.page(0, 'read'), 'EACCES', 'needs the right read');
    expectRefusal(world, () => reader.page(0, 'write'), 'EACCES', 'needs the right write');
    expect(without(world, 'exec').rights).toEqual(['dup', 'read', 'write']);
  });

  test('“the Read and Write rights allow the VMO to be read from and written to directly”', () => {
    using world = new World();
    const [reader, writer] = [without(world, 'write'), without(world, 'read')];
    expectRefusal(world, () => peek(writer, 0), 'EACCES', 'readSync needs the right read');
    expectRefusal(world, () => poke(reader, 0, 1), 'EACCES', 'writeSync needs the right write');
    expect(peek(reader, 0)).toBe(0);
    poke(writer, 0, 1);
  });

  test('“the Write right allows resizing a resizable VMO”', () => {
    using world = new World();
    const reader = without(world, 'write');
    expectRefusal(world, () => reader.resizeSync(0), 'EACCES', 'resize needs the right write');
    without(world, 'read').resizeSync(2 * PAGE);
    const fixed = world.make(1);
    expectRefusal(world, () => fixed.resizeSync(0), 'ENOTSUP', 'was not made resizable');
  });

  test('“two flavors of capabilities: the dynamic one and the static one”, which become each other', () => {
    using world = new World();
    const reader: Vmo<'read'> = world.tagged(1).restrict('read');
    const dynamic: Vmo = reader.toDyn();
    expect([dynamic.rights, peek(dynamic, 0)]).toEqual([['read'], 1]);
    const again: Vmo<'read'> = dynamic.restrict('read');
    expect([again.rights, peek(again, 0)]).toEqual([['read'], 1]);
    expectRefusal(world, () => again.toDyn().restrict('write'), 'EACCES', 'needs the right write');
  });
});
