/*
 * Counts the lines (-l), words (-w) and bytes (-c) of files, all three unless options say which,
 * and their totals where there are several. `-`, or no file at all, is descriptor 0.
 */
#include "tools.h"

static const char usage[] = "wc [-lwc] [FILE...]";
enum { LINES, WORDS, BYTES, COUNTS };

static unsigned wanted;

static void print_counts(const long counts[COUNTS], const char *name) {
  int first = 1;
  for (int i = 0; i < COUNTS; i++) {
    if ((wanted & 1U << i) == 0) continue;
    if (printf(first ? "%7ld" : " %7ld", counts[i]) < 0) exit(output_failed("wc"));
    first = 0;
  }
  if (printf(name == 0 ? "\n" : " %s\n", name) < 0) exit(output_failed("wc"));
}

static int is_space(char byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* Adds a file's counts to `totals` and prints them; `name` is null for what has none. */
static int count(int fd, const char *name, long totals[COUNTS]) {
  static char bytes[4096];
  long counts[COUNTS] = {0, 0, 0};
  int in_word = 0;
  long size;
  while ((size = read(fd, bytes, sizeof bytes)) > 0) {
    counts[BYTES] += size;
    for (long i = 0; i < size; i++) {
      if (bytes[i] == '\n') counts[LINES]++;
      int space = is_space(bytes[i]);
      if (!space && !in_word) counts[WORDS]++;
      in_word = !space;
    }
  }
  if (size < 0) {
    fprintf(2, "wc: %s: it cannot be read\n", name == 0 ? "descriptor 0" : name);
    return 1;
  }
  for (int i = 0; i < COUNTS; i++) totals[i] += counts[i];
  print_counts(counts, name);
  return 0;
}

static int count_path(const char *path, long totals[COUNTS]) {
  if (strcmp(path, "-") == 0) return count(0, path, totals);
  struct stat status;
  int fd = open(path, O_RDONLY);
  if (fd < 0) {
    fprintf(2, "wc: %s: %s\n", path, why_not_opened(path));
    return 1;
  }
  int result = 1;
  if (fstat(fd, &status) == 0 && status.type == TYPE_DIRECTORY) {
    fprintf(2, "wc: %s: it is a directory\n", path);
  } else {
    result = count(fd, path, totals);
  }
  close(fd);
  return result;
}

int main(int argc, char *argv[]) {
  long totals[COUNTS] = {0, 0, 0};
  wanted = take_options(&argc, &argv, "lwc", usage);
  if (wanted == 0) wanted = 1U << LINES | 1U << WORDS | 1U << BYTES;
  if (argc == 0) return count(0, 0, totals);
  int result = 0;
  for (int i = 0; i < argc; i++) result |= count_path(argv[i], totals);
  if (argc > 1) print_counts(totals, "total");
  return result;
}
