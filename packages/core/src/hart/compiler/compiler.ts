/**
 * The compiler: takes what the interpreter has found hot, and gives it WebAssembly to run instead.
 *
 *      hot → waits → at the end of the run: its region is found, written, compiled with others in one module, installed
 *
 * Nothing that a program can see depends on when, or whether, this happens.
 */
import {
  type FrameNumber,
  frameStart,
  NO_FRAME,
  PAGE_SIZE,
  type PhysicalMemory,
  type Vpn,
  vpn,
} from '../../frame/index.js';
import type { CodeCache } from '../code-cache.js';
import { importFloatFunctions } from '../float/index.js';
import { HANDLER_DECODE } from '../handlers.js';
import { decode, type Decoded, isCompressed } from '../instructions/index.js';
import { RECORD_BYTES, RECORD_JUMPS, RECORDS_IN_PAGE } from '../layout.js';
import { type FunctionIndex, ModuleBuilder } from '../wasm/index.js';
import type { CompiledCode, CompiledModule, CompiledRegion, CoveredFrame } from './compiled-code.js';
import { REGION_SIGNATURE, type RegionImports } from './region-border.js';
import { writeRegion } from './region-writer.js';
import { type CodeReader, findRegion, lastPageOf, pageOf, type Placed, type Region } from './region.js';

/** Hot instructions that may wait. What does not fit will be hot again. */
const MOST_WAITING = 256;
/** Instructions that are compiled in one module: enough of them to share its cost. */
const MODULE_INSTRUCTIONS = 2000;
/** WebAssembly modules that may be there at a time: each takes memory maps of the host, which are few. */
const MOST_MODULES = 1000;
const MOST_GROWTH = 4;

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

/** A region on its way. */
interface Work {
  readonly region: Region;
  readonly rootPage: Vpn;
  readonly functionNumber: number;
  readonly frames: ReadonlyMap<number, FrameNumber>;
  readonly recordsOf: ReadonlyMap<number, number>;
  readonly growth: number;
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
    const { frame, halfword } = this.#codeCache.placeOf(record);
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push({ frame, halfword, page });
    if (this.#options.when === 'eager') this.compileWaiting();
  }

  /** Compiles what waits. The address space must still be that of the requests. */
  compileWaiting(): void {
    while (this.#waiting.length > 0) {
      const work: Work[] = [];
      let instructions = 0;
      while (this.#waiting.length > 0 && instructions < MODULE_INSTRUCTIONS) {
        // The last first: what becomes hot late is what calls the rest, and takes it into its region.
        const request = this.#waiting.pop()!;
        if (work.some((item) => holds(item, request))) continue;
        const found = this.#find(request);
        if (found === undefined) continue;
        work.push(found);
        this.#requestContinuations(found);
        for (const { instructions: list } of found.region.blocks) instructions += list.length;
      }
      if (work.length > 0) this.#compile(work);
    }
  }

  #find({ frame, halfword, page }: Request): Work | undefined {
    const records = this.#codeCache.slotOf(frame);
    if (records === undefined || this.#fetchFrame(page) !== frame) return undefined;
    const record = records + halfword * RECORD_BYTES;
    if (this.code.isEntry(record)) return undefined;
    const owner = this.code.leadingTo(record);
    if (owner !== undefined && owner.growth < MOST_GROWTH) {
      const rootPage = vpn(page - owner.exits.get(record)!);
      const place = this.#codeCache.placeOf(owner.rootRecord);
      if (this.#fetchFrame(rootPage) === place.frame) {
        const grown = this.#findAt(rootPage, place.halfword, owner.growth + 1);
        if (grown !== undefined && grown.region.blockAt.has((page - rootPage) * PAGE_SIZE + halfword * 2)) {
          this.code.throwAway(owner, 'replaced');
          return grown;
        }
        if (grown !== undefined) this.code.giveFunctionBack(grown.functionNumber);
      }
    }
    return this.#findAt(page, halfword, 0);
  }

