/**
 * Generates the interpreter: a WebAssembly module with one function, `run(budget) → stop code`, from the instruction table.
 *
 *      loop jump
 *        block missed
 *          find the page of `target` in the fetch TLB, and its decoded records
 *          loop next                 stop if the budget is spent; br_table on the record's handler
 *            handler of each instruction, which ends with the next record and goes to `next`,
 *            or with another `target` and goes to `jump`, or stops
 *        end                         what the hart could not translate: back to `jump` if it was resolved, else stop
 *
 * Within a page `record` is the program counter; pc is worked out from it where it is asked for. Registers are in RAM. A
 * load or store compares one TLB key, and calls out where it misses.
 */
import { PAGE_SIZE } from '../frame/index.js';
import { TLB_EXTRA } from '../paging/index.js';
import {
  HANDLER_COUNT,
  HANDLER_CROSSING,
  HANDLER_DECODE,
  HANDLER_ILLEGAL,
  HANDLER_NEXT_PAGE,
  INSTRUCTION_HANDLERS,
} from './handlers.js';
import { INSTRUCTIONS } from './instructions/index.js';
import { AGAIN, type Imported, stopCode } from './interpreter-border.js';
import { InterpreterCode, type InterpreterLabels } from './interpreter-code.js';
import { interpreterEmitter } from './interpreter-emitter.js';
import {
  BUDGET_LEFT,
  PAGE_RECORD_BYTES,
  PC,
  RECORD_BYTES,
  RECORD_HANDLER,
  RECORD_SHIFT,
  RECORDS_IN_PAGE,
} from './layout.js';
import { PAGE_MASK, pushKeyMatches, pushLine, pushWords } from './tlb-code.js';
import { type FunctionIndex, type Label, ModuleBuilder } from './wasm/index.js';

/** @param hits 'checked' calls `checkHit` at every hit of the TLB, which makes it some ten times slower. */
export const generateInterpreter = (hits: 'trusted' | 'checked'): Uint8Array<ArrayBuffer> => {
  const module = new ModuleBuilder();
  module.importMemory('ram', 'memory');
  const i32s = (count: number): 'i32'[] => Array.from({ length: count }, () => 'i32');
  const imported = (name: string, parameters: number, results: number): FunctionIndex =>
    module.importFunction('hart', name, { parameters: i32s(parameters), results: i32s(results) });
  const imports: Imported = {
    readMiss: imported('readMiss', 3, 1),
    writeMiss: imported('writeMiss', 3, 1),
    writeDone: imported('writeDone', 0, 0),
    fetchMiss: imported('fetchMiss', 2, 1),
    decode: imported('decode', 1, 1),
    decodeCrossing: imported('decodeCrossing', 2, 1),
    checkHit: imported('checkHit', 4, 0),
  };
  const code = module.function('run', { parameters: ['i32'], results: ['i32'] });
  new InterpreterWriter(new InterpreterCode(code, imports, hits === 'checked')).write();
  return module.toBytes();
};

class InterpreterWriter {
  readonly #state: InterpreterCode;

  constructor(state: InterpreterCode) {
    this.#state = state;
  }

  write(): void {
    const { code, locals } = this.#state;
    code.i32(0);
    code.memory('i64.load', PC);
    code.set(locals.target);
    const exit = code.block();
    const jump = code.loop();
    const missed = code.block();
    this.#findPage(missed);
    const next = code.loop();
    const labels = { exit, jump, missed, next };
    this.#spendBudget(exit);
    this.#dispatch(labels);
    code.end();
    code.end();
    this.#answerMiss(labels);
    code.end();
    code.end();
    code.i32(0);
    code.get(locals.target);
    code.memory('i64.store', PC);
    code.i32(0);
    code.get(locals.budget);
    code.memory('i32.store', BUDGET_LEFT);
    code.get(locals.stop);
  }

