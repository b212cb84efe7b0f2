/**
 * What stands between a memory object and its pager: it asks for pages once whoever wants them, remembers how far the
 * pager goes, and turns what goes wrong into a `PagerError`.
 *
 *      attached   asks the pager
 *      detached   asks no more: what is missing stays missing, and is not dropped any more either
 *      closed     the object is gone
 */
import {
  hex,
  InvalidArgument,
  OutOfMemory,
  PAGE_SIZE,
  pagesIn,
  type FrameNumber,
  frameStart,
  Usage,
} from '../frame/index.js';
import type { MemoryObject } from './memory-object.js';
import { EMPTY, SLOT_USED, slotFrame } from './page-slot.js';
import type { Steps } from './steps.js';
import { type ByteRange, type Pager, PagerError, type PagerCall } from './pager.js';

/** The most pages that are asked for in one call. */
export const REQUEST_PAGES = 256;

/** A commit that is under way, and whom to tell of its end. */
class Request {
  /** What to wait for now. */
  promise: Promise<void>;
  resolve!: () => void;
  reject!: (error: unknown) => void;

  constructor() {
    this.promise = this.#begin();
  }

  /** Lets all who wait look again. Who wants more of it waits anew. */
  wake(): void {
    const { resolve } = this;
    this.promise = this.#begin();
    resolve();
  }

  #begin(): Promise<void> {
    const promise = new Promise<void>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Who waits hears of a failure; where nobody does, the next who wants the page asks again.
    promise.catch(() => {});
    return promise;
  }
}

/** Marks pages whose commit is being answered this moment, by a call that has not returned. */
const ANSWERING = 'answering';

export class PageSource {
  readonly pager: Pager;
  readonly #object: MemoryObject;
  readonly #readAheadPages: number;
  /** The pager has the object's bytes up to here; beyond, what has no frame is zeros. */
  #limitBytes: number;
  /** The size that the pager was told last. */
  #toldBytes: number;
  /** The least size since the pager last heard of it: what it has beyond must not come back. */
  #lowestBytes: number;
  #state: 'attached' | 'detached' | 'closed' = 'attached';
  /** Ends when the write-back ends that is under way, if one is. */
  writingBack: Promise<void> | undefined;
  /** By page: the commit that will bring it. */
  readonly #requests = new Map<number, Request | typeof ANSWERING>();
  /** By clean page: the leave to write it that was asked for, until it is given. */
  readonly #updates = new Map<number, Promise<void>>();

  /** @param readAheadPages how many are asked for at least, where so many in a row are missing. */
  constructor(object: MemoryObject, pager: Pager, readAheadPages: number) {
    this.#object = object;
    this.pager = pager;
    this.#readAheadPages = readAheadPages;
    this.#limitBytes = object.sizeBytes;
    this.#toldBytes = object.sizeBytes;
    this.#lowestBytes = object.sizeBytes;
  }

  get isAttached(): boolean {
    return this.#state === 'attached';
  }

  /** Whether changed pages can go back. */
  get isWritable(): boolean {
    return this.isAttached && this.pager.writeBack !== undefined;
  }

