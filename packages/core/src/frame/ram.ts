/** Makes RAM, or takes over RAM that another thread has made, and lays its bottom out. */
import { type FrameNumber, frameNumber, PAGE_SIZE, pagesIn } from './address.js';
import { InvalidArgument, OutOfMemory } from './errors.js';
import { HEADER_BYTES } from './meta-header.js';
import { SLOT_BYTES } from './slot.js';

const WASM_PAGE_BYTES = 65536;

/** The largest RAM: 4 GiB less one WebAssembly page, so that every physical address fits 32 bits. */
export const MAX_RAM_BYTES = 2 ** 32 - WASM_PAGE_BYTES;

/** What another thread needs to use the same RAM. It can be posted to a worker. */
export interface SharedRam {
  readonly memory: WebAssembly.Memory;
  readonly sizeBytes: number;
  readonly reservedBytes: number;
  readonly reserveFrames: number;
  readonly checking: 'off' | 'on';
}

export interface RamOptions {
  /** Size of RAM in bytes: a multiple of 65,536, at most 4 GiB less 64 KiB. */
  readonly sizeBytes: number;
  /** Bytes at the bottom of RAM that are the hart's, rounded up to frames. At least one frame is kept. */
  readonly reservedBytes?: number;
  /** 'shared': RAM on a SharedArrayBuffer, whose frames several threads may use. Default 'single'. */
  readonly threads?: 'single' | 'shared';
}

export interface RamLayout {
  readonly totalFrames: number;
  /** Where the Meta frames begin: the header, then the slots. */
  readonly metaFrame: number;
  /** All frames below are Reserved or Meta. */
  readonly firstAllocatable: FrameNumber;
}

/** @throws InvalidArgument for a size that is not possible, or that leaves no frame to allocate. */
export const layOut = ({ sizeBytes, reservedBytes = 0 }: RamOptions): RamLayout => {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes <= 0 || sizeBytes % WASM_PAGE_BYTES !== 0) {
    throw new InvalidArgument(`RAM of ${sizeBytes} bytes: its size must be a positive multiple of 64 KiB`);
  }
  if (sizeBytes > MAX_RAM_BYTES) {
    throw new InvalidArgument(`RAM of ${sizeBytes} bytes: at most 4 GiB less 64 KiB are possible`);
  }
  if (!Number.isSafeInteger(reservedBytes) || reservedBytes < 0) {
    throw new InvalidArgument(`${reservedBytes} reserved bytes: must be a whole number, not negative`);
  }
  const totalFrames = sizeBytes / PAGE_SIZE;
  const metaFrame = Math.max(1, pagesIn(reservedBytes));
  const firstAllocatable = metaFrame + pagesIn(HEADER_BYTES + totalFrames * SLOT_BYTES);
  if (firstAllocatable >= totalFrames) {
    throw new InvalidArgument(
      `RAM of ${sizeBytes} bytes is too small: the hart and the frame table alone take ` +
        `${firstAllocatable * PAGE_SIZE} bytes`,
    );
  }
  return { totalFrames, metaFrame, firstAllocatable: frameNumber(firstAllocatable) };
};

/** @throws OutOfMemory where the host has no room for it. */
export const makeRam = ({ sizeBytes, threads = 'single' }: RamOptions): WebAssembly.Memory => {
  try {
    const pages = sizeBytes / WASM_PAGE_BYTES;
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: threads === 'shared' });
  } catch (cause) {
    throw new OutOfMemory(`the host has no ${sizeBytes} bytes of memory for RAM (${String(cause)})`);
  }
};
