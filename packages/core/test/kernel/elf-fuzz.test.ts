/**
 * Broken ELF files (broken-elf.ts), each started twice: by the host as process 1, and by a program that forks and calls
 * exec. Whether it starts, and what it has in its memory then, must be what elf-oracle.ts says; whatever it does, the
 * kernel goes on and gets all frames back.
 */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import { Kernel, type KernelOptions, MemoryFiles } from '../../src/kernel/index.js';
import { Machine } from '../../src/machine/index.js';
import type { Access } from '../../src/paging/index.js';
import { type AddressSpace, copyIn } from '../../src/space/index.js';
import { branch, CALL, call, type Code, DATA, inChild, label, li, MIB, program } from '../support/machine.js';
import { encode, x } from '../support/riscv/assembler.js';
import { BASES, brokenElf } from './broken-elf.js';
import { expectedImage, type ExpectedImage } from './elf-oracle.js';

/** Seeds that have failed once. */
const KEPT_SEEDS: readonly number[] = [];
const FILES = 5_200;
const SEEDS = [...KEPT_SEEDS.filter((seed) => seed >= FILES), ...Array(FILES).keys()];
const AUDIT_EVERY = 100;
const MOST_STEPS = 12;

const PARENT = '/parent';

/** A machine whose files can be changed between runs; each run has a kernel of its own. */
class FuzzMachine implements Disposable {
  readonly files = new MemoryFiles();
  readonly machine: Machine;
  readonly log: string[] = [];
  readonly #options: Partial<KernelOptions>;

  constructor(options: Partial<KernelOptions> = {}) {
    this.#options = options;
    const limits = { inodes: 2 ** 30, diskBlocks: 2 ** 30 };
    this.machine = new Machine({ root: { fileSystem: this.files }, memoryBytes: 4 * MIB, limits });
  }

  get freeFrames(): number {
    return this.machine.memory.freeFrames;
  }

