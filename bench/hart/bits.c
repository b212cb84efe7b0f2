/* Arithmetic in registers: Collatz sequences, rotations, multiplications high and low, counts of bits, divisions. */
#include "program.h"

static u32 collatz_length(u64 number) {
  u32 length = 1;
  for (; number != 1; length++) number = (number & 1) != 0 ? 3 * number + 1 : number >> 1;
  return length;
}

static u32 count_bits(u64 word) {
  word -= (word >> 1) & 0x5555555555555555ul;
  word = (word & 0x3333333333333333ul) + ((word >> 2) & 0x3333333333333333ul);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0ful;
  return (u32)((word * 0x0101010101010101ul) >> 56);
}

static u64 rotate(u64 word, u32 by) { return (word << (by & 63)) | (word >> (-by & 63)); }

static u64 greatest_common_divisor(u64 a, u64 b) {
  while (b != 0) {
    u64 rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

u64 run(void) {
  u64 state = 88172645463325252ul;
  u64 checksum = 0;
  for (int round = 0; round < RUNS; round++) {
    for (u32 number = 1; number < 20000; number++) checksum += collatz_length(number) * (u64)number;
    for (u32 count = 0; count < 100000; count++) {
      u64 word = next_random(&state);
      u64 high = (u64)(((unsigned __int128)word * checksum) >> 64);
      checksum = rotate(checksum ^ high, count_bits(word)) + (u32)word;
    }
    for (u32 count = 0; count < 5000; count++) {
      checksum += greatest_common_divisor(next_random(&state) >> 20, next_random(&state) >> 30);
    }
  }
  return checksum;
}
