import { describe, expect, test } from 'vitest';
import {
  type FrameNumber,
  frameNumber,
  InvalidArgument,
  METADATA_WRITE_SHARES,
  NO_FRAME,
  vpn,
} from '../../src/frame/index.js';
import {
  CowExt,
  makePte,
  PTE_A,
  PTE_COW,
  PTE_D,
  PTE_R,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_X,
  pteFrame,
  type Sv39PageTable,
} from '../../src/paging/index.js';
import { failEachAllocation } from '../model/world.js';
import { END, FIRST, Workbench } from './each-table.js';

const R = PTE_U | PTE_R;
const RW = R | PTE_W;
const MEGA = 512;
const GIGA = MEGA * 512;
/** A page at a megapage's beginning, far from others. */
const AT = 3 * GIGA + 7 * MEGA;
const RAM = 8 * 2 ** 20;

/** A table with one megapage at AT. */
const withMegapage = (bench: Workbench, flags = RW): { table: Sv39PageTable; first: FrameNumber } => {
  const table = bench.table() as Sv39PageTable;
  const first = bench.run(MEGA);
  table.map(vpn(AT), first, flags, 1);
  return { table, first };
};

const tablesOf = (table: Sv39PageTable): number => [...table.tables()].length;

/** Runs a change with each of its allocations failed, which must change nothing, and then for good. */
const transaction = (bench: Workbench, change: () => void): number => {
  const before = bench.state();
  return failEachAllocation(
    bench.memory,
    () => {
      try {
        change();
        return 'done';
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOMEM' });
        return 'out-of-memory';
      }
    },
    () => expect(bench.state()).toEqual(before),
  );
};

