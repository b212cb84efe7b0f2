/* sbrk_lazy: memory that takes frames only where it is touched. */
#include "selftest.h"

#define GIB (1L << 30)

static char *grow_lazily(long size) {
  char *start = sbrk_lazy(size);
  if (start == SBRK_FAILED) fail("sbrk_lazy of %ld bytes failed", size);
  char *end = sbrk(0);
  if (end != start + size) fail("break after sbrk_lazy (expected %p, got %p)", (void *)(start + size), (void *)end);
  return start;
}

/* In a child, whose page tables end with it: a kernel may keep those of a heap that has shrunk. */
static void touch_here_and_there(void) {
  char *start = grow_lazily(GIB);
  for (long at = 0; at < GIB; at += GIB / 16) {
    expect("untouched byte", 0, start[at]);
    start[at] = 'a';
    expect("first byte of the page", 'a', start[at]);
    expect("last byte of the page", 0, start[at + PAGE_SIZE - 1]);
  }
  start[GIB - 1] = 'z';
  expect("last byte of all", 'z', start[GIB - 1]);
  if (sbrk(-GIB) != start + GIB) fail("giving 1 GiB back gives where the heap ended");
}

void lazy_grow(void) {
  long before = free_bytes();
  int pid = fork_child();
  if (pid == 0) {
    touch_here_and_there();
    exit(7);
  }
  reap("child with 1 GiB", pid, 7);
  expect("free memory afterwards", before, free_bytes());
}

/* A child has what was touched, and zeros elsewhere; what it touches is its own. */
void lazy_fork(void) {
  char *start = grow_lazily(GIB);
  long middle = GIB / 2, last = GIB - PAGE_SIZE;
  start[0] = 'p';
  start[middle] = 'q';
  int pid = fork_child();
  if (pid == 0) {
    expect("parent's first", 'p', start[0]);
    expect("parent's middle", 'q', start[middle]);
    expect("untouched", 0, start[last]);
    expect("untouched, beside", 0, start[middle + PAGE_SIZE]);
    start[last] = 'c';
    start[0] = 'd';
    start[PAGE_SIZE] = 'e';
    expect("child's own", 'd', start[0]);
    exit(7);
  }
  reap("child with lazy memory", pid, 7);
  expect("first after the child", 'p', start[0]);
  expect("second page after the child", 0, start[PAGE_SIZE]);
  expect("last after the child", 0, start[last]);
}

/* System calls read zeros from pages that nobody touched, and write to them. */
void lazy_calls(void) {
  char *start = grow_lazily(16 * PAGE_SIZE);
  int status;
  for (long at = 0; at < 300; at++) page[at] = 1;
  int fd = open_file("f", O_CREATE | O_RDWR);
  expect("write from untouched pages", 300, write(fd, start + PAGE_SIZE - 150, 300));
  expect("fstat into an untouched page", 0, fstat(fd, (struct stat *)(void *)(start + 3 * PAGE_SIZE)));
  expect("size there", 300, (long)((struct stat *)(void *)(start + 3 * PAGE_SIZE))->size);
  close(fd);
  fd = open_file("f", O_RDWR);
  expect("read of what was written", 300, read(fd, page, 300));
  for (long at = 0; at < 300; at++) expect("byte from an untouched page", 0, page[at]);
  close(fd);
  make_file("f", 1, 3000);
  fd = open_file("f", O_RDWR);
  expect("read into untouched pages", 3000, read(fd, start + 6 * PAGE_SIZE - 1000, 4000));
  check_content("bytes read into untouched pages", start + 6 * PAGE_SIZE - 1000, 1, 0, 3000);
  expect("byte before", 0, start[6 * PAGE_SIZE - 1001]);
  expect("byte behind", 0, start[6 * PAGE_SIZE + 2000]);
  close(fd);
  expect("pipe into an untouched page", 0, pipe((int *)(void *)(start + 9 * PAGE_SIZE)));
  expect("pipe's reader", 3, *(int *)(void *)(start + 9 * PAGE_SIZE));
  expect("write to the pipe from an untouched page", 8, write(4, start + 10 * PAGE_SIZE, 8));
  expect("read of the pipe into an untouched page", 8, read(3, start + 11 * PAGE_SIZE, 8));
  int pid = fork_child();
  if (pid == 0) exit(77);
  expect("wait into an untouched page", pid, wait((int *)(void *)(start + 13 * PAGE_SIZE)));
  memcpy(&status, start + 13 * PAGE_SIZE, sizeof status);
  expect("status there", 77, status);
  remove_file("f");
}

