/**
 * `MemoryFiles` and `node:fs` side by side: each operation is done to both, at the same absolute paths, and must come
 * to the same, errors and their messages included.
 *
 * The paths have '..' in them and lead through symbolic links that have, and Node's half is a real disk. So the
 * programs work in a directory that lies deeper in one of their own than any path of theirs can climb, and the directories
 * between are named as no path names one.
 */
import fs, { type BigIntStats } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { HostStats } from '../../../src/kernel/files/host-file-system.js';
import { MemoryFiles } from '../../../src/kernel/files/memory-files.js';
import { patternOf } from './host-file-system.contract.js';

export const OPERATIONS = [
  ...(['open', 'open', 'open', 'open', 'close', 'close', 'read', 'read', 'write', 'write', 'write'] as const),
  ...(['ftruncate', 'ftruncate', 'fstat', 'lstat', 'lstat', 'readlink', 'readdir', 'readdir'] as const),
  ...([
    'mkdir',
    'mkdir',
    'makeDirectories',
    'rmdir',
    'rmdir',
    'unlink',
    'unlink',
    'unlink',
    'unlink',
  ] as const),
  ...(['link', 'link', 'link', 'link', 'symlink', 'symlink', 'symlink', 'rename', 'rename'] as const),
  ...(['readFile', 'readFile', 'writeFile', 'writeFile', 'writeFile', 'exists'] as const),
] as const;

type Operation = (typeof OPERATIONS)[number];

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
const PARTS = [undefined, undefined, ...NAMES, ...NAMES, '..', '.', ''] as const;

/** A path below the directory that programs work in, or, of a symbolic link, below where it stands. */
interface StepPath {
  readonly first: (typeof NAMES)[number] | '..' | '.' | 'x';
  readonly second: (typeof PARTS)[number];
  readonly third: (typeof PARTS)[number];
  readonly end: '' | '/';
}

export interface Step {
  readonly operation: Operation;
  readonly path: StepPath;
  readonly other: StepPath;
  /** Of a symbolic link: whether its target begins with '/'. */
  readonly isAbsolute: boolean;
  /** Of open. */
  readonly access: 'O_RDONLY' | 'O_WRONLY' | 'O_RDWR';
  readonly flags: readonly ('O_CREAT' | 'O_EXCL' | 'O_TRUNC' | 'O_NOFOLLOW' | 'O_DIRECTORY' | 'O_NONBLOCK')[];
  /** Which descriptor. */
  readonly which: number;
  readonly position: number;
  readonly length: number;
}

const FLAGS: readonly Step['flags'][] = [
  [],
  [],
  ['O_CREAT'],
  ['O_CREAT'],
  ['O_CREAT', 'O_EXCL'],
  ['O_CREAT', 'O_TRUNC'],
  ['O_TRUNC'],
  ['O_NOFOLLOW'],
  ['O_NOFOLLOW', 'O_NONBLOCK'],
  ['O_CREAT', 'O_NOFOLLOW'],
  ['O_CREAT', 'O_EXCL', 'O_NOFOLLOW'],
  ['O_DIRECTORY'],
  ['O_DIRECTORY', 'O_NOFOLLOW'],
];

/** Within pieces of 64 KiB, at their ends, and over them. */
const POSITIONS = [0, 0, 1, 5, 100, 4095, 4096, 65_530, 65_535, 65_536, 70_000, 131_072, 200_001];
const LENGTHS = [0, 1, 2, 10, 100, 4096, 10_000, 65_536, 65_537, 140_000];

const PATH_CHOICES = {
  first: [...NAMES, ...NAMES, ...NAMES, ...NAMES, '..', '.', 'x'],
  second: PARTS,
  third: [undefined, undefined, undefined, undefined, ...PARTS],
  end: ['', '', '', '', '', '', '', '/'],
} satisfies { readonly [K in keyof StepPath]: readonly StepPath[K][] };

const pathArbitrary: fc.Arbitrary<StepPath> = fc.record({
  first: fc.constantFrom(...PATH_CHOICES.first),
  second: fc.constantFrom(...PATH_CHOICES.second),
  third: fc.constantFrom(...PATH_CHOICES.third),
  end: fc.constantFrom(...PATH_CHOICES.end),
});

/** Steps that fast-check can make fewer and simpler. */
export const steps: fc.Arbitrary<Step> = fc.record({
  operation: fc.constantFrom(...OPERATIONS),
  path: pathArbitrary,
  other: pathArbitrary,
  isAbsolute: fc.boolean(),
  access: fc.constantFrom('O_RDONLY', 'O_WRONLY', 'O_RDWR'),
  flags: fc.constantFrom(...FLAGS),
  which: fc.nat(15),
  position: fc.constantFrom(...POSITIONS),
  length: fc.constantFrom(...LENGTHS),
});

