/** RV64F, single-precision floating point (unprivileged specification, chapter 11). */
import type { FloatFunction } from '../float/index.js';
import type { Opcode } from '../wasm/index.js';
import type { Emitter } from './emitter.js';
import { SINGLE } from './float-format.js';
import { floatInstructions, floatOperation } from './float-instructions.js';
import { writeRounded } from './float-rounding.js';
import type { Instruction } from './instruction.js';

/** @param extend makes a 64-bit integer of what is in rs1. */
const fromInteger = (
  name: string,
  rs2: number,
  extend: (e: Emitter) => void,
  convert: Opcode,
  exactly: FloatFunction,
): Instruction =>
  floatOperation(name, 'integer-to-float', SINGLE.fmt, { funct5: 0x1a, rs2 }, (e) => {
    const integer = (): void => {
      e.rs1();
      extend(e);
    };
    writeRounded(e, SINGLE, {
      natively: () => {
        integer();
        e.code.op(convert);
      },
      exactly: () => {
        integer();
        e.roundingMode();
        e.callFloat(exactly);
      },
      underflows: 'never',
    });
  });

const asWord = (e: Emitter): void => e.code.op('i64.extend32_s');
const asUnsignedWord = (e: Emitter): void => {
  e.code.i64(0xffff_ffff);
  e.code.op('i64.and');
};
const whole = (): void => {};

export const RV64F: readonly Instruction[] = [
  ...floatInstructions(SINGLE),
  fromInteger('fcvt.s.w', 0, asWord, 'f32.convert_i64_s', 's.l'),
  fromInteger('fcvt.s.wu', 1, asUnsignedWord, 'f32.convert_i64_s', 's.l'),
  fromInteger('fcvt.s.l', 2, whole, 'f32.convert_i64_s', 's.l'),
  fromInteger('fcvt.s.lu', 3, whole, 'f32.convert_i64_u', 's.lu'),
  floatOperation('fmv.x.w', 'float-bits', SINGLE.fmt, { funct5: 0x1c, rs2: 0, funct3: 0 }, (e) =>
    e.writeRd(() => {
      e.bs1();
      e.code.op('i64.extend32_s');
    }),
  ),
  floatOperation('fmv.w.x', 'bits-to-float', SINGLE.fmt, { funct5: 0x1e, rs2: 0, funct3: 0 }, (e) =>
    e.writeFs(() => {
      e.rs1();
      e.code.op('i32.wrap_i64', 'f32.reinterpret_i32');
    }),
  ),
];
