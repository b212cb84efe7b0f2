/** Floating-point state belongs to a process: exec clears it, fork copies it, and it is there again after others have run. */
import { describe, expect, test } from 'vitest';
import { CSR, encode, f, x } from '../support/riscv/assembler.js';
import {
  branch,
  CALL,
  call,
  type Code,
  DATA,
  inChild,
  label,
  li,
  MIB,
  program,
  runOnce,
} from '../support/machine.js';

const QUANTUM = 500;
const exitWithResult = [li(x.a7, CALL.exit), encode('ecall')];
const loadInt = (rd: number, from: number): Code => [li(x.t0, from), encode('lw', { rd, rs1: x.t0 })];

/** The value of a register in a process's own state, from a number that is the process's. */
const valueOf = (register: number, seed: number): number => seed * 64 + register;

/** Gives every f register and fcsr a value. */
const setState = (seed: number, fcsr: number): Code => [
  Array.from({ length: 32 }, (_, rd) => [li(x.t0, valueOf(rd, seed)), encode('fmv.d.x', { rd, rs1: x.t0 })]),
  li(x.t0, fcsr),
  encode('csrrw', { rs1: x.t0, imm: CSR.fcsr }),
];

/** Goes to a label if any of them is another now. */
const checkState = (seed: number, fcsr: number, otherwise: string): Code => [
  Array.from({ length: 32 }, (_, rs1) => [
    li(x.t0, valueOf(rs1, seed)),
    encode('fmv.x.d', { rd: x.t1, rs1 }),
    branch('bne', otherwise, x.t0, x.t1),
  ]),
  li(x.t0, fcsr),
  encode('csrrs', { rd: x.t1, imm: CSR.fcsr }),
  branch('bne', otherwise, x.t0, x.t1),
];

/** Sets its state, finds it again many times while others run, and exits with 0; with 1 where it has changed. */
const keepsState = (name: string, seed: number, fcsr: number): Code => [
  setState(seed, fcsr),
  li(x.s1, 60),
  label(`${name} again`),
  checkState(seed, fcsr, `${name} lost`),
  encode('addi', { rd: x.s1, rs1: x.s1, imm: -1 }),
  branch('bne', `${name} again`, x.s1),
  call(CALL.exit, 0),
  label(`${name} lost`),
  call(CALL.exit, 1),
];

const waitForChild = (otherwise: string): Code => [
  call(CALL.wait, DATA),
  branch('bge', 'no child', x.zero, x.a0),
  loadInt(x.a0, DATA),
  branch('bne', otherwise, x.a0),
];

const run = (files: Readonly<Record<string, Uint8Array>>) =>
  runOnce(['/program'], { files, memoryBytes: 2 * MIB, quantumInstructions: QUANTUM });

describe('floating-point state', () => {
  test('of three processes that take turns is each one’s own', async () => {
    const { exitStatus, log } = await run({
      '/program': program(
        call(CALL.fork),
        inChild(keepsState('first', 1, 0b001_00011)),
        call(CALL.fork),
        inChild(keepsState('second', 2, 0b100_11100)),
        setState(3, 0b010_10101),
        waitForChild('wrong'),
        waitForChild('wrong'),
        checkState(3, 0b010_10101, 'wrong'),
        call(CALL.exit, 0),
        label('wrong'),
        call(CALL.exit, 1),
        label('no child'),
        call(CALL.exit, 2),
      ),
    });
    expect(log).toEqual([]);
    expect(exitStatus).toBe(0);
  });

  test('is copied by a fork', async () => {
    const { exitStatus } = await run({
      '/program': program(
        setState(5, 0b011_01010),
        call(CALL.fork),
        inChild(checkState(5, 0b011_01010, 'wrong'), setState(6, 0b001_00001), call(CALL.exit, 0)),
        waitForChild('wrong'),
        checkState(5, 0b011_01010, 'wrong'),
        call(CALL.exit, 0),
        label('wrong'),
        call(CALL.exit, 1),
        label('no child'),
        call(CALL.exit, 2),
      ),
    });
    expect(exitStatus).toBe(0);
  });

  test('is all zeros when a program starts, whatever ran before', async () => {
    const checker = program(
      Array.from({ length: 32 }, (_, rs1) => [
        encode('fmv.x.d', { rd: x.t1, rs1 }),
        branch('bne', 'wrong', x.t1),
      ]),
      encode('csrrs', { rd: x.t1, imm: CSR.fcsr }),
      branch('bne', 'wrong', x.t1),
      call(CALL.exit, 0),
      label('wrong'),
      call(CALL.exit, 1),
    );
    const path = Uint8Array.from('/checker\0', (character) => character.charCodeAt(0));
    const storePath = [...path].flatMap((byte, index) => [
      li(x.t0, DATA + index),
      li(x.t1, byte),
      encode('sb', { rs1: x.t0, rs2: x.t1 }),
    ]);
    const { exitStatus } = await run({
      '/checker': checker,
      '/program': program(
        storePath,
        // argv: the path alone.
        li(x.t0, DATA + 64),
        li(x.t1, DATA),
        encode('sd', { rs1: x.t0, rs2: x.t1 }),
        encode('sd', { rs1: x.t0, rs2: x.zero, imm: 8 }),
        setState(7, 0b100_11111),
        call(CALL.exec, DATA, DATA + 64),
        exitWithResult,
      ),
    });
    expect(exitStatus).toBe(0);
  });

  test('is had by ELF files whose header asks for it', async () => {
    const elf = program(
      encode('addi', { rd: x.a0, imm: 6 }),
      encode('fcvt.d.w', { rd: f.fa0, rs1: x.a0 }),
      encode('fmul.d', { rd: f.fa0, rs1: f.fa0, rs2: f.fa0 }),
      encode('fcvt.w.d', { rd: x.a0, rs1: f.fa0, rm: 1 }),
      exitWithResult,
    );
    // e_flags: compressed instructions, and doubles passed in registers.
    new DataView(elf.buffer, elf.byteOffset).setUint32(48, 0x0001 | 0x0004, true);
    expect((await run({ '/program': elf })).exitStatus).toBe(36);
  });

  test('that has a reserved rounding mode kills the process that rounds, and no other', async () => {
    const { exitStatus } = await run({
      '/program': program(
        call(CALL.fork),
        inChild(
          encode('csrrwi', { imm: CSR.frm | (5 << 12) }),
          encode('fadd.d', { rd: f.fa0, rs1: f.fa1, rs2: f.fa2 }),
          call(CALL.exit, 0),
        ),
        encode('fadd.d', { rd: f.fa0, rs1: f.fa1, rs2: f.fa2 }),
        call(CALL.wait, DATA),
        loadInt(x.a0, DATA),
        exitWithResult,
      ),
    });
    expect(exitStatus).toBe(-1);
  });
});
