/* Processes: exit statuses, wait, process numbers, orphans. */
#include "selftest.h"

void exit_status(void) {
  static const int statuses[] = {0, 1, 3, 127, 128, 255, 256, 65536, 0x7fffffff, -1, -2, -256, -0x7fffffff - 1};
  for (unsigned i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
    int pid = fork_child();
    if (pid == 0) exit(statuses[i]);
    reap("status through wait", pid, statuses[i]);
  }
}

void exit_from_main(void) {
  int pid = fork_child();
  if (pid == 0) {
    char *arguments[] = {self, "--return", 0};
    exec(self, arguments);
    exit(1);
  }
  reap("what main returns", pid, -77);
}

void wait_null(void) {
  int pid = fork_child();
  if (pid == 0) exit(3);
  expect("wait(0)", pid, wait(0));
}

void wait_no_children(void) {
  int status = 12345;
  expect("wait without children", -1, wait(&status));
  expect("status after a wait without children", 12345, status);
  expect("wait(0) without children", -1, wait(0));
}

void wait_any_order(void) {
  int fds[2];
  make_pipe(fds);
  /* The first child cannot end before the second has been reaped. */
  int first = fork_child();
  if (first == 0) {
    close(fds[1]);
    expect_end_of_pipe("first child", fds[0]);
    exit(5);
  }
  int second = fork_child();
  if (second == 0) exit(6);
  reap("second child first", second, 6);
  close(fds[0]);
  close(fds[1]);
  reap("first child second", first, 5);
}

void getpid_unique(void) {
  struct child children[8];
  int fds[2], go[2];
  make_pipe(fds);
  make_pipe(go);
  for (int i = 0; i < 8; i++) {
    children[i].status = 60 + i;
    children[i].pid = fork_child();
    if (children[i].pid == 0) {
      int own = getpid();
      close(go[1]);
      expect("child's pid to its parent", sizeof own, write(fds[1], &own, sizeof own));
      expect_end_of_pipe("child", go[0]);
      exit(60 + i);
    }
    int told = 0;
    expect("size of a child's pid", sizeof told, read_all(fds[0], &told, sizeof told));
    expect("getpid in the child is what fork gave", children[i].pid, told);
    if (told <= 0 || told == getpid()) fail("pid of a child (expected another, got %d)", told);
    for (int j = 0; j < i; j++) {
      if (children[j].pid == told) fail("pid of a living child given again (got %d)", told);
    }
  }
  close(go[0]);
  close(go[1]);
  reap_all("children", children, 8);
}

void orphans(void) {
  int fds[2], go[2];
  make_pipe(fds);
  make_pipe(go);
  int pid = fork_child();
  if (pid == 0) {
    int orphan = fork_child();
    if (orphan == 0) {
      close(go[1]);
      expect_byte("orphan", go[0], 'g');
      expect("orphan's word", 6, write(fds[1], "living", 6));
      exit(0);
    }
    exit(9);
  }
  reap("parent of the orphan", pid, 9);
  close(fds[1]);
  close(go[0]);
  /* Its parent is gone and reaped; only now may it go on. */
  expect("orphan is not this one's child", -1, wait(0));
  expect("letting the orphan go on", 1, write(go[1], "g", 1));
  char word[8];
  expect("size of the orphan's word", 6, read_all(fds[0], word, sizeof word));
  expect("orphan's word", 0, memcmp(word, "living", 6));
  /* Time for process 1 to reap it, before anything measures memory. */
  sleep(2);
}
