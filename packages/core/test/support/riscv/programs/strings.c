/* Text, and copies between addresses of every alignment with accesses of every width, across pages. */
#include "runtime.h"

typedef u16 __attribute__((aligned(1), may_alias)) any_u16;
typedef u32 __attribute__((aligned(1), may_alias)) any_u32;
typedef u64 __attribute__((aligned(1), may_alias)) any_u64;

static u8 source[3 * 4096] __attribute__((aligned(4096)));
static u8 target[3 * 4096] __attribute__((aligned(4096)));

/* The widest accesses that fit, whatever the addresses. */
static void copy_wide(u8 *to, const u8 *from, u64 count) {
  for (; count >= 8; count -= 8, to += 8, from += 8) *(any_u64 *)to = *(const any_u64 *)from;
  if (count >= 4) {
    *(any_u32 *)to = *(const any_u32 *)from;
    count -= 4, to += 4, from += 4;
  }
  if (count >= 2) {
    *(any_u16 *)to = *(const any_u16 *)from;
    count -= 2, to += 2, from += 2;
  }
  if (count > 0) *to = *from;
}

static u64 checksum(const u8 *bytes, u64 count) {
  u64 sum = 14695981039346656037UL;
  for (u64 i = 0; i < count; i++) sum = (sum ^ bytes[i]) * 1099511628211UL;
  return sum;
}

static u64 length_of(const char *text) {
  const char *end = text;
  while (*end != '\0') end++;
  return (u64)(end - text);
}

static int compare(const char *a, const char *b) {
  while (*a != '\0' && *a == *b) a++, b++;
  return (u8)*a - (u8)*b;
}

static void reverse_words(char *text) {
  u64 length = length_of(text);
  for (u64 start = 0; start < length;) {
    u64 end = start;
    while (end < length && text[end] != ' ') end++;
    for (u64 i = start, j = end; i + 1 < j; i++) {
      char moved = text[i];
      text[i] = text[--j];
      text[j] = moved;
    }
    start = end + 1;
  }
}

int main(void) {
  for (u64 i = 0; i < sizeof source; i++) source[i] = (u8)(i * 167 + (i >> 8));
  for (u64 from = 0; from < 9; from++) {
    for (u64 to = 0; to < 9; to++) {
      memset(target, (int)(from + to), sizeof target);
      copy_wide(target + 4096 - 20 + to, source + 4096 - 13 + from, 4096 + 27 + from);
      print_hex(checksum(target, sizeof target));
    }
  }
  char text[] = "the quick brown fox jumps over the lazy dog";
  reverse_words(text);
  print(text);
  print("\n");
  print_number(compare(text, "eht"));
  print_number(compare("a\xff", "a\x01"));
  print_number((i64)length_of(text));
  return 0;
}
