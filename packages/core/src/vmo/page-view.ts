/**
 * A view: bytes of a memory object where they lie in RAM, without a copy. While it is open its pages are pinned: they
 * stay where they are, and belong to the object alone, so that a snapshot made meanwhile copies them.
 */
import { frameStart, HolsteinError, PAGE_SIZE, pagesIn } from '../frame/index.js';
import type { MemoryObject } from './memory-object.js';
import { pageOf } from './page-bytes.js';
import { slotFrame } from './page-slot.js';
import type { ByteRange } from './pager.js';

/** A stretch of a view that is in one piece in RAM. */
export interface ViewPiece {
  /** Where it begins in the object (or the slice) that was viewed. */
  readonly offset: number;
  /** The bytes themselves: to write them is to write the object. */
  readonly bytes: Uint8Array;
}

export class PageView implements Disposable {
  #pieces: readonly ViewPiece[] | undefined;
  readonly #onClose: () => void;

  /** Use `Vmo.view`. @internal */
  constructor(pieces: readonly ViewPiece[], onClose: () => void) {
    this.#pieces = pieces;
    this.#onClose = onClose;
  }

  /** The bytes, in order. Not to be kept beyond the view. @throws HolsteinError EBADF where the view is closed. */
  get pieces(): readonly ViewPiece[] {
    if (this.#pieces === undefined) throw new HolsteinError('EBADF', 'the view is closed');
    return this.#pieces;
  }

  /** Unpins the pages. Closing twice does nothing. */
  close(): void {
    if (this.#pieces === undefined) return;
    this.#pieces = undefined;
    this.#onClose();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Opens a view of bytes whose pages are the object's own. @param zero the byte that the view's holder counts from. */
export const openView = (object: MemoryObject, range: ByteRange, zero: number): PageView => {
  const { offset, length } = range;
  const first = pageOf(offset);
  const end = length === 0 ? first : pagesIn(offset + length);
  const unpin = object.pin(first, end);
  return new PageView(piecesOf(object, range, zero), unpin);
};

const piecesOf = (
  { memory, pages }: MemoryObject,
  { offset, length }: ByteRange,
  zero: number,
): readonly ViewPiece[] => {
  const pieces: ViewPiece[] = [];
  const end = offset + length;
  for (let at = offset; at < end;) {
    const from = at;
    const frame = slotFrame(pages.get(pageOf(at)));
    for (let row = 0; at < end && slotFrame(pages.get(pageOf(at))) === frame + row; row++) {
      at = (pageOf(at) + 1) * PAGE_SIZE;
    }
    const address = frameStart(frame) + (from % PAGE_SIZE);
    const bytes = memory.bytes.subarray(address, address + Math.min(at, end) - from);
    pieces.push({ offset: from - zero, bytes });
  }
  return pieces;
};
