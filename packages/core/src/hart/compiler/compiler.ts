/**
 * The compiler: takes what the interpreter has found hot, and gives it WebAssembly to run instead.
 *
 *      hot → waits → between slices of a run: its region is found, written, compiled with others in one module, installed
 *
 * Nothing that a program can see depends on when, or whether, this happens.
 *
 * Writing regions takes the host's time, so it is paid for: a slice that has run gives credit, an instruction that is compiled
 * takes some. Where much of what is compiled is thrown away again, compiling costs more.
 */
import { type FrameNumber, PAGE_SIZE, type PhysicalMemory, type Vpn, vpn } from '../../frame/index.js';
import type { CodeCache } from '../code-cache.js';
import { RECORD_BYTES, RECORD_JUMPS } from '../layout.js';
import type { CompiledCode, CompiledModule, CompiledRegion } from './compiled-code.js';
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
import { findRegion, lastPageOf, MOST_INSTRUCTIONS, pageOf } from './region.js';

/** Hot instructions that may wait. What does not fit will be hot again. */
const MOST_WAITING = 256;
/** Instructions that are compiled in one module: enough of them to share its cost. */
const MODULE_INSTRUCTIONS = 2000;
/** WebAssembly modules that may be there at a time: each takes memory maps of the host, which are few. */
const MOST_MODULES = 1000;
/** Entries that a region may take: one for each of its instructions, at the most. */
const MOST_ENTRIES_OF_REGION = MOST_INSTRUCTIONS;
const MOST_GROWTH = 4;

/** Instructions that must run for one to be compiled, which takes the host some thousand times as long. */
const RUN_PER_COMPILED = 10_000;
const FIRST_CREDIT = 1000;
const MOST_CREDIT = 4000;
/** Instructions that may run before they give credit. */
const SETTLED_EVERY = 100_000;
/** Instructions of thrown away code by which the price of compiling goes up as much as it was at first. */
const WASTE_PER_PRICE = 100;
/** Instructions after which only 1/e of the waste counts. */
const WASTE_FORGOTTEN_AFTER = 50_000_000;

export interface CompilerOptions {
  /** 'eager' compiles all code before it runs for the first time, whether or not it will ever run. */
  readonly when: 'hot' | 'eager';
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
  }

  /** Tells what compiled code is to call, before any is compiled. */
  connect(host: RegionHost): void {
    this.#host = host;
  }

  /** An instruction is hot. @param page where it is mapped now. */
  request(record: number, page: Vpn): void {
    if (this.code.isEntry(record)) return;
    if (this.#waiting.length === MOST_WAITING) {
      this.#coolDown(record);
      return;
    }
    this.#waiting.push({ ...this.#codeCache.placeOf(record), page });
    if (this.#options.when === 'eager') this.compileWaiting();
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
    while (this.#waiting.length > 0 && this.#mayCompile) {
      const regions: PlacedRegion[] = [];
      let instructions = 0;
      while (this.#waiting.length > 0 && instructions < MODULE_INSTRUCTIONS && this.#mayCompile) {
        // The last first: what becomes hot late is what calls the rest, and takes it into its region.
        const request = this.#waiting.pop()!;
        if (regions.some((other) => holds(other, request))) continue;
        const found = this.#find(request);
        if (found === undefined) continue;
        regions.push(found);
        this.#requestContinuations(found, regions);
        instructions += found.instructions;
        this.#credit -= found.instructions;
      }
      if (regions.length > 0) this.#compile(regions);
    }
  }

  get #mayCompile(): boolean {
    return this.#options.when === 'eager' || this.#credit > 0;
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
        const grown = this.#findAt(rootPage, place.halfword, owner.growth + 1);
        if (grown !== undefined && grown.region.blockAt.has((page - rootPage) * PAGE_SIZE + halfword * 2)) {
          // Making room may have taken it already.
          if (this.code.has(owner)) this.code.throwAway(owner, 'replaced');
          return grown;
        }
        if (grown !== undefined) this.code.giveFunctionBack(grown.functionNumber);
      }
    }
    return this.#findAt(page, halfword, 0);
  }

  /** What a full region leads to is as hot as the region. */
  #requestContinuations({ region, rootPage, frames }: PlacedRegion, pending: readonly PlacedRegion[]): void {
    for (const relative of region.continuations) {
      const page = pageOf(relative);
      const frame = frames.get(page);
      if (frame === undefined || this.#waiting.length >= MOST_WAITING) continue;
      const halfword = halfwordOf(relative);
      // Or a loop that is longer than a region would be compiled from ever new places in it.
      if (this.code.covers(frame, halfword) || pending.some((other) => isPartOf(other, frame, halfword)))
        continue;
      this.#waiting.push({ frame, halfword, page: vpn(rootPage + page) });
    }
  }

  #findAt(rootPage: Vpn, halfword: number, growth: number): PlacedRegion | undefined {
    const reader = new PageReader(this.#codeCache, this.code, this.#memory, this.#options.when, (distance) =>
      this.#fetchFrame(vpn(rootPage + distance)),
    );
    const region = findRegion(halfword * 2, reader);
    if (region === undefined) return undefined;
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
    return { region, rootPage, functionNumber, frames, recordsOf, instructions, growth };
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
        covers: coverage(placed),
        exits: exitRecords(placed),
        instructions: placed.instructions,
        growth: placed.growth,
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

/** Whether a halfword of a frame is part of a region's code. */
const isPartOf = ({ region, frames }: PlacedRegion, frame: FrameNumber, halfword: number): boolean =>
  region.blocks.some(({ instructions }) =>
    instructions.some(
      ({ relative }) => halfwordOf(relative) === halfword && frames.get(pageOf(relative)) === frame,
    ),
  );
