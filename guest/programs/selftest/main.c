/*
 * The system calls, the faults that kill, and running out of everything, tried one by one.
 *
 * Each case runs in a process of its own, which must end with one status that means it came to
 * its end: a case that crashes, hangs up or leaves early does not pass. What a case does to its
 * descriptors, its heap and its children ends with it. It has a directory of its own for its files,
 * which it must leave empty; when one fails, what it has left there is removed.
 *
 * Arguments are names of cases; without any, all run. With --xv6 first, all run but those that
 * not every xv6 kernel passes. With --echo-args and the like this is another program, one that
 * the cases execute.
 */
#include "selftest.h"

/* What a case's process ends with when it came to its end. */
#define CASE_DONE 42

char *self;

/* Before the first case; the last ones compare. They do not run in a child, whose fork takes some. */
static long free_at_start, blocks_at_start;
static int inodes_at_start;

static void memory(void) {
  expect("free memory after all cases", free_at_start, free_bytes());
}

static void disk(void) {
  make_directory(WORK);
  enter(WORK);
  expect("inodes after all cases", inodes_at_start, free_inodes());
  expect("blocks after all cases", blocks_at_start, free_blocks());
  enter("/");
  remove_file(WORK);
}

static const struct test_case cases[] = {
    {"exit-status", 1, exit_status},
    {"exit-from-main", 1, exit_from_main},
    {"wait-null", 1, wait_null},
    {"wait-no-children", 1, wait_no_children},
    {"wait-any-order", 1, wait_any_order},
    {"getpid", 1, getpid_unique},
    {"orphans", 1, orphans},
    {"orphans-many", 1, orphans_many},
    {"fork-many", 1, fork_many},
    {"fork-tree", 1, fork_tree},
    {"fork-memory", 1, fork_memory},
    {"preemption", 1, preemption},
    {"unknown-call", 1, unknown_call},
    {"call-number-int", 1, call_number_int},
    {"registers-kept", 1, registers_kept},
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
    {"kill-zero", 1, kill_zero},
    {"kill-zombie", 1, kill_zombie},
    {"kill-self", 1, kill_self},
    {"kill-caller", 1, kill_caller},
    {"kill-closes", 1, kill_closes},
    {"sbrk-zeros", 1, sbrk_zeros},
    {"sbrk-odd-sizes", 1, sbrk_odd_sizes},
    {"sbrk-below-zero", 1, sbrk_below_zero},
    {"sbrk-too-much", 1, sbrk_too_much},
    {"sbrk-all-away", 1, sbrk_all_away},
    {"sbrk-given-back", 1, sbrk_given_back},
    {"lazy-grow", 1, lazy_grow},
    {"lazy-fork", 1, lazy_fork},
    {"lazy-calls", 1, lazy_calls},
    {"lazy-path", 1, lazy_path},
    {"lazy-shrink", 1, lazy_shrink},
    {"lazy-beyond", 1, lazy_beyond},
    {"lazy-limit", 1, lazy_limit},
    {"lazy-out-of-memory", 1, lazy_out_of_memory},
    {"sleep-uptime", 1, sleep_uptime},
    {"sleep-negative", 1, sleep_negative},
    {"exec-arguments", 1, exec_arguments},
    {"exec-most-arguments", 1, exec_most_arguments},
    {"exec-large-arguments", 1, exec_large_arguments},
    {"exec-missing", 1, exec_missing},
    {"exec-fresh", 1, exec_fresh},
    {"exec-bad-often", 1, exec_bad_often},
    {"exec-chain", 1, exec_chain},
    {"exec-no-program", 1, exec_no_program},
    {"exec-truncated", 1, exec_truncated},
    {"exec-copy", 1, exec_copy},
    {"exec-unlinked", 1, exec_unlinked},
    {"exec-overwritten", 1, exec_overwritten},
    {"exec-rewritten", 1, exec_rewritten},
    {"exec-data-private", 1, exec_data_private},
    {"bad-read", 1, bad_read},
    {"bad-write", 1, bad_write},
    {"bad-pipe", 1, bad_pipe},
    {"bad-wait", 1, bad_wait},
    {"bad-exec", 1, bad_exec},
    {"bad-path", 1, bad_path},
    {"bad-file", 1, bad_file},
    {"bad-half", 1, bad_half},
    {"bad-half-write", 1, bad_half_write},
    {"bad-text", 1, bad_text},
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
    {"file-create", 1, file_create},
    {"file-stat-bytes", 1, file_stat_bytes},
    {"file-shared-offset", 1, file_shared_offset},
    {"file-shared-writing", 1, file_shared_writing},
    {"file-two-openings", 1, file_two_openings},
    {"file-truncate", 1, file_truncate},
    {"file-create-existing", 1, file_create_existing},
    {"file-modes", 1, file_modes},
    {"file-sizes", 1, file_sizes},
    {"file-large-pieces", 1, file_large_pieces},
    {"file-largest", 1, file_largest},
    {"file-negative-length", 1, file_negative_length},
    {"file-many", 1, file_many},
    {"link-two-names", 1, link_two_names},
    {"link-elsewhere", 1, link_elsewhere},
    {"link-refused", 1, link_refused},
    {"link-count", 1, link_count},
    {"unlink-refused", 1, unlink_refused},
    {"unlinked-open", 1, unlinked_open},
    {"unlinked-shared", 1, unlinked_shared},
    {"unlinked-again", 1, unlinked_again},
    {"inode-again", 1, inode_again},
    {"directory-make", 1, directory_make},
    {"directory-links", 1, directory_links},
    {"directory-refused", 1, directory_refused},
    {"directory-dots", 1, directory_dots},
    {"directory-unlink", 1, directory_unlink},
    {"directory-holes", 1, directory_holes},
    {"directory-read-pieces", 1, directory_read_pieces},
    {"directory-deep", 1, directory_deep},
    {"directory-removed", 1, directory_removed},
    {"directory-removed-create", 1, directory_removed_create},
    {"directory-removed-parent", 1, directory_removed_parent},
    {"name-cut", 1, name_cut},
    {"name-bytes", 1, name_bytes},
    {"name-odd", 1, name_odd},
    {"path-slashes", 1, path_slashes},
    {"path-longest", 1, path_longest},
    {"path-empty", 1, path_empty},
    {"path-across-pages", 1, path_across_pages},
    {"device-console", 1, device_console},
    {"device-node", 1, device_node},
    {"device-refused", 1, device_refused},
    {"device-unknown", 1, device_unknown},
    {"chdir-relative", 1, chdir_relative},
    {"chdir-refused", 1, chdir_refused},
    {"chdir-forked", 1, chdir_forked},
    {"chdir-executed", 1, chdir_executed},
    {"concurrent-create", 1, concurrent_create},
    {"concurrent-name", 1, concurrent_name},
    {"concurrent-link", 1, concurrent_link},
    {"concurrent-append", 1, concurrent_append},
    {"concurrent-write", 1, concurrent_write},
    {"concurrent-rewrite", 1, concurrent_rewrite},
    {"concurrent-directory", 1, concurrent_directory},
    {"concurrent-pipe", 1, concurrent_pipe},
    {"open-files-limit", 1, open_files_limit},
    {"open-inodes-limit", 1, open_inodes_limit},
    {"process-limit", 1, process_limit},
    {"memory-limit", 1, memory_limit},
    {"memory-exec", 1, memory_exec},
    {"memory-fork", 1, memory_fork},
    {"memory-files", 1, memory_files},
    {"memory-writes", 1, memory_writes},
    {"directory-large", 1, directory_large},
    {"disk-bad-writes", 1, disk_bad_writes},
    {"inode-limit", 1, inode_limit},
    {"disk-full", 1, disk_full},
    {"disk", 1, disk},
    {"memory", 1, memory},
};

