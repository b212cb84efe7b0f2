/*
 * Draws calls. Each argument is mostly of the kind that the call expects there, good or bad, and
 * sometimes of any kind: what is meant for another argument, or a number that nobody thought of.
 */
#include "chaos.h"

enum kind {
  NOTHING, FD, TO, FROM, PATH, COUNT, PROCESS, MODE, ARGV, BYTES, VARIANT, TICKS, MAJOR, STATUS,
  ANY,
};
#define KINDS ANY

/* By number; what is not here has arguments of any kind. */
static const unsigned char kinds[][3] = {
    [FORK] = {NOTHING},
    [EXIT] = {STATUS},
    [WAIT] = {TO},
    [PIPE] = {TO},
    [READ] = {FD, TO, COUNT},
    [KILL] = {PROCESS},
    [EXEC] = {PATH, ARGV},
    [FSTAT] = {FD, TO},
    [CHDIR] = {PATH},
    [DUP] = {FD},
    [GETPID] = {NOTHING},
    [SBRK] = {BYTES, VARIANT},
    [SLEEP] = {TICKS},
    [UPTIME] = {NOTHING},
    [OPEN] = {PATH, MODE},
    [WRITE] = {FD, FROM, COUNT},
    [MKNOD] = {PATH, MAJOR, MAJOR},
    [UNLINK] = {PATH},
    [LINK] = {PATH, PATH},
    [MKDIR] = {PATH},
    [CLOSE] = {FD},
};

/* 32 bytes that lead nowhere else, and 126: a path has one byte more at most. */
#define DOTS_32 "././././././././././././././././"
#define DOTS_126 DOTS_32 DOTS_32 DOTS_32 "./././././././././././././././"

/* Few names, so that processes meet; some lead nowhere, some are too long, some are no names. */
static const char *const paths[] = {
    "a", "b", "c", "d", "d/a", "d/b", "d/e", "d/e/a", "d/e/b", "d/./a", "d/../a", "d//e//a", "a/b",
    ".", "..", "../a", "../2", "../2/d", "../..", "d/e/..", "", "/", "none/a", "d/e/f/g/h", "prog", "d/prog",
    "fourteen-bytes", "fourteen-bytes-and-more", "\xc3\xa9", "...", "__proto__",
    HOME, HOME "/a", HOME "/d", HOME "/d/a", ROOM "/1", ROOM "/1/2/d/e",
    DOTS_126 "a", DOTS_126 "/a",
};

static const long counts[] = {
    0, 1, 2, 7, 16, 100, 511, 512, 513, 1000, 1024, 3000, 4096, 10000, 70000, 1 << 20,
    -1, -4096, 0x7fffffff, -0x80000000L, 1L << 32, 1L << 62,
};

static const int modes[] = {
    O_RDONLY, O_WRONLY, O_RDWR, O_CREATE, O_CREATE | O_WRONLY, O_CREATE | O_RDWR, O_TRUNC, O_TRUNC | O_RDWR,
    O_CREATE | O_TRUNC | O_RDWR, O_WRONLY | O_RDWR, 0x7fffffff, -1, 4,
};

static const long sizes[] = {
    0, 1, 8, 4095, 4096, 4097, 10000, 65536, 262144, 1 << 20, 1 << 30, 1L << 31, 1L << 38, 1L << 62,
};

static const unsigned long edges[] = {
    0, 1, 4095, 0x80000000, 0xffffffff, 0x3fffffc000, 0x3fffffdffc, 0x3fffffe000, 0x3ffffff000, 1UL << 38, 1UL << 39,
    1UL << 62, 1UL << 63, -1UL, -8UL, -4096UL, 0xeaeb0b5b00002f5e,
};

#define PICK(table) ((table)[below(sizeof(table) / sizeof(table)[0])])

/* Addresses that lie well, at borders, and nowhere; never the program's own variables. */
static long draw_address(void) {
  unsigned long start = (unsigned long)scratch, end = (unsigned long)heap_end;
  switch (below(12)) {
    case 0:
      return (long)PICK(edges);
    case 1:
      return (long)(start + PAGE_SIZE * (1 + below(2)) - 1 - below(24));
    case 2:
      return (long)(end - below(40));
    case 3:
      return (long)(end + below(2) * PAGE_SIZE);
    case 4:
      return (long)below((unsigned)(text_end - text_start));
    case 5:
      return (long)(start - 2 * PAGE_SIZE + below(2) * (PAGE_SIZE - 4));
    case 6:
      return (long)(start + next_random() % (end - start));
    default:
      return (long)(start + below((unsigned)SCRATCH_SIZE - 1200));
  }
}

