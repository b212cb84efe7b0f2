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
