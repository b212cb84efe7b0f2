/**
 * What lies beyond the ranges of the floating-point module's functions, and is quick all the same: NaNs and infinities and, where
 * it is rounded to nearest even, overflow and underflow. There WebAssembly's result is right, and only its flags are to be found.
 * What these pieces do not return is left to JavaScript.
 */
import type { Local } from '../wasm/index.js';
import { FLAG } from './fcsr.js';
import type { FloatCode, FloatType } from './float-code.js';

const SMALLEST_NORMAL: Readonly<Record<FloatType, number>> = { f32: 2 ** -126, f64: 2 ** -1022 };
/** Brings any double that is not larger than SMALL to where its products have errors that are doubles. */
const SCALE = 2 ** 540;
const SMALL = 2 ** -900;

/** Does `then` where one of the operands is as `is` says. */
const ifAny = (
  f: FloatCode,
  operands: readonly Local[],
  is: (operand: Local) => void,
  then: () => void,
): void => {
  for (const [index, operand] of operands.entries()) {
    is(operand);
    if (index > 0) f.code.op('i32.or');
  }
  f.code.if();
  then();
  f.code.end();
};

const returnInvalid = (f: FloatCode, type: FloatType): void => {
  f.raise(FLAG.invalid);
  f.canonicalNan(type);
  f.code.op('return');
};

/** Returns what an operation of one or two operands gives where one is a NaN, or infinite, or the result is a NaN. */
export const returnSpecial = (
  f: FloatCode,
  operandType: FloatType,
  operands: readonly Local[],
  type: FloatType,
  result: Local,
): void => {
  const { code } = f;
  ifAny(
    f,
    operands,
    (operand) => f.isNan(operandType, operand),
    () => {
      for (const operand of operands) {
        f.isNan(operandType, operand);
        f.nanSignals(operandType, operand);
        code.op('i32.and');
        code.if();
        f.raise(FLAG.invalid);
        code.end();
      }
      f.canonicalNan(type);
      code.op('return');
    },
  );
  f.isNan(type, result);
  code.if();
  returnInvalid(f, type);
  code.end();
  ifAny(
    f,
    operands,
    (operand) => f.isInfinite(operandType, operand),
    () => f.returnValue(result),
  );
};

/** Returns what a quotient of numbers is where the divisor is zero. The dividend is not. */
export const returnDividedByZero = (f: FloatCode, type: FloatType, divisor: Local, quotient: Local): void => {
  f.isZero(type, divisor);
  f.code.if();
  f.raise(FLAG.divideByZero);
  f.returnValue(quotient);
  f.code.end();
};

/** Returns an infinite result of finite operands, if it is rounded to nearest. */
export const returnOverflow = (f: FloatCode, type: FloatType, result: Local, rm: Local): void => {
  const { code } = f;
  f.roundsToNearest(rm);
  f.isInfinite(type, result);
  code.op('i32.and');
  code.if();
  f.raise(FLAG.overflow | FLAG.inexact);
  f.returnValue(result);
  code.end();
};

/**
 * Returns a finite result if it is rounded to nearest, with the flags that its error raises, but one of the smallest normal
 * number's size that is not exact: it may have been rounded up to there, and be an underflow or not.
 */
export const returnSmall = (f: FloatCode, type: FloatType, result: Local, error: Local, rm: Local): void => {
  const { code } = f;
  f.roundsToNearest(rm);
  code.if();
  f.isZero('f64', error);
  code.if();
  f.returnValue(result);
  code.end();
  for (const [comparison, flags] of [
    ['lt', FLAG.inexact | FLAG.underflow],
    ['gt', FLAG.inexact],
  ] as const) {
    code.get(result);
    code.op(`${type}.abs`);
    code[type](SMALLEST_NORMAL[type]);
    code.op(`${type}.${comparison}`);
    code.if();
    f.raise(flags);
    f.returnValue(result);
    code.end();
  }
  code.end();
};

/** Returns a result that has become zero, though it is not, if it is rounded to nearest. */
const returnVanished = (f: FloatCode, result: Local, rm: Local): void => {
  const { code } = f;
  f.isZero('f64', result);
  f.roundsToNearest(rm);
  code.op('i32.and');
  code.if();
  f.raise(FLAG.inexact | FLAG.underflow);
  f.returnValue(result);
  code.end();
};

const scaled = (f: FloatCode, value: Local): Local => {
  const result = f.code.local('f64');
  f.code.get(value);
  f.code.f64(SCALE);
  f.code.op('f64.mul');
  f.code.set(result);
  return result;
};

