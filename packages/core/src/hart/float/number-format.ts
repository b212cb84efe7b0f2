/** Singles and doubles as the bits that they are, taken apart (IEEE 754-2008, section 3.4): sign, biased exponent, fraction. */

export interface NumberFormat {
  readonly width: number;
  /** Bits of a normal number's significand, the hidden one included. */
  readonly precision: number;
  /** Exponents of the smallest normal number's leading bit, and of the largest's. */
  readonly least: number;
  readonly most: number;
  readonly canonicalNan: bigint;
}

export const SINGLE: NumberFormat = {
  width: 32,
  precision: 24,
  least: -126,
  most: 127,
  canonicalNan: 0x7fc0_0000n,
};
export const DOUBLE: NumberFormat = {
  width: 64,
  precision: 53,
  least: -1022,
  most: 1023,
  canonicalNan: 0x7ff8_0000_0000_0000n,
};

/** The ones above a single in an f register (unprivileged specification, section 12.2). */
export const SINGLE_BOX = 0xffff_ffff_0000_0000n;

/** significand × 2^exponent, the significand not negative. */
export interface Finite {
  readonly kind: 'finite';
  readonly negative: boolean;
  readonly significand: bigint;
  readonly exponent: number;
}

/** What bits stand for. */
export type Unpacked =
  | Finite
  | { readonly kind: 'infinity'; readonly negative: boolean }
  | { readonly kind: 'nan'; readonly signaling: boolean };

export const unpack = (format: NumberFormat, bits: bigint): Unpacked => {
  const fractionWidth = BigInt(format.precision - 1);
  const negative = bits >> BigInt(format.width - 1) !== 0n;
  const magnitude = BigInt.asUintN(format.width - 1, bits);
  const biased = Number(magnitude >> fractionWidth);
  const fraction = BigInt.asUintN(format.precision - 1, magnitude);
  if (biased === format.most - format.least + 2) {
    if (fraction === 0n) return { kind: 'infinity', negative };
    return { kind: 'nan', signaling: fraction >> (fractionWidth - 1n) === 0n };
  }
  const last = format.least - format.precision + 1;
  return biased === 0
    ? { kind: 'finite', negative, significand: fraction, exponent: last }
    : {
        kind: 'finite',
        negative,
        significand: fraction | (1n << fractionWidth),
        exponent: last + biased - 1,
      };
};

export const isNegative = (format: NumberFormat, bits: bigint): boolean =>
  bits >> BigInt(format.width - 1) !== 0n;

const signed = (format: NumberFormat, negative: boolean, magnitude: bigint): bigint =>
  negative ? magnitude | (1n << BigInt(format.width - 1)) : magnitude;

export const zeroBits = (format: NumberFormat, negative: boolean): bigint => signed(format, negative, 0n);

export const infinityBits = (format: NumberFormat, negative: boolean): bigint =>
  signed(format, negative, BigInt(format.most - format.least + 2) << BigInt(format.precision - 1));

export const largestBits = (format: NumberFormat, negative: boolean): bigint =>
  infinityBits(format, negative) - 1n;

/**
 * The bits of significand × 2^exponent, where the significand has `precision` bits, or fewer and the exponent is that of
 * subnormal numbers. A significand of one bit more than a subnormal's is the smallest normal's: the bits count on.
 */
export const finiteBits = (
  format: NumberFormat,
  negative: boolean,
  significand: bigint,
  exponent: number,
): bigint => {
  const binade = exponent - (format.least - format.precision + 1);
  // The hidden bit of a normal number adds 1 to the exponent field.
  return signed(format, negative, significand + (BigInt(binade) << BigInt(format.precision - 1)));
};
