// @ts-check
/** The program whose write faults bench/fork.mjs measures: machine code in an ELF file, made without a compiler. */

/** What the program touches, and its children write. */
export const PROGRAM_BYTES = 64 * 2 ** 20;

const ENTRY = 0x1000;

/**
 * It touches its memory, and then makes children for ever: the first writes to every page, sleeps for a tick and
 * exits, the second writes nothing, the third writes …
 */
const CODE = [
  0x04000537, //         lui  a0, 0x4000     64 MiB
  0x00c00893, //         addi a7, zero, 12   sbrk
  0x00000073, //         ecall
  0x00050413, //         addi s0, a0, 0      its beginning
  0x040002b7, //         lui  t0, 0x4000
  0x005404b3, //         add  s1, s0, t0     its end
  0x00001937, //         lui  s2, 0x1        a page
  0x00040313, //         addi t1, s0, 0
  0x00633023, // touch:  sd   t1, 0(t1)
  0x01230333, //         add  t1, t1, s2
  0xfe931ce3, //         bne  t1, s1, touch
  0x0019c993, // again:  xori s3, s3, 1
  0x00100893, //         addi a7, zero, 1    fork
  0x00000073, //         ecall
  0x02051863, //         bne  a0, zero, parent
  0x00098a63, //         beq  s3, zero, asleep
  0x00040313, //         addi t1, s0, 0
  0x01233423, // write:  sd   s2, 8(t1)
  0x01230333, //         add  t1, t1, s2
  0xfe931ce3, //         bne  t1, s1, write
  0x00100513, // asleep: addi a0, zero, 1
  0x00d00893, //         addi a7, zero, 13   sleep
  0x00000073, //         ecall
  0x00000513, //         addi a0, zero, 0
  0x00200893, //         addi a7, zero, 2    exit
  0x00000073, //         ecall
  0x00000513, // parent: addi a0, zero, 0
  0x00300893, //         addi a7, zero, 3    wait
  0x00000073, //         ecall
  0xfb9ff06f, //         jal  zero, again
];

const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const READ_AND_EXECUTE = 5;

/** An ELF file (System V ABI, chapters 4 and 5) whose one segment is the code. */
export const forkProgram = () => {
  const codeBytes = CODE.length * 4;
  // A file offset is congruent with its address modulo the page size.
  const bytes = new Uint8Array(ENTRY + codeBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x7f454c46); // magic
  view.setUint32(4, 0x02010100); // 64 bits, little-endian, version 1
  view.setUint16(16, 2, true); // executable
  view.setUint16(18, 243, true); // RISC-V
  view.setUint32(20, 1, true); // version
  view.setUint32(24, ENTRY, true); // entry
  view.setUint32(32, HEADER_BYTES, true); // where the program headers are
  view.setUint16(52, HEADER_BYTES, true);
  view.setUint16(54, PROGRAM_HEADER_BYTES, true);
  view.setUint16(56, 1, true); // program headers
  view.setUint32(HEADER_BYTES, 1, true); // load
  view.setUint32(HEADER_BYTES + 4, READ_AND_EXECUTE, true);
  view.setUint32(HEADER_BYTES + 8, ENTRY, true); // offset
  view.setUint32(HEADER_BYTES + 16, ENTRY, true); // address
  view.setUint32(HEADER_BYTES + 32, codeBytes, true); // bytes in the file
  view.setUint32(HEADER_BYTES + 40, codeBytes, true); // bytes in memory
  view.setUint32(HEADER_BYTES + 48, ENTRY, true); // alignment
  CODE.forEach((word, index) => view.setUint32(ENTRY + index * 4, word, true));
  return bytes;
};
