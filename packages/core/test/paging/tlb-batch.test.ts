import { expect, test } from 'vitest';
import { FrameMeta, frameNumber, UniquePage, Usage, vpn } from '../../src/frame/index.js';
import { PTE_R, PTE_U, PTE_W, pteFrame, staleLines, type Sv39PageTable } from '../../src/paging/index.js';
import { TABLE_KINDS, Workbench } from './each-table.js';

const RW = PTE_U | PTE_R | PTE_W;

/** A table with pages 0 … pages - 1 mapped, and read and written through the TLB. */
const cachedTable = (bench: Workbench, pages: number): Sv39PageTable => {
  const table = bench.table() as Sv39PageTable;
  table.tlb.activate(table.tlbContext);
  for (let index = 0; index < pages; index++) {
    const page = vpn(index);
    bench.map(table, page, RW);
    for (const access of ['read', 'write'] as const) {
      table.tlb.install(table.tlbContext, access, page, table.translate(page, access));
    }
  }
  return table;
};

const linesOf = (table: Sv39PageTable): number => [...table.tlb.lines(table.tlbContext)].length;

test('a frame in a batch is not free while a line may name it', () => {
  using bench = new Workbench('Sv39PageTable');
  const table = cachedTable(bench, 2);
  const frame = pteFrame(table.entry(vpn(0)));
  const batch = table.batch();
  batch.release(pteFrame(table.unmapLeaf(vpn(0), batch)));
  expect([linesOf(table), bench.memory.usage(frame)]).toEqual([4, Usage.Frame]);
  expect(staleLines(table)).toHaveLength(2);
  const linesWhenFreed: number[] = [];
  bench.memory.setDestructor(Usage.Frame, (freed) => {
    linesWhenFreed.push([...table.tlb.lines(table.tlbContext)].filter((line) => line.frame === freed).length);
  });
  batch.flush();
  expect(linesWhenFreed).toEqual([0]);
  expect([linesOf(table), bench.memory.usage(frame)]).toEqual([2, Usage.Unused]);
  expect(staleLines(table)).toEqual([]);
  batch.flush();
  expect(linesOf(table)).toBe(2);
});

test.each([1, 63, 64, 65, 200])('of %i pages forgets all of them, and no other space’s', (pages) => {
  using bench = new Workbench('Sv39PageTable', 2 ** 21);
  const [table, other] = [cachedTable(bench, pages), bench.table() as Sv39PageTable];
  other.tlb.activate(other.tlbContext);
  const frame = bench.map(other, 4000, RW);
  other.tlb.install(other.tlbContext, 'read', vpn(4000), frame);
  {
    using batch = table.batch();
    for (let page = 0; page < pages; page++) table.protectLeaf(vpn(page), PTE_U | PTE_R, batch);
  }
  expect([staleLines(table), linesOf(other)]).toEqual([[], 1]);
});

test('drops the references of runs of frames', () => {
  using bench = new Workbench('Sv39PageTable', 2 ** 22);
  const first = bench.run(16);
  const batch = bench.table().batch();
  batch.release(first, 16);
  batch.flush();
  for (let index = 0; index < 16; index++) expect(bench.memory.count(frameNumber(first + index))).toBe(0);
});

test('drops every reference once, where a destructor throws and where a frame has a unique owner', () => {
  using bench = new Workbench('Sv39PageTable');
  const { memory } = bench;
  const table = cachedTable(bench, 1);
  const [one, last] = [bench.frame(), bench.frame()];
  const unique = UniquePage.allocate(memory, FrameMeta);
  const batch = table.batch();
  batch.forget(vpn(0));
  for (const frame of [one, unique.frame, last]) batch.release(frame);
  memory.setDestructor(Usage.Frame, (frame) => {
    throw new Error(`destructor of ${frame}`);
  });
  expect(() => batch.flush()).toThrow(`destructor of ${one}`);
  expect([linesOf(table), memory.count(one), memory.count(last)]).toEqual([0, 0, 0]);
  memory.setDestructor(Usage.Frame, () => {});
  const innocent = bench.frame();
  batch.flush();
  expect(memory.count(innocent)).toBe(1);
  memory.release(innocent);
  unique.close();
});

test.each(TABLE_KINDS)('a cursor over %s unmaps with one batch, and frees what it unmapped', (kind) => {
  using bench = new Workbench(kind);
  const table = bench.table();
  const shared = bench.frame(0, 3);
  for (const page of [1, 2]) table.map(vpn(page), shared, PTE_U | PTE_R);
  const own = bench.map(table, 3, RW);
  expect(table.cursor(vpn(0), vpn(100)).unmap()).toBe(3);
  expect([bench.memory.count(shared), bench.memory.count(own)]).toEqual([1, 0]);
  bench.memory.release(shared);
});
