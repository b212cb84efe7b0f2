/* A state machine that reads text a byte at a time: JSON-like, with nesting, strings with escapes, and numbers. */
#include "program.h"

#define TEXT_BYTES 200000
#define DEEPEST 60

static char text[TEXT_BYTES + 200];
static u32 length;

static void put(char byte) { text[length++] = byte; }

static void put_value(u64 *state, u32 depth) {
  u64 random = next_random(state);
  u32 count = (random >> 8) % 6;
  switch (depth > 8 ? random % 3 : random % 5) {
    case 0:
      put('"');
      for (u32 index = 0; index < count * 4; index++) {
        u32 byte = (u32)(next_random(state) >> 57);
        if (byte == '"' || byte == '\\') put('\\');
        put(byte < ' ' ? ' ' : (char)byte);
      }
      put('"');
      break;
    case 1:
      if ((random & 64) != 0) put('-');
      for (u64 digits = (random >> 20) | 1; digits != 0; digits /= 1000) put((char)('0' + digits % 10));
      break;
    case 2:
      for (const char *word = (random & 64) != 0 ? "true" : "null"; *word != '\0'; word++) put(*word);
      break;
    default: {
      int object = (random & 64) != 0;
      put(object ? '{' : '[');
      for (u32 index = 0; index < count && length < TEXT_BYTES - 100 * DEEPEST; index++) {
        if (index > 0) put(',');
        if (object) {
          put('"');
          put((char)('a' + index));
          put('"');
          put(':');
        }
        if ((random & 128) != 0) put(' ');
        put_value(state, depth + 1);
      }
      put(object ? '}' : ']');
    }
  }
}

typedef struct {
  u32 strings, escapes, numbers, words, objects, arrays, deepest;
  i64 sum;
} tally;

static void read_text(tally *found) {
  enum { BETWEEN, STRING, ESCAPE, NUMBER, WORD } state = BETWEEN;
  u32 depth = 0;
  i64 number = 0;
  int negative = 0;
  for (u32 at = 0; at < length; at++) {
    char byte = text[at];
    switch (state) {
      case STRING:
        if (byte == '\\') state = ESCAPE;
        else if (byte == '"') state = BETWEEN;
        continue;
      case ESCAPE:
        found->escapes++;
        state = STRING;
        continue;
      case NUMBER:
        if (byte >= '0' && byte <= '9') {
          number = number * 10 + (byte - '0');
          continue;
        }
        found->sum += negative ? -number : number;
        state = BETWEEN;
        break;
      case WORD:
        if (byte >= 'a' && byte <= 'z') continue;
        state = BETWEEN;
        break;
      case BETWEEN:
        break;
    }
    if (byte == '{' || byte == '[') {
      if (byte == '{') found->objects++;
      else found->arrays++;
      if (++depth > found->deepest) found->deepest = depth;
    } else if (byte == '}' || byte == ']') {
      depth--;
    } else if (byte == '"') {
      found->strings++;
      state = STRING;
    } else if (byte == '-' || (byte >= '0' && byte <= '9')) {
      found->numbers++;
      negative = byte == '-';
      number = negative ? 0 : byte - '0';
      state = NUMBER;
    } else if (byte >= 'a' && byte <= 'z') {
      found->words++;
      state = WORD;
    }
  }
  if (depth != 0) fail("tokens: brackets are left open");
}

u64 run(void) {
  u64 random = 2862933555777941757ul;
  u64 checksum = 0;
  while (length < TEXT_BYTES - 100 * DEEPEST) {
    put_value(&random, 0);
    put(',');
  }
  for (int round = 0; round < RUNS; round++) {
    tally found = {0};
    read_text(&found);
    checksum = mix(checksum, found.strings + ((u64)found.escapes << 32));
    checksum = mix(checksum, found.numbers + ((u64)found.words << 32));
    checksum = mix(checksum, found.objects + ((u64)found.arrays << 32));
    checksum = mix(checksum, found.deepest + (u64)found.sum);
  }
  return checksum;
}
