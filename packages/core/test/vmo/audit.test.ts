/** The audit: it names damage that is planted, and nothing else. */
import { describe, expect, test } from 'vitest';
import { Usage } from '../../src/frame/index.js';
import { METADATA_LISTS, METADATA_OWNER } from '../../src/frame/slot.js';
import type { MemoryObject } from '../../src/vmo/memory-object.js';
import { SLOT_DIRTY, SLOT_SAVING, SLOT_ZERO } from '../../src/vmo/page-slot.js';
import { frameOfPage, NotingPager, type Plain, poke, PAGE, peek, snap, World } from './family.js';

describe('an audit names', () => {
  const damaged = (damage: (world: World, vmo: Plain, copy: Plain) => () => void): string[] => {
    using world = new World();
    const vmo = world.tagged(70, { name: 'heap' });
    const copy = snap(vmo, 0, 70, { name: 'copy' });
    poke(copy, 0, 5);
    world.check();
    const repair = damage(world, vmo, copy);
    const problems = world.objects.audit();
    repair();
    return problems;
  };

  test('a frame whose slots are counted wrongly', () => {
    const problems = damaged(({ memory }, vmo) => {
      const at = (memory.metadata(frameOfPage(vmo, 69)!) + METADATA_LISTS) / 4;
      memory.words[at]!++;
      return () => memory.words[at]!--;
    });
    expect(problems).toEqual([expect.stringMatching(/^frame 0x49 .* 2 slots of page lists, 1 were found$/)]);
  });

  test('a frame that nobody has, and one that is released once too often', () => {
    const lost = damaged(({ memory }) => {
      const frame = memory.allocate(Usage.Frame);
      return () => memory.release(frame);
    });
    expect(lost).toEqual([expect.stringMatching(/counts 1 references, 0 were found$/)]);
    const shared = damaged(({ memory }, vmo) => {
      const frame = frameOfPage(vmo, 1)!;
      memory.release(frame);
      return () => memory.retain(frame);
    });
    expect(shared).toEqual([expect.stringMatching(/counts 1 references, 2 were found$/)]);
  });

  test('a node whose references, or whose entries, are counted wrongly', () => {
    const rootOf = ({ reach }: Plain) => reach.object.pages.tree.root!;
    const references = damaged((_, vmo) => {
      rootOf(vmo).references++;
      return () => rootOf(vmo).references--;
    });
    expect(references).toEqual(['a node of page lists counts 2 references, 1 were found']);
    const used = damaged((_, vmo) => {
      rootOf(vmo).used++;
      return () => rootOf(vmo).used--;
    });
    expect(used).toEqual(['a node of page lists says that it has 3 entries, and has 2']);
  });

  test('a node that counts wrongly what is clean below it, or goes first', async () => {
    using world = new World();
    const file = world.make(70, { pager: new NotingPager(), name: 'file' });
    for (let page = 0; page < 70; page++) peek(file, page);
    await file.hint('dont-need', { offset: 64 * PAGE, length: 3 * PAGE });
    world.check();
    const { root } = file.reach.object.pages.tree;
    for (const node of [root!, root!.children[1]!]) {
      node.clean++;
      expect(world.objects.audit()).toContainEqual(
        expect.stringMatching(/^a node of page lists counts 7\d? clean pages, 7?\d were found$/),
      );
      node.clean--;
      node.first--;
      expect(world.objects.audit()).toEqual([
        'a node of page lists counts 2 pages that go first, 3 were found',
      ]);
      node.first++;
    }
    world.check();
  });

  test('a page outside of its object, or with a slot that makes no sense', () => {
    const outside = damaged((_, vmo) => {
      const { object } = vmo.reach;
      object.sizeBytes = 60 * PAGE;
      return () => (object.sizeBytes = 70 * PAGE);
    });
    expect(outside).toHaveLength(10);
    expect(outside[0]).toMatch(/^heap: has slot 0x[0-9a-f]+ outside of its pages$/);
    const both = damaged((_, _vmo, copy) => {
      const { pages: list } = copy.reach.object;
      const slot = list.get(0);
      list.mark(0, slot | SLOT_ZERO);
      return () => list.mark(0, slot);
    });
    expect(both).toEqual([expect.stringMatching(/^copy: page 0 .* is neither a frame nor zeros, or both$/)]);
  });

  test('a pinned page that others have too', () => {
    const problems = damaged((_, vmo) => {
      const { pins } = vmo.reach.object;
      const pinned = pins.add(3, 4);
      return () => pins.delete(pinned);
    });
    expect(problems).toEqual(['heap: page 3 is pinned, and not its own']);
  });

  test('objects that do not know of each other, and one that nobody reaches', () => {
    using world = new World();
    const file = world.make(2, { pager: new NotingPager(), name: 'file' });
    const copy = snap(file, 0, 2, { name: 'copy' });
    const { object } = file.reach;
    object.views.delete(copy.reach.object);
    expect(world.objects.audit()).toEqual(['copy: is not known to its base, file']);
    object.views.add(copy.reach.object);
    const [window] = object.windows;
    object.windows.delete(window!);
    object.views.clear();
    expect(world.objects.audit()).toContain('file: is reached by nobody, and there');
    object.windows.add(window!);
    object.views.add(copy.reach.object);
    world.check();
  });

  test('links to other objects that do not hold', () => {
    using world = new World();
    const file = world.make(2, { pager: new NotingPager(), name: 'file' }).reach.object;
    const copy = snap(world.objects.create({ size: 0 }), 0, 0, { name: 'copy' }).reach.object;
    file.views.add(copy);
    expect(world.objects.audit()).toEqual(['file: is the base of copy, which has another']);
    copy.base = { object: file, offset: 0, limit: 0, frozen: false };
    world.check();
    copy.source = file.source;
    expect(world.objects.audit()).toEqual(['copy: has a base and a pager']);
    copy.source = undefined;
    const gone = { name: 'ghost', views: new Set([copy]) } as unknown as MemoryObject;
    copy.base = { object: gone, offset: 0, limit: 0, frozen: false };
    file.views.delete(copy);
    expect(world.objects.audit()).toEqual(['copy: has a base that is gone, ghost']);
    copy.base = undefined;
  });

  test('a page that is dirty and awaiting-clean at a time', () => {
    using world = new World();
    const vmo = world.make(1, { pager: new NotingPager(), name: 'file' });
    poke(vmo, 0, 1);
    const { pages } = vmo.reach.object;
    pages.mark(0, pages.get(0) | SLOT_SAVING);
    expect(world.objects.audit()).toEqual([
      expect.stringMatching(/^file: page 0 .*: is dirty and awaiting-clean$/),
    ]);
    pages.mark(0, pages.get(0) & ~(SLOT_SAVING | SLOT_DIRTY));
    world.check();
  });

  test('a device’s page that another object has too', () => {
    using world = new World();
    const vmo = world.make(2, { dma: true, name: 'ring' });
    const shared = vmo.reach.object.pages.share(0);
    expect(world.objects.audit()).toEqual([
      "ring: page 0 (slot 0x4): is a device's, and shared",
      "ring: page 1 (slot 0x5): is a device's, and shared",
      'a node of page lists counts 2 references, 1 were found',
    ]);
    shared.release();
  });

  test('a page that nobody can reach, and one that is not for objects', () => {
    using world = new World();
    const vmo = world.tagged(3, { name: 'heap' });
    const { object } = vmo.reach;
    const [window] = object.windows;
    object.windows.delete(window!);
    const narrow = object.open(1, 3);
    expect(world.objects.audit()).toEqual([expect.stringMatching(/^heap: page 0 .*: is reached by nobody$/)]);
    object.windows.delete(narrow);
    object.windows.add(window!);
    const { memory } = world;
    const kernel = memory.allocate(Usage.Kernel);
    const own = object.pages.swap(1, kernel);
    expect(world.objects.audit([own & 0xf_ffff] as never)).toEqual([
      expect.stringMatching(/\(Kernel\) counts as a page of an object$/),
    ]);
    object.pages.put(1, own);
    expect(peek(vmo, 1)).toBe(2);
  });

  test('nothing where objects only look at frames’ owners: those are for reports', () => {
    using world = new World();
    const vmo = world.make(1);
    poke(vmo, 0, 1);
    const { memory } = world;
    const owner = memory.words[(memory.metadata(frameOfPage(vmo, 0)!) + METADATA_OWNER) / 4];
    expect(owner).toBe(vmo.reach.object.id);
  });
});
