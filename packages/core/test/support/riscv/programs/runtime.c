#include "runtime.h"

#define SYS_WRITE 64
#define SYS_EXIT 93
#define STACK_BYTES 65536

static char buffer[4096];
static u64 used;

/* The stack is the program's own, so that it is alike wherever the program runs. */
__attribute__((used)) static u8 stack[STACK_BYTES] __attribute__((aligned(16)));

__asm__(".globl _start\n"
        "_start:\n"
        "  .option push\n"
        "  .option norelax\n"
        "  la gp, __global_pointer$\n"
        "  .option pop\n"
        "  la sp, stack + 65536\n"
        "  call main\n"
        "  mv s0, a0\n"
        "  call flush\n"
        "  mv a0, s0\n"
        "  li a7, 93\n"
        "  ecall\n");

static i64 system_call(i64 number, i64 a, i64 b, i64 c) {
  register i64 a0 __asm__("a0") = a;
  register i64 a1 __asm__("a1") = b;
  register i64 a2 __asm__("a2") = c;
  register i64 a7 __asm__("a7") = number;
  __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a2), "r"(a7) : "memory");
  return a0;
}

void *memcpy(void *to, const void *from, u64 count) {
  u8 *target = to;
  const u8 *source = from;
  while (count-- > 0) *target++ = *source++;
  return to;
}

void *memset(void *to, int byte, u64 count) {
  u8 *target = to;
  while (count-- > 0) *target++ = (u8)byte;
  return to;
}

void flush(void) {
  u64 done = 0;
  while (done < used) {
    i64 written = system_call(SYS_WRITE, 1, (i64)(buffer + done), (i64)(used - done));
    if (written <= 0) system_call(SYS_EXIT, 99, 0, 0);
    done += (u64)written;
  }
  used = 0;
}

static void put(char character) {
  if (used == sizeof buffer) flush();
  buffer[used++] = character;
}

void print(const char *text) {
  while (*text != '\0') put(*text++);
}

void print_number(i64 value) {
  char digits[20];
  int count = 0;
  u64 rest = value < 0 ? -(u64)value : (u64)value;
  do {
    digits[count++] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (value < 0) put('-');
  while (count > 0) put(digits[--count]);
  put('\n');
}

void print_hex(u64 value) {
  for (int shift = 60; shift >= 0; shift -= 4) put("0123456789abcdef"[(value >> shift) & 15]);
  put('\n');
}
