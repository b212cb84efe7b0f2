/** RV64D, double-precision floating point (unprivileged specification, chapter 12). */
import type { FloatFunction } from '../float/index.js';
import type { Opcode } from '../wasm/index.js';
import { DOUBLE, SINGLE } from './float-format.js';
import { floatInstructions, floatOperation } from './float-instructions.js';
import { trapIfRoundingIsReserved, writeRounded } from './float-rounding.js';
import type { Instruction } from './instruction.js';

const FROM_INTEGER = 0x1a;
const BETWEEN_FORMATS = 0x08;

/** From 32 bits, which is always exact. */
const fromWord = (name: string, rs2: number, convert: Opcode): Instruction =>
  floatOperation(name, 'integer-to-float', DOUBLE.fmt, { funct5: FROM_INTEGER, rs2 }, (e) => {
    trapIfRoundingIsReserved(e);
    e.writeFd(() => {
      e.rs1();
      e.code.op('i32.wrap_i64', convert);
    });
  });

const fromDoubleword = (name: string, rs2: number, convert: Opcode, exactly: FloatFunction): Instruction =>
  floatOperation(name, 'integer-to-float', DOUBLE.fmt, { funct5: FROM_INTEGER, rs2 }, (e) => {
    writeRounded(e, DOUBLE, {
      natively: () => {
        e.rs1();
        e.code.op(convert);
      },
      exactly: () => {
        e.rs1();
        e.roundingMode();
        e.callFloat(exactly);
      },
      underflows: 'never',
    });
  });

export const RV64D: readonly Instruction[] = [
  ...floatInstructions(DOUBLE),
  floatOperation('fcvt.s.d', 'float-unary', SINGLE.fmt, { funct5: BETWEEN_FORMATS, rs2: 1 }, (e) => {
    writeRounded(e, SINGLE, {
      natively: () => {
        e.fs1();
        e.code.op('f32.demote_f64');
      },
      exactly: () => {
        e.fs1();
        e.roundingMode();
        e.callFloat('s.d');
      },
      underflows: 'sometimes',
    });
  }),
  floatOperation('fcvt.d.s', 'float-unary', DOUBLE.fmt, { funct5: BETWEEN_FORMATS, rs2: 0 }, (e) => {
    trapIfRoundingIsReserved(e);
    const result = e.floatScratch(0);
    e.ss1();
    e.code.op('f64.promote_f32');
    e.code.tee(result);
    e.code.get(result);
    e.code.op('f64.ne');
    e.code.if();
    e.ss1();
    e.callFloat('convert-nan.s');
    e.code.set(result);
    e.code.end();
    e.writeFd(() => e.code.get(result));
  }),
  fromWord('fcvt.d.w', 0, 'f64.convert_i32_s'),
  fromWord('fcvt.d.wu', 1, 'f64.convert_i32_u'),
  fromDoubleword('fcvt.d.l', 2, 'f64.convert_i64_s', 'd.l'),
  fromDoubleword('fcvt.d.lu', 3, 'f64.convert_i64_u', 'd.lu'),
  floatOperation('fmv.x.d', 'float-bits', DOUBLE.fmt, { funct5: 0x1c, rs2: 0, funct3: 0 }, (e) =>
    e.writeRd(() => e.bs1()),
  ),
  floatOperation('fmv.d.x', 'bits-to-float', DOUBLE.fmt, { funct5: 0x1e, rs2: 0, funct3: 0 }, (e) =>
    e.writeFb(() => e.rs1()),
  ),
];
