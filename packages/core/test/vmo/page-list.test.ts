/** Page lists against a plain map: their slots, what they share, and every reference that they hold. */
import { describe, expect, test } from 'vitest';
import { type FrameNumber, PhysicalMemory, Usage } from '../../src/frame/index.js';
import { MAX_COUNT, METADATA_LISTS } from '../../src/frame/slot.js';
import { MAX_LIST_PAGES, PageList } from '../../src/vmo/page-list.js';
import type { PageNode } from '../../src/vmo/page-node.js';
import {
  EMPTY,
  SLOT_DIRTY,
  SLOT_FIRST,
  SLOT_SAVING,
  SLOT_USED,
  SLOT_ZERO,
  slotFrame,
} from '../../src/vmo/page-slot.js';
import { plantCount } from '../frame/state.js';
import { randomNumbers } from '../support/random.js';

const makeMemory = (): PhysicalMemory => new PhysicalMemory({ sizeBytes: 1024 * 1024, checking: 'on' });

const frame = (memory: PhysicalMemory): FrameNumber => memory.allocate(Usage.Frame);

const listsOf = (memory: PhysicalMemory, of: FrameNumber): number =>
  memory.words[(memory.metadata(of) + METADATA_LISTS) / 4]!;

const framesIn = (memory: PhysicalMemory): number => memory.statistics().byUsage.Frame;

/** All that a list has, found by `next`. */
const entries = (list: PageList, to = MAX_LIST_PAGES): [number, number][] => {
  const found: [number, number][] = [];
  for (let page = list.next(0, to); page !== -1; page = list.next(page + 1, to))
    found.push([page, list.get(page)]);
  return found;
};

/** All pages that `nextClean`, or `nextFirst`, finds. */
const found = (list: PageList, next: 'nextClean' | 'nextFirst'): number[] => {
  const pages: number[] = [];
  for (let page = list[next](0, MAX_LIST_PAGES); page !== -1; page = list[next](page + 1, MAX_LIST_PAGES))
    pages.push(page);
  return pages;
};

/** Pages at the edges of nodes of every level. */
const EDGES = [0, 1, 63, 64, 65, 4095, 4096, 2 ** 18 - 1, 2 ** 18, 2 ** 24 - 1, 2 ** 24, 2 ** 30 - 1];

