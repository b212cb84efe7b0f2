/** Processes that use memory of an asynchronous pager: they are parked until it answers, and all others go on. */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, virtAddr } from '../../src/frame/index.js';
import { Kernel, type KernelOptions, type KernelState, type Process } from '../../src/kernel/index.js';
import { Machine, type RunOptions, type RunResult } from '../../src/machine/index.js';
import type { MapOptions } from '../../src/space/index.js';
import type { Vmo } from '../../src/vmo/index.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import {
  branch,
  CALL,
  call,
  type Code,
  DATA,
  expectNothingLost,
  inChild,
  label,
  li,
  MIB,
  program,
} from '../support/machine.js';
import { settle, TestPager } from '../vmo/paged.js';

/** Where a test maps memory of its pager, and how much. */
const SLOW = 0x40_0000;
const SLOW_PAGES = 4;

const move = (rd: number, rs1: number): number => encode('addi', { rd, rs1 });
const loadByte = (rd: number, from: number): Code => [li(x.t0, from), encode('lbu', { rd, rs1: x.t0 })];
const loadInt = (rd: number, from: number): Code => [li(x.t0, from), encode('lw', { rd, rs1: x.t0 })];
const storeByte = (value: number, to: number): Code => [
  li(x.t0, to),
  li(x.t1, value),
  encode('sb', { rs1: x.t0, rs2: x.t1 }),
];
const exitWithResult: Code = [li(x.a7, CALL.exit), encode('ecall')];
let spins = 0;
/** Runs for some instructions: others get their turns meanwhile, without the clock. */
const spin = (instructions: number): Code => {
  const name = `spin ${spins++}`;
  return [
    li(x.t2, instructions / 2),
    label(name),
    encode('addi', { rd: x.t2, rs1: x.t2, imm: -1 }),
    branch('bne', name, x.t2),
  ];
};
/** a0 = what read or write of a descriptor that lies in memory gives. */
const onDescriptor = (number: number, at: number, address: number, count: number): Code => [
  loadInt(x.a0, at),
  call(number, undefined, address, count),
];

class Setup implements Disposable {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly pager = new TestPager(SLOW_PAGES * PAGE_SIZE);
  readonly vmo: Vmo<'dup' | 'read' | 'write' | 'exec'>;
  readonly log: string[] = [];
  readonly init: Process;
  readonly #framesBefore: number;

  constructor(
    code: readonly Code[],
    options: Partial<KernelOptions> = {},
    mapping: Partial<MapOptions> = {},
  ) {
    this.machine = new Machine({
      memoryBytes: 4 * MIB,
      files: { '/program': program(code), '/other': program([call(CALL.exit, 123)]) },
    });
    const { virtualMemory, hart, memory } = this.machine;
    this.#framesBefore = memory.freeFrames;
    this.pager.answers = 'held';
    this.kernel = new Kernel({
      virtualMemory,
      hart,
      files: this.machine.files,
      log: (line) => this.log.push(line),
      ...options,
    });
    this.vmo = virtualMemory.objects.create({
      size: this.pager.size,
      pager: this.pager,
      rights: ['dup', 'read', 'write', 'exec'],
      name: 'slow',
    });
    this.init = this.kernel.spawn(['/program']);
    mapSlow(this.init, this.vmo, mapping);
  }

  /** Steps until something has to be waited for, or the end. */
  run(): KernelState {
    for (let steps = 0; steps < 100_000; steps++) {
      const state = this.kernel.step();
      this.#check();
      if (state !== 'running') return state;
    }
    throw new Error('it runs for ever');
  }

  /** Steps to the end, and answers the pager's calls one by one. @returns process 1's exit status. */
  async finish(): Promise<number> {
    for (;;) {
      const state = this.run();
      if (state === 'halted') return this.kernel.exitStatus!;
      expect(state).toBe('waiting-for-pager');
      // One wait may want several answers: of the page, and of leave to write it.
      this.pager.finishNext();
      await settle();
    }
  }

  get text(): string {
    return new TextDecoder().decode(this.kernel.console.takeOutput());
  }

