/**
 * Makes a program's memory: what exec puts in place of the caller's (memory-layout.ts).
 *
 *      text and data    the pages of the program's object (programs.ts), private: the text stays shared, and the data
 *                       until it is written
 *      bss              anonymous; and the end of data's last page is cleared
 *      guard            a page that grants nothing
 *      stack            anonymous, one page
 *
 * The stack begins with the arguments: their strings, then argv, which sp and a1 point to; a0 is argc.
 */
import { hex, OutOfMemory, PAGE_SIZE, virtAddr } from '../frame/index.js';
import type { Access } from '../paging/index.js';
import { type AddressSpace, copyOut, type VirtualMemory } from '../space/index.js';
import { type ElfSegment, parseElf } from './elf.js';
import { GUARD_AND_STACK_BYTES, roundUpToPage } from './memory-layout.js';
import type { ProgramObject } from './programs.js';

const STACK_ALIGNMENT = 16;
const POINTER_BYTES = 8;

export interface ProgramImage {
  readonly kind: 'program';
  readonly space: AddressSpace;
  readonly entry: number;
  /** Where the stack pointer starts: the address of argv. */
  readonly stackPointer: number;
  readonly argumentCount: number;
  /** Where the heap begins: the first break. */
  readonly breakAddress: number;
}

/** A program's file: its bytes, the object over them, and its name for people. */
export interface ProgramFile {
  readonly bytes: Uint8Array;
  readonly object: ProgramObject;
  readonly name: string;
}

/** Why there is no image: nothing is left of it then. */
export interface ImageFailure {
  readonly kind: 'failure';
  readonly code: 'ENOEXEC' | 'ENOMEM' | 'E2BIG';
  /** What is wrong: a sentence that follows the program's name. */
  readonly problem: string;
}

/** @param argv the arguments' bytes, without their zero bytes; the program's own name first. */
export const loadImage = (
  virtualMemory: VirtualMemory,
  program: ProgramFile,
  argv: readonly Uint8Array[],
): ProgramImage | ImageFailure => {
  const elf = parseElf(program.bytes);
  if (elf.kind === 'problem') return failure('ENOEXEC', elf.problem);
  const last = elf.segments.at(-1)!;
  const imageEnd = roundUpToPage(last.address + last.memoryBytes);
  const stackTop = imageEnd + GUARD_AND_STACK_BYTES;
  const stack = layArgumentsOut(argv, stackTop);
  if (stack === undefined)
    return failure('E2BIG', `has arguments that do not fit its stack of ${PAGE_SIZE} bytes`);
  let space: AddressSpace | undefined;
  try {
    space = virtualMemory.createSpace();
    for (const segment of elf.segments) loadSegment(space, segment, program);
    space.guard({ at: virtAddr(stackTop - GUARD_AND_STACK_BYTES), lengthBytes: PAGE_SIZE });
    space.map({
      at: virtAddr(stackTop - PAGE_SIZE),
      lengthBytes: PAGE_SIZE,
      protection: 'rw-',
      name: 'stack',
    });
    mustCopyOut(space, stackTop - stack.length, stack);
  } catch (error) {
    space?.close();
    if (error instanceof OutOfMemory) return failure('ENOMEM', 'does not fit into memory');
    throw error;
  }
  return {
    kind: 'program',
    space,
    entry: elf.entry,
    stackPointer: stackTop - stack.length,
    argumentCount: argv.length,
    breakAddress: stackTop,
  };
};

/** Maps what the file has of a segment, and anonymous memory behind it. */
const loadSegment = (space: AddressSpace, segment: ElfSegment, program: ProgramFile): void => {
  const { address, memoryBytes, offset, content } = segment;
  const start = address - (address % PAGE_SIZE);
  const end = roundUpToPage(address + memoryBytes);
  const isAligned = offset % PAGE_SIZE === address % PAGE_SIZE;
  const fileEnd = isAligned && content.length > 0 ? roundUpToPage(address + content.length) : start;
  if (fileEnd > start) mapFile(space, segment, program, start, fileEnd);
  if (fileEnd === end) return;
  const { protection } = segment;
  const lengthBytes = end - fileEnd;
  // What lies in the file elsewhere than in memory is copied.
  const copied = isAligned ? undefined : content;
  const at = virtAddr(fileEnd);
  space.map({ at, lengthBytes, protection: copied === undefined ? protection : 'rw-', name: program.name });
  if (copied === undefined) return;
  mustCopyOut(space, address, copied);
  space.protect(at, lengthBytes, protection);
};

/** Maps the pages of a file that a segment has. Where the segment goes on with zeros, those begin inside the last page. */
const mapFile = (
  space: AddressSpace,
  { address, memoryBytes, offset, content, protection }: ElfSegment,
  { object, name }: ProgramFile,
  start: number,
  end: number,
): void => {
  const at = virtAddr(start);
  const lengthBytes = end - start;
  const zeros = Math.min(end, address + memoryBytes) - (address + content.length);
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
  mustCopyOut(space, address + content.length, new Uint8Array(zeros));
  space.protect(at, lengthBytes, protection);
};

/** A program that runs has all of its file in memory, so that it does not die for want of its own text. */
const mustPrefault = (space: AddressSpace, at: number, lengthBytes: number, access: Access): void => {
  const result = space.prefault(virtAddr(at), lengthBytes, access);
  if (result?.kind === 'out-of-memory') throw new OutOfMemory(`loading ${lengthBytes} bytes at ${hex(at)}`);
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
