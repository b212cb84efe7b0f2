/* exec: arguments, their limits, failures that the caller survives, and the new image. */
#include "selftest.h"

/* Runs this program again, with its descriptor 1 into a pipe; gives the pipe's reader. */
static int exec_self(char *const arguments[], int *pid) {
  int fds[2];
  make_pipe(fds);
  *pid = fork_child();
  if (*pid == 0) {
    close(1);
    expect("dup onto descriptor 1", 1, dup(fds[1]));
    close(fds[0]);
    close(fds[1]);
    exec(self, arguments);
    fail("exec of %s came back", self);
  }
  close(fds[1]);
  return fds[0];
}

/* The program that the exec cases start: its arguments, one a line; ends with how many there were. */
int echo_arguments(int argc, char *argv[]) {
  for (int i = 0; i < argc; i++) printf("%s\n", argv[i]);
  return argv[argc] == 0 ? 100 + argc : 1;
}

void exec_arguments(void) {
  static char got[256];
  char *arguments[] = {"some name", "--echo-args", "a", "", "two words", "c", 0};
  const char *expected = "some name\n--echo-args\na\n\ntwo words\nc\n";
  int pid, fd = exec_self(arguments, &pid);
  long size = read_all(fd, got, sizeof got - 1);
  expect("size of what it wrote", (long)strlen(expected), size);
  if (strcmp(got, expected) != 0) fail("arguments came as %s", got);
  reap("executed program", pid, 106);
}

void exec_most_arguments(void) {
  static char *arguments[41];
  static char got[256];
  for (int i = 0; i < 40; i++) arguments[i] = "x";
  arguments[1] = "--echo-args";
  expect("exec with 40 arguments", -1, exec(self, arguments));
  arguments[32] = 0;
  expect("exec with 32 arguments", -1, exec(self, arguments));
  arguments[31] = 0;
  int pid, fd = exec_self(arguments, &pid);
  expect("what 31 arguments print", 30 * 2 + 12, read_all(fd, got, sizeof got));
  reap("program with 31 arguments", pid, 131);
}

void exec_large_arguments(void) {
  static char text[5001];
  static char got[2100];
  memset(text, 'l', 5000);
  char *one[] = {self, "--echo-args", text, 0};
  expect("exec with a string of 5000 bytes", -1, exec(self, one));
  text[3000] = 0;
  char *two[] = {self, "--echo-args", text, text, 0};
  expect("exec with strings of 6000 bytes together", -1, exec(self, two));
  text[1000] = 0;
  char *fitting[] = {"fits", "--echo-args", text, text, 0};
  int pid, fd = exec_self(fitting, &pid);
  expect("what strings of 2000 bytes print", 5 + 12 + 2 * 1001, read_all(fd, got, sizeof got));
  reap("program with strings of 2000 bytes", pid, 104);
}

void exec_missing(void) {
  static char data_mark = 'm';
  char *arguments[] = {"no-program", 0};
  char local = 'l';
  expect("exec of a missing program", -1, exec("no-program", arguments));
  expect("exec of an empty name", -1, exec("", arguments));
  expect("exec of the console", -1, exec("/console", arguments));
  expect("data after exec failed", 'm', data_mark);
  expect("stack after exec failed", 'l', local);
}

/* A new image: nothing of the old heap, and descriptors that stay. */
void exec_fresh(void) {
  char *arguments[] = {self, "--fresh", 0};
  int pid, fd;
  memset(sbrk(3 * PAGE_SIZE), 0x5a, 3 * PAGE_SIZE);
  fd = exec_self(arguments, &pid);
  expect_byte("program executed with a large heap", fd, 'f');
  reap("program executed with a large heap", pid, 80);
}

int report_fresh(void) {
  char *heap = sbrk(PAGE_SIZE);
  static char untouched[64];
  test_case_name = "--fresh";
  expect_zeros("heap", heap, PAGE_SIZE);
  expect_zeros("bss", untouched, sizeof untouched);
  expect("write to a descriptor that was kept", 1, write(1, "f", 1));
  return 80;
}

/* Pointers that lead nowhere, so often that whatever one failure kept would be missed. */
void exec_bad_often(void) {
  long before = free_bytes();
  char *nowhere[] = {self, (char *)0xeaeb0b5b00002f5eUL, 0};
  char *behind[] = {self, "--echo-args", sbrk(0), 0};
  for (int i = 0; i < 1500; i++) {
    expect("exec with an argument nowhere", -1, exec(self, nowhere));
    expect("exec with an argument behind the heap", -1, exec(self, behind));
    expect("exec with arguments nowhere", -1, exec(self, (char *const *)0xeaeb0b5b00002f5eUL));
    expect("exec of a path nowhere", -1, exec((const char *)0xeaeb0b5b00002f5eUL, nowhere));
  }
  expect("free memory afterwards", before, free_bytes());
}

/* A process goes from program to program, and is the same process. */
void exec_chain(void) {
  char *arguments[] = {self, "--chain", "aaaaa", 0};
  int pid = fork_child();
  if (pid == 0) {
    exec(self, arguments);
    exit(1);
  }
  reap("process that executed five programs", pid, pid);
}

int follow_chain(char *argv[]) {
  if (argv[2][0] == 0) return getpid();
  char *arguments[] = {argv[0], "--chain", argv[2] + 1, 0};
  exec(argv[0], arguments);
  return -1;
}
