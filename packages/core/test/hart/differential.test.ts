/**
 * Random programs leave the same registers and memory on the hart as under qemu. A failure says with which
 * seed to run it again: HOLSTEIN_SEED=<seed>.
 */
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { expect } from 'vitest';
import { decode, type Decoded, disassemble } from '../../src/hart/index.js';
import {
  COMPRESSED_INSTRUCTIONS,
  FLOAT_REGISTER_NAMES,
  INSTRUCTIONS,
  type Jit,
  operandKinds,
  REGISTER_NAMES,
} from '../../src/hart/index.js';
import { BareMachine } from '../support/riscv/bare-machine.js';
import { Random } from '../support/random.js';
import {
  DATA,
  DATA_BYTES,
  FCSR_AT_END,
  FLOATS_AT_END,
  randomProgram,
  type RandomProgram,
  REGISTERS_AT_END,
} from '../support/riscv/random-program.js';
import { QEMU, runTool, ScratchDirectory, testWith } from '../support/riscv/tools.js';

/** Seeds that are always run, beside a fresh one. Seeds that have failed stay here. */
const KEPT_SEEDS = [1, 2, 3];
const JITS: readonly Jit[] = ['off', 'eager'];
const PROGRAMS_PER_SEED = 10;
const UNITS_PER_PROGRAM = 900;
const LEAST_INSTRUCTIONS = 200_000;
/** Asserted by hart.test.ts: under qemu a breakpoint is the end of the process. */
const NOT_RUN_HERE = new Set(['ebreak', 'c.ebreak']);

interface Step {
  readonly pc: number;
  readonly word: number;
  readonly decoded: Decoded;
  /** The address of a load, store or atomic operation. */
  readonly address: number;
}

const seeds = (): number[] => {
  const asked = process.env['HOLSTEIN_SEED'];
  return asked === undefined ? [...KEPT_SEEDS, Date.now() % 1_000_000_007] : [Number(asked)];
};

const runOnHart = (elf: Uint8Array, jit: Jit): Uint8Array => {
  using machine = new BareMachine({ jit });
  machine.load(elf);
  const { output, status } = machine.runToExit();
  expect(status).toBe(0);
  expect(machine.audit()).toEqual([]);
  return output;
};

/** Runs a program an instruction at a time, all of it interpreted: a step says what the hart is about to do. */
const stepOnHart = (elf: Uint8Array): { readonly output: Uint8Array; readonly steps: readonly Step[] } => {
  using machine = new BareMachine({ jit: 'off' });
  machine.load(elf);
  const steps: Step[] = [];
  const { output } = machine.runToExit(1, () => {
    const pc = Number(machine.hart.pc);
    // The halfwords one by one: a compressed instruction may be the last of its page.
    const [low, high] = [machine.read(pc, 2), machine.read(pc + 2, 2)];
    const word = low[0]! | (low[1]! << 8) | (high[0]! << 16) | (high[1]! << 24);
    const decoded = decode(word);
    if (decoded === undefined) return;
    const hasOffset = /load$|store$/.test(decoded.instruction.format);
    const address = machine.hart.registerAsNumber(decoded.rs1) + (hasOffset ? decoded.imm : 0);
    steps.push({ pc, word, decoded, address });
  });
  return { output, steps };
};

/** What differs first, and the instructions that led to it on the hart. */
const explain = (hart: Uint8Array, qemu: Uint8Array, steps: readonly Step[]): string => {
  const endsAt = (list: readonly Step[], last: number): string =>
    list
      .slice(Math.max(0, last - 8), last + 1)
      .map(({ pc, word }) => `    0x${pc.toString(16)}: ${disassemble(word, pc)}`)
      .join('\n');
  const [ours, theirs] = [hart, qemu].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset));
  for (const [kind, names, place] of [
    ['x', REGISTER_NAMES, REGISTERS_AT_END],
    ['f', FLOAT_REGISTER_NAMES, FLOATS_AT_END],
  ] as const) {
    for (const [register, name] of names.entries()) {
      const [a, b] = [ours!, theirs!].map((view) => view.getBigUint64(place + 8 * register, true));
      if (a === b) continue;
      const last = steps.findLastIndex(
        ({ decoded }) => decoded.rd === register && operandKinds(decoded.instruction).rd === kind,
      );
      return (
        `register ${name} is 0x${a!.toString(16)}, under qemu 0x${b!.toString(16)}; ` +
        `it was last written by\n${endsAt(steps, last)}`
      );
    }
  }
  const [a, b] = [ours!, theirs!].map((view) => view.getUint32(FCSR_AT_END, true));
  if (a !== b) return `fcsr is 0x${a!.toString(16)}, under qemu 0x${b!.toString(16)}`;
  const at = DATA + hart.findIndex((byte, index) => byte !== qemu[index]);
  const last = steps.findLastIndex(
    ({ address, decoded: { instruction } }) =>
      /store$|atomic/.test(instruction.format) &&
      address > at - 8 &&
      address <= at &&
      !(address >= DATA + FCSR_AT_END && address < DATA + REGISTERS_AT_END + 256),
  );
  return `the byte at 0x${at.toString(16)} differs; it was last written by\n${endsAt(steps, last)}`;
};

testWith([QEMU], 'random programs leave the registers and memory that they leave under qemu', () => {
  using directory = new ScratchDirectory();
  const executed = new Set<string>();
  let instructions = 0;
  const check = ({ elf, start, end }: RandomProgram, name: string): void => {
    const file = directory.file(name);
    writeFileSync(file, elf, { mode: 0o755 });
    const qemu = runTool(QEMU, [file]);
    expect(qemu.length, name).toBe(DATA_BYTES);
    const { output: stepped, steps } = stepOnHart(elf);
    if (!Buffer.from(stepped).equals(qemu)) throw new Error(explain(stepped, qemu, steps));
    for (const jit of JITS) {
      const hart = runOnHart(elf, jit);
      if (!Buffer.from(hart).equals(qemu)) {
        throw new Error(`run whole, with jit ${jit}: ${explain(hart, qemu, steps)}`);
      }
    }
    for (const { pc, decoded } of steps) {
      executed.add(decoded.name);
      if (pc >= start && pc < end) instructions++;
    }
  };

  for (const seed of seeds()) {
    for (let number = 0; number < PROGRAMS_PER_SEED; number++) {
      try {
        check(
          randomProgram(new Random(seed * PROGRAMS_PER_SEED + number), UNITS_PER_PROGRAM),
          `${seed}-${number}`,
        );
      } catch (cause) {
        const message = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`HOLSTEIN_SEED=${seed}, program ${number}: ${message}`, { cause });
      }
    }
  }

  if (process.env['HOLSTEIN_SEED'] !== undefined) return;
  const wanted = [...INSTRUCTIONS, ...COMPRESSED_INSTRUCTIONS].map(({ name }) => name);
  expect(wanted.filter((name) => !executed.has(name) && !NOT_RUN_HERE.has(name))).toEqual([]);
  expect(instructions).toBeGreaterThan(LEAST_INSTRUCTIONS);
});
