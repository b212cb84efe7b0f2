import { expect, test } from 'vitest';
import { FrameMeta, KernelMeta, KernelStackMeta, MAX_ORDER, PageTableMeta } from '../../src/frame/index.js';
import * as header from '../../src/frame/meta-header.js';
import * as slot from '../../src/frame/slot.js';

test('the parts of a slot follow one another without overlap, and fill it', () => {
  const parts = [
    [slot.SLOT_COUNT, 4],
    [slot.SLOT_STATE, 4],
    [slot.SLOT_RAW, 4],
    [slot.SLOT_METADATA, slot.SLOT_METADATA_BYTES],
    [slot.SLOT_HANDLES, 4],
  ] as const;
  let end = 0;
  for (const [start, bytes] of parts) {
    expect(start).toBe(end);
    expect(start % 4).toBe(0);
    end = start + bytes;
  }
  expect(end).toBe(slot.SLOT_BYTES);
});

test('a slot has the layout that is drawn: 32 bytes, its words aligned', () => {
  expect(slot.SLOT_BYTES).toBe(32);
  expect([slot.SLOT_COUNT, slot.SLOT_STATE, slot.SLOT_RAW]).toEqual([0, 4, 8]);
  expect([slot.SLOT_METADATA, slot.SLOT_METADATA_BYTES, slot.SLOT_HANDLES]).toEqual([12, 16, 28]);
});

test('the links of a free frame lie in its metadata alone, clear of counts of any kind', () => {
  const end = slot.SLOT_METADATA + slot.SLOT_METADATA_BYTES;
  const links = [slot.SLOT_NEXT_FREE, slot.SLOT_PREVIOUS_FREE];
  for (const link of links) {
    expect(link).toBeGreaterThanOrEqual(slot.SLOT_METADATA);
    expect(link + 4).toBeLessThanOrEqual(end);
  }
  expect(new Set(links).size).toBe(links.length);
});

test('usage, flags and order have bits of their own in the state word', () => {
  const orderMask = 0xff << slot.STATE_ORDER_SHIFT;
  const bits = [
    slot.STATE_USAGE_MASK,
    slot.FLAG_WATCHED,
    slot.FLAG_FREE_BLOCK,
    slot.FLAG_CACHED,
    slot.FLAG_POISONED,
    orderMask,
  ];
  expect(bits.reduce((all, mask) => all | mask, 0)).toBe(bits.reduce((sum, mask) => sum + mask, 0));
  expect(slot.USAGE_COUNT - 1).toBeLessThanOrEqual(slot.STATE_USAGE_MASK);
  expect(MAX_ORDER << slot.STATE_ORDER_SHIFT).toBeLessThanOrEqual(orderMask);
});

test('each usage’s metadata are words of their own within the slot', () => {
  for (const { fields } of [FrameMeta, PageTableMeta, KernelMeta, KernelStackMeta]) {
    const offsets = Object.values(fields);
    expect(new Set(offsets).size).toBe(offsets.length);
    for (const offset of offsets) {
      expect(offset % 4).toBe(0);
      expect(offset + 4).toBeLessThanOrEqual(slot.SLOT_METADATA_BYTES);
    }
  }
});

test('the parts of the header do not overlap, and it holds them all', () => {
  const parts = [
    [header.HEADER_MAGIC, 1],
    [header.HEADER_LOCK, 1],
    [header.HEADER_TOTAL, 1],
    [header.HEADER_FIRST, 1],
    [header.HEADER_FREE, 1],
    [header.HEADER_ORDERS, 1],
    [header.HEADER_CACHE, 1],
    [header.HEADER_CACHED, 1],
    [header.HEADER_BY_USAGE, slot.USAGE_COUNT],
    [header.HEADER_BLOCKS, MAX_ORDER + 1],
    [header.HEADER_BLOCK_COUNTS, MAX_ORDER + 1],
  ] as const;
  let end = 0;
  for (const [start, words] of parts) {
    expect(start).toBeGreaterThanOrEqual(end);
    end = start + words;
  }
  expect(end * 4).toBeLessThanOrEqual(header.HEADER_BYTES);
});

test('usages are numbered from 0 without gaps, and named', () => {
  const numbers = Object.values(slot.Usage);
  expect(numbers).toEqual(numbers.map((_, index) => index));
  expect(slot.USAGE_COUNT).toBe(numbers.length);
  for (const [name, usage] of Object.entries(slot.Usage)) expect(slot.usageName(usage)).toBe(name);
});
