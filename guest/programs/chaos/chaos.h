/*
 * Random system calls with random arguments, from several processes at once: see main.c. What the
 * files of this program have from each other.
 */
#ifndef CHAOS_H
#define CHAOS_H

#include "testing.h"
#include "tools.h"

/* All files are made below here, and processes work two directories further down. */
#define ROOM "/chaos.tmp"
#define HOME ROOM "/1/2"

/* Descriptors that no random call gets: for complaints, and for what the supervisor is told. */
#define COMPLAINTS 2
#define REPORT 15
#define DESCRIPTORS 16

/* What is told on REPORT, a byte each: that so many calls have been made, and that something is wrong. */
#define CALLS_A_REPORT 16
#define SOME_CALLS '.'
#define COMPLAINT '!'

/* The numbers of system calls that rules and checks name. */
enum {
  FORK = 1, EXIT, WAIT, PIPE, READ, KILL, EXEC, FSTAT, CHDIR, DUP, GETPID, SBRK, SLEEP, UPTIME, OPEN, WRITE, MKNOD,
  UNLINK, LINK, MKDIR, CLOSE, INSPECT = 1001,
};

/* A call that is to be made. Only the lower half of the number counts, as in all ints. */
struct call {
  long number;
  long arguments[5];
};

/* ---- The process that runs (worker.c) ---- */

struct worker {
  unsigned long seed;   /* of the whole run: complaints name it */
  unsigned long random; /* the generator's state, never 0 */
  const char *self;     /* this program's path */
  int pid;
  int first_pid, last_pid; /* the pids that kill() may get: first_pid itself is not one of them */
  int budget;              /* calls that it may still make */
  int calls;               /* that it has made */
  int reported;            /* those that the supervisor has been told of */
  int is_first;            /* a child of the supervisor */
  unsigned open;           /* a bit for each descriptor that is */
  unsigned pipes;          /* those that are a pipe's */
  int children;            /* that it has not waited for */
};

extern struct worker worker;

/* Makes random calls until the budget is used; does not come back. */
__attribute__((noreturn)) void work(void);

/* Says what is wrong, and ends the process. */
#define complain(format, ...)                                                                 \
  (fprintf(COMPLAINTS, "chaos: %lu: process %d, call %d: " format "\n", worker.seed, worker.pid, \
           worker.calls __VA_OPT__(, ) __VA_ARGS__),                                          \
   end_with_complaint())
__attribute__((noreturn)) void end_with_complaint(void);

/* ---- Randomness (random.c) ---- */

/* The next of 2^64 - 1 numbers, and one below `bound`. */
unsigned long next_random(void);
unsigned below(unsigned bound);

/* Whether something happens that happens once in so many times. */
int once_in(unsigned times);

/* ---- Calls (draw.c, rules.c) ---- */

/* Draws calls until one may be made. */
void draw_call(struct call *call);

/* Why a call may not be made; null if it may. */
const char *forbidden(const struct call *call);

/* Which argument is an address that the kernel writes to; -1 for none. */
int written_argument(int number);

/* ---- Memory (memory.c) ---- */

/* Two pages that calls may read and write as they like, at the start of the heap. */
#define SCRATCH_SIZE (2 * PAGE_SIZE)
extern char *scratch, *heap_end;

/* Takes the scratch pages, in a process that has no memory from its parent. */
void begin_memory(void);

/* Changes some of the process's own memory, and looks at some. */
void use_memory(void);

/* Looks at all of it. */
void check_memory(void);

/* A call may have written to these addresses: what the heap has there is not known any more. */
void forget_heap(unsigned long from, unsigned long to);

/* What sbrk() gave and was asked, by this process. */
void moved_break(long bytes, char *result);

/* Whether the program's own variables are at an address: between its text and its scratch pages. */
int is_own(unsigned long address);

/* Whether a program can read there. */
int is_readable(unsigned long address);

#endif
