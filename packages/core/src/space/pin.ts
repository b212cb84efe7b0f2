/**
 * Pinned memory: pages of a space that a device, or the host, reads and writes at their physical addresses. Whatever the
 * space does meanwhile, the frames stay those of its pages: a write does not copy them, and the child of a fork gets
 * copies at once. A snapshot of an object whose pages are pinned copies them likewise.
 *
 *      open → closed    close(); the frames go with their pages, or at once where those have been unmapped
 */
import {
  type FrameNumber,
  HolsteinError,
  OutOfMemory,
  Usage,
  type VirtAddr,
  vpn,
  type Vpn,
} from '../frame/index.js';
import { makePte, PTE_A, PTE_COW, PTE_D, PTE_FLAGS, PTE_W, pteFrame } from '../paging/index.js';
import type { AddressSpace } from './address-space.js';
import { isObjects } from './backing.js';
import { formatRange } from './mapping.js';
import { pageRange } from './page-range.js';
import { reachAll } from './user-copy.js';

/** By frame: the page of the space that it is pinned to, and how often. Frames of objects are pinned there. */
export type Pins = Map<FrameNumber, { page: Vpn; pins: number }>;

export class PinnedMemory implements Disposable {
  readonly #space: AddressSpace;
  #frames: readonly FrameNumber[] | undefined;
  readonly #unpinObjects: () => void;

  /** Use `AddressSpace.pin`. @internal */
  constructor(space: AddressSpace, frames: readonly FrameNumber[], unpinObjects: () => void) {
    this.#space = space;
    this.#frames = frames;
    this.#unpinObjects = unpinObjects;
    space.virtualMemory.pinned.add(this);
  }

  /** The frames of the pages, in order. @throws HolsteinError EBADF where it is closed. */
  get frames(): readonly FrameNumber[] {
    if (this.#frames === undefined) throw new HolsteinError('EBADF', 'the memory is not pinned any more');
    return this.#frames;
  }

  /** Unpins the pages. Closing twice does nothing. */
  close(): void {
    const frames = this.#frames;
    if (frames === undefined) return;
    this.#frames = undefined;
    this.#space.virtualMemory.pinned.delete(this);
    for (const frame of frames) {
      unpin(this.#space.pins, frame);
      this.#space.memory.release(frame);
    }
    this.#unpinObjects();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** @throws as `AddressSpace.pin`; nothing is pinned then. */
export const pinIn = (space: AddressSpace, at: VirtAddr, lengthBytes: number): PinnedMemory => {
  const [start, end] = pageRange(at, lengthBytes);
  const failure = reachAll(space, at, lengthBytes, 'write');
  const what = `cannot pin ${formatRange(start, end)}`;
  if (failure === 'ENOMEM') throw new OutOfMemory(`${what}: out of memory`);
  if (failure === 'EIO' || failure === 'EFAULT') {
    throw new HolsteinError(failure, `${what}: a page of it cannot be written`);
  }
  if (failure !== undefined) throw new HolsteinError('EAGAIN', `${what}: a pager answers later`);
  const frames: FrameNumber[] = [];
  for (let page = start; page < end; page = vpn(page + 1)) {
    const frame = pteFrame(space.table.entry(page));
    space.memory.retain(frame);
    frames.push(frame);
    if (!isObjects(space, frame)) pin(space.pins, page, frame);
  }
  return new PinnedMemory(space, frames, pinObjects(space, start, end));
};

const pinObjects = (space: AddressSpace, start: Vpn, end: Vpn): (() => void) => {
  const ends: (() => void)[] = [];
  for (const { start: first, end: last, backing, sharing } of space.list.partsIn(start, end)) {
    if (backing === undefined || sharing === 'private') continue;
    ends.push(backing.object.pin(backing.objectPage(first), backing.objectPage(last)));
  }
  return () => {
    for (const unpinObject of ends) unpinObject();
  };
};

const pin = (pins: Pins, page: Vpn, frame: FrameNumber): void => {
  const there = pins.get(frame);
  if (there !== undefined) there.pins++;
  else pins.set(frame, { page, pins: 1 });
};

const unpin = (pins: Pins, frame: FrameNumber): void => {
  const there = pins.get(frame);
  if (there !== undefined && --there.pins === 0) pins.delete(frame);
};

/** Makes a page that is pinned writable where it is, if it has become copy on write. @returns whether it was so. */
export const writePinned = (space: AddressSpace, page: Vpn, pte: number): boolean => {
  if (space.pins.size === 0) return false;
  if (space.pins.get(pteFrame(pte))?.page !== page || (pte & PTE_COW) === 0) return false;
  space.table.replace(page, (pte & ~PTE_COW) | PTE_W | PTE_A | PTE_D);
  return true;
};

/** Frames for copies of the pages that are pinned, which the child of a fork is to have. @throws OutOfMemory */
export const allocateCopies = ({ pins, memory }: AddressSpace): FrameNumber[] => {
  const copies: FrameNumber[] = [];
  try {
    while (copies.length < pins.size) copies.push(memory.allocate(Usage.Frame));
    return copies;
  } catch (error) {
    for (const copy of copies) memory.release(copy);
    throw error;
  }
};

/** Gives the child of a fork copies of the pages that are pinned in its parent: takes over their frames. */
export const copyPinned = (parent: AddressSpace, child: AddressSpace, copies: FrameNumber[]): void => {
  const { memory } = parent;
  for (const [frame, { page }] of parent.pins) {
    const copy = copies.pop()!;
    const pte = child.table.entry(page);
    // The eager fork has copied it already.
    if (pteFrame(pte) !== frame) {
      memory.release(copy);
      continue;
    }
    memory.copy(frame, copy);
    child.table.replace(page, makePte(copy, pte & PTE_FLAGS));
    memory.release(frame);
  }
};

/** Takes pins along with pages that move. */
export const movePins = (pins: Pins, start: Vpn, end: Vpn, distance: number): void => {
  for (const pinned of pins.values()) {
    if (pinned.page >= start && pinned.page < end) pinned.page = vpn(pinned.page + distance);
  }
};
