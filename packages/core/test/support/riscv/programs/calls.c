/* Deep and mutual recursion, function pointers, large frames and many arguments. */
#include "runtime.h"

static u64 ackermann(u64 m, u64 n) {
  if (m == 0) return n + 1;
  return n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static int is_odd(u64 n);
static __attribute__((noinline)) int is_even(u64 n) { return n == 0 ? 1 : is_odd(n - 1); }
static __attribute__((noinline)) int is_odd(u64 n) { return n == 0 ? 0 : is_even(n - 1); }

typedef i64 (*Operation)(i64, i64);
static i64 add(i64 a, i64 b) { return a + b; }
static i64 subtract(i64 a, i64 b) { return a - b; }
static i64 multiply(i64 a, i64 b) { return a * b; }
static i64 divide(i64 a, i64 b) { return b == 0 ? 0 : a / b; }
static Operation const operations[] = {add, subtract, multiply, divide};

static __attribute__((noinline)) i64 twelve(i8 a, i16 b, i32 c, i64 d, u8 e, u16 f, u32 g, u64 h, i8 i, i16 j, i32 k,
                                            i64 l) {
  return a - b + c - d + e - f + (i64)g - (i64)h + i - j + k - l;
}

static __attribute__((noinline)) u64 large_frame(u64 depth) {
  u8 local[5000];
  for (u64 i = 0; i < sizeof local; i++) local[i] = (u8)(i ^ depth);
  return depth == 0 ? local[4999] : large_frame(depth - 1) + local[depth * 400];
}

static u64 moves;
static void hanoi(int disks, int from, int to, int by) {
  if (disks == 0) return;
  hanoi(disks - 1, from, by, to);
  moves = moves * 7 + (u64)(from * 3 + to);
  hanoi(disks - 1, by, to, from);
}

int main(void) {
  print_number((i64)ackermann(2, 9));
  print_number(is_even(301));
  i64 value = 1;
  for (int i = 0; i < 1000; i++) value = operations[i % 4](value, (i64)i * i - 500);
  print_number(value);
  print_number(twelve(-1, -2, -3, -4, 200, 60000, 4000000000U, ~0UL, 127, -32768, 1 << 30, 1L << 62));
  print_number((i64)large_frame(9));
  hanoi(12, 0, 2, 1);
  print_hex(moves);
  return 0;
}
