/*
 * Copy-on-write, tried from inside.
 *
 * A case passes by evidence only: children send a byte or end with a status that nothing but the
 * expected course gives, and every case must leave as much free memory as it found, so that a
 * frame lost or a frame freed twice shows.
 *
 * Arguments are names of cases; without any, all six run.
 */
#include "testing.h"

/* ---- Pages with marks ---- */

/*
 * The first word of a page says who wrote it last. The last word is written once, before the
 * fork, and says that whoever copied the page copied the whole of it.
 */
static unsigned long *first_word(char *base, long page) {
  return (unsigned long *)(base + page * PAGE_SIZE);
}

static unsigned long *last_word(char *base, long page) {
  return (unsigned long *)(base + (page + 1) * PAGE_SIZE) - 1;
}

static unsigned long mark(unsigned long who, long page) {
  return who << 32 | (unsigned long)page;
}

static void write_marks(char *base, long from, long to, unsigned long who) {
  for (long page = from; page < to; page++) *first_word(base, page) = mark(who, page);
}

static void write_witnesses(char *base, long pages) {
  for (long page = 0; page < pages; page++) *last_word(base, page) = ~mark(0, page);
}

static void check_marks(const char *what, char *base, long from, long to, unsigned long who) {
  for (long page = from; page < to; page++) {
    unsigned long first = *first_word(base, page), last = *last_word(base, page);
    if (first != mark(who, page)) {
      fail("%s: page %ld (expected 0x%lx, got 0x%lx)", what, page, mark(who, page), first);
    }
    if (last != ~mark(0, page)) {
      fail("%s: end of page %ld (expected 0x%lx, got 0x%lx)", what, page, ~mark(0, page), last);
    }
  }
}

static char *take_pages(long pages) {
  char *base = sbrk(pages * PAGE_SIZE);
  if (base == SBRK_FAILED) fail("sbrk could not give %ld free pages", pages);
  return base;
}

static void give_back(long pages) {
  if (sbrk(-pages * PAGE_SIZE) == SBRK_FAILED) fail("sbrk could not take %ld pages back", pages);
}

/* ---- simple: most of memory is shared, where an eager copy could not fit ---- */

static void simple(void) {
  long pages = free_bytes() / PAGE_SIZE * 2 / 3;
  char *base = take_pages(pages);
  unsigned long self = (unsigned long)getpid();
  write_witnesses(base, pages);
  write_marks(base, 0, pages, self);

  int pid = fork_child();
  if (pid == 0) exit(0);
  reap("child", pid, 0);

  check_marks("parent", base, 0, pages, self);
  give_back(pages);
}

/* ---- three: three processes share, then each writes ---- */

enum { PARENT = 1, CHILD, GRANDCHILD };

/*
 * The three hold their copies at the same time: each says when it has written, and looks at its
 * pages again only when all have. At that moment the quarter that was shared has become up to
 * three and a half quarters.
 */
static void say_and_wait(int written[2], int go[2]) {
  expect("saying that pages are written", 1, write(written[1], "w", 1));
  close(written[1]);
  expect_byte("waiting for the others", go[0], 'g');
}

static void three_grandchild(char *base, long pages, int written[2], int go[2]) {
  check_marks("grandchild before writing", base, 0, pages, PARENT);
  write_marks(base, 0, pages, GRANDCHILD);
  say_and_wait(written, go);
  check_marks("grandchild", base, 0, pages, GRANDCHILD);
  exit(13);
}

static void three_child(char *base, long pages, int written[2], int go[2]) {
  close(written[0]);
  close(go[1]);
  int pid = fork_child();
  if (pid == 0) three_grandchild(base, pages, written, go);

  check_marks("child before writing", base, 0, pages, PARENT);
  write_marks(base, 0, pages / 2, CHILD);
  say_and_wait(written, go);
  check_marks("child, written half", base, 0, pages / 2, CHILD);
  check_marks("child, unwritten half", base, pages / 2, pages, PARENT);
  reap("grandchild", pid, 13);
  check_marks("child at the end", base, 0, pages / 2, CHILD);
  exit(12);
}

