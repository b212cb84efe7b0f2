/**
 * How a fork gives the child its memory. All ways fill a child that has its parent's mappings and an empty table;
 * where memory runs out they throw, the caller closes the child, and the parent is as it was.
 */
import { Usage, vpn } from '../frame/index.js';
import { mapOwned, MAX_PAGES, PTE_FLAGS, pteFrame } from '../paging/index.js';
import type { AddressSpace } from './address-space.js';
import { isBorrowed } from './backing.js';

const FIRST = vpn(0);
const END = vpn(MAX_PAGES);

/**
 * xv6's COW fork: the child maps the parent's frames, and both sides lose the right to write. The parent
 * is touched only when nothing can fail any more (seed 003, defect 3): see `CowExt.shareAll`.
 */
export const forkPages = (parent: AddressSpace, child: AddressSpace): void => {
  parent.virtualMemory.counters.entriesSharedByForks += parent.copyOnWrite.shareAll(child.table);
  parent.virtualMemory.counters.framesSharedByForks += parent.ownFrames;
};

/** The fork that costs the same whatever there is: both share page tables, down from the root (shared-tables.ts). */
export const forkTables = (parent: AddressSpace, child: AddressSpace): void => {
  parent.table.shareTables(child.table, cutEdges(parent));
  parent.virtualMemory.counters.framesSharedByForks += parent.ownFrames;
};

/** The fork that copies everything at once: the oracle, and what COW is measured against. What is an object's stays its. */
export const forkEagerly = (parent: AddressSpace, child: AddressSpace): void => {
  const { memory, table } = parent;
  let copied = 0;
  for (const page of table.mappedPages(FIRST, END)) {
    const pte = table.entry(page);
    const frame = pteFrame(pte);
    if (isBorrowed(parent, pte)) {
      memory.retain(frame);
      mapOwned(child.table, page, frame, pte & PTE_FLAGS);
      continue;
    }
    const copy = memory.allocate(Usage.Frame);
    memory.copy(frame, copy);
    mapOwned(child.table, page, copy, pte & PTE_FLAGS);
    copied++;
  }
  parent.virtualMemory.counters.framesCopiedByForks += copied;
};

/** Pages at which the child's tables are cut when it loses what it does not inherit, or gets copies of what is pinned. */
function* cutEdges({ list, pins }: AddressSpace): Generator<number> {
  for (const { page } of pins.values()) yield* [page, page + 1];
  if (!list.hasUninherited) return;
  for (const { start, end, onFork } of list) if (onFork !== 'inherit') yield* [start, end];
}
