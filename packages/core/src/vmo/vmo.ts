/**
 * A capability to a memory object: what its holder may do with it, or with a slice of it (seed 001's `Vmo`).
 *
 *      open → closed    close() or `using`: the last one to go frees the object, but for what children see of it
 *      open → moved     restrict(): another capability, of fewer rights, has taken its place
 *      open → stale     revoke(), of this one or of one that it was derived from
 *
 * Rights are checked twice: `Vmo<'read'>` has no `write` that compiles, and a call without the right is EACCES. A
 * `Vmo<Right>` leaves it to the second check.
 *
 * Offsets and lengths are in bytes. Calls that may have to wait for a pager come in pairs, as in `node:fs`: one gives
 * a promise, the other throws EAGAIN where it would have to wait. All check their range first, `EINVAL`; an empty range
 * that lies within the object does nothing.
 */
import {
  DynPage,
  type FrameNumber,
  frameStart,
  HolsteinError,
  InvalidArgument,
  PAGE_SIZE,
  type PhysAddr,
  physAddr,
} from '../frame/index.js';
import { Capability } from './capability.js';
import {
  type ChildKind,
  type ChildOptions,
  type ChildRight,
  checkSize,
  type DefaultChildRight,
  makeChild,
  rightsToMake,
} from './child.js';
import { VmoDataView } from './data-view.js';
import { type Hint, hintPages } from './hints.js';
import { MappedObject, type MappingObserver } from './mapped-object.js';
import { type MemoryObject, type ObjectKind, type ObjectObserver } from './memory-object.js';
import {
  clearBytes,
  copyPresent,
  pageOf,
  readBytes,
  storeBytes,
  storeInRow,
  writeBytes,
  writeRange,
} from './page-bytes.js';
import { commitPages, decommitPages, prefetchPages, zeroBytes } from './page-drops.js';
import { slotFrame } from './page-slot.js';
import { observeReach } from './observe.js';
import { openView, type PageView } from './page-view.js';
import type { ByteRange } from './pager.js';
import { noneGranted, NOT_OWN, ownAll, ownRow, tryOwnPages } from './page-writes.js';
import { type Empty, onPages, pagesTo, type RangeSteps, syncPages } from './range-steps.js';
import { resizeObject } from './resize.js';
import { DUP, READ, requireRights, type Right, rightBits, type RightBits, WRITE } from './rights.js';
import { runSteps, runStepsAtOnce, type Steps, refuseToWait } from './steps.js';

declare const holds: unique symbol;

/** What making a child of a kind needs. */
type MakerOf<K extends ChildKind> = Vmo<K extends 'slice' | 'reference' ? 'dup' : 'dup' | 'read'>;

export class Vmo<R extends Right = Right> extends Capability implements Disposable {
  /** A capability of more rights can stand where fewer are wanted, and not the other way. */
  declare readonly [holds]: (right: R) => void;

  get name(): string {
    return this.use(0, 'name').name;
  }

  /** What the object is. A slice and a reference are what they are of. */
  get kind(): ObjectKind {
    return this.use(0, 'kind').kind;
  }

  get resizable(): boolean {
    return this.use(0, 'resizable').resizable;
  }

  // ------------------------------------------------------------------ capabilities

  /** Another capability of the same rights to the same, which is closed by itself. @throws HolsteinError EACCES */
  duplicate(this: Vmo<R> & Vmo<'dup'>): Vmo<R> {
    this.use(DUP, 'duplicate');
    this.reach.window.holders++;
    return new Vmo(this.reach, this.rightBits, this.derived);
  }

  /**
   * Takes rights away. This capability is moved: the one that is returned takes its place.
   * @throws HolsteinError EACCES for a right that this one has not; InvalidArgument for one that there is not.
   *   Nothing has changed then.
   */
  restrict<S extends readonly R[]>(...rights: S): Vmo<S[number]> {
    this.use(0, 'restrict');
    const bits = rightBits(rights);
    requireRights(this.rightBits, bits, `restrict to ${rights.join(', ') || 'nothing'}`);
    let restricted: Vmo<S[number]> | undefined;
    this.replaceBy((siblings) => (restricted = new Vmo<S[number]>(this.reach, bits, siblings)));
    return restricted!;
  }

  /** The same capability, whose rights are known at run time alone. */
  toDyn(): Vmo<Right> {
    return this as Vmo<never> as Vmo<Right>;
  }

