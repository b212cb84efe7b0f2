// @ts-check
import {
  CowExt,
  FrameMeta,
  Page,
  PhysicalMemory,
  Sv39PageTable,
  Tlb,
  TLB_BYTES,
  TLB_START,
  vpn,
} from '@holstein/core';

const memory = new PhysicalMemory({ sizeBytes: 2 ** 20, reservedBytes: TLB_START + TLB_BYTES });
const tlb = new Tlb(memory);
const parent = new CowExt(new Sv39PageTable(memory, tlb));
const child = new CowExt(new Sv39PageTable(memory, tlb));

// A page, through a handle that owns one reference to it. Its metadata is typed by its usage.
const page = Page.allocate(memory, FrameMeta, { owner: 7 });
memory.write(page.frame, 0, Uint8Array.of(42));

// Two page tables share it: each entry owns a reference of its own.
for (const cow of [parent, child]) {
  memory.retain(page.frame);
  cow.mapToShared(vpn(1), page.frame, 'writable');
}
console.log(`${page.referenceCount} references, ${parent.writeCount(page.frame)} write shares`);

// Whoever writes first gets a copy. The last owner left writes in place.
console.log('child:', child.handlePageFault(vpn(1), 'write'));
page.close();
console.log('parent:', parent.handlePageFault(vpn(1), 'write'));

parent.table.close();
child.table.close();
console.log(`frames still in use for memory: ${memory.statistics().byUsage.Frame}`);
