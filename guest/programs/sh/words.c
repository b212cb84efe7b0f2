/* What words stand for: without their quotes, and with values for $? and $!. */
#include "sh.h"

/* Where the next byte goes, and where there is no room any more. */
struct place {
  char *to;
  const char *end;
};

static void put(struct place *place, char byte) {
  if (place->to < place->end) *place->to = byte;
  place->to++;
}

static void put_number(struct place *place, long number) {
  char digits[20];
  int count = 0;
  if (number < 0) put(place, '-');
  if (number < 0) number = -number;
  do digits[count++] = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  while (count > 0) put(place, digits[--count]);
}

/* Puts what `$` and the byte after it stand for; gives how many bytes of the word these are. */
static int put_dollar(struct place *place, char next) {
  if (next == '?') {
    put_number(place, last_status);
  } else if (next == '!') {
    if (last_background != 0) put_number(place, last_background);
  } else {
    put(place, '$');
    return 1;
  }
  return 2;
}

/* Puts what a backslash and the byte after it stand for. */
static void put_escaped(struct place *place, char next, char quote) {
  if (next == '\n') return;
  if (quote == '"' && strchr("$\"\\", next) == 0) put(place, '\\');
  put(place, next);
}

char *expand(const struct word *word, char *to, const char *end) {
  struct place place = {to, end};
  char quote = 0;
  const char *at = word->text, *const word_end = at + word->length;
  while (at < word_end) {
    if (*at == quote) {
      quote = 0;
      at++;
    } else if (quote == 0 && (*at == '\'' || *at == '"')) {
      quote = *at++;
    } else if (quote != '\'' && *at == '\\') {
      put_escaped(&place, at[1], quote);
      at += 2;
    } else if (quote != '\'' && *at == '$') {
      at += put_dollar(&place, at + 1 < word_end ? at[1] : 0);
    } else {
      put(&place, *at++);
    }
  }
  put(&place, 0);
  return place.to <= end ? place.to : 0;
}

char *arguments[WORDS_MOST + 1];
int argument_count;

int expand_arguments(const struct command *command) {
  static char bytes[ARGUMENT_BYTES];
  char *to = bytes;
  argument_count = 0;
  for (const struct word *word = command->words; word != 0; word = word->next) {
    arguments[argument_count++] = to;
    to = expand(word, to, bytes + sizeof bytes);
    if (to == 0) {
      fprintf(2, "sh: the words of a command are longer than %d bytes\n", ARGUMENT_BYTES);
      return -1;
    }
  }
  arguments[argument_count] = 0;
  return 0;
}
