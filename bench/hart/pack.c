/* A compressor of Lempel and Ziv's kind: matches found by hashes and chains, written as bytes, and all unpacked again. */
#include "program.h"

#define INPUT_BYTES 131072u
#define WINDOW 32768u
#define HASH_BITS 13
#define LONGEST 258u
#define SHORTEST 4u
#define MOST_TRIES 16

static u8 input[INPUT_BYTES];
static u8 packed[2 * INPUT_BYTES];
static u8 unpacked[INPUT_BYTES];
static i32 heads[1 << HASH_BITS];
static i32 chain[WINDOW];

static u32 hash_at(u32 at) {
  u32 word = input[at] | (u32)input[at + 1] << 8 | (u32)input[at + 2] << 16 | (u32)input[at + 3] << 24;
  return (word * 2654435761u) >> (32 - HASH_BITS);
}

static u32 common(u32 a, u32 b, u32 most) {
  u32 length = 0;
  while (length < most && input[a + length] == input[b + length]) length++;
  return length;
}

static void remember(u32 at) {
  u32 hash = hash_at(at);
  chain[at % WINDOW] = heads[hash];
  heads[hash] = (i32)at;
}

/* A token: a byte of literals that follow, those; then a match's length and two bytes of distance, or a length of 0. */
static u8 *put_token(u8 *to, u32 literals_from, u32 literals, u32 length, u32 distance) {
  for (; literals > 255; literals -= 255, literals_from += 255) {
    *to++ = 255;
    for (u32 index = 0; index < 255; index++) *to++ = input[literals_from + index];
    *to++ = 0;
  }
  *to++ = (u8)literals;
  for (u32 index = 0; index < literals; index++) *to++ = input[literals_from + index];
  *to++ = (u8)(length == 0 ? 0 : length - SHORTEST + 1);
  if (length == 0) return to;
  *to++ = (u8)distance;
  *to++ = (u8)(distance >> 8);
  return to;
}

static u32 pack(void) {
  u8 *to = packed;
  u32 literals_from = 0;
  for (u32 hash = 0; hash < 1 << HASH_BITS; hash++) heads[hash] = -1;
  for (u32 at = 0; at + SHORTEST <= INPUT_BYTES;) {
    u32 best = 0;
    u32 best_at = 0;
    u32 most = INPUT_BYTES - at < LONGEST ? INPUT_BYTES - at : LONGEST;
    i32 candidate = heads[hash_at(at)];
    for (int tries = 0; tries < MOST_TRIES && candidate >= 0 && at - (u32)candidate < WINDOW; tries++) {
      u32 length = common((u32)candidate, at, most);
      if (length > best) {
        best = length;
        best_at = (u32)candidate;
      }
      candidate = chain[(u32)candidate % WINDOW];
    }
    if (best < SHORTEST) {
      remember(at++);
      continue;
    }
    to = put_token(to, literals_from, at - literals_from, best, at - best_at);
    for (u32 end = at + best; at < end; at++) {
      if (at + SHORTEST <= INPUT_BYTES) remember(at);
    }
    literals_from = at;
  }
  return (u32)(put_token(to, literals_from, INPUT_BYTES - literals_from, 0, 0) - packed);
}

static void unpack(u32 packed_bytes) {
  const u8 *from = packed;
  u8 *to = unpacked;
  while (from < packed + packed_bytes) {
    for (u32 literals = *from++; literals > 0; literals--) *to++ = *from++;
    u32 length = *from++;
    if (length == 0) continue;
    const u8 *source = to - (from[0] | (u32)from[1] << 8);
    from += 2;
    for (length += SHORTEST - 1; length > 0; length--) *to++ = *source++;
  }
}

/* Something between text and noise: phrases that come back, some of them changed. */
static void make_input(u64 *state) {
  for (u32 at = 0; at < INPUT_BYTES;) {
    u64 random = next_random(state);
    u32 length = 4 + (u32)(random >> 59);
    if (at < 64 || (random & 3) == 0) {
      for (; length > 0 && at < INPUT_BYTES; length--) input[at++] = (u8)(next_random(state) >> 60);
    } else {
      u32 from = (u32)((random >> 8) % at);
      for (; length > 0 && at < INPUT_BYTES; length--) input[at++] = input[from++];
    }
  }
}

u64 run(void) {
  u64 state = 1865811235122147685ul;
  u64 checksum = 0;
  for (int round = 0; round < RUNS; round++) {
    if (round % 8 == 0) make_input(&state);
    else input[(u32)(next_random(&state) % INPUT_BYTES)]++;
    u32 bytes = pack();
    unpack(bytes);
    for (u32 at = 0; at < INPUT_BYTES; at++) {
      if (unpacked[at] != input[at]) fail("pack: what was unpacked is not what was packed");
    }
    checksum = mix(checksum, bytes);
    for (u32 at = 0; at < bytes; at++) checksum = checksum * 31 + packed[at];
  }
  return checksum;
}
