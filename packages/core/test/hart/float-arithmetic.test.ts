/**
 * Floating-point arithmetic: the software against an oracle of fractions and against the host's own, the module of functions
 * against both. A failure says with which seed to run it again: HOLSTEIN_SEED=<seed>.
 */
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import {
  FLOAT_FUNCTIONS,
  type FloatFunction,
  instantiateFloatFunctions,
} from '../../src/hart/float/index.js';
import { softOperations } from '../../src/hart/float/soft-float.js';
import { importFloatFunctions, SOFT_OPERATIONS, type SoftOperation } from '../../src/hart/float/functions.js';
import { FCSR } from '../../src/hart/layout.js';
import { ModuleBuilder } from '../../src/hart/wasm/index.js';
import { type Answer, FLAGS, type FormatName, MODES, oracle } from '../support/float-oracle.js';
import { Random } from '../support/random.js';
import { floatEdge } from '../support/riscv/float-values.js';

/** Seeds that are always run, beside a fresh one. Seeds that have failed stay here. */
const KEPT_SEEDS = [1];
const seeds = (): number[] => {
  const asked = process.env['HOLSTEIN_SEED'];
  return asked === undefined ? [...KEPT_SEEDS, Date.now() % 1_000_000_007] : [Number(asked)];
};

const ALL_MODES = Object.values(MODES);
const DYNAMIC = 7;
const NAN: Readonly<Record<FormatName, bigint>> = { single: 0x7fc0_0000n, double: 0x7ff8_0000_0000_0000n };

/** Runs a check for each seed, and names the seed where it fails. */
const forEachSeed = (check: (random: Random) => void): void => {
  for (const seed of seeds()) {
    try {
      check(new Random(seed));
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`HOLSTEIN_SEED=${seed}: ${message}`, { cause });
    }
  }
};

const view = new DataView(new ArrayBuffer(8));
const asNumber = (format: FormatName, bits: bigint): number => {
  view.setBigUint64(0, bits, true);
  return format === 'single' ? view.getFloat32(0, true) : view.getFloat64(0, true);
};
const asBits = (format: FormatName, value: number): bigint => {
  if (Number.isNaN(value)) return NAN[format];
  view.setBigUint64(0, 0n, true);
  if (format === 'single') view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return view.getBigUint64(0, true);
};

const formatOf = (name: string): FormatName => (name.endsWith('.s') ? 'single' : 'double');
const operandCount = (name: SoftOperation): number => FLOAT_FUNCTIONS[name].parameters.length - 1;

/** A product next to half of the addend's last bit: it differs from that far beyond what a second number of the format holds. */
const nearMiddle = (random: Random, format: FormatName): bigint[] => {
  const [fractionBits, bias] = format === 'single' ? [23n, 127n] : [52n, 1023n];
  const one = bias << fractionBits;
  const distance = BigInt(1 + random.below(4));
  const scale = BigInt(random.below(20) - 10) << fractionBits;
  const sign = (): bigint => BigInt(random.below(2)) << (format === 'single' ? 31n : 63n);
  const addend = one + ((fractionBits + 1n) << fractionBits) + BigInt(random.below(4));
  // (1 + d) × (1 - d) = 1 - d²: the second factor's last bits count half.
  return [(one + distance + scale) | sign(), (one - 2n * distance - scale) | sign(), addend | sign()];
};

/** Operands whose result is about the smallest normal number, from where on results can underflow. */
const nearSmallest = (random: Random, name: SoftOperation): bigint[] => {
  const [fractionBits, bias, least] = formatOf(name) === 'single' ? [23, 127, -126] : [52, 1023, -1022];
  const ones = 2n ** BigInt(fractionBits) - 1n;
  const number = (exponent: number, fraction: bigint): bigint =>
    (BigInt(random.below(2)) << BigInt(formatOf(name) === 'single' ? 31 : 63)) |
    (BigInt(exponent + bias) << BigInt(fractionBits)) |
    fraction;
  const fraction = (): bigint =>
    random.pick([0n, BigInt(random.below(4)), ones - BigInt(random.below(4)), random.doubleword() & ones]);
  const some = -((bias - 1) / 2) - random.below(20);
  switch (name) {
    case 's.d':
      // Ones for a single's fraction, or few, and anything below it.
      return [number(-127 + random.below(3), (fraction() << 29n) & ones) | (fraction() >> 23n)];
    case 'div.s':
    case 'div.d':
      return [number(some, fraction()), number(some - least + random.below(2), fraction())];
    case 'fma.s':
    case 'fma.d': {
      const addend = (1n << BigInt(fractionBits - random.below(3))) + BigInt(random.below(9) - 4);
      // The product is about the addend's last bit, or as large as the addend.
      const size = random.below(2) === 0 ? least - fractionBits - random.below(4) : least - random.below(3);
      return [number(some, fraction()), number(size - some, fraction()), addend];
    }
    default: {
      const a = number(random.below(3) === 0 ? Math.floor(least / 2) : some, fraction());
      if (random.below(4) === 0) return [a, a];
      return [a, number(least - some - random.below(2), fraction())];
    }
  }
};

