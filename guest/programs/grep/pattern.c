/*
 * Matching without going back: for each place in the line, the set of items that could come next,
 * as the bits of a long. Bit i stands for item i, bit `count` for the end of the pattern. The time
 * is the line's length times the pattern's, whatever the pattern, and there is no recursion, for
 * which the stack has no room.
 */
#include "pattern.h"
#include "holstein.h"

#define BITS 64

struct item {
  unsigned long bytes[256 / BITS]; /* a bit for each byte that it stands for */
  int repeated;                    /* by a star */
};

static struct item items[ITEMS_MOST];
static int count;
static int at_start, at_end; /* where the pattern is held to */

static int has(const struct item *item, unsigned char byte) {
  return item->bytes[byte / BITS] >> byte % BITS & 1;
}

static void add(struct item *item, unsigned char byte) {
  item->bytes[byte / BITS] |= 1UL << byte % BITS;
}

/* ---- Reading a pattern ---- */

static void add_other_case(struct item *item) {
  for (unsigned char lower = 'a'; lower <= 'z'; lower++) {
    unsigned char upper = (unsigned char)(lower - 'a' + 'A');
    if (has(item, lower)) add(item, upper);
    else if (has(item, upper)) add(item, lower);
  }
}

/* Reads what follows `[`; gives where it ends, null if it does not. */
static const char *read_brackets(const char *at, struct item *item) {
  struct item named = {.repeated = 0};
  int others = *at == '^';
  if (others) at++;
  const char *first = at;
  while (*at != ']' || at == first) {
    if (*at == 0) return 0;
    unsigned from = (unsigned char)*at++, to = from;
    if (at[0] == '-' && at[1] != ']' && at[1] != 0) {
      to = (unsigned char)at[1];
      at += 2;
    }
    for (; from <= to; from++) add(&named, (unsigned char)from);
  }
  for (int i = 0; i < 256 / BITS; i++) item->bytes[i] = others ? ~named.bytes[i] : named.bytes[i];
  return at + 1;
}

const char *set_pattern(const char *at, int any_case) {
  count = 0;
  at_end = 0;
  at_start = *at == '^';
  if (at_start) at++;
  while (*at != 0) {
    if (at[0] == '$' && at[1] == 0) {
      at_end = 1;
      break;
    }
    if (count == ITEMS_MOST) return "it has more than 63 items";
    struct item *item = &items[count];
    memset(item, 0, sizeof *item);
    if (*at == '[') {
      at = read_brackets(at + 1, item);
      if (at == 0) return "its [ is not closed";
    } else if (*at == '.') {
      memset(item->bytes, 0xff, sizeof item->bytes);
      at++;
    } else {
      if (*at == '\\' && *++at == 0) return "nothing follows its last backslash";
      add(item, (unsigned char)*at++);
    }
    if (any_case) add_other_case(item);
    item->repeated = *at == '*';
    /* Of several stars the second says nothing that the first has not said. */
    while (*at == '*') at++;
    count++;
  }
  return 0;
}

/* ---- Matching ---- */

/* Adds the items that may come next because those before them may be there no times. */
static unsigned long with_skips(unsigned long next) {
  for (int i = 0; i < count; i++) {
    if ((next >> i & 1) != 0 && items[i].repeated) next |= 1UL << (i + 1);
  }
  return next;
}

/* What may come next when `byte` has come. */
static unsigned long after(unsigned long next, unsigned char byte) {
  unsigned long result = 0;
  for (int i = 0; i < count; i++) {
    if ((next >> i & 1) == 0 || !has(&items[i], byte)) continue;
    result |= 1UL << (items[i].repeated ? i : i + 1);
  }
  return result;
}

int matches(const char *line, long length) {
  const unsigned long end = 1UL << count;
  unsigned long next = 0;
  for (long i = 0;; i++) {
    if (i == 0 || !at_start) next |= 1;
    next = with_skips(next);
    if ((next & end) != 0 && (!at_end || i == length)) return 1;
    if (i == length) return 0;
    next = after(next, (unsigned char)line[i]);
  }
}
