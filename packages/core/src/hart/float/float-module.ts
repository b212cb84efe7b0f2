/**
 * Generates the module that does floating-point arithmetic where an instruction's own code cannot let WebAssembly's result
 * stand: another rounding mode than to nearest even, or an inexact flag that is not set yet and may have to be.
 *
 * Each function has a range of operands in which the error of WebAssembly's result can be worked out without overflow or
 * underflow. There the error decides on the flag, and on the neighbour that another rounding mode wants. Singles are worked on in
 * doubles, which hold their products exactly. Beyond the range float-edges.ts has the cases that are simple, and JavaScript does
 * the rest (soft-float.ts).
 */
import { type CodeBuilder, type FunctionIndex, type Local, ModuleBuilder } from '../wasm/index.js';
import { FloatCode, type FloatType, type FloatWriter } from './float-code.js';
import {
  returnDividedByZero,
  returnInfiniteSum,
  returnOverflow,
  returnSmall,
  returnSmallProduct,
  returnSmallQuotient,
  returnSmallSum,
  returnSpecial,
} from './float-edges.js';
import { LARGE_SINGLE, SMALL_SINGLE, writeConversions } from './float-conversions.js';
import { FLOAT_FUNCTIONS } from './functions.js';

/** Sums of two terms below these do not overflow, and neither do the steps that find their error. */
const LARGE_TERM: Readonly<Record<FloatType, number>> = { f32: 2 ** 126, f64: 2 ** 1022 };
/** Below this a double can be split in two. */
const LARGE_FACTOR = 2 ** 990;
/** Between these the product of two doubles has an error that is a double. */
const LARGE_PRODUCT = 2 ** 1000;
const SMALL_PRODUCT = 2 ** -900;

/** The module imports `ram.memory`, and `soft.float(operation, rounding mode)`. */
export const generateFloatModule = (): Uint8Array<ArrayBuffer> => {
  const module = new ModuleBuilder();
  module.importMemory('ram', 'memory');
  const softFloat: FunctionIndex = module.importFunction('soft', 'float', {
    parameters: ['i32', 'i32'],
    results: [],
  });
  const write: FloatWriter = (name, body) => {
    const signature = FLOAT_FUNCTIONS[name];
    const code: CodeBuilder = module.function(name, signature);
    body(new FloatCode(code, softFloat), ...signature.parameters.map((_, index) => code.parameter(index)));
  };
  writeSums(write);
  writeDoubles(write);
  writeSingles(write);
  writeConversions(write);
  return module.toBytes();
};

const writeSums = (write: FloatWriter): void => {
  for (const [name, type] of [
    ['add.s', 'f32'],
    ['add.d', 'f64'],
  ] as const) {
    write(name, (f, a, b, rm) => {
      f.isWithin(type, a, LARGE_TERM[type]);
      f.isWithin(type, b, LARGE_TERM[type]);
      f.code.op('i32.and');
      f.code.if();
      const sum = f.binary(type, 'add', a, b);
      f.returnRoundedSum(type, sum, type, f.sumError(type, a, b, sum), rm);
      f.code.end();
      const result = f.binary(type, 'add', a, b);
      returnSpecial(f, type, [a, b], type, result);
      returnOverflow(f, type, result, rm);
      f.leaveToSoftware(name, [a, b], rm);
    });
  }
};

/** Pushes whether `product` is zero because a factor is. */
const isZeroProduct = (f: FloatCode, type: FloatType, a: Local, b: Local, product: Local): void => {
  f.isZero(type, product);
  f.isZero(type, a);
  f.isZero(type, b);
  f.code.op('i32.or', 'i32.and');
};

/** Pushes whether the error of `product` can be worked out. */
const isExactProduct = (f: FloatCode, a: Local, b: Local, product: Local): void => {
  f.isWithin('f64', a, LARGE_FACTOR);
  f.isWithin('f64', b, LARGE_FACTOR);
  f.isWithin('f64', product, LARGE_PRODUCT, SMALL_PRODUCT);
  f.code.op('i32.and', 'i32.and');
};

/** Pushes whether a dividend is zero and makes the quotient so. */
const isZeroQuotient = (f: FloatCode, type: FloatType, dividend: Local, quotient: Local): void => {
  f.isZero(type, quotient);
  f.isZero(type, dividend);
  f.code.op('i32.and');
};

/** Gives a remainder the sign that the quotient's error has: where the divisor is negative, the other. */
const errorOfQuotient = (f: FloatCode, remainder: Local, divisor: Local): Local => {
  const error = f.code.local('f64');
  f.code.get(remainder);
  f.code.f64(1);
  f.code.get(divisor);
  f.code.op('f64.copysign', 'f64.mul');
  f.code.set(error);
  return error;
};

