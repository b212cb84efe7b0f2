/** RV64M, multiplication and division (unprivileged specification, chapter 7; division's special cases, table 7.1). */
import type { Local, Opcode } from '../wasm/index.js';
import type { Emitter } from './emitter.js';
import type { Instruction } from './instruction.js';
import { register, register32 } from './rv64i.js';

const LOW_WORD = 0xffff_ffff;
const MULTIPLY_DIVIDE = 0x01;

/** Pushes `part(a) * part(b)`, where each part is the low or the high 32 bits, unsigned. */
const pushPartialProduct = (e: Emitter, a: Local, aHigh: boolean, b: Local, bHigh: boolean): void => {
  for (const [value, high] of [
    [a, aHigh],
    [b, bHigh],
  ] as const) {
    e.code.get(value);
    e.code.i64(high ? 32 : LOW_WORD);
    e.code.op(high ? 'i64.shr_u' : 'i64.and');
  }
  e.code.op('i64.mul');
};

const pushShiftedRight32 = (e: Emitter): void => {
  e.code.i64(32);
  e.code.op('i64.shr_u');
};

/**
 * Pushes the high 64 bits of rs1 × rs2, both unsigned, by schoolbook multiplication of their halves:
 * no partial sum passes 64 bits. Leaves rs1 and rs2 in scratch locals 0 and 1.
 */
const pushHighProduct = (e: Emitter): void => {
  const [a, b, middle, cross] = [e.scratch(0), e.scratch(1), e.scratch(2), e.scratch(3)];
  e.rs1();
  e.code.set(a);
  e.rs2();
  e.code.set(b);
  // middle = aHigh * bLow + (aLow * bLow >> 32)
  pushPartialProduct(e, a, true, b, false);
  pushPartialProduct(e, a, false, b, false);
  pushShiftedRight32(e);
  e.code.op('i64.add');
  e.code.set(middle);
  // cross = aLow * bHigh + low word of middle
  pushPartialProduct(e, a, false, b, true);
  e.code.get(middle);
  e.code.i64(LOW_WORD);
  e.code.op('i64.and', 'i64.add');
  e.code.set(cross);
  // aHigh * bHigh + (middle >> 32) + (cross >> 32)
  pushPartialProduct(e, a, true, b, true);
  e.code.get(middle);
  pushShiftedRight32(e);
  e.code.op('i64.add');
  e.code.get(cross);
  pushShiftedRight32(e);
  e.code.op('i64.add');
};

/** Subtracts `other` from the high product on the stack if `signed` is negative: it was taken for 2^64 more. */
const correctSign = (e: Emitter, signed: Local, other: Local): void => {
  e.code.get(signed);
  e.code.i64(63);
  e.code.op('i64.shr_s');
  e.code.get(other);
  e.code.op('i64.and', 'i64.sub');
};

const highProduct =
  (signs: 'unsigned' | 'signed' | 'signed-unsigned') =>
  (e: Emitter): void => {
    pushHighProduct(e);
    if (signs !== 'unsigned') correctSign(e, e.scratch(0), e.scratch(1));
    if (signs === 'signed') correctSign(e, e.scratch(1), e.scratch(0));
  };

interface Division {
  readonly operation: Opcode;
  readonly signs: 'signed' | 'unsigned';
  readonly gives: 'quotient' | 'remainder';
  /** Only the low 32 bits of the operands count. */
  readonly word?: true;
}

/**
 * Pushes rs1 / rs2 or rs1 % rs2. WebAssembly traps where RISC-V defines a result: a divisor of zero gives
 * the quotient -1 and the remainder rs1; the most negative number divided by -1 gives itself, remainder 0.
 */
const division =
  ({ operation, signs, gives, word }: Division) =>
  (e: Emitter): void => {
    const [dividend, divisor] = [e.scratch(0), e.scratch(1)];
    const extend = (): void => {
      if (word === undefined) return;
      if (signs === 'signed') {
        e.code.op('i64.extend32_s');
      } else {
        e.code.i64(LOW_WORD);
        e.code.op('i64.and');
      }
    };
    e.rs1();
    extend();
    e.code.set(dividend);
    e.rs2();
    extend();
    e.code.tee(divisor);
    e.code.op('i64.eqz');
    e.code.if('i64');
    if (gives === 'quotient') e.code.i64(-1);
    else e.code.get(dividend);
    e.code.else();
    if (signs === 'signed' && gives === 'quotient') {
      // -dividend is right for every dividend where the divisor is -1, the most negative one included.
      e.code.get(divisor);
      e.code.i64(-1);
      e.code.op('i64.eq');
      e.code.if('i64');
      e.code.i64(0);
      e.code.get(dividend);
      e.code.op('i64.sub');
      e.code.else();
    }
    e.code.get(dividend);
    e.code.get(divisor);
    e.code.op(operation);
    if (signs === 'signed' && gives === 'quotient') e.code.end();
    e.code.end();
  };

const multiply = (e: Emitter): void => {
  e.rs1();
  e.rs2();
  e.code.op('i64.mul');
};

const signed = { signs: 'signed' } as const;
const unsigned = { signs: 'unsigned' } as const;

export const RV64M: readonly Instruction[] = [
  register('mul', 0, MULTIPLY_DIVIDE, multiply),
  register('mulh', 1, MULTIPLY_DIVIDE, highProduct('signed')),
  register('mulhsu', 2, MULTIPLY_DIVIDE, highProduct('signed-unsigned')),
  register('mulhu', 3, MULTIPLY_DIVIDE, highProduct('unsigned')),
  register('div', 4, MULTIPLY_DIVIDE, division({ ...signed, operation: 'i64.div_s', gives: 'quotient' })),
  register('divu', 5, MULTIPLY_DIVIDE, division({ ...unsigned, operation: 'i64.div_u', gives: 'quotient' })),
  register('rem', 6, MULTIPLY_DIVIDE, division({ ...signed, operation: 'i64.rem_s', gives: 'remainder' })),
  register('remu', 7, MULTIPLY_DIVIDE, division({ ...unsigned, operation: 'i64.rem_u', gives: 'remainder' })),
  register32('mulw', 0, MULTIPLY_DIVIDE, multiply),
  register32(
    'divw',
    4,
    MULTIPLY_DIVIDE,
    division({ ...signed, operation: 'i64.div_s', gives: 'quotient', word: true }),
  ),
  register32(
    'divuw',
    5,
    MULTIPLY_DIVIDE,
    division({ ...unsigned, operation: 'i64.div_u', gives: 'quotient', word: true }),
  ),
  register32(
    'remw',
    6,
    MULTIPLY_DIVIDE,
    division({ ...signed, operation: 'i64.rem_s', gives: 'remainder', word: true }),
  ),
  register32(
    'remuw',
    7,
    MULTIPLY_DIVIDE,
    division({ ...unsigned, operation: 'i64.rem_u', gives: 'remainder', word: true }),
  ),
];
