/* Test cases, expectations and children for the test programs; testing.h says what each is for. */
#include "testing.h"

const char *test_program_name, *test_case_name = "start";

/* ---- Cases ---- */

static unsigned long choose(const struct test_program *program, int argc, char *argv[]) {
  unsigned long chosen = 0;
  for (int a = 1; a < argc; a++) {
    int i = 0;
    while (i < program->count && strcmp(argv[a], program->cases[i].name) != 0) i++;
    if (i == program->count) {
      fprintf(2, "%s: no case is named %s; there are:", program->name, argv[a]);
      for (i = 0; i < program->count; i++) fprintf(2, " %s", program->cases[i].name);
      fprintf(2, "\n");
      exit(2);
    }
    chosen |= 1UL << i;
  }
  return argc > 1 ? chosen : ~0UL;
}

int run_tests(const struct test_program *program, int argc, char *argv[]) {
  unsigned long chosen = choose(program, argc, argv);
  unsigned long passed = 0;
  int ran = 0;
  for (int i = 0; i < program->count; i++) {
    const struct test_case *test = &program->cases[i];
    if ((chosen >> i & 1) == 0) continue;
    test_case_name = test->name;
    for (int time = 0; time < test->times; time++) {
      program->run(test);
      printf("%s: ok\n", test->name);
    }
    passed |= 1UL << i;
    ran++;
  }

  if (ran == program->count) {
    printf("ALL %s TESTS PASSED\n", program->title);
    return 0;
  }
  printf("%s TESTS PASSED:", program->title);
  const char *separator = " ";
  for (int i = 0; i < program->count; i++) {
    if ((passed >> i & 1) == 0) continue;
    printf("%s%s", separator, program->cases[i].name);
    separator = ", ";
  }
  printf("\n");
  return 0;
}

void expect(const char *what, long expected, long got) {
  if (expected != got) fail("%s (expected %ld, got %ld)", what, expected, got);
}

/* ---- Children ---- */

int fork_child(void) {
  int pid = fork();
  if (pid < 0) fail("fork failed (expected a process, got %d)", pid);
  return pid;
}

void make_pipe(int fds[2]) {
  expect("pipe failed", 0, pipe(fds));
}

void reap_all(const char *what, const struct child *children, int count) {
  unsigned long reaped = 0;
  for (int left = count; left > 0; left--) {
    int status = 0;
    int pid = wait(&status);
    int i = 0;
    while (i < count && (children[i].pid != pid || (reaped >> i & 1) != 0)) i++;
    if (i == count) fail("%s: wait gave %d (expected one of %d children left)", what, pid, left);
    if (status != children[i].status) {
      fail("%s: exit status of child %d (expected %d, got %d)", what, pid, children[i].status, status);
    }
    reaped |= 1UL << i;
  }
}

void reap(const char *what, int pid, int status) {
  struct child child = {pid, status};
  reap_all(what, &child, 1);
}

void expect_killed(const char *what, void (*body)(void)) {
  int fds[2];
  make_pipe(fds);
  int pid = fork_child();
  if (pid == 0) {
    close(fds[0]);
    write(fds[1], "i", 1);
    body();
    write(fds[1], "o", 1);
    exit(0);
  }
  close(fds[1]);
  expect_byte(what, fds[0], 'i');
  expect_end_of_pipe(what, fds[0]);
  close(fds[0]);
  reap(what, pid, -1);
}

long read_all(int fd, void *buffer, long size) {
  long done = 0;
  while (done < size) {
    long count = read(fd, (char *)buffer + done, size - done);
    if (count < 0) return count;
    if (count == 0) break;
    done += count;
  }
  return done;
}

void expect_byte(const char *what, int fd, char expected) {
  char byte = 0;
  long count = read(fd, &byte, 1);
  if (count != 1) fail("%s: a byte was due on a pipe (expected 1, got %ld)", what, count);
  if (byte != expected) fail("%s: the byte on a pipe (expected %d, got %d)", what, expected, byte);
}

void expect_end_of_pipe(const char *what, int fd) {
  char byte = 0;
  long count = read(fd, &byte, 1);
  if (count != 0) fail("%s: a pipe should be at its end (expected 0, got %ld, byte %d)", what, count, byte);
}

/* ---- Memory ---- */

void touch_image(void) {
  for (const volatile char *at = text_start; at < text_end; at += PAGE_SIZE) (void)*at;
  for (volatile char *at = data_start; at < data_end; at += PAGE_SIZE) *at = *at;
}

long free_bytes(void) {
  long grown = 0;
  for (long step = 1L << 20; step >= PAGE_SIZE; step /= 2) {
    while (sbrk(step) != SBRK_FAILED) grown += step;
  }
  if (sbrk(-grown) == SBRK_FAILED) fail("sbrk could not shrink by %ld", grown);
  return grown;
}

unsigned long text_checksum(void) {
  unsigned long sum = 0;
  for (const volatile char *at = text_start; at < text_end; at++) sum = sum * 31 + (unsigned char)*at;
  return sum;
}
