/**
 * The oracle: an address space that shares nothing. Every page is an array of its own, a fork copies all
 * of them at once, and nobody counts anything. It knows nothing of frames, tables or memory running out.
 */
import { PAGE_SIZE } from '../../src/frame/index.js';
import { type Access, MAX_PAGES } from '../../src/paging/index.js';
import type { Protection } from '../../src/space/index.js';

interface EagerPage {
  protection: Protection;
  /** Undefined until the page is written or committed: zeros, and no frame. */
  bytes: Uint8Array | undefined;
}

const LETTER: Readonly<Record<Access, string>> = { read: 'r', write: 'w', execute: 'x' };

export type MapResult = 'done' | 'EINVAL' | 'EEXIST' | 'ENOMEM';

export class EagerSpace {
  readonly pages = new Map<number, EagerPage>();

  map(start: number, length: number, protection: Protection): MapResult {
    if (start + length > MAX_PAGES) return 'EINVAL';
    if (range(start, length).some((page) => this.pages.has(page))) return 'EEXIST';
    for (const page of range(start, length)) this.pages.set(page, { protection, bytes: undefined });
    return 'done';
  }

  unmap(start: number, length: number): MapResult {
    if (start + length > MAX_PAGES) return 'EINVAL';
    for (const page of range(start, length)) this.pages.delete(page);
    return 'done';
  }

  protect(start: number, length: number, protection: Protection): MapResult {
    if (start + length > MAX_PAGES) return 'EINVAL';
    if (!range(start, length).every((page) => this.pages.has(page))) return 'ENOMEM';
    for (const page of range(start, length)) this.pages.get(page)!.protection = protection;
    return 'done';
  }

  commit(start: number, length: number): MapResult {
    if (start + length > MAX_PAGES) return 'EINVAL';
    if (!range(start, length).every((page) => this.pages.has(page))) return 'ENOMEM';
    for (const page of range(start, length)) this.own(page);
    return 'done';
  }

  access(page: number, access: Access): 'resolved' | 'protection' | 'unmapped' {
    const found = this.pages.get(page);
    if (found === undefined) return 'unmapped';
    return found.protection.includes(LETTER[access]) ? 'resolved' : 'protection';
  }

  /** The page's bytes, to be written. */
  own(page: number): Uint8Array {
    return (this.pages.get(page)!.bytes ??= new Uint8Array(PAGE_SIZE));
  }

  byte(address: number): number {
    return this.pages.get(Math.floor(address / PAGE_SIZE))?.bytes?.[address % PAGE_SIZE] ?? 0;
  }

  write(address: number, bytes: Uint8Array): void {
    bytes.forEach((byte, index) => {
      const at = address + index;
      this.own(Math.floor(at / PAGE_SIZE))[at % PAGE_SIZE] = byte;
    });
  }

  fork(): EagerSpace {
    const child = new EagerSpace();
    for (const [page, { protection, bytes }] of this.pages) {
      child.pages.set(page, { protection, bytes: bytes?.slice() });
    }
    return child;
  }

  /** Frames that hold this space's pages when nothing is shared. */
  get frames(): number {
    let frames = 0;
    for (const { bytes } of this.pages.values()) if (bytes !== undefined) frames++;
    return frames;
  }
}

const range = (start: number, length: number): number[] =>
  Array.from({ length }, (_, index) => start + index);
