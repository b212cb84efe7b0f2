/**
 * RV64C, the compressed instructions (unprivileged specification, chapter 16, tables 16.5 to 16.7): each
 * is another way to write a 32-bit instruction. Encodings that are hints run as what they expand to, which
 * changes no register; reserved ones are illegal.
 */
import { bits, signExtend } from './formats.js';
import type { CompressedInstruction, Operands } from './instruction.js';

const ZERO = 0;
const RA = 1;
const SP = 2;

const QUADRANT_AND_FUNCT3 = 0xe003;
const FUNCT4 = 0xf003;
/** With bits 11 and 10, and with bits 6 and 5 as well: the arithmetic group of quadrant 1. */
const FUNCT2 = 0xec03;
const FUNCT6 = 0xfc63;

/** A field of an immediate: its high bit in the instruction, its width, and where its low bit goes. */
type Field = readonly [high: number, width: number, to: number];

/** Makes what gathers an immediate from its fields. */
const gather =
  (...fields: readonly Field[]) =>
  (word: number): number => {
    let sum = 0;
    for (const [high, width, to] of fields) sum |= bits(word, high, high - width + 1) << to;
    return sum;
  };

/** Makes what sign-extends an immediate of so many bits. */
const signed =
  (width: number, immediate: (word: number) => number) =>
  (word: number): number =>
    signExtend(immediate(word), width);

const rdFull = (word: number): number => bits(word, 11, 7);
const rs2Full = (word: number): number => bits(word, 6, 2);
/** The three-bit fields name x8 … x15, or f8 … f15. */
const rdShort = (word: number): number => 8 + bits(word, 4, 2);
const rs1Short = (word: number): number => 8 + bits(word, 9, 7);

const shamt = gather([12, 1, 5], [6, 5, 0]);
const imm6 = signed(6, shamt);
const offsetWord = gather([12, 3, 3], [6, 1, 2], [5, 1, 6]);
const offsetDouble = gather([12, 3, 3], [6, 2, 6]);
const offsetJump = signed(
  12,
  gather([12, 1, 11], [11, 1, 4], [10, 2, 8], [8, 1, 10], [7, 1, 6], [6, 1, 7], [5, 3, 1], [2, 1, 5]),
);
const offsetBranch = signed(9, gather([12, 1, 8], [11, 2, 3], [6, 2, 6], [4, 2, 1], [2, 1, 5]));
const offsetFromSp = gather([12, 2, 4], [10, 4, 6], [6, 1, 2], [5, 1, 3]);
const moveOfSp = signed(10, gather([12, 1, 9], [6, 1, 4], [5, 1, 6], [4, 2, 7], [2, 1, 5]));
const offsetLoadWordSp = gather([12, 1, 5], [6, 3, 2], [3, 2, 6]);
const offsetLoadDoubleSp = gather([12, 1, 5], [6, 2, 3], [4, 3, 6]);
const offsetStoreWordSp = gather([12, 4, 2], [8, 2, 6]);
const offsetStoreDoubleSp = gather([12, 3, 3], [9, 3, 6]);

const operands = ({ rd = ZERO, rs1 = ZERO, rs2 = ZERO, imm = 0 }: Partial<Operands>): Operands => ({
  rd,
  rs1,
  rs2,
  rs3: ZERO,
  imm,
  rm: undefined,
});

const entry = (
  name: string,
  match: number,
  mask: number,
  expandsTo: string,
  of: (word: number) => Operands | undefined,
): CompressedInstruction => ({ name, match, mask, expandsTo, operands: of });

const arithmetic = (name: string, match: number, expandsTo: string): CompressedInstruction =>
  entry(name, match, FUNCT6, expandsTo, (word) =>
    operands({ rd: rs1Short(word), rs1: rs1Short(word), rs2: rdShort(word) }),
  );

