/** Singles and doubles at which floating-point arithmetic has its edges, as bits. */
import type { Random } from '../random.js';

export type FloatFormatName = 'single' | 'double';

interface Shape {
  readonly width: number;
  readonly fractionBits: number;
  readonly bias: number;
}

const SHAPES: Readonly<Record<FloatFormatName, Shape>> = {
  single: { width: 32, fractionBits: 23, bias: 127 },
  double: { width: 64, fractionBits: 52, bias: 1023 },
};

const ONES = 0xffff_ffff_0000_0000n;

/** A single as an f register holds it. */
export const boxed = (single: bigint): bigint => single | ONES;

/**
 * Zeros, infinities, NaNs of both kinds, subnormals, the largest and the smallest numbers, integers and halves about 0, 2^31,
 * 2^32, 2^63 and 2^64, numbers that are a precision apart, and any others; with fractions of few bits, of many, and beside those.
 */
export const floatEdge = (random: Random, format: FloatFormatName): bigint => {
  const { width, fractionBits, bias } = SHAPES[format];
  const most = 2 * bias + 1;
  const near = (exponent: number, distance: number): number =>
    exponent + random.below(2 * distance + 1) - distance;
  const exponent = random.pick([
    () => 0,
    () => most,
    () => random.below(3),
    () => most - 1 - random.below(3),
    () => near(bias, 3),
    () => near(bias, 3),
    () => near(bias, fractionBits + 3),
    () => bias + fractionBits + random.below(4),
    () => near(bias + random.pick([31, 63]), 2),
    () => near(bias - (fractionBits + 1) / 2, 3),
    // Products and quotients of two of these are about the smallest number, or the largest.
    () => near(Math.floor(bias / 2), fractionBits),
    () => near(Math.floor(bias * 1.5), 4),
    () => random.below(most + 1),
  ])();
  const ones = (1n << BigInt(fractionBits)) - 1n;
  const any = random.doubleword() & ones;
  const fraction = random.pick([
    () => 0n,
    () => 0n,
    () => 1n << BigInt(random.below(fractionBits)),
    () => ones,
    () => ones ^ BigInt(random.below(4)),
    () => BigInt(random.below(4)),
    () => (any << BigInt(random.below(fractionBits))) & ones,
    () => any,
    () => any,
  ])();
  const sign = BigInt(random.below(2)) << BigInt(width - 1);
  return (
    sign | (BigInt(Math.max(0, Math.min(most, Math.floor(exponent)))) << BigInt(fractionBits)) | fraction
  );
};

/** What an f register may hold: mostly a double or a single, now and then a single that is not boxed as it should be. */
export const floatRegisterEdge = (random: Random): bigint => {
  const kind = random.below(16);
  if (kind === 0) return (BigInt(random.word() >>> 0) << 32n) | floatEdge(random, 'single');
  return kind < 8 ? boxed(floatEdge(random, 'single')) : floatEdge(random, 'double');
};