/** Operands at the edges. Of three the last is often the product's negative, rounded: what remains is its error. */
const drawOperands = (random: Random, name: SoftOperation): bigint[] => {
  const format = formatOf(name);
  if (random.below(6) === 0 && !name.startsWith('sqrt')) return nearSmallest(random, name);
  const operands = Array.from({ length: operandCount(name) }, () => floatEdge(random, format));
  if (operands.length === 3) {
    const [a, b] = operands.map((bits) => asNumber(format, bits));
    const kind = random.below(6);
    if (kind < 2) operands[2] = asBits(format, -a! * b!);
    if (kind === 2) return nearMiddle(random, format);
  }
  // Sums that are in the middle between two numbers, or beside that.
  if (operands.length === 2 && random.below(4) === 0) {
    operands[1] = operands[0]! ^ BigInt(random.below(8));
  }
  return operands;
};

const askOracle = (name: SoftOperation, mode: number, operands: readonly bigint[]): Answer => {
  if (name === 's.d') return oracle.narrow(mode, operands[0]!);
  const operation = name.slice(0, name.indexOf('.')) as 'add' | 'mul' | 'div' | 'sqrt' | 'fma';
  return oracle[operation](formatOf(name), mode, operands);
};

const describeCase = (name: string, mode: number, operands: readonly (bigint | number)[]): string =>
  `${name}(${operands.map((bits) => `0x${bits.toString(16)}`).join(', ')}) in mode ${mode}`;

describe('the software', () => {
  test.each(SOFT_OPERATIONS)('%s gives the numbers and flags of the oracle, in every mode', (name) => {
    forEachSeed((random) => {
      for (let turn = 0; turn < 150; turn++) {
        const operands = drawOperands(random, name);
        for (const mode of ALL_MODES) {
          const [a, b = 0n, c = 0n] = operands;
          expect(softOperations[name](mode, a!, b, c), describeCase(name, mode, operands)).toEqual(
            askOracle(name, mode, operands),
          );
        }
      }
    });
  });

  /** What the host's processor makes of it, which rounds to nearest: a double rounded to a single again is right for these four. */
  const native = (name: SoftOperation, [a, b]: readonly number[]): number | undefined => {
    switch (name) {
      case 'add.d':
      case 'add.s':
        return a! + b!;
      case 'mul.d':
      case 'mul.s':
        return a! * b!;
      case 'div.d':
      case 'div.s':
        return a! / b!;
      case 'sqrt.d':
      case 'sqrt.s':
        return Math.sqrt(a!);
      case 's.d':
        return Math.fround(a!);
      default:
        return undefined;
    }
  };

  test.each(SOFT_OPERATIONS.filter((name) => !name.startsWith('fma')))(
    '%s rounded to nearest gives the number that the host gives',
    (name) => {
      forEachSeed((random) => {
        for (let turn = 0; turn < 5000; turn++) {
          const operands = drawOperands(random, name);
          const expected = native(
            name,
            operands.map((bits) => asNumber(formatOf(name), bits)),
          )!;
          const [a, b = 0n] = operands;
          const to = name === 's.d' ? 'single' : formatOf(name);
          expect(softOperations[name](MODES.rne, a!, b, 0n).bits, describeCase(name, 0, operands)).toBe(
            asBits(to, expected),
          );
        }
      });
    },
  );
});

/** Where the harness has operands, rounding mode and result: far from what the functions use. */
const OPERANDS = 0x400;
const ROUNDING = 0x418;
const RESULT = 0x420;

/** The module's functions by name, on bits: a module around them moves operands and results through memory, NaNs untouched. */
class Harness {
  readonly #view: DataView;
  readonly #functions: Readonly<Record<string, () => void>>;

