/** Programs whose code is work for the hart before it runs: it lies on many pages, or is written while it runs. */
import { encode, x } from './riscv/assembler.js';
import { readElf, SEGMENT_FLAGS, writeElf } from './riscv/elf-writer.js';
import { branch, type Code, label, li, program } from './machine.js';

/** Where programs that write themselves have their code; instructions of 32 bits cross from page to page there. */
const WRITABLE_CODE = 0x10_0002;

/** A program whose code may be written, at WRITABLE_CODE. */
export const writableProgram = (...code: readonly Code[]): Uint8Array => {
  const { content } = readElf(program(...code)).segments[0]!;
  const { read, write, execute } = SEGMENT_FLAGS;
  return writeElf({
    entry: WRITABLE_CODE,
    segments: [
      { address: WRITABLE_CODE, flags: read | write | execute, content, sizeBytes: content.length },
      { address: DATA_PAGE, flags: read | write, content: Uint8Array.of(), sizeBytes: 4096 },
    ],
  });
};
/** A page of zeros that it may write too. */
export const DATA_PAGE = 0x80_0000;

const PAGES = 24;
const WORDS_IN_PAGE = 1024;
/** Jumps over 24 pages, some times; s2 and s4 are used. */
export const manyPages = (rounds: number): Code => [
  li(x.s2, rounds),
  label('round'),
  Array.from({ length: PAGES }, (_, page) => [
    label(`page ${page}`),
    encode('addi', { rd: x.s4, rs1: x.s4, imm: page }),
    branch('jal', `page ${page + 1}`),
    Array.from({ length: WORDS_IN_PAGE - 2 }, () => encode('ebreak')),
  ]),
  label(`page ${PAGES}`),
  encode('addi', { rd: x.s2, rs1: x.s2, imm: -1 }),
  branch('beq', 'rounds done', x.s2),
  branch('jal', 'round'),
  label('rounds done'),
];
