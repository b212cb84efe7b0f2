/* One computation in every rounding mode, and what flags each of its parts raises. */
#include "runtime.h"

#define OPERATION(name, type, instruction)                                              \
  static void name(type a, type b, type c) {                                            \
    union {                                                                             \
      type number;                                                                      \
      u64 bits;                                                                         \
    } result = {.bits = 0};                                                             \
    u64 flags;                                                                          \
    __asm__ volatile("csrw fflags, zero\n" instruction "\ncsrr %1, fcsr"                \
                     : "=f"(result.number), "=r"(flags)                                 \
                     : "f"(a), "f"(b), "f"(c));                                         \
    print_hex(result.bits);                                                             \
    print_hex(flags);                                                                   \
  }

OPERATION(add_double, double, "fadd.d %0, %2, %3")
OPERATION(multiply_double, double, "fmul.d %0, %2, %3")
OPERATION(divide_double, double, "fdiv.d %0, %2, %3")
OPERATION(root_of_double, double, "fsqrt.d %0, %2")
OPERATION(fuse_double, double, "fnmadd.d %0, %2, %3, %4")
OPERATION(divide_single, float, "fdiv.s %0, %2, %3")
OPERATION(fuse_single, float, "fmsub.s %0, %2, %3, %4")
OPERATION(always_up, double, "fadd.d %0, %2, %3, rup")

static const double numbers[] = {1, -3, 0.1, 1e-310, 1.7e308, -0.0, 0x1.fffffffffffffp-1, 0x1p-1022, 7};
#define COUNT (int)(sizeof numbers / sizeof *numbers)

int main(void) {
  for (u64 mode = 0; mode < 5; mode++) {
    __asm__ volatile("csrw frm, %0" : : "r"(mode));
    for (int i = 0; i < COUNT; i++)
      for (int j = 0; j < COUNT; j += 2) {
        double a = numbers[i], b = numbers[(i + j) % COUNT], c = numbers[(i * j + 3) % COUNT];
        add_double(a, b, c);
        multiply_double(a, b, c);
        divide_double(a, b, c);
        root_of_double(a, b, c);
        fuse_double(a, b, c);
        divide_single((float)a, (float)b, (float)c);
        fuse_single((float)a, (float)b, (float)c);
        always_up(a, b, c);
      }
  }
  return 0;
}
