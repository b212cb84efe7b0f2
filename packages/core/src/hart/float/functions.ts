/**
 * The functions of the module that does floating-point arithmetic (float-module.ts), by name: what the interpreter and
 * compiled code import from it, as 'float'.
 *
 * Operands and results are numbers of the format that the name says: s of 32 bits, d of 64; a NaN that is a result is the
 * canonical one. A function that takes a rounding mode takes the instruction's rm, and looks at frm where that is DYNAMIC;
 * reserved modes are the caller's to refuse. Flags are set in fcsr, in RAM.
 */
import type { FunctionIndex, ModuleBuilder, Signature, ValueType } from '../wasm/index.js';

const takes = <const P extends readonly ValueType[]>(...parameters: P) => ({
  gives: <const R extends readonly ValueType[]>(
    ...results: R
  ): { readonly parameters: P; readonly results: R } => ({
    parameters,
    results,
  }),
});

export const FLOAT_FUNCTIONS = {
  // Arithmetic, all flags exact. `fma` gives a × b + c, rounded once.
  'add.s': takes('f32', 'f32', 'i32').gives('f32'),
  'mul.s': takes('f32', 'f32', 'i32').gives('f32'),
  'div.s': takes('f32', 'f32', 'i32').gives('f32'),
  'sqrt.s': takes('f32', 'i32').gives('f32'),
  'fma.s': takes('f32', 'f32', 'f32', 'i32').gives('f32'),
  'add.d': takes('f64', 'f64', 'i32').gives('f64'),
  'mul.d': takes('f64', 'f64', 'i32').gives('f64'),
  'div.d': takes('f64', 'f64', 'i32').gives('f64'),
  'sqrt.d': takes('f64', 'i32').gives('f64'),
  'fma.d': takes('f64', 'f64', 'f64', 'i32').gives('f64'),

  // A double as a single; an integer, signed or unsigned, as either.
  's.d': takes('f64', 'i32').gives('f32'),
  's.l': takes('i64', 'i32').gives('f32'),
  's.lu': takes('i64', 'i32').gives('f32'),
  'd.l': takes('i64', 'i32').gives('f64'),
  'd.lu': takes('i64', 'i32').gives('f64'),

  // A double, or a single as one, as an integer of 32 or 64 bits, signed or unsigned, and saturated: what goes to rd.
  'w.d': takes('f64', 'i32').gives('i64'),
  'wu.d': takes('f64', 'i32').gives('i64'),
  'l.d': takes('f64', 'i32').gives('i64'),
  'lu.d': takes('f64', 'i32').gives('i64'),

  // What remains to be done where an operand is a NaN: of a minimum or maximum, the result, and the invalid flag for a
  // signalling NaN; of fcvt.d.s, and of feq, which has no result here, the same; of flt and fle, the flag alone.
  'minmax-nan.s': takes('f32', 'f32').gives('f32'),
  'minmax-nan.d': takes('f64', 'f64').gives('f64'),
  'convert-nan.s': takes('f32').gives('f64'),
  'equal-nan.s': takes('f32', 'f32').gives(),
  'equal-nan.d': takes('f64', 'f64').gives(),
  'order-nan': takes().gives(),

  // fclass's mask of one bit.
  'class.s': takes('f32').gives('i64'),
  'class.d': takes('f64').gives('i64'),
} as const satisfies Readonly<Record<string, Signature>>;

export type FloatFunction = keyof typeof FLOAT_FUNCTIONS;
export const FLOAT_FUNCTION_NAMES = Object.keys(FLOAT_FUNCTIONS) as readonly FloatFunction[];

/** The indices that the functions have in a module that imports them. */
export type FloatImports = Readonly<Record<FloatFunction, FunctionIndex>>;

/** Has a module import all of them. */
export const importFloatFunctions = (module: ModuleBuilder): FloatImports =>
  Object.fromEntries(
    FLOAT_FUNCTION_NAMES.map((name) => [name, module.importFunction('float', name, FLOAT_FUNCTIONS[name])]),
  ) as FloatImports;

/**
 * Operations that JavaScript does (soft-float.ts) where the module's range ends. The module passes an index into this list, and
 * a rounding mode that is not dynamic; operands and result are in RAM.
 */
export const SOFT_OPERATIONS = [
  'add.s',
  'mul.s',
  'div.s',
  'sqrt.s',
  'fma.s',
  'add.d',
  'mul.d',
  'div.d',
  'sqrt.d',
  'fma.d',
  's.d',
] as const satisfies readonly FloatFunction[];
export type SoftOperation = (typeof SOFT_OPERATIONS)[number];
