import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type FrameNumber,
  frameNumber,
  InvalidArgument,
  PAGE_SIZE,
  physAddr,
  vpn,
} from '../../src/frame/index.js';
import {
  type Access,
  MAX_PAGES,
  Tlb,
  TLB_ADDEND,
  TLB_BYTES,
  TLB_EXTRA,
  TLB_LINE_BYTES,
  TLB_LINES,
  TLB_OFFSETS,
  TLB_TAG_SHIFT,
  type TlbContext,
} from '../../src/paging/index.js';
import { makeMemory, makeTlb } from '../model/world.js';

const ACCESSES: readonly Access[] = ['read', 'write', 'execute'];
const LAST_TAG = 511;

const makeFixture = () => {
  const memory = makeMemory(1024 * 1024);
  const tlb = makeTlb(memory);
  const active = (): TlbContext => {
    const context = tlb.context();
    tlb.activate(context);
    return context;
  };
  /** Where the line of a page lies. */
  const lineOf = (access: Access, page: number): number =>
    tlb.start + TLB_OFFSETS[access] + (page % TLB_LINES[access]) * TLB_LINE_BYTES;
  /** The hart's comparison, in 64 bits as the drawing has it, and the byte in RAM that a hit names. */
  const lookUp = (context: TlbContext, access: Access, address: bigint, size = 1): number | undefined => {
    const line = lineOf(access, Number((address >> 12n) % BigInt(TLB_LINES[access])));
    const key =
      (address & (0xffff_ffff_ffff_f000n | BigInt(size - 1))) | BigInt(context.tags[access] << TLB_TAG_SHIFT);
    if (memory.doublewords[line / 8] !== key) return undefined;
    return (memory.words[(line + TLB_ADDEND) / 4]! + Number(address & 0xffff_ffffn)) % 2 ** 32;
  };
  const lines = (context: TlbContext) =>
    [...tlb.lines(context)].map(({ access, page, frame }) => [access, page, frame]);
  return { memory, tlb, active, lineOf, lookUp, lines };
};

describe('the layout of the TLB', () => {
  test('has arrays for reads, writes and fetches, one after the other', () => {
    expect(TLB_OFFSETS.read).toBe(0);
    expect(TLB_OFFSETS.write).toBe(TLB_LINES.read * TLB_LINE_BYTES);
    expect(TLB_OFFSETS.execute).toBe(TLB_OFFSETS.write + TLB_LINES.write * TLB_LINE_BYTES);
    expect(TLB_BYTES).toBe(TLB_OFFSETS.execute + TLB_LINES.execute * TLB_LINE_BYTES);
    for (const access of ACCESSES) expect(Math.log2(TLB_LINES[access]) % 1).toBe(0);
  });

  test('a line is drawn as it is written: key, addend, extra', () => {
    const { memory, tlb, active, lineOf } = makeFixture();
    const context = active();
    tlb.install(context, 'execute', vpn(0x3ff_fed3), frameNumber(0x21), 0xabcd_1234);
    const line = lineOf('execute', 0x3ff_fed3);
    expect(line % TLB_LINE_BYTES).toBe(0);
    expect(memory.doublewords[line / 8]).toBe((0x3ff_fed3n << 12n) | BigInt(context.tags.execute << 3));
    expect(memory.words[(line + TLB_ADDEND) / 4]).toBe((0x21_000 - 0xffed_3000 + 2 ** 32) % 2 ** 32);
    expect(memory.words[(line + TLB_EXTRA) / 4]).toBe(0xabcd_1234);
  });

  test('a TLB that is not aligned, or not in reserved frames, is refused', () => {
    const memory = makeMemory();
    for (const start of [PAGE_SIZE + 8, 2 * PAGE_SIZE, memory.sizeBytes - 16, -16, 2 ** 40]) {
      expect(() => new Tlb(memory, physAddr(start))).toThrow(InvalidArgument);
    }
  });
});

