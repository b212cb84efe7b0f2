/* Running out: of open files, processes, memory, inodes, room on the disk. An error each time, and all is back afterwards. */
#include "selftest.h"

/* ---- Open files ---- */

#define OPENERS 10
#define SHARE 11

/* Opens files until that fails, one and the same or each another; gives how often it did not. */
static int open_until_none(int opener, int different) {
  int count = 0;
  while (open(different ? numbered('f', opener * SHARE + count) : "f000", O_RDONLY) >= 0) count++;
  return count;
}

/* Each process has 16 descriptors, five of them in use; ten have more than the system has files. */
static int open_all_files(int different) {
  struct child children[OPENERS];
  int results[2], go[2], total = 0;
  make_pipe(results);
  make_pipe(go);
  for (int i = 0; i < OPENERS; i++) {
    children[i].status = 60 + i;
    children[i].pid = fork_child();
    if (children[i].pid == 0) {
      close(results[0]);
      close(go[1]);
      int count = open_until_none(i, different);
      expect("open again", -1, open(different ? numbered('f', i * SHARE + count) : "f000", O_RDONLY));
      expect("count to the parent", sizeof count, write(results[1], &count, sizeof count));
      expect_end_of_pipe("child keeps its files", go[0]);
      exit(60 + i);
    }
    int count = 0;
    expect("count of a child", sizeof count, read_all(results[0], &count, sizeof count));
    total += count;
  }
  /* There is none left for anybody, but what is open is as it was. */
  expect("open without a free file", -1, open("f109", O_RDONLY));
  expect("O_CREATE without a free file", -1, open("g", O_CREATE | O_RDWR));
  int copy = dup(1);
  if (copy < 0) fail("dup needs no new file (got %d)", copy);
  close(copy);
  if (!different) expect("pipe without a free file", -1, pipe((int[2]){0, 0}));
  close(go[0]);
  close(go[1]);
  reap_all("children with files", children, OPENERS);
  close(results[0]);
  close(results[1]);
  check_file("f000", 0, 10);
  /* Whether O_CREATE made its file before there was no descriptor for it is left open. */
  unlink("g");
  return total;
}

void open_files_limit(void) {
  make_file("f000", 0, 10);
  make_file("f109", 0, 10);
  int count = open_all_files(0);
  /* 100, of which the two pipes have four and the console one or a few. */
  if (count < 80 || count > 95) fail("open files (expected 80 to 95, got %d)", count);
  expect("open files the second time", count, open_all_files(0));
  remove_file("f000");
  remove_file("f109");
}

/* Of different files fewer can be open, because the kernel keeps what it knows of 50 at a time. */
void open_inodes_limit(void) {
  for (int i = 0; i < OPENERS * SHARE; i++) make_file(numbered('f', i), i, 10);
  int count = open_all_files(1);
  if (count < 40 || count > 50) fail("different open files (expected 40 to 50, got %d)", count);
  expect("different open files the second time", count, open_all_files(1));
  for (int i = 0; i < OPENERS * SHARE; i++) {
    check_file(numbered('f', i), i, 10);
    remove_file(numbered('f', i));
  }
}

/* ---- Processes ---- */

static int fork_until_none(void) {
  int go[2], count = 0;
  make_pipe(go);
  for (;;) {
    int pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      close(go[1]);
      expect_end_of_pipe("child", go[0]);
      exit(3);
    }
    if (++count > 1000) fail("fork never fails");
  }
  expect("fork again", -1, fork());
  close(go[0]);
  close(go[1]);
  for (int i = 0; i < count; i++) {
    int status = 0;
    if (wait(&status) <= 0) fail("wait for child %d of %d", i + 1, count);
    expect("status of a child", 3, status);
  }
  expect("wait without children", -1, wait(0));
  return count;
}

void process_limit(void) {
  int count = fork_until_none();
  if (count < 50 || count > 62) fail("children (expected 50 to 62, got %d)", count);
  expect("children the second time", count, fork_until_none());
}

/* ---- Memory ---- */

/* All memory in one process, written and read back, and then for another. */
void memory_limit(void) {
  long before = free_bytes();
  for (int round = 0; round < 2; round++) {
    int pid = fork_child();
    if (pid == 0) {
      long size = free_bytes();
      char *start = sbrk(size);
      if (start == SBRK_FAILED) fail("sbrk of all that is free failed");
      for (long at = 0; at < size; at += PAGE_SIZE) *(long *)(void *)(start + at) = at ^ round;
      for (long at = 0; at < size; at += PAGE_SIZE) expect("word of a page", at ^ round, *(long *)(void *)(start + at));
      if (sbrk(PAGE_SIZE) != SBRK_FAILED) fail("one page more than there is");
      exit(7);
    }
    reap("process with all memory", pid, 7);
  }
  expect("free memory afterwards", before, free_bytes());
}