  constructor() {
    const memory = new WebAssembly.Memory({ initial: 1 });
    this.#view = new DataView(memory.buffer);
    const module = new ModuleBuilder();
    module.importMemory('ram', 'memory');
    const imports = importFloatFunctions(module);
    for (const [name, { parameters, results }] of Object.entries(FLOAT_FUNCTIONS)) {
      const code = module.function(name, { parameters: [], results: [] });
      if (results.length > 0) code.i32(0);
      for (const [index, type] of parameters.entries()) {
        code.i32(0);
        code.memory(`${type}.load`, type === 'i32' ? ROUNDING : OPERANDS + 8 * index);
      }
      code.call(imports[name as FloatFunction]);
      const [result] = results;
      if (result !== undefined) code.memory(`${result}.store`, RESULT);
    }
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module.toBytes()), {
      ram: { memory },
      float: instantiateFloatFunctions(memory),
    });
    this.#functions = instance.exports as Record<string, () => void>;
  }

  /** @param fcsr before. @returns the result's bits, 0 where there is none, and fcsr's flags. */
  call(name: FloatFunction, operands: readonly bigint[], rm = 0, fcsr = 0): Answer {
    for (const [index, bits] of operands.entries()) {
      this.#view.setBigUint64(OPERANDS + 8 * index, BigInt.asUintN(64, bits), true);
    }
    this.#view.setInt32(ROUNDING, rm, true);
    this.#view.setBigUint64(RESULT, 0n, true);
    this.#view.setUint32(FCSR, fcsr, true);
    this.#functions[name]!();
    const after = this.#view.getUint32(FCSR, true);
    expect(after >>> 5, 'frm is not written').toBe(fcsr >>> 5);
    return { bits: this.#view.getBigUint64(RESULT, true), flags: after & 31 };
  }
}

