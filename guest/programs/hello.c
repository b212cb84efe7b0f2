/* The smallest program that shows it ran: its process number and its arguments. */
#include "holstein.h"

int main(int argc, char *argv[]) {
  printf("hello from holstein: pid %d\n", getpid());
  for (int i = 1; i < argc; i++) printf("  argv[%d] = %s\n", i, argv[i]);
  return 0;
}
