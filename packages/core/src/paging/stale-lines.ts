/** The check of a TLB against the table that it caches: DESIGN.md's invariant 6. */
import { hex, pageStart } from '../frame/index.js';
import { formatPte } from './pte.js';
import type { Sv39PageTable } from './sv39-page-table.js';

/** @returns a line of text for each TLB line of a table that grants what a fresh walk does not. */
export const staleLines = (table: Sv39PageTable): string[] => {
  const problems: string[] = [];
  for (const { access, page, frame } of table.tlb.lines(table.tlbContext)) {
    if (table.lookUp(page, access) === frame) continue;
    problems.push(
      `the TLB grants ${access} of page ${hex(pageStart(page))} in frame ${hex(frame)}, ` +
        `the page table says ${formatPte(table.entry(page))}`,
    );
  }
  return problems;
};