  /**
   * Makes a child. What becomes of the one does not become of the other, but as its kind says.
   * @throws HolsteinError EACCES where this capability lacks 'dup' (and 'read' for a snapshot), or a right that is asked for;
   *   ENOTSUP for a slice of what can be resized; InvalidArgument for an offset that is not a multiple of 4096, a slice
   *   that is not within its parent, a size that is not possible, or options that the kind has not; OutOfMemory where
   *   pinned pages have to be copied; and, for a snapshot longer than a parent that ends inside a page, as `writeSync`.
   *   Nothing has changed then.
   */
  createChild<K extends ChildKind, S extends ChildRight<R, K> = DefaultChildRight<R, K>>(
    this: Vmo<R> & MakerOf<K>,
    options: ChildOptions<K, S>,
  ): Vmo<S> {
    this.use(DUP | rightsToMake(options.kind), `createChild(${String(options.kind)})`);
    const { reach, rights } = makeChild(this.reach, this.sizeBytes, this.rightBits, options);
    return new Vmo(reach, rights, this.derived);
  }

  // ------------------------------------------------------------------ bytes

  /**
   * Fills `into` with bytes from `offset` on. What was never written reads zeros, and gets no frame.
   * @returns `into`. Where it fails, part of it may have been filled.
   * @throws HolsteinError EACCES; InvalidArgument; EAGAIN; PagerError; OutOfMemory where there is no frame for a page
   *   that the pager gave.
   */
  readSync(this: Vmo<'read'>, offset: number, into: Uint8Array): Uint8Array {
    const object = this.use(READ, 'readSync');
    checkBytes(into, 'readSync');
    const start = this.locate(offset, into.length, 'readSync');
    const done = copyPresent(object, start, into, 0);
    if (done < into.length) runStepsAtOnce(readBytes(object, start, into), 'readSync', 'read()');
    return into;
  }

  /** As `readSync`, and waits for the pager. Other calls made meanwhile may show in what is read after. */
  async read(this: Vmo<'read'>, offset: number, into: Uint8Array): Promise<Uint8Array> {
    checkBytes(into, 'read');
    await this.#run(READ, 'read', offset, into.length, (object, start) => readBytes(object, start, into));
    return into;
  }

  /**
   * Writes all of `from` at `offset`, or nothing.
   * @throws HolsteinError EACCES; InvalidArgument; EAGAIN; PagerError; OutOfMemory. Nothing is written then.
   */
  writeSync(this: Vmo<'write'>, offset: number, from: Uint8Array): void {
    const object = this.use(WRITE, 'writeSync');
    checkBytes(from, 'writeSync');
    const { length } = from;
    const start = this.locate(offset, length, 'writeSync');
    if (length === 0) return;
    const row = ownRow(object, pageOf(start), pageOf(start + length - 1) + 1);
    if (row > 0) {
      storeInRow(object, row, start, from);
      return;
    }
    if (row === NOT_OWN) {
      const waiting = tryOwnPages(object, writeRange(start, length), noneGranted(object));
      if (waiting !== undefined) refuseToWait(waiting, 'writeSync', 'write()');
    }
    storeBytes(object, start, from);
  }

  /** As `writeSync`, and waits for the pager. `from` must not change until then. */
  async write(this: Vmo<'write'>, offset: number, from: Uint8Array): Promise<void> {
    checkBytes(from, 'write');
    await this.#run(WRITE, 'write', offset, from.length, (object, start) => writeBytes(object, start, from));
  }

  /** Numbers in it, by the names of `DataView`: each call asks for the right that it needs. @throws HolsteinError EBADF, ESTALE */
  dataView(): VmoDataView<R> {
    this.use(0, 'dataView');
    return new VmoDataView<R>(this as Vmo<never> as Vmo<'read' | 'write'>);
  }

  /** Writes zeros: as `writeSync` with an array of them. */
  clearSync(this: Vmo<'write'>, range: Partial<ByteRange> = {}): void {
    this.#runRangeSync(WRITE, 'clear', range, clearBytes);
  }

  /** As `clearSync`, and waits for the pager. */
  clear(this: Vmo<'write'>, range: Partial<ByteRange> = {}): Promise<void> {
    return this.#runRange(WRITE, 'clear', range, clearBytes);
  }

