import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type FrameNumber,
  frameStart,
  NO_FRAME,
  PAGE_SIZE,
  Usage,
  virtAddr,
  vpn,
  vpnOf,
} from '../../src/frame/index.js';
import {
  type Access,
  PTE_A,
  PTE_D,
  PTE_FLAGS,
  PTE_R,
  PTE_RIGHTS,
  PTE_SHARED,
  PTE_U,
  PTE_W,
  pteFrame,
  Sv39PageTable,
  type UsedBitUpdates,
} from '../../src/paging/index.js';
import { translateAsSpecified } from '../model/sv39-oracle.js';
import { makeMemory, makeTlb } from '../model/world.js';

const ACCESSES: readonly Access[] = ['read', 'write', 'execute'];
const UPDATES: readonly UsedBitUpdates[] = ['hardware', 'fault'];

/** Tables of random bits, in frames of their own. Frame 0 of them is the root. */
class RandomTables implements Disposable {
  readonly memory = makeMemory(512 * 1024);
  readonly table: Sv39PageTable;
  readonly ram = new DataView(this.memory.memory.buffer);
  readonly frames: readonly FrameNumber[];

  constructor(updates: UsedBitUpdates) {
    this.table = new Sv39PageTable(this.memory, makeTlb(this.memory), { updates });
    this.frames = [this.table.root, ...[1, 2, 3].map(() => this.memory.allocate(Usage.PageTable))];
    for (const frame of this.frames) this.memory.zero(frame);
  }

  write(table: number, index: number, pte: bigint): void {
    this.ram.setBigUint64(frameStart(this.frames[table]!) + index * 8, pte, true);
  }

  /** The bytes of all tables. */
  content(): string {
    return this.frames
      .map((frame) =>
        Buffer.from(this.memory.bytes.subarray(frameStart(frame), frameStart(frame) + PAGE_SIZE)).toString(
          'latin1',
        ),
      )
      .join('');
  }

  [Symbol.dispose](): void {
    // What lies in the root is nobody's: close must not give it back.
    this.memory.zero(this.table.root);
    this.table.close();
  }
}

/** Indices of entries that are written and walked: where the upper half begins among them. */
const INDICES = [0, 1, 255, 256, 511];
const index = fc.constantFrom(...INDICES);
const flags = fc.nat(PTE_FLAGS);
/** Mostly usable: V, U and R are set. */
const kindFlags = flags.map((bits) => bits | 0x13);
const bigFlags = fc.oneof({ weight: 3, arbitrary: kindFlags }, { weight: 1, arbitrary: flags });
/** Frames: of each alignment, in RAM (128 of them) and beyond, by a little and by much. */
const ppn = fc.oneof(
  { weight: 6, arbitrary: fc.nat(127).map(BigInt) },
  { weight: 2, arbitrary: fc.constant(0n) },
  { weight: 1, arbitrary: fc.nat(1023).map((units) => BigInt(units) * 512n) },
  { weight: 1, arbitrary: fc.nat(3).map((units) => BigInt(units) * 262_144n) },
  { weight: 1, arbitrary: fc.bigInt(0n, (1n << 44n) - 1n) },
);
type Pte = { readonly pointsTo: number; readonly bits: number } | bigint;
const pte: fc.Arbitrary<Pte> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ pointsTo: fc.nat(3), bits: fc.constant(1) }) },
  { weight: 1, arbitrary: fc.record({ pointsTo: fc.nat(3), bits: flags.map((bits) => bits & ~PTE_RIGHTS) }) },
  { weight: 8, arbitrary: fc.tuple(ppn, bigFlags).map(([page, bits]) => (page << 10n) | BigInt(bits)) },
  { weight: 1, arbitrary: fc.bigInt(0n, (1n << 64n) - 1n) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 54, max: 63 }), kindFlags)
      .map(([high, bits]) => (1n << BigInt(high)) | BigInt(bits)),
  },
);
const entries = fc.array(fc.record({ table: fc.nat(3), index, pte }), { minLength: 10, maxLength: 40 });
/** All 52 bits above the offset: canonical in either half, or one bit wrong. */
const pages = fc
  .tuple(index, index, index, fc.constantFrom('sign', 'sign', 'sign', 'sign', 'wrong'), fc.nat(24))
  .map(([root, middle, leaf, extension, wrong]) => {
    const low = BigInt((root * 512 + middle) * 512 + leaf);
    const page = BigInt.asUintN(52, BigInt.asIntN(27, low));
    return Number(extension === 'sign' ? page : page ^ (1n << BigInt(27 + wrong)));
  });
