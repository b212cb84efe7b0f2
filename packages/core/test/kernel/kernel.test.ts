import { describe, expect, test } from 'vitest';
import { Machine } from '../../src/machine/index.js';
import { encode, x } from '../support/riscv/assembler.js';
import {
  branch,
  CALL,
  call,
  type Code,
  DATA,
  guestFiles,
  inChild,
  label,
  li,
  MIB,
  program,
  runOn,
  runOnce,
} from '../support/machine.js';

const store = (from: number, to: number): Code => [li(x.t0, to), encode('sd', { rs1: x.t0, rs2: from })];
const load = (rd: number, from: number): Code => [li(x.t0, from), encode('ld', { rd, rs1: x.t0 })];
const loadInt = (rd: number, from: number): Code => [li(x.t0, from), encode('lw', { rd, rs1: x.t0 })];
const move = (rd: number, rs1: number): number => encode('addi', { rd, rs1 });
/** Exits with whatever is in a0. */
const exitWithResult = [li(x.a7, CALL.exit), encode('ecall')];
const run = (code: readonly Code[], options = {}, runOptions = {}) =>
  runOnce(
    ['/program'],
    { files: { '/program': program(code) }, memoryBytes: 2 * MIB, ...options },
    runOptions,
  );

describe('a process', () => {
  test('starts with argc, argv and sp, all other registers zero', async () => {
    const others = [x.ra, x.gp, x.tp, x.t1, x.s0, x.a2, x.a3, x.a7, x.s11, x.t6];
    const { exitStatus } = await run([
      // a0 = argc (1) + 2 * (sp != a1) + all the others together.
      encode('sub', { rd: x.t0, rs1: x.sp, rs2: x.a1 }),
      encode('sltu', { rd: x.t0, rs1: x.zero, rs2: x.t0 }),
      encode('slli', { rd: x.t0, rs1: x.t0, imm: 1 }),
      encode('add', { rd: x.a0, rs1: x.a0, rs2: x.t0 }),
      ...others.map((register) => encode('add', { rd: x.a0, rs1: x.a0, rs2: register })),
      exitWithResult,
    ]);
    expect(exitStatus).toBe(1);
  });

  test('that asks for a call that does not exist gets -1 and goes on', async () => {
    for (const number of [0, 22, 1000, -1, -(2 ** 31)]) {
      const { exitStatus } = await run([call(number), exitWithResult]);
      expect(exitStatus).toBe(-1);
    }
  });

  test('exits with all 32 bits of its status', async () => {
    expect((await run([call(CALL.exit, 0x1234_5678)])).exitStatus).toBe(0x1234_5678);
    expect((await run([call(CALL.exit, -77)])).exitStatus).toBe(-77);
  });

  test('that forks gives its child all its registers but a0', async () => {
    const { exitStatus } = await run([
      li(x.s1, 41),
      call(CALL.fork),
      inChild(encode('addi', { rd: x.a0, rs1: x.s1, imm: 1 }), exitWithResult),
      call(CALL.wait, DATA),
      loadInt(x.a0, DATA),
      exitWithResult,
    ]);
    expect(exitStatus).toBe(42);
  });

  test('whose parent has exited is adopted by process 1, which can wait for it', async () => {
    const { exitStatus } = await run([
      call(CALL.fork),
      // The child leaves a grandchild behind that sleeps on.
      inChild(call(CALL.fork), inChild(call(CALL.sleep, 5), call(CALL.exit, 7)), call(CALL.exit, 0)),
      call(CALL.wait, 0),
      call(CALL.wait, DATA),
      loadInt(x.a0, DATA),
      exitWithResult,
    ]);
    expect(exitStatus).toBe(7);
  });

  test('that is a zombie when its parent exits wakes process 1, which waits for any child', async () => {
    // Init waits for its only child, which sleeps on; a grandchild exits and leaves a zombie to init.
    const { outcome, exitStatus } = await run([
      call(CALL.fork),
      inChild(
        call(CALL.fork),
        inChild(call(CALL.fork), inChild(call(CALL.exit, 7)), call(CALL.sleep, 3), call(CALL.exit, 0)),
        call(CALL.sleep, 1000),
        call(CALL.exit, 1),
      ),
      call(CALL.wait, DATA),
      loadInt(x.a0, DATA),
      exitWithResult,
    ]);
    expect({ outcome, exitStatus }).toEqual({ outcome: 'exited', exitStatus: 7 });
  });

  test('that asks for memory by a number of more than 32 bits is not given the low half', async () => {
    for (const shift of [32, 33, 40, 62]) {
      const { exitStatus } = await run([
        li(x.a0, 1),
        encode('slli', { rd: x.a0, rs1: x.a0, imm: shift }),
        call(CALL.sbrk, undefined),
        exitWithResult,
      ]);
      expect(exitStatus).toBe(-1);
    }
  });

  test('that gives back more memory than it has keeps all, and is told its break', async () => {
    for (const bytes of [-0x7000_0000, -(2 ** 31)]) {
      const { exitStatus } = await run([
        call(CALL.sbrk, 0),
        move(x.s1, x.a0),
        call(CALL.sbrk, bytes),
        // Both are the same, and the break is where it was.
        encode('sub', { rd: x.s2, rs1: x.a0, rs2: x.s1 }),
        call(CALL.sbrk, 0),
        encode('sub', { rd: x.a0, rs1: x.a0, rs2: x.s1 }),
        encode('or', { rd: x.a0, rs1: x.a0, rs2: x.s2 }),
        exitWithResult,
      ]);
      expect(exitStatus).toBe(0);
    }
  });

  test('that is killed while it sleeps does not wait for its time', async () => {
    const { exitStatus } = await run([
      call(CALL.fork),
      inChild(call(CALL.sleep, 1_000_000), call(CALL.exit, 0)),
      move(x.s1, x.a0),
      // One tick, so that the child is asleep.
      call(CALL.sleep, 1),
      move(x.a0, x.s1),
      call(CALL.kill, undefined),
      call(CALL.wait, DATA),
      call(CALL.uptime),
      exitWithResult,
    ]);
    expect(exitStatus).toBeLessThan(10);
  });
});

