/** Rounds exact values to singles and doubles, in any of the five modes, with the flags that this raises (IEEE 754-2008, sections 4 and 7). */
import { FLAG, ROUND } from './fcsr.js';
import { finiteBits, infinityBits, largestBits, type NumberFormat, zeroBits } from './number-format.js';

/** A result and the flags that it raises. */
export interface Result {
  readonly bits: bigint;
  readonly flags: number;
}

/**
 * significand × 2^exponent and, where there is `more`, a part of the significand's last unit beyond it. Then the significand has
 * at least two bits more than the format that it is rounded to.
 */
export interface Exact {
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
  readonly more: boolean;
}

export const bitLength = (value: bigint): number => {
  const digits = value.toString(16);
  return 4 * digits.length - (Math.clz32(Number.parseInt(digits[0]!, 16)) - 28);
};

export const round = (format: NumberFormat, value: Exact, mode: number): Result => {
  const { negative, significand, exponent } = value;
  if (significand === 0n) return { bits: zeroBits(format, negative), flags: 0 };
  const leading = exponent + bitLength(significand) - 1;
  // The last bit that a number of that size has, and has where it may not be smaller than the smallest subnormal.
  const free = leading - format.precision + 1;
  const last = Math.max(free, format.least - format.precision + 1);
  const rounded = cutAt(value, last, mode);
  const overflows =
    last + bitLength(rounded.significand) - 1 > format.most ? overflowTo(format, negative, mode) : undefined;
  if (overflows !== undefined) return { bits: overflows, flags: FLAG.overflow | FLAG.inexact };
  const bits = finiteBits(format, negative, rounded.significand, last);
  if (!rounded.inexact) return { bits, flags: 0 };
  return { bits, flags: isTiny(format, value, free, mode) ? FLAG.inexact | FLAG.underflow : FLAG.inexact };
};

/** Tininess is detected after rounding: would it be below the smallest normal number if exponents had no end? */
const isTiny = (format: NumberFormat, value: Exact, free: number, mode: number): boolean =>
  free + bitLength(cutAt(value, free, mode).significand) - 1 < format.least;

/** The value as a multiple of 2^last. */
const cutAt = (
  { negative, significand, exponent, more }: Exact,
  last: number,
  mode: number,
): { readonly significand: bigint; readonly inexact: boolean } => {
  const cut = last - exponent;
  if (cut <= 0) return { significand: significand << BigInt(-cut), inexact: more };
  const kept = significand >> BigInt(cut);
  // What is cut off, in halves of the last unit that stays: 0, less than 1, 1, or more.
  const rest = significand - (kept << BigInt(cut));
  const half = 1n << BigInt(cut - 1);
  const inexact = rest !== 0n || more;
  const side = rest > half || (rest === half && more) ? 'beyond' : rest === half ? 'middle' : 'before';
  const up = inexact && roundsUp(mode, negative, side, (kept & 1n) === 1n);
  return { significand: up ? kept + 1n : kept, inexact };
};

/** Whether the magnitude of an inexact value is rounded up. */
const roundsUp = (
  mode: number,
  negative: boolean,
  side: 'before' | 'middle' | 'beyond',
  isOdd: boolean,
): boolean => {
  switch (mode) {
    case ROUND.nearestEven:
      return side === 'beyond' || (side === 'middle' && isOdd);
    case ROUND.nearestAway:
      return side !== 'before';
    case ROUND.down:
      return negative;
    case ROUND.up:
      return !negative;
    default:
      return false;
  }
};

const overflowTo = (format: NumberFormat, negative: boolean, mode: number): bigint => {
  const staysFinite =
    mode === ROUND.towardsZero || (mode === ROUND.down && !negative) || (mode === ROUND.up && negative);
  return staysFinite ? largestBits(format, negative) : infinityBits(format, negative);
};