const writeDoubles = (write: FloatWriter): void => {
  write('mul.d', (f, a, b, rm) => {
    const product = f.binary('f64', 'mul', a, b);
    isExactProduct(f, a, b, product);
    f.code.if();
    f.returnRounded('f64', product, 'f64', f.productError(a, b, product), rm, 'possible');
    f.code.end();
    isZeroProduct(f, 'f64', a, b, product);
    f.code.if();
    f.returnValue(product);
    f.code.end();
    returnSpecial(f, 'f64', [a, b], 'f64', product);
    returnOverflow(f, 'f64', product, rm);
    returnSmallProduct(f, a, b, product, rm);
    f.leaveToSoftware('mul.d', [a, b], rm);
  });

  write('div.d', (f, a, b, rm) => {
    const quotient = f.binary('f64', 'div', a, b);
    f.isWithin('f64', a, LARGE_PRODUCT, SMALL_PRODUCT);
    f.isWithin('f64', b, LARGE_FACTOR);
    f.isWithin('f64', quotient, LARGE_FACTOR, SMALL_PRODUCT);
    f.code.op('i32.and', 'i32.and');
    f.code.if();
    const product = f.binary('f64', 'mul', quotient, b);
    const remainder = f.binary(
      'f64',
      'sub',
      f.binary('f64', 'sub', a, product),
      f.productError(quotient, b, product),
    );
    f.returnRounded('f64', quotient, 'f64', errorOfQuotient(f, remainder, b), rm, 'impossible');
    f.code.end();
    isZeroQuotient(f, 'f64', a, quotient);
    f.code.if();
    f.returnValue(quotient);
    f.code.end();
    returnSpecial(f, 'f64', [a, b], 'f64', quotient);
    returnDividedByZero(f, 'f64', b, quotient);
    returnOverflow(f, 'f64', quotient, rm);
    returnSmallQuotient(f, a, b, quotient, rm);
    f.leaveToSoftware('div.d', [a, b], rm);
  });

  write('sqrt.d', (f, a, rm) => {
    const root = f.unary('f64', 'f64.sqrt', a);
    f.isWithin('f64', a, LARGE_PRODUCT, SMALL_PRODUCT);
    // Not of a negative number.
    f.isWithin('f64', root, LARGE_FACTOR);
    f.code.op('i32.and');
    f.code.if();
    const square = f.binary('f64', 'mul', root, root);
    const rest = f.binary(
      'f64',
      'sub',
      f.binary('f64', 'sub', a, square),
      f.productError(root, root, square),
    );
    f.returnRounded('f64', root, 'f64', rest, rm, 'impossible');
    f.code.end();
    f.isZero('f64', a);
    f.code.if();
    f.returnValue(a);
    f.code.end();
    returnSpecial(f, 'f64', [a], 'f64', root);
    f.leaveToSoftware('sqrt.d', [a], rm);
  });

  write('fma.d', (f, a, b, c, rm) => {
    const product = f.binary('f64', 'mul', a, b);
    isExactProduct(f, a, b, product);
    f.isWithin('f64', c, LARGE_PRODUCT);
    f.code.op('i32.and');
    f.code.if();
    const productError = f.productError(a, b, product);
    returnSumOfThree(f, product, productError, c, rm);
    const { high, rest } = f.sumOfThree(product, productError, c);
    const sum = f.binary('f64', 'add', high, rest);
    f.returnRoundedSum('f64', sum, 'f64', f.sumError('f64', high, rest, sum), rm);
    f.code.end();
    isZeroProduct(f, 'f64', a, b, product);
    f.isWithin('f64', c, LARGE_PRODUCT);
    f.code.op('i32.and');
    f.code.if();
    returnExactSum(f, 'f64', f.binary('f64', 'add', product, c), rm);
    f.code.end();
    returnInfiniteSum(f, 'f64', [a, b, c]);
    returnSmallSum(f, [a, b, c], product, rm);
    f.leaveToSoftware('fma.d', [a, b, c], rm);
  });
};

/**
 * Returns product + error + c, where it is not zero, in two cases that are quick. Where the sum of the first and the last, and
 * all that is missing from it, are exact: that sum. Where it is rounded to nearest, and inexact is set: what all sums are
 * rounded to that lie about it by no more than the rounding of the rest can have moved it, if that is one number.
 */
const returnSumOfThree = (f: FloatCode, product: Local, productError: Local, c: Local, rm: Local): void => {
  const { code } = f;
  const sum = f.binary('f64', 'add', product, c);
  const rest = f.binary('f64', 'add', f.sumError('f64', product, c, sum), productError);
  code.get(rest);
  code.f64(0);
  code.op('f64.eq');
  code.get(sum);
  code.f64(0);
  code.op('f64.ne', 'i32.and');
  code.if();
  f.returnValue(sum);
  code.end();
  f.roundsToNearestInexactly(rm);
  code.if();
  const [least, most] = [1 - 2 ** -51, 1 + 2 ** -51].map((factor) => {
    const bound = code.local('f64');
    code.get(sum);
    code.get(rest);
    code.f64(factor);
    code.op('f64.mul', 'f64.add');
    code.set(bound);
    return bound;
  });
  code.get(least!);
  code.get(most!);
  code.op('f64.eq');
  code.get(least!);
  code.f64(0);
  code.op('f64.ne', 'i32.and');
  code.if();
  f.returnValue(least!);
  code.end();
  code.end();
};

