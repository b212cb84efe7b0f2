/* Pipes: order, waiting on either side, and what happens when one side is gone. */
#include "selftest.h"

#define STREAM 3000

static char stream_byte(int at) {
  return (char)(at * 31 + at / 256);
}

static void write_stream(int fd) {
  static char bytes[STREAM];
  for (int at = 0; at < STREAM; at++) bytes[at] = stream_byte(at);
  /* Pieces of growing size, the later ones larger than what a pipe holds. */
  int size = 1;
  for (int at = 0; at < STREAM;) {
    int piece = size < STREAM - at ? size : STREAM - at;
    expect("write to a pipe", piece, write(fd, bytes + at, piece));
    at += piece;
    size = size * 3 + 1;
  }
}

static void read_stream(int fd) {
  static char bytes[700];
  int at = 0;
  for (int size = 1;; size = size * 2 % 699 + 1) {
    long count = read(fd, bytes, size);
    if (count < 0 || count > size) fail("read of %d bytes from a pipe (got %ld)", size, count);
    if (count == 0) break;
    for (int i = 0; i < count; i++, at++) {
      if (bytes[i] != stream_byte(at)) fail("byte %d of a pipe (expected %d, got %d)", at, stream_byte(at), bytes[i]);
    }
  }
  expect("bytes through a pipe", STREAM, at);
}

/* A writer that is ahead of its reader must wait: it cannot be done before the reader began. */
void pipe_blocked_writer(void) {
  int fds[2], times[2];
  make_pipe(fds);
  make_pipe(times);
  int pid = fork_child();
  if (pid == 0) {
    close(fds[0]);
    write_stream(fds[1]);
    int done = uptime();
    expect("writer's time", sizeof done, write(times[1], &done, sizeof done));
    exit(70);
  }
  close(fds[1]);
  sleep(3);
  int began = uptime(), done = 0;
  read_stream(fds[0]);
  expect("size of the writer's time", sizeof done, read_all(times[0], &done, sizeof done));
  if (done < began) fail("writer was done before its reader began (expected at least %d, got %d)", began, done);
  reap("writer", pid, 70);
}

/* And a reader must wait for its writer. */
void pipe_blocked_reader(void) {
  int fds[2], times[2];
  make_pipe(fds);
  make_pipe(times);
  int pid = fork_child();
  if (pid == 0) {
    close(fds[1]);
    expect_byte("reader", fds[0], 's');
    int got = uptime();
    expect("reader's time", sizeof got, write(times[1], &got, sizeof got));
    read_stream(fds[0]);
    exit(71);
  }
  close(fds[0]);
  sleep(3);
  int began = uptime(), got = 0;
  expect("first byte", 1, write(fds[1], "s", 1));
  expect("size of the reader's time", sizeof got, read_all(times[0], &got, sizeof got));
  if (got < began) fail("reader had a byte before it was written (expected at least %d, got %d)", began, got);
  write_stream(fds[1]);
  close(fds[1]);
  reap("reader", pid, 71);
}

void pipe_end(void) {
  int fds[2];
  char bytes[8];
  make_pipe(fds);
  int other = dup(fds[1]);
  expect("write", 3, write(fds[1], "end", 3));
  close(fds[1]);
  expect("write by the other descriptor", 1, write(other, "!", 1));
  close(other);
  expect("what was written before the end", 4, read(fds[0], bytes, sizeof bytes));
  expect("bytes before the end", 0, memcmp(bytes, "end!", 4));
  expect("read at the end", 0, read(fds[0], bytes, sizeof bytes));
  expect("read at the end again", 0, read(fds[0], bytes, sizeof bytes));
  close(fds[0]);

  /* A reader that waits already when the last writer goes, by exit. */
  make_pipe(fds);
  int pid = fork_child();
  if (pid == 0) {
    close(fds[0]);
    sleep(2);
    exit(72);
  }
  close(fds[1]);
  expect("read until the writer's exit", 0, read(fds[0], bytes, sizeof bytes));
  reap("writer", pid, 72);
}

void pipe_no_reader(void) {
  int fds[2];
  make_pipe(fds);
  close(fds[0]);
  expect("write without a reader", -1, write(fds[1], "x", 1));
  close(fds[1]);

  /* A writer that waits already when the last reader goes. */
  make_pipe(fds);
  int pid = fork_child();
  if (pid == 0) {
    static char bytes[2000];
    close(fds[0]);
    expect("write when the reader goes", -1, write(fds[1], bytes, sizeof bytes));
    exit(73);
  }
  close(fds[1]);
  sleep(2);
  close(fds[0]);
  reap("writer", pid, 73);
}
