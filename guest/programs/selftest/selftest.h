/*
 * The cases of selftest, by the file that has them, and what these files share. The table in
 * main.c gives their names and their order.
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include "testing.h"

/* How this program was named to the kernel: exec finds it under the same name. */
extern char *self;

/* process.c */
void exit_status(void);
void exit_from_main(void);
void wait_null(void);
void wait_no_children(void);
void wait_any_order(void);
void getpid_unique(void);
void orphans(void);

/* pipe.c */
void pipe_blocked_writer(void);
void pipe_blocked_reader(void);
void pipe_end(void);
void pipe_no_reader(void);

/* descriptor.c */
void descriptor_lowest(void);
void descriptor_dup(void);
void descriptor_bad(void);
void descriptor_limit(void);
void negative_length(void);

/* kill.c */
void kill_sleeper(void);
void kill_spinner(void);
void kill_reader(void);
void kill_writer(void);
void kill_waiter(void);
void kill_missing(void);

/* sbrk.c */
void expect_zeros(const char *what, const volatile char *from, long size);
void sbrk_zeros(void);
void sbrk_odd_sizes(void);
void sbrk_below_zero(void);
void sbrk_too_much(void);

/* time.c */
void sleep_uptime(void);

/* exec.c */
/* What this program is when an exec case starts it: prints its arguments, or looks at its new image. */
int echo_arguments(int argc, char *argv[]);
int report_fresh(void);
void exec_arguments(void);
void exec_most_arguments(void);
void exec_large_arguments(void);
void exec_missing(void);
void exec_fresh(void);

/* pointer.c */
/* Addresses where the calling program has nothing, by number. Right only before its heap grows. */
#define NOWHERE 11
void *bad_pointer(unsigned i);
void bad_read(void);
void bad_write(void);
void bad_pipe(void);
void bad_wait(void);
void bad_open(void);
void bad_exec(void);
void bad_string(void);

/* fault.c */
void fault_store_text(void);
void fault_above_break(void);
void fault_guard_page(void);
void fault_stack_overflow(void);
void fault_nowhere(void);
void fault_jump_data(void);
void fault_jump_nowhere(void);
void fault_null_call(void);
void fault_illegal(void);
void fault_breakpoint(void);

#endif
