/* Sorting of random numbers in three ways: branches that nobody can predict. */
#include "program.h"

#define COUNT 50000

static u32 numbers[COUNT];
static u32 spare[COUNT];

static void quicksort(u32 *from, u32 *to) {
  while (to - from > 12) {
    u32 pivot = from[(to - from) / 2];
    u32 *low = from;
    u32 *high = to - 1;
    for (;;) {
      while (*low < pivot) low++;
      while (*high > pivot) high--;
      if (low >= high) break;
      u32 kept = *low;
      *low++ = *high;
      *high-- = kept;
    }
    quicksort(from, low);
    from = low;
  }
  for (u32 *next = from + 1; next < to; next++) {
    u32 value = *next;
    u32 *place = next;
    for (; place > from && place[-1] > value; place--) *place = place[-1];
    *place = value;
  }
}

static void sink(u32 *heap, u32 at, u32 count) {
  u32 value = heap[at];
  for (u32 child = 2 * at + 1; child < count; child = 2 * at + 1) {
    if (child + 1 < count && heap[child + 1] > heap[child]) child++;
    if (heap[child] <= value) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = value;
}

static void heapsort(u32 *heap, u32 count) {
  for (u32 at = count / 2; at-- > 0;) sink(heap, at, count);
  while (count-- > 1) {
    u32 greatest = heap[0];
    heap[0] = heap[count];
    heap[count] = greatest;
    sink(heap, 0, count);
  }
}

static void mergesort(u32 *values, u32 *space, u32 count) {
  if (count < 2) return;
  u32 half = count / 2;
  mergesort(values, space, half);
  mergesort(values + half, space, count - half);
  memcpy(space, values, half * sizeof *space);
  for (u32 left = 0, right = half, at = 0; left < half; at++) {
    if (right < count && values[right] < space[left]) values[at] = values[right++];
    else values[at] = space[left++];
  }
}

static u64 check_sorted(u64 checksum) {
  for (u32 index = 1; index < COUNT; index++) {
    if (numbers[index - 1] > numbers[index]) fail("sort: the numbers are not sorted");
    checksum = checksum * 31 + numbers[index];
  }
  return checksum;
}

static void shuffle(u64 *state) {
  for (u32 index = 0; index < COUNT; index++) numbers[index] = (u32)(next_random(state) >> 32);
}

u64 run(void) {
  u64 state = 1181783497276652981ul;
  u64 checksum = 0;
  for (int round = 0; round < RUNS; round++) {
    shuffle(&state);
    quicksort(numbers, numbers + COUNT);
    checksum = check_sorted(checksum);
    shuffle(&state);
    heapsort(numbers, COUNT);
    checksum = check_sorted(checksum);
    shuffle(&state);
    mergesort(numbers, spare, COUNT);
    checksum = check_sorted(checksum);
  }
  return checksum;
}
