/**
 * Runs one random program on two virtual memories: holstein's, and spaces that share nothing. They must
 * agree on what each operation answers and on every byte.
 *
 * Accesses are made as a hart makes them: the TLB is asked first, at the raw lines, then the page table,
 * then the fault handler. So a line that should have been flushed is used, and shows.
 */
import { type FrameNumber, PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import { HolsteinError, NO_FRAME, OutOfMemory } from '../../src/frame/index.js';
import {
  type Access,
  MAX_PAGES,
  PTE_A,
  PTE_D,
  pteFrame,
  TLB_ADDEND,
  TLB_LINE_BYTES,
  TLB_LINES,
  TLB_OFFSETS,
  type UsedBitUpdates,
} from '../../src/paging/index.js';
import {
  type AddressSpace,
  copyIn,
  copyInString,
  copyOut,
  type Protection,
  type ForkKind,
} from '../../src/space/index.js';
import { EagerSpace, type MapResult } from './eager-space.js';
import { snapshot, World } from './world.js';

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
  'close',
  'forgetUse',
  'flush',
] as const;
const FORK_KINDS = { forkTables: 'tables', forkPages: 'pages', forkEagerly: 'eager' } as const;

export const PROTECTIONS: readonly Protection[] = ['---', 'r--', 'rw-', 'r-x', 'rwx', '--x'];
export const ACCESSES: readonly Access[] = ['read', 'write', 'execute'];

/** Pages that programs use: where tables of each level begin and end, and the last ones of all. */
export const PAGES = [0, 508, 2 ** 18 - 4, 2 ** 26 - 8].flatMap((first) =>
  Array.from({ length: 8 }, (_, index) => first + index),
);

/** One operation. Numbers choose among what there is, so that any step can follow any other. */
export interface Step {
  readonly operation: (typeof OPERATIONS)[number];
  readonly space: number;
  /** Whether `page` chooses among the pages that the space has mapped, or among PAGES. */
  readonly mapped: boolean;
  readonly page: number;
  /** 1 and up. */
  readonly lengthPages: number;
  /** 0 … 4095. */
  readonly offset: number;
  readonly protection: Protection;
  readonly access: Access;
  /** Of the bytes that are written: 0 … 255. */
  readonly value: number;
}

export interface TwinOptions {
  readonly sizeBytes: number;
  /** Run every operation with each of its allocations failed first. */
  readonly failAllocations?: boolean;
  /** Who sets A and D: the walk, or the kernel after a fault. */
  readonly updates?: UsedBitUpdates;
}

type Result =
  MapResult | 'out-of-memory' | 'resolved' | 'protection' | 'unmapped' | 'EFAULT' | 'ENAMETOOLONG';

const MAX_SPACES = 8;

interface Pair {
  readonly real: AddressSpace;
  readonly model: EagerSpace;
}

export class Twin implements Disposable {
  readonly world: World;
  readonly pairs: Pair[] = [];
  /** How many operations gave each answer: a test that never ran out of memory has not tried that. */
  readonly results = new Map<string, number>();
  readonly #failAllocations: boolean;

  constructor({ sizeBytes, failAllocations = false, updates = 'hardware' }: TwinOptions) {
    this.world = new World(sizeBytes, { updates });
    this.#failAllocations = failAllocations;
  }

  step(step: Step): void {
    if (this.pairs.length === 0) this.#create();
    const pair = this.pairs[step.space % this.pairs.length]!;
    const result = this.#operate(step, pair);
    const key = `${step.operation} ${result}`;
    this.results.set(key, (this.results.get(key) ?? 0) + 1);
    this.#checkFrames();
  }

