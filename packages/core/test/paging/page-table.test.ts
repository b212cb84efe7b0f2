import { describe, expect, test } from 'vitest';
import { virtAddr, vpn } from '../../src/frame/index.js';
import { type MockPageTable, PTE_R, PTE_U, PTE_W } from '../../src/paging/index.js';
import { TABLE_KINDS, Workbench } from './each-table.js';
import { pageTableContract } from './page-table.contract.js';

describe.each(TABLE_KINDS)('the contract of page tables holds for %s', (kind) => {
  pageTableContract(kind);
});

describe('the mock', () => {
  test('reads and writes bytes by address', () => {
    using bench = new Workbench('MockPageTable');
    const table = bench.table() as MockPageTable;
    bench.map(table, 1, PTE_U | PTE_R | PTE_W, 5);
    expect(table.read(virtAddr(0x1000))).toBe(5);
    table.write(virtAddr(0x1fff), 9);
    expect(table.read(virtAddr(0x1fff))).toBe(9);
    expect(table.getEntry(vpn(1))).toMatchObject({ accessed: true, dirty: true });
  });

  test('fails where nothing is mapped and there is no handler', () => {
    using bench = new Workbench('MockPageTable');
    const table = bench.table() as MockPageTable;
    expect(() => table.read(virtAddr(0x1000))).toThrow('read of 0x1000 faults: no handler');
  });

  test('tells its handler the page and the access', () => {
    using bench = new Workbench('MockPageTable');
    const table = bench.table() as MockPageTable;
    table.setHandler((page, access) => {
      bench.map(table, page, PTE_U | PTE_R, access === 'read' ? 4 : 0);
      return { kind: 'resolved', by: 'zero-filled' };
    });
    expect(table.read(virtAddr(0x7000))).toBe(4);
    // Resolved, and still not writable: no second question.
    expect(() => table.write(virtAddr(0x9000), 1)).toThrow('write of 0x9000 faults: resolved');
  });
});
