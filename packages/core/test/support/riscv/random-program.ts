/**
 * Random programs for the hart and qemu to agree on: each loads all registers, runs some hundreds of random
 * instructions several times over, stores all registers, writes its data to standard output and exits.
 *
 * Instructions are drawn from the table: its match bits, random bits elsewhere, drawn again until they keep
 * the rules. A few registers, the bases, point into the data and keep their values; every load and store
 * goes through one. Branches and jumps within a round go forward, to the start of a unit: instructions that stay together,
 * such as LR and SC.
 *
 *      DATA                     registers at the start, 32 doublewords, then 32 for the floating-point ones
 *      DATA + FCSR_AT_END       fcsr at the end
 *      DATA + FLOATS_AT_END     floating-point registers at the end, 32 doublewords
 *      DATA + REGISTERS_AT_END  registers at the end, 32 doublewords
 *      DATA + WINDOW            random bytes, and floating-point numbers with edges, to DATA_BYTES
 *
 * Floating-point instructions come with operands at the edges, in every rounding mode, and the flags are read and cleared
 * among them. frm is left with a mode that is not reserved after each unit: others would be the end of the process.
 */
import {
  COMPRESSED_INSTRUCTIONS,
  decode,
  type Decoded,
  INSTRUCTIONS,
  operandKinds,
} from '../../../src/hart/index.js';
import { codeBytes, CSR, encode, x } from './assembler.js';
import { SEGMENT_FLAGS, writeElf } from './elf-writer.js';
import { floatRegisterEdge } from './float-values.js';
import type { Random } from '../random.js';

const TEXT = 0x10000;
export const DATA = 0x40_0000;
export const DATA_BYTES = 5 * 4096;
const FLOATS_AT_START = 0x100;
export const FCSR_AT_END = 0xdf8;
export const FLOATS_AT_END = 0xe00;
export const REGISTERS_AT_END = 0xf00;
const WINDOW = 0x1000;
const ROUNDS = 5;
/** How far a load or store may reach from its base. */
const REACH = 2048;
const ATOMIC_REACH = 1024;

/** Rounding modes, and the one that means frm. */
const ROUNDING_MODES = [0, 1, 2, 3, 4];
const DYNAMIC = 7;

/** Values at which arithmetic has its edges. */
const EDGES: readonly bigint[] = [
  ...[0n, 1n, 2n, -1n, -2n, 31n, 32n, 63n, 64n],
  ...[2n ** 31n - 1n, 2n ** 31n, -(2n ** 31n), 2n ** 32n - 1n, 2n ** 32n],
  ...[2n ** 63n - 1n, -(2n ** 63n)],
];

/** Short ways to write some of them to a register. */
const EDGE_WRITERS: readonly ((rd: number) => number[])[] = [
  (rd) => [encode('addi', { rd })],
  (rd) => [encode('addi', { rd, imm: 1 })],
  (rd) => [encode('addi', { rd, imm: -1 })],
  (rd) => [encode('lui', { rd, imm: 0x8000_0000 | 0 })],
  (rd) => [encode('lui', { rd, imm: 0x8000_0000 | 0 }), encode('addiw', { rd, rs1: rd, imm: -1 })],
  (rd) => [encode('addi', { rd, imm: 1 }), encode('slli', { rd, rs1: rd, imm: 63 })],
  (rd) => [encode('addi', { rd, imm: -1 }), encode('srli', { rd, rs1: rd, imm: 1 })],
  (rd) => [encode('addi', { rd, imm: 1 }), encode('slli', { rd, rs1: rd, imm: 32 })],
];

/** Not drawn: the epilogue makes system calls, and a breakpoint ends a process. */
const LEFT_OUT = new Set(['ecall', 'ebreak', 'c.ebreak']);
const MULTIPLY_OR_DIVIDE = /^(mul|div|rem)/;
const WRITES_SP = 'c.addi16sp';
/** Formats with an address in rs1 and an offset. */
const REACHES_MEMORY = new Set(['load', 'store', 'float-load', 'float-store']);

interface Encoding {
  readonly name: string;
  readonly match: number;
  readonly mask: number;
  readonly sizeBytes: 2 | 4;
  readonly format: string;
}

