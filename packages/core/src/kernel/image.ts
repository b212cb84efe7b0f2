/**
 * Makes a program's memory: what exec puts in place of the caller's (memory-layout.ts). The stack begins
 * with the arguments: their strings, then argv, which sp and a1 point to; a0 is argc.
 */
import { hex, OutOfMemory, PAGE_SIZE, virtAddr } from '../frame/index.js';
import { type AddressSpace, copyOut, type VirtualMemory } from '../space/index.js';
import { type ElfSegment, parseElf } from './elf.js';
import { GUARD_AND_STACK_BYTES, roundUpToPage } from './memory-layout.js';

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
  file: Uint8Array,
  argv: readonly Uint8Array[],
): ProgramImage | ImageFailure => {
  const elf = parseElf(file);
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
    for (const segment of elf.segments) loadSegment(space, segment);
    space.map({ at: virtAddr(stackTop - PAGE_SIZE), lengthBytes: PAGE_SIZE, protection: 'rw-' });
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

/** Maps a segment writable, fills it, then gives it the rights that it is to have. */
const loadSegment = (
  space: AddressSpace,
  { address, memoryBytes, content, protection }: ElfSegment,
): void => {
  const start = virtAddr(address - (address % PAGE_SIZE));
  const lengthBytes = roundUpToPage(address + memoryBytes) - start;
  space.map({ at: start, lengthBytes, protection: 'rw-' });
  mustCopyOut(space, address, content);
  if (protection !== 'rw-') space.protect(start, lengthBytes, protection);
};

const mustCopyOut = (space: AddressSpace, to: number, bytes: Uint8Array): void => {
  const result = copyOut(space, virtAddr(to), bytes);
  if (result === 'ENOMEM') throw new OutOfMemory(`loading ${bytes.length} bytes at ${hex(to)}`);
  // The loader has just mapped what it writes to.
  if (result !== 'ok') throw new Error(`loading ${bytes.length} bytes at ${hex(to)}: ${result}`);
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