  /** Audits, looks for tables that hold nothing, and compares every byte of every space. */
  check(): void {
    this.world.check();
    const tables = this.pairs.reduce((sum, { real }) => sum + tablesNeeded(real), 0);
    const { PageTable } = this.world.memory.statistics().byUsage;
    // Forks share them. Each space has a root of its own, and none has one that it does not need.
    same(
      PageTable >= this.pairs.length && PageTable <= tables,
      true,
      `${PageTable} of ${tables} page tables`,
    );
    for (const [index, { real, model }] of this.pairs.entries()) {
      const touched = [...real.table.mappedPages(vpn(0), vpn(MAX_PAGES))];
      const stray = touched.find((page) => !model.pages.has(page));
      if (stray !== undefined) throw new Error(`space ${index}: page ${stray} is mapped, and should not be`);
      for (const [page, { bytes, protection }] of model.pages) {
        const mapping = real.mappings.find(vpn(page));
        same(mapping?.protection, protection, `space ${index}: protection of page ${page}`);
        const pte = real.table.entry(vpn(page));
        const start = pteFrame(pte) * PAGE_SIZE;
        const content = pte === 0 ? ZEROS : this.world.memory.bytes.subarray(start, start + PAGE_SIZE);
        if (Buffer.compare(content, bytes ?? ZEROS) !== 0) {
          throw new Error(`space ${index}: the bytes of page ${page} differ`);
        }
      }
    }
  }

  [Symbol.dispose](): void {
    this.world[Symbol.dispose]();
  }

