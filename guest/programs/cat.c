/* Prints files one after another; `-`, or no file at all, is descriptor 0. */
#include "tools.h"

static char bytes[4096];

static int complain(const char *name, const char *why) {
  fprintf(2, "cat: %s: %s\n", name, why);
  return 1;
}

static int print(int fd, const char *name) {
  struct stat status;
  if (fstat(fd, &status) == 0 && status.type == TYPE_DIRECTORY) return complain(name, "it is a directory");
  for (;;) {
    long count = read(fd, bytes, sizeof bytes);
    if (count == 0) return 0;
    if (count < 0) return complain(name, "it cannot be read");
    if (write(1, bytes, count) != count) exit(output_failed("cat"));
  }
}

static int print_path(const char *path) {
  if (strcmp(path, "-") == 0) return print(0, "descriptor 0");
  int fd = open(path, O_RDONLY);
  if (fd < 0) return complain(path, why_not_opened(path));
  int result = print(fd, path);
  close(fd);
  return result;
}

int main(int argc, char *argv[]) {
  take_options(&argc, &argv, "", "cat [FILE...]");
  if (argc == 0) return print_path("-");
  int result = 0;
  for (int i = 0; i < argc; i++) result |= print_path(argv[i]);
  return result;
}