const formatOf = new Map(INSTRUCTIONS.map(({ name, format }) => [name, format]));
const ENCODINGS: readonly Encoding[] = [
  ...INSTRUCTIONS.map((instruction) => ({ ...instruction, sizeBytes: 4 as const })),
  ...COMPRESSED_INSTRUCTIONS.map((compressed) => ({
    ...compressed,
    format: formatOf.get(compressed.expandsTo)!,
    sizeBytes: 2 as const,
  })),
].filter(({ name }) => !LEFT_OUT.has(name));

/** An instruction, or what makes it when its distance to the unit's target is known. */
type Draft = number | { readonly sizeBytes: 2 | 4; readonly make: (distance: number) => number };

interface Unit {
  readonly drafts: readonly Draft[];
  /** The unit's jumps go to the start of the unit that many further on. */
  readonly skip: number;
}

export interface RandomProgram {
  readonly elf: Uint8Array;
  /** Where its random instructions begin, and end. */
  readonly start: number;
  readonly end: number;
}

export const randomProgram = (random: Random, units: number): RandomProgram => {
  const writer = new ProgramWriter(random);
  const before = writer.prologue();
  const body = writer.repeated(layOut(Array.from({ length: units }, () => writer.unit())));
  const after = writer.epilogue();
  // The body begins at any halfword of the page, so that every instruction comes to lie across two.
  const entry = TEXT + 2 * random.below(2000);
  const code = codeBytes([...before, ...body, ...after]);
  const { read, write, execute } = SEGMENT_FLAGS;
  const text = { address: entry, content: code, sizeBytes: code.length, flags: read | execute };
  const data = { address: DATA, content: writer.data(), sizeBytes: DATA_BYTES, flags: read | write };
  return {
    elf: writeElf({ entry, segments: [text, data] }),
    start: entry + codeBytes(before).length,
    end: entry + code.length - codeBytes(after).length,
  };
};

const sizeOf = (draft: Draft): number =>
  typeof draft !== 'number' ? draft.sizeBytes : (draft & 3) === 3 ? 4 : 2;

const layOut = (units: readonly Unit[]): number[] => {
  const starts = [0];
  for (const { drafts } of units) {
    starts.push(drafts.reduce<number>((end, draft) => end + sizeOf(draft), starts.at(-1)!));
  }
  return units.flatMap(({ drafts, skip }, index) => {
    const target = starts[Math.min(index + skip, units.length)]!;
    let address = starts[index]!;
    return drafts.map((draft) => {
      const instruction = typeof draft === 'number' ? draft : draft.make(target - address);
      address += sizeOf(draft);
      return instruction;
    });
  });
};

class ProgramWriter {
  readonly #random: Random;
  /** The base registers, and where they point: sp, one that compressed loads can name, and another. */
  readonly #bases = new Map<number, number>();
  /** Counts the rounds that are still to be made. */
  readonly #counter: number;

  constructor(random: Random) {
    this.#random = random;
    // From sp the epilogue must reach the place of the registers at the end.
    this.#bases.set(x.sp, this.#aligned(WINDOW, WINDOW + 1024));
    this.#bases.set(8 + random.below(8), this.#aligned(WINDOW, DATA_BYTES - REACH - 16));
    this.#bases.set(16 + random.below(16), this.#aligned(WINDOW, DATA_BYTES - REACH - 16));
    // None that some instruction always writes.
    const others = Array.from({ length: 16 }, (_, index) => 16 + index).filter(
      (register) => !this.#bases.has(register),
    );
    this.#counter = random.pick(others);
  }

