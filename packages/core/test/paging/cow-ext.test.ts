import { describe, expect, test } from 'vitest';
import { METADATA_WRITE_SHARES, NO_FRAME, PAGE_SIZE, Usage, virtAddr, vpn } from '../../src/frame/index.js';
import {
  type Access,
  CowExt,
  PTE_A,
  PTE_D,
  PTE_FLAGS,
  PTE_G,
  PTE_R,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_X,
  pteFrame,
  Sv39PageTable,
} from '../../src/paging/index.js';
import { TABLE_KINDS, User, Workbench } from './each-table.js';

const RW = PTE_U | PTE_R | PTE_W;

describe.each(TABLE_KINDS)('copy on write over %s', (kind) => {
  test("passes the seed's own test, step by step", () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const user = new User(cow.table, (page, access) => cow.handlePageFault(page, access));
    const [a, b, c] = [virtAddr(0x1000), virtAddr(0x2000), virtAddr(0x3000)];
    const counts = (): number[] => [cow.readCount(frame), cow.writeCount(frame)];
    const bytes = (): number[] => [user.read(a), user.read(b), user.read(c)];

    const frame = bench.map(cow.table, 1, RW);
    user.write(a, 1);
    expect(user.read(a)).toBe(1);
    expect(pteFrame(cow.table.unmap(vpn(1)))).toBe(frame);

    // The reference that came back, and one more for each of the other two pages.
    bench.memory.retain(frame);
    bench.memory.retain(frame);
    cow.mapToShared(vpn(1), frame, 'writable');
    cow.mapToShared(vpn(2), frame, 'writable');
    cow.mapToShared(vpn(3), frame, 'readonly');
    expect(counts()).toEqual([1, 2]);
    expect(bytes()).toEqual([1, 1, 1]);

    user.write(a, 2);
    expect(counts()).toEqual([1, 1]);
    expect(cow.table.getEntry(vpn(1))?.target).not.toBe(frame);
    expect(bytes()).toEqual([2, 1, 1]);

    cow.unmapShared(vpn(3));
    expect(counts()).toEqual([0, 1]);
    expect(cow.table.getEntry(vpn(3))).toBeUndefined();

    user.write(b, 3);
    expect(counts()).toEqual([0, 0]);
    expect(cow.table.getEntry(vpn(2))?.target).toBe(frame);
    expect([user.read(a), user.read(b)]).toEqual([2, 3]);
  });

  test('000.1: a write to a readonly-shared page is a protection fault, and nothing is copied', () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const frame = bench.frame(7, 2);
    cow.mapToShared(vpn(1), frame, 'readonly');
    cow.mapToShared(vpn(2), frame, 'writable');
    const before = bench.state();
    expect(cow.handlePageFault(vpn(1), 'write')).toEqual({ kind: 'protection' });
    expect(bench.state()).toEqual(before);
    // Nor when it is the last.
    cow.unmapShared(vpn(2));
    expect(cow.handlePageFault(vpn(1), 'write')).toEqual({ kind: 'protection' });
    expect(cow.table.getEntry(vpn(1))).toMatchObject({
      readonlyShared: true,
      writable: false,
      target: frame,
    });
  });

  test('000.2: reads and fetches never break sharing', () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const frame = bench.frame(7, 2);
    cow.mapToShared(vpn(1), frame, 'writable', PTE_U | PTE_R | PTE_A);
    cow.mapToShared(vpn(2), frame, 'writable', PTE_U | PTE_R | PTE_A);
    const before = bench.state();
    expect(cow.handlePageFault(vpn(1), 'read')).toEqual({ kind: 'resolved', by: 'present' });
    expect(cow.handlePageFault(vpn(1), 'execute')).toEqual({ kind: 'protection' });
    expect(bench.state()).toEqual(before);
  });

  test.each([0, PTE_X, PTE_G, PTE_X | PTE_G | PTE_A | PTE_D])(
    '000.3: flags other than W and COW survive a copy, and a write in place (%i)',
    (more) => {
      using bench = new Workbench(kind);
      const cow = bench.cow();
      const frame = bench.frame(7, 2);
      const flags = PTE_U | PTE_R | more;
      cow.mapToShared(vpn(1), frame, 'writable', flags);
      cow.mapToShared(vpn(2), frame, 'writable', flags);
      expect(cow.handlePageFault(vpn(1), 'write')).toEqual({ kind: 'resolved', by: 'copied' });
      expect(cow.handlePageFault(vpn(2), 'write')).toEqual({ kind: 'resolved', by: 'reused' });
      for (const page of [1, 2].map(vpn)) {
        expect(cow.table.entry(page) & PTE_FLAGS).toBe(flags | PTE_V | PTE_W);
      }
      expect(bench.memory.bytes[pteFrame(cow.table.entry(vpn(1))) * PAGE_SIZE]).toBe(7);
    },
  );

  test('000.4: two spaces that share a frame never both write it', () => {
    using bench = new Workbench(kind);
    const [one, two] = [bench.cow(), bench.cow()];
    const frame = bench.frame(7, 2);
    one.mapToShared(vpn(1), frame, 'writable');
    two.mapToShared(vpn(9), frame, 'writable');
    expect([one.writeCount(frame), two.writeCount(frame)]).toEqual([2, 2]);
    expect(one.handlePageFault(vpn(1), 'write')).toEqual({ kind: 'resolved', by: 'copied' });
    expect([one.writeCount(frame), two.writeCount(frame)]).toEqual([1, 1]);
    expect(two.handlePageFault(vpn(9), 'write')).toEqual({ kind: 'resolved', by: 'reused' });
    expect(pteFrame(one.table.entry(vpn(1)))).not.toBe(pteFrame(two.table.entry(vpn(9))));
  });

  test('000.4: a handle on the frame keeps it from being written in place, too', () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const frame = bench.frame(7, 2);
    cow.mapToShared(vpn(1), frame, 'writable');
    expect(cow.handlePageFault(vpn(1), 'write')).toEqual({ kind: 'resolved', by: 'copied' });
    expect(bench.memory.count(frame)).toBe(1);
    bench.memory.release(frame);
  });

  test('000.5: a frame is freed with its last entry, and its counts are gone with it', () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const frame = bench.frame(7, 3);
    cow.mapToShared(vpn(1), frame, 'writable');
    cow.mapToShared(vpn(2), frame, 'readonly');
    cow.mapToShared(vpn(3), frame, 'writable');
    cow.unmapShared(vpn(2));
    cow.handlePageFault(vpn(3), 'write');
    expect(bench.memory.usage(frame)).toBe(Usage.Frame);
    cow.unmapShared(vpn(1));
    expect(bench.memory.usage(frame)).toBe(Usage.Unused);
    expect([cow.readCount(frame), cow.writeCount(frame)]).toEqual([0, 0]);
  });

  test('000.6: counts have 32 bits, and one more than they hold is refused and changes nothing', () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const frame = bench.frame(7, 2);
    cow.mapToShared(vpn(1), frame, 'writable');
    cow.table.map(vpn(2), frame, PTE_U | PTE_R);
    const word = (bench.memory.metadata(frame) + METADATA_WRITE_SHARES) / 4;
    bench.memory.words[word] = 0x1_0000;
    expect(cow.writeCount(frame)).toBe(65_536);
    bench.memory.words[word] = 0xffff_ffff;
    const before = bench.state();
    const overflow = expect.objectContaining({ code: 'EOVERFLOW' }) as Error;
    expect(() => cow.mapToShared(vpn(2 ** 20), frame, 'writable')).toThrow(overflow);
    expect(() => cow.table.getEntry(vpn(2))!.setShared('writable')).toThrow(overflow);
    expect(bench.state()).toEqual(before);
    bench.memory.words[word] = 1;
  });

  test('000.6: a frame that was never shared counts 0, and nothing panics', () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const frame = bench.map(cow.table, 1, RW);
    expect([cow.readCount(frame), cow.writeCount(frame)]).toEqual([0, 0]);
    cow.unmapShared(vpn(1));
    expect([cow.readCount(frame), cow.writeCount(frame)]).toEqual([0, 0]);
  });

  test('000.7: out of memory leaves the page, the counts and the frame as they were', () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const frame = bench.frame(7, 2);
    cow.mapToShared(vpn(1), frame, 'writable');
    cow.mapToShared(vpn(2), frame, 'writable');
    const before = bench.state();
    bench.memory.failAllocation(1);
    expect(cow.handlePageFault(vpn(1), 'write')).toEqual({ kind: 'out-of-memory' });
    expect(bench.state()).toEqual(before);
    expect(cow.handlePageFault(vpn(1), 'write')).toEqual({ kind: 'resolved', by: 'copied' });
  });

  test('000.8: whatever is done to the table underneath, the counts agree with its entries', () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const { table } = cow;
    const frame = bench.frame(7, 3);
    cow.mapToShared(vpn(1), frame, 'writable');
    cow.mapToShared(vpn(2), frame, 'readonly');
    cow.mapToShared(vpn(3), frame, 'writable');
    bench.check();
    table.unmap(vpn(1));
    bench.memory.release(frame);
    expect([cow.readCount(frame), cow.writeCount(frame)]).toEqual([1, 1]);
    table.getEntry(vpn(2))!.setShared('writable');
    expect([cow.readCount(frame), cow.writeCount(frame)]).toEqual([0, 2]);
    table.getEntry(vpn(2))!.setTarget(bench.frame());
    bench.memory.release(frame);
    expect(cow.writeCount(frame)).toBe(1);
    table.protect(vpn(3), PTE_U | PTE_R);
    expect(cow.writeCount(frame)).toBe(0);
    bench.check();
    table.close();
    expect(bench.memory.usage(frame)).toBe(Usage.Unused);
  });

  test('000.9: a page that is not there is unmapped, in a fault and else', () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const notThere = expect.objectContaining({ code: 'ENOENT' }) as Error;
    for (const page of [0, 1, 2 ** 26, 2 ** 40, 0.5, -1].map(vpn)) {
      expect(cow.handlePageFault(page, 'write')).toEqual({ kind: 'unmapped' });
      expect(() => cow.unmapShared(page)).toThrow(notThere);
    }
    const frame = bench.frame();
    for (const page of [2 ** 26, 0.5, -1, Number.NaN].map(vpn)) {
      expect(() => cow.mapToShared(page, frame, 'writable')).toThrow(
        expect.objectContaining({ code: 'EINVAL' }) as Error,
      );
    }
    bench.memory.release(frame);
  });

  test("000.9: the kernel's pages, private pages and pages that cannot be read are no fault's to change", () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    cow.mapToShared(vpn(1), bench.frame(), 'writable', PTE_R);
    cow.mapToShared(vpn(2), bench.frame(), 'writable', PTE_U | PTE_X);
    bench.map(cow.table, 3, PTE_U | PTE_R);
    const before = bench.state();
    for (const page of [1, 2, 3].map(vpn)) {
      expect(cow.handlePageFault(page, 'write')).toEqual({ kind: 'protection' });
    }
    expect(bench.state()).toEqual(before);
  });

  test('000.10: no mark of sharing survives its mapping', () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const { table } = cow;
    const frame = bench.frame(7, 2);
    cow.mapToShared(vpn(1), frame, 'writable');
    const shared = expect.objectContaining({ code: 'EEXIST' }) as Error;
    expect(() => table.map(vpn(1), frame, RW)).toThrow(shared);
    expect(table.getEntry(vpn(1))?.writableShared).toBe(true);
    cow.unmapShared(vpn(1));
    table.map(vpn(1), frame, PTE_U | PTE_R);
    expect(table.getEntry(vpn(1))).toMatchObject({ writableShared: false, readonlyShared: false });
    expect(cow.handlePageFault(vpn(1), 'write')).toEqual({ kind: 'protection' });
  });

  test('000.11: a fault that is not resolved is answered once, and the access fails', () => {
    using bench = new Workbench(kind);
    const table = bench.table();
    bench.map(table, 1, PTE_U | PTE_R);
    for (const answer of [{ kind: 'protection' }, { kind: 'resolved', by: 'present' }] as const) {
      let asked = 0;
      const user = new User(table, () => {
        asked++;
        return answer;
      });
      expect(() => user.write(virtAddr(0x1000), 1)).toThrow(
        expect.objectContaining({ code: 'EFAULT' }) as Error,
      );
      expect(asked).toBe(1);
    }
  });

  test('a copy of the zero frame is filled with zeros, and the zero frame is never written', () => {
    using bench = new Workbench(kind);
    const zeroFrame = bench.memory.allocate(Usage.Kernel);
    bench.memory.zero(zeroFrame);
    const cow = new CowExt(bench.table(), { zeroFrame });
    bench.memory.retain(zeroFrame);
    cow.mapToShared(vpn(1), zeroFrame, 'writable');
    expect(cow.writeCount(zeroFrame)).toBe(1);
    expect(cow.handlePageFault(vpn(1), 'write')).toEqual({ kind: 'resolved', by: 'zero-filled' });
    expect(bench.memory.count(zeroFrame)).toBe(1);
    expect(cow.writeCount(zeroFrame)).toBe(0);
    bench.memory.release(zeroFrame);
  });

  test('only frames of memory can be shared: not a page table', () => {
    using bench = new Workbench(kind);
    const cow = bench.cow();
    const table = bench.memory.allocate(Usage.PageTable);
    const before = bench.state();
    expect(() => cow.mapToShared(vpn(2 ** 20), table, 'writable')).toThrow(
      expect.objectContaining({ code: 'EINVAL' }) as Error,
    );
    expect(bench.state()).toEqual(before);
    expect(cow.readCount(table)).toBe(0);
    bench.memory.release(table);
  });

  test('shareAll shares everything with another table, as a fork does', () => {
    using bench = new Workbench(kind);
    const [parent, child] = [bench.cow(), bench.cow()];
    const frames = [1, 600, 2 ** 20].map((page) => bench.map(parent.table, page, RW, page & 0xff));
    bench.map(parent.table, 5, PTE_U | PTE_R | PTE_X);
    expect(parent.shareAll(child.table)).toBe(4);
    expect(frames.map((frame) => [bench.memory.count(frame), parent.writeCount(frame)])).toEqual(
      frames.map(() => [2, 2]),
    );
    expect(child.handlePageFault(vpn(600), 'write')).toEqual({ kind: 'resolved', by: 'copied' });
    expect(parent.handlePageFault(vpn(600), 'write')).toEqual({ kind: 'resolved', by: 'reused' });
    expect(parent.handlePageFault(vpn(5), 'write')).toEqual({ kind: 'protection' });
    bench.check();
  });

  test('shareAll that is refused half-way leaves both tables as they were', () => {
    using bench = new Workbench(kind);
    const [parent, child] = [bench.cow(), bench.cow()];
    for (const page of [1, 2, 3]) bench.map(parent.table, page, RW);
    bench.map(child.table, 3, PTE_U | PTE_R);
    // Found by the model test: a page that was the child's before goes on being so.
    bench.map(child.table, 0, PTE_U | PTE_R);
    const before = bench.state();
    expect(() => parent.shareAll(child.table)).toThrow(expect.objectContaining({ code: 'EEXIST' }) as Error);
    expect(bench.state()).toEqual(before);
  });
});

test('where a walk faults for want of A or D (Svade), the fault sets them, and the access succeeds', () => {
  using bench = new Workbench('Sv39PageTable');
  const { tlb } = bench.table() as Sv39PageTable;
  const table = new Sv39PageTable(bench.memory, tlb, { updates: 'fault' });
  bench.tables.push(table);
  const cow = new CowExt(table);
  const own = bench.map(table, 1, RW);
  const shared = bench.frame(0, 2);
  cow.mapToShared(vpn(2), shared, 'writable');
  cow.mapToShared(vpn(3), shared, 'writable');
  const reach = (page: number, access: Access): string => {
    expect(table.translate(vpn(page), access)).toBe(NO_FRAME);
    const outcome = cow.handlePageFault(vpn(page), access);
    expect(table.translate(vpn(page), access)).not.toBe(NO_FRAME);
    return outcome.kind === 'resolved' ? outcome.by : outcome.kind;
  };
  expect([reach(1, 'read'), reach(1, 'write')]).toEqual(['present', 'present']);
  expect(table.getEntry(vpn(1))).toMatchObject({ target: own, accessed: true, dirty: true });
  expect([reach(2, 'write'), reach(3, 'read'), reach(3, 'write')]).toEqual(['copied', 'present', 'reused']);
});
