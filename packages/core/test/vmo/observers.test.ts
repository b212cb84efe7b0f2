/** Observers: what maps the pages of an object hears when it must look again. */
import { describe, expect, test } from 'vitest';
import {
  contents,
  frameOfPage,
  Losses,
  NotingPager,
  PAGE,
  pages,
  peek,
  poke,
  snap,
  SNAPSHOT_KINDS,
  World,
} from './family.js';

describe('an observer hears', () => {
  test('of a first write: what was mapped as zeros has a frame now', () => {
    using world = new World();
    const vmo = world.make(4);
    const losses = new Losses();
    using _ = vmo.observe(losses);
    expect(vmo.page(PAGE, 'read')).toBeUndefined();
    poke(vmo, 1, 1);
    expect(losses.news).toEqual(['1+1']);
    // In place from then on.
    poke(vmo, 1, 2);
    vmo.commitSync(pages(1, 1));
    expect(losses.news).toEqual([]);
    vmo.commitSync();
    expect(losses.news).toEqual(['0+1', '2+1', '3+1']);
  });

  test.each(SNAPSHOT_KINDS)('of a %s, which shares pages that may be mapped to be written', (kind) => {
    using world = new World();
    const vmo = world.tagged(4);
    const losses = new Losses();
    using _ = vmo.observe(losses);
    vmo.page(PAGE, 'write')!.close();
    expect(losses.news).toEqual([]);
    const child = snap(vmo, 1, 2, { kind });
    expect(losses.news).toEqual(['1+2']);
    // The next write asks for the page again, and gets another.
    using page = vmo.page(PAGE, 'write')!;
    world.memory.words[page.address / 4] = 9;
    expect([peek(vmo, 1), peek(child, 0), losses.news]).toEqual([9, 2, ['1+1']]);
  });

  test('of a child’s write, where the child is observed; and nothing of it where the parent is', () => {
    using world = new World();
    const vmo = world.tagged(2);
    const child = snap(vmo, 0, 2);
    const [above, below] = [new Losses(), new Losses()];
    using _ = vmo.observe(above);
    using __ = child.observe(below);
    poke(child, 1, 5);
    expect([above.news, below.news]).toEqual([[], ['1+1']]);
    // The parent has it alone now, and writes it in place.
    const frame = frameOfPage(vmo, 1);
    poke(vmo, 1, 6);
    expect([above.news, below.news, frameOfPage(vmo, 1)]).toEqual([[], [], frame]);
  });

  test('of zeros, decommits and cuts, before the frames are freed', () => {
    using world = new World();
    const vmo = world.tagged(8, { resizable: true });
    const heard: number[][] = [];
    using _ = vmo.observe({ pagesLost: (first, count) => void heard.push([first, count, world.frames]) });
    vmo.zeroSync(pages(0, 2));
    vmo.decommit(pages(3, 1));
    vmo.resizeSync(5 * PAGE);
    expect(heard).toEqual([
      [0, 2, 8],
      [3, 1, 6],
      [5, 3, 5],
    ]);
  });

  test('of a cut, through a reference too, and where a child sees what is cut', () => {
    using world = new World();
    const pager = new NotingPager();
    const vmo = world.make(4, { pager, resizable: true });
    const child = snap(vmo, 1, 3, { kind: 'snapshot-at-least-on-write' });
    const reference = vmo.createChild({ kind: 'reference' });
    const [seen, heard] = [new Losses(), new Losses()];
    using _ = child.observe(seen);
    using __ = reference.observe(heard);
    expect([contents(child), contents(reference)]).toEqual([
      [101, 102, 103],
      [100, 101, 102, 103],
    ]);
    expect([seen.news, heard.news]).not.toContainEqual([]);
    reference.resizeSync(2 * PAGE);
    expect([seen.news, heard.news]).toEqual([['1+2'], ['2+2']]);
    expect(contents(child)).toEqual([101, 0, 0]);
  });

  test('of what its object sees of another that is live, as far as it sees it', () => {
    using world = new World();
    const file = world.make(6, { pager: new NotingPager() });
    expect(contents(file)).toHaveLength(6);
    const live = snap(file, 2, 3, { kind: 'snapshot-at-least-on-write' });
    poke(live, 1, 5);
    const losses = new Losses();
    using _ = live.observe(losses);
    file.decommit(pages(0, 3));
    expect(losses.news).toEqual(['0+1']);
    // Written in place: who maps it sees that.
    poke(file, 4, 7);
    expect([losses.news, peek(live, 2)]).toEqual([[], 7]);
    file.zeroSync();
    expect(losses.news.length).toBeGreaterThan(0);
    expect(contents(live)).toEqual([0, 5, 0]);
  });

  test('of clean pages that are evicted where frames are short', () => {
    using world = new World(256 * 1024);
    const file = world.make(4, { pager: new NotingPager() });
    expect(contents(file)).toEqual([100, 101, 102, 103]);
    const losses = new Losses();
    using _ = file.observe(losses);
    world.fill();
    poke(world.make(1), 0, 1);
    expect(losses.news.length).toBeGreaterThan(0);
    world.giveBack();
    expect(contents(file)).toEqual([100, 101, 102, 103]);
  });

  test('of a page that moves to the only one who sees it', () => {
    using world = new World();
    const file = world.make(2, { pager: new NotingPager() });
    const live = snap(file, 0, 2, { kind: 'snapshot-at-least-on-write' });
    expect(contents(live)).toEqual([100, 101]);
    file.close();
    const losses = new Losses();
    using _ = live.observe(losses);
    world.fill();
    poke(live, 0, 5);
    expect([losses.news, contents(live), world.frames]).toEqual([['0+1'], [5, 101], 2]);
  });
});

