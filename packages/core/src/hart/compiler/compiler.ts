/**
 * The compiler: takes what the interpreter has found hot, and gives it WebAssembly to run instead.
 *
 *      hot → waits → between slices of a run: its region is found, written, compiled with others in one module, installed
 *
 * Nothing that a program can see depends on when, or whether, this happens.
 *
 * Writing regions takes the host's time, so it is paid for: a slice that has run gives credit, an instruction that is compiled
 * takes some. Where much of what is compiled is thrown away again, compiling costs more. What little is left of a region of which
 * the rest is compiled already is compiled alone, and leads there.
 */
import { type FrameNumber, PAGE_SIZE, type PhysicalMemory, type Vpn, vpn } from '../../frame/index.js';
import type { CodeCache } from '../code-cache.js';
import { ASKING_MASK, HOT_JUMPS, RECORD_BYTES, RECORD_JUMPS } from '../layout.js';
import { type CompiledCode, type CompiledModule, type CompiledRegion, isCovered } from './compiled-code.js';
import { successorsOf } from './loops.js';
import { PageReader } from './page-reader.js';
import {
  coverage,
  exitRecords,
  halfwordOf,
  nameOf,
  type PlacedRegion,
  recordAt,
  writeModule,
} from './region-module.js';
import {
  endOf,
  findRegion,
  type FoundRegion,
  lastPageOf,
  MOST_INSTRUCTIONS,
  pageOf,
  type Region,
} from './region.js';

/** Hot instructions that may wait. What does not fit will be hot again. */
const MOST_WAITING = 256;
/** Instructions that are compiled in one module: enough of them to share its cost. */
const MODULE_INSTRUCTIONS = 2000;
/** Modules that are compiled at once. What waits then is interpreted, until it is hot again. */
const MOST_AT_ONCE = 100;
/** WebAssembly modules that may be there at a time: each takes memory maps of the host, which are few. */
const MOST_MODULES = 1000;
/** Entries that a region may take: one for each of its instructions, at the most. */
const MOST_ENTRIES_OF_REGION = MOST_INSTRUCTIONS;
const MOST_GROWTH = 4;
/** Instructions of a region without a loop: fewer are interpreted in less time than it takes to enter and to leave it. */
const LEAST_INSTRUCTIONS = 8;
/** A region of which more than this is compiled already leads there instead, */
const MOSTLY = 0.75;
/** until so many do. */
const MOST_PATCHES = 4;

/**
 * A long block is hot at this share of the jumps: V8 compiles it in less time than branches, and the processor foresees an
 * interpreter's way through it badly.
 */
const LONG_BLOCK = 64;
const EARLY_SHARE = 1 / 16;

/** Instructions that must run for one to be compiled, which takes the host some thousand times as long. */
const RUN_PER_COMPILED = 10_000;
/** What it takes to find an instruction, beside compiling it. */
const SEARCH_COST = 0.2;
/** What a module costs beside its instructions: as so many of them. */
const MODULE_COST = 100;
const FIRST_CREDIT = 1000;
const MOST_CREDIT = 4000;
/** Instructions that may run before they give credit. */
const SETTLED_EVERY = 100_000;
/** Instructions of thrown away code by which the price of compiling goes up as much as it was at first. */
const WASTE_PER_PRICE = 100;
/** Instructions after which only 1/e of the waste counts. */
const WASTE_FORGOTTEN_AFTER = 50_000_000;

export interface CompilerOptions {
  /** Jumps by which code is hot. 0 compiles all code before it runs for the first time, whether or not it will ever run. */
  readonly hotJumps: number;
  readonly hits: 'trusted' | 'checked';
  /** Bytes of WebAssembly to keep. */
  readonly mostBytes: number;
}

/** What compiled modules import. */
export interface RegionHost {
  readonly float: WebAssembly.ModuleImports;
  readonly checkHit: (access: number, low: number, high: number, host: number) => void;
}

/** Which frame a page's instructions come from. */
export type FetchFrame = (page: Vpn) => FrameNumber;

interface Found {
  readonly region: FoundRegion;
  readonly rootPage: Vpn;
  readonly reader: PageReader;
}

interface Request {
  readonly frame: FrameNumber;
  /** Its halfword within the frame. */
  readonly halfword: number;
  readonly page: Vpn;
}

