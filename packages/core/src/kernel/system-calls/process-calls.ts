/** System calls that make processes, end them and wait for them. */
import { virtAddr } from '../../frame/index.js';
import { copyOut } from '../../space/index.js';
import { whenNotCopied } from '../file.js';
import { A0, argumentsOf, FAILED, ints, pathAt, REPLACED, type SystemCall } from './arguments.js';

export const fork: SystemCall = (kernel, process) => kernel.fork(process);

export const exit: SystemCall = (kernel, process) => {
  kernel.exit(process, kernel.hart.registerAsInt(A0));
  return REPLACED;
};

export const wait: SystemCall = (kernel, process) => {
  const statusAddress = kernel.hart.registerAsNumber(A0);
  const zombie = kernel.table.findZombie(process);
  if (zombie === 'none') return FAILED;
  if (zombie === 'all-alive') return { wait: process };
  if (statusAddress !== 0) {
    const copied = copyOut(process.space, virtAddr(statusAddress), ints(zombie.exitStatus));
    if (copied !== 'ok') return whenNotCopied(copied);
  }
  kernel.table.forget(zombie);
  return zombie.pid;
};

export const kill: SystemCall = (kernel) => (kernel.kill(kernel.hart.registerAsInt(A0)) ? 0 : FAILED);

export const exec: SystemCall = (kernel, process) => {
  const path = pathAt(kernel, process, A0);
  if (!(path instanceof Uint8Array)) return path;
  const argv = argumentsOf(kernel, process);
  return Array.isArray(argv) ? kernel.exec(process, path, argv) : argv;
};

export const getpid: SystemCall = (_kernel, process) => process.pid;

export const sleep: SystemCall = (kernel, process) => {
  const until = process.progress ?? kernel.ticks + Math.max(0, kernel.hart.registerAsInt(A0));
  return kernel.ticks >= until ? 0 : { wait: kernel.clock, progress: until };
};

export const uptime: SystemCall = (kernel) => kernel.ticks | 0;