static void three(void) {
  int written[2], go[2];
  make_pipe(written);
  make_pipe(go);
  long pages = free_bytes() / PAGE_SIZE / 4;
  char *base = take_pages(pages);
  write_witnesses(base, pages);
  write_marks(base, 0, pages, PARENT);

  int pid = fork_child();
  if (pid == 0) three_child(base, pages, written, go);
  close(written[1]);
  close(go[0]);

  /* The children may look for the original marks at any time, so these must differ from them. */
  write_marks(base, 0, pages, 10 + PARENT);
  expect_byte("first of the children", written[0], 'w');
  expect_byte("second of the children", written[0], 'w');
  expect("letting the children go on", 2, write(go[1], "gg", 2));
  check_marks("parent", base, 0, pages, 10 + PARENT);
  reap("child", pid, 12);
  check_marks("parent at the end", base, 0, pages, 10 + PARENT);

  close(written[0]);
  close(go[1]);
  give_back(pages);
}

/* ---- file: the kernel, not the program, writes to the shared pages ---- */

#define BUFFER_PAGES 4
#define READERS 4

static char buffer[BUFFER_PAGES * PAGE_SIZE] __attribute__((aligned(4096)));

/* What each child reads into the buffer: inside a page, a whole start, and across one or more borders. */
static const struct { long offset, size; } reads[READERS] = {
    {100, 40},
    {2 * PAGE_SIZE, 512},
    {PAGE_SIZE - 150, 300},
    {PAGE_SIZE + 2000, 2 * PAGE_SIZE + 7},
};

static char buffer_byte(long offset) {
  return (char)(offset * 7 + offset / PAGE_SIZE);
}

/* The buffer is as the parent made it, but for a stretch that holds one byte over and over. */
static void check_buffer(const char *what, long offset, long size, char byte) {
  for (long at = 0; at < (long)sizeof buffer; at++) {
    int inside = at >= offset && at < offset + size;
    char expected = inside ? byte : buffer_byte(at);
    if (buffer[at] != expected) {
      fail("%s: byte %ld of the buffer (expected %d, got %d)", what, at, expected, buffer[at]);
    }
  }
}

static void file_reader(int number, int from_parent, int to_parent) {
  long offset = reads[number].offset, size = reads[number].size;
  expect("read into a shared page", size, read_all(from_parent, buffer + offset, size));
  check_buffer("child", offset, size, (char)(number + 1));
  expect_end_of_pipe("child", from_parent);
  expect("answer", 1, write(to_parent, "r", 1));
  exit(20 + number);
}

static void send_bytes(int fd, char byte, long size) {
  char piece[64];
  memset(piece, byte, sizeof piece);
  while (size > 0) {
    long count = size < (long)sizeof piece ? size : (long)sizeof piece;
    expect("write to a child", count, write(fd, piece, count));
    size -= count;
  }
}

/* The other way round: the parent read()s into pages that a child still shares. */
static void file_parent_reads(void) {
  int data[2], go[2];
  make_pipe(data);
  make_pipe(go);
  int pid = fork_child();
  if (pid == 0) {
    close(go[1]);
    expect_byte("onlooker", go[0], 'g');
    check_buffer("onlooker", 0, 0, 0);
    exit(31);
  }
  long offset = 3 * PAGE_SIZE - 5;
  send_bytes(data[1], 99, 10);
  expect("parent reads into a shared page", 10, read_all(data[0], buffer + offset, 10));
  check_buffer("parent after its own read", offset, 10, 99);
  expect("letting the onlooker look", 1, write(go[1], "g", 1));
  reap("onlooker", pid, 31);
  close(data[0]);
  close(data[1]);
  close(go[0]);
  close(go[1]);
}

static void file(void) {
  struct child readers[READERS];
  int pipes[READERS][2], answers[2];
  for (long at = 0; at < (long)sizeof buffer; at++) buffer[at] = buffer_byte(at);
  make_pipe(answers);

  /* All are forked before the first byte is sent, so all share the buffer with the parent. */
  for (int i = 0; i < READERS; i++) {
    make_pipe(pipes[i]);
    readers[i].status = 20 + i;
    readers[i].pid = fork_child();
    if (readers[i].pid == 0) {
      for (int j = 0; j <= i; j++) close(pipes[j][1]);
      close(answers[0]);
      file_reader(i, pipes[i][0], answers[1]);
    }
    close(pipes[i][0]);
  }
  close(answers[1]);
  for (int i = 0; i < READERS; i++) {
    send_bytes(pipes[i][1], (char)(i + 1), reads[i].size);
    check_buffer("parent between its children", 0, 0, 0);
    close(pipes[i][1]);
  }
  for (int i = 0; i < READERS; i++) expect_byte("answers", answers[0], 'r');
  expect_end_of_pipe("answers", answers[0]);
  close(answers[0]);
  reap_all("readers", readers, READERS);
  check_buffer("parent", 0, 0, 0);

  file_parent_reads();
}

