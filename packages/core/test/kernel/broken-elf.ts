/**
 * ELF files that are broken in random ways, each from a number: good programs whose header and program headers hold
 * values from the edges of what fits, flipped bits, other headers' fields, segments that overlap or lie far away; files
 * that were cut, or have grown. Some changes leave a good program.
 */
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { CALL, call, guestFiles } from '../support/machine.js';
import { readElf, type Segment, SEGMENT_FLAGS, writeElf } from '../support/riscv/elf-writer.js';
import { Random } from '../support/random.js';

export interface BrokenElf {
  readonly file: Uint8Array;
  /** What was done, in order, for people. */
  readonly story: string;
}

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const PAGE_BYTES = 4096;
const MOST_CHANGES = 4;
const MOST_GROWTH_BYTES = 20_000;

interface Field {
  readonly name: string;
  readonly at: number;
  readonly bytes: 1 | 2 | 4 | 8;
}

/** Fields of the ELF header that a loader may look at. */
const HEADER_FIELDS: readonly Field[] = [
  { name: 'magic', at: 0, bytes: 4 },
  { name: 'class', at: 4, bytes: 1 },
  { name: 'byte order', at: 5, bytes: 1 },
  { name: 'identification version', at: 6, bytes: 1 },
  { name: 'type', at: 16, bytes: 2 },
  { name: 'machine', at: 18, bytes: 2 },
  { name: 'version', at: 20, bytes: 4 },
  { name: 'entry', at: 24, bytes: 8 },
  { name: 'headers’ offset', at: 32, bytes: 8 },
  { name: 'flags', at: 48, bytes: 4 },
  { name: 'header size', at: 52, bytes: 2 },
  { name: 'headers’ size', at: 54, bytes: 2 },
  { name: 'headers’ count', at: 56, bytes: 2 },
];
const SEGMENT_FIELDS: readonly Field[] = [
  { name: 'kind', at: 0, bytes: 4 },
  { name: 'flags', at: 4, bytes: 4 },
  { name: 'offset', at: 8, bytes: 8 },
  { name: 'address', at: 16, bytes: 8 },
  { name: 'file bytes', at: 32, bytes: 8 },
  { name: 'memory bytes', at: 40, bytes: 8 },
];

/** Numbers at which some check begins or ends to hold, and their neighbours. */
const EDGES: readonly bigint[] = [
  0n,
  8n,
  BigInt(PROGRAM_HEADER_BYTES),
  BigInt(HEADER_BYTES),
  4096n,
  0x2000n,
  0x3000n,
  2n ** 16n,
  2n ** 21n,
  2n ** 30n,
  2n ** 31n,
  2n ** 32n,
  2n ** 38n - 0x6000n,
  2n ** 38n - 0x4000n,
  2n ** 38n - 0x2000n,
  2n ** 38n,
  2n ** 39n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 4096n,
  2n ** 64n,
].flatMap((edge) => [edge - 1n, edge, edge + 1n]);

/** Steps by which a field misses what would be right. */
const STEPS: readonly bigint[] = [1n, 2n, 4n, 8n, 16n, 56n, 2048n, 4095n, 4096n, 8192n, 2n ** 32n];

/** The file of a number. */
export const brokenElf = (seed: number): BrokenElf => {
  const random = new Random(seed);
  const base = random.pick(BASES);
  const work = new Work(base.file, random);
  const story = [base.name];
  const changes = 1 + random.below(MOST_CHANGES);
  for (let change = 0; change < changes; change++) story.push(random.pick(CHANGES)(work));
  return { file: work.file, story: story.join(', ') };
};

class Work {
  file: Uint8Array;
  readonly random: Random;

  constructor(file: Uint8Array, random: Random) {
    this.file = file.slice();
    this.random = random;
  }

  /** Where the program headers of the good file are, as far as the file has them. */
  get headers(): number[] {
    const count = Math.max(1, Math.min(8, this.file.length < HEADER_BYTES ? 0 : this.file[56]!));
    return Array.from({ length: count }, (_, index) => HEADER_BYTES + index * PROGRAM_HEADER_BYTES);
  }

  /** A field of the header or of a program header. */
  anyField(): Field {
    if (this.random.below(3) === 0) return this.random.pick(HEADER_FIELDS);
    return this.segmentField(this.random.pick(SEGMENT_FIELDS));
  }

  /** A field of some program header. */
  segmentField({ name, at, bytes }: Field): Field {
    const index = this.random.below(this.headers.length);
    return { name: `segment ${index}’s ${name}`, at: this.headers[index]! + at, bytes };
  }

  read({ at, bytes }: Field): bigint {
    let value = 0n;
    for (let index = bytes - 1; index >= 0; index--) {
      value = (value << 8n) | BigInt(this.file[at + index] ?? 0);
    }
    return value;
  }

  /** What does not fit the field, or the file, is left out. */
  write({ at, bytes }: Field, value: bigint): void {
    for (let index = 0; index < bytes && at + index < this.file.length; index++) {
      this.file[at + index] = Number((value >> BigInt(8 * index)) & 0xffn);
    }
  }
}

const ADDRESS = SEGMENT_FIELDS[3]!;
const MEMORY_BYTES = SEGMENT_FIELDS[5]!;