export class Compiler {
  readonly code: CompiledCode;
  /** What has been compiled so far, whether or not it has been thrown away. */
  readonly compiled = { regions: 0, modules: 0, bytes: 0 };
  readonly #memory: PhysicalMemory;
  readonly #codeCache: CodeCache;
  readonly #options: CompilerOptions;
  readonly #fetchFrame: FetchFrame;
  #host!: RegionHost;
  /** Counts of jumps by which an instruction is compiled, and by which one is that begins a long block. */
  readonly #hotAt: number;
  readonly #earlyAt: number;
  #waiting: Request[] = [];
  #credit = FIRST_CREDIT;
  /** Instructions that have run and given no credit yet. */
  #run = 0;

  constructor(
    memory: PhysicalMemory,
    codeCache: CodeCache,
    fetchFrame: FetchFrame,
    options: CompilerOptions,
  ) {
    this.code = codeCache.compiled;
    this.#memory = memory;
    this.#codeCache = codeCache;
    this.#fetchFrame = fetchFrame;
    this.#options = options;
    const { hotJumps } = options;
    const interval =
      hotJumps === 0 ? 2 ** 16 : 2 ** Math.floor(Math.log2(Math.max(hotJumps * EARLY_SHARE, 1)));
    this.#hotAt = 1 + interval * Math.floor((hotJumps - 1) / interval);
    this.#earlyAt = 1 + interval;
    memory.words[HOT_JUMPS >>> 2] = hotJumps;
    memory.words[ASKING_MASK >>> 2] = interval - 1;
  }

  /** Tells what compiled code is to call, before any is compiled. */
  connect(host: RegionHost): void {
    this.#host = host;
  }

  /** The interpreter has jumped to an instruction, and asks whether it is hot. @param page where it is mapped now. */
  jumpedTo(record: number, page: Vpn): void {
    if (this.code.isEntry(record)) return;
    if (!this.#isEager) {
      const jumps = this.#jumps(record);
      if (jumps !== this.#hotAt && !(jumps === this.#earlyAt && this.#beginsLongBlock(record, page))) return;
    }
    this.#request(record, page);
  }

  #jumps(record: number): number {
    return this.#memory.bytes[record + RECORD_JUMPS]! | (this.#memory.bytes[record + RECORD_JUMPS + 1]! << 8);
  }

