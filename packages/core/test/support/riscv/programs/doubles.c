/* Doubles: series, an orbit, a linear system, powers and roots, conversions, comparisons, and digits of a number. */
#include "runtime.h"

#define SIDE 12

typedef union {
  double number;
  u64 bits;
} word;

static void print_double(double number) {
  word it = {.number = number};
  print_hex(it.bits);
}

/* A term behind an optimisation barrier: gcc would work the sums out by itself. */
static double opaque(double number) {
  __asm__ volatile("" : "+f"(number));
  return number;
}

static double absolute(double number) { return number < 0 ? -number : number; }

static void series(void) {
  double harmonic = 0, leibniz = 0, e = 1, term = 1;
  for (int n = 1; n <= 2000; n++) {
    harmonic += 1 / opaque(n);
    leibniz += (n % 2 == 1 ? 4.0 : -4.0) / (2 * opaque(n) - 1);
  }
  for (int n = 1; n < 25; n++) {
    term /= opaque(n);
    e += term;
  }
  print_double(harmonic);
  print_double(leibniz);
  print_double(e);
}

/* Products and sums of whole numbers, and a power of two: none of them is inexact. */
static void whole_numbers(void) {
  double sum = 0;
  u64 flags;
  __asm__ volatile("csrw fflags, zero");
  for (int n = 1; n <= 3000; n++) sum = opaque(sum) + opaque(n) * n;
  sum = sum / 4096 * 4096;
  __asm__ volatile("csrr %0, fflags" : "=r"(flags));
  print_double(sum);
  print_hex(flags);
}

static void orbit(void) {
  double x = 1, y = 0, vx = 0, vy = 0.8;
  for (int step = 0; step < 3000; step++) {
    double distance = __builtin_sqrt(x * x + y * y);
    double pull = -1 / (distance * distance * distance);
    vx += pull * x * 0.001;
    vy += pull * y * 0.001;
    x += vx * 0.001;
    y += vy * 0.001;
  }
  print_double(x);
  print_double(y);
}

static void linear_system(void) {
  static double a[SIDE][SIDE + 1];
  u64 seed = 12345;
  for (int row = 0; row < SIDE; row++)
    for (int column = 0; column <= SIDE; column++) {
      seed = seed * 6364136223846793005UL + 1442695040888963407UL;
      a[row][column] = (double)(i64)seed / 9223372036854775808.0;
    }
  for (int pivot = 0; pivot < SIDE; pivot++) {
    int best = pivot;
    for (int row = pivot + 1; row < SIDE; row++)
      if (absolute(a[row][pivot]) > absolute(a[best][pivot])) best = row;
    for (int column = 0; column <= SIDE; column++) {
      double other = a[best][column];
      a[best][column] = a[pivot][column];
      a[pivot][column] = other;
    }
    for (int row = 0; row < SIDE; row++) {
      if (row == pivot) continue;
      double factor = a[row][pivot] / a[pivot][pivot];
      for (int column = pivot; column <= SIDE; column++) a[row][column] -= factor * a[pivot][column];
    }
  }
  for (int row = 0; row < SIDE; row++) print_double(a[row][SIDE] / a[row][row]);
}

static void edges(void) {
  double small = opaque(1), large = opaque(1), none = opaque(0);
  for (int n = 0; n < 1080; n++) {
    small *= 0.5;
    large *= 1.99;
    if (n % 90 == 0) print_double(small * 1.1), print_double(large);
  }
  print_double(small);
  print_double(1 / none);
  print_double(none / none);
  print_double(__builtin_sqrt(opaque(-2)));
  print_double(large - large);
  print_number(large > 1e300);
  print_number(none / none == none / none);
}

static void conversions(void) {
  static const double numbers[] = {0.5, -0.5, 1.5, -1.5, 2147483647.5, -2147483648.9, 4294967295.5, 1e18, -1e18, 1.8e19, 1e300};
  for (u64 n = 0; n < sizeof numbers / sizeof *numbers; n++) {
    double number = opaque(numbers[n]);
    i64 results[4];
    __asm__("fcvt.w.d %0, %1, rtz" : "=r"(results[0]) : "f"(number));
    __asm__("fcvt.wu.d %0, %1, rtz" : "=r"(results[1]) : "f"(number));
    __asm__("fcvt.l.d %0, %1" : "=r"(results[2]) : "f"(number));
    __asm__("fcvt.lu.d %0, %1, rup" : "=r"(results[3]) : "f"(number));
    for (int m = 0; m < 4; m++) print_number(results[m]);
    print_double((double)(float)number);
  }
  print_double((double)(u64)opaque(1.5e19));
  print_double((double)(i64)0x7fffffffffffff01);
}

/* The digits of a number below 10, by multiplication. */
static void print_digits(double number) {
  char digit[2] = {0, 0};
  for (int place = 0; place < 16; place++) {
    int whole = (int)number;
    digit[0] = (char)('0' + whole);
    print(digit);
    if (place == 0) print(".");
    number = (number - whole) * 10;
  }
  print("\n");
}

int main(void) {
  series();
  whole_numbers();
  orbit();
  linear_system();
  edges();
  conversions();
  print_digits(opaque(3.14159265358979312));
  print_digits(opaque(2) / 7);
  return 0;
}
