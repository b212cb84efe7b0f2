/*
 * A process's own memory, and the checks that nothing but its own stores changes it.
 *
 *   own     pages of the image with random words, of which a sum is kept
 *   scratch two pages, the first of the heap, that system calls may write to
 *   heap    what sbrk gives above them: a word in each of its first pages is known
 *
 * After a fork parent and child share all of it, and each goes on changing its own.
 */
#include "chaos.h"

#define OWN_WORDS 1024
#define MARKED_PAGES 32
/* Where a page's mark is: not at its start, where a call that writes a few bytes across a border ends. */
#define MARK_AT 2048

char *scratch, *heap_end;

static unsigned long own[OWN_WORDS] __attribute__((aligned(4096)));
static unsigned long own_sum;
static unsigned long marks[MARKED_PAGES];

static unsigned long weight(unsigned index) {
  return 2UL * index + 1;
}

static void store_own(unsigned index, unsigned long value) {
  own_sum += (value - own[index]) * weight(index);
  own[index] = value;
}

static char *heap_start(void) {
  return scratch + SCRATCH_SIZE;
}

static volatile unsigned long *mark_of(int page) {
  return (volatile unsigned long *)(void *)(heap_start() + page * PAGE_SIZE + MARK_AT);
}

/* How many of these pages there are: also that of the break, which is there as a whole. */
static int marked_pages(void) {
  long pages = (heap_end - heap_start() + PAGE_SIZE - 1) / PAGE_SIZE;
  return pages < MARKED_PAGES ? (int)pages : MARKED_PAGES;
}

void begin_memory(void) {
  scratch = sbrk(SCRATCH_SIZE);
  /* Without memory there is nothing to be tried here: others have it now. */
  if (scratch == SBRK_FAILED) exit(0);
  heap_end = scratch + SCRATCH_SIZE;
  for (unsigned i = 0; i < OWN_WORDS; i += 16) store_own(i, next_random());
}

static void check_mark(int page) {
  unsigned long got = *mark_of(page);
  if (got != marks[page]) complain("page %d of the heap (expected 0x%lx, got 0x%lx)", page, marks[page], got);
}

/* Stores here and there in the whole heap: where it is lazy and large, this may be more than there is. */
static void roam(void) {
  long pages = (heap_end - heap_start()) / PAGE_SIZE;
  if (pages <= MARKED_PAGES) return;
  for (unsigned i = below(24); i > 0; i--) {
    long page = MARKED_PAGES + (long)(next_random() % (unsigned long)(pages - MARKED_PAGES));
    *(volatile unsigned long *)(void *)(heap_start() + page * PAGE_SIZE) += 1;
  }
}

void use_memory(void) {
  if (once_in(40)) roam();
  for (unsigned i = below(4); i > 0; i--) store_own(below(OWN_WORDS), next_random());
  int pages = marked_pages();
  if (pages == 0) return;
  int page = (int)below((unsigned)pages);
  check_mark(page);
  if (once_in(2)) *mark_of(page) = marks[page] = next_random();
}

void check_memory(void) {
  unsigned long sum = 0;
  for (unsigned i = 0; i < OWN_WORDS; i++) sum += own[i] * weight(i);
  if (sum != own_sum) complain("sum of its own memory (expected 0x%lx, got 0x%lx)", own_sum, sum);
  for (int page = 0; page < marked_pages(); page++) check_mark(page);
}

void forget_heap(unsigned long from, unsigned long to) {
  for (int page = 0; page < marked_pages(); page++) {
    unsigned long at = (unsigned long)mark_of(page);
    if (at + sizeof *marks > from && at < to) marks[page] = *mark_of(page);
  }
}

void moved_break(long bytes, char *result) {
  char *before = heap_end, *now = sbrk(0);
  if (result == SBRK_FAILED) {
    if (now != before) complain("sbrk failed and moved the break from %p to %p", (void *)before, (void *)now);
    return;
  }
  if (result != before) complain("sbrk gave %p where the break was %p", (void *)result, (void *)before);
  /* Kernels for 32-bit sizes see the lower half. What is too much to give back moves nothing. */
  if (now != before && now != before + bytes && now != before + (int)bytes) {
    complain("sbrk of %ld moved the break from %p to %p", bytes, (void *)before, (void *)now);
  }
  heap_end = now;
  /* A page that is gone is new, and zero, when it comes again. */
  for (int page = marked_pages(); page < MARKED_PAGES; page++) marks[page] = 0;
}

int is_own(unsigned long address) {
  return address >= (unsigned long)data_start && address < (unsigned long)scratch;
}

int is_readable(unsigned long address) {
  if (address < (unsigned long)text_end) return 1;
  if (address >= (unsigned long)data_start && address < (unsigned long)data_end) return 1;
  /* The page of the stack is the one before the heap; the guard page is before that. */
  return address >= (unsigned long)scratch - PAGE_SIZE && address < (unsigned long)heap_end;
}
