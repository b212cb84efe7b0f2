/* The __atomic builtins of four and eight bytes, a spin lock, and bytes by way of LR and SC. */
#include "runtime.h"

#define TRY(type)                                                                              \
  static void try_##type(void) {                                                               \
    static type cell;                                                                          \
    type values[] = {(type)1, (type)-1, (type)0x7fffffff, (type)0x80000000, (type)(1UL << 63)}; \
    for (u64 i = 0; i < sizeof values / sizeof values[0]; i++) {                               \
      type value = values[i];                                                                  \
      print_hex((u64)__atomic_exchange_n(&cell, value, __ATOMIC_SEQ_CST));                     \
      print_hex((u64)__atomic_fetch_add(&cell, value, __ATOMIC_RELAXED));                      \
      print_hex((u64)__atomic_fetch_sub(&cell, (type)3, __ATOMIC_ACQUIRE));                    \
      print_hex((u64)__atomic_fetch_and(&cell, (type)0xf0f0f0f0f0f0f0f0, __ATOMIC_RELEASE));   \
      print_hex((u64)__atomic_fetch_or(&cell, (type)0x1234567, __ATOMIC_ACQ_REL));             \
      print_hex((u64)__atomic_fetch_xor(&cell, value, __ATOMIC_SEQ_CST));                      \
      print_hex((u64)__atomic_fetch_nand(&cell, value, __ATOMIC_SEQ_CST));                     \
      type expected = cell;                                                                    \
      print_number(__atomic_compare_exchange_n(&cell, &expected, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)); \
      expected = (type)(value + 1);                                                            \
      print_number(__atomic_compare_exchange_n(&cell, &expected, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));     \
      print_hex((u64)expected);                                                                \
    }                                                                                          \
    print_hex((u64)__atomic_load_n(&cell, __ATOMIC_SEQ_CST));                                  \
  }

TRY(i32)
TRY(u32)
TRY(i64)
TRY(u64)

/* C has no names for these four. */
#define EXTREME(name, instruction, type)                                                            \
  static type name(type *at, type value) {                                                          \
    type old;                                                                                       \
    __asm__ volatile(instruction " %0, %2, %1" : "=r"(old), "+A"(*at) : "r"(value) : "memory");     \
    return old;                                                                                     \
  }

EXTREME(smaller_word, "amomin.w", i32)
EXTREME(larger_word, "amomax.w.aq", i32)
EXTREME(smaller_unsigned, "amominu.d.rl", u64)
EXTREME(larger_unsigned, "amomaxu.d.aqrl", u64)

static u32 lock;
static u64 guarded;

static void add_guarded(u64 value) {
  while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE) != 0) continue;
  guarded += value;
  __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

int main(void) {
  try_i32();
  try_u32();
  try_i64();
  try_u64();
  i32 word = 5;
  u64 doubleword = 5;
  for (i64 value = -40; value < 40; value += 11) {
    print_number(smaller_word(&word, (i32)value));
    print_number(larger_word(&word, (i32)(value * 3)));
    print_hex(smaller_unsigned(&doubleword, (u64)value));
    print_hex(larger_unsigned(&doubleword, (u64)(value * 5)));
  }
  for (u64 i = 0; i < 1000; i++) add_guarded(i);
  print_number((i64)guarded);
  return 0;
}
