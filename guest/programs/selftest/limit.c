/* Running out of open files and of processes: an error each time, and all is back afterwards. */
#include "selftest.h"

/* ---- Open files ---- */

#define OPENERS 10
#define SHARE 11

/* Opens files until that fails, one and the same or each another; gives how often it did not. */
static int open_until_none(int opener, int different) {
  int count = 0;
  while (open(different ? numbered('f', opener * SHARE + count) : "f000", O_RDONLY) >= 0) count++;
  return count;
}

/* Each process has 16 descriptors, five of them in use; ten have more than the system has files. */
static int open_all_files(int different) {
  struct child children[OPENERS];
  int results[2], go[2], total = 0;
  make_pipe(results);
  make_pipe(go);
  for (int i = 0; i < OPENERS; i++) {
    children[i].status = 60 + i;
    children[i].pid = fork_child();
    if (children[i].pid == 0) {
      close(results[0]);
      close(go[1]);
      int count = open_until_none(i, different);
      expect("open again", -1, open(different ? numbered('f', i * SHARE + count) : "f000", O_RDONLY));
      expect("count to the parent", sizeof count, write(results[1], &count, sizeof count));
      expect_end_of_pipe("child keeps its files", go[0]);
      exit(60 + i);
    }
    int count = 0;
    expect("count of a child", sizeof count, read_all(results[0], &count, sizeof count));
    total += count;
  }
  /* There is none left for anybody, but what is open is as it was. */
  expect("open without a free file", -1, open("f109", O_RDONLY));
  expect("O_CREATE without a free file", -1, open("g", O_CREATE | O_RDWR));
  int copy = dup(1);
  if (copy < 0) fail("dup needs no new file (got %d)", copy);
  close(copy);
  if (!different) expect("pipe without a free file", -1, pipe((int[2]){0, 0}));
  close(go[0]);
  close(go[1]);
  reap_all("children with files", children, OPENERS);
  close(results[0]);
  close(results[1]);
  check_file("f000", 0, 10);
  /* Whether O_CREATE made its file before there was no descriptor for it is left open. */
  unlink("g");
  return total;
}

void open_files_limit(void) {
  make_file("f000", 0, 10);
  make_file("f109", 0, 10);
  int count = open_all_files(0);
  /* 100, of which the two pipes have four and the console one or a few. */
  if (count < 80 || count > 95) fail("open files (expected 80 to 95, got %d)", count);
  expect("open files the second time", count, open_all_files(0));
  remove_file("f000");
  remove_file("f109");
}

/* Of different files fewer can be open, because the kernel keeps what it knows of 50 at a time. */
void open_inodes_limit(void) {
  for (int i = 0; i < OPENERS * SHARE; i++) make_file(numbered('f', i), i, 10);
  int count = open_all_files(1);
  if (count < 40 || count > 50) fail("different open files (expected 40 to 50, got %d)", count);
  expect("different open files the second time", count, open_all_files(1));
  for (int i = 0; i < OPENERS * SHARE; i++) {
    check_file(numbered('f', i), i, 10);
    remove_file(numbered('f', i));
  }
}

/* ---- Processes ---- */

static int fork_until_none(void) {
  int go[2], count = 0;
  make_pipe(go);
  for (;;) {
    int pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      close(go[1]);
      expect_end_of_pipe("child", go[0]);
      exit(3);
    }
    if (++count > 1000) fail("fork never fails");
  }
  expect("fork again", -1, fork());
  close(go[0]);
  close(go[1]);
  for (int i = 0; i < count; i++) {
    int status = 0;
    if (wait(&status) <= 0) fail("wait for child %d of %d", i + 1, count);
    expect("status of a child", 3, status);
  }
  expect("wait without children", -1, wait(0));
  return count;
}

void process_limit(void) {
  int count = fork_until_none();
  if (count < 50 || count > 62) fail("children (expected 50 to 62, got %d)", count);
  expect("children the second time", count, fork_until_none());
}
