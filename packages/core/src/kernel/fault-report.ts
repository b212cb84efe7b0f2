/** Says for people why a page fault killed a process. */
import { hex } from '../frame/index.js';
import type { PageFault } from '../hart/index.js';
import type { Access } from '../paging/index.js';
import { type AddressSpace, type FaultFailure, formatMapping } from '../space/index.js';

const VERBS: Readonly<Record<Access, string>> = {
  read: 'read',
  write: 'wrote',
  execute: 'jumped to',
};

/** A sentence that follows the process's name and "killed:". */
export const faultReason = (
  space: AddressSpace,
  { access, page, offset }: PageFault,
  failure: FaultFailure,
): string => {
  // Beyond 2^53 a double would round it.
  const address = hex(BigInt(page) * 4096n + BigInt(offset));
  const what = `${VERBS[access]} ${address}`;
  const mapping = space.mappings.find(page);
  const place = mapping === undefined ? 'nothing' : formatMapping(mapping);
  switch (failure.kind) {
    case 'protection':
      return `it ${what}, in ${place}`;
    case 'unmapped':
      return `it ${what}, where nothing is mapped`;
    case 'beyond-end':
      return `it ${what}, in ${place}, beyond the end of what is mapped there`;
    case 'revoked':
      return `it ${what}, in ${place}, which has been revoked`;
    case 'pager-error':
      return `it ${what}, in ${place}: ${failure.error.message}`;
    case 'out-of-memory':
      return `out of memory when it ${what}`;
  }
};
