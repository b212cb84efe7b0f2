/**
 * The arguments of system calls: numbers in a0 … a5, and what these point to in the caller's memory. What cannot be had
 * from there is -1, or a wait for a pager.
 */
import { PAGE_SIZE, virtAddr } from '../../frame/index.js';
import { copyIn, copyInString } from '../../space/index.js';
import { type Again, type OpenFile, type Wait, whenNotCopied } from '../file.js';
import type { Kernel } from '../kernel.js';
import type { Process } from '../process.js';

/** Register numbers of the calling convention. */
export const SP = 2;
export const A0 = 10;
export const A1 = 11;
export const A2 = 12;
export const A3 = 13;
export const A4 = 14;
export const A7 = 17;

/** The registers are another program's, or the process is gone: nothing is to be returned. */
export const REPLACED = 'replaced';

/** What a call answers: what it returns, or that it is not done, and is to be made again from its start. */
export type Result = number | typeof REPLACED | Wait | Again;
export type SystemCall = (kernel: Kernel, process: Process) => Result;

export const FAILED = -1;

const POINTER_BYTES = 8;
const INT_BYTES = 4;

/** The path that a register points to. */
export const pathAt = (kernel: Kernel, { space }: Process, register: number): Uint8Array | Wait | -1 => {
  const at = virtAddr(kernel.hart.registerAsNumber(register));
  const path = copyInString(space, at, kernel.limits.pathBytes);
  return path instanceof Uint8Array ? path : whenNotCopied(path);
};

/** exec's arguments, which a1 points to. They must fit the one page of the stack anyway. */
export const argumentsOf = (kernel: Kernel, { space }: Process): Uint8Array[] | Wait | -1 => {
  const pointers = kernel.hart.registerAsNumber(A1);
  const argv: Uint8Array[] = [];
  const pointer = new Uint8Array(POINTER_BYTES);
  const view = new DataView(pointer.buffer);
  for (let index = 0; index < kernel.limits.arguments; index++) {
    const copied = copyIn(space, virtAddr(pointers + index * POINTER_BYTES), pointer);
    if (copied !== 'ok') return whenNotCopied(copied);
    const address = view.getUint32(4, true) * 2 ** 32 + view.getUint32(0, true);
    if (address === 0) return argv;
    const argument = copyInString(space, virtAddr(address), PAGE_SIZE);
    if (!(argument instanceof Uint8Array)) return whenNotCopied(argument);
    argv.push(argument);
  }
  return FAILED;
};

/** The open file that the descriptor in a0 stands for. */
export const fileOf = (kernel: Kernel, process: Process): OpenFile | undefined =>
  process.files[kernel.hart.registerAsInt(A0)];

/** C ints as they lie in memory. */
export const ints = (...values: readonly number[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * INT_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setInt32(index * INT_BYTES, value, true);
  return bytes;
};
