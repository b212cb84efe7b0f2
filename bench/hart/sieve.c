/* Primes by the sieve of Eratosthenes, a bit for each odd number: shifts, masks, loads and stores at a stride. */
#include "program.h"

#define LIMIT 2000000u

static u64 composite[LIMIT / 128 + 1];

static void sieve(void) {
  for (u32 word = 0; word < LIMIT / 128 + 1; word++) composite[word] = 0;
  for (u32 number = 3; number * number <= LIMIT; number += 2) {
    if ((composite[number >> 7] >> ((number >> 1) & 63)) & 1) continue;
    for (u32 multiple = number * number; multiple <= LIMIT; multiple += 2 * number) {
      composite[multiple >> 7] |= 1ul << ((multiple >> 1) & 63);
    }
  }
}

u64 run(void) {
  u64 checksum = 0;
  for (int round = 0; round < RUNS; round++) {
    u32 primes = 1;
    sieve();
    for (u32 number = 3; number <= LIMIT; number += 2) {
      if ((composite[number >> 7] >> ((number >> 1) & 63)) & 1) continue;
      primes++;
      checksum = checksum * 31 + number;
    }
    if (primes != 148933) fail("sieve: not as many primes as there are up to two millions");
  }
  return checksum;
}
