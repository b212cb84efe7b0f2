/** The steps of the random programs that PagingTwin runs: what there is to do, and how a step is chosen. */
import fc from 'fast-check';
import {
  type Access,
  PTE_COW,
  PTE_G,
  PTE_R,
  PTE_READONLY_SHARED,
  PTE_U,
  PTE_W,
  PTE_X,
  type Sharing,
} from '../../src/paging/index.js';

export const ACCESSES: readonly Access[] = ['read', 'write', 'write', 'execute'];
export const SHARINGS: readonly Sharing[] = ['writable', 'writable', 'readonly'];
const R = PTE_U | PTE_R;
/** The last three make no leaf, and are refused. */
export const FLAGS = [
  R,
  R | PTE_W,
  R | PTE_W,
  R | PTE_X,
  R | PTE_W | PTE_X,
  PTE_U | PTE_X,
  PTE_R | PTE_W,
].concat([
  R | PTE_COW,
  R | PTE_COW | PTE_X | PTE_G,
  R | PTE_READONLY_SHARED,
  R | PTE_COW | PTE_READONLY_SHARED,
  R | PTE_W | PTE_COW,
  PTE_U | PTE_W,
]);
/** Pages in a megapage. */
export const MEGA = 512;
/** Where tables of each level begin and end, and, last, two regions that megapages are mapped to. */
export const PAGES = [
  0,
  1,
  2,
  510,
  511,
  512,
  2 ** 18 - 1,
  2 ** 26 - 1,
  4 * MEGA,
  4 * MEGA + 1,
  5 * MEGA - 1,
  2 ** 20 + 3,
];
export const MEGAPAGES = [4 * MEGA, 2 ** 20];

/** The more often a name stands here, the more often it is done. */
export const PAGING_OPERATIONS = [
  ...[
    'allocate',
    'allocate',
    'allocate',
    'allocate',
    'allocate',
    'retain',
    'retain',
    'release',
    'release',
    'create',
    'close',
  ],
  ...['map', 'map', 'map', 'mapShared', 'mapShared', 'mapShared', 'unmap', 'unmap', 'unmapShared', 'protect'],
  ...['setTarget', 'setShared', 'clearUse', 'fault', 'fault', 'fault', 'fault', 'access', 'access', 'access'],
  ...['cursorMap', 'cursorUnmap', 'cursorProtect', 'shareAll', 'shareAll', 'mapMegapage', 'split', 'merge'],
] as const;

/** One operation: numbers that choose among what there is, so that any step can follow any other. */
export interface PagingStep {
  readonly operation: (typeof PAGING_OPERATIONS)[number];
  readonly space: number;
  readonly other: number;
  readonly page: number;
  readonly frame: number;
  readonly flags: number;
  readonly access: number;
  /** Of pages: 1 … 4. */
  readonly length: number;
  readonly value: number;
}

/** Steps that fast-check can shrink. */
export const pagingSteps: fc.Arbitrary<PagingStep> = fc.record({
  operation: fc.constantFrom(...PAGING_OPERATIONS),
  space: fc.nat(3),
  other: fc.nat(3),
  page: fc.nat(4095),
  frame: fc.nat(15),
  flags: fc.nat(12),
  access: fc.nat(11),
  length: fc.integer({ min: 1, max: 4 }),
  value: fc.nat(255),
});

/** A step of a long program. */
export const randomPagingStep = (next: (below: number) => number): PagingStep => ({
  operation: PAGING_OPERATIONS[next(PAGING_OPERATIONS.length)]!,
  space: next(4),
  other: next(4),
  page: next(4096),
  frame: next(16),
  flags: next(13),
  access: next(12),
  length: 1 + next(4),
  value: next(256),
});
