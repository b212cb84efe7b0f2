/*
 * Writes code without end: pieces that are each another one, at ever other places of a region that may be written and
 * run, and again over those of before. Each piece is called until it is hot. What it computes is compared with the same
 * operations done by this program, so that code which was written over and still runs is found.
 */
#include "program.h"

#define REGION_BYTES (4u << 20)
#define LONGEST 60
#define CALLS 5000

typedef u64 (*piece)(u64, u64);
typedef struct {
  u32 kind;
  i32 number;
} step;

static u8 region[REGION_BYTES] __attribute__((section(".generated,\"awx\",@nobits#"), aligned(4096)));
static step steps[LONGEST];

enum { A0 = 10, A1 = 11, KINDS = 6 };

static u32 register_form(u32 opcode, u32 function, u32 to, u32 first, u32 second) {
  return second << 20 | first << 15 | function << 12 | to << 7 | opcode;
}

static u32 immediate_form(u32 opcode, u32 function, u32 to, u32 first, i32 immediate) {
  return (u32)immediate << 20 | first << 15 | function << 12 | to << 7 | opcode;
}

/* Each changes a0, and takes a1 or a number of its own for it. */
static u32 encode(step now) {
  switch (now.kind) {
    case 0: return immediate_form(0x13, 0, A0, A0, now.number);        /* addi */
    case 1: return immediate_form(0x13, 4, A0, A0, now.number);        /* xori */
    case 2: return register_form(0x33, 0, A0, A0, A1);                 /* add */
    case 3: return register_form(0x33, 4, A0, A0, A1);                 /* xor */
    case 4: return register_form(0x33, 0, A0, A0, A1) | 0x40000000;    /* sub */
    default: return register_form(0x33, 0, A0, A0, A1) | 0x02000000;   /* mul */
  }
}

static u64 apply(step now, u64 a0, u64 a1) {
  switch (now.kind) {
    case 0: return a0 + (u64)(i64)now.number;
    case 1: return a0 ^ (u64)(i64)now.number;
    case 2: return a0 + a1;
    case 3: return a0 ^ a1;
    case 4: return a0 - a1;
    default: return a0 * a1;
  }
}

/* Writes a piece to `at`: its steps, and the way back. @returns its bytes */
static u32 write_piece(u8 *at, u32 length) {
  u16 *to = (u16 *)at;
  for (u32 index = 0; index < length; index++) {
    u32 word = encode(steps[index]);
    *to++ = (u16)word;
    *to++ = (u16)(word >> 16);
  }
  *to++ = 0x8082; /* c.jr ra */
  __asm__ volatile("fence.i" : : : "memory");
  return (u32)((u8 *)to - at);
}

/* @returns never, but for RUNS pieces where that is not 0 */
u64 run(void) {
  u64 random = 1181783497276652981ul;
  u64 checksum = 0;
  u32 at = 0;
  const u64 most = RUNS;
  for (u64 count = 0; most == 0 || count < most; count++) {
    u32 length = 12 + (u32)(next_random(&random) >> 40) % (LONGEST - 12);
    for (u32 index = 0; index < length; index++) {
      u64 word = next_random(&random);
      steps[index] = (step){(u32)(word >> 32) % KINDS, (i32)(word >> 20 & 4095) - 2048};
    }
    /* A gap of its own before each, so that no address is the beginning of a piece twice. */
    at += 2 * (1 + ((u32)random & 31));
    if (at + 4 * LONGEST + 2 > REGION_BYTES) at = 2 * ((u32)random & 1023);
    piece made = (piece)(region + at);
    at += write_piece(region + at, length);
    u64 value = count;
    for (u32 call = 0; call < CALLS; call++) value = made(value, random);
    u64 expected = value;
    for (u32 index = 0; index < length; index++) expected = apply(steps[index], expected, random);
    if (made(value, random) != expected) fail("endless: a piece of code computes what an older one would");
    checksum = mix(checksum, expected);
  }
  return checksum;
}
