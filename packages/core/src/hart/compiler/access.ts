/**
 * What a compiler has to know of an instruction's access to memory beforehand: found by having its semantics written once, to
 * nowhere, and watching what they ask for. So the instruction table stays the one source.
 */
import type { Emitter, Instruction, Width } from '../instructions/index.js';
import { CodeBuilder, type FunctionIndex } from '../wasm/index.js';

export interface Access {
  readonly kind: 'read' | 'write';
  readonly width: Width;
}

const known = new Map<Instruction, Access | undefined>();

/** @returns undefined where it makes none. */
export const accessOf = (instruction: Instruction): Access | undefined => {
  if (!known.has(instruction)) known.set(instruction, watch(instruction));
  return known.get(instruction);
};

const watch = (instruction: Instruction): Access | undefined => {
  const code = new CodeBuilder(0, 0 as FunctionIndex);
  const local = code.local('i64');
  let access: Access | undefined;
  const nothing = (): void => {};
  const run = (part: () => void): void => part();
  const emitter: Emitter = {
    code,
    rs1: nothing,
    rs2: nothing,
    imm: nothing,
    pc: nothing,
    nextPc: nothing,
    writeRd: run,
    scratch: () => local,
    fs1: nothing,
    fs2: nothing,
    fs3: nothing,
    ss1: nothing,
    ss2: nothing,
    ss3: nothing,
    bs1: nothing,
    bs2: nothing,
    writeFd: run,
    writeFs: run,
    writeFb: run,
    floatScratch: () => local,
    singleScratch: () => local,
    roundingMode: nothing,
    staticRoundingMode: undefined,
    standingBits: nothing,
    callFloat: nothing,
    translate: (kind, width, address) => {
      access = { kind, width };
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
  };
  instruction.emit(emitter);
  return access;
};
