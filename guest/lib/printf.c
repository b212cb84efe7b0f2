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

/* How a conversion is to be set: in `width` bytes at least, to the left or to the right. */
struct field {
  int width;
  int left;
};

static void put_field(struct output *out, const char *text, int length, struct field field) {
  int padding = field.width > length ? field.width - length : 0;
  for (int i = 0; i < padding && !field.left; i++) put(out, ' ');
  for (int i = 0; i < length; i++) put(out, text[i]);
  for (int i = 0; i < padding && field.left; i++) put(out, ' ');
}

static void put_text(struct output *out, const char *text, struct field field) {
  put_field(out, text, (int)strlen(text), field);
}

/* `prefix` goes before the digits: a sign, or 0x. */
static void put_number(struct output *out, const char *prefix, unsigned long value, unsigned base,
                       struct field field) {
  char digits[22]; /* two bytes of prefix, and 2^64 - 1 in decimal */
  char *const end = digits + sizeof digits;
  char *first = end;
  do *--first = "0123456789abcdef"[value % base];
  while ((value /= base) != 0);
  for (long i = (long)strlen(prefix); i > 0; i--) *--first = prefix[i - 1];
  put_field(out, first, (int)(end - first), field);
}

static void put_signed(struct output *out, long value, struct field field) {
  /* Negated as unsigned: the smallest long has no positive counterpart. */
  if (value < 0) put_number(out, "-", -(unsigned long)value, 10, field);
  else put_number(out, "", (unsigned long)value, 10, field);
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
    struct field field = {.width = 0, .left = *at == '-'};
    if (field.left) at++;
    while (*at >= '0' && *at <= '9') field.width = field.width * 10 + (*at++ - '0');
    int is_long = *at == 'l';
    if (is_long) at++;
    if (*at == 'd') {
      put_signed(&out, is_long ? va_arg(values, long) : va_arg(values, int), field);
    } else if (*at == 'u') {
      put_number(&out, "", is_long ? va_arg(values, unsigned long) : va_arg(values, unsigned), 10, field);
    } else if (*at == 'x') {
      put_number(&out, "", is_long ? va_arg(values, unsigned long) : va_arg(values, unsigned), 16, field);
    } else if (*at == 'p') {
      put_number(&out, "0x", (unsigned long)va_arg(values, void *), 16, field);
    } else if (*at == 's') {
      const char *text = va_arg(values, const char *);
      put_text(&out, text == 0 ? "(null)" : text, field);
    } else if (*at == 'c') {
      char byte = (char)va_arg(values, int);
      put_field(&out, &byte, 1, field);
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
