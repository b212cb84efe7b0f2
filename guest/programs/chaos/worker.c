/*
 * A process that makes random calls, and what it knows must be true of each answer: which
 * descriptors it has, where its break is, who it is, how many children, and what its memory holds.
 */
#include "chaos.h"

#define LOOKS_EVERY 64

struct worker worker;

void end_with_complaint(void) {
  static const char mark = COMPLAINT;
  write(REPORT, &mark, 1);
  exit(1);
}

/* ---- What must be so ---- */

static int lowest_free(unsigned open) {
  for (int fd = 0; fd < DESCRIPTORS; fd++) {
    if ((open >> fd & 1) == 0) return fd;
  }
  return -1;
}

static int is_open(long argument) {
  int fd = (int)argument;
  return fd >= 0 && fd < DESCRIPTORS && (worker.open >> fd & 1) != 0;
}

static void show(const struct call *call, long result) {
  const long *a = call->arguments;
  complain("call %ld of (0x%lx, 0x%lx, 0x%lx) gave %ld", call->number, a[0], a[1], a[2], result);
}

static void opened(int fd, int is_a_pipe) {
  worker.open |= 1U << fd;
  worker.pipes = (worker.pipes & ~(1U << fd)) | (unsigned)is_a_pipe << fd;
}

/* A new descriptor is the lowest that was free. */
static void check_opened(const struct call *call, long result, int is_a_pipe) {
  if (result == -1) return;
  if (result != lowest_free(worker.open)) show(call, result);
  opened((int)result, is_a_pipe);
}

static void check_pipe(const struct call *call, long result) {
  if (result == -1) return;
  int fds[2];
  memcpy(fds, (const void *)call->arguments[0], sizeof fds);
  for (int i = 0; i < 2; i++) {
    if (fds[i] != lowest_free(worker.open)) show(call, fds[i]);
    opened(fds[i], 1);
  }
  if (result != 0) show(call, result);
}

static void check_moved(const struct call *call, long result) {
  long count = (int)call->arguments[2];
  /* Of a count that is none xv6 takes the lower half, as a very large one. */
  if (result < -1 || (result > 0 && count >= 0 && result > count && result > call->arguments[2])) show(call, result);
  if (result > 0 && !is_open(call->arguments[0])) show(call, result);
}

static void check_wait(const struct call *call, long result) {
  if (result == -1) return;
  if (result <= 0 || worker.children == 0) show(call, result);
  worker.children--;
}

/*
 * Paths lead upwards by two at most, so this near to the root the working directory must not be;
 * nor where that cannot be told.
 */
static void stay_below(void) {
  static const char *const ups[] = {".", "..", "../.."};
  struct stat root, status;
  int below_all = stat("/", &root) == 0;
  for (int i = 0; i < 3 && below_all; i++) below_all = stat(ups[i], &status) == 0 && status.inode != root.inode;
  if (!below_all && chdir(HOME) != 0) exit(0);
}

/* A call that failed may have written some of it too. */
static void forget_written(const struct call *call) {
  int argument = written_argument((int)call->number);
  if (argument < 0) return;
  unsigned long from = (unsigned long)call->arguments[argument], size = sizeof(struct stat);
  if ((int)call->number == READ) size = (unsigned long)call->arguments[2];
  if ((int)call->number == INSPECT) size = (unsigned long)call->arguments[3];
  /* Of a size that xv6 takes the lower half of, all may be written. */
  forget_heap(from, size > 1UL << 20 ? -1UL : from + size);
}

static void check_result(const struct call *call, long result) {
  static long last_uptime;
  forget_written(call);
  switch ((int)call->number) {
    case FORK:
      if (result < -1 || result == worker.pid) show(call, result);
      if (result > 0) worker.children++;
      break;
    case WAIT:
      check_wait(call, result);
      break;
    case PIPE:
      check_pipe(call, result);
      break;
    case READ:
    case WRITE:
      check_moved(call, result);
      break;
    case DUP:
      if (result != -1 && !is_open(call->arguments[0])) show(call, result);
      if (result == -1 && is_open(call->arguments[0]) && lowest_free(worker.open) != -1) show(call, result);
      check_opened(call, result, (int)(worker.pipes >> (call->arguments[0] & 15) & 1));
      break;
    case OPEN:
      check_opened(call, result, 0);
      break;
    case CLOSE:
      if (result != (is_open(call->arguments[0]) ? 0 : -1)) show(call, result);
      if (result == 0) worker.open &= ~(1U << (int)call->arguments[0]);
      break;
    case FSTAT:
      if (result != -1 && (result != 0 || !is_open(call->arguments[0]))) show(call, result);
      break;
    case CHDIR:
      if (result == 0) stay_below();
      /* fall through */
    case KILL:
    case SLEEP:
    case MKNOD:
    case UNLINK:
    case LINK:
    case MKDIR:
      if (result != 0 && result != -1) show(call, result);
      break;
    case GETPID:
      if (result != worker.pid) show(call, result);
      break;
    case SBRK:
      moved_break(call->arguments[0], (char *)result);
      break;
    case UPTIME:
      if (result < last_uptime) show(call, result);
      last_uptime = result;
      break;
    case INSPECT:
      if (result < -1 || (result > 0 && result > call->arguments[3])) show(call, result);
      break;
    default:
      /* EXEC came back, or there is no such call. */
      if (result != -1) show(call, result);
  }
}

/* ---- Making calls ---- */

static void count_call(void) {
  worker.calls++;
  worker.budget--;
  if (worker.calls - worker.reported < CALLS_A_REPORT) return;
  static const char mark = SOME_CALLS;
  worker.reported += CALLS_A_REPORT;
  write(REPORT, &mark, 1);
}

/* The child has everything that its parent has but the children, and part of the calls. */
static void become_child(int budget, unsigned long random) {
  worker.pid = getpid();
  worker.random = random | 1;
  worker.budget = budget;
  worker.is_first = 0;
  worker.children = 0;
  worker.calls = worker.reported = 0;
}

static void make_call(struct call *call) {
  int share = worker.budget / 3;
  unsigned long childs_random = next_random();
  if ((int)call->number == FORK) worker.budget -= share;
  count_call();
  long result = system_call(call->number, call->arguments);
  if ((int)call->number == FORK && result == 0) {
    become_child(share, childs_random);
    check_memory();
  } else {
    check_result(call, result);
  }
}

/* The program that only prints. What it says of a descriptor that cannot be written nobody is to read. */
static void run_echo(void) {
  int pid = fork();
  worker.budget -= 2;
  if (pid > 0) worker.children++;
  if (pid != 0) return;
  char *arguments[] = {"echo", (char *)(unsigned long)worker.self, "", scratch, 0};
  scratch[100] = 0;
  close(COMPLAINTS);
  exec("/echo", arguments);
  exec("/bin/echo", arguments);
  exit(0);
}

void work(void) {
  struct call call;
  while (worker.budget > 0) {
    use_memory();
    if (worker.calls % LOOKS_EVERY == 0) check_memory();
    if (once_in(200)) run_echo();
    draw_call(&call);
    make_call(&call);
  }
  check_memory();
  exit((int)next_random());
}
