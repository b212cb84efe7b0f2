import { describe, expect, test } from 'vitest';
import {
  type FrameNumber,
  InvalidArgument,
  NO_FRAME,
  OutOfMemory,
  PAGE_SIZE,
  Usage,
  type Vpn,
  vpn,
} from '../../src/frame/index.js';
import {
  type Access,
  makePte,
  MAX_PAGES,
  PTE_A,
  PTE_COW,
  PTE_D,
  PTE_G,
  PTE_R,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_X,
  pteFrame,
  staleLines,
  Sv39PageTable,
} from '../../src/paging/index.js';
import { type CountingMemory, failEachAllocation, makeMemory, makeTlb } from '../model/world.js';

const RW = PTE_U | PTE_R | PTE_W;
const ACCESSES: readonly Access[] = ['read', 'write', 'execute'];
const FIRST = vpn(0);
const END = vpn(MAX_PAGES);

/** A table that must have given every frame back at the end. */
class Fixture implements Disposable {
  readonly memory: CountingMemory = makeMemory();
  readonly table: Sv39PageTable;
  readonly #free = this.memory.freeFrames;

  constructor() {
    this.table = new Sv39PageTable(this.memory, makeTlb(this.memory));
  }

  /** Maps a fresh frame. */
  map(page: number, flags = RW): FrameNumber {
    const frame = this.memory.allocate(Usage.Frame);
    this.table.map(vpn(page), frame, flags);
    return frame;
  }

  unmap(page: number): void {
    this.memory.release(pteFrame(this.table.unmap(vpn(page))));
  }

  get tables(): number {
    return [...this.table.tables()].length;
  }

  /** All that a refused change must leave as it was. */
  state(): unknown {
    const { memory, table } = this;
    const pages = [...table.mappedPages(FIRST, END)];
    return {
      root: table.root,
      tables: [...table.tables()],
      entries: pages.map((page) => [page, table.entry(page)]),
      free: memory.freeFrames,
      usage: memory.statistics().byUsage,
    };
  }