describe('an observer of a slice', () => {
  test('counts pages from the slice’s beginning, and hears of no others', () => {
    using world = new World();
    const vmo = world.tagged(8);
    const slice = vmo.createChild({ kind: 'slice', offset: 2 * PAGE, size: 3 * PAGE });
    const inner = slice.createChild({ kind: 'slice', offset: PAGE, size: PAGE });
    const [outer, within] = [new Losses(), new Losses()];
    using _ = slice.observe(outer);
    using __ = inner.observe(within);
    vmo.decommit(pages(0, 2));
    vmo.decommit(pages(5, 3));
    expect([outer.news, within.news]).toEqual([[], []]);
    vmo.decommit(pages(1, 2));
    expect([outer.news, within.news]).toEqual([['0+1'], []]);
    vmo.decommit();
    expect([outer.news, within.news]).toEqual([['0+3'], ['0+1']]);
    poke(inner, 0, 1);
    expect([outer.news, within.news]).toEqual([['1+1'], ['0+1']]);
  });

  test('that ends inside a page hears of that page', () => {
    using world = new World();
    const vmo = world.tagged(2);
    const slice = vmo.createChild({ kind: 'slice', size: PAGE + 1 });
    const losses = new Losses();
    using _ = slice.observe(losses);
    vmo.decommit(pages(1, 1));
    expect(losses.news).toEqual(['1+1']);
  });
});

describe('an observation', () => {
  test('ends when it is disposed of, and ends no other', () => {
    using world = new World();
    const vmo = world.tagged(1);
    const losses = new Losses();
    const [one, two] = [vmo.observe(losses), vmo.observe(losses)];
    vmo.decommit();
    expect(losses.news).toEqual(['0+1', '0+1']);
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    vmo.commitSync();
    expect(losses.news).toEqual(['0+1']);
    two[Symbol.dispose]();
    vmo.decommit();
    expect(losses.news).toEqual([]);
  });

  test('goes on when its capability is closed and others are not', () => {
    using world = new World();
    const vmo = world.tagged(1);
    const other = vmo.duplicate();
    const losses = new Losses();
    using _ = other.observe(losses);
    other.close();
    vmo.decommit();
    expect(losses.news).toEqual(['0+1']);
  });

  test('may use the object meanwhile: it reads what is still there', () => {
    using world = new World();
    const vmo = world.tagged(2);
    const seen: number[] = [];
    using _ = vmo.observe({ pagesLost: (first) => void seen.push(peek(vmo, first)) });
    vmo.decommit(pages(1, 1));
    poke(vmo, 1, 9);
    expect([seen, peek(vmo, 1)]).toEqual([[2, 0], 9]);
  });
});
