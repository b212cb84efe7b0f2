/**
 * The least that runs a program: RAM, TLB, virtual memory, a hart and one address space, with no kernel.
 * Page faults are resolved by the space, and three of Linux's system calls are answered (write, exit,
 * exit_group), so that one ELF file runs here and under qemu's user mode.
 */
import { type FrameNumber, PAGE_SIZE, PhysicalMemory, virtAddr, vpnOf } from '../../../src/frame/index.js';
import { Hart, type HartOptions, MAX_BUDGET, type Stop } from '../../../src/hart/index.js';
import { Tlb } from '../../../src/paging/index.js';
import {
  type AddressSpace,
  copyIn,
  copyOut,
  type Protection,
  VirtualMemory,
} from '../../../src/space/index.js';
import { readElf, SEGMENT_FLAGS } from './elf-writer.js';

const RAM_BYTES = 8 * 2 ** 20;
const SYSTEM_CALL = { write: 64, exit: 93, exitGroup: 94 } as const;
const [A0, A1, A2, A7] = [10, 11, 12, 17];
const ECALL_BYTES = 4n;

/** The hart's options, and the size of RAM. */
export interface BareMachineOptions extends HartOptions {
  readonly ramBytes?: number;
}

/** What the hart may do with hot code, for tests that are to hold whatever it does. */
export const JIT_MODES: readonly Pick<BareMachineOptions, 'jit' | 'jitThreshold'>[] = [
  { jit: 'off' },
  { jit: 'eager' },
  { jit: 'auto', jitThreshold: 2 },
];

export interface ProgramRun {
  readonly status: number;
  readonly output: Uint8Array;
}

export class BareMachine implements Disposable {
  readonly memory: PhysicalMemory;
  readonly tlb: Tlb;
  readonly virtualMemory: VirtualMemory;
  readonly hart: Hart;
  readonly space: AddressSpace;
  /** Instructions that all calls of `run` have run. */
  retired = 0;

  constructor({ ramBytes = RAM_BYTES, codeSlots = 16, ...others }: BareMachineOptions = {}) {
    const options = { codeSlots, ...others };
    this.memory = new PhysicalMemory({
      sizeBytes: ramBytes,
      reservedBytes: Hart.reservedBytes(options),
    });
    this.tlb = new Tlb(this.memory);
    this.virtualMemory = new VirtualMemory(this.memory, this.tlb);
    this.hart = new Hart(this.memory, this.tlb, options);
    this.space = this.virtualMemory.createSpace();
    this.hart.enter(this.space.table);
  }

  /** Maps whole pages from `at` on, as many as the content needs and at least `pages`, and fills them. */
  place(
    at: number,
    content: Uint8Array,
    protection: Protection,
    { pages = 1, space = this.space }: { readonly pages?: number; readonly space?: AddressSpace } = {},
  ): void {
    const start = Math.floor(at / PAGE_SIZE) * PAGE_SIZE;
    const end = Math.max(at + content.length, start + pages * PAGE_SIZE);
    const lengthBytes = Math.ceil((end - start) / PAGE_SIZE) * PAGE_SIZE;
    space.map({ at: virtAddr(start), lengthBytes, protection: 'rw-' });
    const copied = copyOut(space, virtAddr(at), content);
    if (copied !== 'ok') throw new Error(`content at 0x${at.toString(16)}: ${copied}`);
    space.protect(virtAddr(start), lengthBytes, protection);
  }

  load(elf: Uint8Array): void {
    const { entry, segments } = readElf(elf);
    for (const { address, flags, content, sizeBytes } of segments) {
      const lastPage = Math.floor((address + sizeBytes - 1) / PAGE_SIZE);
      this.place(address, content, protectionOf(flags), {
        pages: lastPage - Math.floor(address / PAGE_SIZE) + 1,
      });
    }
    this.hart.pc = BigInt(entry);
  }

  /** Runs until something other than a page fault that the space can resolve, in one space's name. */
  run(budget: number, space: AddressSpace = this.space): Stop {
    let left = budget;
    for (;;) {
      const stop = this.hart.run(left);
      left -= this.hart.retired;
      this.retired += this.hart.retired;
      if (stop === 'interrupted') continue;
      if (stop !== 'page-fault') return stop;
      const { page, access } = this.hart.fault;
      if (space.handleFault(page, access).kind !== 'resolved') return stop;
    }
  }

  /**
   * Runs a loaded program to its exit, `slice` instructions at a time.
   * @param beforeSlice called before each slice.
   * @throws Error where it stops for anything but a system call that is answered here.
   */
  runToExit(slice = MAX_BUDGET, beforeSlice: () => void = () => {}): ProgramRun {
    const output: Uint8Array[] = [];
    for (;;) {
      beforeSlice();
      const stop = this.run(slice);
      if (stop === 'budget') continue;
      const { hart } = this;
      if (stop !== 'system-call')
        throw new Error(`${stop} at pc 0x${hart.pc.toString(16)}: ${this.#faultText()}`);
      const call = hart.registerAsNumber(A7);
      if (call === SYSTEM_CALL.exit || call === SYSTEM_CALL.exitGroup) {
        return { status: hart.registerAsInt(A0) & 0xff, output: concatenated(output) };
      }
      if (call !== SYSTEM_CALL.write) throw new Error(`system call ${call} is not answered here`);
      output.push(this.read(hart.registerAsNumber(A1), hart.registerAsNumber(A2)));
      hart.registers[A0] = hart.registers[A2]!;
      hart.pc += ECALL_BYTES;
    }
  }

  /**
   * Writes bytes whatever the mapping grants to the program, but not across a page's end. The frame must be
   * this space's own.
   */
  poke(at: number, content: Uint8Array): void {
    const frame = this.frameAt(at);
    this.memory.write(frame, at % PAGE_SIZE, content);
  }

  /** The frame behind an address. */
  frameAt(at: number, space: AddressSpace = this.space): FrameNumber {
    const frame = space.reach(vpnOf(virtAddr(at)), 'read');
    if (typeof frame === 'object') throw new Error(`no frame at 0x${at.toString(16)}: ${frame.kind}`);
    return frame;
  }

  /** Bytes as the program would read them. */
  read(at: number, lengthBytes: number, space: AddressSpace = this.space): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    const result = copyIn(space, virtAddr(at), bytes);
    if (result !== 'ok') throw new Error(`reading ${lengthBytes} bytes at 0x${at.toString(16)}: ${result}`);
    return bytes;
  }

  audit(): string[] {
    return [...this.hart.audit(), ...this.virtualMemory.audit()];
  }

  [Symbol.dispose](): void {
    this.virtualMemory.close();
  }

  #faultText(): string {
    const { page, access, offset } = this.hart.fault;
    return `last fault was ${access} at 0x${(page * PAGE_SIZE + offset).toString(16)}`;
  }
}

const protectionOf = (flags: number): Protection => {
  if ((flags & SEGMENT_FLAGS.execute) !== 0) return (flags & SEGMENT_FLAGS.write) === 0 ? 'r-x' : 'rwx';
  return (flags & SEGMENT_FLAGS.write) === 0 ? 'r--' : 'rw-';
};

const concatenated = (chunks: readonly Uint8Array[]): Uint8Array => {
  const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
};
