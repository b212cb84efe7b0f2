/** What holds for every `PageTable`: the suite that each implementation runs. */
import { expect, test } from 'vitest';
import { frameNumber, InvalidArgument, NO_FRAME, Usage, vpn } from '../../src/frame/index.js';
import {
  type Access,
  makePte,
  MAX_PAGES,
  PTE_A,
  PTE_COW,
  PTE_D,
  PTE_FLAGS,
  PTE_G,
  PTE_R,
  PTE_READONLY_SHARED,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_X,
  pteFrame,
  readShares,
} from '../../src/paging/index.js';
import { END, FIRST, type TableKind, Workbench } from './each-table.js';

const R = PTE_U | PTE_R;
const RW = R | PTE_W;
const ACCESSES: readonly Access[] = ['read', 'write', 'execute'];
const withCode = (code: string): Error => expect.objectContaining({ code }) as Error;

export const pageTableContract = (kind: TableKind): void => {
  test('an entry owns the reference that map took over, until unmap hands it back', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const frame = bench.map(table, 5, RW);
    expect(table.entry(vpn(5))).toBe(makePte(frame, RW | PTE_V));
    bench.check();
    expect(table.unmap(vpn(5))).toBe(makePte(frame, RW | PTE_V));
    expect([table.entry(vpn(5)), table.unmap(vpn(5))]).toEqual([0, 0]);
    bench.check([frame]);
    bench.memory.release(frame);
  });

  test('map refuses what it must, and changes nothing', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const frame = bench.map(table, 5, RW);
    const before = bench.state();
    expect(() => table.map(vpn(5), frame, RW)).toThrow(withCode('EEXIST'));
    for (const page of [-1, 0.5, MAX_PAGES, Number.NaN].map(vpn)) {
      expect(() => table.map(page, frame, RW)).toThrow(InvalidArgument);
    }
    expect(() => table.map(vpn(2 ** 20), frame, PTE_U)).toThrow(InvalidArgument);
    for (const absent of [bench.memory.totalFrames, -1, 0.5]) {
      expect(() => table.map(vpn(2 ** 20), absent as typeof frame, RW)).toThrow(InvalidArgument);
      expect(() => table.getEntry(vpn(5))!.setTarget(absent as typeof frame)).toThrow(InvalidArgument);
    }
    expect(bench.state()).toEqual(before);
  });

  test('replace and protect refuse what is not mapped, and what is no leaf', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const frame = bench.map(table, 5, RW);
    const before = bench.state();
    expect(() => table.replace(vpn(6), makePte(frame, R | PTE_V))).toThrow(withCode('ENOENT'));
    expect(() => table.protect(vpn(6), R)).toThrow(withCode('ENOENT'));
    expect(() => table.protectLeaf(vpn(6), R)).toThrow(withCode('ENOENT'));
    expect(() => table.replace(vpn(5), makePte(frame, R))).toThrow(InvalidArgument);
    expect(() => table.protect(vpn(5), PTE_U)).toThrow(InvalidArgument);
    expect(() => table.protectLeaf(vpn(5), PTE_U)).toThrow(InvalidArgument);
    expect(bench.state()).toEqual(before);
    expect(table.protect(vpn(5), R)).toBe(makePte(frame, RW | PTE_V));
    expect(table.entry(vpn(5))).toBe(makePte(frame, R | PTE_V));
  });

  test.each([
    ['no right', PTE_U | PTE_G],
    ['W without R', PTE_U | PTE_W],
    ['W and X without R', PTE_U | PTE_W | PTE_X],
    ['W and COW', RW | PTE_COW],
    ['both marks of sharing', R | PTE_COW | PTE_READONLY_SHARED],
    ['a bit that is no flag', R | 0x4000_0000],
    ['a bit beyond 32', R + 2 ** 32],
    ['a fraction', R + 0.5],
    ['a sign', R - 2 ** 31],
    ['NaN', Number.NaN],
  ])('no entry ever has %s', (_name, flags) => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const frame = bench.map(table, 5, R);
    const before = bench.state();
    expect(() => table.map(vpn(6), frame, flags)).toThrow(InvalidArgument);
    expect(() => table.protect(vpn(5), flags)).toThrow(InvalidArgument);
    expect(() => table.protectLeaf(vpn(5), flags)).toThrow(InvalidArgument);
    expect(() => table.replace(vpn(5), frame * 1024 + flags + PTE_V)).toThrow(InvalidArgument);
    expect(bench.state()).toEqual(before);
  });

  test('what is shared on purpose keeps its W when all is shared, and counts as shared for good', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const frame = bench.map(table, 5, RW | PTE_READONLY_SHARED);
    table.shareWrites(vpn(0), vpn(8));
    expect(table.entry(vpn(5)) & (PTE_W | PTE_COW | PTE_READONLY_SHARED)).toBe(PTE_W | PTE_READONLY_SHARED);
    expect(readShares(bench.memory, frame)).toBe(1);
    bench.memory.release(pteFrame(table.unmap(vpn(5))));
    expect(bench.memory.count(frame)).toBe(0);
  });

  test('no entry ever names a frame that is free, or reserved, or not in RAM', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    bench.map(table, 5, R);
    const free = bench.frame();
    bench.memory.release(free);
    const before = bench.state();
    const { firstAllocatable, totalFrames } = bench.memory;
    for (const wild of [free, 0, firstAllocatable - 1, totalFrames, 2 ** 20, 2 ** 22 + free].map(
      frameNumber,
    )) {
      expect(() => table.map(vpn(6), wild, R)).toThrow(InvalidArgument);
      expect(() => table.replace(vpn(5), wild * 1024 + (R | PTE_V))).toThrow(InvalidArgument);
      expect(() => table.getEntry(vpn(5))!.setTarget(wild)).toThrow(InvalidArgument);
    }
    expect(bench.state()).toEqual(before);
  });

  test('translate grants what the entry says, and sets A, and D for a write', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const flags = [R, RW, PTE_U | PTE_X, RW | PTE_X, PTE_R | PTE_W, R | PTE_COW];
    const granted = flags.map((each, page) => {
      const frame = bench.map(table, page, each);
      return ACCESSES.filter((access) => table.translate(vpn(page), access) === frame).join(' ');
    });
    expect(granted).toEqual(['read', 'read write', 'execute', 'read write execute', '', 'read']);
    expect(flags.map((each, page) => table.entry(vpn(page)) & PTE_FLAGS & ~each)).toEqual(
      granted.map((each) => PTE_V | (each === '' ? 0 : PTE_A) | (each.includes('write') ? PTE_D : 0)),
    );
    expect(table.translate(vpn(100), 'read')).toBe(NO_FRAME);
  });

  test('an entry object reads and changes the bits of its page', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const frame = bench.map(table, 3, RW);
    const entry = table.getEntry(vpn(3))!;
    expect(entry).toMatchObject({ page: 3, present: true, readable: true, writable: true, user: true });
    expect(entry).toMatchObject({ execute: false, accessed: false, dirty: false, target: frame });
    expect(entry).toMatchObject({ readonlyShared: false, writableShared: false });
    entry.writable = false;
    entry.execute = true;
    entry.user = false;
    expect(entry.bits).toBe(makePte(frame, PTE_V | PTE_R | PTE_X));
    entry.user = true;
    entry.writable = true;
    table.translate(vpn(3), 'write');
    expect(entry).toMatchObject({ accessed: true, dirty: true });
    entry.dirty = false;
    expect(entry).toMatchObject({ accessed: true, dirty: false });
    entry.accessed = false;
    expect(entry.bits).toBe(makePte(frame, PTE_V | RW | PTE_X));
    entry.accessed = true;
    entry.dirty = true;
    expect(entry.bits).toBe(makePte(frame, PTE_V | RW | PTE_X | PTE_A | PTE_D));
    entry.accessed = false;
    entry.dirty = false;
    const other = bench.frame();
    expect(entry.setTarget(other)).toBe(frame);
    expect(entry.bits).toBe(makePte(other, PTE_V | RW | PTE_X));
    bench.check([frame]);
    bench.memory.release(frame);
  });

  test('an entry object goes from one shared state to another, and W is lost with the first', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const frame = bench.map(table, 3, RW);
    const entry = table.getEntry(vpn(3))!;
    entry.setShared('writable');
    expect(entry.bits).toBe(makePte(frame, PTE_V | R | PTE_COW));
    expect(() => (entry.writable = true)).toThrow(InvalidArgument);
    entry.setShared('readonly');
    expect(entry.bits).toBe(makePte(frame, PTE_V | R | PTE_READONLY_SHARED));
    bench.check();
    entry.clearShared();
    expect(entry.bits).toBe(makePte(frame, PTE_V | R));
    entry.writable = true;
    expect(entry.bits).toBe(makePte(frame, PTE_V | RW));
    bench.check();
  });

  test('an entry object refuses reserved encodings, and a page that has gone', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const frame = bench.map(table, 3, PTE_U | PTE_X);
    const entry = table.getEntry(vpn(3))!;
    expect(() => (entry.writable = true)).toThrow(InvalidArgument);
    expect(() => (entry.execute = false)).toThrow(InvalidArgument);
    expect(entry.bits).toBe(makePte(frame, PTE_V | PTE_U | PTE_X));
    bench.memory.release(frame);
    table.unmap(vpn(3));
    expect(entry).toMatchObject({ present: false, writable: false, user: false, execute: false });
    for (const change of [
      () => entry.target,
      () => (entry.writable = true),
      () => (entry.user = true),
      () => entry.setShared('writable'),
      () => entry.setTarget(frame),
    ]) {
      expect(change).toThrow(withCode('ENOENT'));
    }
    expect(table.getEntry(vpn(3))).toBeUndefined();
  });

  test('mapped pages come in order, and may be unmapped on the way', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const pages = [0, 1, 511, 512, 2 ** 18, MAX_PAGES - 1];
    for (const page of pages.toReversed()) bench.map(table, page, R);
    expect([...table.mappedPages(vpn(1), vpn(513))]).toEqual([1, 511, 512]);
    expect([table.nextMapped(513, MAX_PAGES), table.nextMapped(513, 2 ** 18)]).toEqual([2 ** 18, -1]);
    const seen: number[] = [];
    for (const page of table.mappedPages(FIRST, END)) {
      seen.push(page);
      bench.memory.release(table.getEntry(page)!.target);
      table.unmap(page);
    }
    expect(seen).toEqual(pages);
  });

  test('shareWrites turns W into COW in its range, and nothing else', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    for (const [page, flags] of [RW, R, RW | PTE_X | PTE_D, RW].entries()) bench.map(table, page, flags);
    table.shareWrites(vpn(0), vpn(3));
    expect([0, 1, 2, 3].map((page) => table.entry(vpn(page)) & PTE_FLAGS & ~PTE_V)).toEqual([
      R | PTE_COW,
      R,
      R | PTE_X | PTE_D | PTE_COW,
      RW,
    ]);
    bench.check();
  });

  test('shareWrites that meets a frame that can’t be shared leaves all as it was', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    bench.map(table, 1, RW);
    bench.map(table, 2, R | PTE_COW);
    const stack = bench.memory.allocate(Usage.KernelStack);
    table.map(vpn(3), stack, RW);
    bench.map(table, 4, RW);
    const before = bench.state();
    expect(() => table.shareWrites(FIRST, END)).toThrow(InvalidArgument);
    expect(bench.state()).toEqual(before);
  });

  test('an empty range is nothing to a cursor, or to shareWrites', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    bench.map(table, 5, RW);
    const before = bench.state();
    const cursor = table.cursor(vpn(5), vpn(5));
    expect([cursor.unmap(), cursor.protect(() => R)]).toEqual([0, 0]);
    cursor.map([], R);
    table.shareWrites(vpn(5), vpn(5));
    expect(bench.state()).toEqual(before);
  });

  test.each(['close', 'unmap by cursor'] as const)('%s goes to its end where a destructor throws', (way) => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const frames = [1, 2, 3].map((page) => bench.map(table, page, R | PTE_COW));
    const freed: number[] = [];
    bench.memory.setDestructor(Usage.Frame, (frame) => {
      throw new Error(`destructor ${freed.push(frame)}`);
    });
    const drop = (): unknown => (way === 'close' ? table.close() : table.cursor(FIRST, END).unmap());
    expect(drop).toThrow('destructor 1');
    expect(freed).toEqual(frames);
    bench.memory.setDestructor(Usage.Frame, () => {});
    const innocent = bench.frame();
    drop();
    bench.check([innocent]);
    bench.memory.release(innocent);
  });

  test('a closed table maps nothing, and closing twice does nothing', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const frame = bench.frame(0, 2);
    table.map(vpn(1), frame, R | PTE_COW);
    table.close();
    table.close();
    bench.check([frame]);
    expect(table.entry(vpn(1))).toBe(0);
    expect(() => table.map(vpn(1), frame, R)).toThrow(InvalidArgument);
    bench.memory.release(frame);
    expect(bench.memory.usage(frame)).toBe(Usage.Unused);
  });

  test('a cursor maps, queries, protects and unmaps one page after the other', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const cursor = table.cursor(vpn(510), vpn(516));
    const frames = [bench.frame(), bench.frame(), bench.frame()];
    cursor.map(frames, RW);
    expect([cursor.page, cursor.query()]).toEqual([513, 0]);
    cursor.jump(vpn(511));
    expect(cursor.query()).toBe(makePte(frames[1]!, RW | PTE_V));
    expect(cursor.protect((flags) => flags & ~PTE_W, 1)).toBe(1);
    expect(cursor.page).toBe(512);
    cursor.jump(vpn(510));
    const pages: number[] = [];
    for (let page = cursor.nextPresent(); page !== undefined; page = cursor.nextPresent()) {
      pages.push(page);
      cursor.jump(vpn(page + 1));
    }
    expect([pages, cursor.page]).toEqual([[510, 511, 512], 516]);
    expect(table.entry(vpn(511))).toBe(makePte(frames[1]!, R | PTE_V));
    cursor.jump(vpn(510));
    expect(cursor.unmap(2)).toBe(2);
    expect(cursor.unmap()).toBe(1);
    expect(cursor.page).toBe(516);
    expect([...table.mappedPages(FIRST, END)]).toEqual([]);
    bench.check();
  });

  test('a cursor stays in its range', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    const cursor = table.cursor(vpn(4), vpn(6));
    for (const beyond of [
      () => cursor.jump(vpn(7)),
      () => cursor.jump(vpn(3)),
      () => cursor.unmap(3),
      () => cursor.protect((flags) => flags, 3),
      () => cursor.map([FIRST, FIRST, FIRST] as never[], R),
      () => table.cursor(vpn(6), vpn(4)),
      () => table.cursor(vpn(0.5), vpn(4)),
    ]) {
      expect(beyond).toThrow(InvalidArgument);
    }
    expect(cursor.page).toBe(4);
  });

  test('a cursor’s map or protect that is refused half-way leaves nothing behind', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    bench.map(table, 3, RW | PTE_D);
    bench.map(table, 4, RW);
    const frames = [bench.frame(), bench.frame(), bench.frame()];
    const before = bench.state();
    const cursor = table.cursor(vpn(1), vpn(10));
    expect(() => cursor.map(frames, RW)).toThrow(withCode('EEXIST'));
    expect(bench.state()).toEqual(before);
    expect(() => cursor.protect((flags) => ((flags & PTE_D) === 0 ? PTE_U : PTE_R | PTE_COW))).toThrow(
      InvalidArgument,
    );
    expect(cursor.page).toBe(1);
    expect(bench.state()).toEqual(before);
    for (const frame of frames) bench.memory.release(frame);
  });
};
