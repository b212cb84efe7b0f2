/* SHA-256 (FIPS 180-4) of messages of every length about the block boundary. The constants are worked out
   from the primes, as the standard defines them. */
#include "runtime.h"

static u32 constants[64];
static u32 start[8];

/* The first 32 fractional bits of the square (power 2) or cube (power 3) root of n: the largest r with
   r^power <= n * 2^(32 * power), by bisection; its low word. */
static u32 root_bits(u64 n, int power) {
  u64 low = 0, high = 32UL << 32;
  while (high - low > 1) {
    u64 middle = low + (high - low) / 2;
    unsigned __int128 square = (unsigned __int128)middle * middle;
    int fits;
    if (power == 2) {
      fits = square <= ((unsigned __int128)n << 64);
    } else {
      /* middle < 2^37: the cube is compared in units of 2^32, rounded up. */
      unsigned __int128 high_part = (square >> 32) * middle;
      unsigned __int128 low_part = (square & 0xffffffffUL) * middle;
      unsigned __int128 cube = high_part + (low_part >> 32) + ((low_part & 0xffffffffUL) != 0);
      fits = cube <= ((unsigned __int128)n << 64);
    }
    if (fits) low = middle;
    else high = middle;
  }
  return (u32)low;
}

static void find_constants(void) {
  int found = 0;
  for (u64 n = 2; found < 64; n++) {
    int prime = 1;
    for (u64 divisor = 2; divisor * divisor <= n; divisor++) {
      if (n % divisor == 0) prime = 0;
    }
    if (!prime) continue;
    if (found < 8) start[found] = root_bits(n, 2);
    constants[found++] = root_bits(n, 3);
  }
}

static u32 rotate(u32 value, int by) { return (value >> by) | (value << (32 - by)); }

static void add_block(u32 *hash, const u8 *block) {
  u32 schedule[64];
  for (int i = 0; i < 16; i++) {
    const u8 *at = block + 4 * i;
    schedule[i] = (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
  }
  for (int i = 16; i < 64; i++) {
    u32 a = schedule[i - 15], b = schedule[i - 2];
    schedule[i] = schedule[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ (a >> 3)) + schedule[i - 7] +
                  (rotate(b, 17) ^ rotate(b, 19) ^ (b >> 10));
  }
  u32 v[8];
  for (int i = 0; i < 8; i++) v[i] = hash[i];
  for (int i = 0; i < 64; i++) {
    u32 choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
    u32 majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
    u32 one = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) + choice + constants[i] + schedule[i];
    u32 two = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) + majority;
    for (int j = 7; j > 0; j--) v[j] = v[j - 1];
    v[4] += one;
    v[0] = one + two;
  }
  for (int i = 0; i < 8; i++) hash[i] += v[i];
}

static void print_sha256(const u8 *message, u64 length) {
  u32 hash[8];
  u8 block[64];
  for (int i = 0; i < 8; i++) hash[i] = start[i];
  u64 at = 0;
  for (; length - at >= 64; at += 64) add_block(hash, message + at);
  memset(block, 0, 64);
  memcpy(block, message + at, length - at);
  block[length - at] = 0x80;
  if (length - at >= 56) {
    add_block(hash, block);
    memset(block, 0, 64);
  }
  for (int i = 0; i < 8; i++) block[63 - i] = (u8)(length * 8 >> (8 * i));
  add_block(hash, block);
  for (int i = 0; i < 8; i += 2) print_hex((u64)hash[i] << 32 | hash[i + 1]);
}

int main(void) {
  static u8 message[300];
  find_constants();
  print_sha256((const u8 *)"abc", 3);
  for (u64 i = 0; i < sizeof message; i++) message[i] = (u8)(i * 7 + (i >> 3));
  for (u64 length = 0; length <= sizeof message; length += length > 50 && length < 70 ? 1 : 25) {
    print_sha256(message, length);
  }
  return 0;
}
