/* Redirections: descriptors 0, 1 and 2 made to be files, or copies of each other. */
#include "sh.h"

int move_descriptor(int from, int to) {
  close(to);
  int made = dup(from); /* the lowest that is free */
  close(from);
  return made == to ? 0 : -1;
}

/*
 * No kernel that this runs on opens files for appending: what is there is read, and the file is
 * written from there on. Two that append at the same time write over each other.
 */
static int open_at_end(const char *path) {
  static char bytes[1024];
  struct stat status;
  int fd = open(path, O_RDWR | O_CREATE);
  if (fd < 0 || fstat(fd, &status) < 0 || status.type != TYPE_FILE) return fd;
  while (read(fd, bytes, sizeof bytes) > 0) continue;
  return fd;
}

/* Opens what a redirection names; -1 when that failed, which is said then. */
static int open_target(const struct redirection *redirection) {
  static char path[PATH_MOST + 1];
  int fd = -1;
  if (redirection->kind == COPY) {
    fd = dup(redirection->from);
    if (fd < 0) fprintf(2, "sh: descriptor %d cannot be copied\n", redirection->from);
    return fd;
  }
  if (expand(&redirection->path, path, path + sizeof path) == 0) {
    fprintf(2, "sh: the name of a file is longer than %d bytes\n", PATH_MOST);
    return -1;
  }
  if (redirection->kind == FROM_FILE) fd = open(path, O_RDONLY);
  else if (redirection->kind == TO_FILE) fd = open(path, O_WRONLY | O_CREATE | O_TRUNC);
  else fd = open_at_end(path);
  if (fd < 0) {
    fprintf(2, "sh: %s: %s\n", path,
            redirection->kind == FROM_FILE ? why_not_opened(path) : why_not_written(path));
  }
  return fd;
}

int redirect(const struct redirection *redirection) {
  for (; redirection != 0; redirection = redirection->next) {
    int fd = open_target(redirection);
    if (fd < 0) return -1;
    if (move_descriptor(fd, redirection->fd) < 0) {
      fprintf(2, "sh: descriptor %d cannot be redirected\n", redirection->fd);
      return -1;
    }
  }
  return 0;
}

int redirect_for_now(const struct redirection *redirection, int saved[3]) {
  for (int fd = 0; fd < 3; fd++) saved[fd] = -1;
  for (const struct redirection *each = redirection; each != 0; each = each->next) {
    if (saved[each->fd] >= 0) continue;
    saved[each->fd] = dup(each->fd);
    if (saved[each->fd] < 0) {
      fprintf(2, "sh: descriptor %d cannot be kept\n", each->fd);
      return -1;
    }
  }
  return redirect(redirection);
}

void put_back(int saved[3]) {
  for (int fd = 0; fd < 3; fd++) {
    if (saved[fd] >= 0) move_descriptor(saved[fd], fd);
  }
}
