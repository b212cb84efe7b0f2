/* Gives a file a second name: both are the file, until the last one is removed. */
#include "tools.h"

static const char usage[] = "ln FILE NEW-NAME";

int main(int argc, char *argv[]) {
  struct stat status;
  take_options(&argc, &argv, "", usage);
  if (argc != 2) end_with_usage(usage);
  if (link(argv[0], argv[1]) == 0) return 0;

  if (stat(argv[0], &status) != 0) {
    fprintf(2, "ln: %s: %s\n", argv[0], why_not_opened(argv[0]));
  } else if (status.type == TYPE_DIRECTORY) {
    fprintf(2, "ln: %s: it is a directory, which has one name only\n", argv[0]);
  } else {
    fprintf(2, "ln: %s: %s\n", argv[1], why_not_made(argv[1]));
  }
  return 1;
}