/** Sets two locals to two factors, the smaller one of which is scaled. */
const scaledFactors = (f: FloatCode, a: Local, b: Local): readonly [Local, Local] => {
  const { code } = f;
  const scaledOr = (value: Local, other: Local, comparison: 'f64.lt' | 'f64.le'): Local => {
    const result = code.local('f64');
    code.get(value);
    code.f64(SCALE);
    code.op('f64.mul');
    code.get(value);
    code.get(value);
    code.op('f64.abs');
    code.get(other);
    code.op('f64.abs', comparison, 'select');
    code.set(result);
    return result;
  };
  return [scaledOr(a, b, 'f64.lt'), scaledOr(b, a, 'f64.le')];
};

/** Returns a small product of doubles, neither of them zero. */
export const returnSmallProduct = (f: FloatCode, a: Local, b: Local, product: Local, rm: Local): void => {
  const { code } = f;
  returnVanished(f, product, rm);
  f.isWithin('f64', product, SMALL);
  code.if();
  const [left, right] = scaledFactors(f, a, b);
  const larger = f.binary('f64', 'mul', left, right);
  const missing = f.binary('f64', 'sub', larger, scaled(f, product));
  const error = f.binary('f64', 'add', missing, f.productError(left, right, larger));
  returnSmall(f, 'f64', product, error, rm);
  code.end();
};

/** Returns a small quotient of doubles, the dividend not zero. */
export const returnSmallQuotient = (f: FloatCode, a: Local, b: Local, quotient: Local, rm: Local): void => {
  const { code } = f;
  returnVanished(f, quotient, rm);
  f.isWithin('f64', quotient, SMALL);
  f.isWithin('f64', b, 2 ** 990);
  code.op('i32.and');
  code.if();
  const larger = scaled(f, quotient);
  const product = f.binary('f64', 'mul', larger, b);
  const missing = f.binary('f64', 'sub', scaled(f, a), product);
  // Its sign does not matter: only whether it is zero.
  const error = f.binary('f64', 'sub', missing, f.productError(larger, b, product));
  returnSmall(f, 'f64', quotient, error, rm);
  code.end();
};

/**
 * Returns a × b + c where all are numbers, the product is not zero and both terms are small, if it is rounded to nearest. The sum,
 * scaled and rounded to odd, is scaled back, and rounded once more in that: right where at least two bits go.
 */
export const returnSmallSum = (
  f: FloatCode,
  [a, b, c]: readonly [Local, Local, Local],
  product: Local,
  rm: Local,
): void => {
  const { code } = f;
  const [left, right] = scaledFactors(f, a, b);
  const larger = f.binary('f64', 'mul', left, right);
  f.roundsToNearest(rm);
  f.isWithin('f64', product, SMALL);
  f.isWithin('f64', c, SMALL);
  f.isWithin('f64', larger, 1, SMALL);
  code.op('i32.and', 'i32.and', 'i32.and');
  code.if();
  const { high, rest } = f.sumOfThree(larger, f.productError(left, right, larger), scaled(f, c));
  const sum = f.binary('f64', 'add', high, rest);
  const sumError = f.sumError('f64', high, rest, sum);
  const result = code.local('f64');
  const scaleBack = (): void => {
    code.get(sum);
    code.f64(1 / SCALE);
    code.op('f64.mul');
    code.set(result);
  };
  scaleBack();
  f.isWithin('f64', result, Infinity, SMALLEST_NORMAL.f64);
  code.if();
  returnSmall(f, 'f64', result, sumError, rm);
  code.end();
  f.roundToOdd(sum, sumError);
  scaleBack();
  f.isWithin('f64', result, SMALLEST_NORMAL.f64 / 4);
  f.isZero('f64', sum);
  code.op('i32.eqz', 'i32.and');
  code.if();
  returnSmall(f, 'f64', result, f.binary('f64', 'sub', sum, scaled(f, result)), rm);
  code.end();
  code.end();
};

/** Returns a × b + c where none is a NaN and one is infinite. */
export const returnInfiniteSum = (
  f: FloatCode,
  type: FloatType,
  [a, b, c]: readonly [Local, Local, Local],
): void => {
  const { code } = f;
  f.isNan(type, a);
  f.isNan(type, b);
  f.isNan(type, c);
  code.op('i32.or', 'i32.or', 'i32.eqz');
  code.if();
  ifAny(
    f,
    [a, b],
    (operand) => f.isInfinite(type, operand),
    () => {
      const sum = f.binary(type, 'add', f.binary(type, 'mul', a, b), c);
      f.isNan(type, sum);
      code.if();
      returnInvalid(f, type);
      code.end();
      f.returnValue(sum);
    },
  );
  f.isInfinite(type, c);
  code.if();
  f.returnValue(c);
  code.end();
  code.end();
};
