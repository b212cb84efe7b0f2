/* Single precision: Fourier transforms there and back, a filter, and samples turned to whole numbers and back. */
#include "program.h"

#define LOG_POINTS 10
#define POINTS (1 << LOG_POINTS)
#define TAPS 16

static float real[POINTS];
static float imaginary[POINTS];
static float cosines[POINTS / 2];
static float sines[POINTS / 2];
static short samples[POINTS];

/* All angles from the right angle's, by halving: cos(x/2) = sqrt((1 + cos x) / 2). */
static void make_tables(void) {
  cosines[0] = 1;
  sines[0] = 0;
  double cosine = 0;
  double sine = 1;
  for (int step = POINTS / 4; step >= 1; step /= 2) {
    for (int index = step; index < POINTS / 2; index += 2 * step) {
      double c = cosines[index - step];
      double s = sines[index - step];
      cosines[index] = (float)(c * cosine - s * sine);
      sines[index] = (float)(s * cosine + c * sine);
    }
    double half = __builtin_sqrt((1 + cosine) / 2);
    sine = sine / (2 * half);
    cosine = half;
  }
}

static void transform(int back) {
  for (int index = 0, other = 0; index < POINTS; index++) {
    if (index < other) {
      float kept = real[index];
      real[index] = real[other];
      real[other] = kept;
      kept = imaginary[index];
      imaginary[index] = imaginary[other];
      imaginary[other] = kept;
    }
    int bit = POINTS / 2;
    for (; bit >= 1 && (other & bit) != 0; bit >>= 1) other ^= bit;
    other |= bit;
  }
  for (int width = 1; width < POINTS; width *= 2) {
    int stride = POINTS / 2 / width;
    for (int start = 0; start < POINTS; start += 2 * width) {
      for (int k = 0; k < width; k++) {
        float c = cosines[k * stride];
        float s = back ? sines[k * stride] : -sines[k * stride];
        int low = start + k;
        int high = low + width;
        float re = real[high] * c - imaginary[high] * s;
        float im = real[high] * s + imaginary[high] * c;
        real[high] = real[low] - re;
        imaginary[high] = imaginary[low] - im;
        real[low] += re;
        imaginary[low] += im;
      }
    }
  }
}

/* A running mean with weights, over samples as a sound card has them. */
static void filter(void) {
  for (int at = 0; at + TAPS <= POINTS; at++) {
    float sum = 0;
    for (int tap = 0; tap < TAPS; tap++) sum += (float)samples[at + tap] * (1.0f / (float)(tap + 1));
    real[at] = sum;
  }
}

u64 run(void) {
  u64 state = 5871781006564002453ul;
  u64 checksum = 0;
  make_tables();
  for (int round = 0; round < RUNS; round++) {
    for (int index = 0; index < POINTS; index++) {
      samples[index] = (short)(next_random(&state) >> 48);
      real[index] = (float)samples[index];
      imaginary[index] = 0;
    }
    transform(0);
    checksum = mix(checksum, bits_of_float(real[round % POINTS]));
    checksum = mix(checksum, bits_of_float(imaginary[(round * 7) % POINTS]));
    transform(1);
    for (int index = 0; index < POINTS; index++) {
      float value = real[index] / POINTS;
      float error = value - (float)samples[index];
      if (error > 1 || error < -1) fail("fourier: the way back leads elsewhere");
      checksum = checksum * 31 + (u32)(i32)value;
    }
    filter();
    checksum = mix(checksum, bits_of_float(real[(round * 13) % (POINTS - TAPS)]));
  }
  return checksum;
}
