/** Code that looks an address up in the TLB (paging/tlb.ts draws its lines). */
import { type Access, ACCESSES, TLB_LINE_BYTES, TLB_LINES, TLB_OFFSETS, TLB_START } from '../paging/index.js';
import type { Width } from './instructions/index.js';
import { KEY_EXECUTE, KEY_READ, KEY_WRITE } from './layout.js';
import type { CodeBuilder, FunctionIndex, Local } from './wasm/index.js';

export const PAGE_MASK = -4096;
/** Shift from an address's page number to its TLB line. */
const LINE_SHIFT = 12 - Math.log2(TLB_LINE_BYTES);
export const KEYS: Readonly<Record<Access, number>> = {
  read: KEY_READ,
  write: KEY_WRITE,
  execute: KEY_EXECUTE,
};

/** Pushes the low and the high word of an i64 local. */
export const pushWords = (code: CodeBuilder, value: Local): void => {
  code.get(value);
  code.op('i32.wrap_i64');
  code.get(value);
  code.i64(32);
  code.op('i64.shr_u', 'i32.wrap_i64');
};

/** Pushes where the TLB line for an address lies. */
export const pushLine = (code: CodeBuilder, access: Access, address: Local): void => {
  code.get(address);
  code.op('i32.wrap_i64');
  code.i32(LINE_SHIFT);
  code.op('i32.shr_u');
  code.i32((TLB_LINES[access] - 1) * TLB_LINE_BYTES);
  code.op('i32.and');
  code.i32(TLB_START + TLB_OFFSETS[access]);
  code.op('i32.add');
};

/** Pushes whether the line grants an access of that width, which must be aligned, in the space that runs. */
export const pushKeyMatches = (
  code: CodeBuilder,
  access: Access,
  line: Local,
  address: Local,
  width: Width,
): void => {
  code.get(line);
  code.memory('i64.load', 0);
  code.get(address);
  code.i64(PAGE_MASK | (width - 1));
  code.op('i64.and');
  code.i32(0);
  code.memory('i64.load', KEYS[access]);
  code.op('i64.or', 'i64.eq');
};

/** Has a hit of the TLB compared with the page table. */
export const pushCheckHit = (
  code: CodeBuilder,
  checkHit: FunctionIndex,
  access: Access,
  address: Local,
  host: Local,
): void => {
  code.i32(ACCESSES.indexOf(access));
  pushWords(code, address);
  code.get(host);
  code.call(checkHit);
};