describe('time', () => {
  test('leaps where everyone sleeps, so a long sleep takes no time on the host', async () => {
    const { exitStatus } = await run([call(CALL.sleep, 500_000_000), call(CALL.uptime), exitWithResult]);
    expect(exitStatus).toBe(500_000_000);
  });

  test('passes with instructions while anyone runs', async () => {
    const { exitStatus, instructions } = await run([
      li(x.s1, 4_000_000),
      label('spin'),
      encode('addi', { rd: x.s1, rs1: x.s1, imm: -1 }),
      branch('bne', 'spin', x.s1),
      call(CALL.uptime),
      exitWithResult,
    ]);
    expect(instructions).toBeGreaterThan(8_000_000);
    expect(exitStatus).toBe(8);
  });

  test('a sleep of nothing, or less, returns at once', async () => {
    expect((await run([call(CALL.sleep, 0), exitWithResult])).exitStatus).toBe(0);
    expect((await run([call(CALL.sleep, -5), call(CALL.uptime), exitWithResult])).exitStatus).toBe(0);
  });
});

describe('when nothing can go on', () => {
  test('a process that reads a pipe which only it could write is stuck, and is killed', async () => {
    const result = await run([
      call(CALL.pipe, DATA),
      loadInt(x.a0, DATA),
      call(CALL.read, undefined, DATA + 16, 1),
      call(CALL.exit, 0),
    ]);
    expect(result).toMatchObject({ outcome: 'stuck', exitStatus: -1 });
  });

  test('process 1 that exits takes all others with it', async () => {
    const result = await run([
      call(CALL.fork),
      inChild(label('for ever'), branch('jal', 'for ever')),
      call(CALL.sleep, 3),
      call(CALL.exit, 9),
    ]);
    expect(result).toMatchObject({ outcome: 'exited', exitStatus: 9 });
  });
});

