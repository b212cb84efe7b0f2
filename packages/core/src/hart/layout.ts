/**
 * Where the hart's own files lie at the bottom of RAM, in frames of usage Reserved.
 *
 *      0x0000  registers    x0 … x31, 8 bytes each, then the slot that writes to x0 go to
 *      0x0108  pc           u64
 *      0x0110  budget       u32: instructions left when the hart last stopped
 *      0x0118  keys         u64 each: the active space's TLB tags, shifted into place, for read, write, execute
 *      0x0130  reservation  u64: the address that the last load-reserved reserved; all ones where there is none
 *      0x0140  data         8 bytes: where accesses go that the hart cannot make in place
 *      0x0150  crossing     two decoded records: an instruction that crosses a page boundary, and its end
 *      0x1000  TLB          TLB_BYTES
 *      …       code cache   CODE_SLOT_BYTES for each frame of decoded code
 */
import { InvalidArgument, PAGE_SIZE, type PhysAddr, physAddr } from '../frame/index.js';
import { TLB_BYTES, TLB_START } from '../paging/index.js';

export const REGISTER_BYTES = 8;
export const REGISTERS = 0x0000;
/** The register slot that stands for x0 as a destination. */
export const DISCARD_REGISTER = 32;
export const PC = 0x0108;
export const BUDGET_LEFT = 0x0110;
export const KEY_READ = 0x0118;
export const KEY_WRITE = 0x0120;
export const KEY_EXECUTE = 0x0128;
export const RESERVATION = 0x0130;
export const SCRATCH_DATA = 0x0140;
export const CROSSING = 0x0150;
export const CODE_CACHE_START: PhysAddr = physAddr(TLB_START + TLB_BYTES);

/**
 * A decoded instruction, 16 bytes, so that the interpreter reads each field with one load:
 *
 *      0           2           4           6           8               12      16
 *      +-----------+-----------+-----------+-----------+---------------+-------+
 *      | handler   | rd        | rs1       | rs2       | immediate     |   0   |
 *      | u16       | u16       | u16       | u16       | i32           |       |
 *      +-----------+-----------+-----------+-----------+---------------+-------+
 *
 * Register fields are byte offsets into the register file, rd's of x0 that of the discard slot. A page
 * of code has a record for each of its 2048 halfwords, then one that leads on to the next page.
 */
export const RECORD_BYTES = 16;
export const RECORD_HANDLER = 0;
export const RECORD_RD = 2;
export const RECORD_RS1 = 4;
export const RECORD_RS2 = 6;
export const RECORD_IMM = 8;
/** Records advance 8 bytes for each byte of code. */
export const RECORD_SHIFT = 3;
export const RECORDS_IN_PAGE = PAGE_SIZE / 2;
/** Bytes of a page's records, without the one that ends it. */
export const PAGE_RECORD_BYTES = RECORDS_IN_PAGE * RECORD_BYTES;
/** A slot of the code cache: a page's records and the one that ends it. */
export const CODE_SLOT_BYTES = PAGE_RECORD_BYTES + RECORD_BYTES;

if (RECORD_BYTES !== 2 << RECORD_SHIFT || CROSSING + 2 * RECORD_BYTES > TLB_START) {
  throw new InvalidArgument('the layout of the hart does not hold together');
}

/** Frames of decoded code that a hart keeps unless told otherwise: 2 MiB of records. */
export const DEFAULT_CODE_SLOTS = 64;

/** Bytes of RAM to reserve for a hart that keeps `codeSlots` frames of decoded code. */
export const hartBytes = (codeSlots: number): number => CODE_CACHE_START + codeSlots * CODE_SLOT_BYTES;
