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
 * Where a region has been compiled, the record's handler runs it, and those that it leads to, until one leads to code that has
 * not been; or has an instruction interpreted, by the handler that the region's entry keeps (docs/decisions/0020).
 *
 * Within a page `record` is the program counter; pc is worked out from it where it is asked for. Registers are in RAM. A
 * load or store compares one TLB key, and calls out where it misses.
 */
import { PAGE_SIZE } from '../frame/index.js';
import { TLB_ADDEND, TLB_EXTRA } from '../paging/index.js';
import { REGION_SIGNATURE } from './compiler/region-border.js';
import { importFloatFunctions } from './float/index.js';
import {
  HANDLER_COMPILED,
  HANDLER_COUNT,
  HANDLER_CROSSING,
  HANDLER_DECODE,
  HANDLER_ILLEGAL,
  HANDLER_NEXT_PAGE,
  INSTRUCTION_HANDLERS,
} from './handlers.js';
import { INSTRUCTIONS } from './instructions/index.js';
import { AGAIN, type Imported, stopCode } from './interpreter-border.js';
import { InterpreterCode, type InterpreterLabels, type InterpreterOptions } from './interpreter-code.js';
import { interpreterEmitter } from './interpreter-emitter.js';
import {
  BUDGET_LEFT,
  ENTRIES_START,
  ENTRY_BYTES,
  ENTRY_FUNCTION,
  ENTRY_HANDLER,
  ENTRY_WORD,
  PAGE_RECORD_BYTES,
  PC,
  RECORD_BYTES,
  RECORD_ENTRY,
  RECORD_HANDLER,
  RECORD_SHIFT,
  RECORDS_IN_PAGE,
  SLOT_CROSSING,
  SLOT_SECOND,
} from './layout.js';
import { PAGE_MASK, pushCheckHit, pushKeyMatches, pushLine, pushWords } from './tlb-code.js';
import { type FunctionIndex, type Label, ModuleBuilder, type TypeIndex } from './wasm/index.js';

export const generateInterpreter = (options: InterpreterOptions): Uint8Array<ArrayBuffer> => {
  const module = new ModuleBuilder();
  module.importMemory('ram', 'memory');
  if (options.compiles === 'hot') module.importTable('hart', 'regions');
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
    hot: imported('hot', 3, 0),
    checkHit: imported('checkHit', 4, 0),
    float: importFloatFunctions(module),
  };
  const functions = {
    translateRead: writeTranslate(module, imports, 'read', options),
    translateWrite: writeTranslate(module, imports, 'write', options),
  };
  const code = module.function('run', { parameters: ['i32'], results: ['i32'] });
  const state = new InterpreterCode(code, imports, functions, options);
  new InterpreterWriter(
    state,
    options.compiles === 'hot' ? module.type(REGION_SIGNATURE) : undefined,
  ).write();
  return module.toBytes();
};

class InterpreterWriter {
  readonly #state: InterpreterCode;
  readonly #region: TypeIndex | undefined;

  /** @param region the type of compiled regions; undefined where there are none. */
  constructor(state: InterpreterCode, region: TypeIndex | undefined) {
    this.#state = state;
    this.#region = region;
  }

