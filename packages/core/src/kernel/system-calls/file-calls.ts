/** System calls on descriptors, files, directories and devices. */
import { virtAddr } from '../../frame/index.js';
import { copyOut } from '../../space/index.js';
import { type Transfer, whenNotCopied } from '../file.js';
import type { FileStat } from '../files/file-tree.js';
import { openPath } from '../files/open.js';
import type { FileProblem } from '../files/store.js';
import type { Kernel } from '../kernel.js';
import { Pipe } from '../pipe.js';
import type { Process } from '../process.js';
import { A0, A1, A2, FAILED, fileOf, ints, pathAt, type SystemCall } from './arguments.js';

/**
 * `struct stat`:
 *
 *      byte 0      4        8      10      12     16            24
 *           device inode    type   links   –      size in bytes
 */
const STAT_BYTES = 24;
/** Bytes that are moved in about the time of an instruction. */
const BYTES_PER_INSTRUCTION = 16;

export const pipe: SystemCall = (kernel, process) => {
  const read = process.freeDescriptor();
  if (read === -1 || !kernel.fileTable.hasRoomFor(2)) return FAILED;
  const made = new Pipe(kernel.limits.pipeBytes, (channel) => kernel.table.wake(channel));
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

export const read: SystemCall = (kernel, process) => {
  const file = fileOf(kernel, process);
  const count = kernel.hart.registerAsSigned(A2);
  if (file === undefined || !file.readable || count < 0) return FAILED;
  if (count === 0) return 0;
  const to = virtAddr(kernel.hart.registerAsNumber(A1));
  const done = process.progress ?? 0;
  return charged(kernel, done, file.operations.read(process.space, to, count, done));
};

export const write: SystemCall = (kernel, process) => {
  const file = fileOf(kernel, process);
  const count = kernel.hart.registerAsSigned(A2);
  if (file === undefined || !file.writable || count < 0) return FAILED;
  if (count === 0) return 0;
  const from = virtAddr(kernel.hart.registerAsNumber(A1));
  const done = process.progress ?? 0;
  return charged(kernel, done, file.operations.write(process.space, from, count, done));
};

export const fstat: SystemCall = (kernel, process) => {
  const stat = fileOf(kernel, process)?.operations.stat?.();
  if (stat === undefined) return FAILED;
  const to = virtAddr(kernel.hart.registerAsNumber(A1));
  const copied = copyOut(process.space, to, statBytes(stat));
  return copied === 'ok' ? 0 : whenNotCopied(copied);
};

export const chdir: SystemCall = (kernel, process) => {
  const path = pathAt(kernel, process, A0);
  if (!(path instanceof Uint8Array)) return path;
  const directory = kernel.files.find(path, process.workingDirectory);
  if (typeof directory === 'string' || directory.kind !== 'directory') return FAILED;
  if (kernel.files.inodes.hold(directory) !== undefined) return FAILED;
  kernel.files.inodes.release(process.workingDirectory);
  process.workingDirectory = directory;
  return 0;
};

export const dup: SystemCall = (kernel, process) => {
  const file = fileOf(kernel, process);
  const descriptor = process.freeDescriptor();
  if (file === undefined || descriptor === -1) return FAILED;
  file.references++;
  process.files[descriptor] = file;
  return descriptor;
};

export const open: SystemCall = (kernel, process) => {
  const path = pathAt(kernel, process, A0);
  if (!(path instanceof Uint8Array)) return path;
  const descriptor = process.freeDescriptor();
  if (descriptor === -1 || !kernel.fileTable.hasRoomFor(1)) return FAILED;
  const flags = kernel.hart.registerAsInt(A1);
  const opened = openPath(kernel.files, kernel.console, path, process.workingDirectory, flags);
  if (typeof opened === 'string') return FAILED;
  process.files[descriptor] = kernel.fileTable.open(opened.operations, opened.mode);
  return descriptor;
};

export const mknod: SystemCall = (kernel, process) => {
  const path = pathAt(kernel, process, A0);
  if (!(path instanceof Uint8Array)) return path;
  const [major, minor] = [asShort(kernel.hart.registerAsInt(A1)), asShort(kernel.hart.registerAsInt(A2))];
  return zeroOr(kernel.files.makeDevice(path, process.workingDirectory, major, minor));
};

export const unlink: SystemCall = (kernel, process) => {
  const path = pathAt(kernel, process, A0);
  if (!(path instanceof Uint8Array)) return path;
  return zeroOr(kernel.files.unlink(path, process.workingDirectory));
};

export const link: SystemCall = (kernel, process) => {
  const existing = pathAt(kernel, process, A0);
  if (!(existing instanceof Uint8Array)) return existing;
  const path = pathAt(kernel, process, A1);
  if (!(path instanceof Uint8Array)) return path;
  return zeroOr(kernel.files.link(existing, path, process.workingDirectory));
};

export const mkdir: SystemCall = (kernel, process) => {
  const path = pathAt(kernel, process, A0);
  if (!(path instanceof Uint8Array)) return path;
  return zeroOr(kernel.files.makeDirectory(path, process.workingDirectory));
};

export const close: SystemCall = (kernel, process) => {
  const descriptor = kernel.hart.registerAsInt(A0);
  if (process.files[descriptor] === undefined) return FAILED;
  return zeroOr(closeDescriptor(kernel, process, descriptor));
};

/** Charges for the bytes that a try has moved. */
const charged = (kernel: Kernel, done: number, result: Transfer): Transfer => {
  const moved =
    typeof result === 'number' ? result : 'again' in result ? result.again : (result.progress ?? done);
  kernel.spend(Math.max(0, moved - done) / BYTES_PER_INSTRUCTION);
  return result;
};

const closeDescriptor = (kernel: Kernel, process: Process, descriptor: number): FileProblem | undefined => {
  const file = process.files[descriptor]!;
  process.files[descriptor] = undefined;
  return kernel.closeFile(file);
};

const zeroOr = (problem: FileProblem | undefined): 0 | -1 => (problem === undefined ? 0 : FAILED);

const asShort = (value: number): number => (value << 16) >> 16;

const statBytes = ({ device, inode, type, links, sizeBytes }: FileStat): Uint8Array => {
  const bytes = new Uint8Array(STAT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, device, true);
  view.setUint32(4, inode, true);
  view.setInt16(8, type, true);
  view.setInt16(10, Math.min(links, 0x7fff), true);
  view.setBigUint64(16, BigInt(sizeBytes), true);
  return bytes;
};
