/**
 * What all handles to a page have: a counted reference to one frame, that is dropped once.
 *
 *      open → closed      close() or `using`: the reference is dropped
 *      open → moved       intoRaw() or a conversion: the reference is somebody else's now
 *
 * A handle that is not open refuses everything but close(), which then does nothing.
 */
import { type FrameNumber, frameOf, frameStart, hex, PAGE_SIZE, type PhysAddr } from './address.js';
import { FrameReferenceError, HolsteinError, InvalidArgument } from './errors.js';
import type { PhysicalMemory } from './physical-memory.js';
import { Usage, usageName } from './slot.js';

export abstract class PageHandle implements Disposable {
  protected readonly memory: PhysicalMemory;
  readonly #frame: FrameNumber;
  #state: 'open' | 'closed' | 'moved' = 'open';

  /** Takes over a reference that is accounted for as an open handle. */
  protected constructor(memory: PhysicalMemory, frame: FrameNumber) {
    this.memory = memory;
    this.#frame = frame;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** @throws HolsteinError EBADF where the handle is not open. So do all others. */
  get frame(): FrameNumber {
    if (this.#state !== 'open') {
      throw new HolsteinError('EBADF', `the handle to frame ${hex(this.#frame)} is ${this.#state}`);
    }
    return this.#frame;
  }

  /** The physical address of the page's first byte. */
  get address(): PhysAddr {
    return frameStart(this.frame);
  }

  /** The level of page-table entry that maps the page: 1 is 4 KiB, as all single pages are (seed 002). */
  get level(): 1 {
    void this.frame;
    return 1;
  }

  get sizeBytes(): number {
    void this.frame;
    return PAGE_SIZE;
  }

  get usage(): Usage {
    return this.memory.usage(this.frame);
  }

  /** All references to the frame: handles, raw ones, page-table entries. Other threads may change it at any time. */
  get referenceCount(): number {
    return this.memory.count(this.frame);
  }

  /**
   * Drops the reference. A handle that is closed or moved has none: nothing happens.
   * @throws FrameReferenceError (EBUSY) where the last reference must not be dropped by this thread
   *   (`PhysicalMemory.setDestructor`); (EINVAL) where the reference has been dropped by frame number. The handle
   *   is open still then.
   */
  close(): void {
    if (this.#state !== 'open') return;
    const last = this.memory.slots.releaseHandle(this.#frame);
    this.#state = 'closed';
    if (last) this.memory.free(this.#frame);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Gives the reference up without dropping it. @returns the frame that it is to. */
  protected move(): FrameNumber {
    const { frame } = this;
    this.#state = 'moved';
    return frame;
  }

  /** Adds a reference and a handle. @throws FrameReferenceError as `PhysicalMemory.retain`. */
  protected retainForHandle(): FrameNumber {
    const { frame } = this;
    this.memory.retain(frame);
    this.memory.slots.addHandle(frame);
    return frame;
  }

  /**
   * Turns the handle into an address that stands for its reference, to be kept where a handle can't be:
   * in a page table, or in a message to another thread. `fromRaw` turns it back, once.
   */
  intoRaw(): PhysAddr {
    const frame = this.move();
    this.memory.slots.handleToRaw(frame);
    this.memory.ledger?.add(frame);
    return frameStart(frame);
  }
}

/** The frame of a page's address. @throws InvalidArgument where it is not aligned or not in RAM. */
export const frameAtAddress = (memory: PhysicalMemory, address: PhysAddr): FrameNumber => {
  if (!Number.isInteger(address) || address < 0 || address >= memory.sizeBytes) {
    throw new InvalidArgument(`physical address ${address} is not in RAM of ${memory.sizeBytes} bytes`);
  }
  if (address % PAGE_SIZE !== 0)
    throw new InvalidArgument(`physical address ${hex(address)} is not page-aligned`);
  return frameOf(address);
};

/**
 * Takes a raw reference back, to be a handle's.
 * @param usage what the frame must be, if that matters.
 * @throws FrameReferenceError (EINVAL) where the frame is unused, is something else, or has no raw
 *   reference; nothing has changed then.
 */
export const takeRaw = (memory: PhysicalMemory, address: PhysAddr, usage?: Usage): FrameNumber => {
  const frame = frameAtAddress(memory, address);
  const found = memory.usage(frame);
  if (found === Usage.Unused) throw new FrameReferenceError('EINVAL', `frame ${hex(frame)} is unused`);
  if (usage !== undefined && found !== usage) {
    throw new FrameReferenceError(
      'EINVAL',
      `frame ${hex(frame)} is ${usageName(found)}, not ${usageName(usage)}`,
    );
  }
  if (!memory.slots.rawToHandle(frame)) {
    throw new FrameReferenceError(
      'EINVAL',
      `frame ${hex(frame)} has no raw reference: was it restored already?`,
    );
  }
  memory.ledger?.remove(frame);
  return frame;
};
