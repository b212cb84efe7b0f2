/**
 * Reads ELF executables: 64-bit, little-endian, RISC-V, statically linked (System V ABI, chapters 4 and 5).
 * A file may hold anything at all, so every field is checked before it is used.
 */
import { hex, PAGE_SIZE } from '../frame/index.js';
import type { Protection } from '../space/index.js';
import { IMAGE_END } from './memory-layout.js';

/** The bytes that an ELF file has. */
export interface ElfSource {
  readonly sizeBytes: number;
  /** @returns exactly these bytes, which the file must have. */
  read(offset: number, length: number): Uint8Array;
}

/** A piece of the file that is to be in memory. Addresses and sizes are in bytes. */
export interface ElfSegment {
  readonly address: number;
  readonly memoryBytes: number;
  /** Where its content begins in the file. */
  readonly offset: number;
  /** Bytes that the file has of it, for its beginning; the rest of it is zeros. */
  readonly fileBytes: number;
  readonly protection: Protection;
}

export interface ElfImage {
  readonly kind: 'image';
  readonly entry: number;
  /** By address; no two share a page. */
  readonly segments: readonly ElfSegment[];
}

/** Why a file can't be run: a sentence that follows its name. */
export interface ElfProblem {
  readonly kind: 'problem';
  readonly problem: string;
}

const MAGIC = 0x7f454c46;
const MAGIC_BYTES = 4;
const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
/** As Linux has it: 64 KiB of them. */
const MOST_PROGRAM_HEADERS = 1170;
const CLASS_64 = 2;
const LITTLE_ENDIAN = 1;
const VERSION = 1;
const TYPE_EXECUTABLE = 2;
const MACHINE_RISCV = 243;
const SEGMENT_LOAD = 1;
const SEGMENT_INTERPRETER = 3;
const EXECUTE = 1;
const WRITE = 2;
const READ = 4;

/** Protections by the R, W and X bits of a program header. Sv39 cannot have W without R. */
const PROTECTIONS: readonly Protection[] = ['---', '--x', 'rw-', 'rwx', 'r--', 'r-x', 'rw-', 'rwx'];

/** @param file the whole file. */
export const parseElf = (file: ElfSource | Uint8Array): ElfImage | ElfProblem => {
  const source = file instanceof Uint8Array ? sourceOf(file) : file;
  if (source.sizeBytes < MAGIC_BYTES) return problem('is not an ELF file');
  const view = viewOf(source.read(0, Math.min(source.sizeBytes, HEADER_BYTES)));
  if (view.getUint32(0) !== MAGIC) return problem('is not an ELF file');
  if (view.byteLength < HEADER_BYTES) return problem('is cut short: its ELF header is not whole');
  const [classByte, order, version] = [view.getUint8(4), view.getUint8(5), view.getUint8(6)];
  if (classByte !== CLASS_64) return problem('is not a 64-bit ELF file');
  if (order !== LITTLE_ENDIAN) return problem('is not little-endian');
  if (version !== VERSION) return problem(`has ELF version ${version}, not 1`);
  const machine = view.getUint16(18, true);
  if (machine !== MACHINE_RISCV) return problem(`is for machine ${machine}, not RISC-V (${MACHINE_RISCV})`);
  const type = view.getUint16(16, true);
  if (type !== TYPE_EXECUTABLE) {
    return problem(
      `is not an executable with fixed addresses (ELF type ${type}, not ${TYPE_EXECUTABLE}): link it with -static -no-pie`,
    );
  }
  const headers = { at: readU64(view, 32), count: view.getUint16(56, true), bytes: view.getUint16(54, true) };
  if (headers.count === 0) return problem('has no program headers');
  if (headers.bytes !== PROGRAM_HEADER_BYTES) {
    return problem(`has program headers of ${headers.bytes} bytes, not ${PROGRAM_HEADER_BYTES}`);
  }
  if (headers.count > MOST_PROGRAM_HEADERS) {
    return problem(`has ${headers.count} program headers: at most ${MOST_PROGRAM_HEADERS} are possible`);
  }
  const headersBytes = headers.count * PROGRAM_HEADER_BYTES;
  if (headers.at + headersBytes > source.sizeBytes) {
    return problem('is cut short: its program headers are not whole');
  }
  const table = viewOf(source.read(headers.at, headersBytes));
  const segments: ElfSegment[] = [];
  for (let index = 0; index < headers.count; index++) {
    const header = index * PROGRAM_HEADER_BYTES;
    const kind = table.getUint32(header, true);
    if (kind === SEGMENT_INTERPRETER) return problem('is dynamically linked: link it with -static');
    if (kind !== SEGMENT_LOAD) continue;
    const segment = readSegment(source.sizeBytes, table, header, `segment ${index}`);
    if (segment === 'empty') continue;
    if ('problem' in segment) return segment;
    segments.push(segment);
  }
  const loaded = segments.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  // Segments may share a page of the file, and no more: what is loaded is bounded by the file.
  if (loaded > source.sizeBytes + segments.length * PAGE_SIZE) {
    return problem(`is malformed: its segments have ${loaded} bytes of a file of ${source.sizeBytes}`);
  }
  return checkImage(segments, readU64(view, 24));
};

