/* Search in text: byte by byte, by Horspool's leaps, by patterns with stars, and the distance between two words. */
#include "program.h"

#define TEXT_BYTES 200000

static char text[TEXT_BYTES + 1];

static u32 plain_matches(const char *pattern, u32 length) {
  u32 found = 0;
  for (u32 at = 0; at + length <= TEXT_BYTES; at++) {
    u32 index = 0;
    while (index < length && text[at + index] == pattern[index]) index++;
    found += index == length;
  }
  return found;
}

static u32 leaping_matches(const char *pattern, u32 length) {
  u32 leaps[256];
  u32 found = 0;
  for (u32 byte = 0; byte < 256; byte++) leaps[byte] = length;
  for (u32 index = 0; index + 1 < length; index++) leaps[(u8)pattern[index]] = length - 1 - index;
  for (u32 at = 0; at + length <= TEXT_BYTES; at += leaps[(u8)text[at + length - 1]]) {
    u32 index = length;
    while (index > 0 && text[at + index - 1] == pattern[index - 1]) index--;
    found += index == 0;
  }
  return found;
}

/* Whether all of a line matches a pattern, where ? stands for any byte and * for any number of them. */
static int matches(const char *pattern, const char *line, const char *end) {
  const char *star = 0;
  const char *resume = 0;
  while (line < end) {
    if (*pattern == '*') {
      star = pattern++;
      resume = line;
    } else if (*pattern == '?' || *pattern == *line) {
      pattern++;
      line++;
    } else if (star != 0) {
      pattern = star + 1;
      line = ++resume;
    } else {
      return 0;
    }
  }
  while (*pattern == '*') pattern++;
  return *pattern == '\0';
}

static u32 matching_lines(const char *pattern) {
  u32 found = 0;
  const char *line = text;
  for (const char *at = text; at < text + TEXT_BYTES; at++) {
    if (*at != '\n') continue;
    found += (u32)matches(pattern, line, at);
    line = at + 1;
  }
  return found;
}

#define LONGEST 48

static u32 distance(const char *a, u32 a_length, const char *b, u32 b_length) {
  u32 row[LONGEST + 1];
  for (u32 column = 0; column <= b_length; column++) row[column] = column;
  for (u32 line = 1; line <= a_length; line++) {
    u32 diagonal = row[0];
    row[0] = line;
    for (u32 column = 1; column <= b_length; column++) {
      u32 best = diagonal + (a[line - 1] != b[column - 1]);
      diagonal = row[column];
      if (diagonal + 1 < best) best = diagonal + 1;
      if (row[column - 1] + 1 < best) best = row[column - 1] + 1;
      row[column] = best;
    }
  }
  return row[b_length];
}

u64 run(void) {
  static const char *const patterns[] = {"abcab", "deadbeef", "cabbage", "aaaa", "fedcba"};
  u64 state = 3037000493ul;
  u64 checksum = 0;
  for (u32 at = 0; at < TEXT_BYTES; at++) {
    u64 random = next_random(&state) >> 40;
    text[at] = random % 61 == 0 ? '\n' : (char)('a' + random % 7 % 6);
  }
  for (int round = 0; round < RUNS; round++) {
    for (u32 index = 0; index < 5; index++) {
      char pattern[8];
      u32 length = 0;
      /* Its first letter changes from round to round. */
      pattern[length++] = (char)('a' + (u32)round % 6);
      for (; patterns[index][length] != '\0'; length++) pattern[length] = patterns[index][length];
      u32 found = plain_matches(pattern, length);
      if (leaping_matches(pattern, length) != found) fail("search: the two searches disagree");
      checksum = mix(checksum, found);
    }
    checksum = mix(checksum, matching_lines("*ab?d*fa*"));
    checksum = mix(checksum, matching_lines("a*b*c*d"));
    for (u32 count = 0; count < 100; count++) {
      u64 random = next_random(&state);
      u32 first = (u32)((random >> 8) % (TEXT_BYTES - LONGEST));
      u32 second = (u32)((random >> 36) % (TEXT_BYTES - LONGEST));
      checksum = checksum * 31 + distance(text + first, 40, text + second, LONGEST);
    }
  }
  return checksum;
}