  #operate(step: Step, pair: Pair): Result {
    const { real, model } = pair;
    const mapped = step.mapped && step.operation !== 'map' && model.pages.size > 0;
    const among = mapped ? [...model.pages.keys()] : PAGES;
    const start = among[step.page % among.length]!;
    const at = virtAddr(start * PAGE_SIZE);
    const { lengthPages, protection } = step;
    const lengthBytes = lengthPages * PAGE_SIZE;
    switch (step.operation) {
      case 'map':
        return this.#mapping(
          () => real.map({ at, lengthBytes, protection }),
          () => model.map(start, lengthPages, protection),
        );
      case 'unmap':
        return this.#mapping(
          () => real.unmap(at, lengthBytes),
          () => model.unmap(start, lengthPages),
        );
      case 'protect':
        return this.#mapping(
          () => real.protect(at, lengthBytes, protection),
          () => model.protect(start, lengthPages, protection),
        );
      case 'commit':
        return this.#mapping(
          () => real.commit(at, lengthBytes),
          () => model.commit(start, lengthPages),
        );
      case 'access':
        return this.#access(pair, start, step);
      case 'copyIn':
      case 'copyInString':
      case 'copyOut':
        return this.#copy(pair, start * PAGE_SIZE + step.offset, step);
      case 'forkTables':
      case 'forkPages':
      case 'forkEagerly':
        if (this.pairs.length === MAX_SPACES) this.#close(this.#other(pair, step.page));
        return this.#fork(pair, FORK_KINDS[step.operation]);
      case 'create':
        return this.#create();
      case 'close':
        this.#close(pair);
        return 'done';
      case 'forgetUse':
        return this.#unchangedOnFailure(() => forgetUse(real, start, lengthPages));
      case 'flush':
        // Seldom, or tags would never run out and few lines grow old.
        if (step.value === 0) this.world.tlb.flushAll();
        return 'done';
    }
  }

  /** An operation on mappings: both must give the same answer, unless memory runs out. */
  #mapping(onReal: () => void, onModel: () => MapResult): Result {
    const result = this.#unchangedOnFailure((): Result => {
      try {
        onReal();
        return 'done';
      } catch (error) {
        return error instanceof OutOfMemory ? 'out-of-memory' : codeOf(error);
      }
    });
    if (result !== 'out-of-memory') same(result, onModel(), 'the answer');
    return result;
  }

  /** A load, store or fetch of one byte. */
  #access({ real, model }: Pair, page: number, { access, offset, value }: Step): Result {
    const answer = this.#unchangedOnFailure((): Result => {
      const frame = this.#hartReaches(real, page, access);
      if (typeof frame === 'string') return frame;
      const address = frame * PAGE_SIZE + offset;
      if (access === 'write') this.world.memory.bytes[address] = value;
      else same(this.world.memory.bytes[address], model.byte(page * PAGE_SIZE + offset), 'the byte read');
      return 'resolved';
    });
    if (answer === 'out-of-memory') {
      same(model.access(page, access), 'resolved', 'an access that ran out of memory');
      return answer;
    }
    same(answer, model.access(page, access), `${access} of page ${page}`);
    if (answer === 'resolved' && access === 'write') {
      model.write(page * PAGE_SIZE + offset, Uint8Array.of(value));
    }
    return answer;
  }

  /** The frame that a hart's access ends up in: by a TLB line, a walk, or a fault and a walk. */
  #hartReaches(
    space: AddressSpace,
    page: number,
    access: Access,
  ): FrameNumber | 'protection' | 'unmapped' | 'out-of-memory' {
    const { tlb } = this.world;
    const { table } = space;
    tlb.activate(table.tlbContext);
    const cached = lookUp(this.world, space, page, access);
    if (cached !== undefined) return cached;
    let frame = table.translate(vpn(page), access);
    if (frame === NO_FRAME) {
      const outcome = space.handleFault(vpn(page), access);
      if (outcome.kind !== 'resolved') return outcome.kind;
      frame = table.translate(vpn(page), access);
      if (frame === NO_FRAME) throw new Error('a resolved access faults again');
      // A new generation may have begun while the fault was handled.
      tlb.activate(table.tlbContext);
    }
    tlb.install(table.tlbContext, access, vpn(page), frame);
    return frame;
  }

  #copy({ real, model }: Pair, address: number, step: Step): Result {
    const length = 1 + ((step.lengthPages - 1) * PAGE_SIZE + step.value * 16 - 16);
    const bytes = new Uint8Array(Math.max(0, length)).fill(step.value);
    const access = step.operation === 'copyOut' ? 'write' : 'read';
    const answer = this.#retried((): Result => {
      if (step.operation === 'copyOut') return copyAnswer(copyOut(real, virtAddr(address), bytes));
      if (step.operation === 'copyIn') return copyAnswer(copyIn(real, virtAddr(address), bytes));
      const string = copyInString(real, virtAddr(address), bytes.length);
      return typeof string === 'string' ? copyAnswer(string) : 'done';
    });
    if (step.operation === 'copyOut') adoptOwned(real, model, address, bytes.length);
    const reachable = reachableBytes(model, address, bytes.length, access);
    if (answer === 'out-of-memory') return answer;
    if (step.operation === 'copyInString') {
      same(answer, stringAnswer(model, address, bytes.length, reachable), 'the string');
      return answer;
    }
    same(answer, reachable === bytes.length ? 'done' : 'EFAULT', step.operation);
    if (answer !== 'done') return answer;
    if (step.operation === 'copyOut') model.write(address, bytes);
    else bytes.forEach((byte, index) => same(byte, model.byte(address + index), 'a byte copied in'));
    return answer;
  }

  #fork({ real, model }: Pair, kind: ForkKind): Result {
    return this.#unchangedOnFailure((): Result => {
      try {
        this.pairs.push({ real: real.fork(kind), model: model.fork() });
        return 'done';
      } catch (error) {
        if (error instanceof OutOfMemory) return 'out-of-memory';
        throw error;
      }
    });
  }

  #close(pair: Pair): void {
    pair.real.close();
    this.pairs.splice(this.pairs.indexOf(pair), 1);
  }

  #other(pair: Pair, choice: number): Pair {
    const others = this.pairs.filter((candidate) => candidate !== pair);
    return others[choice % others.length]!;
  }

  #create(): Result {
    if (this.pairs.length === MAX_SPACES) return 'EINVAL';
    try {
      this.pairs.push({ real: this.world.space(), model: new EagerSpace() });
      return 'done';
    } catch (error) {
      if (error instanceof OutOfMemory) return 'out-of-memory';
      throw error;
    }
  }

  /** Runs an operation that changes nothing at all where memory runs out. */
  #unchangedOnFailure(attempt: () => Result): Result {
    const before = this.#failAllocations ? snapshot(this.world) : '';
    const free = this.world.memory.freeFrames;
    return this.#retried(attempt, () => {
      same(this.world.memory.freeFrames, free, 'free frames after running out of memory');
      if (this.#failAllocations) same(snapshot(this.world), before, 'all after running out of memory');
    });
  }

  /** Runs an operation, first with each of its allocations failed where that is asked for. */
  #retried(attempt: () => Result, outOfMemory?: () => void): Result {
    const { memory } = this.world;
    for (let n = 1; this.#failAllocations; n++) {
      const before = memory.allocations;
      memory.failAllocation(n);
      const result = attempt();
      memory.failAllocation(0);
      const fired = memory.allocations - before >= n;
      if (fired) same(result, 'out-of-memory', 'an operation one of whose allocations failed');
      if (result === 'out-of-memory') outOfMemory?.();
      if (!fired) return result;
      this.check();
    }
    const result = attempt();
    if (result === 'out-of-memory') outOfMemory?.();
    return result;
  }

  /** Sharing never takes more frames than eager copies would. */
  #checkFrames(): void {
    const { byUsage } = this.world.memory.statistics();
    const eager = this.pairs.reduce((sum, { model }) => sum + model.frames, 0);
    if (byUsage.Frame > eager) {
      throw new Error(`${byUsage.Frame} frames are in use, eager copies would take ${eager}`);
    }
  }
}

