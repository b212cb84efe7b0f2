/** What regions are found in code, and how they are laid out: read by people, in text. */
import { describe, expect, test } from 'vitest';
import { orderOfFlow } from '../../src/hart/compiler/block-order.js';
import { layOut, type Loop } from '../../src/hart/compiler/loops.js';
import { findProofs } from '../../src/hart/compiler/proofs.js';
import { findRegion, MOST_INSTRUCTIONS, type Region } from '../../src/hart/compiler/region.js';
import { decode } from '../../src/hart/index.js';
import { encode, x } from '../support/riscv/assembler.js';

const HOT = 6400;
const NOP = encode('addi', {});
const RET = encode('jalr', { rs1: x.ra });
const call = (offset: number): number => encode('jal', { rd: x.ra, imm: offset });
const jump = (offset: number): number => encode('jal', { imm: offset });
const branch = (offset: number): number => encode('bne', { rs1: x.a0, rs2: x.a1, imm: offset });

/**
 * The region at the first of instructions of four bytes; `never` are places of those that were never run. With jumps to
 * instructions, by their places, only what is hot or warm is wanted.
 */
const regionOf = (
  words: readonly number[],
  never: readonly number[] = [],
  jumps?: Readonly<Record<number, number>>,
): Region => {
  const region = findRegion(0, {
    read: (relative) => {
      const index = relative / 4;
      return index < 0 || index >= words.length || never.includes(index) ? undefined : decode(words[index]!);
    },
    targetsNear: () => words.map((_, index) => index * 4).slice(-2),
    jumpsTo: (relative) => jumps?.[relative / 4] ?? 0,
    hotJumps: jumps === undefined ? 0 : HOT,
  });
  return region!.inBlocks();
};

const nameOf = (loop: Loop | undefined): string => (loop === undefined ? '' : `${loop.head}…${loop.last}`);

/** A line a block: its place, its instructions' addresses, its end, the loop around it, the number it is passed on by. */
const textOf = (region: Region): string[] => {
  const { loopOf, loopAt, numbers } = layOut(region);
  return region.blocks.map(({ start, instructions, end, returnsTo }, index) => {
    const ways = [
      end.kind,
      ...('taken' in end ? [end.taken] : []),
      ...('next' in end ? [end.next] : []),
      ...returnsTo.map((site) => `return ${site}`),
    ].map((way) => (typeof way === 'number' && !region.blockAt.has(way) ? `out ${way}` : String(way)));
    const loop =
      loopAt[index] === undefined ? `in ${nameOf(loopOf[index])}` : `heads ${nameOf(loopOf[index])}`;
    const passes = loopAt[index]?.passesOn === true ? ', passes on' : '';
    const number = numbers[index] === 0 ? '' : `, number ${numbers[index]}`;
    return `${index}: ${start}…${instructions.at(-1)!.relative} ${ways.join(' ')} | ${loop}${passes}${number}`;
  });
};

