/** The border between compiled regions and the interpreter that calls them (layout.ts draws an entry). */
import type { FloatImports } from '../float/index.js';
import type { FunctionIndex, Signature } from '../wasm/index.js';

/** (budget, address of the page of the entry, word of the entry) → one of the results below. */
export const REGION_SIGNATURE: Signature = { parameters: ['i32', 'i64', 'i32'], results: ['i32'] };

/** What a region returns; pc, registers and the budget are in RAM then. Go on at pc; */
export const GO_ON = 0;
/** go on at pc, whose instruction the interpreter is to do. */
export const INTERPRET = 1;

/** The functions that compiled modules import. */
export interface RegionImports {
  /** Undefined where no instruction has a floating-point register. */
  readonly float: FloatImports | undefined;
  /** As the interpreter's: only called where hits are checked. */
  readonly checkHit: FunctionIndex;
}
