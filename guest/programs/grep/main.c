/*
 * Prints the lines of files that a pattern (pattern.h) is in. `-`, or no file at all, is
 * descriptor 0; where there are several, a line begins with its file's name.
 *
 *   -v  the lines that the pattern is not in     -n  with the number of each line
 *   -i  upper and lower case are the same        -c  only how many lines there are
 *   -q  nothing: the status says whether there is any
 *
 * Ends with 0 where there was such a line, 1 where there was none, 2 when something went wrong.
 */
#include "pattern.h"
#include "tools.h"

static const char usage[] = "grep [-vinqc] PATTERN [FILE...]";

#define OTHERS 1U
#define ANY_CASE 2U
#define NUMBERS 4U
#define QUIET 8U
#define COUNT 16U

#define LINE_MOST 4096

static unsigned options;
static int name_lines; /* whether a line begins with its file's name */

/* Of all files so far. */
static int found, failed;

static void complain(const char *what, const char *why) {
  fprintf(2, "grep: %s: %s\n", what, why);
  failed = 1;
}

/* What a write gave: the output goes on unless it failed. */
static void check(long written) {
  if (written < 0) {
    output_failed("grep");
    exit(2);
  }
}

static void print_line(const char *name, long number, char *line, long length) {
  if (name_lines) check(printf("%s:", name));
  if (options & NUMBERS) check(printf("%ld:", number));
  /* The last line may lack its newline, and a line may have zero bytes. */
  if (length == 0 || line[length - 1] != '\n') line[length++] = '\n';
  check(write(1, line, length) == length ? 0 : -1);
}

static void search(int fd, const char *name) {
  static char bytes[4096], line[LINE_MOST + 1];
  struct reader reader = {.fd = fd, .bytes = bytes, .size = sizeof bytes};
  long number = 0, chosen = 0, length;
  while ((length = read_line(&reader, line, sizeof line)) != READ_END) {
    number++;
    if (length == READ_FAILED) {
      complain(name, "it cannot be read");
      break;
    }
    if (length == LINE_TOO_LONG) {
      fprintf(2, "grep: %s: line %ld is longer than %d bytes, and passed over\n", name, number, LINE_MOST - 1);
      failed = 1;
      continue;
    }
    long text = line[length - 1] == '\n' ? length - 1 : length;
    if (matches(line, text) == ((options & OTHERS) != 0)) continue;
    found = 1;
    chosen++;
    if (options & QUIET) return;
    if ((options & COUNT) == 0) print_line(name, number, line, length);
  }
  if ((options & COUNT) == 0) return;
  if (name_lines) check(printf("%s:", name));
  check(printf("%ld\n", chosen));
}

static void search_path(const char *path) {
  struct stat status;
  if (strcmp(path, "-") == 0) {
    search(0, path);
    return;
  }
  int fd = open(path, O_RDONLY);
  if (fd < 0) {
    complain(path, why_not_opened(path));
    return;
  }
  if (fstat(fd, &status) == 0 && status.type == TYPE_DIRECTORY) complain(path, "it is a directory");
  else search(fd, path);
  close(fd);
}

int main(int argc, char *argv[]) {
  options = take_options(&argc, &argv, "vinqc", usage);
  if (argc == 0) end_with_usage(usage);
  const char *problem = set_pattern(argv[0], (options & ANY_CASE) != 0);
  if (problem != 0) {
    complain(argv[0], problem);
    return 2;
  }
  name_lines = argc > 2;
  if (argc == 1) search_path("-");
  for (int i = 1; i < argc; i++) {
    search_path(argv[i]);
    if (found && (options & QUIET) != 0) return 0;
  }
  if (failed) return 2;
  return found ? 0 : 1;
}
