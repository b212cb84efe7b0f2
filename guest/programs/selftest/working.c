/* Working directories: where relative paths begin, what a child and a new program have of it. */
#include "selftest.h"

void chdir_relative(void) {
  make_directory("d");
  make_directory("d/e");
  make_file("f", 1, 10);
  make_file("d/f", 2, 10);
  make_file("d/e/f", 3, 10);
  check_file("f", 1, 10);
  enter("d");
  check_file("f", 2, 10);
  check_file("../f", 1, 10);
  enter("./e/../e");
  check_file("f", 3, 10);
  check_file("../../f", 1, 10);
  remove_file("f");
  remove_file("../f");
  enter(WORK "/d");
  remove_file("e");
  enter("..");
  remove_file("f");
  remove_file("d");
  enter("/");
  enter("..");
  expect_same(".", "/");
  enter(WORK + 1);
  expect_same("..", "/");
}

void chdir_refused(void) {
  make_directory("d");
  make_file("f", 4, 10);
  expect("chdir to a file", -1, chdir("f"));
  expect("chdir to a missing directory", -1, chdir("none"));
  expect("chdir below a file", -1, chdir("f/.."));
  expect("chdir through a missing directory", -1, chdir("none/../d"));
  check_file("f", 4, 10);
  remove_file("f");
  remove_file("d");
}

/* A child begins where its parent is, and each goes its own way. */
void chdir_forked(void) {
  make_directory("d");
  make_directory("d/e");
  make_file("d/f", 5, 10);
  enter("d");
  int pid = fork_child();
  if (pid == 0) {
    check_file("f", 5, 10);
    enter("e");
    make_file("g", 6, 10);
    exit(7);
  }
  reap("child that goes elsewhere", pid, 7);
  check_file("f", 5, 10);
  check_file("e/g", 6, 10);
  expect_missing("g");
  remove_file("e/g");
  remove_file("e");
  remove_file("f");
  enter("..");
  remove_file("d");
}

/* exec changes the program, not its place, nor its descriptors and their offsets. */
void chdir_executed(void) {
  make_directory("d");
  make_file("d/here", 7, 10);
  int pid = fork_child();
  if (pid == 0) {
    char *arguments[] = {self, "--where", 0};
    enter("d");
    int fd = open_file("here", O_RDONLY);
    expect("descriptor to be kept", 3, fd);
    read_content("before exec", fd, 7, 0, 4);
    exec(self, arguments);
    fail("exec of %s came back", self);
  }
  reap("program executed in a directory", pid, 81);
  remove_file("d/here");
  remove_file("d");
}

int report_where(void) {
  test_case_name = "--where";
  check_file("here", 7, 10);
  read_content("after exec", 3, 7, 4, 6);
  expect("lowest descriptor after exec", 4, dup(3));
  return 81;
}