  /** Instructions that are run ROUNDS times. */
  repeated(body: readonly number[]): number[] {
    const counter = { rd: this.#counter, rs1: this.#counter };
    return [
      ...body,
      encode('addi', { ...counter, imm: -1 }),
      encode('beq', { rs1: this.#counter, rs2: x.zero, imm: 8 }),
      encode('jal', { imm: -(codeBytes(body).length + 8) }),
    ];
  }

  prologue(): number[] {
    return [
      encode('lui', { rd: x.t6, imm: DATA }),
      ...Array.from({ length: 32 }, (_, rd) =>
        encode('fld', { rd, rs1: x.t6, imm: FLOATS_AT_START + 8 * rd }),
      ),
      ...Array.from({ length: 31 }, (_, index) =>
        encode('ld', { rd: index + 1, rs1: x.t6, imm: 8 * (index + 1) }),
      ),
      encode('addi', { rd: this.#counter, imm: ROUNDS }),
    ];
  }

  epilogue(): number[] {
    const start = DATA - this.#bases.get(x.sp)!;
    const [place, floats] = [start + REGISTERS_AT_END, start + FLOATS_AT_END];
    return [
      ...Array.from({ length: 32 }, (_, rs2) => encode('sd', { rs1: x.sp, rs2, imm: place + 8 * rs2 })),
      ...Array.from({ length: 32 }, (_, rs2) => encode('fsd', { rs1: x.sp, rs2, imm: floats + 8 * rs2 })),
      encode('csrrs', { rd: x.t6, imm: CSR.fcsr }),
      encode('sd', { rs1: x.sp, rs2: x.t6, imm: start + FCSR_AT_END }),
      encode('addi', { rd: x.a7, imm: 64 }),
      encode('addi', { rd: x.a0, imm: 1 }),
      encode('lui', { rd: x.a1, imm: DATA }),
      encode('lui', { rd: x.a2, imm: DATA_BYTES }),
      encode('ecall'),
      encode('addi', { rd: x.a7, imm: 93 }),
      encode('addi', { rd: x.a0, imm: 0 }),
      encode('ecall'),
    ];
  }

  data(): Uint8Array {
    const bytes = Uint8Array.from({ length: DATA_BYTES }, () => this.#random.below(256));
    const view = new DataView(bytes.buffer);
    for (let register = 0; register < 32; register++) {
      view.setBigUint64(8 * register, BigInt.asUintN(64, this.#startValue(register)), true);
      view.setBigUint64(FLOATS_AT_START + 8 * register, floatRegisterEdge(this.#random), true);
    }
    for (let at = WINDOW; at < DATA_BYTES; at += 8) {
      if (this.#random.below(4) > 0) view.setBigUint64(at, floatRegisterEdge(this.#random), true);
    }
    return bytes;
  }

  unit(): Unit {
    const encoding = this.#random.pick(ENCODINGS);
    // Now and then far, so that the high bits of offsets count: a compressed branch reaches 254 bytes.
    const far = encoding.format === 'branch' && encoding.sizeBytes === 2 ? 12 : 80;
    const most = this.#random.below(12) === 0 ? far : 6;
    return { skip: 1 + this.#random.below(most), drafts: this.#drafts(encoding) };
  }

  #drafts(encoding: Encoding): readonly Draft[] {
    const { name, format, sizeBytes } = encoding;
    if (name === WRITES_SP) return this.#stackAdjustment(encoding);
    switch (format) {
      case 'branch':
      case 'jump':
        return [{ sizeBytes, make: (distance) => this.#jumpTo(encoding, distance) }];
      case 'jump-register':
        return sizeBytes === 2 ? this.#compressedJumpRegister(encoding) : this.#jumpRegister(encoding);
      case 'atomic':
      case 'load-reserved':
        return this.#atomic(encoding);
      case 'csr':
      case 'csr-immediate':
        return [this.#draw(encoding, (decoded) => this.#mayRun(decoded)), this.#setRounding()];
      case 'float':
      case 'float-fused':
      case 'float-unary':
      case 'float-choice':
      case 'float-compare':
      case 'float-to-integer':
      case 'integer-to-float':
      case 'float-bits':
      case 'bits-to-float':
        return this.#floatOperation(encoding);
      default: {
        const instruction = this.#draw(encoding, (decoded) => this.#mayRun(decoded));
        return MULTIPLY_OR_DIVIDE.test(name) ? [...this.#edgesFor(instruction), instruction] : [instruction];
      }
    }
  }

  /** Draws the bits that the table leaves open until `accept` is content. */
  #draw({ name, match, mask }: Encoding, accept: (decoded: Decoded) => boolean): number {
    for (let attempt = 0; attempt < 1_000_000; attempt++) {
      const word = match | (this.#random.word() & ~mask);
      const instruction = (match & 3) === 3 ? word : word & 0xffff;
      const decoded = decode(instruction);
      if (decoded?.name === name && accept(decoded)) return instruction;
    }
    throw new Error(`no encoding of ${name} keeps the rules`);
  }

  /** Bases are not written, and memory is reached through them, often across a page boundary. */
  #mayRun({ rd, rs1, imm, instruction }: Decoded): boolean {
    if (operandKinds(instruction).rd === 'x' && this.#isKept(rd)) return false;
    if (!REACHES_MEMORY.has(instruction.format)) return true;
    return this.#bases.has(rs1) && (this.#random.below(4) > 0 || this.#isNearBoundary(rs1, imm));
  }

  #isNearBoundary(rs1: number, imm: number): boolean {
    const offset = (this.#bases.get(rs1)! + imm) % 4096;
    return offset > 4096 - 8 || imm === 0;
  }

  #jumpTo(encoding: Encoding, distance: number): number {
    const { name, format, sizeBytes } = encoding;
    const keepsBases = ({ rd }: Decoded): boolean => !this.#isKept(rd);
    if (sizeBytes === 2) return this.#draw(encoding, ({ imm }) => imm === distance);
    const drawn = decode(this.#draw(encoding, keepsBases))!;
    return format === 'branch'
      ? encode(name, { rs1: drawn.rs1, rs2: drawn.rs2, imm: distance })
      : encode(name, { rd: drawn.rd, imm: distance });
  }

  #jumpRegister({ name }: Encoding): Draft[] {
    const pointer = this.#freeRegister();
    // Sometimes an odd address: the lowest bit is to be ignored.
    const odd = this.#random.below(2);
    const rd = this.#random.below(2) === 0 ? pointer : this.#freeRegister();
    return [
      encode('auipc', { rd: pointer }),
      {
        sizeBytes: 4,
        make: (distance) => encode(name, { rd, rs1: pointer, imm: distance + 4 + odd }),
      },
    ];
  }

  #compressedJumpRegister(encoding: Encoding): Draft[] {
    const pointer = this.#freeRegister();
    return [
      encode('auipc', { rd: pointer }),
      {
        sizeBytes: 4,
        make: (distance) => encode('addi', { rd: pointer, rs1: pointer, imm: distance + 4 }),
      },
      this.#draw(encoding, ({ rs1, rd }) => rs1 === pointer && !this.#isKept(rd)),
    ];
  }

  /** There and back again, with a look at sp between. */
  #stackAdjustment(encoding: Encoding): Draft[] {
    const there = this.#draw(encoding, ({ imm }) => imm !== -512);
    const back = this.#draw(encoding, ({ imm }) => imm === -decode(there)!.imm);
    return [there, encode('addi', { rd: this.#freeRegister(), rs1: x.sp }), back];
  }

  /** An atomic operation at an aligned address near a base. An LR is followed by an SC: to its address, or another. */
  #atomic(encoding: Encoding): Draft[] {
    const pointer = this.#freeRegister();
    const base = this.#random.pick([...this.#bases.keys()]);
    const point = encode('addi', {
      rd: pointer,
      rs1: base,
      imm: 8 * (this.#random.below(ATOMIC_REACH / 4) - ATOMIC_REACH / 8),
    });
    const keepsPointer = ({ rd, rs1 }: Decoded): boolean =>
      rs1 === pointer && rd !== pointer && !this.#isKept(rd);
    const anyResult = ({ rd, rs1 }: Decoded): boolean => rs1 === pointer && !this.#isKept(rd);
    if (encoding.format === 'atomic') return [point, this.#draw(encoding, anyResult)];
    const conditional = ENCODINGS.find(({ name }) => name === encoding.name.replace('lr', 'sc'))!;
    const elsewhere =
      this.#random.below(4) === 0 ? [encode('addi', { rd: pointer, rs1: pointer, imm: 8 })] : [];
    return [point, this.#draw(encoding, keepsPointer), ...elsewhere, this.#draw(conditional, anyResult)];
  }

  /** An operation, mostly with operands at the edges, and often with a look at the flags after it. */
  #floatOperation(encoding: Encoding): Draft[] {
    let instruction = this.#draw(encoding, (decoded) => this.#mayRun(decoded));
    const { rs1, rs2, rs3, rm, instruction: drawn } = decode(instruction)!;
    // Half of them round as most programs have it.
    if (rm !== undefined && this.#random.below(2) === 0) {
      instruction = (instruction & ~(7 << 12)) | (this.#random.pick([0, DYNAMIC]) << 12);
    }
    const kinds = operandKinds(drawn);
    const operands = [
      ...(kinds.rs1 === 'f' ? [rs1] : []),
      ...(kinds.rs2 === 'f' ? [rs2] : []),
      ...(kinds.rs3 === 'f' ? [rs3] : []),
    ];
    const edges = operands
      .filter(() => this.#random.below(4) > 0)
      .map((rd) => this.#loadFloat(rd, drawn.name.endsWith('.s') ? 'flw' : 'fld'));
    if (kinds.rs1 === 'x') edges.push(...this.#edgesFor(instruction));
    // A product as the addend: what remains of the sum is its error.
    if (kinds.rs3 === 'f' && this.#random.below(3) === 0) {
      edges.push(encode(`fmul.${drawn.name.at(-1)!}`, { rd: rs3, rs1, rs2, rm: 0 }));
    }
    if (this.#random.below(5) === 0) edges.push(this.#setRounding());
    return [...edges, instruction, ...this.#lookAtFlags()];
  }

  /** A number of the data that begins where numbers were put. */
  #loadFloat(rd: number, name: 'flw' | 'fld'): number {
    const rs1 = this.#random.pick([...this.#bases.keys()]);
    const [inReach, step] = [REACH / 2, name === 'flw' ? 4 : 8];
    return encode(name, { rd, rs1, imm: step * (this.#random.below((2 * inReach) / step) - inReach / step) });
  }

  #setRounding(): number {
    return encode('csrrwi', { imm: CSR.frm | (this.#random.pick(ROUNDING_MODES) << 12) });
  }

  /** Often reads the flags, and sometimes clears them all, or all but inexact, which most programs have set. */
  #lookAtFlags(): number[] {
    const rd = this.#freeRegister();
    switch (this.#random.below(6)) {
      case 0:
      case 1:
        return [encode('csrrs', { rd, imm: CSR.fflags })];
      case 2:
        return [encode('csrrwi', { rd, imm: CSR.fflags })];
      case 3:
        return [encode('csrrwi', { rd, imm: CSR.fflags | (1 << 12) })];
      default:
        return [];
    }
  }

  /** Instructions that give the operands of a multiplication or division values at the edges. */
  #edgesFor(instruction: number): number[] {
    const { rs1, rs2, instruction: decoded } = decode(instruction)!;
    const kinds = operandKinds(decoded);
    return [...(kinds.rs1 === 'x' ? [rs1] : []), ...(kinds.rs2 === 'x' ? [rs2] : [])]
      .filter((register) => !this.#isKept(register) && this.#random.below(3) > 0)
      .flatMap((register) => this.#random.pick(EDGE_WRITERS)(register));
  }

  /** Whether a register is to stay what it is: the counter and the bases. */
  #isKept(register: number): boolean {
    return register === this.#counter || this.#bases.has(register);
  }

  /** A register that is neither x0 nor kept. */
  #freeRegister(): number {
    for (;;) {
      const register = 1 + this.#random.below(31);
      if (!this.#isKept(register)) return register;
    }
  }

  #startValue(register: number): bigint {
    const base = this.#bases.get(register);
    if (base !== undefined) return BigInt(base);
    return this.#random.below(2) === 0 ? this.#random.pick(EDGES) : this.#random.doubleword();
  }

  /** An address of the data, a multiple of 16. */
  #aligned(from: number, to: number): number {
    return DATA + from + 16 * this.#random.below((to - from) / 16);
  }
}
