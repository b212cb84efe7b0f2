/* Sleeps for a number of ticks. A tick stands for a tenth of a second. */
#include "tools.h"

static const char usage[] = "sleep TICKS";

int main(int argc, char *argv[]) {
  long ticks;
  take_options(&argc, &argv, "", usage);
  if (argc != 1) end_with_usage(usage);
  if (!parse_number(argv[0], &ticks) || ticks < 0 || ticks != (int)ticks) {
    fprintf(2, "sleep: %s: it is no number of ticks from 0 to 2147483647\n", argv[0]);
    return 2;
  }
  return sleep((int)ticks) < 0;
}