/* A path whose zero byte is the first of a page that nobody touched. */
void lazy_path(void) {
  char *start = grow_lazily(2 * PAGE_SIZE);
  make_file("f", 3, 10);
  memcpy(start + PAGE_SIZE - 3, "./f", 3);
  check_file(start + PAGE_SIZE - 3, 3, 10);
  char *arguments[] = {start + PAGE_SIZE - 3, "--return", 0};
  expect("exec of it", -1, exec(start + PAGE_SIZE - 3, arguments));
  remove_file("f");
}

void lazy_shrink(void) {
  long before = free_bytes();
  char *start = grow_lazily(64 * PAGE_SIZE);
  for (int i = 0; i < 64; i++) start[i * PAGE_SIZE] = 'x';
  if (sbrk(-60 * PAGE_SIZE - 1) == SBRK_FAILED) fail("sbrk could not shrink lazy memory");
  expect("what is left", 'x', start[3 * PAGE_SIZE]);
  grow_lazily(60 * PAGE_SIZE + 1);
  for (int i = 4; i < 64; i++) expect("first byte of a page that is back", 0, start[i * PAGE_SIZE]);
  expect("what was left all the time", 'x', start[3 * PAGE_SIZE]);
  sbrk(-64 * PAGE_SIZE);
  expect("free memory afterwards", before, free_bytes());
  /* Lazy and eager memory, side by side. */
  grow_lazily(PAGE_SIZE + 100);
  char *eager = sbrk(3 * PAGE_SIZE);
  grow_lazily(2 * PAGE_SIZE);
  expect_zeros("lazy, eager, lazy", start, 6 * PAGE_SIZE);
  if (eager != start + PAGE_SIZE + 100) fail("eager memory begins elsewhere (%p)", (void *)eager);
}

static volatile char *beyond;

static void touch_beyond(void) { *beyond = 1; }

/* What is behind the break is not there, however lazily the rest is. */
void lazy_beyond(void) {
  beyond = grow_lazily(GIB) + GIB;
  expect_killed("store behind lazy memory", touch_beyond);
  beyond = sbrk(-GIB / 2) - GIB / 4;
  expect_killed("store to lazy memory that was given back", touch_beyond);
  make_file("f", 1, 1);
  int fd = open_file("f", O_RDWR);
  expect("write from behind the break", -1, write(fd, (void *)beyond, 1));
  expect("read into behind the break", -1, read(fd, (void *)beyond, 1));
  close(fd);
  check_file("f", 1, 1);
  remove_file("f");
}

/* Addresses end at the trap frame's page, two below 2^38; up to there all can be had. */
void lazy_limit(void) {
  char *start = sbrk(0), *limit = (char *)0x3fffffe000;
  if (sbrk_lazy(limit - start + 1) != SBRK_FAILED) fail("a heap of one byte too many was given");
  if (sbrk_lazy(1L << 38) != SBRK_FAILED) fail("a heap of 2^38 bytes was given");
  if (sbrk_lazy(1L << 62) != SBRK_FAILED) fail("a heap of 2^62 bytes was given");
  if (sbrk(0) != start) fail("the break moved to %p", (void *)sbrk(0));
  grow_lazily(limit - start);
  limit[-1] = 'l';
  expect("last byte of all addresses", 'l', limit[-1]);
  if (sbrk_lazy(1) != SBRK_FAILED) fail("a byte behind all addresses was given");
  if (sbrk(1) != SBRK_FAILED) fail("an eager byte behind all addresses was given");
  int pid = fork_child();
  if (pid == 0) {
    expect("last byte, in a child", 'l', limit[-1]);
    expect("untouched, in a child", 0, limit[-GIB]);
    exit(7);
  }
  reap("child with all addresses", pid, 7);
  if (sbrk(start - limit) != limit) fail("giving all back gives where the heap ended");
}

/* More is touched than there is: who touches is killed, or gets -1 from its call; others are not. */
static void touch_all(void) {
  for (char *at = sbrk(0) - GIB;; at += PAGE_SIZE) *at = 1;
}

static void read_into_all(void) {
  char *start = sbrk(0) - GIB;
  int fd = open_file("f", O_RDONLY);
  while (read(fd, start, 1) == 1) {
    close(fd);
    fd = open_file("f", O_RDONLY);
    start += PAGE_SIZE;
  }
  /* Memory is used up: an ordinary store to a new page must find none. */
  *start = 1;
}

void lazy_out_of_memory(void) {
  char *start = grow_lazily(GIB);
  make_file("f", 2, 10);
  start[0] = 'k';
  expect_killed("touching more than there is", touch_all);
  expect_killed("reading into more than there is", read_into_all);
  expect("parent's page", 'k', start[0]);
  check_file("f", 2, 10);
  remove_file("f");
}
