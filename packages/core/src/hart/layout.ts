/**
 * Where the hart's own files lie at the bottom of RAM, in frames of usage Reserved.
 *
 *      0x0000  registers    x0 … x31, 8 bytes each, then the slot that writes to x0 go to
 *      0x0108  pc           u64
 *      0x0110  f registers  f0 … f31, 8 bytes each: a single is in the low half, and the high half all ones
 *      0x0210  fcsr         u32: rounding mode in bits 7 … 5, flags in bits 4 … 0, else zeros
 *      0x0218  budget       u32: instructions left when the hart last stopped
 *      0x0220  keys         u64 each: the active space's TLB tags, shifted into place, for read, write, execute
 *      0x0238  reservation  u64: the address that the last load-reserved reserved; all ones where there is none
 *      0x0240  data         8 bytes: where accesses go that the hart cannot make in place
 *      0x0248  operands     three u64 of a floating-point operation that JavaScript does, then its result
 *      0x0268  threshold    u32: jumps to an instruction that make it hot
 *      0x1000  TLB          TLB_BYTES
 *      …       entries      ENTRY_BYTES for each way into compiled code, MOST_ENTRIES of them
 *      …       code cache   CODE_SLOT_BYTES for each frame of decoded code
 *
 * A process's context is all from the registers to fcsr.
 */
import { InvalidArgument, PAGE_SIZE, type PhysAddr, physAddr } from '../frame/index.js';
import { TLB_BYTES, TLB_START } from '../paging/index.js';

export const REGISTER_BYTES = 8;
export const REGISTERS = 0x0000;
/** The register slot that stands for x0 as a destination. */
export const DISCARD_REGISTER = 32;
export const PC = 0x0108;
export const FLOAT_REGISTERS = 0x0110;
export const FCSR = 0x0210;
/** Where the context ends. */
export const CONTEXT_END = FCSR + 8;
export const BUDGET_LEFT = 0x0218;
export const KEY_READ = 0x0220;
export const KEY_WRITE = 0x0228;
export const KEY_EXECUTE = 0x0230;
export const RESERVATION = 0x0238;
export const SCRATCH_DATA = 0x0240;
export const FLOAT_OPERANDS = 0x0248;
export const FLOAT_RESULT = 0x0260;
/** Jumps by which an instruction is hot, and the bits of a count that are 0 where the compiler is asked about it. */
export const HOT_JUMPS = 0x0268;
export const ASKING_MASK = 0x026c;

/**
 * A way into a compiled region, 8 bytes, which the record of its first instruction names:
 *
 *      0           2           4           6           7           8
 *      +-----------+-----------+-----------+-----------+-----------+
 *      | function  | handler   | number    | page      | distance  |
 *      | u16       | u16       | u16       | u8        | i8        |
 *      +-----------+-----------+-----------+-----------+-----------+
 *
 * - function: the region's place in the table of functions.
 * - handler: that of the record's instruction, whose place in the record HANDLER_COMPILED has taken.
 * - number, page, distance: the word that the region takes: which block is meant, the bit that its page has among the
 *   region's pages, and how many pages it lies behind the page of the region's root.
 */
export const ENTRY_BYTES = 8;
export const ENTRY_FUNCTION = 0;
export const ENTRY_HANDLER = 2;
export const ENTRY_WORD = 4;
export const WORD_PAGE_SHIFT = 16;
export const WORD_DISTANCE_SHIFT = 24;
export const MOST_ENTRIES = 4096;
export const ENTRIES_START: PhysAddr = physAddr(TLB_START + TLB_BYTES);
export const CODE_CACHE_START: PhysAddr = physAddr(ENTRIES_START + MOST_ENTRIES * ENTRY_BYTES);

/**
 * A decoded instruction, 16 bytes, so that the interpreter reads each field with one load:
 *
 *      0           2           4           6           8               12          14          16
 *      +-----------+-----------+-----------+-----------+---------------+-----------+-----------+
 *      | handler   | rd        | rs1       | rs2       | immediate     | jumps     | entry     |
 *      | u16       | u16       | u16       | u16       | i32           | u16       | u16       |
 *      +-----------+-----------+-----------+-----------+---------------+-----------+-----------+
 *
 * `jumps` counts the interpreter's jumps to the instruction, modulo 2^16. `entry` is good where the handler is
 * HANDLER_COMPILED.
 *
 * Register fields are byte offsets from REGISTERS, rd's of x0 that of the discard slot. A page of code has a
 * record for each of its 2048 halfwords, then one that leads on to the next page.
 *
 * An instruction with a rounding mode has no immediate, but in its place
 *
 *      8           10          11          12
 *      +-----------+-----------+-----------+
 *      | rs3       | rm        | standing  |
 *      | u16       | u8        | u8        |
 *      +-----------+-----------+-----------+
 *
 * where `standing` are the bits of fcsr that decide whether WebAssembly's own result may stand (float/fcsr.ts).
 */
export const RECORD_BYTES = 16;
export const RECORD_HANDLER = 0;
export const RECORD_RD = 2;
export const RECORD_RS1 = 4;
export const RECORD_RS2 = 6;
export const RECORD_IMM = 8;
export const RECORD_RS3 = 8;
export const RECORD_ROUNDING = 10;
export const RECORD_STANDING = 11;
export const RECORD_JUMPS = 12;
export const RECORD_ENTRY = 14;
/** Records advance 8 bytes for each byte of code. */
export const RECORD_SHIFT = 3;
export const RECORDS_IN_PAGE = PAGE_SIZE / 2;
/** Bytes of a page's records, without the one that ends it. */
export const PAGE_RECORD_BYTES = RECORDS_IN_PAGE * RECORD_BYTES;
/**
 * A slot of the code cache, in records:
 *
 *      0                             2048         2049       2050         2051         2052
 *      +-----------------------------+------------+----------+------------+------------+
 *      | the page's instructions     | its end    | crossing | second u32 | end        |
 *      +-----------------------------+------------+----------+------------+------------+
 *
 * `crossing` is the instruction that begins in the page's last halfword and ends on the next page; `second` where the
 * records of the frame begin that the next page was when it was decoded, 0 where it is not good.
 */
export const SLOT_CROSSING = PAGE_RECORD_BYTES + RECORD_BYTES;
export const SLOT_SECOND = SLOT_CROSSING + RECORD_BYTES;
export const SLOT_CROSSING_END = SLOT_CROSSING + 2 * RECORD_BYTES;
export const CODE_SLOT_BYTES = SLOT_CROSSING_END + RECORD_BYTES;

if (RECORD_BYTES !== 2 << RECORD_SHIFT || ASKING_MASK + 4 > TLB_START) {
  throw new InvalidArgument('the layout of the hart does not hold together');
}

/** Where a record says that a register is: an f register where `isFloat`. */
export const registerOffset = (register: number, isFloat: boolean): number =>
  (isFloat ? FLOAT_REGISTERS : REGISTERS) + register * REGISTER_BYTES;

/** Frames of decoded code that a hart keeps unless told otherwise: 2 MiB of records. */
export const DEFAULT_CODE_SLOTS = 64;

/** Bytes of RAM to reserve for a hart that keeps `codeSlots` frames of decoded code. */
export const hartBytes = (codeSlots: number): number => CODE_CACHE_START + codeSlots * CODE_SLOT_BYTES;
