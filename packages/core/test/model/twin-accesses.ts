/**
 * Accesses to memory, made in every world and to the oracle's: by a hart, and by copies for the kernel.
 *
 * A hart's are made as it makes them: the TLB is asked first, at the raw lines, then the page table, then the fault
 * handler. So a line that should have been flushed is used, and shows.
 */
import { type FrameNumber, NO_FRAME, PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import {
  type Access,
  MAX_PAGES,
  MAXVA,
  PTE_A,
  PTE_D,
  pteFrame,
  TLB_ADDEND,
  TLB_LINE_BYTES,
  TLB_LINES,
  TLB_OFFSETS,
} from '../../src/paging/index.js';
import {
  type AddressSpace,
  copyIn,
  copyInString,
  copyOut,
  type UserCopyResult,
} from '../../src/space/index.js';
import type { EagerSpace } from './eager-space.js';
import { DONE, NO_MEMORY, same, sameAsOne, type TwinBench, type TwinSpace } from './twin-bench.js';
import type { Step } from './twin-steps.js';
import type { World } from './world.js';

/** A load, store or fetch of one byte. */
export const accessByte = (bench: TwinBench, space: TwinSpace, page: number, step: Step): string => {
  const { access, value } = step;
  const { model } = space;
  const expected = model.access(page, access);
  const isWrite = access === 'write';
  const offset = isWrite ? step.offset % model.writableBytes(page) : step.offset;
  const answer = bench.answer(
    (index) => {
      const world = bench.worlds[index]!;
      const frame = hartReaches(world, space.reals[index]!, page, access);
      if (typeof frame === 'string') return frame;
      const address = frame * PAGE_SIZE + offset;
      if (isWrite) world.memory.bytes[address] = value;
      else if (expected === 'resolved') {
        same(world.memory.bytes[address], model.shown(page)[offset], `byte ${offset} of page ${page}`);
      }
      return 'resolved';
    },
    changesObject(model, page, isWrite) ? 'partly done' : 'unchanged',
  );
  if (answer === NO_MEMORY) {
    same(expected, 'resolved', 'an access that ran out of memory');
    if (isWrite) adoptTouched(bench, space, [page]);
    return answer;
  }
  sameAsOne(answer, [expected, ...pagerErrors(bench, model, page)], `${access} of page ${page}`);
  if (answer === 'resolved' && isWrite) {
    noteWrite(bench, model, page);
    model.write(page * PAGE_SIZE + offset, Uint8Array.of(value));
  }
  return answer;
};

/** What an access may answer instead of being resolved, for a pager may fail. */
const pagerErrors = (bench: TwinBench, model: EagerSpace, page: number): readonly string[] => {
  if (model.access(page, 'read') === 'unmapped' || model.lost(page) !== undefined) return [];
  return bench.mayFail(model.pages.get(page)!.capability?.object) ? ['pager-error'] : [];
};

/** Whether an access may make an object's page ready, before it runs out of memory: no byte differs for that. */
const changesObject = (model: EagerSpace, page: number, isWrite: boolean): boolean => {
  const { sharing, capability, objectPage } = model.pages.get(page) ?? {};
  if (capability === undefined) return false;
  // What lies beyond the object's end must be zeros before anyone sees it.
  const { sizeBytes } = capability.object;
  const endsThere = Math.floor(sizeBytes / PAGE_SIZE) === capability.first + objectPage!;
  return endsThere || (isWrite && sharing === 'shared');
};

const noteWrite = (bench: TwinBench, model: EagerSpace, page: number): void => {
  const { sharing, capability, own } = model.pages.get(page)!;
  if (sharing === 'shared') bench.note('write of a shared page');
  else if (capability !== undefined && own === undefined) bench.note('own copy of an object’s page');
};

/** The frame that a hart's access ends up in: by a TLB line, a walk, or a fault and a walk. Or why it fails. */
const hartReaches = (
  { memory, tlb }: World,
  space: AddressSpace,
  page: number,
  access: Access,
): FrameNumber | string => {
  const { table } = space;
  tlb.activate(table.tlbContext);
  const tag = BigInt(table.tlbContext.tags[access]);
  const line = tlb.start + TLB_OFFSETS[access] + (page % TLB_LINES[access]) * TLB_LINE_BYTES;
  if (memory.doublewords[line / 8] === ((BigInt(page) << 12n) | (tag << 3n))) {
    const addend = memory.words[(line + TLB_ADDEND) / 4]!;
    return (((addend + ((page << 12) >>> 0)) >>> 0) / PAGE_SIZE) as FrameNumber;
  }
  let frame = table.translate(vpn(page), access);
  if (frame === NO_FRAME) {
    const outcome = space.handleFault(vpn(page), access);
    if (outcome.kind !== 'resolved') return outcome.kind;
    frame = table.translate(vpn(page), access);
    if (frame === NO_FRAME) throw new Error(`page ${page}: a resolved access faults again`);
    // A new generation may have begun while the fault was handled.
    tlb.activate(table.tlbContext);
  }
  tlb.install(table.tlbContext, access, vpn(page), frame);
  return frame;
};

export const copyBytes = (bench: TwinBench, space: TwinSpace, page: number, step: Step): string => {
  const { model } = space;
  const { operation, value, lengthPages } = step;
  const isOut = operation === 'copyOut';
  const address = page * PAGE_SIZE + (isOut ? step.offset % model.writableBytes(page) : step.offset);
  const most = (lengthPages - 1) * PAGE_SIZE + value * 16;
  const bytes = new Uint8Array(isOut ? agreedBytes(model, address, most) : most).fill(value);
  const reachable = reachableBytes(model, address, bytes.length, isOut ? 'write' : 'read');
  const answer = bench.answer((world) => {
    const real = space.reals[world]!;
    if (isOut) return copyAnswer(copyOut(real, virtAddr(address), bytes));
    if (operation === 'copyIn') {
      const target = new Uint8Array(bytes.length);
      const result = copyAnswer(copyIn(real, virtAddr(address), target));
      if (result === DONE && reachable === bytes.length) sameBytes(model, address, target);
      return result;
    }
    const string = copyInString(real, virtAddr(address), bytes.length);
    return string instanceof Uint8Array ? DONE : copyAnswer(string);
  }, 'partly done');
  const wanted = operation === 'copyInString' ? stringAnswer : copiedAnswer;
  const mayFail = pagesOf(address, bytes.length).some((at) => pagerErrors(bench, model, at).length > 0);
  const expected = wanted(model, address, bytes.length, reachable);
  if (answer !== NO_MEMORY) sameAsOne(answer, mayFail ? [expected, 'EFAULT', 'EIO'] : [expected], operation);
  if (!isOut) return answer;
  if (answer === expected) {
    // What ends beyond all pages is refused before any is touched.
    const isPossible = address + bytes.length <= MAXVA;
    for (const at of pagesOf(address, isPossible ? reachable : 0)) {
      noteWrite(bench, model, at);
      model.touch(at);
    }
  } else {
    adoptTouched(bench, space, pagesOf(address, bytes.length));
  }
  if (answer === DONE) model.write(address, bytes);
  return answer;
};

/** Accesses pages as if by a hart, until one cannot be. */
export const prefault = (bench: TwinBench, space: TwinSpace, start: number, step: Step): string => {
  const { access, lengthPages } = step;
  const { model } = space;
  const end = start + lengthPages;
  const isWithin = end <= MAX_PAGES;
  const answer = bench.answer((world) => {
    const real = space.reals[world]!;
    const failure = real.prefault(virtAddr(start * PAGE_SIZE), lengthPages * PAGE_SIZE, access);
    return failure?.kind ?? DONE;
  }, 'partly done');
  if (!isWithin) {
    same(answer, 'EINVAL', 'prefault beyond the end');
    return answer;
  }
  const pages = pagesOf(start * PAGE_SIZE, lengthPages * PAGE_SIZE);
  const failed = pages.findIndex((page) => model.access(page, access) !== 'resolved');
  const reached = failed === -1 ? pages : pages.slice(0, failed);
  const expected = failed === -1 ? DONE : model.access(start + failed, access);
  const errors = reached.flatMap((page) => pagerErrors(bench, model, page));
  if (answer !== NO_MEMORY) sameAsOne(answer, [expected, ...errors], 'prefault');
  if (access !== 'write') return answer;
  if (answer === expected) for (const page of reached) model.touch(page);
  else adoptTouched(bench, space, reached);
  return answer;
};

/** Clears A and D, as a kernel that samples them does. */
export const forgetUse = (bench: TwinBench, space: TwinSpace, start: number, lengthPages: number): string => {
  const end = Math.min(start + lengthPages, MAX_PAGES);
  return bench.answer((world) => {
    const { table } = space.reals[world]!;
    table.cursor(vpn(start), vpn(end)).protect((flags) => flags & ~(PTE_A | PTE_D));
  });
};

const copyAnswer = (result: UserCopyResult | 'ENAMETOOLONG'): string => {
  if (typeof result === 'object') return result.kind;
  return result === 'ok' ? DONE : result === 'ENOMEM' ? NO_MEMORY : result;
};

const pagesOf = (address: number, length: number): number[] => {
  const first = Math.floor(address / PAGE_SIZE);
  const count = length === 0 ? 0 : Math.floor((address + length - 1) / PAGE_SIZE) - first + 1;
  return Array.from({ length: count }, (_, index) => first + index);
};

/** Bytes from `address` on, `length` at most, of which everybody agrees what becomes of them. */
const agreedBytes = (model: EagerSpace, address: number, length: number): number => {
  for (const page of pagesOf(address, length)) {
    const end = page * PAGE_SIZE + model.writableBytes(page);
    if (end < (page + 1) * PAGE_SIZE) return Math.min(end - address, length);
  }
  return length;
};

/** Bytes from `address` on, `length` at most, up to the first page that may not be accessed so. */
const reachableBytes = (model: EagerSpace, address: number, length: number, access: Access): number => {
  for (const page of pagesOf(address, length)) {
    if (model.access(page, access) !== 'resolved') return Math.max(page * PAGE_SIZE - address, 0);
  }
  return length;
};

const sameBytes = (model: EagerSpace, address: number, actual: Uint8Array): void => {
  for (const page of pagesOf(address, actual.length)) {
    const start = page * PAGE_SIZE;
    const [from, to] = [Math.max(address, start), Math.min(address + actual.length, start + PAGE_SIZE)];
    const expected = model.shown(page).subarray(from - start, to - start);
    if (Buffer.compare(actual.subarray(from - address, to - address), expected) === 0) continue;
    throw new Error(`what is copied from page ${page} is not what is there`);
  }
};

const copiedAnswer = (_model: EagerSpace, _address: number, length: number, reachable: number): string =>
  reachable === length ? DONE : 'EFAULT';

const stringAnswer = (model: EagerSpace, address: number, maxBytes: number, reachable: number): string => {
  for (let index = 0; index < reachable; index++) if (model.byte(address + index) === 0) return DONE;
  return reachable < maxBytes ? 'EFAULT' : 'ENAMETOOLONG';
};

/**
 * What fails half-way may have made the pages before ready to be written. Which they are is the real one's to say: it
 * changes what they show only when they, or the object, are written later.
 */
const adoptTouched = (bench: TwinBench, { reals, model }: TwinSpace, pages: readonly number[]): void => {
  const real = reals[0]!;
  for (const page of pages) {
    const found = model.pages.get(page);
    if (found === undefined || model.lost(page) !== undefined) continue;
    const { sharing, capability, objectPage } = found;
    const vmo = capability && bench.realsOf(capability)?.[0];
    const object = vmo?.reach.object;
    const at = (capability?.first ?? 0) + objectPage;
    if (sharing === 'shared') {
      if (object === undefined || object.pages.get(at) !== 0) adoptShared(model, page);
      continue;
    }
    const frame = pteFrame(real.table.entry(vpn(page)));
    const isOwn = frame !== NO_FRAME && frame !== real.virtualMemory.zeroFrame;
    if (isOwn && frame !== object?.content(at)) model.own(page);
  }
};

/** A page of an object that has a frame: of one with a pager it is not known whether it counts as written. */
const adoptShared = (model: EagerSpace, page: number): void => {
  const { capability, objectPage } = model.pages.get(page)!;
  const { object, first } = capability!;
  if (object.isPaged) object.soilPerhaps((first + objectPage) * PAGE_SIZE, 1);
  else model.touch(page);
};
