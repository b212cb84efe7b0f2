/** The functions of the floating-point module that convert, classify, and see to NaNs (unprivileged specification, 11.6 to 11.9). */
import type { Local, Opcode } from '../wasm/index.js';
import { FLAG, ROUND } from './fcsr.js';
import { returnOverflow, returnSmall, returnSpecial } from './float-edges.js';
import { BITS, type FloatCode, type FloatType, type FloatWriter } from './float-code.js';

/** Between these a double, rounded to a single, neither overflows nor underflows. */
export const LARGE_SINGLE = 2 ** 127;
export const SMALL_SINGLE = 2 ** -120;

/** fclass's bits (table 11.5). */
const CLASS = {
  negativeInfinity: 1 << 0,
  negativeNormal: 1 << 1,
  negativeSubnormal: 1 << 2,
  negativeZero: 1 << 3,
  positiveZero: 1 << 4,
  positiveSubnormal: 1 << 5,
  positiveNormal: 1 << 6,
  positiveInfinity: 1 << 7,
  signalingNan: 1 << 8,
  quietNan: 1 << 9,
} as const;
const SMALLEST_NORMAL: Readonly<Record<FloatType, number>> = { f32: 2 ** -126, f64: 2 ** -1022 };

export const writeConversions = (write: FloatWriter): void => {
  writeToSingle(write);
  writeFromIntegers(write);
  writeToIntegers(write);
  writeNans(write);
  writeClasses(write);
};

const writeToSingle = (write: FloatWriter): void => {
  write('s.d', (f, a, rm) => {
    const single = f.unary('f32', 'f32.demote_f64', a);
    const error = f.binary('f64', 'sub', a, f.unary('f64', 'f64.promote_f32', single));
    f.isWithin('f64', a, LARGE_SINGLE, SMALL_SINGLE);
    f.code.if();
    f.returnRounded('f32', single, 'f64', error, rm, 'possible');
    f.code.end();
    f.isZero('f64', a);
    f.code.if();
    f.returnValue(single);
    f.code.end();
    returnSpecial(f, 'f64', [a], 'f32', single);
    returnOverflow(f, 'f32', single, rm);
    returnSmall(f, 'f32', single, error, rm);
    f.leaveToSoftware('s.d', [a], rm);
  });
};

const FROM_INTEGERS = [
  { name: 's.l', type: 'f32', convert: 'f32.convert_i64_s', back: 'i64.trunc_sat_f32_s', signed: true },
  { name: 's.lu', type: 'f32', convert: 'f32.convert_i64_u', back: 'i64.trunc_sat_f32_u', signed: false },
  { name: 'd.l', type: 'f64', convert: 'f64.convert_i64_s', back: 'i64.trunc_sat_f64_s', signed: true },
  { name: 'd.lu', type: 'f64', convert: 'f64.convert_i64_u', back: 'i64.trunc_sat_f64_u', signed: false },
] as const;

const writeFromIntegers = (write: FloatWriter): void => {
  for (const { name, type, convert, back, signed } of FROM_INTEGERS) {
    write(name, (f, integer, rm) => {
      const { code } = f;
      const rounded = f.unary(type, convert, integer);
      const error = code.local('f64');
      // The difference fits 64 bits, in which 2^63 is -2^63 and 2^64 is 0: what the way back would saturate.
      code.get(integer);
      code.i64(signed ? -(2n ** 63n) : 0n);
      code.get(rounded);
      code.op(back);
      code.get(rounded);
      code[type](signed ? 2 ** 63 : 2 ** 64);
      code.op(`${type}.ge`, 'select', 'i64.sub', 'f64.convert_i64_s');
      code.set(error);
      f.returnRounded(type, rounded, 'f64', error, rm, 'possible');
    });
  }
};

interface ToInteger {
  readonly name: 'w.d' | 'wu.d' | 'l.d' | 'lu.d';
  readonly convert: readonly Opcode[];
  /** A whole number can be converted where it is `least` or more, and below `beyond`. */
  readonly least: number;
  readonly beyond: number;
  /** What goes to rd for what is too small, and for what is too large or a NaN. */
  readonly lowest: bigint;
  readonly highest: bigint;
}

const TO_INTEGERS: readonly ToInteger[] = [
  {
    name: 'w.d',
    convert: ['i32.trunc_sat_f64_s', 'i64.extend_i32_s'],
    least: -(2 ** 31),
    beyond: 2 ** 31,
    lowest: -(2n ** 31n),
    highest: 2n ** 31n - 1n,
  },
  {
    name: 'wu.d',
    convert: ['i32.trunc_sat_f64_u', 'i64.extend_i32_s'],
    least: 0,
    beyond: 2 ** 32,
    lowest: 0n,
    highest: -1n,
  },
  {
    name: 'l.d',
    convert: ['i64.trunc_sat_f64_s'],
    least: -(2 ** 63),
    beyond: 2 ** 63,
    lowest: -(2n ** 63n),
    highest: 2n ** 63n - 1n,
  },
  {
    name: 'lu.d',
    convert: ['i64.trunc_sat_f64_u'],
    least: 0,
    beyond: 2 ** 64,
    lowest: 0n,
    highest: -1n,
  },
];

