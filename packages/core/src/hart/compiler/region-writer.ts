/**
 * Writes a region as a WebAssembly function.
 *
 *      loop root                     a ┐ one level: blocks and loops side by side, each in the reach of those before it
 *        block c                       │
 *          block b                     │
 *            br_table number           │ what is passed on by number
 *          end                         │
 *          code of a, b                │
 *        end                           │
 *        loop c                        │ a level of its own
 *      end                           c ┘
 *
 * Each block takes its instructions off the budget before it runs. It leaves the region, before anything has changed, where
 * the budget has not as many.
 */
import { PAGE_SIZE } from '../../frame/index.js';
import { TLB_EXTRA } from '../../paging/index.js';
import { HANDLER_COMPILED } from '../handlers.js';
import { operandKinds } from '../instructions/index.js';
import {
  ENTRIES_START,
  ENTRY_BYTES,
  ENTRY_FUNCTION,
  ENTRY_WORD,
  RECORD_ENTRY,
  RECORD_HANDLER,
  RECORD_SHIFT,
  WORD_DISTANCE_SHIFT,
  WORD_PAGE_SHIFT,
} from '../layout.js';
import { pushKeyMatches, pushLine } from '../tlb-code.js';
import type { CodeBuilder, Label } from '../wasm/index.js';
import { type Layout, layOut, type Loop } from './loops.js';
import { findProofs, type Proof } from './proofs.js';
import type { RegionImports } from './region-border.js';
import { RegionCode } from './region-code.js';
import { placedWriter, type PlacedWriter, type Proven, type Ways } from './region-emitter.js';
import { type Block, lastPageOf, pageOf, type Region } from './region.js';
import { findSmallLoops, type SmallLoop } from './small-loops.js';

export interface RegionPlace {
  /** The region's index in the table of functions. */
  readonly functionNumber: number;
  /** Where the records of each of its pages lie. */
  readonly recordsOf: ReadonlyMap<number, number>;
}

/** How an entry of a region is reached: the word for its entry in RAM, by the block's relative address. */
export type EntryWords = ReadonlyMap<number, number>;

/**
 * Writes the region.
 * @param code of a function (budget i32, address of the entered page i64, entry word i32) → i32.
 */
export const writeRegion = (
  code: CodeBuilder,
  imports: RegionImports,
  region: Region,
  place: RegionPlace,
  checksHits: boolean,
): EntryWords => {
  const writer = new RegionWriter(code, imports, region, place, checksHits);
  writer.write();
  return writer.entryWords();
};

/** A block or a loop of a level. */
interface Item {
  readonly first: number;
  readonly last: number;
  readonly loop: Loop | undefined;
  readonly label: Label;
}

class RegionWriter {
  readonly #code: CodeBuilder;
  readonly #region: Region;
  readonly #place: RegionPlace;
  readonly #layout: Layout;
  readonly #smallLoops: ReadonlyMap<Loop, SmallLoop>;
  readonly #state: RegionCode;
  readonly #writer: PlacedWriter;
  /** The region's pages, by the bit that each has in the mask. */
  readonly #pages: readonly number[];
  /** The items that lie ahead, innermost level last. */
  readonly #ahead: Item[] = [];
  readonly #loopLabels = new Map<Loop, Label>();
  #root!: Label;

  constructor(
    code: CodeBuilder,
    imports: RegionImports,
    region: Region,
    place: RegionPlace,
    checksHits: boolean,
  ) {
    this.#code = code;
    this.#region = region;
    this.#place = place;
    this.#layout = layOut(region);
    this.#smallLoops = findSmallLoops(region, this.#layout);
    this.#state = new RegionCode(code, registersOf(region, 'x'), registersOf(region, 'f'));
    this.#writer = placedWriter(this.#state, imports, checksHits);
    this.#pages = [...place.recordsOf.keys()];
  }

  write(): void {
    this.#state.begin();
    if (this.#pages.length > 1) this.#unpackEntry();
    this.#root = this.#code.loop();
    this.#writeLevel(0, this.#region.blocks.length - 1, undefined, true);
    this.#code.end();
    this.#state.finish();
  }

  entryWords(): EntryWords {
    return new Map(
      this.#layout.entries.map((index) => {
        const { start } = this.#region.blocks[index]!;
        const page = pageOf(start);
        const number = this.#layout.numbers[index]!;
        if (this.#pages.length === 1) return [start, number];
        return [
          start,
          number | (this.#pages.indexOf(page) << WORD_PAGE_SHIFT) | (page << WORD_DISTANCE_SHIFT),
        ];
      }),
    );
  }

  /** Sets pages, base and number from what the function is given. */
  #unpackEntry(): void {
    const code = this.#code;
    const { base, number, pages } = this.#state;
    code.i32(1);
    code.get(number);
    code.i32(WORD_PAGE_SHIFT);
    // Shifts count modulo 32: the distance above the page's bits does not matter.
    code.op('i32.shr_u', 'i32.shl');
    code.set(pages);
    code.get(base);
    code.get(number);
    code.i32(WORD_DISTANCE_SHIFT);
    code.op('i32.shr_s');
    code.i32(Math.log2(PAGE_SIZE));
    code.op('i32.shl', 'i64.extend_i32_s', 'i64.sub');
    code.set(base);
    code.get(number);
    code.i32(0xffff);
    code.op('i32.and');
    code.set(number);
  }

