/* kill: a process must end wherever it is, running or waiting. */
#include "selftest.h"

static void sleep_long(void) {
  sleep(1000000);
}

static void spin(void) {
  for (;;) {
  }
}

static void wait_to_read(void) {
  int fds[2];
  char byte;
  make_pipe(fds);
  read(fds[0], &byte, 1);
}

static void wait_to_write(void) {
  static char bytes[2000];
  int fds[2];
  make_pipe(fds);
  write(fds[1], bytes, sizeof bytes);
}

static void wait_for_child(void) {
  int fds[2];
  make_pipe(fds);
  int pid = fork_child();
  if (pid == 0) {
    /* Ends when its parent is no more. */
    close(fds[1]);
    expect_end_of_pipe("grandchild", fds[0]);
    exit(0);
  }
  wait(0);
}

/* Kills a child that is inside of `body`, which must not be left in any other way. */
static void kill_inside(void (*body)(void)) {
  int fds[2];
  make_pipe(fds);
  int pid = fork_child();
  if (pid == 0) {
    close(fds[0]);
    expect("child's word", 1, write(fds[1], "i", 1));
    body();
    expect("child's last word", 1, write(fds[1], "o", 1));
    exit(0);
  }
  close(fds[1]);
  expect_byte("child", fds[0], 'i');
  sleep(2);
  expect("kill", 0, kill(pid));
  expect_end_of_pipe("child after kill", fds[0]);
  reap("killed child", pid, -1);
  expect("kill of a reaped child", -1, kill(pid));
}

void kill_sleeper(void) { kill_inside(sleep_long); }
void kill_spinner(void) { kill_inside(spin); }
void kill_reader(void) { kill_inside(wait_to_read); }
void kill_writer(void) { kill_inside(wait_to_write); }

void kill_waiter(void) {
  kill_inside(wait_for_child);
  sleep(2); /* Process 1 reaps what the killed one left. */
}

void kill_missing(void) {
  static const int pids[] = {-1, -2, 1000000, 0x7fffffff, -0x7fffffff - 1};
  for (unsigned i = 0; i < sizeof pids / sizeof pids[0]; i++) expect("kill of a missing pid", -1, kill(pids[i]));
}

/* A number that no process has. */
void kill_zero(void) {
  expect("kill of 0", -1, kill(0));
}

/* Who has exited cannot be killed any more: its status stays. */
void kill_zombie(void) {
  int fds[2];
  make_pipe(fds);
  int pid = fork_child();
  if (pid == 0) exit(33);
  close(fds[1]);
  expect_end_of_pipe("child that exits", fds[0]);
  sleep(1);
  expect("kill of a zombie", 0, kill(pid));
  reap("zombie that was killed", pid, 33);
}

static void kill_own(void) {
  kill(getpid());
}

void kill_self(void) {
  expect_killed("kill of oneself", kill_own);
}

/* Killed while it makes one call after another; the status is never anything but -1. */
void kill_caller(void) {
  for (int i = 0; i < 60; i++) {
    int pid = fork_child();
    if (pid == 0) {
      for (;;) getpid();
    }
    if (i % 3 == 0) sleep(1);
    expect("kill", 0, kill(pid));
    expect("kill again", 0, kill(pid));
    reap("process killed among its calls", pid, -1);
  }
}

/* What a killed process had open is closed: the other side of its pipe sees the end. */
void kill_closes(void) {
  int fds[2], go[2];
  make_pipe(fds);
  make_pipe(go);
  int pid = fork_child();
  if (pid == 0) {
    int fd = open_file("f", O_CREATE | O_RDWR);
    write_content(fd, 1, 0, 500);
    remove_file("f");
    expect("child's word", 1, write(fds[1], "f", 1));
    read(go[0], page, 1);
    exit(7);
  }
  close(fds[1]);
  expect_byte("child with files", fds[0], 'f');
  expect("kill", 0, kill(pid));
  expect_end_of_pipe("after kill", fds[0]);
  reap("killed child", pid, -1);
}
