/*
 * Jobs in the background. They are not this process's children: what is pressed to end the job in
 * the foreground ends all that descend from the shell, and its wait() should find only what it
 * waits for. So a job is given to init, by a process between that exits at once:
 *
 *   shell ── between (exits) ── keeper ── job
 *
 * The keeper is what init adopts. It is there for `wait`: it holds the writing end of a pipe
 * while its job runs, and the shell, which holds the reading end, finds that at its end when no
 * keeper is left. The job itself has nothing of that.
 *
 * The number that is told, for `$!` and kill, is the program's where the job is one command, else
 * that of a shell which runs the job: killing that one leaves the programs that it started.
 */
#include "sh.h"

int last_background;

/*
 * The pipe that keepers hold the writing end of. The shell holds both while it may start more
 * jobs, -1 if there are none; after a `wait` that was killed, only the reading end.
 */
static int keepers[2] = {-1, -1};

static void close_if_open(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

void forget_background(void) {
  close_if_open(&keepers[0]);
  close_if_open(&keepers[1]);
}

/* Reads until nobody has the writing end. */
static void await_end(int fd) {
  char byte;
  while (read(fd, &byte, 1) > 0) continue;
}

/* Makes descriptor 0 one that is at its end: the shell's own is for the shell. */
static void have_no_input(void) {
  int ends[2];
  if (pipe(ends) < 0) {
    fprintf(2, "sh: no pipe is left\n");
    exit(CANNOT_RUN);
  }
  close(ends[1]);
  move_descriptor(ends[0], 0);
}

/*
 * What the keeper does: starts the job, says its number to the shell, and lasts as long as the job
 * does, and as the jobs whose keepers hold the pipe that `earlier` reads.
 */
__attribute__((noreturn)) static void keep(const struct job *job, const int held[2], int earlier, int tell) {
  close(held[0]);
  int pid = fork();
  if (pid == 0) {
    close(held[1]);
    close(tell);
    if (earlier >= 0) close(earlier);
    keepers[0] = keepers[1] = -1;
    have_no_input();
    run_pipelines(job->pipelines, ENDS_HERE);
    exit(last_status);
  }
  if (pid > 0) write(tell, &pid, sizeof pid);
  close(tell);
  wait_for(&pid, pid > 0);
  if (earlier >= 0) await_end(earlier);
  exit(0);
}

/* Starts job and keeper; gives the job's number, -1 where no process could be had. */
static int start(const struct job *job, const int held[2], int earlier) {
  int told[2], pid = -1;
  if (pipe(told) < 0) return -1;
  int between = fork();
  if (between == 0) {
    close(told[0]);
    interactive = 0;
    close_if_open(&script);
    if (fork() == 0) keep(job, held, earlier, told[1]);
    exit(0);
  }
  close(told[1]);
  if (between > 0) wait_for(&between, 1);
  /* At its end without a number if any of the three has failed. */
  if (read(told[0], &pid, sizeof pid) != sizeof pid) pid = -1;
  close(told[0]);
  return pid;
}

int start_in_background(const struct job *job) {
  int held[2] = {keepers[0], keepers[1]};
  int earlier = -1;
  if (keepers[1] < 0) {
    earlier = keepers[0];
    if (pipe(held) < 0) {
      fprintf(2, "sh: no pipe is left\n");
      return CANNOT_RUN;
    }
  }
  int pid = start(job, held, earlier);
  if (pid < 0) {
    if (keepers[1] < 0) {
      close(held[0]);
      close(held[1]);
    }
    fprintf(2, "sh: cannot fork\n");
    return CANNOT_RUN;
  }
  if (earlier >= 0) close(earlier);
  keepers[0] = held[0];
  keepers[1] = held[1];
  last_background = pid;
  if (interactive) fprintf(2, "[%d]\n", pid);
  return 0;
}

int wait_for_background(void) {
  if (keepers[0] < 0) return 0;
  close_if_open(&keepers[1]);
  /* A child does the waiting, so that it can be killed where the shell is not. */
  int pid = fork();
  if (pid == 0) {
    await_end(keepers[0]);
    exit(0);
  }
  if (pid < 0) {
    fprintf(2, "sh: cannot fork\n");
    return CANNOT_RUN;
  }
  int status = wait_for(&pid, 1);
  if (status == 0) close_if_open(&keepers[0]);
  return status;
}
