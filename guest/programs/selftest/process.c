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

/* More orphans, in all, than there can be processes: process 1 reaps them. */
void orphans_many(void) {
  for (int i = 0; i < 100; i++) {
    int pid = fork_child();
    if (pid == 0) {
      int orphan = -1;
      for (int tries = 0; tries < 20 && (orphan = fork()) < 0; tries++) sleep(1);
      if (orphan < 0) fail("fork of an orphan: process 1 does not reap them");
      exit(orphan == 0 ? 0 : 9);
    }
    reap("parent of an orphan", pid, 9);
  }
  sleep(2);
}

void fork_many(void) {
  for (int i = 0; i < 1000; i++) {
    int pid = fork();
    if (pid < 0) fail("fork number %d failed", i + 1);
    if (pid == 0) exit(i);
    reap("child of many", pid, i);
  }
}

/* Two children at a time that fork in turn, four generations deep. */
static void branch(int generations) {
  if (generations == 0) return;
  struct child children[2];
  for (int i = 0; i < 2; i++) {
    children[i].status = 10 * generations + i;
    children[i].pid = fork_child();
    if (children[i].pid == 0) {
      branch(generations - 1);
      exit(10 * generations + i);
    }
  }
  reap_all("branches", children, 2);
}

void fork_tree(void) {
  for (int i = 0; i < 4; i++) branch(4);
}

/* What a child does to its memory, wherever it is, its parent does not see, nor the other way. */
void fork_memory(void) {
  static int in_data = 1, in_bss;
  volatile int on_stack = 3;
  int *on_heap = (int *)(void *)sbrk(2 * PAGE_SIZE);
  int fds[2];
  make_pipe(fds);
  *on_heap = 4;
  int pid = fork_child();
  if (pid == 0) {
    expect_byte("child", fds[0], 'g');
    expect("child's data", 1, in_data);
    expect("child's bss", 0, in_bss);
    expect("child's stack", 3, on_stack);
    expect("child's heap", 4, *on_heap);
    in_data = in_bss = on_stack = *on_heap = 9;
    sbrk(-2 * PAGE_SIZE);
    exit(7);
  }
  in_data = in_bss = on_stack = *on_heap = 8;
  expect("letting the child go on", 1, write(fds[1], "g", 1));
  reap("child", pid, 7);
  expect("data", 8, in_data);
  expect("bss", 8, in_bss);
  expect("stack", 8, on_stack);
  expect("heap", 8, *on_heap);
  in_data = 1;
}

/* Processes that never call the kernel do not keep others from the hart. */
void preemption(void) {
  int spinners[2], fds[2];
  for (int i = 0; i < 2; i++) {
    spinners[i] = fork_child();
    if (spinners[i] == 0) {
      for (;;) {
      }
    }
  }
  make_pipe(fds);
  int worker = fork_child();
  if (worker == 0) {
    expect("registers of a worker", 0, changed_registers(77, 300000));
    expect("worker's word", 1, write(fds[1], "w", 1));
    exit(7);
  }
  close(fds[1]);
  expect("registers of the parent", 0, changed_registers(1234567, 300000));
  expect_byte("worker among spinners", fds[0], 'w');
  for (int i = 0; i < 2; i++) expect("kill", 0, kill(spinners[i]));
  const struct child children[] = {{worker, 7}, {spinners[0], -1}, {spinners[1], -1}};
  reap_all("worker and spinners", children, 3);
}
