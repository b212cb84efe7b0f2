/**
 * The hart: a RISC-V processor in user mode, RV64GC.
 *
 * Its registers, TLB and decoded code lie in RAM's reserved frames (layout.ts), where the generated
 * interpreter and compiled regions of hot code work on them. The hart fills the TLB from the page table that
 * it has been told to `enter`; what it cannot translate is a page fault, and its user's to resolve.
 *
 *      stopped → run → stopped: the budget is spent, or the instruction at pc asks for something
 *
 * At every stop the registers and pc are exact: all instructions before pc have run whole, and the one at
 * pc has changed nothing.
 */
import {
  type FrameNumber,
  frameOf,
  frameStart,
  hex,
  InvalidArgument,
  NO_FRAME,
  PAGE_SIZE,
  physAddr,
  type PhysicalMemory,
  Usage,
  type Vpn,
  vpn,
} from '../frame/index.js';
import {
  type Access,
  ACCESSES,
  type Sv39PageTable,
  type Tlb,
  TLB_START,
  TLB_TAG_SHIFT,
} from '../paging/index.js';
import { Accesses } from './accesses.js';
import { CodeCache } from './code-cache.js';
import type { Compilation } from './compiler/compiled-code.js';
import { Compiler } from './compiler/compiler.js';
import { type HartOptions, hartSettings } from './hart-options.js';
import { instantiateFloatFunctions } from './float/index.js';
import {
  AGAIN,
  INTERRUPTED,
  type InterpreterExports,
  type InterpreterImports,
  PAGE_FAULT,
  type Stop,
  STOPS,
} from './interpreter-border.js';
import type { InterpreterOptions } from './interpreter-code.js';
import { generateInterpreter } from './interpreter.js';
import {
  BUDGET_LEFT,
  CONTEXT_END,
  FCSR,
  FLOAT_REGISTERS,
  hartBytes,
  KEY_EXECUTE,
  KEY_READ,
  KEY_WRITE,
  PC,
  REGISTERS,
  RESERVATION,
} from './layout.js';

/** The most instructions that one call of `run` may be given: some tens of milliseconds. */
export const MAX_BUDGET = 10_000_000;

/**
 * Instructions that WebAssembly runs at a time. Between slices hot code is compiled, and code that V8 has compiled better
 * meanwhile is taken.
 */
const SLICE = 1_000_000;

/** Floating-point operations of a slice that JavaScript may do, some microseconds each: beyond it slices are short for a while. */
const MOST_SOFT_OPERATIONS = 2000;
const SHORT_SLICE = 4000;

/**
 * Frames that one call of `run` may bring into the code cache: each costs the host as much as some thousand
 * instructions, which the budget does not see.
 */
const MOST_REFILLS = 16;

/**
 * Instructions that one call of `run` may decode, for the same reason: code that is written again and again is decoded
 * each time that it runs.
 */
const MOST_DECODED = 4096;

/** Bytes that `saveContext` needs: x0 … x31, the discard slot, pc, f0 … f31 and fcsr. */
export const CONTEXT_BYTES = CONTEXT_END - REGISTERS;
/** Where pc is among them. */
export const PC_IN_CONTEXT = PC - REGISTERS;

/** What could not be translated. `page` is the whole 64-bit address shifted right by 12, not only Sv39's part. */
export interface PageFault {
  readonly access: Access;
  readonly page: Vpn;
  /** The byte of the page, 0 … 4095. */
  readonly offset: number;
}

/**
 * Looks after a page fault while the hart is running, so that it need not stop. All is as at a stop but for pc, which
 * is not up to date, and the hart is not to be used but for what it tells of the run.
 * @returns 0 where the access cannot be made: the hart stops with 'page-fault'. Else what it has cost, in instructions,
 *   1 or more: that is taken from the run's budget, and the instruction begins again if any of that is left.
 */
export type FaultResolver = (page: Vpn, access: Access) => number;

/** Made at first use, and the same for every hart. */
const interpreterModules = new Map<string, WebAssembly.Module>();