describe('a list', () => {
  test('is empty at first, and where nothing was put', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    for (const page of EDGES) expect([list.get(page), list.own(page)]).toEqual([EMPTY, EMPTY]);
    expect([list.isEmpty, list.next(0, MAX_LIST_PAGES), list.tree.root]).toEqual([true, -1, undefined]);
    list.remove(0, MAX_LIST_PAGES);
    list.release();
    expect(framesIn(memory)).toBe(0);
  });

  test('has what was put, at the edges of nodes, and grows as high as it must', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    const heights = EDGES.map((page) => {
      list.put(page, frame(memory));
      return list.tree.level;
    });
    expect(heights).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4]);
    expect(entries(list).map(([page]) => page)).toEqual(EDGES);
    for (const page of EDGES) {
      expect(list.own(page)).toBe(list.get(page));
      expect(listsOf(memory, slotFrame(list.get(page)))).toBe(1);
    }
    expect(framesIn(memory)).toBe(EDGES.length);
    list.release();
    expect([framesIn(memory), list.isEmpty, list.get(0)]).toEqual([0, true, EMPTY]);
  });

  test('put in the place of something drops that; swap gives it to the caller; take takes it out', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    const [one, two, three] = [frame(memory), frame(memory), frame(memory)];
    list.put(70, one);
    list.put(70, two | SLOT_DIRTY);
    expect([memory.count(one), list.get(70)]).toEqual([0, two | SLOT_DIRTY]);
    expect(list.swap(70, three)).toBe(two | SLOT_DIRTY);
    expect([memory.count(two), listsOf(memory, two), listsOf(memory, three)]).toEqual([1, 0, 1]);
    expect(list.take(70)).toBe(three);
    expect([memory.count(three), listsOf(memory, three), list.isEmpty]).toEqual([1, 0, true]);
    expect(list.take(71)).toBe(EMPTY);
    for (const left of [two, three]) memory.release(left);
    expect(memory.audit()).toEqual([]);
  });

  test('marks and hints change a slot, and leave its frame', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    const of = frame(memory);
    list.put(5, of);
    list.mark(5, of | SLOT_DIRTY);
    list.hint(5, of | SLOT_DIRTY | SLOT_USED);
    expect([list.get(5), memory.count(of), listsOf(memory, of)]).toEqual([of | SLOT_DIRTY | SLOT_USED, 1, 1]);
    list.release();
  });

  test('removes a range, and its nodes with it', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    for (const page of EDGES) list.put(page, frame(memory));
    list.remove(64, 2 ** 24);
    expect(entries(list).map(([page]) => page)).toEqual([0, 1, 63, 2 ** 24, 2 ** 30 - 1]);
    list.remove(2 ** 24 + 1, 2 ** 30 - 1);
    list.remove(0, 0);
    list.remove(1, 1);
    expect(framesIn(memory)).toBe(5);
    list.remove(0, MAX_LIST_PAGES);
    expect([list.isEmpty, list.tree.root, framesIn(memory)]).toEqual([true, undefined, 0]);
  });

  test('hides a range of 4 TiB by few nodes: all is zeros, and may be written', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    list.put(100, frame(memory));
    list.put(2 ** 29, frame(memory));
    list.hide(3, 2 ** 30 - 5);
    expect(framesIn(memory)).toBe(0);
    for (const page of [3, 100, 2 ** 20, 2 ** 29, 2 ** 30 - 6])
      expect([list.get(page), list.own(page)]).toContainEqual(SLOT_ZERO);
    for (const page of [2, 2 ** 30 - 5]) expect(list.get(page)).toBe(EMPTY);
    expect([list.next(0, MAX_LIST_PAGES), list.next(2 ** 30 - 5, MAX_LIST_PAGES)]).toEqual([3, -1]);
    const of = frame(memory);
    list.put(2 ** 29 + 1, of);
    expect([list.get(2 ** 29), list.get(2 ** 29 + 1), list.get(2 ** 29 + 2)]).toEqual([
      SLOT_ZERO,
      of,
      SLOT_ZERO,
    ]);
    // Zeros are the same nodes in every list, and no list changes them.
    const other = new PageList(memory);
    other.hide(0, 2 ** 30);
    expect(other.get(2 ** 29 + 1)).toBe(SLOT_ZERO);
    list.remove(0, MAX_LIST_PAGES);
    expect([list.isEmpty, framesIn(memory), other.get(0)]).toEqual([true, 0, SLOT_ZERO]);
    list.hide(7, 7);
    expect(list.isEmpty).toBe(true);
    other.release();
  });
});

