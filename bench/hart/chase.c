/* A linked list over 8 MiB in random order: every load waits for the one before, and few are in a cache. */
#include "program.h"

#define NODES ((8u << 20) / 64)

typedef struct node {
  struct node *next;
  u64 value;
  u64 unused[6];
} node;

static node nodes[NODES];
static u32 order[NODES];

u64 run(void) {
  u64 state = 7046029254386353131ul;
  u64 checksum = 0;
  for (u32 index = 0; index < NODES; index++) order[index] = index;
  for (u32 index = NODES - 1; index > 0; index--) {
    u32 other = (u32)(next_random(&state) % (index + 1));
    u32 kept = order[index];
    order[index] = order[other];
    order[other] = kept;
  }
  for (u32 index = 0; index < NODES; index++) {
    nodes[order[index]].next = &nodes[order[(index + 1) % NODES]];
    nodes[order[index]].value = next_random(&state);
  }
  node *first = &nodes[order[0]];
  for (int round = 0; round < RUNS; round++) {
    u32 count = 0;
    for (node *at = first->next; at != first; at = at->next) checksum += at->value ^ count++;
    if (count != NODES - 1) fail("chase: the list is no ring of all nodes");
  }
  return checksum;
}
