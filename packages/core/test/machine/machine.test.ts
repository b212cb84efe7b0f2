import { describe, expect, test } from 'vitest';
import { formatMemoryReport, Machine } from '../../src/machine/index.js';
import { guestFiles, MIB, runOn, runOnce } from '../support/machine.js';

describe('a machine', () => {
  test('runs one program after another, each in clean memory', async () => {
    using machine = new Machine({ files: guestFiles, memoryBytes: 8 * MIB });
    for (let round = 0; round < 3; round++) {
      expect((await runOn(machine, ['/init', '/hello'])).text).toBe('hello from holstein: pid 2\n');
      expect((await runOn(machine, ['/init', '/cowtest', 'forkfork'])).exitStatus).toBe(0);
    }
  });

  test('runs one program at a time', async () => {
    using machine = new Machine({ files: guestFiles, memoryBytes: 2 * MIB });
    const first = machine.run(['/spin'], { signal: AbortSignal.timeout(30) });
    await expect(machine.run(['/hello'])).rejects.toMatchObject({ code: 'EBUSY' });
    expect((await first).outcome).toBe('aborted');
  });

  test('lets the event loop turn while a program runs', async () => {
    using machine = new Machine({ files: guestFiles, memoryBytes: 2 * MIB });
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await machine.run(['/spin'], { signal: AbortSignal.timeout(200) });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
  });

  test.each([0, -65536, 4096, 65537, Number.NaN, 2 ** 32, Number.POSITIVE_INFINITY])(
    'of %d bytes is refused',
    (memoryBytes) => {
      expect(() => new Machine({ memoryBytes })).toThrow(/RAM of .* bytes/);
    },
  );

  test('too small for its own tables is refused, and says what it would take', () => {
    expect(() => new Machine({ memoryBytes: 64 * 1024 })).toThrow(
      /too small: the hart and the frame table alone take \d+ bytes/,
    );
  });

  test('as small as can be boots, and says that a program does not fit', async () => {
    using machine = new Machine({ files: guestFiles, memoryBytes: 384 * 1024 });
    const { free } = machine.memory.statistics();
    await expect(machine.run(['/selftest'])).rejects.toMatchObject({ code: 'ENOMEM' });
    expect(machine.memory.statistics().free).toBe(free);
    expect(machine.audit()).toEqual([]);
  });

  test('as large as can be boots and runs', async () => {
    const run = await runOnce(['/init', '/hello'], { memoryBytes: 2 ** 32 - 2 ** 16 });
    expect(run.text).toBe('hello from holstein: pid 2\n');
  });

  test('says which program it does not have', async () => {
    await expect(runOnce(['/nonesuch'])).rejects.toMatchObject({
      code: 'ENOENT',
      message: 'there is no program /nonesuch',
    });
    await expect(runOnce(['toString'])).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('finds programs from the root, however their path is written', async () => {
    for (const path of ['hello', '/hello', './hello', '//hello']) {
      expect((await runOnce([path])).text).toBe('hello from holstein: pid 1\n');
    }
  });

  test('closed, has only its Reserved, Meta and Kernel frames in use', async () => {
    const machine = new Machine({ files: guestFiles, memoryBytes: 2 * MIB });
    await machine.run(['/hello']);
    machine.close();
    machine.close();
    const { byUsage } = machine.memory.statistics();
    expect(byUsage).toMatchObject({ Frame: 0, PageTable: 0, Kernel: 0, KernelStack: 0 });
  });

  test('closed while a program runs, ends it', async () => {
    const machine = new Machine({ files: guestFiles, memoryBytes: 2 * MIB });
    const running = machine.run(['/spin']);
    machine.close();
    expect((await running).exitStatus).toBe(-1);
    expect(machine.memory.statistics().byUsage.Frame).toBe(0);
  });
});

test('the memory report lists what happened, with units', () => {
  const report = formatMemoryReport({
    forks: 1421,
    faults: {
      copied: 10,
      reused: 5,
      'zero-filled': 3,
      'zero-mapped': 0,
      mapped: 7,
      present: 0,
      waiting: 0,
      protection: 1,
      unmapped: 0,
      'beyond-end': 0,
      revoked: 0,
      'pager-error': 0,
      'out-of-memory': 0,
    },
    framesCopied: 10,
    framesMadeWritable: 5,
    framesNeverCopied: 290,
    framesSharedByForks: 300,
    framesCopiedByForks: 0,
    framesInUseBefore: 805,
    framesInUseAfter: 805,
  });
  expect(report).toMatchInlineSnapshot(`
    "memory report
      forks                                   1,421
      page faults                                26
        copied a shared frame                    10
        made the last owner’s frame writable      5
        filled with zeros                         3
        mapped an object’s frame                  7
        refused: protection                       1
      frames copied on write                     10 (40 KiB)
      frames made writable in place               5 (20 KiB)
      frames never copied                       290 (1.1 MiB)
      an eager fork would have copied           300 (1.2 MiB)
      frames in use before                      805 (3.1 MiB)
      frames in use after                       805 (3.1 MiB)"
  `);
});
