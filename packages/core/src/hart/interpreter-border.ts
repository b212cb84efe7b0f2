/**
 * The border between the hart and the interpreter that it generates: why the interpreter stops, what it
 * calls, and what it offers. Integers of 32 bits cross it, never a bigint.
 */
import type { Access } from '../paging/index.js';
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

/** What the module imports from the hart, beside `ram.memory`. Addresses come as low and high words. */
export type InterpreterImports = {
  /** Gives the byte in RAM of an access that the TLB does not know; 0 is a page fault, whose details the hart keeps. */
  readMiss(low: number, high: number, width: number): number;
  /** As readMiss. Where it gives SCRATCH_DATA, `writeDone` follows once the data is there. */
  writeMiss(low: number, high: number, width: number): number;
  writeDone(): void;
  /** Gives the decoded records of the page of pc; 0 is a page fault, INTERRUPTED asks for a stop before pc. */
  fetchMiss(low: number, high: number): number;
  /** Decodes the instruction of a record. */
  decode(record: number): void;
  /** Compares a hit of the TLB with the page table (checking only). `host` is the byte in RAM, or for a fetch the records. */
  checkHit(access: number, low: number, high: number, host: number): void;
  /** Decodes the instruction at pc, which crosses into the next page, to CROSSING; 0 is a page fault, else CROSSING. */
  decodeCrossing(low: number, high: number): number;
};

export interface InterpreterExports {
  /** Runs at most `budget` instructions from the state in RAM, and leaves the state there. */
  run(budget: number): number;
}

/** An address that no record has. */
export const INTERRUPTED = 1;

export type Imported = Readonly<Record<keyof InterpreterImports, FunctionIndex>>;

/** The accesses as `checkHit` is told of them: a place in this list. */
export const ACCESSES: readonly Access[] = ['read', 'write', 'execute'];
