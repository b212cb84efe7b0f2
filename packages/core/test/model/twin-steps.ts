/** What random programs on address spaces are made of: one operation and numbers that choose what it is done to. */
import fc from 'fast-check';
import { PAGE_SIZE } from '../../src/frame/index.js';
import type { Access } from '../../src/paging/index.js';
import type { OnFork, Protection, MapSharing } from '../../src/space/index.js';
import type { Overlap } from './eager-space.js';

export const OPERATIONS = [
  'map',
  'unmap',
  'protect',
  'commit',
  'access',
  'copyIn',
  'copyInString',
  'copyOut',
  'forkTables',
  'forkPages',
  'forkEagerly',
  'create',
  'exit',
  'forgetUse',
  'flush',
] as const;

/** Operations that want memory objects, or are of use with them. */
export const OBJECT_OPERATIONS = [
  'mapObject',
  'guard',
  'remap',
  'dontNeed',
  'onFork',
  'prefault',
  'exec',
  'createObject',
  'createPaged',
  'createChild',
  'duplicate',
  'revokeVmo',
  'closeVmo',
  'writeVmo',
  'zeroVmo',
  'decommitVmo',
  'commitVmo',
  'resizeVmo',
  'syncVmo',
  'failPagers',
] as const;

export type Operation = (typeof OPERATIONS)[number] | (typeof OBJECT_OPERATIONS)[number];

const PROTECTIONS: readonly Protection[] = ['---', 'r--', 'rw-', 'r-x', 'rwx', '--x'];

/** Pages that programs use: where tables of each level begin and end, and the last ones of all. */
export const PAGES = [0, 508, 2 ** 18 - 4, 2 ** 26 - 8].flatMap((first) =>
  Array.from({ length: 8 }, (_, index) => first + index),
);

/** One operation. Numbers choose among what there is, so that any step can follow any other. */
export interface Step {
  readonly operation: Operation;
  readonly space: number;
  /**
   * Where it is done: a page among PAGES; one that the space has mapped; the page that the last use was of; or the same
   * page of another space.
   */
  readonly place: 'any' | 'mapped' | 'again' | 'elsewhere';
  readonly page: number;
  /** 1 and up. */
  readonly lengthPages: number;
  /** 0 … 4095. */
  readonly offset: number;
  readonly protection: Protection;
  readonly access: Access;
  /** Of the bytes that are written: 0 … 255. */
  readonly value: number;
  /** Which capability. */
  readonly which: number;
  /** A page of an object. */
  readonly objectPage: number;
  /** A size of an object, or of what is moved. */
  readonly otherPages: number;
  /** Where something is mapped, or moved to. */
  readonly where: 'at' | 'near' | 'anywhere';
  /** Where something is moved to: among PAGES. */
  readonly target: number;
  readonly overlap: Overlap;
  readonly sharing: MapSharing;
  readonly ceiling: Protection | undefined;
  readonly onFork: OnFork;
  /** Chooses among kinds of an operation: 0 … 63. */
  readonly kind: number;
}

const below = (limit: number): readonly number[] => Array.from({ length: limit }, (_, index) => index);

const times = <T>(count: number, ...items: readonly T[]): readonly T[] =>
  Array.from({ length: count }, () => items).flat();

/** What each field is chosen from; what is to come more often stands there more often. */
const CHOICES: { readonly [K in Exclude<keyof Step, 'operation'>]: readonly Step[K][] } = {
  space: below(16),
  place: ['any', ...times<Step['place']>(3, 'mapped', 'again'), 'again', 'again', 'elsewhere'],
  page: below(PAGES.length),
  lengthPages: [1, 2, 3, 4],
  offset: below(PAGE_SIZE),
  protection: [
    ...PROTECTIONS,
    ...PROTECTIONS,
    ...times<Protection>(8, 'rw-'),
    ...times<Protection>(3, 'rwx'),
  ],
  access: ['read', 'read', 'write', 'write', 'write', 'execute'],
  value: below(256),
  which: below(16),
  objectPage: below(8),
  otherPages: below(9),
  where: ['at', 'at', 'at', 'near', 'anywhere'],
  target: below(PAGES.length),
  overlap: ['refuse', 'refuse', 'replace'],
  sharing: ['private', 'shared'],
  ceiling: [...times(10, undefined), 'rwx', 'rw-', 'r--', 'r-x'],
  onFork: ['inherit', 'inherit', 'inherit', 'inherit', 'omit', 'wipe'],
  kind: below(64),
};

/** More often than the rest: what makes sharing and breaks it. */
const USUAL: readonly Operation[] = [
  ...times<Operation>(20, 'access'),
  ...times<Operation>(2, 'map', 'copyOut', 'forkTables'),
  ...times<Operation>(1, 'forkTables', 'protect', 'commit', 'copyIn'),
];

/** Programs on anonymous memory alone. */
export const ANONYMOUS: readonly Operation[] = [...OPERATIONS, ...USUAL];

/** Programs on memory objects as well. What makes and ends things is seldom, or nothing would have time to meet. */
export const ALL: readonly Operation[] = [
  ...ANONYMOUS,
  ...OBJECT_OPERATIONS,
  ...times<Operation>(9, 'mapObject'),
  ...times<Operation>(5, 'writeVmo', 'remap', 'resizeVmo'),
  ...times<Operation>(3, 'dontNeed', 'prefault', 'createChild', 'decommitVmo', 'zeroVmo', 'copyOut'),
  ...times<Operation>(1, 'exec', 'exit', 'protect', 'unmap', 'map', 'syncVmo', 'onFork'),
  ...times<Operation>(40, 'access'),
];

/** As all, but that no pager has a part in it. */
export const WITHOUT_PAGERS: readonly Operation[] = ALL.filter(
  (operation) => operation !== 'createPaged' && operation !== 'failPagers',
);

/** Steps for fast-check, which makes failing programs short. */
export const stepsOf = (operations: readonly Operation[]): fc.Arbitrary<Step> => {
  const fields = Object.entries({ operation: operations, ...CHOICES });
  const arbitraries = fields.map(([name, choices]) => [name, fc.constantFrom<unknown>(...choices)] as const);
  return fc.record(Object.fromEntries(arbitraries)) as fc.Arbitrary<unknown> as fc.Arbitrary<Step>;
};

/** Steps for long programs. @param next gives a whole number below what it is given. */
export const randomStepOf = (operations: readonly Operation[], next: (below: number) => number): Step => {
  const step: Record<string, unknown> = { operation: operations[next(operations.length)] };
  for (const [name, choices] of CHOICE_LIST) step[name] = choices[next(choices.length)];
  return step as unknown as Step;
};

const CHOICE_LIST = Object.entries(CHOICES);
