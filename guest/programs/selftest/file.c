/* Regular files: what is written is read, at whose offset, how large it is, and who may do what. */
#include "selftest.h"

#define LARGEST (268 * 1024L)

void file_create(void) {
  struct stat status;
  expect_missing("new");
  int fd = open("new", O_CREATE | O_RDWR);
  expect("lowest descriptor", 3, fd);
  expect("fstat of a new file", 0, fstat(fd, &status));
  expect("type", TYPE_FILE, status.type);
  expect("links", 1, status.links);
  expect("size", 0, (long)status.size);
  if (status.inode < 2 || status.inode > 65535) fail("inode %u does not fit a directory", status.inode);
  expect("device of the root too", status.device, status_of("/").device);
  expect("read of nothing", 0, read(fd, page, 10));
  expect("write", 5, write(fd, "hello", 5));
  expect_size("new file", fd, 5);
  expect("read after what was written", 0, read(fd, page, 10));
  expect("close", 0, close(fd));

  fd = open_file("new", O_RDONLY);
  expect("read of more than there is", 5, read(fd, page, 100));
  expect("what was read", 0, memcmp(page, "hello", 5));
  expect("read at the end", 0, read(fd, page, 100));
  expect("read at the end again", 0, read(fd, page, 100));
  expect("close of the reader", 0, close(fd));
  remove_file("new");
  expect_missing("new");
}

/* fstat fills its struct and not a byte more. */
void file_stat_bytes(void) {
  static char around[64];
  memset(around, 0x5a, sizeof around);
  make_file("f", 1, 3);
  int fd = open_file("f", O_RDONLY);
  expect("fstat", 0, fstat(fd, (struct stat *)(void *)(around + 16)));
  for (unsigned i = 0; i < sizeof around; i++) {
    if (i < 16 || i >= 16 + sizeof(struct stat)) expect("byte beside the struct", 0x5a, around[i]);
  }
  expect("size", 3, (long)((struct stat *)(void *)(around + 16))->size);
  close(fd);
  remove_file("f");
}

/* One offset for all descriptors of an opening: dup's, and those of a child. */
void file_shared_offset(void) {
  make_file("f", 2, 100);
  int fd = open_file("f", O_RDONLY);
  int copy = dup(fd), pid;
  read_content("first descriptor", fd, 2, 0, 10);
  read_content("its copy", copy, 2, 10, 10);
  pid = fork_child();
  if (pid == 0) {
    read_content("child", fd, 2, 20, 10);
    exit(7);
  }
  reap("child that reads", pid, 7);
  read_content("parent after its child", copy, 2, 30, 10);
  close(fd);
  read_content("copy of a closed descriptor", copy, 2, 40, 60);
  expect("end for all", 0, read(copy, page, 1));
  close(copy);
  remove_file("f");
}

void file_shared_writing(void) {
  int fd = open_file("f", O_CREATE | O_WRONLY);
  write_content(fd, 3, 0, 1000);
  int pid = fork_child();
  if (pid == 0) {
    write_content(fd, 3, 1000, 1000);
    exit(7);
  }
  reap("child that writes", pid, 7);
  write_content(fd, 3, 2000, 1000);
  close(fd);
  check_file("f", 3, 3000);
  remove_file("f");
}

/* Each opening has an offset of its own; what one writes the other reads. */
void file_two_openings(void) {
  make_file("f", 4, 50);
  int reader = open_file("f", O_RDONLY), writer = open_file("f", O_RDWR);
  read_content("writer, before it writes", writer, 4, 0, 20);
  fill_content(page, 5, 20, 10);
  expect("write in the middle", 10, write(writer, page, 10));
  read_content("reader, before", reader, 4, 0, 20);
  read_content("reader, what was written", reader, 5, 20, 10);
  read_content("reader, behind", reader, 4, 30, 20);
  expect("reader's end", 0, read(reader, page, 1));
  read_content("writer, behind", writer, 4, 30, 20);
  write_content(writer, 4, 50, 25);
  expect_size("file that has grown", reader, 75);
  read_content("reader, what has been added", reader, 4, 50, 25);
  close(reader);
  close(writer);
  remove_file("f");
}

void file_truncate(void) {
  make_file("f", 6, 5000);
  int old = open_file("f", O_RDWR);
  read_content("before", old, 6, 0, 100);
  int fd = open_file("f", O_WRONLY | O_TRUNC);
  expect_size("truncated file", old, 0);
  expect("read beyond the end that moved", 0, read(old, page, 10));
  /* There are no holes: nothing can be written behind the end. */
  expect("write beyond the end that moved", -1, write(old, "x", 1));
  expect_size("file after that", fd, 0);
  write_content(fd, 7, 0, 120);
  read_content("old descriptor, in the new bytes", old, 7, 100, 20);
  close(old);
  close(fd);
  check_file("f", 7, 120);

  close(open_file("f", O_RDWR | O_TRUNC | O_CREATE));
  check_file("f", 7, 0);
  make_file("f", 8, 10);
  /* Also for a descriptor that may not write. */
  close(open_file("f", O_RDONLY | O_TRUNC));
  check_file("f", 8, 0);
  remove_file("f");
}

