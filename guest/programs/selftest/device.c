/* Devices: the console, others that mknod makes, and those that there are not. */
#include "selftest.h"

#define CONSOLE 1

void device_console(void) {
  struct stat status;
  int fd = open_file("/console", O_RDWR);
  expect("fstat", 0, fstat(fd, &status));
  expect("type", TYPE_DEVICE, status.type);
  expect("size", 0, (long)status.size);
  expect("links", 1, status.links);
  expect("write of nothing", 0, write(fd, "", 0));
  close(fd);
  fd = open_file("/console", O_RDONLY);
  expect("write to a console opened to read", -1, write(fd, "x", 1));
  close(fd);
  fd = open_file("/console", O_WRONLY);
  expect("read of a console opened to write", -1, read(fd, page, 1));
  close(fd);
  expect("mkdir of the console", -1, mkdir("/console"));
  expect("mknod of the console again", -1, mknod("/console", CONSOLE, 0));
  expect("chdir to the console", -1, chdir("/console"));
}

/* Another node of the console is as good as the first, while it has a name. */
void device_node(void) {
  struct stat status;
  expect("mknod", 0, mknod("tty", CONSOLE, 0));
  expect("mknod again", -1, mknod("tty", CONSOLE, 0));
  int fd = open_file("tty", O_RDWR);
  expect("fstat", 0, fstat(fd, &status));
  expect("type", TYPE_DEVICE, status.type);
  expect("links", 1, status.links);
  expect("write of nothing", 0, write(fd, "", 0));
  expect("link", 0, link("tty", "other"));
  expect_links("other", 2);
  remove_file("tty");
  expect("open with O_CREATE and O_TRUNC", 4, open("other", O_CREATE | O_TRUNC | O_WRONLY));
  expect("write of nothing, again", 0, write(4, "", 0));
  remove_file("other");
  expect("write of nothing, without a name", 0, write(4, "", 0));
  expect_missing("tty");
}

void device_refused(void) {
  make_directory("d");
  make_file("f", 1, 1);
  expect("mknod of a directory", -1, mknod("d", CONSOLE, 0));
  expect("mknod of a file", -1, mknod("f", CONSOLE, 0));
  expect("mknod of .", -1, mknod(".", CONSOLE, 0));
  expect("mknod of an empty path", -1, mknod("", CONSOLE, 0));
  expect("mknod in a missing directory", -1, mknod("none/tty", CONSOLE, 0));
  expect("mknod below a file", -1, mknod("f/tty", CONSOLE, 0));
  remove_file("f");
  remove_file("d");
}

/* A node can be made of any number; what no driver is for cannot be read or written. */
void device_unknown(void) {
  static const int majors[] = {0, 2, 5, 9, 10, 11, 1000, 32767, -1, -32768};
  for (unsigned i = 0; i < sizeof majors / sizeof majors[0]; i++) {
    expect("mknod", 0, mknod("device", majors[i], 3));
    int fd = open("device", O_RDWR);
    if (fd >= 0) {
      expect("read of a device without a driver", -1, read(fd, page, 1));
      expect("write to a device without a driver", -1, write(fd, page, 1));
      close(fd);
    }
    remove_file("device");
  }
}