describe('a lookup', () => {
  test('finds what was installed, at the byte that the address names', () => {
    const { tlb, active, lookUp } = makeFixture();
    const context = active();
    fc.assert(
      fc.property(
        fc.constantFrom(...ACCESSES),
        fc.nat(MAX_PAGES - 1),
        fc.integer({ min: 1, max: 2 ** 20 - 17 }),
        fc.nat(4095),
        (access, page, frame, offset) => {
          tlb.install(context, access, vpn(page), frameNumber(frame));
          const address = BigInt(page) * 4096n + BigInt(offset);
          expect(lookUp(context, access, address)).toBe(frame * PAGE_SIZE + offset);
        },
      ),
    );
  });

  test('misses where any bit of the page number differs, those beyond Sv39 too', () => {
    const { tlb, active, lookUp } = makeFixture();
    const context = active();
    tlb.install(context, 'read', vpn(0x155_5555), frameNumber(1));
    const address = 0x155_5555n << 12n;
    expect(lookUp(context, 'read', address)).toBe(PAGE_SIZE);
    for (let bit = 12n; bit < 64n; bit++) {
      expect(lookUp(context, 'read', address ^ (1n << bit))).toBeUndefined();
    }
  });

  test.each([2, 4, 8])('of %i bytes misses where it is not aligned', (size) => {
    const { tlb, active, lookUp } = makeFixture();
    const context = active();
    tlb.install(context, 'read', vpn(2), frameNumber(3));
    for (let offset = 0; offset < 32; offset++) {
      const found = lookUp(context, 'read', BigInt(2 * PAGE_SIZE + offset), size);
      expect(found).toBe(offset % size === 0 ? 3 * PAGE_SIZE + offset : undefined);
    }
  });

  test('of one access, or of one space, does not find lines of another', () => {
    const { tlb, active, lookUp } = makeFixture();
    const [context, other] = [active(), active()];
    tlb.install(context, 'read', vpn(7), frameNumber(3));
    expect(lookUp(context, 'write', 7n << 12n)).toBeUndefined();
    expect(lookUp(context, 'execute', 7n << 12n)).toBeUndefined();
    expect(lookUp(other, 'read', 7n << 12n)).toBeUndefined();
  });

  test('never matches an empty line, whatever the space, access and address', () => {
    const { tlb, active, lookUp } = makeFixture();
    for (let round = 0; round < 3 * LAST_TAG; round++) {
      const context = active();
      for (const access of ACCESSES) {
        expect(context.tags[access]).toBeGreaterThanOrEqual(1);
        expect(context.tags[access]).toBeLessThanOrEqual(LAST_TAG);
        expect(lookUp(context, access, BigInt(round))).toBeUndefined();
      }
      tlb.flushWrites(context);
      tlb.activate(context);
      expect(lookUp(context, 'write', 0n)).toBeUndefined();
    }
  });
});

