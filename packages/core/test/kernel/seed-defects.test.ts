/** Rows 003 and 004 of the seeds' defects, as a running program meets them (test/space has them one layer down). */
import { describe, expect, test } from 'vitest';
import { encode, x } from '../support/riscv/assembler.js';
import {
  CALL,
  call,
  type Code,
  CODE,
  DATA,
  inChild,
  label,
  li,
  MIB,
  program,
  runOnce,
  branch,
} from '../support/machine.js';

const run = (...code: readonly Code[]) =>
  runOnce(['/program'], { files: { '/program': program(code) }, memoryBytes: 2 * MIB });

const store = (address: number): Code => [li(x.t0, address), encode('sd', { rs1: x.t0, rs2: x.zero })];
/** Exits with the status of the one child. */
const exitAsChild: Code = [
  call(CALL.wait, DATA),
  li(x.t0, DATA),
  encode('lw', { rd: x.a0, rs1: x.t0 }),
  li(x.a7, CALL.exit),
  encode('ecall'),
];

describe('seed 003', () => {
  test('003.1: after a fork and a COW fault, data is still not executable', async () => {
    const jumpToData = [li(x.t0, DATA), encode('jalr', { rs1: x.t0 })];
    const { exitStatus, log } = await run(call(CALL.fork), inChild(store(DATA), jumpToData), exitAsChild);
    expect(exitStatus).toBe(-1);
    expect(log).toEqual([
      expect.stringMatching(/killed: it jumped to 0x4000, in 0x4000-0x5000 rw- \w+ \(pc 0x4000\)/),
    ]);
  });

  test('003.1: after a fork text is still not writable', async () => {
    const { exitStatus, log } = await run(
      call(CALL.fork),
      inChild(store(CODE), call(CALL.exit, 0)),
      exitAsChild,
    );
    expect(exitStatus).toBe(-1);
    expect(log).toEqual([expect.stringMatching(/killed: it wrote 0x1000, in 0x1000-0x2000 r-x/)]);
  });

  test('003.2: the last owner of a page writes it in place, so a process alone does not run out of memory', async () => {
    const { exitStatus, memory } = await run(
      store(DATA),
      call(CALL.fork),
      inChild(call(CALL.exit, 0)),
      call(CALL.wait, 0),
      store(DATA),
      call(CALL.exit, 3),
    );
    expect(exitStatus).toBe(3);
    expect(memory.framesMadeWritable).toBeGreaterThan(0);
  });

  test('003.4: an access beyond the break kills, whether or not a frame is near', async () => {
    const { exitStatus, log } = await run(
      call(CALL.fork),
      inChild(store(0x10_0000), call(CALL.exit, 0)),
      exitAsChild,
    );
    expect(exitStatus).toBe(-1);
    expect(log).toEqual([expect.stringMatching(/it wrote 0x100000, where nothing is mapped/)]);
  });
});

describe('seed 004', () => {
  test('004.1: a process that cannot have the memory it writes is killed, and does not fault for ever', async () => {
    // The child takes all memory, and writes a page of its parent's that it shares.
    const takeAll: Code = [label('more'), call(CALL.sbrk, 4096), branch('bge', 'more', x.a0, x.zero)];
    const { exitStatus, log, memory } = await run(
      store(DATA),
      call(CALL.fork),
      inChild(takeAll, store(DATA), call(CALL.exit, 0)),
      exitAsChild,
    );
    expect(exitStatus).toBe(-1);
    expect(log).toEqual([expect.stringMatching(/killed: out of memory when it wrote 0x4000 /)]);
    expect(memory.faults['out-of-memory']).toBe(1);
  });

  test('004.2: system calls with addresses at and beyond MAXVA get -1', async () => {
    for (const shift of [38, 39, 63]) {
      const { exitStatus } = await run(
        li(x.a0, 1),
        encode('slli', { rd: x.a0, rs1: x.a0, imm: shift }),
        call(CALL.pipe, undefined),
        li(x.a7, CALL.exit),
        encode('ecall'),
      );
      expect(exitStatus).toBe(-1);
    }
  });

  test('004.3: the kernel does not write into text for a process: pipe gives -1 and its descriptors back', async () => {
    const { exitStatus } = await run(
      call(CALL.pipe, CODE),
      // The lowest descriptor is free again.
      call(CALL.dup, 0),
      li(x.a7, CALL.exit),
      encode('ecall'),
    );
    expect(exitStatus).toBe(3);
  });
});