/** Ways to break a file. Each says what it did. */
const CHANGES: readonly ((work: Work) => string)[] = [
  (work) => {
    const field = work.anyField();
    const value = work.random.below(4) === 0 ? BigInt(work.file.length) : work.random.pick(EDGES);
    work.write(field, value);
    return `${field.name} = ${value}`;
  },
  (work) => {
    const field = work.anyField();
    const step = work.random.pick(STEPS) * (work.random.below(2) === 0 ? 1n : -1n);
    work.write(field, work.read(field) + step);
    return `${field.name} moved by ${step}`;
  },
  (work) => {
    const bit = work.random.below(
      8 * Math.min(work.file.length, work.headers.at(-1)! + PROGRAM_HEADER_BYTES),
    );
    flip(work, bit);
    return `bit ${bit} flipped`;
  },
  (work) => {
    const bit = work.random.below(8 * Math.max(1, work.file.length));
    flip(work, bit);
    return `bit ${bit} flipped`;
  },
  (work) => {
    const [one, other] = [work.anyField(), work.anyField()];
    const [first, second] = [work.read(one), work.read(other)];
    work.write(one, second);
    work.write(other, first);
    return `${one.name} and ${other.name} swapped`;
  },
  (work) => {
    const { headers, random } = work;
    const [from, to] = [random.pick(headers), random.pick(headers)];
    work.file.copyWithin(to, from, from + PROGRAM_HEADER_BYTES);
    return `program header at ${from} copied to ${to}`;
  },
  (work) => {
    const flags = work.segmentField(SEGMENT_FIELDS[1]!);
    const value = BigInt(work.random.below(8));
    work.write(flags, value);
    return `${flags.name} = ${value}`;
  },
  (work) => {
    // A segment that touches, meets or covers another.
    const [one, other] = [work.segmentField(ADDRESS), work.segmentField(ADDRESS)];
    const address = work.read(other) + BigInt(work.random.pick([-4096, -16, 0, 16, 4095, 4096, 8192]));
    work.write(one, address);
    return `${one.name} = ${address}`;
  },
  (work) => {
    const size = work.segmentField(MEMORY_BYTES);
    const bytes = 1n << BigInt(work.random.below(40));
    work.write(size, work.read(size) + bytes);
    return `${size.name} grown by ${bytes}`;
  },
  (work) => {
    const length = work.random.below(work.file.length + 1);
    work.file = work.file.slice(0, length);
    return `cut to ${length} bytes`;
  },
  (work) => {
    const length = work.random.pick([0, 3, 4, 16, 63, 64, 119, 120, 175, 176, PAGE_BYTES]);
    work.file = work.file.slice(0, length);
    return `cut to ${length} bytes at most`;
  },
  (work) => {
    const grown = new Uint8Array(work.file.length + 1 + work.random.below(MOST_GROWTH_BYTES));
    grown.set(work.file);
    for (let at = work.file.length; at < grown.length; at += 7) grown[at] = work.random.below(256);
    work.file = grown;
    return `grown to ${grown.length} bytes`;
  },
];

const flip = ({ file }: Work, bit: number): void => {
  const at = bit >>> 3;
  if (at < file.length) file[at] = file[at]! ^ (1 << (bit & 7));
};

/** Exits with 42, by way of a word of its data where it has one. */
const exits = codeBytes([...call(CALL.exit, 42)]);
const loads = (address: number): Uint8Array =>
  codeBytes([
    encode('lui', { rd: x.t0, imm: address }),
    encode('lw', { rd: x.a0, rs1: x.t0 }),
    ...call(CALL.exit, undefined),
  ]);
const { read: R, write: W, execute: X } = SEGMENT_FLAGS;

const segment = (
  address: number,
  flags: number,
  content: Uint8Array,
  sizeBytes = content.length,
): Segment => ({
  address,
  flags,
  content,
  sizeBytes,
});

/** The same program with its segments one behind the other in the file: they cannot be mapped, and are copied. */
export const packed = (file: Uint8Array): Uint8Array => {
  const { entry, segments } = readElf(file);
  const aligned = writeElf({ entry, segments });
  const view = new DataView(aligned.buffer);
  let end = HEADER_BYTES + segments.length * PROGRAM_HEADER_BYTES;
  for (const [index, { content }] of segments.entries()) {
    const at = HEADER_BYTES + index * PROGRAM_HEADER_BYTES;
    aligned.set(content, end);
    view.setBigUint64(at + 8, BigInt(end), true);
    end += content.length;
  }
  return aligned.slice(0, end);
};

const text = new Uint8Array(2 * PAGE_BYTES + 100).fill(0x5a);
text.set(loads(0x5000));
const data = new Uint8Array(PAGE_BYTES + 40).fill(0xa5);
data.set([42, 0, 0, 0]);
const severalSegments = writeElf({
  entry: 0x1000,
  segments: [
    segment(0x1000, R | X, text),
    segment(0x5000, R | W, data, 3 * PAGE_BYTES),
    segment(0xa010, R, data.subarray(0, 70)),
    segment(0xc000, R | W, Uint8Array.of(), 5 * PAGE_BYTES),
  ],
});
const oneSegment = writeElf({
  entry: 0,
  segments: [segment(0, R | W | X, exits, 2 * PAGE_BYTES)],
});

/** Good programs: what is broken. All but `spin` exit. */
export const BASES: readonly { readonly name: string; readonly file: Uint8Array }[] = [
  { name: 'hello', file: guestFiles['/hello']! },
  { name: 'spin', file: guestFiles['/spin']! },
  { name: 'one segment', file: oneSegment },
  { name: 'one segment, packed', file: packed(oneSegment) },
  { name: 'several segments', file: severalSegments },
  { name: 'several segments, packed', file: packed(severalSegments) },
];
