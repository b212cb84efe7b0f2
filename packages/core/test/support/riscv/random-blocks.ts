/**
 * Random programs of basic blocks for the compiler: jumps in all directions, into the middle of loops and of blocks, calls,
 * returns to anywhere, jumps through tables, pages crossed in every way, and code that rewrites itself.
 *
 * A program ends: each block takes one from a count, and leaves at zero. Only where `wild` is asked for may it lose itself, as
 * then jumps lead into the middle of instructions too.
 *
 *      DATA                 registers at the start; at the end, registers, f registers and fcsr
 *      DATA + TARGETS_AT    addresses of code, for jumps through a table
 *      DATA + PATCHES_AT    pairs of an address in the code and a word to be written there
 *      DATA + FLOATS_AT_START  f registers at the start
 *      DATA + PAGE_SIZE …   random bytes, to DATA_PAGES
 *
 * sp, s0 and s1 point into the data, tp at its start; ra and t0 at code; s11 is the count; t4, t5 and t6 are the generator's.
 */
import { PAGE_SIZE } from '../../../src/frame/index.js';
import { COMPRESSED_INSTRUCTIONS, decode, INSTRUCTIONS, operandKinds } from '../../../src/hart/index.js';
import type { Random } from '../random.js';
import { codeBytes, CSR, encode, x } from './assembler.js';
import { SEGMENT_FLAGS, writeElf } from './elf-writer.js';

export const CODE = 0x1_0000;
export const DATA = 0x40_0000;
export const DATA_PAGES = 6;
export const EXIT_CALL = 93n;
const WRITE_CALL = 64;
const [REGISTERS_AT_END, FLOATS_AT_END, FCSR_AT_END] = [0x100, 0x200, 0x300];
const TARGETS_AT = 0x400;
const PATCHES_AT = 0x600;
const FLOATS_AT_START = 0x700;
const TABLE_ENTRIES = 16;
/** sp points near the end of this page, counted from DATA. */
const STACK_PAGE = 2;
const LOAD_REACH = 2048;

export interface BlocksOptions {
  readonly blocks?: number;
  /** Blocks that it runs, some of them cut short. */
  readonly count?: number;
  /** With ecall, ebreak, illegal instructions, stores into code, and jumps to where no instruction was meant to begin. */
  readonly wild?: boolean;
}

/** A word that may be written over code. */
export interface Patch {
  readonly address: number;
  readonly word: number;
}

export interface BlocksProgram {
  readonly entry: number;
  /** From the page of `CODE` on. */
  readonly code: Uint8Array;
  readonly data: Uint8Array;
  readonly patches: readonly Patch[];
}

/** An instruction that is known, or one that depends on where it and the blocks come to lie. */
type Draft = number | { readonly sizeBytes: 2 | 4; readonly make: (at: number) => number };

interface DraftBlock {
  readonly drafts: readonly Draft[];
  /** Whether the next block in memory may begin anywhere, as nothing falls through to it. */
  readonly ends: boolean;
}

const BASES: readonly number[] = [x.sp, x.s0, x.s1];
/** Registers that random instructions do not write. */
const KEPT = new Set<number>([...BASES, x.ra, x.tp, x.t0, x.s11, x.t4, x.t5, x.t6, x.a7]);
const COMPUTING = new Set(['R', 'I', 'shift', 'shift32', 'upper']);
const FLOATING = new Set([
  ...['float', 'float-fused', 'float-unary', 'float-choice', 'float-compare'],
  ...['float-to-integer', 'integer-to-float', 'float-bits', 'bits-to-float'],
]);
const COMPRESSED_BRANCH_REACH = 250;
const COMPRESSED_JUMP_REACH = 2000;
const BRANCH_REACH = 4000;
/** The bits of a word but for the high ones of its registers' numbers: what is left are the first four registers. */
const FEW_REGISTERS = ~((0x1c << 7) | (0x1c << 15) | (0x1c << 20) | (0x1c << 27));
const FENCE_I = encode('fence.i');
const RETURN_CODES = [0x8082 /* c.jr ra */, encode('jalr', { rs1: x.ra }), encode('jalr', { rs1: x.t0 })];
const ILLEGAL = 0;
const C_EBREAK = 0x9002;