/* Takes memory until less than so many pages are free. */
static void take_all_but(int pages) {
  for (long step = 1L << 20; step >= PAGE_SIZE; step /= 2) {
    while (sbrk(step) != SBRK_FAILED) {
    }
  }
  if (pages > 0 && sbrk(-pages * PAGE_SIZE) == SBRK_FAILED) fail("sbrk could not shrink by %d pages", pages);
}

/* So many pages are left, by turns: none, too few for anything, enough for some of what is to be done. */
static const short left[] = {0, 1, 2, 4, 6, 9, 14, 25, 50};
#define TURNS ((int)(sizeof left / sizeof left[0]))

/* With some or no pages left exec works or says -1, and whoever cannot even store to memory is killed. */
void memory_exec(void) {
  long before = free_bytes();
  for (int turn = 0; turn < TURNS; turn++) {
    int pages = left[turn];
    int status = 0, pid = fork_child();
    if (pid == 0) {
      char *arguments[] = {self, "--return", 0};
      touch_image();
      take_all_but(pages);
      exec(self, arguments);
      exit(7);
    }
    expect("wait", pid, wait(&status));
    if (status != 7 && status != -77 && status != -1) fail("exec with %d pages left (status %d)", pages, status);
  }
  expect("free memory afterwards", before, free_bytes());
}

/* So with fork: it says -1, or both go on until one of them writes and there is no page to copy to. */
void memory_fork(void) {
  long before = free_bytes();
  int failures = 0;
  for (int turn = 0; turn < TURNS; turn++) {
    int pages = left[turn];
    int status = 0, pid = fork_child();
    if (pid == 0) {
      touch_image();
      take_all_but(pages);
      int child = fork();
      if (child == 0) exit(5);
      if (child < 0) exit(6);
      int ended = 0;
      if (wait(&ended) != child || (ended != 5 && ended != -1)) exit(8);
      exit(7);
    }
    expect("wait", pid, wait(&status));
    if (status != 6 && status != 7 && status != -1) fail("fork with %d pages left (status %d)", pages, status);
    if (status != 7) failures++;
  }
  if (failures == 0) fail("fork never met the end of memory");
  sleep(2); /* Process 1 reaps what a killed parent left. */
  expect("free memory afterwards", before, free_bytes());
}

/* And with files and pipes: calls need memory too, and say so. */
void memory_files(void) {
  touch_image(); /* Or what this process touches of it later would be missing. */
  long before = free_bytes();
  make_file("f", 1, 5000);
  int status = 0, pid = fork_child();
  if (pid == 0) {
    int fds[2];
    touch_image();
    take_all_but(0);
    int fd = open("f", O_RDWR);
    if (fd >= 0) {
      long count = read(fd, page, 100);
      if (count != 100 && count != -1) exit(8);
      if (count == 100 && page[99] != content_byte(1, 99)) exit(9);
    }
    pipe(fds);
    open("g", O_CREATE | O_RDWR);
    mkdir("d");
    exit(7);
  }
  expect("wait", pid, wait(&status));
  if (status != 7 && status != -1) fail("files without memory (status %d)", status);
  check_file("f", 1, 5000);
  remove_file("f");
  unlink("g");
  unlink("d");
  expect("free memory afterwards", before, free_bytes());
}

/* ---- The disk ---- */

#define FILE_BLOCKS 268
#define BLOCK 1024

/* Fills the disk with files of the largest size; gives how many blocks were written. */
static long fill_disk(int kind) {
  long blocks = 0;
  for (int i = 0;; i++) {
    int fd = open(numbered('b', i), O_CREATE | O_TRUNC | O_WRONLY);
    if (fd < 0) break;
    int written = 0;
    while (written < FILE_BLOCKS) {
      *(long *)(void *)page = kind + blocks;
      if (write(fd, page, BLOCK) != BLOCK) break;
      written++;
      blocks++;
    }
    close(fd);
    if (written < FILE_BLOCKS) break;
    if (i > 100) fail("the disk has no end");
  }
  return blocks;
}

