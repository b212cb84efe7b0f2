/**
 * The system calls, by xv6's numbers and calling convention: number in a7, arguments in a0 … a5, result in
 * a0, -1 for any error. A call that has to wait is made again from its start, with its `progress`.
 */
import { HolsteinError, OutOfMemory, PAGE_SIZE, type VirtAddr, virtAddr } from '../frame/index.js';
import { type AddressSpace, copyIn, copyInString, copyOut } from '../space/index.js';
import { type OpenFile, type Wait, whenNotCopied } from './file.js';
import type { Kernel } from './kernel.js';
import { roundUpToPage, USER_END } from './memory-layout.js';
import { Pipe } from './pipe.js';
import type { Process } from './process.js';

/** Register numbers of the calling convention. */
export const SP = 2;
export const A0 = 10;
export const A1 = 11;
const A2 = 12;
const A7 = 17;

/** The registers are another program's, or the process is gone: nothing is to be returned. */
export const REPLACED = 'replaced';

type Result = number | typeof REPLACED | (Wait & { readonly progress?: number });
type SystemCall = (kernel: Kernel, process: Process) => Result;

const FAILED = -1;
/** A byte order mark is part of a path. */
const PATH_DECODER = new TextDecoder('utf-8', { ignoreBOM: true });
const POINTER_BYTES = 8;
const INT_BYTES = 4;

/** open's modes. */
const O_WRONLY = 1;
const O_RDWR = 2;
const CONSOLE_PATHS: ReadonlySet<string> = new Set(['console', '/console']);

/** Makes the call that the process on the hart asks for. An unknown number, or one that is not built yet, gives -1. */
export const systemCall = (kernel: Kernel, process: Process): Result => {
  const call = CALLS[kernel.hart.registerAsInt(A7)];
  return call === undefined ? FAILED : call(kernel, process);
};

const fork: SystemCall = (kernel, process) => kernel.fork(process);

const exit: SystemCall = (kernel, process) => {
  kernel.exit(process, kernel.hart.registerAsInt(A0));
  return REPLACED;
};

const wait: SystemCall = (kernel, process) => {
  const statusAddress = kernel.hart.registerAsNumber(A0);
  const zombie = kernel.findZombie(process);
  if (zombie === 'none') return FAILED;
  if (zombie === 'all-alive') return { wait: process };
  if (statusAddress !== 0) {
    const copied = copyOut(process.space, virtAddr(statusAddress), ints(zombie.exitStatus));
    if (copied !== 'ok') return whenNotCopied(copied);
  }
  kernel.forget(zombie);
  return zombie.pid;
};

const pipe: SystemCall = (kernel, process) => {
  const read = process.freeDescriptor();
  if (read === -1 || !kernel.fileTable.hasRoomFor(2)) return FAILED;
  const made = new Pipe(kernel.limits.pipeBytes, (channel) => kernel.wake(channel));
  process.files[read] = kernel.fileTable.open(made.reader, { readable: true, writable: false });
  const write = process.freeDescriptor();
  if (write === -1) {
    closeDescriptor(kernel, process, read);
    return FAILED;
  }
  process.files[write] = kernel.fileTable.open(made.writer, { readable: false, writable: true });
  const copied = copyOut(process.space, virtAddr(kernel.hart.registerAsNumber(A0)), ints(read, write));
  if (copied !== 'ok') {
    closeDescriptor(kernel, process, read);
    closeDescriptor(kernel, process, write);
    return whenNotCopied(copied);
  }
  return 0;
};

const read: SystemCall = (kernel, process) => {
  const file = fileOf(kernel, process);
  const count = kernel.hart.registerAsSigned(A2);
  if (file === undefined || !file.readable || count < 0) return FAILED;
  if (count === 0) return 0;
  return file.operations.read(process.space, virtAddr(kernel.hart.registerAsNumber(A1)), count);
};

const write: SystemCall = (kernel, process) => {
  const file = fileOf(kernel, process);
  const count = kernel.hart.registerAsSigned(A2);
  if (file === undefined || !file.writable || count < 0) return FAILED;
  if (count === 0) return 0;
  const from = virtAddr(kernel.hart.registerAsNumber(A1));
  return file.operations.write(process.space, from, count, process.progress ?? 0);
};

const kill: SystemCall = (kernel) => (kernel.kill(kernel.hart.registerAsInt(A0)) ? 0 : FAILED);

