/**
 * Whose the frames are. A frame that n objects have in their page lists is a n-th of each one's, so that the parts of
 * all sum to the frames in use (Zircon's private, populated and scaled bytes). What an object sees of its base is the
 * base's; slices and references are the object itself.
 */
import { type FrameNumber, PAGE_SIZE } from '../frame/index.js';
import type { MemoryObject, ObjectKind } from './memory-object.js';
import { slotFrame } from './page-slot.js';

/** An exact number of bytes: numerator / denominator, in lowest terms. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export interface Attribution {
  readonly id: number;
  readonly name: string;
  readonly kind: ObjectKind;
  /** Whether no capability leads to it any more: children hold it. */
  readonly isHidden: boolean;
  /** Bytes of frames that are in no other object. */
  readonly privateBytes: number;
  /** Bytes of frames that are in other objects too, each counted whole. */
  readonly sharedBytes: number;
  /** Its part of all: private bytes, and of each shared frame as much as each other object has. */
  readonly fractionalBytes: Fraction;
}

export const attribute = (objects: Iterable<MemoryObject>): readonly Attribution[] => {
  const all = [...objects];
  const owners = new Map<FrameNumber, number>();
  for (const object of all) {
    for (const frame of framesOf(object)) owners.set(frame, (owners.get(frame) ?? 0) + 1);
  }
  return all.map((object) => attributeOne(object, owners));
};

const attributeOne = (object: MemoryObject, owners: ReadonlyMap<FrameNumber, number>): Attribution => {
  let [privateBytes, sharedBytes] = [0, 0];
  /** Frames by how many objects have them. */
  const frames = new Map<number, number>();
  for (const frame of framesOf(object)) {
    const count = owners.get(frame)!;
    frames.set(count, (frames.get(count) ?? 0) + 1);
    if (count === 1) privateBytes += PAGE_SIZE;
    else sharedBytes += PAGE_SIZE;
  }
  const { id, name, kind, isHidden } = object;
  return { id, name, kind, isHidden, privateBytes, sharedBytes, fractionalBytes: sumOfParts(frames) };
};

/** The part of frames that one owner has, in bytes. @param frames how many it has, by how many owners each of these has. */
export const sumOfParts = (frames: ReadonlyMap<number, number>): Fraction => {
  let sum: Fraction = { numerator: 0n, denominator: 1n };
  for (const [owners, count] of frames) {
    sum = addFractions(sum, { numerator: BigInt(count * PAGE_SIZE), denominator: BigInt(owners) });
  }
  return sum;
};

/** The exact sum of two fractions. */
export const addFractions = (one: Fraction, other: Fraction): Fraction => {
  const numerator = one.numerator * other.denominator + other.numerator * one.denominator;
  const denominator = one.denominator * other.denominator;
  const divisor = greatestCommonDivisor(numerator, denominator);
  return { numerator: numerator / divisor, denominator: denominator / divisor };
};

const greatestCommonDivisor = (one: bigint, other: bigint): bigint =>
  other === 0n ? one : greatestCommonDivisor(other, one % other);

/** The frames in an object's page list, each once. */
export function* framesOf(object: MemoryObject): Iterable<FrameNumber> {
  const { pages, sizePages } = object;
  for (let page = pages.next(0, sizePages); page !== -1; page = pages.next(page + 1, sizePages)) {
    const frame = slotFrame(pages.get(page));
    if (frame !== 0) yield frame;
  }
}
