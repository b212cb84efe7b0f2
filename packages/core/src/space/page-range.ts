/** Byte ranges as pages. */
import { hex, InvalidArgument, PAGE_SIZE, type VirtAddr, vpn, type Vpn, vpnOf } from '../frame/index.js';
import { MAXVA } from '../paging/index.js';

/** A byte range as pages: first, and one past the last. @throws InvalidArgument where it is not whole pages below MAXVA. */
export const pageRange = (at: VirtAddr, lengthBytes: number): readonly [start: Vpn, end: Vpn] => {
  checkPages(at, 'an address');
  pagesOf(lengthBytes);
  if (at + lengthBytes > MAXVA) {
    throw new InvalidArgument(
      `range of ${lengthBytes} bytes at ${hex(at)} ends beyond MAXVA (${hex(MAXVA)})`,
    );
  }
  return [vpnOf(at), vpn((at + lengthBytes) / PAGE_SIZE)];
};

/** A length as pages. @throws InvalidArgument where it is not a positive number of whole pages. */
export const pagesOf = (lengthBytes: number): number => {
  checkPages(lengthBytes, 'a length');
  if (lengthBytes > 0) return lengthBytes / PAGE_SIZE;
  throw new InvalidArgument(`a length of ${lengthBytes} bytes: give a positive multiple of ${PAGE_SIZE}`);
};

/** @throws InvalidArgument where a number of bytes is no multiple of 4096, 0 or more. */
export const checkPages = (bytes: number, what: string): void => {
  if (Number.isSafeInteger(bytes) && bytes >= 0 && bytes % PAGE_SIZE === 0) return;
  throw new InvalidArgument(`${what} of ${bytes}: give a multiple of ${PAGE_SIZE}, 0 or more`);
};
