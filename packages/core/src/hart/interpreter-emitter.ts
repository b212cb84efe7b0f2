/** How the interpreter has an instruction's semantics written: operands come from its record, results go to RAM. */
import { SINGLE, SINGLE_BOX } from './float/index.js';
import type { Emitter } from './instructions/index.js';
import type { InterpreterCode, InterpreterLabels } from './interpreter-code.js';
import {
  RECORD_IMM,
  RECORD_RD,
  RECORD_ROUNDING,
  RECORD_RS1,
  RECORD_RS2,
  RECORD_RS3,
  RECORD_SHIFT,
  RECORD_STANDING,
  REGISTERS,
  RESERVATION,
  SCRATCH_DATA,
} from './layout.js';
import type { MemoryOpcode } from './wasm/index.js';

/** @param sizeBytes of the instruction. */
export const interpreterEmitter = (
  state: InterpreterCode,
  sizeBytes: 2 | 4,
  { exit, jump, missed, next }: InterpreterLabels,
): Emitter => {
  const { code } = state;
  const pushRegister = (field: number, opcode: MemoryOpcode = 'i64.load'): void => {
    code.get(state.locals.record);
    code.memory('i32.load16_u', field);
    code.memory(opcode, REGISTERS);
  };
  const pushSingle = (field: number): void => {
    pushRegister(field, 'f32.load');
    code.i32(Number(SINGLE.canonicalNan));
    code.op('f32.reinterpret_i32');
    code.get(state.locals.record);
    code.memory('i32.load16_u', field);
    code.memory('i32.load', REGISTERS + 4);
    code.i32(-1);
    code.op('i32.eq', 'select');
  };
  const writeRegister = (value: () => void, opcode: MemoryOpcode = 'i64.store'): void => {
    code.get(state.locals.record);
    code.memory('i32.load16_u', RECORD_RD);
    value();
    code.memory(opcode, REGISTERS);
  };
  const pushField = (field: number): void => {
    code.get(state.locals.record);
    code.memory('i32.load8_u', field);
  };
  const pushImmediate = (): void => {
    code.get(state.locals.record);
    code.memory('i64.load32_s', RECORD_IMM);
  };
  const jumpByImmediate = (): void => {
    code.get(state.locals.record);
    code.get(state.locals.record);
    code.memory('i32.load', RECORD_IMM);
    code.i32(RECORD_SHIFT);
    code.op('i32.shl', 'i32.add');
    code.tee(state.locals.host);
    code.get(state.locals.pageRecords);
    code.op('i32.sub');
    code.get(state.locals.span);
    code.op('i32.lt_u');
    code.if();
    code.get(state.locals.host);
    code.set(state.locals.record);
    state.countJump();
    code.br(next);
    code.end();
    state.pushPc();
    pushImmediate();
    code.op('i64.add');
    code.set(state.locals.target);
    code.br(jump);
  };
  return {
    code,
    rs1: () => pushRegister(RECORD_RS1),
    rs2: () => pushRegister(RECORD_RS2),
    imm: pushImmediate,
    pc: () => state.pushPc(),
    nextPc: () => {
      state.pushPc();
      code.i64(sizeBytes);
      code.op('i64.add');
    },
    writeRd: writeRegister,
    scratch: (n) => state.locals.scratch[n]!,
    fs1: () => pushRegister(RECORD_RS1, 'f64.load'),
    fs2: () => pushRegister(RECORD_RS2, 'f64.load'),
    fs3: () => pushRegister(RECORD_RS3, 'f64.load'),
    ss1: () => pushSingle(RECORD_RS1),
    ss2: () => pushSingle(RECORD_RS2),
    ss3: () => pushSingle(RECORD_RS3),
    bs1: () => pushRegister(RECORD_RS1),
    bs2: () => pushRegister(RECORD_RS2),
    writeFd: (value) => writeRegister(value, 'f64.store'),
    writeFs: (value) =>
      writeRegister(() => {
        value();
        code.op('i32.reinterpret_f32', 'i64.extend_i32_u');
        code.i64(SINGLE_BOX);
        code.op('i64.or');
      }),
    writeFb: writeRegister,
    floatScratch: (n) => state.locals.floatScratch[n]!,
    singleScratch: (n) => state.locals.singleScratch[n]!,
    roundingMode: () => pushField(RECORD_ROUNDING),
    staticRoundingMode: undefined,
    standingBits: () => pushField(RECORD_STANDING),
    callFloat: (name) => code.call(state.imports.float[name]),
    translate: (access, width, address) => {
      address();
      code.set(state.locals.address);
      state.translate(access, width, missed);
      return state.locals.host;
    },
    readAt: (opcode: MemoryOpcode, host) => {
      code.get(host);
      code.memory(opcode, 0);
    },
    writeAt: (opcode: MemoryOpcode, host, value) => {
      code.get(host);
      value();
      code.memory(opcode, 0);
    },
    written: (host) => {
      code.get(host);
      code.i32(SCRATCH_DATA);
      code.op('i32.eq');
      code.if();
      code.call(state.imports.writeDone);
      code.end();
    },
    reservation: () => {
      code.i32(0);
      code.memory('i64.load', RESERVATION);
    },
    setReservation: (address) => {
      code.i32(0);
      address();
      code.memory('i64.store', RESERVATION);
    },
    branchIf: (condition) => {
      condition();
      code.if();
      jumpByImmediate();
      code.end();
    },
    jump: jumpByImmediate,
    jumpTo: (target) => {
      target();
      code.set(state.locals.target);
      code.br(jump);
    },
    trap: (trap) => {
      // A system call is an instruction of the program's: it has run, though pc still names it.
      if (trap !== 'system-call') state.addToBudget(1);
      state.stopAtPc(trap, exit);
    },
  };
};
