/*
 * The cases of selftest, by the file that has them, and what these files share. The table in
 * main.c gives their names and their order.
 */
#ifndef SELFTEST_H
#define SELFTEST_H

#include "testing.h"
#include "tools.h"

/* The path of this program: exec finds it from anywhere. */
extern char *self;

/* The directory that each case has for itself, and works in: empty, and it must leave it empty. */
#define WORK "/selftest.tmp"

/* ---- Files with known bytes (content.c) ---- */

/* A page that cases and the functions below read and write by. */
extern char page[PAGE_SIZE];

/* The byte at a place of contents of some kind, and many of them. */
char content_byte(int kind, long at);
void fill_content(char *bytes, int kind, long at, long size);
void check_content(const char *what, const char *bytes, int kind, long at, long size);

/* System calls that must work. */
int open_file(const char *name, int mode);
void remove_file(const char *name);
void make_directory(const char *name);
void enter(const char *name);
struct stat status_of(const char *name);

/* Writes, or reads and compares, the bytes from place `at` on where the descriptor's offset is. */
void write_content(int fd, int kind, long at, long size);
void read_content(const char *what, int fd, int kind, long at, long size);

/* Makes a file of so many bytes, or empties it first; compares all of one, its size too. */
void make_file(const char *name, int kind, long size);
void check_file(const char *name, int kind, long size);

void expect_size(const char *what, int fd, long size);
void expect_links(const char *name, int links);
void expect_same(const char *name, const char *other); /* one file, by two names */
void expect_missing(const char *name);

/* A name such as f007, until the next call. */
const char *numbered(char letter, int number);

/* ---- What cases have of each other ---- */

/* sbrk.c */
void expect_zeros(const char *what, const volatile char *from, long size);

/* pointer.c: addresses where the calling program has nothing, by number. Right only before its heap grows. */
#define NOWHERE 41
void *bad_pointer(unsigned i);

/* call.c: 0 when all registers are as they were after so many turns of a loop and a call. */
long changed_registers(long base, long turns);

/* disk.c: how much room the disk has, and for how many files. Leave it as it was. */
long free_blocks(void);
int free_inodes(void);

/* ---- What this program is when a case executes it: main()'s result ---- */

int echo_arguments(int argc, char *argv[]); /* prints its arguments */
int report_fresh(void);                     /* looks at its new image */
int follow_chain(char *argv[]);             /* executes itself again */
int report_where(void);                     /* looks at its working directory and descriptors */
int hold(void);                             /* waits while its file changes */
int tell_generation(void);                  /* tells which of its versions it is */

/* ---- The cases ---- */

/* process.c */
void exit_status(void);
void exit_from_main(void);
void wait_null(void);
void wait_no_children(void);
void wait_any_order(void);
void getpid_unique(void);
void orphans(void);
void orphans_many(void);
void fork_many(void);
void fork_tree(void);
void fork_memory(void);
void preemption(void);

/* call.c */
void unknown_call(void);
void call_number_int(void);
void registers_kept(void);

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
void kill_zero(void);
void kill_zombie(void);
void kill_self(void);
void kill_caller(void);
void kill_closes(void);

/* sbrk.c */
void sbrk_zeros(void);
void sbrk_odd_sizes(void);
void sbrk_below_zero(void);
void sbrk_too_much(void);
void sbrk_all_away(void);
void sbrk_given_back(void);

/* lazy.c */
void lazy_grow(void);
void lazy_fork(void);
void lazy_calls(void);
void lazy_path(void);
void lazy_shrink(void);
void lazy_beyond(void);
void lazy_limit(void);
void lazy_out_of_memory(void);

/* time.c */
void sleep_uptime(void);
void sleep_negative(void);

/* exec.c */
void exec_arguments(void);
void exec_most_arguments(void);
void exec_large_arguments(void);
void exec_missing(void);
void exec_fresh(void);
void exec_bad_often(void);
void exec_chain(void);

/* image.c */
void exec_no_program(void);
void exec_truncated(void);
void exec_copy(void);
void exec_unlinked(void);
void exec_overwritten(void);
void exec_rewritten(void);
void exec_data_private(void);

/* pointer.c */
void bad_read(void);
void bad_write(void);
void bad_pipe(void);
void bad_wait(void);
void bad_text(void);
void bad_path(void);
void bad_file(void);
void bad_half(void);
void bad_exec(void);
void bad_half_write(void);
void bad_string(void);

/* fault.c */
void fault_store_text(void);
void fault_above_break(void);
void fault_guard_page(void);
void fault_stack_overflow(void);
void fault_nowhere(void);
void fault_jump_data(void);
void fault_jump_nowhere(void);
void fault_illegal(void);
void fault_null_call(void);
void fault_breakpoint(void);

/* file.c */
void file_create(void);
void file_stat_bytes(void);
void file_shared_offset(void);
void file_shared_writing(void);
void file_two_openings(void);
void file_truncate(void);
void file_create_existing(void);
void file_modes(void);
void file_sizes(void);
void file_large_pieces(void);
void file_largest(void);
void file_negative_length(void);
void file_many(void);

/* link.c */
void link_two_names(void);
void link_elsewhere(void);
void link_refused(void);
void unlink_refused(void);
void unlinked_open(void);
void unlinked_shared(void);
void unlinked_again(void);
void link_count(void);
void inode_again(void);

/* directory.c */
void directory_make(void);
void directory_links(void);
void directory_refused(void);
void directory_dots(void);
void directory_unlink(void);
void directory_holes(void);
void directory_read_pieces(void);
void directory_deep(void);
void directory_removed(void);
void directory_removed_create(void);
void directory_removed_parent(void);

/* name.c */
void name_cut(void);
void name_bytes(void);
void name_odd(void);
void path_slashes(void);
void path_longest(void);
void path_empty(void);
void path_across_pages(void);

/* device.c */
void device_console(void);
void device_node(void);
void device_refused(void);
void device_unknown(void);

/* working.c */
void chdir_relative(void);
void chdir_refused(void);
void chdir_forked(void);
void chdir_executed(void);

/* concurrent.c */
void concurrent_create(void);
void concurrent_name(void);
void concurrent_link(void);
void concurrent_append(void);
void concurrent_write(void);
void concurrent_rewrite(void);
void concurrent_directory(void);
void concurrent_pipe(void);

/* limit.c */
void open_files_limit(void);
void open_inodes_limit(void);
void process_limit(void);

/* shortage.c */
void memory_limit(void);
void memory_exec(void);
void memory_fork(void);
void memory_files(void);
void memory_writes(void);

/* disk.c */
void disk_full(void);
void inode_limit(void);
void directory_large(void);
void disk_bad_writes(void);

#endif
