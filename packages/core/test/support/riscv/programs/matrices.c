/* Products of matrices of 8-bit to 64-bit numbers, and a power of a matrix modulo a prime. */
#include "runtime.h"

#define SIDE 24
#define PRIME 1000000007UL

#define MULTIPLY(name, type)                                               \
  static u64 name(void) {                                                  \
    static type a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];               \
    for (int i = 0; i < SIDE; i++)                                         \
      for (int j = 0; j < SIDE; j++) {                                     \
        a[i][j] = (type)(i * 0x9e3779b97f4a7c15UL + (u64)j * 77);          \
        b[i][j] = (type)((u64)(i ^ j) * 0xc2b2ae3d27d4eb4fUL - (u64)i);    \
      }                                                                    \
    u64 hash = 0;                                                          \
    for (int i = 0; i < SIDE; i++)                                         \
      for (int j = 0; j < SIDE; j++) {                                     \
        type sum = 0;                                                      \
        for (int k = 0; k < SIDE; k++) sum = (type)(sum + (u64)a[i][k] * (u64)b[k][j]); \
        c[i][j] = sum;                                                     \
      }                                                                    \
    for (int i = 0; i < SIDE; i++)                                         \
      for (int j = 0; j < SIDE; j++) hash = hash * 131 + (u64)c[j][i];     \
    return hash;                                                           \
  }

MULTIPLY(signed_bytes, i8)
MULTIPLY(unsigned_bytes, u8)
MULTIPLY(signed_halves, i16)
MULTIPLY(unsigned_halves, u16)
MULTIPLY(signed_words, i32)
MULTIPLY(unsigned_words, u32)
MULTIPLY(doublewords, u64)

static void multiply_modulo(u64 to[2][2], u64 by[2][2]) {
  u64 result[2][2];
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) result[i][j] = (to[i][0] * by[0][j] + to[i][1] * by[1][j]) % PRIME;
  memcpy(to, result, sizeof result);
}

static u64 fibonacci(u64 n) {
  u64 power[2][2] = {{1, 1}, {1, 0}}, result[2][2] = {{1, 0}, {0, 1}};
  for (; n > 0; n >>= 1) {
    if (n & 1) multiply_modulo(result, power);
    multiply_modulo(power, power);
  }
  return result[0][1];
}

int main(void) {
  print_hex(signed_bytes());
  print_hex(unsigned_bytes());
  print_hex(signed_halves());
  print_hex(unsigned_halves());
  print_hex(signed_words());
  print_hex(unsigned_words());
  print_hex(doublewords());
  for (u64 n = 1; n < 1UL << 60; n = n * 3 + 1) print_number((i64)fibonacci(n));
  return 0;
}