/* ---- forkfork: children that fork again from pages that are shared already ---- */

#define ROUNDS 100
#define GENERATIONS 3
#define FAMILY_PAGES 16

/* Members of a family are numbered as in a heap: 0 is the parent, n has the children 2n + 1 and 2n + 2. */
static int generation_of(int member) {
  int generation = 0;
  for (; member > 0; member = (member - 1) / 2) generation++;
  return generation;
}

/* Each generation writes other pages, and leaves some that nobody below the parent writes. */
static int writes_page(int member, long page) {
  int generation = generation_of(member);
  return generation == 0 || page % (generation + 1) == generation;
}

/* Who wrote the page last, as this member must see it: itself or its nearest ancestor that did. */
static int writer_of(int member, long page) {
  while (!writes_page(member, page)) member = (member - 1) / 2;
  return member;
}

static unsigned long family_mark(int round, int member) {
  return (unsigned long)(round * 100 + member + 1);
}

static void check_family(const char *what, char *base, int round, int member) {
  for (long page = 0; page < FAMILY_PAGES; page++) {
    check_marks(what, base, page, page + 1, family_mark(round, writer_of(member, page)));
  }
}

static int family_status(int member) {
  return 40 + member;
}

static void live(char *base, int round, int member) {
  if (member > 0) check_family("newborn", base, round, (member - 1) / 2);
  for (long page = 0; page < FAMILY_PAGES; page++) {
    if (writes_page(member, page)) write_marks(base, page, page + 1, family_mark(round, member));
  }
  check_family("after writing", base, round, member);
  if (generation_of(member) == GENERATIONS) return;

  struct child children[2];
  for (int i = 0; i < 2; i++) {
    int number = 2 * member + 1 + i;
    children[i].status = family_status(number);
    children[i].pid = fork_child();
    if (children[i].pid == 0) {
      live(base, round, number);
      exit(family_status(number));
    }
  }
  reap_all("children", children, 2);
  check_family("after the children", base, round, member);
}

static void forkfork(void) {
  char *base = take_pages(FAMILY_PAGES);
  write_witnesses(base, FAMILY_PAGES);
  for (int round = 0; round < ROUNDS; round++) live(base, round, 0);
  give_back(FAMILY_PAGES);
}

/* ---- readonly: text is shared too, and stays what it is ---- */

/* Flips the bits of an instruction: the change shows in the checksum wherever it lands. */
static void write_to_text(void) {
  volatile unsigned char *text = (volatile unsigned char *)(unsigned long)&forkfork;
  *text = (unsigned char)~*text;
}

static void write_to_text_after_grandchild(void) {
  unsigned long sum = text_checksum();
  expect_killed("grandchild writes to text that three share", write_to_text);
  if (text_checksum() != sum) fail("the text changed in the child of a writer");
  write_to_text();
}

static void read_into_text(void) {
  int fds[2];
  unsigned long sum = text_checksum();
  make_pipe(fds);
  expect("write to a pipe", 8, write(fds[1], "\0\0\0\0\0\0\0\0", 8));
  expect("read() into text", -1, read(fds[0], (void *)(unsigned long)&forkfork, 4));
  if (text_checksum() != sum) fail("read() changed the text");
  close(fds[0]);
  close(fds[1]);
}

static void readonly(void) {
  unsigned long sum = text_checksum();
  expect_killed("child writes to text", write_to_text);
  expect_killed("child writes to text after its child", write_to_text_after_grandchild);
  read_into_text();
  int pid = fork_child();
  if (pid == 0) {
    read_into_text();
    exit(51);
  }
  reap("child that read()s into shared text", pid, 51);
  if (text_checksum() != sum) fail("the text changed in the parent");
}

/* ---- oom: memory runs out inside a copy-on-write fault ---- */

/* A process with nothing to do with the shortage: squares what it is sent, adding up. */
static void bystander(int questions, int answers) {
  long question, sum = 0;
  while (read_all(questions, &question, sizeof question) == sizeof question) {
    sum += question * question;
    expect("bystander's answer", sizeof sum, write(answers, &sum, sizeof sum));
  }
  exit(61);
}

