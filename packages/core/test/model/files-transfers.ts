/**
 * Reads and writes of random programs on files, in tries: of more than the kernel moves at a time, a try moves a part,
 * and before the next others may do something.
 */
import { OutOfMemory, PAGE_SIZE, type VirtAddr, virtAddr } from '../../src/frame/index.js';
import type { OpenFile } from '../../src/kernel/file.js';
import { type AddressSpace, copyIn, copyOut } from '../../src/space/index.js';
import { expectSame, expectSameBytes } from './files-expect.js';
import {
  FAILED,
  type ModelDirectory,
  type ModelFile,
  type ModelOpen,
  type ModelProcess,
  PIECE_BYTES,
} from './files-model.js';
import type { FilesStep } from './files-steps.js';
import { type FilesTwinCalls, patternOf, type TwinProcess } from './files-twin-state.js';

export interface Call {
  readonly kind: 'read' | 'write';
  readonly descriptor: number;
  readonly step: FilesStep;
  done: number;
}

/** A process that may be in the middle of a call. */
export interface CallingProcess extends TwinProcess {
  call: Call | undefined;
}

/** Where a process has what it reads and writes. */
const BUFFER = 0x10_0000;

/** Makes one try. Where there is more to do, the process is left with the call. */
export const transfer = (twin: FilesTwinCalls, process: CallingProcess, call: Call): void => {
  const file = process.files[call.descriptor];
  const open = process.model.files[call.descriptor];
  const { kind } = call;
  process.call = undefined;
  // The console would make it wait; what may not be read or written does not come so far.
  if (file === undefined || open === undefined) return;
  if (kind === 'read' ? !file.readable : !file.writable) return;
  if (open.inode.kind === 'device' && open.inode.major === 1) return;
  const buffer = makeBuffer(twin, call);
  if (buffer === undefined) return;
  const again =
    kind === 'read' ? readPiece(twin, process, call, buffer) : writePiece(twin, process, call, buffer);
  buffer.space.close();
  if (again === undefined) return;
  call.done = again;
  process.call = call;
};

/** @returns how much has been read where there is more. */
const readPiece = (
  twin: FilesTwinCalls,
  process: CallingProcess,
  { descriptor, step, done }: Call,
  buffer: Buffer,
): number | undefined => {
  const { operations } = process.files[descriptor]!;
  const { count } = step;
  // What a directory says is compared with the numbers that its inodes are known by.
  if (process.model.files[descriptor]!.inode.kind === 'directory') twin.check('outside');
  const reading = twin.model.peek(process.model, descriptor, count, done);
  const length = reading?.bytes.length ?? 0;
  const refused = done > 0 ? done : FAILED;
  const reached = done + length <= buffer.length;
  const expected = reading === undefined ? FAILED : reached || length === 0 ? reading.result : refused;
  const isRefused = expected === refused && length > 0;
  const result = twin.withFailures(
    () => operations.read(buffer.space, buffer.at, count, done),
    (outcome) => outcome === refused && !isRefused,
  );
  const [amount, isAll] = asAmount(result);
  if (amount === refused && length > 0 && !isRefused && mayRunOut(twin, length)) {
    twin.note('read', 'out of memory');
    return undefined;
  }
  twin.note('read', amount === FAILED ? 'refused' : isAll ? 'done' : 'a part');
  expectSame(amount, expected, `read of ${count}`);
  expectSame(isAll, isRefused || (reading?.isAll ?? true), `read of ${count}: that is all`);
  if (reading === undefined || isRefused || length === 0) return undefined;
  const found = new Uint8Array(length);
  if (copyIn(buffer.space, virtAddr(buffer.at + done), found) === 'ok') {
    const open = process.model.files[descriptor]!;
    expectSameBytes(found, withNumbers(twin, open, reading.bytes), 'what was read');
  }
  process.model.files[descriptor]!.offset += length;
  return isAll ? undefined : amount;
};

/** @returns how much has been written where there is more. */
const writePiece = (
  twin: FilesTwinCalls,
  process: CallingProcess,
  { descriptor, step, done }: Call,
  buffer: Buffer,
): number | undefined => {
  const { operations } = process.files[descriptor]!;
  const { count } = step;
  const open = process.model.files[descriptor]!;
  const piece = Math.min(count - done, PIECE_BYTES);
  const bytes = patternOf(step.value + done, piece);
  const refused = done > 0 ? done : FAILED;
  const fits =
    twin.model.canWrite(process.model, descriptor, piece) &&
    (done > 0 || twin.model.hasRoomFor(open.inode as ModelFile, open.offset + count));
  const reached = done + piece <= buffer.length;
  const isRefused = !fits || !reached;
  const result = twin.withFailures(
    () => operations.write(buffer.space, buffer.at, count, done),
    (outcome) => outcome === refused && !isRefused,
  );
  const [amount, isAll] = asAmount(result);
  if (amount === refused && !isRefused && mayRunOut(twin, piece)) {
    twin.note('write', 'out of memory');
    return undefined;
  }
  twin.note('write', amount === FAILED ? (fits ? 'refused' : 'no room') : isAll ? 'done' : 'a part');
  if (isRefused) {
    // Of what is not all there, the beginning is written.
    const isBroken = !reached && (done > 0 || fits);
    if (isBroken) writeReachable(twin, process.model, descriptor, bytes, buffer, done);
    expectSame(amount, isBroken ? FAILED : refused, `refused write of ${count}`);
    expectSame(isAll, true, `refused write of ${count}: that is all`);
    return undefined;
  }
  expectSame(amount, done + piece, `write of ${count}`);
  expectSame(isAll, done + piece === count, `write of ${count}: that is all`);
  twin.model.write(process.model, descriptor, bytes);
  return isAll ? undefined : amount;
};

