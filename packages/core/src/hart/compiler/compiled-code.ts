/**
 * The compiled regions that may be run: their functions, and the records by which they are entered.
 *
 *      compiled → install → may be entered → a frame of its is written, freed or loses its decoded code,
 *                                            or the room is wanted, or a larger region takes its place → thrown away
 *
 * A region belongs to frames, whatever spaces map them: processes that run the same program run the same regions. It is good
 * while each of its frames has decoded code, at the same place. What throws it away takes its entries out of the records, so
 * that nobody enters it again. Nobody runs in it then: a region leaves before anything is called that could throw one away.
 */
import type { FrameNumber, PhysicalMemory } from '../../frame/index.js';
import { HANDLER_COMPILED } from '../handlers.js';
import {
  ENTRIES_START,
  ENTRY_BYTES,
  ENTRY_FUNCTION,
  ENTRY_HANDLER,
  ENTRY_WORD,
  HOT_JUMPS,
  MOST_ENTRIES,
  RECORD_ENTRY,
  RECORD_HANDLER,
  RECORD_JUMPS,
} from '../layout.js';

/** Functions that the table has room for. */
export const MOST_REGIONS = 4096;

/** What it takes to compile a region beside its instructions, as so many of them. */
const WASTED_WITH_REGION = 100;

/** Why regions are thrown away. */
export const THROWN_AWAY_FOR = ['written', 'freed', 'decoded-code', 'replaced', 'room'] as const;
export type ThrownAwayFor = (typeof THROWN_AWAY_FOR)[number];

/** What a hart has compiled since it was made, and what it keeps of that. Bytes are of WebAssembly. */
export interface Compilation {
  readonly compiledRegions: number;
  readonly compiledModules: number;
  readonly compiledBytes: number;
  readonly keptRegions: number;
  readonly keptModules: number;
  readonly keptBytes: number;
  /** Regions, by why they went. */
  readonly thrownAway: Readonly<Record<ThrownAwayFor, number>>;
}

/** A WebAssembly module of regions: its memory comes back when all of them have been thrown away. */
export interface CompiledModule {
  readonly sizeBytes: number;
  readonly regions: Set<CompiledRegion>;
}

/** Where a region's code lies. */
export interface CoveredFrame {
  readonly frame: FrameNumber;
  /** A bit for each halfword that is compiled. */
  readonly halfwords: Uint32Array;
}

export interface CompiledRegion {
  readonly module: CompiledModule;
  readonly functionNumber: number;
  /** The record of its root, and the root's place within its page. */
  readonly rootRecord: number;
  readonly covers: readonly CoveredFrame[];
  /** The records of what it leads to and does not have, with the distance of their page from the root's. */
  readonly exits: ReadonlyMap<number, number>;
  readonly instructions: number;
  /** How often it has been compiled anew with more code. */
  readonly growth: number;
  /** Regions that were compiled to lead here where they could have held its code too. */
  patches: number;
  readonly entries: Set<number>;
}

