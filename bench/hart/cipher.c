/*
 * ChaCha20 (RFC 8439) and BLAKE2b (RFC 7693), their rounds unrolled as libraries have them: long blocks without a branch,
 * over several pages of code.
 */
#include "program.h"

#define BUFFER_WORDS 4096

static u32 buffer[BUFFER_WORDS] __attribute__((aligned(8)));

static inline u32 left(u32 word, int by) { return (word << by) | (word >> (32 - by)); }
static inline u64 right(u64 word, int by) { return (word >> by) | (word << (64 - by)); }

#define QUARTER(a, b, c, d)           \
  a += b, d = left(d ^ a, 16);        \
  c += d, b = left(b ^ c, 12);        \
  a += b, d = left(d ^ a, 8);         \
  c += d, b = left(b ^ c, 7);
#define DOUBLE_ROUND                                                          \
  QUARTER(x0, x4, x8, xc) QUARTER(x1, x5, x9, xd) QUARTER(x2, x6, xa, xe)     \
  QUARTER(x3, x7, xb, xf) QUARTER(x0, x5, xa, xf) QUARTER(x1, x6, xb, xc)     \
  QUARTER(x2, x7, x8, xd) QUARTER(x3, x4, x9, xe)

static void chacha_block(u32 out[16], const u32 in[16]) {
  u32 x0 = in[0], x1 = in[1], x2 = in[2], x3 = in[3], x4 = in[4], x5 = in[5], x6 = in[6], x7 = in[7];
  u32 x8 = in[8], x9 = in[9], xa = in[10], xb = in[11], xc = in[12], xd = in[13], xe = in[14], xf = in[15];
  DOUBLE_ROUND DOUBLE_ROUND DOUBLE_ROUND DOUBLE_ROUND DOUBLE_ROUND
  DOUBLE_ROUND DOUBLE_ROUND DOUBLE_ROUND DOUBLE_ROUND DOUBLE_ROUND
  out[0] = x0 + in[0], out[1] = x1 + in[1], out[2] = x2 + in[2], out[3] = x3 + in[3];
  out[4] = x4 + in[4], out[5] = x5 + in[5], out[6] = x6 + in[6], out[7] = x7 + in[7];
  out[8] = x8 + in[8], out[9] = x9 + in[9], out[10] = xa + in[10], out[11] = xb + in[11];
  out[12] = xc + in[12], out[13] = xd + in[13], out[14] = xe + in[14], out[15] = xf + in[15];
}

static void encrypt(const u32 key[8], u32 nonce) {
  u32 state[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  u32 stream[16];
  memcpy(state + 4, key, 32);
  state[14] = nonce;
  for (u32 at = 0; at < BUFFER_WORDS; at += 16) {
    chacha_block(stream, state);
    for (u32 word = 0; word < 16; word++) buffer[at + word] ^= stream[word];
    state[12]++;
  }
}

static const u64 start_state[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                                   0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

#define G(a, b, c, d, x, y)           \
  a += b + x, d = right(d ^ a, 32);   \
  c += d, b = right(b ^ c, 24);       \
  a += b + y, d = right(d ^ a, 16);   \
  c += d, b = right(b ^ c, 63);
#define ROUND(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, sa, sb, sc, sd, se, sf)             \
  G(v0, v4, v8, vc, m[s0], m[s1]) G(v1, v5, v9, vd, m[s2], m[s3])                         \
  G(v2, v6, va, ve, m[s4], m[s5]) G(v3, v7, vb, vf, m[s6], m[s7])                         \
  G(v0, v5, va, vf, m[s8], m[s9]) G(v1, v6, vb, vc, m[sa], m[sb])                         \
  G(v2, v7, v8, vd, m[sc], m[sd]) G(v3, v4, v9, ve, m[se], m[sf])

static void blake_block(u64 h[8], const u64 m[16], u64 hashed, int last) {
  u64 v0 = h[0], v1 = h[1], v2 = h[2], v3 = h[3], v4 = h[4], v5 = h[5], v6 = h[6], v7 = h[7];
  u64 v8 = start_state[0], v9 = start_state[1], va = start_state[2], vb = start_state[3];
  u64 vc = start_state[4] ^ hashed, vd = start_state[5], ve = start_state[6], vf = start_state[7];
  if (last) ve = ~ve;
  ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
  ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3)
  ROUND(11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4)
  ROUND(7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8)
  ROUND(9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13)
  ROUND(2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9)
  ROUND(12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11)
  ROUND(13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10)
  ROUND(6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5)
  ROUND(10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0)
  ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
  ROUND(14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3)
  h[0] ^= v0 ^ v8, h[1] ^= v1 ^ v9, h[2] ^= v2 ^ va, h[3] ^= v3 ^ vb;
  h[4] ^= v4 ^ vc, h[5] ^= v5 ^ vd, h[6] ^= v6 ^ ve, h[7] ^= v7 ^ vf;
}

/* The first word of the hash of whole blocks. */
static u64 hash(const u64 *words, u32 blocks) {
  u64 state[8];
  memcpy(state, start_state, sizeof state);
  state[0] ^= 0x01010040;
  for (u32 block = 0; block < blocks; block++) {
    blake_block(state, words + 16 * block, (block + 1) * 128ul, block + 1 == blocks);
  }
  return state[0];
}

/* The published answers: RFC 8439, 2.3.2, and BLAKE2b of "abc" (RFC 7693, appendix A). */
static void check_answers(void) {
  u32 in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, 0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c, 1,          0x09000000, 0x4a000000, 0};
  u32 out[16];
  u64 abc[16] = {0x636261};
  u64 state[8];
  chacha_block(out, in);
  if (out[0] != 0xe4e7f110 || out[15] != 0x4e3c50a2) fail("cipher: ChaCha20 gives another block than the published one");
  memcpy(state, start_state, sizeof state);
  state[0] ^= 0x01010040;
  blake_block(state, abc, 3, 1);
  if (state[0] != 0x0d4d1c983fa580ba) fail("cipher: BLAKE2b gives another hash than the published one");
}

u64 run(void) {
  u64 checksum = 0;
  u32 key[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  check_answers();
  for (u32 round = 0; round < RUNS; round++) {
    encrypt(key, round);
    u64 digest = hash((const u64 *)buffer, BUFFER_WORDS / 32);
    key[round & 7] ^= (u32)digest;
    checksum = mix(checksum, digest);
  }
  return checksum;
}
