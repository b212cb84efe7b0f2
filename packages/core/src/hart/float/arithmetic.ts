/**
 * The arithmetic of singles and doubles, exact for all operands, in any rounding mode (unprivileged specification, chapters 11
 * and 12; IEEE 754-2008, sections 5.4, 6 and 7). Operands and results are bits. Every NaN that is a result is the canonical one.
 */
import { FLAG, ROUND } from './fcsr.js';
import {
  type Finite,
  infinityBits,
  isNegative,
  type NumberFormat,
  unpack,
  type Unpacked,
  zeroBits,
} from './number-format.js';
import { bitLength, type Result, round } from './rounding.js';

export const add = (format: NumberFormat, a: bigint, b: bigint, mode: number): Result => {
  const [left, right] = [unpack(format, a), unpack(format, b)];
  if (left.kind === 'nan' || right.kind === 'nan') return nanResult(format, left, right);
  return addUnpacked(format, left, right, mode);
};

export const multiply = (format: NumberFormat, a: bigint, b: bigint, mode: number): Result => {
  const [left, right] = [unpack(format, a), unpack(format, b)];
  if (left.kind === 'nan' || right.kind === 'nan') return nanResult(format, left, right);
  const product = multiplyUnpacked(left, right);
  if (product.kind === 'nan') return invalid(format);
  if (product.kind === 'infinity') return exact(infinityBits(format, product.negative));
  return round(format, { ...product, more: false }, mode);
};

/** a × b + c, rounded once. Infinity times zero is invalid, even where c is a quiet NaN. */
export const multiplyAdd = (format: NumberFormat, a: bigint, b: bigint, c: bigint, mode: number): Result => {
  const [left, right, addend] = [unpack(format, a), unpack(format, b), unpack(format, c)];
  if (left.kind === 'nan' || right.kind === 'nan') return nanResult(format, left, right, addend);
  const product = multiplyUnpacked(left, right);
  if (product.kind === 'nan') return invalid(format);
  if (addend.kind === 'nan') return nanResult(format, addend);
  return addUnpacked(format, product, addend, mode);
};

export const divide = (format: NumberFormat, a: bigint, b: bigint, mode: number): Result => {
  const [left, right] = [unpack(format, a), unpack(format, b)];
  if (left.kind === 'nan' || right.kind === 'nan') return nanResult(format, left, right);
  const negative = isNegative(format, a) !== isNegative(format, b);
  if (left.kind !== 'finite') {
    return right.kind === 'finite' ? exact(infinityBits(format, negative)) : invalid(format);
  }
  if (right.kind !== 'finite') return exact(zeroBits(format, negative));
  if (right.significand === 0n) {
    if (left.significand === 0n) return invalid(format);
    return { bits: infinityBits(format, negative), flags: FLAG.divideByZero };
  }
  // So many bits that the quotient has two more than the format.
  const shift = Math.max(
    0,
    format.precision + 3 + bitLength(right.significand) - bitLength(left.significand),
  );
  const dividend = left.significand << BigInt(shift);
  const quotient = dividend / right.significand;
  const more = quotient * right.significand !== dividend;
  const exponent = left.exponent - shift - right.exponent;
  return round(format, { negative, significand: quotient, exponent, more }, mode);
};

export const squareRoot = (format: NumberFormat, a: bigint, mode: number): Result => {
  const value = unpack(format, a);
  if (value.kind === 'nan') return nanResult(format, value);
  if (value.kind === 'finite' && value.significand === 0n) return exact(a);
  if (value.negative) return invalid(format);
  if (value.kind === 'infinity') return exact(a);
  // An even exponent, and so many bits that the root has two more than the format.
  const wanted = 2 * (format.precision + 3) - bitLength(value.significand);
  const shift = Math.max(0, wanted) + ((value.exponent - Math.max(0, wanted)) % 2 === 0 ? 0 : 1);
  const square = value.significand << BigInt(shift);
  const significand = wholeRoot(square);
  const more = significand * significand !== square;
  const exponent = (value.exponent - shift) / 2;
  return round(format, { negative: false, significand, exponent, more }, mode);
};

export const convert = (from: NumberFormat, to: NumberFormat, a: bigint, mode: number): Result => {
  const value = unpack(from, a);
  if (value.kind === 'nan') return nanResult(to, value);
  if (value.kind === 'infinity') return exact(infinityBits(to, value.negative));
  return round(to, { ...value, more: false }, mode);
};

const exact = (bits: bigint): Result => ({ bits, flags: 0 });

const invalid = (format: NumberFormat): Result => ({ bits: format.canonicalNan, flags: FLAG.invalid });

/** What an operation gives one of whose operands is a NaN. A signalling one is invalid. */
const nanResult = (format: NumberFormat, ...operands: readonly Unpacked[]): Result =>
  operands.some((operand) => operand.kind === 'nan' && operand.signaling)
    ? invalid(format)
    : exact(format.canonicalNan);

type NotNan = Exclude<Unpacked, { kind: 'nan' }>;

const multiplyUnpacked = (left: NotNan, right: NotNan): Unpacked => {
  const negative = left.negative !== right.negative;
  if (left.kind === 'finite' && right.kind === 'finite') {
    const significand = left.significand * right.significand;
    return { kind: 'finite', negative, significand, exponent: left.exponent + right.exponent };
  }
  const isZero = (value: NotNan): boolean => value.kind === 'finite' && value.significand === 0n;
  return isZero(left) || isZero(right) ? { kind: 'nan', signaling: false } : { kind: 'infinity', negative };
};

const addUnpacked = (format: NumberFormat, left: NotNan, right: NotNan, mode: number): Result => {
  if (left.kind === 'finite' && right.kind === 'finite') {
    return round(format, { ...sumOf(left, right, mode), more: false }, mode);
  }
  if (left.kind === 'infinity' && right.kind === 'infinity' && left.negative !== right.negative) {
    return invalid(format);
  }
  const { negative } = left.kind === 'infinity' ? left : right;
  return exact(infinityBits(format, negative));
};

const sumOf = (left: Finite, right: Finite, mode: number): Omit<Finite, 'kind'> => {
  const exponent = Math.min(left.exponent, right.exponent);
  const term = ({ negative, significand, exponent: own }: Finite): bigint => {
    const magnitude = significand << BigInt(own - exponent);
    return negative ? -magnitude : magnitude;
  };
  const sum = term(left) + term(right);
  if (sum !== 0n) return { negative: sum < 0n, significand: sum < 0n ? -sum : sum, exponent };
  // Zeros of one sign stay what they are. Terms that cancel give +0, rounded down -0.
  const negative = left.negative === right.negative ? left.negative : mode === ROUND.down;
  return { negative, significand: 0n, exponent };
};

/** The largest whole number whose square is not above a number, by Newton's method from above. */
const wholeRoot = (square: bigint): bigint => {
  let root = 1n << BigInt(Math.ceil(bitLength(square) / 2));
  for (;;) {
    const next = (root + square / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
};
