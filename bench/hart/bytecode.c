/* A machine with a stack that interprets programs of its own, by a switch: perfect numbers, and bubbles sorted. */
#include "program.h"

enum { PUSH, LOAD, STORE, FETCH, PUT, ADD, SUB, MUL, MOD, LESS, EQUAL, NOT, JUMP, JUMP_IF_ZERO, CALL, RETURN, DUP, DROP, OUT, HALT };

typedef struct {
  u16 operation;
  i32 operand;
} instruction;

/* Names for the places of variables. */
enum { N, DIVISOR, SUM, I, J, SWAPPED };

/* Adds up the proper divisors of N into SUM: a subroutine at 0. Then asks of each N up to the first argument. */
static const instruction perfect[] = {
    /* 0 */ {PUSH, 0}, {STORE, SUM}, {PUSH, 1}, {STORE, DIVISOR},
    /* 4 */ {LOAD, DIVISOR}, {LOAD, N}, {LESS, 0}, {JUMP_IF_ZERO, 22},
    /* 8 */ {LOAD, N}, {LOAD, DIVISOR}, {MOD, 0}, {NOT, 0}, {JUMP_IF_ZERO, 17},
    /* 13 */ {LOAD, SUM}, {LOAD, DIVISOR}, {ADD, 0}, {STORE, SUM},
    /* 17 */ {LOAD, DIVISOR}, {PUSH, 1}, {ADD, 0}, {STORE, DIVISOR}, {JUMP, 4},
    /* 22 */ {RETURN, 0},
    /* 23 */ {PUSH, 2}, {STORE, N},
    /* 25 */ {CALL, 0}, {LOAD, SUM}, {LOAD, N}, {EQUAL, 0}, {JUMP_IF_ZERO, 32},
    /* 30 */ {LOAD, N}, {OUT, 0},
    /* 32 */ {LOAD, N}, {PUSH, 1}, {ADD, 0}, {DUP, 0}, {STORE, N}, {PUSH, 500}, {LESS, 0}, {NOT, 0}, {JUMP_IF_ZERO, 25},
    /* 41 */ {HALT, 0},
};

#define CELLS 200
#define FIRST_CELL 16

/* Fills memory with numbers and sorts them by exchanging neighbours. */
static const instruction bubbles[] = {
    /* 0 */ {PUSH, 0}, {STORE, I},
    /* 2 */ {LOAD, I}, {PUSH, 7919}, {MUL, 0}, {PUSH, 1009}, {MOD, 0}, {LOAD, I}, {PUT, FIRST_CELL},
    /* 9 */ {LOAD, I}, {PUSH, 1}, {ADD, 0}, {DUP, 0}, {STORE, I}, {PUSH, CELLS}, {LESS, 0}, {NOT, 0}, {JUMP_IF_ZERO, 2},
    /* 18 */ {PUSH, 0}, {STORE, SWAPPED}, {PUSH, 1}, {STORE, J},
    /* 22 */ {LOAD, J}, {FETCH, FIRST_CELL}, {LOAD, J}, {FETCH, FIRST_CELL - 1}, {LESS, 0}, {JUMP_IF_ZERO, 38},
    /* 28 */ {LOAD, J}, {FETCH, FIRST_CELL}, {LOAD, J}, {FETCH, FIRST_CELL - 1}, {LOAD, J}, {PUT, FIRST_CELL},
    /* 34 */ {LOAD, J}, {PUT, FIRST_CELL - 1}, {PUSH, 1}, {STORE, SWAPPED},
    /* 38 */ {LOAD, J}, {PUSH, 1}, {ADD, 0}, {DUP, 0}, {STORE, J}, {PUSH, CELLS}, {LESS, 0}, {NOT, 0}, {JUMP_IF_ZERO, 22},
    /* 47 */ {LOAD, SWAPPED}, {NOT, 0}, {JUMP_IF_ZERO, 18},
    /* 50 */ {PUSH, 0}, {FETCH, FIRST_CELL}, {OUT, 0}, {PUSH, CELLS - 1}, {FETCH, FIRST_CELL}, {OUT, 0}, {HALT, 0},
};

static i64 memory[FIRST_CELL + CELLS];
static i64 stack[64];
static u32 returns[16];

static u64 interpret(const instruction *program, u32 pc) {
  u64 output = 0;
  i64 *top = stack;
  u32 *caller = returns;
  for (;;) {
    const instruction *now = &program[pc++];
    switch (now->operation) {
      case PUSH: *++top = now->operand; break;
      case LOAD: *++top = memory[now->operand]; break;
      case STORE: memory[now->operand] = *top--; break;
      case FETCH: *top = memory[*top + now->operand]; break;
      case PUT: memory[top[0] + now->operand] = top[-1]; top -= 2; break;
      case ADD: top--; top[0] += top[1]; break;
      case SUB: top--; top[0] -= top[1]; break;
      case MUL: top--; top[0] *= top[1]; break;
      case MOD: top--; top[0] %= top[1]; break;
      case LESS: top--; top[0] = top[0] < top[1]; break;
      case EQUAL: top--; top[0] = top[0] == top[1]; break;
      case NOT: top[0] = top[0] == 0; break;
      case JUMP: pc = (u32)now->operand; break;
      case JUMP_IF_ZERO: if (*top-- == 0) pc = (u32)now->operand; break;
      case CALL: *caller++ = pc; pc = (u32)now->operand; break;
      case RETURN: pc = *--caller; break;
      case DUP: top[1] = top[0]; top++; break;
      case DROP: top--; break;
      case OUT: output = mix(output, (u64)*top--); break;
      case HALT: return output;
      default: fail("bytecode: there is no such operation");
    }
  }
}

u64 run(void) {
  u64 checksum = 0;
  for (int round = 0; round < RUNS; round++) {
    checksum = mix(checksum, interpret(perfect, 23));
    checksum = mix(checksum, interpret(bubbles, 0));
  }
  return checksum;
}