static long draw_source(void) {
  if (once_in(8)) return (long)data_start + below((unsigned)(data_end - data_start));
  if (once_in(16)) return (long)scratch - 1 - below(64);
  return draw_address();
}

static long draw_path(void) {
  const char *path = PICK(paths);
  if (once_in(16)) return draw_source();
  if (!once_in(8)) return (long)path;
  /* Across the border of two pages, or to the very end of the second. */
  long length = (long)strlen(path) + 1;
  char *end = scratch + (once_in(2) ? SCRATCH_SIZE : PAGE_SIZE + (long)below((unsigned)length));
  memcpy(end - length, path, (size_t)length);
  return (long)(end - length);
}

/* Of numbers around those that there are. */
static long draw_process(void) {
  switch (below(4)) {
    case 0:
      return once_in(4) ? worker.pid : worker.pid + 1 + (long)below(6);
    case 1:
      return PICK(counts);
    default:
      return worker.first_pid + 1 + (long)below((unsigned)(worker.last_pid - worker.first_pid));
  }
}

static char *decimal(char *end, long number) {
  *--end = 0;
  do *--end = (char)('0' + number % 10);
  while ((number /= 10) != 0);
  return end;
}

/* Arguments with which this program goes on as the same process, and others. */
static long draw_arguments(void) {
  static char texts[5][24];
  static char *good[8], *bad[40];
  if (once_in(3)) return draw_source();
  if (once_in(4)) {
    unsigned count = below(40);
    for (unsigned i = 0; i < count; i++) bad[i] = (char *)draw_source();
    bad[count] = 0;
    return (long)bad;
  }
  const long numbers[] = {
      (long)(next_random() >> 2), (long)worker.seed, worker.first_pid, worker.last_pid, worker.budget,
  };
  good[0] = (char *)(unsigned long)worker.self;
  good[1] = "--child";
  for (int i = 0; i < 5; i++) good[2 + i] = decimal(texts[i] + sizeof texts[i], numbers[i]);
  good[7] = 0;
  return (long)good;
}

static long draw(enum kind kind) {
  switch (kind) {
    case NOTHING:
      return 0;
    case FD:
      return once_in(8) ? PICK(counts) : (long)below(DESCRIPTORS + 1);
    case TO:
      return draw_address();
    case FROM:
      return draw_source();
    case PATH:
      return draw_path();
    case COUNT:
      return once_in(2) ? (long)below(600) : PICK(counts);
    case PROCESS:
      return draw_process();
    case MODE:
      return PICK(modes);
    case ARGV:
      return draw_arguments();
    case BYTES:
      return once_in(2) ? PICK(sizes) : -PICK(sizes);
    case VARIANT:
      return once_in(4) ? PICK(counts) : 1 + (long)below(2);
    case TICKS:
      return once_in(4) ? PICK(counts) : (long)below(2);
    case MAJOR:
      return once_in(2) ? PICK(counts) : (long)below(12);
    case STATUS:
      return (long)next_random();
    case ANY:
      break;
  }
  return once_in(6) ? (long)next_random() : draw((enum kind)below(KINDS));
}

static long draw_number(void) {
  static const long outside[] = {
      31, 32, 64, 1000, INSPECT, INSPECT, 1002, 0x7fffffff, -1, -21, -0x80000000L, 5L << 32 | GETPID,
  };
  if (once_in(20)) return PICK(outside);
  /* Files are most of what there is to be tried. */
  if (once_in(3)) return once_in(2) ? OPEN : (long)(READ + below(2) * (WRITE - READ));
  return below(31);
}

static void draw_any(struct call *call) {
  call->number = draw_number();
  int number = (int)call->number;
  for (int i = 0; i < 5; i++) {
    enum kind kind = ANY;
    if (number >= FORK && number <= CLOSE && i < 3) kind = (enum kind)kinds[number][i];
    if (number == INSPECT) kind = i == 2 ? TO : i == 1 ? PROCESS : COUNT;
    call->arguments[i] = draw(once_in(6) ? ANY : kind);
  }
  if (number == EXEC && once_in(2)) call->arguments[0] = (long)worker.self;
  if (number == INSPECT) call->arguments[0] = below(5);
}

void draw_call(struct call *call) {
  do draw_any(call);
  while (forbidden(call) != 0);
}