describe('the module', () => {
  const harness = new Harness();

  /** Calls a function with a mode as the instruction's or as frm's, and with inexact set or not. */
  const expectAnswer = (
    random: Random,
    name: FloatFunction,
    mode: number,
    operands: readonly bigint[],
    expected: Answer,
  ): void => {
    const before = random.below(2) * FLAGS.nx;
    const otherMode = random.below(5) << 5;
    const [rm, fcsr] = random.below(2) === 0 ? [mode, otherMode] : [DYNAMIC, mode << 5];
    expect(harness.call(name, operands, rm, fcsr | before), describeCase(name, mode, operands)).toEqual({
      bits: expected.bits,
      flags: expected.flags | before,
    });
  };

  test.each(SOFT_OPERATIONS)('%s gives what the software gives', (name) => {
    forEachSeed((random) => {
      for (let turn = 0; turn < 4000; turn++) {
        const operands = drawOperands(random, name);
        const mode = random.pick(ALL_MODES);
        const [a, b = 0n, c = 0n] = operands;
        expectAnswer(random, name, mode, operands, softOperations[name](mode, a!, b, c));
      }
    });
  });

  test.each([
    ['s.l', 'single', true],
    ['s.lu', 'single', false],
    ['d.l', 'double', true],
    ['d.lu', 'double', false],
  ] as const)('%s gives what the oracle gives', (name, format, signed) => {
    const integers = (random: Random): bigint => {
      const any = random.doubleword() >> BigInt(random.below(64));
      const power = 1n << BigInt(random.below(65));
      return random.pick([
        any,
        -any,
        power + BigInt(random.below(5) - 2),
        // In the middle between two numbers, and beside that.
        power + (power >> (format === 'single' ? 24n : 53n)) + BigInt(random.below(3) - 1),
      ]);
    };
    forEachSeed((random) => {
      for (let turn = 0; turn < 300; turn++) {
        const drawn = integers(random);
        const integer = signed ? BigInt.asIntN(64, drawn) : BigInt.asUintN(64, drawn);
        for (const mode of ALL_MODES) {
          expectAnswer(random, name, mode, [integer], oracle.fromInteger(format, mode, integer));
        }
      }
    });
  });

  test.each([
    ['w.d', 32, -(2n ** 31n), 2n ** 31n - 1n],
    ['wu.d', 32, 0n, 2n ** 32n - 1n],
    ['l.d', 64, -(2n ** 63n), 2n ** 63n - 1n],
    ['lu.d', 64, 0n, 2n ** 64n - 1n],
  ] as const)('%s gives what the oracle gives', (name, width, least, most) => {
    forEachSeed((random) => {
      for (let turn = 0; turn < 400; turn++) {
        const bits = floatEdge(random, 'double');
        for (const mode of ALL_MODES) {
          const { integer, flags } = oracle.toInteger('double', mode, bits, [least, most]);
          // Words are sign-extended, unsigned ones too.
          const register = BigInt.asUintN(64, BigInt.asIntN(width, integer));
          expectAnswer(random, name, mode, [bits], { bits: register, flags });
        }
      }
    });
  });

  const ANY = 0x0123_4567_89ab_cdefn;
  const SIGNALING: Readonly<Record<FormatName, bigint>> = {
    single: 0xffa0_0001n,
    double: 0xfff4_0000_0000_0001n,
  };
  const QUIET: Readonly<Record<FormatName, bigint>> = {
    single: 0xffc0_1234n,
    double: 0x7fff_0000_0000_0001n,
  };
  const ONE: Readonly<Record<FormatName, bigint>> = { single: 0x3f80_0000n, double: 0x3ff0_0000_0000_0000n };

  test.each([
    ['s', 'single'],
    ['d', 'double'],
  ] as const)('minimum, maximum and equality with a NaN (%s)', (letter, format) => {
    const [signaling, quiet, one] = [SIGNALING[format], QUIET[format], ONE[format]];
    const minmax = (a: bigint, b: bigint): Answer => harness.call(`minmax-nan.${letter}`, [a, b]);
    expect(minmax(one, quiet)).toEqual({ bits: one, flags: 0 });
    expect(minmax(quiet, one)).toEqual({ bits: one, flags: 0 });
    expect(minmax(one, signaling)).toEqual({ bits: one, flags: FLAGS.nv });
    expect(minmax(signaling, one)).toEqual({ bits: one, flags: FLAGS.nv });
    expect(minmax(quiet, quiet)).toEqual({ bits: NAN[format], flags: 0 });
    expect(minmax(quiet, signaling)).toEqual({ bits: NAN[format], flags: FLAGS.nv });
    const equal = (a: bigint, b: bigint): number => harness.call(`equal-nan.${letter}`, [a, b]).flags;
    expect(equal(one, quiet)).toBe(0);
    expect(equal(quiet, quiet)).toBe(0);
    expect(equal(one, signaling)).toBe(FLAGS.nv);
    expect(equal(signaling, quiet)).toBe(FLAGS.nv);
    expect(harness.call('order-nan', []).flags).toBe(FLAGS.nv);
  });

  test('a NaN of a single becomes the canonical double', () => {
    expect(harness.call('convert-nan.s', [QUIET.single])).toEqual({ bits: NAN.double, flags: 0 });
    expect(harness.call('convert-nan.s', [SIGNALING.single])).toEqual({ bits: NAN.double, flags: FLAGS.nv });
  });

  test.each([
    ['s', 32, 23],
    ['d', 64, 52],
  ] as const)('classes (%s)', (letter, width, fractionBits) => {
    const sign = 1n << BigInt(width - 1);
    const infinity = (1n << BigInt(width - 1)) - (1n << BigInt(fractionBits));
    const normal = 1n << BigInt(fractionBits);
    const classOf = (bits: bigint): Answer => harness.call(`class.${letter}`, [bits]);
    const mask = (bit: number): Answer => ({ bits: 1n << BigInt(bit), flags: 0 });
    expect(classOf(sign | infinity)).toEqual(mask(0));
    for (const bits of [normal, infinity - 1n, ANY & (infinity - 1n)]) {
      expect(classOf(sign | bits)).toEqual(mask(1));
      expect(classOf(bits)).toEqual(mask(6));
    }
    for (const bits of [1n, normal - 1n]) {
      expect(classOf(sign | bits)).toEqual(mask(2));
      expect(classOf(bits)).toEqual(mask(5));
    }
    expect(classOf(sign)).toEqual(mask(3));
    expect(classOf(0n)).toEqual(mask(4));
    expect(classOf(infinity)).toEqual(mask(7));
    const quiet = infinity | (normal >> 1n);
    for (const bits of [infinity | 1n, infinity | (normal >> 2n), sign | infinity | 1n]) {
      expect(classOf(bits)).toEqual(mask(8));
    }
    for (const bits of [quiet, sign | quiet, quiet | 1n]) expect(classOf(bits)).toEqual(mask(9));
  });

  test('has a function for each name, and nothing else', () => {
    const exported = instantiateFloatFunctions(new WebAssembly.Memory({ initial: 1 }));
    expect(Object.keys(exported).toSorted()).toEqual(Object.keys(FLOAT_FUNCTIONS).toSorted());
  });
});