const interpreterModule = (options: InterpreterOptions): WebAssembly.Module => {
  const name = `${options.hits} ${options.compiles}`;
  const known = interpreterModules.get(name);
  if (known !== undefined) return known;
  const made = new WebAssembly.Module(generateInterpreter(options));
  interpreterModules.set(name, made);
  return made;
};

export class Hart {
  /** x0 … x31. Only harmless to change while the hart is stopped; x0 stays 0 whatever is written. */
  readonly registers: BigUint64Array;
  /** f0 … f31, as bits. */
  readonly floatRegisters: BigUint64Array;
  readonly #memory: PhysicalMemory;
  readonly #tlb: Tlb;
  readonly #codeCache: CodeCache;
  readonly #accesses: Accesses;
  /** undefined where nothing is compiled. */
  readonly #compiler: Compiler | undefined;
  readonly #run: InterpreterExports['run'];
  #table: Sv39PageTable | undefined;
  #lastBudget = 0;
  /** What of the budget is for later slices. */
  #beyond = 0;
  /** What of the budget resolved faults have cost. */
  #charged = 0;
  #refills = 0;
  #decoded = 0;
  /** Floating-point operations that JavaScript has done. */
  #softOperations = 0;
  #sliceLength = SLICE;
  #resolver: FaultResolver | undefined;
  /** What the resolver has thrown: it goes to who called `run`, once the hart has stopped. */
  #thrown: { readonly error: unknown } | undefined;
  readonly #fault = { access: 'read' as Access, page: vpn(0), offset: 0 };

  /** The number of reserved bytes that a hart needs at the bottom of RAM. */
  static reservedBytes(options: HartOptions = {}): number {
    return hartBytes(hartSettings(options).codeSlots);
  }