describe('share', () => {
  test('of a whole list is one reference, whatever it has; writes part the two', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    const frames = EDGES.map((page) => {
      const of = frame(memory);
      list.put(page, of);
      return of;
    });
    const copy = list.share(0);
    expect([copy.tree.root, list.tree.root!.references]).toEqual([list.tree.root, 2]);
    expect(frames.map((of) => [memory.count(of), listsOf(memory, of)])).toEqual(frames.map(() => [1, 1]));
    // Nobody has a page alone.
    for (const page of EDGES) expect([list.own(page), copy.own(page)]).toEqual([EMPTY, EMPTY]);
    const own = frame(memory);
    copy.put(64, own);
    expect([copy.get(64), list.get(64), memory.count(frames[3]!)]).toEqual([own, frames[3], 1]);
    // Its leaf was copied: 64 has one owner each, and 65 two.
    expect([list.own(64), list.own(65), copy.own(65)]).toEqual([frames[3], EMPTY, EMPTY]);
    expect([memory.count(frames[4]!), listsOf(memory, frames[4]!)]).toEqual([2, 2]);
    // Others are still below a node that both have.
    expect([memory.count(frames[6]!), list.own(4096)]).toEqual([1, EMPTY]);
    copy.release();
    for (const [index, page] of EDGES.entries()) expect(list.own(page)).toBe(frames[index]);
    expect(framesIn(memory)).toBe(EDGES.length);
    list.release();
    expect(framesIn(memory)).toBe(0);
  });

  test('of a part begins at its own page 0, and leaves out the rest', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    for (const page of EDGES) list.put(page, frame(memory));
    const part = list.share(64, 2 ** 18);
    expect(entries(part)).toEqual(
      [64, 65, 4095, 4096, 2 ** 18 - 1].map((page) => [page - 64, list.get(page)]),
    );
    expect(part.tree.origin).toBe(64);
    // A part of the part counts on.
    const inner = part.share(1, 4096 - 64);
    expect(entries(inner)).toEqual([65, 4095].map((page) => [page - 65, list.get(page)]));
    list.release();
    expect(framesIn(memory)).toBe(5);
    part.release();
    expect(framesIn(memory)).toBe(2);
    inner.put(2 ** 29, frame(memory));
    expect(inner.next(4096, MAX_LIST_PAGES)).toBe(2 ** 29);
    inner.release();
    expect(framesIn(memory)).toBe(0);
  });

  test('of a part of nothing, and of an empty part', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    expect(list.share(5).isEmpty).toBe(true);
    list.put(7, frame(memory));
    for (const [from, to] of [
      [8, undefined],
      [3, 7],
      [7, 7],
      [100, 200],
      [2 ** 29, undefined],
    ] as const) {
      const part = list.share(from, to);
      expect([entries(part), part.isEmpty]).toEqual([[], true]);
      part.put(0, frame(memory));
      expect(part.get(0)).not.toBe(EMPTY);
      part.release();
    }
    expect(framesIn(memory)).toBe(1);
    list.release();
  });

  test('so far out that its pages might not be counted any more copies what there is', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    list.put(2 ** 30 - 1, frame(memory));
    const one = list.share(2 ** 30 - 1);
    expect(one.tree.origin).toBe(2 ** 30 - 1);
    // Its last page is page 2^31 - 2 of the tree.
    one.put(2 ** 30 - 1, frame(memory));
    one.put(2 ** 29, frame(memory));
    expect(entries(one).map(([page]) => page)).toEqual([0, 2 ** 29, 2 ** 30 - 1]);
    const two = one.share(2 ** 29);
    expect(two.tree.origin).toBe(0);
    expect(entries(two)).toEqual([
      [0, one.get(2 ** 29)],
      [2 ** 29 - 1, one.get(2 ** 30 - 1)],
    ]);
    const part = one.share(2 ** 29, 2 ** 29 + 1);
    expect(entries(part)).toEqual([[0, one.get(2 ** 29)]]);
    expect(memory.count(slotFrame(one.get(2 ** 29)))).toBe(3);
    for (const each of [list, one, two, part]) each.release();
    expect(framesIn(memory)).toBe(0);
  });

  test('shows hidden zeros too', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    list.hide(10, 100_000);
    const part = list.share(20, 50);
    expect(entries(part)).toEqual(Array.from({ length: 30 }, (_, page) => [page, SLOT_ZERO]));
    part.put(0, frame(memory));
    expect(list.get(20)).toBe(SLOT_ZERO);
    list.release();
    part.release();
    expect(framesIn(memory)).toBe(0);
  });

  test('that would count a frame too often changes nothing', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    const frames = [1, 2, 3].map((page) => {
      const of = frame(memory);
      list.put(page, of);
      return of;
    });
    const copy = list.share(0);
    plantCount(memory, frames[2]!, MAX_COUNT);
    const [own, before] = [frame(memory), entries(list)];
    for (const attempt of [
      () => copy.put(1, own),
      () => copy.mark(1, frames[0]! | SLOT_DIRTY),
      () => copy.remove(1, 2),
      () => copy.hide(1, 2),
      () => list.share(2),
      () => list.share(0, 2),
    ]) {
      expect(attempt).toThrow(expect.objectContaining({ code: 'EOVERFLOW' }));
      expect([entries(list), entries(copy)]).toEqual([before, before]);
      expect(frames.map((of) => listsOf(memory, of))).toEqual([1, 1, 1]);
      expect(frames.slice(0, 2).map((of) => memory.count(of))).toEqual([1, 1]);
      expect(list.tree.root!.references).toBe(2);
    }
    plantCount(memory, frames[2]!, 1);
    memory.release(own);
    list.release();
    copy.release();
    expect(framesIn(memory)).toBe(0);
  });
});

