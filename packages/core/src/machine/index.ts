/**
 * The machine: a hart, RAM and a kernel that run RISC-V programs. `new Machine` boots one, `run` runs a
 * program in it.
 */
export { globalHost, type Host } from './host.js';
export {
  type ByteSink,
  type ByteSource,
  Machine,
  type MachineOptions,
  type ProgramFiles,
  type RunOptions,
  type RunResult,
} from './machine.js';
export { formatMemoryReport, type MemoryReport } from './memory-report.js';
