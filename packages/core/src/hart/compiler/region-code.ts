/**
 * The variables of a region's function, and the ways out of it.
 *
 *      block done
 *        block interpreted
 *          block at              the blocks of the region (region-writer.ts)
 *          end                   go on at the relative address `relative`
 *          target = base + relative; go to done
 *        end                     the interpreter is to do the instruction at `relative`
 *        target = base + relative; result = INTERPRET
 *      end                       at the address `target`
 *      pc and budget to RAM; return `result`
 *
 * A register that a block has written is in RAM when the block ends, so that every way out between blocks is short; what is
 * left to do on the ways out of its middle is known there. In a small loop that holds for the loop instead of its blocks. Locals
 * have all registers that the region uses, as in RAM or newer.
 */
import { SINGLE, SINGLE_BOX } from '../float/index.js';
import { BUDGET_LEFT, FLOAT_REGISTERS, PC, REGISTER_BYTES, REGISTERS } from '../layout.js';
import type { CodeBuilder, Label, Local } from '../wasm/index.js';
import { GO_ON, INTERPRET } from './region-border.js';
import { pageKey, type SmallLoop } from './small-loops.js';

/** What never equals a page's address, whatever low bits it is compared with beside. */
const NO_PAGE = 0x800;

/** A page that the TLB has granted to the region (small-loops.ts). */
export interface RememberedPage {
  /** i64: its address, or NO_PAGE. */
  readonly page: Local;
  /** i32: what the TLB has as the addend. */
  readonly addend: Local;
}

export class RegionCode {
  readonly code: CodeBuilder;
  /** Instructions that may still run, those of the block that runs taken off. */
  readonly budget: Local;
  /** The address of the root's page. */
  readonly base: Local;
  /** The number of a block to go to through the heads of loops; 0 where the first in line is meant. */
  readonly number: Local;
  /** The pages that are known to be mapped as they were when the region was compiled: a bit each. */
  readonly pages: Local;
  readonly target: Local;
  readonly relative: Local;
  readonly result: Local;
  readonly host: Local;
  readonly line: Local;
  readonly address: Local;
  readonly scratch: readonly Local[];
  readonly floatScratch: readonly Local[];
  readonly singleScratch: readonly Local[];
  /** f64: their bits. */
  readonly #floats: ReadonlyMap<number, Local>;
  /** f32: what f registers hold that the block which is being written has written as singles. */
  readonly #singles = new Map<number, Local>();
  readonly #knownSingles = new Set<number>();
  readonly #pages: RememberedPage[] = [];
  readonly #proofs: (Local | undefined)[] = [];
  readonly #registers: ReadonlyMap<number, Local>;
  /** Registers that the block has changed, and not yet put into RAM. */
  readonly #changed = new Set<number>();
  readonly #changedFloats = new Set<number>();
  /** The small loop that the block is in which is being written. */
  loop: SmallLoop | undefined;
  #done!: Label;
  #interpreted!: Label;
  #at!: Label;

  /**
   * @param code of a function (budget i32, address of the entered page i64, entry word i32) → i32.
   * @param used x registers that it reads or writes. @param floats f registers.
   */
  constructor(code: CodeBuilder, used: Iterable<number>, floats: Iterable<number>) {
    this.code = code;
    this.budget = code.parameter(0);
    this.base = code.parameter(1);
    this.number = code.parameter(2);
    this.pages = code.local('i32');
    this.relative = code.local('i32');
    this.result = code.local('i32');
    this.host = code.local('i32');
    this.line = code.local('i32');
    this.target = code.local('i64');
    this.address = code.local('i64');
    this.scratch = [code.local('i64'), code.local('i64'), code.local('i64'), code.local('i64')];
    this.floatScratch = [code.local('f64'), code.local('f64')];
    this.singleScratch = [code.local('f32'), code.local('f32')];
    this.#registers = new Map([...used].map((register) => [register, code.local('i64')]));
    this.#floats = new Map([...floats].map((register) => [register, code.local('f64')]));
  }