  /** Makes bytes zeros, and gives the frames of whole pages back. All or nothing. @throws as `writeSync` */
  zeroSync(this: Vmo<'write'>, range: Partial<ByteRange> = {}): void {
    this.#runRangeSync(WRITE, 'zero', range, zeroBytes);
  }

  /** As `zeroSync`, and waits for the pager. */
  zero(this: Vmo<'write'>, range: Partial<ByteRange> = {}): Promise<void> {
    return this.#runRange(WRITE, 'zero', range, zeroBytes);
  }

  // ------------------------------------------------------------------ pages

  /**
   * Gives the pages of a range frames of their own, so that no write to them needs memory any more. Where there is a
   * pager, brings them in.
   * @throws as `writeSync`; no page has got a frame then but from the pager.
   */
  commitSync(this: Vmo<'write'>, range: Partial<ByteRange> = {}): void {
    this.#runRangeSync(WRITE, 'commit', range, onPages(commitPages));
  }

  /** As `commitSync`, and waits for the pager. */
  commit(this: Vmo<'write'>, range: Partial<ByteRange> = {}): Promise<void> {
    return this.#runRange(WRITE, 'commit', range, onPages(commitPages), 'empty or cut too');
  }

  /** Brings in what a pager has of a range, as far as it is not there. Without a pager there is nothing to do. */
  prefetch(this: Vmo<'read'>, range: Partial<ByteRange> = {}): Promise<void> {
    return this.#runRange(READ, 'prefetch', range, onPages(prefetchPages), 'empty or cut too');
  }

  /**
   * Gives the frames of pages back. The pages are zeros then, whatever the object was made from; or, where there is a
   * pager, are asked for again when they are wanted.
   * @param range of whole pages: its ends are multiples of 4096, or the object's end.
   * @throws HolsteinError EACCES; InvalidArgument; ENOTSUP for a device's pages; EBUSY for pages that are in an open view, or
   *   changed and not written back. Nothing has changed then.
   */
  decommit(this: Vmo<'write'>, range: Partial<ByteRange> = {}): void {
    const object = this.use(WRITE, 'decommit');
    const { offset, length } = this.#whole(range);
    const start = this.locate(offset, length, 'decommit');
    const end = start + length;
    // A slice that ends inside a page has not all of it to give back.
    if (offset % PAGE_SIZE !== 0 || (end % PAGE_SIZE !== 0 && end !== object.sizeBytes)) {
      throw new InvalidArgument(`decommit of ${length} bytes at ${offset}: give whole pages of ${PAGE_SIZE}`);
    }
    decommitPages(object, pageOf(start), pagesTo(end));
  }

  /** Whether the page of a byte has a frame in this object, be it shared or not. @throws HolsteinError; InvalidArgument */
  isCommitted(offset: number): boolean {
    const object = this.use(0, 'isCommitted');
    return object.isCommitted(pageOf(this.locate(offset, 1, 'isCommitted')));
  }

  /** Bytes of this object, or of the slice, that have frames: of its own or shared, 4096 for each. */
  get committedBytes(): number {
    const object = this.use(0, 'committedBytes');
    const start = this.locate(0, 0, 'committedBytes');
    const [first, end] = [pageOf(start), pagesTo(start + this.sizeBytes)];
    let pages = 0;
    for (let page = object.pages.next(first, end); page !== -1; page = object.pages.next(page + 1, end)) {
      if (object.isCommitted(page)) pages++;
    }
    return pages * PAGE_SIZE;
  }

