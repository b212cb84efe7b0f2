/** The instruction table: its encodings are distinct, and decoder and disassembler read them as objdump does. */
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  COMPRESSED_INSTRUCTIONS,
  decode,
  disassemble,
  type Emitter,
  INSTRUCTIONS,
  operandKinds,
  REGISTER_NAMES,
} from '../../src/hart/index.js';
import type { OperandKind, OperandKinds } from '../../src/hart/instructions/index.js';
import { ModuleBuilder } from '../../src/hart/wasm/index.js';
import { codeBytes, CSR, encode, f, type Operands, x } from '../support/riscv/assembler.js';
import { Random } from '../support/random.js';
import { OBJDUMP, runTool, ScratchDirectory, testWith } from '../support/riscv/tools.js';

const isCompressed = (word: number): boolean => (word & 3) !== 3;

describe('the table', () => {
  test('every entry matches itself, and only entries of its size', () => {
    for (const { name, format, match, mask } of INSTRUCTIONS) {
      expect(match & mask, name).toBe(match);
      expect(match & 3, name).toBe(3);
      expect(mask & 0x7f, name).toBe(0x7f);
      const operand = format.startsWith('csr') ? CSR.fcsr << 20 : 0;
      expect(decode(match | operand)?.name, name).toBe(name);
    }
    for (const { name, match, mask } of COMPRESSED_INSTRUCTIONS) {
      expect(match & mask, name).toBe(match);
      expect(isCompressed(match), name).toBe(true);
      expect(match, name).toBeLessThan(0x1_0000);
    }
  });

  test('no word of 32 bits is two instructions', () => {
    for (const [index, a] of INSTRUCTIONS.entries()) {
      for (const b of INSTRUCTIONS.slice(index + 1)) {
        expect((a.match ^ b.match) & a.mask & b.mask, `${a.name} and ${b.name}`).not.toBe(0);
      }
    }
  });

  test('names are unique, and every compressed instruction stands for one that there is', () => {
    const names = INSTRUCTIONS.map(({ name }) => name);
    const all = [...names, ...COMPRESSED_INSTRUCTIONS.map(({ name }) => name)];
    expect(new Set(all).size).toBe(all.length);
    expect(COMPRESSED_INSTRUCTIONS.filter(({ expandsTo }) => !names.includes(expandsTo))).toEqual([]);
  });

  test('every compressed instruction decodes, to operands that are registers', () => {
    const decoded = Array.from({ length: 0x1_0000 }, (_, halfword) => halfword)
      .filter(isCompressed)
      .flatMap((halfword) => decode(halfword) ?? []);
    const names = new Set(decoded.map(({ name }) => name));
    expect([...names].toSorted()).toEqual(COMPRESSED_INSTRUCTIONS.map(({ name }) => name).toSorted());
    const wrong = decoded.filter(
      ({ sizeBytes, number, instruction, rd, rs1, rs2 }) =>
        sizeBytes !== 2 ||
        INSTRUCTIONS[number] !== instruction ||
        [rd, rs1, rs2].some((register) => REGISTER_NAMES[register] === undefined),
    );
    expect(wrong).toEqual([]);
  });

  test('the high half of a compressed instruction does not count', () => {
    expect(decode(0x0505 | 0xabcd_0000)).toEqual(decode(0x0505));
  });
});

