/** The local variables of the interpreter's one function. */
import type { CodeBuilder, Local } from './wasm/index.js';

export class InterpreterLocals {
  /** Instructions that may still run. */
  readonly budget: Local;
  /** The record of the instruction that runs. */
  readonly record: Local;
  /** The first record of its page. */
  readonly pageRecords: Local;
  /** Bytes of records, from `pageRecords`, that a branch may go to directly. 0 within a page-crossing instruction. */
  readonly span: Local;
  /** The virtual address of the page. */
  readonly pageAddress: Local;
  /** Where to go on; at the end, the pc to leave behind. */
  readonly target: Local;
  readonly stop: Local;
  readonly address: Local;
  readonly line: Local;
  /** The byte in RAM of an access, or what a miss was answered with. */
  readonly host: Local;
  /** That of the instruction at `record`. */
  readonly handler: Local;
  /** Not 0 where the next instruction that has been compiled is to be interpreted. */
  readonly interprets: Local;
  readonly scratch: readonly Local[];
  readonly floatScratch: readonly Local[];
  readonly singleScratch: readonly Local[];

  /** @param code of a function whose one parameter is the budget. */
  constructor(code: CodeBuilder) {
    this.budget = code.parameter(0);
    this.record = code.local('i32');
    this.pageRecords = code.local('i32');
    this.span = code.local('i32');
    this.pageAddress = code.local('i64');
    this.target = code.local('i64');
    this.stop = code.local('i32');
    this.address = code.local('i64');
    this.line = code.local('i32');
    this.host = code.local('i32');
    this.handler = code.local('i32');
    this.interprets = code.local('i32');
    this.scratch = [code.local('i64'), code.local('i64'), code.local('i64'), code.local('i64')];
    this.floatScratch = [code.local('f64'), code.local('f64')];
    this.singleScratch = [code.local('f32'), code.local('f32')];
  }
}
