/**
 * An oracle of floating-point arithmetic (IEEE 754-2008, sections 3 to 7), slow and plain. An exact result is a question: how
 * does it compare with a given fraction? It is rounded by bisection over the numbers of a format, in their order. Nothing is
 * shared with the hart's own arithmetic.
 */

export type FormatName = 'single' | 'double';

/** Bits of the fraction, and the exponent of the smallest normal number. */
interface Grid {
  readonly fractionBits: bigint;
  readonly least: bigint;
}

interface Format extends Grid {
  readonly sign: bigint;
  readonly infinity: bigint;
  readonly nan: bigint;
}

const FORMATS: Readonly<Record<FormatName, Format>> = {
  single: { fractionBits: 23n, least: -126n, sign: 1n << 31n, infinity: 0xffn << 23n, nan: 0x1ffn << 22n },
  double: { fractionBits: 52n, least: -1022n, sign: 1n << 63n, infinity: 0x7ffn << 52n, nan: 0xfffn << 51n },
};

export const MODES = { rne: 0, rtz: 1, rdn: 2, rup: 3, rmm: 4 } as const;
export const FLAGS = { nx: 1, uf: 2, of: 4, dz: 8, nv: 16 } as const;

export interface Answer {
  readonly bits: bigint;
  readonly flags: number;
}

/** numerator / denominator, the denominator positive. */
interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

type Sign = -1 | 0 | 1;
/** An exact magnitude: how it compares with a fraction. */
type Magnitude = (other: Fraction) => Sign;

const signOf = (value: bigint): Sign => (value < 0n ? -1 : value > 0n ? 1 : 0);
const compare = (a: Fraction, b: Fraction): Sign =>
  signOf(a.numerator * b.denominator - b.numerator * a.denominator);
const absolute = ({ numerator, denominator }: Fraction): Fraction => ({
  numerator: numerator < 0n ? -numerator : numerator,
  denominator,
});
const sum = (a: Fraction, b: Fraction): Fraction => ({
  numerator: a.numerator * b.denominator + b.numerator * a.denominator,
  denominator: a.denominator * b.denominator,
});
const product = (a: Fraction, b: Fraction): Fraction => ({
  numerator: a.numerator * b.numerator,
  denominator: a.denominator * b.denominator,
});
const powerOfTwo = (exponent: bigint): Fraction =>
  exponent < 0n
    ? { numerator: 1n, denominator: 1n << -exponent }
    : { numerator: 1n << exponent, denominator: 1n };

/** The n-th number of a grid, from 0 on: exponents have no end there. */
const nth = ({ fractionBits, least }: Grid, n: bigint): Fraction => {
  const [field, fraction] = [n >> fractionBits, n & ((1n << fractionBits) - 1n)];
  const last = least - fractionBits;
  return field === 0n
    ? product({ numerator: fraction, denominator: 1n }, powerOfTwo(last))
    : product({ numerator: fraction + (1n << fractionBits), denominator: 1n }, powerOfTwo(last + field - 1n));
};

/** Rounds a magnitude to a grid. */
const roundTo = (
  grid: Grid,
  magnitude: Magnitude,
  negative: boolean,
  mode: number,
): { readonly n: bigint; readonly isExact: boolean } => {
  let [low, high] = [0n, 1n << (grid.fractionBits + 16n)];
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (magnitude(nth(grid, middle)) >= 0) low = middle;
    else high = middle;
  }
  if (magnitude(nth(grid, low)) === 0) return { n: low, isExact: true };
  const half = magnitude(product(sum(nth(grid, low), nth(grid, high)), powerOfTwo(-1n)));
  const nearest = half < 0 ? low : half > 0 ? high : undefined;
  switch (mode) {
    case MODES.rne:
      return { n: nearest ?? (low % 2n === 0n ? low : high), isExact: false };
    case MODES.rmm:
      return { n: nearest ?? high, isExact: false };
    case MODES.rtz:
      return { n: low, isExact: false };
    case MODES.rdn:
      return { n: negative ? high : low, isExact: false };
    case MODES.rup:
      return { n: negative ? low : high, isExact: false };
    default:
      throw new Error(`there is no rounding mode ${mode}`);
  }
};

