/** Runs programs whole on a machine, and checks after each run that no memory was lost and the audit is clean. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { Jit } from '../../src/hart/index.js';
import { Machine, type MachineOptions, type RunOptions, type RunResult } from '../../src/machine/index.js';
import { codeBytes, encode, x } from './riscv/assembler.js';
import { SEGMENT_FLAGS, writeElf } from './riscv/elf-writer.js';

export const MIB = 2 ** 20;

const bin = new URL('../../../../guest/bin/', import.meta.url);

/** How the guest's programs are run: compiled when they are hot, or as HOLSTEIN_JIT says ('off', 'eager'). */
export const GUEST_JIT = (process.env['HOLSTEIN_JIT'] ?? 'auto') as Jit;

/** The guest's programs, each in the root directory. */
export const guestFiles: Readonly<Record<string, Uint8Array>> = Object.fromEntries(
  readdirSync(bin).map((name) => [`/${name}`, readFileSync(new URL(name, bin))]),
);

export interface Run extends RunResult {
  /** The console's output, as text. */
  readonly text: string;
  readonly log: readonly string[];
}

/** Runs a program to its end on a new machine, and checks the machine afterwards. */
export const runOnce = async (
  argv: readonly [string, ...string[]],
  { files = guestFiles, ...machineOptions }: MachineOptions = {},
  runOptions: RunOptions = {},
): Promise<Run> => {
  const log: string[] = [];
  using machine = new Machine({ files, log: (line) => log.push(line), jit: GUEST_JIT, ...machineOptions });
  return { ...(await runOn(machine, argv, runOptions)), log };
};

/** Runs a program on a machine that may run others, and checks that it gives back all that it took. */
export const runOn = async (
  machine: Machine,
  argv: readonly [string, ...string[]],
  runOptions: RunOptions = {},
): Promise<Omit<Run, 'log'>> => {
  const decoder = new TextDecoder();
  let text = '';
  const output = { write: (bytes: Uint8Array) => void (text += decoder.decode(bytes, { stream: true })) };
  const result = await machine.run(argv, { output, ...runOptions });
  expectNothingLost(machine, result);
  return { ...result, text };
};

export const expectNothingLost = (machine: Machine, { memory }: RunResult): void => {
  expect(machine.audit()).toEqual([]);
  expect(memory.framesInUseAfter).toBe(memory.framesInUseBefore);
};

/** Where the programs made by `program` have their code, and a page that they may write. */
export const CODE = 0x1000;
export const DATA = 0x4000;

/** A place in a program, and an instruction that goes to one. */
interface Label {
  readonly label: string;
}
interface Branch {
  readonly branch: string;
  readonly rs1: number;
  readonly rs2: number;
  readonly to: string;
}

/** Instructions of 32 bits, labels and branches, nested as they are put together. */
export type Code = number | Label | Branch | readonly Code[];

export const label = (name: string): Label => ({ label: name });

/** A conditional branch, or with `jal` a jump, to a label anywhere in the program. */
export const branch = (name: string, to: string, rs1 = 0, rs2 = 0): Branch => ({
  branch: name,
  rs1,
  rs2,
  to,
});

/** Runs `code`, which must not end, where a0 is 0: in the child after a fork. */
export const inChild = (...code: readonly Code[]): Code => {
  const parent = `parent ${nextLabel++}`;
  return [branch('bne', parent, x.a0), code, label(parent)];
};
let nextLabel = 0;

/** An ELF file of machine code that starts at CODE, with a page of zeros at DATA. */
export const program = (...code: readonly Code[]): Uint8Array => {
  const items = (code as readonly unknown[]).flat(Number.POSITIVE_INFINITY) as (number | Label | Branch)[];
  const places = new Map<string, number>();
  let count = 0;
  for (const item of items) {
    if (typeof item === 'object' && 'label' in item) places.set(item.label, count);
    else count++;
  }
  const instructions: number[] = [];
  for (const item of items) {
    if (typeof item === 'number') {
      instructions.push(item);
    } else if ('branch' in item) {
      const { rs1, rs2, to } = item;
      const imm = (places.get(to)! - instructions.length) * 4;
      instructions.push(encode(item.branch, item.branch === 'jal' ? { imm } : { rs1, rs2, imm }));
    }
  }
  const content = codeBytes(instructions);
  return writeElf({
    entry: CODE,
    segments: [
      {
        address: CODE,
        flags: SEGMENT_FLAGS.read | SEGMENT_FLAGS.execute,
        content,
        sizeBytes: content.length,
      },
      {
        address: DATA,
        flags: SEGMENT_FLAGS.read | SEGMENT_FLAGS.write,
        content: Uint8Array.of(),
        sizeBytes: 4096,
      },
    ],
  });
};

/** Loads a constant of 32 bits, signed, in two instructions. */
export const li = (rd: number, value: number): readonly number[] => {
  const low = (value << 20) >> 20;
  return [encode('lui', { rd, imm: value - low }), encode('addiw', { rd, rs1: rd, imm: low })];
};

/** Makes a system call; its result is in a0. Arguments that are undefined stay as their register is. */
export const call = (number: number, ...args: readonly (number | undefined)[]): readonly number[] => [
  ...args.flatMap((value, index) => (value === undefined ? [] : li(x.a0 + index, value))),
  ...li(x.a7, number),
  encode('ecall'),
];

export const CALL = {
  fork: 1,
  exit: 2,
  wait: 3,
  pipe: 4,
  read: 5,
  kill: 6,
  exec: 7,
  dup: 10,
  getpid: 11,
  sbrk: 12,
  sleep: 13,
  uptime: 14,
  open: 15,
  write: 16,
  close: 21,
} as const;
