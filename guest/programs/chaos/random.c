/* A generator of one word (xorshift64): the same numbers for the same seed, wherever it runs. */
#include "chaos.h"

unsigned long next_random(void) {
  unsigned long state = worker.random;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  worker.random = state;
  /* The lowest bits of neighbouring states are alike. */
  return state * 0x2545f4914f6cdd1dUL;
}

unsigned below(unsigned bound) {
  return (unsigned)(next_random() >> 33) % bound;
}

int once_in(unsigned times) {
  return below(times) == 0;
}
