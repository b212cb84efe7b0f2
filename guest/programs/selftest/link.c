/* Links: several names for one file, and files that have none left but are open. */
#include "selftest.h"

void link_two_names(void) {
  make_file("a", 1, 100);
  expect("link", 0, link("a", "b"));
  expect_same("a", "b");
  expect_links("a", 2);
  int fd = open_file("b", O_WRONLY | O_TRUNC);
  write_content(fd, 2, 0, 60);
  close(fd);
  check_file("a", 2, 60);
  remove_file("a");
  expect_missing("a");
  expect_links("b", 1);
  check_file("b", 2, 60);
  /* The name is free again, for another file. */
  make_file("a", 3, 10);
  if (status_of("a").inode == status_of("b").inode) fail("two files have the inode %u", status_of("a").inode);
  check_file("b", 2, 60);
  remove_file("a");
  remove_file("b");
}

void link_elsewhere(void) {
  make_directory("d");
  make_file("a", 4, 10);
  expect("link into a directory", 0, link("a", "d/b"));
  expect("link of a link", 0, link("d/b", "d/c"));
  expect_links("d/c", 3);
  expect("unlink of a directory with links", -1, unlink("d"));
  remove_file("a");
  remove_file("d/b");
  check_file("d/c", 4, 10);
  expect_links("d/c", 1);
  remove_file("d/c");
  remove_file("d");
}

void link_refused(void) {
  make_directory("d");
  make_file("a", 5, 10);
  make_file("b", 6, 10);
  expect("link of a missing file", -1, link("none", "c"));
  expect("link of an empty path", -1, link("", "c"));
  expect("link to an existing file", -1, link("a", "b"));
  expect("link to itself", -1, link("a", "a"));
  expect("link to an existing directory", -1, link("a", "d"));
  expect("link to .", -1, link("a", "."));
  expect("link to ..", -1, link("a", "d/.."));
  expect("link to the root", -1, link("a", "/"));
  expect("link to an empty path", -1, link("a", ""));
  expect("link into a missing directory", -1, link("a", "none/c"));
  expect("link below a file", -1, link("a", "b/c"));
  expect("link of a directory", -1, link("d", "c"));
  expect("link of .", -1, link(".", "c"));
  expect("link of the root", -1, link("/", "c"));
  expect_links("a", 1);
  expect_links("b", 1);
  expect_missing("c");
  check_file("a", 5, 10);
  check_file("b", 6, 10);
  remove_file("a");
  remove_file("b");
  remove_file("d");
}

void unlink_refused(void) {
  make_file("f", 7, 10);
  expect("unlink of a missing file", -1, unlink("none"));
  expect("unlink of an empty path", -1, unlink(""));
  expect("unlink in a missing directory", -1, unlink("none/f"));
  expect("unlink below a file", -1, unlink("f/g"));
  expect("unlink of the root", -1, unlink("/"));
  expect("unlink of the root's parent", -1, unlink("/.."));
  check_file("f", 7, 10);
  expect("unlink", 0, unlink("f"));
  expect("unlink again", -1, unlink("f"));
}

/* A file without a name lives as long as it is open. */
void unlinked_open(void) {
  struct stat status;
  make_file("f", 8, 2000);
  int fd = open_file("f", O_RDWR);
  unsigned inode = status_of("f").inode;
  remove_file("f");
  expect_missing("f");
  expect("fstat of a file without a name", 0, fstat(fd, &status));
  expect("its links", 0, status.links);
  expect("its inode", inode, status.inode);
  expect("its size", 2000, (long)status.size);
  make_file("f", 9, 50);
  if (status_of("f").inode == inode) fail("inode %u of an open file given again", inode);
  read_content("file without a name", fd, 8, 0, 2000);
  write_content(fd, 8, 2000, 3000);
  expect_size("file without a name", fd, 5000);
  check_file("f", 9, 50);
  close(fd);
  remove_file("f");
}

/* And a child keeps it when its parent has let it go. */
void unlinked_shared(void) {
  int go[2];
  make_pipe(go);
  int fd = open_file("f", O_CREATE | O_RDWR);
  write_content(fd, 10, 0, 1000);
  remove_file("f");
  int pid = fork_child();
  if (pid == 0) {
    close(go[1]);
    expect_end_of_pipe("child waits", go[0]);
    write_content(fd, 10, 1000, 1000);
    expect_size("file that only a child has", fd, 2000);
    exit(7);
  }
  close(fd);
  close(go[0]);
  close(go[1]);
  reap("child with a file that has no name", pid, 7);
}

/* Unlinked while open and made anew by the same name, over and over: nothing is used up. */
void unlinked_again(void) {
  int old = open_file("f", O_CREATE | O_RDWR);
  for (int i = 0; i < 60; i++) {
    remove_file("f");
    int fd = open_file("f", O_CREATE | O_RDWR);
    write_content(fd, i, 0, 100);
    expect("write to the one before", 1, write(old, "x", 1));
    check_file("f", i, 100);
    close(old);
    old = fd;
  }
  close(old);
  remove_file("f");
}

void link_count(void) {
  make_file("f", 11, 10);
  for (int i = 0; i < 50; i++) expect("link", 0, link("f", numbered('l', i)));
  expect_links("f", 51);
  for (int i = 0; i < 50; i += 2) remove_file(numbered('l', i));
  expect_links("f", 26);
  remove_file("f");
  for (int i = 1; i < 50; i += 2) {
    check_file(numbered('l', i), 11, 10);
    remove_file(numbered('l', i));
  }
}

/* More files are made, one after another, than a disk has inodes. */
void inode_again(void) {
  for (int i = 0; i < 250; i++) {
    int fd = open_file("f", O_CREATE | O_WRONLY);
    expect("write", 1, write(fd, "x", 1));
    close(fd);
    remove_file("f");
  }
}
