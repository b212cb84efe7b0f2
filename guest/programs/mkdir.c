/* Makes directories; with -p also those that a path goes through, and none is there already. */
#include "tools.h"

static const char usage[] = "mkdir [-p] DIRECTORY...";

static int is_directory(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && status.type == TYPE_DIRECTORY;
}

static int complain(const char *path) {
  fprintf(2, "mkdir: %s: %s\n", path, why_not_made(path));
  return 1;
}

static int make(const char *path) {
  return mkdir(path) < 0 ? complain(path) : 0;
}

/* Makes what is missing of a path, from its start on. */
static int make_all(const char *path) {
  static char part[PATH_MOST + 1];
  if (path[0] == 0 || strlen(path) > PATH_MOST) return complain(path);
  for (size_t length = 1; length <= strlen(path); length++) {
    if (path[length] != '/' && path[length] != 0) continue;
    memcpy(part, path, length);
    part[length] = 0;
    if (!is_directory(part) && make(part) != 0) return 1;
  }
  return 0;
}

int main(int argc, char *argv[]) {
  unsigned with_parents = take_options(&argc, &argv, "p", usage);
  if (argc == 0) end_with_usage(usage);
  int result = 0;
  for (int i = 0; i < argc; i++) result |= with_parents ? make_all(argv[i]) : make(argv[i]);
  return result;
}
