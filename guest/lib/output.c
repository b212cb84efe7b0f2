/* Output of whole programs: what to do when it fails, and the kernel's reports. */
#include "tools.h"

int output_failed(const char *program) {
  struct stat status;
  /* Pipes have no status. */
  if (fstat(1, &status) == 0) fprintf(2, "%s: the output cannot be written\n", program);
  return 1;
}

int print_report(const char *program, int report, int pid) {
  /* Larger than any usual report, so that it is from one moment: each call makes a new one. */
  static char text[16384];
  long offset = 0;
  for (;;) {
    long count = inspect(report, pid, text, sizeof text, offset);
    if (count == 0) return 0;
    if (count < 0) break;
    if (write(1, text, count) != count) return output_failed(program);
    offset += count;
  }
  if (inspect(INSPECT_PROCESSES, 0, text, sizeof text, 0) < 0) {
    fprintf(2, "%s: this kernel cannot be inspected: only holstein's can\n", program);
  } else {
    fprintf(2, "%s: %d: no such process\n", program, pid);
  }
  return 1;
}