export class CompiledCode {
  readonly table: WebAssembly.Table;
  readonly thrownAway: Record<ThrownAwayFor, number> = {
    written: 0,
    freed: 0,
    'decoded-code': 0,
    replaced: 0,
    room: 0,
  };
  /** Instructions that were compiled and thrown away, of late: who compiles forgets some of them now and then. */
  wasted = 0;
  readonly #view: DataView;
  readonly #modules = new Set<CompiledModule>();
  readonly #byFrame = new Map<FrameNumber, Set<CompiledRegion>>();
  /** By the record of what it leads to: the region that would have to grow. */
  readonly #byExit = new Map<number, CompiledRegion>();
  readonly #freeFunctions: number[] = Array.from(
    { length: MOST_REGIONS },
    (_, index) => MOST_REGIONS - 1 - index,
  );
  readonly #freeEntries: number[] = Array.from(
    { length: MOST_ENTRIES },
    (_, index) => MOST_ENTRIES - 1 - index,
  );
  /** The region of each entry, and the record that it stands for. */
  readonly #entryRegions: (CompiledRegion | undefined)[] = [];
  readonly #entryRecords: number[] = [];
  #sizeBytes = 0;
  #regions = 0;

  constructor(memory: PhysicalMemory) {
    this.#view = new DataView(memory.memory.buffer);
    this.table = new WebAssembly.Table({ element: 'anyfunc', initial: MOST_REGIONS });
  }

  /** Bytes of WebAssembly that may be run. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get regions(): number {
    return this.#regions;
  }

  get modules(): number {
    return this.#modules.size;
  }

  /** A place in the table for a region that is being compiled; undefined where all are taken. */
  takeFunction(): number | undefined {
    return this.#freeFunctions.pop();
  }

  get isFull(): boolean {
    return this.#freeFunctions.length === 0;
  }

  giveFunctionBack(functionNumber: number): void {
    this.#freeFunctions.push(functionNumber);
  }

  get freeEntries(): number {
    return this.#freeEntries.length;
  }

  isEntry(record: number): boolean {
    return this.#view.getUint16(record + RECORD_HANDLER, true) === HANDLER_COMPILED;
  }

  /** The handler of a record's instruction, whether or not compiled code has taken its place. */
  handlerAt(record: number): number {
    const handler = this.#view.getUint16(record + RECORD_HANDLER, true);
    if (handler !== HANDLER_COMPILED) return handler;
    return this.#view.getUint16(entryAddress(this.#entryAt(record)) + ENTRY_HANDLER, true);
  }

  /** The region that is entered at a record; undefined where none is. */
  enteredAt(record: number): CompiledRegion | undefined {
    return this.isEntry(record) ? this.#entryRegions[this.#entryAt(record)] : undefined;
  }

  /** The region that leads to a record and may grow to hold it. */
  leadingTo(record: number): CompiledRegion | undefined {
    return this.#byExit.get(record);
  }

  /**
   * Lets a region be entered.
   * @param region whose functionNumber was taken here, and which has no entries yet. @param words of its entries, by record.
   */
  install(
    region: CompiledRegion,
    compiled: WebAssembly.ExportValue,
    words: ReadonlyMap<number, number>,
  ): void {
    this.table.set(region.functionNumber, compiled);
    if (!this.#modules.has(region.module)) {
      this.#modules.add(region.module);
      this.#sizeBytes += region.module.sizeBytes;
    }
    region.module.regions.add(region);
    this.#regions++;
    for (const { frame } of region.covers) {
      const others = this.#byFrame.get(frame);
      if (others === undefined) this.#byFrame.set(frame, new Set([region]));
      else others.add(region);
    }
    for (const record of region.exits.keys()) this.#byExit.set(record, region);
    for (const [record, word] of words) this.#enter(region, record, word);
  }

  /** Bytes of a frame have changed. @param first and last halfword. */
  halfwordsWritten(frame: FrameNumber, first: number, last: number): void {
    for (const region of this.#byFrame.get(frame) ?? []) {
      const { halfwords } = region.covers.find((covered) => covered.frame === frame)!;
      if (!hasAny(halfwords, first, last)) continue;
      this.throwAway(region, 'written');
    }
  }

  has(region: CompiledRegion): boolean {
    return region.module.regions.has(region);
  }

  /** Whether a halfword of a frame is part of a region. */
  covers(frame: FrameNumber, halfword: number): boolean {
    for (const { covers } of this.#byFrame.get(frame) ?? []) {
      if (isCovered(covers, frame, halfword)) return true;
    }
    return false;
  }

  /** A frame's decoded code is about to go. */
  frameDropped(frame: FrameNumber, reason: 'freed' | 'decoded-code'): void {
    for (const region of this.#byFrame.get(frame) ?? []) this.throwAway(region, reason);
  }

  /** Throws the oldest module away. @returns whether there was one. */
  evictOldest(): boolean {
    const [oldest] = this.#modules;
    if (oldest === undefined) return false;
    for (const region of oldest.regions) this.throwAway(region, 'room');
    return true;
  }

  throwAway(region: CompiledRegion, reason: ThrownAwayFor): void {
    this.thrownAway[reason]++;
    if (reason !== 'replaced') this.wasted += WASTED_WITH_REGION + region.instructions;
    // What is replaced was hot, and is to be found as that.
    const jumps = reason === 'replaced' ? this.#view.getUint32(HOT_JUMPS, true) >>> 1 : 0;
    for (const entry of region.entries) this.#leaveRecord(entry, jumps);
    region.entries.clear();
    this.table.set(region.functionNumber, null);
    this.#freeFunctions.push(region.functionNumber);
    for (const { frame } of region.covers) {
      const others = this.#byFrame.get(frame)!;
      others.delete(region);
      if (others.size === 0) this.#byFrame.delete(frame);
    }
    for (const record of region.exits.keys()) {
      if (this.#byExit.get(record) === region) this.#byExit.delete(record);
    }
    this.#regions--;
    const { module } = region;
    module.regions.delete(region);
    if (module.regions.size > 0) return;
    this.#modules.delete(module);
    this.#sizeBytes -= module.sizeBytes;
  }

  /** @returns a line for each thing about regions and entries that is wrong. @param hasRecords whether a frame has decoded code. */
  audit(hasRecords: (frame: FrameNumber) => boolean): string[] {
    const problems: string[] = [];
    let entries = 0;
    for (const [frame, regions] of this.#byFrame) {
      if (!hasRecords(frame)) problems.push(`frame 0x${frame.toString(16)}: compiled, but not decoded`);
      for (const region of regions) {
        if (this.table.get(region.functionNumber) === null) {
          problems.push(`frame 0x${frame.toString(16)}: a region without a function`);
        }
      }
    }
    for (const [entry, region] of this.#entryRegions.entries()) {
      if (region === undefined) continue;
      entries++;
      const record = this.#entryRecords[entry]!;
      const isRight =
        this.isEntry(record) &&
        this.#entryAt(record) === entry &&
        region.entries.has(entry) &&
        this.#view.getUint16(entryAddress(entry) + ENTRY_FUNCTION, true) === region.functionNumber;
      if (!isRight) problems.push(`entry ${entry}: not what the record at 0x${record.toString(16)} says`);
    }
    if (entries + this.#freeEntries.length !== MOST_ENTRIES)
      problems.push('entries of compiled code are lost');
    if (this.#regions + this.#freeFunctions.length !== MOST_REGIONS)
      problems.push('functions of regions are lost');
    return problems;
  }

  /** Makes a record an entry of the region; of this one, where another has it. */
  #enter(region: CompiledRegion, record: number, word: number): void {
    const view = this.#view;
    const handler = this.handlerAt(record);
    if (this.isEntry(record)) {
      const before = this.#entryAt(record);
      const other = this.#entryRegions[before]!;
      this.#leaveRecord(before, 0);
      other.entries.delete(before);
      // Nobody can get there any more.
      if (other.entries.size === 0) this.throwAway(other, 'replaced');
    }
    const entry = this.#freeEntries.pop();
    // A region of which some ways in are missing is slower, not wrong.
    if (entry === undefined) return;
    const address = entryAddress(entry);
    view.setUint16(address + ENTRY_FUNCTION, region.functionNumber, true);
    view.setUint16(address + ENTRY_HANDLER, handler, true);
    view.setUint32(address + ENTRY_WORD, word, true);
    view.setUint16(record + RECORD_HANDLER, HANDLER_COMPILED, true);
    view.setUint16(record + RECORD_ENTRY, entry, true);
    region.entries.add(entry);
    this.#entryRegions[entry] = region;
    this.#entryRecords[entry] = record;
  }

  #entryAt(record: number): number {
    return this.#view.getUint16(record + RECORD_ENTRY, true);
  }

  /** Gives a record its instruction back, with so many jumps counted. */
  #leaveRecord(entry: number, jumps: number): void {
    const record = this.#entryRecords[entry]!;
    const view = this.#view;
    view.setUint16(record + RECORD_HANDLER, view.getUint16(entryAddress(entry) + ENTRY_HANDLER, true), true);
    view.setUint16(record + RECORD_JUMPS, jumps, true);
    this.#entryRegions[entry] = undefined;
    this.#freeEntries.push(entry);
  }
}

const entryAddress = (entry: number): number => ENTRIES_START + entry * ENTRY_BYTES;

/** Whether a halfword of a frame is among those. */
export const isCovered = (covers: readonly CoveredFrame[], frame: FrameNumber, halfword: number): boolean =>
  covers.some((covered) => covered.frame === frame && hasAny(covered.halfwords, halfword, halfword));

const hasAny = (bits: Uint32Array, first: number, last: number): boolean => {
  for (let bit = first; bit <= last; bit++) if ((bits[bit >>> 5]! & (1 << (bit & 31))) !== 0) return true;
  return false;
};
