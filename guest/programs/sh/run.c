/* Running what has been parsed. */
#include "sh.h"

int last_status;
int interactive;
int script = -1;

/* ---- Processes ---- */

int fork_command(void) {
  int pid = fork();
  if (pid < 0) fprintf(2, "sh: cannot fork\n");
  if (pid != 0) return pid;
  interactive = 0;
  if (script >= 0) close(script);
  script = -1;
  forget_background();
  return 0;
}

int wait_for(int *pids, int count) {
  int status = 0, result = 0;
  for (int left = count; left > 0;) {
    int ended = wait(&status);
    if (ended < 0) return CANNOT_RUN;
    /* Another child may be one that this process had before it became a shell, or an orphan. */
    for (int i = 0; i < count; i++) {
      if (pids[i] != ended) continue;
      pids[i] = 0;
      left--;
      if (i == count - 1) result = status;
    }
  }
  return result;
}

/* ---- Programs ---- */

/* What has been found under a program's name, of what could not be run: a type of struct stat. */
static short found;

/* Becomes the program at folder and name, if there is one. */
static void try_program(const char *folder, const char *name) {
  static char path[PATH_MOST + 1];
  struct stat status;
  size_t length = strlen(folder);
  if (length + strlen(name) > PATH_MOST) return;
  strcpy(path, folder);
  strcpy(path + length, name);
  exec(path, arguments);
  if (stat(path, &status) == 0 && found != TYPE_FILE) found = status.type;
}

/* Becomes the program that `arguments` name, or says why not. */
__attribute__((noreturn)) static void become_program(void) {
  const char *name = arguments[0];
  if (strchr(name, '/') == 0 && name[0] != 0) {
    try_program("/", name);
    try_program("/bin/", name);
  }
  if (name[0] != 0) try_program("", name);
  if (found == 0) {
    fprintf(2, "sh: %s: not found\n", name);
    exit(NOT_FOUND);
  }
  const char *why = found == TYPE_DIRECTORY ? "it is a directory" : "it is no program, or memory is short";
  fprintf(2, "sh: %s: cannot run: %s\n", name, why);
  exit(CANNOT_RUN);
}

/* ---- Commands ---- */

/* Runs a command in this process, which ends with it. */
__attribute__((noreturn)) static void become(const struct command *command) {
  if (expand_arguments(command) < 0) exit(CANNOT_RUN);
  if (redirect(command->redirections) < 0) exit(REDIRECTION_FAILED);
  if (command->inside != 0) run_jobs(command->inside, ENDS_HERE);
  if (argument_count == 0) exit(0);
  if (is_builtin()) exit(run_builtin());
  become_program();
}

/* Runs one of the shell's own commands, or redirections alone, in the shell. */
static int run_here(const struct command *command) {
  int saved[3], status = REDIRECTION_FAILED;
  if (redirect_for_now(command->redirections, saved) == 0) status = argument_count == 0 ? 0 : run_builtin();
  put_back(saved);
  return status;
}

static int run_command(const struct command *command) {
  if (command->inside == 0) {
    if (expand_arguments(command) < 0) return CANNOT_RUN;
    if (argument_count == 0 || is_builtin()) return run_here(command);
  }
  int pid = fork_command();
  if (pid == 0) become(command);
  return pid < 0 ? CANNOT_RUN : wait_for(&pid, 1);
}

/*
 * Starts a command that reads `input`, unless that is -1, and gives its number. Puts what reads
 * its output into `output`, -1 if it is the last. -1: no pipe or no process could be had.
 */
static int start_in_pipe(const struct command *command, int input, int *output) {
  int ends[2] = {-1, -1};
  if (command->next != 0 && pipe(ends) < 0) {
    fprintf(2, "sh: no pipe is left\n");
    return -1;
  }
  int pid = fork_command();
  if (pid == 0) {
    if (input >= 0) move_descriptor(input, 0);
    if (ends[0] >= 0) close(ends[0]);
    if (ends[1] >= 0) move_descriptor(ends[1], 1);
    become(command);
  }
  if (ends[1] >= 0) close(ends[1]);
  *output = ends[0];
  return pid;
}

static int run_pipe(const struct command *command) {
  static int pids[COMMANDS_MOST];
  int count = 0, input = -1, pid = 0;
  for (; command != 0 && pid >= 0; command = command->next) {
    int output = -1;
    pid = start_in_pipe(command, input, &output);
    if (input >= 0) close(input);
    input = output;
    if (pid >= 0) pids[count++] = pid;
  }
  if (input >= 0) close(input);
  int status = wait_for(pids, count);
  return pid < 0 ? CANNOT_RUN : status;
}

/* ---- Lists ---- */

/* Whether what has just run was killed, so that what is left of its line is not to run. */
static int given_up(void) {
  return interactive && last_status == KILLED;
}

static int applies(enum condition condition) {
  return condition == ALWAYS || (condition == IF_GOOD) == (last_status == 0);
}

void run_pipelines(const struct pipeline *pipeline, enum ending ending) {
  for (; pipeline != 0; pipeline = pipeline->next) {
    if (!applies(pipeline->condition)) continue;
    const struct command *first = pipeline->commands;
    if (first->next != 0) last_status = run_pipe(first);
    else if (ending == ENDS_HERE && pipeline->next == 0) become(first);
    else last_status = run_command(first);
    if (given_up()) return;
  }
}

void run_jobs(const struct job *job, enum ending ending) {
  for (; job != 0; job = job->next) {
    if (job->in_background) {
      last_status = start_in_background(job);
      continue;
    }
    run_pipelines(job->pipelines, job->next == 0 ? ending : COMES_BACK);
    if (given_up()) break;
  }
  if (ending == ENDS_HERE) exit(last_status);
}