  #beginsLongBlock(record: number, page: Vpn): boolean {
    const reader = this.#readerAt(page);
    let relative = this.#codeCache.placeOf(record).halfword * 2;
    for (let count = 0; count < LONG_BLOCK; count++) {
      const decoded = reader.read(relative);
      if (decoded === undefined || endOf(relative, decoded) !== undefined) return false;
      relative += decoded.sizeBytes;
    }
    return true;
  }

  #request(record: number, page: Vpn): void {
    if (this.#waiting.length === MOST_WAITING) {
      this.#coolDown(record);
      return;
    }
    this.#waiting.push({ ...this.#codeCache.placeOf(record), page });
    if (this.#isEager) this.compileWaiting();
  }

  /** So many instructions have run. Compiles what waits, in the address space that they ran in. */
  afterSlice(instructions: number): void {
    this.#run += instructions;
    // A slice may be as short as a system call's stub.
    if (this.#waiting.length === 0 && this.#run < SETTLED_EVERY) return;
    this.#settle(this.#run);
    this.#run = 0;
    this.compileWaiting();
  }

  #settle(instructions: number): void {
    this.code.wasted *= Math.exp(-instructions / WASTE_FORGOTTEN_AFTER);
    const price = RUN_PER_COMPILED * (1 + this.code.wasted / WASTE_PER_PRICE);
    this.#credit = Math.min(this.#credit + instructions / price, MOST_CREDIT);
  }

  /** Compiles what waits and has been paid for. */
  compileWaiting(): void {
    const most = this.compiled.modules + MOST_AT_ONCE;
    while (this.#waiting.length > 0 && this.#mayCompile) {
      const regions: PlacedRegion[] = [];
      let instructions = 0;
      while (this.#waiting.length > 0 && instructions < MODULE_INSTRUCTIONS && this.#mayCompile) {
        // The last first: what becomes hot late is what calls the rest, and takes it into its region.
        const request = this.#waiting.pop()!;
        const holder = regions.find((other) => holds(other, request));
        if (holder !== undefined) {
          enterAt(holder, request);
          continue;
        }
        const found = this.#find(request);
        if (found === undefined) continue;
        this.#dropWithin(regions, found);
        regions.push(found);
        this.#requestContinuations(found, regions);
        instructions += found.instructions;
        this.#credit -= found.instructions;
      }
      if (regions.length === 0) continue;
      this.#credit -= MODULE_COST;
      this.#compile(regions);
      // What is compiled eagerly may take the room of what was compiled before, round and round.
      if (this.compiled.modules === most) this.#waiting = [];
    }
  }

  get #mayCompile(): boolean {
    return this.#isEager || this.#credit > 0;
  }

  get #isEager(): boolean {
    return this.#options.hotJumps === 0;
  }

  /** Lets an instruction become hot again. */
  #coolDown(record: number): void {
    this.#memory.bytes.fill(0, record + RECORD_JUMPS, record + RECORD_JUMPS + 2);
  }

  #find({ frame, halfword, page }: Request): PlacedRegion | undefined {
    const records = this.#codeCache.slotOf(frame);
    if (records === undefined) return undefined;
    const record = records + halfword * RECORD_BYTES;
    if (this.code.isEntry(record)) return undefined;
    if (this.#fetchFrame(page) !== frame) {
      // Another process runs by now.
      this.#coolDown(record);
      return undefined;
    }
    const owner = this.code.leadingTo(record);
    if (owner !== undefined && owner.growth < MOST_GROWTH) {
      const rootPage = vpn(page - owner.exits.get(record)!);
      const place = this.#codeCache.placeOf(owner.rootRecord);
      if (this.#fetchFrame(rootPage) === place.frame) {
        const grown = this.#search(rootPage, place.halfword);
        if (grown?.region.beginsBlockAt((page - rootPage) * PAGE_SIZE + halfword * 2) === true) {
          const placed = this.#place(grown, owner.growth + 1);
          // Making room may have taken it already.
          if (placed !== undefined && this.code.has(owner)) this.code.throwAway(owner, 'replaced');
          return placed;
        }
      }
    }
    const whole = this.#search(page, halfword);
    if (whole === undefined) return undefined;
    const patch = this.#isMostlyCompiled(whole) ? this.#patchAt(page, halfword) : undefined;
    const placed = this.#place(patch ?? whole, 0);
    if (placed !== undefined && patch !== undefined) {
      for (const region of patch.reader.leadsTo) region.patches++;
    }
    return placed;
  }

  #isMostlyCompiled({ region: { instructions }, reader }: Found): boolean {
    let known = 0;
    for (const relative of instructions.keys()) {
      if (this.code.covers(reader.frameOf(pageOf(relative)), halfwordOf(relative))) known++;
    }
    return known > instructions.size * MOSTLY;
  }

  /** The region without what can be entered elsewhere; undefined where that has been done too often already. */
  #patchAt(page: Vpn, halfword: number): Found | undefined {
    const patch = this.#search(page, halfword, 'stops at entries');
    if (patch === undefined) return undefined;
    const { leadsTo } = patch.reader;
    return [...leadsTo].some(({ patches }) => patches >= MOST_PATCHES) ? undefined : patch;
  }

  /** Gives up those of the regions that are part of another. */
  #dropWithin(regions: PlacedRegion[], found: PlacedRegion): void {
    const index = regions.findIndex((other) => isWithin(other, found));
    if (index < 0) return;
    const [other] = regions.splice(index, 1);
    const { region, rootPage, frames } = other!;
    enterAt(found, requestAt(region.root, rootPage, frames));
    this.code.giveFunctionBack(other!.functionNumber);
  }

  /** What a full region leads to is as hot as the region. */
  #requestContinuations({ region, rootPage, frames }: PlacedRegion, pending: readonly PlacedRegion[]): void {
    for (const relative of region.continuations) {
      const page = pageOf(relative);
      const frame = frames.get(page);
      if (frame === undefined || this.#waiting.length >= MOST_WAITING) continue;
      const halfword = halfwordOf(relative);
      // Or a loop that is longer than a region would be compiled from ever new places in it.
      if (
        this.code.covers(frame, halfword) ||
        pending.some(({ covers }) => isCovered(covers, frame, halfword))
      )
        continue;
      this.#waiting.push({ frame, halfword, page: vpn(rootPage + page) });
    }
  }

  #readerAt(rootPage: Vpn, within?: 'stops at entries'): PageReader {
    return new PageReader(
      this.#codeCache,
      this.code,
      this.#memory,
      this.#options.hotJumps,
      (distance) => this.#fetchFrame(vpn(rootPage + distance)),
      within === 'stops at entries',
    );
  }

  #search(rootPage: Vpn, halfword: number, within?: 'stops at entries'): Found | undefined {
    const reader = this.#readerAt(rootPage, within);
    const region = findRegion(halfword * 2, reader);
    // Whether or not it comes to anything.
    this.#credit -= SEARCH_COST * (region?.instructions.size ?? 1);
    return region === undefined ? undefined : { region, rootPage, reader };
  }

  /** @returns undefined where there is no room, or it is not worth it. */
  #place({ region: found, rootPage, reader }: Found, growth: number): PlacedRegion | undefined {
    const region = found.inBlocks();
    if (!this.#isEager && found.instructions.size < LEAST_INSTRUCTIONS && !hasLoop(region)) return undefined;
    this.#makeRoom();
    const functionNumber = this.code.takeFunction();
    if (functionNumber === undefined) return undefined;
    const frames = new Map<number, FrameNumber>();
    for (const { instructions } of region.blocks) {
      for (const placed of instructions) {
        for (const page of [pageOf(placed.relative), lastPageOf(placed)])
          frames.set(page, reader.frameOf(page));
      }
    }
    const recordsOf = new Map([...frames].map(([page, frame]) => [page, this.#codeCache.slotOf(frame)!]));
    const instructions = region.blocks.reduce((sum, block) => sum + block.instructions.length, 0);
    const covers = coverage(region, frames);
    return { region, rootPage, functionNumber, frames, recordsOf, covers, instructions, growth };
  }

  #makeRoom(): void {
    while (
      this.code.sizeBytes > this.#options.mostBytes ||
      this.code.modules >= MOST_MODULES ||
      this.code.freeEntries < MOST_ENTRIES_OF_REGION ||
      this.code.isFull
    ) {
      if (!this.code.evictOldest()) return;
    }
  }

  #compile(regions: readonly PlacedRegion[]): void {
    const { bytes, entryWords } = writeModule(regions, this.#options.hits);
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      ram: { memory: this.#memory.memory },
      float: this.#host.float,
      hart: { checkHit: this.#host.checkHit },
    });
    this.compiled.modules++;
    this.compiled.bytes += bytes.length;
    const module: CompiledModule = { sizeBytes: bytes.length, regions: new Set() };
    for (const [index, placed] of regions.entries()) {
      this.compiled.regions++;
      const region: CompiledRegion = {
        module,
        functionNumber: placed.functionNumber,
        rootRecord: recordAt(placed, placed.region.root)!,
        covers: placed.covers,
        exits: exitRecords(placed),
        instructions: placed.instructions,
        growth: placed.growth,
        patches: 0,
        entries: new Set(),
      };
      const words = new Map<number, number>();
      for (const [relative, word] of entryWords[index]!) {
        const record = recordAt(placed, relative)!;
        // An entry stands in for an instruction that can be interpreted.
        this.#codeCache.makeDecoded(record);
        words.set(record, word);
      }
      this.code.install(region, instance.exports[nameOf(index)]!, words);
    }
  }
}

/** Whether a request asks for an instruction at which a block of the region begins. */
const holds = ({ region, rootPage, frames }: PlacedRegion, { frame, halfword, page }: Request): boolean =>
  frames.get(page - rootPage) === frame && region.blockAt.has((page - rootPage) * PAGE_SIZE + halfword * 2);

/** Lets a region that holds a request be entered there. */
const enterAt = ({ region, rootPage }: PlacedRegion, { halfword, page }: Request): void => {
  region.entries.add((page - rootPage) * PAGE_SIZE + halfword * 2);
};

const hasLoop = (region: Region): boolean =>
  region.blocks.some((_, index) => successorsOf(region, index).some((target) => target <= index));

/** Whether all blocks of a region are blocks of another. */
const isWithin = ({ region, rootPage, frames }: PlacedRegion, other: PlacedRegion): boolean =>
  region.blocks.every(({ start }) => holds(other, requestAt(start, rootPage, frames)));

const requestAt = (relative: number, rootPage: Vpn, frames: ReadonlyMap<number, FrameNumber>): Request => {
  const page = pageOf(relative);
  return { frame: frames.get(page)!, halfword: halfwordOf(relative), page: vpn(rootPage + page) };
};