/** @param next gives a whole number below what it is given. */
export const randomStep = (next: (below: number) => number): Step => {
  const pick = <T>(items: readonly T[]): T => items[next(items.length)]!;
  const path = (): StepPath => ({
    first: pick(PATH_CHOICES.first),
    second: pick(PATH_CHOICES.second),
    third: pick(PATH_CHOICES.third),
    end: pick(PATH_CHOICES.end),
  });
  return {
    operation: pick(OPERATIONS),
    path: path(),
    other: path(),
    isAbsolute: next(3) === 0,
    access: pick(['O_RDONLY', 'O_WRONLY', 'O_RDWR']),
    flags: pick(FLAGS),
    which: next(16),
    position: pick(POSITIONS),
    length: pick(LENGTHS),
  };
};

/** How often a path can climb at most: once in each of 40 links, and in each of its own three parts. */
const CLIMBS = 40 + 3;
const MOST_DESCRIPTORS = 8;
/** What an operation on a descriptor comes to where none is open. */
const NOTHING_DONE = Symbol('nothing done');
const BIGINT = { bigint: true } as const;

/** A descriptor of each. */
interface Descriptors {
  readonly memory: number;
  readonly node: number;
}

type Side = 'memory' | 'node';
type Fs = MemoryFiles | typeof fs;

export class HostFilesTwin implements Disposable {
  /** How often operations came to what. */
  readonly results = new Map<string, number>();
  readonly #memory = new MemoryFiles();
  readonly #top = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'holstein-twin-')));
  readonly #directory = this.#top + '/r'.repeat(CLIMBS);
  #descriptors: Descriptors[] = [];
  #written = 0;

