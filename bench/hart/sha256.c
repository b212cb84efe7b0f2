/* SHA-256 (FIPS 180-4) of a buffer, and a keyed hash over short messages: rotations, additions, loads of bytes. */
#include "program.h"

#define BUFFER_BYTES 65536

static u32 constants[64];
static const u32 start_state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
static u8 buffer[BUFFER_BYTES];

/* The first 32 bits of the fraction of the cube root of each of the first 64 primes, by bisection in whole numbers. */
static void make_constants(void) {
  u32 found = 0;
  for (u32 number = 2; found < 64; number++) {
    u32 divisor = 2;
    while (divisor * divisor <= number && number % divisor != 0) divisor++;
    if (divisor * divisor <= number) continue;
    u64 low = 0;
    u64 high = 8ul << 32;
    while (high - low > 1) {
      u64 middle = (low + high) / 2;
      unsigned __int128 square = (unsigned __int128)middle * middle;
      /* middle³ ≤ number · 2⁹⁶, with the last 32 bits of the square kept aside. */
      unsigned __int128 cube = (square >> 32) * middle + (((square & 0xffffffff) * middle) >> 32);
      if (cube < (unsigned __int128)number << 64) low = middle;
      else high = middle;
    }
    constants[found++] = (u32)low;
  }
}

static inline u32 rotate(u32 word, u32 by) { return (word >> by) | (word << (32 - by)); }

static void compress(u32 state[8], const u8 *block) {
  u32 w[64];
  for (int i = 0; i < 16; i++) {
    w[i] = (u32)block[4 * i] << 24 | (u32)block[4 * i + 1] << 16 | (u32)block[4 * i + 2] << 8 | block[4 * i + 3];
  }
  for (int i = 16; i < 64; i++) {
    u32 early = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ (w[i - 15] >> 3);
    u32 late = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ (w[i - 2] >> 10);
    w[i] = w[i - 16] + early + w[i - 7] + late;
  }
  u32 a = state[0], b = state[1], c = state[2], d = state[3];
  u32 e = state[4], f = state[5], g = state[6], h = state[7];
  for (int i = 0; i < 64; i++) {
    u32 first = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + w[i];
    u32 second = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = d + first;
    d = c;
    c = b;
    b = a;
    a = first + second;
  }
  state[0] += a;
  state[1] += b;
  state[2] += c;
  state[3] += d;
  state[4] += e;
  state[5] += f;
  state[6] += g;
  state[7] += h;
}

/* @param state the hash of the message, when it returns */
static void hash(u32 state[8], const u8 *message, u64 length) {
  u8 last[128] = {0};
  u64 rest = length % 64;
  u64 last_bytes = rest < 56 ? 64 : 128;
  memcpy(state, start_state, sizeof start_state);
  for (u64 at = 0; at + 64 <= length; at += 64) compress(state, message + at);
  memcpy(last, message + length - rest, rest);
  last[rest] = 0x80;
  for (int i = 0; i < 8; i++) last[last_bytes - 1 - i] = (u8)((length * 8) >> (8 * i));
  for (u64 at = 0; at < last_bytes; at += 64) compress(state, last + at);
}

static u64 keyed(u64 key, const u8 *message, u64 length) {
  u8 inner[64 + 64];
  u8 outer[64 + 32];
  u32 state[8];
  for (int i = 0; i < 64; i++) {
    inner[i] = (u8)(key >> (i & 7) * 8) ^ 0x36;
    outer[i] = (u8)(key >> (i & 7) * 8) ^ 0x5c;
  }
  memcpy(inner + 64, message, length);
  hash(state, inner, 64 + length);
  for (int i = 0; i < 32; i++) outer[64 + i] = (u8)(state[i / 4] >> (24 - 8 * (i & 3)));
  hash(state, outer, sizeof outer);
  return (u64)state[0] << 32 | state[1];
}

u64 run(void) {
  u64 random = 3202034522624059733ul;
  u64 checksum = 0;
  u32 state[8];
  make_constants();
  hash(state, (const u8 *)"abc", 3);
  if (state[0] != 0xba7816bf || state[7] != 0xf20015ad) fail("sha256: the hash of abc is another");
  for (u32 index = 0; index < BUFFER_BYTES; index++) buffer[index] = (u8)(next_random(&random) >> 56);
  for (int round = 0; round < RUNS; round++) {
    buffer[round % BUFFER_BYTES]++;
    hash(state, buffer, BUFFER_BYTES);
    for (int i = 0; i < 8; i++) checksum = mix(checksum, state[i]);
    for (u32 count = 0; count < 64; count++) checksum = mix(checksum, keyed(checksum, buffer + count, count));
  }
  return checksum;
}