  [Symbol.dispose](): void {
    this.table.close();
    expect(this.memory.audit()).toEqual([]);
    expect(this.memory.freeFrames).toBe(this.#free);
  }
}

describe('map', () => {
  test('takes over the reference, and makes the tables on the path', () => {
    using fixture = new Fixture();
    const { memory, table } = fixture;
    const frame = fixture.map(5);
    expect(memory.count(frame)).toBe(1);
    expect(table.entry(vpn(5))).toBe(makePte(frame, RW | PTE_V));
    expect(fixture.tables).toBe(3);
    fixture.map(6);
    expect(fixture.tables).toBe(3);
    fixture.map(512);
    expect(fixture.tables).toBe(4);
    fixture.map(2 ** 18);
    expect(fixture.tables).toBe(6);
    for (const each of table.tables()) expect(memory.usage(each)).toBe(Usage.PageTable);
  });

  test('keeps every flag that it is given', () => {
    using fixture = new Fixture();
    const flags = PTE_R | PTE_X | PTE_G | PTE_A | PTE_D | PTE_COW;
    const frame = fixture.map(1, flags);
    expect(fixture.table.entry(vpn(1))).toBe(makePte(frame, flags | PTE_V));
  });

  test('refuses a page that is mapped, and changes nothing', () => {
    using fixture = new Fixture();
    const frame = fixture.map(7);
    const before = fixture.state();
    expect(() => fixture.table.map(vpn(7), frame, RW)).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(fixture.state()).toEqual(before);
  });

  test.each([0, PTE_U, PTE_V, PTE_U | PTE_G | PTE_COW])('refuses flags %i, which make no leaf', (flags) => {
    using fixture = new Fixture();
    const frame = fixture.map(0);
    const before = fixture.state();
    expect(() => fixture.table.map(vpn(3), frame, flags)).toThrow(InvalidArgument);
    expect(fixture.state()).toEqual(before);
  });

  test.each([-1, -(2 ** 27), 0.5, MAX_PAGES, MAX_PAGES + 1, 2 ** 27, 2 ** 32, 2 ** 52, NaN, Infinity])(
    'refuses page %d, which is not in the user half',
    (page) => {
      using fixture = new Fixture();
      const frame = fixture.map(0);
      const before = fixture.state();
      expect(() => fixture.table.map(vpn(page), frame, RW)).toThrow(InvalidArgument);
      expect(fixture.state()).toEqual(before);
    },
  );

  test('reaches the first and the last page of the user half', () => {
    using fixture = new Fixture();
    const [first, last] = [fixture.map(0), fixture.map(MAX_PAGES - 1)];
    expect(fixture.table.translate(FIRST, 'read')).toBe(first);
    expect(fixture.table.translate(vpn(MAX_PAGES - 1), 'read')).toBe(last);
    expect([...fixture.table.mappedPages(FIRST, END)]).toEqual([0, MAX_PAGES - 1]);
  });

  test.each([
    ['whose path is there', 1, 0],
    ['that wants a leaf table', 513, 1],
    ['that wants a middle and a leaf table', 2 ** 18 + 512, 2],
  ])('of a page %s, with each allocation failed, changes nothing', (_name, page, allocations) => {
    using fixture = new Fixture();
    const { memory, table } = fixture;
    fixture.map(2);
    const frame = memory.allocate(Usage.Frame);
    const before = fixture.state();
    const attempt = (): 'done' | 'out-of-memory' => {
      try {
        table.map(vpn(page), frame, RW);
        return 'done';
      } catch (error) {
        expect(error).toBeInstanceOf(OutOfMemory);
        return 'out-of-memory';
      }
    };
    const failed = failEachAllocation(memory, attempt, () => {
      expect(fixture.state()).toEqual(before);
      expect(memory.count(frame)).toBe(1);
      expect(memory.audit()).toEqual([]);
    });
    expect(failed).toBe(allocations);
  });

  test('of the first page with each of its two allocations failed leaves an empty root', () => {
    using fixture = new Fixture();
    const { memory, table } = fixture;
    const frame = memory.allocate(Usage.Frame);
    for (const n of [1, 2]) {
      memory.failAllocation(n);
      expect(() => table.map(vpn(0), frame, RW)).toThrow(OutOfMemory);
      expect([...table.tables()]).toEqual([table.root]);
    }
    table.map(vpn(0), frame, RW);
  });

  test('a table itself wants a frame', () => {
    const memory = makeMemory();
    const tlb = makeTlb(memory);
    memory.failAllocation(1);
    expect(() => new Sv39PageTable(memory, tlb)).toThrow(OutOfMemory);
    expect(memory.statistics().byUsage.PageTable).toBe(0);
  });

  test('a new table is zero, whatever its frame held', () => {
    const memory = makeMemory();
    const frame = memory.allocate(Usage.Frame);
    memory.write(frame, 0, new Uint8Array(PAGE_SIZE).fill(0xff));
    memory.release(frame);
    using table = new Sv39PageTable(memory, makeTlb(memory));
    expect(table.root).toBe(frame);
    expect([...table.mappedPages(FIRST, END)]).toEqual([]);
  });
});

describe('unmap', () => {
  test('hands the entry and its reference back', () => {
    using fixture = new Fixture();
    const frame = fixture.map(9, RW | PTE_D);
    expect(fixture.table.unmap(vpn(9))).toBe(makePte(frame, RW | PTE_D | PTE_V));
    expect(fixture.memory.count(frame)).toBe(1);
    expect(fixture.table.entry(vpn(9))).toBe(0);
    fixture.memory.release(frame);
  });

  test.each([9, 600, 2 ** 20, MAX_PAGES, 2 ** 40])('of page %i, which is not mapped, answers 0', (page) => {
    using fixture = new Fixture();
    fixture.map(8);
    const before = fixture.state();
    expect(fixture.table.unmap(vpn(page))).toBe(0);
    expect(fixture.state()).toEqual(before);
  });

  test('frees each table with its last entry, and never the root', () => {
    using fixture = new Fixture();
    for (const page of [0, 1, 512, 2 ** 18]) fixture.map(page);
    expect(fixture.tables).toBe(6);
    const counts = [0, 512, 1, 2 ** 18].map((page) => {
      fixture.unmap(page);
      return fixture.tables;
    });
    expect(counts).toEqual([6, 5, 3, 1]);
    expect(fixture.memory.usage(fixture.table.root)).toBe(Usage.PageTable);
  });

  test('goes to its end where the destructor of a page table throws', () => {
    using fixture = new Fixture();
    const { memory, table } = fixture;
    const { tlb, tlbContext } = table;
    const frame = fixture.map(9);
    tlb.activate(tlbContext);
    tlb.install(tlbContext, 'read', vpn(9), frame);
    let destroyed = 0;
    memory.setDestructor(Usage.PageTable, () => {
      throw new Error(`destructor ${++destroyed}`);
    });
    expect(() => table.unmap(vpn(9))).toThrow('destructor 1');
    expect([...tlb.lines(tlbContext)]).toEqual([]);
    // Both tables are free, and so is the frame, which nobody has heard of.
    expect([destroyed, fixture.tables, memory.count(frame)]).toEqual([2, 1, 0]);
    fixture.map(10);
    destroyed = 0;
    expect(() => table.cursor(FIRST, END).unmap()).toThrow('destructor 1');
    expect([destroyed, fixture.tables]).toEqual([2, 1]);
    memory.setDestructor(Usage.PageTable, () => {});
  });

  test('pages can be mapped again where tables were freed', () => {
    using fixture = new Fixture();
    for (let round = 0; round < 3; round++) {
      fixture.map(2 ** 18 - 1);
      fixture.unmap(2 ** 18 - 1);
    }
    expect(fixture.tables).toBe(1);
  });
});

describe('replace', () => {
  test('swaps flags and frame, and hands the old entry back', () => {
    using fixture = new Fixture();
    const { memory, table } = fixture;
    const old = fixture.map(4);
    const next = memory.allocate(Usage.Frame);
    const pte = makePte(next, PTE_V | PTE_R | PTE_G | PTE_COW);
    expect(table.replace(vpn(4), pte)).toBe(makePte(old, RW | PTE_V));
    expect(table.entry(vpn(4))).toBe(pte);
    expect([memory.count(old), memory.count(next)]).toEqual([1, 1]);
    memory.release(old);
  });

  test.each([5, 600, 2 ** 20, MAX_PAGES, 2 ** 40])('refuses page %i, which is not mapped', (page) => {
    using fixture = new Fixture();
    const frame = fixture.map(4);
    const before = fixture.state();
    const pte = makePte(frame, PTE_V | PTE_R);
    expect(() => fixture.table.replace(vpn(page), pte)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(fixture.state()).toEqual(before);
  });

  test.each([0, PTE_R, PTE_V, PTE_V | PTE_U])('refuses flags %i, which are no valid leaf', (flags) => {
    using fixture = new Fixture();
    const frame = fixture.map(4);
    const before = fixture.state();
    expect(() => fixture.table.replace(vpn(4), makePte(frame, flags))).toThrow(InvalidArgument);
    expect(fixture.state()).toEqual(before);
  });
});

describe('slot', () => {
  test("is where the page's entry lies in RAM", () => {
    using fixture = new Fixture();
    fixture.map(0x1234);
    const slot = fixture.table.slot(vpn(0x1234));
    expect(slot % PAGE_SIZE).toBe((0x1234 % 512) * 8);
    expect(fixture.memory.words[slot / 4]).toBe(fixture.table.entry(vpn(0x1234)));
    expect(fixture.table.slot(vpn(0x1235))).toBe(slot + 8);
  });

  test.each([2 ** 18, 512, MAX_PAGES, 2 ** 27, 2 ** 50])('is 0 for page %i, where no table is', (page) => {
    using fixture = new Fixture();
    fixture.map(0);
    expect(fixture.table.slot(vpn(page))).toBe(0);
    expect(fixture.table.entry(vpn(page))).toBe(0);
  });
});

describe('translate', () => {
  const grants: readonly [string, number, readonly Access[]][] = [
    ['rw-', PTE_U | PTE_R | PTE_W, ['read', 'write']],
    ['r--', PTE_U | PTE_R, ['read']],
    ['r-x', PTE_U | PTE_R | PTE_X, ['read', 'execute']],
    ['rwx', PTE_U | PTE_R | PTE_W | PTE_X, ['read', 'write', 'execute']],
    ['--x', PTE_U | PTE_X, ['execute']],
    ['COW', PTE_U | PTE_R | PTE_COW, ['read']],
    ["the supervisor's", PTE_R | PTE_W | PTE_X, []],
    ['W without R, which is reserved', PTE_U | PTE_W, []],
    ['W and X without R, which are reserved', PTE_U | PTE_W | PTE_X, []],
  ];

  test.each(grants)('an entry that is %s grants what it says', (_name, flags, granted) => {
    using fixture = new Fixture();
    const frame = fixture.map(3, flags | PTE_R);
    // `map` refuses what is reserved.
    fixture.memory.words[fixture.table.slot(vpn(3)) / 4] = makePte(frame, flags | PTE_V);
    for (const access of ACCESSES) {
      const before = fixture.table.entry(vpn(3));
      const reached = fixture.table.translate(vpn(3), access);
      expect(reached).toBe(granted.includes(access) ? frame : NO_FRAME);
      if (reached === NO_FRAME) expect(fixture.table.entry(vpn(3))).toBe(before);
    }
  });

  test('sets A for every access, and D for a write alone', () => {
    using fixture = new Fixture();
    const used = (access: Access): number => {
      const page = vpn(ACCESSES.indexOf(access));
      fixture.map(page, RW | PTE_X);
      fixture.table.translate(page, access);
      return fixture.table.entry(page) & (PTE_A | PTE_D);
    };
    expect(ACCESSES.map(used)).toEqual([PTE_A, PTE_A | PTE_D, PTE_A]);
  });

  test.each([1, 600, 2 ** 19, MAX_PAGES, 2 ** 27, 2 ** 32, 2 ** 52 - 1])(
    'faults at page %i, where nothing is',
    (page) => {
      using fixture = new Fixture();
      fixture.map(0);
      for (const access of ACCESSES) expect(fixture.table.translate(vpn(page), access)).toBe(NO_FRAME);
    },
  );
});

describe('mappedPages', () => {
  const pages = [0, 1, 511, 512, 1023, 2 ** 18 - 1, 2 ** 18, 2 ** 25, MAX_PAGES - 1];
  const fill = (fixture: Fixture): void => pages.forEach((page) => fixture.map(page));

  test.each([
    [0, MAX_PAGES],
    [0, 2 ** 40],
    [1, 512],
    [511, 513],
    [2, 511],
    [512, 512],
    [600, 500],
    [2 ** 18, 2 ** 18 + 1],
    [MAX_PAGES - 1, MAX_PAGES],
    [MAX_PAGES, 2 ** 27],
  ])('from %i to %i are those in the range, in order', (start, end) => {
    using fixture = new Fixture();
    fill(fixture);
    expect([...fixture.table.mappedPages(vpn(start), vpn(end))]).toEqual(
      pages.filter((page) => page >= start && page < end),
    );
  });

  test('may be unmapped one by one on the way', () => {
    using fixture = new Fixture();
    fill(fixture);
    const seen: Vpn[] = [];
    for (const page of fixture.table.mappedPages(FIRST, END)) {
      seen.push(page);
      fixture.unmap(page);
    }
    expect(seen).toEqual(pages);
    expect(fixture.tables).toBe(1);
  });
});

describe('close', () => {
  test('drops the reference of every leaf, shared frames included, and every table', () => {
    const memory = makeMemory();
    const free = memory.freeFrames;
    const table = new Sv39PageTable(memory, makeTlb(memory));
    const shared = memory.allocate(Usage.Frame);
    for (const page of [0, 513, 2 ** 20]) {
      memory.retain(shared);
      table.map(vpn(page), shared, RW);
    }
    table.close();
    expect(memory.count(shared)).toBe(1);
    memory.release(shared);
    expect(memory.freeFrames).toBe(free);
    expect(memory.audit()).toEqual([]);
  });

  test('twice does nothing, even when the root has a new owner', () => {
    const memory = makeMemory();
    const table = new Sv39PageTable(memory, makeTlb(memory));
    const { root } = table;
    table.close();
    expect(memory.allocate(Usage.Frame)).toBe(root);
    table.close();
    table[Symbol.dispose]();
    expect(memory.count(root)).toBe(1);
    expect(table.root).toBe(NO_FRAME);
  });

  test("leaves a table that holds nothing, and never takes the hart's frame 0 for its root", () => {
    const memory = makeMemory();
    const table = new Sv39PageTable(memory, makeTlb(memory));
    table.close();
    // Registers that would make entries, were they read as such.
    memory.words.fill(makePte(memory.firstAllocatable, PTE_V | PTE_R | PTE_U | PTE_W), 0, PAGE_SIZE / 4);
    const before = memory.bytes.slice();
    const free = memory.freeFrames;
    expect([...table.tables()]).toEqual([]);
    expect([...table.mappedPages(FIRST, END)]).toEqual([]);
    for (const page of [0, 1, 2 ** 18].map(vpn)) {
      expect(table.slot(page)).toBe(0);
      expect(table.entry(page)).toBe(0);
      expect(table.unmap(page)).toBe(0);
      expect(table.translate(page, 'read')).toBe(NO_FRAME);
      expect(() => table.map(page, memory.firstAllocatable, RW)).toThrow(InvalidArgument);
      expect(() => table.replace(page, PTE_V | PTE_R)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    }
    expect(memory.freeFrames).toBe(free);
    expect(memory.bytes).toEqual(before);
  });
});

test('shareWrites that is refused leaves no TLB line behind that a walk does not grant', () => {
  using fixture = new Fixture();
  const { memory, table } = fixture;
  const { tlb, tlbContext } = table;
  fixture.map(1);
  table.map(vpn(2), memory.allocate(Usage.KernelStack), RW);
  tlb.activate(tlbContext);
  tlb.install(tlbContext, 'write', vpn(1), table.translate(vpn(1), 'write'));
  expect(() => table.shareWrites(FIRST, END)).toThrow(InvalidArgument);
  expect(staleLines(table)).toEqual([]);
  expect(table.getEntry(vpn(1))).toMatchObject({ writable: true, writableShared: false });
});

test('unmap, replace and close leave no TLB line behind', () => {
  using fixture = new Fixture();
  const { table } = fixture;
  const { tlb, tlbContext } = table;
  for (const change of [
    () => fixture.unmap(0),
    () => void table.replace(vpn(0), table.entry(vpn(0)) & ~PTE_W),
    () => table.close(),
  ]) {
    if (table.entry(vpn(0)) === 0) fixture.map(0, RW | PTE_X);
    tlb.activate(tlbContext);
    for (const access of ACCESSES) tlb.install(tlbContext, access, vpn(0), table.translate(vpn(0), access));
    expect([...tlb.lines(tlbContext)]).toHaveLength(3);
    change();
    expect([...tlb.lines(tlbContext)]).toEqual([]);
  }
});
