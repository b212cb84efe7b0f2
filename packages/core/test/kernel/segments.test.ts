import { expect, test } from 'vitest';
import { CALL, call, MIB, program, runOnce } from '../support/machine.js';
import { readElf, writeElf } from '../support/riscv/elf-writer.js';

/** A program with a segment more: a page from the file and a half of it, then zeros. */
const withSegment = (flags: number): Uint8Array => {
  const { entry, segments } = readElf(program([call(CALL.exit, 7)]));
  const content = new Uint8Array(6000).fill(1);
  return writeElf({
    entry,
    segments: [...segments, { address: 0x10_0000, flags, content, sizeBytes: 20_000 }],
  });
};

test.each([0, 1, 2, 3, 4, 5, 6, 7])(
  'a program runs that has a segment of flags %i which ends in zeros, half a page into it',
  async (flags) => {
    const run = await runOnce(['/program'], {
      files: { '/program': withSegment(flags) },
      memoryBytes: 2 * MIB,
    });
    expect(run).toMatchObject({ outcome: 'exited', exitStatus: 7 });
  },
);
