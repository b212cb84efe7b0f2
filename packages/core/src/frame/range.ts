/** What may be asked of an allocation, of one frame or of frames in a row, and of a reserve; and the check of it. */
import { type FrameNumber, hex } from './address.js';
import { MAX_ORDER } from './buddy-allocator.js';
import { InvalidArgument } from './errors.js';
import type { AllocatableUsage } from './slot.js';

/** Whether an allocation may take the last frames, which `reserveFrames` keeps. */
export type AllocationClass = 'ordinary' | 'reserve';

export interface AllocateOptions {
  /** The usage's own words (slot.ts), as they follow one another: there before anyone can see the frame. Default: zeros. */
  readonly metadata?: readonly number[];
  /** 'zeros' fills the frame, before anyone can see it. Default 'any': whatever its last owner left. */
  readonly content?: 'zeros' | 'any';
  /** Default 'ordinary'. */
  readonly allocationClass?: AllocationClass;
}

export interface RangeOptions extends Omit<AllocateOptions, 'metadata'> {
  /** How many frames, 1 … 2^18. */
  readonly frames: number;
  readonly usage: AllocatableUsage;
  /** The first frame's number is a multiple of this power of two. Default 1. */
  readonly alignmentFrames?: number;
  /** The very first frame, as a device wants it. */
  readonly at?: FrameNumber;
}

/** @throws InvalidArgument for numbers that make no sense, or frames that can never be allocated. */
export const checkRange = (
  options: RangeOptions,
  firstAllocatable: FrameNumber,
  totalFrames: number,
): void => {
  const { frames, alignmentFrames = 1, at } = options;
  const most = 2 ** MAX_ORDER;
  if (!Number.isInteger(frames) || frames < 1 || frames > most) {
    throw new InvalidArgument(`${frames} frames: give a whole number from 1 to ${most}`);
  }
  const powerOfTwo = Number.isInteger(Math.log2(alignmentFrames));
  if (!powerOfTwo || alignmentFrames < 1 || alignmentFrames > most) {
    throw new InvalidArgument(
      `an alignment of ${alignmentFrames} frames: give a power of two from 1 to ${most}`,
    );
  }
  if (at === undefined) return;
  if (!Number.isInteger(at) || at < firstAllocatable || at + frames > totalFrames) {
    throw new InvalidArgument(
      `frames ${hex(at)} to ${hex(at + frames - 1)} are not all allocatable (${hex(firstAllocatable)} to ${hex(totalFrames - 1)} are)`,
    );
  }
  if (at % alignmentFrames !== 0) {
    throw new InvalidArgument(`frame ${hex(at)} is not aligned to ${alignmentFrames} frames`);
  }
};

/** How many frames of those that can be allocated are kept. @throws InvalidArgument for a number that makes no sense. */
export const reserveOf = (options: { readonly reserveFrames?: number }, allocatable: number): number => {
  const { reserveFrames = 0 } = options;
  if (Number.isSafeInteger(reserveFrames) && reserveFrames >= 0 && reserveFrames <= allocatable) {
    return reserveFrames;
  }
  throw new InvalidArgument(
    `a reserve of ${reserveFrames} frames: give a whole number from 0 to ${allocatable}`,
  );
};
