/**
 * The border between the hart and the interpreter that it generates: why the interpreter stops, what it
 * calls, and what it offers. Integers of 32 bits cross it, never a bigint.
 */
import type { FloatImports } from './float/index.js';
import type { InstructionTrap } from './instructions/index.js';
import type { FunctionIndex } from './wasm/index.js';

/** Why the hart stopped. A stop code is an index into this list. */
export const STOPS = [
  'budget',
  'page-fault',
  'system-call',
  'breakpoint',
  'illegal-instruction',
  'misaligned-atomic',
  'interrupted',
] as const;
export type Stop = (typeof STOPS)[number];

export const stopCode = (stop: Stop | InstructionTrap): number => STOPS.indexOf(stop);

/**
 * What the module imports from the hart, beside `ram.memory`. Addresses come as low and high words.
 *
 * While a miss is being looked after, BUDGET_LEFT has the instructions that may still run, the one that missed
 * included, and the hart may take from them. Where it gives no address, it gives one of the three answers below.
 */
export type InterpreterImports = {
  /** Gives the byte in RAM of an access that the TLB does not know, or an answer. */
  readMiss(low: number, high: number, width: number): number;
  /** As readMiss. Where it gives SCRATCH_DATA, `writeDone` follows once the data is there. */
  writeMiss(low: number, high: number, width: number): number;
  writeDone(): void;
  /** Gives the decoded records of the page of pc, or an answer. */
  fetchMiss(low: number, high: number): number;
  /** Decodes the instruction of a record, and gives AGAIN; or INTERRUPTED, and has done nothing. */
  decode(record: number): number;
  /** Compares a hit of the TLB with the page table (checking only). `host` is the byte in RAM, or for a fetch the records. */
  checkHit(access: number, low: number, high: number, host: number): void;
  /** An instruction has been jumped to so often that it is worth compiling. Its page's address comes along. */
  hot(record: number, pageLow: number, pageHigh: number): void;
  /** Decodes the instruction at pc, which crosses into the next page. Gives its record, or an answer. */
  decodeCrossing(low: number, high: number): number;
};

export interface InterpreterExports {
  /** Runs at most `budget` instructions from the state in RAM, and leaves the state there. */
  run(budget: number): number;
}

/** Answers to a miss, in place of an address in RAM, which none of them can be: stop at a page fault, whose details the hart keeps; */
export const PAGE_FAULT = 0;
/** stop before the instruction; */
export const INTERRUPTED = 1;
/** go on with the instruction from its beginning, if any of the budget is left. */
export const AGAIN = 2;

export type Imported = Readonly<Record<keyof InterpreterImports, FunctionIndex>> & {
  /** The functions of the floating-point module. */
  readonly float: FloatImports;
};
