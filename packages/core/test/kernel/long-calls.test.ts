/** Calls that take long are made in parts, and others have their turns between these: counted here, never timed. */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE, Usage } from '../../src/frame/index.js';
import { KILLED_STATUS } from '../../src/kernel/index.js';
import { branch, call, DATA, label, MIB, program } from '../support/machine.js';
import { encode, x } from '../support/riscv/assembler.js';
import { readElf, SEGMENT_FLAGS, writeElf } from '../support/riscv/elf-writer.js';
import { packed } from './broken-elf.js';
import { CALL, idleProgram } from './files/calls-world.js';
import { EAGER, LongCallsWorld, MOST } from './long-calls-world.js';

const CREATE = 0x200;
const RDWR = 2;
const SECTOR = 512;

/** Bytes that tell from each other where in them they are. */
const patterned = (length: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += SECTOR) bytes[at] = byteAt(at);
  return bytes;
};
const byteAt = (at: number): number => (at % SECTOR === 0 ? 1 + ((at / SECTOR) % 251) : 0);

/** Where the large program has its data. */
const LARGE_DATA = 0x1000_0000;
const LARGE_BYTES = 7 * MIB;

/** A program that makes calls as the world's others do, with so many bytes of data in its file. */
const largeProgram = (dataBytes: number): Uint8Array => {
  const { entry, segments } = readElf(idleProgram());
  const data = {
    address: LARGE_DATA,
    flags: SEGMENT_FLAGS.read | SEGMENT_FLAGS.write,
    content: patterned(dataBytes),
    sizeBytes: dataBytes,
  };
  return writeElf({ entry, segments: [...segments, data] });
};

/** The fewest turns that take, or give back, so much. */
const turnsToTake = (bytes: number): number => bytes / PAGE_SIZE / MOST.framesTaken;