const rounded = (format: Format, magnitude: Magnitude, negative: boolean, mode: number): Answer => {
  const sign = negative ? format.sign : 0n;
  const { n, isExact } = roundTo(format, magnitude, negative, mode);
  if (n >= format.infinity) {
    const away = mode === MODES.rne || mode === MODES.rmm || mode === (negative ? MODES.rdn : MODES.rup);
    return { bits: sign | (away ? format.infinity : format.infinity - 1n), flags: FLAGS.of | FLAGS.nx };
  }
  if (isExact) return { bits: sign | n, flags: 0 };
  // Tiny is what would be below the smallest normal number if there were smaller ones.
  const deeper = { fractionBits: format.fractionBits, least: format.least - 4000n };
  const free = nth(deeper, roundTo(deeper, magnitude, negative, mode).n);
  const isTiny = compare(free, powerOfTwo(format.least)) < 0;
  return { bits: sign | n, flags: isTiny ? FLAGS.nx | FLAGS.uf : FLAGS.nx };
};

type Value =
  | { readonly kind: 'nan'; readonly signaling: boolean }
  | { readonly kind: 'infinity'; readonly negative: boolean }
  | { readonly kind: 'number'; readonly negative: boolean; readonly fraction: Fraction };
type Number = Exclude<Value, { kind: 'nan' }>;

const valueOf = (format: Format, bits: bigint): Value => {
  const negative = (bits & format.sign) !== 0n;
  const magnitude = bits & (format.sign - 1n);
  if (magnitude === format.infinity) return { kind: 'infinity', negative };
  if (magnitude > format.infinity) return { kind: 'nan', signaling: (magnitude & format.nan) !== format.nan };
  const { numerator, denominator } = nth(format, magnitude);
  return {
    kind: 'number',
    negative,
    fraction: { numerator: negative ? -numerator : numerator, denominator },
  };
};

const isZero = (value: Number): boolean => value.kind === 'number' && value.fraction.numerator === 0n;
const exactly =
  (fraction: Fraction): Magnitude =>
  (other) =>
    compare(absolute(fraction), other);

/** What an operation gives on operands none of which is a NaN. */
type OnNumbers = (format: Format, mode: number, operands: readonly Number[]) => Answer;

const invalid = ({ nan }: Format): Answer => ({ bits: nan, flags: FLAGS.nv });
const infinite = (format: Format, negative: boolean): Answer => ({
  bits: (negative ? format.sign : 0n) | format.infinity,
  flags: 0,
});
const zero = (format: Format, negative: boolean): Answer => ({ bits: negative ? format.sign : 0n, flags: 0 });

const addNumbers: OnNumbers = (format, mode, [a, b]) => {
  if (a!.kind === 'infinity') {
    return b!.kind === 'infinity' && a!.negative !== b!.negative
      ? invalid(format)
      : infinite(format, a!.negative);
  }
  if (b!.kind === 'infinity') return infinite(format, b!.negative);
  const total = sum(a!.fraction, b!.fraction);
  if (total.numerator !== 0n) return rounded(format, exactly(total), total.numerator < 0n, mode);
  return zero(format, a!.negative === b!.negative ? a!.negative : mode === MODES.rdn);
};

/** The exact product, where there is one. */
const times = (a: Number, b: Number): Number | 'invalid' => {
  const negative = a.negative !== b.negative;
  if (a.kind === 'number' && b.kind === 'number') {
    return { kind: 'number', negative, fraction: product(a.fraction, b.fraction) };
  }
  return isZero(a) || isZero(b) ? 'invalid' : { kind: 'infinity', negative };
};

const multiplyNumbers: OnNumbers = (format, mode, [a, b]) => {
  const result = times(a!, b!);
  if (result === 'invalid') return invalid(format);
  if (result.kind === 'infinity') return infinite(format, result.negative);
  if (isZero(result)) return zero(format, result.negative);
  return rounded(format, exactly(result.fraction), result.negative, mode);
};

