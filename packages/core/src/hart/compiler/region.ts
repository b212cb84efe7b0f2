/**
 * A region: basic blocks of a program that are compiled to one function, and how they are found.
 *
 * A region begins at one instruction, its root, and takes in what direct jumps and the ends of blocks lead to, over the pages
 * that lie near; and the small ones of the functions that it calls. Its addresses are relative to the page of its root, so
 * that one region serves every process that has the same frames at the same distances: `relative` = address - address of
 * the root's page, negative before it.
 *
 *      root ──▶ block ──▶ block          edges within the region
 *                 │          └──▶ exit   where code was never run (unless all is wanted), or no longer fits
 *                 └──▶ ecall, ebreak, what is no instruction: exits too, which the interpreter does
 */
import { PAGE_SIZE } from '../../frame/index.js';
import type { Decoded } from '../instructions/index.js';
import { orderOfFlow } from './block-order.js';

/** Instructions, pages and pages' distance from the root that a region may have. */
export const MOST_INSTRUCTIONS = 600;
/** Instructions that a function may have which is taken into the region of who calls it, and may have its own besides. */
const MOST_CALLED_INSTRUCTIONS = 100;
const MOST_PAGES = 8;
const MOST_DISTANCE = 100;
/** Targets that an indirect jump is given at most, of those that it has been seen to lead to. */
const MOST_TARGETS = 128;
/** Code that is jumped to this much less often than hot code is left out of regions. */
const COLD_SHARE = 64;
/** The share of a block that its branch is thought not to take at the least, since others may jump where it leads. */
const NOT_TAKEN_SHARE = 8;
/** Places that a return is compared with before it is looked up. */
const MOST_RETURNS = 8;

const RA = 1;
const LEFT_TO_INTERPRETER = new Set(['ecall', 'ebreak']);

/** One instruction at a place in a region. */
export interface Placed {
  readonly relative: number;
  readonly decoded: Decoded;
}

/** How a block ends. Targets are relative addresses; whether they are blocks of the region is told by `Region.blockAt`. */
export type BlockEnd =
  | { readonly kind: 'branch'; readonly taken: number; readonly next: number }
  | { readonly kind: 'jump'; readonly taken: number }
  | { readonly kind: 'indirect' }
  | { readonly kind: 'next'; readonly next: number };

export interface Block {
  readonly start: number;
  readonly instructions: readonly Placed[];
  readonly end: BlockEnd;
  /** Where a jump register goes on that returns from here, as far as is known. */
  readonly returnsTo: number[];
}

/** The code that regions are made of. */
export interface CodeReader {
  /** The instruction at a relative address; undefined where there is none that may be compiled. */
  read(relative: number): Decoded | undefined;
  /** Relative addresses near by that jumps have been seen to lead to. */
  targetsNear(relative: number): readonly number[];
  /** Jumps to an instruction that were counted: some of them, where it was compiled at times. */
  jumpsTo(relative: number): number;
  /** Jumps by which code is hot; 0 where all code is to be compiled. */
  readonly hotJumps: number;
}

export interface Region {
  readonly root: number;
  /** In the order of flow (block-order.ts). */
  readonly blocks: readonly Block[];
  /** Places of blocks in `blocks` by where they start. */
  readonly blockAt: ReadonlyMap<number, number>;
  /** Where the region may be entered, the root among them: blocks' starts. */
  readonly entries: Set<number>;
  /** Where blocks end only because the region was full. */
  readonly continuations: readonly number[];
}

export const pageOf = (relative: number): number => Math.floor(relative / PAGE_SIZE);

/** The page that an instruction's last byte lies in. */
export const lastPageOf = ({ relative, decoded }: Placed): number => pageOf(relative + decoded.sizeBytes - 1);

const isIndirect = ({ instruction }: Decoded): boolean => instruction.format === 'jump-register';

/** @returns undefined where there is nothing to compile at the root. */
export const findRegion = (root: number, reader: CodeReader): FoundRegion | undefined => {
  const search = new RegionSearch(root, reader);
  return search.instructions.has(root) ? search : undefined;
};

/** What is reached from one instruction without calling: about a function, or the rest of it. */
class Flow {
  readonly instructions = new Map<number, Decoded>();
  readonly leaders = new Set<number>();
  /** Where it is come back to from calls, and where indirect jumps lead. */
  readonly entries = new Set<number>();
  /** What is called, and how often it is thought to be. */
  readonly calls = new Map<number, number>();
  /** Where blocks end only because it has as many instructions as it may. */
  readonly cuts: number[] = [];
  readonly pages: Set<number>;
  readonly #reader: CodeReader;
  readonly #most: number;
  /** The leaders that are taken in, and how often each is thought to have run. */
  readonly #runs = new Map<number, number>();