const ZEROS = new Uint8Array(PAGE_SIZE);

const same = (actual: unknown, expected: unknown, what: string): void => {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, the model says ${String(expected)}`);
};

const codeOf = (error: unknown): MapResult => {
  if (!(error instanceof HolsteinError)) throw error;
  if (error.code !== 'EINVAL' && error.code !== 'EEXIST' && error.code !== 'ENOMEM') throw error;
  return error.code;
};

const copyAnswer = (result: 'ok' | 'EFAULT' | 'ENOMEM' | 'ENAMETOOLONG'): Result =>
  result === 'ok' ? 'done' : result === 'ENOMEM' ? 'out-of-memory' : result;

/** What the hart's inline check of the TLB finds, from the lines' bytes as their drawing has them. */
const lookUp = (world: World, space: AddressSpace, page: number, access: Access): FrameNumber | undefined => {
  const { memory, tlb } = world;
  const tag = BigInt(space.table.tlbContext.tags[access]);
  const line = tlb.start + TLB_OFFSETS[access] + (page % TLB_LINES[access]) * TLB_LINE_BYTES;
  if (memory.doublewords[line / 8] !== ((BigInt(page) << 12n) | (tag << 3n))) return undefined;
  const addend = memory.words[(line + TLB_ADDEND) / 4]!;
  return (((addend + ((page << 12) >>> 0)) >>> 0) / PAGE_SIZE) as FrameNumber;
};

/** Clears A and D, as a kernel that samples them does. */
const forgetUse = (space: AddressSpace, start: number, lengthPages: number): Result => {
  const end = Math.min(start + lengthPages, MAX_PAGES);
  try {
    space.table.cursor(vpn(start), vpn(end)).protect((flags) => flags & ~(PTE_A | PTE_D));
    return 'done';
  } catch (error) {
    if (error instanceof OutOfMemory) return 'out-of-memory';
    throw error;
  }
};

/** Bytes from `address` on, `length` at most, up to the first page that may not be accessed so. */
const reachableBytes = (model: EagerSpace, address: number, length: number, access: Access): number => {
  for (let at = address; at < address + length; at = (Math.floor(at / PAGE_SIZE) + 1) * PAGE_SIZE) {
    if (model.access(Math.floor(at / PAGE_SIZE), access) !== 'resolved') return at - address;
  }
  return length;
};

const stringAnswer = (model: EagerSpace, address: number, maxBytes: number, reachable: number): Result => {
  for (let index = 0; index < reachable; index++) if (model.byte(address + index) === 0) return 'done';
  return reachable < maxBytes ? 'EFAULT' : 'ENAMETOOLONG';
};

/** A copy that fails half-way may have given the pages before their own frames, with what they held. */
const adoptOwned = (real: AddressSpace, model: EagerSpace, address: number, length: number): void => {
  for (let page = Math.floor(address / PAGE_SIZE); page * PAGE_SIZE < address + length; page++) {
    const frame = pteFrame(real.table.entry(vpn(page)));
    if (frame !== NO_FRAME && frame !== real.virtualMemory.zeroFrame) model.own(page);
  }
};

const tablesNeeded = (space: AddressSpace): number => {
  const tables = new Set<string>(['root']);
  for (const page of space.table.mappedPages(vpn(0), vpn(MAX_PAGES))) {
    tables.add(`middle ${page >>> 18}`).add(`leaf ${page >>> 9}`);
  }
  return tables.size;
};