#define CASES ((int)(sizeof cases / sizeof cases[0]))

/* What some or all xv6 kernels lack, or are known to get wrong: left out by --xv6. */
static const struct {
  const char *name, *reason;
} beyond_xv6[] = {
    {"kill-zero", "it finds a free place of its table by the number 0"},
    {"sleep-negative", "until 2023 it took a negative number for a very large one"},
    {"bad-read", "a pipe gives 0, not -1"},
    {"bad-write", "a pipe and the console give 0, not -1"},
    {"bad-text", "until 2025 system calls write to text"},
    {"path-empty", "it leads to the working directory"},
    {"directory-removed-create", "what is made there is never freed"},
    {"directory-removed-parent", "it panics, or finds what came later: a directory does not keep its parent"},
    {"open-inodes-limit", "it panics"},
    {"lazy-grow", "all memory was taken at once until 2025"},
    {"lazy-fork", "as above"},
    {"lazy-path", "as above; and since, paths are read only from pages that are there"},
    {"lazy-shrink", "as above"},
    {"lazy-beyond", "as above"},
    {"lazy-limit", "as above; and since, it gives a heap beyond all addresses"},
    {"lazy-out-of-memory", "as above"},
};

/* The names of all other cases, as arguments. */
static int leave_out_beyond_xv6(char *argv[]) {
  int count = 1;
  for (int i = 0; i < CASES; i++) {
    int left_out = 0;
    for (unsigned j = 0; j < sizeof beyond_xv6 / sizeof beyond_xv6[0]; j++) {
      left_out |= strcmp(cases[i].name, beyond_xv6[j].name) == 0;
    }
    if (!left_out) argv[count++] = (char *)(unsigned long)cases[i].name;
  }
  return count;
}

