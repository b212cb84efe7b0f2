/* Running out of memory, in whatever was just being done: an error or a kill, and all is back afterwards. */
#include "selftest.h"

/* All memory in one process, written and read back, and then for another. */
void memory_limit(void) {
  long before = free_bytes();
  for (int round = 0; round < 2; round++) {
    int pid = fork_child();
    if (pid == 0) {
      long size = free_bytes();
      char *start = sbrk(size);
      if (start == SBRK_FAILED) fail("sbrk of all that is free failed");
      for (long at = 0; at < size; at += PAGE_SIZE) *(long *)(void *)(start + at) = at ^ round;
      for (long at = 0; at < size; at += PAGE_SIZE) {
        expect("word of a page", at ^ round, *(long *)(void *)(start + at));
      }
      if (sbrk(PAGE_SIZE) != SBRK_FAILED) fail("one page more than there is");
      exit(7);
    }
    reap("process with all memory", pid, 7);
  }
  expect("free memory afterwards", before, free_bytes());
}

/* Takes memory until less than so many pages are free. */
static void take_all_but(int pages) {
  for (long step = 1L << 20; step >= PAGE_SIZE; step /= 2) {
    while (sbrk(step) != SBRK_FAILED) {
    }
  }
  if (pages > 0 && sbrk(-pages * PAGE_SIZE) == SBRK_FAILED) fail("sbrk could not shrink by %d pages", pages);
}

/* So many pages are left, by turns: none, too few for anything, enough for some of what is to be done. */
static const short left[] = {0, 1, 2, 4, 6, 9, 14, 25, 50};
#define TURNS ((int)(sizeof left / sizeof left[0]))

/* With some or no pages left exec works or says -1, and whoever cannot even store to memory is killed. */
void memory_exec(void) {
  long before = free_bytes();
  for (int turn = 0; turn < TURNS; turn++) {
    int pages = left[turn];
    int status = 0, pid = fork_child();
    if (pid == 0) {
      char *arguments[] = {self, "--return", 0};
      touch_image();
      take_all_but(pages);
      exec(self, arguments);
      exit(7);
    }
    expect("wait", pid, wait(&status));
    if (status != 7 && status != -77 && status != -1) fail("exec with %d pages left (status %d)", pages, status);
  }
  expect("free memory afterwards", before, free_bytes());
}

/* So with fork: it says -1, or both go on until one of them writes and there is no page to copy to. */
void memory_fork(void) {
  long before = free_bytes();
  int failures = 0;
  for (int turn = 0; turn < TURNS; turn++) {
    int pages = left[turn];
    int status = 0, pid = fork_child();
    if (pid == 0) {
      touch_image();
      take_all_but(pages);
      int child = fork();
      if (child == 0) exit(5);
      if (child < 0) exit(6);
      int ended = 0;
      if (wait(&ended) != child || (ended != 5 && ended != -1)) exit(8);
      exit(7);
    }
    expect("wait", pid, wait(&status));
    if (status != 6 && status != 7 && status != -1) fail("fork with %d pages left (status %d)", pages, status);
    if (status != 7) failures++;
  }
  if (failures == 0) fail("fork never met the end of memory");
  sleep(2); /* Process 1 reaps what a killed parent left. */
  expect("free memory afterwards", before, free_bytes());
}

/* And with files and pipes: calls need memory too, and say so. */
void memory_files(void) {
  touch_image(); /* Or what this process touches of it later would be missing. */
  long before = free_bytes();
  make_file("f", 1, 5000);
  int status = 0, pid = fork_child();
  if (pid == 0) {
    int fds[2];
    touch_image();
    take_all_but(0);
    int fd = open("f", O_RDWR);
    if (fd >= 0) {
      long count = read(fd, page, 100);
      if (count != 100 && count != -1) exit(8);
      if (count == 100 && page[99] != content_byte(1, 99)) exit(9);
    }
    pipe(fds);
    open("g", O_CREATE | O_RDWR);
    mkdir("d");
    exit(7);
  }
  expect("wait", pid, wait(&status));
  if (status != 7 && status != -1) fail("files without memory (status %d)", status);
  check_file("f", 1, 5000);
  remove_file("f");
  unlink("g");
  unlink("d");
  expect("free memory afterwards", before, free_bytes());
}

#define RECORD 500
#define RECORDS 60

/* Has all memory but so many pages, from when it says so until `go` ends. */
static void hog(int pages, int ready, int go) {
  char byte;
  touch_image();
  take_all_but(pages);
  write(ready, "h", 1);
  read(go, &byte, 1);
  exit(7);
}

/*
 * What a write says that it wrote is in the file, though there was no memory while it was written:
 * pages that the kernel has of files must go to make room, and come back as they were.
 */
static void write_without_memory(int pages) {
  int ready[2], go[2], status = 0;
  for (int i = 0; i < 4; i++) make_file(numbered('o', i), 10 + i, 8000);
  make_pipe(ready);
  make_pipe(go);
  int hogs_pid = fork_child();
  if (hogs_pid == 0) {
    close(go[1]);
    close(ready[0]);
    hog(pages, ready[1], go[0]);
  }
  close(ready[1]);
  int pid = fork_child();
  if (pid == 0) {
    char byte;
    int done = 0, fd = open_file("f", O_CREATE | O_WRONLY);
    touch_image();
    close(go[1]);
    read(ready[0], &byte, 1);
    while (done < RECORDS) {
      fill_content(page, 1, done * RECORD, RECORD);
      if (write(fd, page, RECORD) != RECORD) break;
      done++;
      int other = open(numbered('o', done % 4), O_RDONLY);
      long count = other < 0 ? -1 : read(other, page, 1000);
      if (count >= 0) check_content("file while there is no memory", page, 10 + done % 4, 0, count);
      close(other);
    }
    exit(100 + done);
  }
  close(ready[0]);
  close(go[0]);
  expect("wait", pid, wait(&status));
  close(go[1]);
  reap("process with all memory", hogs_pid, 7);
  if (status != -1 && (status < 100 || status > 100 + RECORDS)) fail("writer without memory (status %d)", status);
  long size = (long)status_of("f").size;
  if (status != -1) expect("size of what was written", (status - 100) * RECORD, size);
  check_file("f", 1, size);
  for (int i = 0; i < 4; i++) {
    check_file(numbered('o', i), 10 + i, 8000);
    remove_file(numbered('o', i));
  }
  remove_file("f");
}

void memory_writes(void) {
  for (int pages = 0; pages < 16; pages += 5) write_without_memory(pages);
}
