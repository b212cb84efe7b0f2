/* Reading by bytes and lines, with the system calls for it made in larger pieces. */
#include "tools.h"

/* Sees to it that there is a byte to take; 1, READ_END or READ_FAILED. */
static int fill(struct reader *reader) {
  if (reader->at < reader->used) return 1;
  if (reader->fd < 0) return READ_END;
  reader->at = reader->used = 0;
  long count = read(reader->fd, reader->bytes, reader->size);
  if (count <= 0) return count == 0 ? READ_END : READ_FAILED;
  reader->used = (int)count;
  return 1;
}

long read_bytes(struct reader *reader, void *buffer, long size) {
  char *to = buffer;
  long done = 0;
  while (done < size) {
    int filled = fill(reader);
    if (filled == READ_FAILED) return READ_FAILED;
    if (filled == READ_END) break;
    to[done++] = reader->bytes[reader->at++];
  }
  return done;
}

long read_line(struct reader *reader, char *line, long size) {
  long length = 0;
  int fits = 1;
  for (;;) {
    int filled = fill(reader);
    if (filled == READ_FAILED) return READ_FAILED;
    if (filled == READ_END) break;
    char byte = reader->bytes[reader->at++];
    fits = fits && length < size - 1;
    if (fits) line[length++] = byte;
    if (byte == '\n') break;
  }
  line[length] = 0;
  return fits ? length : LINE_TOO_LONG;
}
