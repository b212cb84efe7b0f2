/**
 * Runs random operations on frames, page tables and CowExt, and the same on a plain model: frames are
 * objects that hold a byte, tables are maps from pages to flags and frames, and nobody counts but by
 * looking. Both must answer the same, and hold the same references, shares and bytes.
 */
import {
  frameNumber,
  type FrameNumber,
  HolsteinError,
  NO_FRAME,
  PAGE_SIZE,
  vpn,
} from '../../src/frame/index.js';
import {
  type Access,
  type CowExt,
  type FaultOutcome,
  PTE_A,
  PTE_COW,
  PTE_D,
  PTE_FLAGS,
  PTE_R,
  PTE_READONLY_SHARED,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_X,
  pteFrame,
  readShares,
  staleLines,
  Sv39PageTable,
  type UsedBitUpdates,
  writeShares,
} from '../../src/paging/index.js';
import { END, FIRST, type TableKind, Workbench } from '../paging/each-table.js';
import { ACCESSES, FLAGS, MEGA, MEGAPAGES, PAGES, type PagingStep, SHARINGS } from './paging-steps.js';

const R = PTE_U | PTE_R;
const REQUIRED: Readonly<Record<Access, number>> = { read: R, write: R | PTE_W, execute: PTE_U | PTE_X };
const MAX_SPACES = 4;
/** Frames that a program asks for: were there no end, they would take the tables' room. */
const MAX_FRAMES = 16;
/** More than any one operation allocates. */
const MOST_ALLOCATIONS = 64;

interface ModelFrame {
  readonly frame: FrameNumber;
  byte: number;
  /** References that the test holds. */
  held: number;
  entries: number;
  /** One of the megapages' frames: the last reference that is held stays. */
  readonly isKept: boolean;
}

interface ModelEntry {
  readonly frame: ModelFrame;
  flags: number;
}

interface Pair {
  readonly cow: CowExt;
  readonly model: Map<number, ModelEntry>;
}

export interface PagingTwinOptions {
  readonly kind: TableKind;
  readonly sizeBytes: number;
  /** Who sets A and D; a mock's are set by its walk. Default 'hardware'. */
  readonly updates?: UsedBitUpdates;
  /** Run every operation with each of its allocations failed first. */
  readonly failAllocations?: boolean;
  /** Take 512 contiguous frames, for megapages. The RAM wants 4 MiB and more. */
  readonly megapages?: boolean;
}

export class PagingTwin implements Disposable {
  readonly bench: Workbench;
  /** How many operations gave each answer. */
  readonly results = new Map<string, number>();
  readonly #pairs: Pair[] = [];
  readonly #frames = new Map<number, ModelFrame>();
  readonly #options: PagingTwinOptions;
  readonly #megapage: ModelFrame[] = [];
  /** Svade: a walk faults for want of A or D. */
  readonly #faultsForUse: boolean;

  constructor(options: PagingTwinOptions) {
    this.#options = options;
    this.#faultsForUse = options.updates === 'fault' && options.kind === 'Sv39PageTable';
    this.bench = new Workbench(options.kind, options.sizeBytes, options);
    if (options.megapages !== true) return;
    const first = this.bench.run(MEGA);
    for (let index = 0; index < MEGA; index++)
      this.#megapage.push(this.#adopt(frameNumber(first + index), 0, 'kept'));
  }