describe('operand kinds', () => {
  /** The kinds of the operands that an instruction's semantics ask an emitter for. */
  const kindsOf = (emit: (emitter: Emitter) => void): OperandKinds => {
    const module = new ModuleBuilder();
    const code = module.function('instruction', { parameters: [], results: [] });
    const used: Record<keyof OperandKinds, OperandKind> = {
      rd: 'none',
      rs1: 'none',
      rs2: 'none',
      rs3: 'none',
    };
    const operand = (name: keyof OperandKinds, kind: OperandKind) => (): void => {
      expect(['none', kind], name).toContain(used[name]);
      used[name] = kind;
    };
    const result = (kind: OperandKind) => (value: () => void) => {
      value();
      operand('rd', kind)();
    };
    const local = code.local('i32');
    const nothing = (): void => {};
    const run = (push: () => void): void => push();
    const [x1, x2, f1, f2, f3] = [
      operand('rs1', 'x'),
      operand('rs2', 'x'),
      operand('rs1', 'f'),
      operand('rs2', 'f'),
      operand('rs3', 'f'),
    ];
    emit({
      ...{ code, rs1: x1, rs2: x2, imm: nothing, pc: nothing, nextPc: nothing },
      ...{ fs1: f1, ss1: f1, bs1: f1, fs2: f2, ss2: f2, bs2: f2, fs3: f3, ss3: f3 },
      ...{ writeRd: result('x'), writeFd: result('f'), writeFs: result('f'), writeFb: result('f') },
      ...{ scratch: () => local, floatScratch: () => local, singleScratch: () => local },
      ...{ roundingMode: nothing, staticRoundingMode: undefined, standingBits: nothing, callFloat: nothing },
      translate: (_access, _width, address) => {
        address();
        return local;
      },
      readAt: nothing,
      writeAt: (_opcode, _host, value) => value(),
      written: nothing,
      reservation: nothing,
      setReservation: run,
      branchIf: run,
      jump: nothing,
      jumpTo: run,
      trap: nothing,
    });
    return used;
  };

  test('are what the semantics read and write, of every instruction', () => {
    for (const instruction of INSTRUCTIONS) {
      expect(operandKinds(instruction), instruction.name).toEqual(kindsOf(instruction.emit));
    }
  });
});

describe('the index of the table', () => {
  /** The most entries of a table that decoding one of some words looks at. */
  const mostLookedAt = (table: readonly { readonly match: number }[], words: Iterable<number>): number => {
    let looks = 0;
    const matches = table.map(({ match }) => match);
    for (const [index, entry] of table.entries()) {
      const get = (): number => {
        looks++;
        return matches[index]!;
      };
      Object.defineProperty(entry, 'match', { get, configurable: true, enumerable: true });
    }
    try {
      let most = 0;
      for (const word of words) {
        looks = 0;
        decode(word);
        most = Math.max(most, looks);
      }
      return most;
    } finally {
      for (const [index, entry] of table.entries()) {
        const value = matches[index];
        Object.defineProperty(entry, 'match', {
          value,
          configurable: true,
          enumerable: true,
          writable: true,
        });
      }
    }
  };

  test('leaves few entries to look at, for any halfword', () => {
    const halfwords = Array.from({ length: 0x1_0000 }, (_, halfword) => halfword).filter(isCompressed);
    expect(mostLookedAt(COMPRESSED_INSTRUCTIONS, halfwords)).toBe(9);
  });

  test('and for any word: eleven atomic operations of one width are the most', () => {
    const random = new Random(5);
    const words = INSTRUCTIONS.flatMap(({ match, mask }) =>
      Array.from({ length: 20 }, () => match | (random.word() & ~mask)),
    );
    const illegal = Array.from({ length: 5000 }, () => random.word() | 3);
    expect(mostLookedAt(INSTRUCTIONS, [...words, ...illegal])).toBe(11);
  });
});

