/* Lists the processes. */
#include "tools.h"

static const char usage[] = "ps";

int main(int argc, char *argv[]) {
  take_options(&argc, &argv, "", usage);
  if (argc != 0) end_with_usage(usage);
  return print_report("ps", INSPECT_PROCESSES, 0);
}
