/*
 * Lists what directories hold, in the order of the names, a line each; the working directory if
 * none is named. Anything else is listed as its path. Names that begin with a dot are shown with
 * -a only. With -l a line has the type, the inode, its number of names and its size before the name.
 */
#include "tools.h"

static const char usage[] = "ls [-la] [PATH...]";

#define LONG 1U
#define ALL 2U

static unsigned options;

/* The names of the directory in hand, on the heap, which grows by a page of them at a time. */
static struct entry *entries;
static long count, room;

static int complain(const char *path, const char *why) {
  fprintf(2, "ls: %s: %s\n", path, why);
  return 1;
}

static void check(int written) {
  if (written < 0) exit(output_failed("ls"));
}

static const char *type_name(short type) {
  switch (type) {
    case TYPE_DIRECTORY:
      return "dir";
    case TYPE_FILE:
      return "file";
    case TYPE_DEVICE:
      return "dev";
    default:
      return "?";
  }
}

static void print_entry(const char *name, const struct stat *status) {
  if (options & LONG) {
    check(printf("%-4s %5u %3d %7lu %s\n", type_name(status->type), status->inode, status->links, status->size,
                 name));
  } else {
    check(printf("%s\n", name));
  }
}

/* Room for one more name; 0 when there is no memory for it. */
static int grow(void) {
  if (count < room) return 1;
  char *page = sbrk(PAGE_SIZE);
  if (page == SBRK_FAILED) return 0;
  if (entries == 0) entries = (struct entry *)page;
  room += PAGE_SIZE / (long)sizeof entries[0];
  return 1;
}

static int read_names(int fd, const char *path) {
  static char bytes[512];
  struct reader directory = {.fd = fd, .bytes = bytes, .size = sizeof bytes};
  int result;
  count = 0;
  for (;;) {
    if (!grow()) return complain(path, "no memory for so many names");
    result = read_entry(&directory, &entries[count]);
    if (result != 1) break;
    if ((options & ALL) != 0 || entries[count].name[0] != '.') count++;
  }
  return result == READ_FAILED ? complain(path, "it cannot be read") : 0;
}

/* Shell sort: short, and quick enough for the largest directory. */
static void sort_names(void) {
  for (long gap = count / 2; gap > 0; gap /= 2) {
    for (long i = gap; i < count; i++) {
      struct entry moved = entries[i];
      long to = i;
      for (; to >= gap && strcmp(entries[to - gap].name, moved.name) > 0; to -= gap) entries[to] = entries[to - gap];
      entries[to] = moved;
    }
  }
}

/* The status of an entry, which is found by the path of its directory and its name. */
static int stat_entry(const char *directory, const char *name, struct stat *status) {
  static char path[PATH_MOST + 1 + NAME_SIZE + 1];
  size_t length = strlen(directory);
  memcpy(path, directory, length);
  path[length] = '/';
  strcpy(path + length + 1, name);
  return stat(path, status) == 0 ? 0 : complain(path, why_not_opened(path));
}

static int list_directory(int fd, const char *path) {
  struct stat status;
  int result = read_names(fd, path);
  sort_names();
  for (long i = 0; i < count; i++) {
    if ((options & LONG) != 0 && stat_entry(path, entries[i].name, &status) != 0) result = 1;
    else print_entry(entries[i].name, &status);
  }
  return result;
}

/* `titled` says whether a directory's path goes before what is in it. */
static int list(const char *path, int titled) {
  struct stat status;
  int fd = open(path, O_RDONLY);
  if (fd < 0) return complain(path, why_not_opened(path));
  int result = 0;
  if (fstat(fd, &status) != 0) {
    result = complain(path, "it has no status");
  } else if (status.type == TYPE_DIRECTORY) {
    if (titled) check(printf("%s:\n", path));
    result = list_directory(fd, path);
  } else {
    print_entry(path, &status);
  }
  close(fd);
  return result;
}

int main(int argc, char *argv[]) {
  options = take_options(&argc, &argv, "la", usage);
  if (argc == 0) return list(".", 0);
  int result = 0;
  for (int i = 0; i < argc; i++) result |= list(argv[i], argc > 1);
  return result;
}
