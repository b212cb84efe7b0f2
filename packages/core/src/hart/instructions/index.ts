/**
 * The instruction table: RV64IMAC and Zifencei, each instruction's encoding and semantics once. Decoder,
 * disassembler and interpreter are made from it.
 */
export type { Emitter, InstructionTrap, Width } from './emitter.js';
export type { CompressedInstruction, Format, Instruction, Operands } from './instruction.js';
export {
  COMPRESSED_INSTRUCTIONS,
  decode,
  type Decoded,
  disassemble,
  INSTRUCTIONS,
  isCompressed,
  REGISTER_NAMES,
} from './table.js';
