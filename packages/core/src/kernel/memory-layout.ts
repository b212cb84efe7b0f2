/**
 * How a process's memory is laid out, as xv6 does it:
 *
 *      0 … image … | guard page | stack, one page | heap, up to the break | … USER_END
 */
import { PAGE_SIZE, pagesIn } from '../frame/index.js';
import { MAXVA } from '../paging/index.js';

/** The first address that a process may never have: xv6's trap frame page begins here. */
export const USER_END = MAXVA - 2 * PAGE_SIZE;
export const GUARD_AND_STACK_BYTES = 2 * PAGE_SIZE;
/** The first address that a program's image may not have. */
export const IMAGE_END = USER_END - GUARD_AND_STACK_BYTES;

/** The first page boundary at or above an address. */
export const roundUpToPage = (address: number): number => pagesIn(address) * PAGE_SIZE;
