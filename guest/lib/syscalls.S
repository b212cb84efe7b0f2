# System calls: the number goes in a7, arguments stay where the C call put them (a0 and up), and
# the kernel leaves its answer in a0. The numbers are xv6's, so that the kernel has one interface
# for these programs and for programs built for xv6.

    .macro syscall name, number
    .section .text.\name, "ax"
    .globl \name
    .type \name, @function
\name:
    li a7, \number
    ecall
    ret
    .size \name, . - \name
    .endm

    syscall fork, 1
    syscall exit, 2
    syscall wait, 3
    syscall pipe, 4
    syscall read, 5
    syscall kill, 6
    syscall exec, 7
    syscall fstat, 8
    syscall chdir, 9
    syscall dup, 10
    syscall getpid, 11
    syscall sleep, 13
    syscall uptime, 14
    syscall open, 15
    syscall write, 16
    syscall mknod, 17
    syscall unlink, 18
    syscall link, 19
    syscall mkdir, 20
    syscall close, 21

# One that is holstein's own, far from the numbers that courses built on xv6 give theirs.
    syscall inspect, 1001

# sbrk alone says more than its C caller does: kernels since 2025 read a second argument, where
# 1 asks for the memory at once and 2 for memory on first touch. Older kernels ignore it.
    .macro sbrk_variant name, variant
    .section .text.\name, "ax"
    .globl \name
    .type \name, @function
\name:
    li a1, \variant
    li a7, 12
    ecall
    ret
    .size \name, . - \name
    .endm

    sbrk_variant sbrk, 1
    sbrk_variant sbrk_lazy, 2
