/**
 * Static RV64 ELF executables: written from segments, and read back into them (System V ABI, chapters 4
 * and 5). A segment's file offset is congruent with its address modulo the page size, as Linux asks.
 */
const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const PAGE_BYTES = 4096;
const MAGIC = 0x464c457f;
const CLASS_64_LITTLE_ENDIAN = 0x0001_0102;
const TYPE_EXECUTABLE = 2;
const MACHINE_RISCV = 243;
const VERSION = 1;
const FLAG_COMPRESSED = 1;
const LOAD = 1;

/** Rights as program headers have them. */
export const SEGMENT_FLAGS = { execute: 1, write: 2, read: 4 } as const;

export interface Segment {
  readonly address: number;
  readonly flags: number;
  readonly content: Uint8Array;
  /** Bytes in memory: the content's, and zeros. */
  readonly sizeBytes: number;
}

export interface Executable {
  readonly entry: number;
  readonly segments: readonly Segment[];
}

export const writeElf = ({ entry, segments }: Executable): Uint8Array => {
  const offsets: number[] = [];
  let end = HEADER_BYTES + segments.length * PROGRAM_HEADER_BYTES;
  for (const { address, content } of segments) {
    const offset = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES + (address % PAGE_BYTES);
    offsets.push(offset);
    end = offset + content.length;
  }
  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, CLASS_64_LITTLE_ENDIAN, true);
  view.setUint16(16, TYPE_EXECUTABLE, true);
  view.setUint16(18, MACHINE_RISCV, true);
  view.setUint32(20, VERSION, true);
  view.setBigUint64(24, BigInt(entry), true);
  view.setBigUint64(32, BigInt(HEADER_BYTES), true);
  view.setUint32(48, FLAG_COMPRESSED, true);
  view.setUint16(52, HEADER_BYTES, true);
  view.setUint16(54, PROGRAM_HEADER_BYTES, true);
  view.setUint16(56, segments.length, true);
  segments.forEach(({ address, flags, content, sizeBytes }, index) => {
    const at = HEADER_BYTES + index * PROGRAM_HEADER_BYTES;
    view.setUint32(at, LOAD, true);
    view.setUint32(at + 4, flags, true);
    view.setBigUint64(at + 8, BigInt(offsets[index]!), true);
    view.setBigUint64(at + 16, BigInt(address), true);
    view.setBigUint64(at + 24, BigInt(address), true);
    view.setBigUint64(at + 32, BigInt(content.length), true);
    view.setBigUint64(at + 40, BigInt(sizeBytes), true);
    view.setBigUint64(at + 48, BigInt(PAGE_BYTES), true);
    bytes.set(content, offsets[index]!);
  });
  return bytes;
};

/** The loadable segments of a file that `writeElf` or the linker wrote. */
export const readElf = (bytes: Uint8Array): Executable => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== MAGIC) throw new Error('not an ELF file');
  const headers = Number(view.getBigUint64(32, true));
  const segments: Segment[] = [];
  for (let index = 0; index < view.getUint16(56, true); index++) {
    const at = headers + index * PROGRAM_HEADER_BYTES;
    if (view.getUint32(at, true) !== LOAD) continue;
    const offset = Number(view.getBigUint64(at + 8, true));
    const sizeInFile = Number(view.getBigUint64(at + 32, true));
    segments.push({
      address: Number(view.getBigUint64(at + 16, true)),
      flags: view.getUint32(at + 4, true),
      content: bytes.subarray(offset, offset + sizeInFile),
      sizeBytes: Number(view.getBigUint64(at + 40, true)),
    });
  }
  return { entry: Number(view.getBigUint64(24, true)), segments };
};
