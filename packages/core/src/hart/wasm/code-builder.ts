/**
 * Writes the body of one WebAssembly function, instruction by instruction.
 *
 * Blocks are named by labels rather than by relative depth: `block` and `loop` return a label, and `br`
 * works the depth out from where it stands.
 */
import { InvalidArgument } from '../../frame/index.js';
import { ByteSink } from './byte-sink.js';
import {
  BLOCK,
  BR,
  BR_IF,
  BR_TABLE,
  CALL,
  CALL_INDIRECT,
  ELSE,
  EMPTY_BLOCK_TYPE,
  END,
  F32_CONST,
  F64_CONST,
  I32_CONST,
  I64_CONST,
  IF,
  LOCAL_GET,
  LOCAL_SET,
  LOCAL_TEE,
  LOOP,
  MEMORY_OPCODES,
  type MemoryOpcode,
  type Opcode,
  OPCODES,
  VALUE_TYPES,
  type ValueType,
} from './opcodes.js';

/** The nesting depth at which a block was opened. */
export type Label = number & { readonly label: unique symbol };
/** The index of a parameter or local. */
export type Local = number & { readonly local: unique symbol };
/** The index of a function's type. */
export type TypeIndex = number & { readonly typeIndex: unique symbol };
/** The index of a function, imported ones first. */
export type FunctionIndex = number & { readonly functionIndex: unique symbol };

export class CodeBuilder {
  readonly #sink = new ByteSink();
  readonly #locals: ValueType[] = [];
  readonly #parameters: number;
  #depth = 0;

  /** Of the function in its module, for others to call. */
  readonly index: FunctionIndex;

  constructor(parameters: number, index: FunctionIndex) {
    this.#parameters = parameters;
    this.index = index;
  }

  parameter(index: number): Local {
    return index as Local;
  }

  /** A new local variable, zero at the function's start. */
  local(type: ValueType): Local {
    this.#locals.push(type);
    return (this.#parameters + this.#locals.length - 1) as Local;
  }

  op(...opcodes: readonly Opcode[]): void {
    for (const opcode of opcodes) {
      const code: number = OPCODES[opcode];
      if (code > 0xff) this.#sink.byte(code >>> 8);
      this.#sink.byte(code & 0xff);
    }
  }

  i32(value: number): void {
    this.#sink.byte(I32_CONST);
    this.#sink.signed(value);
  }

  i64(value: bigint | number): void {
    this.#sink.byte(I64_CONST);
    // The encoding of a small number does not depend on the type.
    if (typeof value === 'number' && (value | 0) === value) this.#sink.signed(value);
    else this.#sink.signed64(BigInt(value));
  }

  /** Not for NaNs, whose bits a number in JavaScript does not keep. */
  f32(value: number): void {
    this.#sink.byte(F32_CONST);
    this.#sink.append(new Uint8Array(Float32Array.of(value).buffer));
  }

  f64(value: number): void {
    this.#sink.byte(F64_CONST);
    this.#sink.append(new Uint8Array(Float64Array.of(value).buffer));
  }

  get(local: Local): void {
    this.#sink.byte(LOCAL_GET);
    this.#sink.unsigned(local);
  }

  set(local: Local): void {
    this.#sink.byte(LOCAL_SET);
    this.#sink.unsigned(local);
  }

  tee(local: Local): void {
    this.#sink.byte(LOCAL_TEE);
    this.#sink.unsigned(local);
  }

  /** A load or store at the address on the stack plus `offset`. Any alignment is allowed, the natural one is hinted. */
  memory(opcode: MemoryOpcode, offset: number): void {
    const codeAndAlignment = MEMORY_OPCODES[opcode];
    this.#sink.byte(codeAndAlignment[0]);
    this.#sink.byte(codeAndAlignment[1]);
    this.#sink.unsigned(offset);
  }

  call(target: FunctionIndex): void {
    this.#sink.byte(CALL);
    this.#sink.unsigned(target);
  }

  /** Calls the function of that type whose place in the one table is on the stack. */
  callIndirect(type: TypeIndex): void {
    this.#sink.byte(CALL_INDIRECT);
    this.#sink.unsigned(type);
    this.#sink.byte(0);
  }

  block(): Label {
    return this.#open(BLOCK);
  }

  loop(): Label {
    return this.#open(LOOP);
  }

  /** Takes an i32 condition; the block's result, if any, has the given type. */
  if(result?: ValueType): Label {
    return this.#open(IF, result);
  }

  else(): void {
    this.#sink.byte(ELSE);
  }

  end(): void {
    if (this.#depth === 0) throw new InvalidArgument('end without a block');
    this.#depth--;
    this.#sink.byte(END);
  }

  br(label: Label): void {
    this.#sink.byte(BR);
    this.#sink.unsigned(this.#distance(label));
  }

  brIf(label: Label): void {
    this.#sink.byte(BR_IF);
    this.#sink.unsigned(this.#distance(label));
  }

  /** Branches to `labels[i]` for the i32 `i` on the stack, or to `otherwise`. */
  brTable(labels: readonly Label[], otherwise: Label): void {
    this.#sink.byte(BR_TABLE);
    this.#sink.unsigned(labels.length);
    for (const label of labels) this.#sink.unsigned(this.#distance(label));
    this.#sink.unsigned(this.#distance(otherwise));
  }

  /** The function's entry in the code section: its size, its locals, its body. */
  toBytes(): Uint8Array {
    if (this.#depth !== 0) throw new InvalidArgument(`${this.#depth} blocks are still open`);
    const body = new ByteSink();
    body.unsigned(this.#locals.length);
    for (const type of this.#locals) {
      body.unsigned(1);
      body.byte(VALUE_TYPES[type]);
    }
    body.append(this.#sink.toBytes());
    body.byte(END);
    const entry = new ByteSink();
    entry.unsigned(body.length);
    entry.append(body.toBytes());
    return entry.toBytes();
  }

  #open(opcode: number, result?: ValueType): Label {
    this.#sink.byte(opcode);
    this.#sink.byte(result === undefined ? EMPTY_BLOCK_TYPE : VALUE_TYPES[result]);
    this.#depth++;
    return this.#depth as Label;
  }

  #distance(label: Label): number {
    if (label > this.#depth) throw new InvalidArgument('branch to a block that is closed');
    return this.#depth - label;
  }
}
