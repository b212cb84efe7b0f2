/**
 * The system calls, by xv6's numbers and calling convention: number in a7, arguments in a0 … a5, result in
 * a0, -1 for any error. A call that is not done is made again from its start, with its `progress`.
 */
import type { Kernel } from '../kernel.js';
import type { Process } from '../process.js';
import { A7, FAILED, type Result, type SystemCall } from './arguments.js';
import * as fileCalls from './file-calls.js';
import { inspect } from './inspect-call.js';
import { sbrk } from './memory-calls.js';
import * as processCalls from './process-calls.js';

export { A0, A1, REPLACED, SP } from './arguments.js';

const CALLS: ReadonlyMap<number, SystemCall> = new Map([
  [1, processCalls.fork],
  [2, processCalls.exit],
  [3, processCalls.wait],
  [4, fileCalls.pipe],
  [5, fileCalls.read],
  [6, processCalls.kill],
  [7, processCalls.exec],
  [8, fileCalls.fstat],
  [9, fileCalls.chdir],
  [10, fileCalls.dup],
  [11, processCalls.getpid],
  [12, sbrk],
  [13, processCalls.sleep],
  [14, processCalls.uptime],
  [15, fileCalls.open],
  [16, fileCalls.write],
  [17, fileCalls.mknod],
  [18, fileCalls.unlink],
  [19, fileCalls.link],
  [20, fileCalls.mkdir],
  [21, fileCalls.close],
  // holstein's own, far from the numbers that courses give to theirs.
  [1001, inspect],
]);

/** Makes the call that the process on the hart asks for. An unknown number gives -1. */
export const systemCall = (kernel: Kernel, process: Process): Result => {
  const call = CALLS.get(kernel.hart.registerAsInt(A7));
  return call === undefined ? FAILED : call(kernel, process);
};
