import { expect, test } from 'vitest';
import * as slot from '../../src/frame/slot.js';

test('the parts of a slot follow one another without overlap, and fill it', () => {
  const parts = [
    [slot.SLOT_COUNT, 4],
    [slot.SLOT_USAGE, 1],
    [slot.SLOT_FLAGS, 1],
    [slot.SLOT_NEXT_FREE, 4],
    [slot.SLOT_METADATA, slot.SLOT_METADATA_BYTES],
  ] as const;
  let end = 0;
  for (const [start, bytes] of parts) {
    expect(start).toBeGreaterThanOrEqual(end);
    end = start + bytes;
  }
  expect(end).toBe(slot.SLOT_BYTES);
});

test('a slot has the layout that is drawn: 32 bytes, its words aligned', () => {
  expect(slot.SLOT_BYTES).toBe(32);
  expect([slot.SLOT_COUNT, slot.SLOT_USAGE, slot.SLOT_FLAGS]).toEqual([0, 4, 5]);
  expect([slot.SLOT_NEXT_FREE, slot.SLOT_METADATA]).toEqual([8, 12]);
});

test('usages are numbered from 0 without gaps, and named', () => {
  const numbers = Object.values(slot.Usage);
  expect(numbers).toEqual(numbers.map((_, index) => index));
  expect(slot.USAGE_COUNT).toBe(numbers.length);
  for (const [name, usage] of Object.entries(slot.Usage)) expect(slot.usageName(usage)).toBe(name);
});
