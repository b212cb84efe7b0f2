/**
 * The instruction table: RV64GC, each instruction's encoding and semantics once. Decoder,
 * disassembler and interpreter are made from it.
 */
export type { Emitter, InstructionTrap, Width } from './emitter.js';
export type {
  CompressedInstruction,
  Format,
  Instruction,
  OperandKind,
  OperandKinds,
  Operands,
} from './instruction.js';
export { CSR_NAMES, operandKinds } from './formats.js';
export {
  COMPRESSED_INSTRUCTIONS,
  decode,
  type Decoded,
  disassemble,
  FLOAT_REGISTER_NAMES,
  INSTRUCTIONS,
  isCompressed,
  REGISTER_NAMES,
} from './table.js';
