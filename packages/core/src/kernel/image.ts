/**
 * Makes a program's memory: what exec puts in place of the caller's (memory-layout.ts).
 *
 *      text and data    the pages of the program's file (files/regular-file.ts), private: the text stays shared, and the data
 *                       until it is written
 *      bss              anonymous; and the end of data's last page is cleared
 *      guard            a page that grants nothing
 *      stack            anonymous, one page
 *
 * The stack begins with the arguments: their strings, then argv, which sp and a1 point to; a0 is argc.
 */
import { hex, HolsteinError, OutOfMemory, PAGE_SIZE, virtAddr } from '../frame/index.js';
import type { Access } from '../paging/index.js';
import { type AddressSpace, copyOut, type VirtualMemory } from '../space/index.js';
import { type ElfSegment, type ElfSource, parseElf } from './elf.js';
import type { ProgramObject } from './files/regular-file.js';
import { GUARD_AND_STACK_BYTES, roundUpToPage } from './memory-layout.js';

/** What is copied at a time where a segment cannot be mapped. */
const COPY_BYTES = 65_536;
const STACK_ALIGNMENT = 16;
const POINTER_BYTES = 8;

export interface ProgramImage {
  readonly kind: 'program';
  /** The program's, for people. */
  readonly name: string;
  readonly space: AddressSpace;
  readonly entry: number;
  /** Where the stack pointer starts: the address of argv. */
  readonly stackPointer: number;
  readonly argumentCount: number;
  /** Where the heap begins: the first break. */
  readonly breakAddress: number;
}

/** A program's file: its bytes, the object that they are in, and its name for people. */
export interface ProgramFile extends ElfSource {
  readonly object: ProgramObject;
  readonly name: string;
}

/** Why there is no image: nothing is left of it then. */
export interface ImageFailure {
  readonly kind: 'failure';
  readonly code: 'ENOEXEC' | 'ENOMEM' | 'E2BIG' | 'EIO';
  /** What is wrong: a sentence that follows the program's name. */
  readonly problem: string;
}

/**
 * @param argv the arguments' bytes, without their zero bytes; the program's own name first.
 * @param processBytes of address space that it may have.
 */
export const loadImage = (
  virtualMemory: VirtualMemory,
  program: ProgramFile,
  argv: readonly Uint8Array[],
  processBytes: number,
): ProgramImage | ImageFailure => {
  try {
    const elf = parseElf(program);
    if (elf.kind === 'problem') return failure('ENOEXEC', elf.problem);
    const last = elf.segments.at(-1)!;
    const stackTop = roundUpToPage(last.address + last.memoryBytes) + GUARD_AND_STACK_BYTES;
    if (stackTop > processBytes) {
      return failure('ENOMEM', `wants ${stackTop} bytes of address space, and may have ${processBytes}`);
    }
    const stack = layArgumentsOut(argv, stackTop);
    if (stack === undefined) {
      return failure('E2BIG', `has arguments that do not fit its stack of ${PAGE_SIZE} bytes`);
    }
    return {
      kind: 'program',
      name: program.name,
      space: makeSpace(virtualMemory, elf.segments, program, stack, stackTop),
      entry: elf.entry,
      stackPointer: stackTop - stack.length,
      argumentCount: argv.length,
      breakAddress: stackTop,
    };
  } catch (error) {
    if (error instanceof OutOfMemory) return failure('ENOMEM', 'does not fit into memory');
    if (error instanceof HolsteinError && error.code === 'EIO') {
      return failure('EIO', `cannot be read: ${error.message}`);
    }
    throw error;
  }
};

/** @throws OutOfMemory; HolsteinError EIO. There is no space then. */
const makeSpace = (
  virtualMemory: VirtualMemory,
  segments: readonly ElfSegment[],
  program: ProgramFile,
  stack: Uint8Array,
  stackTop: number,
): AddressSpace => {
  const space = virtualMemory.createSpace();
  try {
    for (const segment of segments) loadSegment(space, segment, program);
    space.guard({ at: virtAddr(stackTop - GUARD_AND_STACK_BYTES), lengthBytes: PAGE_SIZE });
    space.map({
      at: virtAddr(stackTop - PAGE_SIZE),
      lengthBytes: PAGE_SIZE,
      protection: 'rw-',
      name: 'stack',
    });
    mustCopyOut(space, stackTop - stack.length, stack);
    return space;
  } catch (error) {
    space.close();
    throw error;
  }
};