describe('flushing', () => {
  const installAll = (tlb: Tlb, context: TlbContext, page: number, frame: number): void => {
    for (const access of ACCESSES) tlb.install(context, access, vpn(page), frameNumber(frame));
  };

  test('a page forgets it for every access, and only in its space', () => {
    const { tlb, active, lines } = makeFixture();
    const [context, other] = [active(), active()];
    installAll(tlb, context, 1, 10);
    installAll(tlb, context, 2, 11);
    installAll(tlb, other, 3, 12);
    tlb.flushPage(other, vpn(1));
    tlb.flushPage(context, vpn(3));
    tlb.flushPage(context, vpn(1 + TLB_LINES.read));
    expect(lines(context)).toHaveLength(6);
    tlb.flushPage(context, vpn(1));
    expect(lines(context)).toEqual(ACCESSES.map((access) => [access, 2, 11]));
    expect(lines(other)).toHaveLength(3);
  });

  test('writes forgets them all, and leaves reads and fetches', () => {
    const { tlb, active, lines, lookUp } = makeFixture();
    const [context, other] = [active(), active()];
    installAll(tlb, context, 1, 10);
    installAll(tlb, other, 2, 10);
    tlb.flushWrites(context);
    expect(lines(context)).toEqual([
      ['read', 1, 10],
      ['execute', 1, 10],
    ]);
    expect(lookUp(context, 'write', 0x1000n)).toBeUndefined();
    expect(lookUp(context, 'read', 0x1000n)).toBe(10 * PAGE_SIZE);
    expect(lines(other)).toHaveLength(3);
    tlb.install(context, 'write', vpn(1), frameNumber(11));
    tlb.flushPage(context, vpn(1));
    expect(lines(context)).toEqual([]);
  });

  test('a space forgets all of it, and it must be activated again', () => {
    const { tlb, active, lines, lookUp } = makeFixture();
    const [context, other] = [active(), active()];
    installAll(tlb, context, 1, 10);
    installAll(tlb, other, 2, 10);
    tlb.flushSpace(context);
    expect(lines(context)).toEqual([]);
    tlb.activate(context);
    expect(lines(context)).toEqual([]);
    for (const access of ACCESSES) expect(lookUp(context, access, 0x1000n)).toBeUndefined();
    expect(lines(other)).toHaveLength(3);
  });

  test('all empties every line, and every space must be activated again', () => {
    const { memory, tlb, active, lines } = makeFixture();
    const context = active();
    installAll(tlb, context, 1, 10);
    memory.bytes[tlb.start - 1] = 7;
    memory.bytes[tlb.start + TLB_BYTES] = 7;
    tlb.flushAll();
    expect(memory.bytes.subarray(tlb.start, tlb.start + TLB_BYTES).some((byte) => byte !== 0)).toBe(false);
    expect([memory.bytes[tlb.start - 1], memory.bytes[tlb.start + TLB_BYTES]]).toEqual([7, 7]);
    expect(lines(context)).toEqual([]);
    tlb.activate(context);
    expect(lines(context)).toEqual([]);
  });

  test('a frame forgets its lines of one kind in every space', () => {
    const { tlb, active, lines } = makeFixture();
    const [context, other] = [active(), active()];
    const top: FrameNumber = frameNumber(2 ** 20 - 17);
    for (const page of [1, MAX_PAGES - 1]) installAll(tlb, context, page, top);
    installAll(tlb, other, 2, top);
    installAll(tlb, other, 3, 10);
    tlb.flushFrame('write', top);
    expect(lines(context).filter(([access]) => access === 'write')).toEqual([]);
    expect(lines(context)).toHaveLength(4);
    expect(lines(other).filter(([access]) => access === 'write')).toEqual([['write', 3, 10]]);
  });

  test('a space that is not active has nothing to flush, and disturbs nobody', () => {
    const { tlb, active, lines } = makeFixture();
    const stale = active();
    tlb.flushAll();
    const context = active();
    expect(context.tags).toEqual(stale.tags);
    installAll(tlb, context, 1, 10);
    tlb.flushPage(stale, vpn(1));
    tlb.flushWrites(stale);
    tlb.flushSpace(stale);
    expect(lines(stale)).toEqual([]);
    expect(lines(context)).toHaveLength(3);
  });
});

describe('tags', () => {
  test('run out after 511, and then a new generation begins with an empty TLB', () => {
    const { tlb, active, lines } = makeFixture();
    const contexts = Array.from({ length: LAST_TAG }, active);
    expect(new Set(contexts.map(({ tags }) => tags.read)).size).toBe(LAST_TAG);
    for (const [index, context] of contexts.entries()) {
      tlb.install(context, 'read', vpn(index), frameNumber(1));
    }
    for (const context of contexts) expect(lines(context)).toHaveLength(1);
    const next = active();
    for (const context of [...contexts, next]) expect(lines(context)).toEqual([]);
    expect(next.tags.read).toBe(1);
    // The one that had the tag before is told apart, and gets another.
    tlb.activate(contexts[0]!);
    expect(contexts[0]!.tags.read).toBe(2);
  });

  test('are kept by a space that is active already', () => {
    const { tlb, active } = makeFixture();
    const context = active();
    const tags = { ...context.tags };
    tlb.activate(context);
    expect(context.tags).toEqual(tags);
  });

  test('running out in the middle of a flush of writes loses no flush', () => {
    const { tlb, active, lines, lookUp } = makeFixture();
    const context = active();
    for (let tag = 1; tag < LAST_TAG; tag++) active();
    tlb.install(context, 'write', vpn(4), frameNumber(9));
    tlb.flushWrites(context);
    expect(lines(context)).toEqual([]);
    tlb.activate(context);
    expect(lookUp(context, 'write', 0x4000n)).toBeUndefined();
    expect(context.tags.write).toBeLessThanOrEqual(LAST_TAG);
  });

  test('of different spaces never meet, however many flushes there are', () => {
    const { tlb, active } = makeFixture();
    const [one, two] = [active(), active()];
    for (let round = 0; round < 2000; round++) {
      const context = round % 3 === 0 ? one : two;
      if (round % 7 === 0) tlb.flushSpace(context);
      else tlb.flushWrites(context);
      tlb.activate(one);
      tlb.activate(two);
      // Activating two may have begun a generation without one.
      tlb.activate(one);
      for (const access of ACCESSES) expect(one.tags[access]).not.toBe(two.tags[access]);
    }
  });
});