  /** Writes blocks `first` … `last`, those of `around` or of the whole region. */
  #writeLevel(first: number, last: number, around: Loop | undefined, passesOn: boolean): void {
    const code = this.#code;
    const parts = this.#partsOf(first, last, around);
    const items: Item[] = [];
    for (const part of parts.toReversed()) {
      const item = { ...part, label: code.block() };
      items.unshift(item);
      this.#ahead.push(item);
    }
    if (passesOn) this.#passOn(items);
    for (const item of items) {
      this.#ahead.pop();
      code.end();
      if (item.loop === undefined) {
        this.#writeBlock(item.first);
      } else {
        const small = this.#smallLoops.get(item.loop);
        if (small !== undefined) this.#state.enterLoop(small);
        this.#loopLabels.set(item.loop, code.loop());
        this.#writeLevel(item.first, item.last, item.loop, item.loop.passesOn);
        code.end();
        this.#loopLabels.delete(item.loop);
      }
    }
  }

  #partsOf(first: number, last: number, around: Loop | undefined): Omit<Item, 'label'>[] {
    const parts: Omit<Item, 'label'>[] = [];
    for (let index = first; index <= last; index++) {
      const loop = this.#layout.loopAt[index];
      if (loop === undefined || loop === around) {
        parts.push({ first: index, last: index, loop: undefined });
      } else {
        parts.push({ first: index, last: loop.last, loop });
        index = loop.last;
      }
    }
    return parts;
  }

  /** Goes to the item that holds the block whose number is asked for; to the first where none is. */
  #passOn(items: readonly Item[]): void {
    const code = this.#code;
    const labels: Label[] = [];
    let lowest = 0;
    for (const item of items) {
      for (let index = item.first; index <= item.last; index++) {
        const number = this.#layout.numbers[index]!;
        if (number === 0) continue;
        if (lowest === 0) lowest = number;
        labels.push(item.label);
      }
    }
    code.get(this.#state.number);
    code.i32(lowest);
    code.op('i32.sub');
    code.brTable(labels, items[0]!.label);
  }

  #writeBlock(index: number): void {
    const code = this.#code;
    const block = this.#region.blocks[index]!;
    const { instructions, end, start } = block;
    const count = instructions.length;
    this.#state.loop = this.#smallLoopOf(index);
    if (this.#layout.numbers[index] !== 0) {
      code.i32(0);
      code.set(this.#state.number);
    }
    this.#spend(start, count);
    const crossing = lastPageOf(instructions[0]!);
    if (crossing !== pageOf(start)) this.#enterPage(crossing, () => this.#state.interpret(start, count));
    const proofs = findProofs(instructions);
    const ways = this.#waysFrom(block, index);
    for (let place = 0; place < count; place++) {
      this.#writer.write(instructions[place]!, count - place, this.#provenAt(place, proofs), ways);
    }
    this.#state.putBack();
    if (end.kind === 'branch' || end.kind === 'next') ways.goTo(end.next);
  }

  #smallLoopOf(index: number): SmallLoop | undefined {
    const loop = this.#layout.loopOf[index];
    return loop === undefined ? undefined : this.#smallLoops.get(loop);
  }

  #provenAt(place: number, proofs: readonly (Proof | undefined)[]): Proven | undefined {
    const proof = proofs[place];
    if (proof === undefined) return undefined;
    return { proof, proves: proof.first === place, lowest: this.#state.proofLocal(proof.number) };
  }

  #spend(start: number, count: number): void {
    const code = this.#code;
    const { budget } = this.#state;
    code.get(budget);
    code.i32(count);
    code.op('i32.sub');
    code.tee(budget);
    code.i32(0);
    code.op('i32.lt_s');
    code.if();
    this.#state.interpret(start, count);
    code.end();
  }

  #waysFrom(block: Block, index: number): Ways {
    const known = new Set([pageOf(block.start), lastPageOf(block.instructions.at(-1)!)]);
    const goTo = (relative: number): void => {
      const target = this.#region.blockAt.get(relative);
      if (target === undefined) {
        this.#state.leaveAt(relative);
        return;
      }
      const page = pageOf(relative);
      if (!known.has(page)) this.#enterPage(page, () => this.#state.leaveAt(relative));
      if (this.#smallLoopOf(target) !== this.#state.loop) this.#state.leaveLoop();
      this.#branch(index, target);
    };
    const goToTarget = (): void => {
      for (const site of block.returnsTo) {
        this.#code.get(this.#state.target);
        this.#state.pushAddress(site);
        this.#code.op('i64.eq');
        this.#code.if();
        goTo(site);
        this.#code.end();
      }
      this.#lookUpTarget(pageOf(block.start));
      this.#state.leaveToTarget();
    };
    return { goTo, goToTarget };
  }

  /** Goes to a block of the region. */
  #branch(from: number, target: number): void {
    const code = this.#code;
    for (let loop = this.#layout.loopOf[from]; loop !== undefined; loop = loop.parent) {
      if (loop.head !== target) continue;
      code.br(this.#loopLabels.get(loop)!);
      return;
    }
    const item = this.#ahead.findLast(({ first, last }) => first <= target && target <= last)!;
    if (item.first !== target) {
      code.i32(this.#layout.numbers[target]!);
      code.set(this.#state.number);
    }
    code.br(item.label);
  }

  /** Makes sure that a page of the region is mapped as it was, or does `otherwise`, which leaves. */
  #enterPage(page: number, otherwise: () => void): void {
    const code = this.#code;
    const { pages, address, line } = this.#state;
    const bit = 1 << this.#pages.indexOf(page);
    code.get(pages);
    code.i32(bit);
    code.op('i32.and', 'i32.eqz');
    code.if();
    this.#state.pushAddress(page * PAGE_SIZE);
    code.set(address);
    pushLine(code, 'execute', address);
    code.set(line);
    pushKeyMatches(code, 'execute', line, address, 1);
    code.get(line);
    code.memory('i32.load', TLB_EXTRA);
    code.i32(this.#place.recordsOf.get(page)!);
    code.op('i32.eq', 'i32.and', 'i32.eqz');
    code.if();
    otherwise();
    code.end();
    code.get(pages);
    code.i32(bit);
    code.op('i32.or');
    code.set(pages);
    code.end();
  }

  /** Goes to the block at `target`, if that is one on the same page where the region may be entered. */
  #lookUpTarget(page: number): void {
    const code = this.#code;
    const { target, line, number } = this.#state;
    const { blocks } = this.#region;
    if (!this.#layout.entries.some((entry) => pageOf(blocks[entry]!.start) === page)) return;
    code.get(target);
    this.#state.pushAddress(page * PAGE_SIZE);
    code.op('i64.sub');
    code.i64(PAGE_SIZE);
    code.op('i64.lt_u');
    code.if();
    code.get(target);
    code.op('i32.wrap_i64');
    code.i32(PAGE_SIZE - 1);
    code.op('i32.and');
    code.i32(RECORD_SHIFT);
    code.op('i32.shl');
    code.i32(this.#place.recordsOf.get(page)!);
    code.op('i32.add');
    code.tee(line);
    code.memory('i32.load16_u', RECORD_HANDLER);
    code.i32(HANDLER_COMPILED);
    code.op('i32.eq');
    code.if();
    code.get(line);
    code.memory('i32.load16_u', RECORD_ENTRY);
    code.i32(Math.log2(ENTRY_BYTES));
    code.op('i32.shl');
    code.tee(line);
    code.memory('i32.load16_u', ENTRIES_START + ENTRY_FUNCTION);
    code.i32(this.#place.functionNumber);
    code.op('i32.eq');
    code.if();
    code.get(line);
    code.memory('i32.load16_u', ENTRIES_START + ENTRY_WORD);
    code.set(number);
    code.br(this.#root);
    code.end();
    code.end();
    code.end();
  }
}

/** The registers of a kind that a region reads or writes, but for x0. */
export const registersOf = ({ blocks }: Region, kind: 'x' | 'f'): Set<number> => {
  const used = new Set<number>();
  for (const { instructions } of blocks) {
    for (const { decoded } of instructions) {
      const { rd, rs1, rs2, rs3 } = operandKinds(decoded.instruction);
      if (rd === kind) used.add(decoded.rd);
      if (rs1 === kind) used.add(decoded.rs1);
      if (rs2 === kind) used.add(decoded.rs2);
      if (rs3 === kind) used.add(decoded.rs3);
    }
  }
  if (kind === 'x') used.delete(0);
  return used;
};