describe('is made in parts, each a turn, with the turns of others between:', () => {
  test('sbrk that grows', () => {
    using world = new LongCallsWorld();
    const before = world.caller.process.breakAddress;
    const resident = world.caller.process.space.residentFrames;
    const { result, turns } = world.call(CALL.sbrk, 48 * MIB, EAGER);
    expect(result).toBe(before);
    expect(world.caller.process.breakAddress).toBe(before + 48 * MIB);
    expect(world.caller.process.space.residentFrames - resident).toBe((48 * MIB) / PAGE_SIZE);
    expect(turns.length).toBeGreaterThanOrEqual(turnsToTake(48 * MIB));
  });

  test('sbrk that shrinks', () => {
    using world = new LongCallsWorld({ memoryBytes: 256 * MIB });
    world.call(CALL.sbrk, 200 * MIB, EAGER);
    const before = world.caller.process.breakAddress;
    const free = world.freeFrames;
    const { result, turns } = world.call(CALL.sbrk, -199 * MIB);
    expect(result).toBe(before);
    expect(world.caller.process.breakAddress).toBe(before - 199 * MIB);
    expect(world.freeFrames - free).toBeGreaterThanOrEqual((199 * MIB) / PAGE_SIZE);
    expect(turns.length).toBeGreaterThanOrEqual((199 * MIB) / PAGE_SIZE / MOST.framesFreed);
  });

  test('read: from the host at first, from memory then', () => {
    const length = 24 * MIB + 100;
    using world = new LongCallsWorld({ files: { '/large': patterned(length) } });
    const to = world.lazyMemory(length + PAGE_SIZE);
    for (const from of ['the host', 'memory']) {
      const fd = world.caller.call(CALL.open, '/large', 0)!;
      const { result, turns } = world.call(CALL.read, fd, to, length + 50);
      expect(result).toBe(length);
      expect(turns.length, from).toBeGreaterThanOrEqual(length / MOST.hostBytes);
      for (let at = 0; at < length; at += MIB - SECTOR) {
        expect(world.caller.get(to + at, 1)[0]).toBe(byteAt(at));
      }
      expect(world.caller.call(CALL.close, fd)).toBe(0);
    }
  });

  test('write, and the close after it', () => {
    const length = 24 * MIB + 100;
    using world = new LongCallsWorld();
    const from = world.lazyMemory(length);
    for (let at = 0; at < length; at += 20 * SECTOR) world.caller.put(from + at, Uint8Array.of(byteAt(at)));
    const fd = world.caller.call(CALL.open, '/large', CREATE | RDWR)!;
    const { result, turns } = world.call(CALL.write, fd, from, length);
    expect(result).toBe(length);
    expect(turns.length).toBeGreaterThanOrEqual(length / MOST.hostBytes);
    expect(world.call(CALL.close, fd).result).toBe(0);
    const written = world.onHost('/large');
    expect(written.length).toBe(length);
    for (let at = 0; at < length; at += 20 * SECTOR) if (written[at] !== byteAt(at)) expect(at).toBe(-1);
  });

  test.each([
    ['is mapped', largeProgram(LARGE_BYTES)],
    ['is copied', packed(largeProgram(LARGE_BYTES))],
  ])('exec of a large program, whose file %s', (_, file) => {
    using world = new LongCallsWorld({ files: { '/large': file } });
    const { turns } = world.call(CALL.exec, '/large', world.caller.argv('large'));
    expect(world.caller.process.name).toBe('large');
    // Its file is read a part at a time.
    expect(turns.length).toBeGreaterThan(4);
    for (let at = 0; at < LARGE_BYTES; at += MIB - SECTOR) {
      expect(world.caller.get(LARGE_DATA + at, 1)[0]).toBe(byteAt(at));
    }
  });

  test('read of a directory of 3,000 names', () => {
    const names = Array.from({ length: 3_000 }, (_, index) => `f${index}`);
    using world = new LongCallsWorld({ files: Object.fromEntries(names.map((name) => [`/${name}`, ''])) });
    const to = world.lazyMemory(MIB);
    const fd = world.caller.call(CALL.open, '/', 0)!;
    const { result, turns } = world.call(CALL.read, fd, to, MIB);
    // '.', '..', the console and the program of this world are there too.
    expect(result).toBe(16 * (names.length + 4));
    expect(turns.length).toBeGreaterThanOrEqual(names.length / MOST.hostCalls);
  });

  test('reports of inspect: one, or two, to a turn', () => {
    const INSPECT = 1001;
    const loop = program(
      label('next'),
      call(INSPECT, 2, 1, DATA + 64, 1000, 0),
      encode('addi', { rd: x.s1, rs1: x.s1, imm: 1 }),
      encode('lui', { rd: x.t0, imm: DATA }),
      encode('sd', { rs1: x.t0, rs2: x.s1 }),
      branch('jal', 'next'),
    );
    using world = new LongCallsWorld({ files: { '/loop': loop } });
    world.caller.begin(CALL.exec, '/loop', world.caller.argv('loop'));
    world.turns(1);
    const reports = (): bigint =>
      new DataView(world.caller.get(DATA, 8).slice().buffer).getBigUint64(0, true);
    const before = reports();
    world.turns(20);
    expect(reports() - before).toBeGreaterThanOrEqual(20n);
    expect(reports() - before).toBeLessThanOrEqual(40n);
  });
});

/** Long calls, begun and not finished: each with what it needs. */
const LONG: readonly (readonly [name: string, begin: (world: LongCallsWorld) => void])[] = [
  ['sbrk that grows', ({ caller }) => caller.begin(CALL.sbrk, 40 * MIB, EAGER)],
  [
    'read',
    (world) => {
      const to = world.lazyMemory(LARGE_BYTES);
      const fd = world.caller.call(CALL.open, '/large', 0)!;
      world.caller.begin(CALL.read, fd, to, LARGE_BYTES);
    },
  ],
  [
    'write',
    (world) => {
      const from = world.lazyMemory(LARGE_BYTES);
      const fd = world.caller.call(CALL.open, '/new', CREATE | RDWR)!;
      world.caller.begin(CALL.write, fd, from, LARGE_BYTES);
    },
  ],
  ['exec', ({ caller }) => caller.begin(CALL.exec, '/large', caller.argv('large'))],
];

describe.each(LONG)('%s', (_, begin) => {
  test('leaves nothing behind where the process is killed in the middle', () => {
    for (let turns = 1; turns <= 3; turns++) {
      using world = new LongCallsWorld({ files: { '/large': largeProgram(LARGE_BYTES) } });
      begin(world);
      expect(world.turns(turns)).toHaveLength(turns);
      expect(world.caller.isIdle, 'the call is done already').toBe(false);
      expect(world.calls.kernel.kill(world.caller.process.pid)).toBe(true);
      world.turns();
      expect(world.isEnded).toBe(true);
      expect(world.caller.process.exitStatus).toBe(KILLED_STATUS);
      expect(world.calls.audit()).toEqual([]);
      // The world's end looks for frames and descriptors.
    }
  });
});

