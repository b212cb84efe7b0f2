/*
 * Formatted output.
 *
 * A call's text is collected before it is written, because processes share the console and the
 * kernel may switch between any two write() calls: a line that is one write stays one line. The
 * buffer is on the stack, not static, so that it costs no copied page after a fork.
 */
#include "holstein.h"

struct output {
  int fd;
  int used;
  int total;
  int failed;
  char bytes[256];
};

static void flush(struct output *out) {
  int done = 0;
  while (done < out->used && !out->failed) {
    long count = write(out->fd, out->bytes + done, out->used - done);
    /* Zero is no progress: asking again could go on for ever. */
    if (count <= 0) out->failed = 1;
    else done += (int)count;
  }
  out->used = 0;
}

static void put(struct output *out, char byte) {
  if (out->used == sizeof out->bytes) flush(out);
  out->bytes[out->used++] = byte;
  out->total++;
}

static void put_text(struct output *out, const char *text) {
  while (*text != 0) put(out, *text++);
}

static void put_unsigned(struct output *out, unsigned long value, unsigned base) {
  char digits[20]; /* 2^64 - 1 in decimal */
  int count = 0;
  do digits[count++] = "0123456789abcdef"[value % base];
  while ((value /= base) != 0);
  while (count > 0) put(out, digits[--count]);
}

static void put_signed(struct output *out, long value) {
  if (value < 0) put(out, '-');
  /* Negated as unsigned: the smallest long has no positive counterpart. */
  put_unsigned(out, value < 0 ? -(unsigned long)value : (unsigned long)value, 10);
}

int vfprintf(int fd, const char *format, va_list values) {
  struct output out;
  out.fd = fd;
  out.used = out.total = out.failed = 0;

  for (const char *at = format; *at != 0; at++) {
    if (*at != '%') {
      put(&out, *at);
      continue;
    }
    const char *conversion = at++;
    int is_long = *at == 'l';
    if (is_long) at++;
    if (*at == 'd') {
      put_signed(&out, is_long ? va_arg(values, long) : va_arg(values, int));
    } else if (*at == 'u') {
      put_unsigned(&out, is_long ? va_arg(values, unsigned long) : va_arg(values, unsigned), 10);
    } else if (*at == 'x') {
      put_unsigned(&out, is_long ? va_arg(values, unsigned long) : va_arg(values, unsigned), 16);
    } else if (*at == 'p') {
      put_text(&out, "0x");
      put_unsigned(&out, (unsigned long)va_arg(values, void *), 16);
    } else if (*at == 's') {
      const char *text = va_arg(values, const char *);
      put_text(&out, text == 0 ? "(null)" : text);
    } else if (*at == 'c') {
      put(&out, (char)va_arg(values, int));
    } else if (*at == '%') {
      put(&out, '%');
    } else {
      /* Unknown: shown as it was written, up to the end of the format at most. */
      while (conversion < at) put(&out, *conversion++);
      if (*at == 0) break;
      put(&out, *at);
    }
  }

  flush(&out);
  return out.failed ? -1 : out.total;
}

int fprintf(int fd, const char *format, ...) {
  va_list values;
  va_start(values, format);
  int count = vfprintf(fd, format, values);
  va_end(values);
  return count;
}

int printf(const char *format, ...) {
  va_list values;
  va_start(values, format);
  int count = vfprintf(1, format, values);
  va_end(values);
  return count;
}