  /** Sets record, pageRecords, pageAddress and span for `target`. */
  #findPage(missed: Label): void {
    const { code, locals } = this.#state;
    code.get(locals.target);
    code.i64(PAGE_MASK);
    code.op('i64.and');
    code.set(locals.pageAddress);
    pushLine(code, 'execute', locals.target);
    code.set(locals.line);
    pushKeyMatches(code, 'execute', locals.line, locals.target, 1);
    code.if();
    code.get(locals.line);
    code.memory('i32.load', TLB_EXTRA);
    code.set(locals.pageRecords);
    this.#state.checkHit('execute', locals.target, locals.pageRecords);
    code.else();
    this.#state.callOut(this.#state.imports.fetchMiss, 0, missed, () => pushWords(code, locals.target));
    code.get(locals.host);
    code.set(locals.pageRecords);
    code.end();
    code.get(locals.pageRecords);
    code.get(locals.target);
    code.op('i32.wrap_i64');
    // Without the lowest bit: an odd pc, which only the hart's user can set, would lie between two records.
    code.i32(PAGE_SIZE - 2);
    code.op('i32.and');
    code.i32(RECORD_SHIFT);
    code.op('i32.shl', 'i32.add');
    code.set(locals.record);
    code.i32(PAGE_RECORD_BYTES);
    code.set(locals.span);
  }

  #spendBudget(exit: Label): void {
    const { code, locals } = this.#state;
    code.get(locals.budget);
    code.op('i32.eqz');
    code.if();
    this.#state.stopAtPc('budget', exit);
    code.end();
    this.#state.addToBudget(-1);
  }

  /** One block for each handler, innermost first: branching out of block h lands before handler h's code. */
  #dispatch(labels: InterpreterLabels): void {
    const { code, locals } = this.#state;
    const writers = this.#handlers(labels);
    const handlers = [...writers.keys()].toReversed();
    const blocks = new Map(handlers.map((handler) => [handler, code.block()]));
    const illegal = blocks.get(HANDLER_ILLEGAL)!;
    code.get(locals.record);
    code.memory('i32.load16_u', RECORD_HANDLER);
    code.brTable(
      Array.from({ length: HANDLER_COUNT }, (_, handler) => blocks.get(handler) ?? illegal),
      illegal,
    );
    for (const write of writers.values()) {
      code.end();
      write();
    }
  }

  /** What writes the code of each handler, in the order in which it is to stand. */
  #handlers(labels: InterpreterLabels): ReadonlyMap<number, () => void> {
    const { code, locals } = this.#state;
    const writers = new Map<number, () => void>();
    for (const { handler, instruction, sizeBytes } of INSTRUCTION_HANDLERS) {
      writers.set(handler, () => {
        INSTRUCTIONS[instruction]!.emit(interpreterEmitter(this.#state, sizeBytes, labels));
        code.get(locals.record);
        code.i32(sizeBytes << RECORD_SHIFT);
        code.op('i32.add');
        code.set(locals.record);
        code.br(labels.next);
      });
    }
    // These are no instructions: each gives back what it took from the budget.
    writers.set(HANDLER_DECODE, () => {
      this.#state.addToBudget(1);
      code.get(locals.record);
      code.call(this.#state.imports.decode);
      code.i32(AGAIN);
      code.op('i32.eq');
      code.brIf(labels.next);
      this.#state.stopAtPc('interrupted', labels.exit);
    });
    writers.set(HANDLER_NEXT_PAGE, () => {
      this.#state.addToBudget(1);
      this.#state.pushPc();
      code.set(locals.target);
      code.br(labels.jump);
    });
    writers.set(HANDLER_CROSSING, () => {
      this.#state.pushPc();
      code.set(locals.target);
      this.#state.callOut(this.#state.imports.decodeCrossing, 1, labels.missed, () =>
        pushWords(code, locals.target),
      );
      code.get(locals.host);
      code.set(locals.record);
      this.#state.addToBudget(1);
      // The crossing record stands for the last halfword of a page whose other records are not there.
      code.get(locals.record);
      code.i32((RECORDS_IN_PAGE - 1) * RECORD_BYTES);
      code.op('i32.sub');
      code.set(locals.pageRecords);
      code.i32(0);
      code.set(locals.span);
      code.br(labels.next);
    });
    writers.set(HANDLER_ILLEGAL, () => {
      this.#state.pushPc();
      code.set(locals.target);
      this.#state.leave('illegal-instruction', labels.exit);
    });
    return writers;
  }

  /** Does what `host` answers to a miss of the instruction at `target`, which has not run. */
  #answerMiss({ exit, jump }: Pick<InterpreterLabels, 'exit' | 'jump'>): void {
    const { code, locals } = this.#state;
    code.i32(0);
    code.memory('i32.load', BUDGET_LEFT);
    code.set(locals.budget);
    code.get(locals.host);
    code.i32(AGAIN);
    code.op('i32.eq');
    code.if();
    code.get(locals.budget);
    code.brIf(jump);
    this.#state.stop('budget', exit);
    code.end();
    code.i32(stopCode('interrupted'));
    code.i32(stopCode('page-fault'));
    // PAGE_FAULT is 0, INTERRUPTED is not.
    code.get(locals.host);
    code.op('select');
    code.set(locals.stop);
  }
}
