import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HolsteinError, InvalidArgument, vpn } from '../../src/frame/index.js';
import { PTE_R, PTE_U, PTE_W, PTE_X } from '../../src/paging/index.js';
import { MappingList } from '../../src/space/mapping-list.js';
import { formatMapping, type Mapping, type Protection, rightsOf } from '../../src/space/mapping.js';

const mappingOf = (start: number, end: number, protection: Protection): Mapping => ({
  start: vpn(start),
  end: vpn(end),
  protection,
  rights: rightsOf(protection),
  ceiling: 'rwx',
  sharing: 'private',
  onFork: 'inherit',
  backing: undefined,
  name: undefined,
});

/** As a space adds and protects: what does not fit is refused before anything changes. */
const add = (list: MappingList, start: number, end: number, protection: Protection): void => {
  list.checkFree(vpn(start), vpn(end));
  list.add(mappingOf(start, end, protection));
};
const protect = (list: MappingList, start: number, end: number, protection: Protection): void =>
  list.change(vpn(start), vpn(end), { protection, rights: rightsOf(protection) });

const listOf = (...ranges: readonly (readonly [number, number, Protection])[]): MappingList => {
  const list = new MappingList();
  for (const [start, end, protection] of ranges) add(list, start, end, protection);
  return list;
};
const shown = (list: MappingList): string[] => [...list].map(formatMapping);

describe('mappings', () => {
  test('are sorted, and join neighbours that grant the same', () => {
    const list = listOf([4, 6, 'rw-'], [0, 2, 'rw-'], [8, 9, 'r--']);
    expect(shown(list)).toEqual(['0x0-0x2000 rw-', '0x4000-0x6000 rw-', '0x8000-0x9000 r--']);
    add(list, 2, 4, 'rw-');
    add(list, 6, 8, 'rw-');
    expect(shown(list)).toEqual(['0x0-0x8000 rw-', '0x8000-0x9000 r--']);
  });

  test('are split by unmapping their middle, and cut at either end', () => {
    const list = listOf([0, 8, 'rw-']);
    list.remove(vpn(3), vpn(5));
    expect(shown(list)).toEqual(['0x0-0x3000 rw-', '0x5000-0x8000 rw-']);
    list.remove(vpn(2), vpn(6));
    expect(shown(list)).toEqual(['0x0-0x2000 rw-', '0x6000-0x8000 rw-']);
    list.remove(vpn(0), vpn(8));
    expect(shown(list)).toEqual([]);
  });

  test('are split by protecting their middle, and joined when it is undone', () => {
    const list = listOf([0, 8, 'rw-']);
    protect(list, 3, 5, 'r--');
    expect(shown(list)).toEqual(['0x0-0x3000 rw-', '0x3000-0x5000 r--', '0x5000-0x8000 rw-']);
    protect(list, 3, 5, 'rw-');
    expect(shown(list)).toEqual(['0x0-0x8000 rw-']);
  });

  test('are protected across several of them at once', () => {
    const list = listOf([0, 2, 'rw-'], [2, 4, 'r--'], [4, 6, 'r-x']);
    protect(list, 1, 5, 'rwx');
    expect(shown(list)).toEqual(['0x0-0x1000 rw-', '0x1000-0x5000 rwx', '0x5000-0x6000 r-x']);
  });

  test.each([
    [0, 3],
    [3, 5],
    [5, 6],
    [5, 9],
    [0, 9],
    [2, 6],
  ])('that overlap, pages %i to %i, are refused', (start, end) => {
    const list = listOf([2, 6, 'rw-']);
    const before = shown(list);
    expect(() => add(list, start, end, 'r--')).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(shown(list)).toEqual(before);
  });

  test('cover a range only where it has no hole', () => {
    const list = listOf([0, 2, 'rw-'], [3, 5, 'rw-']);
    expect(list.covers(vpn(1), vpn(4))).toBe(false);
    expect(list.covers(vpn(4), vpn(6))).toBe(false);
    expect(list.covers(vpn(3), vpn(5))).toBe(true);
    expect(list.covers(vpn(0), vpn(1))).toBe(true);
  });

  test('leave the highest room that is wide enough, within bounds', () => {
    const list = listOf([2, 4, 'rw-'], [6, 10, 'r--'], [12, 13, 'rw-']);
    expect(list.freeBelow(0, 16, 3)).toBe(13);
    expect(list.freeBelow(0, 15, 3)).toBeUndefined();
    expect(list.freeBelow(0, 15, 2)).toBe(13);
    expect(list.freeBelow(0, 14, 2)).toBe(10);
    expect(list.freeBelow(0, 12, 2)).toBe(10);
    expect(list.freeBelow(0, 11, 2)).toBe(4);
    expect(list.freeBelow(0, 5, 2)).toBe(0);
    expect(list.freeBelow(1, 5, 2)).toBeUndefined();
    expect(new MappingList().freeBelow(3, 5, 2)).toBe(3);
    expect(new MappingList().freeBelow(3, 5, 3)).toBeUndefined();
  });

  test('of a clone are its own', () => {
    const list = listOf([0, 4, 'rw-']);
    const clone = list.clone();
    list.remove(vpn(0), vpn(2));
    protect(clone, 3, 4, 'r--');
    expect(shown(list)).toEqual(['0x2000-0x4000 rw-']);
    expect(shown(clone)).toEqual(['0x0-0x3000 rw-', '0x3000-0x4000 r--']);
  });
});

