/**
 * What a page list says of one page: a slot, which is a small integer.
 *
 *      31      26   25      24     23      22       21      20    19       0
 *      +---------+-------+------+------+--------+-------+------+-----------+
 *      |    0    | first | keep | used | saving | dirty | zero |   frame   |
 *      +---------+-------+------+------+--------+-------+------+-----------+
 *
 * 0 is an empty slot: the page is whatever lies beneath the list, its base, its pager, or zeros. `zero` has no
 * frame: the page is zeros, whatever lies beneath. The other marks are those of an object that has a pager: `dirty`,
 * `saving` (awaiting-clean: a write-back is under way), and for eviction `used` (since the clock's hand last passed),
 * `keep` (hint always-need) and `first` (hint dont-need). In the lists of others they mean nothing.
 */
import { type FrameNumber, MAX_RAM_BYTES, PAGE_SIZE } from '../frame/index.js';

export type PageSlot = number;

export const EMPTY: PageSlot = 0;
export const SLOT_FRAME = 0xf_ffff;
export const SLOT_ZERO = 1 << 20;
export const SLOT_DIRTY = 1 << 21;
export const SLOT_SAVING = 1 << 22;
export const SLOT_USED = 1 << 23;
export const SLOT_KEEP = 1 << 24;
export const SLOT_FIRST = 1 << 25;

if (MAX_RAM_BYTES / PAGE_SIZE > SLOT_FRAME + 1) throw new Error('a frame number does not fit a slot');

/** The frame that a slot names; 0 where it names none. */
export const slotFrame = (slot: PageSlot): FrameNumber => (slot & SLOT_FRAME) as FrameNumber;
