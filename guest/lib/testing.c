/* Test cases, expectations, children and files for the test programs; testing.h says what each is for. */
#include "testing.h"

#include "tools.h"

const char *test_program_name, *test_case_name = "start";

/* ---- Cases ---- */

static int names(const char *argument, const struct test_program *program) {
  for (int i = 0; i < program->count; i++) {
    if (strcmp(argument, program->cases[i].name) == 0) return 1;
  }
  return 0;
}

static void refuse_unknown(const struct test_program *program, int argc, char *argv[]) {
  for (int a = 1; a < argc; a++) {
    if (names(argv[a], program)) continue;
    fprintf(2, "%s: no case is named %s; there are:", program->name, argv[a]);
    for (int i = 0; i < program->count; i++) fprintf(2, " %s", program->cases[i].name);
    fprintf(2, "\n");
    exit(2);
  }
}

int is_chosen(const char *name, int argc, char *argv[]) {
  for (int a = 1; a < argc; a++) {
    if (strcmp(argv[a], name) == 0) return 1;
  }
  return argc <= 1;
}

int run_tests(const struct test_program *program, int argc, char *argv[]) {
  refuse_unknown(program, argc, argv);
  int ran = 0;
  for (int i = 0; i < program->count; i++) {
    const struct test_case *test = &program->cases[i];
    if (!is_chosen(test->name, argc, argv)) continue;
    test_case_name = test->name;
    for (int time = 0; time < test->times; time++) {
      program->run(test);
      printf("%s: ok\n", test->name);
    }
    ran++;
  }

  if (ran == program->count) {
    printf("ALL %s TESTS PASSED\n", program->title);
    return 0;
  }
  /* A case that fails ends the program, so those that were chosen are those that passed. */
  printf("%s TESTS PASSED:", program->title);
  const char *separator = " ";
  for (int i = 0; i < program->count; i++) {
    if (!is_chosen(program->cases[i].name, argc, argv)) continue;
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

/* ---- The kernel ---- */

long system_call(long number, const long arguments[5]) {
  register long a7 __asm__("a7") = number;
  register long a0 __asm__("a0") = arguments[0];
  register long a1 __asm__("a1") = arguments[1];
  register long a2 __asm__("a2") = arguments[2];
  register long a3 __asm__("a3") = arguments[3];
  register long a4 __asm__("a4") = arguments[4];
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4) : "memory");
  return a0;
}

/* ---- Files ---- */

const char *find_program(const char *name) {
  static const char *const directories[] = {"/", "/bin/", ""};
  static char path[PATH_MOST + 1];
  struct stat status;
  if (name[0] == '/' || strlen(name) > PATH_MOST - 5) return name;
  for (unsigned i = 0; i < sizeof directories / sizeof directories[0]; i++) {
    strcpy(path, directories[i]);
    strcpy(path + strlen(path), name);
    if (stat(path, &status) == 0 && status.type == TYPE_FILE) return path;
  }
  return name;
}

/*
 * Unlinks what it can of the working directory and gives the name of the first entry that it
 * cannot: a directory with something in it. Null when nothing is left.
 */
static const char *empty_working_directory(void) {
  static char bytes[512];
  static struct entry entry;
  int fd = open(".", O_RDONLY);
  if (fd < 0) return 0;
  struct reader directory = {fd, bytes, sizeof bytes, 0, 0};
  const char *left = 0;
  while (left == 0 && read_entry(&directory, &entry) == 1) {
    if (!is_dots(entry.name) && unlink(entry.name) != 0) left = entry.name;
  }
  close(fd);
  return left;
}

int remove_tree(const char *path) {
  struct stat status;
  if (unlink(path) == 0 || chdir(path) != 0) return stat(path, &status) == 0 ? -1 : 0;
  /* Down into what is not empty, up from what is; more steps than a disk has inodes mean a ring. */
  int depth = 0;
  for (int steps = 0; steps < 1000; steps++) {
    const char *left = empty_working_directory();
    if (left != 0) {
      if (chdir(left) != 0) break;
      depth++;
    } else if (depth > 0) {
      if (chdir("..") != 0) break;
      depth--;
    } else {
      break;
    }
  }
  chdir("/");
  return unlink(path);
}