test('a protection grants to user mode what its letters say, and --- grants it nothing', () => {
  expect(rightsOf('---') & PTE_U).toBe(0);
  for (const protection of ['r--', 'rw-', 'r-x', 'rwx', '--x'] as const) {
    const bits = [PTE_R, PTE_W, PTE_X].filter((_, index) => protection[index] !== '-');
    expect(rightsOf(protection)).toBe(bits.reduce((sum, bit) => sum | bit, PTE_U));
  }
});

test.each(['-w-', '-wx', 'rw', '', 'toString', '__proto__', 'RW-'])(
  "protection '%s' is refused",
  (protection) => {
    expect(() => rightsOf(protection as Protection)).toThrow(InvalidArgument);
  },
);

test('a list agrees with a plain map from page to protection', () => {
  const PAGES = 24;
  const operations = fc.record({
    operation: fc.constantFrom('add', 'remove', 'protect'),
    start: fc.nat(PAGES - 1),
    length: fc.integer({ min: 1, max: 8 }),
    protection: fc.constantFrom<Protection[]>('---', 'r--', 'rw-'),
  });
  fc.assert(
    fc.property(fc.array(operations, { maxLength: 60, size: 'max' }), (program) => {
      const list = new MappingList();
      const model = new Map<number, Protection>();
      for (const { operation, start, length, protection } of program) {
        const pages = Array.from({ length }, (_, index) => start + index);
        const mapped = pages.filter((page) => model.has(page)).length;
        const [from, to] = [vpn(start), vpn(start + length)];
        expect(list.covers(from, to)).toBe(mapped === length);
        if (operation === 'remove') {
          list.remove(from, to);
          for (const page of pages) model.delete(page);
        } else if (operation === 'add' && mapped > 0) {
          expect(() => add(list, start, start + length, protection)).toThrow(HolsteinError);
        } else if (operation === 'add') {
          add(list, start, start + length, protection);
          for (const page of pages) model.set(page, protection);
        } else {
          protect(list, start, start + length, protection);
          for (const page of pages) if (model.has(page)) model.set(page, protection);
        }
        for (let page = 0; page < PAGES + 8; page++) {
          expect(list.find(vpn(page))?.protection).toBe(model.get(page));
        }
        const all = [...list];
        for (const [index, { start: first, end, protection: grants, rights }] of all.entries()) {
          expect(first).toBeLessThan(end);
          expect(rights).toBe(rightsOf(grants));
          const before = all[index - 1];
          if (before === undefined) continue;
          expect(before.end).toBeLessThanOrEqual(first);
          if (before.end === first) expect(before.protection).not.toBe(grants);
        }
      }
    }),
  );
});
