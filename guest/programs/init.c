/*
 * Process 1. With arguments it runs the program that they name and ends with that program's
 * status. Without any it runs the shell: again when that was killed, and until the shell exits,
 * whose status is init's own then. All the while it reaps whatever wait() gives, because orphans
 * are handed to it.
 *
 * Its own failures: 126 no process for the program, or a shell that does not stay alive; 127 no
 * such program.
 */
#include "holstein.h"

/* The status of a process that was killed. */
#define KILLED (-1)

/* A shell that is killed within so many ticks, so many times in a row, is not started again. */
#define SHORT_LIFE 10
#define SHORT_LIVES 5

/* The console's device numbers. */
#define CONSOLE_MAJOR 1
#define CONSOLE_MINOR 0

/* Runs the first of these programs that there is, to its end; gives its status. */
static int run(const char *const programs[], char *argv[]) {
  int pid = fork();
  if (pid < 0) {
    fprintf(2, "init: cannot fork\n");
    return 126;
  }
  if (pid == 0) {
    for (int i = 0; programs[i] != 0; i++) exec(programs[i], argv);
    fprintf(2, "init: cannot run %s\n", programs[0]);
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

static int is_open(int fd) {
  int copy = dup(fd);
  if (copy >= 0) close(copy);
  return copy >= 0;
}

/* Makes descriptors 0, 1 and 2 the console where they are not open: some kernels start process 1 without. */
static void open_console(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (is_open(fd) || open("/console", O_RDWR) >= 0) continue;
    mknod("/console", CONSOLE_MAJOR, CONSOLE_MINOR);
    open("/console", O_RDWR);
  }
}

static int run_shell(void) {
  /* Among programs in the root folder, or where that is somebody's own and programs are in /bin. */
  static const char *const shells[] = {"/sh", "/bin/sh", 0};
  static char *argv[] = {"sh", 0};
  for (int short_lives = 0; short_lives < SHORT_LIVES;) {
    int started = uptime();
    int status = run(shells, argv);
    if (status != KILLED) return status;
    short_lives = uptime() - started < SHORT_LIFE ? short_lives + 1 : 0;
    fprintf(2, "init: the shell was killed\n");
  }
  fprintf(2, "init: that was %d times at once: no other is started\n", SHORT_LIVES);
  return 126;
}

int main(int argc, char *argv[]) {
  if (argc < 2) {
    open_console();
    return run_shell();
  }
  const char *const programs[] = {argv[1], 0};
  return run(programs, argv + 1);
}
