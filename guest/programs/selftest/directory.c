/* Directories: made, read as files, entered, removed, also while they are somebody's place. */
#include "selftest.h"

/* What `path` has at a place, which must be there. */
static struct dirent entry_at(const char *path, int place) {
  struct dirent entry;
  int fd = open_file(path, O_RDONLY);
  for (int i = 0; i <= place; i++) expect("read of an entry", sizeof entry, read(fd, &entry, sizeof entry));
  close(fd);
  return entry;
}

static void expect_entry(const char *path, int place, const char *name, unsigned inode) {
  static char shown[NAME_SIZE + 1];
  struct dirent entry = entry_at(path, place);
  memcpy(shown, entry.name, NAME_SIZE);
  if (entry.inode != inode) fail("entry %d of %s: inode (expected %u, got %d)", place, path, inode, entry.inode);
  if (inode != 0 && strcmp(shown, name) != 0) fail("entry %d of %s (expected %s, got %s)", place, path, name, shown);
}

void directory_make(void) {
  make_directory("d");
  struct stat status = status_of("d");
  expect("type", TYPE_DIRECTORY, status.type);
  expect("size", 2 * sizeof(struct dirent), (long)status.size);
  expect_entry("d", 0, ".", status.inode);
  expect_entry("d", 1, "..", status_of(".").inode);
  int fd = open_file("d", O_RDONLY);
  expect("read of all", 2 * sizeof(struct dirent), read(fd, page, sizeof page));
  expect("read at the end", 0, read(fd, page, sizeof page));
  expect("write to a directory", -1, write(fd, page, 16));
  close(fd);
  make_directory("d//e/");
  expect_same("d/e/..", "d");
  remove_file("d/e");
  remove_file("d");
  expect_missing("d");
}

/* A name, and the `..` of each directory in it. */
void directory_links(void) {
  int before = status_of(".").links;
  make_directory("d");
  expect_links("d", 1);
  expect_links(".", before + 1);
  make_directory("d/e");
  make_file("d/f", 1, 1);
  expect_links("d", 2);
  remove_file("d/e");
  expect_links("d", 1);
  remove_file("d/f");
  remove_file("d");
  expect_links(".", before);
}

void directory_refused(void) {
  make_directory("d");
  make_file("f", 2, 10);
  expect("mkdir of a directory", -1, mkdir("d"));
  expect("mkdir of a file", -1, mkdir("f"));
  expect("mkdir of .", -1, mkdir("."));
  expect("mkdir of ..", -1, mkdir("d/.."));
  expect("mkdir of the root", -1, mkdir("/"));
  expect("mkdir of an empty path", -1, mkdir(""));
  expect("mkdir in a missing directory", -1, mkdir("none/e"));
  expect("mkdir below a file", -1, mkdir("f/e"));
  expect("open of a directory to write", -1, open("d", O_WRONLY));
  expect("open of a directory to read and write", -1, open("d", O_RDWR));
  expect("open of a directory to truncate", -1, open("d", O_RDONLY | O_TRUNC));
  expect("open of a directory to create", -1, open("d", O_RDONLY | O_CREATE));
  check_file("f", 2, 10);
  remove_file("f");
  remove_file("d");
}

void directory_dots(void) {
  make_directory("d");
  make_directory("d/e");
  expect_same("d/..", ".");
  expect_same("d/.", "d");
  expect_same("d/e/../..", ".");
  expect_same("./d/./e/../e/.", "d/e");
  expect_same("/..", "/");
  expect_same("/../../..", "/");
  expect_same("/.", "/");
  expect_same("//", "/");
  remove_file("d/e");
  remove_file("d");
}

void directory_unlink(void) {
  make_directory("d");
  make_directory("d/e");
  expect("unlink of .", -1, unlink("."));
  expect("unlink of ..", -1, unlink(".."));
  expect("unlink of d/.", -1, unlink("d/."));
  expect("unlink of d/..", -1, unlink("d/.."));
  expect("unlink of d/e/..", -1, unlink("d/e/.."));
  expect("unlink of a directory with a directory", -1, unlink("d"));
  remove_file("d/e");
  make_file("d/f", 3, 1);
  expect("unlink of a directory with a file", -1, unlink("d"));
  remove_file("d/f");
  remove_file("d");
  expect("unlink of a removed directory", -1, unlink("d"));
  expect("mkdir in a removed directory", -1, mkdir("d/e"));
  expect("open in a removed directory", -1, open("d/f", O_CREATE | O_RDWR));
  make_directory("d");
  expect_missing("d/e");
  remove_file("d");
}

/* What is unlinked leaves a hole, which the next name takes; a directory never shrinks. */
void directory_holes(void) {
  make_directory("d");
  enter("d");
  for (int i = 0; i < 5; i++) make_file(numbered('f', i), i, 1);
  for (int i = 0; i < 5; i++) expect_entry(".", 2 + i, numbered('f', i), status_of(numbered('f', i)).inode);
  remove_file("f001");
  remove_file("f003");
  expect("size with holes", 7 * sizeof(struct dirent), (long)status_of(".").size);
  expect_entry(".", 3, "", 0);
  expect_entry(".", 5, "", 0);
  expect_entry(".", 6, "f004", status_of("f004").inode);
  make_file("g", 6, 1);
  expect("link", 0, link("g", "h"));
  expect_entry(".", 3, "g", status_of("g").inode);
  expect_entry(".", 5, "h", status_of("g").inode);
  expect("size without holes", 7 * sizeof(struct dirent), (long)status_of(".").size);
  make_directory("i");
  expect("size with one more", 8 * sizeof(struct dirent), (long)status_of(".").size);
  static const char *const names[] = {"f000", "f002", "f004", "g", "h", "i"};
  for (int i = 0; i < 6; i++) remove_file(names[i]);
  expect("size of an empty directory", 8 * sizeof(struct dirent), (long)status_of(".").size);
  enter("..");
  remove_file("d");
}

