/* Prints its arguments with a space between them, and a newline unless the first is -n. */
#include "tools.h"

/* Arguments are at most a page, so what is printed is too. */
static char line[PAGE_SIZE];

int main(int argc, char *argv[]) {
  int first = argc > 1 && strcmp(argv[1], "-n") == 0 ? 2 : 1;
  long length = 0;
  for (int i = first; i < argc; i++) {
    long size = (long)strlen(argv[i]);
    if (i > first) line[length++] = ' ';
    memcpy(line + length, argv[i], (size_t)size);
    length += size;
  }
  if (first == 1) line[length++] = '\n';
  /* One write, so that the lines of processes that run at once do not mix. */
  if (length > 0 && write(1, line, length) != length) return output_failed("echo");
  return 0;
}
