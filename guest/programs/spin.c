/* Never ends and never calls the kernel: for trying pre-emption, limits and kill. */

int main(void) {
  for (;;) {
  }
}
