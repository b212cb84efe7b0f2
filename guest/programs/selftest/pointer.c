/* System calls that are handed addresses which the program does not have, or may not write. */
#include "selftest.h"

/*
 * Addresses that no program has: above 128 MiB of memory, the last pages before 2^38, the two where
 * xv6 has its trap frame and trampoline, and garbage. All powers of two from 2^38 up follow, and
 * two that are worked out at run time.
 */
static const unsigned long nowhere[] = {
    0x80000000UL, 0x3fffffc000UL, 0x3fffffd000UL, 0x3fffffdff8UL, 0x3fffffe000UL, 0x3ffffff000UL, 0x3ffffffffcUL,
    (1UL << 38) + 4096, 0xffffffffffUL, 0xeaeb0b5b00002f5eUL, -4096UL, -8UL, -1UL,
};

#define FIXED (sizeof nowhere / sizeof nowhere[0])
#define POWERS 26
_Static_assert(NOWHERE == FIXED + POWERS + 2, "bad_pointer() has this many answers");

void *bad_pointer(unsigned i) {
  unsigned long end = (unsigned long)sbrk(0);
  if (i < FIXED) return (void *)nowhere[i];
  if (i < FIXED + POWERS) return (void *)(1UL << (38 + i - FIXED));
  /* The break, and the guard page below the stack, while there is no heap. */
  return (void *)(i == NOWHERE - 2 ? end : end - 3 * PAGE_SIZE / 2);
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
  for (unsigned i = 0; i < NOWHERE; i++) try_read(bad_pointer(i));
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
  for (unsigned i = 0; i < NOWHERE; i++) try_pipe(bad_pointer(i));
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
  for (unsigned i = 0; i < NOWHERE; i++) try_wait(bad_pointer(i));
}

/* No call writes to read-only memory, whoever asks it to. */
void bad_text(void) {
  unsigned long sum = text_checksum();
  make_file("f", 1, 100);
  int fd = open_file("f", O_RDONLY);
  for (unsigned i = 0; i < 2; i++) {
    try_read(text_pointer(i));
    expect("read of a file into text", -1, read(fd, text_pointer(i), 100));
    expect("fstat into text", -1, fstat(fd, text_pointer(i)));
    /* For wait() null means that the status is not wanted, so of the first page another address is taken. */
    void *at = (char *)text_pointer(i) + (i == 0 ? 8 : 0);
    int fds[2], pid = fork_child();
    if (pid == 0) exit(90);
    expect("wait into text", -1, wait(at));
    reap("child after a wait that failed", pid, 90);
    expect("pipe into text", -1, pipe(at));
    make_pipe(fds);
    expect("lowest descriptor after pipe into text", 4, fds[0]);
    close(fds[0]);
    close(fds[1]);
  }
  if (text_checksum() != sum) fail("the text changed");
  read_content("file after reads that failed", fd, 1, 0, 100);
  close(fd);
  remove_file("f");
}

/* Every call that takes a path. */
void bad_path(void) {
  make_file("f", 1, 10);
  for (unsigned i = 0; i < NOWHERE; i++) {
    const char *at = bad_pointer(i);
    const int results[] = {
        open(at, O_RDONLY), open(at, O_CREATE | O_RDWR), chdir(at),      mkdir(at),
        mknod(at, 1, 0),    unlink(at),                  link(at, "g"), link("f", at),
    };
    for (unsigned call = 0; call < sizeof results / sizeof results[0]; call++) {
      if (results[call] != -1) {
        fail("call %u with a path at %p (expected -1, got %d)", call, (const void *)at, results[call]);
      }
    }
  }
  expect("lowest descriptor after failed opens", 3, dup(0));
  expect_links("f", 1);
  remove_file("f");
}

/* Files: nothing is moved, neither bytes nor the offset. */
void bad_file(void) {
  make_file("f", 2, 100);
  int fd = open_file("f", O_RDWR);
  read_content("before", fd, 2, 0, 10);
  for (unsigned i = 0; i < NOWHERE; i++) {
    void *at = bad_pointer(i);
    long got = read(fd, at, 20);
    if (got != -1) fail("read of a file into %p (expected -1, got %ld)", at, got);
    got = write(fd, at, 20);
    if (got != -1) fail("write of a file from %p (expected -1, got %ld)", at, got);
    got = fstat(fd, at);
    if (got != -1) fail("fstat into %p (expected -1, got %ld)", at, got);
  }
  read_content("after", fd, 2, 10, 90);
  close(fd);
  check_file("f", 2, 100);
  remove_file("f");
}

/* Memory that begins well and ends nowhere. */
void bad_half(void) {
  char *end = sbrk(PAGE_SIZE) + PAGE_SIZE;
  make_file("f", 3, 200);
  int fd = open_file("f", O_RDWR);
  expect("read of a file, half of it behind the break", -1, read(fd, end - 50, 100));
  read_content("after that", fd, 3, 0, 100);
  expect("fstat, half of it behind the break", -1, fstat(fd, (struct stat *)(void *)(end - 8)));
  read_content("after that", fd, 3, 100, 100);
  close(fd);
  remove_file("f");
  expect("pipe, half of it behind the break", -1, pipe((int *)(void *)(end - 4)));
  expect("lowest descriptor after that", 3, dup(0));
  close(3);
  int pid = fork_child();
  if (pid == 0) exit(90);
  expect("wait, half of it behind the break", -1, wait((int *)(void *)(end - 2)));
  reap("child after a wait that failed", pid, 90);
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

/*
 * A write of which only the first half can be read fails. Whether that half is in the file is left
 * open, but what is in the file stays, and nothing else changes.
 */
void bad_half_write(void) {
  static char first[250], second[250];
  char *end = sbrk(PAGE_SIZE) + PAGE_SIZE;
  make_file("f", 4, 200);
  int fd = open_file("f", O_RDWR);
  read_content("before", fd, 4, 0, 100);
  expect("write of a file, half of it behind the break", -1, write(fd, end - 50, 100));
  close(fd);
  fd = open_file("f", O_RDWR);
  expect("read after that", 200, read_all(fd, first, sizeof first));
  expect_size("after that", fd, 200);
  check_content("before the write", first, 4, 0, 100);
  check_content("behind the write", first + 150, 4, 150, 50);
  for (int i = 100; i < 150; i++) {
    if (first[i] != 0 && first[i] != content_byte(4, i)) fail("byte %d is from nowhere (%d)", i, first[i]);
  }
  expect("write at the end, half of it behind the break", -1, write(fd, end - 50, 100));
  close(fd);
  fd = open_file("f", O_RDONLY);
  long size = read_all(fd, first, sizeof first);
  if (size < 200 || size > 250) fail("size after a write that failed (expected 200 to 250, got %ld)", size);
  close(fd);
  fd = open_file("f", O_RDONLY);
  expect("read again", size, read_all(fd, second, sizeof second));
  expect("bytes read again", 0, memcmp(first, second, (size_t)size));
  close(fd);
  remove_file("f");
}

/* A name with no end before the heap ends. */
void bad_string(void) {
  char *end = sbrk(PAGE_SIZE) + PAGE_SIZE;
  char *arguments[] = {self, "--echo-args", end - 7, 0};
  make_file("no-end!", 4, 1);
  memcpy(end - 7, "no-end!", 7);
  expect("open of a name without an end", -1, open(end - 7, O_RDONLY));
  expect("exec with an argument without an end", -1, exec(self, arguments));
  remove_file("no-end!");
}
