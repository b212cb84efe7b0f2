/* Files and directories by path, and why they could not be had. */
#include "tools.h"

int stat(const char *path, struct stat *status) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return -1;
  int result = fstat(fd, status);
  close(fd);
  return result;
}

int read_entry(struct reader *directory, struct entry *entry) {
  struct dirent place;
  for (;;) {
    long count = read_bytes(directory, &place, sizeof place);
    if (count == READ_FAILED) return READ_FAILED;
    if (count < (long)sizeof place) return READ_END;
    if (place.inode == 0) continue;
    entry->inode = place.inode;
    memcpy(entry->name, place.name, NAME_SIZE);
    entry->name[NAME_SIZE] = 0;
    return 1;
  }
}

int is_dots(const char *name) {
  return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What is wrong with a path whatever it leads to, null if nothing is. */
static const char *why_no_path(const char *path) {
  if (path[0] == 0) return "the path is empty";
  if (strlen(path) > PATH_MOST) return "the path is longer than 127 bytes";
  /* The root is always there: when it cannot be opened, nothing can. */
  int fd = open("/", O_RDONLY);
  if (fd < 0) return "no more files can be opened";
  close(fd);
  return 0;
}

const char *why_not_opened(const char *path) {
  const char *why = why_no_path(path);
  return why != 0 ? why : "no such file or directory";
}

/* Whether the directory that a path's last name is in is there. */
static int has_parent(const char *path) {
  static char parent[PATH_MOST + 1];
  struct stat status;
  strcpy(parent, path);
  long end = (long)strlen(parent);
  while (end > 0 && parent[end - 1] == '/') end--;
  while (end > 0 && parent[end - 1] != '/') end--;
  /* What is left ends with a slash, or is nothing: the working directory. */
  parent[end] = 0;
  return stat(end == 0 ? "." : parent, &status) == 0 && status.type == TYPE_DIRECTORY;
}

static const char *why_no_place(const char *path) {
  const char *why = why_no_path(path);
  if (why != 0) return why;
  return has_parent(path) ? "it cannot be made: no room" : "no such directory to make it in";
}

const char *why_not_written(const char *path) {
  struct stat status;
  if (path[0] == 0 || stat(path, &status) != 0) return why_no_place(path);
  return status.type == TYPE_DIRECTORY ? "it is a directory" : "it cannot be written";
}

const char *why_not_made(const char *path) {
  struct stat status;
  if (path[0] == 0 || stat(path, &status) != 0) return why_no_place(path);
  return "it is there already";
}
