/* Descriptors: which one is given, how many there are, and those that are not open. */
#include "selftest.h"

void descriptor_lowest(void) {
  int fds[2];
  expect("open console", 3, open("/console", O_RDWR));
  expect("dup(1)", 4, dup(1));
  make_pipe(fds);
  expect("pipe's reader", 5, fds[0]);
  expect("pipe's writer", 6, fds[1]);
  expect("close 4", 0, close(4));
  expect("open after close", 4, open("/console", O_RDWR));
  expect("close 3", 0, close(3));
  expect("close 5", 0, close(5));
  make_pipe(fds);
  expect("second pipe's reader", 3, fds[0]);
  expect("second pipe's writer", 5, fds[1]);
  expect("close 0", 0, close(0));
  expect("dup after close 0", 0, dup(1));
  expect("write to an opened console", 0, write(4, "", 0));
}

void descriptor_dup(void) {
  int fds[2];
  make_pipe(fds);
  int copy = dup(fds[1]);
  expect("write by a copy", 1, write(copy, "d", 1));
  expect("close the first", 0, close(fds[1]));
  expect("write by the copy that is left", 1, write(copy, "e", 1));
  expect_byte("first byte", fds[0], 'd');
  expect_byte("second byte", fds[0], 'e');
  expect("close the copy", 0, close(copy));
  expect_end_of_pipe("after all writers", fds[0]);
}

void descriptor_bad(void) {
  static const int never_open[] = {-1, 3, 15, 16, 17, 1000, 0x7fffffff, -0x7fffffff - 1};
  char byte = 'b';
  for (unsigned i = 0; i < sizeof never_open / sizeof never_open[0]; i++) {
    int fd = never_open[i];
    expect("close of a descriptor that is not open", -1, close(fd));
    expect("read of a descriptor that is not open", -1, read(fd, &byte, 1));
    expect("write to a descriptor that is not open", -1, write(fd, &byte, 1));
    expect("dup of a descriptor that is not open", -1, dup(fd));
  }
  int fds[2];
  make_pipe(fds);
  expect("read of a pipe's writer", -1, read(fds[1], &byte, 1));
  expect("write to a pipe's reader", -1, write(fds[0], &byte, 1));
  expect("close", 0, close(fds[0]));
  expect("close again", -1, close(fds[0]));
  expect("byte that nothing was read into", 'b', byte);
}

void descriptor_limit(void) {
  int fds[2] = {-7, -7};
  for (int fd = 3; fd < 16; fd++) expect("open of a free descriptor", fd, open("/console", O_RDWR));
  expect("open with all 16 in use", -1, open("/console", O_RDWR));
  expect("dup with all 16 in use", -1, dup(1));
  expect("pipe with all 16 in use", -1, pipe(fds));
  close(9);
  expect("pipe with one free", -1, pipe(fds));
  expect("the one that was free", 9, dup(1));
  close(9);
  close(12);
  expect("pipe with two free", 0, pipe(fds));
  expect("pipe's reader", 9, fds[0]);
  expect("pipe's writer", 12, fds[1]);
}

void negative_length(void) {
  int fds[2];
  char byte = 0;
  make_pipe(fds);
  expect("write", 1, write(fds[1], "n", 1));
  if (write(fds[1], "m", -1) > 0) fail("write of -1 bytes wrote some");
  if (read(fds[0], &byte, -1) > 0) fail("read of -1 bytes read some");
  expect_byte("after negative lengths", fds[0], 'n');
}