  /**
   * Changes the size, to the byte. What is cut off is gone; what is new is zeros.
   * @throws HolsteinError EACCES; ENOTSUP where the object cannot be resized; EBUSY where a page that would be cut is in an
   *   open view, or is still to come from the pager for a snapshot; InvalidArgument; and, where it grows or is cut
   *   inside a page that a snapshot shares, as `writeSync`. Nothing has changed then.
   */
  resizeSync(this: Vmo<'write'>, sizeBytes: number): void {
    runStepsAtOnce(this.#resize(sizeBytes), 'resizeSync', 'resize()');
  }

  /** As `resizeSync`, and waits for the pager. */
  async resize(this: Vmo<'write'>, sizeBytes: number): Promise<void> {
    await runSteps(this.#resize(sizeBytes), () => this.use(WRITE, 'resize'));
  }

  #resize(sizeBytes: number): Steps {
    const object = this.use(WRITE, 'resize');
    checkSize(sizeBytes);
    if (!object.resizable) {
      throw new HolsteinError('ENOTSUP', `${object.name} was not made resizable`);
    }
    return resizeObject(object, sizeBytes);
  }

  /**
   * The bytes of a range where they lie in RAM. Its pages get frames of their own, count as written, and stay where
   * they are until the view is closed.
   * @throws as `writeSync`, and EACCES where 'read' or 'write' is wanting.
   */
  viewSync(this: Vmo<'read' | 'write'>, range: Partial<ByteRange> = {}): PageView {
    let view: PageView | undefined;
    const note = (opened: PageView): void => void (view = opened);
    this.#runRangeSync(READ | WRITE, 'view', range, this.#opening(note), 'empty too');
    return view!;
  }

  /** As `viewSync`, and waits for the pager. */
  async view(this: Vmo<'read' | 'write'>, range: Partial<ByteRange> = {}): Promise<PageView> {
    let view: PageView | undefined;
    const note = (opened: PageView): void => void (view = opened);
    await this.#runRange(READ | WRITE, 'view', range, this.#opening(note), 'empty too');
    return view!;
  }

  /**
   * A reference to the frame of a byte's page, as a mapping of it has: for 'write' the page is made the object's own,
   * and counts as written.
   * @returns undefined where the page is zeros and has no frame.
   * @throws as `readSync` or `writeSync`.
   */
  page<A extends 'read' | 'write'>(this: Vmo<A>, offset: number, access: A): DynPage | undefined {
    const object = this.use(access === 'write' ? WRITE : READ, `page(${access})`);
    if (access !== 'read' && access !== 'write') {
      throw new InvalidArgument(`a page for ${String(access)}: give read or write`);
    }
    const page = pageOf(this.locate(offset, 1, 'page'));
    const steps = access === 'write' ? ownAll : prefetchPages;
    runStepsAtOnce(steps(object, page, page + 1), `page(${access})`, 'commit()');
    const frame = object.content(page);
    return frame > 0 ? DynPage.to(object.memory, frame as FrameNumber) : undefined;
  }

  /**
   * Where a byte of a device's object lies in RAM.
   * @throws HolsteinError EACCES; ENOTSUP where the object is not contiguous or dma; InvalidArgument.
   */
  physicalAddress(this: Vmo<'read' | 'write'>, offset: number): PhysAddr {
    const object = this.use(READ | WRITE, 'physicalAddress');
    const at = this.locate(offset, 1, 'physicalAddress');
    if (!object.isPinned) throw new HolsteinError('ENOTSUP', `the pages of ${object.name} may move`);
    return physAddr(frameStart(slotFrame(object.pages.get(pageOf(at)))) + (at % PAGE_SIZE));
  }

  /**
   * Another hold on the object, for an address space to map it by. @param needed what the mapping may ever give.
   * @throws HolsteinError EACCES, EBADF, ESTALE. For the core's own use. @internal
   */
  attach(needed: readonly Right[], observer: MappingObserver): MappedObject {
    const bits = rightBits(needed);
    this.use(bits, 'map');
    return new MappedObject(this.reach, bits, this.derived, observer);
  }

  /**
   * Tells an observer of pages that change their frames, or are shared from now on, as what maps them must know. Pages
   * are counted from where this capability begins. @returns what ends it.
   */
  observe(this: Vmo<'read'>, observer: ObjectObserver): Disposable {
    this.use(READ, 'observe');
    return observeReach(this.reach, observer);
  }

  // ------------------------------------------------------------------ the pager

  /**
   * Writes changed pages back to the pager, which hears of the object's size first. Without a pager there is nothing to
   * do. A page that is written meanwhile is changed still.
   * @throws HolsteinError EACCES; ENOTSUP where pages are changed and the pager takes none back; PagerError: what it has
   *   not taken is changed still.
   */
  sync(this: Vmo<'write'>, range: Partial<ByteRange> = {}): Promise<void> {
    return this.#runRange(WRITE, 'sync', range, onPages(syncPages), 'empty or cut too');
  }

  /** As `sync`, for a pager that answers at once. @throws as `sync`, and EAGAIN. */
  syncSync(this: Vmo<'write'>, range: Partial<ByteRange> = {}): void {
    this.#runRangeSync(WRITE, 'sync', range, onPages(syncPages), 'empty too');
  }

  /**
   * Takes pages as the pager would give them, before anyone asks: those that have no frame yet.
   * @param offset a multiple of 4096. @param bytes whole pages, or up to the object's end.
   * @throws HolsteinError EACCES; ENOTSUP without a pager; PagerError where it is detached; InvalidArgument; OutOfMemory:
   *   the pages before are there then.
   */
  supply(this: Vmo<'write'>, offset: number, bytes: Uint8Array): void {
    const object = this.use(WRITE, 'supply');
    checkBytes(bytes, 'supply');
    const start = this.locate(offset, bytes.length, 'supply');
    const end = start + bytes.length;
    if (start % PAGE_SIZE !== 0 || (end % PAGE_SIZE !== 0 && end !== object.sizeBytes)) {
      throw new InvalidArgument(
        `supply of ${bytes.length} bytes at ${offset}: give whole pages of ${PAGE_SIZE}`,
      );
    }
    if (object.source === undefined) throw new HolsteinError('ENOTSUP', `${object.name} has no pager`);
    object.source.supply(start / PAGE_SIZE, bytes);
  }

  /**
   * Asks the pager no more. What is there stays; who wants more gets a PagerError, those who wait for it too.
   * @throws HolsteinError EACCES; ENOTSUP without a pager.
   */
  detachPager(this: Vmo<'write'>): void {
    const object = this.use(WRITE, 'detachPager');
    if (object.source === undefined) throw new HolsteinError('ENOTSUP', `${object.name} has no pager`);
    object.source.detach();
  }

  /** Says what a range will be needed for, when frames are short. 'always-need' brings it in. @throws as `prefetch` */
  hint(this: Vmo<'read'>, hint: Hint, range: Partial<ByteRange> = {}): Promise<void> {
    return this.#runRange(
      READ,
      'hint',
      range,
      onPages((object, first, end) => hintPages(object, first, end, hint)),
      'empty or cut too',
    );
  }