/* Read in pieces that are no multiple of an entry. */
void directory_read_pieces(void) {
  static char whole[8 * sizeof(struct dirent)], pieces[8 * sizeof(struct dirent)];
  make_directory("d");
  for (int i = 0; i < 6; i++) {
    enter("d");
    make_file(numbered('f', i), i, 0);
    enter("..");
  }
  int fd = open_file("d", O_RDONLY);
  expect("read of all", sizeof whole, read(fd, whole, sizeof whole));
  close(fd);
  fd = open_file("d", O_RDONLY);
  for (long at = 0; at < (long)sizeof pieces;) {
    long piece = sizeof pieces - at < 7 ? sizeof pieces - at : 7;
    expect("read of a piece", piece, read(fd, pieces + at, piece));
    at += piece;
  }
  expect("read at the end", 0, read(fd, page, 1));
  close(fd);
  expect("bytes in pieces", 0, memcmp(whole, pieces, sizeof whole));
  enter("d");
  for (int i = 0; i < 6; i++) remove_file(numbered('f', i));
  enter("..");
  remove_file("d");
}

#define DEPTH 51

void directory_deep(void) {
  static char path[3 * DEPTH];
  for (int i = 0; i < DEPTH; i++) {
    make_directory("d");
    enter("d");
  }
  make_file("f", 4, 10);
  for (int i = 0; i < DEPTH; i++) enter("..");
  expect_missing("f");
  for (int i = 0; i < DEPTH; i++) memcpy(path + 2 * i, "d/", 2);
  memcpy(path + 2 * DEPTH, "f", 2);
  check_file(path, 4, 10);
  remove_file(path);
  for (int depth = DEPTH; depth > 0; depth--) {
    path[2 * depth - 1] = 0;
    remove_file(path);
  }
  expect_missing("d");
}

/* A directory that was removed while it is somebody's working directory. */
void directory_removed(void) {
  make_directory("d");
  int before = open_file("d", O_RDONLY);
  int pid = fork_child();
  if (pid == 0) {
    enter("d");
    remove_file("../d");
    expect_missing("../d");
    expect_missing("f");
    expect("unlink in a removed directory", -1, unlink("f"));
    expect("unlink of ., removed", -1, unlink("."));
    expect("chdir to a missing one from there", -1, chdir("f"));
    make_file(WORK "/f", 5, 10);
    enter("..");
    check_file("f", 5, 10);
    remove_file("f");
    exit(7);
  }
  reap("child in a removed directory", pid, 7);
  if (read(before, page, sizeof page) < 0) fail("read of a removed directory (expected 0 or more, got -1)");
  close(before);
  /* Ended in there, without having left it. */
  make_directory("d");
  pid = fork_child();
  if (pid == 0) {
    enter("d");
    remove_file("../d");
    exit(8);
  }
  reap("child that ends in a removed directory", pid, 8);
  make_directory("d");
  remove_file("d");
}

/* Nothing can be made there: nobody could ever reach it to remove it. */
void directory_removed_create(void) {
  make_directory("d");
  make_file("f", 6, 10);
  int pid = fork_child();
  if (pid == 0) {
    enter("d");
    remove_file("../d");
    expect("file in a removed directory", -1, open("g", O_CREATE | O_RDWR));
    expect("directory in a removed directory", -1, mkdir("g"));
    expect("device in a removed directory", -1, mknod("g", 1, 0));
    expect("link in a removed directory", -1, link(WORK "/f", "g"));
    exit(7);
  }
  reap("child in a removed directory", pid, 7);
  expect_links("f", 1);
  remove_file("f");
}

/* And with its parent, which `..` led to. */
void directory_removed_parent(void) {
  make_directory("d");
  make_directory("d/e");
  int pid = fork_child();
  if (pid == 0) {
    enter("d/e");
    remove_file(WORK "/d/e");
    remove_file(WORK "/d");
    make_directory(WORK "/g");
    make_file(WORK "/f", 7, 10);
    expect("file in a removed parent", -1, open("../f", O_CREATE | O_RDWR));
    expect("directory in a removed parent", -1, mkdir("../e"));
    expect("unlink in a removed parent", -1, unlink("../f"));
    /* Whether these lead anywhere is left open; they must not lead to what came later. */
    expect("a later directory by ..", -1, chdir("../g"));
    expect("a later file by ..", -1, open("../f", O_RDONLY));
    open("..", O_RDONLY);
    chdir("..");
    check_file(WORK "/f", 7, 10);
    exit(7);
  }
  reap("child in a directory removed with its parent", pid, 7);
  remove_file("f");
  remove_file("g");
}
