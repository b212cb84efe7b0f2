/**
 * Pieces of code for the floating-point module: error-free transformations, which say by how much WebAssembly's result differs
 * from the exact one, and what follows from that for flags and rounding.
 *
 * TwoSum is Knuth's, the exact product Dekker's with Veltkamp's splitting. Both are exact where nothing overflows or
 * underflows, which their callers see to.
 */
import { FCSR, FLOAT_OPERANDS, FLOAT_RESULT } from '../layout.js';
import type { CodeBuilder, FunctionIndex, Local, Opcode } from '../wasm/index.js';
import { DYNAMIC, FLAG, FRM_SHIFT, ROUND } from './fcsr.js';
import { DOUBLE, SINGLE } from './number-format.js';
import { FLOAT_FUNCTIONS, type FloatFunction, SOFT_OPERATIONS, type SoftOperation } from './functions.js';

export type FloatType = 'f32' | 'f64';

interface Bits {
  readonly integer: 'i32' | 'i64';
  readonly fromFloat: Opcode;
  readonly toFloat: Opcode;
  /** The last bit set of the canonical NaN: a NaN without it is a signalling one. */
  readonly quiet: bigint;
  readonly canonicalNan: bigint;
}

export const BITS: Readonly<Record<FloatType, Bits>> = {
  f32: {
    integer: 'i32',
    fromFloat: 'i32.reinterpret_f32',
    toFloat: 'f32.reinterpret_i32',
    quiet: 1n << 22n,
    canonicalNan: SINGLE.canonicalNan,
  },
  f64: {
    integer: 'i64',
    fromFloat: 'i64.reinterpret_f64',
    toFloat: 'f64.reinterpret_i64',
    quiet: 1n << 51n,
    canonicalNan: DOUBLE.canonicalNan,
  },
};

/** Whether a result can lie in the middle between two numbers: quotients and roots never do. */
type Ties = 'possible' | 'impossible';

/** Has a function of the module written. */
export type FloatWriter = (
  name: FloatFunction,
  write: (f: FloatCode, ...parameters: Local[]) => void,
) => void;

const SPLITTER = 2 ** 27 + 1;

/** The body of one function. */
export class FloatCode {
  readonly code: CodeBuilder;
  readonly #softFloat: FunctionIndex;

  constructor(code: CodeBuilder, softFloat: FunctionIndex) {
    this.code = code;
    this.#softFloat = softFloat;
  }

  /** Sets a new local to `left operation right`. */
  binary(type: FloatType, operation: 'add' | 'sub' | 'mul' | 'div', left: Local, right: Local): Local {
    const result = this.code.local(type);
    this.code.get(left);
    this.code.get(right);
    this.code.op(`${type}.${operation}`);
    this.code.set(result);
    return result;
  }

  /** Sets a new local of that type to `operation operand`. */
  unary(type: FloatType, operation: Opcode, operand: Local): Local {
    const result = this.code.local(type);
    this.code.get(operand);
    this.code.op(operation);
    this.code.set(result);
    return result;
  }

  /** Sets a local to a + b - sum, where the sum is a + b rounded. */
  sumError(type: FloatType, a: Local, b: Local, sum: Local): Local {
    const bPart = this.binary(type, 'sub', sum, a);
    const aPart = this.binary(type, 'sub', sum, bPart);
    return this.binary(type, 'add', this.binary(type, 'sub', a, aPart), this.binary(type, 'sub', b, bPart));
  }

  /** Sets a local to a × b - product, where the product is a × b rounded, or a double beside that. */
  productError(a: Local, b: Local, product: Local): Local {
    const { code } = this;
    const [aHigh, aLow] = this.#split(a);
    const [bHigh, bLow] = a === b ? [aHigh, aLow] : this.#split(b);
    const error = code.local('f64');
    const multiply = (left: Local, right: Local): void => {
      code.get(left);
      code.get(right);
      code.op('f64.mul');
    };
    multiply(aHigh, bHigh);
    code.get(product);
    code.op('f64.sub');
    multiply(aHigh, bLow);
    code.op('f64.add');
    multiply(aLow, bHigh);
    code.op('f64.add');
    multiply(aLow, bLow);
    code.op('f64.add');
    code.set(error);
    return error;
  }

  /** Sets two locals to the sum of a product, its error and c: `high`, and a rest that is rounded to odd. */
  sumOfThree(product: Local, productError: Local, c: Local): { readonly high: Local; readonly rest: Local } {
    const middle = this.binary('f64', 'add', c, productError);
    const middleError = this.sumError('f64', c, productError, middle);
    const high = this.binary('f64', 'add', product, middle);
    const highError = this.sumError('f64', product, middle, high);
    const rest = this.binary('f64', 'add', middleError, highError);
    this.roundToOdd(rest, this.sumError('f64', middleError, highError, rest));
    return { high, rest };
  }