/** Maps what the file has of a segment, and anonymous memory behind it. */
const loadSegment = (space: AddressSpace, segment: ElfSegment, program: ProgramFile): void => {
  const { address, memoryBytes, offset, fileBytes } = segment;
  const start = address - (address % PAGE_SIZE);
  const end = roundUpToPage(address + memoryBytes);
  const isAligned = offset % PAGE_SIZE === address % PAGE_SIZE;
  const fileEnd = isAligned && fileBytes > 0 ? roundUpToPage(address + fileBytes) : start;
  if (fileEnd > start) mapFile(space, segment, program, start, fileEnd);
  if (fileEnd === end) return;
  const { protection } = segment;
  const lengthBytes = end - fileEnd;
  // What lies in the file elsewhere than in memory is copied.
  const isCopied = !isAligned && fileBytes > 0;
  const at = virtAddr(fileEnd);
  space.map({ at, lengthBytes, protection: isCopied ? 'rw-' : protection, name: program.name });
  if (!isCopied) return;
  for (let done = 0; done < fileBytes; done += COPY_BYTES) {
    const length = Math.min(COPY_BYTES, fileBytes - done);
    mustCopyOut(space, address + done, program.read(offset + done, length));
  }
  space.protect(at, lengthBytes, protection);
};

/** Maps the pages of a file that a segment has. Where the segment goes on with zeros, those begin inside the last page. */
const mapFile = (
  space: AddressSpace,
  { address, memoryBytes, offset, fileBytes, protection }: ElfSegment,
  { object, name }: ProgramFile,
  start: number,
  end: number,
): void => {
  const at = virtAddr(start);
  const lengthBytes = end - start;
  const zeros = Math.min(end, address + memoryBytes) - (address + fileBytes);
  // It is what it is to be once the zeros are in.
  const loading = zeros > 0 ? 'rw-' : protection;
  space.map({
    at,
    lengthBytes,
    protection: loading,
    vmo: object,
    offsetBytes: offset - (address % PAGE_SIZE),
    eviction: 'refused',
    name,
  });
  if (loading !== '---') mustPrefault(space, start, lengthBytes, loading === '--x' ? 'execute' : 'read');
  if (zeros === 0) return;
  mustCopyOut(space, address + fileBytes, new Uint8Array(zeros));
  space.protect(at, lengthBytes, protection);
};

/** A program that runs has all of its file in memory, so that it does not die for want of its own text. */
const mustPrefault = (space: AddressSpace, at: number, lengthBytes: number, access: Access): void => {
  const result = space.prefault(virtAddr(at), lengthBytes, access);
  if (result?.kind === 'out-of-memory') throw new OutOfMemory(`loading ${lengthBytes} bytes at ${hex(at)}`);
  if (result?.kind === 'pager-error') throw result.error;
  // The loader has just mapped it, and the file's bytes are there.
  if (result !== undefined) throw new Error(`loading ${lengthBytes} bytes at ${hex(at)}: ${result.kind}`);
};

const mustCopyOut = (space: AddressSpace, to: number, bytes: Uint8Array): void => {
  const result = copyOut(space, virtAddr(to), bytes);
  if (result === 'ENOMEM') throw new OutOfMemory(`loading ${bytes.length} bytes at ${hex(to)}`);
  // The loader has just mapped what it writes to.
  if (result !== 'ok') throw new Error(`loading ${bytes.length} bytes at ${hex(to)}: ${String(result)}`);
};

/**
 * The bytes that end at the stack's top: argv with its null, then the strings.
 * @returns undefined where they do not fit the stack's one page.
 */
const layArgumentsOut = (argv: readonly Uint8Array[], stackTop: number): Uint8Array | undefined => {
  const pointerBytes = (argv.length + 1) * POINTER_BYTES;
  const stringBytes = argv.reduce((sum, argument) => sum + argument.length + 1, 0);
  const total = Math.ceil((pointerBytes + stringBytes) / STACK_ALIGNMENT) * STACK_ALIGNMENT;
  if (total > PAGE_SIZE) return undefined;
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  let string = pointerBytes;
  for (const [index, argument] of argv.entries()) {
    view.setBigUint64(index * POINTER_BYTES, BigInt(stackTop - total + string), true);
    bytes.set(argument, string);
    string += argument.length + 1;
  }
  return bytes;
};

const failure = (code: ImageFailure['code'], problem: string): ImageFailure => ({
  kind: 'failure',
  code,
  problem,
});