  /** What a full region leads to is as hot as the region. */
  #requestContinuations({ region, rootPage, frames }: Work): void {
    for (const relative of region.continuations) {
      const page = pageOf(relative);
      const frame = frames.get(page);
      if (frame === undefined || this.#waiting.length >= MOST_WAITING) continue;
      this.#waiting.push({ frame, halfword: (relative & (PAGE_SIZE - 1)) >>> 1, page: vpn(rootPage + page) });
    }
  }

  #findAt(rootPage: Vpn, halfword: number, growth: number): Work | undefined {
    const reader = new PageReader(this.#codeCache, this.code, this.#memory, this.#options.when, (distance) =>
      this.#fetchFrame(vpn(rootPage + distance)),
    );
    const region = findRegion(halfword * 2, reader);
    if (region === undefined) return undefined;
    this.#makeRoom();
    const functionNumber = this.code.takeFunction()!;
    const frames = new Map<number, FrameNumber>();
    for (const { instructions } of region.blocks) {
      for (const placed of instructions) {
        for (const page of [pageOf(placed.relative), lastPageOf(placed)])
          frames.set(page, reader.frameOf(page));
      }
    }
    const recordsOf = new Map([...frames].map(([page, frame]) => [page, this.#codeCache.slotOf(frame)!]));
    return { region, rootPage, functionNumber, frames, recordsOf, growth };
  }

  #makeRoom(): void {
    while (
      this.code.sizeBytes > this.#options.mostBytes ||
      this.code.modules >= MOST_MODULES ||
      this.code.freeEntries < PAGE_SIZE / 2 ||
      this.code.isFull
    ) {
      if (!this.code.evictOldest()) return;
    }
  }

  #compile(work: readonly Work[]): void {
    const checked = this.#options.hits === 'checked';
    const builder = new ModuleBuilder();
    const imports = importAll(builder);
    const words = work.map(({ region, functionNumber, recordsOf }, index) => {
      const code = builder.function(`r${index}`, REGION_SIGNATURE);
      return writeRegion(code, imports, region, { functionNumber, recordsOf }, checked);
    });
    const bytes = builder.toBytes();
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      ram: { memory: this.#memory.memory },
      float: this.#host.float,
      hart: { checkHit: this.#host.checkHit },
    });
    this.compiled.modules++;
    this.compiled.bytes += bytes.length;
    const module: CompiledModule = { sizeBytes: bytes.length, regions: new Set() };
    for (const [index, item] of work.entries()) {
      this.compiled.regions++;
      const { region, functionNumber, recordsOf, growth } = item;
      const recordAt = (relative: number): number | undefined => {
        const records = recordsOf.get(pageOf(relative));
        if (records === undefined) return undefined;
        return records + ((relative & (PAGE_SIZE - 1)) >>> 1) * RECORD_BYTES;
      };
      const exits = new Map<number, number>();
      for (const relative of exitsOf(region)) {
        if (region.continuations.includes(relative)) continue;
        const record = recordAt(relative);
        if (record !== undefined) exits.set(record, pageOf(relative));
      }
      const compiled: CompiledRegion = {
        module,
        functionNumber,
        rootRecord: recordAt(region.root)!,
        covers: coverage(item),
        exits,
        growth,
        entries: new Set(),
      };
      // An entry stands in for an instruction that can be interpreted.
      for (const relative of words[index]!.keys()) this.#codeCache.makeDecoded(recordAt(relative)!);
      const entryWords = new Map([...words[index]!].map(([relative, word]) => [recordAt(relative)!, word]));
      this.code.install(compiled, instance.exports[`r${index}`]!, entryWords);
    }
  }
}

/** Reads the code of frames that have been decoded. */
class PageReader implements CodeReader {
  readonly #codeCache: CodeCache;
  readonly #code: CompiledCode;
  readonly #view: DataView;
  readonly #when: CompilerOptions['when'];
  readonly #fetchFrame: (distance: number) => FrameNumber;
  readonly #frames = new Map<number, FrameNumber>();

  constructor(
    codeCache: CodeCache,
    code: CompiledCode,
    memory: PhysicalMemory,
    when: CompilerOptions['when'],
    fetchFrame: (distance: number) => FrameNumber,
  ) {
    this.#codeCache = codeCache;
    this.#code = code;
    this.#view = new DataView(memory.memory.buffer);
    this.#when = when;
    this.#fetchFrame = fetchFrame;
  }