static void ask(int questions, int answers, long question, long expected) {
  long answer = 0;
  expect("question to the bystander", sizeof question, write(questions, &question, sizeof question));
  expect("size of the bystander's answer", sizeof answer, read_all(answers, &answer, sizeof answer));
  expect("bystander's answer", expected, answer);
}

static void oom_child(char *base, long pages, int go, int progress) {
  long some = pages / 4 < 256 ? pages / 4 : 256;
  expect_byte("child waits for its parent", go, 'g');
  write_marks(base, 0, some, CHILD);
  check_marks("child, its first pages", base, 0, some, CHILD);
  check_marks("child, pages not yet written", base, some, pages, PARENT);
  expect("child's progress", 1, write(progress, "s", 1));
  write_marks(base, some, pages, CHILD);
  expect("child's progress", 1, write(progress, "a", 1));
  exit(0);
}

static void oom(void) {
  int questions[2], answers[2], go[2], progress[2];
  make_pipe(questions);
  make_pipe(answers);
  int small = fork_child();
  if (small == 0) {
    close(questions[1]);
    close(answers[0]);
    bystander(questions[0], answers[1]);
  }
  close(questions[0]);
  close(answers[1]);
  /* It answers once now, so that it has its own copies of the pages it writes. */
  ask(questions[1], answers[0], 3, 9);

  long pages = free_bytes() / PAGE_SIZE * 2 / 3;
  char *base = take_pages(pages);
  write_witnesses(base, pages);
  write_marks(base, 0, pages, PARENT);

  make_pipe(go);
  make_pipe(progress);
  int pid = fork_child();
  if (pid == 0) {
    close(go[1]);
    close(progress[0]);
    /* Or the bystander would not see the end of its questions while this one lives. */
    close(questions[1]);
    oom_child(base, pages, go[0], progress[1]);
  }
  close(go[0]);
  close(progress[1]);
  /*
   * The fork shared this process's stack and data once more. They are written before the child
   * may start, or the parent's own next store could be the one that finds no memory.
   */
  touch_image();
  expect("letting the child start", 1, write(go[1], "g", 1));
  expect_byte("child's first pages", progress[0], 's');
  expect_end_of_pipe("child wrote every page of memory that is not there", progress[0]);
  reap("child that ran out of memory", pid, -1);

  ask(questions[1], answers[0], 4, 25);
  check_marks("parent", base, 0, pages, PARENT);
  write_marks(base, 0, pages, 10 + PARENT);
  check_marks("parent after writing again", base, 0, pages, 10 + PARENT);
  ask(questions[1], answers[0], 5, 50);

  close(go[1]);
  close(progress[0]);
  close(questions[1]);
  reap("bystander", small, 61);
  expect_end_of_pipe("bystander", answers[0]);
  close(answers[0]);
  give_back(pages);
}

/* ---- All of them ---- */

/*
 * Free memory before a case and after it must be equal to the page. Two things could differ with
 * no frame lost, and are out of the way before the first measurement. Image pages that the kernel
 * fills on first use: touch_image() uses them all. Page tables for the heap, which a kernel may
 * keep when the heap shrinks: each measurement grows the heap to the same end, needing the same
 * tables whether they are kept or made anew, and no case grows it further. A measurement, a fork
 * and a pipe before the first case let a kernel allocate what it makes once and keeps.
 */
static void warm_up(void) {
  int fds[2];
  touch_image();
  make_pipe(fds);
  int pid = fork_child();
  if (pid == 0) exit(0);
  reap("child", pid, 0);
  close(fds[0]);
  close(fds[1]);
  touch_image();
  free_bytes();
}

static void run_without_leak(const struct test_case *test) {
  long before = free_bytes();
  test->run();
  long after = free_bytes();
  if (before != after) fail("free memory afterwards (expected %ld bytes, got %ld)", before, after);
}

static const struct test_case cases[] = {
    {"simple", 2, simple},
    {"three", 3, three},
    {"file", 1, file},
    {"forkfork", 1, forkfork},
    {"readonly", 1, readonly},
    {"oom", 1, oom},
};

int main(int argc, char *argv[]) {
  static const struct test_program program = {
      .name = "cowtest",
      .title = "COW",
      .cases = cases,
      .count = sizeof cases / sizeof cases[0],
      .run = run_without_leak,
  };
  test_program_name = program.name;
  warm_up();
  return run_tests(&program, argc, argv);
}