  /**
   * Makes of a sum, rounded to nearest, and its error the sum rounded to odd: one that is not exact has 1 for its last bit.
   * Rounding that again, to two bits fewer at least, is as rounding once (Boldo and Melquiond, 2008).
   */
  roundToOdd(sum: Local, error: Local): void {
    const { code } = this;
    this.#isNotZero('f64', error);
    code.get(sum);
    code.op('i64.reinterpret_f64', 'i32.wrap_i64');
    code.i32(1);
    code.op('i32.and', 'i32.eqz', 'i32.and');
    code.if();
    this.#neighbour('f64', sum, 'f64', error);
    code.set(sum);
    code.end();
  }

  returnValue(value: Local): void {
    this.code.get(value);
    this.code.op('return');
  }

  /** Pushes whether a number is under, and over, another in magnitude. No NaN is. */
  isWithin(type: FloatType, value: Local, below: number, above?: number): void {
    this.#magnitude(type, value);
    this.code[type](below);
    this.code.op(`${type}.lt`);
    if (above === undefined) return;
    this.#magnitude(type, value);
    this.code[type](above);
    this.code.op(`${type}.gt`, 'i32.and');
  }

  isZero(type: FloatType, value: Local): void {
    this.code.get(value);
    this.code[type](0);
    this.code.op(`${type}.eq`);
  }

  isNan(type: FloatType, value: Local): void {
    this.code.get(value);
    this.code.get(value);
    this.code.op(`${type}.ne`);
  }

  isInfinite(type: FloatType, value: Local): void {
    this.#magnitude(type, value);
    this.code[type](Infinity);
    this.code.op(`${type}.eq`);
  }

  /** Pushes whether a NaN is a signalling one. */
  nanSignals(type: FloatType, value: Local): void {
    const { integer, fromFloat, quiet } = BITS[type];
    this.code.get(value);
    this.code.op(fromFloat);
    if (integer === 'i32') this.code.i32(Number(quiet));
    else this.code.i64(quiet);
    this.code.op(`${integer}.and`, `${integer}.eqz`);
  }

  canonicalNan(type: FloatType): void {
    const { integer, toFloat, canonicalNan } = BITS[type];
    if (integer === 'i32') this.code.i32(Number(canonicalNan));
    else this.code.i64(canonicalNan);
    this.code.op(toFloat);
  }

  raise(flags: number): void {
    const { code } = this;
    code.i32(0);
    code.i32(0);
    code.memory('i32.load', FCSR);
    code.i32(flags);
    code.op('i32.or');
    code.memory('i32.store', FCSR);
  }

  /** Sets a rounding mode that may be dynamic to the one that is meant. */
  resolveRounding(rm: Local): void {
    const { code } = this;
    code.i32(0);
    code.memory('i32.load', FCSR);
    code.i32(FRM_SHIFT);
    code.op('i32.shr_u');
    code.get(rm);
    code.get(rm);
    code.i32(DYNAMIC);
    code.op('i32.eq', 'select');
    code.set(rm);
  }

  /** Pushes whether it is rounded to nearest even. Resolves the rounding mode. */
  roundsToNearest(rm: Local): void {
    this.resolveRounding(rm);
    this.code.get(rm);
    this.code.op('i32.eqz');
  }

  /** Pushes whether, besides, inexact is set already. */
  roundsToNearestInexactly(rm: Local): void {
    const { code } = this;
    this.roundsToNearest(rm);
    code.i32(0);
    code.memory('i32.load', FCSR);
    code.op('i32.and');
  }

  /**
   * Returns the result that was rounded to nearest, or the one beside it where the rounding mode asks for that, and raises
   * inexact unless the error is zero. Where the error is known by its sign only, ties are to be impossible. The result is not
   * zero, or zero is right in every mode.
   */
  returnRounded(
    type: FloatType,
    result: Local,
    errorType: FloatType,
    error: Local,
    rm: Local,
    ties: Ties,
  ): void {
    const { code } = this;
    this.#isNotZero(errorType, error);
    code.if();
    this.raise(FLAG.inexact);
    this.resolveRounding(rm);
    code.get(rm);
    code.if();
    const beside = code.local(type);
    this.#neighbour(type, result, errorType, error);
    code.set(beside);
    code.get(beside);
    code.get(result);
    this.#takesNeighbour(type, result, beside, errorType, error, rm, ties);
    code.op('select', 'return');
    code.end();
    code.end();
    this.returnValue(result);
  }

