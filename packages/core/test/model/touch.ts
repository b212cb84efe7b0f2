/** Short ways to use an address space in tests: bytes by page, and outcomes by name. */
import { PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import { pteFrame } from '../../src/paging/index.js';
import { type AddressSpace, copyIn, copyOut, type Protection } from '../../src/space/index.js';

/** Maps whole pages. */
export const mapPages = (space: AddressSpace, page: number, pages: number, protection: Protection): void => {
  space.map({ at: virtAddr(page * PAGE_SIZE), lengthBytes: pages * PAGE_SIZE, protection });
};

/** Writes a byte at a page's start, as the process would. */
export const poke = (space: AddressSpace, page: number, byte: number): void => {
  const result = copyOut(space, virtAddr(page * PAGE_SIZE), Uint8Array.of(byte));
  if (result !== 'ok') throw new Error(`page ${page} cannot be written: ${result}`);
};

/** Reads the byte at a page's start, as the process would. */
export const peek = (space: AddressSpace, page: number): number => {
  const target = new Uint8Array(1);
  const result = copyIn(space, virtAddr(page * PAGE_SIZE), target);
  if (result !== 'ok') throw new Error(`page ${page} cannot be read: ${result}`);
  return target[0]!;
};

export const entry = (space: AddressSpace, page: number): number => space.table.entry(vpn(page));
export const frameAt = (space: AddressSpace, page: number) => pteFrame(entry(space, page));
/** References to the frame behind a page. */
export const countAt = (space: AddressSpace, page: number): number =>
  space.memory.count(frameAt(space, page));
