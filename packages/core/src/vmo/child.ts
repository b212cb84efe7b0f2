/**
 * Making children (Zircon's `zx_vmo_create_child`). A slice or a reference is a window on the same object; a snapshot
 * is an object of its own (clone.ts).
 */
import { HolsteinError, InvalidArgument, PAGE_SIZE, pagesIn } from '../frame/index.js';
import type { Reach } from './capability.js';
import { makeSnapshot, type SnapshotKind } from './clone.js';
import { MAX_OBJECT_BYTES } from './memory-object.js';
import { clearTail } from './resize.js';
import { EXEC, READ, requireRights, type Right, type RightBits, rightBits, WRITE } from './rights.js';
import { runStepsAtOnce } from './steps.js';

/**
 *      slice                        a part of the parent: the same pages
 *      reference                    all of the parent, whatever its size becomes
 *      snapshot                     as if all of it were copied now
 *      snapshot-at-least-on-write   as if each page were copied when the child first writes it, or before
 *      snapshot-modified            as the last, but that pages which the parent has written itself are as they are now
 */
export type ChildKind = 'slice' | 'reference' | SnapshotKind;

/** Rights that a child can have: the parent's, and a snapshot may be written whoever made it. */
export type ChildRight<R extends Right, K extends ChildKind> = K extends SnapshotKind ? R | 'write' : R;

/** Rights that a child has unless told: a snapshot loses 'exec'. */
export type DefaultChildRight<R extends Right, K extends ChildKind> = K extends SnapshotKind
  ? Exclude<R, 'exec'> | 'write'
  : R;

export interface ChildOptions<K extends ChildKind = ChildKind, S extends Right = Right> {
  readonly kind: K;
  /** Where the child begins in the parent, in bytes: a multiple of 4096. Default 0. */
  readonly offset?: number;
  /**
   * Bytes. A snapshot may be longer than its parent, with zeros there. Default: the rest of the parent. A reference
   * has neither offset nor size.
   */
  readonly size?: number;
  /** Of a snapshot: whether it can be resized. Default false. */
  readonly resizable?: boolean;
  /** What the child's capability is to have. A snapshot has 'exec' only where asked, and never beside 'write'. */
  readonly rights?: readonly S[];
  readonly name?: string;
}

const SNAPSHOT_KINDS: readonly ChildKind[] = ['snapshot', 'snapshot-at-least-on-write', 'snapshot-modified'];
const KINDS: readonly ChildKind[] = ['slice', 'reference', ...SNAPSHOT_KINDS];

/**
 * @param parent what the parent's capability reaches, and `sizeBytes` how much.
 * @returns what the child's capability reaches, with a hold on it, and its rights.
 * @throws as `Vmo.createChild`.
 */
export const makeChild = (
  parent: Reach,
  sizeBytes: number,
  held: RightBits,
  options: ChildOptions,
): { readonly reach: Reach; readonly rights: RightBits } => {
  const { kind } = options;
  if (!KINDS.includes(kind)) {
    throw new InvalidArgument(`there is no child of kind ${String(kind)}: give one of ${KINDS.join(', ')}`);
  }
  const rights = rightsOf(held, options);
  if (kind === 'reference') return { reach: makeReference(parent, options), rights };
  const { offset = 0 } = options;
  const { size = Math.max(sizeBytes - offset, 0) } = options;
  checkRange(offset, size);
  const reach =
    kind === 'slice'
      ? makeSlice(parent, sizeBytes, offset, size, options)
      : makeObject(parent, sizeBytes, offset, size, kind, options);
  return { reach, rights };
};

const rightsOf = (held: RightBits, { kind, rights }: ChildOptions): RightBits => {
  const isSnapshot = SNAPSHOT_KINDS.includes(kind);
  const possible = isSnapshot ? held | WRITE : held;
  if (rights === undefined) return isSnapshot ? possible & ~EXEC : possible;
  const wanted = rightBits(rights);
  requireRights(possible, wanted, `a ${kind} with ${rights.join(', ') || 'no rights'}`);
  if (isSnapshot && (wanted & (WRITE | EXEC)) === (WRITE | EXEC)) {
    throw new InvalidArgument(`a ${kind} is not written and executed: give it the right write or exec`);
  }
  return wanted;
};

const checkRange = (offset: number, size: number): void => {
  if (!Number.isSafeInteger(offset) || offset < 0 || offset % PAGE_SIZE !== 0) {
    throw new InvalidArgument(`a child at ${offset}: give a multiple of ${PAGE_SIZE}, 0 or more`);
  }
  checkSize(size);
};

/** @throws InvalidArgument for a size that no object can have. */
export const checkSize = (size: number): void => {
  if (!Number.isSafeInteger(size) || size < 0 || size > MAX_OBJECT_BYTES) {
    throw new InvalidArgument(`${size} bytes: give a whole number from 0 to ${MAX_OBJECT_BYTES}`);
  }
};

const makeReference = (parent: Reach, { offset = 0, size, resizable }: ChildOptions): Reach => {
  if (offset !== 0 || size !== undefined) {
    throw new InvalidArgument('a reference is to all of its parent: it has no offset and no size');
  }
  if (resizable !== undefined) {
    throw new InvalidArgument('a reference can be resized if its parent can: leave `resizable` out');
  }
  parent.window.holders++;
  return parent;
};

const makeSlice = (
  parent: Reach,
  sizeBytes: number,
  offset: number,
  size: number,
  { resizable }: ChildOptions,
): Reach => {
  const { object } = parent;
  if (resizable === true) throw new InvalidArgument('a slice cannot be resized: leave `resizable` out');
  if (offset > sizeBytes || size > sizeBytes - offset) {
    throw new InvalidArgument(
      `a slice of ${size} bytes at ${offset} is not within the ${sizeBytes} bytes of ${object.name}`,
    );
  }
  if (object.resizable) {
    throw new HolsteinError('ENOTSUP', `${object.name} can be resized: what a slice of it shows might go`);
  }
  const start = parent.start + offset;
  const window = object.open(start / PAGE_SIZE, pagesIn(start + size));
  return { object, window, start, sizeBytes: size };
};

const makeObject = (
  parent: Reach,
  sizeBytes: number,
  offset: number,
  size: number,
  kind: SnapshotKind,
  { resizable, name }: ChildOptions,
): Reach => {
  const seenBytes = Math.min(size, Math.max(sizeBytes - offset, 0));
  const object = makeSnapshot(parent.object, {
    kind,
    sizeBytes: size,
    resizable,
    name,
    first: (parent.start + offset) / PAGE_SIZE,
    seen: pagesIn(seenBytes),
  });
  const window = object.open(0, Infinity);
  try {
    // Where the parent ends inside a page, the rest of that page is not the child's to see.
    if (seenBytes < size)
      runStepsAtOnce(clearTail(object, seenBytes), `a ${kind} beyond its parent`, 'commit()');
  } catch (error) {
    object.letGo(window);
    throw error;
  }
  object.home.counters.snapshots++;
  return { object, window, start: 0, sizeBytes: undefined };
};

/** Rights that making a child of a kind needs: a snapshot could not be read without. */
export const rightsToMake = (kind: ChildKind): RightBits => (SNAPSHOT_KINDS.includes(kind) ? READ : 0);
