# The first instructions of every program.
#
# The kernel enters at _start with a0 = argc and a1 = sp = argv, sp aligned to 16: a C call of
# main(argc, argv) but for the return address. What main returns is the exit status.

# Address 0 is part of the text. An all-zero instruction is illegal by definition, so a call
# through a null pointer ends the program here instead of starting it over.
    .section .text.null, "ax"
    .word 0

    .section .text.start, "ax"
    .globl _start
_start:
    call main
    call exit
