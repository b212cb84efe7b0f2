/* Ticks. */
#include "selftest.h"

void sleep_uptime(void) {
  for (int ticks = 1; ticks <= 10; ticks += 3) {
    int before = uptime();
    expect("sleep", 0, sleep(ticks));
    int passed = uptime() - before;
    if (passed < ticks) fail("ticks passed in a sleep (expected at least %d, got %d)", ticks, passed);
  }
  expect("sleep of nothing", 0, sleep(0));
}

/* No time is no time, less than none too. */
void sleep_negative(void) {
  int before = uptime();
  expect("sleep of -1 ticks", 0, sleep(-1));
  expect("sleep of the least int", 0, sleep(-0x7fffffff - 1));
  if (uptime() - before > 100) fail("a sleep of less than nothing took %d ticks", uptime() - before);
}
