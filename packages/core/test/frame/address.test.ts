import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  frameNumber,
  frameOf,
  frameStart,
  hex,
  PAGE_BITS,
  PAGE_SIZE,
  pageOffset,
  pagesIn,
  pageStart,
  physAddr,
  virtAddr,
  vpn,
  vpnOf,
} from '../../src/frame/index.js';

test('a page has 2^PAGE_BITS bytes', () => {
  expect(PAGE_SIZE).toBe(2 ** PAGE_BITS);
});

test('frames and physical addresses convert both ways, up to 4 GiB', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 20 - 1), fc.nat(PAGE_SIZE - 1), (frame, offset) => {
      expect(frameStart(frameNumber(frame))).toBe(frame * PAGE_SIZE);
      expect(frameOf(physAddr(frame * PAGE_SIZE + offset))).toBe(frame);
    }),
  );
  expect(frameOf(physAddr(2 ** 32 - 1))).toBe(2 ** 20 - 1);
});

test('pages and virtual addresses convert both ways, up to 2^39', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 27 - 1), fc.nat(PAGE_SIZE - 1), (page, offset) => {
      expect(pageStart(vpn(page))).toBe(page * PAGE_SIZE);
      expect(vpnOf(virtAddr(page * PAGE_SIZE + offset))).toBe(page);
      expect(pageOffset(virtAddr(page * PAGE_SIZE + offset))).toBe(offset);
    }),
  );
});

test.each([
  [0, 0],
  [1, 1],
  [4096, 1],
  [4097, 2],
  [2 ** 38, 2 ** 26],
])('%i bytes take %i pages', (bytes, pages) => {
  expect(pagesIn(bytes)).toBe(pages);
});

test('addresses are printed in hex, beyond 2^32 too', () => {
  expect(hex(2 ** 38)).toBe('0x4000000000');
  expect(hex(0xffff_ffff_ffff_ffffn)).toBe('0xffffffffffffffff');
});
