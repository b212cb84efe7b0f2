/*
 * What the benchmark of the kernel runs: `kbench NAME COUNT` does one thing so many times, says
 * so, and ends. Time is taken by whoever started it, here and on a real xv6 kernel alike.
 *
 *   null   a system call that does nothing: getpid
 *   fork   fork, exit in the child, wait
 *   exec   as fork, but the child executes a program that returns at once
 *   pipe   512 bytes written by one process and read by another
 *   file   a file of 64 KiB created, written, read and unlinked
 *   cow    a fork whose child stores to 64 pages that it shares with its parent
 *   touch  64 new pages touched for the first time, and given back
 */
#include "testing.h"
#include "tools.h"

#define PIECE 512
#define FILE_PIECE 4096
#define FILE_PIECES 16
#define PAGES 64

static const char usage[] = "kbench null|fork|exec|pipe|file|cow|touch COUNT";

static const char *self;
static char bytes[FILE_PIECE];

static void null_calls(long count) {
  int pid = getpid();
  for (long i = 0; i < count; i++) {
    if (getpid() != pid) fail("getpid gave another number");
  }
}

static void forks(long count) {
  for (long i = 0; i < count; i++) {
    int pid = fork_child();
    if (pid == 0) exit((int)i);
    reap("child", pid, (int)i);
  }
}

static void execs(long count) {
  char *arguments[] = {"kbench", "--return", 0};
  for (long i = 0; i < count; i++) {
    int pid = fork_child();
    if (pid == 0) {
      exec(self, arguments);
      fail("exec of %s came back", self);
    }
    reap("program", pid, 77);
  }
}

static void pipes(long count) {
  int fds[2];
  make_pipe(fds);
  int pid = fork_child();
  if (pid == 0) {
    close(fds[0]);
    for (long i = 0; i < count; i++) expect("write to a pipe", PIECE, write(fds[1], bytes, PIECE));
    exit(7);
  }
  close(fds[1]);
  long total = 0, got;
  while ((got = read(fds[0], bytes, PIECE)) > 0) total += got;
  expect("bytes through a pipe", count * PIECE, total);
  close(fds[0]);
  reap("writer", pid, 7);
}

static void files(long count) {
  for (long i = 0; i < count; i++) {
    int fd = open("/kbench.tmp", O_CREATE | O_TRUNC | O_WRONLY);
    if (fd < 0) fail("/kbench.tmp cannot be created");
    for (int piece = 0; piece < FILE_PIECES; piece++) {
      bytes[0] = (char)(i + piece);
      expect("write to a file", FILE_PIECE, write(fd, bytes, FILE_PIECE));
    }
    close(fd);
    fd = open("/kbench.tmp", O_RDONLY);
    for (int piece = 0; piece < FILE_PIECES; piece++) {
      expect("read of a file", FILE_PIECE, read(fd, bytes, FILE_PIECE));
      expect("byte of a file", (char)(i + piece), bytes[0]);
    }
    close(fd);
    expect("unlink", 0, unlink("/kbench.tmp"));
  }
}

static void copies(long count) {
  char *start = sbrk(PAGES * PAGE_SIZE);
  if (start == SBRK_FAILED) fail("no memory");
  for (long page = 0; page < PAGES; page++) start[page * PAGE_SIZE] = 'p';
  for (long i = 0; i < count; i++) {
    int pid = fork_child();
    if (pid == 0) {
      for (long page = 0; page < PAGES; page++) start[page * PAGE_SIZE] += 1;
      exit(7);
    }
    reap("child that writes", pid, 7);
  }
  for (long page = 0; page < PAGES; page++) expect("parent's byte", 'p', start[page * PAGE_SIZE]);
}

static void touches(long count) {
  for (long i = 0; i < count; i++) {
    char *start = sbrk_lazy(PAGES * PAGE_SIZE);
    if (start == SBRK_FAILED) fail("no memory");
    for (long page = 0; page < PAGES; page++) {
      expect("byte of a new page", 0, start[page * PAGE_SIZE]);
      start[page * PAGE_SIZE] = 1;
    }
    if (sbrk(-PAGES * PAGE_SIZE) == SBRK_FAILED) fail("memory cannot be given back");
  }
}

static const struct {
  const char *name;
  void (*run)(long count);
} benchmarks[] = {
    {"null", null_calls}, {"fork", forks}, {"exec", execs},    {"pipe", pipes},
    {"file", files},      {"cow", copies}, {"touch", touches},
};

int main(int argc, char *argv[]) {
  long count;
  test_program_name = "kbench";
  if (argc == 2 && strcmp(argv[1], "--return") == 0) return 77;
  if (argc != 3 || !parse_number(argv[2], &count) || count < 1) end_with_usage(usage);
  self = find_program(argv[0]);
  for (unsigned i = 0; i < sizeof benchmarks / sizeof benchmarks[0]; i++) {
    if (strcmp(argv[1], benchmarks[i].name) != 0) continue;
    test_case_name = benchmarks[i].name;
    benchmarks[i].run(count);
    printf("kbench: %s %ld ok\n", argv[1], count);
    return 0;
  }
  end_with_usage(usage);
}