describe('a megapage', () => {
  test('maps 512 pages by one entry, which owns a reference to each frame', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table, first } = withMegapage(bench);
    expect(tablesOf(table)).toBe(2);
    expect(table.leafPages(vpn(AT + 99))).toBe(512);
    expect(table.entry(vpn(AT + 99))).toBe(makePte(frameNumber(first + 99), RW | PTE_V));
    expect([...table.mappedPages(FIRST, END)]).toEqual(
      Array.from({ length: MEGA }, (_, index) => AT + index),
    );
    bench.check();
    table.close();
    expect(bench.memory.count(first)).toBe(0);
  });

  test('is walked as 512 pages, and keeps one A and one D', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table, first } = withMegapage(bench);
    expect(table.translate(vpn(AT + 511), 'read')).toBe(first + 511);
    expect(table.entry(vpn(AT)) & (PTE_A | PTE_D)).toBe(PTE_A);
    expect(table.translate(vpn(AT + 1), 'write')).toBe(first + 1);
    expect(table.entry(vpn(AT + 300)) & (PTE_A | PTE_D)).toBe(PTE_A | PTE_D);
    expect(table.translate(vpn(AT + 512), 'read')).toBe(NO_FRAME);
    expect(table.translate(vpn(AT), 'execute')).toBe(NO_FRAME);
  });

  test('is refused where page or frame is not a multiple of 512, or anything is mapped there', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table, first } = withMegapage(bench);
    const before = bench.state();
    const exists = expect.objectContaining({ code: 'EEXIST' }) as Error;
    expect(() => table.map(vpn(AT + 513), first, RW, 1)).toThrow(InvalidArgument);
    expect(() => table.map(vpn(AT + 512), frameNumber(first + 1), RW, 1)).toThrow(InvalidArgument);
    expect(() => table.map(vpn(AT + 512), frameNumber(2 ** 20 - 512), RW, 1)).toThrow(InvalidArgument);
    expect(() => table.map(vpn(AT), first, RW, 1)).toThrow(exists);
    expect(() => table.map(vpn(AT + 5), first, RW)).toThrow(exists);
    expect(() => table.unmapLeaf(vpn(AT + 5))).toThrow(InvalidArgument);
    expect(bench.state()).toEqual(before);
    table.split(vpn(AT));
    expect(() => table.map(vpn(AT), first, RW, 1)).toThrow(exists);
  });

  test('unmapped in one page is split, and the rest stays', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table, first } = withMegapage(bench);
    expect(transaction(bench, () => bench.memory.release(pteFrame(table.unmap(vpn(AT + 5)))))).toBe(1);
    expect([tablesOf(table), table.leafPages(vpn(AT))]).toEqual([3, 1]);
    expect(table.entry(vpn(AT + 5))).toBe(0);
    expect(table.entry(vpn(AT + 6))).toBe(makePte(frameNumber(first + 6), RW | PTE_V));
    expect(bench.memory.count(frameNumber(first + 5))).toBe(0);
    bench.check();
  });

  test('changed in one page is split, and the other pages keep their flags', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table } = withMegapage(bench, R | PTE_COW);
    expect(transaction(bench, () => void table.protect(vpn(AT + 5), R | PTE_X))).toBe(1);
    expect(table.entry(vpn(AT + 5)) & (PTE_X | PTE_COW)).toBe(PTE_X);
    expect(table.entry(vpn(AT + 4)) & (PTE_X | PTE_COW)).toBe(PTE_COW);
    bench.check();
  });

  test('splits and merges without a change that anyone can see', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table } = withMegapage(bench, R | PTE_COW);
    const pages = (): number[] => [...table.mappedPages(FIRST, END)].map((page) => table.entry(page));
    const before = pages();
    transaction(bench, () => table.split(vpn(AT + 77)));
    expect([pages(), table.leafPages(vpn(AT))]).toEqual([before, 1]);
    bench.check();
    expect(table.merge(vpn(AT + 3))).toBe(true);
    expect([pages(), table.leafPages(vpn(AT)), tablesOf(table)]).toEqual([before, 512, 2]);
    bench.check();
  });

  test('is not made where entries are wanting, differ, or are not contiguous', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table } = withMegapage(bench);
    expect([table.merge(vpn(AT)), table.merge(vpn(0)), table.merge(vpn(AT + MEGA))]).toEqual([
      false,
      false,
      false,
    ]);
    table.split(vpn(AT));
    table.translate(vpn(AT + 9), 'read');
    expect(table.merge(vpn(AT))).toBe(false);
    table.getEntry(vpn(AT + 9))!.accessed = false;
    const [one, two] = [table.getEntry(vpn(AT + 1))!, table.getEntry(vpn(AT + 2))!];
    two.setTarget(one.setTarget(two.target));
    expect(table.merge(vpn(AT))).toBe(false);
    two.setTarget(one.setTarget(two.target));
    const last = pteFrame(table.unmap(vpn(AT + 511)));
    expect(table.merge(vpn(AT))).toBe(false);
    table.map(vpn(AT + 511), last, RW);
    expect(table.merge(vpn(AT))).toBe(true);
    bench.check();
  });

  test('is not made where the first frame is not a multiple of 512', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const table = bench.table() as Sv39PageTable;
    const first = bench.run(2 * MEGA);
    const odd = Array.from({ length: MEGA }, (_, index) => frameNumber(first + 1 + index));
    table.cursor(vpn(AT), vpn(AT + MEGA)).map(odd, R);
    expect([table.merge(vpn(AT)), table.translate(vpn(AT + 8), 'read')]).toEqual([false, first + 9]);
    for (let index = 0; index < 2 * MEGA; index++) {
      if (index < 1 || index > MEGA) bench.memory.release(frameNumber(first + index));
    }
  });

  test('is left whole by an empty range inside of it', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table } = withMegapage(bench);
    const cursor = table.cursor(vpn(AT + 8), vpn(AT + 8));
    expect([cursor.unmap(), cursor.protect(() => R)]).toEqual([0, 0]);
    table.shareWrites(vpn(AT + 8), vpn(AT + 8));
    expect(table.leafPages(vpn(AT))).toBe(MEGA);
  });

  test('in a cursor’s range stays whole, and is split on its edge alone', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table } = withMegapage(bench);
    const page = bench.map(table, AT + MEGA, RW);
    const whole = table.cursor(vpn(AT), vpn(AT + MEGA + 1));
    expect(whole.protect((flags) => (flags & ~PTE_W) | PTE_COW)).toBe(MEGA + 1);
    expect(table.leafPages(vpn(AT))).toBe(MEGA);
    bench.check();
    const part = table.cursor(vpn(AT + 8), vpn(AT + 16));
    expect(transaction(bench, () => void part.protect(() => R | PTE_X))).toBe(1);
    expect([7, 8, 15, 16].map((index) => table.entry(vpn(AT + index)) & (PTE_X | PTE_COW))).toEqual([
      PTE_COW,
      PTE_X,
      PTE_X,
      PTE_COW,
    ]);
    part.jump(vpn(AT + 8));
    expect(part.unmap()).toBe(8);
    expect(bench.memory.count(page)).toBe(1);
    bench.check();
    whole.jump(vpn(AT));
    expect(whole.unmap()).toBe(MEGA - 8 + 1);
    expect(tablesOf(table)).toBe(1);
  });

  test('unmapped whole needs no memory', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table } = withMegapage(bench);
    bench.memory.failAllocation(1);
    expect(table.cursor(FIRST, END).unmap()).toBe(MEGA);
    bench.memory.failAllocation(0);
    expect(tablesOf(table)).toBe(1);
  });

  test('a refused protect puts what it has split together again', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table } = withMegapage(bench);
    const before = bench.state();
    const cursor = table.cursor(vpn(AT + 8), vpn(AT + 16));
    expect(() => cursor.protect((flags) => (table.entry(vpn(AT + 9)) & PTE_X ? flags : PTE_U))).toThrow(
      InvalidArgument,
    );
    expect(bench.state()).toEqual(before);
    expect(table.leafPages(vpn(AT))).toBe(MEGA);
  });

  test('written under copy on write gives up one page, or nothing where memory runs out', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table, first } = withMegapage(bench, R | PTE_COW);
    const cow = new CowExt(table);
    const shared = frameNumber(first + 5);
    expect([cow.writeCount(first), cow.writeCount(shared)]).toEqual([1, 1]);
    bench.memory.retain(shared);
    const before = bench.state();
    for (const n of [1, 2]) {
      bench.memory.failAllocation(n);
      expect(cow.handlePageFault(vpn(AT + 5), 'write')).toEqual({ kind: 'out-of-memory' });
      expect(bench.state()).toEqual(before);
    }
    expect(cow.handlePageFault(vpn(AT + 5), 'write')).toEqual({ kind: 'resolved', by: 'copied' });
    expect(cow.handlePageFault(vpn(AT + 6), 'write')).toEqual({ kind: 'resolved', by: 'reused' });
    expect([4, 5, 6].map((index) => cow.writeCount(frameNumber(first + index)))).toEqual([1, 0, 0]);
    bench.check([shared]);
    bench.memory.release(shared);
  });

  test('of a sole owner is made writable as a whole, which wants no memory', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table, first } = withMegapage(bench);
    const child = bench.table();
    const cow = new CowExt(table);
    cow.shareAll(child);
    child.close();
    bench.memory.failAllocation(1);
    expect(cow.handlePageFault(vpn(AT + 5), 'write')).toEqual({ kind: 'resolved', by: 'reused' });
    bench.memory.failAllocation(0);
    expect([table.leafPages(vpn(AT)), cow.writeCount(first)]).toEqual([MEGA, 0]);
    expect(table.translate(vpn(AT + 511), 'write')).toBe(first + 511);
  });

  test('one of whose other frames is shared is split where it is written', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table, first } = withMegapage(bench, R | PTE_COW);
    bench.memory.retain(frameNumber(first + 511));
    const cow = new CowExt(table);
    expect(cow.handlePageFault(vpn(AT), 'write')).toEqual({ kind: 'resolved', by: 'reused' });
    expect([table.leafPages(vpn(AT)), cow.writeCount(frameNumber(first + 511))]).toEqual([1, 1]);
    bench.memory.release(frameNumber(first + 511));
  });

  test('half-way through whose range sharing is refused is put together again', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table, first } = withMegapage(bench);
    const word = (bench.memory.metadata(frameNumber(first + 300)) + METADATA_WRITE_SHARES) / 4;
    bench.memory.words[word] = 0xffff_ffff;
    const before = bench.state();
    expect(() => table.shareWrites(vpn(AT + 8), vpn(AT + 400))).toThrow(
      expect.objectContaining({ code: 'EOVERFLOW' }) as Error,
    );
    expect([bench.state(), table.leafPages(vpn(AT))]).toEqual([before, MEGA]);
    bench.memory.words[word] = 0;
  });

  test('is shared by a fork page by page', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table, first } = withMegapage(bench);
    const child = bench.table();
    expect(new CowExt(table).shareAll(child)).toBe(MEGA);
    expect(table.leafPages(vpn(AT))).toBe(MEGA);
    expect(new CowExt(table).writeCount(frameNumber(first + 511))).toBe(2);
    bench.check();
  });

  test('is counted in the shares of all its frames, or, where one overflows, of none', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table, first } = withMegapage(bench);
    const word = (bench.memory.metadata(frameNumber(first + 300)) + METADATA_WRITE_SHARES) / 4;
    bench.memory.words[word] = 0xffff_ffff;
    const before = bench.state();
    const overflow = expect.objectContaining({ code: 'EOVERFLOW' }) as Error;
    expect(() => table.protectLeaf(vpn(AT), R | PTE_COW)).toThrow(overflow);
    expect(() => table.map(vpn(GIGA), first, R | PTE_COW, 1)).toThrow(overflow);
    expect(() => table.cursor(vpn(AT + 1), END).protect(() => R | PTE_COW)).toThrow(overflow);
    expect(bench.state()).toEqual(before);
    expect(table.leafPages(vpn(AT))).toBe(MEGA);
    bench.memory.words[word] = 0;
    table.protectLeaf(vpn(AT), R | PTE_COW);
    bench.check();
  });

  test('leaves no TLB line behind when it is unmapped or changed', () => {
    using bench = new Workbench('Sv39PageTable', RAM);
    const { table } = withMegapage(bench);
    const { tlb, tlbContext } = table;
    for (const change of [
      () => void table.protectLeaf(vpn(AT), R),
      () => void table.cursor(FIRST, END).unmap(),
    ]) {
      tlb.activate(tlbContext);
      tlb.install(tlbContext, 'read', vpn(AT + 300), table.translate(vpn(AT + 300), 'read'));
      change();
      expect([...tlb.lines(tlbContext)]).toEqual([]);
    }
  });
});

