/**
 * What the kernel has to make of an ELF file, said a second time and in another way: in bigints, as rules over whole
 * program headers (System V ABI, chapters 4 and 5), with nothing of `src/kernel`. The loader is compared with it.
 */

const PAGE_BYTES = 4096n;
/** Where no byte of an image may be any more: below it MAXVA has two pages of xv6's, and the stack with its guard page. */
const IMAGE_END = 2n ** 38n - 4n * PAGE_BYTES;
const HEADER_BYTES = 64n;
const PROGRAM_HEADER_BYTES = 56n;
/** As many as Linux reads: 64 KiB. */
const MOST_PROGRAM_HEADERS = 65_536n / PROGRAM_HEADER_BYTES;

const LOAD = 1n;
const INTERPRETER = 3n;

/** A program header that is to be in memory. Addresses and sizes are in bytes. */
export interface ExpectedSegment {
  readonly address: bigint;
  readonly memoryBytes: bigint;
  /** The beginning of it that the file has: zeros follow. */
  readonly content: Uint8Array;
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
  readonly mayExecute: boolean;
}

export interface ExpectedImage {
  readonly entry: bigint;
  readonly segments: readonly ExpectedSegment[];
  /** The first address above the image's last page. */
  readonly end: bigint;
}

/** @returns what is in memory when the program starts; 'refused' for a file that is no such program. */
export const expectedImage = (file: Uint8Array): ExpectedImage | 'refused' => {
  const bytes = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const length = BigInt(file.length);
  if (length < HEADER_BYTES) return 'refused';
  const identification = [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1];
  if (identification.some((byte, at) => bytes.getUint8(at) !== byte)) return 'refused';
  const half = (at: bigint): bigint => BigInt(bytes.getUint16(Number(at), true));
  const word = (at: bigint): bigint => BigInt(bytes.getUint32(Number(at), true));
  const double = (at: bigint): bigint => bytes.getBigUint64(Number(at), true);
  const isForUs = half(16n) === 2n && half(18n) === 243n;
  const [table, count] = [double(32n), half(56n)];
  const isTableWhole =
    half(54n) === PROGRAM_HEADER_BYTES &&
    count > 0n &&
    count <= MOST_PROGRAM_HEADERS &&
    table + count * PROGRAM_HEADER_BYTES <= length;
  if (!isForUs || !isTableWhole) return 'refused';

  const headers = Array.from({ length: Number(count) }, (_, index) => {
    const at = table + BigInt(index) * PROGRAM_HEADER_BYTES;
    return {
      kind: word(at),
      flags: word(at + 4n),
      offset: double(at + 8n),
      address: double(at + 16n),
      fileBytes: double(at + 32n),
      memoryBytes: double(at + 40n),
    };
  });
  const loaded = headers.filter(({ kind }) => kind === LOAD);
  const fits = loaded.every(
    ({ offset, address, fileBytes, memoryBytes }) =>
      fileBytes <= memoryBytes &&
      (memoryBytes === 0n || address + memoryBytes <= IMAGE_END) &&
      // Of what the file has nothing of, it does not matter where.
      (fileBytes === 0n || offset + fileBytes <= length),
  );
  if (!fits || headers.some(({ kind }) => kind === INTERPRETER)) return 'refused';
  // Segments may have the page in common in which one ends and the next begins, as linkers leave it; no more.
  const inMemory = loaded.filter(({ memoryBytes }) => memoryBytes > 0n);
  const content = inMemory.reduce((sum, { fileBytes }) => sum + fileBytes, 0n);
  if (content > length + BigInt(inMemory.length) * PAGE_BYTES) return 'refused';

  const segments = inMemory.map(({ flags, offset, address, fileBytes, memoryBytes }) => ({
    address,
    memoryBytes,
    content: file.subarray(Number(offset), Number(offset + fileBytes)),
    // Sv39 has no page that can be written and not read.
    mayRead: (flags & 6n) !== 0n,
    mayWrite: (flags & 2n) !== 0n,
    mayExecute: (flags & 1n) !== 0n,
  }));
  const entry = double(24n);
  const isEntered = segments.some(
    ({ address, memoryBytes, mayExecute }) => mayExecute && entry >= address && entry < address + memoryBytes,
  );
  const shareAPage = segments.some((one, index) =>
    segments.some(
      (other, otherIndex) =>
        otherIndex > index && firstPage(one) <= lastPage(other) && firstPage(other) <= lastPage(one),
    ),
  );
  if (!isEntered || entry % 2n !== 0n || shareAPage) return 'refused';
  const end = segments.reduce((most, segment) => {
    const after = (lastPage(segment) + 1n) * PAGE_BYTES;
    return after > most ? after : most;
  }, 0n);
  return { entry, segments, end };
};

type Place = Pick<ExpectedSegment, 'address' | 'memoryBytes'>;

const firstPage = ({ address }: Place): bigint => address / PAGE_BYTES;

const lastPage = ({ address, memoryBytes }: Place): bigint => (address + memoryBytes - 1n) / PAGE_BYTES;