describe('regions', () => {
  test('a loop is a block that goes back to itself, and leaves where the region ends', () => {
    expect(textOf(regionOf([NOP, NOP, branch(-4), encode('ecall', {})]))).toEqual([
      '0: 0…0 next 4 | in , number 1',
      '1: 4…8 branch 4 out 12 | heads 1…1, number 2',
    ]);
  });

  test('what was never run is outside', () => {
    expect(textOf(regionOf([branch(12), NOP, jump(-8), NOP, RET], [3]))).toEqual([
      '0: 0…0 branch out 12 4 | heads 0…1, number 1',
      '1: 4…8 jump 0 | in 0…1',
    ]);
  });

  test('a function that is called twice comes in once, and returns to both', () => {
    expect(textOf(regionOf([call(16), call(12), NOP, encode('ecall', {}), NOP, RET]))).toEqual([
      '0: 0…0 jump 16 | in , number 1',
      '1: 16…20 indirect return 4 return 8 | heads 1…2, passes on, number 2',
      '2: 4…4 jump 16 | in 1…2, number 3',
      '3: 8…8 next out 12 | in , number 4',
    ]);
  });

  test('a function that is called once stands where it is called, and makes no loop wherever its code lies', () => {
    expect(textOf(regionOf([jump(12), NOP, RET, call(-8), NOP, branch(-8), RET]))).toEqual([
      '0: 0…0 jump 12 | in , number 1',
      '1: 12…12 jump 4 | heads 1…3, passes on, number 2',
      '2: 4…8 indirect return 16 | in 1…3, number 3',
      '3: 16…20 branch 12 24 | in 1…3, number 4',
      '4: 24…24 indirect | in ',
    ]);
  });

  test('a way into the middle of a loop goes through its head, by number', () => {
    expect(textOf(regionOf([branch(12), NOP, NOP, NOP, branch(-8), RET]))).toEqual([
      '0: 0…0 branch 12 4 | in , number 1',
      '1: 4…4 next 8 | in ',
      '2: 12…16 branch 8 20 | heads 2…3, passes on, number 2',
      '3: 8…8 next 12 | in 2…3, number 3',
      '4: 20…20 indirect | in ',
    ]);
  });

  test('what runs a hundred times less often than what is hot is outside, until it is jumped to more often', () => {
    // A loop, with a branch to what ends it and one to what comes back.
    const code = [NOP, branch(12), branch(12), branch(-12), RET, NOP, jump(-24)];
    const loop = { 0: HOT };
    expect([...regionOf(code, [], loop).blockAt.keys()]).toEqual([0, 8, 12, 16]);
    expect([...regionOf(code, [], { ...loop, 5: HOT / 100 }).blockAt.keys()]).toEqual([0, 8, 12, 16]);
    expect([...regionOf(code, [], { ...loop, 5: HOT / 10 }).blockAt.keys()]).toContain(20);
  });

  test('blocks that all lead to each other are put into an order in so many steps', () => {
    const starts = Array.from({ length: MOST_INSTRUCTIONS }, (_, index) => index);
    let steps = 0;
    const order = orderOfFlow(0, starts, (start) => {
      steps++;
      return [start + 1, start - 1, (start * 211) % MOST_INSTRUCTIONS];
    });
    expect(order.toSorted((a, b) => a - b)).toEqual(starts);
    expect(steps).toBeLessThan(MOST_INSTRUCTIONS * 20);
  });

  test('loops that overlap are made to nest', () => {
    expect(
      textOf(regionOf([NOP, NOP, branch(-8), branch(-8), RET])).map((line) => line.split('|')[1]),
    ).toEqual([' heads 0…2, passes on, number 1', ' heads 1…2, number 2', ' in 1…2', ' in ']);
  });

  test('an indirect jump leads to where such jumps were seen to lead', () => {
    const region = regionOf([encode('jalr', { rs1: x.a0 }), NOP, NOP, jump(-12)]);
    expect([...region.entries]).toEqual([0, 8, 12]);
  });

  test('straight code longer than a region is cut, and says where', () => {
    const region = regionOf(Array.from({ length: MOST_INSTRUCTIONS + 10 }, () => NOP));
    expect(region.continuations).toEqual([MOST_INSTRUCTIONS * 4]);
  });

  test('a function too large to come in is left to its own region', () => {
    const large = [...Array.from({ length: 200 }, () => NOP), RET];
    expect(textOf(regionOf([call(8), encode('ecall', {}), ...large]))).toEqual([
      '0: 0…0 jump out 8 | in , number 1',
    ]);
  });
});

describe('proofs', () => {
  const placed = (words: readonly number[]): Parameters<typeof findProofs>[0] =>
    words.map((word, index) => ({ relative: index * 4, decoded: decode(word)! }));
  const load = (rd: number, imm: number, rs1: number = x.sp): number => encode('ld', { rd, rs1, imm });
  const proofsOf = (words: readonly number[]): string[] =>
    findProofs(placed(words)).flatMap((proof, index) =>
      proof === undefined ? [] : [`${index}: by ${proof.first}, ${proof.kind} ${proof.low}…${proof.high}`],
    );

  test('accesses to the same base are proved together, by a write where one writes', () => {
    const store = encode('sw', { rs1: x.sp, rs2: x.a0, imm: -4 });
    expect(proofsOf([load(x.a0, 16), store, load(x.a1, 8)])).toEqual([
      '0: by 0, write -4…24',
      '1: by 0, write -4…24',
      '2: by 0, write -4…24',
    ]);
  });

  test('a base that changes begins another, and an access alone has none', () => {
    expect(proofsOf([load(x.a0, 0, x.a0), load(x.a1, 0, x.a0), load(x.a2, 8, x.a0)])).toEqual([
      '1: by 1, read 0…16',
      '2: by 1, read 0…16',
    ]);
  });

  test('accesses far apart are not proved together', () => {
    expect(proofsOf([load(x.a0, 0), load(x.a1, 512)])).toEqual([]);
  });
});
