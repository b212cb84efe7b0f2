/* Tables of quotients, remainders and high products of numbers at the edges, 32-bit and 64-bit. */
#include "runtime.h"

static const u64 edges[] = {
    0, 1, 2, 3, 7, 10, 255, 65537, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
    0x8000000000000000, 0xfffffffffffffffe, 0xffffffffffffffff, 0x123456789abcdef0, 0xffffffff80000000,
};
#define COUNT (sizeof edges / sizeof edges[0])

/* The instruction itself: in C division by zero has no meaning. */
#define INSTRUCTION(name)                                                     \
  static u64 name##_of(u64 a, u64 b) {                                        \
    u64 result;                                                               \
    __asm__ volatile(#name " %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));    \
    return result;                                                            \
  }

INSTRUCTION(div)
INSTRUCTION(divu)
INSTRUCTION(rem)
INSTRUCTION(remu)
INSTRUCTION(divw)
INSTRUCTION(divuw)
INSTRUCTION(remw)
INSTRUCTION(remuw)
INSTRUCTION(mulh)
INSTRUCTION(mulhu)
INSTRUCTION(mulhsu)
INSTRUCTION(mulw)

static u64 (*const table[])(u64, u64) = {div_of,  divu_of,  rem_of,  remu_of,  divw_of,   divuw_of,
                                         remw_of, remuw_of, mulh_of, mulhu_of, mulhsu_of, mulw_of};

static u64 greatest_common_divisor(u64 a, u64 b) { return b == 0 ? a : greatest_common_divisor(b, a % b); }

int main(void) {
  for (u64 operation = 0; operation < sizeof table / sizeof table[0]; operation++) {
    u64 hash = 0;
    for (u64 i = 0; i < COUNT; i++) {
      for (u64 j = 0; j < COUNT; j++) {
        u64 result = table[operation](edges[i], edges[j]);
        hash = hash * 1099511628211UL + result;
        if (j == i) print_hex(result);
      }
    }
    print_hex(hash);
  }
  /* Divisions by constants, which compilers turn into high products. */
  for (u64 i = 0; i < COUNT; i++) {
    print_hex(edges[i] / 10 + edges[i] % 1000003 + (u64)((i64)edges[i] / 7) + (u64)((i32)edges[i] % 12345));
    print_number((i64)greatest_common_divisor(edges[i], 720720));
  }
  unsigned __int128 wide = 1;
  for (u64 i = 1; i < COUNT; i++) wide = wide * (edges[i] | 1) + i;
  print_hex((u64)(wide >> 64));
  print_hex((u64)wide);
  return 0;
}
