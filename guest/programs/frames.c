/* Shows what the frames of physical memory are used for. */
#include "tools.h"

static const char usage[] = "frames";

int main(int argc, char *argv[]) {
  take_options(&argc, &argv, "", usage);
  if (argc != 0) end_with_usage(usage);
  return print_report("frames", INSPECT_FRAMES, 0);
}