  constructor() {
    fs.mkdirSync(this.#directory, { recursive: true });
    this.#memory.mkdirSync(this.#directory, { recursive: true });
  }

  [Symbol.dispose](): void {
    for (const { node } of this.#descriptors) fs.closeSync(node);
    fs.rmSync(this.#top, { recursive: true });
  }

  /** Does one operation to both. */
  step(step: Step): void {
    this.#written++;
    if (step.operation === 'open') return this.#open(step);
    if (step.operation === 'close') return this.#close(step);
    this.#both(step.operation, (files, side) => this.#do(step, files, side));
  }

  /** Both have the same tree, all the way down. */
  check(): void {
    expect(treeOf(this.#memory, this.#top)).toEqual(treeOf(fs, this.#top));
  }

  /** Closes all, removes all, and sees that nothing is held. */
  finish(): void {
    this.check();
    for (const { memory, node } of this.#descriptors) {
      expect(describeStats(this.#memory.fstatSync(memory, BIGINT))).toEqual(
        describeStats(fs.fstatSync(node, BIGINT)),
      );
      this.#memory.closeSync(memory);
      fs.closeSync(node);
    }
    this.#descriptors = [];
    this.check();
    removeWithin(this.#memory, this.#top);
    expect([this.#memory.openDescriptors, this.#memory.usedBytes]).toEqual([0, 0]);
  }

  #open({ path, access, flags }: Step): void {
    const at = this.#pathOf(path);
    const opened: Partial<Record<Side, number>> = {};
    this.#both('open', (files, side) => {
      const numbers: Readonly<Record<string, number>> = files.constants;
      const number = flags.reduce((sum, flag) => sum | numbers[flag]!, numbers[access]!);
      opened[side] = files.openSync(at, number, 0o666);
      return 'a descriptor';
    });
    if (opened.memory === undefined || opened.node === undefined) return;
    this.#descriptors.push({ memory: opened.memory, node: opened.node });
    if (this.#descriptors.length > MOST_DESCRIPTORS) this.#closeAt(0);
  }

  #close({ which }: Step): void {
    if (this.#descriptors.length > 0) this.#closeAt(which % this.#descriptors.length);
  }

  #closeAt(index: number): void {
    const [descriptors] = this.#descriptors.splice(index, 1);
    this.#both('close', (files, side) => files.closeSync(descriptors![side]));
  }

  /** @returns what there is to compare. */
  #do(step: Step, files: Fs, side: Side): unknown {
    const path = this.#pathOf(step.path);
    const other = this.#pathOf(step.other);
    const { position, length } = step;
    const descriptors = this.#descriptors[step.which % Math.max(1, this.#descriptors.length)];
    const fd = descriptors?.[side];
    switch (step.operation) {
      case 'read': {
        // Node does not ask the host for no bytes.
        if (fd === undefined || length === 0) return NOTHING_DONE;
        const bytes = new Uint8Array(length + 2).fill(0xee);
        const count = files.readSync(fd, bytes, 1, length, position);
        return [count, digestOf(bytes)];
      }
      case 'write':
        if (fd === undefined) return NOTHING_DONE;
        return files.writeSync(fd, patternOf(this.#written, length + 3), 2, length, position);
      case 'ftruncate':
        return fd === undefined ? NOTHING_DONE : files.ftruncateSync(fd, position);
      case 'fstat':
        return fd === undefined ? NOTHING_DONE : describeStats(files.fstatSync(fd, BIGINT));
      case 'lstat':
        return describeStats(files.lstatSync(path, BIGINT));
      case 'readlink':
        return files.readlinkSync(path);
      case 'readdir':
        return files.readdirSync(path).toSorted();
      case 'mkdir':
        return files.mkdirSync(path);
      case 'makeDirectories':
        return files.mkdirSync(path, { recursive: true }) === undefined;
      case 'rmdir':
        return files.rmdirSync(path);
      case 'unlink':
        return files.unlinkSync(path);
      case 'link':
        return files.linkSync(path, other);
      case 'symlink':
        return files.symlinkSync(this.#targetOf(step), path);
      case 'rename':
        return files.renameSync(path, other);
      case 'readFile':
        return digestOf(files.readFileSync(path));
      case 'writeFile':
        return files.writeFileSync(path, patternOf(this.#written, length));
      case 'exists':
        return files.existsSync(path);
      case 'open':
      case 'close':
        throw new Error('done elsewhere');
    }
  }

  /** Does something to both, and compares what it comes to. */
  #both(name: Operation, work: (files: Fs, side: Side) => unknown): void {
    const memory = outcomeOf(() => work(this.#memory, 'memory'));
    const node = outcomeOf(() => work(fs, 'node'));
    expect(memory, name).toEqual(node);
    if (node.value === NOTHING_DONE) return;
    const key = `${name} ${node.code}`;
    this.results.set(key, (this.results.get(key) ?? 0) + 1);
  }

  /** Where a symbolic link leads: not up, but in its first part. */
  #targetOf({ other, isAbsolute }: Step): string {
    const down = { ...other, second: atMostHere(other.second), third: atMostHere(other.third) };
    return isAbsolute ? this.#pathOf(down) : textOf(down);
  }

  #pathOf(path: StepPath): string {
    return `${this.#directory}/${textOf(path)}`;
  }
}

const atMostHere = (part: StepPath['second']): StepPath['second'] => (part === '..' ? '.' : part);

const textOf = ({ first, second, third, end }: StepPath): string =>
  [first, second, third].filter((part) => part !== undefined).join('/') + end;

interface Outcome {
  readonly code: string;
  readonly value?: unknown;
  readonly error?: Readonly<Record<string, unknown>>;
}

const outcomeOf = (work: () => unknown): Outcome => {
  try {
    return { code: 'done', value: work() };
  } catch (thrown) {
    const { code, syscall, path, dest, message } = thrown as Record<string, unknown>;
    if (typeof code !== 'string' || typeof syscall !== 'string') throw thrown;
    return { code, error: { syscall, path, dest, message } };
  }
};

/** Of a directory, the links and the size are the host's own affair. */
const describeStats = (stats: HostStats | BigIntStats): unknown => {
  if (stats.isDirectory()) return 'a directory';
  const kind = stats.isFile() ? 'a file' : stats.isSymbolicLink() ? 'a symbolic link' : 'something else';
  return [kind, stats.nlink, stats.size];
};

/** All that lies in a directory: paths, what they are, and, as the first path that has it, which inode. */
const treeOf = (files: Fs, directory: string): unknown[] => {
  const firstPaths = new Map<bigint, string>();
  const visit = (path: string): unknown[] =>
    files
      .readdirSync(path)
      .toSorted()
      .flatMap((name) => {
        const inside = `${path}/${name}`;
        const stats = files.lstatSync(inside, BIGINT);
        if (!firstPaths.has(stats.ino)) firstPaths.set(stats.ino, inside);
        const entry = [
          inside,
          describeStats(stats),
          firstPaths.get(stats.ino),
          contentOf(files, inside, stats),
        ];
        return stats.isDirectory() ? [entry, ...visit(inside)] : [entry];
      });
  return visit(directory);
};

const contentOf = (files: Fs, path: string, stats: HostStats): unknown => {
  if (stats.isFile()) return digestOf(files.readFileSync(path));
  return stats.isSymbolicLink() ? files.readlinkSync(path) : undefined;
};

const removeWithin = (files: Fs, directory: string): void => {
  for (const name of files.readdirSync(directory)) {
    const path = `${directory}/${name}`;
    if (!files.lstatSync(path, BIGINT).isDirectory()) {
      files.unlinkSync(path);
      continue;
    }
    removeWithin(files, path);
    files.rmdirSync(path);
  }
};

/** The length and a hash (FNV-1a): two contents that differ have different ones, but for a chance of 2^-32. */
const digestOf = (bytes: Uint8Array): string => {
  let hash = 0x811c_9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return `${bytes.length} bytes, ${(hash >>> 0).toString(16)}`;
};