  /** Pages that the pager has: the last perhaps in part. */
  get pages(): number {
    return pagesIn(this.#limitBytes);
  }

  /** Whether the pager has a page, or the beginning of it. */
  has(page: number): boolean {
    return page * PAGE_SIZE < this.#limitBytes;
  }

  /** Whether the pager has nothing of a page from a byte of it on. */
  endsBefore(page: number, offset: number): boolean {
    return this.#limitBytes <= page * PAGE_SIZE + offset;
  }

  /** Whether a clean page can be dropped: the pager has all of it, and can be asked. */
  canRestore(page: number): boolean {
    const end = Math.min((page + 1) * PAGE_SIZE, this.#object.sizeBytes);
    return this.isAttached && end <= this.#limitBytes;
  }

  /**
   * Brings pages in that have no frame. Fewer than asked for may come: those before one that is on its way, or as many
   * as there are frames for; always the first.
   * @returns undefined where they are there; otherwise what to wait for before looking again.
   * @throws PagerError; OutOfMemory where there is no frame for the first; nothing has changed then.
   */
  request(first: number, count: number): Promise<void> | undefined {
    const under = this.#requests.get(first);
    if (under === ANSWERING) {
      throw new PagerError(
        `the pager of ${this.#object.name} wants page ${first}, which it is being asked for`,
      );
    }
    if (under !== undefined) return under.promise;
    if (!this.isAttached) throw this.#gone(first);
    const most = first + Math.max(count, this.#readAheadPages);
    let end = first + 1;
    while (end < most && this.#isWanted(end)) end++;
    const range = this.#rangeOf(first, end, this.#limitBytes);
    this.#note(first, end, ANSWERING);
    let answer: Uint8Array | Promise<Uint8Array>;
    try {
      answer = this.pager.commit(range);
    } catch (cause) {
      this.#forget(first, end, ANSWERING);
      throw this.#failure('commit', range, cause);
    }
    if (!isPromise(answer)) {
      try {
        this.#arrive(first, end, range, answer, ANSWERING);
      } finally {
        this.#forget(first, end, ANSWERING);
      }
      return undefined;
    }
    const request = new Request();
    this.#note(first, end, request);
    void this.#await(first, end, range, answer, request);
    return request.promise;
  }

  /** Whether a page is missing, and not on its way. */
  #isWanted(page: number): boolean {
    return this.has(page) && !this.#requests.has(page) && this.#object.pages.get(page) === EMPTY;
  }

  async #await(
    first: number,
    end: number,
    range: ByteRange,
    answer: Promise<Uint8Array>,
    request: Request,
  ): Promise<void> {
    try {
      let bytes: Uint8Array;
      try {
        bytes = await answer;
      } catch (cause) {
        throw this.#failure('commit', range, cause);
      }
      this.#arrive(first, end, range, bytes, request);
      this.#forget(first, end, request);
      request.resolve();
    } catch (error) {
      this.#forget(first, end, request);
      request.reject(error);
    }
  }

  /** Gives frames to the pages of a request that still wants them. */
  #arrive(
    first: number,
    end: number,
    range: ByteRange,
    bytes: Uint8Array,
    request: Request | typeof ANSWERING,
  ): void {
    if (!(bytes instanceof Uint8Array)) {
      throw this.#failure('commit', range, new InvalidArgument(`gave ${typeof bytes}, not a Uint8Array`));
    }
    if (bytes.length !== range.length) {
      const wrong = new InvalidArgument(`gave ${bytes.length} bytes for ${range.length}`);
      throw this.#failure('commit', range, wrong);
    }
    // To make room for one, another that has just come is not to go.
    const held = this.#object.held.add(first, end);
    try {
      this.#fillWanted(first, end, bytes, request);
    } finally {
      this.#object.held.delete(held);
    }
  }

  #fillWanted(first: number, end: number, bytes: Uint8Array, request: Request | typeof ANSWERING): void {
    for (let page = first; page < end; page++) {
      // Cut off, written or detached meanwhile: it is not wanted any more.
      if (this.#requests.get(page) !== request) continue;
      const start = (page - first) * PAGE_SIZE;
      try {
        this.#fill(page, bytes.subarray(start, start + PAGE_SIZE));
      } catch (error) {
        if (page > first && error instanceof OutOfMemory) return;
        throw error;
      }
    }
  }

  /** Gives an empty page a frame with what the pager has. */
  #fill(page: number, bytes: Uint8Array): void {
    const object = this.#object;
    if (object.pages.get(page) !== EMPTY || !this.has(page)) return;
    const frame = object.memory.allocate(Usage.Frame);
    // To make room a pager may have been told of dropped pages, and have done anything.
    if (object.pages.get(page) !== EMPTY || !this.has(page) || object.isGone) {
      object.memory.release(frame);
      return;
    }
    this.#copyIn(frame, bytes, Math.min(bytes.length, this.#limitBytes - page * PAGE_SIZE));
    object.install(page, frame, SLOT_USED);
    object.home.counters.pagesSupplied++;
  }

