/* System calls that are handed addresses which the program does not have, or may not write. */
#include "selftest.h"

/* Addresses that no program has; two more are worked out at run time. */
static const unsigned long nowhere[] = {
    0x80000000UL, 0x3fffffe000UL, 0x3ffffff000UL, 1UL << 38, (1UL << 38) + 4096, 1UL << 39, 1UL << 63, -8UL, -1UL,
};

_Static_assert(NOWHERE == sizeof nowhere / sizeof nowhere[0] + 2, "bad_pointer() has this many answers");

void *bad_pointer(unsigned i) {
  unsigned long end = (unsigned long)sbrk(0);
  if (i == NOWHERE - 2) return (void *)end;
  if (i == NOWHERE - 1) return (void *)(end - 3 * PAGE_SIZE / 2); /* the guard page below the stack, while there is no heap */
  return (void *)nowhere[i];
}

/* Places that a program may read and its system calls must not write. */
static void *text_pointer(unsigned i) {
  return (void *)(i == 0 ? 0UL : (unsigned long)&echo_arguments);
}

static void try_read(void *at) {
  int fds[2];
  make_pipe(fds);
  expect("write to a pipe", 8, write(fds[1], "12345678", 8));
  long got = read(fds[0], at, 8);
  if (got != -1) fail("read into %p (expected -1, got %ld)", at, got);
  close(fds[0]);
  close(fds[1]);
}

void bad_read(void) {
  unsigned long sum = text_checksum();
  for (unsigned i = 0; i < NOWHERE; i++) try_read(bad_pointer(i));
  for (unsigned i = 0; i < 2; i++) try_read(text_pointer(i));
  if (text_checksum() != sum) fail("the text changed");
}

void bad_write(void) {
  int fds[2];
  char bytes[8];
  make_pipe(fds);
  for (unsigned i = 0; i < NOWHERE; i++) {
    long got = write(fds[1], bad_pointer(i), 8);
    if (got != -1) fail("write from %p to a pipe (expected -1, got %ld)", bad_pointer(i), got);
    got = write(1, bad_pointer(i), 8);
    if (got != -1) fail("write from %p to the console (expected -1, got %ld)", bad_pointer(i), got);
  }
  /* Text may be read. And nothing of the failed writes is in the pipe. */
  expect("write from text", 8, write(fds[1], text_pointer(1), 8));
  expect("read what came from text", 8, read_all(fds[0], bytes, 8));
  expect("bytes that came from text", 0, memcmp(bytes, text_pointer(1), 8));
}

static void try_pipe(void *at) {
  int got = pipe(at);
  if (got != -1) fail("pipe into %p (expected -1, got %d)", at, got);
  int lowest = dup(0);
  if (lowest != 3) fail("descriptors after pipe into %p (expected 3, got %d)", at, lowest);
  close(lowest);
}

void bad_pipe(void) {
  unsigned long sum = text_checksum();
  for (unsigned i = 0; i < NOWHERE; i++) try_pipe(bad_pointer(i));
  for (unsigned i = 0; i < 2; i++) try_pipe((char *)text_pointer(i) + (i == 0 ? 8 : 0));
  if (text_checksum() != sum) fail("the text changed");
}

/* The child whose status has nowhere to go is not lost: the next wait gives it. */
static void try_wait(void *at) {
  int pid = fork_child();
  if (pid == 0) exit(90);
  int got = wait(at);
  if (got != -1) fail("wait into %p (expected -1, got %d)", at, got);
  reap("child after a wait that failed", pid, 90);
}

void bad_wait(void) {
  unsigned long sum = text_checksum();
  for (unsigned i = 0; i < NOWHERE; i++) try_wait(bad_pointer(i));
  /* Null means that the status is not wanted, so of the first page another address is taken. */
  for (unsigned i = 0; i < 2; i++) try_wait((char *)text_pointer(i) + (i == 0 ? 8 : 0));
  if (text_checksum() != sum) fail("the text changed");
}

void bad_open(void) {
  for (unsigned i = 0; i < NOWHERE; i++) {
    int got = open(bad_pointer(i), O_RDONLY);
    if (got != -1) fail("open of a name at %p (expected -1, got %d)", bad_pointer(i), got);
  }
  expect("lowest descriptor after failed opens", 3, dup(0));
}

void bad_exec(void) {
  for (unsigned i = 0; i < NOWHERE; i++) {
    char *at = bad_pointer(i);
    char *arguments[] = {self, "--echo-args", at, 0};
    int got = exec(self, arguments);
    if (got != -1) fail("exec with an argument at %p (expected -1, got %d)", (void *)at, got);
    got = exec(self, (char *const *)(void *)at);
    if (got != -1) fail("exec with arguments at %p (expected -1, got %d)", (void *)at, got);
    arguments[2] = 0;
    got = exec(at, arguments);
    if (got != -1) fail("exec of a name at %p (expected -1, got %d)", (void *)at, got);
  }
}

/* A name with no end before the heap ends. */
void bad_string(void) {
  char *end = sbrk(PAGE_SIZE) + PAGE_SIZE;
  char *arguments[] = {self, "--echo-args", end - 7, 0};
  memcpy(end - 7, "console", 7);
  expect("open of a name without an end", -1, open(end - 7, O_RDONLY));
  expect("exec with an argument without an end", -1, exec(self, arguments));
}