/**
 * Whether memory may be too short for so many bytes. The pages of files are no reason, be they changed or not: they can be
 * written back and dropped, but for those of files that are open and have no name any more.
 */
const mayRunOut = (twin: FilesTwinCalls, bytes: number): boolean => {
  const unnamed = [...twin.model.openFiles()].some(
    ({ inode }) => inode.kind === 'file' && inode.changed && twin.model.linksOf(inode) === 0,
  );
  return twin.mayRunOut && (bytes > PAGE_SIZE || twin.programs.length > 0 || unnamed);
};

/** What comes of a write from memory that ends too soon: page by page, as far as it goes. */
const writeReachable = (
  twin: FilesTwinCalls,
  model: ModelProcess,
  descriptor: number,
  bytes: Uint8Array,
  buffer: Buffer,
  done: number,
): void => {
  let start = 0;
  while (done + start < buffer.length) {
    const page = PAGE_SIZE - ((buffer.at + done + start) % PAGE_SIZE);
    const end = Math.min(bytes.length, start + page);
    if (done + end > buffer.length || !twin.model.canWrite(model, descriptor, end - start)) return;
    twin.model.write(model, descriptor, bytes.subarray(start, end));
    start = end;
  }
};

/** Memory of a process with what is written in it. The bytes that are missing are beyond its end. */
const makeBuffer = (twin: FilesTwinCalls, { step, done, kind }: Call): Buffer | undefined => {
  const { count, offset } = step;
  // Where memory is short nobody could tell how much of a broken write was made.
  const missing = twin.options.memory === 'ample' ? Math.min(step.missing, count) : 0;
  // What is missing is beyond the end of a page.
  const at =
    missing === 0 ? BUFFER + offset : BUFFER + ((PAGE_SIZE - ((count - missing) % PAGE_SIZE)) % PAGE_SIZE);
  const length = count - missing;
  let space: AddressSpace | undefined;
  try {
    space = twin.world.space();
    const lengthBytes = Math.ceil((at + length - BUFFER) / PAGE_SIZE) * PAGE_SIZE;
    if (lengthBytes > 0) space.map({ at: virtAddr(BUFFER), lengthBytes, protection: 'rw-' });
  } catch (error) {
    space?.close();
    if (error instanceof OutOfMemory) return undefined;
    throw error;
  }
  if (kind === 'write') {
    const piece = patternOf(step.value + done, Math.max(0, Math.min(length - done, PIECE_BYTES)));
    if (copyOut(space, virtAddr(at + done), piece) !== 'ok') {
      space.close();
      return undefined;
    }
  }
  return { space, at: virtAddr(at), length };
};

/** Puts the numbers of inodes into what the model has as 1. */
const withNumbers = (twin: FilesTwinCalls, { inode, offset }: ModelOpen, bytes: Uint8Array): Uint8Array => {
  if (inode.kind !== 'directory') return bytes;
  const all = twin.model.listing(inode);
  const view = new DataView(all.buffer);
  const entryBytes = twin.tree.entryBytes;
  for (let at = 0, slot = -2; at < all.length; at += entryBytes, slot++) {
    if (view.getUint16(at, true) === 0) continue;
    view.setUint16(at, entryNumber(twin, inode, slot), true);
  }
  return all.subarray(offset, offset + bytes.length);
};

const entryNumber = ({ numbers }: FilesTwinCalls, directory: ModelDirectory, slot: number): number => {
  if (slot === -2) return numbers.get(directory)!;
  if (slot === -1) return directory.parent.removed ? 0 : numbers.get(directory.parent)!;
  const { inode } = directory.slots[slot]!;
  return numbers.get(inode.kind === 'link' ? directory : inode)!;
};

/** Memory that is read into or written from. */
interface Buffer {
  readonly space: AddressSpace;
  readonly at: VirtAddr;
  /** Bytes of it that are there. */
  readonly length: number;
}

/** What a try comes to: bytes or -1, and whether that is all. */
const asAmount = (transfer: ReturnType<OpenFile['operations']['read']>): [number, boolean] => {
  if (typeof transfer === 'number') return [transfer, true];
  if ('again' in transfer) return [transfer.again, false];
  throw new Error('it waits');
};
