/* Heap sort, quick sort and insertion sort agree; numbers and records, ascending and descending. */
#include "runtime.h"

#define COUNT 2000

typedef struct {
  i64 key;
  i16 tag;
  u8 name[6];
} Record;

static u64 state = 42;

static u64 next_random(void) {
  state = state * 6364136223846793005UL + 1442695040888963407UL;
  return state ^ (state >> 29);
}

static void heap_sort(i64 *items, i64 count) {
  for (i64 end = count, start = count / 2; end > 1;) {
    if (start > 0) {
      start--;
    } else {
      end--;
      i64 top = items[end];
      items[end] = items[0];
      items[0] = top;
    }
    i64 root = start;
    for (i64 child; (child = 2 * root + 1) < end; root = child) {
      if (child + 1 < end && items[child] < items[child + 1]) child++;
      if (items[root] >= items[child]) break;
      i64 moved = items[root];
      items[root] = items[child];
      items[child] = moved;
    }
  }
}

static int ascending(const Record *a, const Record *b) {
  return a->key != b->key ? (a->key < b->key ? -1 : 1) : a->tag - b->tag;
}

static int descending(const Record *a, const Record *b) { return -ascending(a, b); }

static void quick_sort(Record *items, i64 low, i64 high, int (*compare)(const Record *, const Record *)) {
  while (low < high) {
    Record pivot = items[low + (high - low) / 2];
    i64 i = low, j = high;
    while (i <= j) {
      while (compare(&items[i], &pivot) < 0) i++;
      while (compare(&items[j], &pivot) > 0) j--;
      if (i <= j) {
        Record moved = items[i];
        items[i++] = items[j];
        items[j--] = moved;
      }
    }
    quick_sort(items, low, j, compare);
    low = i;
  }
}

static i64 numbers[COUNT];
static Record records[COUNT];

int main(void) {
  for (i64 i = 0; i < COUNT; i++) {
    numbers[i] = (i64)next_random() >> (i % 60);
    records[i] = (Record){.key = (i64)(next_random() % 50) - 25, .tag = (i16)i, .name = {(u8)i, 1, 2, 3, 4, 5}};
  }
  heap_sort(numbers, COUNT);
  u64 hash = 0;
  for (i64 i = 0; i < COUNT; i++) {
    if (i > 0 && numbers[i - 1] > numbers[i]) print("numbers are out of order\n");
    hash = hash * 31 + (u64)numbers[i];
  }
  print_hex(hash);
  for (int turn = 0; turn < 2; turn++) {
    quick_sort(records, 0, COUNT - 1, turn == 0 ? ascending : descending);
    for (i64 i = 0; i < COUNT; i++) hash = hash * 33 + (u64)records[i].tag + records[i].name[0];
    print_number(records[0].key);
    print_hex(hash);
  }
  return 0;
}
