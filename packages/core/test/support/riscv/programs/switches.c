/* Dense and sparse switches: a small stack machine, and a classifier. */
#include "runtime.h"

enum { PUSH, ADD, SUBTRACT, MULTIPLY, DUPLICATE, SWAP, DROP, JUMP_IF, LESS, LOAD, STORE, HALT };

/* Sums the squares of 1 to 100: variable 0 counts, variable 1 sums. */
static const i16 program[] = {
    PUSH, 1, STORE, 0, PUSH, 0, STORE, 1,
    LOAD, 0, DUPLICATE, MULTIPLY, LOAD, 1, ADD, STORE, 1,
    LOAD, 0, PUSH, 1, ADD, DUPLICATE, STORE, 0,
    PUSH, 101, LESS, JUMP_IF, 8,
    LOAD, 1, PUSH, 7, SWAP, SUBTRACT, HALT,
};

static i64 run(void) {
  i64 stack[16], variables[4] = {0};
  int top = 0;
  for (int pc = 0;;) {
    switch (program[pc++]) {
      case PUSH: stack[top++] = program[pc++]; break;
      case ADD: top--; stack[top - 1] += stack[top]; break;
      case SUBTRACT: top--; stack[top - 1] -= stack[top]; break;
      case MULTIPLY: top--; stack[top - 1] *= stack[top]; break;
      case DUPLICATE: stack[top] = stack[top - 1]; top++; break;
      case SWAP: { i64 moved = stack[top - 1]; stack[top - 1] = stack[top - 2]; stack[top - 2] = moved; break; }
      case DROP: top--; break;
      case JUMP_IF: pc = stack[--top] != 0 ? program[pc] : pc + 1; break;
      case LESS: top--; stack[top - 1] = stack[top - 1] < stack[top]; break;
      case LOAD: stack[top++] = variables[program[pc++]]; break;
      case STORE: variables[program[pc++]] = stack[--top]; break;
      case HALT: return stack[top - 1];
      default: return -1;
    }
  }
}

static int classify(i64 value) {
  switch (value) {
    case -1000000: return 1;
    case -7: return 2;
    case 0: case 1: case 2: return 3;
    case 10 ... 90: return 4;
    case 91: return 5;
    case 4096: return 6;
    case 1L << 40: return 7;
    default: return value < 0 ? 8 : 9;
  }
}

static const char *name(u32 n) {
  switch (n) {
    case 0: return "zero"; case 1: return "one"; case 2: return "two"; case 3: return "three";
    case 4: return "four"; case 5: return "five"; case 6: return "six"; case 7: return "seven";
    default: return "many";
  }
}

int main(void) {
  print_number(run());
  u64 hash = 0;
  for (i64 value = -1000001; value < 5000; value += value < -20 ? 1001 : 1) hash = hash * 10 + (u64)classify(value);
  print_hex(hash);
  print_number(classify(1L << 40) + classify(-1000000));
  for (u32 n = 0; n < 10; n++) {
    print(name(n));
    print("\n");
  }
  return 0;
}
