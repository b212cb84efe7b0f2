/** RAM for many programs, one after the other: a page of a browser can hold some 120 memories at once, however small. */
import { PhysicalMemory } from '../../src/frame/index.js';

const pool = new Map<string, PhysicalMemory>();

/** RAM of a size with no frame in use: the same each time, unless the last who had it has left frames there. */
export const emptyRam = (kibibytes: number, checking: 'off' | 'on' = 'off'): PhysicalMemory => {
  const key = `${kibibytes} ${checking}`;
  const last = pool.get(key);
  if (last !== undefined && last.freeFrames === last.totalFrames - last.firstAllocatable) return last;
  const memory = new PhysicalMemory({ sizeBytes: kibibytes * 1024, checking });
  pool.set(key, memory);
  return memory;
};
