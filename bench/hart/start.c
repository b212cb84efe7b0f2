/*
 * The start of every program of the benchmark: a stack of its own, the work, its checksum on standard output, and
 * the end, by two of Linux's system calls. So one file runs under qemu's user mode and on a hart without a kernel.
 */
#include "program.h"

#define SYS_WRITE 64
#define SYS_EXIT 93
#define STACK_BYTES 0x100000

__attribute__((used)) static u8 stack[STACK_BYTES] __attribute__((aligned(16)));

__asm__(".globl _start\n"
        "_start:\n"
        "  .option push\n"
        "  .option norelax\n"
        "  la gp, __global_pointer$\n"
        "  .option pop\n"
        "  la sp, stack + 0x100000\n"
        "  call start\n");

static i64 system_call(i64 number, i64 a, i64 b, i64 c) {
  register i64 a0 __asm__("a0") = a;
  register i64 a1 __asm__("a1") = b;
  register i64 a2 __asm__("a2") = c;
  register i64 a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

static void print(const char *text) {
  u64 length = 0;
  while (text[length] != '\0') length++;
  system_call(SYS_WRITE, 1, (i64)text, (i64)length);
}

static void __attribute__((noreturn)) leave(i64 status) {
  for (;;) system_call(SYS_EXIT, status, 0, 0);
}

void fail(const char *message) {
  print(message);
  print("\n");
  leave(1);
}

__attribute__((used, noreturn)) void start(void) {
  char line[] = "checksum ................\n";
  u64 checksum = run();
  for (int digit = 0; digit < 16; digit++) line[9 + digit] = "0123456789abcdef"[(checksum >> (60 - 4 * digit)) & 15];
  print(line);
  leave(0);
}

void *memcpy(void *to, const void *from, u64 count) {
  u8 *target = to;
  const u8 *source = from;
  if ((((u64)target | (u64)source) & 7) == 0) {
    for (; count >= 8; count -= 8, target += 8, source += 8) *(u64 *)target = *(const u64 *)source;
  }
  while (count-- > 0) *target++ = *source++;
  return to;
}

void *memset(void *to, int byte, u64 count) {
  u8 *target = to;
  if (((u64)target & 7) == 0) {
    u64 word = (u8)byte * 0x0101010101010101ul;
    for (; count >= 8; count -= 8, target += 8) *(u64 *)target = word;
  }
  while (count-- > 0) *target++ = (u8)byte;
  return to;
}