  /** As above for a sum, which is zero where its terms cancel: that is -0 when rounding down, and left to JavaScript then. */
  returnRoundedSum(type: FloatType, result: Local, errorType: FloatType, error: Local, rm: Local): void {
    const { code } = this;
    this.isZero(type, result);
    code.if();
    this.returnZeroSum(result, rm);
    code.else();
    this.returnRounded(type, result, errorType, error, rm, 'possible');
    code.end();
  }

  /** Returns an exact zero unless it is a sum that is rounded down. */
  returnZeroSum(result: Local, rm: Local): void {
    const { code } = this;
    this.resolveRounding(rm);
    code.get(rm);
    code.i32(ROUND.down);
    code.op('i32.ne');
    code.if();
    this.returnValue(result);
    code.end();
  }

  /** Has JavaScript do it. Ends the function. */
  leaveToSoftware(operation: SoftOperation, operands: readonly Local[], rm: Local): void {
    const { code } = this;
    const { parameters, results } = FLOAT_FUNCTIONS[operation];
    for (const [index, operand] of operands.entries()) {
      code.i32(0);
      code.get(operand);
      code.memory(`${parameters[0]}.store`, FLOAT_OPERANDS + 8 * index);
    }
    this.resolveRounding(rm);
    code.i32(SOFT_OPERATIONS.indexOf(operation));
    code.get(rm);
    code.call(this.#softFloat);
    code.i32(0);
    code.memory(`${results[0]}.load`, FLOAT_RESULT);
  }

  #takesNeighbour(
    type: FloatType,
    result: Local,
    beside: Local,
    errorType: FloatType,
    error: Local,
    rm: Local,
    ties: Ties,
  ): void {
    const { code } = this;
    const isMode = (mode: number): void => {
      code.get(rm);
      code.i32(mode);
      code.op('i32.eq');
    };
    isMode(ROUND.towardsZero);
    code.if('i32');
    this.#isOutwards(type, result, errorType, error);
    code.op('i32.eqz');
    code.else();
    isMode(ROUND.down);
    code.if('i32');
    code.get(error);
    code[errorType](0);
    code.op(`${errorType}.lt`);
    code.else();
    isMode(ROUND.up);
    code.if('i32');
    code.get(error);
    code[errorType](0);
    code.op(`${errorType}.gt`);
    code.else();
    if (ties === 'possible') {
      // To nearest, and away from zero where it is as far to the number beyond: both differences are exact.
      this.#isOutwards(type, result, errorType, error);
      for (const value of [beside, result]) {
        code.get(value);
        if (type !== errorType) code.op('f64.promote_f32');
      }
      code.op(`${errorType}.sub`);
      code.get(error);
      code.get(error);
      code.op(`${errorType}.add`, `${errorType}.eq`, 'i32.and');
    } else {
      code.i32(0);
    }
    code.end();
    code.end();
    code.end();
  }

  /** Pushes the next number from a value, which is not zero, in the direction of its error. */
  #neighbour(type: FloatType, value: Local, errorType: FloatType, error: Local): void {
    const { code } = this;
    const { integer, fromFloat, toFloat } = BITS[type];
    code.get(value);
    code.op(fromFloat);
    this.#isOutwards(type, value, errorType, error);
    code.i32(1);
    code.op('i32.shl');
    code.i32(1);
    code.op('i32.sub');
    if (integer === 'i64') code.op('i64.extend_i32_s');
    code.op(`${integer}.add`, toFloat);
  }

  /** Pushes whether the error leads away from zero. */
  #isOutwards(type: FloatType, value: Local, errorType: FloatType, error: Local): void {
    const { code } = this;
    code.get(error);
    code[errorType](0);
    code.op(`${errorType}.gt`);
    code.get(value);
    code[type](0);
    code.op(`${type}.gt`, 'i32.eq');
  }

  #isNotZero(type: FloatType, value: Local): void {
    this.code.get(value);
    this.code[type](0);
    this.code.op(`${type}.ne`);
  }

  #magnitude(type: FloatType, value: Local): void {
    this.code.get(value);
    this.code.op(`${type}.abs`);
  }

  /** Two locals of 26 bits each whose sum is the value. */
  #split(value: Local): [Local, Local] {
    const { code } = this;
    const scaled = code.local('f64');
    code.get(value);
    code.f64(SPLITTER);
    code.op('f64.mul');
    code.set(scaled);
    const high = this.binary('f64', 'sub', scaled, this.binary('f64', 'sub', scaled, value));
    return [high, this.binary('f64', 'sub', value, high)];
  }
}