void file_create_existing(void) {
  make_file("f", 9, 100);
  make_directory("d");
  int fd = open_file("f", O_CREATE | O_RDWR);
  expect_size("existing file opened with O_CREATE", fd, 100);
  read_content("existing file opened with O_CREATE", fd, 9, 0, 100);
  close(fd);
  expect("O_CREATE of a directory", -1, open("d", O_CREATE | O_RDWR));
  expect("O_CREATE of a directory, to read", -1, open("d", O_CREATE | O_RDONLY));
  expect("O_CREATE of .", -1, open(".", O_CREATE | O_RDWR));
  expect("O_CREATE of ..", -1, open("d/..", O_CREATE | O_RDWR));
  expect("O_CREATE of the root", -1, open("/", O_CREATE | O_RDWR));
  expect("O_CREATE in a missing directory", -1, open("none/f", O_CREATE | O_RDWR));
  expect("O_CREATE below a file", -1, open("f/g", O_CREATE | O_RDWR));
  expect("open below a file", -1, open("f/g", O_RDONLY));
  expect("open of .. of a file", -1, open("f/..", O_RDONLY));
  fd = open_file("g", O_CREATE | O_RDONLY);
  expect("write to a new file opened to read", -1, write(fd, "x", 1));
  expect("read of a new file opened to read", 0, read(fd, page, 1));
  close(fd);
  check_file("g", 0, 0);
  remove_file("f");
  remove_file("g");
  remove_file("d");
}

void file_modes(void) {
  static const struct {
    int mode, reads, writes;
  } modes[] = {{O_RDONLY, 1, 0}, {O_WRONLY, 0, 1}, {O_RDWR, 1, 1}, {O_WRONLY | O_RDWR, 0, 1}};
  for (unsigned i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    make_file("f", 10, 20);
    int fd = open_file("f", modes[i].mode);
    expect("write, by the mode", modes[i].writes ? 1 : -1, write(fd, "w", 1));
    expect("read, by the mode", modes[i].reads ? 1 : -1, read(fd, page, 1));
    expect("read of nothing, by the mode", modes[i].reads ? 0 : -1, read(fd, page, 0));
    expect("write of nothing, by the mode", modes[i].writes ? 0 : -1, write(fd, page, 0));
    expect_size("file that was not to grow", fd, 20);
    close(fd);
  }
  remove_file("f");
}

/* Sizes around those of blocks and pages, written in one piece, in several, read in others. */
void file_sizes(void) {
  static const short sizes[] = {1, 511, 512, 513, 1023, 1024, 1025, 3071, 3072, 3073, 4095, 4096};
  for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    long size = sizes[i];
    int fd = open_file("f", O_CREATE | O_TRUNC | O_WRONLY);
    fill_content(page, (int)i, 0, size);
    expect("write in one piece", size, write(fd, page, size));
    expect_size("after one piece", fd, size);
    fill_content(page, (int)i, size, size);
    expect("write of as much again", size, write(fd, page, size));
    close(fd);
    check_file("f", (int)i, 2 * size);
  }
  remove_file("f");
}

/* One call that writes, and one that reads, several pages at an odd place of memory. */
void file_large_pieces(void) {
  static char bytes[5 * PAGE_SIZE];
  long size = 4 * PAGE_SIZE + 77;
  fill_content(bytes + 3, 11, 0, size);
  int fd = open_file("f", O_CREATE | O_RDWR);
  expect("write of four pages", size, write(fd, bytes + 3, size));
  close(fd);
  memset(bytes, 0, sizeof bytes);
  fd = open_file("f", O_RDONLY);
  expect("read of one byte", 1, read(fd, bytes + 100, 1));
  expect("read of the rest", size - 1, read(fd, bytes + 101, sizeof bytes - 101));
  check_content("what was read", bytes + 100, 11, 0, size);
  expect("byte before what was read", 0, bytes[99]);
  expect("byte behind what was read", 0, bytes[100 + size]);
  close(fd);
  remove_file("f");
}

void file_largest(void) {
  int fd = open_file("f", O_CREATE | O_RDWR);
  for (long at = 0; at < LARGEST; at += 1024) {
    *(long *)(void *)page = at;
    expect("write of a block", 1024, write(fd, page, 1024));
  }
  expect_size("largest file", fd, LARGEST);
  expect("write behind the largest size", -1, write(fd, page, 1));
  expect("write of nothing there", 0, write(fd, page, 0));
  expect_size("largest file after that", fd, LARGEST);
  close(fd);

  fd = open_file("f", O_RDWR);
  for (long at = 0; at < LARGEST; at += 1024) {
    expect("read of a block", 1024, read(fd, page, 1024));
    expect("block's mark", at, *(long *)(void *)page);
    if (at == LARGEST - 2048) {
      /* One block is left. What would go beyond it is refused whole, and what fits is not. */
      expect("write across the largest size", -1, write(fd, page, 1025));
      expect("write up to the largest size", 1024, write(fd, page, 1024));
      break;
    }
  }
  expect("read at the end", 0, read(fd, page, 1));
  expect_size("largest file, rewritten", fd, LARGEST);
  close(fd);
  remove_file("f");
}

/* Lengths that are no lengths: nothing is written, and nothing read beyond what there is. */
void file_negative_length(void) {
  make_file("f", 12, 5);
  int fd = open_file("f", O_RDWR);
  memset(page, 0x11, 64);
  expect("write of -1 bytes", -1, write(fd, page, -1));
  expect_size("file after a write of -1 bytes", fd, 5);
  /* What it gives is left open. */
  read(fd, page, -1);
  expect("byte behind the file's", 0x11, page[5]);
  close(fd);
  check_file("f", 12, 5);
  remove_file("f");
}

/* Several files are written by turns, and none gets what is another's. */
void file_many(void) {
  int fds[10];
  for (int i = 0; i < 10; i++) fds[i] = open_file(numbered('f', i), O_CREATE | O_WRONLY);
  for (long at = 0; at < 3000; at += 300) {
    for (int i = 0; i < 10; i++) write_content(fds[i], 20 + i, at, 300);
  }
  for (int i = 0; i < 10; i++) close(fds[i]);
  for (int i = 9; i >= 0; i--) check_file(numbered('f', i), 20 + i, 3000);
  for (int i = 0; i < 10; i++) remove_file(numbered('f', i));
}