describe('illegal encodings', () => {
  test.each([
    ['all zeros', 0],
    ['all ones', -1],
    ['an opcode of 48 bits', 0x0000_001f],
    ['an opcode of 64 bits', 0x0000_003f],
    ['slliw with bit 25', encode('slliw', { rd: 1, rs1: 1, imm: 1 }) | (1 << 25)],
    ['sraiw with bit 25', encode('sraiw', { rd: 1, rs1: 1, imm: 1 }) | (1 << 25)],
    ['slli with bit 26', encode('slli', { rd: 1, rs1: 1, imm: 1 }) | (1 << 26)],
    ['sub with another funct7 bit', encode('sub', { rd: 1 }) | (1 << 28)],
    ['a load of funct3 7', 0x0000_7003],
    ['a store of funct3 4', 0x0000_4023],
    ['a branch of funct3 2', 0x0000_2063],
    ['a branch of funct3 3', 0x0000_3063],
    ['jalr of funct3 1', 0x0000_1067],
    ['lr.w with an rs2', encode('lr.w', { rd: 1, rs1: 2 }) | (3 << 20)],
    ['an atomic of bytes', 0x0000_002f],
    ['an atomic of funct5 5', (5 << 27) | 0x202f],
    ['a half-precision load', 0x0000_1007],
    ['a quad-precision store', 0x0000_4027],
    ['fadd.h', 0x0400_0053],
    ['fmadd.q', 0x0600_0043],
    ['fadd.s with rounding mode 5', encode('fadd.s', { rm: 5 })],
    ['fadd.d with rounding mode 6', encode('fadd.d', { rm: 6 })],
    ['fmadd.d with rounding mode 5', encode('fmadd.d', { rm: 5 })],
    ['fcvt.d.w, which is exact, with rounding mode 6', encode('fcvt.d.w', { rm: 6 })],
    ['fcvt.l.s with rounding mode 5', encode('fcvt.l.s', { rm: 5 })],
    ['fsqrt.d with an rs2', encode('fsqrt.d') | (1 << 20)],
    ['fcvt.s.s', encode('fcvt.s.d') & ~(1 << 20)],
    ['fcvt.d.d', encode('fcvt.d.s') | (1 << 20)],
    ['fcvt of a fifth integer type', encode('fcvt.w.d') | (4 << 20)],
    ['fsgnj of funct3 3', encode('fsgnj.s') | (3 << 12)],
    ['fmin of funct3 2', encode('fmin.d') | (2 << 12)],
    ['feq of funct3 3', encode('fle.d') | (3 << 12)],
    ['fclass.d with an rs2', encode('fclass.d') | (1 << 20)],
    ['fmv.x.d of funct3 2', encode('fmv.x.d') | (2 << 12)],
    ['csrrw of mscratch', 0x3400_1073],
    ['csrrw of control register 0', 0x0000_1073],
    ['csrrs of control register 4', 0x0040_2073],
    ['a csr instruction of funct3 4', 0x0010_4073],
    ['rdcycle', 0xc000_2573 | 0],
    ['rdtime', 0xc010_2573 | 0],
    ['rdinstret', 0xc020_2573 | 0],
    ['uret', 0x0020_0073],
    ['sret', 0x1020_0073],
    ['mret', 0x3020_0073],
    ['wfi', 0x1050_0073],
    ['sfence.vma', 0x1200_0073],
    ['ecall with an rd', 0x0000_00f3],
    ['c.addi4spn of 0', 0x0004],
    ['c.addiw to x0', 0x2005],
    ['c.addi16sp of 0', 0x6101],
    ['c.lui of 0', 0x6281],
    ['c.lwsp to x0', 0x4002],
    ['c.ldsp to x0', 0x6002],
    ['c.jr to x0', 0x8002],
    ['quadrant 0, funct3 4', 0x8000],
    ['the first reserved place after c.addw', 0x9c41],
    ['the last one', 0x9c61],
  ])('%s', (_, word) => {
    expect(decode(word)).toBeUndefined();
    expect(disassemble(word)).toMatch(
      isCompressed(word) ? /^\.half 0x[0-9a-f]{4}$/ : /^\.word 0x[0-9a-f]{8}$/,
    );
  });
});

