/* What programs are called with: options and numbers. */
#include "tools.h"

void end_with_usage(const char *usage) {
  fprintf(2, "usage: %s\n", usage);
  exit(2);
}

unsigned take_options(int *argc, char ***argv, const char *letters, const char *usage) {
  unsigned taken = 0;
  for (;;) {
    ++*argv;
    if (--*argc <= 0) return taken;
    const char *option = (*argv)[0];
    if (option[0] != '-' || option[1] == 0) return taken;
    if (strcmp(option, "--") == 0) {
      ++*argv;
      --*argc;
      return taken;
    }
    while (*++option != 0) {
      const char *letter = strchr(letters, *option);
      if (letter == 0) {
        fprintf(2, "there is no option -%c; ", *option);
        end_with_usage(usage);
      }
      taken |= 1U << (letter - letters);
    }
  }
}

int parse_number(const char *text, long *number) {
  int negative = *text == '-';
  if (negative) text++;
  if (*text == 0) return 0;
  /* Collected below zero, where a long reaches one further. */
  long value = 0;
  for (; *text != 0; text++) {
    if (*text < '0' || *text > '9') return 0;
    if (__builtin_mul_overflow(value, 10, &value)) return 0;
    if (__builtin_sub_overflow(value, *text - '0', &value)) return 0;
  }
  if (!negative && __builtin_sub_overflow(0, value, &value)) return 0;
  *number = value;
  return 1;
}