/** More specific encodings stand before those that they are special cases of. */
export const RV64C: readonly CompressedInstruction[] = [
  entry('c.addi4spn', 0x0000, QUADRANT_AND_FUNCT3, 'addi', (word) => {
    const imm = offsetFromSp(word);
    return imm === 0 ? undefined : operands({ rd: rdShort(word), rs1: SP, imm });
  }),
  entry('c.fld', 0x2000, QUADRANT_AND_FUNCT3, 'fld', (word) =>
    operands({ rd: rdShort(word), rs1: rs1Short(word), imm: offsetDouble(word) }),
  ),
  entry('c.lw', 0x4000, QUADRANT_AND_FUNCT3, 'lw', (word) =>
    operands({ rd: rdShort(word), rs1: rs1Short(word), imm: offsetWord(word) }),
  ),
  entry('c.ld', 0x6000, QUADRANT_AND_FUNCT3, 'ld', (word) =>
    operands({ rd: rdShort(word), rs1: rs1Short(word), imm: offsetDouble(word) }),
  ),
  entry('c.fsd', 0xa000, QUADRANT_AND_FUNCT3, 'fsd', (word) =>
    operands({ rs2: rdShort(word), rs1: rs1Short(word), imm: offsetDouble(word) }),
  ),
  entry('c.sw', 0xc000, QUADRANT_AND_FUNCT3, 'sw', (word) =>
    operands({ rs2: rdShort(word), rs1: rs1Short(word), imm: offsetWord(word) }),
  ),
  entry('c.sd', 0xe000, QUADRANT_AND_FUNCT3, 'sd', (word) =>
    operands({ rs2: rdShort(word), rs1: rs1Short(word), imm: offsetDouble(word) }),
  ),

  entry('c.addi', 0x0001, QUADRANT_AND_FUNCT3, 'addi', (word) =>
    operands({ rd: rdFull(word), rs1: rdFull(word), imm: imm6(word) }),
  ),
  entry('c.addiw', 0x2001, QUADRANT_AND_FUNCT3, 'addiw', (word) =>
    rdFull(word) === ZERO ? undefined : operands({ rd: rdFull(word), rs1: rdFull(word), imm: imm6(word) }),
  ),
  entry('c.li', 0x4001, QUADRANT_AND_FUNCT3, 'addi', (word) =>
    operands({ rd: rdFull(word), imm: imm6(word) }),
  ),
  entry('c.addi16sp', 0x6101, 0xef83, 'addi', (word) => {
    const imm = moveOfSp(word);
    return imm === 0 ? undefined : operands({ rd: SP, rs1: SP, imm });
  }),
  entry('c.lui', 0x6001, QUADRANT_AND_FUNCT3, 'lui', (word) =>
    imm6(word) === 0 ? undefined : operands({ rd: rdFull(word), imm: imm6(word) << 12 }),
  ),
  entry('c.srli', 0x8001, FUNCT2, 'srli', (word) =>
    operands({ rd: rs1Short(word), rs1: rs1Short(word), imm: shamt(word) }),
  ),
  entry('c.srai', 0x8401, FUNCT2, 'srai', (word) =>
    operands({ rd: rs1Short(word), rs1: rs1Short(word), imm: shamt(word) }),
  ),
  entry('c.andi', 0x8801, FUNCT2, 'andi', (word) =>
    operands({ rd: rs1Short(word), rs1: rs1Short(word), imm: imm6(word) }),
  ),
  arithmetic('c.sub', 0x8c01, 'sub'),
  arithmetic('c.xor', 0x8c21, 'xor'),
  arithmetic('c.or', 0x8c41, 'or'),
  arithmetic('c.and', 0x8c61, 'and'),
  arithmetic('c.subw', 0x9c01, 'subw'),
  arithmetic('c.addw', 0x9c21, 'addw'),
  entry('c.j', 0xa001, QUADRANT_AND_FUNCT3, 'jal', (word) => operands({ imm: offsetJump(word) })),
  entry('c.beqz', 0xc001, QUADRANT_AND_FUNCT3, 'beq', (word) =>
    operands({ rs1: rs1Short(word), imm: offsetBranch(word) }),
  ),
  entry('c.bnez', 0xe001, QUADRANT_AND_FUNCT3, 'bne', (word) =>
    operands({ rs1: rs1Short(word), imm: offsetBranch(word) }),
  ),

  entry('c.slli', 0x0002, QUADRANT_AND_FUNCT3, 'slli', (word) =>
    operands({ rd: rdFull(word), rs1: rdFull(word), imm: shamt(word) }),
  ),
  entry('c.fldsp', 0x2002, QUADRANT_AND_FUNCT3, 'fld', (word) =>
    operands({ rd: rdFull(word), rs1: SP, imm: offsetLoadDoubleSp(word) }),
  ),
  entry('c.lwsp', 0x4002, QUADRANT_AND_FUNCT3, 'lw', (word) =>
    rdFull(word) === ZERO ? undefined : operands({ rd: rdFull(word), rs1: SP, imm: offsetLoadWordSp(word) }),
  ),
  entry('c.ldsp', 0x6002, QUADRANT_AND_FUNCT3, 'ld', (word) =>
    rdFull(word) === ZERO
      ? undefined
      : operands({ rd: rdFull(word), rs1: SP, imm: offsetLoadDoubleSp(word) }),
  ),
  entry('c.ebreak', 0x9002, 0xffff, 'ebreak', () => operands({})),
  entry('c.jr', 0x8002, 0xf07f, 'jalr', (word) =>
    rdFull(word) === ZERO ? undefined : operands({ rs1: rdFull(word) }),
  ),
  entry('c.mv', 0x8002, FUNCT4, 'add', (word) => operands({ rd: rdFull(word), rs2: rs2Full(word) })),
  entry('c.jalr', 0x9002, 0xf07f, 'jalr', (word) => operands({ rd: RA, rs1: rdFull(word) })),
  entry('c.add', 0x9002, FUNCT4, 'add', (word) =>
    operands({ rd: rdFull(word), rs1: rdFull(word), rs2: rs2Full(word) }),
  ),
  entry('c.fsdsp', 0xa002, QUADRANT_AND_FUNCT3, 'fsd', (word) =>
    operands({ rs2: rs2Full(word), rs1: SP, imm: offsetStoreDoubleSp(word) }),
  ),
  entry('c.swsp', 0xc002, QUADRANT_AND_FUNCT3, 'sw', (word) =>
    operands({ rs2: rs2Full(word), rs1: SP, imm: offsetStoreWordSp(word) }),
  ),
  entry('c.sdsp', 0xe002, QUADRANT_AND_FUNCT3, 'sd', (word) =>
    operands({ rs2: rs2Full(word), rs1: SP, imm: offsetStoreDoubleSp(word) }),
  ),
];
