/** F, D and Zicsr on the hart: boxed singles, signs, flags, rounding modes, the control registers, and stops that change nothing. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CONTEXT_BYTES, type Hart, INSTRUCTIONS, type Jit, operandKinds } from '../../src/hart/index.js';
import { codeBytes, CSR, encode, f, type Operands, x } from '../support/riscv/assembler.js';
import { BareMachine } from '../support/riscv/bare-machine.js';
import { FLAGS, type FormatName, MODES, oracle } from '../support/float-oracle.js';
import { Random } from '../support/random.js';
import { boxed, floatEdge } from '../support/riscv/float-values.js';

const JITS: readonly Jit[] = ['off', 'eager'];

const CODE = 0x1_0000;
const DATA = 0x4_0000;
const DYNAMIC = 7;
const ALL_FLAGS = 31;
const RESERVED_MODES = [5, 6, 7];

const ONE = 0x3ff0_0000_0000_0000n;
const TWO = 0x4000_0000_0000_0000n;
const THREE = 0x4008_0000_0000_0000n;
const SIGN = 1n << 63n;
const INFINITY = 0x7ff0_0000_0000_0000n;
const NAN = 0x7ff8_0000_0000_0000n;
const SIGNALING_NAN = 0xfff4_0000_0000_beefn;
const LEAST_NORMAL = 1n << 52n;
const SINGLE_ONE = 0x3f80_0000n;
const SINGLE_NAN = 0x7fc0_0000n;
const ANY = 0x0123_4567_89ab_cdefn;

describe.each(JITS)('with jit %s', (jit) => {
  let machine: BareMachine;
  let hart: Hart;

  beforeEach(() => {
    machine = new BareMachine({ jit });
    hart = machine.hart;
  });

  afterEach(() => {
    expect(machine.audit()).toEqual([]);
    machine[Symbol.dispose]();
  });

  /** Places instructions, a breakpoint after them, and points pc at the first. */
  const start = (...instructions: readonly number[]): void => {
    machine.place(CODE, codeBytes([...instructions, encode('ebreak')]), 'r-x');
    hart.pc = BigInt(CODE);
  };

  const runTo = (stop: string): void => expect(machine.run(1000)).toBe(stop);

  /** Runs one instruction with its operands in fa1, fa2 and fa3, or a1, and gives what is in fa0 or a0 after it, and the flags. */
  const result = (
    name: string,
    sources: readonly bigint[],
    { rm, fcsr = 0 }: { readonly rm?: number; readonly fcsr?: number } = {},
  ): { readonly bits: bigint; readonly flags: number } => {
    const kinds = operandKinds(INSTRUCTIONS.find((instruction) => instruction.name === name)!);
    const operands: Operands = {
      rd: 10,
      ...(kinds.rs1 === 'none' ? {} : { rs1: 11 }),
      ...(kinds.rs2 === 'none' ? {} : { rs2: 12 }),
      ...(kinds.rs3 === 'none' ? {} : { rs3: 13 }),
      ...(rm === undefined ? {} : { rm }),
    };
    const word = encode(name, operands);
    const known = placed.get(word) ?? nextPlace++ * 8;
    if (!placed.has(word)) {
      if (known === 0) machine.place(CODE, new Uint8Array(4096), 'r-x');
      machine.poke(CODE + known, codeBytes([word, encode('ebreak')]));
      placed.set(word, known);
    }
    hart.pc = BigInt(CODE + known);
    for (const [index, bits] of sources.entries()) {
      (kinds.rs1 === 'x' ? hart.registers : hart.floatRegisters)[11 + index] = bits;
    }
    hart.fcsr = fcsr;
    expect(machine.run(10), name).toBe('breakpoint');
    expect(hart.fcsr >>> 5).toBe(fcsr >>> 5);
    return {
      bits: (kinds.rd === 'x' ? hart.registers : hart.floatRegisters)[10]!,
      flags: hart.fcsr & ALL_FLAGS,
    };
  };
  /** Where each instruction that `result` has run lies. */
  let placed = new Map<number, number>();
  let nextPlace = 0;
  beforeEach(() => {
    placed = new Map();
    nextPlace = 0;
  });

  describe('arithmetic', () => {
    const ARITHMETIC = [
      ['fadd', 'add', 2, [0n, 0n, 0n]],
      ['fsub', 'add', 2, [0n, 1n, 0n]],
      ['fmul', 'mul', 2, [0n, 0n, 0n]],
      ['fdiv', 'div', 2, [0n, 0n, 0n]],
      ['fsqrt', 'sqrt', 1, [0n, 0n, 0n]],
      ['fmadd', 'fma', 3, [0n, 0n, 0n]],
      ['fmsub', 'fma', 3, [0n, 0n, 1n]],
      ['fnmsub', 'fma', 3, [1n, 0n, 0n]],
      ['fnmadd', 'fma', 3, [1n, 0n, 1n]],
    ] as const;

    test.each(ARITHMETIC)(
      '%s is %s of %i operands, some of them negated',
      (name, operation, count, signs) => {
        const random = new Random(11);
        for (const [letter, format] of [
          ['s', 'single'],
          ['d', 'double'],
        ] as const) {
          const box = (bits: bigint): bigint => (format === 'single' ? boxed(bits) : bits);
          const sign = format === 'single' ? 31n : 63n;
          for (let turn = 0; turn < 120; turn++) {
            const sources = Array.from({ length: count }, () => floatEdge(random, format));
            const mode = random.pick(Object.values(MODES));
            const rm = random.pick([mode, DYNAMIC]);
            // With inexact set already WebAssembly's own result may stand.
            const before = random.pick([0, FLAGS.nx]);
            const fcsr = before | ((rm === DYNAMIC ? mode : random.below(5)) << 5);
            const negated = sources.map((bits, index) => bits ^ (signs[index]! << sign));
            const expected = oracle[operation](format, mode, negated);
            expect(
              result(`${name}.${letter}`, sources.map(box), { rm, fcsr }),
              `${name}.${letter} of ${sources.map((bits) => bits.toString(16)).join(', ')}, rm ${rm}, fcsr ${fcsr}`,
            ).toEqual({ bits: box(expected.bits), flags: expected.flags | before });
          }
        }
      },
    );

    test('software that takes long is interrupted, so that the caller may look at its clock, and goes on', () => {
      const [TOWARDS_ZERO, huge] = [1, 0x7fe0_0000_0000_0000n];
      const overflows = encode('fmul.d', { rd: f.fa0, rs1: f.fa1, rs2: f.fa1, rm: TOWARDS_ZERO });
      start(overflows, encode('addi', { rd: x.a0, rs1: x.a0, imm: 1 }), encode('jal', { imm: -8 }));
      hart.floatRegisters[f.fa1] = huge;
      hart.registers[x.a0] = 0n;
      hart.enter(machine.space.table);
      let retired = 0;
      let interrupted = 0;
      // The first run is how it is found out.
      expect(hart.run(9000)).toBe('budget');
      while (retired < 81_000) {
        if (hart.run(81_000 - retired) === 'interrupted') interrupted++;
        retired += hart.retired;
      }
      expect(retired).toBe(81_000);
      expect(interrupted).toBeGreaterThan(4);
      expect(hart.registerAsInt(x.a0)).toBe(30_000);
      expect(hart.floatRegisters[f.fa0]).toBe(0x7fef_ffff_ffff_ffffn);
    });

    test('a product that is rounded up to the smallest normal number has underflowed', () => {
      const [a, b] = [LEAST_NORMAL, ONE - 1n];
      for (const fcsr of [0, FLAGS.nx]) {
        expect(result('fmul.d', [a, b], { fcsr })).toEqual({
          bits: LEAST_NORMAL,
          flags: FLAGS.nx | FLAGS.uf,
        });
        // So near to it that it would be rounded to it if there were smaller ones: that is no underflow.
        const tiny = (1023n - 600n) << 52n;
        expect(result('fnmsub.d', [tiny, tiny, LEAST_NORMAL], { fcsr })).toEqual({
          bits: LEAST_NORMAL,
          flags: FLAGS.nx,
        });
      }
      const [c, d] = [boxed(0x0080_0000n), boxed(SINGLE_ONE - 1n)];
      expect(result('fmul.s', [c, d], { fcsr: FLAGS.nx })).toEqual({
        bits: boxed(0x0080_0000n),
        flags: FLAGS.nx | FLAGS.uf,
      });
    });

    test('flags accumulate', () => {
      expect(result('fdiv.d', [ONE, 0n], { fcsr: FLAGS.nx })).toEqual({
        bits: INFINITY,
        flags: FLAGS.dz | FLAGS.nx,
      });
      expect(result('fsub.d', [INFINITY, INFINITY], { fcsr: FLAGS.of }).flags).toBe(FLAGS.nv | FLAGS.of);
      expect(result('fadd.d', [ONE, ONE], { fcsr: ALL_FLAGS })).toEqual({ bits: TWO, flags: ALL_FLAGS });
    });

    test('the result may go to a register that is a source', () => {
      hart.floatRegisters[f.fa0] = THREE;
      hart.floatRegisters[f.fa1] = TWO;
      start(
        encode('fmadd.d', { rd: f.fa0, rs1: f.fa0, rs2: f.fa0, rs3: f.fa0 }),
        encode('fsub.d', { rd: f.fa1, rs1: f.fa1, rs2: f.fa1 }),
        encode('fcvt.w.d', { rd: x.a0, rs1: f.fa0 }),
        encode('fcvt.d.w', { rd: f.ft0, rs1: x.a0 }),
      );
      runTo('breakpoint');
      expect(hart.registers[x.a0]).toBe(12n);
      expect(hart.floatRegisters[f.fa1]).toBe(0n);
      // f0 is a register as any other.
      expect(hart.floatRegisters[f.ft0]).toBe(0x4028_0000_0000_0000n);
      expect(hart.fcsr).toBe(0);
    });
  });

  describe('a register that holds no single', () => {
    const NO_SINGLE = (0xffff_fffen << 32n) | SINGLE_ONE;

    test('is the canonical NaN to instructions of singles', () => {
      for (const name of ['fadd.s', 'fsub.s', 'fmul.s', 'fdiv.s', 'fsqrt.s', 'fmadd.s']) {
        const sources = [NO_SINGLE, boxed(SINGLE_ONE), boxed(SINGLE_ONE)];
        expect(result(name, sources), name).toEqual({ bits: boxed(SINGLE_NAN), flags: 0 });
      }
      expect(result('fclass.s', [NO_SINGLE])).toEqual({ bits: 1n << 9n, flags: 0 });
      expect(result('fsgnj.s', [NO_SINGLE, boxed(0x8000_0000n)]).bits).toBe(boxed(SINGLE_NAN | 0x8000_0000n));
      expect(result('fsgnjn.s', [boxed(SINGLE_ONE), NO_SINGLE]).bits).toBe(boxed(SINGLE_ONE | 0x8000_0000n));
      expect(result('fsgnjx.s', [boxed(SINGLE_ONE), NO_SINGLE]).bits).toBe(boxed(SINGLE_ONE));
      expect(result('fmin.s', [NO_SINGLE, boxed(SINGLE_ONE)])).toEqual({ bits: boxed(SINGLE_ONE), flags: 0 });
      expect(result('feq.s', [NO_SINGLE, NO_SINGLE])).toEqual({ bits: 0n, flags: 0 });
      expect(result('fle.s', [NO_SINGLE, NO_SINGLE])).toEqual({ bits: 0n, flags: FLAGS.nv });
      expect(result('fcvt.d.s', [NO_SINGLE])).toEqual({ bits: NAN, flags: 0 });
      expect(result('fcvt.w.s', [NO_SINGLE])).toEqual({ bits: 0x7fff_ffffn, flags: FLAGS.nv });
    });

    test('is moved as it is', () => {
      expect(result('fmv.x.w', [NO_SINGLE]).bits).toBe(SINGLE_ONE);
      expect(result('fmv.x.w', [0x8000_0000n]).bits).toBe(0xffff_ffff_8000_0000n);
    });

    test('is stored as it is', () => {
      hart.floatRegisters[f.fa0] = NO_SINGLE;
      hart.registers[x.a0] = BigInt(DATA);
      machine.place(DATA, new Uint8Array(16).fill(0x55), 'rw-');
      start(
        encode('fsw', { rs1: x.a0, rs2: f.fa0, imm: 4 }),
        encode('flw', { rd: f.fa1, rs1: x.a0, imm: 4 }),
      );
      runTo('breakpoint');
      expect([...machine.read(DATA, 12)]).toEqual([
        ...[0x55, 0x55, 0x55, 0x55],
        ...[0x00, 0x00, 0x80, 0x3f],
        ...[0x55, 0x55, 0x55, 0x55],
      ]);
      expect(hart.floatRegisters[f.fa1]).toBe(boxed(SINGLE_ONE));
    });
  });

  describe('signs, extremes and comparisons', () => {
    test('sign injection keeps all other bits, of signalling NaNs too', () => {
      expect(result('fsgnj.d', [SIGNALING_NAN, ONE])).toEqual({ bits: SIGNALING_NAN & ~SIGN, flags: 0 });
      expect(result('fsgnjn.d', [SIGNALING_NAN, ONE])).toEqual({ bits: SIGNALING_NAN, flags: 0 });
      expect(result('fsgnjx.d', [SIGNALING_NAN, SIGNALING_NAN]).bits).toBe(SIGNALING_NAN & ~SIGN);
      expect(result('fsgnjx.d', [ONE, SIGNALING_NAN]).bits).toBe(ONE | SIGN);
      expect(result('fsgnj.s', [boxed(0x7f80_0001n), boxed(0x8000_0000n)]).bits).toBe(boxed(0xff80_0001n));
    });

    test('moves and loads keep the bits of NaNs', () => {
      expect(result('fmv.x.d', [SIGNALING_NAN]).bits).toBe(SIGNALING_NAN);
      expect(result('fmv.d.x', [SIGNALING_NAN]).bits).toBe(SIGNALING_NAN);
      expect(result('fmv.w.x', [0xabcd_7f80_0001n]).bits).toBe(boxed(0x7f80_0001n));
    });

    test('-0 is less than +0 to fmin and fmax, and equal to the others', () => {
      for (const [a, b] of [
        [0n, SIGN],
        [SIGN, 0n],
      ] as const) {
        expect(result('fmin.d', [a, b])).toEqual({ bits: SIGN, flags: 0 });
        expect(result('fmax.d', [a, b])).toEqual({ bits: 0n, flags: 0 });
        expect(result('feq.d', [a, b])).toEqual({ bits: 1n, flags: 0 });
        expect(result('fle.d', [a, b])).toEqual({ bits: 1n, flags: 0 });
        expect(result('flt.d', [a, b])).toEqual({ bits: 0n, flags: 0 });
      }
    });

    test('fmin and fmax give the number beside a NaN, and the canonical NaN for two', () => {
      for (const name of ['fmin.d', 'fmax.d']) {
        expect(result(name, [ONE, NAN | 1n])).toEqual({ bits: ONE, flags: 0 });
        expect(result(name, [SIGNALING_NAN, ONE])).toEqual({ bits: ONE, flags: FLAGS.nv });
        expect(result(name, [NAN | SIGN, NAN | 1n])).toEqual({ bits: NAN, flags: 0 });
        expect(result(name, [SIGNALING_NAN, NAN])).toEqual({ bits: NAN, flags: FLAGS.nv });
      }
    });

    test('feq is invalid for signalling NaNs only, flt and fle for all', () => {
      for (const [a, b] of [
        [NAN, ONE],
        [ONE, NAN],
        [NAN, NAN],
      ] as const) {
        expect(result('feq.d', [a, b])).toEqual({ bits: 0n, flags: 0 });
        expect(result('flt.d', [a, b])).toEqual({ bits: 0n, flags: FLAGS.nv });
        expect(result('fle.d', [a, b])).toEqual({ bits: 0n, flags: FLAGS.nv });
      }
      expect(result('feq.d', [ONE, SIGNALING_NAN])).toEqual({ bits: 0n, flags: FLAGS.nv });
      expect(result('flt.d', [ONE, TWO])).toEqual({ bits: 1n, flags: 0 });
      expect(result('fle.d', [TWO, ONE])).toEqual({ bits: 0n, flags: 0 });
      expect(result('flt.d', [ONE | SIGN, INFINITY])).toEqual({ bits: 1n, flags: 0 });
    });
  });

  describe('conversions', () => {
    const RANGES = [
      ['w', 32, -(2n ** 31n), 2n ** 31n - 1n],
      ['wu', 32, 0n, 2n ** 32n - 1n],
      ['l', 64, -(2n ** 63n), 2n ** 63n - 1n],
      ['lu', 64, 0n, 2n ** 64n - 1n],
    ] as const;
    const FORMATS = [
      ['s', 'single'],
      ['d', 'double'],
    ] as const;

    test.each(RANGES)('to %s, and from it', (integer, width, least, most) => {
      const random = new Random(13);
      for (const [letter, format] of FORMATS) {
        const box = (bits: bigint): bigint => (format === 'single' ? boxed(bits) : bits);
        for (let turn = 0; turn < 100; turn++) {
          const mode = random.pick(Object.values(MODES));
          const rm = random.pick([mode, DYNAMIC]);
          const before = random.pick([0, FLAGS.nx]);
          const options = { rm, fcsr: before | ((rm === DYNAMIC ? mode : 0) << 5) };
          const bits = floatEdge(random, format as FormatName);
          const whole = oracle.toInteger(format, mode, bits, [least, most]);
          expect(result(`fcvt.${integer}.${letter}`, [box(bits)], options), bits.toString(16)).toEqual({
            bits: BigInt.asUintN(64, BigInt.asIntN(width, whole.integer)),
            flags: whole.flags | before,
          });
          const register = random.doubleword() >> BigInt(random.below(64));
          const value = least === 0n ? BigInt.asUintN(width, register) : BigInt.asIntN(width, register);
          const number = oracle.fromInteger(format, mode, value);
          expect(
            result(`fcvt.${letter}.${integer}`, [register], options),
            `${integer} ${register.toString(16)}`,
          ).toEqual({ bits: box(number.bits), flags: number.flags | before });
        }
      }
    });

    test('between singles and doubles', () => {
      const random = new Random(17);
      for (let turn = 0; turn < 200; turn++) {
        const mode = random.pick(Object.values(MODES));
        const before = random.pick([0, FLAGS.nx]);
        const double = floatEdge(random, 'double');
        const narrow = oracle.narrow(mode, double);
        expect(result('fcvt.s.d', [double], { rm: mode, fcsr: before }), double.toString(16)).toEqual({
          bits: boxed(narrow.bits),
          flags: narrow.flags | before,
        });
      }
      expect(result('fcvt.d.s', [boxed(0x8000_0001n)])).toEqual({ bits: 0xb6a0_0000_0000_0000n, flags: 0 });
      expect(result('fcvt.d.s', [boxed(0x7f80_0001n)])).toEqual({ bits: NAN, flags: FLAGS.nv });
      expect(result('fcvt.d.s', [boxed(0xffc0_0001n)])).toEqual({ bits: NAN, flags: 0 });
    });
  });

  describe('reserved rounding modes', () => {
    const withRounding = INSTRUCTIONS.filter(({ name }) =>
      /^f(n?m(add|sub)|add|sub|mul|div|sqrt|cvt)/.test(name),
    );

    test.each(withRounding.map(({ name }) => name))('%s is illegal where frm holds one', (name) => {
      start(encode(name), encode(name, { rm: 1 }));
      for (const mode of RESERVED_MODES) {
        hart.pc = BigInt(CODE);
        hart.fcsr = mode << 5;
        hart.floatRegisters.fill(SIGNALING_NAN);
        hart.registers.fill(ANY, 1);
        const before = [...hart.registers, ...hart.floatRegisters];
        expect(machine.run(10)).toBe('illegal-instruction');
        expect(hart.retired).toBe(0);
        expect(hart.pc).toBe(BigInt(CODE));
        expect(hart.fcsr).toBe(mode << 5);
        expect([...hart.registers, ...hart.floatRegisters]).toEqual(before);
        // With a mode of its own it runs.
        hart.pc = BigInt(CODE + 4);
        expect(machine.run(10)).toBe('breakpoint');
        expect(hart.retired).toBe(1);
      }
    });

    test('there are 46 such instructions', () => {
      expect(withRounding).toHaveLength(2 * (4 + 5 + 4 + 4) + 2);
    });

    test('others do not look at frm', () => {
      const others = INSTRUCTIONS.filter(({ format }) =>
        ['float-choice', 'float-compare', 'float-bits', 'bits-to-float'].includes(format),
      );
      expect(others.length).toBe(2 * (3 + 2 + 3 + 1 + 2));
      start(...others.map(({ name }) => encode(name)));
      hart.fcsr = 5 << 5;
      runTo('breakpoint');
      expect(hart.fcsr >>> 5).toBe(5);
    });
  });

  describe('control registers', () => {
    test.each([
      ['csrrw', CSR.fflags, 0xff, 0b111_10101, 0b10101, 0b111_11111],
      ['csrrw', CSR.frm, 0xfa, 0b111_10101, 0b111, 0b010_10101],
      ['csrrw', CSR.fcsr, -1, 0b000_10101, 0b000_10101, 0b111_11111],
      ['csrrw', CSR.fcsr, 0x100, 0b111_11111, 0b111_11111, 0],
      ['csrrs', CSR.fflags, 0xe2, 0b001_10000, 0b10000, 0b001_10010],
      ['csrrs', CSR.frm, 4, 0b001_10000, 1, 0b101_10000],
      ['csrrc', CSR.fflags, 0xf1, 0b111_11111, 0b11111, 0b111_01110],
      ['csrrc', CSR.frm, 0x1d, 0b111_11111, 0b111, 0b010_11111],
      ['csrrc', CSR.fcsr, 0xf0, 0b111_11111, 0b111_11111, 0b000_01111],
    ] as const)(
      '%s of %i with %i, fcsr being %i, reads %i and leaves %i',
      (name, csr, operand, before, read, after) => {
        start(encode(name, { rd: x.a0, rs1: x.a0, imm: csr }));
        hart.registers[x.a0] = BigInt.asUintN(64, BigInt(operand));
        hart.fcsr = before;
        runTo('breakpoint');
        expect(hart.registers[x.a0]).toBe(BigInt(read));
        expect(hart.fcsr).toBe(after);
      },
    );

    test.each([
      ['csrrwi', CSR.fflags, 31, 0, 0, 31],
      ['csrrwi', CSR.frm, 29, 0b010_00001, 2, 0b101_00001],
      ['csrrsi', CSR.fcsr, 9, 0b010_00001, 0b010_00001, 0b010_01001],
      ['csrrci', CSR.fflags, 17, 0b010_11111, 31, 0b010_01110],
    ] as const)(
      '%s of %i with %i, fcsr being %i, reads %i and leaves %i',
      (name, csr, operand, before, read, after) => {
        start(encode(name, { rd: x.a1, imm: csr | (operand << 12) }));
        hart.fcsr = before;
        runTo('breakpoint');
        expect(hart.registers[x.a1]).toBe(BigInt(read));
        expect(hart.fcsr).toBe(after);
      },
    );

    test('csrrs with x0 only reads, and a result for x0 goes nowhere', () => {
      start(
        encode('csrrs', { rd: x.a0, imm: CSR.fcsr }),
        encode('csrrw', { rd: x.zero, rs1: x.a1, imm: CSR.frm }),
        encode('addi', { rd: x.a2, rs1: x.zero }),
      );
      hart.registers[x.a1] = 3n;
      hart.registers[x.a2] = ANY;
      hart.fcsr = 0b001_01000;
      runTo('breakpoint');
      expect(hart.registers[x.a0]).toBe(0b001_01000n);
      expect(hart.fcsr).toBe(0b011_01000);
      expect(hart.registers[x.a2]).toBe(0n);
    });

    test('the counters of cycles, time and instructions are not granted', () => {
      const rdcycle = 0xc000_2573;
      for (const counter of [0, 1, 2]) {
        machine.place(CODE + 0x1000 * counter, codeBytes([(rdcycle + counter * 0x10_0000) | 0]), 'r-x');
        hart.pc = BigInt(CODE + 0x1000 * counter);
        expect(machine.run(10)).toBe('illegal-instruction');
      }
    });
  });

  describe('loads and stores', () => {
    test('that fault change nothing', () => {
      machine.place(DATA, new Uint8Array(4096), 'r--');
      const before = [...hart.floatRegisters.fill(SIGNALING_NAN)];
      for (const [word, at] of [
        [encode('fld', { rd: f.fa0, rs1: x.a0 }), DATA + 4096 - 4],
        [encode('flw', { rd: f.fa0, rs1: x.a0 }), DATA + 4096 - 2],
        [encode('flw', { rd: f.fa0, rs1: x.a0 }), 0],
        [encode('fsd', { rs1: x.a0, rs2: f.fa0 }), DATA],
        [encode('fsw', { rs1: x.a0, rs2: f.fa0 }), DATA + 4096 - 2],
      ] as const) {
        machine.place(CODE, codeBytes([word]), 'r-x');
        hart.pc = BigInt(CODE);
        hart.registers[x.a0] = BigInt(at);
        expect(machine.run(10)).toBe('page-fault');
        expect(hart.pc).toBe(BigInt(CODE));
        expect([...hart.floatRegisters]).toEqual(before);
        machine.space.unmap(CODE as never, 4096);
      }
      expect(machine.read(DATA, 4096).every((byte) => byte === 0)).toBe(true);
    });

    test('across a page boundary move all bytes', () => {
      machine.place(DATA, new Uint8Array(8192), 'rw-');
      start(
        encode('fsd', { rs1: x.a0, rs2: f.fa0 }),
        encode('fld', { rd: f.fa1, rs1: x.a0 }),
        encode('flw', { rd: f.fa2, rs1: x.a0, imm: 2 }),
      );
      hart.registers[x.a0] = BigInt(DATA + 4096 - 3);
      hart.floatRegisters[f.fa0] = ANY;
      runTo('breakpoint');
      expect(hart.floatRegisters[f.fa1]).toBe(ANY);
      expect(hart.floatRegisters[f.fa2]).toBe(boxed(BigInt.asUintN(32, ANY >> 16n)));
    });

    test('a store of a double into code that has run is seen', () => {
      const change = encode('addi', { rd: x.a1, rs1: x.a1, imm: 1 });
      machine.place(CODE, codeBytes([change, encode('ebreak')]), 'rwx');
      hart.pc = BigInt(CODE);
      runTo('breakpoint');
      const other = encode('addi', { rd: x.a1, rs1: x.a1, imm: 100 });
      machine.place(
        CODE + 0x1000,
        codeBytes([encode('fsd', { rs1: x.a0, rs2: f.fa0 }), encode('jalr', { rs1: x.a0 })]),
        'r-x',
      );
      hart.registers[x.a0] = BigInt(CODE);
      hart.floatRegisters[f.fa0] = BigInt.asUintN(
        64,
        BigInt(other >>> 0) | (BigInt(encode('ebreak')) << 32n),
      );
      hart.pc = BigInt(CODE + 0x1000);
      runTo('breakpoint');
      expect(hart.registers[x.a1]).toBe(101n);
    });
  });

  test('compressed loads and stores are those of doubles', () => {
    machine.place(
      DATA,
      Uint8Array.from({ length: 512 }, (_, index) => index & 0xff),
      'rw-',
    );
    hart.registers[x.a0] = BigInt(DATA);
    hart.registers[x.sp] = BigInt(DATA + 256);
    // c.fld fa1, 8(a0); c.fsdsp fa1, 16(sp); c.fldsp fa2, 16(sp); c.fsd fa2, 24(a0)
    start(0x250c, 0xa82e, 0x2642, 0xad10);
    runTo('breakpoint');
    const bits = 0x0f0e_0d0c_0b0a_0908n;
    expect(hart.floatRegisters[f.fa1]).toBe(bits);
    expect(hart.floatRegisters[f.fa2]).toBe(bits);
    for (const at of [DATA + 24, DATA + 256 + 16]) {
      expect(new DataView(machine.read(at, 8).buffer).getBigUint64(0, true)).toBe(bits);
    }
  });

  test('a context has the floating-point registers and fcsr', () => {
    hart.floatRegisters.fill(ANY);
    hart.registers.fill(ONE, 1);
    hart.fcsr = 0b011_10001;
    hart.pc = 0x1234n;
    const context = new Uint8Array(CONTEXT_BYTES);
    hart.saveContext(context);
    hart.clearContext();
    expect([...hart.floatRegisters, ...hart.registers].every((bits) => bits === 0n)).toBe(true);
    expect([hart.fcsr, hart.pc]).toEqual([0, 0n]);
    hart.loadContext(context);
    expect([...hart.floatRegisters].every((bits) => bits === ANY)).toBe(true);
    expect(hart.registers[x.t6]).toBe(ONE);
    expect([hart.fcsr, hart.pc]).toEqual([0b011_10001, 0x1234n]);
  });
});
