/**
 * A kernel whose processes do nothing but make the system calls that a test tells them to, one at a time or several at
 * once, each a step after the other.
 *
 *      CODE       ecall              a call starts here, with its number and arguments in the registers
 *      CODE + 4   j CODE + 4         and the process waits here after it
 *
 * `using world = new CallsWorld(host)` fails its test where, at the end, the audit finds anything, a frame is lost, or a
 * descriptor of the host's is left open.
 */
import { expect } from 'vitest';
import { PAGE_SIZE, virtAddr } from '../../../src/frame/index.js';
import { PC, REGISTERS } from '../../../src/hart/layout.js';
import { Kernel, type KernelOptions, type Process } from '../../../src/kernel/index.js';
import { Machine, type MachineOptions } from '../../../src/machine/index.js';
import { copyIn, copyOut } from '../../../src/space/index.js';
import { CALL as SOME_CALLS } from '../../support/machine.js';
import { codeBytes, encode, x } from '../../support/riscv/assembler.js';
import { SEGMENT_FLAGS, writeElf } from '../../support/riscv/elf-writer.js';
import type { TestHost } from './hosts.js';

export const CALL = {
  ...SOME_CALLS,
  fstat: 8,
  chdir: 9,
  mknod: 17,
  unlink: 18,
  link: 19,
  mkdir: 20,
} as const;

const CODE = 0x1000;
const CALL_BYTES = 4;
/** Where strings are put, and what a process may use as it likes. */
const STRINGS = 0x10_0000;
export const BUFFER = STRINGS + PAGE_SIZE;
export const BUFFER_BYTES = 3 * 1024 * 1024;
/** Nothing is mapped there. */
export const NOWHERE = 0x4000_0000;
const REGISTER_BYTES = 8;
const MIB = 2 ** 20;

/** A program that waits. A tag at its end makes it differ from others. */
export const idleProgram = (tag = 0): Uint8Array => {
  const content = codeBytes([
    encode('ecall'),
    encode('jal', { imm: 0 }),
    encode('addi', { rd: x.a0, imm: tag }),
  ]);
  return writeElf({
    entry: CODE + CALL_BYTES,
    segments: [
      {
        address: CODE,
        flags: SEGMENT_FLAGS.read | SEGMENT_FLAGS.execute,
        content,
        sizeBytes: content.length,
      },
      {
        address: STRINGS,
        flags: SEGMENT_FLAGS.read | SEGMENT_FLAGS.write,
        content: Uint8Array.of(),
        sizeBytes: PAGE_SIZE + BUFFER_BYTES,
      },
    ],
  });
};

type Argument = number | bigint | string | Uint8Array;

/** A process. */
export class Guest {
  readonly process: Process;
  readonly #world: CallsWorld;

  constructor(world: CallsWorld, process: Process) {
    this.#world = world;
    this.process = process;
  }

  /** Makes a call, and steps until it is done. @returns what it gives; undefined where the process has ended. */
  call(number: number, ...args: readonly Argument[]): number | undefined {
    this.begin(number, ...args);
    return this.finish();
  }

  /** Steps until the call that has begun is done. @returns as `call`. */
  finish(): number | undefined {
    for (let steps = 0; steps < 10_000; steps++) {
      this.#world.step();
      if (this.process.state === 'zombie') return undefined;
      if (this.isIdle) return this.result;
    }
    throw new Error('a call is not done after 10000 steps');
  }

  /** Prepares a call, which is made at the process's next turn. Strings and arrays are put where it can point to them. */
  begin(number: number, ...args: readonly Argument[]): void {
    let at = STRINGS;
    const set = (register: number, value: bigint): void => this.#set(register * REGISTER_BYTES, value);
    for (const [index, arg] of args.entries()) {
      if (typeof arg === 'number' || typeof arg === 'bigint') {
        set(x.a0 + index, BigInt(arg));
        continue;
      }
      const bytes = typeof arg === 'string' ? new TextEncoder().encode(`${arg}\0`) : arg;
      this.put(at, bytes);
      set(x.a0 + index, BigInt(at));
      at += bytes.length;
    }
    set(x.a7, BigInt(number));
    this.#set(PC, BigInt(CODE));
  }

  /** Whether it has no call to make. */
  get isIdle(): boolean {
    return this.#get(PC) === BigInt(CODE + CALL_BYTES);
  }