const divideNumbers: OnNumbers = (format, mode, [a, b]) => {
  const negative = a!.negative !== b!.negative;
  if (a!.kind === 'infinity') return b!.kind === 'infinity' ? invalid(format) : infinite(format, negative);
  if (b!.kind === 'infinity') return zero(format, negative);
  if (isZero(b!)) {
    return isZero(a!) ? invalid(format) : { ...infinite(format, negative), flags: FLAGS.dz };
  }
  if (isZero(a!)) return zero(format, negative);
  const [over, under] = [absolute(a!.fraction), absolute(b!.fraction)];
  const quotient = {
    numerator: over.numerator * under.denominator,
    denominator: over.denominator * under.numerator,
  };
  return rounded(format, exactly(quotient), negative, mode);
};

const rootOfNumber: OnNumbers = (format, mode, [a]) => {
  if (isZero(a!)) return zero(format, a!.negative);
  if (a!.negative) return invalid(format);
  if (a!.kind === 'infinity') return infinite(format, false);
  const { fraction } = a!;
  return rounded(format, (other) => compare(fraction, product(other, other)), false, mode);
};

/** An operation: on NaNs it is a NaN, and invalid if one of them is a signalling one. */
const operation =
  (onNumbers: OnNumbers) =>
  (name: FormatName, mode: number, operands: readonly bigint[]): Answer => {
    const format = FORMATS[name];
    const values = operands.map((bits) => valueOf(format, bits));
    const nans = values.filter((value) => value.kind === 'nan');
    if (nans.length > 0) {
      return { bits: format.nan, flags: nans.some(({ signaling }) => signaling) ? FLAGS.nv : 0 };
    }
    return onNumbers(format, mode, values as readonly Number[]);
  };

export const oracle = {
  add: operation(addNumbers),
  mul: operation(multiplyNumbers),
  div: operation(divideNumbers),
  sqrt: operation(rootOfNumber),

  /** a × b + c. Infinity times zero is invalid, whatever c is. */
  fma: (name: FormatName, mode: number, [a, b, c]: readonly bigint[]): Answer => {
    const format = FORMATS[name];
    const [left, right, addend] = [a!, b!, c!].map((bits) => valueOf(format, bits)) as [Value, Value, Value];
    if (left.kind === 'nan' || right.kind === 'nan') return operation(addNumbers)(name, mode, [a!, b!, c!]);
    const exact = times(left, right);
    if (exact === 'invalid') return invalid(format);
    if (addend.kind === 'nan') return operation(addNumbers)(name, mode, [c!]);
    return addNumbers(format, mode, [exact, addend]);
  },

  /** A double as a single. */
  narrow: (mode: number, bits: bigint): Answer => {
    const value = valueOf(FORMATS.double, bits);
    const to = FORMATS.single;
    if (value.kind === 'nan') return { bits: to.nan, flags: value.signaling ? FLAGS.nv : 0 };
    if (value.kind === 'infinity') return infinite(to, value.negative);
    if (isZero(value)) return zero(to, value.negative);
    return rounded(to, exactly(value.fraction), value.negative, mode);
  },

  fromInteger: (name: FormatName, mode: number, integer: bigint): Answer =>
    integer === 0n
      ? zero(FORMATS[name], false)
      : rounded(FORMATS[name], exactly({ numerator: integer, denominator: 1n }), integer < 0n, mode),

  /** As a whole number between two, saturated, a NaN as the largest. */
  toInteger: (
    name: FormatName,
    mode: number,
    bits: bigint,
    [least, most]: readonly [bigint, bigint],
  ): { readonly integer: bigint; readonly flags: number } => {
    const value = valueOf(FORMATS[name], bits);
    if (value.kind === 'nan') return { integer: most, flags: FLAGS.nv };
    if (value.kind === 'infinity') return { integer: value.negative ? least : most, flags: FLAGS.nv };
    // A grid on which the n-th number is n, to far beyond 64 bits.
    const whole = { fractionBits: 70n, least: 70n };
    const { n, isExact } = roundTo(whole, exactly(value.fraction), value.negative, mode);
    const integer = value.negative ? -n : n;
    if (integer < least || integer > most) return { integer: value.negative ? least : most, flags: FLAGS.nv };
    return { integer, flags: isExact ? 0 : FLAGS.nx };
  },
};
