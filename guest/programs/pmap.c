/* Shows the memory of a process: its mappings, and the frames behind them. */
#include "tools.h"

static const char usage[] = "pmap PROCESS";

int main(int argc, char *argv[]) {
  long pid;
  take_options(&argc, &argv, "", usage);
  if (argc != 1) end_with_usage(usage);
  if (!parse_number(argv[0], &pid) || pid != (int)pid) {
    fprintf(2, "pmap: %s: it is no process number\n", argv[0]);
    return 2;
  }
  return print_report("pmap", INSPECT_MAPPINGS, (int)pid);
}