  get result(): number {
    return Number(BigInt.asIntN(64, this.#get(x.a0 * REGISTER_BYTES)));
  }

  /** Writes its memory. */
  put(at: number, bytes: Uint8Array): void {
    expect(copyOut(this.process.space, virtAddr(at), bytes)).toBe('ok');
  }

  /** Reads its memory. */
  get(at: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    expect(copyIn(this.process.space, virtAddr(at), bytes)).toBe('ok');
    return bytes;
  }

  /** Reads from a descriptor. @returns the bytes, or -1. */
  read(descriptor: number, count: number): Uint8Array | -1 {
    const length = this.call(CALL.read, descriptor, BUFFER, count)!;
    return length === -1 ? -1 : this.get(BUFFER, length);
  }

  readText(descriptor: number, count = BUFFER_BYTES): string | -1 {
    const bytes = this.read(descriptor, count);
    return bytes === -1 ? -1 : new TextDecoder().decode(bytes);
  }

  write(descriptor: number, content: Uint8Array | string): number {
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    this.put(BUFFER, bytes);
    return this.call(CALL.write, descriptor, BUFFER, bytes.length)!;
  }

  /** The content of a file, as it reads it. */
  contentOf(path: string): string | -1 {
    const descriptor = this.call(CALL.open, path, 0)!;
    if (descriptor === -1) return -1;
    const text = this.readText(descriptor);
    expect(this.call(CALL.close, descriptor)).toBe(0);
    return text;
  }

  fork(): Guest {
    const pid = this.call(CALL.fork)!;
    expect(pid).toBeGreaterThan(0);
    return this.#world.guest(pid);
  }

  /** `argv` as exec wants it, with what it points to, at the start of the buffer. @returns its address. */
  argv(...args: readonly string[]): number {
    const pointers = new BigUint64Array(args.length + 1);
    let at = BUFFER + pointers.byteLength;
    for (const [index, arg] of args.entries()) {
      const bytes = new TextEncoder().encode(`${arg}\0`);
      this.put(at, bytes);
      pointers[index] = BigInt(at);
      at += bytes.length;
    }
    this.put(BUFFER, new Uint8Array(pointers.buffer));
    return BUFFER;
  }

  #get(offset: number): bigint {
    return this.#context.getBigUint64(offset, true);
  }

  #set(offset: number, value: bigint): void {
    this.#context.setBigUint64(offset, BigInt.asUintN(64, value), true);
  }

  /** Where its registers are: RAM's first frame while it has the hart, which is what ran last. */
  get #context(): DataView {
    const { bytes } = this.#world.machine.memory;
    if (this.#world.isOnHart(this.process)) return new DataView(bytes.buffer, REGISTERS);
    return new DataView(this.process.context.buffer);
  }
}

export class CallsWorld implements Disposable {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly init: Guest;
  readonly log: string[] = [];
  readonly #host: TestHost;
  readonly #framesBefore: number;
  /** Whose registers the hart has: the process's own copy is old. */
  #onHart: Uint8Array | undefined;

  constructor(host: TestHost, machine: MachineOptions = {}, kernel: Partial<KernelOptions> = {}) {
    this.#host = host;
    const { fileSystem, directory } = host;
    fileSystem.writeFileSync(`${directory}/idle`, idleProgram());
    this.machine = new Machine({ memoryBytes: 32 * MIB, root: { fileSystem, directory }, ...machine });
    const { virtualMemory, hart, files, memory } = this.machine;
    this.#framesBefore = memory.freeFrames;
    const loadContext = hart.loadContext.bind(hart);
    hart.loadContext = (context) => {
      this.#onHart = context;
      loadContext(context);
    };
    this.kernel = new Kernel({
      virtualMemory,
      hart,
      files,
      log: (line) => this.log.push(line),
      ...(machine.limits === undefined ? {} : { limits: machine.limits }),
      ...kernel,
    });
    this.init = new Guest(this, this.kernel.spawn(['/idle']));
  }

  guest(pid: number): Guest {
    return new Guest(this, this.kernel.processes.get(pid)!);
  }

  isOnHart(process: Process): boolean {
    return this.#onHart === process.context;
  }

  /** One instruction of whose turn it is, or one try of its call. */
  step(): void {
    this.kernel.step(1);
  }

  /** What is wrong now. */
  audit(): string[] {
    return [...this.kernel.audit(), ...this.machine.virtualMemory.audit(), ...this.machine.hart.audit()];
  }

  [Symbol.dispose](): void {
    try {
      this.machine.memory.failAllocationsWhen(undefined);
      expect(this.audit()).toEqual([]);
      this.kernel.shutDown();
      expect(this.audit()).toEqual([]);
      expect(this.machine.memory.freeFrames, 'frames that are free').toBe(this.#framesBefore);
      expect(this.#host.openDescriptors(), 'descriptors of the host that are left open').toBe(0);
      this.machine.close();
    } finally {
      this.#host[Symbol.dispose]();
    }
  }
}