describe('against a map', () => {
  interface Twin {
    readonly list: PageList;
    readonly map: Map<number, number>;
  }

  /** Pages that lie together, far apart, and at edges. */
  const pickPage = (below: (limit: number) => number): number => {
    switch (below(4)) {
      case 0:
        return below(200);
      case 1:
        return EDGES[below(EDGES.length)]!;
      case 2:
        return 4090 + below(12);
      default:
        return below(2 ** 20) * 2 ** 10;
    }
  };

  const cleanOf = (map: ReadonlyMap<number, number>): number[] =>
    [...map]
      .filter(([, slot]) => slotFrame(slot) !== 0 && (slot & SLOT_DIRTY) === 0)
      .map(([page]) => page)
      .toSorted((one, other) => one - other);

  const expectAgree = (memory: PhysicalMemory, twins: readonly Twin[]): void => {
    const owners = new Map<number, number>();
    for (const { list, map } of twins) {
      expect(entries(list)).toEqual([...map].toSorted(([one], [other]) => one - other));
      expect(found(list, 'nextClean')).toEqual(cleanOf(map));
      expect(list.isEmpty).toBe(map.size === 0);
      for (const slot of map.values()) {
        const of = slotFrame(slot);
        if (of !== 0) owners.set(of, (owners.get(of) ?? 0) + 1);
      }
    }
    expect(framesIn(memory)).toBe(owners.size);
    for (const { list, map } of twins) {
      for (const [page, slot] of map) {
        const own = list.own(page);
        // Where another leads to a frame too, it is nobody's own; where there is no other list, it is.
        const mayOwn = slotFrame(slot) === 0 || owners.get(slotFrame(slot)) === 1;
        expect(mayOwn ? [slot, EMPTY] : [EMPTY]).toContain(own);
        if (twins.length === 1 && slotFrame(slot) !== 0) expect(own).toBe(slot);
      }
    }
  };

  const remove = (map: Map<number, number>, from: number, to: number): void => {
    for (const page of map.keys()) if (page >= from && page < to) map.delete(page);
  };

  test.each([1, 2, 3, 4, 5, 6])('2,000 random changes of a family of lists (seed %d)', (seed) => {
    const below = randomNumbers(seed);
    const memory = makeMemory();
    let twins: Twin[] = [{ list: new PageList(memory), map: new Map() }];
    for (let step = 0; step < 2000; step++) {
      const { list, map } = twins[below(twins.length)]!;
      const page = pickPage(below);
      const to = Math.min(page + (below(3) === 0 ? below(2 ** 20) : below(100)), MAX_LIST_PAGES);
      switch (below(12)) {
        case 0:
          if (twins.length >= 6) break;
          twins.push({ list: list.share(0), map: new Map(map) });
          break;
        case 1: {
          if (twins.length >= 6) break;
          const part = new Map([...map].map(([at, slot]) => [at - page, slot] as const));
          remove(part, -Infinity, 0);
          const whole = below(2) === 0;
          if (!whole) remove(part, to - page, Infinity);
          twins.push({ list: whole ? list.share(page) : list.share(page, to), map: part });
          break;
        }
        case 2:
          if (twins.length === 1) break;
          list.release();
          twins = twins.filter((twin) => twin.list !== list);
          break;
        case 3:
        case 4:
          list.remove(page, to);
          remove(map, page, to);
          break;
        case 5: {
          // Few enough for the map.
          const end = Math.min(page + below(80), to);
          list.hide(page, end);
          for (let at = page; at < end; at++) map.set(at, SLOT_ZERO);
          break;
        }
        case 6:
          if (!map.has(page)) break;
          list.mark(page, map.get(page)! ^ SLOT_DIRTY);
          map.set(page, map.get(page)! ^ SLOT_DIRTY);
          break;
        default:
          if (memory.freeFrames === 0) break;
          map.set(page, frame(memory));
          list.put(page, map.get(page)!);
      }
      expect(list.get(page)).toBe(
        twins.some((twin) => twin.list === list) ? (map.get(page) ?? EMPTY) : EMPTY,
      );
      if (step % 100 === 99) expectAgree(memory, twins);
    }
    for (const { list } of twins) list.release();
    expect(framesIn(memory)).toBe(0);
    expect(memory.audit()).toEqual([]);
  });

  test.each([1, 2, 3])(
    'pages that go first are found in a list that others share nodes with (seed %d)',
    (seed) => {
      const below = randomNumbers(seed);
      const memory = makeMemory();
      const list = new PageList(memory);
      const map = new Map<number, number>();
      let shares: PageList[] = [];
      for (let step = 0; step < 1500; step++) {
        const page = pickPage(below);
        const slot = map.get(page);
        switch (below(9)) {
          case 0:
            if (shares.length < 4) shares.push(list.share(below(2) * below(200)));
            break;
          case 1: {
            const [share] = shares;
            share?.release();
            shares = shares.slice(1);
            break;
          }
          case 2:
            // What a share does is its own.
            if (memory.freeFrames > 0) shares.at(-1)?.put(page, frame(memory));
            break;
          case 3: {
            const end = Math.min(page + below(100), MAX_LIST_PAGES);
            list.remove(page, end);
            remove(map, page, end);
            break;
          }
          case 4:
            list.hide(page, page + 1);
            map.set(page, SLOT_ZERO);
            break;
          case 5:
            if (slot === undefined) break;
            list.mark(page, slot ^ SLOT_SAVING);
            map.set(page, slot ^ SLOT_SAVING);
            break;
          case 6:
            if (memory.freeFrames === 0) break;
            map.set(page, frame(memory));
            list.put(page, map.get(page)!);
            break;
          default: {
            const hinted = [...map.keys()][below(map.size + 1)] ?? page;
            if (!map.has(hinted)) break;
            map.set(hinted, list.get(hinted) ^ SLOT_FIRST);
            list.hint(hinted, map.get(hinted)!);
          }
        }
        const first = [...map].filter(([, each]) => (each & SLOT_FIRST) !== 0).map(([at]) => at);
        expect(found(list, 'nextFirst')).toEqual(first.toSorted((one, other) => one - other));
      }
      for (const each of [list, ...shares]) each.release();
      expect(framesIn(memory)).toBe(0);
    },
  );

  test('a search looks at no leaf that has nothing of its kind', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    const LEAVES = 100;
    let looks = 0;
    const spy = (node: PageNode): void => {
      for (const child of node.children) if (child !== undefined) spy(child);
      const { slots } = node;
      const get = (): readonly number[] => {
        looks++;
        return slots;
      };
      if (slots.length > 0) Object.defineProperty(node, 'slots', { get });
    };
    for (let leaf = 0; leaf < LEAVES; leaf++) list.put(leaf * 64, frame(memory) | SLOT_DIRTY);
    list.mark(63 * 64, list.get(63 * 64) & ~SLOT_DIRTY);
    list.hint(98 * 64, list.get(98 * 64) | SLOT_FIRST);
    spy(list.tree.root!);
    for (const [next, at] of [['nextClean', 63 * 64] as const, ['nextFirst', 98 * 64] as const]) {
      looks = 0;
      expect(list[next](0, MAX_LIST_PAGES)).toBe(at);
      expect(looks).toBe(1);
      looks = 0;
      expect([list[next](0, at), list[next](at + 64, MAX_LIST_PAGES)]).toEqual([-1, -1]);
      expect(looks).toBe(0);
    }
    list.release();
  });

  test('a range of `next` is kept to', () => {
    const memory = makeMemory();
    const list = new PageList(memory);
    for (const page of EDGES) list.put(page, frame(memory));
    const below = randomNumbers(7);
    for (let time = 0; time < 2000; time++) {
      const [from, to] = [pickPage(below), pickPage(below)];
      const page = EDGES.find((edge) => edge >= from && edge < to) ?? -1;
      expect([list.next(from, to), list.nextClean(from, to)]).toEqual([page, page]);
    }
    list.release();
  });
});
