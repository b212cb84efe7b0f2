/* Bodies that attract each other: double precision, with a square root and divisions. */
#include "program.h"

#define BODIES 8
#define STEPS 1000

typedef struct {
  double x, y, z, vx, vy, vz, mass;
} body;

static body bodies[BODIES];

static void step(double time) {
  for (int i = 0; i < BODIES; i++) {
    body *a = &bodies[i];
    for (int j = i + 1; j < BODIES; j++) {
      body *b = &bodies[j];
      double dx = a->x - b->x;
      double dy = a->y - b->y;
      double dz = a->z - b->z;
      double square = dx * dx + dy * dy + dz * dz + 0.01;
      double pull = time / (square * __builtin_sqrt(square));
      a->vx -= dx * b->mass * pull;
      a->vy -= dy * b->mass * pull;
      a->vz -= dz * b->mass * pull;
      b->vx += dx * a->mass * pull;
      b->vy += dy * a->mass * pull;
      b->vz += dz * a->mass * pull;
    }
  }
  for (int i = 0; i < BODIES; i++) {
    bodies[i].x += time * bodies[i].vx;
    bodies[i].y += time * bodies[i].vy;
    bodies[i].z += time * bodies[i].vz;
  }
}

static double energy(void) {
  double sum = 0;
  for (int i = 0; i < BODIES; i++) {
    body *a = &bodies[i];
    sum += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
    for (int j = i + 1; j < BODIES; j++) {
      body *b = &bodies[j];
      double dx = a->x - b->x;
      double dy = a->y - b->y;
      double dz = a->z - b->z;
      sum -= a->mass * b->mass / __builtin_sqrt(dx * dx + dy * dy + dz * dz + 0.01);
    }
  }
  return sum;
}

static double between(u64 *state, double low, double high) {
  return low + (high - low) * (double)(next_random(state) >> 11) * 0x1p-53;
}

u64 run(void) {
  u64 state = 6364136223846793005ul;
  u64 checksum = 0;
  for (int i = 0; i < BODIES; i++) {
    bodies[i] = (body){between(&state, -5, 5),     between(&state, -5, 5),     between(&state, -5, 5),
                       between(&state, -0.3, 0.3), between(&state, -0.3, 0.3), between(&state, -0.3, 0.3),
                       between(&state, 0.1, 1)};
  }
  double before = energy();
  for (int round = 0; round < RUNS; round++) {
    for (int count = 0; count < STEPS; count++) step(0.0005);
    checksum = mix(checksum, bits_of_double(energy()));
  }
  double drift = energy() - before;
  if (!(drift > -0.1 && drift < 0.1)) fail("nbody: energy is not conserved");
  for (int i = 0; i < BODIES; i++) checksum = mix(checksum, bits_of_double(bodies[i].x));
  return checksum;
}