  write(): void {
    const { code, locals } = this.#state;
    code.i32(0);
    code.memory('i64.load', PC);
    code.set(locals.target);
    const exit = code.block();
    const jump = code.loop();
    const missed = code.block();
    // What is spent is spent before the next instruction is fetched.
    code.get(locals.budget);
    code.op('i32.eqz');
    code.if();
    this.#state.stop('budget', exit);
    code.end();
    this.#findPage(missed);
    this.#state.countJump();
    const next = code.loop();
    const labels = { exit, jump, missed, next };
    this.#spendBudget(exit);
    code.get(locals.record);
    code.memory('i32.load16_u', RECORD_HANDLER);
    code.set(locals.handler);
    const dispatch = code.loop();
    this.#dispatch(labels, dispatch);
    code.end();
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
    this.#setPageAddress();
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
    this.#pushRecord(() => code.get(locals.pageRecords));
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
  #dispatch(labels: InterpreterLabels, again: Label): void {
    const { code, locals } = this.#state;
    const writers = this.#handlers(labels, again);
    const handlers = [...writers.keys()].toReversed();
    const blocks = new Map(handlers.map((handler) => [handler, code.block()]));
    const illegal = blocks.get(HANDLER_ILLEGAL)!;
    code.get(locals.handler);
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
  #handlers(labels: InterpreterLabels, again: Label): ReadonlyMap<number, () => void> {
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
      this.#findCrossing(labels.missed);
      code.get(locals.host);
      code.set(locals.record);
      this.#state.addToBudget(1);
      // It stands for the last halfword of a page whose other records are not there.
      code.get(locals.record);
      code.i32((RECORDS_IN_PAGE - 1) * RECORD_BYTES);
      code.op('i32.sub');
      code.set(locals.pageRecords);
      code.i32(0);
      code.set(locals.span);
      code.br(labels.next);
    });
    const region = this.#region;
    if (region !== undefined) writers.set(HANDLER_COMPILED, () => this.#runRegion(region, labels, again));
    writers.set(HANDLER_ILLEGAL, () => {
      this.#state.pushPc();
      code.set(locals.target);
      this.#state.leave('illegal-instruction', labels.exit);
    });
    return writers;
  }

  /** Does what `host` answers to a miss of the instruction at `target`, which has not run. */
  #answerMiss({ jump }: Pick<InterpreterLabels, 'jump'>): void {
    const { code, locals } = this.#state;
    code.i32(0);
    code.memory('i32.load', BUDGET_LEFT);
    code.set(locals.budget);
    code.get(locals.host);
    code.i32(AGAIN);
    code.op('i32.eq');
    code.brIf(jump);
    code.i32(stopCode('interrupted'));
    code.i32(stopCode('page-fault'));
    // PAGE_FAULT is 0, INTERRUPTED is not.
    code.get(locals.host);
    code.op('select');
    code.set(locals.stop);
  }

  /** Sets `host` to the record of the instruction at `target`, which crosses into the next page. */
  #findCrossing(missed: Label): void {
    const { code, locals, imports } = this.#state;
    code.get(locals.target);
    code.i64(2);
    code.op('i64.add');
    code.set(locals.address);
    pushLine(code, 'execute', locals.address);
    code.set(locals.line);
    pushKeyMatches(code, 'execute', locals.line, locals.address, 1);
    code.get(locals.line);
    code.memory('i32.load', TLB_EXTRA);
    code.tee(locals.host);
    code.get(locals.pageRecords);
    code.memory('i32.load', SLOT_SECOND);
    code.op('i32.eq', 'i32.and');
    code.if();
    this.#state.checkHit('execute', locals.address, locals.host);
    code.get(locals.pageRecords);
    code.i32(SLOT_CROSSING);
    code.op('i32.add');
    code.set(locals.host);
    code.else();
    this.#state.callOut(imports.decodeCrossing, 1, missed, () => pushWords(code, locals.target));
    code.end();
  }

  /** Runs the region that may be entered at `record`, or only the instruction there. */
  #runRegion(region: TypeIndex, { jump }: InterpreterLabels, again: Label): void {
    const { code, locals } = this.#state;
    const setEntry = (): void => {
      code.get(locals.record);
      code.memory('i32.load16_u', RECORD_ENTRY);
      code.i32(Math.log2(ENTRY_BYTES));
      code.op('i32.shl');
      code.set(locals.line);
    };
    setEntry();
    code.get(locals.interprets);
    code.if();
    code.i32(0);
    code.set(locals.interprets);
    code.get(locals.line);
    code.memory('i32.load16_u', ENTRIES_START + ENTRY_HANDLER);
    code.set(locals.handler);
    code.br(again);
    code.end();
    this.#state.addToBudget(1);
    const chain = code.loop();
    code.get(locals.budget);
    code.get(locals.pageAddress);
    code.get(locals.line);
    code.memory('i32.load', ENTRIES_START + ENTRY_WORD);
    code.get(locals.line);
    code.memory('i32.load16_u', ENTRIES_START + ENTRY_FUNCTION);
    code.callIndirect(region);
    // GO_ON is 0, INTERPRET is not.
    code.set(locals.interprets);
    code.i32(0);
    code.memory('i64.load', PC);
    code.set(locals.target);
    code.i32(0);
    code.memory('i32.load', BUDGET_LEFT);
    code.set(locals.budget);
    code.get(locals.interprets);
    code.brIf(jump);
    // From one region to the next, where all is known: a region looks at the budget itself.
    pushLine(code, 'execute', locals.target);
    code.set(locals.line);
    pushKeyMatches(code, 'execute', locals.line, locals.target, 1);
    code.op('i32.eqz');
    code.brIf(jump);
    this.#pushRecord(() => {
      code.get(locals.line);
      code.memory('i32.load', TLB_EXTRA);
    });
    code.tee(locals.record);
    code.memory('i32.load16_u', RECORD_HANDLER);
    code.i32(HANDLER_COMPILED);
    code.op('i32.ne');
    code.brIf(jump);
    this.#setPageAddress();
    setEntry();
    code.br(chain);
    code.end();
  }

  #setPageAddress(): void {
    const { code, locals } = this.#state;
    code.get(locals.target);
    code.i64(PAGE_MASK);
    code.op('i64.and');
    code.set(locals.pageAddress);
  }

  /** Pushes where the record of the instruction at `target` lies, from where its page's records begin. */
  #pushRecord(pushPageRecords: () => void): void {
    const { code, locals } = this.#state;
    pushPageRecords();
    code.get(locals.target);
    code.op('i32.wrap_i64');
    // Without the lowest bit: an odd pc, which only the hart's user can set, would lie between two records.
    code.i32(PAGE_SIZE - 2);
    code.op('i32.and');
    code.i32(RECORD_SHIFT);
    code.op('i32.shl', 'i32.add');
  }
}

/** Writes a function that translates what the look at the TLB beside each access does not: accesses that are not aligned, and misses. */
const writeTranslate = (
  module: ModuleBuilder,
  imports: Imported,
  access: 'read' | 'write',
  { hits }: InterpreterOptions,
): FunctionIndex => {
  const code = module.function(undefined, { parameters: ['i64', 'i32', 'i32'], results: ['i32'] });
  const [address, width, budget] = [code.parameter(0), code.parameter(1), code.parameter(2)];
  const [line, host] = [code.local('i32'), code.local('i32')];
  pushLine(code, access, address);
  code.set(line);
  pushKeyMatches(code, access, line, address, 1);
  code.get(address);
  code.op('i32.wrap_i64');
  code.i32(PAGE_SIZE - 1);
  code.op('i32.and');
  code.i32(PAGE_SIZE);
  code.get(width);
  code.op('i32.sub', 'i32.le_u', 'i32.and');
  code.if();
  code.get(address);
  code.op('i32.wrap_i64');
  code.get(line);
  code.memory('i32.load', TLB_ADDEND);
  code.op('i32.add');
  code.set(host);
  if (hits === 'checked') pushCheckHit(code, imports.checkHit, access, address, host);
  code.get(host);
  code.op('return');
  code.end();
  code.i32(0);
  code.get(budget);
  code.memory('i32.store', BUDGET_LEFT);
  pushWords(code, address);
  code.get(width);
  code.call(access === 'read' ? imports.readMiss : imports.writeMiss);
  return code.index;
};
