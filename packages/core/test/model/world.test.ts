import { expect, test } from 'vitest';
import { FrameMeta, OutOfMemory, Page, Segment, UniquePage, Usage } from '../../src/frame/index.js';
import { makeMemory } from './world.js';

test('a counting memory counts each way to ask for frames once, also where a script refuses it', () => {
  const memory = makeMemory();
  const ways = [
    () => memory.allocate(Usage.Frame),
    () => memory.allocate(Usage.PageTable, { content: 'zeros' }),
    () => memory.allocateUnique(Usage.Frame),
    () => memory.allocateRange({ frames: 3, usage: Usage.Frame }),
    () => Page.allocate(memory, FrameMeta),
    () => UniquePage.allocate(memory, FrameMeta),
    () => Segment.allocate(memory, FrameMeta, { frames: 2 }),
  ];
  for (const [index, way] of ways.entries()) {
    way();
    memory.failAllocation(1);
    expect(way).toThrow(OutOfMemory);
    expect(memory.allocations).toBe(2 * (index + 1));
  }
});