  /** Writes back what can be, and closes. @throws as `sync` */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isOpen) return;
    if (this.rightBits & WRITE && this.reach.object.source?.isWritable === true) {
      await (this as Vmo<never> as Vmo<'write'>).sync();
    }
    this.close();
  }

  // ------------------------------------------------------------------ how calls run

  #runRange(
    needed: RightBits,
    what: string,
    range: Partial<ByteRange>,
    make: RangeSteps,
    empty: Empty = 'nothing to do',
  ): Promise<void> {
    const { offset, length } = this.#whole(range);
    return this.#run(needed, what, offset, length, (object, start) => make(object, start, length), empty);
  }

  #runRangeSync(
    needed: RightBits,
    what: string,
    range: Partial<ByteRange>,
    make: RangeSteps,
    empty: Empty = 'nothing to do',
  ): void {
    const object = this.use(needed, `${what}Sync`);
    const { offset, length } = this.#whole(range);
    const start = this.locate(offset, length, `${what}Sync`);
    if (length === 0 && empty === 'nothing to do') return;
    runStepsAtOnce(make(object, start, length), `${what}Sync`, `${what}()`);
  }

  /** Runs steps on a range. Whenever they have waited, the capability and the range are checked again. */
  async #run(
    needed: RightBits,
    what: string,
    offset: number,
    length: number,
    make: (object: MemoryObject, start: number) => Steps,
    empty: Empty = 'nothing to do',
  ): Promise<void> {
    const object = this.use(needed, what);
    const start = this.locate(offset, length, what);
    if (length === 0 && empty === 'nothing to do') return;
    await runSteps(make(object, start), () => {
      this.use(needed, what);
      if (empty !== 'empty or cut too') this.locate(offset, length, what);
    });
  }

  /** The range that is meant: all, where nothing is said. */
  #whole({ offset = 0, length }: Partial<ByteRange>): ByteRange {
    return { offset, length: length ?? Math.max(this.sizeBytes - offset, 0) };
  }

  /** Steps that open a view as soon as its pages are the object's own: nothing comes between. */
  #opening(note: (view: PageView) => void): RangeSteps {
    const { start: zero } = this.reach;
    return function* (object, start, length) {
      if (length > 0) yield* ownAll(object, pageOf(start), pagesTo(start + length));
      note(openView(object, { offset: start, length }, zero));
    };
  }
}

const checkBytes = (bytes: unknown, what: string): void => {
  if (!(bytes instanceof Uint8Array))
    throw new InvalidArgument(`${what} takes a Uint8Array, not ${typeof bytes}`);
};
