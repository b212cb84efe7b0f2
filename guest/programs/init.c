/*
 * Process 1: runs the program that its arguments name and ends with that program's status.
 * Until then it reaps whatever wait() gives, because orphans are handed to it.
 *
 * Its own failures: 2 nothing to run, 126 no process for it, 127 no such program.
 */
#include "holstein.h"

int main(int argc, char *argv[]) {
  if (argc < 2) {
    fprintf(2, "init: say which program to run: init PROGRAM ARGUMENTS...\n");
    return 2;
  }

  int pid = fork();
  if (pid < 0) {
    fprintf(2, "init: cannot fork\n");
    return 126;
  }
  if (pid == 0) {
    exec(argv[1], argv + 1);
    fprintf(2, "init: cannot run %s\n", argv[1]);
    exit(127);
  }

  for (;;) {
    int status = 0;
    int ended = wait(&status);
    if (ended == pid) return status;
    if (ended < 0) {
      fprintf(2, "init: lost process %d\n", pid);
      return 126;
    }
  }
}