  step(step: PagingStep): void {
    if (this.#pairs.length === 0) this.#create();
    const pair = this.#pairs[step.space % this.#pairs.length]!;
    const result = this.#operate(step, pair);
    const key = `${step.operation} ${result}`;
    this.results.set(key, (this.results.get(key) ?? 0) + 1);
  }

  /** The audit: references, shares, bytes and entries, all recounted. */
  check(): void {
    const { memory } = this.bench;
    this.bench.check(
      [...this.#frames.values()].flatMap(({ frame, held }) => Array<FrameNumber>(held).fill(frame)),
    );
    for (const { frame, byte, held, entries } of this.#frames.values()) {
      same(memory.count(frame), held + entries, `references of frame ${frame}`);
      same(memory.bytes[frame * PAGE_SIZE], byte, `the byte of frame ${frame}`);
    }
    for (const { cow, model } of this.#pairs) {
      let pages = 0;
      for (const page of cow.table.mappedPages(FIRST, END)) {
        pages++;
        const entry = model.get(page);
        const pte = cow.table.entry(page);
        same(pteFrame(pte), entry?.frame.frame, `the frame of page ${page}`);
        // Pages of a megapage have one A and one D together.
        const shared = this.#options.megapages === true ? pte & (PTE_A | PTE_D) : 0;
        same(pte & PTE_FLAGS, (entry?.flags ?? 0) | shared, `the flags of page ${page}`);
      }
      same(pages, model.size, 'mapped pages');
      if (cow.table instanceof Sv39PageTable) same(staleLines(cow.table).join('; '), '', 'stale lines');
    }
  }

  [Symbol.dispose](): void {
    for (const { frame, held } of this.#frames.values()) {
      for (let each = 0; each < held; each++) this.bench.memory.release(frame);
    }
    this.bench[Symbol.dispose]();
  }

  #operate(step: PagingStep, pair: Pair): string {
    const { cow, model } = pair;
    const { table } = cow;
    const { memory } = this.bench;
    const amongMapped = step.other % 4 > 0 && model.size > 0 && !step.operation.startsWith('map');
    const among = amongMapped ? [...model.keys()] : PAGES;
    const page = vpn(among[step.page % among.length]!);
    const entry = model.get(page);
    const flags = FLAGS[step.flags % FLAGS.length]!;
    const access = ACCESSES[step.access % ACCESSES.length]!;
    const sharing = SHARINGS[step.access % SHARINGS.length]!;
    const end = vpn(page + Math.min(step.length, 2 ** 26 - page));
    const held = [...this.#frames.values()].filter((each) => each.held > (each.isKept ? 1 : 0));
    const frame = held[step.frame % Math.max(1, held.length)];
    switch (step.operation) {
      case 'allocate':
        return this.#allocate(step.value);
      case 'retain':
        if (frame === undefined) return 'nothing to retain';
        memory.retain(frame.frame);
        frame.held++;
        return 'done';
      case 'release':
        if (frame === undefined) return 'nothing to release';
        memory.release(frame.frame);
        this.#drop(frame);
        return 'done';
      case 'create':
        return this.#create();
      case 'close':
        this.#close(pair);
        return 'done';
      case 'map':
      case 'mapShared': {
        if (frame === undefined) return 'nothing to map';
        const shared = step.operation === 'mapShared';
        const mark = sharing === 'writable' ? PTE_COW : PTE_READONLY_SHARED;
        const kept = flags & ~(PTE_W | PTE_COW | PTE_READONLY_SHARED);
        return this.#both(
          () =>
            shared ? cow.mapToShared(page, frame.frame, sharing, flags) : table.map(page, frame.frame, flags),
          () => this.#modelMap(model, page, frame, shared ? kept | mark : flags),
        );
      }
      case 'unmap':
        return this.#both(
          () => table.unmap(page),
          () => {
            if (entry !== undefined) this.#modelUnmap(model, page).held++;
            return 'done';
          },
        );
      case 'unmapShared':
        return this.#both(
          () => cow.unmapShared(page),
          () => {
            if (entry === undefined) return 'ENOENT';
            this.#forget(this.#modelUnmap(model, page));
            return 'done';
          },
        );
      case 'protect':
        return this.#both(
          () => table.protect(page, flags),
          () => (entry !== undefined && !isLeaf(flags) ? 'EINVAL' : changed(entry, () => flags)),
        );
      case 'setShared':
        return this.#both(
          () => entryOf(pair, page).setShared(sharing),
          () =>
            changed(entry, (old) => {
              const mark = sharing === 'writable' ? PTE_COW : PTE_READONLY_SHARED;
              return (old & ~(PTE_W | PTE_COW | PTE_READONLY_SHARED)) | mark;
            }),
        );
      case 'clearUse':
        return this.#both(
          () => table.protect(page, table.entry(page) & PTE_FLAGS & ~(PTE_A | PTE_D)),
          () => changed(entry, (old) => old & ~(PTE_A | PTE_D)),
        );
      case 'setTarget':
        if (frame === undefined) return 'nothing to map';
        return this.#both(
          () => entryOf(pair, page).setTarget(frame.frame),
          () => {
            if (entry === undefined) return 'ENOENT';
            this.#modelUnmap(model, page).held++;
            return this.#modelMap(model, page, frame, entry.flags);
          },
        );
      case 'fault':
        return this.#both(
          () => cow.handlePageFault(page, access),
          () => this.#modelFault(pair, page, access),
        );
      case 'access':
        return this.#access(pair, page, access, step.value);
      case 'cursorMap': {
        const frames = held.slice(0, end - page);
        return this.#both(
          () =>
            table.cursor(page, end).map(
              frames.map((each) => each.frame),
              flags,
            ),
          () => {
            if (frames.length > 0 && !isLeaf(flags)) return 'EINVAL';
            if (frames.some((_, index) => model.has(page + index))) return 'EEXIST';
            for (const [index, each] of frames.entries()) this.#modelMap(model, page + index, each, flags);
            return 'done';
          },
        );
      }
      case 'cursorUnmap':
        return this.#both(
          () => table.cursor(page, end).unmap(),
          () => {
            for (let at: number = page; at < end; at++) {
              if (model.has(at)) this.#forget(this.#modelUnmap(model, at));
            }
            return 'done';
          },
        );
      case 'cursorProtect':
        return this.#both(
          () => table.cursor(page, end).protect((old) => (old & ~PTE_W) | PTE_R | PTE_X),
          () => {
            for (let at: number = page; at < end; at++) {
              if (model.has(at)) changed(model.get(at), (old) => (old & ~PTE_W) | PTE_R | PTE_X);
            }
            return 'done';
          },
        );
      case 'shareAll':
        return this.#shareAll(pair, this.#pairs[step.other % this.#pairs.length]!);
      case 'mapMegapage':
        return this.#mapMegapage(pair, MEGAPAGES[step.page % MEGAPAGES.length]!, flags);
      case 'split':
      case 'merge':
        if (!(table instanceof Sv39PageTable)) return 'done';
        return this.#both(
          () => (step.operation === 'split' ? table.split(page) : table.merge(page)),
          () => 'done',
        );
    }
  }

  /** Runs an operation on the one and, unless memory ran out, which must have changed nothing, on the other. */
  #both(onReal: () => unknown, onModel: () => string): string {
    const { memory } = this.bench;
    for (let n = 1; this.#options.failAllocations === true; n++) {
      const [before, asked] = [JSON.stringify(this.bench.state()), memory.allocations];
      memory.failAllocation(n);
      const result = answerOf(onReal);
      memory.failAllocation(0);
      if (memory.allocations - asked < n) {
        if (result !== 'out-of-memory') same(result, onModel(), 'the answer');
        return result;
      }
      same(result, 'out-of-memory', 'an operation one of whose allocations failed');
      same(JSON.stringify(this.bench.state()), before, 'all after running out of memory');
    }
    const [free, asked] = [memory.freeFrames, memory.allocations];
    const before = free < MOST_ALLOCATIONS ? JSON.stringify(this.bench.state()) : 'of no use';
    const result = answerOf(onReal);
    if (result === 'out-of-memory') {
      const wanted = memory.allocations - asked;
      same(wanted > free, true, `${wanted} frames are wanted, and more than the ${free} that are free`);
      same(JSON.stringify(this.bench.state()), before, 'all after running out of memory');
      return result;
    }
    same(result, onModel(), 'the answer');
    return result;
  }

  #allocate(byte: number): string {
    if (this.#frames.size >= this.#megapage.length + MAX_FRAMES) return 'enough';
    let frame = NO_FRAME;
    return this.#both(
      () => (frame = this.bench.frame(byte)),
      () => {
        this.#adopt(frame, byte);
        return 'done';
      },
    );
  }

  #create(): string {
    if (this.#pairs.length === MAX_SPACES) return 'enough';
    return this.#both(
      () => {
        const cow = this.bench.cow();
        this.#pairs.push({ cow, model: new Map() });
      },
      () => 'done',
    );
  }

  #close(pair: Pair): void {
    pair.cow.table.close();
    for (const page of [...pair.model.keys()]) this.#forget(this.#modelUnmap(pair.model, page));
    this.#pairs.splice(this.#pairs.indexOf(pair), 1);
    this.bench.tables.splice(this.bench.tables.indexOf(pair.cow.table), 1);
  }

  #access({ cow, model }: Pair, page: number, access: Access, value: number): string {
    const { bytes } = this.bench.memory;
    const entry = model.get(page);
    const frame = cow.table.translate(vpn(page), access);
    const granted = entry !== undefined && this.#isReached(cow, page, entry, access);
    same(frame, granted ? entry.frame.frame : NO_FRAME, `the frame that a ${access} reaches`);
    if (!granted) return 'fault';
    entry.flags |= usedBy(access);
    if (cow.table instanceof Sv39PageTable) {
      const { tlb, tlbContext } = cow.table;
      tlb.activate(tlbContext);
      tlb.install(tlbContext, access, vpn(page), frame);
    }
    if (access === 'write') {
      bytes[frame * PAGE_SIZE] = value;
      entry.frame.byte = value;
    }
    same(bytes[frame * PAGE_SIZE], entry.frame.byte, 'the byte');
    return 'done';
  }

  /** What a walk answers: Svade asks for A and D too, of which a megapage's pages have one each together. */
  #isReached({ table }: CowExt, page: number, entry: ModelEntry, access: Access): boolean {
    const shared = this.#options.megapages === true ? table.entry(vpn(page)) & (PTE_A | PTE_D) : 0;
    const wanted = this.#faultsForUse ? usedBy(access) : 0;
    return grantedBy(entry.flags, access) && ((entry.flags | shared) & wanted) === wanted;
  }

  #shareAll(from: Pair, to: Pair): string {
    if (from === to) return 'itself';
    return this.#both(
      () => from.cow.shareAll(to.cow.table),
      () => {
        if ([...from.model.keys()].some((page) => to.model.has(page))) return 'EEXIST';
        for (const [page, entry] of from.model) {
          if ((entry.flags & PTE_W) !== 0) entry.flags = (entry.flags & ~PTE_W) | PTE_COW;
          entry.frame.entries++;
          to.model.set(page, { frame: entry.frame, flags: entry.flags });
        }
        return 'done';
      },
    );
  }

  #mapMegapage({ cow, model }: Pair, page: number, flags: number): string {
    const { table } = cow;
    const first = this.#megapage[0];
    if (first === undefined || !(table instanceof Sv39PageTable)) return 'no megapage';
    for (const { frame } of this.#megapage) this.bench.memory.retain(frame);
    for (const frame of this.#megapage) frame.held++;
    const result = this.#both(
      () => table.map(vpn(page), first.frame, flags, 1),
      () => {
        if (!isLeaf(flags)) return 'EINVAL';
        if (this.#megapage.some((_, index) => model.has(page + index))) return 'EEXIST';
        for (const [index, frame] of this.#megapage.entries())
          this.#modelMap(model, page + index, frame, flags);
        return 'done';
      },
    );
    if (result === 'done') return result;
    for (const frame of this.#megapage) {
      this.bench.memory.release(frame.frame);
      this.#drop(frame);
    }
    return result;
  }

  #modelFault({ cow, model }: Pair, page: number, access: Access): string {
    const entry = model.get(page);
    if (entry === undefined) return 'unmapped';
    if (grantedBy(entry.flags, access)) {
      entry.flags |= usedBy(access);
      return 'present';
    }
    const shared = (entry.flags & PTE_COW) !== 0 && (entry.flags & PTE_READONLY_SHARED) === 0;
    if (access !== 'write' || !grantedBy(entry.flags, 'read') || !shared) return 'protection';
    const flags = (entry.flags & ~PTE_COW) | PTE_W | (this.#faultsForUse ? usedBy('write') : 0);
    if (entry.frame.held + entry.frame.entries === 1) {
      entry.flags = flags;
      return 'reused';
    }
    const copy = this.#adopt(pteFrame(cow.table.entry(vpn(page))), entry.frame.byte);
    this.#forget(this.#modelUnmap(model, page));
    this.#modelMap(model, page, copy, flags);
    return 'copied';
  }

  /** Moves a reference that is held into an entry. */
  #modelMap(model: Map<number, ModelEntry>, page: number, frame: ModelFrame, flags: number): string {
    if (!isLeaf(flags)) return 'EINVAL';
    if (model.has(page)) return 'EEXIST';
    frame.held--;
    frame.entries++;
    model.set(page, { frame, flags: flags | PTE_V });
    return 'done';
  }

  #modelUnmap(model: Map<number, ModelEntry>, page: number): ModelFrame {
    const { frame } = model.get(page)!;
    model.delete(page);
    frame.entries--;
    return frame;
  }

  /** A frame that has just been allocated, with the one reference held. */
  #adopt(frame: FrameNumber, byte: number, kept?: 'kept'): ModelFrame {
    if (this.#frames.has(frame)) throw new Error(`frame ${frame} was given out twice`);
    const model = { frame, byte, held: 1, entries: 0, isKept: kept === 'kept' };
    this.#frames.set(frame, model);
    return model;
  }

  #drop(frame: ModelFrame): void {
    frame.held--;
    this.#forget(frame);
  }

  #forget(frame: ModelFrame): void {
    if (frame.held + frame.entries === 0) this.#frames.delete(frame.frame);
    const { memory } = this.bench;
    if (memory.count(frame.frame) > 0) return;
    same(readShares(memory, frame.frame) + writeShares(memory, frame.frame), 0, 'shares of a free frame');
  }
}

