/**
 * The hart: RV64IMAC user mode, as an interpreter in WebAssembly that is generated from one instruction
 * table. `Hart` runs programs in an address space; `decode` and `disassemble` read machine code.
 */
export {
  CONTEXT_BYTES,
  type FaultResolver,
  Hart,
  type HartOptions,
  MAX_BUDGET,
  type PageFault,
} from './hart.js';
export {
  decode,
  type Decoded,
  disassemble,
  type Emitter,
  type Instruction,
  INSTRUCTIONS,
  COMPRESSED_INSTRUCTIONS,
  REGISTER_NAMES,
} from './instructions/index.js';
export type { Stop } from './interpreter-border.js';
export { CODE_SLOT_BYTES, DEFAULT_CODE_SLOTS } from './layout.js';
