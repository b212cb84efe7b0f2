/* Names and paths: how long they may be, what bytes they may have, and paths that are none. */
#include "selftest.h"

/* Longer names are cut, as they are stored and as they are looked up. */
void name_cut(void) {
  make_file("fourteen-bytes-and-more", 1, 10);
  check_file("fourteen-bytes", 1, 10);
  expect_same("fourteen-bytes", "fourteen-bytes-or-else");
  expect_missing("fourteen-byte");
  expect("O_CREATE finds the cut name", 3, open("fourteen-bytes.", O_CREATE | O_RDWR));
  expect_size("file by its cut name", 3, 10);
  close(3);
  expect("mkdir of the cut name", -1, mkdir("fourteen-bytesdirectory"));
  expect("link to the cut name", -1, link("fourteen-bytes", "fourteen-bytes2"));
  make_directory("a-directory-of-it");
  make_file("a-directory-of/f", 2, 5);
  check_file("a-directory-of-it/f", 2, 5);

  /* All 14 bytes of an entry are the name's: no zero byte ends it. */
  struct dirent entry;
  int fd = open_file(".", O_RDONLY), found = 0;
  while (read(fd, &entry, sizeof entry) == sizeof entry) {
    if (entry.inode != 0 && memcmp(entry.name, "fourteen-bytes", NAME_SIZE) == 0) found++;
  }
  expect("entries with the cut name", 1, found);
  close(fd);
  remove_file("fourteen-bytes, gone");
  expect_missing("fourteen-bytes");
  remove_file("a-directory-of/f");
  remove_file("a-directory-of");
}

/* Names need not be words; and words may mean something to other programs. */
void name_bytes(void) {
  static const char *const names[] = {
      " ", "a b", "~", "*?", "\n", "\x01\x7f", "\xc3\xa9", "e\xcc\x81", "\xef\xbb\xbf" "bom", "...", "..a", "A", "a",
      "__proto__", "constructor", "toString", "con", "nul:", "%2e%2e", "-",
  };
  int count = sizeof names / sizeof names[0];
  for (int i = 0; i < count; i++) make_file(names[i], i, i + 1);
  for (int i = 0; i < count; i++) check_file(names[i], i, i + 1);
  int fd = open_file(".", O_RDONLY);
  expect("read of . and ..", 2 * sizeof(struct dirent), read(fd, page, 2 * sizeof(struct dirent)));
  for (int i = 0; i < count; i++) {
    struct dirent entry;
    expect("read of an entry", sizeof entry, read(fd, &entry, sizeof entry));
    expect("name as it was given", 0, memcmp(entry.name, names[i], strlen(names[i])));
    if (strlen(names[i]) < NAME_SIZE) expect("end of a name", 0, entry.name[strlen(names[i])]);
    expect("its inode", status_of(names[i]).inode, entry.inode);
  }
  close(fd);
  for (int i = 0; i < count; i++) remove_file(names[i]);
}

/* Bytes that a kernel may refuse, if its files are another system's: it does so for all calls, or for none. */
void name_odd(void) {
  static const char *const names[] = {"\\", "..\\x", "\x80\xff\xfe", "\xc3", "\xe2\x82", "thirteen-byte\xc3\xa9"};
  make_file("f", 1, 10);
  for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
    int fd = open(names[i], O_CREATE | O_WRONLY);
    if (fd < 0) {
      expect_missing(names[i]);
      expect("mkdir of a name that is refused", -1, mkdir(names[i]));
      expect("mknod of a name that is refused", -1, mknod(names[i], 1, 0));
      expect("link to a name that is refused", -1, link("f", names[i]));
      expect("unlink of a name that is refused", -1, unlink(names[i]));
      expect("chdir to a name that is refused", -1, chdir(names[i]));
    } else {
      write_content(fd, 2, 0, 20);
      close(fd);
      check_file(names[i], 2, 20);
      expect("mkdir of a name that is there", -1, mkdir(names[i]));
      remove_file(names[i]);
    }
  }
  expect_links("f", 1);
  remove_file("f");
}

void path_slashes(void) {
  make_directory("//" WORK "//d");
  make_file("d////f", 3, 10);
  check_file("/" WORK "/d//f", 3, 10);
  check_file(".//d/.//f", 3, 10);
  expect("chdir with slashes behind", 0, chdir("d//"));
  check_file("f", 3, 10);
  enter(WORK "///");
  remove_file("d///f");
  remove_file("d/");
}

/* 127 bytes are a path, 128 are none. */
void path_longest(void) {
  static char path[140];
  make_file("f", 4, 10);
  make_directory("d");
  for (int i = 0; i < 130; i++) path[i] = i % 2 == 0 ? '.' : '/';
  path[126] = 'f';
  path[127] = 0;
  check_file(path, 4, 10);
  expect("link of the longest path", 0, link(path, "g"));
  remove_file("g");
  path[127] = 'f';
  path[128] = 0;
  char *arguments[] = {path, 0};
  expect("open of a path of 128 bytes", -1, open(path, O_RDONLY));
  expect("O_CREATE of one", -1, open(path, O_CREATE | O_RDWR));
  expect("mkdir of one", -1, mkdir(path));
  expect("mknod of one", -1, mknod(path, 1, 0));
  expect("link of one", -1, link(path, "g"));
  expect("link to one", -1, link("f", path));
  expect("unlink of one", -1, unlink(path));
  expect("exec of one", -1, exec(path, arguments));
  memcpy(path + 126, "d", 2);
  expect("chdir to the longest path", 0, chdir(path));
  enter("..");
  path[126] = '/';
  path[127] = 'd';
  expect("chdir to one that is longer", -1, chdir(path));
  memset(path, 'n', 128);
  expect("a name of 128 bytes", -1, open(path, O_CREATE | O_RDWR));
  path[127] = 0;
  close(open_file(path, O_CREATE | O_RDWR));
  remove_file("nnnnnnnnnnnnnn");
  remove_file("f");
  remove_file("d");
}

/* An empty path is none: it does not lead to the working directory. */
void path_empty(void) {
  expect("open of an empty path", -1, open("", O_RDONLY));
  expect("O_CREATE of an empty path", -1, open("", O_CREATE | O_RDWR));
  expect("chdir to an empty path", -1, chdir(""));
  expect("mkdir of an empty path", -1, mkdir(""));
  expect("mknod of an empty path", -1, mknod("", 1, 0));
  expect("unlink of an empty path", -1, unlink(""));
  make_file("f", 5, 1);
  expect("link to an empty path", -1, link("f", ""));
  expect("link of an empty path", -1, link("", "g"));
  expect_links("f", 1);
  remove_file("f");
}

/* A path in memory that goes over from one page to the next. */
void path_across_pages(void) {
  char *end = sbrk(2 * PAGE_SIZE) + PAGE_SIZE;
  make_file("f", 6, 10);
  for (int before = 1; before < 6; before++) {
    strcpy(end - before, "./././f");
    check_file(end - before, 6, 10);
  }
  /* And one that ends with the last byte there is. */
  strcpy(end + PAGE_SIZE - 4, "./f");
  check_file(end + PAGE_SIZE - 4, 6, 10);
  end[PAGE_SIZE - 1] = 'f';
  expect("a path that ends behind memory", -1, open(end + PAGE_SIZE - 4, O_RDONLY));
  remove_file("f");
}
