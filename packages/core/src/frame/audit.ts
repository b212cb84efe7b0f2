/** The audit of the frame table: every slot against the free lists and the statistics. */
import { frameNumber, hex } from './address.js';
import type { PhysicalMemory } from './physical-memory.js';
import { Usage, usageName, type UsageName } from './slot.js';

/**
 * @param free the frames that the free lists hold.
 * @returns a line for each thing that is wrong.
 */
export const auditFrames = (memory: PhysicalMemory, free: ReadonlySet<number>): string[] => {
  const problems: string[] = [];
  const found = new Map<UsageName, number>();
  for (let index = 0; index < memory.totalFrames; index++) {
    const frame = frameNumber(index);
    const usage = memory.usage(frame);
    const name = usageName(usage) ?? `usage ${usage}`;
    const count = memory.count(frame);
    found.set(name, (found.get(name) ?? 0) + 1);
    const state = `frame ${hex(frame)} (${name}, ${count} references)`;
    if ((usage === Usage.Unused) !== (count === 0)) problems.push(`${state}: usage and count disagree`);
    if ((usage === Usage.Unused) !== free.has(frame)) problems.push(`${state}: the free list disagrees`);
    const [handles, raw] = [memory.slots.handles(frame), memory.slots.raw(frame)];
    if (handles + raw > count) {
      problems.push(`${state}: has ${handles} handles and ${raw} raw references`);
    }
  }
  for (const [name, counted] of Object.entries(memory.statistics().byUsage) as [UsageName, number][]) {
    const frames = found.get(name) ?? 0;
    found.delete(name);
    if (frames !== counted) problems.push(`${frames} frames are ${name}, the statistics say ${counted}`);
  }
  for (const [name, frames] of found) problems.push(`${frames} frames have ${name}, which there is not`);
  return problems;
};
