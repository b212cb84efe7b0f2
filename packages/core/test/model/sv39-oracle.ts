/**
 * The address translation of the RISC-V privileged specification (20211203), section 4.3.2 with the
 * constants of section 4.4 (Sv39), step by step, over nothing but RAM's bytes. It shares no code with
 * holstein: all is bigint, and every reserved bit is looked at.
 */

const LEVELS = 3;
const PTESIZE = 8n;
const PAGESIZE = 4096n;

const bit = (pte: bigint, number: number): boolean => ((pte >> BigInt(number)) & 1n) === 1n;
const bits = (value: bigint, high: number, low: number): bigint =>
  (value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);

export interface Translation {
  readonly physicalAddress: bigint;
  /** Where the leaf entry lies, and what a hart with Svadu makes of it. */
  readonly entryAddress: bigint;
  readonly entryAfter: bigint;
}

/**
 * Translates for user mode.
 * @param root the physical page number that satp holds.
 * @returns why the access raises a page fault, where it does.
 */
export const translateAsSpecified = (
  ram: DataView,
  root: bigint,
  virtualAddress: bigint,
  access: 'read' | 'write' | 'execute',
): Translation | string => {
  // 4.4.1: bits 63 to 39 must all equal bit 38.
  const high = bits(virtualAddress, 63, 38);
  if (high !== 0n && high !== (1n << 26n) - 1n) return 'the address is not canonical';
  const vpn = [bits(virtualAddress, 20, 12), bits(virtualAddress, 29, 21), bits(virtualAddress, 38, 30)];

  // 1.
  let a = root * PAGESIZE;
  let i = LEVELS - 1;
  for (;;) {
    // 2.
    const address = a + vpn[i]! * PTESIZE;
    const pte = ram.getBigUint64(Number(address), true);
    const [v, r, w, x, u] = [0, 1, 2, 3, 4].map((number) => bit(pte, number));
    // 3.
    if (!v || (!r && w)) return 'the entry is not valid';
    if (bits(pte, 63, 54) !== 0n) return 'a reserved bit is set';
    const ppn = bits(pte, 53, 10);
    // 4.
    if (!r && !x) {
      if (u || bit(pte, 6) || bit(pte, 7)) return 'a bit reserved in non-leaf entries is set';
      i--;
      if (i < 0) return 'there is no leaf entry';
      a = ppn * PAGESIZE;
      continue;
    }
    // 5.
    const granted = { read: r, write: w, execute: x }[access];
    if (!u || !granted) return 'the access is not allowed';
    // 6.
    if (i > 0 && bits(ppn, 9 * i - 1, 0) !== 0n) return 'the superpage is misaligned';
    // 7.
    const entryAfter = pte | (1n << 6n) | (access === 'write' ? 1n << 7n : 0n);
    // 8.
    const low = bits(virtualAddress, 12 + 9 * i - 1, 0);
    const mask = (1n << BigInt(9 * i)) - 1n;
    return { physicalAddress: (ppn & ~mask) * PAGESIZE + low, entryAddress: address, entryAfter };
  }
};
