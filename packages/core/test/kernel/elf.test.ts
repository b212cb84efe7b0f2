import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ElfImage, IMAGE_END, parseElf } from '../../src/kernel/index.js';
import { guestFiles, MIB, runOnce } from '../support/machine.js';

const hello = guestFiles['/cowtest']!;
const parse = (file: Uint8Array): ReturnType<typeof parseElf> => parseElf(file);

/** A copy of a good file with something written over it. */
const broken = (change: (view: DataView) => void): Uint8Array => {
  const copy = Uint8Array.from(hello);
  change(new DataView(copy.buffer));
  return copy;
};

const PROGRAM_HEADERS = 64;
const SECOND_HEADER = PROGRAM_HEADERS + 56;
const field = { flags: 4, offset: 8, address: 16, fileBytes: 32, memoryBytes: 40 } as const;
const set64 =
  (at: number, value: bigint) =>
  (view: DataView): void =>
    view.setBigUint64(at, value, true);

describe('an ELF file is refused, and the message says why', () => {
  const cases: readonly (readonly [name: string, file: Uint8Array, problem: RegExp])[] = [
    ['that is empty', Uint8Array.of(), /not an ELF file/],
    ['that is text', new TextEncoder().encode('#!/bin/sh\necho hello\n'), /not an ELF file/],
    ['that is only a magic number', hello.slice(0, 4), /cut short: its ELF header/],
    ['whose header is cut short', hello.slice(0, 63), /cut short: its ELF header/],
    ['whose program headers are cut short', hello.slice(0, 100), /cut short: its program headers/],
    ['whose segment is cut short', hello.slice(0, hello.length >> 1), /cut short: segment \d+ ends at byte/],
    ['of 32 bits', broken((view) => view.setUint8(4, 1)), /not a 64-bit/],
    ['that is big-endian', broken((view) => view.setUint8(5, 2)), /not little-endian/],
    ['of another version', broken((view) => view.setUint8(6, 9)), /version 9/],
    ['for x86', broken((view) => view.setUint16(18, 62, true)), /machine 62, not RISC-V/],
    ['that is an object file', broken((view) => view.setUint16(16, 1, true)), /not an executable/],
    ['that is position-independent', broken((view) => view.setUint16(16, 3, true)), /not an executable/],
    ['without program headers', broken((view) => view.setUint16(56, 0, true)), /no program headers/],
    ['with odd program headers', broken((view) => view.setUint16(54, 32, true)), /headers of 32 bytes/],
    ['with headers beyond the file', broken(set64(32, 2n ** 60n)), /cut short: its program headers/],
    [
      'that wants an interpreter',
      broken((view) => view.setUint32(PROGRAM_HEADERS, 3, true)),
      /dynamically linked/,
    ],
    [
      'with nothing to load',
      broken((view) => {
        view.setUint32(PROGRAM_HEADERS, 4, true);
        view.setUint32(SECOND_HEADER, 4, true);
      }),
      /nothing to load/,
    ],
    [
      'with a segment larger in the file than in memory',
      broken(set64(PROGRAM_HEADERS + field.memoryBytes, 1n)),
      /bytes in the file and 1 in memory/,
    ],
    ['with a segment that wraps', broken(set64(SECOND_HEADER + field.address, 2n ** 64n - 4096n)), /wraps/],
    [
      'with a segment above MAXVA',
      broken(set64(SECOND_HEADER + field.address, 2n ** 38n)),
      /beyond 0x3fffff[ce]000/,
    ],
    [
      'with a segment that is too large',
      broken(set64(SECOND_HEADER + field.memoryBytes, 2n ** 50n)),
      /beyond/,
    ],
    ['with segments that overlap', broken(set64(SECOND_HEADER + field.address, 0x10n)), /overlap/],
    [
      'with two segments in one page',
      broken(set64(SECOND_HEADER + field.address, 0x2ff0n)),
      /two segments in the page at 0x2000/,
    ],
    ['with content beyond its end', broken(set64(SECOND_HEADER + field.offset, 2n ** 63n)), /cut short/],
    ['that starts outside its text', broken(set64(24, 0x3000n)), /entry point, 0x3000/],
    ['that starts nowhere', broken(set64(24, 2n ** 63n)), /entry point/],
  ];
  test.each(cases)('%s', async (_, file, problem) => {
    const parsed = parse(file);
    expect(parsed).toMatchObject({ kind: 'problem', problem: expect.stringMatching(problem) as string });
    await expect(runOnce(['/bad'], { files: { '/bad': file } })).rejects.toMatchObject({
      code: 'ENOEXEC',
      message: expect.stringMatching(problem) as string,
    });
    // exec of it fails, and init's child is there to say so.
    const run = await runOnce(['/init', '/bad'], { files: { ...guestFiles, '/bad': file } });
    expect(run.text).toBe('init: cannot run /bad\n');
    expect(run.log).toEqual([expect.stringMatching(problem)]);
  });
});

test('a good file gives its segments, their rights and its entry', () => {
  const image = parse(hello) as ElfImage;
  expect(image.kind).toBe('image');
  expect(image.segments.map(({ protection }) => protection)).toEqual(['r-x', 'rw-']);
  expect(image.segments[0]!.fileBytes).toBe(image.segments[0]!.memoryBytes);
});

test('whatever bytes a file has, it is refused or gives segments that can be mapped', () => {
  const mutation = fc.record({
    at: fc.nat({ max: PROGRAM_HEADERS + 3 * 56 }),
    value: fc.oneof(
      fc.bigInt(0n, 2n ** 64n - 1n),
      fc.constantFrom(0n, 1n, 4095n, 4096n, 2n ** 31n, 2n ** 32n, 2n ** 38n, 2n ** 63n, 2n ** 64n - 1n),
    ),
    bytes: fc.constantFrom(1, 2, 4, 8),
  });
  fc.assert(
    fc.property(
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      fc.nat(hello.length),
      (mutations, cut) => {
        const file = broken((view) => {
          for (const { at, value, bytes } of mutations) {
            for (let index = 0; index < bytes; index++) {
              view.setUint8(at + index, Number((value >> BigInt(8 * index)) & 0xffn));
            }
          }
        }).slice(0, Math.max(cut, PROGRAM_HEADERS));
        const parsed = parse(file);
        if (parsed.kind === 'problem') return;
        let end = 0;
        for (const { address, memoryBytes, fileBytes } of parsed.segments) {
          expect(address).toBeGreaterThanOrEqual(end);
          expect(fileBytes).toBeLessThanOrEqual(memoryBytes);
          end = Math.floor((address + memoryBytes - 1) / 4096) * 4096 + 4096;
          expect(end).toBeLessThanOrEqual(IMAGE_END);
        }
      },
    ),
    { numRuns: 5000 },
  );
});

test('a program that is broken in any way runs, is killed, or is refused: nothing is lost', async () => {
  const mutation = fc.tuple(fc.nat({ max: 0x2700 }), fc.integer({ min: 0, max: 255 }));
  await fc.assert(
    fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 8 }), async (mutations) => {
      const file = Uint8Array.from(guestFiles['/hello']!);
      for (const [at, value] of mutations) file[at % file.length] = value;
      const run = await runOnce(
        ['/init', '/broken'],
        { files: { ...guestFiles, '/broken': file }, memoryBytes: 2 * MIB },
        { signal: AbortSignal.timeout(20) },
      );
      expect(['exited', 'aborted', 'stuck']).toContain(run.outcome);
    }),
    { numRuns: 150 },
  );
});
