/* Files with known bytes: what the cases write, and what they expect to read. */
#include "selftest.h"

char page[PAGE_SIZE] __attribute__((aligned(8)));

char content_byte(int kind, long at) {
  /* Neighbouring bytes, pages and kinds all differ, so that what is in the wrong place shows. */
  return (char)(kind * 37 + at * 7 + at / 251 + at / 4096 * 3);
}

void fill_content(char *bytes, int kind, long at, long size) {
  for (long i = 0; i < size; i++) bytes[i] = content_byte(kind, at + i);
}

void check_content(const char *what, const char *bytes, int kind, long at, long size) {
  for (long i = 0; i < size; i++) {
    if (bytes[i] != content_byte(kind, at + i)) {
      fail("%s: byte %ld (expected %d, got %d)", what, at + i, content_byte(kind, at + i), bytes[i]);
    }
  }
}

int open_file(const char *name, int mode) {
  int fd = open(name, mode);
  if (fd < 0) fail("open of %s, mode 0x%x (expected a descriptor, got %d)", name, mode, fd);
  return fd;
}

void write_content(int fd, int kind, long at, long size) {
  for (long done = 0; done < size;) {
    long piece = size - done < 1024 ? size - done : 1024;
    fill_content(page, kind, at + done, piece);
    expect("write to a file", piece, write(fd, page, piece));
    done += piece;
  }
}

void make_file(const char *name, int kind, long size) {
  int fd = open_file(name, O_CREATE | O_TRUNC | O_WRONLY);
  write_content(fd, kind, 0, size);
  expect("close of a new file", 0, close(fd));
}

void read_content(const char *what, int fd, int kind, long at, long size) {
  for (long done = 0; done < size;) {
    long piece = size - done < 1000 ? size - done : 1000;
    expect(what, piece, read(fd, page, piece));
    check_content(what, page, kind, at + done, piece);
    done += piece;
  }
}

void check_file(const char *name, int kind, long size) {
  int fd = open_file(name, O_RDONLY);
  expect_size(name, fd, size);
  read_content(name, fd, kind, 0, size);
  expect("read at the end of a file", 0, read(fd, page, 1));
  close(fd);
}

void expect_size(const char *what, int fd, long size) {
  struct stat status;
  expect("fstat", 0, fstat(fd, &status));
  if ((long)status.size != size) fail("%s: size (expected %ld, got %lu)", what, size, status.size);
}

struct stat status_of(const char *name) {
  struct stat status;
  int fd = open_file(name, O_RDONLY);
  expect("fstat", 0, fstat(fd, &status));
  close(fd);
  return status;
}

void expect_links(const char *name, int links) {
  struct stat status = status_of(name);
  if (status.links != links) fail("%s: links (expected %d, got %d)", name, links, status.links);
}

void expect_same(const char *name, const char *other) {
  unsigned inode = status_of(name).inode, others = status_of(other).inode;
  if (inode != others) fail("%s is not what %s is: inodes %u and %u", name, other, inode, others);
}

void expect_missing(const char *name) {
  int fd = open(name, O_RDONLY);
  if (fd >= 0) fail("%s should not be there (expected -1, got %d)", name, fd);
}

void remove_file(const char *name) {
  if (unlink(name) != 0) fail("unlink of %s (expected 0, got -1)", name);
}

void make_directory(const char *name) {
  if (mkdir(name) != 0) fail("mkdir of %s (expected 0, got -1)", name);
}

void enter(const char *name) {
  if (chdir(name) != 0) fail("chdir to %s (expected 0, got -1)", name);
}

const char *numbered(char letter, int number) {
  static char name[8];
  name[0] = letter;
  for (int i = 3; i > 0; i--, number /= 10) name[i] = (char)('0' + number % 10);
  name[4] = 0;
  return name;
}
