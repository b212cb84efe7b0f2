/**
 * A memory object as an address space has it: a capability made for mapping it, by which the object stays whoever else
 * lets go of it, and which goes stale when one that it was derived from is revoked.
 *
 * Pages are numbered as the object's own. What it says of a page holds until the object changes; the observer hears of
 * that before it does.
 */
import { type FrameNumber, pagesIn } from '../frame/index.js';
import { Capability, type Reach } from './capability.js';
import { type MemoryObject, MISSING, type ObjectObserver } from './memory-object.js';
import { pageOf } from './page-bytes.js';
import { prefetchPages } from './page-drops.js';
import { holdPages, NOT_OWN, ownAll, ownRow } from './page-writes.js';
import { clearTail, hasTail } from './resize.js';
import { type RightBits, WRITE } from './rights.js';
import { startSteps, type Steps } from './steps.js';

export interface MappingObserver extends ObjectObserver {
  /** The capability has been revoked: nothing of the object may be used any more. Must not throw. */
  revoked(): void;
}

export class MappedObject extends Capability {
  readonly #observer: MappingObserver;
  readonly #object: MemoryObject;

  /** Use `Vmo.attach`. @internal */
  constructor(reach: Reach, rights: RightBits, siblings: Set<Capability>, observer: MappingObserver) {
    const of = (rights & WRITE) === 0 ? 'mapping' : 'writable mapping';
    const window = reach.object.open(reach.window.first, reach.window.end, of);
    super({ ...reach, window }, rights, siblings);
    this.#object = reach.object;
    this.#observer = observer;
    this.#object.observers.add(observer);
  }

  get name(): string {
    return this.#object.name;
  }

  /** The object's page before which what is reached ends, as it is now. A page that a slice ends in is not reached whole. */
  get endPage(): number {
    const { start, sizeBytes } = this.reach;
    const { sizePages } = this.#object;
    if (sizeBytes === undefined) return sizePages;
    const end = start + sizeBytes;
    return end >= this.#object.sizeBytes ? sizePages : pageOf(end);
  }

  /** Another of the same, for another place in a space. Both are closed by themselves. */
  another(observer: MappingObserver): MappedObject {
    return new MappedObject(this.reach, this.rightBits, this.siblings, observer);
  }

  /** The frame that holds what a page is; 0 where it is zeros without a frame. The page must be ready. */
  frame(page: number): FrameNumber {
    return this.#object.content(page) as FrameNumber;
  }

  /** As `frame`, and 0 too where the page would have to be brought in. */
  presentFrame(page: number): FrameNumber {
    const content = this.#object.content(page);
    return (content === MISSING ? 0 : content) as FrameNumber;
  }

  /** Whether a page can be used so at once: it is there, what lies beyond the object's end is zeros, and it may be written. */
  isReady(page: number, access: 'read' | 'write'): boolean {
    if (hasTail(this.#object, page)) return false;
    return access === 'write'
      ? ownRow(this.#object, page, page + 1) !== NOT_OWN
      : this.#object.content(page) !== MISSING;
  }

  /** Keeps pages from being evicted. @returns what ends that; undefined where they never are. */
  hold(first: number, end: number): (() => void) | undefined {
    const { source, base } = this.#object;
    return source === undefined && base === undefined ? undefined : holdPages(this.#object, first, end);
  }

  /** Pins pages that are the object's own: they stay where they are, and a snapshot copies them. @returns what ends that. */
  pin(first: number, end: number): () => void {
    return this.#object.pin(first, end);
  }

  /**
   * Makes a page ready.
   * @returns what to wait for before looking again; undefined where it has been done.
   * @throws OutOfMemory, PagerError; the promise may be rejected with those, and with others where the object was cut or
   *   the capability revoked meanwhile: who looks again sees.
   */
  makeReady(page: number, access: 'read' | 'write'): Promise<void> | undefined {
    const waiting = startSteps(readySteps(this.#object, page, access), () => this.use(0, 'a page fault'));
    // Who does not wait asks again.
    waiting?.catch(() => {});
    return waiting;
  }

  override close(): void {
    this.#object.observers.delete(this.#observer);
    super.close({ unwritten: 'discard' });
  }

  protected override onRevoked(): void {
    this.#observer.revoked();
    this.#object.observers.delete(this.#observer);
  }
}

function* readySteps(object: MemoryObject, page: number, access: 'read' | 'write'): Steps {
  if (page >= pagesIn(object.sizeBytes)) return;
  if (page === pageOf(object.sizeBytes)) yield* clearTail(object, object.sizeBytes);
  const steps = access === 'write' ? ownAll : prefetchPages;
  yield* steps(object, page, page + 1);
}
