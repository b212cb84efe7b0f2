/**
 * The hardware's walk for user mode: privileged specification 20211203, section 4.3.2, with the constants
 * of section 4.4 (Sv39). It trusts nothing in the tables: whatever bits lie there, it answers as a hart.
 *
 * Where it finds no translation it changes nothing: not even A, where the frame that a leaf names is not
 * there and the access itself would fail.
 *
 *      updates    'hardware': the walk sets A, and D for a write (Svadu)
 *                 'fault':    an entry without the A, or the D, that the access needs faults (Svade)
 *                 'none':     A and D are neither looked at nor set: for those who only ask
 */
import { type FrameNumber, NO_FRAME, type PhysicalMemory, type Vpn } from '../frame/index.js';
import { MAX_PAGES, type UsedBitUpdates } from './page-table.js';
import {
  type Access,
  PTE_A,
  PTE_D,
  PTE_RIGHTS,
  PTE_R,
  PTE_TABLE_SHARED,
  PTE_U,
  PTE_V,
  PTE_W,
  pteFrame,
  requiredBits,
} from './pte.js';
import { ENTRIES, LEVEL_BITS, ROOT_LEVEL } from './sv39-format.js';

/** Bits that are reserved in an entry that names a table. */
const RESERVED_IN_POINTERS = PTE_U | PTE_A | PTE_D;
const POINTER_BITS = PTE_V | PTE_RIGHTS | RESERVED_IN_POINTERS;
const WORDS_IN_FRAME = 1024;
/** Bits 63 … 54 of an entry are reserved: 31 … 22 of its high word. Those below are of the frame number. */
const RESERVED_SHIFT = 22;
const PAGES_IN_64_BITS = 2 ** 52;

/** What a walk finds where it finds no frame. */
export const PAGE_FAULT = -1;
export const ACCESS_FAULT = -2;

/**
 * @param page all 52 bits of the address above the page offset: not only Sv39's part.
 * @returns the frame; PAGE_FAULT; or ACCESS_FAULT where an entry names memory that is not there.
 */
export const walk = (
  memory: PhysicalMemory,
  root: FrameNumber,
  page: Vpn,
  access: Access,
  updates: UsedBitUpdates | 'none',
): number => {
  const { words, totalFrames } = memory;
  // The usual tables, written out: three levels, and nothing in the entries that is not written here. As plainWalk says.
  if (page < MAX_PAGES && page >>> 0 === page && root !== NO_FRAME) {
    const top = root * WORDS_IN_FRAME + (page >>> (2 * LEVEL_BITS)) * 2;
    const topPte = words[top]!;
    if (isPlainPointer(topPte, words[top + 1]!, totalFrames)) {
      const middle = pteFrame(topPte) * WORDS_IN_FRAME + ((page >>> LEVEL_BITS) & (ENTRIES - 1)) * 2;
      const middlePte = words[middle]!;
      if (isPlainPointer(middlePte, words[middle + 1]!, totalFrames)) {
        const leaf = pteFrame(middlePte) * WORDS_IN_FRAME + (page & (ENTRIES - 1)) * 2;
        const pte = words[leaf]!;
        if (words[leaf + 1] === 0 && pteFrame(pte) < totalFrames) {
          const required = requiredBits(access);
          if ((pte & required) !== required || (pte & (PTE_R | PTE_W)) === PTE_W) return PAGE_FAULT;
          if (access === 'write' && ((topPte | middlePte) & PTE_TABLE_SHARED) !== 0) return PAGE_FAULT;
          const used = (pte | (access === 'write' ? PTE_A | PTE_D : PTE_A)) >>> 0;
          if (used !== pte && updates === 'fault') return PAGE_FAULT;
          if (used !== pte && updates === 'hardware') words[leaf] = used;
          return pteFrame(pte);
        }
      }
    }
  }
  return plainWalk(memory, root, page, access, updates);
};

/** Whether an entry names a table that is there, and has no bits that mean anything else. */
const isPlainPointer = (pte: number, high: number, totalFrames: number): boolean =>
  (pte & POINTER_BITS) === PTE_V && high === 0 && pteFrame(pte) < totalFrames;

/** The walk as the specification has it, whatever bits there are: what `walk` answers. */
export const plainWalk = (
  memory: PhysicalMemory,
  root: FrameNumber,
  page: Vpn,
  access: Access,
  updates: UsedBitUpdates | 'none',
): number => {
  const { words, totalFrames } = memory;
  const required = requiredBits(access);
  const uses = access === 'write' ? PTE_A | PTE_D : PTE_A;
  // A table that is closed has no root.
  if (!isCanonical(page) || root === NO_FRAME) return PAGE_FAULT;
  let table: number = root;
  // Below a table that other trees have nobody may write (shared-tables.ts).
  let isShared = false;
  for (let level = ROOT_LEVEL; level >= 0; level--) {
    const word = table * WORDS_IN_FRAME + ((page >>> (level * LEVEL_BITS)) & (ENTRIES - 1)) * 2;
    const pte = words[word]!;
    const high = words[word + 1]!;
    if ((pte & PTE_V) === 0 || (pte & (PTE_R | PTE_W)) === PTE_W) return PAGE_FAULT;
    if (high >>> RESERVED_SHIFT !== 0) return PAGE_FAULT;
    const target: number = pteFrame(pte);
    if ((pte & PTE_RIGHTS) === 0) {
      if ((pte & RESERVED_IN_POINTERS) !== 0 || level === 0) return PAGE_FAULT;
      if (target >= totalFrames || high !== 0) return ACCESS_FAULT;
      isShared ||= (pte & PTE_TABLE_SHARED) !== 0;
      table = target;
      continue;
    }
    const low = (1 << (level * LEVEL_BITS)) - 1;
    if ((pte & required) !== required || (target & low) !== 0) return PAGE_FAULT;
    if (isShared && access === 'write') return PAGE_FAULT;
    const used = (pte | uses) >>> 0;
    if (updates === 'fault' && used !== pte) return PAGE_FAULT;
    const frame = target + (page & low);
    if (frame >= totalFrames || high !== 0) return ACCESS_FAULT;
    if (updates === 'hardware' && used !== pte) words[word] = used;
    return frame;
  }
  return PAGE_FAULT;
};

/** 4.4.1: bits 63 to 39 of an address equal bit 38. Its upper half is the supervisor's. */
const isCanonical = (page: Vpn): boolean =>
  page < MAX_PAGES
    ? page >>> 0 === page
    : page >= PAGES_IN_64_BITS - MAX_PAGES && page < PAGES_IN_64_BITS && Number.isInteger(page);