describe('where memory runs out in the middle', () => {
  test('sbrk gives -1, and the process has what it had', () => {
    using world = new LongCallsWorld({ memoryBytes: 40 * MIB });
    const { caller } = world;
    const { memory } = world.calls.machine;
    world.call(CALL.sbrk, MIB, EAGER);
    const before = world.state;
    const free = world.freeFrames;
    caller.begin(CALL.sbrk, 24 * MIB, EAGER);
    world.turns(2);
    expect(caller.isIdle).toBe(false);
    // Somebody else takes what it counts on.
    const taken = Array.from({ length: world.freeFrames - 100 }, () => memory.allocate(Usage.Frame));
    world.turns();
    expect(caller.result).toBe(-1);
    expect(world.state).toBe(before);
    for (const frame of taken) memory.release(frame);
    // A clean page of a file may have gone for it.
    expect(world.freeFrames).toBeGreaterThanOrEqual(free);
    expect(world.call(CALL.sbrk, 24 * MIB, EAGER).result).toBe(caller.process.breakAddress - 24 * MIB);
  });

  test('exec gives -1, and the caller goes on', () => {
    using world = new LongCallsWorld({
      memoryBytes: 24 * MIB,
      files: { '/large': packed(largeProgram(LARGE_BYTES)) },
    });
    const free = (): number => world.freeFrames * PAGE_SIZE;
    world.other.call(CALL.sbrk, free() - 5 * MIB, EAGER);
    const argv = world.caller.argv('large');
    // The page of its strings is there from now on.
    expect(world.caller.call(CALL.chdir, '/')).toBe(0);
    const before = world.state;
    expect(world.call(CALL.exec, '/large', argv).result).toBe(-1);
    expect(world.state).toBe(before);
    expect(world.caller.call(CALL.getpid)).toBe(world.caller.process.pid);
  });

  test('at any allocation: sbrk grows or gives -1 with nothing changed', () => {
    const bytes = 9 * MIB;
    const numbers = [1, 2, 3, 4, 1024, 1026, 1028, 1500, 2054, 2300, 9999];
    for (const first of numbers) {
      for (const count of [1, Number.POSITIVE_INFINITY]) {
        using world = new LongCallsWorld({ memoryBytes: 32 * MIB });
        const { memory } = world.calls.machine;
        const before = world.state;
        const free = world.freeFrames;
        const breakBefore = world.caller.process.breakAddress;
        let asked = 0;
        memory.failAllocationsWhen(() => ++asked >= first && asked < first + count);
        const { result } = world.call(CALL.sbrk, bytes, EAGER);
        memory.failAllocationsWhen(undefined);
        if (result === -1) {
          expect(world.state).toBe(before);
          // A table that was shared with the other may be the caller's own now.
          expect(free - world.freeFrames).toBeLessThanOrEqual(3);
        } else {
          expect(result).toBe(breakBefore);
          expect(world.caller.process.breakAddress).toBe(breakBefore + bytes);
        }
        if (first === 9999) expect(result).toBe(breakBefore);
        expect(world.calls.audit()).toEqual([]);
      }
    }
  });

  test('at any allocation: sbrk that shrinks what is shared with a fork does it, or gives -1', () => {
    let refused = 0;
    for (let first = 1; first <= 8; first++) {
      using world = new LongCallsWorld({ memoryBytes: 32 * MIB });
      const { memory } = world.calls.machine;
      world.call(CALL.sbrk, 5 * MIB, EAGER);
      const child = world.caller.fork();
      const before = world.state;
      const breakBefore = world.caller.process.breakAddress;
      let asked = 0;
      memory.failAllocationsWhen(() => ++asked >= first);
      const result = world.caller.call(CALL.sbrk, -PAGE_SIZE)!;
      memory.failAllocationsWhen(undefined);
      expect([breakBefore, -1]).toContain(result);
      if (result === -1) {
        refused++;
        expect(world.state).toBe(before);
      } else {
        expect(world.caller.process.breakAddress).toBe(breakBefore - PAGE_SIZE);
      }
      expect(world.calls.audit()).toEqual([]);
      expect(child.call(CALL.exit, 0)).toBeUndefined();
    }
    expect(refused).toBeGreaterThan(0);
  });
});