interface Encoding {
  readonly name: string;
  readonly match: number;
  readonly mask: number;
  readonly format: string;
}

const formats = new Map(INSTRUCTIONS.map(({ name, format }) => [name, format as string]));
const ENCODINGS: readonly Encoding[] = [
  ...INSTRUCTIONS,
  ...COMPRESSED_INSTRUCTIONS.map((compressed) => ({
    ...compressed,
    format: formats.get(compressed.expandsTo)!,
  })),
];
const computing = ENCODINGS.filter(({ name, format }) => COMPUTING.has(format) && name !== 'c.addi16sp');
const floating = ENCODINGS.filter(({ format }) => FLOATING.has(format));
const reaching = ENCODINGS.filter(({ format }) => /^(float-)?(load|store)$/.test(format));
const compressedReaching = reaching.filter(({ name }) => name.startsWith('c.'));
const wideReaching = reaching.filter(({ name }) => !name.startsWith('c.'));
const atomic = INSTRUCTIONS.filter(({ name, format }) => format === 'atomic' && !name.startsWith('sc.'));
const branches = INSTRUCTIONS.filter(({ format }) => format === 'branch');

export const randomBlocks = (random: Random, options: BlocksOptions = {}): BlocksProgram =>
  new BlocksWriter(random, options).write();

/** The program as a file that also runs elsewhere: code that may be written, and data. */
export const blocksElf = ({ entry, code, data }: BlocksProgram): Uint8Array => {
  const { read, write, execute } = SEGMENT_FLAGS;
  return writeElf({
    entry,
    segments: [
      { address: CODE, content: code, sizeBytes: code.length, flags: read | execute },
      { address: DATA, content: data, sizeBytes: data.length, flags: read | write },
    ],
  });
};

const sizeOf = (draft: Draft): number =>
  typeof draft !== 'number' ? draft.sizeBytes : (draft & 3) === 3 ? 4 : 2;

class BlocksWriter {
  readonly #random: Random;
  readonly #blocks: number;
  readonly #count: number;
  readonly #wild: boolean;
  /** Where each block begins: those of the body, then the exit. */
  readonly #starts: number[] = [];
  /** Where instructions of the body begin. */
  readonly #places: number[] = [];

  constructor(random: Random, { blocks = 30, count = 300, wild = false }: BlocksOptions) {
    this.#random = random;
    this.#blocks = blocks;
    this.#count = count;
    this.#wild = wild;
  }

