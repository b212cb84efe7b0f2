/**
 * The bytes of a file of `MemoryFiles`: pieces of 64 KiB, of which those that were never written are not there, and
 * those that were are as long as they had to be. What is not there reads as zeros.
 *
 *      size 200,000      piece 0       piece 1     piece 2       piece 3
 *                        65536 bytes   (a hole)    65536 bytes   3392 bytes
 *
 * A piece that grows doubles, so that writing it byte by byte copies each byte a few times and no more; whatever the
 * size of a file, growing it copies less than a piece.
 */

const PIECE_BYTES = 65_536;
/** The largest size and the end of the last byte. */
export const MAX_FILE_BYTES = 2 ** 31;

/** What the pieces of all files may take. */
export interface Capacity {
  usedBytes: number;
  readonly capacityBytes: number;
}

export class MemoryContent {
  readonly #capacity: Capacity;
  readonly #pieces = new Map<number, Uint8Array>();
  #sizeBytes = 0;

  constructor(capacity: Capacity) {
    this.#capacity = capacity;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Fills `into` with what is there from a position on. @returns how many bytes: fewer at the end. */
  read(position: number, into: Uint8Array): number {
    const count = Math.max(0, Math.min(into.length, this.#sizeBytes - position));
    for (let done = 0; done < count;) {
      const at = position + done;
      const start = at % PIECE_BYTES;
      const length = Math.min(PIECE_BYTES - start, count - done);
      const piece = this.#pieces.get((at - start) / PIECE_BYTES);
      const there = piece?.subarray(start, start + length);
      if (there !== undefined) into.set(there, done);
      into.fill(0, done + (there?.length ?? 0), done + length);
      done += length;
    }
    return count;
  }

  /** Writes bytes from a position on, up to the largest size. @returns how many: fewer where there is no room for more. */
  write(position: number, from: Uint8Array): number {
    const count = Math.min(from.length, MAX_FILE_BYTES - position);
    let done = 0;
    while (done < count) {
      const at = position + done;
      const start = at % PIECE_BYTES;
      const length = Math.min(PIECE_BYTES - start, count - done);
      const piece = this.#pieceWith((at - start) / PIECE_BYTES, start + length);
      if (piece === undefined) break;
      piece.set(from.subarray(done, done + length), start);
      done += length;
    }
    if (done > 0) this.#sizeBytes = Math.max(this.#sizeBytes, position + done);
    return done;
  }

  /** Cuts what is beyond a size, or adds a hole. */
  resize(sizeBytes: number): void {
    if (sizeBytes < this.#sizeBytes) this.#cut(sizeBytes);
    this.#sizeBytes = sizeBytes;
  }

  #cut(sizeBytes: number): void {
    for (const [index, piece] of this.#pieces) {
      const kept = Math.max(0, sizeBytes - index * PIECE_BYTES);
      if (kept >= piece.length) continue;
      if (kept === 0) this.#pieces.delete(index);
      else this.#pieces.set(index, piece.slice(0, kept));
      this.#capacity.usedBytes -= piece.length - kept;
    }
  }

  /** A piece that has bytes up to an end at least. @returns undefined where there is no room for it. */
  #pieceWith(index: number, end: number): Uint8Array | undefined {
    const piece = this.#pieces.get(index);
    const length = piece?.length ?? 0;
    if (piece !== undefined && end <= length) return piece;
    const doubled = Math.min(PIECE_BYTES, Math.max(end, 2 * length));
    const longer = this.#take(doubled, length) ?? this.#take(end, length);
    if (longer === undefined) return undefined;
    if (piece !== undefined) longer.set(piece);
    this.#pieces.set(index, longer);
    return longer;
  }

  /** A new piece in the place of one of `before` bytes. */
  #take(length: number, before: number): Uint8Array | undefined {
    const { usedBytes, capacityBytes } = this.#capacity;
    if (usedBytes + length - before > capacityBytes) return undefined;
    try {
      const piece = new Uint8Array(length);
      this.#capacity.usedBytes += length - before;
      return piece;
    } catch (error) {
      // The host has no memory left: the disk is full.
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }
}