  /**
   * @param memory RAM whose first `Hart.reservedBytes` are reserved. One hart a RAM.
   * @param tlb a TLB that starts at TLB_START.
   * @throws InvalidArgument where either is not so.
   */
  constructor(memory: PhysicalMemory, tlb: Tlb, options: HartOptions = {}) {
    const { codeSlots, checking, jit, jitThreshold, jitBytes } = hartSettings(options);
    const lastByte = physAddr(hartBytes(codeSlots) - 1);
    if (memory.usage(frameOf(lastByte)) !== Usage.Reserved || tlb.start !== TLB_START) {
      throw new InvalidArgument(
        `a hart needs the TLB at ${hex(TLB_START)} and RAM reserved to ${hex(lastByte)}`,
      );
    }
    this.#memory = memory;
    this.#tlb = tlb;
    this.#codeCache = new CodeCache(memory, tlb, codeSlots);
    this.#accesses = new Accesses(
      memory,
      tlb,
      () => this.#enteredTable(),
      (access, page, offset) => this.#answerFault(access, page, offset),
    );
    const hits = checking === 'on' ? 'checked' : 'trusted';
    if (jit !== 'off') {
      this.#compiler = new Compiler(
        memory,
        this.#codeCache,
        (page) => this.#enteredTable().lookUp(page, 'execute'),
        {
          hotJumps: jit === 'eager' ? 0 : jitThreshold,
          hits,
          mostBytes: jitBytes,
        },
      );
    }
    this.registers = memory.doublewords.subarray(REGISTERS >>> 3, (REGISTERS >>> 3) + 32);
    this.floatRegisters = memory.doublewords.subarray(FLOAT_REGISTERS >>> 3, (FLOAT_REGISTERS >>> 3) + 32);
    this.clearReservation();
    const imports: InterpreterImports = {
      readMiss: (low, high, width) => this.#accesses.readMiss(pageOf(low, high), low, width),
      writeMiss: (low, high, width) => this.#accesses.writeMiss(pageOf(low, high), low, width),
      writeDone: () => this.#accesses.writeDone(),
      fetchMiss: (low, high) => this.#fetchMiss(low, high),
      decode: (record) => this.#decode(record),
      decodeCrossing: (low, high) => this.#decodeCrossing(low, high),
      hot: (record, low, high) => this.#compiler!.jumpedTo(record, pageOf(low, high)),
      checkHit: (access, low, high, host) =>
        this.#checkHit(ACCESSES[access]!, pageOf(low, high), low, host >>> 0),
    };
    const float = instantiateFloatFunctions(memory.memory, () => this.#softOperations++);
    const module = interpreterModule({ hits, compiles: jit === 'off' ? 'never' : 'hot' });
    const instance = new WebAssembly.Instance(module, {
      ram: { memory: memory.memory },
      float,
      hart: { ...imports, regions: this.#codeCache.compiled.table },
    });
    this.#run = (instance.exports as unknown as InterpreterExports).run;
    this.#compiler?.connect({ float, checkHit: imports.checkHit });
  }

  get pc(): bigint {
    return this.#memory.doublewords[PC >>> 3]!;
  }

  set pc(address: bigint) {
    this.#memory.doublewords[PC >>> 3] = address;
  }

  /** The floating-point control and status register: rounding mode and flags (float/fcsr.ts). */
  get fcsr(): number {
    return this.#memory.words[FCSR >>> 2]!;
  }

  set fcsr(value: number) {
    this.#memory.words[FCSR >>> 2] = value & 0xff;
  }

  /** A register as a number: exact below 2^53, and at least 2^53 for all above. */
  registerAsNumber(register: number): number {
    const word = (REGISTERS >>> 2) + register * 2;
    return this.#memory.words[word + 1]! * 2 ** 32 + this.#memory.words[word]!;
  }

  /** A register as a signed number: exact between -2^53 and 2^53, and beyond them of the right sign. */
  registerAsSigned(register: number): number {
    const word = (REGISTERS >>> 2) + register * 2;
    return (this.#memory.words[word + 1]! | 0) * 2 ** 32 + this.#memory.words[word]!;
  }

  /** The low 32 bits of a register, signed: a C `int`. */
  registerAsInt(register: number): number {
    return this.#memory.words[(REGISTERS >>> 2) + register * 2]! | 0;
  }

  /** What the last page fault was about. Good until the next `run`. */
  get fault(): PageFault {
    return this.#fault;
  }

  /** Instructions that the last `run` ran, or has run so far. A system call counts; an instruction that faulted does not. */
  get retired(): number {
    return this.#lastBudget - this.#charged - this.#beyond - this.#memory.words[BUDGET_LEFT >>> 2]!;
  }

  /** Frames that the last `run` brought into the code cache. */
  get refills(): number {
    return this.#refills;
  }

  /** Instructions that it decoded, some of them more than once. */
  get decoded(): number {
    return this.#decoded;
  }

  /** What has been compiled, and what became of it. */
  get compilation(): Compilation {
    const { regions, modules, sizeBytes, thrownAway } = this.#codeCache.compiled;
    const compiled = this.#compiler?.compiled ?? { regions: 0, modules: 0, bytes: 0 };
    return {
      compiledRegions: compiled.regions,
      compiledModules: compiled.modules,
      compiledBytes: compiled.bytes,
      keptRegions: regions,
      keptModules: modules,
      keptBytes: sizeBytes,
      thrownAway: { ...thrownAway },
    };
  }

  /** Runs in another address space from now on. An LR of before is forgotten. */
  enter(table: Sv39PageTable): void {
    this.#table = table;
    this.clearReservation();
  }

  /** Makes the next store-conditional fail, as another hart's write to the address would. */
  clearReservation(): void {
    this.#memory.doublewords[RESERVATION >>> 3] = 0xffff_ffff_ffff_ffffn;
  }

  /** Copies the registers, pc and fcsr out, CONTEXT_BYTES of them. */
  saveContext(target: Uint8Array): void {
    target.set(this.#memory.bytes.subarray(REGISTERS, REGISTERS + CONTEXT_BYTES));
  }

  loadContext(source: Uint8Array): void {
    this.#memory.bytes.set(source, REGISTERS);
  }

  /** Makes all registers, pc and fcsr zero, as a program finds them: rounding to nearest, no flag set. */
  clearContext(): void {
    this.#memory.bytes.fill(0, REGISTERS, REGISTERS + CONTEXT_BYTES);
  }

  /**
   * Runs until something stops it, and at most `budget` instructions.
   * @param budget 0 … MAX_BUDGET.
   * @param resolver is asked at a page fault, before it is one. What it throws is thrown here.
   * @returns why it stopped. After a system call or a breakpoint pc is still at the instruction. It is
   *   'interrupted', with some of the budget left, where the code cache has been refilled so often, so much has been
   *   decoded (`refills`, `decoded`), or so much floating point done in software, that the caller may want to look
   *   at its clock.
   * @throws InvalidArgument where the budget is out of range or the hart is in no address space.
   */
  run(budget: number, resolver?: FaultResolver): Stop {
    if (!Number.isInteger(budget) || budget < 0 || budget > MAX_BUDGET) {
      throw new InvalidArgument(
        `a budget of ${budget} instructions: give a whole number from 0 to ${MAX_BUDGET}`,
      );
    }
    this.#takeKeys();
    // x0 is never written by instructions, but is by anyone who holds `registers`.
    this.registers[0] = 0n;
    this.#lastBudget = budget;
    this.#charged = 0;
    this.#refills = 0;
    this.#decoded = 0;
    this.#resolver = resolver;
    this.#beyond = budget;
    let stop: Stop;
    do {
      const slice = Math.min(this.#beyond, this.#sliceLength);
      const softOperations = this.#softOperations;
      this.#beyond -= slice;
      stop = STOPS[this.#run(slice)]!;
      // The resolver may have closed the space.
      if (this.#isEntered) this.#compiler?.afterSlice(slice - this.#memory.words[BUDGET_LEFT >>> 2]!);
      if (this.#softOperations - softOperations > MOST_SOFT_OPERATIONS) {
        this.#sliceLength = SHORT_SLICE;
        if (stop === 'budget' && this.#beyond > 0) stop = 'interrupted';
      } else {
        this.#sliceLength = Math.min(this.#sliceLength * 2, SLICE);
      }
    } while (stop === 'budget' && this.#beyond > 0);
    this.#resolver = undefined;
    if (this.#thrown !== undefined) this.#throwAgain();
    return stop;
  }

  /** @returns a line for each thing that is wrong with the decoded code. */
  audit(): string[] {
    return this.#codeCache.audit();
  }

  get #isEntered(): boolean {
    return this.#table !== undefined && this.#table.root !== NO_FRAME;
  }

  #enteredTable(): Sv39PageTable {
    // A closed table's root is frame 0: the walk would take the guest's registers for entries.
    if (!this.#isEntered) {
      throw new InvalidArgument('the hart is in no address space: none was entered, or it has been closed');
    }
    return this.#table!;
  }

  /** Lets the interpreter find what the TLB has of the entered space. */
  #takeKeys(): void {
    const context = this.#enteredTable().tlbContext;
    this.#tlb.activate(context);
    const { tags } = context;
    const { words } = this.#memory;
    words[KEY_READ >>> 2] = tags.read << TLB_TAG_SHIFT;
    words[KEY_WRITE >>> 2] = tags.write << TLB_TAG_SHIFT;
    words[KEY_EXECUTE >>> 2] = tags.execute << TLB_TAG_SHIFT;
  }

  #throwAgain(): never {
    const { error } = this.#thrown!;
    this.#thrown = undefined;
    throw error;
  }

  #fetchMiss(low: number, high: number): number {
    const page = pageOf(low, high);
    const frame = this.#translate('execute', page);
    if (frame === NO_FRAME) return this.#answerFault('execute', page, low & (PAGE_SIZE - 1));
    if (this.#codeCache.slotOf(frame) === undefined && ++this.#refills > MOST_REFILLS) return INTERRUPTED;
    const records = this.#codeCache.slotFor(frame);
    this.#tlb.install(this.#enteredTable().tlbContext, 'execute', page, frame, records);
    return records;
  }

  #decode(record: number): typeof AGAIN | typeof INTERRUPTED {
    if (this.#decoded === MOST_DECODED) return INTERRUPTED;
    this.#decoded++;
    this.#codeCache.decodeAt(record);
    return AGAIN;
  }

  #decodeCrossing(low: number, high: number): number {
    const page = pageOf(low, high);
    const first = this.#translate('execute', page);
    if (first === NO_FRAME) return this.#answerFault('execute', page, low & (PAGE_SIZE - 1));
    const second = this.#translate('execute', vpn(page + 1));
    if (second === NO_FRAME) return this.#answerFault('execute', vpn(page + 1), 0);
    if (this.#decoded === MOST_DECODED) return INTERRUPTED;
    this.#decoded++;
    const records = this.#codeCache.slotOf(second);
    // So that it need not be asked for again.
    if (records !== undefined)
      this.#tlb.install(this.#enteredTable().tlbContext, 'execute', vpn(page + 1), second, records);
    return this.#codeCache.decodeCrossing(first, second);
  }

  /** The sanitizer: what the TLB grants must be what the page table grants now, and a write must not go by the code cache. */
  #checkHit(access: Access, page: Vpn, low: number, host: number): void {
    const frame = this.#enteredTable().lookUp(page, access);
    const expected =
      access === 'execute' ? this.#codeCache.slotOf(frame) : frameStart(frame) + (low & (PAGE_SIZE - 1));
    const bypassesWatch = access === 'write' && frame !== NO_FRAME && this.#memory.isWatched(frame);
    if (frame !== NO_FRAME && host === expected && !bypassesWatch) return;
    throw new Error(
      `the TLB lets page ${hex(page)} ${access} at ${hex(host)}; the page table says ` +
        `${frame === NO_FRAME ? 'that it faults' : `frame ${hex(frame)}`}${bypassesWatch ? ', which is watched' : ''}`,
    );
  }

  #translate(access: Access, page: Vpn): FrameNumber {
    return this.#enteredTable().translate(page, access);
  }

  /** What becomes of a page fault: AGAIN where the resolver has seen to it, else PAGE_FAULT, with its details. */
  #answerFault(access: Access, page: Vpn, offset: number): typeof AGAIN | typeof PAGE_FAULT {
    const cost = this.#askResolver(page, access);
    if (cost === 0) {
      this.#fault.access = access;
      this.#fault.page = page;
      this.#fault.offset = offset;
      return PAGE_FAULT;
    }
    // Whatever was done for it may have forgotten all that the TLB had of this space.
    this.#takeKeys();
    const { words } = this.#memory;
    const left = words[BUDGET_LEFT >>> 2]!;
    if (cost >= left) {
      // The rest of it is the next slice's to pay.
      const rest = Math.min(cost - left, this.#beyond);
      words[BUDGET_LEFT >>> 2] = 0;
      this.#beyond -= rest;
      this.#charged += left + rest;
      return AGAIN;
    }
    words[BUDGET_LEFT >>> 2] = left - cost;
    this.#charged += cost;
    if (access === 'write') this.#installWrite(page);
    return AGAIN;
  }

  #askResolver(page: Vpn, access: Access): number {
    if (this.#resolver === undefined) return 0;
    try {
      return this.#resolver(page, access);
    } catch (error) {
      // It may not leave through the interpreter, which would lose pc.
      this.#thrown = { error };
      return 0;
    }
  }

  /** Saves the instruction that faulted, and is about to run, another miss. */
  #installWrite(page: Vpn): void {
    const frame = this.#enteredTable().writableFrame(page);
    if (frame === NO_FRAME || this.#memory.isWatched(frame)) return;
    this.#tlb.install(this.#enteredTable().tlbContext, 'write', page, frame);
  }
}

/** The page of a 64-bit address given as two words, which WebAssembly passes as signed. */
const pageOf = (low: number, high: number): Vpn => vpn((high >>> 0) * 2 ** 20 + (low >>> 12));
