/** A small WebAssembly encoder: what the interpreter and compiled code are written with. */
export { CodeBuilder, type FunctionIndex, type Label, type Local, type TypeIndex } from './code-builder.js';
export { ModuleBuilder, type Signature } from './module-builder.js';
export type { MemoryOpcode, Opcode, ValueType } from './opcodes.js';
