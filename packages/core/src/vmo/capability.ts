/**
 * What every capability has: the part of an object that it reaches, its rights, and its place among those that it was
 * derived from and that were derived from it.
 *
 *      open → closed    close(): what was derived from it counts as derived from what it was derived from
 *      open → moved     another capability takes its place
 *      open → stale     revoke(), of it or of one above it
 */
import { HolsteinError, InvalidArgument } from '../frame/index.js';
import { FirstError } from '../paging/index.js';
import type { MemoryObject, Window } from './memory-object.js';
import { OPEN, READ, requireRights, type Right, type RightBits, rightNames } from './rights.js';
import { nextChanged } from './write-back.js';

/** The part of an object that a capability reaches. */
export interface Reach {
  readonly object: MemoryObject;
  readonly window: Window;
  /** Where it begins in the object, in bytes: on a page. */
  readonly start: number;
  /** Of a slice. Otherwise undefined: it is as long as the object, whatever that becomes. */
  readonly sizeBytes: number | undefined;
}

export type CapabilityState = 'open' | 'closed' | 'moved' | 'stale';

/** What to do with changed pages that nobody could write back any more. */
export interface CloseOptions {
  /** 'refuse' throws; 'discard' loses them. Default 'refuse'. */
  readonly unwritten?: 'refuse' | 'discard';
}

export abstract class Capability {
  readonly #reach: Reach;
  readonly #object: MemoryObject;
  readonly #start: number;
  readonly #rights: RightBits;
  /** The rights while the capability is open, and that it is: both are looked at in one test. */
  #usable: RightBits;
  /** How many bytes may be read, where that stays so while the capability is open; otherwise 0. For data-view.ts. @internal */
  readonly reading: { limitBytes: number };
  #state: CapabilityState = 'open';
  /** Where it stands itself: among those that were derived from the same. */
  #siblings: Set<Capability>;
  #derived = new Set<Capability>();

  /** Takes over a hold on the window. Use `MemoryObjects.create`, `createChild` or `duplicate`. @internal */
  constructor(reach: Reach, rights: RightBits, siblings: Set<Capability>) {
    this.#reach = reach;
    this.#object = reach.object;
    this.#start = reach.start;
    this.#rights = rights;
    this.#usable = rights | OPEN;
    const isFixed = reach.sizeBytes !== undefined || !reach.object.resizable;
    this.reading = { limitBytes: isFixed && (rights & READ) !== 0 ? this.sizeBytes : 0 };
    this.#siblings = siblings;
    siblings.add(this);
  }

