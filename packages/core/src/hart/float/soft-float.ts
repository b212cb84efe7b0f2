/** What the floating-point module leaves to JavaScript, on operands and to a result in RAM (layout.ts draws where). */
import { FCSR, FLOAT_OPERANDS, FLOAT_RESULT } from '../layout.js';
import { add, convert, divide, multiply, multiplyAdd, squareRoot } from './arithmetic.js';
import { SOFT_OPERATIONS, type SoftOperation } from './functions.js';
import { DOUBLE, type NumberFormat, SINGLE } from './number-format.js';
import type { Result } from './rounding.js';

/** Does an operation on operands a, b and c, those of them that it has. */
type Operate = (mode: number, a: bigint, b: bigint, c: bigint) => Result;

const arithmeticOf = (format: NumberFormat) =>
  ({
    add: (mode, a, b) => add(format, a, b, mode),
    mul: (mode, a, b) => multiply(format, a, b, mode),
    div: (mode, a, b) => divide(format, a, b, mode),
    sqrt: (mode, a) => squareRoot(format, a, mode),
    fma: (mode, a, b, c) => multiplyAdd(format, a, b, c, mode),
  }) satisfies Record<string, Operate>;

const singles = arithmeticOf(SINGLE);
const doubles = arithmeticOf(DOUBLE);

/** Each operation by name; operands and result are bits. */
export const softOperations: Readonly<Record<SoftOperation, Operate>> = {
  'add.s': singles.add,
  'mul.s': singles.mul,
  'div.s': singles.div,
  'sqrt.s': singles.sqrt,
  'fma.s': singles.fma,
  'add.d': doubles.add,
  'mul.d': doubles.mul,
  'div.d': doubles.div,
  'sqrt.d': doubles.sqrt,
  'fma.d': doubles.fma,
  's.d': (mode, a) => convert(DOUBLE, SINGLE, a, mode),
};

/**
 * Makes the module's import for a hart's RAM.
 * @returns a function of an index into SOFT_OPERATIONS and a rounding mode, which adds what it raises to fcsr.
 */
export const makeSoftFloat = (memory: WebAssembly.Memory): ((operation: number, mode: number) => void) => {
  const view = new DataView(memory.buffer);
  return (operation, mode) => {
    const name = SOFT_OPERATIONS[operation]!;
    const operandBytes = name.endsWith('.s') ? 4 : 8;
    const operand = (index: number): bigint => {
      const at = FLOAT_OPERANDS + 8 * index;
      return operandBytes === 4 ? BigInt(view.getUint32(at, true)) : view.getBigUint64(at, true);
    };
    const { bits, flags } = softOperations[name](mode, operand(0), operand(1), operand(2));
    view.setBigUint64(FLOAT_RESULT, bits, true);
    view.setUint32(FCSR, view.getUint32(FCSR, true) | flags, true);
  };
};
