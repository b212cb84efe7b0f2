/*
 * What the programs of the user land share, beyond what every program wants: arguments, reading
 * by bytes and lines, directories, and reasons to give in messages.
 *
 * A program says what went wrong as `NAME: WHAT: WHY` on descriptor 2 and goes on with what is
 * left to do. It ends with 0 when all went well, 1 when something did not, 2 when it was not used
 * as it should be.
 */
#ifndef TOOLS_H
#define TOOLS_H

#include "holstein.h"

/* The longest path that a kernel takes. */
#define PATH_MOST 127

/* ---- Arguments (arguments.c) ---- */

/* Says how a program is used, and ends it with 2. `usage` begins with the program's name. */
__attribute__((noreturn)) void end_with_usage(const char *usage);

/*
 * Takes the options, letters after a `-`, from the front of a program's arguments, and moves
 * `argc` and `argv` on to what follows them: argv[0] is the first operand then. `--` ends options;
 * `-` alone is an operand. Gives a bit for each option: the one that letters[i] stands for is
 * 1 << i. A letter that is none of them ends the program.
 */
unsigned take_options(int *argc, char ***argv, const char *letters, const char *usage);

/* Whether a text is a decimal number, with `-` or without, that a long can hold; stores it if so. */
int parse_number(const char *text, long *number);

/* ---- Reading (reader.c) ---- */

/*
 * Reads a descriptor ahead, `size` bytes at a time. It starts with 0 for the rest; with -1 for the
 * descriptor and `used` bytes it reads these alone.
 */
struct reader {
  int fd;
  char *bytes;
  int size;
  int used; /* how many of `bytes` have been read */
  int at;   /* and how many of these have been taken */
};

#define READ_END 0
#define READ_FAILED (-1)
#define LINE_TOO_LONG (-2)

/* Reads `size` bytes, fewer only at the end; gives how many, or READ_FAILED. */
long read_bytes(struct reader *reader, void *buffer, long size);

/*
 * Reads a line with its newline, which only the last line may lack, and puts a zero byte after it.
 * Gives its length, READ_END, READ_FAILED, or LINE_TOO_LONG when line and zero byte are more than
 * `size` bytes; it has passed over the rest of that line then.
 */
long read_line(struct reader *reader, char *line, long size);

/* ---- Files (files.c) ---- */

/* fstat() by path. */
int stat(const char *path, struct stat *status);

/* A used place of a directory. */
struct entry {
  unsigned inode;
  char name[NAME_SIZE + 1];
};

/* Reads the next entry of a directory, past what unlink left; 1, READ_END or READ_FAILED. */
int read_entry(struct reader *directory, struct entry *entry);

/* Whether a name is `.` or `..`. */
int is_dots(const char *name);

/*
 * Why a call with a path failed, as far as a program can find out: the kernel itself says -1 of
 * everything. For open() of what is there, for open() with O_CREATE, and for what makes a new name.
 */
const char *why_not_opened(const char *path);
const char *why_not_written(const char *path);
const char *why_not_made(const char *path);

/* ---- Output (output.c) ---- */

/*
 * Says that a write to descriptor 1 failed, and gives the exit status for it. Where that is a pipe
 * it says nothing: who reads it had enough, which is no fault of the program's.
 */
int output_failed(const char *program);

/* Prints a report of inspect(); gives the exit status. */
int print_report(const char *program, int report, int pid);

#endif
