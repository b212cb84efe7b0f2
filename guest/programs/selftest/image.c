/* Files as programs: what is no program, and what becomes of a program whose file changes while it runs. */
#include "selftest.h"

/*
 * Stands once in this program's file, where a case finds and changes it. Volatile, so that what is
 * read is what the file had, not what the compiler knew.
 */
static const volatile char generation[] = "this is generation 0";
#define GENERATION_AT (sizeof generation - 2)

/* Data that a program looks at only after its file has been changed. */
static volatile char late_data[] = "data of the first hour";

static void copy_self(const char *name) {
  int from = open_file(self, O_RDONLY);
  int to = open_file(name, O_CREATE | O_TRUNC | O_WRONLY);
  for (;;) {
    long count = read(from, page, 1024);
    if (count < 0) fail("read of %s gave %ld", self, count);
    if (count == 0) break;
    expect("write of a program", count, write(to, page, count));
  }
  close(from);
  close(to);
}

/* Where `generation` lies in a copy of this program. */
static long find_generation(const char *name) {
  int fd = open_file(name, O_RDONLY);
  long at = 0, matched = 0;
  for (;;) {
    long count = read(fd, page, sizeof page);
    if (count <= 0) fail("%s does not have what is to be changed in it", name);
    for (long i = 0; i < count; i++, at++) {
      matched = page[i] == generation[matched] ? matched + 1 : page[i] == generation[0];
      if (matched == (long)GENERATION_AT) {
        close(fd);
        return at + 1;
      }
    }
  }
}

static void write_generation(const char *name, char value) {
  long at = find_generation(name);
  int fd = open_file(name, O_RDWR);
  for (long left = at; left > 0;) {
    long count = read(fd, page, left < PAGE_SIZE ? left : PAGE_SIZE);
    if (count <= 0) fail("read of %s gave %ld", name, count);
    left -= count;
  }
  expect("write into a program", 1, write(fd, &value, 1));
  close(fd);
}

/* A running program, between whose start and end the case does something. */
struct running {
  int pid, to, from;
};

static struct running start(const char *name) {
  char *arguments[] = {"prog", "--hold", 0};
  int to[2], from[2];
  make_pipe(to);
  make_pipe(from);
  int pid = fork_child();
  if (pid == 0) {
    close(0);
    expect("dup onto descriptor 0", 0, dup(to[0]));
    close(1);
    expect("dup onto descriptor 1", 1, dup(from[1]));
    for (int fd = 3; fd < 16; fd++) close(fd);
    exec(name, arguments);
    fail("exec of %s came back", name);
  }
  close(to[0]);
  close(from[1]);
  struct running running = {pid, to[1], from[0]};
  expect_byte("program that runs", running.from, 'h');
  return running;
}

/* Lets it go on: it must have the text that this one has, and the generation it was started with. */
static void finish(struct running running, char value) {
  unsigned long sum = 0;
  expect("letting it go on", 1, write(running.to, "g", 1));
  expect("size of the text's sum", sizeof sum, read_all(running.from, &sum, sizeof sum));
  expect_byte("its generation", running.from, value);
  close(running.to);
  close(running.from);
  reap("program whose file was changed", running.pid, 82);
  if (value == '0' && sum != text_checksum()) fail("its text changed while it ran");
}

int hold(void) {
  unsigned long sum;
  char go;
  test_case_name = "--hold";
  expect("first word", 1, write(1, "h", 1));
  expect("reading a go", 1, read(0, &go, 1));
  sum = text_checksum();
  for (unsigned i = 0; i < sizeof late_data; i++) {
    if (late_data[i] != "data of the first hour"[i]) fail("byte %d of its data changed", (int)i);
  }
  late_data[0] = 'D';
  expect("telling the sum", sizeof sum, write(1, &sum, sizeof sum));
  char value = generation[GENERATION_AT];
  expect("telling the generation", 1, write(1, &value, 1));
  return 82;
}

int tell_generation(void) {
  return 200 + generation[GENERATION_AT] - '0';
}

static void expect_generation(const char *name, int number) {
  char *arguments[] = {"prog", "--generation", 0};
  int pid = fork_child();
  if (pid == 0) {
    exec(name, arguments);
    exit(1);
  }
  reap("generation of a program", pid, 200 + number);
}