  /** @param runs how often the root is thought to have run. @param pages that the region has already. @param most instructions. */
  constructor(root: number, runs: number, reader: CodeReader, pages: ReadonlySet<number>, most: number) {
    this.#reader = reader;
    this.#most = most;
    this.pages = new Set(pages);
    this.#lead(root, runs);
    // A map is gone through with what is added on the way: in the order of discovery, the nearest first.
    for (const [leader, leaderRuns] of this.#runs) this.#follow(leader, leaderRuns);
  }

  /** A block begins here, which is taken in unless it runs seldom: `runs` times by what is known of who leads to it. */
  #lead(relative: number, runs: number): void {
    this.leaders.add(relative);
    if (this.#runs.has(relative)) return;
    const most = Math.max(runs, this.#reader.jumpsTo(relative));
    if (most * COLD_SHARE >= this.#reader.hotJumps) this.#runs.set(relative, most);
  }

  /** Takes in the instructions from a leader on, to the end of its block or to known ones. */
  #follow(leader: number, runs: number): void {
    let relative = leader;
    while (!this.instructions.has(relative)) {
      const decoded = this.#admit(relative);
      if (decoded === undefined) {
        if (this.instructions.size >= this.#most) this.cuts.push(relative);
        return;
      }
      const next = relative + decoded.sizeBytes;
      const { format } = decoded.instruction;
      if (format === 'branch') {
        const taken = relative + decoded.imm;
        this.#lead(taken, 0);
        this.#lead(next, Math.max(runs - this.#reader.jumpsTo(taken), runs / NOT_TAKEN_SHARE));
        return;
      }
      if (format === 'jump') {
        if (decoded.rd === 0) {
          this.#lead(relative + decoded.imm, runs);
        } else {
          this.calls.set(relative + decoded.imm, runs);
          this.#enterAt(next, runs);
        }
        return;
      }
      if (isIndirect(decoded)) {
        if (decoded.rd !== 0) this.#enterAt(next, runs);
        else if (decoded.rs1 !== RA) this.#enterAtTargets(relative);
        return;
      }
      // A page's end ends a block: what follows is only as sure as the next page.
      if (pageOf(next) !== pageOf(relative)) {
        this.#lead(next, runs);
        return;
      }
      relative = next;
    }
    this.leaders.add(relative);
  }

  #enterAt(relative: number, runs: number): void {
    this.entries.add(relative);
    this.#lead(relative, runs);
  }

  #enterAtTargets(relative: number): void {
    for (const target of this.#reader.targetsNear(relative).slice(0, MOST_TARGETS)) this.#enterAt(target, 0);
  }

  #admit(relative: number): Decoded | undefined {
    if (this.instructions.size >= this.#most) return undefined;
    const decoded = this.#reader.read(relative);
    if (decoded === undefined || LEFT_TO_INTERPRETER.has(decoded.instruction.name)) return undefined;
    const page = pageOf(relative);
    const last = pageOf(relative + decoded.sizeBytes - 1);
    if (!this.#takePage(page) || !this.#takePage(last)) return undefined;
    // What crosses stands alone, for it needs both of its pages.
    if (last !== page) this.leaders.add(relative);
    this.instructions.set(relative, decoded);
    return decoded;
  }

  #takePage(page: number): boolean {
    if (this.pages.has(page)) return true;
    if (this.pages.size === MOST_PAGES || Math.abs(page) > MOST_DISTANCE) return false;
    this.pages.add(page);
    return true;
  }
}

/** The instructions of a region, of which blocks are made where it is wanted. */
export interface FoundRegion {
  /** By their relative addresses. */
  readonly instructions: ReadonlyMap<number, Decoded>;
  inBlocks(): Region;
  beginsBlockAt(relative: number): boolean;
}

class RegionSearch implements FoundRegion {
  readonly #root: number;
  readonly instructions = new Map<number, Decoded>();
  readonly #leaders = new Set<number>();
  readonly #entries = new Set<number>();
  readonly #cuts: readonly number[];
  #pages: ReadonlySet<number>;

  constructor(root: number, reader: CodeReader) {
    this.#root = root;
    const flow = new Flow(root, reader.hotJumps, reader, new Set(), MOST_INSTRUCTIONS);
    this.#pages = flow.pages;
    this.#cuts = flow.cuts;
    this.#entries.add(root);
    this.#take(flow);
    const calls = new Map(flow.calls);
    for (const [call, runs] of calls) {
      if (this.instructions.has(call)) {
        this.#enterAt(call);
        continue;
      }
      const called = new Flow(call, runs, reader, this.#pages, MOST_CALLED_INSTRUCTIONS);
      const isSmall = called.cuts.length === 0 && called.instructions.has(call);
      if (!isSmall || this.instructions.size + called.instructions.size > MOST_INSTRUCTIONS) continue;
      this.#take(called);
      this.#enterAt(call);
      for (const [further, furtherRuns] of called.calls)
        if (!calls.has(further)) calls.set(further, furtherRuns);
    }
  }

  beginsBlockAt(relative: number): boolean {
    return this.#leaders.has(relative) && this.instructions.has(relative);
  }

  inBlocks(): Region {
    const known = new Map<number, Block>();
    for (const start of this.#leaders) {
      if (this.instructions.has(start)) known.set(start, this.#blockFrom(start));
    }
    connectReturns(known);
    const order = orderOfFlow(this.#root, known.keys(), (start) => waysOf(known.get(start)!, known));
    const blocks = order.map((start) => known.get(start)!);
    const blockAt = new Map(blocks.map(({ start }, index) => [start, index]));
    const entries = new Set([...this.#entries].filter((start) => blockAt.has(start)));
    const continuations = this.#cuts.filter((start) => !blockAt.has(start));
    return { root: this.#root, blocks, blockAt, entries, continuations };
  }

  #take(flow: Flow): void {
    for (const [relative, decoded] of flow.instructions) this.instructions.set(relative, decoded);
    for (const leader of flow.leaders) this.#leaders.add(leader);
    for (const entry of flow.entries) this.#entries.add(entry);
    this.#pages = flow.pages;
  }

  #enterAt(relative: number): void {
    this.#entries.add(relative);
    this.#leaders.add(relative);
  }

  #blockFrom(start: number): Block {
    const instructions: Placed[] = [];
    let relative = start;
    for (;;) {
      const decoded = this.instructions.get(relative);
      if (decoded === undefined)
        return { start, instructions, end: { kind: 'next', next: relative }, returnsTo: [] };
      const crosses = pageOf(relative + decoded.sizeBytes - 1) !== pageOf(relative);
      instructions.push({ relative, decoded });
      const next = relative + decoded.sizeBytes;
      const end = endOf(relative, decoded);
      if (end !== undefined) return { start, instructions, end, returnsTo: [] };
      if (crosses || pageOf(next) !== pageOf(relative) || this.#leaders.has(next)) {
        return { start, instructions, end: { kind: 'next', next }, returnsTo: [] };
      }
      relative = next;
    }
  }
}

/** How an instruction ends its block; undefined where it does not. */
export const endOf = (relative: number, decoded: Decoded): BlockEnd | undefined => {
  const { format } = decoded.instruction;
  if (format === 'branch')
    return { kind: 'branch', taken: relative + decoded.imm, next: relative + decoded.sizeBytes };
  if (format === 'jump') return { kind: 'jump', taken: relative + decoded.imm };
  if (isIndirect(decoded)) return { kind: 'indirect' };
  return undefined;
};

/** Where the end of a block leads that is known from its code: all of its targets, but for those of an indirect jump. */
export const targetsOf = (end: BlockEnd): readonly number[] => {
  switch (end.kind) {
    case 'branch':
      return [end.taken, end.next];
    case 'jump':
      return [end.taken];
    case 'next':
      return [end.next];
    case 'indirect':
      return [];
  }
};

/** Addresses within the region, or just outside, where a block leads without a return: a call leads to where it returns. */
const waysWithin = ({ end, instructions }: Block): readonly number[] => {
  const { relative, decoded } = instructions.at(-1)!;
  const after = relative + decoded.sizeBytes;
  const isCall = decoded.rd !== 0 && (end.kind === 'jump' || end.kind === 'indirect');
  return isCall ? [after] : targetsOf(end);
};

const isReturn = ({ end, instructions }: Block): boolean => {
  const { rd, rs1 } = instructions.at(-1)!.decoded;
  return end.kind === 'indirect' && rd === 0 && rs1 === RA;
};

/** Tells each return where it may lead: behind the calls of the functions that it can be reached in. */
const connectReturns = (blocks: ReadonlyMap<number, Block>): void => {
  const sites = new Map<number, number[]>();
  for (const { end, instructions } of blocks.values()) {
    const { relative, decoded } = instructions.at(-1)!;
    const site = relative + decoded.sizeBytes;
    if (end.kind !== 'jump' || decoded.rd === 0 || !blocks.has(end.taken) || !blocks.has(site)) continue;
    const known = sites.get(end.taken);
    if (known === undefined) sites.set(end.taken, [site]);
    else known.push(site);
  }
  for (const [callee, returnSites] of sites) {
    const seen = new Set([callee]);
    // A set is gone through with what is added on the way.
    for (const start of seen) {
      const block = blocks.get(start);
      if (block === undefined) continue;
      if (isReturn(block)) {
        for (const site of returnSites) {
          if (block.returnsTo.length < MOST_RETURNS && !block.returnsTo.includes(site))
            block.returnsTo.push(site);
        }
      }
      for (const way of waysWithin(block)) seen.add(way);
    }
  }
};

/** Where a block leads within the region; where it is come back to, if it calls what is not. */
const waysOf = (block: Block, blocks: ReadonlyMap<number, Block>): readonly number[] => {
  const { end, returnsTo } = block;
  if (isReturn(block)) return returnsTo;
  return end.kind === 'jump' && blocks.has(end.taken) ? [end.taken] : waysWithin(block);
};