const walks = fc.array(
  fc.record({ page: pages, access: fc.constantFrom(...ACCESSES), offset: fc.nat(4095) }),
  {
    minLength: 20,
    maxLength: 40,
  },
);

describe.each(UPDATES)('on tables of random bits, with A and D updated by %s', (updates) => {
  test('a walk finds what the specification says, faults as it says, and writes nothing but A and D', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(entries, walks, (written, walked) => {
        using tables = new RandomTables(updates);
        const { table, ram } = tables;
        for (const { table: at, index: entry, pte: bits } of written) {
          const pointer = typeof bits === 'bigint' ? bits : undefined;
          const target = typeof bits === 'bigint' ? 0 : (tables.frames[bits.pointsTo]! << 10) | bits.bits;
          tables.write(at, entry, pointer ?? BigInt(target));
        }
        for (const { page, access, offset } of walked) {
          const before = tables.content();
          const address = BigInt(page) * BigInt(PAGE_SIZE) + BigInt(offset);
          const expected = translateAsSpecified(ram, BigInt(table.root), address, access, { updates });
          const faulted = table.faultOf(vpn(page), access);
          const found = table.translate(vpn(page), access);
          const name = 'fault' in expected ? expected.why : `level ${expected.level}`;
          seen.set(name, (seen.get(name) ?? 0) + 1);
          if ('fault' in expected) {
            expect([name, faulted, found]).toEqual([name, expected.fault, NO_FRAME]);
            expect(tables.content() === before).toBe(true);
            continue;
          }
          expect(faulted).toBe('none');
          // Frame 0 stands for none; it is never memory that a table should name.
          expect(found * PAGE_SIZE + offset).toBe(Number(expected.physicalAddress));
          expect(table.lookUp(vpn(page), access)).toBe(found);
          const written8 = ram.getBigUint64(Number(expected.entryAddress), true);
          expect(written8).toBe(expected.entryAfter);
        }
      }),
      { numRuns: 600 },
    );
    // The test has tried what it is for.
    for (const kind of [
      'level 0',
      'level 1',
      'level 2',
      'the address is not canonical',
      'the entry is not valid',
      'a reserved bit is set',
      'a bit reserved in non-leaf entries is set',
      'there is no leaf entry',
      "the page is the supervisor's",
      'the access is not allowed',
      'the superpage is misaligned',
      'the page is not in RAM',
      ...(updates === 'fault' ? ['A or D is clear'] : []),
    ]) {
      expect(seen.get(kind) ?? 0, kind).toBeGreaterThan(3);
    }
  });
});

