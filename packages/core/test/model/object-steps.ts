/** The steps of the random programs that ObjectTwin runs: what there is to do, and how a step is chosen. */
import fc from 'fast-check';
import { PAGE_SIZE } from '../../src/frame/index.js';
import type { ChildKind } from '../../src/vmo/index.js';
import { pagesOf } from './eager-objects.js';

/** The more often a name stands here, the more often it is done. */
export const OBJECT_OPERATIONS = [
  ...['create', 'create', 'createPaged', 'createPaged', 'createDevice'],
  ...[
    'write',
    'write',
    'write',
    'write',
    'write',
    'write',
    'write',
    'write',
    'read',
    'read',
    'read',
    'clear',
  ],
  ...['zero', 'zero', 'zero', 'decommit', 'decommit', 'commit', 'commit', 'prefetch', 'hint', 'page'],
  ...['resize', 'resize', 'resize', 'resize', 'child', 'child', 'child', 'child', 'child', 'child', 'child'],
  ...['duplicate', 'restrict', 'revoke', 'close', 'close', 'close'],
  ...['openView', 'openView', 'writeView', 'writeView', 'writeView', 'closeView', 'closeView', 'closeView'],
  ...['sync', 'sync', 'sync', 'supply', 'detach', 'failPager', 'failPager', 'squeeze'],
] as const;

export const CHILD_KINDS: readonly ChildKind[] = [
  ...(['slice', 'slice', 'reference', 'snapshot', 'snapshot', 'snapshot'] as const),
  ...(['snapshot-at-least-on-write', 'snapshot-at-least-on-write', 'snapshot-modified'] as const),
];

/** One operation: numbers that choose among what there is, so that any step can follow any other. */
export interface ObjectStep {
  readonly operation: (typeof OBJECT_OPERATIONS)[number];
  /** Which capability, view or kind. */
  readonly which: number;
  readonly kind: number;
  /** How the ends of a range lie: on pages, or to the byte. */
  readonly shape: number;
  readonly page: number;
  readonly pages: number;
  readonly byte: number;
  readonly bytes: number;
  readonly value: number;
}

/** Steps that fast-check can shrink. */
export const objectSteps: fc.Arbitrary<ObjectStep> = fc.record({
  operation: fc.constantFrom(...OBJECT_OPERATIONS),
  which: fc.nat(63),
  kind: fc.nat(63),
  shape: fc.nat(15),
  page: fc.nat(63),
  pages: fc.nat(7),
  byte: fc.nat(PAGE_SIZE - 1),
  bytes: fc.nat(PAGE_SIZE - 1),
  value: fc.nat(255),
});

/** A step of a long program. */
export const randomObjectStep = (next: (below: number) => number): ObjectStep => ({
  operation: OBJECT_OPERATIONS[next(OBJECT_OPERATIONS.length)]!,
  which: next(64),
  kind: next(64),
  shape: next(16),
  page: next(64),
  pages: next(8),
  byte: next(PAGE_SIZE),
  bytes: next(PAGE_SIZE),
  value: next(256),
});

/** The pages that a program is about: small objects, or large ones, whose page lists have many nodes. */
export const PAGE_CHOICES = {
  small: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  wide: [0, 1, 2, 62, 63, 64, 65, 127, 128, 129, 130],
  vast: [0, 1, 63, 64, 65, 4094, 4095, 4096, 4097, 4159, 4160],
} as const;
export type Breadth = keyof typeof PAGE_CHOICES;

/** A size in bytes, often to the byte. */
export const sizeOf = ({ shape, page, byte }: ObjectStep, breadth: Breadth): number => {
  const choices = PAGE_CHOICES[breadth];
  const start = choices[page % choices.length]! * PAGE_SIZE;
  if (shape < 5) return start;
  if (shape < 7) return start + 1;
  return shape < 9 ? Math.max(start - 1, 0) : start + byte;
};

/** Where something begins that must be on a page. */
export const startOf = ({ value, shape }: ObjectStep, breadth: Breadth): number => {
  if (shape % 3 === 0) return 0;
  const choices = PAGE_CHOICES[breadth];
  return choices[value % choices.length]! * PAGE_SIZE;
};

/** A range of what has a size; once in a while one that goes beyond it. */
export const rangeOf = (
  step: ObjectStep,
  sizeBytes: number,
  breadth: Breadth,
): { offset: number; length: number } => {
  const { shape, page, pages, byte, bytes, value } = step;
  if (shape === 0) return { offset: 0, length: sizeBytes };
  const choices = PAGE_CHOICES[breadth].filter((choice) => choice * PAGE_SIZE <= sizeBytes);
  const start = choices[page % choices.length]! * PAGE_SIZE;
  if (shape === 1 && value < 16) return { offset: start, length: sizeBytes - start + 1 };
  if (shape < 6) return { offset: start, length: Math.min(pages * PAGE_SIZE, sizeBytes - start) };
  const offset = Math.min(start + byte, sizeBytes);
  const wanted = shape < 10 ? 1 + (bytes % 24) : shape < 13 ? bytes : (pages % 3) * PAGE_SIZE + bytes;
  return { offset, length: shape === 15 ? sizeBytes - offset : Math.min(wanted, sizeBytes - offset) };
};

/** The whole pages that a range is in, as far as there is something; once in a while the range itself. */
export const wholePages = (
  { offset, length }: { offset: number; length: number },
  { value }: ObjectStep,
  sizeBytes: number,
): { offset: number; length: number } => {
  if (value % 16 === 1 || offset + length > sizeBytes) return { offset, length };
  const start = Math.floor(offset / PAGE_SIZE) * PAGE_SIZE;
  return { offset: start, length: Math.min(pagesOf(offset + length) * PAGE_SIZE, sizeBytes) - start };
};

/** Bytes that differ from page to page and from value to value; some pages of zeros. */
export const pattern = (length: number, value: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  if (value % 16 === 0) return bytes;
  for (let start = 0; start < length; start += PAGE_SIZE) {
    if ((start / PAGE_SIZE + value) % 5 === 4) continue;
    bytes.fill(value, start, start + PAGE_SIZE);
    for (let index = start; index < Math.min(start + PAGE_SIZE, length); index += 61)
      bytes[index] = (start >> 12) + index;
  }
  return bytes;
};