  kernel(): Kernel {
    const { virtualMemory, hart, files } = this.machine;
    const log = (line: string): unknown => this.log.push(line);
    const kernel = new Kernel({ virtualMemory, hart, files, log, ...this.#options });
    kernel.console.endInput();
    return kernel;
  }

  [Symbol.dispose](): void {
    this.machine.close();
  }
}

describe('the programs that are broken below', () => {
  test.each(BASES)('are good before: $name', ({ file }) => {
    using fuzz = new FuzzMachine();
    fuzz.files.writeFileSync('/good', file);
    const kernel = fuzz.kernel();
    kernel.spawn(['/good']);
    for (let steps = 0; steps < 50 && kernel.step() !== 'halted'; steps++) kernel.console.takeOutput();
    const endless = file === BASES.find(({ name }) => name === 'spin')!.file;
    const status = endless ? undefined : file === BASES[0]!.file ? 0 : 42;
    expect(kernel.exitStatus).toBe(status);
    kernel.shutDown();
  });

  test('are broken for good in one half of the cases or more, and not in all', () => {
    const refused = SEEDS.filter((seed) => expectedImage(brokenElf(seed).file) === 'refused').length;
    expect(SEEDS.length).toBeGreaterThanOrEqual(5_000);
    expect(refused).toBeGreaterThan(SEEDS.length / 2);
    expect(SEEDS.length - refused).toBeGreaterThan(SEEDS.length / 8);
  });
});

test('a broken file that is spawned starts as its headers say, or not at all', () => {
  using fuzz = new FuzzMachine({ quantumInstructions: 500 });
  const free = fuzz.freeFrames;
  for (const [index, seed] of SEEDS.entries()) {
    const { file, story } = brokenElf(seed);
    const what = `seed ${seed}: ${story}`;
    const expected = expectedImage(file);
    fuzz.files.writeFileSync('/broken', file);
    const kernel = fuzz.kernel();
    if (expected === 'refused') {
      expect(() => kernel.spawn(['/broken']), what).toThrow(expect.objectContaining({ code: 'ENOEXEC' }));
    } else {
      const { space } = kernel.spawn(['/broken']);
      expect(kernel.hart.pc, what).toBe(expected.entry);
      checkStack(kernel, expected, what);
      checkMemory(space, expected, what);
      for (let steps = 0; steps < MOST_STEPS && kernel.step() !== 'halted'; steps++) {
        kernel.console.takeOutput();
      }
      if (index % AUDIT_EVERY < 3) expect([...fuzz.machine.audit(), ...kernel.audit()], what).toEqual([]);
      kernel.shutDown();
    }
    expect(fuzz.freeFrames, what).toBe(free);
  }
  expect(fuzz.machine.audit()).toEqual([]);
});

/** The stack is above the image, has argv, and a guard page is below it. */
const checkStack = (kernel: Kernel, { end }: ExpectedImage, what: string): void => {
  const { registers } = kernel.hart;
  const { space } = kernel.processes.get(1)!;
  const [guard, stack, heap] = [0, 1, 2].map((index) => Number(end / 4096n) + index) as [
    number,
    number,
    number,
  ];
  expect(registers[x.a0], what).toBe(1n);
  expect(registers[x.a1], what).toBe(registers[x.sp]);
  expect(Number(registers[x.sp]! / 4096n), what).toBe(stack);
  expect([rightsAt(space, guard), rightsAt(space, stack), rightsAt(space, heap)], what).toEqual([
    '---',
    'rw-',
    '---',
  ]);
};

/** Some bytes of each segment, those at its edges among them, and its rights in its first page and its last. */
const checkMemory = (space: AddressSpace, { segments }: ExpectedImage, what: string): void => {
  for (const { address, memoryBytes, content, mayRead, mayWrite, mayExecute } of segments) {
    const last = Number(memoryBytes) - 1;
    const places = [
      0,
      1,
      PAGE_SIZE,
      content.length >> 1,
      content.length - 1,
      content.length,
      content.length + 1,
      last,
    ];
    for (const place of places) {
      if (place < 0 || place > last) continue;
      const byte = new Uint8Array(1);
      const copied = copyIn(space, virtAddr(Number(address) + place), byte);
      expect(copied, what).toBe(mayRead ? 'ok' : 'EFAULT');
      if (mayRead) expect(byte[0], `${what}, byte ${place}`).toBe(content[place] ?? 0);
    }
    const rights = `${mayRead ? 'r' : '-'}${mayWrite ? 'w' : '-'}${mayExecute ? 'x' : '-'}`;
    for (const page of [address / 4096n, (address + memoryBytes - 1n) / 4096n]) {
      expect(rightsAt(space, Number(page)), what).toBe(rights);
    }
  }
};

const ACCESSES: readonly Access[] = ['read', 'write', 'execute'];

/** What a page grants, tried out: as rwx, with '-' for what it does not. */
const rightsAt = (space: AddressSpace, page: number): string =>
  ACCESSES.map((access, index) =>
    typeof space.reach(vpn(page), access) === 'number' ? 'rwx'.charAt(index) : '-',
  ).join('');

// ---------------------------------------------------------------- by exec

const BATCH = 240;
/** Statuses that the parent notes for a child that no program has, and where there is no child. */
const NOT_RUN = 0x0bad_0bad;
const NOT_FORKED = 0x0bad_0f0f;
/** Where the parent has the path, a mark and the statuses behind it, what wait tells, and argv. */
const PATH = DATA;
const MARK = DATA + 8;
const STATUSES = MARK + 8;
const STATUS = DATA + 0xf00;
const ARGV = DATA + 0xf10;
const MARK_TEXT = 'STATUSES';

const storeByte = (at: number): Code => [li(x.t0, at), encode('sb', { rs1: x.t0, rs2: x.t1 })];
const storeWord = (at: number): Code => [li(x.t0, at), encode('sw', { rs1: x.t0, rs2: x.t1 })];
const storeText = (at: number, text: string): Code =>
  [...text].map((character, index) => [li(x.t1, character.charCodeAt(0)), storeByte(at + index)]);

/** The path of a batch's file: two letters, of which the program makes the same. */
const pathOf = (index: number): string =>
  `/e${String.fromCharCode(0x41 + (index >> 4))}${String.fromCharCode(0x41 + (index & 15))}`;

/** Runs the files of a batch, one after the other, each in a child that is killed after some ticks; prints their statuses. */
const parent = program([
  storeText(PATH, '/e'),
  storeText(MARK, MARK_TEXT),
  li(x.t1, PATH),
  storeWord(ARGV),
  li(x.s2, 0),
  label('next'),
  encode('srli', { rd: x.t1, rs1: x.s2, imm: 4 }),
  encode('addi', { rd: x.t1, rs1: x.t1, imm: 0x41 }),
  storeByte(PATH + 2),
  encode('andi', { rd: x.t1, rs1: x.s2, imm: 15 }),
  encode('addi', { rd: x.t1, rs1: x.t1, imm: 0x41 }),
  storeByte(PATH + 3),
  li(x.s3, NOT_FORKED),
  call(CALL.fork),
  branch('blt', 'note', x.a0),
  inChild(call(CALL.exec, PATH, ARGV), call(CALL.exit, NOT_RUN)),
  encode('addi', { rd: x.s1, rs1: x.a0 }),
  call(CALL.sleep, 2),
  encode('addi', { rd: x.a0, rs1: x.s1 }),
  call(CALL.kill, undefined),
  // What a child has left behind is reaped on the way.
  label('wait'),
  call(CALL.wait, STATUS),
  branch('bne', 'wait', x.a0, x.s1),
  li(x.t0, STATUS),
  encode('lw', { rd: x.s3, rs1: x.t0 }),
  label('note'),
  li(x.t0, STATUSES),
  encode('slli', { rd: x.t1, rs1: x.s2, imm: 2 }),
  encode('add', { rd: x.t0, rs1: x.t0, rs2: x.t1 }),
  encode('sw', { rs1: x.t0, rs2: x.s3 }),
  encode('addi', { rd: x.s2, rs1: x.s2, imm: 1 }),
  li(x.t1, BATCH),
  branch('bne', 'next', x.s2, x.t1),
  call(CALL.write, 1, MARK, MARK_TEXT.length + 4 * BATCH),
  call(CALL.exit, 0),
]);

/** Runs a batch. @returns the status of each file's process. */
const runBatch = (fuzz: FuzzMachine): number[] => {
  const kernel = fuzz.kernel();
  kernel.spawn([PARENT]);
  let output = Uint8Array.of();
  for (let steps = 0; kernel.step() !== 'halted'; steps++) {
    const more = kernel.console.takeOutput();
    if (more.length > 0) output = Uint8Array.of(...output.subarray(-2 * PAGE_SIZE), ...more);
    if (steps % 2_000 === 0) expect([...fuzz.machine.audit(), ...kernel.audit()]).toEqual([]);
    if (steps > 100 * BATCH) throw new Error('a batch of files does not come to its end');
  }
  expect(kernel.exitStatus).toBe(0);
  const last = Uint8Array.of(...output, ...kernel.console.takeOutput());
  const mark = new TextDecoder('latin1').decode(last).lastIndexOf(MARK_TEXT);
  const view = new DataView(last.buffer, mark + MARK_TEXT.length);
  return Array.from({ length: BATCH }, (_, index) => view.getInt32(4 * index, true));
};

test('exec of a broken file runs it, or gives -1 to a program that goes on', () => {
  using fuzz = new FuzzMachine({ quantumInstructions: 10_000, instructionsPerTick: 30_000 });
  fuzz.files.writeFileSync(PARENT, parent);
  const free = fuzz.freeFrames;
  for (let first = 0; first < SEEDS.length; first += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, index) => SEEDS[(first + index) % SEEDS.length]!);
    const expected = batch.map((seed, index) => {
      const { file, story } = brokenElf(seed);
      fuzz.files.writeFileSync(pathOf(index), file);
      return { what: `seed ${seed}: ${story}`, isRefused: expectedImage(file) === 'refused' };
    });
    fuzz.log.length = 0;
    const statuses = runBatch(fuzz);
    for (const [index, { what, isRefused }] of expected.entries()) {
      const outcome =
        statuses[index] === NOT_RUN ? 'not run' : statuses[index] === NOT_FORKED ? 'not forked' : 'run';
      expect(outcome, what).toBe(isRefused ? 'not run' : 'run');
    }
    const reasons = fuzz.log.filter((line) => line.includes(' cannot run /e'));
    expect(reasons).toHaveLength(expected.filter(({ isRefused }) => isRefused).length);
    expect(fuzz.freeFrames).toBe(free);
    expect(fuzz.machine.audit()).toEqual([]);
  }
});
