/** A seeded random number generator (Marsaglia's xorshift, 32 bits): the same seed gives the same numbers for ever. */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Nearby seeds are spread, and the state may not be zero.
    this.#state = Math.imul(seed + 1, 0x9e37_79b1) || 1;
    for (let round = 0; round < 8; round++) this.word();
  }

  /** 32 random bits, signed. */
  word(): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return state;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return (this.word() >>> 0) % limit;
  }

  doubleword(): bigint {
    return (BigInt(this.word() >>> 0) << 32n) | BigInt(this.word() >>> 0);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

/** The same numbers as a function: each call gives a whole number from 0 to `below` - 1. */
export const randomNumbers = (seed: number): ((below: number) => number) => {
  const random = new Random(seed);
  return (below) => random.below(below);
};
