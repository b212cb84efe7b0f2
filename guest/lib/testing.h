/*
 * What the test programs share: named cases that run in order, expectations, children whose exit
 * statuses are checked exactly, and a measure of free memory.
 *
 * The first expectation that fails writes one line on descriptor 2 and ends its process with
 * status 1. A child that fails is noticed by its parent, which knows the status it should have.
 */
#ifndef TESTING_H
#define TESTING_H

#include "holstein.h"

struct test_case {
  const char *name;
  int times; /* how often it runs, each printed */
  void (*run)(void);
};

struct test_program {
  const char *name;  /* as failures begin */
  const char *title; /* as in "ALL <title> TESTS PASSED" */
  const struct test_case *cases;
  int count;
  void (*run)(const struct test_case *); /* runs a case once, with the checks that go around it */
};

/* The program and the case that failures name. */
extern const char *test_program_name, *test_case_name;

/* Runs the cases that the arguments name, all if there are none; gives main's result. */
int run_tests(const struct test_program *program, int argc, char *argv[]);

/* Whether the arguments name a case, or none at all. */
int is_chosen(const char *name, int argc, char *argv[]);

#define fail(format, ...)                                                           \
  (fprintf(2, "%s: %s: " format "\n", test_program_name, test_case_name __VA_OPT__(, ) __VA_ARGS__), exit(1))

void expect(const char *what, long expected, long got);

/* ---- Children ---- */

struct child {
  int pid;
  int status; /* the one it must end with */
};

/* fork() that must work. */
int fork_child(void);

/* pipe() that must work. */
void make_pipe(int fds[2]);

/* Waits for exactly these children, at most 64, in any order; each must end with its status. */
void reap_all(const char *what, const struct child *children, int count);
void reap(const char *what, int pid, int status);

/*
 * Runs `body` in a child that the kernel must kill while it is in there: the child has to be seen
 * entering and must not be seen leaving.
 */
void expect_killed(const char *what, void (*body)(void));

/* Reads until `size` bytes or the end; gives how many. */
long read_all(int fd, void *buffer, long size);

/* Reads the next byte, which must be this one; `end_of_pipe` requires that there is none. */
void expect_byte(const char *what, int fd, char expected);
void expect_end_of_pipe(const char *what, int fd);

/* ---- Memory ---- */

/*
 * Touches every page of the image, writing those that can be written, so that pages a kernel
 * fills on first use are there before free memory is measured.
 */
void touch_image(void);

/* How much sbrk could give now, to the page. Leaves the heap as it was. */
long free_bytes(void);

/* Changes if any byte of the text does. */
unsigned long text_checksum(void);

/* ---- The kernel ---- */

/* Makes any system call, also one that is not there. */
long system_call(long number, const long arguments[5]);

/* ---- Files ---- */

/* Where a program is that the shell found by its name: its path from the root. */
const char *find_program(const char *name);

/*
 * Removes what an absolute path leads to, with all that is below; 0 when it is gone, as unlink
 * would say. The working directory is the root afterwards, if the path led to a directory.
 */
int remove_tree(const char *path);

#endif
