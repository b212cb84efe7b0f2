/**
 * One RAM and tables over it, of the one kind or the other, for the tests that hold for every `PageTable`.
 *
 * `using bench = make()` fails its test where a frame is not given back, or a count of shares is left.
 */
import { expect } from 'vitest';
import {
  type FrameNumber,
  frameNumber,
  frameStart,
  HolsteinError,
  NO_FRAME,
  pageOffset,
  Usage,
  type VirtAddr,
  type Vpn,
  vpn,
  vpnOf,
} from '../../src/frame/index.js';
import {
  type Access,
  CowExt,
  MAX_PAGES,
  MockPageTable,
  type PageFaultHandler,
  type PageTable,
  pteFrame,
  PTE_COW,
  PTE_READONLY_SHARED,
  readShares,
  type Sv39Options,
  Sv39PageTable,
  type Tlb,
  writeShares,
} from '../../src/paging/index.js';
import { type CountingMemory, makeMemory, makeTlb } from '../model/world.js';

export type TableKind = 'Sv39PageTable' | 'MockPageTable';
export const TABLE_KINDS: readonly TableKind[] = ['Sv39PageTable', 'MockPageTable'];

export const FIRST = vpn(0);
export const END = vpn(MAX_PAGES);

export class Workbench implements Disposable {
  readonly kind: TableKind;
  readonly memory: CountingMemory;
  readonly tables: PageTable[] = [];
  readonly #tlb: Tlb;
  readonly #options: Sv39Options;
  readonly #free: number;

  /** @param options of the Sv39 tables. */
  constructor(kind: TableKind, sizeBytes?: number, options: Sv39Options = {}) {
    this.kind = kind;
    this.#options = options;
    this.memory = makeMemory(sizeBytes);
    this.#tlb = makeTlb(this.memory);
    this.#free = this.memory.freeFrames;
  }

  /** A new table. It is closed at the end. */
  table(): PageTable {
    const table =
      this.kind === 'Sv39PageTable'
        ? new Sv39PageTable(this.memory, this.#tlb, this.#options)
        : new MockPageTable(this.memory);
    this.tables.push(table);
    return table;
  }

  cow(): CowExt {
    return new CowExt(this.table());
  }

  /** A fresh frame whose first byte is `byte`, with as many references as are asked for. */
  frame(byte = 0, references = 1): FrameNumber {
    const frame = this.memory.allocate(Usage.Frame);
    this.memory.zero(frame);
    this.memory.write(frame, 0, Uint8Array.of(byte));
    for (let more = 1; more < references; more++) this.memory.retain(frame);
    return frame;
  }

  /** Contiguous frames, the first a multiple of their number, each with one reference. */
  run(frames: number): FrameNumber {
    const taken: FrameNumber[] = [];
    while (this.memory.freeFrames > 0) taken.push(this.memory.allocate(Usage.Frame));
    const all = new Set<number>(taken);
    const first = taken.find(
      (frame) => frame % frames === 0 && Array.from({ length: frames }).every((_, at) => all.has(frame + at)),
    );
    for (const frame of taken) {
      if (first === undefined || frame < first || frame >= first + frames) this.memory.release(frame);
    }
    if (first === undefined) throw new Error(`there are no ${frames} contiguous frames`);
    return first;
  }

  /** Maps a page of `table` to a fresh frame. */
  map(table: PageTable, page: number, flags: number, byte = 0): FrameNumber {
    const frame = this.frame(byte);
    table.map(vpn(page), frame, flags);
    return frame;
  }

  /** All that a refused change must leave as it was. */
  state(): unknown {
    const frames: unknown[] = [];
    for (let index = this.memory.firstAllocatable as number; index < this.memory.totalFrames; index++) {
      const frame = frameNumber(index);
      const [count, usage] = [this.memory.count(frame), this.memory.usage(frame)];
      if (count > 0) frames.push([index, usage, count, this.#sharesOf(frame)]);
    }
    return {
      frames,
      entries: this.tables.map((table) =>
        [...table.mappedPages(FIRST, END)].map((page) => [page, table.entry(page)]),
      ),
    };
  }

  /** Recounts references and shares from the entries. `held` are references that the test has. */
  check(held: readonly FrameNumber[] = []): void {
    const expected = new Map<number, [references: number, reads: number, writes: number]>();
    const row = (frame: FrameNumber) => expected.get(frame) ?? expected.set(frame, [0, 0, 0]).get(frame)!;
    for (const frame of held) row(frame)[0]++;
    for (const table of this.tables) {
      for (const frame of table instanceof Sv39PageTable ? table.tables() : []) row(frame)[0]++;
      for (const page of table.mappedPages(FIRST, END)) {
        const pte = table.entry(page);
        const counts = row(pteFrame(pte));
        counts[0]++;
        if ((pte & PTE_READONLY_SHARED) !== 0) counts[1]++;
        if ((pte & PTE_COW) !== 0) counts[2]++;
      }
    }
    for (let index = this.memory.firstAllocatable as number; index < this.memory.totalFrames; index++) {
      const frame = frameNumber(index);
      const counts = [this.memory.count(frame), ...this.#sharesOf(frame)];
      const wanted = expected.get(index) ?? [0, 0, 0];
      if (counts.join() !== wanted.join()) {
        throw new Error(
          `frame ${index} has references, reads, writes ${counts.join()}; entries have ${wanted.join()}`,
        );
      }
    }
    expect(this.memory.audit()).toEqual([]);
  }

  [Symbol.dispose](): void {
    for (const table of this.tables) table.close();
    this.check();
    expect(this.memory.freeFrames).toBe(this.#free);
  }

  #sharesOf(frame: FrameNumber): [reads: number, writes: number] {
    if (this.memory.count(frame) === 0) return [0, 0];
    return [readShares(this.memory, frame), writeShares(this.memory, frame)];
  }
}

/** Reads and writes bytes of any table by address, as user mode does, with a handler for its faults. */
export class User {
  readonly #table: PageTable;
  readonly #handler: PageFaultHandler;

  constructor(table: PageTable, handler: PageFaultHandler) {
    this.#table = table;
    this.#handler = handler;
    if (table instanceof MockPageTable) table.setHandler(handler);
  }

  read(address: VirtAddr): number {
    if (this.#table instanceof MockPageTable) return this.#table.read(address);
    return this.#table.memory.bytes[this.#reach(address, 'read')]!;
  }

  write(address: VirtAddr, byte: number): void {
    if (this.#table instanceof MockPageTable) this.#table.write(address, byte);
    else this.#table.memory.bytes[this.#reach(address, 'write')] = byte;
  }

  #reach(address: VirtAddr, access: Access): number {
    const page: Vpn = vpnOf(address);
    let frame = this.#table.translate(page, access);
    if (frame === NO_FRAME && this.#handler(page, access).kind === 'resolved') {
      frame = this.#table.translate(page, access);
    }
    if (frame === NO_FRAME) throw new HolsteinError('EFAULT', `${access} of page ${page}`);
    return frameStart(frame) + pageOffset(address);
  }
}
