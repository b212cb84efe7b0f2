/*
 * Removes names of files and empty directories; with -r directories and all that is in them. With
 * -f a name that is not there is no error.
 */
#include "tools.h"

static const char usage[] = "rm [-rf] NAME...";

#define RECURSIVE 1U
#define FORCE 2U

static int complain(const char *path, const char *why) {
  fprintf(2, "rm: %s: %s\n", path, why);
  return 1;
}

/* Whether the last name of a path is `.` or `..`, or it has none, as the root. */
static int ends_with_dots(const char *path) {
  const char *last = path + strlen(path);
  while (last > path && last[-1] == '/') last--;
  if (last == path) return *path == '/';
  const char *end = last;
  while (last > path && last[-1] != '/') last--;
  return *last == '.' && (end - last == 1 || (end - last == 2 && last[1] == '.'));
}

/*
 * Removes names from the working directory until one stays, which is copied to `left`. Gives how
 * many it removed, -1 if the directory cannot be read.
 */
static int remove_names(char left[NAME_SIZE + 1]) {
  static char bytes[512];
  struct entry entry;
  struct reader directory = {.fd = open(".", O_RDONLY), .bytes = bytes, .size = sizeof bytes};
  int removed = 0, result;
  if (directory.fd < 0) return -1;
  left[0] = 0;
  while ((result = read_entry(&directory, &entry)) == 1) {
    if (is_dots(entry.name)) continue;
    if (unlink(entry.name) != 0) {
      strcpy(left, entry.name);
      break;
    }
    removed++;
  }
  close(directory.fd);
  return result == READ_FAILED ? -1 : removed;
}

/*
 * Empties a directory of any depth: goes down into what is not empty and up again when nothing is
 * left, so that it needs neither a stack nor a path that grows.
 */
static int empty(const char *path) {
  char left[NAME_SIZE + 1];
  int depth = 0, came_up = 0;
  if (chdir(path) < 0) return complain(path, "it cannot be entered");
  for (;;) {
    int removed = remove_names(left);
    if (removed < 0) return complain(path, "a directory in it cannot be read");
    if (left[0] == 0 && depth == 0) return 0;
    if (left[0] == 0) {
      if (chdir("..") < 0) return complain(path, "a directory in it cannot be left");
      depth--;
      came_up = 1;
      continue;
    }
    /* What has just been emptied is the first to go: if it stays, so will it the next time. */
    if ((came_up && removed == 0) || chdir(left) < 0) return complain(left, "it cannot be removed");
    depth++;
    came_up = 0;
  }
}

/* In a process of its own, because it changes the working directory. */
static int empty_apart(const char *path) {
  int status = 1;
  int pid = fork();
  if (pid < 0) return complain(path, "cannot fork");
  if (pid == 0) exit(empty(path));
  wait(&status);
  return status;
}

static int remove_path(const char *path, unsigned options) {
  struct stat status;
  if (path[0] == 0) return complain(path, why_not_opened(path));
  if (ends_with_dots(path)) return complain(path, "the root, `.` and `..` stay");
  if (unlink(path) == 0) return 0;
  if (stat(path, &status) != 0) return options & FORCE ? 0 : complain(path, why_not_opened(path));
  if (status.type != TYPE_DIRECTORY) return complain(path, "it cannot be removed");
  if ((options & RECURSIVE) == 0) return complain(path, "the directory is not empty");
  if (empty_apart(path) != 0) return 1;
  return unlink(path) == 0 ? 0 : complain(path, "it cannot be removed");
}

int main(int argc, char *argv[]) {
  unsigned options = take_options(&argc, &argv, "rf", usage);
  if (argc == 0 && (options & FORCE) == 0) end_with_usage(usage);
  int result = 0;
  for (int i = 0; i < argc; i++) result |= remove_path(argv[i], options);
  return result;
}
