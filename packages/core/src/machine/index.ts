/**
 * The machine: a hart, RAM and a kernel that run RISC-V programs. `new Machine` boots one, `run` runs a
 * program in it.
 */
export { globalHost, type Host } from './host.js';
export { Machine, type MachineOptions, type RunResult } from './machine.js';
export { formatMemoryReport, type MemoryReport } from './memory-report.js';
export type { MachineFiles } from './put-files.js';
export type { RunOptions, RunOutcome } from './run.js';
export { formatRunStatistics, type RunStatistics } from './run-statistics.js';
export type { RunningProgram } from './running.js';
export type { ByteSink, ByteSource, ConsoleInput, ConsoleOutput } from './streams.js';
