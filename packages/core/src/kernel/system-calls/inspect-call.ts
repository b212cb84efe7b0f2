/** The system call that only this kernel has: reports on processes, mappings and frames, as text. */
import { virtAddr } from '../../frame/index.js';
import { copyOut } from '../../space/index.js';
import { whenNotCopied } from '../file.js';
import { reportFrames, reportMappings, reportProcesses } from '../reports.js';
import { A0, A1, A2, A3, A4, FAILED, type SystemCall } from './arguments.js';

const PROCESSES = 1;
const MAPPINGS = 2;
const FRAMES = 3;
/** Instructions that a report costs: the rest of a turn. */
const REPORT_COST = 100_000;

/** inspect(report, pid, text, size, offset): copies a part of a report, which is made anew at each call. */
export const inspect: SystemCall = (kernel, process) => {
  const { hart } = kernel;
  const size = hart.registerAsSigned(A3);
  const offset = hart.registerAsSigned(A4);
  if (size < 0 || offset < 0) return FAILED;
  kernel.spend(REPORT_COST);
  const text = textOf(kernel, hart.registerAsInt(A0), hart.registerAsInt(A1));
  if (text === undefined) return FAILED;
  const bytes = new TextEncoder().encode(text).subarray(offset).subarray(0, size);
  const copied = copyOut(process.space, virtAddr(hart.registerAsNumber(A2)), bytes);
  return copied === 'ok' ? bytes.length : whenNotCopied(copied);
};

const textOf = (kernel: Parameters<SystemCall>[0], report: number, pid: number): string | undefined => {
  if (report === PROCESSES) return reportProcesses(kernel);
  if (report === MAPPINGS) return reportMappings(kernel, pid);
  return report === FRAMES ? reportFrames(kernel) : undefined;
};
