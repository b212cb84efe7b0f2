/** How many frames there are of what, as the Meta header has it. */
import { type BuddyAllocator, MAX_ORDER } from './buddy-allocator.js';
import { HEADER_BY_USAGE, HEADER_FIRST, HEADER_TOTAL } from './meta-header.js';
import { Usage, USAGE_COUNT, usageName, type UsageName } from './slot.js';

/** Frames by usage, and the totals. All in frames. */
export interface FrameStatistics {
  readonly total: number;
  readonly allocatable: number;
  readonly free: number;
  readonly inUse: number;
  readonly byUsage: Readonly<Record<UsageName, number>>;
  /** Free blocks by order: item o counts blocks of 2^o frames. */
  readonly freeBlocks: readonly number[];
}

/** @param header index in `words` of the Meta header. */
export const readStatistics = (
  words: Uint32Array,
  header: number,
  allocator: BuddyAllocator,
): FrameStatistics => {
  const total = words[header + HEADER_TOTAL]!;
  const free = allocator.freeFrames;
  const framesOf = (usage: Usage): number =>
    usage === Usage.Unused ? free : words[header + HEADER_BY_USAGE + usage]!;
  const usages = Array.from({ length: USAGE_COUNT }, (_, usage) => usage as Usage);
  return {
    total,
    allocatable: total - words[header + HEADER_FIRST]!,
    free,
    inUse: total - free,
    byUsage: Object.fromEntries(usages.map((usage) => [usageName(usage), framesOf(usage)])) as Record<
      UsageName,
      number
    >,
    freeBlocks: Array.from({ length: MAX_ORDER + 1 }, (_, order) => allocator.blocks(order)),
  };
};
