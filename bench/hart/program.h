/* What the benchmark's programs have in common. Each defines `run`; start.c calls it and prints what it returns. */
#ifndef PROGRAM_H
#define PROGRAM_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef int i32;
typedef long i64;

/* The work, done RUNS times over. Its result depends on all that was computed. */
u64 run(void);

/* Ends the program with a message and status 1: it has found its own result wrong. */
void fail(const char *message) __attribute__((noreturn));

void *memcpy(void *to, const void *from, u64 count);
void *memset(void *to, int byte, u64 count);

/* A xorshift generator with a multiplier: the same numbers everywhere. */
static inline u64 next_random(u64 *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * 0x2545f4914f6cdd1dul;
}

/* Folds a value into a checksum. */
static inline u64 mix(u64 checksum, u64 value) {
  checksum ^= value + 0x9e3779b97f4a7c15ul + (checksum << 6) + (checksum >> 2);
  return checksum * 0xff51afd7ed558ccdul;
}

static inline u64 bits_of_double(double value) {
  union {
    double number;
    u64 bits;
  } both = {.number = value};
  return both.bits;
}

static inline u32 bits_of_float(float value) {
  union {
    float number;
    u32 bits;
  } both = {.number = value};
  return both.bits;
}

#endif
