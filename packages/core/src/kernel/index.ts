/**
 * The kernel: processes, scheduling, system calls by xv6's numbers, files, pipes, the console, and ELF loading.
 * `Kernel.spawn` makes process 1; `Kernel.step` runs whoever's turn it is.
 */
export { Console } from './console.js';
export { type ElfImage, type ElfProblem, type ElfSegment, type ElfSource, parseElf } from './elf.js';
export { type FileStat, FileTree, type FileTreeOptions } from './files/file-tree.js';
export type { HostConstants, HostFileSystem, HostStats } from './files/host-file-system.js';
export { MemoryFiles } from './files/memory-files.js';
export { RegularFile } from './files/regular-file.js';
export { type FileProblem, Store, type StoreOptions } from './files/store.js';
export type { KernelOptions, SbrkKind } from './kernel-options.js';
export { Kernel, type KernelState } from './kernel.js';
export { type KernelLimits, XV6_LIMITS, xv6Limits } from './limits.js';
export { IMAGE_END, USER_END } from './memory-layout.js';
export { KILLED_STATUS, Process, type ProcessState } from './process.js';
