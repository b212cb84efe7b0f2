/**
 * The kernel: processes, scheduling, system calls by xv6's numbers, pipes, the console, and ELF loading.
 * `Kernel.spawn` makes process 1; `Kernel.step` runs whoever's turn it is.
 */
export { Console } from './console.js';
export { type ElfImage, type ElfProblem, type ElfSegment, parseElf } from './elf.js';
export { Kernel, type KernelOptions, type KernelState } from './kernel.js';
export { type KernelLimits, XV6_LIMITS } from './limits.js';
export { IMAGE_END, USER_END } from './memory-layout.js';
export { KILLED_STATUS, Process, type ProcessState } from './process.js';
