/*
 * What a guest program may call: the kernel's system calls, and the few string and output
 * functions that every program wants. There is no other library.
 *
 * The stack is one page with a guard page below it. Keep frames small and make large arrays
 * static; the build refuses any function whose frame is larger than 512 bytes.
 */
#ifndef HOLSTEIN_H
#define HOLSTEIN_H

#include <stdarg.h>
#include <stddef.h>

#define PAGE_SIZE 4096L

/* ---- Processes ---- */

/* 0 in the child, the child's process number in the parent, -1 when processes or memory run out. */
int fork(void);

/* The status reaches the parent's wait() as the whole int. */
__attribute__((noreturn)) void exit(int status);

/*
 * Waits for any child to end and gives its number, -1 when there is none. Stores its status
 * (-1 if it was killed or faulted) unless `status` is null.
 */
int wait(int *status);

/* Replaces this program. `argv` ends with a null and has at most 31 strings. Returns only to say -1. */
int exec(const char *path, char *const argv[]);

/* Ends a process, also one that sleeps or waits; -1 if there is no such process. */
int kill(int pid);

int getpid(void);

/* Gives up the hart for so many ticks: time goes by instructions, and leaps when everyone sleeps. */
int sleep(int ticks);

/* Ticks since the machine started. */
int uptime(void);

/* ---- Memory ---- */

/* What sbrk says when it did nothing. */
#define SBRK_FAILED ((char *)-1)

/*
 * Moves the end of the heap by so many bytes and gives where it was. Growth is all or nothing:
 * every frame is allocated, and zero, when the call returns.
 */
char *sbrk(long bytes);

/*
 * As sbrk, but growth takes no frames: each page gets one, zero, when it is first touched, and a
 * process that touches one when there is none left is killed. An older xv6 grows as sbrk does.
 */
char *sbrk_lazy(long bytes);

/* ---- Files, pipes, the console ---- */

/* How open() opens; the last two are added to one of the first three. */
#define O_RDONLY 0x000
#define O_WRONLY 0x001
#define O_RDWR 0x002
#define O_CREATE 0x200
#define O_TRUNC 0x400

/* What fstat() fills in. */
struct stat {
  int device;
  unsigned inode;
  short type;
  short links;
  unsigned long size;
};

/* The types of struct stat. */
#define TYPE_DIRECTORY 1
#define TYPE_FILE 2
#define TYPE_DEVICE 3

/* What a directory reads as: a row of these. The name has no zero byte where it has 14 others. */
#define NAME_SIZE 14
struct dirent {
  unsigned short inode; /* 0: a hole, left by what was unlinked */
  char name[NAME_SIZE];
};

/* Descriptors are small numbers, the lowest free one is given; 0, 1 and 2 are the console. */
int open(const char *path, int mode);
int close(int fd);
int dup(int fd);

/* fds[0] reads what fds[1] writes, through 512 bytes of buffer. */
int pipe(int fds[2]);

/* At least one byte and at most `size`; 0 at the end, that is when a pipe has no writer left. */
long read(int fd, void *buffer, long size);

/* Blocks until all is written; -1 when a pipe has no reader left. */
long write(int fd, const void *buffer, long size);

int fstat(int fd, struct stat *status);
int chdir(const char *path);
int mknod(const char *path, int major, int minor);
int unlink(const char *path);
int link(const char *existing, const char *path);
int mkdir(const char *path);

/* ---- What only holstein's kernel can tell ---- */

/* What inspect() reports on. */
#define INSPECT_PROCESSES 1 /* a line for each process */
#define INSPECT_MAPPINGS 2  /* the mappings of process `pid`, and the frames behind them */
#define INSPECT_FRAMES 3    /* physical memory, by what it is used for */

/*
 * Copies text, as lines, of a report made at the call, from byte `offset` of it on. Gives the bytes
 * copied, 0 at its end, -1 where there is no such report or process, and on any other kernel.
 */
long inspect(int report, int pid, char *text, long size, long offset);

/* ---- Strings (string.c) ---- */

void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
int memcmp(const void *left, const void *right, size_t size);
size_t strlen(const char *text);
int strcmp(const char *left, const char *right);
char *strcpy(char *to, const char *from);

/* The first such byte of a text, null where there is none. */
char *strchr(const char *text, int byte);

/* ---- Output (printf.c) ---- */

/*
 * %d %u %x %ld %lu %lx %p %s %c %%, with a width and `-`: %6d is set to the right in at least six
 * bytes, %-14s to the left in fourteen. One call is one write() unless its text is longer than
 * 256 bytes. Returns the bytes written, -1 when a write failed.
 */
__attribute__((format(printf, 1, 2))) int printf(const char *format, ...);
__attribute__((format(printf, 2, 3))) int fprintf(int fd, const char *format, ...);
int vfprintf(int fd, const char *format, va_list values);

/* ---- The program's own image (link.ld) ---- */

/* Text and read-only data; never writable. */
extern const char text_start[], text_end[];

/* Data and bss. */
extern char data_start[], data_end[];

#endif
