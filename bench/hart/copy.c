/* Buffers of some MiB: filled, copied by words and by bytes, compared, turned around and summed. */
#include "program.h"

#define BUFFER_BYTES (2u << 20)
#define WORDS (BUFFER_BYTES / 8)

static u64 first[WORDS];
static u64 second[WORDS];

static void fill(u64 *words, u64 seed) {
  for (u32 index = 0; index < WORDS; index++) words[index] = seed + index * 0x0001000100010001ul;
}

static void copy_words(u64 *to, const u64 *from) {
  for (u32 index = 0; index < WORDS; index++) to[index] = from[index];
}

/* Between addresses that are no multiples of a word. */
static void copy_bytes(u8 *to, const u8 *from, u32 count) {
  for (u32 index = 0; index < count; index++) to[index] = from[index];
}

static u32 difference(const u8 *a, const u8 *b, u32 count) {
  u32 index = 0;
  while (index < count && a[index] == b[index]) index++;
  return index;
}

static void turn_around(u64 *words) {
  for (u32 low = 0, high = WORDS - 1; low < high; low++, high--) {
    u64 kept = words[low];
    words[low] = words[high];
    words[high] = kept;
  }
}

static u64 sum_halfwords(const u16 *halfwords) {
  u64 sum = 0;
  for (u32 index = 0; index < BUFFER_BYTES / 2; index++) sum += halfwords[index];
  return sum;
}

u64 run(void) {
  u64 checksum = 0;
  for (u32 round = 0; round < RUNS; round++) {
    fill(first, round + 1);
    copy_words(second, first);
    turn_around(second);
    turn_around(second);
    if (difference((u8 *)first, (u8 *)second, BUFFER_BYTES) != BUFFER_BYTES) fail("copy: the buffers differ");
    copy_bytes((u8 *)second + 3, (u8 *)first + 1, BUFFER_BYTES / 2);
    checksum = mix(checksum, sum_halfwords((u16 *)second));
    memcpy(first, second, BUFFER_BYTES);
    memset(second, (int)round, BUFFER_BYTES);
    checksum = mix(checksum, first[checksum % WORDS] + second[WORDS - 1]);
  }
  return checksum;
}
