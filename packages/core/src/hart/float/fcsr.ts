/**
 * fcsr, the floating-point control and status register (unprivileged specification, section 11.2):
 *
 *      31                 8 7       5   4    3    2    1    0
 *      +-------------------+---------+----+----+----+----+----+
 *      | 0                 | frm     | NV | DZ | OF | UF | NX |
 *      +-------------------+---------+----+----+----+----+----+
 */
export const FLAG = { inexact: 1, underflow: 2, overflow: 4, divideByZero: 8, invalid: 16 } as const;
export const ALL_FLAGS = 0x1f;

export const FRM_SHIFT = 5;
export const FRM_MASK = 7;

/** Rounding modes, as in frm and in an instruction's rm (table 11.1). */
export const ROUND = {
  /** To nearest, ties to even: as WebAssembly rounds. */
  nearestEven: 0,
  towardsZero: 1,
  down: 2,
  up: 3,
  /** To nearest, ties away from zero. */
  nearestAway: 4,
} as const;
/** In an instruction: as frm says. */
export const DYNAMIC = 7;
/** From here to DYNAMIC, and to the end of what frm can hold, modes are reserved. */
export const FIRST_RESERVED_ROUNDING = 5;

/** Whether an instruction with this rounding mode is legal. */
export const isLegalRounding = (rm: number): boolean => rm < FIRST_RESERVED_ROUNDING || rm === DYNAMIC;

/**
 * The bits of fcsr that must be NX, and nothing else, for WebAssembly's own result to stand, where it is in a range in which it
 * can raise no other flag: it is rounded to nearest even, as was asked for, and whether it is exact does not matter any more.
 * No bits, so that it never stands, where the instruction asks for another rounding.
 */
export const standingBits = (rm: number): number => {
  if (rm === DYNAMIC) return (FRM_MASK << FRM_SHIFT) | FLAG.inexact;
  return rm === ROUND.nearestEven ? FLAG.inexact : 0;
};