/** Returns a sum that is exact, if that is right in the rounding mode. */
const returnExactSum = (f: FloatCode, type: FloatType, sum: Local, rm: Local): void => {
  f.isZero(type, sum);
  f.code.if();
  f.returnZeroSum(sum, rm);
  f.code.else();
  f.returnValue(sum);
  f.code.end();
};

const writeSingles = (write: FloatWriter): void => {
  const asDouble = (f: FloatCode, single: Local): Local => f.unary('f64', 'f64.promote_f32', single);

  write('mul.s', (f, a, b, rm) => {
    const exact = f.binary('f64', 'mul', asDouble(f, a), asDouble(f, b));
    const product = f.unary('f32', 'f32.demote_f64', exact);
    const error = f.binary('f64', 'sub', exact, asDouble(f, product));
    f.isWithin('f64', exact, LARGE_SINGLE, SMALL_SINGLE);
    f.code.if();
    f.returnRounded('f32', product, 'f64', error, rm, 'possible');
    f.code.end();
    isZeroProduct(f, 'f32', a, b, product);
    f.code.if();
    f.returnValue(product);
    f.code.end();
    returnSpecial(f, 'f32', [a, b], 'f32', product);
    returnOverflow(f, 'f32', product, rm);
    returnSmall(f, 'f32', product, error, rm);
    f.leaveToSoftware('mul.s', [a, b], rm);
  });

  write('div.s', (f, a, b, rm) => {
    const quotient = f.binary('f32', 'div', a, b);
    const divisor = asDouble(f, b);
    const product = f.binary('f64', 'mul', asDouble(f, quotient), divisor);
    const remainder = f.binary('f64', 'sub', asDouble(f, a), product);
    f.isWithin('f32', quotient, LARGE_SINGLE / 2, SMALL_SINGLE);
    f.code.if();
    f.returnRounded('f32', quotient, 'f64', errorOfQuotient(f, remainder, divisor), rm, 'impossible');
    f.code.end();
    isZeroQuotient(f, 'f32', a, quotient);
    f.code.if();
    f.returnValue(quotient);
    f.code.end();
    returnSpecial(f, 'f32', [a, b], 'f32', quotient);
    returnDividedByZero(f, 'f32', b, quotient);
    returnOverflow(f, 'f32', quotient, rm);
    returnSmall(f, 'f32', quotient, remainder, rm);
    f.leaveToSoftware('div.s', [a, b], rm);
  });

  write('sqrt.s', (f, a, rm) => {
    const root = f.unary('f32', 'f32.sqrt', a);
    // Of a number that is neither negative nor infinite.
    f.isWithin('f32', root, LARGE_SINGLE, 0);
    f.code.if();
    const wide = asDouble(f, root);
    const rest = f.binary('f64', 'sub', asDouble(f, a), f.binary('f64', 'mul', wide, wide));
    f.returnRounded('f32', root, 'f64', rest, rm, 'impossible');
    f.code.end();
    f.isZero('f32', a);
    f.code.if();
    f.returnValue(a);
    f.code.end();
    returnSpecial(f, 'f32', [a], 'f32', root);
    f.leaveToSoftware('sqrt.s', [a], rm);
  });

  write('fma.s', (f, a, b, c, rm) => {
    const product = f.binary('f64', 'mul', asDouble(f, a), asDouble(f, b));
    const term = asDouble(f, c);
    const wide = f.binary('f64', 'add', product, term);
    f.isZero('f64', wide);
    f.code.if();
    f.returnZeroSum(f.unary('f32', 'f32.demote_f64', wide), rm);
    f.code.end();
    f.roundToOdd(wide, f.sumError('f64', product, term, wide));
    const sum = f.unary('f32', 'f32.demote_f64', wide);
    const error = f.binary('f64', 'sub', wide, asDouble(f, sum));
    f.isWithin('f64', wide, LARGE_SINGLE, SMALL_SINGLE);
    f.code.if();
    f.returnRounded('f32', sum, 'f64', error, rm, 'possible');
    f.code.end();
    returnInfiniteSum(f, 'f32', [a, b, c]);
    f.isNan('f32', sum);
    f.code.op('i32.eqz');
    f.code.if();
    returnOverflow(f, 'f32', sum, rm);
    f.isWithin('f32', sum, Infinity);
    f.code.if();
    returnSmall(f, 'f32', sum, error, rm);
    f.code.end();
    f.code.end();
    f.leaveToSoftware('fma.s', [a, b, c], rm);
  });
};