  #check(): void {
    expect(this.kernel.audit()).toEqual([]);
  }

  [Symbol.dispose](): void {
    this.kernel.shutDown();
    const { virtualMemory, hart, memory } = this.machine;
    expect([...virtualMemory.audit(), ...hart.audit(), ...this.kernel.audit()]).toEqual([]);
    expect(virtualMemory.spaces.size).toBe(0);
    this.vmo.close({ unwritten: 'discard' });
    expect(memory.freeFrames).toBe(this.#framesBefore);
    virtualMemory.close({ unwritten: 'discard' });
    this.machine.close();
  }
}

const mapSlow = (
  process: Process,
  vmo: Vmo<'dup' | 'read' | 'write' | 'exec'>,
  mapping: Partial<MapOptions> = {},
): void => {
  process.space.map({
    at: virtAddr(SLOW),
    lengthBytes: SLOW_PAGES * PAGE_SIZE,
    protection: 'rw-',
    sharing: 'shared',
    vmo,
    ...mapping,
  });
};

describe('a process that touches a page which is still to come', () => {
  test('is parked, and goes on with the access when the pager has answered', async () => {
    using setup = new Setup([loadByte(x.a0, SLOW + PAGE_SIZE + 1), exitWithResult]);
    const { kernel, pager, init } = setup;
    expect(kernel.pagerAnswer).toBeUndefined();
    expect(setup.run()).toBe('waiting-for-pager');
    expect(init.state).toBe('blocked');
    expect(pager.heard()).toEqual(['commit 1+1']);
    const { instructions } = kernel;
    await settle();
    expect(setup.run()).toBe('waiting-for-pager');
    expect(kernel.instructions).toBe(instructions);
    pager.finishNext();
    await kernel.pagerAnswer;
    expect(init.state).toBe('runnable');
    expect(kernel.pagerAnswer).toBeUndefined();
    expect(setup.run()).toBe('halted');
    expect(kernel.exitStatus).toBe(pager.bytes[PAGE_SIZE + 1]);
    expect(setup.log).toEqual([]);
    expect(kernel.virtualMemory.statistics().faults).toMatchObject({ waiting: 1 });
  });

  test('by a write waits for the page and for leave, and the byte is in the object', async () => {
    using setup = new Setup([storeByte(99, SLOW + 7), loadByte(x.a0, SLOW + 7), exitWithResult]);
    expect(await setup.finish()).toBe(99);
    expect(setup.pager.heard()).toEqual(['commit 0+1', 'update 0+1']);
    setup.pager.answers = 'now';
    setup.vmo.syncSync();
    expect([setup.pager.bytes[7], setup.pager.bytes[8]]).toEqual([99, 8 * 11 + 5]);
  });

  test('by a jump runs what the pager gives', async () => {
    const code = codeBytes([...call(CALL.exit, 55)]);
    using setup = new Setup(
      [li(x.t0, SLOW), encode('jalr', { rs1: x.t0 })],
      {},
      { protection: 'r-x', ceiling: 'r-x' },
    );
    setup.pager.bytes.set(code);
    expect(await setup.finish()).toBe(55);
  });

  test('is not in the way of others: they run, write and exit meanwhile', async () => {
    using setup = new Setup(
      [
        call(CALL.fork),
        inChild(loadByte(x.a0, SLOW), exitWithResult),
        spin(500_000),
        storeByte(0x2e, DATA),
        call(CALL.write, 1, DATA, 1),
        // Another child comes and goes.
        call(CALL.fork),
        inChild(call(CALL.exit, 0)),
        call(CALL.wait, 0),
        call(CALL.wait, DATA),
        loadInt(x.a0, DATA),
        exitWithResult,
      ],
      { quantumInstructions: 1000 },
    );
    expect(setup.run()).toBe('waiting-for-pager');
    expect(setup.text).toBe('.');
    expect([...setup.kernel.processes.values()].map(({ state }) => state)).toEqual(['blocked', 'blocked']);
    expect(setup.kernel.instructions).toBeGreaterThan(500_000);
    expect(await setup.finish()).toBe(setup.pager.bytes[0]);
  });

  test('waits with others for the same page, which is asked for once, and all go on', async () => {
    using setup = new Setup([
      call(CALL.fork),
      inChild(loadByte(x.a0, SLOW), exitWithResult),
      call(CALL.fork),
      inChild(loadByte(x.a0, SLOW), exitWithResult),
      loadByte(x.s1, SLOW),
      call(CALL.wait, DATA),
      loadInt(x.s2, DATA),
      call(CALL.wait, DATA),
      loadInt(x.a0, DATA),
      encode('add', { rd: x.a0, rs1: x.a0, rs2: x.s1 }),
      encode('add', { rd: x.a0, rs1: x.a0, rs2: x.s2 }),
      exitWithResult,
    ]);
    expect(await setup.finish()).toBe(3 * setup.pager.bytes[0]!);
    expect(setup.pager.heard()).toEqual(['commit 0+1']);
  });

  test('runs the same instructions whether the pager answers at once or later', async () => {
    const results = [];
    for (const answers of ['now', 'held'] as const) {
      using setup = new Setup([
        [0, 1, 2, 3].map((page) => [
          loadByte(x.t1, SLOW + page * PAGE_SIZE),
          storeByte(1, SLOW + page * PAGE_SIZE),
        ]),
        call(CALL.write, 1, SLOW, 4 * PAGE_SIZE),
        exitWithResult,
      ]);
      setup.pager.answers = answers;
      results.push([await setup.finish(), setup.kernel.instructions, setup.text]);
    }
    expect(results[1]).toEqual(results[0]);
  });
});

