/* Calls upon calls: Fibonacci, Ackermann and Takeuchi, permutations, and calls through a table of functions. */
#include "program.h"

#define NOINLINE __attribute__((noinline, noclone))
/* Or the compiler unrolls a recursion into loops. */
#define PLAIN __attribute__((noinline, noclone, optimize("no-optimize-sibling-calls", "no-inline")))

static PLAIN u64 fibonacci(u32 n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

static PLAIN u64 ackermann(u64 m, u64 n) {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1);
  return ackermann(m - 1, ackermann(m, n - 1));
}

static PLAIN i32 takeuchi(i32 x, i32 y, i32 z) {
  if (y >= x) return z;
  return takeuchi(takeuchi(x - 1, y, z), takeuchi(y - 1, z, x), takeuchi(z - 1, x, y));
}

/* Ways to put queens on a board of `size` so that none beats another. */
static PLAIN u32 queens(u32 all, u32 columns, u32 left, u32 right) {
  u32 found = 0;
  if (columns == all) return 1;
  for (u32 free = all & ~(columns | left | right); free != 0;) {
    u32 place = free & -free;
    free ^= place;
    found += queens(all, columns | place, (left | place) << 1, (right | place) >> 1);
  }
  return found;
}

typedef u64 (*operation)(u64, u64);
static NOINLINE u64 add(u64 a, u64 b) { return a + b; }
static NOINLINE u64 subtract(u64 a, u64 b) { return a - b; }
static NOINLINE u64 exclude(u64 a, u64 b) { return a ^ b; }
static NOINLINE u64 multiply(u64 a, u64 b) { return a * (b | 1); }
static const operation operations[] = {add, subtract, exclude, multiply};

u64 run(void) {
  u64 state = 4101842887655102017ul;
  u64 checksum = 0;
  for (int round = 0; round < RUNS; round++) {
    checksum = mix(checksum, fibonacci(22));
    checksum = mix(checksum, ackermann(2, 140));
    checksum = mix(checksum, (u64)takeuchi(14, 10, 4));
    checksum = mix(checksum, queens((1u << 7) - 1, 0, 0, 0));
    for (int count = 0; count < 10000; count++) {
      u64 word = next_random(&state);
      checksum = operations[word >> 62](checksum, word);
    }
  }
  return checksum;
}
