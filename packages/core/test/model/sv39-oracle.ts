/**
 * The address translation of the RISC-V privileged specification (20211203), section 4.3.2 with the
 * constants of section 4.4 (Sv39), step by step, over nothing but RAM's bytes. It shares no code with
 * holstein: all is bigint, and every reserved bit is looked at.
 *
 * One rule is holstein's own: bit 8 of a non-leaf entry, which the specification leaves to software (RSW), says that the
 * table below is shared, and nothing below it can be written.
 */

const LEVELS = 3;
const PTESIZE = 8n;
const PAGESIZE = 4096n;

const bit = (pte: bigint, number: number): boolean => ((pte >> BigInt(number)) & 1n) === 1n;
const bits = (value: bigint, high: number, low: number): bigint =>
  (value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);

export interface Translation {
  readonly physicalAddress: bigint;
  /** 0 for a page, 1 for a megapage, 2 for a gigapage. */
  readonly level: number;
  /** Where the leaf entry lies, and what it is after the access. */
  readonly entryAddress: bigint;
  readonly entryAfter: bigint;
}

export interface Fault {
  readonly fault: 'page' | 'access';
  readonly why: string;
}

export interface OracleOptions {
  /** What step 7 does where A, or D for a write, is clear: sets them (Svadu) or faults (Svade). */
  readonly updates: 'hardware' | 'fault';
}

const page = (why: string): Fault => ({ fault: 'page', why });
const access = (why: string): Fault => ({ fault: 'access', why });

/**
 * Translates for user mode.
 * @param root the physical page number that satp holds.
 */
export const translateAsSpecified = (
  ram: DataView,
  root: bigint,
  virtualAddress: bigint,
  kind: 'read' | 'write' | 'execute',
  { updates }: OracleOptions = { updates: 'hardware' },
): Translation | Fault => {
  const inRam = (address: bigint): boolean => address < BigInt(ram.byteLength);
  // 4.4.1: bits 63 to 39 must all equal bit 38.
  const high = bits(virtualAddress, 63, 38);
  if (high !== 0n && high !== (1n << 26n) - 1n) return page('the address is not canonical');
  const vpn = [bits(virtualAddress, 20, 12), bits(virtualAddress, 29, 21), bits(virtualAddress, 38, 30)];

  // 1.
  let a = root * PAGESIZE;
  let i = LEVELS - 1;
  let isShared = false;
  for (;;) {
    // 2.
    const address = a + vpn[i]! * PTESIZE;
    if (!inRam(address)) return access('the table is not in RAM');
    const pte = ram.getBigUint64(Number(address), true);
    const [v, r, w, x, u] = [0, 1, 2, 3, 4].map((number) => bit(pte, number));
    // 3. Bits 63 and 62 to 61 belong to extensions that are not there (Svnapot, Svpbmt).
    if (!v || (!r && w)) return page('the entry is not valid');
    if (bits(pte, 63, 54) !== 0n) return page('a reserved bit is set');
    const ppn = bits(pte, 53, 10);
    // 4. With 4.4.1: D, A and U are reserved in non-leaf entries.
    if (!r && !x) {
      if (u || bit(pte, 6) || bit(pte, 7)) return page('a bit reserved in non-leaf entries is set');
      isShared ||= bit(pte, 8);
      i--;
      if (i < 0) return page('there is no leaf entry');
      a = ppn * PAGESIZE;
      continue;
    }
    // 5.
    const granted = { read: r, write: w, execute: x }[kind];
    if (!u) return page("the page is the supervisor's");
    if (!granted) return page('the access is not allowed');
    if (isShared && kind === 'write') return page('the table is shared');
    // 6.
    if (i > 0 && bits(ppn, 9 * i - 1, 0) !== 0n) return page('the superpage is misaligned');
    // 7.
    const entryAfter = pte | (1n << 6n) | (kind === 'write' ? 1n << 7n : 0n);
    if (entryAfter !== pte && updates === 'fault') return page('A or D is clear');
    // 8.
    const low = bits(virtualAddress, 12 + 9 * i - 1, 0);
    const mask = (1n << BigInt(9 * i)) - 1n;
    const physicalAddress = (ppn & ~mask) * PAGESIZE + low;
    // 3.6: the attributes of physical memory are checked last. The access is not made, so D must not be
    // set, and A need not be: holstein sets neither.
    if (!inRam(physicalAddress)) return access('the page is not in RAM');
    return { physicalAddress, level: i, entryAddress: address, entryAfter };
  }
};