const writeToIntegers = (write: FloatWriter): void => {
  for (const { name, convert, least, beyond, lowest, highest } of TO_INTEGERS) {
    write(name, (f, value, rm) => {
      const { code } = f;
      const whole = roundToWhole(f, value, rm);
      code.get(whole);
      code.f64(least);
      code.op('f64.ge');
      code.get(whole);
      code.f64(beyond);
      code.op('f64.lt', 'i32.and');
      code.if();
      code.get(whole);
      code.get(value);
      code.op('f64.ne');
      code.if();
      f.raise(FLAG.inexact);
      code.end();
      code.get(whole);
      code.op(...convert, 'return');
      code.end();
      f.raise(FLAG.invalid);
      code.i64(lowest);
      code.i64(highest);
      code.get(value);
      code.f64(0);
      code.op('f64.lt', 'select');
    });
  }
};

/** Sets a local to a value as a whole number, in the rounding mode. */
const roundToWhole = (f: FloatCode, value: Local, rm: Local): Local => {
  const { code } = f;
  const whole = code.local('f64');
  f.resolveRounding(rm);
  const done = code.block();
  const roundIf = (mode: number, operation: Opcode): void => {
    code.get(value);
    code.op(operation);
    code.set(whole);
    code.get(rm);
    code.i32(mode);
    code.op('i32.eq');
    code.brIf(done);
  };
  roundIf(ROUND.nearestEven, 'f64.nearest');
  roundIf(ROUND.down, 'f64.floor');
  roundIf(ROUND.up, 'f64.ceil');
  roundIf(ROUND.towardsZero, 'f64.trunc');
  // Away from zero, in steps that are exact: half a unit or more was cut off.
  code.get(value);
  code.get(whole);
  code.op('f64.sub', 'f64.abs');
  code.f64(0.5);
  code.op('f64.ge');
  code.if();
  code.get(whole);
  code.f64(1);
  code.get(value);
  code.op('f64.copysign', 'f64.add');
  code.set(whole);
  code.end();
  code.end();
  return whole;
};

const writeNans = (write: FloatWriter): void => {
  for (const [type, name] of [
    ['f32', 's'],
    ['f64', 'd'],
  ] as const) {
    const raiseIfSignaling = (f: FloatCode, operands: readonly Local[]): void => {
      for (const operand of operands) {
        f.isNan(type, operand);
        f.code.if();
        f.nanSignals(type, operand);
        f.code.if();
        f.raise(FLAG.invalid);
        f.code.end();
        f.code.end();
      }
    };
    write(`equal-nan.${name}`, (f, a, b) => raiseIfSignaling(f, [a, b]));
    write(`minmax-nan.${name}`, (f, a, b) => {
      raiseIfSignaling(f, [a, b]);
      for (const operand of [a, b]) {
        f.isNan(type, operand);
        f.code.op('i32.eqz');
        f.code.if();
        f.returnValue(operand);
        f.code.end();
      }
      f.canonicalNan(type);
    });
    if (type === 'f32') {
      write('convert-nan.s', (f, a) => {
        raiseIfSignaling(f, [a]);
        f.canonicalNan('f64');
      });
    }
  }
  write('order-nan', (f) => f.raise(FLAG.invalid));
};

const writeClasses = (write: FloatWriter): void => {
  for (const [type, name] of [
    ['f32', 'class.s'],
    ['f64', 'class.d'],
  ] as const) {
    write(name, (f, value) => {
      const { code } = f;
      const returnIf = (condition: () => void, push: () => void): void => {
        condition();
        code.if();
        push();
        code.op('return');
        code.end();
      };
      const choose = (either: number, condition: () => void, or: number): void => {
        code.i64(either);
        code.i64(or);
        condition();
        code.op('select');
      };
      const isNegative = (): void => {
        const { integer, fromFloat } = BITS[type];
        code.get(value);
        code.op(fromFloat);
        code[integer](0);
        code.op(`${integer}.lt_s`);
      };
      returnIf(
        () => f.isNan(type, value),
        () => choose(CLASS.signalingNan, () => f.nanSignals(type, value), CLASS.quietNan),
      );
      returnIf(
        () => f.isZero(type, value),
        () => choose(CLASS.negativeZero, isNegative, CLASS.positiveZero),
      );
      returnIf(
        () => f.isWithin(type, value, SMALLEST_NORMAL[type]),
        () => choose(CLASS.negativeSubnormal, isNegative, CLASS.positiveSubnormal),
      );
      returnIf(
        () => f.isWithin(type, value, Infinity),
        () => choose(CLASS.negativeNormal, isNegative, CLASS.positiveNormal),
      );
      choose(CLASS.negativeInfinity, isNegative, CLASS.positiveInfinity);
    });
  }
};
