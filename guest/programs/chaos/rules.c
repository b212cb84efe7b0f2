/*
 * The calls that are not made, because they would end or stall the test, or leave something behind,
 * without telling anything about the kernel. Everything else may come.
 */
#include "chaos.h"

#define CONSOLE_MAJOR 1
#define MOST_TICKS 1

int written_argument(int number) {
  switch (number) {
    case WAIT:
    case PIPE:
      return 0;
    case READ:
    case FSTAT:
      return 1;
    case INSPECT:
      return 2;
    default:
      return -1;
  }
}

/* Parts of a path that lead upwards. */
static int steps_up(const char *path) {
  int steps = 0;
  for (const char *at = path; *at != 0; at++) {
    int begins = at == path || at[-1] == '/';
    if (begins && at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == 0)) steps++;
  }
  return steps;
}

static int starts_with(const char *text, const char *start) {
  while (*start != 0) {
    if (*text++ != *start++) return 0;
  }
  return 1;
}

/* Whether a path leads to where everything is removed in the end. A path that cannot be read leads nowhere. */
static int stays_in_room(unsigned long address) {
  static char path[PATH_MOST + 1];
  for (int length = 0; length <= PATH_MOST; length++) {
    if (!is_readable(address + (unsigned long)length)) return 1;
    path[length] = *(const char *)(address + (unsigned long)length);
    if (path[length] != 0) continue;
    if (path[0] == '/') return path[1] == 0 || (starts_with(path, ROOM "/") && steps_up(path) == 0);
    return steps_up(path) <= 2;
  }
  return 1;
}

static int is_path(int number, int argument) {
  switch (number) {
    case EXEC:
    case CHDIR:
    case OPEN:
    case MKNOD:
    case UNLINK:
    case MKDIR:
      return argument == 0;
    case LINK:
      return argument <= 1;
    default:
      return 0;
  }
}

static int is_descriptor(int number) {
  return number == READ || number == WRITE || number == FSTAT || number == DUP || number == CLOSE;
}

static int is_pipe(int fd) {
  return fd >= 0 && fd < DESCRIPTORS && (worker.pipes >> fd & 1) != 0;
}

/* Whether sbrk would take what this process stands on, by the whole number or by its lower half. */
static int cuts_own(long bytes) {
  long size = (long)heap_end, floor = (long)(scratch + SCRATCH_SIZE);
  long whole = size + bytes, half = size + (int)bytes;
  return (whole >= 0 && whole < floor) || (half >= 0 && half < floor);
}

const char *forbidden(const struct call *call) {
  int number = (int)call->number, first = (int)call->arguments[0];
  const long *arguments = call->arguments;

  if (is_descriptor(number) && (first == COMPLAINTS || first == REPORT)) return "what goes wrong must be told";
  if (is_descriptor(number) && is_pipe(first) && number != FSTAT && number != DUP && number != CLOSE && !once_in(8)) {
    return "it would mostly wait for ever, until the supervisor's patience is over";
  }
  int written = written_argument(number);
  if (written >= 0 && is_own((unsigned long)arguments[written])) {
    return "the program could not tell what others did to its variables from what it did itself";
  }
  for (int i = 0; i < 2; i++) {
    if (is_path(number, i) && !(number == EXEC && arguments[0] == (long)worker.self) &&
        !stays_in_room((unsigned long)arguments[i])) {
      return "it may lead to files that are not this program's";
    }
  }
  if (number == MKNOD && (short)arguments[1] == CONSOLE_MAJOR) return "reading the console waits for somebody to type";
  if (number == SLEEP && first > MOST_TICKS) return "it is only time";
  if (number == KILL && first > 0 && first <= worker.first_pid) {
    return "process 1, the shell and the supervisor must live";
  }
  if (number == SBRK && cuts_own(arguments[0])) return "the process would end at once: selftest does that";
  if (number == EXIT && worker.is_first && !once_in(16)) {
    return "the processes that have most calls to make would make few";
  }
  return 0;
}
