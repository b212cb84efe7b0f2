/* Singles: the Mandelbrot set, a filter, a polynomial, and a sort. */
#include "runtime.h"

#define POINTS 400

static u32 bits_of(float number) {
  union {
    float number;
    u32 bits;
  } it = {.number = number};
  return it.bits;
}

static void mandelbrot(void) {
  for (int row = -6; row <= 6; row++) {
    char line[32];
    int length = 0;
    for (int column = -20; column <= 8; column++) {
      float cx = (float)column / 10, cy = (float)row / 5, x = 0, y = 0;
      int step = 0;
      while (step < 60 && x * x + y * y < 4) {
        float next = x * x - y * y + cx;
        y = 2 * x * y + cy;
        x = next;
        step++;
      }
      line[length++] = step == 60 ? '#' : (char)('a' + step % 26);
    }
    line[length++] = '\n';
    line[length] = '\0';
    print(line);
  }
}

static float samples[POINTS];

static void make_samples(void) {
  u32 seed = 1;
  for (int n = 0; n < POINTS; n++) {
    seed = seed * 1664525 + 1013904223;
    samples[n] = (float)(i32)seed * 0x1p-31f;
  }
}

static void filter(void) {
  float low = 0, peak = 0;
  for (int n = 0; n < POINTS; n++) {
    low += 0.1f * (samples[n] - low);
    float size = __builtin_fabsf(low);
    peak = size > peak ? size : peak;
  }
  print_hex(bits_of(low));
  print_hex(bits_of(peak));
}

static void polynomial(void) {
  u32 hash = 0;
  for (int n = 0; n < POINTS; n++) {
    float x = samples[n];
    float sine = x * (1 + x * x * (-1.0f / 6 + x * x * (1.0f / 120 - x * x / 5040)));
    hash = hash * 31 + bits_of(sine) + bits_of(__builtin_sqrtf(1 - x * x));
  }
  print_hex(hash);
}

static void sort(void) {
  for (int n = 1; n < POINTS; n++) {
    float one = samples[n];
    int place = n;
    for (; place > 0 && samples[place - 1] > one; place--) samples[place] = samples[place - 1];
    samples[place] = one;
  }
  u32 hash = 0;
  double sum = 0;
  for (int n = 0; n < POINTS; n++) {
    hash = hash * 31 + bits_of(samples[n]);
    sum += samples[n];
  }
  print_hex(hash);
  print_hex(bits_of((float)sum));
  print_number((i64)(samples[POINTS / 2] * 1000000));
}

int main(void) {
  mandelbrot();
  make_samples();
  filter();
  polynomial();
  sort();
  return 0;
}
