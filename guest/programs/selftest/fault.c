/* What a program may not do: each must end it, with status -1. */
#include "selftest.h"

/* An instruction that returns: were data executable, the call would come back. */
static unsigned short return_instruction = 0x8082;

/* An address for the functions below; a child has it from its parent. */
static volatile char *target;

static void load_target(void) { (void)*target; }
static void store_target(void) { *target = 1; }
static void jump_target(void) { ((void (*)(void))target)(); }
static void illegal_instruction(void) { __asm__ volatile(".word 0"); }
static void breakpoint(void) { __asm__ volatile("ebreak"); }

void fault_store_text(void) {
  unsigned long sum = text_checksum();
  target = (volatile char *)(unsigned long)&echo_arguments;
  expect_killed("store to a function", store_target);
  target = (volatile char *)(unsigned long)test_program_name;
  expect_killed("store to read-only data", store_target);
  target = 0;
  expect_killed("store through null", store_target);
  if (text_checksum() != sum) fail("the text changed");
}

void fault_above_break(void) {
  target = sbrk(0);
  expect_killed("load above the heap", load_target);
  expect_killed("store above the heap", store_target);
  /* What was given back is gone. */
  sbrk(PAGE_SIZE);
  *target = 1;
  sbrk(-PAGE_SIZE);
  expect_killed("load from heap that was given back", load_target);
  expect_killed("store to heap that was given back", store_target);
}

void fault_guard_page(void) {
  char local;
  target = (volatile char *)((unsigned long)&local & ~(PAGE_SIZE - 1)) - 8;
  expect_killed("store below the stack", store_target);
  expect_killed("load from below the stack", load_target);
}

/* Far deeper than one page of stack; the sum keeps the calls from becoming a loop. */
static __attribute__((noinline)) long descend(volatile int depth) {
  volatile int here = depth;
  return here == 100000 ? 0 : descend(here + 1) + here;
}

static void overflow_stack(void) { descend(0); }

void fault_stack_overflow(void) { expect_killed("recursion without end", overflow_stack); }

void fault_nowhere(void) {
  for (unsigned i = 0; i < NOWHERE; i++) {
    target = bad_pointer(i);
    expect_killed("load from where nothing is", load_target);
    expect_killed("store to where nothing is", store_target);
  }
}

void fault_jump_data(void) {
  target = (volatile char *)&return_instruction;
  expect_killed("jump to data", jump_target);
}

void fault_jump_nowhere(void) {
  for (unsigned i = 0; i < NOWHERE; i++) {
    target = (volatile char *)((unsigned long)bad_pointer(i) & ~1UL);
    expect_killed("jump to where nothing is", jump_target);
  }
}

void fault_illegal(void) { expect_killed("illegal instruction", illegal_instruction); }

void fault_null_call(void) {
  target = 0;
  expect_killed("call through null", jump_target);
}

void fault_breakpoint(void) { expect_killed("ebreak", breakpoint); }