  get state(): CapabilityState {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** What the holder may do, in the order of `RIGHTS`. */
  get rights(): readonly Right[] {
    return rightNames(this.#rights);
  }

  /** Bytes: of the slice, or of the object. @throws HolsteinError EBADF, ESTALE as all */
  get size(): number {
    this.use(0, 'size');
    return this.sizeBytes;
  }

  /** What it reaches, for the layer's own use. @internal */
  get reach(): Reach {
    return this.#reach;
  }

  /** What was derived from it, for the layer's own use. @internal */
  get derived(): Set<Capability> {
    return this.#derived;
  }

  /** Those that were derived from the same, for the layer's own use. @internal */
  protected get siblings(): Set<Capability> {
    return this.#siblings;
  }

  /** The rights and OPEN while it is open; otherwise none. For the layer's own use. @internal */
  get usableBits(): RightBits {
    return this.#usable;
  }

  protected get rightBits(): RightBits {
    return this.#rights;
  }

  protected get sizeBytes(): number {
    return this.#reach.sizeBytes ?? this.#object.sizeBytes;
  }

  /**
   * The object, for a call that needs some rights.
   * @throws HolsteinError EBADF where the capability is closed or moved, ESTALE where it is revoked, EACCES where a
   *   right is wanting.
   */
  protected use(needed: RightBits, what: string): MemoryObject {
    if (((needed | OPEN) & ~this.#usable) !== 0) this.#refuse(needed, what);
    return this.#object;
  }

  #refuse(needed: RightBits, what: string): void {
    if (this.#state !== 'open') throw this.#notOpen(what);
    requireRights(this.#rights, needed, what);
  }

  #notOpen(what: string): HolsteinError {
    const { name } = this.#reach.object;
    return this.#state === 'stale'
      ? new HolsteinError('ESTALE', `${what}: this capability to ${name} has been revoked`)
      : new HolsteinError('EBADF', `${what}: this capability to ${name} is ${this.#state}`);
  }

  /** Where a range begins in the object, in bytes. @throws InvalidArgument where it is not within what is reached. */
  protected locate(offset: number, length: number, what: string): number {
    // Whatever is not a number, or not within 2^53, fails one of these.
    const isWithin = offset >= 0 && length >= 0 && offset + length <= this.sizeBytes;
    if (!isWithin || Math.floor(offset) !== offset || Math.floor(length) !== length) {
      throw this.#outside(offset, length, what);
    }
    return this.#start + offset;
  }

  #outside(offset: number, length: number, what: string): InvalidArgument {
    return new InvalidArgument(
      `${what}: ${length} bytes at ${offset} are not within the ${this.sizeBytes} bytes of ${this.#object.name}`,
    );
  }

  /** Gives its place to another: of those that it was derived from, and of those derived from it. */
  protected replaceBy(make: (siblings: Set<Capability>) => Capability): void {
    const next = make(this.#siblings);
    next.#derived = this.#derived;
    for (const derived of next.#derived) derived.#siblings = next.#derived;
    this.#siblings.delete(this);
    this.#state = 'moved';
    this.#usable = this.reading.limitBytes = 0;
  }

  /**
   * Lets go of the object, which is freed where nobody else reaches it. One that is not open is left alone.
   * @throws HolsteinError EBUSY where changed pages could not be written back any more; nothing has changed then.
   */
  close({ unwritten = 'refuse' }: CloseOptions = {}): void {
    if (this.#state !== 'open') return;
    if (unwritten === 'refuse') checkWritten([this]);
    this.#end('closed');
    this.letGo();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Takes back this capability and all that were derived from it: duplicates, slices, children, and what was derived
   * from those. Whoever holds one gets ESTALE.
   * @throws HolsteinError EBADF, ESTALE; EBUSY as `close`.
   */
  revoke({ unwritten = 'refuse' }: CloseOptions = {}): void {
    this.use(0, 'revoke');
    revokeAll([this], unwritten);
  }

  /** Hears that the capability has been revoked, while it still holds the object. Must not throw. */
  protected onRevoked(): void {}

  #end(state: 'closed' | 'stale'): void {
    this.#state = state;
    this.#usable = this.reading.limitBytes = 0;
    this.#siblings.delete(this);
    for (const derived of this.#derived) {
      derived.#siblings = this.#siblings;
      this.#siblings.add(derived);
    }
    this.#derived.clear();
  }

  /** For `revokeAll` alone. @internal */
  makeStale(): void {
    this.onRevoked();
    this.#end('stale');
  }

  /** Lets go of the object, which may call its pager. For `revokeAll` alone. @internal */
  letGo(): void {
    this.#reach.object.letGo(this.#reach.window);
  }
}

/** Makes capabilities stale, and all that were derived from them. */
export const revokeAll = (
  capabilities: Iterable<Capability>,
  unwritten: NonNullable<CloseOptions['unwritten']>,
): void => {
  const all = new Set(capabilities);
  for (const capability of all) {
    for (const derived of capability.derived) all.add(derived);
  }
  if (unwritten === 'refuse') checkWritten(all);
  // Nothing can be made from any of them any more when the first pager hears of it.
  for (const capability of all) capability.makeStale();
  const first = new FirstError();
  for (const capability of all) {
    try {
      capability.letGo();
    } catch (error) {
      first.note(error);
    }
  }
  first.rethrow();
};

/** @throws HolsteinError EBUSY where, without these capabilities, nobody could write some changed page back. */
const checkWritten = (going: Iterable<Capability>): void => {
  const holdsGoing = new Map<Window, number>();
  const objects = new Set<MemoryObject>();
  for (const { reach } of going) {
    holdsGoing.set(reach.window, (holdsGoing.get(reach.window) ?? 0) + 1);
    if (reach.object.source?.isWritable === true) objects.add(reach.object);
  }
  for (const object of objects) {
    const left = [...object.windows].filter(
      (window) => window.of === 'capabilities' && window.holders > (holdsGoing.get(window) ?? 0),
    );
    const going = [...object.windows].filter((window) => holdsGoing.has(window));
    const isLost = (page: number): boolean => isWithin(going, page) && !isWithin(left, page);
    let page = nextChanged(object, 0, object.sizePages);
    while (page !== -1 && !isLost(page)) page = nextChanged(object, page + 1, object.sizePages);
    if (page === -1) {
      checkMappings(object, left, holdsGoing);
      continue;
    }
    throw new HolsteinError(
      'EBUSY',
      `page ${page} of ${object.name} is not written back: await sync() first, or close({ unwritten: 'discard' })`,
    );
  }
};

/** @throws HolsteinError EBUSY where a mapping that can be written would be left, and nobody to write its pages back. */
const checkMappings = (
  object: MemoryObject,
  left: readonly Window[],
  going: ReadonlyMap<Window, number>,
): void => {
  for (const window of object.windows) {
    if (window.of !== 'writable mapping' || going.has(window)) continue;
    if (left.some(({ first, end }) => first <= window.first && end >= window.end)) continue;
    throw new HolsteinError(
      'EBUSY',
      `${object.name} is mapped to be written, and nobody could write it back: unmap it first, or close({ unwritten: 'discard' })`,
    );
  }
};

const isWithin = (windows: readonly Window[], page: number): boolean =>
  windows.some(({ first, end }) => page >= first && page < end);