  write(): BlocksProgram {
    const blocks = Array.from({ length: this.#blocks }, () => this.#block());
    blocks.push({ drafts: this.#exit(), ends: true });
    const prologue = this.#prologue();
    const entry = CODE + 2 * this.#random.below(PAGE_SIZE / 2);
    let at = entry + codeBytes(prologue).length;
    for (const { drafts, ends } of blocks) {
      this.#starts.push(at);
      for (const draft of drafts) {
        this.#places.push(at);
        at += sizeOf(draft);
      }
      if (ends) at += 2 * this.#random.below(this.#random.below(6) === 0 ? PAGE_SIZE / 4 : 8);
    }
    const code = new Uint8Array(Math.ceil((at - CODE) / PAGE_SIZE) * PAGE_SIZE);
    code.set(codeBytes(prologue), entry - CODE);
    let place = 0;
    for (const { drafts } of blocks) {
      for (const draft of drafts) {
        const address = this.#places[place++]!;
        const word = typeof draft === 'number' ? draft : draft.make(address);
        code.set(codeBytes([word]), address - CODE);
      }
    }
    const patches = Array.from({ length: TABLE_ENTRIES }, () => this.#patch());
    return { entry, code, data: this.#data(patches), patches };
  }

  #prologue(): number[] {
    return [
      encode('lui', { rd: x.tp, imm: DATA }),
      ...Array.from({ length: 32 }, (_, rd) =>
        encode('fld', { rd, rs1: x.tp, imm: FLOATS_AT_START + 8 * rd }),
      ),
      ...Array.from({ length: 31 }, (_, index) => index + 1)
        .filter((register) => register !== x.tp)
        .map((rd) => encode('ld', { rd, rs1: x.tp, imm: 8 * rd })),
    ];
  }

  /** Stores all registers, writes the data to standard output, and exits. */
  #exit(): number[] {
    return [
      encode('lui', { rd: x.t6, imm: DATA }),
      ...Array.from({ length: 32 }, (_, rs2) =>
        encode('sd', { rs1: x.t6, rs2, imm: REGISTERS_AT_END + 8 * rs2 }),
      ),
      ...Array.from({ length: 32 }, (_, rs2) =>
        encode('fsd', { rs1: x.t6, rs2, imm: FLOATS_AT_END + 8 * rs2 }),
      ),
      encode('csrrs', { rd: x.t5, imm: CSR.fcsr }),
      encode('sd', { rs1: x.t6, rs2: x.t5, imm: FCSR_AT_END }),
      encode('addi', { rd: x.a7, imm: WRITE_CALL }),
      encode('addi', { rd: x.a0, imm: 1 }),
      encode('addi', { rd: x.a1, rs1: x.t6 }),
      encode('lui', { rd: x.a2, imm: DATA_PAGES * PAGE_SIZE }),
      encode('ecall'),
      encode('addi', { rd: x.a7, imm: Number(EXIT_CALL) }),
      encode('addi', { rd: x.a0 }),
      encode('ecall'),
    ];
  }

  #data(patches: readonly Patch[]): Uint8Array {
    const data = Uint8Array.from({ length: DATA_PAGES * PAGE_SIZE }, () => this.#random.below(256));
    const view = new DataView(data.buffer);
    const set = (at: number, value: bigint | number): void =>
      view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    for (let register = 0; register < 32; register++) {
      const isSmall = this.#random.below(2) === 0;
      set(8 * register, isSmall ? this.#random.below(64) - 32 : this.#random.doubleword());
    }
    const stack = DATA + (STACK_PAGE + 1) * PAGE_SIZE - this.#random.below(64);
    for (const base of BASES) set(8 * base, stack);
    for (const link of [x.ra, x.t0]) set(8 * link, this.#blockStart());
    set(8 * x.s11, this.#count);
    set(8 * x.a7, 0);
    // Numbers that floating-point instructions make something of.
    for (let register = 0; register < 32; register++) {
      const at = FLOATS_AT_START + 8 * register;
      if (this.#random.below(2) === 0) view.setFloat64(at, (this.#random.word() / 2 ** 16) * 1.1, true);
      else set(at, 0xffff_ffff_0000_0000n | BigInt(this.#random.word() >>> 0));
    }
    for (let entry = 0; entry < TABLE_ENTRIES; entry++) set(TARGETS_AT + 8 * entry, this.#anyTarget());
    for (const [entry, { address, word }] of patches.entries()) {
      set(PATCHES_AT + 16 * entry, address);
      set(PATCHES_AT + 16 * entry + 8, word);
    }
    return data;
  }

  /** The start of a block; in a wild program also of an instruction in it, or the middle of one. */
  #anyTarget(): number {
    if (!this.#wild || this.#random.below(3) > 0) return this.#blockStart();
    return this.#random.pick(this.#places) + (this.#random.below(8) === 0 ? 2 : 0);
  }

  /** Where a block begins, but for the exit. */
  #blockStart(): number {
    return this.#starts[this.#random.below(this.#blocks)]!;
  }

  #patch(): Patch {
    const body = this.#places.slice(0, -1);
    const word =
      this.#random.below(4) === 0
        ? (0x0001 | (this.#computing(2) << 16)) >>> 0 // c.nop, then another
        : this.#computing(4) >>> 0;
    return { address: this.#random.pick(body), word };
  }

  #block(): DraftBlock {
    const exit = this.#blocks;
    const drafts: Draft[] = [
      encode('addi', { rd: x.s11, rs1: x.s11, imm: -1 }),
      encode('bne', { rs1: x.s11, imm: 8 }),
      { sizeBytes: 4, make: (at) => encode('jal', { imm: this.#starts[exit]! - at }) },
    ];
    for (let units = this.#random.below(8); units > 0; units--) drafts.push(...this.#unit());
    const [end, ends] = this.#end();
    return { drafts: [...drafts, ...end], ends };
  }

  #unit(): Draft[] {
    switch (this.#random.below(this.#wild ? 16 : 13)) {
      case 0:
      case 1:
      case 2:
        return [this.#computing(this.#random.pick([2, 4]))];
      case 3:
        return this.#floating();
      case 4:
        return this.#atomic();
      case 5:
        // Another place for a base that compressed instructions reach too.
        return [
          encode('addi', { rd: this.#random.pick([x.s0, x.s1]), rs1: x.sp, imm: this.#near(LOAD_REACH) }),
        ];
      case 6:
        return this.#smallLoop();
      case 7:
        return [this.#reach(this.#random.pick(compressedReaching))];
      case 13:
        return this.#patchCode();
      case 14:
        return [
          this.#random.pick([encode('ecall'), encode('ebreak'), C_EBREAK, ILLEGAL, FENCE_I, encode('fence')]),
        ];
      default:
        return this.#accesses();
    }
  }

  /** Some operations on few registers, so that one's result is another's operand, of the other format too. */
  #floating(): Draft[] {
    const drafts = Array.from({ length: 1 + this.#random.below(3) }, () =>
      this.#draw(floating, () => true, FEW_REGISTERS),
    );
    return this.#random.below(3) === 0 ? [...drafts, this.#lookAtFlags()] : drafts;
  }

  /** Some accesses of one base, near each other, with other things between. */
  #accesses(): Draft[] {
    const base = this.#random.pick(BASES);
    const [middle, spread] = [this.#near(LOAD_REACH - 300), this.#random.pick([16, 64, 280])];
    const drafts: Draft[] = [];
    for (let accesses = 1 + this.#random.below(5); accesses > 0; accesses--) {
      const { name, format } = this.#random.pick(wideReaching);
      const imm = middle + this.#near(spread);
      const value = this.#random.below(format.startsWith('float') && this.#random.below(2) === 0 ? 4 : 32);
      if (format.endsWith('store')) drafts.push(encode(name, { rs1: base, rs2: value, imm }));
      else if (format === 'float-load') drafts.push(encode(name, { rd: value, rs1: base, imm }));
      else drafts.push(encode(name, { rd: this.#free(), rs1: base, imm }));
      if (this.#random.below(3) === 0) drafts.push(this.#computing(this.#random.pick([2, 4])));
      if (base !== x.sp && this.#random.below(8) === 0) {
        drafts.push(encode('addi', { rd: base, rs1: x.sp, imm: this.#near(LOAD_REACH) }));
      }
    }
    return drafts;
  }

  #atomic(): Draft[] {
    const { name } = this.#random.pick(atomic);
    const step = name.endsWith('.d') ? 8 : 4;
    const point = [
      encode('andi', { rd: x.t6, rs1: x.sp, imm: -8 }),
      encode('addi', { rd: x.t6, rs1: x.t6, imm: step * this.#near(200) }),
    ];
    // One in a while is misaligned, which is a trap.
    if (this.#wild && this.#random.below(8) === 0)
      point.push(encode('addi', { rd: x.t6, rs1: x.t6, imm: 2 }));
    const [rd, rs2] = [this.#free(), this.#random.below(32)];
    if (!name.startsWith('lr.')) return [...point, encode(name, { rd, rs1: x.t6, rs2 })];
    // Whether a store between them makes the second fail is for each processor to decide.
    const between = this.#wild && this.#random.below(3) === 0 ? this.#accesses() : [];
    return [
      ...point,
      encode(name, { rd, rs1: x.t6 }),
      ...between,
      encode(name.replace('lr', 'sc'), { rd: this.#free(), rs1: x.t6, rs2 }),
    ];
  }

  /** Runs at most seven times from wherever it is entered. */
  #smallLoop(): Draft[] {
    const body = [this.#computing(4), ...this.#accesses(), this.#computing(2)];
    const back = body.reduce<number>((sum, draft) => sum + sizeOf(draft), 8);
    return [
      encode('andi', { rd: x.t5, rs1: this.#random.below(32), imm: 7 }),
      ...body,
      encode('andi', { rd: x.t5, rs1: x.t5, imm: 7 }),
      encode('addi', { rd: x.t5, rs1: x.t5, imm: -1 }),
      encode('blt', { rs1: x.zero, rs2: x.t5, imm: -back }),
    ];
  }

  /** Writes one of the patches, whole or half, with or without fence.i. */
  #patchCode(): Draft[] {
    const at = PATCHES_AT + 16 * this.#random.below(TABLE_ENTRIES);
    return [
      encode('ld', { rd: x.t6, rs1: x.tp, imm: at }),
      encode('lw', { rd: x.t4, rs1: x.tp, imm: at + 8 }),
      encode(this.#random.pick(['sw', 'sw', 'sw', 'sh']), { rs1: x.t6, rs2: x.t4 }),
      ...(this.#random.below(2) === 0 ? [FENCE_I] : []),
    ];
  }

  #end(): [drafts: Draft[], ends: boolean] {
    const target = this.#random.below(this.#blocks);
    switch (this.#random.below(11)) {
      case 0:
        return [[], false];
      case 1:
      case 2:
      case 3:
        return [[this.#branch(target)], false];
      case 4:
        return [[this.#compressedBranch(target)], false];
      case 5:
        return [[this.#jump(target, x.zero)], true];
      case 6:
        return [[this.#compressedJump(target)], true];
      case 7:
        // What is called returns to behind the call.
        return [[this.#jump(target, this.#random.pick([x.ra, x.t0]))], false];
      case 8:
        return [[this.#random.pick(RETURN_CODES)], true];
      case 9:
        return [this.#farCall(target), false];
      default:
        return [this.#tableJump(), false];
    }
  }

  #branch(target: number): Draft {
    const { name } = this.#random.pick(branches);
    const [rs1, rs2] = [this.#random.below(32), this.#random.pick([0, this.#random.below(32)])];
    return {
      sizeBytes: 4,
      make: (at) => encode(name, { rs1, rs2, imm: this.#within(target, at, BRANCH_REACH) - at }),
    };
  }

  #compressedBranch(target: number): Draft {
    const [match, register] = [this.#random.pick([0xc001, 0xe001]), this.#random.below(8)];
    return {
      sizeBytes: 2,
      make: (at) => {
        const distance = this.#within(target, at, COMPRESSED_BRANCH_REACH) - at;
        const bit = (number: number, to: number): number => ((distance >> number) & 1) << to;
        const bits = bit(8, 12) | bit(4, 11) | bit(3, 10) | bit(7, 6) | bit(6, 5);
        return match | (register << 7) | bits | bit(2, 4) | bit(1, 3) | bit(5, 2);
      },
    };
  }

  #compressedJump(target: number): Draft {
    return {
      sizeBytes: 2,
      make: (at) => {
        const distance = this.#within(target, at, COMPRESSED_JUMP_REACH) - at;
        const bit = (number: number, to: number): number => ((distance >> number) & 1) << to;
        const bits = bit(11, 12) | bit(4, 11) | bit(9, 10) | bit(8, 9) | bit(10, 8) | bit(6, 7) | bit(7, 6);
        return 0xa001 | bits | bit(3, 5) | bit(2, 4) | bit(1, 3) | bit(5, 2);
      },
    };
  }

  #jump(target: number, rd: number): Draft {
    return { sizeBytes: 4, make: (at) => encode('jal', { rd, imm: this.#starts[target]! - at }) };
  }

  /** auipc and a jump register: a call, as linkers make them. */
  #farCall(target: number): Draft[] {
    const rd = this.#random.pick([x.ra, x.t0, x.zero]);
    const low = (at: number): number => ((this.#starts[target]! - at) << 20) >> 20;
    return [
      {
        sizeBytes: 4,
        make: (at) => encode('auipc', { rd: x.t6, imm: this.#starts[target]! - at - low(at) }),
      },
      { sizeBytes: 4, make: (at) => encode('jalr', { rd, rs1: x.t6, imm: low(at - 4) }) },
    ];
  }

  #tableJump(): Draft[] {
    const rd = this.#random.pick([x.zero, x.zero, x.ra, x.t0, x.t6]);
    return [
      encode('andi', { rd: x.t6, rs1: this.#random.below(32), imm: 8 * (TABLE_ENTRIES - 1) }),
      encode('add', { rd: x.t6, rs1: x.t6, rs2: x.tp }),
      encode('ld', { rd: x.t6, rs1: x.t6, imm: TARGETS_AT }),
      // The lowest bit of a sum is no part of where it leads.
      encode('jalr', { rd, rs1: x.t6, imm: this.#random.below(2) }),
    ];
  }

  /** A block's start that lies within reach: the one asked for, or the nearest. */
  #within(target: number, at: number, reach: number): number {
    const wanted = this.#starts[target]!;
    if (Math.abs(wanted - at) <= reach) return wanted;
    return this.#starts.reduce((best, start) => (Math.abs(start - at) < Math.abs(best - at) ? start : best));
  }

  #computing(sizeBytes: 2 | 4): number {
    return this.#draw(computing.filter(({ name }) => name.startsWith('c.') === (sizeBytes === 2)));
  }

  #lookAtFlags(): number {
    const [rd, imm] = [this.#free(), this.#random.pick([CSR.fflags, CSR.fcsr])];
    return this.#random.below(2) === 0
      ? encode('csrrs', { rd, imm })
      : encode('csrrwi', { rd, imm: CSR.frm | (this.#random.below(5) << 12) });
  }

  /** An access through one of the bases. */
  #reach(encoding: Encoding): number {
    return this.#draw([encoding], (rs1) => BASES.includes(rs1));
  }

  /** Draws what the table leaves open, until nothing is written that is kept. */
  #draw(
    encodings: readonly Encoding[],
    acceptsBase: (rs1: number) => boolean = () => true,
    bits = -1,
  ): number {
    for (;;) {
      const { name, match, mask } = this.#random.pick(encodings);
      const word = match | (this.#random.word() & ~mask & bits);
      const instruction = (match & 3) === 3 ? word : word & 0xffff;
      const decoded = decode(instruction);
      if (decoded?.name !== name || !acceptsBase(decoded.rs1)) continue;
      if (operandKinds(decoded.instruction).rd === 'x' && KEPT.has(decoded.rd)) continue;
      if (decoded.rm !== undefined && decoded.rm > 4 && decoded.rm !== 7) continue;
      return instruction;
    }
  }

  /** A register that may be written. */
  #free(): number {
    for (;;) {
      const register = this.#random.below(32);
      if (!KEPT.has(register)) return register;
    }
  }

  /** -distance … distance. */
  #near(distance: number): number {
    return this.#random.below(2 * distance) - distance;
  }
}
