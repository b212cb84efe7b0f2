import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type FrameNumber, PAGE_SIZE, Usage, virtAddr, vpn, vpnOf } from '../../src/frame/index.js';
import { type Access, PTE_A, PTE_D, PTE_FLAGS, PTE_RIGHTS, Sv39PageTable } from '../../src/paging/index.js';
import { translateAsSpecified } from '../model/sv39-oracle.js';
import { makeMemory, makeTlb } from '../model/world.js';

const ACCESSES: readonly Access[] = ['read', 'write', 'execute'];

/** Pages close to each other and to where tables begin and end. */
const pages = fc
  .tuple(fc.constantFrom(0, 500, 2 ** 18 - 10, 2 ** 25, 2 ** 26 - 20), fc.nat(19))
  .map(([first, index]) => first + index);
const leafFlags = fc.nat(PTE_FLAGS).filter((flags) => (flags & PTE_RIGHTS) !== 0);

test('what the table writes is what the specification reads, for any address and access', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.record({ page: pages, flags: leafFlags }), {
        selector: ({ page }) => page,
        maxLength: 16,
      }),
      fc.array(fc.record({ page: pages, offset: fc.nat(4095), access: fc.constantFrom(...ACCESSES) }), {
        maxLength: 30,
      }),
      (mapped, accesses) => {
        const memory = makeMemory(512 * 1024);
        using table = new Sv39PageTable(memory, makeTlb(memory));
        const ram = new DataView(memory.memory.buffer);
        for (const { page, flags } of mapped) table.map(vpn(page), memory.allocate(Usage.Frame), flags);
        for (const { page } of mapped.slice(12))
          memory.release((table.unmap(vpn(page)) >>> 10) as FrameNumber);
        for (const { page, offset, access } of [
          ...accesses,
          ...mapped.map((each) => ({ ...each, offset: 0, access: ACCESSES[each.flags % 3]! })),
        ]) {
          const before = memory.bytes.slice();
          const address = BigInt(page) * BigInt(PAGE_SIZE) + BigInt(offset);
          const specified = translateAsSpecified(ram, BigInt(table.root), address, access);
          const frame = table.translate(vpn(page), access);
          if (typeof specified === 'string') {
            expect(frame).toBe(0);
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

test('addresses that are not canonical, or in the upper half, fault', () => {
  const memory = makeMemory();
  using table = new Sv39PageTable(memory, makeTlb(memory));
  const ram = new DataView(memory.memory.buffer);
  table.map(vpn(0), memory.allocate(Usage.Frame), PTE_RIGHTS | 0x10);
  for (const bit of [38, 39, 45, 52, 62]) {
    const address = 2 ** bit;
    expect(translateAsSpecified(ram, BigInt(table.root), BigInt(address), 'read')).toBeTypeOf('string');
    expect(table.translate(vpnOf(virtAddr(address)), 'read')).toBe(0);
  }
});

test('D is set by a write even where A was set before', () => {
  const memory = makeMemory();
  using table = new Sv39PageTable(memory, makeTlb(memory));
  table.map(vpn(0), memory.allocate(Usage.Frame), PTE_RIGHTS | 0x10 | PTE_A);
  table.translate(vpn(0), 'read');
  expect(table.entry(vpn(0)) & PTE_D).toBe(0);
  table.translate(vpn(0), 'write');
  expect(table.entry(vpn(0)) & PTE_D).toBe(PTE_D);
});