describe('a pager that fails', () => {
  test('later kills the process with a message, and its parent hears of -1', async () => {
    using setup = new Setup([
      call(CALL.fork),
      inChild(loadByte(x.a0, SLOW), call(CALL.exit, 1)),
      call(CALL.wait, DATA),
      loadInt(x.a0, DATA),
      exitWithResult,
    ]);
    setup.run();
    setup.pager.held.shift()!.fail(new Error('the disk is gone'));
    await setup.kernel.pagerAnswer;
    expect(setup.run()).toBe('halted');
    expect(setup.kernel.exitStatus).toBe(-1);
    expect(setup.log).toHaveLength(1);
    expect(setup.log[0]).toMatch(/^process 2 \(program\) killed: .*the disk is gone \(pc 0x/);
  });

  test('at once kills it with the same reason', () => {
    using setup = new Setup([loadByte(x.a0, SLOW), call(CALL.exit, 1)]);
    setup.pager.answers = 'now';
    setup.pager.failures.set('commit', new Error('the disk is gone'));
    expect(setup.run()).toBe('halted');
    expect(setup.kernel.exitStatus).toBe(-1);
    expect(setup.log[0]).toMatch(/killed: it read 0x400000, in 0x400000-0x404000 rw-.*the disk is gone/);
  });

  test('for one of two processes that wait for it fails for both', async () => {
    using setup = new Setup([
      call(CALL.fork),
      inChild(loadByte(x.a0, SLOW), call(CALL.exit, 1)),
      call(CALL.fork),
      inChild(loadByte(x.a0, SLOW), call(CALL.exit, 1)),
      call(CALL.wait, 0),
      call(CALL.wait, 0),
      call(CALL.exit, 7),
    ]);
    setup.run();
    setup.pager.held.shift()!.fail(new Error('the disk is gone'));
    await settle();
    expect(setup.run()).toBe('halted');
    expect(setup.kernel.exitStatus).toBe(7);
    expect(setup.log).toHaveLength(2);
    expect(setup.pager.heard()).toEqual(['commit 0+1']);
  });

  test('in a system call gives it -1, and the process goes on', async () => {
    using setup = new Setup([call(CALL.write, 1, SLOW, 10), exitWithResult]);
    expect(setup.run()).toBe('waiting-for-pager');
    setup.pager.held.shift()!.fail(new Error('the disk is gone'));
    await setup.kernel.pagerAnswer;
    expect(setup.run()).toBe('halted');
    expect(setup.kernel.exitStatus).toBe(-1);
    expect([setup.text, setup.log]).toEqual(['', []]);
  });

  test('in the middle of a write gives the number of bytes that were written before', async () => {
    using setup = new Setup(
      [
        call(CALL.pipe, DATA),
        call(CALL.fork),
        // The child takes what fits the pipe, and no more.
        inChild(onDescriptor(CALL.read, DATA, DATA + 16, 512), call(CALL.wait, 0), call(CALL.exit, 0)),
        // Half of it lies in a page that is there.
        onDescriptor(CALL.write, DATA + 4, SLOW - 512, 1024),
        exitWithResult,
      ],
      { limits: { pipeBytes: 512 } },
    );
    setup.init.space.map({ at: virtAddr(SLOW - PAGE_SIZE), lengthBytes: PAGE_SIZE, protection: 'rw-' });
    expect(setup.run()).toBe('waiting-for-pager');
    setup.pager.held.shift()!.fail(new Error('the disk is gone'));
    await setup.kernel.pagerAnswer;
    expect(setup.run()).toBe('halted');
    expect(setup.kernel.exitStatus).toBe(512);
  });

  test('while a result was to be stored loses nothing: not a zombie, not what a pipe holds, not a descriptor', async () => {
    using setup = new Setup([
      call(CALL.pipe, SLOW),
      move(x.s1, x.a0),
      call(CALL.pipe, DATA),
      onDescriptor(CALL.write, DATA + 4, DATA, 8),
      onDescriptor(CALL.read, DATA, SLOW, 8),
      encode('add', { rd: x.s1, rs1: x.s1, rs2: x.a0 }),
      call(CALL.fork),
      inChild(call(CALL.exit, 60)),
      call(CALL.wait, SLOW),
      encode('add', { rd: x.s1, rs1: x.s1, rs2: x.a0 }),
      // s1 is -3 by now. All can be had still: 8 bytes, and 60.
      onDescriptor(CALL.read, DATA, DATA + 16, 100),
      encode('add', { rd: x.s1, rs1: x.s1, rs2: x.a0 }),
      call(CALL.wait, DATA + 32),
      loadInt(x.a0, DATA + 32),
      encode('add', { rd: x.s1, rs1: x.s1, rs2: x.a0 }),
      // The lowest descriptor that is free: 3 and 4 are the second pipe's.
      call(CALL.dup, 0),
      encode('add', { rd: x.a0, rs1: x.s1, rs2: x.a0 }),
      exitWithResult,
    ]);
    for (let turn = 0; turn < 3; turn++) {
      expect(setup.run()).toBe('waiting-for-pager');
      setup.pager.held.shift()!.fail(new Error('no'));
      await setup.kernel.pagerAnswer;
    }
    expect(setup.run()).toBe('halted');
    expect(setup.kernel.exitStatus).toBe(-3 + 8 + 60 + 5);
  });
});

describe('a system call on memory that is still to come is made again when it has come', () => {
  test('write, over several pages', async () => {
    using setup = new Setup([call(CALL.write, 1, SLOW + 100, 2 * PAGE_SIZE), exitWithResult]);
    for (let page = 0; page < SLOW_PAGES; page++)
      setup.pager.bytes.fill(0x61 + page, page * PAGE_SIZE, (page + 1) * PAGE_SIZE);
    expect(await setup.finish()).toBe(2 * PAGE_SIZE);
    expect(setup.text).toBe('a'.repeat(PAGE_SIZE - 100) + 'b'.repeat(PAGE_SIZE) + 'c'.repeat(100));
  });

  test('read of a pipe, whose bytes wait in it meanwhile', async () => {
    using setup = new Setup([
      call(CALL.pipe, DATA),
      storeByte(77, DATA + 16),
      onDescriptor(CALL.write, DATA + 4, DATA + 16, 5),
      onDescriptor(CALL.read, DATA, SLOW + PAGE_SIZE - 2, 5),
      exitWithResult,
    ]);
    expect(await setup.finish()).toBe(5);
    setup.pager.answers = 'now';
    setup.vmo.syncSync();
    expect([...setup.pager.bytes.slice(PAGE_SIZE - 2, PAGE_SIZE + 3)]).toEqual([77, 0, 0, 0, 0]);
  });

  test('read of the console, whose line waits in it meanwhile', async () => {
    using setup = new Setup([call(CALL.read, 0, SLOW, 100), exitWithResult]);
    setup.kernel.console.giveInput(new TextEncoder().encode('line\nmore\n'));
    expect(await setup.finish()).toBe(5);
    expect(setup.vmo.readSync(0, new Uint8Array(5))).toEqual(new TextEncoder().encode('line\n'));
  });

  test('wait, pipe, exec and open', async () => {
    const path = '/other\0';
    using setup = new Setup([
      call(CALL.fork),
      inChild(call(CALL.exit, 33)),
      call(CALL.wait, SLOW),
      call(CALL.pipe, SLOW + PAGE_SIZE),
      loadByte(x.s1, SLOW),
      loadByte(x.a0, SLOW + PAGE_SIZE + 4),
      encode('add', { rd: x.s1, rs1: x.s1, rs2: x.a0 }),
      // The path, and arguments that end at once.
      call(CALL.exec, SLOW + 2 * PAGE_SIZE, SLOW + 3 * PAGE_SIZE),
      call(CALL.exit, 1),
    ]);
    setup.pager.bytes.set(new TextEncoder().encode(path), 2 * PAGE_SIZE);
    setup.pager.bytes.fill(0, 3 * PAGE_SIZE);
    expect(await setup.finish()).toBe(123);
    expect(setup.pager.heard().filter((each) => each.startsWith('commit'))).toEqual([
      'commit 0+1',
      'commit 1+1',
      'commit 2+1',
      'commit 3+1',
    ]);
    const result = setup.vmo.readSync(0, new Uint8Array(PAGE_SIZE + 8));
    expect([result[0], result[PAGE_SIZE], result[PAGE_SIZE + 4]]).toEqual([33, 3, 4]);
  });
});

describe('a process that is parked, or killed while it is', () => {
  const victimAndKiller: readonly Code[] = [
    call(CALL.fork),
    inChild(loadByte(x.a0, SLOW), call(CALL.exit, 1)),
    move(x.s1, x.a0),
    spin(400_000),
    move(x.a0, x.s1),
    call(CALL.kill, undefined),
    call(CALL.wait, DATA),
    loadInt(x.s2, DATA),
  ];

  test('exits at once, and what the pager answers after does no harm', async () => {
    for (const answer of ['finish', 'fail', 'never'] as const) {
      using setup = new Setup([victimAndKiller, move(x.a0, x.s2), exitWithResult]);
      expect(setup.run()).toBe('halted');
      expect(setup.kernel.exitStatus).toBe(-1);
      expect(setup.log).toEqual([]);
      const [held] = setup.pager.held;
      if (answer === 'finish') held!.finish();
      if (answer === 'fail') held!.fail(new Error('too late'));
      await settle();
    }
  });

  test('is not waited for any more: sleepers wake, and nothing says that a pager is awaited', () => {
    using setup = new Setup([victimAndKiller, call(CALL.sleep, 5), call(CALL.exit, 8)]);
    expect(setup.run()).toBe('halted');
    expect(setup.kernel.exitStatus).toBe(8);
    expect(setup.kernel.pagerAnswer).toBeUndefined();
  });

  test('does not hold up who sleeps, though its pager never answers', () => {
    using setup = new Setup([
      call(CALL.fork),
      inChild(loadByte(x.a0, SLOW), call(CALL.exit, 1)),
      call(CALL.sleep, 5),
      call(CALL.sleep, 5),
      call(CALL.exit, 8),
    ]);
    expect(setup.run()).toBe('halted');
    expect(setup.kernel.exitStatus).toBe(8);
    expect(setup.kernel.ticks).toBeGreaterThanOrEqual(10);
  });

  test('leaves those who are stuck to be found out', () => {
    using setup = new Setup([
      victimAndKiller,
      call(CALL.pipe, DATA),
      onDescriptor(CALL.read, DATA, DATA + 16, 1),
    ]);
    expect(setup.run()).toBe('stuck');
  });

  test('in a system call, by the host', async () => {
    using setup = new Setup([call(CALL.write, 1, SLOW, 10), call(CALL.exit, 0)]);
    expect(setup.run()).toBe('waiting-for-pager');
    expect(setup.kernel.kill(1)).toBe(true);
    expect(setup.run()).toBe('halted');
    expect(setup.kernel.exitStatus).toBe(-1);
    setup.pager.finishNext();
    await settle();
    expect(setup.text).toBe('');
  });

  test('with process 1, when that exits or all is shut down', async () => {
    using setup = new Setup([
      call(CALL.fork),
      inChild(loadByte(x.a0, SLOW), call(CALL.exit, 1)),
      spin(400_000),
      call(CALL.exit, 4),
    ]);
    expect(setup.run()).toBe('halted');
    expect(setup.kernel.exitStatus).toBe(4);
    setup.pager.finishNext();
    await settle();
    using other = new Setup([loadByte(x.a0, SLOW), exitWithResult]);
    expect(other.run()).toBe('waiting-for-pager');
    other.kernel.shutDown();
    expect(other.kernel.exitStatus).toBe(-1);
    other.pager.held.shift()!.fail(new Error('too late'));
    await settle();
  });
});

describe('while a process is parked', () => {
  test('what it waits for may be revoked: it is killed for that', async () => {
    using setup = new Setup([loadByte(x.a0, SLOW), exitWithResult]);
    expect(setup.run()).toBe('waiting-for-pager');
    using lent = setup.vmo.duplicate();
    lent.close();
    setup.init.space.protect(virtAddr(SLOW), PAGE_SIZE, '---');
    setup.pager.finishNext();
    await setup.kernel.pagerAnswer;
    expect(setup.run()).toBe('halted');
    expect(setup.log[0]).toMatch(/it read 0x400000, in 0x400000-0x401000 ---/);
  });

  test('its object may go: the pager’s answer is nobody’s', async () => {
    using setup = new Setup([loadByte(x.a0, SLOW), exitWithResult]);
    expect(setup.run()).toBe('waiting-for-pager');
    setup.init.space.unmap(virtAddr(SLOW), SLOW_PAGES * PAGE_SIZE);
    setup.pager.finishNext();
    await settle();
    expect(setup.run()).toBe('halted');
    expect(setup.log[0]).toMatch(/it read 0x400000, where nothing is mapped/);
  });
});

describe('a pager that answers at once, and before it does', () => {
  const CASES: readonly (readonly [string, (setup: Setup) => void, number, RegExp | undefined])[] = [
    ['closes the space', ({ init }) => init.space.close(), -1, /where nothing is mapped/],
    [
      'unmaps the memory',
      ({ init }) => init.space.unmap(virtAddr(SLOW), PAGE_SIZE),
      -1,
      /where nothing is mapped/,
    ],
    ['takes the right', ({ init }) => init.space.protect(virtAddr(SLOW), PAGE_SIZE, '---'), -1, /---/],
    ['revokes the object', ({ vmo }) => vmo.revoke({ unwritten: 'discard' }), -1, /revoked/],
    ['kills the process', ({ kernel }) => void kernel.kill(1), -1, undefined],
    ['forks the space', ({ init }) => init.space.fork().close(), 5, undefined],
    [
      'replaces the code by what does the same',
      ({ init }) => init.space.dontNeed(virtAddr(0x1000), PAGE_SIZE),
      5,
      undefined,
    ],
  ];

  test.each(CASES)('%s', (_name, during, status, message) => {
    for (const access of [loadByte(x.t1, SLOW), storeByte(1, SLOW)]) {
      // Who is killed dies at the next stop, and not before.
      using setup = new Setup([access, call(CALL.getpid), call(CALL.exit, 5)]);
      setup.pager.answers = 'now';
      setup.pager.during.commit = () => during(setup);
      expect(setup.run()).toBe('halted');
      expect(setup.kernel.exitStatus).toBe(status);
      if (message !== undefined) expect(setup.log[0]).toMatch(message);
    }
  });
});

describe('a program whose heap runs into what the host has mapped', () => {
  test('is refused the memory, and goes on', () => {
    using setup = new Setup([
      call(CALL.sbrk, 2 * SLOW),
      move(x.s1, x.a0),
      call(CALL.sbrk, PAGE_SIZE),
      encode('slt', { rd: x.a0, rs1: x.zero, rs2: x.a0 }),
      encode('add', { rd: x.a0, rs1: x.a0, rs2: x.s1 }),
      exitWithResult,
    ]);
    expect(setup.run()).toBe('halted');
    expect(setup.kernel.exitStatus).toBe(0);
  });
});

describe('the machine', () => {
  /** Runs a program that reads a byte of input first: by then its memory is mapped. */
  const runSlow = async (
    code: readonly Code[],
    pager: TestPager,
    options: RunOptions = {},
  ): Promise<{ result: RunResult; text: string }> => {
    using machine = new Machine({
      files: { '/program': program(call(CALL.read, 0, DATA, 1), ...code) },
      memoryBytes: 4 * MIB,
    });
    const { objects } = machine.virtualMemory;
    const vmo = objects.create({ size: pager.size, pager, rights: ['dup', 'read', 'write', 'exec'] });
    let reads = 0;
    const input = {
      read: async () => {
        if (reads++ === 0) {
          mapSlow(machine.kernel!.processes.get(1)!, vmo);
          return { done: false, value: new TextEncoder().encode('\n') };
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
        return { done: false, value: new TextEncoder().encode('typed\n') };
      },
    };
    let text = '';
    const output = { write: (bytes: Uint8Array) => void (text += new TextDecoder().decode(bytes)) };
    const result = await machine.run(['/program'], { input, output, ...options });
    expect(machine.audit()).toEqual([]);
    vmo.close({ unwritten: 'discard' });
    await settle();
    expect(machine.virtualMemory.spaces.size).toBe(0);
    return { result, text };
  };

  test('waits for a pager that answers later, and ends as ever', async () => {
    const pager = new TestPager(SLOW_PAGES * PAGE_SIZE);
    pager.answers = 'later';
    const { result } = await runSlow([loadByte(x.a0, SLOW), exitWithResult], pager);
    expect(result).toMatchObject({ outcome: 'exited', exitStatus: pager.bytes[0] });
  });

  test('can be aborted while a process is parked, and gives all back', async () => {
    const pager = new TestPager(SLOW_PAGES * PAGE_SIZE);
    pager.answers = 'held';
    const { result } = await runSlow([storeByte(1, SLOW), call(CALL.exit, 0)], pager, {
      signal: AbortSignal.timeout(50),
    });
    expect(result).toMatchObject({ outcome: 'aborted', exitStatus: -1 });
    expect(pager.heard()[0]).toBe('commit 0+1');
  });

  test('gives input to one process while another waits for a pager that never answers', async () => {
    const pager = new TestPager(SLOW_PAGES * PAGE_SIZE);
    pager.answers = 'held';
    const code = [
      call(CALL.fork),
      inChild(loadByte(x.a0, SLOW), call(CALL.exit, 0)),
      call(CALL.read, 0, DATA, 10),
      exitWithResult,
    ];
    const { result } = await runSlow(code, pager, { signal: AbortSignal.timeout(2000) });
    expect(result).toMatchObject({ outcome: 'exited', exitStatus: 6 });
  });

  test('takes output of one process while another waits for a pager that never answers', async () => {
    const pager = new TestPager(SLOW_PAGES * PAGE_SIZE);
    pager.answers = 'held';
    const code = [
      call(CALL.fork),
      inChild(loadByte(x.a0, SLOW), call(CALL.exit, 0)),
      spin(400_000),
      storeByte(0x21, DATA),
      call(CALL.write, 1, DATA, 1),
      call(CALL.read, 0, DATA, 10),
      exitWithResult,
    ];
    const { text } = await runSlow(code, pager, { signal: AbortSignal.timeout(1000) });
    expect(text).toBe('!');
  });

  test('loses nothing of a run that is over', async () => {
    using machine = new Machine({ files: { '/program': program(call(CALL.exit, 3)) }, memoryBytes: 4 * MIB });
    const result = await machine.run(['/program']);
    expectNothingLost(machine, result);
  });
});