describe('the console', () => {
  /** Copies its input to its output, a read at a time, and exits with the number of reads that gave something. */
  const copyInput: Code = [
    li(x.s2, 0),
    label('next'),
    call(CALL.read, 0, DATA, 100),
    branch('bge', 'end', x.zero, x.a0),
    move(x.a2, x.a0),
    call(CALL.write, 1, DATA),
    encode('addi', { rd: x.s2, rs1: x.s2, imm: 1 }),
    branch('jal', 'next'),
    label('end'),
    move(x.a0, x.s2),
    exitWithResult,
  ];

  const sourceOf = (...chunks: readonly string[]) => {
    const left = chunks.map((chunk) => new TextEncoder().encode(chunk));
    return { read: async () => (left.length > 0 ? { done: false, value: left.shift() } : { done: true }) };
  };

  test('gives input a line at a time, whatever pieces it came in, and then its end', async () => {
    const input = sourceOf('one\ntw', 'o\n', '', 'three');
    const result = await run([copyInput], {}, { input });
    expect(result.text).toBe('one\ntwo\nthree');
    expect(result.exitStatus).toBe(4);
  });

  test('gives the end of the file where there is no input', async () => {
    expect(await run([copyInput])).toMatchObject({ text: '', exitStatus: 0 });
  });

  test('makes a writer wait for a slow reader, and loses nothing', async () => {
    const bytes = 1000;
    // Writes the page at DATA, zeros, 1000 times 100 bytes.
    const code = [
      li(x.s1, bytes),
      label('next'),
      call(CALL.write, 1, DATA, 100),
      encode('addi', { rd: x.s1, rs1: x.s1, imm: -1 }),
      branch('bne', 'next', x.s1),
      call(CALL.exit, 0),
    ];
    let received = 0;
    let largest = 0;
    const output = {
      write: async (chunk: Uint8Array) => {
        await new Promise((resolve) => setTimeout(resolve, 1));
        received += chunk.length;
        largest = Math.max(largest, chunk.length);
      },
    };
    const result = await run(code, { limits: { consoleBytes: 256 } }, { output });
    expect(result.exitStatus).toBe(0);
    expect(received).toBe(bytes * 100);
    expect(largest).toBeLessThanOrEqual(256);
  });

  test('a write larger than the console holds arrives whole', async () => {
    const code = [call(CALL.write, 1, DATA, 4096), exitWithResult];
    const result = await run(code, { limits: { consoleBytes: 100 } });
    expect(result.exitStatus).toBe(4096);
    expect(result.text).toBe('\0'.repeat(4096));
  });

  test('an error of the output ends the run with that error, and nothing is lost', async () => {
    using machine = new Machine({ files: guestFiles, memoryBytes: 4 * MIB });
    const output = { write: () => Promise.reject(new Error('the reader is gone')) };
    await expect(machine.run(['/init', '/hello'], { output })).rejects.toThrow('the reader is gone');
    expect(machine.audit()).toEqual([]);
    expect(machine.virtualMemory.spaces.size).toBe(0);
    expect((await runOn(machine, ['/hello'])).exitStatus).toBe(0);
  });

  test('input arrives while others run or sleep', async () => {
    for (const other of [
      [label('busy'), branch('jal', 'busy')],
      [label('busy'), call(CALL.sleep, 1), branch('jal', 'busy')],
    ]) {
      const code = [call(CALL.fork), inChild(other), call(CALL.read, 0, DATA, 100), exitWithResult];
      const result = await run(code, {}, { input: sourceOf('four'), signal: AbortSignal.timeout(20_000) });
      expect(result).toMatchObject({ outcome: 'exited', exitStatus: 4 });
    }
  });

  test('input in one large piece is read byte by byte to its end', async () => {
    const bytes = 50_000;
    const code = [
      li(x.s1, -1),
      label('next'),
      encode('addi', { rd: x.s1, rs1: x.s1, imm: 1 }),
      call(CALL.read, 0, DATA, 1),
      branch('bne', 'next', x.a0),
      move(x.a0, x.s1),
      exitWithResult,
    ];
    const { exitStatus } = await run(code, {}, { input: sourceOf('x'.repeat(bytes)) });
    expect(exitStatus).toBe(bytes);
  });

  test('an error of the input ends the run with that error', async () => {
    const input = { read: () => Promise.reject(new Error('the terminal is gone')) };
    await expect(run([copyInput], {}, { input })).rejects.toThrow('the terminal is gone');
  });

  test('a run can be aborted while its output is not taken', async () => {
    const result = await run(
      [call(CALL.write, 1, DATA, 10), call(CALL.exit, 0)],
      {},
      { output: { write: () => new Promise(() => {}) }, signal: AbortSignal.timeout(20) },
    );
    expect(result.outcome).toBe('aborted');
  });

  test('what processes do does not depend on how fast the host is', async () => {
    // Two writers that fill the console again and again, on hosts whose turns end after 1, 3 or ever so many steps.
    const writer = (character: number): Code => [
      li(x.t0, DATA),
      li(x.t1, character),
      encode('sb', { rs1: x.t0, rs2: x.t1 }),
      li(x.s1, 300),
      label(`again ${character}`),
      call(CALL.write, 1, DATA, 200),
      encode('addi', { rd: x.s1, rs1: x.s1, imm: -1 }),
      branch('bne', `again ${character}`, x.s1),
    ];
    const code = [
      call(CALL.fork),
      inChild(writer(0x61), call(CALL.exit, 0)),
      writer(0x62),
      call(CALL.wait, 0),
      call(CALL.exit, 0),
    ];
    const results = [];
    for (const msPerLook of [100, 4, 0]) {
      let now = 0;
      const host = { now: () => (now += msPerLook), pause: () => Promise.resolve() };
      const { text, instructions } = await run(code, { host, limits: { consoleBytes: 1000 } });
      results.push({ text, instructions });
    }
    expect(results[0]!.text).toHaveLength(2 * 300 * 200);
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  test('a run can be aborted while it waits for input that never comes', async () => {
    const result = await run(
      [copyInput],
      {},
      { input: { read: () => new Promise(() => {}) }, signal: AbortSignal.timeout(20) },
    );
    expect(result).toMatchObject({ outcome: 'aborted', exitStatus: -1 });
  });
});

describe('limits', () => {
  test('the table of open files is full before the descriptors of many processes are', async () => {
    const { exitStatus } = await run(
      [
        // Opens pipes until one fails; the number that worked is the status.
        li(x.s1, -1),
        label('next'),
        encode('addi', { rd: x.s1, rs1: x.s1, imm: 1 }),
        call(CALL.pipe, DATA),
        branch('beq', 'next', x.a0),
        move(x.a0, x.s1),
        exitWithResult,
      ],
      { limits: { openFiles: 6, filesPerProcess: 64 } },
    );
    // The console is one open file; two pipes are four more, and a third has no room.
    expect(exitStatus).toBe(2);
  });

  test('a quantum or a number of code slots that makes no sense is refused', async () => {
    await expect(run([], { quantumInstructions: 0 })).rejects.toThrow('quantumInstructions of 0');
    await expect(run([], { quantumInstructions: 1.5 })).rejects.toThrow('quantumInstructions of 1.5');
    await expect(run([], { codeSlots: 0 })).rejects.toThrow('0 code slots');
  });

  test.each([
    [{ pipeBytes: 0 }, 'limit pipeBytes of 0'],
    [{ pipeBytes: -1 }, 'limit pipeBytes of -1'],
    [{ consoleBytes: 0 }, 'limit consoleBytes of 0'],
    [{ filesPerProcess: 2 }, 'limit filesPerProcess of 2'],
    [{ processes: 1.5 }, 'limit processes of 1.5'],
    [{ arguments: Number.NaN }, 'limit arguments of NaN'],
  ])('of %j are refused', async (limits, message) => {
    await expect(run([], { limits })).rejects.toThrow(message);
  });

  test('more arguments than a program may have are refused', async () => {
    const argv: [string, ...string[]] = ['/hello', ...Array.from({ length: 31 }, () => 'x')];
    await expect(runOnce(argv)).rejects.toThrow('32 arguments for /hello: at most 31 are possible');
  });
});

describe('memory that runs out', () => {
  test.each(['/init', '/selftest'])('at any allocation: %s starts whole or not at all', async (path) => {
    using machine = new Machine({ files: guestFiles, memoryBytes: 4 * MIB });
    const { memory } = machine;
    for (let n = 1; n <= 60; n++) {
      const free = memory.freeFrames;
      memory.failAllocation(n);
      const failure = await machine.run([path, '/hello', '--echo-args', 'a', 'b']).then(
        () => undefined,
        (error: unknown) => error,
      );
      memory.failAllocation(0);
      expect(machine.audit()).toEqual([]);
      expect(memory.freeFrames).toBe(free);
      if (failure !== undefined) expect(failure).toMatchObject({ code: 'ENOMEM' });
    }
  });

  test('at any allocation of a fork leaves the parent to go on with -1', async () => {
    // Forks once; the child exits with 5. The parent exits with 100 where fork failed, else with the child's status.
    const code = [
      store(x.sp, DATA),
      call(CALL.fork),
      branch('blt', 'no fork', x.a0),
      inChild(load(x.t1, DATA), call(CALL.exit, 5)),
      call(CALL.wait, DATA + 8),
      loadInt(x.a0, DATA + 8),
      exitWithResult,
      label('no fork'),
      call(CALL.exit, 100),
    ];
    using machine = new Machine({ files: { '/program': program(code) }, memoryBytes: 2 * MIB });
    const statuses = new Set<number>();
    for (let n = 1; n <= 40; n++) {
      // The one after too: a first failure has pages of files give room, and the allocation is tried again.
      let asked = 0;
      machine.memory.failAllocationsWhen(() => ++asked >= n && asked < n + 2);
      const status = await runOn(machine, ['/program']).then(
        ({ exitStatus }) => exitStatus,
        (error: { code?: string }) => (error.code === 'ENOMEM' ? 'not started' : Promise.reject(error)),
      );
      machine.memory.failAllocationsWhen(undefined);
      if (typeof status === 'number') statuses.add(status);
      expect(machine.audit()).toEqual([]);
    }
    // fork refused; the child or the parent killed in a COW fault; nothing failed.
    expect([...statuses].toSorted((a, b) => a - b)).toEqual([-1, 5, 100]);
  });
});