static void run_in_child(const struct test_case *test) {
  if (test->run == memory || test->run == disk) {
    test->run();
    return;
  }
  int status = 0, ended;
  if (mkdir(WORK) != 0) fail("mkdir of %s (expected 0, got -1): is it there already?", WORK);
  int pid = fork_child();
  if (pid == 0) {
    enter(WORK);
    test->run();
    exit(CASE_DONE);
  }
  /* Run as process 1, this program is given the orphans that its cases make. */
  do ended = wait(&status);
  while (ended != pid && ended > 0 && getpid() == 1);
  int removed = unlink(WORK);
  if (removed != 0) remove_tree(WORK);
  expect("wait for the case", pid, ended);
  if (status == 1) exit(1); /* The case has said what is wrong. */
  expect("exit status of the case", CASE_DONE, status);
  expect("unlink of a directory that should be empty", 0, removed);
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
  make_directory(WORK);
  enter(WORK);
  make_file("first", 1, 5000);
  remove_file("first");
  enter("/");
  remove_file(WORK);
  touch_image();
  free_bytes();
}

static void measure(int argc, char *argv[]) {
  if (is_chosen("disk", argc, argv)) {
    make_directory(WORK);
    enter(WORK);
    inodes_at_start = free_inodes();
    blocks_at_start = free_blocks();
    enter("/");
    remove_file(WORK);
  }
  free_at_start = free_bytes();
}

/* The programs that cases execute, by their first argument; -1000 where it is none of them. */
static int run_as(int argc, char *argv[]) {
  if (strcmp(argv[1], "--echo-args") == 0) return echo_arguments(argc, argv);
  if (strcmp(argv[1], "--return") == 0) return -77;
  if (strcmp(argv[1], "--fresh") == 0) return report_fresh();
  if (strcmp(argv[1], "--chain") == 0) return follow_chain(argv);
  if (strcmp(argv[1], "--where") == 0) return report_where();
  if (strcmp(argv[1], "--hold") == 0) return hold();
  if (strcmp(argv[1], "--generation") == 0) return tell_generation();
  return -1000;
}

int main(int argc, char *argv[]) {
  static const struct test_program program = {
      .name = "selftest",
      .title = "SELF",
      .cases = cases,
      .count = CASES,
      .run = run_in_child,
  };
  static char *names[CASES + 1];
  test_program_name = program.name;
  if (argc > 1) {
    int result = run_as(argc, argv);
    if (result != -1000) return result;
  }
  self = (char *)(unsigned long)find_program(argv[0]);
  if (argc == 2 && strcmp(argv[1], "--xv6") == 0) {
    argc = leave_out_beyond_xv6(names);
    argv = names;
  }
  enter("/");
  warm_up();
  measure(argc, argv);
  return run_tests(&program, argc, argv);
}
