/**
 * The frame around every instruction that rounds: WebAssembly's result stands where it is rounded as asked for and can raise no
 * flag that is not set. Elsewhere the floating-point module does the operation.
 */
import { FIRST_RESERVED_ROUNDING, FLAG, FRM_SHIFT, DYNAMIC, standingBits } from '../float/index.js';
import { FCSR } from '../layout.js';
import type { Emitter } from './emitter.js';
import type { FloatFormat } from './float-format.js';

/** Stops at an instruction that rounds as frm says, where that holds a reserved mode. The decoder refuses reserved ones in words. */
export const trapIfRoundingIsReserved = (e: Emitter): void => {
  const { code, staticRoundingMode } = e;
  if (staticRoundingMode !== undefined && staticRoundingMode !== DYNAMIC) return;
  code.i32(0);
  code.memory('i32.load', FCSR);
  code.i32(FIRST_RESERVED_ROUNDING << FRM_SHIFT);
  code.op('i32.ge_u');
  if (staticRoundingMode === undefined) {
    e.roundingMode();
    code.i32(DYNAMIC);
    code.op('i32.eq', 'i32.and');
  }
  code.if();
  e.trap('illegal-instruction');
  code.end();
};

/** Pushes whether results are rounded to nearest even, and have been inexact before. */
const pushStands = (e: Emitter): void => {
  const { code } = e;
  code.i32(0);
  code.memory('i32.load', FCSR);
  e.standingBits();
  code.op('i32.and');
  code.i32(FLAG.inexact);
  code.op('i32.eq');
};

export interface RoundedOperation {
  /** Pushes WebAssembly's result. */
  readonly natively: () => void;
  /** Pushes the right one, and raises its flags. The rounding mode is a legal one. */
  readonly exactly: () => void;
  /** Whether a result can underflow. If so, that of the smallest normal number's size may have, too. */
  readonly underflows: 'sometimes' | 'never';
}

/** Writes the result of an operation to rd. */
export const writeRounded = (e: Emitter, format: FloatFormat, operation: RoundedOperation): void => {
  const { code } = e;
  const { type } = format;
  const result = format.scratch(e, 0);
  const correct = (): void => {
    trapIfRoundingIsReserved(e);
    operation.exactly();
    code.set(result);
  };
  if (e.staticRoundingMode !== undefined && standingBits(e.staticRoundingMode) === 0) {
    correct();
  } else {
    operation.natively();
    code.tee(result);
    code.op(`${type}.abs`);
    code[type](Infinity);
    code.op(`${type}.lt`);
    if (operation.underflows === 'sometimes') {
      code.get(result);
      code.op(`${type}.abs`);
      code[type](format.smallestNormal);
      code.op(`${type}.gt`, 'i32.and');
    }
    pushStands(e);
    code.op('i32.and', 'i32.eqz');
    code.if();
    correct();
    code.end();
  }
  format.write(e, () => code.get(result));
};
