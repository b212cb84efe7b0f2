/** A small WebAssembly encoder: what the interpreter, and later compiled code, are written with. */
export { CodeBuilder, type FunctionIndex, type Label, type Local } from './code-builder.js';
export { ModuleBuilder, type Signature } from './module-builder.js';
export type { MemoryOpcode, Opcode, ValueType } from './opcodes.js';
