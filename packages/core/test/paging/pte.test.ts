import { expect, test } from 'vitest';
import { frameNumber } from '../../src/frame/index.js';
import * as paging from '../../src/paging/index.js';

test("the flags are the specification's bits, in its order", () => {
  expect([
    paging.PTE_V,
    paging.PTE_R,
    paging.PTE_W,
    paging.PTE_X,
    paging.PTE_U,
    paging.PTE_G,
    paging.PTE_A,
    paging.PTE_D,
    paging.PTE_COW,
    paging.PTE_READONLY_SHARED,
  ]).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
  expect(paging.PTE_FLAGS).toBe(1023);
});

test.each([0, 1, 0x5ea, 2 ** 20 - 17, 2 ** 20 - 1])('an entry gives back its frame %i', (number) => {
  for (const flags of [0, 1, paging.PTE_FLAGS]) {
    const pte = paging.makePte(frameNumber(number), flags);
    expect(paging.pteFrame(pte)).toBe(number);
    expect(pte & paging.PTE_FLAGS).toBe(flags);
    expect(pte).toBeGreaterThanOrEqual(0);
  }
});

test('an access needs U and its own right, and a write both R and W', () => {
  const { PTE_V, PTE_U, PTE_R, PTE_W, PTE_X } = paging;
  expect(paging.REQUIRED_BITS).toEqual({
    read: PTE_V | PTE_U | PTE_R,
    write: PTE_V | PTE_U | PTE_R | PTE_W,
    execute: PTE_V | PTE_U | PTE_X,
  });
});

test('an entry is printed with a letter for each flag that it has', () => {
  const { PTE_V, PTE_R, PTE_X, PTE_U, PTE_A, PTE_FLAGS } = paging;
  expect(paging.formatPte(paging.makePte(frameNumber(0x5ea), PTE_V | PTE_R | PTE_X | PTE_U | PTE_A))).toBe(
    '0x5ea VR-XU-A---',
  );
  expect(paging.formatPte(PTE_FLAGS)).toBe('0x0 VRWXUGADcs');
  expect(paging.formatPte(0)).toBe('0x0 ----------');
});
