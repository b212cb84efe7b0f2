/**
 * The Sv39 page-table entry (RISC-V privileged specification 20211203, section 4.4.1), low word:
 *
 *      31   30 29            10   9    8    7   6   5   4   3   2   1   0
 *      +------+----------------+----+-----+---+---+---+---+---+---+---+---+
 *      |  0   |  frame number  | RO | COW | D | A | G | U | X | W | R | V |
 *      +------+----------------+----+-----+---+---+---+---+---+---+---+---+
 *
 * Physical memory is under 4 GiB, so a frame number has 20 bits and the high word is zero. An entry with
 * V and none of R, W, X names the next table; all others with V are leaves. Bits 8 and 9 are the
 * specification's RSW field, which hardware ignores; seeds 000, 003 and 004 give them their meaning here:
 *
 *      COW            writable and shared: a write copies, or finds out that nobody else is left
 *      RO, no W       readonly and shared: never written by this entry
 *      RO and W       shared and written in place, as memory that is shared on purpose: a fork leaves it so
 *
 * Bit 8 of an entry that names a table says that other trees may name it too: whatever lies below is read only until
 * this tree has a table of its own there, and a W in it counts as COW (shared-tables.ts).
 */
import { frameNumber, type FrameNumber, hex } from '../frame/index.js';

/** Bytes of an entry. */
export const PTE_BYTES = 8;

/** Valid: the other bits mean something. */
export const PTE_V = 1 << 0;
export const PTE_R = 1 << 1;
export const PTE_W = 1 << 2;
export const PTE_X = 1 << 3;
/** User mode may use the page. */
export const PTE_U = 1 << 4;
/** The mapping is in every address space. */
export const PTE_G = 1 << 5;
/** Accessed: read, written or fetched from since the bit was last cleared. */
export const PTE_A = 1 << 6;
/** Dirty: written since the bit was last cleared. */
export const PTE_D = 1 << 7;
/** Copy on write ("writable and shared", seed 000): copy the frame, or find it unshared, before W is set. */
export const PTE_COW = 1 << 8;
/** Shared for good, and never copied: "readonly and shared" (seed 000), or with W a shared mapping's. */
export const PTE_READONLY_SHARED = 1 << 9;

/** In an entry that names a table: other trees may have the table too. */
export const PTE_TABLE_SHARED = PTE_COW;

export const PTE_RIGHTS = PTE_R | PTE_W | PTE_X;
/** Either of the two shared states. */
export const PTE_SHARED = PTE_COW | PTE_READONLY_SHARED;
/** All bits that are not the frame number. */
export const PTE_FLAGS = 0x3ff;
const PTE_PPN_SHIFT = 10;

/** An entry that names `frame`, with exactly the given flag bits. */
export const makePte = (frame: FrameNumber, flags: number): number => (frame << PTE_PPN_SHIFT) | flags;
/** The frame that an entry names. */
export const pteFrame = (pte: number): FrameNumber => frameNumber(pte >>> PTE_PPN_SHIFT);

/** What an instruction, or the kernel for a process, wants to do with memory. */
export type Access = 'read' | 'write' | 'execute';

/** All of them, in one order. */
export const ACCESSES = ['read', 'write', 'execute'] as const satisfies readonly Access[];

/** Bits that an entry must have for user mode to make the access. W asks for R: W alone is reserved. */
export const REQUIRED_BITS: Readonly<Record<Access, number>> = {
  read: PTE_V | PTE_U | PTE_R,
  write: PTE_V | PTE_U | PTE_R | PTE_W,
  execute: PTE_V | PTE_U | PTE_X,
};

/** By name: V8 looks a property up slowly where its name is a variable. */
export const requiredBits = (access: Access): number => {
  switch (access) {
    case 'read':
      return REQUIRED_BITS.read;
    case 'write':
      return REQUIRED_BITS.write;
    case 'execute':
      return REQUIRED_BITS.execute;
  }
};

/** Whether user mode may make the access by a leaf entry. W without R is reserved, and grants nothing. */
export const grants = (pte: number, access: Access): boolean => {
  const required = requiredBits(access);
  return (pte & required) === required && (pte & (PTE_R | PTE_W)) !== PTE_W;
};

/** The bits that an access sets in the entry that granted it. */
export const usedBits = (access: Access): number => (access === 'write' ? PTE_A | PTE_D : PTE_A);

/** What a leaf entry becomes on both sides when its frame is shared: what could be written is COW, unless it is shared on purpose. */
export const sharedPte = (pte: number): number =>
  (pte & (PTE_W | PTE_READONLY_SHARED)) === PTE_W ? (pte & ~PTE_W) | PTE_COW : pte;

const letters = 'VRWXUGADcs';

/** An entry for people: its frame and its flags, such as `0x5ea VR-XU-A---`. */
export const formatPte = (pte: number): string => `${hex(pteFrame(pte))} ${formatPteFlags(pte)}`;

/** The flags of an entry for people: those that are not set are dashes. c = COW, s = readonly and shared. */
export const formatPteFlags = (pte: number): string =>
  [...letters].map((letter, bit) => ((pte >>> bit) & 1 ? letter : '-')).join('');
