/*
 * The host's own fork, for bench/fork.mjs: a line "MEBIBYTES FORKS forks|writes" on standard input is answered by a line
 * of JSON.
 *
 * A private anonymous mapping of that size, in pages of 4 KiB, is written, and then forked:
 *
 *      forks     nanoseconds that the parent spends in fork(); its child exits at once
 *      groups    nanoseconds that a child takes to write to each page for the first time, GROUP pages at a time
 *      exit      nanoseconds from that child's _exit until the parent has waited for it
 *      exitIdle  the same of a child that has written nothing
 *
 * The last three are there where "writes" was asked for. The program lives on from line to line, so that only it is
 * ever forked, never the bench with its RAM.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, GROUP = 16 };

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void *map(size_t bytes, int sharing) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap");
  madvise(memory, bytes, MADV_NOHUGEPAGE);
  return memory;
}

static int64_t *times; /* shared with children: [0] when the child exited, then its groups */

/* Forks, and lets the child write the first `pages` pages. Returns the time from its _exit to its end. */
static int64_t child(volatile char *memory, size_t pages) {
  pid_t pid = fork();
  if (pid < 0) fail("fork");
  if (pid == 0) {
    int64_t before = now();
    for (size_t page = 0; page < pages; page++) {
      memory[page * PAGE] = 2;
      if (page % GROUP != GROUP - 1) continue;
      int64_t after = now();
      times[1 + page / GROUP] = after - before;
      before = now();
    }
    times[0] = now();
    _exit(0);
  }
  if (waitpid(pid, NULL, 0) < 0) fail("waitpid");
  return now() - times[0];
}

static void measure(size_t mebibytes, int forks, int writes) {
  size_t bytes = mebibytes << 20, pages = bytes / PAGE;
  volatile char *memory = map(bytes, MAP_PRIVATE);
  times = map((1 + pages / GROUP) * sizeof *times, MAP_SHARED);
  for (size_t page = 0; page < pages; page++) memory[page * PAGE] = 1;
  printf("{\"forks\":[");
  for (int count = 0; count < forks; count++) {
    int64_t before = now();
    pid_t pid = fork();
    if (pid == 0) _exit(0);
    int64_t after = now();
    if (pid < 0) fail("fork");
    if (waitpid(pid, NULL, 0) < 0) fail("waitpid");
    printf("%s%lld", count > 0 ? "," : "", (long long)(after - before));
  }
  printf("]");
  if (writes) {
    for (size_t group = 0; group < pages / GROUP; group++) times[1 + group] = 0;
    int64_t end = child(memory, pages);
    printf(",\"groups\":[");
    for (size_t group = 0; group < pages / GROUP; group++)
      printf("%s%lld", group > 0 ? "," : "", (long long)times[1 + group]);
    printf("],\"exit\":%lld", (long long)end);
    printf(",\"exitIdle\":%lld", (long long)child(memory, 0));
  }
  /* Before the answer is whole: whoever gets it measures something else next. */
  munmap((void *)memory, bytes);
  munmap(times, (1 + pages / GROUP) * sizeof *times);
  printf("}\n");
  fflush(stdout);
}

int main(void) {
  long mebibytes;
  int forks;
  char what[8];
  while (scanf("%ld %d %7s", &mebibytes, &forks, what) == 3) measure(mebibytes, forks, what[0] == 'w');
  return 0;
}
