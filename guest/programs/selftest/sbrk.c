/* The heap: new memory is zero, what was there stays, and what cannot be done changes nothing. */
#include "selftest.h"

void expect_zeros(const char *what, const volatile char *from, long size) {
  for (long at = 0; at < size; at++) {
    if (from[at] != 0) fail("%s: byte %ld of %ld (expected 0, got %d)", what, at, size, from[at]);
  }
}

static void expect_break(const char *what, char *expected) {
  char *got = sbrk(0);
  if (got != expected) fail("%s: end of the heap (expected %p, got %p)", what, (void *)expected, (void *)got);
}

void sbrk_zeros(void) {
  long size = 5 * PAGE_SIZE;
  char *start = sbrk(0);
  if (((unsigned long)start & (PAGE_SIZE - 1)) != 0) fail("the heap starts inside a page (at %p)", (void *)start);
  for (int round = 0; round < 3; round++) {
    if (sbrk(size) != start) fail("growing gives where the heap ended");
    expect_break("after growing", start + size);
    expect_zeros("new heap", start, size);
    memset(start, 0xa5, size);
    if (sbrk(-size) != start + size) fail("shrinking gives where the heap ended");
    expect_break("after shrinking", start);
  }
}

void sbrk_odd_sizes(void) {
  static const int sizes[] = {1, 4094, 1, 1, 4096, 5000, 12289, 3};
  int count = sizeof sizes / sizeof sizes[0];
  char *start = sbrk(0), *end = start;
  for (int i = 0; i < count; i++) {
    if (sbrk(sizes[i]) != end) fail("growing by %d gives where the heap ended", sizes[i]);
    expect_zeros("new heap", end, sizes[i]);
    memset(end, i + 1, sizes[i]);
    end += sizes[i];
    expect_break("after growing", end);
  }
  for (int i = count - 1; i >= 0; i--) {
    if (sbrk(-sizes[i]) != end) fail("shrinking by %d gives where the heap ended", sizes[i]);
    end -= sizes[i];
    expect_break("after shrinking", end);
    char *at = end;
    for (int j = i - 1; j >= 0; j--) {
      at -= sizes[j];
      for (int k = 0; k < sizes[j]; k++) expect("heap below what was given back", j + 1, at[k]);
    }
  }
  expect_break("at the end", start);
}

void sbrk_below_zero(void) {
  char *start = sbrk(PAGE_SIZE) + PAGE_SIZE;
  const long sizes[] = {-((long)start + 1), -(1L << 31) + 4, -(1L << 31)};
  start[-1] = 'k';
  for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    /* It gives the break, as if it had done so; but nothing is different. */
    if (sbrk(sizes[i]) != start) fail("too large a negative size, %ld, does not give the break", sizes[i]);
    expect_break("after too large a negative size", start);
    expect("last byte of the heap", 'k', start[-1]);
  }
}

void sbrk_too_much(void) {
  long free = free_bytes();
  char *start = sbrk(PAGE_SIZE) + PAGE_SIZE;
  start[-1] = 'k';
  if (sbrk(1L << 30) != SBRK_FAILED) fail("sbrk of 1 GiB succeeded");
  expect_break("after 1 GiB", start);
  if (sbrk(free) != SBRK_FAILED) fail("sbrk of one page more than there is succeeded");
  expect_break("after one page too many", start);
  expect("last byte of the heap", 'k', start[-1]);
  sbrk(-PAGE_SIZE);
  expect("free memory afterwards", free, free_bytes());
}

static void give_all_away(void) {
  sbrk(-(long)sbrk(0));
}

static void give_stack_away(void) {
  sbrk(-PAGE_SIZE);
}

/* A program may give its stack back, even its own text: it does not live on, but the kernel does. */
void sbrk_all_away(void) {
  expect_killed("giving all memory back", give_all_away);
  expect_killed("giving the stack back", give_stack_away);
}

/* What one process gives back another can have. */
void sbrk_given_back(void) {
  /* Each process also has page tables to pay. */
  long most = free_bytes() / PAGE_SIZE * 3 / 4 * PAGE_SIZE;
  int given[2], go[2];
  make_pipe(given);
  make_pipe(go);
  int pid = fork_child();
  if (pid == 0) {
    close(given[0]);
    close(go[1]);
    if (sbrk(most) == SBRK_FAILED) fail("sbrk of most memory failed");
    expect("child has it", 1, write(given[1], "h", 1));
    expect_byte("child", go[0], 'b');
    if (sbrk(-most) == SBRK_FAILED) fail("sbrk could not give it back");
    expect("child gave it back", 1, write(given[1], "b", 1));
    expect_end_of_pipe("child", go[0]);
    exit(7);
  }
  close(given[1]);
  close(go[0]);
  expect_byte("child", given[0], 'h');
  if (sbrk(most) != SBRK_FAILED) fail("two processes have most of memory");
  expect("asking for it", 1, write(go[1], "b", 1));
  expect_byte("child", given[0], 'b');
  if (sbrk(most) == SBRK_FAILED) fail("memory that another gave back is not to be had");
  sbrk(-most);
  close(go[1]);
  reap("child", pid, 7);
}
