/**
 * A page's entry as an object: seed 000's `Entry`. It is a window, not a copy: it names a table and a
 * page, reads the entry anew each time, and writes go through the table, which flushes the page from the
 * TLB and keeps the counts of shares. It owns nothing.
 *
 *      private, writable    W          ←  writable = true, writable = false  →  private, read-only
 *      writable and shared  COW        setShared('writable')    } W is taken away; clearShared() gives
 *      readonly and shared  bit 9      setShared('readonly')    } a private, read-only page
 *
 * Once the page is unmapped `present` is false, all other bits read false, and a change throws ENOENT.
 * A page inside a superpage has an entry of its own as far as anyone can see: changing it splits the
 * superpage, for which a table may be wanting (OutOfMemory).
 */
import { type FrameNumber, hex, HolsteinError, InvalidArgument, type Vpn } from '../frame/index.js';
import { checkFrame, type PageTable } from './page-table.js';
import {
  makePte,
  PTE_A,
  PTE_COW,
  PTE_D,
  PTE_FLAGS,
  PTE_R,
  PTE_READONLY_SHARED,
  PTE_RIGHTS,
  PTE_SHARED,
  PTE_U,
  PTE_V,
  PTE_W,
  PTE_X,
  pteFrame,
} from './pte.js';

/** How a shared page behaves when it is written: it is copied, or the write is a protection fault. */
export type Sharing = 'writable' | 'readonly';

export class PageTableEntry {
  readonly page: Vpn;
  readonly #table: PageTable;

  /** Use `PageTable.getEntry`. @internal */
  constructor(table: PageTable, page: Vpn) {
    this.#table = table;
    this.page = page;
  }

  /** The entry's low word; 0 where the page is not mapped. */
  get bits(): number {
    return this.#table.entry(this.page);
  }

  get present(): boolean {
    return this.#has(PTE_V);
  }

  get readable(): boolean {
    return this.#has(PTE_R);
  }

  get writable(): boolean {
    return this.#has(PTE_W);
  }

  /** @throws InvalidArgument for a page that is shared, or not readable (W without R is reserved). */
  set writable(value: boolean) {
    if (value && this.#has(PTE_SHARED)) throw this.#refusal('is shared: clearShared() first');
    if (value && !this.readable) throw this.#refusal('cannot be read: W without R is reserved');
    this.#set(PTE_W, value);
  }

  /** Whether user mode may use the page. */
  get user(): boolean {
    return this.#has(PTE_U);
  }

  set user(value: boolean) {
    this.#set(PTE_U, value);
  }

  get execute(): boolean {
    return this.#has(PTE_X);
  }

  /** @throws InvalidArgument where X is the only right: an entry without rights is not a leaf. */
  set execute(value: boolean) {
    if (!value && (this.bits & PTE_RIGHTS) === PTE_X) throw this.#refusal('would have no right left');
    this.#set(PTE_X, value);
  }

  /** Read, written or fetched from since it was last cleared. */
  get accessed(): boolean {
    return this.#has(PTE_A);
  }

  set accessed(value: boolean) {
    this.#set(PTE_A, value);
  }

  /** Written since it was last cleared. */
  get dirty(): boolean {
    return this.#has(PTE_D);
  }

  set dirty(value: boolean) {
    this.#set(PTE_D, value);
  }

  /** The frame that the page is mapped to. @throws HolsteinError ENOENT where it is not mapped. */
  get target(): FrameNumber {
    return pteFrame(this.#present());
  }

  /**
   * Maps the page to another frame, with the same flags. The table takes over the caller's reference.
   * @returns the frame that was there, whose reference is now the caller's.
   * @throws HolsteinError ENOENT; InvalidArgument where there is no such frame.
   */
  setTarget(frame: FrameNumber): FrameNumber {
    const flags = this.#present() & PTE_FLAGS;
    checkFrame(this.#table.memory, frame);
    return pteFrame(this.#table.replace(this.page, makePte(frame, flags)));
  }

  get writableShared(): boolean {
    return this.#has(PTE_COW);
  }

  get readonlyShared(): boolean {
    return this.#has(PTE_READONLY_SHARED);
  }

  /** Marks the page shared, in the one way or the other, and takes W away. */
  setShared(sharing: Sharing): void {
    const mark = sharing === 'writable' ? PTE_COW : PTE_READONLY_SHARED;
    this.#table.replace(this.page, (this.#present() & ~(PTE_SHARED | PTE_W)) | mark);
  }

  clearShared(): void {
    this.#set(PTE_SHARED, false);
  }

  #has(mask: number): boolean {
    return (this.bits & mask) !== 0;
  }

  #set(mask: number, value: boolean): void {
    const pte = this.#present();
    this.#table.replace(this.page, value ? pte | mask : pte & ~mask);
  }

  #present(): number {
    const pte = this.bits;
    if (pte === 0) throw new HolsteinError('ENOENT', `page ${hex(this.page)} is not mapped`);
    return pte;
  }

  #refusal(why: string): Error {
    // A page that is not mapped is refused for that.
    this.#present();
    return new InvalidArgument(`page ${hex(this.page)} ${why}`);
  }
}
