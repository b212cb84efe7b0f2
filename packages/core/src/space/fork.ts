/**
 * How a fork gives the child its memory. Both ways fill a child that has its mappings and an empty table;
 * where memory runs out they throw, the caller closes the child, and the parent is as it was.
 */
import { type FrameNumber, Usage, vpn, type Vpn } from '../frame/index.js';
import { MAX_PAGES, PTE_COW, PTE_FLAGS, PTE_W, pteFrame } from '../paging/index.js';
import type { AddressSpace } from './address-space.js';

const FIRST = vpn(0);
const END = vpn(MAX_PAGES);

/**
 * xv6's COW fork: the child maps the parent's frames, and both sides lose the right to write.
 *
 * The parent is touched only when nothing can fail any more (seed 003, defect 3): the first pass builds
 * the child, the second takes W from the parent and flushes what it could write.
 */
export const forkPages = (parent: AddressSpace, child: AddressSpace): void => {
  const { memory, table } = parent;
  let shared = 0;
  for (const page of table.mappedPages(FIRST, END)) {
    const pte = table.entry(page);
    const frame = pteFrame(pte);
    memory.retain(frame);
    mapOrRelease(child, page, frame, sharedFlags(pte));
    if (frame !== parent.virtualMemory.zeroFrame) shared++;
  }
  for (const page of table.mappedPages(FIRST, END)) {
    const index = table.slot(page) >>> 2;
    const pte = memory.words[index]!;
    memory.words[index] = (pte & ~PTE_FLAGS) | sharedFlags(pte);
  }
  table.tlb.flushWrites(table.tlbContext);
  parent.virtualMemory.counters.framesSharedByForks += shared;
};

/** The fork that copies everything at once: the oracle, and what COW is measured against. */
export const forkEagerly = (parent: AddressSpace, child: AddressSpace): void => {
  const { memory, table } = parent;
  const { zeroFrame } = parent.virtualMemory;
  let copied = 0;
  for (const page of table.mappedPages(FIRST, END)) {
    const pte = table.entry(page);
    const frame = pteFrame(pte);
    if (frame === zeroFrame) {
      memory.retain(frame);
      mapOrRelease(child, page, frame, pte & PTE_FLAGS);
      continue;
    }
    const copy = memory.allocate(Usage.Frame);
    memory.copy(frame, copy);
    mapOrRelease(child, page, copy, pte & PTE_FLAGS);
    copied++;
  }
  parent.virtualMemory.counters.framesCopiedByForks += copied;
};

/** Flags on both sides of a shared page: what could be written is COW. */
const sharedFlags = (pte: number): number => {
  const flags = pte & PTE_FLAGS;
  return (flags & PTE_W) === 0 ? flags : (flags & ~PTE_W) | PTE_COW;
};

const mapOrRelease = (child: AddressSpace, page: Vpn, frame: FrameNumber, flags: number): void => {
  try {
    child.table.map(page, frame, flags);
  } catch (error) {
    child.memory.release(frame);
    throw error;
  }
};