const exec: SystemCall = (kernel, process) => {
  const path = copyInString(
    process.space,
    virtAddr(kernel.hart.registerAsNumber(A0)),
    kernel.limits.pathBytes,
  );
  if (!(path instanceof Uint8Array)) return whenNotCopied(path);
  const argv = argumentsOf(kernel, process);
  if (!Array.isArray(argv)) return argv;
  return kernel.exec(process, PATH_DECODER.decode(path), argv);
};

/** Copies exec's arguments in. They must fit the one page of the stack anyway. */
const argumentsOf = (kernel: Kernel, { space }: Process): Uint8Array[] | Wait | typeof FAILED => {
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

const dup: SystemCall = (kernel, process) => {
  const file = fileOf(kernel, process);
  const descriptor = process.freeDescriptor();
  if (file === undefined || descriptor === -1) return FAILED;
  file.references++;
  process.files[descriptor] = file;
  return descriptor;
};

const getpid: SystemCall = (_kernel, process) => process.pid;

/** Moves the break by a signed number of bytes. Memory that it gains is there at once, or the call fails. */
const sbrk: SystemCall = (kernel, process) => {
  const { breakAddress, space } = process;
  const moved = breakAddress + kernel.hart.registerAsSigned(A0);
  if (moved < 0 || moved > USER_END) return FAILED;
  const oldEnd = roundUpToPage(breakAddress);
  const newEnd = roundUpToPage(moved);
  if (newEnd > oldEnd) {
    if (!growHeap(space, virtAddr(oldEnd), newEnd - oldEnd)) return FAILED;
  } else if (newEnd < oldEnd) {
    space.unmap(virtAddr(newEnd), oldEnd - newEnd);
  }
  process.breakAddress = moved;
  return breakAddress;
};

/** @returns false where there is no memory for it, or something is mapped there already: nothing has changed then. */
const growHeap = (space: AddressSpace, at: VirtAddr, lengthBytes: number): boolean => {
  try {
    space.map({ at, lengthBytes, protection: 'rw-', name: 'heap' });
  } catch (error) {
    if (error instanceof HolsteinError && error.code === 'EEXIST') return false;
    throw error;
  }
  try {
    space.commit(at, lengthBytes);
    return true;
  } catch (error) {
    space.unmap(at, lengthBytes);
    if (error instanceof OutOfMemory) return false;
    throw error;
  }
};

const sleep: SystemCall = (kernel, process) => {
  const until = process.progress ?? kernel.ticks + Math.max(0, kernel.hart.registerAsInt(A0));
  return kernel.ticks >= until ? 0 : { wait: kernel.clock, progress: until };
};

const uptime: SystemCall = (kernel) => kernel.ticks | 0;

/** Opens the console: files are a later part of the kernel. */
const open: SystemCall = (kernel, process) => {
  const path = copyInString(
    process.space,
    virtAddr(kernel.hart.registerAsNumber(A0)),
    kernel.limits.pathBytes,
  );
  if (!(path instanceof Uint8Array)) return whenNotCopied(path);
  if (!CONSOLE_PATHS.has(PATH_DECODER.decode(path))) return FAILED;
  const descriptor = process.freeDescriptor();
  if (descriptor === -1 || !kernel.fileTable.hasRoomFor(1)) return FAILED;
  const mode = kernel.hart.registerAsInt(A1);
  process.files[descriptor] = kernel.fileTable.open(kernel.console, {
    readable: (mode & O_WRONLY) === 0,
    writable: (mode & (O_WRONLY | O_RDWR)) !== 0,
  });
  return descriptor;
};

const close: SystemCall = (kernel, process) => {
  const descriptor = kernel.hart.registerAsInt(A0);
  if (process.files[descriptor] === undefined) return FAILED;
  closeDescriptor(kernel, process, descriptor);
  return 0;
};

const CALLS: Readonly<Record<number, SystemCall>> = {
  1: fork,
  2: exit,
  3: wait,
  4: pipe,
  5: read,
  6: kill,
  7: exec,
  10: dup,
  11: getpid,
  12: sbrk,
  13: sleep,
  14: uptime,
  15: open,
  16: write,
  21: close,
};

/** The open file that the descriptor in a0 stands for. */
const fileOf = (kernel: Kernel, process: Process): OpenFile | undefined =>
  process.files[kernel.hart.registerAsInt(A0)];

const closeDescriptor = (kernel: Kernel, process: Process, descriptor: number): void => {
  kernel.fileTable.release(process.files[descriptor]!);
  process.files[descriptor] = undefined;
};

/** C ints as they lie in memory. */
const ints = (...values: readonly number[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * INT_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setInt32(index * INT_BYTES, value, true);
  return bytes;
};
