// @ts-check
/**
 * Makes the source of a program of many different functions, some 200 kB of code, none of which runs often: what a hart
 * meets when a large program starts. The same seed gives the same source.
 */

const FUNCTIONS = 540;
/** Times that each is called, in an order that is another one each time. */
const PASSES = 12;
const STATE_WORDS = 256;

/** @param {number} seed @returns {(limit: number) => number} a whole number from 0 to below the limit */
const randomFrom = (seed) => {
  let state = seed >>> 0;
  return (limit) => {
    // A linear congruential generator: its high bits are random enough for a choice of statements.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
};

/** @typedef {(limit: number) => number} Random */

/** @template T @param {Random} random @param {readonly T[]} values @returns {T} */
const oneOf = (random, values) => /** @type {T} */ (values[random(values.length)]);

const LOCALS = ['a', 'b', 'c', 'd'];

/** @param {Random} random */
const operand = (random) =>
  oneOf(random, [
    () => `state[${random(STATE_WORDS)}]`,
    () => `words[${random(STATE_WORDS)}]`,
    () => `${random(4000)}ul`,
    ...LOCALS.map((local) => () => local),
  ])();

/** @param {Random} random @returns {string} an expression */
const expression = (random) => {
  const first = operand(random);
  const second = operand(random);
  switch (random(8)) {
    case 0:
      return `${first} + ${second}`;
    case 1:
      return `${first} - ${second}`;
    case 2:
      return `${first} * (${second} | 1)`;
    case 3:
      return `${first} ^ (${second} >> ${1 + random(31)})`;
    case 4:
      return `(${first} << ${1 + random(30)}) | (${second} & ${1 + random(0xffff)}ul)`;
    case 5:
      return `(u64)((i32)${first} - (i32)${second})`;
    case 6:
      return `${first} / ((${second} & 0xff) + ${1 + random(9)})`;
    default:
      return `${first} + ((u8 *)state)[${oneOf(random, LOCALS)} & ${STATE_WORDS * 8 - 1}]`;
  }
};

/** @param {Random} random */
const condition = (random) =>
  `(${oneOf(random, LOCALS)} ${oneOf(random, ['&', '^', '+'])} ${1 + random(2000)}) % ${3 + random(6)} ${oneOf(random, ['==', '<', '>'])} ${1 + random(2)}`;

/** @param {Random} random @param {number} index @returns {string} */
const statement = (random, index) => {
  const target = oneOf(random, LOCALS);
  switch (random(9)) {
    case 0:
      return `if (${condition(random)}) ${target} = ${expression(random)};\n  else ${oneOf(random, LOCALS)} = ${expression(random)};`;
    case 1:
      return `for (u32 turn = 0; turn < ${2 + random(4)}; turn++) ${target} = ${target} * 5 + (${expression(random)});`;
    case 2:
      return `state[${random(STATE_WORDS)}] = ${expression(random)};`;
    case 3:
      // Only one of the first half: no chain of calls is long.
      return index >= FUNCTIONS / 2 && random(4) === 0
        ? `if (${condition(random)}) ${target} ^= f${random(FUNCTIONS / 2)}(a, b);`
        : `words[${random(STATE_WORDS)}] = (u32)(${expression(random)});`;
    default:
      return `${target} = ${expression(random)};`;
  }
};

/** @param {number} [seed] @returns {string} C */
export const manyFunctions = (seed = 1) => {
  const random = randomFrom(seed);
  const functions = Array.from({ length: FUNCTIONS }, (_, index) => {
    const statements = Array.from({ length: 18 + random(14) }, () => `  ${statement(random, index)}\n`);
    return (
      `static __attribute__((noinline)) u64 f${index}(u64 a, u64 b) {\n` +
      `  u64 c = a ^ ${random(1e6)}ul;\n  u64 d = b + ${random(1e6)}ul;\n${statements.join('')}` +
      '  return a + b * 3 + c * 5 + d * 7;\n}\n'
    );
  });
  return `/* Made by many-functions.mjs. */
#include "program.h"

static u64 state[${STATE_WORDS}];
static u32 words[${STATE_WORDS}];

${functions.join('\n')}
typedef u64 (*function)(u64, u64);
static const function functions[] = {${functions.map((_, index) => `f${index}`).join(', ')}};

u64 run(void) {
  u64 order = 1;
  u64 checksum = 0;
  for (u32 count = 0; count < RUNS * ${FUNCTIONS}u; count++) {
    order = next_random(&order);
    checksum = mix(checksum, functions[(count * 7 + (order >> 60)) % ${FUNCTIONS}](checksum, count));
  }
  return checksum;
}
`;
};

/** What RUNS is to be in it. */
export const MANY_FUNCTIONS_RUNS = PASSES;