describe('the disassembler', () => {
  test.each([
    [encode('addi', { rd: x.a0, rs1: x.sp, imm: -2048 }), 'addi a0, sp, -2048'],
    [encode('lui', { rd: x.t6, imm: -4096 }), 'lui t6, 0xfffff'],
    [encode('sd', { rs1: x.s0, rs2: x.ra, imm: -8 }), 'sd ra, -8(s0)'],
    [encode('lbu', { rd: x.a0, rs1: x.a1, imm: 2047 }), 'lbu a0, 2047(a1)'],
    [encode('beq', { rs1: x.a0, rs2: x.zero, imm: -4096 }), 'beq a0, zero, 0xf000'],
    [encode('jal', { rd: x.ra, imm: 0xf_fffe }), 'jal ra, 0x10fffe'],
    [encode('amoadd.w', { rd: x.a0, rs1: x.a1, rs2: x.a2 }), 'amoadd.w a0, a2, (a1)'],
    [encode('lr.d', { rd: x.a0, rs1: x.a1 }), 'lr.d a0, (a1)'],
    [encode('srai', { rd: x.a0, rs1: x.a1, imm: 63 }), 'srai a0, a1, 63'],
    [encode('fence'), 'fence'],
    [encode('fence.i'), 'fence.i'],
    [encode('ecall'), 'ecall'],
    [encode('ebreak'), 'ebreak'],
    [encode('flw', { rd: f.fa0, rs1: x.sp, imm: -4 }), 'flw fa0, -4(sp)'],
    [encode('fsd', { rs1: x.sp, rs2: f.fs11, imm: 2047 }), 'fsd fs11, 2047(sp)'],
    [encode('fadd.d', { rd: f.fa0, rs1: f.fa1, rs2: f.ft11 }), 'fadd.d fa0, fa1, ft11'],
    [encode('fadd.s', { rd: f.fa0, rs1: f.fa1, rs2: f.fa2, rm: 0 }), 'fadd.s fa0, fa1, fa2, rne'],
    [
      encode('fnmsub.d', { rd: f.fa0, rs1: f.fa1, rs2: f.fa2, rs3: f.fs0, rm: 4 }),
      'fnmsub.d fa0, fa1, fa2, fs0, rmm',
    ],
    [encode('fsqrt.s', { rd: f.fa0, rs1: f.fa1, rm: 2 }), 'fsqrt.s fa0, fa1, rdn'],
    [encode('fcvt.w.d', { rd: x.a0, rs1: f.fa1, rm: 1 }), 'fcvt.w.d a0, fa1, rtz'],
    [encode('fcvt.s.lu', { rd: f.fa0, rs1: x.a1, rm: 3 }), 'fcvt.s.lu fa0, a1, rup'],
    [encode('fle.d', { rd: x.a0, rs1: f.fa1, rs2: f.fa2 }), 'fle.d a0, fa1, fa2'],
    [encode('fclass.s', { rd: x.a0, rs1: f.fa1 }), 'fclass.s a0, fa1'],
    [encode('fmv.w.x', { rd: f.fa0, rs1: x.a1 }), 'fmv.w.x fa0, a1'],
    [encode('csrrw', { rd: x.a0, rs1: x.a1, imm: CSR.frm }), 'csrrw a0, frm, a1'],
    [encode('csrrsi', { rd: x.a0, imm: CSR.fcsr | (31 << 12) }), 'csrrsi a0, fcsr, 31'],
    [0x9002, 'ebreak'],
    [0x0001, 'addi zero, zero, 0'],
    [0x8082, 'jalr zero, 0(ra)'],
    [0x1141, 'addi sp, sp, -16'],
  ])('of 0x%i gives %s', (word, text) => {
    expect(disassemble(word, 0x1_0000)).toBe(text);
  });

  test('a jump to before address 0 comes around, as the hart would', () => {
    expect(disassemble(encode('jal', { imm: -8 }))).toBe('jal zero, 0xfffffffffffffff8');
    expect(disassemble(encode('bne', { imm: -4 }), 2)).toBe('bne zero, zero, 0xfffffffffffffffe');
  });

  test('an instruction that the assembler of these tests wrote decodes to what was asked for', () => {
    const random = new Random(7);
    for (const { name, format } of INSTRUCTIONS) {
      for (let turn = 0; turn < 50; turn++) {
        const register = (): number => random.below(32);
        const signed = (bits: number): number => (random.word() >> (32 - bits)) | 0;
        const rm = random.pick([0, 1, 2, 3, 4, 7]);
        const csr = random.pick(Object.values(CSR));
        const operands: Record<string, Operands> = {
          R: { rd: register(), rs1: register(), rs2: register() },
          I: { rd: register(), rs1: register(), imm: signed(12) },
          shift: { rd: register(), rs1: register(), imm: random.below(64) },
          shift32: { rd: register(), rs1: register(), imm: random.below(32) },
          load: { rd: register(), rs1: register(), imm: signed(12) },
          store: { rs1: register(), rs2: register(), imm: signed(12) },
          branch: { rs1: register(), rs2: register(), imm: signed(12) * 2 },
          upper: { rd: register(), imm: signed(20) << 12 },
          jump: { rd: register(), imm: signed(20) * 2 },
          'jump-register': { rd: register(), rs1: register(), imm: signed(12) },
          atomic: { rd: register(), rs1: register(), rs2: register() },
          'load-reserved': { rd: register(), rs1: register() },
          'float-load': { rd: register(), rs1: register(), imm: signed(12) },
          'float-store': { rs1: register(), rs2: register(), imm: signed(12) },
          float: { rd: register(), rs1: register(), rs2: register(), rm },
          'float-fused': { rd: register(), rs1: register(), rs2: register(), rs3: register(), rm },
          'float-unary': { rd: register(), rs1: register(), rm },
          'float-choice': { rd: register(), rs1: register(), rs2: register() },
          'float-compare': { rd: register(), rs1: register(), rs2: register() },
          'float-to-integer': { rd: register(), rs1: register(), rm },
          'integer-to-float': { rd: register(), rs1: register(), rm },
          'float-bits': { rd: register(), rs1: register() },
          'bits-to-float': { rd: register(), rs1: register() },
          csr: { rd: register(), rs1: register(), imm: csr },
          'csr-immediate': { rd: register(), imm: csr | (register() << 12) },
          fence: {},
          system: {},
        };
        const asked = operands[format]!;
        expect(decode(encode(name, asked))).toMatchObject({ name, ...asked });
      }
    }
  });
});

