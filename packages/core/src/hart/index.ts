/**
 * The hart: RV64GC user mode, as an interpreter and a compiler to WebAssembly that are generated from one instruction
 * table. `Hart` runs programs in an address space; `decode` and `disassemble` read machine code.
 */
export {
  CONTEXT_BYTES,
  type FaultResolver,
  Hart,
  MAX_BUDGET,
  type PageFault,
  PC_IN_CONTEXT,
} from './hart.js';
export type { Compilation, ThrownAwayFor } from './compiler/compiled-code.js';
export type { HartOptions, Jit } from './hart-options.js';
export {
  decode,
  type Decoded,
  disassemble,
  type Emitter,
  FLOAT_REGISTER_NAMES,
  type Instruction,
  INSTRUCTIONS,
  COMPRESSED_INSTRUCTIONS,
  operandKinds,
  REGISTER_NAMES,
} from './instructions/index.js';
export type { Stop } from './interpreter-border.js';
export { CODE_SLOT_BYTES, DEFAULT_CODE_SLOTS } from './layout.js';
