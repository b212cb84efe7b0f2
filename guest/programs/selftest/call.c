/* Calls as such: numbers that none has, and what a call leaves of the registers. */
#include "selftest.h"

void unknown_call(void) {
  static const long numbers[] = {0, 23, 24, 31, 64, 100, 1000, 0x7fffffff, -1, -2, -0x80000000L};
  for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    long got = system_call(numbers[i], (const long[5]){1, 2, 3, 4, 5});
    if (got != -1) fail("call of number %ld (expected -1, got %ld)", numbers[i], got);
  }
}

/* Of the number's register only the lower half counts, as of every int. */
void call_number_int(void) {
  expect("getpid by a number with a high half", getpid(), system_call(11 | 5L << 32, (const long[5]){0}));
}

/* All registers but a0, a7, and the two that hold the arguments below. */
#define REGISTERS "ra,s1,s4,s5,s6,s7,s8,s9,s10,s11,t0,t1,t2,t3,t4,t5,t6,a1,a2,a3,a4,a5,a6"

/*
 * Each register gets a value of its own, in steps of 3 from `base`. Then comes a loop, in which
 * others get the hart, and a call. What differs from its value afterwards is or-ed together.
 */
long changed_registers(long base, long turns) {
  register long a0 __asm__("a0") = base;
  register long a7 __asm__("a7") = turns;
  __asm__ volatile(
      "mv s2, a0\n"
      "mv s3, a7\n"
      ".set step, 0\n"
      ".irp reg, " REGISTERS "\n"
      ".set step, step + 3\n"
      "addi \\reg, s2, step\n"
      ".endr\n"
      "1: addi s3, s3, -1\n"
      "bnez s3, 1b\n"
      "li a7, 11\n"
      "ecall\n"
      "addi a7, a7, -11\n"
      "or a0, a7, s3\n"
      ".set step, 0\n"
      ".irp reg, " REGISTERS "\n"
      ".set step, step + 3\n"
      "sub \\reg, \\reg, s2\n"
      "addi \\reg, \\reg, -step\n"
      "or a0, a0, \\reg\n"
      ".endr\n"
      : "+r"(a0), "+r"(a7)
      :
      : "ra", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t0", "t1", "t2", "t3", "t4", "t5",
        "t6", "a1", "a2", "a3", "a4", "a5", "a6", "memory");
  return a0;
}

void registers_kept(void) {
  expect("registers changed by a call", 0, changed_registers(1, 1));
  expect("registers changed by a call", 0, changed_registers(-0x123456789abcdefL, 1));
}