const sourceOf = (bytes: Uint8Array): ElfSource => ({
  sizeBytes: bytes.length,
  read: (offset, length) => bytes.subarray(offset, offset + length),
});

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const readSegment = (
  sizeBytes: number,
  view: DataView,
  header: number,
  name: string,
): ElfSegment | ElfProblem | 'empty' => {
  const flags = view.getUint32(header + 4, true);
  const offset = readU64(view, header + 8);
  const address = readU64(view, header + 16);
  const fileBytes = readU64(view, header + 32);
  const memoryBytes = readU64(view, header + 40);
  if (fileBytes > memoryBytes) {
    return problem(`is malformed: ${name} has ${fileBytes} bytes in the file and ${memoryBytes} in memory`);
  }
  if (memoryBytes === 0) return 'empty';
  if (address + memoryBytes >= 2 ** 64) return problem(`is malformed: ${name} wraps round the end of memory`);
  if (address + memoryBytes > IMAGE_END) {
    return problem(`does not fit: ${name} ends at ${hex(address + memoryBytes)}, beyond ${hex(IMAGE_END)}`);
  }
  if (fileBytes > 0 && offset + fileBytes > sizeBytes) {
    return problem(
      `is cut short: ${name} ends at byte ${offset + fileBytes} of the file, which has ${sizeBytes}`,
    );
  }
  return {
    address,
    memoryBytes,
    offset,
    fileBytes,
    protection: PROTECTIONS[flags & (READ | WRITE | EXECUTE)]!,
  };
};

const checkImage = (unordered: readonly ElfSegment[], entry: number): ElfImage | ElfProblem => {
  const segments = unordered.toSorted((a, b) => a.address - b.address);
  if (segments.length === 0) return problem('has nothing to load');
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1];
    if (next === undefined) break;
    if (segment.address + segment.memoryBytes > next.address) {
      return problem(
        `is malformed: the segments at ${hex(segment.address)} and ${hex(next.address)} overlap`,
      );
    }
    if (lastPage(segment) >= Math.floor(next.address / PAGE_SIZE)) {
      return problem(
        `has two segments in the page at ${hex(lastPage(segment) * PAGE_SIZE)}: link it with segments on pages of their own`,
      );
    }
  }
  const holdsEntry = segments.some(
    ({ address, memoryBytes, protection }) =>
      protection.endsWith('x') && entry >= address && entry < address + memoryBytes,
  );
  if (!holdsEntry) return problem(`has its entry point, ${hex(entry)}, outside its executable segments`);
  if (entry % 2 !== 0) return problem(`has its entry point at an odd address, ${hex(entry)}`);
  return { kind: 'image', entry, segments };
};

const lastPage = ({ address, memoryBytes }: ElfSegment): number =>
  Math.floor((address + memoryBytes - 1) / PAGE_SIZE);

/** Exact below 2^53, and at least 2^53 above: every check compares with something far smaller. */
const readU64 = (view: DataView, at: number): number =>
  view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);

const problem = (text: string): ElfProblem => ({ kind: 'problem', problem: text });
