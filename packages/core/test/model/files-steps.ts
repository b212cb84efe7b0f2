/** What random programs on files are made of: one call of one process, and numbers that choose what it is done to. */
import fc from 'fast-check';
import { nameOf, O_CREATE, O_RDWR, O_TRUNC, O_WRONLY } from './files-model.js';

const times = <T>(count: number, ...items: readonly T[]): readonly T[] =>
  Array.from({ length: count }, () => items).flat();

/** What is to come more often stands there more often. */
export const OPERATIONS = [
  ...times(8, 'open' as const),
  ...times(7, 'write' as const),
  ...times(5, 'read' as const),
  ...times(4, 'close' as const, 'unlink' as const),
  ...times(4, 'link' as const),
  ...times(2, 'makeDirectory' as const, 'changeDirectory' as const),
  ...times(1, 'dup' as const, 'stat' as const, 'makeDevice' as const, 'list' as const),
  ...times(1, 'fork' as const, 'exit' as const, 'run' as const, 'stop' as const),
  ...times(1, 'sync' as const, 'squeeze' as const, 'changeOnHost' as const, 'failHost' as const),
] as const;

export type Operation = (typeof OPERATIONS)[number] | 'restart';

/** A path: names from the root or the working directory on; or what there is, by number; or a name in a directory there. */
export interface StepPath {
  readonly from: 'here' | 'root' | 'existing' | 'file' | 'directory';
  readonly which: number;
  readonly names: readonly string[];
  readonly end: '' | '/';
}

export interface FilesStep {
  readonly operation: Operation;
  /** Which process, descriptor or program. */
  readonly process: number;
  readonly descriptor: number;
  readonly path: StepPath;
  readonly other: StepPath;
  /** Of open. */
  readonly flags: number;
  readonly count: number;
  /** Of the array that is read into or written from, in its page. */
  readonly offset: number;
  /** Bytes at the end of it that are not there. */
  readonly missing: number;
  /** Of the bytes that are written, and of a device's number. */
  readonly value: number;
}

/** Short ones; some of as many bytes as count, and more; one that is cut inside a character. */
const NAMES = [
  ...times(4, ...'abcd'),
  ...[
    'é f',
    'fourteen bytes',
    'fourteen bytes and more',
    'thirteen byteé',
    'link',
    'up',
    'out',
    'loop',
    'mnt',
  ],
  ...['..', '..', '.', 'dev'],
].map(nameOf);

const FLAGS = [
  ...times(3, 0, O_RDWR | O_CREATE),
  ...times(2, O_RDWR, O_WRONLY | O_CREATE),
  ...[O_CREATE, O_WRONLY, O_RDWR | O_TRUNC, O_RDWR | O_CREATE | O_TRUNC, O_TRUNC, O_RDWR | O_WRONLY],
];

const COUNTS = [
  ...[1, 2, 16, 24, 100, 512, 1023, 1024, 1025, 4095, 4096, 5000, 12_288, 13_000, 70_000, 140_000],
  1_100_000,
];

const CHOICES = {
  process: [...Array(8).keys()],
  descriptor: [...Array(16).keys()],
  flags: FLAGS,
  count: COUNTS,
  offset: [0, 0, 0, 1, 8, 100, 4000, 4095],
  missing: [...times(9, 0), 1, 100, 4096],
  value: [...Array(256).keys()],
} as const;

const FROM = [
  ...times(4, 'file' as const, 'directory' as const),
  ...times(2, 'here' as const, 'existing' as const),
  'root' as const,
];
const ENDS = [...times(9, '' as const), '/' as const];

const pathArbitrary: fc.Arbitrary<StepPath> = fc.record({
  from: fc.constantFrom(...FROM),
  which: fc.nat(63),
  names: fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 7, arbitrary: fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }) },
  ),
  end: fc.constantFrom(...ENDS),
});

/** Steps for fast-check, which makes failing programs short. */
export const filesSteps: fc.Arbitrary<FilesStep> = fc.record({
  operation: fc.constantFrom<Operation[]>(...OPERATIONS, 'restart'),
  process: fc.constantFrom(...CHOICES.process),
  descriptor: fc.constantFrom(...CHOICES.descriptor),
  path: pathArbitrary,
  other: pathArbitrary,
  flags: fc.constantFrom(...CHOICES.flags),
  count: fc.constantFrom(...CHOICES.count),
  offset: fc.constantFrom(...CHOICES.offset),
  missing: fc.constantFrom(...CHOICES.missing),
  value: fc.constantFrom(...CHOICES.value),
});

/** Of long programs: how seldom a run ends and the next begins. */
const STEPS_PER_RUN = 1000;

/** Steps for long programs. @param next gives a whole number below what it is given. */
export const randomFilesStep = (next: (below: number) => number): FilesStep => {
  const pick = <T>(items: readonly T[]): T => items[next(items.length)]!;
  const path = (): StepPath => ({
    from: pick(FROM),
    which: next(64),
    names: next(8) === 0 ? [] : Array.from({ length: 1 + next(3) }, () => pick(NAMES)),
    end: pick(ENDS),
  });
  return {
    operation: next(STEPS_PER_RUN) === 0 ? 'restart' : pick(OPERATIONS),
    process: pick(CHOICES.process),
    descriptor: pick(CHOICES.descriptor),
    path: path(),
    other: path(),
    flags: pick(CHOICES.flags),
    count: pick(CHOICES.count),
    offset: pick(CHOICES.offset),
    missing: pick(CHOICES.missing),
    value: pick(CHOICES.value),
  };
};

/** A step whose paths are, three times of four, such as its operation may do something with. */
export const aimed = (step: FilesStep): FilesStep => {
  const { operation, path, other, value } = step;
  if (value % 4 === 0) return step;
  switch (operation) {
    case 'link':
      return { ...step, path: { ...path, from: 'file' }, other: { ...other, from: 'directory' } };
    case 'makeDirectory':
    case 'makeDevice':
      return { ...step, path: { ...path, from: 'directory' } };
    case 'changeDirectory':
    case 'list':
      return { ...step, path: { ...path, from: 'directory', names: [] } };
    case 'run':
      return { ...step, path: { ...path, from: 'file' } };
    default:
      return step;
  }
};