const same = (actual: unknown, expected: unknown, what: string): void => {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, the model says ${String(expected)}`);
};

/** What an operation answered: an error's code, a fault's outcome, or 'done'. */
const answerOf = (operation: () => unknown): string => {
  try {
    const value = operation();
    if (typeof value !== 'object' || value === null) return 'done';
    const outcome = value as FaultOutcome;
    return outcome.kind === 'resolved' ? outcome.by : outcome.kind;
  } catch (error) {
    if (!(error instanceof HolsteinError)) throw error;
    return error.code === 'ENOMEM' ? 'out-of-memory' : error.code;
  }
};

/** Whether a table takes an entry with such flags: not what the specification reserves, nor what makes no sense. */
const isLeaf = (flags: number): boolean => {
  const [r, w, x] = [PTE_R, PTE_W, PTE_X].map((bit) => (flags & bit) !== 0);
  const marks = [PTE_COW, PTE_READONLY_SHARED].filter((bit) => (flags & bit) !== 0).length;
  return (r || (x && !w)) === true && marks + (w ? 1 : 0) <= 1;
};

const grantedBy = (flags: number, access: Access): boolean => (flags & REQUIRED[access]) === REQUIRED[access];
const usedBy = (access: Access): number => (access === 'write' ? PTE_A | PTE_D : PTE_A);

const changed = (entry: ModelEntry | undefined, change: (flags: number) => number): string => {
  if (entry === undefined) return 'ENOENT';
  entry.flags = change(entry.flags) | PTE_V;
  return 'done';
};

const entryOf = ({ cow }: Pair, page: number) => {
  const entry = cow.table.getEntry(vpn(page));
  if (entry === undefined) throw new HolsteinError('ENOENT', `page ${page} is not mapped`);
  return entry;
};