  #copyIn(frame: FrameNumber, bytes: Uint8Array, length: number): void {
    const { memory } = this.#object;
    const start = frameStart(frame);
    memory.bytes.set(bytes.subarray(0, length), start);
    memory.bytes.fill(0, start + length, start + PAGE_SIZE);
  }

  /** Takes pages from the pager unasked: those that have no frame, as `commit` would have given them. */
  supply(first: number, bytes: Uint8Array): void {
    if (!this.isAttached) throw this.#gone(first);
    for (let start = 0; start < bytes.length; start += PAGE_SIZE) {
      const page = first + start / PAGE_SIZE;
      this.#fill(page, bytes.subarray(start, start + PAGE_SIZE));
      this.cancel(page, page + 1);
    }
  }

  /** Asks the pager's leave to write clean pages. @returns what to wait for, if anything. @throws PagerError */
  askUpdate(first: number, end: number): Promise<void> | undefined {
    if (this.pager.update === undefined || !this.isAttached) return undefined;
    const range = this.#rangeOf(first, end, this.#object.sizeBytes);
    const waiting = this.#call('update', range, () => this.pager.update!(range));
    if (waiting === undefined) return undefined;
    for (let page = first; page < end; page++) this.#updates.set(page, waiting);
    const forget = (): void => {
      for (let page = first; page < end; page++) {
        if (this.#updates.get(page) === waiting) this.#updates.delete(page);
      }
    };
    waiting.then(forget, forget);
    return waiting;
  }

  /** What to wait for where someone else has asked for leave to write a page, and has not got it yet. */
  updateUnder(page: number): Promise<void> | undefined {
    return this.#updates.size === 0 ? undefined : this.#updates.get(page);
  }

  /** Gives changed bytes to the pager. @throws as `askUpdate`. */
  writeBack(first: number, end: number): Promise<void> | undefined {
    const range = this.#rangeOf(first, end, this.#object.sizeBytes);
    const bytes = this.#copyOut(first, range.length);
    return this.#call('writeBack', range, () => this.pager.writeBack!(range, bytes));
  }

  #copyOut(first: number, length: number): Uint8Array {
    const { memory, pages } = this.#object;
    const bytes = new Uint8Array(length);
    for (let start = 0; start < length; start += PAGE_SIZE) {
      const frame = slotFrame(pages.get(first + start / PAGE_SIZE));
      if (frame === 0) continue;
      const from = frameStart(frame);
      bytes.set(memory.bytes.subarray(from, from + Math.min(PAGE_SIZE, length - start)), start);
    }
    return bytes;
  }

  /** The object has been cut: what lies beyond is not the pager's any more, nor what is on its way. */
  cut(sizeBytes: number): void {
    this.#limitBytes = Math.min(this.#limitBytes, sizeBytes);
    this.#lowestBytes = Math.min(this.#lowestBytes, sizeBytes);
    this.cancel(Math.floor(sizeBytes / PAGE_SIZE), Infinity);
  }

  /**
   * Tells the pager of the size, if it is not what it was told last: first the least that there was meanwhile, so
   * that nothing cut off comes back. Then it has all of the object again, zeros where nothing is written yet.
   */
  *tellSize(): Steps {
    if (this.pager.resize === undefined) return;
    if (this.#lowestBytes < this.#toldBytes) yield* this.#tell(this.#lowestBytes);
    if (this.#object.sizeBytes !== this.#toldBytes) yield* this.#tell(this.#object.sizeBytes);
  }

  *#tell(sizeBytes: number): Steps {
    const before = this.#lowestBytes;
    // While it is told, the object may be cut again.
    this.#lowestBytes = sizeBytes;
    try {
      yield this.#call('resize', { offset: 0, length: sizeBytes }, () => this.pager.resize!(sizeBytes));
    } catch (error) {
      this.#lowestBytes = Math.min(this.#lowestBytes, before);
      throw error;
    }
    this.#toldBytes = sizeBytes;
    this.#limitBytes = this.#lowestBytes;
  }

  /**
   * What is on its way to these pages is not wanted any more: they are there, or cut off. Who waits for them is to
   * look again.
   */
  cancel(first: number, end: number): void {
    if (this.#requests.size === 0) return;
    const cut = new Set<Request>();
    for (const [page, request] of this.#requests) {
      if (page < first || page >= end) continue;
      this.#requests.delete(page);
      if (request !== ANSWERING) cut.add(request);
    }
    for (const request of cut) request.wake();
  }

  /** Says that clean pages were dropped. */
  noteDropped(first: number, end: number): void {
    this.pager.decommit?.(this.#rangeOf(first, end, this.#object.sizeBytes));
  }

  detach(): void {
    if (this.#state === 'attached') this.#end('detached');
  }

  close(): void {
    if (this.#state !== 'closed') this.#end('closed');
  }

  #end(state: 'detached' | 'closed'): void {
    const wasAttached = this.#state === 'attached';
    this.#state = state;
    const waiting = new Set(this.#requests.values());
    const [page = 0] = this.#requests.keys();
    this.#requests.clear();
    for (const request of waiting) {
      if (request !== ANSWERING) request.reject(this.#gone(page));
    }
    if (wasAttached) this.pager.close?.();
  }

  #gone(page: number): PagerError {
    const { name } = this.#object;
    return new PagerError(`page ${page} of ${name} has no frame, and its pager is ${this.#state}`);
  }

  #call(what: PagerCall, range: ByteRange, call: () => void | Promise<void>): Promise<void> | undefined {
    let answer: void | Promise<void>;
    try {
      answer = call();
    } catch (cause) {
      throw this.#failure(what, range, cause);
    }
    // A call that gives something for nothing, as an arrow function may, has answered.
    if (!isPromise(answer)) return undefined;
    return Promise.resolve(answer).catch((cause: unknown) => {
      throw this.#failure(what, range, cause);
    });
  }

  #failure(what: PagerCall, range: ByteRange, cause: unknown): PagerError {
    const end = range.offset + range.length;
    return new PagerError(
      `the pager of ${this.#object.name} failed in ${what} of bytes ${hex(range.offset)} to ${hex(end)}: ${messageOf(cause)}`,
      { cause },
    );
  }

  /** The bytes of pages, as far as they go. */
  #rangeOf(first: number, end: number, limitBytes: number): ByteRange {
    const offset = first * PAGE_SIZE;
    return { offset, length: Math.min(end * PAGE_SIZE, limitBytes) - offset };
  }

  #note(first: number, end: number, request: Request | typeof ANSWERING): void {
    for (let page = first; page < end; page++) this.#requests.set(page, request);
  }

  #forget(first: number, end: number, request: Request | typeof ANSWERING): void {
    for (let page = first; page < end; page++) {
      if (this.#requests.get(page) === request) this.#requests.delete(page);
    }
  }
}

const isPromise = (answer: unknown): answer is Promise<unknown> =>
  typeof answer === 'object' && answer !== null && 'then' in answer && typeof answer.then === 'function';

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