/* What is no program is refused, and the caller goes on. */
void exec_no_program(void) {
  char *arguments[] = {"prog", 0};
  make_file("text", 1, 3000);
  make_file("empty", 0, 0);
  make_file("short", 2, 3);
  make_directory("d");
  expect("exec of random bytes", -1, exec("text", arguments));
  expect("exec of an empty file", -1, exec("empty", arguments));
  expect("exec of three bytes", -1, exec("short", arguments));
  expect("exec of a directory", -1, exec("d", arguments));
  expect("exec of .", -1, exec(".", arguments));
  expect("exec of the root", -1, exec("/", arguments));
  expect("exec below a file", -1, exec("text/prog", arguments));
  remove_file("text");
  remove_file("empty");
  remove_file("short");
  remove_file("d");
}

/* Programs that end too early: in their header, their program headers, their text. */
void exec_truncated(void) {
  static const short sizes[] = {4, 63, 64, 65, 100, 119, 4096, 5000, 20000};
  char *arguments[] = {"prog", "--return", 0};
  for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    int from = open_file(self, O_RDONLY), to = open_file("prog", O_CREATE | O_TRUNC | O_WRONLY);
    for (long left = sizes[i]; left > 0;) {
      long piece = left < 1024 ? left : 1024;
      expect("read of a program", piece, read(from, page, piece));
      expect("write of a program", piece, write(to, page, piece));
      left -= piece;
    }
    close(from);
    close(to);
    int pid = fork_child();
    if (pid == 0) {
      expect("exec of a truncated program", -1, exec("prog", arguments));
      exit(7);
    }
    reap("process that executes a truncated program", pid, 7);
  }
  remove_file("prog");
}

void exec_copy(void) {
  copy_self("prog");
  make_directory("d");
  expect("link", 0, link("prog", "d/other"));
  expect_generation("prog", 0);
  expect_generation("d/other", 0);
  expect_generation("./d/../prog", 0);
  remove_file("prog");
  expect_generation("d/other", 0);
  remove_file("d/other");
  remove_file("d");
}

/* A program without a name goes on, and takes no more room when it has ended. */
void exec_unlinked(void) {
  copy_self("prog");
  struct running running = start("prog");
  remove_file("prog");
  expect_missing("prog");
  make_file("prog", 3, 2000);
  finish(running, '0');
  check_file("prog", 3, 2000);
  remove_file("prog");
}

/* Its file is emptied, filled with other bytes, and executed, while it runs. */
void exec_overwritten(void) {
  char *arguments[] = {"prog", 0};
  copy_self("prog");
  struct running first = start("prog"), second = start("prog");
  int fd = open_file("prog", O_RDWR);
  write_content(fd, 4, 0, 9000);
  close(fd);
  finish(first, '0');
  expect("exec of the bytes in its place", -1, exec("prog", arguments));
  close(open_file("prog", O_RDWR | O_TRUNC));
  finish(second, '0');
  expect("exec of the empty file in its place", -1, exec("prog", arguments));
  remove_file("prog");
}

/* What is started has the file as it is then, also when one runs that has it as it was. */
void exec_rewritten(void) {
  copy_self("prog");
  expect_generation("prog", 0);
  struct running first = start("prog");
  write_generation("prog", '1');
  expect_generation("prog", 1);
  struct running second = start("prog");
  write_generation("prog", '2');
  expect_generation("prog", 2);
  finish(second, '1');
  finish(first, '0');
  write_generation("prog", '0');
  expect_generation("prog", 0);
  remove_file("prog");
}

/* A process's stores to its data are its own: the file and the next program do not have them. */
void exec_data_private(void) {
  copy_self("prog");
  for (int i = 0; i < 2; i++) finish(start("prog"), '0');
  int from = open_file(self, O_RDONLY), other = open_file("prog", O_RDONLY);
  for (;;) {
    long count = read(from, page, PAGE_SIZE / 2);
    expect("read of the copy", count, read(other, page + PAGE_SIZE / 2, PAGE_SIZE / 2));
    if (count <= 0) break;
    expect("file of a program that has run", 0, memcmp(page, page + PAGE_SIZE / 2, (size_t)count));
  }
  close(from);
  close(other);
  remove_file("prog");
}
