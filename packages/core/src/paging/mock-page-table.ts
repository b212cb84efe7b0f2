/**
 * A page table that is a map from pages to entries, and nothing else: no tables in RAM, no superpages, no
 * TLB. It owns references and counts shares as any `PageTable`, so it shows what of the rest depends on
 * Sv39; and it can be read and written by address, with a fault handler, as seed 000's mock.
 *
 *      read, write ──translate──▶ frame found: done
 *                       │ fault
 *                       ▼
 *                  the handler ──resolved──▶ translate once more ──▶ done, or EFAULT
 *                       └──────anything else, or no handler──▶ EFAULT: it is never asked twice
 */
import {
  type FrameNumber,
  frameStart,
  hex,
  HolsteinError,
  InvalidArgument,
  NO_FRAME,
  pageOffset,
  type PhysicalMemory,
  type VirtAddr,
  type Vpn,
  vpn,
  vpnOf,
} from '../frame/index.js';
import { PageCursor } from './cursor.js';
import type { FaultOutcome } from './fault.js';
import { FirstError } from './first-error.js';
import { PageTableEntry } from './page-table-entry.js';
import {
  checkFrame,
  checkLeaf,
  checkPage,
  checkReplacement,
  MAX_PAGES,
  type PageTable,
} from './page-table.js';
import { type Access, grants, makePte, PTE_V, pteFrame, sharedPte, usedBits } from './pte.js';
import { moveShares } from './shares.js';
import { TlbBatch } from './tlb-batch.js';

/** Resolves a fault that a mock's `read` or `write` has met, or says why it can't. */
export type PageFaultHandler = (page: Vpn, access: Access) => FaultOutcome;

export class MockPageTable implements PageTable {
  readonly memory: PhysicalMemory;
  readonly updates = 'hardware';
  readonly #entries = new Map<Vpn, number>();
  #handler: PageFaultHandler | undefined;
  #closed = false;

  constructor(memory: PhysicalMemory) {
    this.memory = memory;
  }

  /** Names the one handler that `read` and `write` ask when an access faults. */
  setHandler(handler: PageFaultHandler): void {
    this.#handler = handler;
  }

  /** Reads a byte as user mode would. @throws HolsteinError EFAULT */
  read(address: VirtAddr): number {
    return this.memory.bytes[frameStart(this.#reach(address, 'read')) + pageOffset(address)]!;
  }

  /** Writes a byte as user mode would. @throws HolsteinError EFAULT */
  write(address: VirtAddr, byte: number): void {
    this.memory.write(this.#reach(address, 'write'), pageOffset(address), Uint8Array.of(byte));
  }

  map(page: Vpn, frame: FrameNumber, flags: number): void {
    checkPage(page);
    checkFrame(this.memory, frame);
    if (this.#closed) throw new InvalidArgument(`mapping ${hex(page)}: the table is closed`);
    checkLeaf(page, flags);
    if (this.#entries.has(page)) throw new HolsteinError('EEXIST', `page ${hex(page)} is mapped already`);
    const pte = makePte(frame, flags | PTE_V);
    moveShares(this.memory, 0, pte);
    this.#entries.set(page, pte);
  }

  unmap(page: Vpn): number {
    const pte = this.entry(page);
    moveShares(this.memory, pte, 0);
    this.#entries.delete(page);
    return pte;
  }

  replace(page: Vpn, pte: number): number {
    const old = this.entry(page);
    if (old === 0) throw notMapped(page);
    checkReplacement(this.memory, page, pte, old);
    moveShares(this.memory, old, pte);
    this.#entries.set(page, pte);
    return old;
  }

  replaceOwned(page: Vpn, pte: number): void {
    this.replace(page, pte);
  }

  protect(page: Vpn, flags: number): number {
    const old = this.entry(page);
    if (old === 0) throw notMapped(page);
    checkLeaf(page, flags);
    return this.replace(page, makePte(pteFrame(old), flags | PTE_V));
  }

  entry(page: Vpn): number {
    return this.#entries.get(page) ?? 0;
  }

  getEntry(page: Vpn): PageTableEntry | undefined {
    return this.#entries.has(page) ? new PageTableEntry(this, page) : undefined;
  }

  translate(page: Vpn, access: Access): FrameNumber {
    const pte = this.entry(page);
    if (!grants(pte, access)) return NO_FRAME;
    this.#entries.set(page, pte | usedBits(access));
    return pteFrame(pte);
  }

  nextMapped(start: number, end: number): number {
    let next = -1;
    for (const page of this.#entries.keys()) {
      if (page >= start && page < end && (next === -1 || page < next)) next = page;
    }
    return next;
  }

  *mappedPages(start: Vpn, end: Vpn): Generator<Vpn> {
    for (let page = this.nextMapped(start, end); page !== -1; page = this.nextMapped(page + 1, end)) {
      yield vpn(page);
    }
  }

  cursor(start: Vpn, end: Vpn): PageCursor {
    return new PageCursor(this, start, end);
  }

  batch(): TlbBatch {
    return new TlbBatch(this.memory);
  }

  shareWrites(start: Vpn, end: Vpn): void {
    const changed: { readonly page: Vpn; readonly old: number }[] = [];
    try {
      for (const page of this.mappedPages(start, end)) {
        changed.push({ page, old: this.replace(page, sharedPte(this.entry(page))) });
      }
    } catch (error) {
      for (const { page, old } of changed) this.replace(page, old);
      throw error;
    }
  }

  leafPages(page: Vpn): number {
    return this.#entries.has(page) ? 1 : 0;
  }

  /** Nothing is ever shared but frames. */
  own(): undefined {
    return undefined;
  }

  ownAll(): undefined {
    return undefined;
  }

  dropShared(): number {
    return 0;
  }

  isolate(): () => void {
    return () => {};
  }

  unmapLeaf(page: Vpn): number {
    return this.unmap(page);
  }

  protectLeaf(page: Vpn, flags: number): number {
    return this.protect(page, flags);
  }

  close(): void {
    this.#closed = true;
    const first = new FirstError();
    for (const page of this.mappedPages(vpn(0), vpn(MAX_PAGES))) {
      try {
        this.memory.release(pteFrame(this.unmap(page)));
      } catch (error) {
        first.note(error);
      }
    }
    first.rethrow();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #reach(address: VirtAddr, access: Access): FrameNumber {
    const page = vpnOf(address);
    const frame = this.translate(page, access);
    if (frame !== NO_FRAME) return frame;
    const outcome = this.#handler?.(page, access);
    const second = outcome?.kind === 'resolved' ? this.translate(page, access) : NO_FRAME;
    if (second !== NO_FRAME) return second;
    throw new HolsteinError(
      'EFAULT',
      `${access} of ${hex(address)} faults: ${outcome?.kind ?? 'no handler'}`,
    );
  }
}

const notMapped = (page: Vpn): HolsteinError =>
  new HolsteinError('ENOENT', `page ${hex(page)} is not mapped`);
