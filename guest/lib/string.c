/*
 * Memory and strings, byte by byte: plain enough to trust while what is under test is the memory.
 *
 * The build passes -fno-tree-loop-distribute-patterns, without which the compiler would recognise
 * the loops below and turn each into a call of the very function it is in.
 */
#include "holstein.h"

void *memset(void *to, int byte, size_t size) {
  unsigned char *target = to;
  while (size-- > 0) *target++ = (unsigned char)byte;
  return to;
}

void *memcpy(void *to, const void *from, size_t size) {
  unsigned char *target = to;
  const unsigned char *source = from;
  while (size-- > 0) *target++ = *source++;
  return to;
}

void *memmove(void *to, const void *from, size_t size) {
  unsigned char *target = to;
  const unsigned char *source = from;
  if (target <= source) return memcpy(to, from, size);
  while (size-- > 0) target[size] = source[size];
  return to;
}

int memcmp(const void *left, const void *right, size_t size) {
  const unsigned char *l = left, *r = right;
  for (size_t i = 0; i < size; i++) {
    if (l[i] != r[i]) return l[i] - r[i];
  }
  return 0;
}

size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

int strcmp(const char *left, const char *right) {
  while (*left != 0 && *left == *right) left++, right++;
  return (unsigned char)*left - (unsigned char)*right;
}

char *strcpy(char *to, const char *from) {
  memcpy(to, from, strlen(from) + 1);
  return to;
}

char *strchr(const char *text, int byte) {
  while (*text != (char)byte) {
    if (*text++ == 0) return 0;
  }
  return (char *)text;
}
