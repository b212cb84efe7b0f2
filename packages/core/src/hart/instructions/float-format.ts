/** How the semantics of F's and D's instructions, written once, differ between singles and doubles. */
import type { FloatFunction } from '../float/index.js';
import type { Local, MemoryOpcode, Opcode } from '../wasm/index.js';
import type { Emitter, Width } from './emitter.js';

export interface FloatFormat {
  /** As in the instructions' names, and those of the floating-point module's functions. */
  readonly letter: 's' | 'd';
  /** The encodings' fmt field. */
  readonly fmt: 0 | 1;
  readonly type: 'f32' | 'f64';
  readonly smallestNormal: number;
  readonly width: Width;
  readonly load: MemoryOpcode;
  /** The integers that bits are worked on in, and the sign bit alone. */
  readonly bits: {
    readonly integer: 'i32' | 'i64';
    readonly sign: number;
    readonly fromFloat: Opcode;
    readonly toFloat: Opcode;
  };
  source(e: Emitter, n: 1 | 2 | 3): void;
  write(e: Emitter, value: () => void): void;
  scratch(e: Emitter, n: 0 | 1): Local;
}

export const SINGLE: FloatFormat = {
  letter: 's',
  fmt: 0,
  type: 'f32',
  smallestNormal: 2 ** -126,
  width: 4,
  load: 'f32.load',
  bits: {
    integer: 'i32',
    sign: -(2 ** 31),
    fromFloat: 'i32.reinterpret_f32',
    toFloat: 'f32.reinterpret_i32',
  },
  source: (e, n) => e[`ss${n}`](),
  write: (e, value) => e.writeFs(value),
  scratch: (e, n) => e.singleScratch(n),
};

export const DOUBLE: FloatFormat = {
  letter: 'd',
  fmt: 1,
  type: 'f64',
  smallestNormal: 2 ** -1022,
  width: 8,
  load: 'f64.load',
  bits: {
    integer: 'i64',
    sign: -(2 ** 63),
    fromFloat: 'i64.reinterpret_f64',
    toFloat: 'f64.reinterpret_i64',
  },
  source: (e, n) => e[`fs${n}`](),
  write: (e, value) => e.writeFd(value),
  scratch: (e, n) => e.floatScratch(n),
};

/** A function of the floating-point module in one format. */
export const functionOf = <const N extends string>(
  name: N,
  { letter }: FloatFormat,
): Extract<FloatFunction, `${N}.${'s' | 'd'}`> =>
  `${name}.${letter}` as Extract<FloatFunction, `${N}.${'s' | 'd'}`>;
