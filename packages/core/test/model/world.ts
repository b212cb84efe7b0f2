/**
 * A small RAM with a TLB and a virtual memory over it, for one test.
 *
 * `using world = makeWorld()` fails its test where, at the end, an audit finds anything wrong or a frame
 * is not given back once every space is closed.
 */
import {
  type FrameNumber,
  PAGE_SIZE,
  physAddr,
  PhysicalMemory,
  type PhysicalMemoryOptions,
  type Vpn,
  vpn,
} from '../../src/frame/index.js';
import { MAX_PAGES, pteFrame, type Sv39Options, Tlb, TLB_BYTES } from '../../src/paging/index.js';
import { type AddressSpace, formatMapping, VirtualMemory } from '../../src/space/index.js';

const TLB_START = physAddr(PAGE_SIZE);
/** Frames of a world that are the hart's: its registers' and the TLB's. */
export const RESERVED_BYTES = TLB_START + TLB_BYTES;

/** RAM that counts how often frames were asked for, in whatever way, refusals included. */
export class CountingMemory extends PhysicalMemory {
  allocations = 0;

  constructor(options: PhysicalMemoryOptions) {
    super(options);
    this.failAllocationsWhen(undefined);
  }

  override failAllocationsWhen(decide: (() => boolean) | undefined): void {
    super.failAllocationsWhen(() => {
      this.allocations++;
      return decide?.() ?? false;
    });
  }
}

export const makeMemory = (sizeBytes = 256 * 1024): CountingMemory =>
  new CountingMemory({ sizeBytes, reservedBytes: RESERVED_BYTES });

export const makeTlb = (memory: PhysicalMemory): Tlb => new Tlb(memory, TLB_START);

export class World implements Disposable {
  readonly memory: CountingMemory;
  readonly tlb: Tlb;
  readonly virtualMemory: VirtualMemory;
  /** References that the test itself holds, for the audit. */
  readonly held: FrameNumber[] = [];
  readonly #freeAtFirst: number;

  constructor(sizeBytes?: number, options?: Sv39Options) {
    this.memory = makeMemory(sizeBytes);
    this.#freeAtFirst = this.memory.freeFrames;
    this.tlb = makeTlb(this.memory);
    this.virtualMemory = new VirtualMemory(this.memory, this.tlb, options);
  }

  space(): AddressSpace {
    return this.virtualMemory.createSpace();
  }

  /** Takes free frames until `left` are left. */
  fill(left = 0): void {
    while (this.memory.freeFrames > left) this.held.push(this.memory.allocate(2));
  }

  /** Gives back what `fill` took. */
  drain(): void {
    for (const frame of this.held.splice(0)) this.memory.release(frame);
  }

  /** @throws where an audit finds something wrong. */
  check(): void {
    const problems = this.virtualMemory.audit(this.held);
    if (problems.length > 0) throw new Error(`the audit says:\n${problems.join('\n')}`);
  }

  [Symbol.dispose](): void {
    this.check();
    this.drain();
    this.virtualMemory.close();
    const problems = this.memory.audit();
    if (problems.length > 0) throw new Error(`after the end the audit says:\n${problems.join('\n')}`);
    const leaked = this.#freeAtFirst - this.memory.freeFrames;
    if (leaked !== 0) throw new Error(`${leaked} frames were not given back`);
  }
}

export const makeWorld = (sizeBytes?: number): World => new World(sizeBytes);

/** A space's entries, page by page: what must be the same bit for bit after a failure. */
export const entriesOf = ({ table }: AddressSpace): ReadonlyMap<Vpn, number> =>
  new Map([...table.mappedPages(vpn(0), vpn(MAX_PAGES))].map((page) => [page, table.entry(page)]));

/** All that a failed operation must leave as it was: mappings, entries, and every frame's count. */
export const snapshot = (world: World): string => {
  const { memory, virtualMemory } = world;
  const spaces = [...virtualMemory.spaces].map((space) => [
    [...space.mappings].map(formatMapping),
    [...space.table.tables()],
    [...entriesOf(space)],
  ]);
  const counts: number[] = [];
  for (let frame = memory.firstAllocatable; frame < memory.totalFrames; frame++) {
    counts.push(memory.count(frame as FrameNumber));
  }
  return JSON.stringify([spaces, counts]);
};

/**
 * Runs an operation with its first allocation failed, then its second, and so on until it needs no more.
 * @param attempt runs it, and says whether it failed for want of memory.
 * @param failed called after each failure.
 * @returns the number of allocations that were failed.
 */
export const failEachAllocation = (
  memory: CountingMemory,
  attempt: () => 'done' | 'out-of-memory',
  failed: (n: number) => void,
): number => {
  for (let n = 1; ; n++) {
    const before = memory.allocations;
    memory.failAllocation(n);
    const result = attempt();
    memory.failAllocation(0);
    const fired = memory.allocations - before >= n;
    if (fired !== (result === 'out-of-memory')) {
      throw new Error(`allocation ${n} was ${fired ? '' : 'not '}failed, and the operation is ${result}`);
    }
    if (!fired) return n - 1;
    failed(n);
  }
};

/** What a page holds, as the table has it: no access is made. Zeros where nothing is mapped yet. */
export const contentOf = (space: AddressSpace, page: Vpn): Uint8Array => {
  const pte = space.table.entry(page);
  if (pte === 0) return new Uint8Array(PAGE_SIZE);
  const start = pteFrame(pte) * PAGE_SIZE;
  return space.memory.bytes.slice(start, start + PAGE_SIZE);
};
