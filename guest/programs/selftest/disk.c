/* Running out of blocks and inodes, and directories and failures that need many. */
#include "selftest.h"

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
  for (int i = 0; i < FILE_BLOCKS && i < blocks; i++) {
    expect("write where there is room again", BLOCK, write(fd, page, BLOCK));
  }
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
