/** What the twins compare of a memory object and the oracle's. */
import { PAGE_SIZE, Usage, usageName } from '../../src/frame/index.js';
import { addFractions, type Fraction, type MemoryObjects } from '../../src/vmo/index.js';
import { type MemoryObject, MISSING } from '../../src/vmo/memory-object.js';
import type { EagerObject } from './eager-objects.js';

export const same = (is: unknown, shouldBe: unknown, what: string): void => {
  if (is !== shouldBe) throw new Error(`${what}: is ${String(is)}, should be ${String(shouldBe)}`);
};

const WORDS = PAGE_SIZE / 4;

export const checkBytes = (is: Uint8Array, shouldBe: Uint8Array, what: string): void => {
  same(is.length, shouldBe.length, `the length of ${what}`);
  for (let index = 0; index < is.length; index++) {
    if (is[index] !== shouldBe[index]) same(is[index], shouldBe[index], `byte ${index} of ${what}`);
  }
};

/** Compares an object's size and the pages that it has or sees, and brings none in. */
export const checkObject = (real: MemoryObject, eager: EagerObject): void => {
  same(real.sizeBytes, eager.sizeBytes, `the size of ${real.name}`);
  same(real.kind, eager.kind, `the kind of ${real.name}`);
  const pages = eager.sizePages;
  for (let page = 0; page < pages; page++) {
    // What nobody reaches any more is freed.
    if (!eager.isReached(page)) continue;
    checkPage(real, eager, page);
    if (eager.source !== undefined) continue;
    same(real.isCommitted(page), eager.held.has(page), `that page ${page} of ${real.name} is committed`);
  }
};

const checkPage = (real: MemoryObject, eager: EagerObject, page: number): void => {
  const frame = real.content(page);
  const what = `page ${page} of ${real.name}`;
  if (frame === MISSING) {
    if (eager.source === undefined) throw new Error(`${what} is missing, and there is no pager`);
    return;
  }
  const { memory } = real;
  const shouldBe = eager.page(page);
  const length = Math.min(PAGE_SIZE, eager.sizeBytes - page * PAGE_SIZE);
  const start = frame * PAGE_SIZE;
  if (frame !== 0 && length === PAGE_SIZE) {
    if (isSame(memory.words, frame * WORDS, new Uint32Array(shouldBe.buffer, shouldBe.byteOffset, WORDS)))
      return;
    checkBytes(memory.bytes.subarray(start, start + length), shouldBe, what);
  }
  const is = frame === 0 ? new Uint8Array(length) : memory.bytes.subarray(start, start + length);
  checkBytes(is, shouldBe.subarray(0, length), what);
};

const isSame = (words: Uint32Array, first: number, others: Uint32Array): boolean => {
  for (let index = 0; index < WORDS; index++) {
    if (words[first + index] !== others[index]) return false;
  }
  return true;
};

export const framesInUse = ({ memory }: MemoryObjects): number =>
  memory.statistics().byUsage[usageName(Usage.Frame)];

/** Frames that these objects would have together if none shared any. */
export const framesWithoutSharing = (objects: Iterable<EagerObject>): number => {
  let frames = 0;
  for (const object of objects) {
    for (const page of object.held) {
      if (object.isReached(page) || object.isShown(page) || object.isDevice) frames++;
    }
  }
  return frames;
};

/** The parts of all objects must sum to the frames that there are. */
export const checkAttribution = (objects: MemoryObjects): void => {
  let sum: Fraction = { numerator: 0n, denominator: 1n };
  for (const { fractionalBytes } of objects.attribution()) sum = addFractions(sum, fractionalBytes);
  same(sum.denominator, 1n, 'the denominator of all attributed bytes');
  same(Number(sum.numerator), framesInUse(objects) * PAGE_SIZE, 'attributed bytes');
};
