/* A dictionary: words are counted in a hash table that grows, in memory from an allocator with free lists. */
#include "program.h"

#define HEAP_BYTES (8u << 20)
#define CLASSES 32
#define TEXT_BYTES 300000

static u8 heap[HEAP_BYTES] __attribute__((aligned(16)));
static u64 heap_used;
/* Free blocks by their size, in steps of 16 bytes; the first word of each leads on. */
static void *free_blocks[CLASSES];
static char text[TEXT_BYTES + 16];

static void *allocate(u64 bytes) {
  u64 class = (bytes + 15) / 16;
  if (class < CLASSES && free_blocks[class] != 0) {
    void *block = free_blocks[class];
    free_blocks[class] = *(void **)block;
    return block;
  }
  if (heap_used + class * 16 > HEAP_BYTES) fail("words: the heap is full");
  void *block = heap + heap_used;
  heap_used += class * 16;
  return block;
}

static void release(void *block, u64 bytes) {
  u64 class = (bytes + 15) / 16;
  if (class >= CLASSES) return;
  *(void **)block = free_blocks[class];
  free_blocks[class] = block;
}

typedef struct entry {
  struct entry *next;
  u32 hash;
  u32 count;
  u32 length;
  char word[];
} entry;

typedef struct {
  entry **buckets;
  u32 size;
  u32 used;
} table;

static u32 hash_of(const char *word, u32 length) {
  u32 hash = 2166136261u;
  for (u32 index = 0; index < length; index++) hash = (hash ^ (u8)word[index]) * 16777619u;
  return hash;
}

static int same(const char *a, const char *b, u32 length) {
  while (length > 0 && *a == *b) length--, a++, b++;
  return length == 0;
}

static void resize(table *words, u32 size) {
  entry **buckets = allocate(size * sizeof *buckets);
  memset(buckets, 0, size * sizeof *buckets);
  for (u32 index = 0; index < words->size; index++) {
    for (entry *at = words->buckets[index]; at != 0;) {
      entry *next = at->next;
      at->next = buckets[at->hash & (size - 1)];
      buckets[at->hash & (size - 1)] = at;
      at = next;
    }
  }
  if (words->buckets != 0) release(words->buckets, words->size * sizeof *buckets);
  words->buckets = buckets;
  words->size = size;
}

static void count_word(table *words, const char *word, u32 length) {
  u32 hash = hash_of(word, length);
  for (entry *at = words->buckets[hash & (words->size - 1)]; at != 0; at = at->next) {
    if (at->hash == hash && at->length == length && same(at->word, word, length)) {
      at->count++;
      return;
    }
  }
  if (++words->used > words->size) resize(words, 2 * words->size);
  entry *made = allocate(sizeof *made + length);
  made->hash = hash;
  made->count = 1;
  made->length = length;
  memcpy(made->word, word, length);
  made->next = words->buckets[hash & (words->size - 1)];
  words->buckets[hash & (words->size - 1)] = made;
}

/* Takes all words out that occur less often than that, and gives their memory back. */
static u32 forget_rare(table *words, u32 least) {
  u32 forgotten = 0;
  for (u32 index = 0; index < words->size; index++) {
    for (entry **link = &words->buckets[index]; *link != 0;) {
      entry *at = *link;
      if (at->count >= least) {
        link = &at->next;
        continue;
      }
      *link = at->next;
      release(at, sizeof *at + at->length);
      words->used--;
      forgotten++;
    }
  }
  return forgotten;
}

/* Words of syllables: short ones often, long ones seldom. */
static void make_text(u64 *state) {
  static const char syllables[] = "kataminorelusipobedugaveto";
  u32 at = 0;
  while (at < TEXT_BYTES) {
    u64 random = next_random(state);
    u32 count = 1 + (u32)((random & 3) * ((random >> 2) & 1));
    for (u32 index = 0; index <= count; index++) {
      u32 syllable = (u32)((random >> (8 + 8 * index)) % 13);
      text[at++] = syllables[2 * syllable];
      text[at++] = syllables[2 * syllable + 1];
    }
    text[at++] = ' ';
  }
  text[TEXT_BYTES] = ' ';
}

u64 run(void) {
  u64 state = 1442695040888963407ul;
  u64 checksum = 0;
  make_text(&state);
  for (int round = 0; round < RUNS; round++) {
    table words = {0};
    heap_used = 0;
    for (u32 class = 0; class < CLASSES; class++) free_blocks[class] = 0;
    resize(&words, 64);
    for (int pass = 0; pass < 3; pass++) {
      u32 start = 0;
      for (u32 at = 0; at <= TEXT_BYTES; at++) {
        if (text[at] != ' ') continue;
        if (at > start) count_word(&words, text + start, at - start);
        start = at + 1;
      }
      checksum = mix(checksum, words.used);
      checksum = mix(checksum, forget_rare(&words, 3));
    }
    for (u32 index = 0; index < words.size; index++) {
      for (entry *at = words.buckets[index]; at != 0; at = at->next) checksum += (u64)at->count * at->hash;
    }
    checksum = mix(checksum, heap_used);
  }
  return checksum;
}
