/* The shell's own commands: what changes the shell itself no other program could do for it. */
#include "sh.h"

static int complain(const char *what, const char *why) {
  fprintf(2, "sh: %s: %s\n", what, why);
  return WRONG_USAGE;
}

static int change_directory(void) {
  struct stat status;
  if (argument_count > 2) return complain("cd", "one directory at most");
  const char *path = argument_count == 2 ? arguments[1] : "/";
  if (chdir(path) == 0) return 0;
  int there = stat(path, &status) == 0;
  fprintf(2, "sh: cd: %s: %s\n", path, there ? "it is no directory" : why_not_opened(path));
  return 1;
}

static int leave(void) {
  long status = last_status;
  if (argument_count > 2 || (argument_count == 2 && !parse_number(arguments[1], &status)) ||
      status != (int)status) {
    status = complain("exit", "one number at most, which an int can hold");
  }
  exit(status == KILLED ? 255 : (int)status);
}

static int wait_for_jobs(void) {
  if (argument_count > 1) return complain("wait", "it takes no arguments: it waits for all");
  return wait_for_background();
}

static const struct {
  const char *name;
  int (*run)(void);
} builtins[] = {
    {"cd", change_directory},
    {"exit", leave},
    {"wait", wait_for_jobs},
};

#define BUILTINS ((int)(sizeof builtins / sizeof builtins[0]))

static int find_builtin(void) {
  for (int i = 0; i < BUILTINS; i++) {
    if (strcmp(arguments[0], builtins[i].name) == 0) return i;
  }
  return -1;
}

int is_builtin(void) {
  return find_builtin() >= 0;
}

int run_builtin(void) {
  return builtins[find_builtin()].run();
}
