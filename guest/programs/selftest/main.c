/*
 * The system calls and the faults that kill, tried one by one.
 *
 * Each case runs in a process of its own, which must end with one status that means it came to
 * its end: a case that crashes, hangs up or leaves early does not pass. What a case does to its
 * descriptors, its heap and its children ends with it.
 *
 * Arguments are names of cases; without any, all run. With --echo-args this is another program,
 * the one that the exec cases start.
 */
#include "selftest.h"

/* What a case's process ends with when it came to its end. */
#define CASE_DONE 42

char *self;

/* Free memory before the first case; the last compares. Not run in a child, whose fork takes some. */
static long free_at_start;

static void memory(void) {
  expect("free memory after all cases", free_at_start, free_bytes());
}

static const struct test_case cases[] = {
    {"exit-status", 1, exit_status},
    {"exit-from-main", 1, exit_from_main},
    {"wait-null", 1, wait_null},
    {"wait-no-children", 1, wait_no_children},
    {"wait-any-order", 1, wait_any_order},
    {"getpid", 1, getpid_unique},
    {"orphans", 1, orphans},
    {"pipe-blocked-writer", 1, pipe_blocked_writer},
    {"pipe-blocked-reader", 1, pipe_blocked_reader},
    {"pipe-end", 1, pipe_end},
    {"pipe-no-reader", 1, pipe_no_reader},
    {"descriptor-lowest", 1, descriptor_lowest},
    {"descriptor-dup", 1, descriptor_dup},
    {"descriptor-bad", 1, descriptor_bad},
    {"descriptor-limit", 1, descriptor_limit},
    {"negative-length", 1, negative_length},
    {"kill-sleeper", 1, kill_sleeper},
    {"kill-spinner", 1, kill_spinner},
    {"kill-reader", 1, kill_reader},
    {"kill-writer", 1, kill_writer},
    {"kill-waiter", 1, kill_waiter},
    {"kill-missing", 1, kill_missing},
    {"sbrk-zeros", 1, sbrk_zeros},
    {"sbrk-odd-sizes", 1, sbrk_odd_sizes},
    {"sbrk-below-zero", 1, sbrk_below_zero},
    {"sbrk-too-much", 1, sbrk_too_much},
    {"sleep-uptime", 1, sleep_uptime},
    {"exec-arguments", 1, exec_arguments},
    {"exec-most-arguments", 1, exec_most_arguments},
    {"exec-large-arguments", 1, exec_large_arguments},
    {"exec-missing", 1, exec_missing},
    {"exec-fresh", 1, exec_fresh},
    {"bad-read", 1, bad_read},
    {"bad-write", 1, bad_write},
    {"bad-pipe", 1, bad_pipe},
    {"bad-wait", 1, bad_wait},
    {"bad-open", 1, bad_open},
    {"bad-exec", 1, bad_exec},
    {"bad-string", 1, bad_string},
    {"fault-store-text", 1, fault_store_text},
    {"fault-above-break", 1, fault_above_break},
    {"fault-guard-page", 1, fault_guard_page},
    {"fault-stack-overflow", 1, fault_stack_overflow},
    {"fault-nowhere", 1, fault_nowhere},
    {"fault-jump-data", 1, fault_jump_data},
    {"fault-jump-nowhere", 1, fault_jump_nowhere},
    {"fault-null-call", 1, fault_null_call},
    {"fault-illegal", 1, fault_illegal},
    {"fault-breakpoint", 1, fault_breakpoint},
    {"memory", 1, memory},
};

static void run_in_child(const struct test_case *test) {
  if (test->run == memory) {
    memory();
    return;
  }
  int status = 0, ended;
  int pid = fork_child();
  if (pid == 0) {
    test->run();
    exit(CASE_DONE);
  }
  /* Run as process 1, this program is given the orphans that its cases make. */
  do ended = wait(&status);
  while (ended != pid && ended > 0 && getpid() == 1);
  expect("wait for the case", pid, ended);
  if (status == 1) exit(1); /* The case has said what is wrong. */
  expect("exit status of the case", CASE_DONE, status);
}

/* Lets the kernel allocate what it makes once and keeps, so that only what is lost is missing later. */
static void warm_up(void) {
  char *arguments[] = {self, "--return", 0};
  touch_image();
  int pid = fork_child();
  if (pid == 0) {
    exec(self, arguments);
    fail("exec of %s came back", self);
  }
  reap("first child", pid, -77);
  touch_image();
  free_bytes();
  free_at_start = free_bytes();
}

int main(int argc, char *argv[]) {
  static const struct test_program program = {
      .name = "selftest",
      .title = "SELF",
      .cases = cases,
      .count = sizeof cases / sizeof cases[0],
      .run = run_in_child,
  };
  test_program_name = program.name;
  if (argc > 1 && strcmp(argv[1], "--echo-args") == 0) return echo_arguments(argc, argv);
  if (argc > 1 && strcmp(argv[1], "--return") == 0) return -77;
  if (argc > 1 && strcmp(argv[1], "--fresh") == 0) return report_fresh();
  self = argv[0];
  warm_up();
  return run_tests(&program, argc, argv);
}
