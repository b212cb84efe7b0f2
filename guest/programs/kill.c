/* Kills processes, which end with status -1. */
#include "tools.h"

static const char usage[] = "kill PROCESS...";

int main(int argc, char *argv[]) {
  int result = 0;
  take_options(&argc, &argv, "", usage);
  if (argc == 0) end_with_usage(usage);
  for (int i = 0; i < argc; i++) {
    long pid;
    const char *why = 0;
    if (!parse_number(argv[i], &pid)) why = "it is no number";
    else if (pid != (int)pid || kill((int)pid) < 0) why = "no such process";
    if (why == 0) continue;
    fprintf(2, "kill: %s: %s\n", argv[i], why);
    result = 1;
  }
  return result;
}
