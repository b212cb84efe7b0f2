/* Several processes at the same files: every call is whole, whatever the others do meanwhile. */
#include "selftest.h"

#define WORKERS 4

/* Runs `work` in so many processes at once; each must come to its end. */
static void all_at_once(int workers, void (*work)(int number)) {
  struct child children[WORKERS];
  int go[2];
  make_pipe(go);
  for (int i = 0; i < workers; i++) {
    children[i].status = 30 + i;
    children[i].pid = fork_child();
    if (children[i].pid == 0) {
      close(go[1]);
      expect_end_of_pipe("worker waits for the start", go[0]);
      close(go[0]);
      work(i);
      exit(30 + i);
    }
  }
  close(go[0]);
  close(go[1]);
  reap_all("workers", children, workers);
}

/* Each has names of its own in one directory. */
static void make_own(int number) {
  char letter = (char)('p' + number);
  for (int i = 0; i < 12; i++) {
    int fd = open_file(numbered(letter, i), O_CREATE | O_RDWR);
    expect("write", 2, write(fd, numbered(letter, i), 2));
    close(fd);
    if (i % 3 == 2) {
      remove_file(numbered(letter, i - 1));
      expect_missing(numbered(letter, i - 1));
    }
  }
}

void concurrent_create(void) {
  all_at_once(WORKERS, make_own);
  for (int number = 0; number < WORKERS; number++) {
    for (int i = 0; i < 12; i++) {
      const char *name = numbered((char)('p' + number), i);
      if (i % 3 == 1) expect_missing(name);
      else remove_file(name);
    }
  }
}

/* All create and unlink one and the same name: each call works or gives -1, and the file is nobody's in the end. */
static void fight_for_name(int number) {
  for (int i = 0; i < 25; i++) {
    int fd = open("x", O_CREATE | O_RDWR);
    if (fd < 0) fail("worker %d cannot create what others unlink", number);
    expect("write", 3, write(fd, "xyz", 3));
    if (i % (number + 2) == 0) unlink("x");
    close(fd);
  }
}

void concurrent_name(void) {
  all_at_once(WORKERS, fight_for_name);
  unlink("x");
  expect_missing("x");
}

/* And create, link and unlink a few names at random. */
static void link_about(int number) {
  unsigned state = (unsigned)number * 7919 + 1;
  for (int i = 0; i < 60; i++) {
    state = state * 1103515245 + 12345;
    unsigned chosen = state >> 16;
    const char *name = numbered('c', (int)(chosen / 4 % 3));
    switch (chosen % 4) {
      case 0: {
        int fd = open(name, O_CREATE | O_RDWR);
        if (fd < 0) fail("worker %d cannot create %s", number, name);
        close(fd);
        break;
      }
      case 1:
        link("cat", name);
        break;
      case 2: {
        int fd = open(name, O_RDONLY);
        if (fd < 0) break;
        expect("read of an empty file", 0, read(fd, page, 1));
        close(fd);
        break;
      }
      default:
        unlink(name);
    }
  }
}

void concurrent_link(void) {
  make_file("cat", 1, 0);
  all_at_once(WORKERS, link_about);
  for (int i = 0; i < 3; i++) {
    const char *name = numbered('c', i);
    int fd = open(name, O_RDONLY);
    if (fd < 0) continue;
    close(fd);
    remove_file(name);
  }
  expect_links("cat", 1);
  check_file("cat", 1, 0);
  remove_file("cat");
}

/* Writes by one opening that all have land one behind another, each whole. */
#define RECORD 10
#define RECORDS 40

static int shared_fd;

static void append(int number) {
  char record[RECORD];
  memset(record, 'a' + number, RECORD);
  for (int i = 0; i < RECORDS; i++) expect("write of a record", RECORD, write(shared_fd, record, RECORD));
}

void concurrent_append(void) {
  int counts[WORKERS] = {0};
  char record[RECORD];
  shared_fd = open_file("log", O_CREATE | O_RDWR);
  all_at_once(WORKERS, append);
  expect_size("log", shared_fd, WORKERS * RECORDS * RECORD);
  close(shared_fd);
  int fd = open_file("log", O_RDONLY);
  for (int i = 0; i < WORKERS * RECORDS; i++) {
    expect("read of a record", RECORD, read(fd, record, RECORD));
    for (int j = 1; j < RECORD; j++) expect("byte of a record", record[0], record[j]);
    if (record[0] < 'a' || record[0] >= 'a' + WORKERS) fail("record of nobody (byte %d)", record[0]);
    counts[record[0] - 'a']++;
  }
  for (int i = 0; i < WORKERS; i++) expect("records of a worker", RECORDS, counts[i]);
  close(fd);
  remove_file("log");
}

