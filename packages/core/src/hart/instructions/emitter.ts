/**
 * What an instruction's semantics are written in: pieces of WebAssembly that an emitter fills in. The
 * interpreter's emitter takes operands from decoded records, a compiler's would take them from constants
 * and locals; the semantics are the same.
 */
import type { FloatFunction } from '../float/index.js';
import type { CodeBuilder, Local, MemoryOpcode } from '../wasm/index.js';

/** Why the hart stops at an instruction and leaves the rest to its user. */
export type InstructionTrap = 'system-call' | 'breakpoint' | 'illegal-instruction' | 'misaligned-atomic';

/** Bytes that a load or store moves. */
export type Width = 1 | 2 | 4 | 8;

export interface Emitter {
  /** The function under construction, for operations on the values pushed. */
  readonly code: CodeBuilder;

  /** Each pushes an i64: a source register, the immediate, this instruction's address and the next one's. */
  rs1(): void;
  rs2(): void;
  imm(): void;
  pc(): void;
  nextPc(): void;

  /** Writes an i64 that `value` pushes to rd. Writes to x0 go nowhere. */
  writeRd(value: () => void): void;

  /** The n-th (0 … 3) of the scratch i64 locals. They hold nothing from one instruction to the next. */
  scratch(n: 0 | 1 | 2 | 3): Local;

  /**
   * Translates the i64 address that `address` pushes, and leaves with a page fault where the access is
   * not granted, before anything has changed.
   * @returns an i32 local that holds the byte's address in RAM.
   */
  translate(access: 'read' | 'write', width: Width, address: () => void): Local;

  /** Reads or writes at the address that `translate` gave. After a write, `written` must follow. */
  readAt(opcode: MemoryOpcode, host: Local): void;
  writeAt(opcode: MemoryOpcode, host: Local, value: () => void): void;
  /**
   * Completes a write that `translate` had to redirect (across pages, or into decoded code). It stands
   * last: where an instruction has overwritten itself, its operands are gone afterwards.
   */
  written(host: Local): void;

  /** Pushes, or sets, the address that the last load-reserved reserved; -1 where there is none. */
  reservation(): void;
  setReservation(address: () => void): void;

  /** Goes to pc + immediate if the i32 that `condition` pushes is not 0. */
  branchIf(condition: () => void): void;
  /** Goes to pc + immediate. */
  jump(): void;
  /** Goes to the i64 address that `target` pushes. */
  jumpTo(target: () => void): void;

  /** Each pushes a source f register as the f64 that its bits are. */
  fs1(): void;
  fs2(): void;
  fs3(): void;
  /** As the f32 in its low half: the canonical NaN where the high half is not all ones. */
  ss1(): void;
  ss2(): void;
  ss3(): void;
  /** As the i64 of its bits. */
  bs1(): void;
  bs2(): void;
  /** Each writes what `value` pushes to the f register rd: an f64; an f32, with ones above it; an i64 of bits. */
  writeFd(value: () => void): void;
  writeFs(value: () => void): void;
  writeFb(value: () => void): void;

  /** The n-th of the scratch f64 locals, and of the f32 ones. They hold nothing from one instruction to the next. */
  floatScratch(n: 0 | 1): Local;
  singleScratch(n: 0 | 1): Local;

  /** Pushes the instruction's rounding mode, an i32: as encoded, so that it may be DYNAMIC. */
  roundingMode(): void;
  /** The same where it is known to who writes the code. */
  readonly staticRoundingMode: number | undefined;
  /** Pushes the i32 `standingBits` of the instruction's rounding mode. */
  standingBits(): void;

  /** Calls a function of the floating-point module with the operands pushed. */
  callFloat(name: FloatFunction): void;

  /** Leaves the hart with pc at this instruction. */
  trap(trap: InstructionTrap): void;
}
