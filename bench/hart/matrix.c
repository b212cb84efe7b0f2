/* Double precision: products of matrices, a system of equations solved with pivots, and points of the Mandelbrot set. */
#include "program.h"

#define SIZE 64

static double a[SIZE][SIZE];
static double b[SIZE][SIZE];
static double c[SIZE][SIZE];
static double right[SIZE];

static void multiply(void) {
  for (int row = 0; row < SIZE; row++) {
    for (int column = 0; column < SIZE; column++) {
      double sum = 0;
      for (int k = 0; k < SIZE; k++) sum += a[row][k] * b[k][column];
      c[row][column] = sum;
    }
  }
}

static double size_of(double value) { return value < 0 ? -value : value; }

/* Solves c x = right by Gauss's elimination, and leaves x in right. */
static void solve(void) {
  for (int column = 0; column < SIZE; column++) {
    int pivot = column;
    for (int row = column + 1; row < SIZE; row++) {
      if (size_of(c[row][column]) > size_of(c[pivot][column])) pivot = row;
    }
    for (int k = 0; k < SIZE; k++) {
      double kept = c[column][k];
      c[column][k] = c[pivot][k];
      c[pivot][k] = kept;
    }
    double kept = right[column];
    right[column] = right[pivot];
    right[pivot] = kept;
    for (int row = column + 1; row < SIZE; row++) {
      double factor = c[row][column] / c[column][column];
      for (int k = column; k < SIZE; k++) c[row][k] -= factor * c[column][k];
      right[row] -= factor * right[column];
    }
  }
  for (int row = SIZE - 1; row >= 0; row--) {
    for (int k = row + 1; k < SIZE; k++) right[row] -= c[row][k] * right[k];
    right[row] /= c[row][row];
  }
}

static u32 mandelbrot(int across, int most) {
  u32 inside = 0;
  for (int row = 0; row < across; row++) {
    for (int column = 0; column < across; column++) {
      double cx = -2 + 2.5 * column / across;
      double cy = -1.25 + 2.5 * row / across;
      double x = 0;
      double y = 0;
      int count = 0;
      while (count < most && x * x + y * y <= 4) {
        double next = x * x - y * y + cx;
        y = 2 * x * y + cy;
        x = next;
        count++;
      }
      inside += (u32)count;
    }
  }
  return inside;
}

u64 run(void) {
  u64 state = 3935559000370003845ul;
  u64 checksum = 0;
  for (int round = 0; round < RUNS; round++) {
    for (int row = 0; row < SIZE; row++) {
      for (int column = 0; column < SIZE; column++) {
        a[row][column] = (double)(i64)next_random(&state) * 0x1p-62;
        b[row][column] = (double)(next_random(&state) >> 32) * 0x1p-30 - 2;
      }
      right[row] = row + 1;
    }
    multiply();
    double sum = 0;
    for (int k = 0; k < SIZE; k++) sum += c[k][k];
    solve();
    checksum = mix(checksum, bits_of_double(sum));
    checksum = mix(checksum, bits_of_double(right[round % SIZE]));
    checksum = mix(checksum, mandelbrot(40, 60));
  }
  return checksum;
}