describe('single rules', () => {
  const root = (tables: RandomTables, bits: bigint): void => tables.write(0, 0, bits);
  const leaf = BigInt(PTE_RIGHTS | PTE_U | 1);

  test.each([54, 55, 60, 61, 62, 63])('bit %i of an entry is reserved', (bit) => {
    using tables = new RandomTables('hardware');
    root(tables, leaf | (1n << BigInt(bit)));
    expect(tables.table.faultOf(vpn(1), 'read')).toBe('page');
    root(tables, leaf);
    expect(tables.table.faultOf(vpn(1), 'read')).toBe('none');
  });

  test.each([32, 42, 53])('a leaf whose frame number has bit %i of the entry is an access fault', (bit) => {
    using tables = new RandomTables('hardware');
    root(tables, leaf | (1n << BigInt(bit)));
    expect(tables.table.faultOf(vpn(1), 'read')).toBe('access');
    expect(tables.table.translate(vpn(1), 'read')).toBe(NO_FRAME);
  });

  test('a table that is not in RAM is an access fault', () => {
    using tables = new RandomTables('hardware');
    root(tables, (1n << 40n) | 1n);
    expect(tables.table.faultOf(vpn(1), 'read')).toBe('access');
    root(tables, (128n << 10n) | 1n);
    expect(tables.table.faultOf(vpn(1), 'read')).toBe('access');
    expect(translateAsSpecified(tables.ram, BigInt(tables.table.root), 0x1000n, 'read')).toMatchObject({
      fault: 'access',
    });
  });

  test('addresses that are not canonical fault, whatever the table holds', () => {
    using tables = new RandomTables('hardware');
    for (let entry = 0; entry < 512; entry++) tables.write(0, entry, leaf);
    for (const bit of [39, 45, 52, 62]) {
      expect(tables.table.faultOf(vpnOf(virtAddr(2 ** bit)), 'read')).toBe('page');
    }
    // Bit 38 alone is the upper half without its extension; with it, the address is walked.
    expect(tables.table.faultOf(vpn(2 ** 26), 'read')).toBe('page');
    expect(tables.table.faultOf(vpn(2 ** 52 - 2 ** 26 + 1), 'read')).toBe('none');
    for (const page of [-1, 0.5, Number.NaN, 2 ** 52]) {
      expect(tables.table.faultOf(vpn(page), 'read')).toBe('page');
    }
  });

  test('with Svade an entry without A, or without D for a write, faults until the kernel sets them', () => {
    using tables = new RandomTables('fault');
    root(tables, leaf);
    const { table } = tables;
    const answers = (): boolean[] => ACCESSES.map((access) => table.translate(vpn(1), access) !== NO_FRAME);
    expect(answers()).toEqual([false, false, false]);
    root(tables, leaf | BigInt(PTE_A));
    expect(answers()).toEqual([true, false, true]);
    root(tables, leaf | BigInt(PTE_A | PTE_D));
    expect(answers()).toEqual([true, true, true]);
  });
});

/** Pages close to each other and to where tables begin and end. */
const mappedPages = fc
  .tuple(fc.constantFrom(0, 500, 2 ** 18 - 10, 2 ** 25, 2 ** 26 - 20), fc.nat(19))
  .map(([first, number]) => first + number);
const leafFlags = flags.filter(
  (bits) => (bits & PTE_RIGHTS) !== 0 && (bits & PTE_SHARED) === 0 && (bits & (PTE_R | PTE_W)) !== PTE_W,
);

test('what the table writes is what the specification reads, for any address and access', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.record({ page: mappedPages, flags: leafFlags }), {
        selector: ({ page }) => page,
        maxLength: 16,
      }),
      fc.array(fc.record({ page: mappedPages, offset: fc.nat(4095), access: fc.constantFrom(...ACCESSES) }), {
        maxLength: 30,
      }),
      (mapped, accesses) => {
        const memory = makeMemory(512 * 1024);
        using table = new Sv39PageTable(memory, makeTlb(memory));
        const ram = new DataView(memory.memory.buffer);
        for (const { page, flags: bits } of mapped) table.map(vpn(page), memory.allocate(Usage.Frame), bits);
        for (const { page } of mapped.slice(12)) memory.release(pteFrame(table.unmap(vpn(page))));
        for (const { page, offset, access } of [
          ...accesses,
          ...mapped.map((each) => ({ ...each, offset: 0, access: ACCESSES[each.flags % 3]! })),
        ]) {
          const before = memory.bytes.slice();
          const address = BigInt(page) * BigInt(PAGE_SIZE) + BigInt(offset);
          const specified = translateAsSpecified(ram, BigInt(table.root), address, access);
          const frame = table.translate(vpn(page), access);
          if ('fault' in specified) {
            expect(frame).toBe(NO_FRAME);
          } else {
            expect(frame * PAGE_SIZE + offset).toBe(Number(specified.physicalAddress));
            new DataView(before.buffer).setBigUint64(
              Number(specified.entryAddress),
              specified.entryAfter,
              true,
            );
          }
          // But for A and D, a walk changes nothing in all of RAM.
          expect(Buffer.compare(memory.bytes, before)).toBe(0);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('D is set by a write even where A was set before', () => {
  const memory = makeMemory();
  using table = new Sv39PageTable(memory, makeTlb(memory));
  table.map(vpn(0), memory.allocate(Usage.Frame), PTE_RIGHTS | PTE_U | PTE_A);
  table.translate(vpn(0), 'read');
  expect(table.entry(vpn(0)) & PTE_D).toBe(0);
  table.translate(vpn(0), 'write');
  expect(table.entry(vpn(0)) & PTE_D).toBe(PTE_D);
});
