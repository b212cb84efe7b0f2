/**
 * The pieces of code that the interpreter and its instructions are put together from: where pc is, how a run stops, how an
 * address is translated.
 */
import { type Access, TLB_ADDEND } from '../paging/index.js';
import type { Width } from './instructions/index.js';
import { AGAIN, type Imported, type Stop, stopCode } from './interpreter-border.js';
import { InterpreterLocals } from './interpreter-locals.js';
import { ASKING_MASK, BUDGET_LEFT, RECORD_JUMPS, RECORD_SHIFT } from './layout.js';
import { pushCheckHit, pushKeyMatches, pushLine, pushWords } from './tlb-code.js';
import type { CodeBuilder, FunctionIndex, Label, Local } from './wasm/index.js';

/** Where code of the interpreter goes on. */
export interface InterpreterLabels {
  /** Out of the run, with `stop` set. */
  readonly exit: Label;
  /** At the address in `target`. */
  readonly jump: Label;
  /** With the answer in `host` to what the hart was asked for. */
  readonly missed: Label;
  /** At `record`. */
  readonly next: Label;
}

export interface InterpreterOptions {
  /** 'checked' calls `checkHit` at every hit of the TLB, which makes it some ten times slower. */
  readonly hits: 'trusted' | 'checked';
  /** Whether it counts jumps, and runs compiled regions. */
  readonly compiles: 'hot' | 'never';
}

/** Functions (address i64, width i32, budget i32) → the byte in RAM, or an answer. */
export type TranslateFunctions = Readonly<Record<'translateRead' | 'translateWrite', FunctionIndex>>;

export class InterpreterCode {
  readonly code: CodeBuilder;
  readonly imports: Imported;
  readonly locals: InterpreterLocals;
  readonly #functions: TranslateFunctions;
  readonly #options: InterpreterOptions;

  constructor(
    code: CodeBuilder,
    imports: Imported,
    functions: TranslateFunctions,
    options: InterpreterOptions,
  ) {
    this.code = code;
    this.imports = imports;
    this.locals = new InterpreterLocals(code);
    this.#functions = functions;
    this.#options = options;
  }

  /** Stops before the instruction at `target`, which has not run. */
  leave(stop: Stop, exit: Label): void {
    this.addToBudget(1);
    this.stop(stop, exit);
  }

  /** Stops before, or for a system call at, the instruction at `record`. */
  stopAtPc(stop: Stop, exit: Label): void {
    this.pushPc();
    this.code.set(this.locals.target);
    this.stop(stop, exit);
  }

  /** Stops with pc at `target`. */
  stop(stop: Stop, exit: Label): void {
    this.code.i32(stopCode(stop));
    this.code.set(this.locals.stop);
    this.code.br(exit);
  }

  addToBudget(change: number): void {
    this.code.get(this.locals.budget);
    this.code.i32(change);
    this.code.op('i32.add');
    this.code.set(this.locals.budget);
  }

  /** Pushes the address of the instruction at `record`. */
  pushPc(): void {
    const code = this.code;
    code.get(this.locals.pageAddress);
    code.get(this.locals.record);
    code.get(this.locals.pageRecords);
    code.op('i32.sub');
    code.i32(RECORD_SHIFT);
    code.op('i32.shr_u', 'i64.extend_i32_u', 'i64.add');
  }

  /** Sets `host` to the byte in RAM of `address`, or goes to `missed`. */
  translate(access: 'read' | 'write', width: Width, missed: Label): void {
    const code = this.code;
    pushLine(code, access, this.locals.address);
    code.set(this.locals.line);
    pushKeyMatches(code, access, this.locals.line, this.locals.address, width);
    code.if();
    code.get(this.locals.address);
    code.op('i32.wrap_i64');
    code.get(this.locals.line);
    code.memory('i32.load', TLB_ADDEND);
    code.op('i32.add');
    code.set(this.locals.host);
    this.checkHit(access, this.locals.address, this.locals.host);
    code.else();
    this.pushPc();
    code.set(this.locals.target);
    code.get(this.locals.address);
    code.i32(width);
    code.get(this.locals.budget);
    code.i32(1);
    code.op('i32.add');
    code.call(access === 'read' ? this.#functions.translateRead : this.#functions.translateWrite);
    this.#takeAnswer(missed);
    code.end();
  }

  /**
   * Calls out for what the TLB does not know. `host` is an address then; where it is an answer the way leads to `missed`.
   * @param undone 1 where the instruction at `target` has been taken from the budget already. @param push the arguments.
   */
  callOut(miss: FunctionIndex, undone: 0 | 1, missed: Label, push: () => void): void {
    const code = this.code;
    code.i32(0);
    code.get(this.locals.budget);
    code.i32(undone);
    code.op('i32.add');
    code.memory('i32.store', BUDGET_LEFT);
    push();
    code.call(miss);
    this.#takeAnswer(missed);
  }

  /** Counts a jump to the instruction at `record`. */
  countJump(): void {
    if (this.#options.compiles === 'never') return;
    const { code, locals } = this;
    code.get(locals.record);
    code.get(locals.record);
    code.memory('i32.load16_u', RECORD_JUMPS);
    code.tee(locals.line);
    code.i32(1);
    code.op('i32.add');
    code.memory('i32.store16', RECORD_JUMPS);
    code.get(locals.line);
    code.i32(0);
    code.memory('i32.load', ASKING_MASK);
    code.op('i32.and', 'i32.eqz');
    code.if();
    code.get(locals.record);
    pushWords(code, locals.pageAddress);
    code.call(this.imports.hot);
    code.end();
  }

  /** Takes an address or an answer off the stack. */
  #takeAnswer(missed: Label): void {
    const { code } = this;
    code.tee(this.locals.host);
    code.i32(AGAIN);
    code.op('i32.le_u');
    code.brIf(missed);
  }

  /** Has a hit of the TLB compared with the page table, in a hart that is checking. */
  checkHit(access: Access, address: Local, host: Local): void {
    if (this.#options.hits === 'checked')
      pushCheckHit(this.code, this.imports.checkHit, access, address, host);
  }
}