describe('a gigapage', () => {
  test('maps, walks, splits at both edges of a range as a transaction, merges, and is given back', () => {
    using bench = new Workbench('Sv39PageTable', 2 ** 31 + 2 ** 20);
    const table = bench.table() as Sv39PageTable;
    const first = bench.run(GIGA);
    table.map(vpn(GIGA), first, RW, 2);
    expect([tablesOf(table), table.leafPages(vpn(GIGA + 5))]).toEqual([1, GIGA]);
    expect(table.translate(vpn(2 * GIGA - 1), 'write')).toBe(first + GIGA - 1);
    const cursor = table.cursor(vpn(GIGA + 5), vpn(GIGA + 3 * MEGA + 5));
    for (const n of [1, 2, 3]) {
      bench.memory.failAllocation(n);
      const { freeFrames } = bench.memory;
      expect(() => cursor.protect(() => R)).toThrow(expect.objectContaining({ code: 'ENOMEM' }) as Error);
      expect([bench.memory.freeFrames, table.leafPages(vpn(GIGA))]).toEqual([freeFrames, GIGA]);
    }
    expect(cursor.protect(() => R)).toBe(3 * MEGA);
    expect([0, MEGA, 3 * MEGA, 4 * MEGA].map((at) => table.leafPages(vpn(GIGA + at)))).toEqual([
      1,
      MEGA,
      1,
      MEGA,
    ]);
    expect(table.translate(vpn(GIGA + 5), 'write')).toBe(NO_FRAME);
    cursor.jump(cursor.start);
    cursor.protect(() => RW | PTE_A | PTE_D);
    for (const at of [0, 3 * MEGA]) expect(table.merge(vpn(GIGA + at))).toBe(true);
    expect([tablesOf(table), table.leafPages(vpn(GIGA))]).toEqual([1, GIGA]);
    expect(table.cursor(FIRST, END).unmap()).toBe(GIGA);
  });
});