  /** The frame of a page; NO_FRAME where there is none, or none that has decoded code. */
  frameOf(page: number): FrameNumber {
    const known = this.#frames.get(page);
    if (known !== undefined) return known;
    const found = this.#fetchFrame(page);
    const frame = found !== NO_FRAME && this.#codeCache.slotOf(found) !== undefined ? found : NO_FRAME;
    this.#frames.set(page, frame);
    return frame;
  }

  read(relative: number): Decoded | undefined {
    const frame = this.frameOf(pageOf(relative));
    if (frame === NO_FRAME) return undefined;
    const offset = relative & (PAGE_SIZE - 1);
    if (this.#when === 'hot' && this.#code.handlerAt(this.#recordAt(frame, offset)) === HANDLER_DECODE)
      return undefined;
    const low = this.#view.getUint16(frameStart(frame) + offset, true);
    if (isCompressed(low)) return decode(low);
    const isCrossing = offset === PAGE_SIZE - 2;
    const second = isCrossing ? this.frameOf(pageOf(relative) + 1) : frame;
    if (second === NO_FRAME) return undefined;
    const high = this.#view.getUint16(frameStart(second) + ((offset + 2) & (PAGE_SIZE - 1)), true);
    return decode(low | (high << 16));
  }

  targetsNear(relative: number): readonly number[] {
    const page = pageOf(relative);
    const frame = this.frameOf(page);
    const targets: number[] = [];
    for (let halfword = 0; halfword < RECORDS_IN_PAGE; halfword++) {
      const record = this.#recordAt(frame, halfword * 2);
      if (this.#view.getUint16(record + RECORD_JUMPS, true) !== 0)
        targets.push(page * PAGE_SIZE + halfword * 2);
    }
    return targets;
  }

  #recordAt(frame: FrameNumber, offset: number): number {
    return this.#codeCache.slotOf(frame)! + (offset >>> 1) * RECORD_BYTES;
  }
}

const importAll = (builder: ModuleBuilder): RegionImports => {
  builder.importMemory('ram', 'memory');
  const imported = (name: string, parameters: ('i32' | 'i64')[], results: number): FunctionIndex =>
    builder.importFunction('hart', name, { parameters, results: results === 0 ? [] : ['i32'] });
  return {
    float: importFloatFunctions(builder),
    checkHit: imported('checkHit', ['i32', 'i32', 'i32', 'i32'], 0),
  };
};

/** Whether a request asks for an instruction at which a block of the region begins. */
const holds = ({ region, rootPage, frames }: Work, { frame, halfword, page }: Request): boolean =>
  frames.get(page - rootPage) === frame && region.blockAt.has((page - rootPage) * PAGE_SIZE + halfword * 2);

/** Where a region's blocks lead to that is not in it. */
const exitsOf = ({ blocks, blockAt }: Region): number[] =>
  blocks
    .flatMap(({ end }) =>
      end.kind === 'branch'
        ? [end.taken, end.next]
        : end.kind === 'jump'
          ? [end.taken]
          : end.kind === 'next'
            ? [end.next]
            : [],
    )
    .filter((target) => !blockAt.has(target));

const coverage = ({ region, frames }: Work): CoveredFrame[] => {
  const covers = new Map<FrameNumber, Uint32Array>();
  const cover = (relative: number): void => {
    const frame = frames.get(pageOf(relative))!;
    let bits = covers.get(frame);
    if (bits === undefined) covers.set(frame, (bits = new Uint32Array(RECORDS_IN_PAGE / 32)));
    const halfword = (relative & (PAGE_SIZE - 1)) >>> 1;
    bits[halfword >>> 5]! |= 1 << (halfword & 31);
  };
  const coverAll = ({ relative, decoded }: Placed): void => {
    for (let byte = 0; byte < decoded.sizeBytes; byte += 2) cover(relative + byte);
  };
  for (const { instructions } of region.blocks) instructions.forEach(coverAll);
  return [...covers].map(([frame, halfwords]) => ({ frame, halfwords }));
};
