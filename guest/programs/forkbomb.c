/*
 * Forks until the kernel refuses, then shows that nothing was lost: each child is killed, each is
 * reaped once with status -1, and then there are no children.
 */
#include "holstein.h"

#define MOST 8192

static int children[MOST];

static int complain(const char *what, long expected, long got) {
  fprintf(2, "forkbomb: %s (expected %ld, got %ld)\n", what, expected, got);
  return 1;
}

int main(void) {
  int count = 0;
  while (count < MOST) {
    int pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      for (;;) sleep(1000);
    }
    children[count++] = pid;
  }
  if (count == MOST) return complain("fork never failed, processes", MOST - 1, MOST);

  for (int i = 0; i < count; i++) {
    int result = kill(children[i]);
    if (result != 0) return complain("kill", 0, result);
  }
  for (int reaped = 0; reaped < count; reaped++) {
    int status = 0;
    int pid = wait(&status);
    int i = 0;
    while (i < count && children[i] != pid) i++;
    if (i == count || pid <= 0) return complain("wait, number of children reaped", count, reaped);
    if (status != -1) return complain("exit status", -1, status);
    children[i] = 0;
  }
  int none = wait(0);
  if (none != -1) return complain("wait without children", -1, none);

  printf("forkbomb: %d processes, then fork said -1\n", count);
  return 0;
}