/** Where objdump is told that code lies: high enough that no branch target is negative. */
const ADDRESS = 0x1000_0000;
const COMMENT_OR_SYMBOL = /\s*[#<].*$/;

/** What objdump makes of each instruction, by its address: mnemonic and operands. */
const objdump = (
  words: readonly number[],
): { readonly word: number; readonly pc: number; readonly text: string }[] => {
  using directory = new ScratchDirectory();
  const file = directory.file('code.bin');
  writeFileSync(file, codeBytes(words));
  const listing = runTool(OBJDUMP, [
    ...['-D', '-z', '-b', 'binary', '-m', 'riscv:rv64', '-M', 'no-aliases'],
    ...[`--adjust-vma=${ADDRESS}`, file],
  ]);
  const texts = new Map<number, string>();
  for (const line of Buffer.from(listing).toString().split('\n')) {
    const [address, , mnemonic, operands = ''] = line.split('\t');
    if (mnemonic === undefined) continue;
    texts.set(
      Number.parseInt(address!, 16),
      `${mnemonic.trim()} ${operands}`.replace(COMMENT_OR_SYMBOL, '').trim(),
    );
  }
  let pc = ADDRESS;
  return words.map((word) => {
    const entry = { word, pc, text: texts.get(pc) ?? 'nothing' };
    pc += isCompressed(word) ? 2 : 4;
    return entry;
  });
};

/** One way to write both listings: no blanks between operands, numbers in decimal. */
const normal = (text: string): string =>
  text
    .replaceAll(', ', ',')
    .replaceAll(/0x[0-9a-f]+/g, (digits) => String(Number(digits)))
    .replace(/\.(aq|rl|aqrl)(?= )/, '');

/** Older objdumps refuse all rounding modes but 0 where nothing is rounded. */
const EXACT_CONVERSIONS = new Set(['fcvt.d.s', 'fcvt.d.w', 'fcvt.d.wu']);
const hasOddRounding = (word: number): boolean => {
  const { name = '', rm } = decode(word) ?? {};
  return EXACT_CONVERSIONS.has(name) && rm !== 0;
};

/** What the decoder is to make of a word, as objdump reads it: nothing where it names a reserved rounding mode, or a control
 * register that programs may not use. */
const granted = (text: string): string | undefined => {
  if (text.endsWith(',unknown') || text.startsWith('.')) return undefined;
  const [, register] = /^csrr\w+ \w+,(\w+),/.exec(text) ?? [];
  return register === undefined || register in CSR ? text : undefined;
};

/** A compressed instruction of objdump's as the instruction that it stands for. */
const expanded = (text: string): string | undefined => {
  const [name = '', list = ''] = text.split(' ');
  const operands = list.split(',');
  const [a = '', b = ''] = operands;
  const same = /^c\.(addi|addiw|slli|srli|srai|andi|sub|xor|or|and|subw|addw|add)$/.exec(name);
  if (same !== null) return `${same[1]!} ${a},${a},${b}`;
  const moved = /^c\.(lw|ld|sw|sd|fld|fsd)(sp)?$/.exec(name);
  if (moved !== null) return `${moved[1]!} ${list}`;
  const hint = /^c\.(slli|srli|srai)64$/.exec(name);
  if (hint !== null) return `${hint[1]!} ${a},${a},0`;
  switch (name) {
    case 'c.addi4spn':
      return `addi ${list}`;
    case 'c.addi16sp':
      return Number(b) === 0 ? undefined : `addi sp,sp,${b}`;
    case 'c.li':
      return `addi ${a},zero,${b}`;
    case 'c.lui':
      return `lui ${list}`;
    case 'c.j':
      return `jal zero,${a}`;
    case 'c.beqz':
      return `beq ${a},zero,${b}`;
    case 'c.bnez':
      return `bne ${a},zero,${b}`;
    case 'c.jr':
      return `jalr zero,0(${a})`;
    case 'c.jalr':
      return `jalr ra,0(${a})`;
    case 'c.mv':
      return `add ${a},zero,${b}`;
    case 'c.ebreak':
      return 'ebreak';
    default:
      return undefined;
  }
};

describe('objdump', () => {
  testWith(
    [OBJDUMP],
    'reads every compressed instruction as the decoder does, and refuses what it refuses',
    () => {
      const halfwords = Array.from({ length: 0x1_0000 }, (_, halfword) => halfword).filter(isCompressed);
      const differences: string[] = [];
      for (const { word, pc, text } of objdump(halfwords)) {
        const ours = decode(word) === undefined ? undefined : normal(disassemble(word, pc));
        const theirs = expanded(text);
        if (ours !== (theirs === undefined ? undefined : normal(theirs))) {
          differences.push(`0x${word.toString(16)}: ${ours ?? 'illegal'}, objdump says ${text}`);
        }
      }
      expect(differences).toEqual([]);
    },
  );

  testWith([OBJDUMP], 'reads thousands of random instructions of the table as the disassembler does', () => {
    const random = new Random(2);
    // The fences' fields order nothing here, and are not written.
    const drawn = INSTRUCTIONS.filter(({ format }) => format !== 'fence');
    const words = Array.from({ length: 8000 }, () => {
      const { format, match, mask } = random.pick(drawn);
      const word = match | (random.word() & ~mask);
      // Of the control registers few are granted: those come often.
      const isControl = format.startsWith('csr') && random.below(2) === 0;
      return isControl ? (word & 0xf_ffff) | (random.pick(Object.values(CSR)) << 20) : word;
    });
    const ours = (word: number, pc: number): string | undefined =>
      decode(word) === undefined ? undefined : normal(disassemble(word, pc));
    const theirs = (text: string): string | undefined => {
      const read = granted(text);
      return read === undefined ? undefined : normal(read);
    };
    const differences = objdump(words)
      .filter(({ word, pc, text }) => !hasOddRounding(word) && ours(word, pc) !== theirs(text))
      .map(
        ({ word, pc, text }) =>
          `0x${(word >>> 0).toString(16)}: ${disassemble(word, pc)}, objdump says ${text}`,
      );
    expect(differences).toEqual([]);
  });

  testWith(
    [OBJDUMP],
    'knows every random word that the decoder takes for an instruction by the same name',
    () => {
      const random = new Random(3);
      const opcodes = [...new Set(INSTRUCTIONS.map(({ match }) => match & 0x7f))];
      const words = Array.from({ length: 40_000 }, () => (random.word() & ~0x7f) | random.pick(opcodes));
      const differences = objdump(words)
        .filter(({ word }) => ![undefined, 'fence', 'fence.i'].includes(decode(word)?.name))
        .filter(({ word }) => !hasOddRounding(word))
        .filter(({ word, pc, text }) => normal(disassemble(word, pc)) !== normal(text))
        .map(
          ({ word, pc, text }) =>
            `0x${(word >>> 0).toString(16)}: ${disassemble(word, pc)}, objdump says ${text}`,
        );
      expect(differences).toEqual([]);
    },
  );
});