/* Each writes a file of its own while the others write theirs. */
static void write_own(int number) {
  int fd = open_file(numbered('o', number), O_CREATE | O_RDWR);
  for (long at = 0; at < 6000; at += 500) write_content(fd, 40 + number, at, 500);
  close(fd);
  check_file(numbered('o', number), 40 + number, 6000);
}

void concurrent_write(void) {
  all_at_once(WORKERS, write_own);
  for (int i = 0; i < WORKERS; i++) {
    check_file(numbered('o', i), 40 + i, 6000);
    remove_file(numbered('o', i));
  }
}

/* One writes its file over and over; the others must never read a piece that is half of one time, half of another. */
static void rewrite_or_read(int number) {
  for (int i = 0; i < 30; i++) {
    int fd = open_file("board", number == 0 ? O_WRONLY : O_RDONLY);
    if (number == 0) {
      memset(page, i + 1, 700);
      expect("write of the whole", 700, write(fd, page, 700));
    } else {
      expect("read of the whole", 700, read(fd, page, 700));
      for (int j = 1; j < 700; j++) expect("byte of one write", page[0], page[j]);
    }
    close(fd);
  }
}

void concurrent_rewrite(void) {
  int fd = open_file("board", O_CREATE | O_WRONLY);
  memset(page, 0, 700);
  expect("write", 700, write(fd, page, 700));
  close(fd);
  all_at_once(WORKERS, rewrite_or_read);
  remove_file("board");
}

/* Directories come and go under the feet of those who pass through. */
static void make_or_pass(int number) {
  for (int i = 0; i < 30; i++) {
    if (number == 0) {
      if (mkdir("way") == 0) unlink("way");
    } else if (number == 1) {
      int fd = open("way/../mark", O_RDONLY);
      if (fd < 0) continue;
      expect("read by a way that may be gone", 1, read(fd, page, 1));
      close(fd);
    } else if (number == 2) {
      int fd = open("way/f", O_CREATE | O_RDWR);
      if (fd < 0) continue;
      close(fd);
      unlink("way/f");
    } else {
      unlink("way");
      mkdir("way");
    }
  }
}

void concurrent_directory(void) {
  make_file("mark", 1, 1);
  all_at_once(WORKERS, make_or_pass);
  unlink("way/f");
  unlink("way");
  expect_missing("way");
  remove_file("mark");
}

/* All bytes of all writers come through one pipe, each writer's in order. */
static int shared_pipe[2];

static void write_numbers(int number) {
  static unsigned char bytes[300];
  if (number == 0) {
    unsigned char next[WORKERS] = {0};
    long total = 0;
    close(shared_pipe[1]);
    for (;;) {
      long count = read(shared_pipe[0], bytes, sizeof bytes);
      if (count < 0) fail("read of the shared pipe gave %ld", count);
      if (count == 0) break;
      total += count;
      for (long i = 0; i < count; i++) {
        int who = bytes[i] >> 6;
        expect("byte of a writer, in order", next[who], bytes[i] & 63);
        next[who] = (unsigned char)((next[who] + 1) & 63);
      }
    }
    expect("bytes of all writers", 3 * 2000, total);
  } else {
    unsigned char value = 0;
    close(shared_pipe[0]);
    for (int left = 2000; left > 0;) {
      int piece = left < 190 ? left : 190;
      for (int i = 0; i < piece; i++, value = (value + 1) & 63) bytes[i] = (unsigned char)(number << 6 | value);
      expect("write to a shared pipe", piece, write(shared_pipe[1], bytes, piece));
      left -= piece;
    }
  }
}

void concurrent_pipe(void) {
  make_pipe(shared_pipe);
  /* The reader sees the end only when this process has no writer either: it holds none while it waits. */
  struct child children[WORKERS];
  for (int i = 0; i < WORKERS; i++) {
    children[i].status = 50 + i;
    children[i].pid = fork_child();
    if (children[i].pid == 0) {
      write_numbers(i);
      exit(50 + i);
    }
  }
  close(shared_pipe[0]);
  close(shared_pipe[1]);
  reap_all("reader and writers", children, WORKERS);
}