  /** Begins a small loop, before its head: it knows no pages yet. */
  enterLoop({ pages }: SmallLoop): void {
    for (const n of pages.keys()) {
      this.code.i64(NO_PAGE);
      this.code.set(this.#rememberedPage(n).page);
    }
  }

  /** The page that accesses of that kind by that base register remember; undefined where they remember none. */
  remembered(access: 'read' | 'write', base: number): RememberedPage | undefined {
    const n = this.loop?.pages.indexOf(pageKey(access, base)) ?? -1;
    return n < 0 ? undefined : this.#rememberedPage(n);
  }

  /** Loops share them. */
  #rememberedPage(n: number): RememberedPage {
    return (this.#pages[n] ??= { page: this.code.local('i64'), addend: this.code.local('i32') });
  }

  /** The n-th of the locals that say where proven accesses lie. Blocks share them: each local slows V8's first compiler down. */
  proofLocal(n: number): Local {
    const known = this.#proofs[n];
    if (known !== undefined) return known;
    const local = this.code.local('i32');
    this.#proofs[n] = local;
    return local;
  }

  /** Opens the blocks of the ways out, and fetches the registers. */
  begin(): void {
    const { code } = this;
    this.#done = code.block();
    this.#interpreted = code.block();
    this.#at = code.block();
    for (const [register, local] of this.#registers) {
      code.i32(0);
      code.memory('i64.load', REGISTERS + register * REGISTER_BYTES);
      code.set(local);
    }
    for (const [register, local] of this.#floats) {
      code.i32(0);
      code.memory('f64.load', FLOAT_REGISTERS + register * REGISTER_BYTES);
      code.set(local);
    }
  }

  /** Closes the function. What stands before does not fall through. */
  finish(): void {
    const { code } = this;
    code.op('unreachable');
    code.end();
    this.#setTarget();
    code.br(this.#done);
    code.end();
    this.#setTarget();
    code.i32(INTERPRET);
    code.set(this.result);
    code.end();
    code.i32(0);
    code.get(this.target);
    code.memory('i64.store', PC);
    code.i32(0);
    code.get(this.budget);
    code.memory('i32.store', BUDGET_LEFT);
    code.get(this.result);
  }

  /** Goes on outside, at a relative address. For the end of a block. */
  leaveAt(relative: number): void {
    this.leaveLoop();
    this.#setRelative(relative);
    this.code.br(this.#at);
  }

  /** Goes on outside, at the address in `target`. For the end of a block. */
  leaveToTarget(): void {
    this.code.br(this.#done);
  }

  /**
   * Has the interpreter do the instruction at a relative address.
   * @param undone instructions of the block that is being written which have not run, this one among them.
   */
  interpret(relative: number, undone: number): void {
    const { code } = this;
    this.#storeChanged();
    code.get(this.budget);
    code.i32(undone);
    code.op('i32.add');
    code.set(this.budget);
    this.#setRelative(relative);
    code.br(this.#interpreted);
  }

  pushRegister(register: number): void {
    if (register === 0) this.code.i64(0);
    else this.code.get(this.#registers.get(register)!);
  }

  /** Writes what `value` pushes. */
  setRegister(register: number, value: () => void): void {
    value();
    if (register === 0) {
      this.code.op('drop');
      return;
    }
    this.code.set(this.#registers.get(register)!);
    this.#changed.add(register);
  }

  pushFloat(register: number): void {
    this.code.get(this.#floats.get(register)!);
  }

  pushFloatBits(register: number): void {
    this.pushFloat(register);
    this.code.op('i64.reinterpret_f64');
  }

  /** Pushes an f register as a single. */
  pushSingle(register: number): void {
    const { code } = this;
    if (this.#knownSingles.has(register)) {
      code.get(this.#singles.get(register)!);
      return;
    }
    this.pushFloatBits(register);
    code.i64(SINGLE_BOX);
    code.op('i64.ge_u');
    code.if('i32');
    this.pushFloatBits(register);
    code.op('i32.wrap_i64');
    code.else();
    code.i32(Number(SINGLE.canonicalNan));
    code.end();
    code.op('f32.reinterpret_i32');
  }

  /** Writes what `value` pushes: an f64. */
  setFloat(register: number, value: () => void): void {
    value();
    this.code.set(this.#floats.get(register)!);
    this.#changedFloats.add(register);
    this.#knownSingles.delete(register);
  }

  /** Writes the f32 that `value` pushes, with ones above it. */
  setSingle(register: number, value: () => void): void {
    const { code } = this;
    let single = this.#singles.get(register);
    if (single === undefined) this.#singles.set(register, (single = code.local('f32')));
    this.setFloat(register, () => {
      value();
      code.tee(single);
      code.op('i32.reinterpret_f32', 'i64.extend_i32_u');
      code.i64(SINGLE_BOX);
      code.op('i64.or', 'f64.reinterpret_i64');
    });
    this.#knownSingles.add(register);
  }

  /** Puts into RAM what the block has changed and its loop does not hold back. Before its end, where all of its code comes by. */
  putBack(): void {
    if (this.loop === undefined) this.#storeChanged();
    this.#changed.clear();
    this.#changedFloats.clear();
    this.#knownSingles.clear();
  }

  /** Pushes the address of a relative address. */
  pushAddress(relative: number): void {
    this.code.get(this.base);
    this.code.i64(relative);
    this.code.op('i64.add');
  }

  /** Puts into RAM what the loop holds back, if the block is in one. Where it is left. */
  leaveLoop(): void {
    if (this.loop !== undefined) this.#store(this.loop.written, this.loop.writtenFloats);
  }

  /** A loop's registers are in locals, changed or not: it holds all of them back. */
  #storeChanged(): void {
    if (this.loop === undefined) this.#store(this.#changed, this.#changedFloats);
    else this.leaveLoop();
  }

  #store(registers: Iterable<number>, floats: Iterable<number>): void {
    const { code } = this;
    for (const register of registers) {
      code.i32(0);
      code.get(this.#registers.get(register)!);
      code.memory('i64.store', REGISTERS + register * REGISTER_BYTES);
    }
    for (const register of floats) {
      code.i32(0);
      this.pushFloat(register);
      code.memory('f64.store', FLOAT_REGISTERS + register * REGISTER_BYTES);
    }
  }

  #setRelative(relative: number): void {
    this.code.i32(relative);
    this.code.set(this.relative);
  }

  #setTarget(): void {
    const { code } = this;
    code.get(this.base);
    code.get(this.relative);
    code.op('i64.extend_i32_s', 'i64.add');
    code.set(this.target);
  }
}

// The result is GO_ON where nothing has been written to it.
if (GO_ON !== 0) throw new Error('GO_ON must be what a local is at first');