/* Reads all of it back. */
static void check_disk(int kind, long blocks) {
  for (long at = 0; at < blocks; at++) {
    static int fd;
    if (at % FILE_BLOCKS == 0) fd = open_file(numbered('b', (int)(at / FILE_BLOCKS)), O_RDONLY);
    expect("read of a block", BLOCK, read(fd, page, BLOCK));
    expect("block's mark", kind + at, *(long *)(void *)page);
    if (at % FILE_BLOCKS == FILE_BLOCKS - 1 || at == blocks - 1) close(fd);
  }
}

static void empty_disk(void) {
  for (int i = 0; unlink(numbered('b', i)) == 0; i++) {
  }
}

long free_blocks(void) {
  long blocks = fill_disk(0);
  empty_disk();
  return blocks;
}

void disk_full(void) {
  make_file("before", 2, 100);
  long blocks = fill_disk(1000000);
  if (blocks < 100) fail("free blocks of the disk (expected 100 at least, got %ld)", blocks);
  int fd = open_file("before", O_RDWR);
  read_content("file from before", fd, 2, 0, 100);
  /* Its block has room still; another block there is none. */
  write_content(fd, 2, 100, 900);
  long count = write(fd, page, BLOCK);
  if (count == BLOCK) fail("a block was written to a full disk");
  close(fd);
  check_disk(1000000, blocks);
  fd = open_file("before", O_RDONLY);
  read_content("file from before, grown", fd, 2, 0, 1000);
  close(fd);

  /* What is unlinked is free again, and not more. */
  remove_file("b000");
  fd = open_file("again", O_CREATE | O_WRONLY);
  for (int i = 0; i < FILE_BLOCKS && i < blocks; i++) expect("write where there is room again", BLOCK, write(fd, page, BLOCK));
  close(fd);
  remove_file("again");
  close(open_file("b000", O_CREATE | O_WRONLY));
  empty_disk();
  expect("blocks the second time", blocks, fill_disk(0));
  empty_disk();
  remove_file("before");
}

/* Makes files until that fails; gives how many there were. */
static int make_all_inodes(void) {
  int count = 0;
  for (;;) {
    int fd = open(numbered('i', count), O_CREATE | O_RDWR);
    if (fd < 0) break;
    close(fd);
    if (++count > 1000) fail("inodes have no end");
  }
  return count;
}

int free_inodes(void) {
  int count = make_all_inodes();
  for (int i = 0; i < count; i++) remove_file(numbered('i', i));
  return count;
}

void inode_limit(void) {
  make_file("f", 3, 100);
  int count = make_all_inodes();
  if (count < 20) fail("free inodes (expected 20 at least, got %d)", count);
  expect("mkdir without inodes", -1, mkdir("d"));
  expect("mknod without inodes", -1, mknod("c", 1, 0));
  expect("file without inodes", -1, open("g", O_CREATE | O_RDWR));
  check_file("f", 3, 100);
  expect("link needs no inode", 0, link("f", "g"));
  remove_file("g");
  make_file("f", 4, 50);
  remove_file("i007");
  make_directory("d");
  expect("mkdir without inodes again", -1, mkdir("e"));
  remove_file("d");
  make_file("i007", 5, 10);
  expect_missing("d");
  for (int i = 0; i < count; i++) remove_file(numbered('i', i));
  expect("inodes the second time", count, free_inodes());
  remove_file("f");
}

/* A directory of 500 names: each is found, none twice, and it can be emptied from the middle. */
void directory_large(void) {
  make_directory("d");
  make_file("f", 6, 10);
  enter("d");
  for (int i = 0; i < 500; i++) expect("link", 0, link("../f", numbered('n', i)));
  expect_links("../f", 501);
  for (int i = 0; i < 500; i += 37) check_file(numbered('n', i), 6, 10);
  expect("link of a name that is there", -1, link("../f", "n499"));
  expect("size", 502 * sizeof(struct dirent), (long)status_of(".").size);
  for (int i = 0; i < 500; i++) remove_file(numbered('n', (i + 250) % 500));
  expect_missing("n000");
  enter("..");
  expect_links("f", 1);
  remove_file("f");
  remove_file("d");
}

/* Writes that fail for their address must not use up blocks. */
void disk_bad_writes(void) {
  for (int i = 0; i < 600; i++) {
    int fd = open_file("f", O_CREATE | O_WRONLY);
    expect("write from nowhere", -1, write(fd, (void *)0xffffffffffUL, 1));
    close(fd);
    remove_file("f");
  }
  make_file("f", 7, 100);
  check_file("f", 7, 100);
  remove_file("f");
}
