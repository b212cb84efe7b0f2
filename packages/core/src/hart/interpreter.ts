/**
 * Generates the interpreter: a WebAssembly module with one function, `run(budget) → stop code`, from the instruction table.
 *
 *      loop jump
 *        block missed
 *          find the page of `target` in the fetch TLB, and its decoded records
 *          loop next                 stop if the budget is spent; br_table on the record's handler
 *            handler of each instruction, which ends with the next record and goes to `next`,
 *            or with another `target` and goes to `jump`, or stops
 *        end                         what the hart could not translate: back to `jump` if it was resolved, else stop
 *
 * Within a page `record` is the program counter; pc is worked out from it where it is asked for. Registers are in RAM. A
 * load or store compares one TLB key, and calls out where it misses.
 */
import { PAGE_SIZE } from '../frame/index.js';
import {
  type Access,
  ACCESSES,
  TLB_ADDEND,
  TLB_EXTRA,
  TLB_LINE_BYTES,
  TLB_LINES,
  TLB_OFFSETS,
  TLB_START,
} from '../paging/index.js';
import {
  HANDLER_COUNT,
  HANDLER_CROSSING,
  HANDLER_DECODE,
  HANDLER_ILLEGAL,
  HANDLER_NEXT_PAGE,
  INSTRUCTION_HANDLERS,
} from './handlers.js';
import { type Emitter, INSTRUCTIONS, type Width } from './instructions/index.js';
import { AGAIN, type Imported, type Stop, stopCode } from './interpreter-border.js';
import { InterpreterLocals } from './interpreter-locals.js';
import {
  BUDGET_LEFT,
  KEY_EXECUTE,
  KEY_READ,
  KEY_WRITE,
  PAGE_RECORD_BYTES,
  PC,
  RECORD_BYTES,
  RECORD_HANDLER,
  RECORD_IMM,
  RECORD_RD,
  RECORD_RS1,
  RECORD_RS2,
  RECORD_SHIFT,
  RECORDS_IN_PAGE,
  REGISTERS,
  RESERVATION,
  SCRATCH_DATA,
} from './layout.js';
import {
  type CodeBuilder,
  type FunctionIndex,
  type Label,
  type Local,
  type MemoryOpcode,
  ModuleBuilder,
} from './wasm/index.js';

const PAGE_MASK = -4096n;
/** Shift from an address's page number to its TLB line. */
const LINE_SHIFT = 12 - Math.log2(TLB_LINE_BYTES);

/** @param hits 'checked' calls `checkHit` at every hit of the TLB, which makes it some ten times slower. */
export const generateInterpreter = (hits: 'trusted' | 'checked'): Uint8Array<ArrayBuffer> => {
  const module = new ModuleBuilder();
  module.importMemory('ram', 'memory');
  const i32s = (count: number): 'i32'[] => Array.from({ length: count }, () => 'i32');
  const imported = (name: string, parameters: number, results: number): FunctionIndex =>
    module.importFunction('hart', name, { parameters: i32s(parameters), results: i32s(results) });
  const imports: Imported = {
    readMiss: imported('readMiss', 3, 1),
    writeMiss: imported('writeMiss', 3, 1),
    writeDone: imported('writeDone', 0, 0),
    fetchMiss: imported('fetchMiss', 2, 1),
    decode: imported('decode', 1, 1),
    decodeCrossing: imported('decodeCrossing', 2, 1),
    checkHit: imported('checkHit', 4, 0),
  };
  const code = module.function('run', { parameters: ['i32'], results: ['i32'] });
  new InterpreterWriter(code, imports, hits === 'checked').write();
  return module.toBytes();
};

class InterpreterWriter {
  readonly #code: CodeBuilder;
  readonly #imports: Imported;
  readonly #checksHits: boolean;
  readonly #locals: InterpreterLocals;

  constructor(code: CodeBuilder, imports: Imported, checksHits: boolean) {
    this.#code = code;
    this.#imports = imports;
    this.#checksHits = checksHits;
    this.#locals = new InterpreterLocals(code);
  }

  write(): void {
    const code = this.#code;
    code.i32(0);
    code.memory('i64.load', PC);
    code.set(this.#locals.target);
    const exit = code.block();
    const jump = code.loop();
    const missed = code.block();
    this.#findPage(missed);
    const next = code.loop();
    const labels = { exit, jump, missed, next };
    this.#spendBudget(exit);
    this.#dispatch(labels);
    code.end();
    code.end();
    this.#answerMiss(labels);
    code.end();
    code.end();
    code.i32(0);
    code.get(this.#locals.target);
    code.memory('i64.store', PC);
    code.i32(0);
    code.get(this.#locals.budget);
    code.memory('i32.store', BUDGET_LEFT);
    code.get(this.#locals.stop);
  }

  /** Sets record, pageRecords, pageAddress and span for `target`. */
  #findPage(missed: Label): void {
    const code = this.#code;
    code.get(this.#locals.target);
    code.i64(PAGE_MASK);
    code.op('i64.and');
    code.set(this.#locals.pageAddress);
    this.#pushLine('execute', this.#locals.target);
    code.tee(this.#locals.line);
    code.memory('i64.load', 0);
    code.get(this.#locals.pageAddress);
    code.i32(0);
    code.memory('i64.load', KEY_EXECUTE);
    code.op('i64.or', 'i64.eq');
    code.if();
    code.get(this.#locals.line);
    code.memory('i32.load', TLB_EXTRA);
    code.set(this.#locals.pageRecords);
    this.#checkHit('execute', this.#locals.target, this.#locals.pageRecords);
    code.else();
    this.#callOut(this.#imports.fetchMiss, 0, missed, () => this.#pushWords(this.#locals.target));
    code.get(this.#locals.host);
    code.set(this.#locals.pageRecords);
    code.end();
    code.get(this.#locals.pageRecords);
    code.get(this.#locals.target);
    code.op('i32.wrap_i64');
    // Without the lowest bit: an odd pc, which only the hart's user can set, would lie between two records.
    code.i32(PAGE_SIZE - 2);
    code.op('i32.and');
    code.i32(RECORD_SHIFT);
    code.op('i32.shl', 'i32.add');
    code.set(this.#locals.record);
    code.i32(PAGE_RECORD_BYTES);
    code.set(this.#locals.span);
  }

  #spendBudget(exit: Label): void {
    const code = this.#code;
    code.get(this.#locals.budget);
    code.op('i32.eqz');
    code.if();
    this.#stopAtPc('budget', exit);
    code.end();
    this.#addToBudget(-1);
  }

  /** One block for each handler, innermost first: branching out of block h lands before handler h's code. */
  #dispatch(labels: Labels): void {
    const code = this.#code;
    const writers = this.#handlers(labels);
    const handlers = [...writers.keys()].toReversed();
    const blocks = new Map(handlers.map((handler) => [handler, code.block()]));
    const illegal = blocks.get(HANDLER_ILLEGAL)!;
    code.get(this.#locals.record);
    code.memory('i32.load16_u', RECORD_HANDLER);
    code.brTable(
      Array.from({ length: HANDLER_COUNT }, (_, handler) => blocks.get(handler) ?? illegal),
      illegal,
    );
    for (const write of writers.values()) {
      code.end();
      write();
    }
  }

  /** What writes the code of each handler, in the order in which it is to stand. */
  #handlers(labels: Labels): ReadonlyMap<number, () => void> {
    const code = this.#code;
    const writers = new Map<number, () => void>();
    for (const { handler, instruction, sizeBytes } of INSTRUCTION_HANDLERS) {
      writers.set(handler, () => {
        INSTRUCTIONS[instruction]!.emit(this.#emitter(sizeBytes, labels));
        code.get(this.#locals.record);
        code.i32(sizeBytes << RECORD_SHIFT);
        code.op('i32.add');
        code.set(this.#locals.record);
        code.br(labels.next);
      });
    }
    // These are no instructions: each gives back what it took from the budget.
    writers.set(HANDLER_DECODE, () => {
      this.#addToBudget(1);
      code.get(this.#locals.record);
      code.call(this.#imports.decode);
      code.i32(AGAIN);
      code.op('i32.eq');
      code.brIf(labels.next);
      this.#stopAtPc('interrupted', labels.exit);
    });
    writers.set(HANDLER_NEXT_PAGE, () => {
      this.#addToBudget(1);
      this.#pushPc();
      code.set(this.#locals.target);
      code.br(labels.jump);
    });
    writers.set(HANDLER_CROSSING, () => {
      this.#pushPc();
      code.set(this.#locals.target);
      this.#callOut(this.#imports.decodeCrossing, 1, labels.missed, () =>
        this.#pushWords(this.#locals.target),
      );
      code.get(this.#locals.host);
      code.set(this.#locals.record);
      this.#addToBudget(1);
      // The crossing record stands for the last halfword of a page whose other records are not there.
      code.get(this.#locals.record);
      code.i32((RECORDS_IN_PAGE - 1) * RECORD_BYTES);
      code.op('i32.sub');
      code.set(this.#locals.pageRecords);
      code.i32(0);
      code.set(this.#locals.span);
      code.br(labels.next);
    });
    writers.set(HANDLER_ILLEGAL, () => {
      this.#pushPc();
      code.set(this.#locals.target);
      this.#leave('illegal-instruction', labels.exit);
    });
    return writers;
  }

  /** Stops before the instruction at `target`, which has not run. */
  #leave(stop: Stop, exit: Label): void {
    this.#addToBudget(1);
    this.#stop(stop, exit);
  }

  #stopAtPc(stop: Stop, exit: Label): void {
    this.#pushPc();
    this.#code.set(this.#locals.target);
    this.#stop(stop, exit);
  }

  #stop(stop: Stop, exit: Label): void {
    this.#code.i32(stopCode(stop));
    this.#code.set(this.#locals.stop);
    this.#code.br(exit);
  }

  #addToBudget(change: number): void {
    this.#code.get(this.#locals.budget);
    this.#code.i32(change);
    this.#code.op('i32.add');
    this.#code.set(this.#locals.budget);
  }

  #pushPc(): void {
    const code = this.#code;
    code.get(this.#locals.pageAddress);
    code.get(this.#locals.record);
    code.get(this.#locals.pageRecords);
    code.op('i32.sub');
    code.i32(RECORD_SHIFT);
    code.op('i32.shr_u', 'i64.extend_i32_u', 'i64.add');
  }

  /** Pushes the low and the high word of an i64 local. */
  #pushWords(value: Local): void {
    const code = this.#code;
    code.get(value);
    code.op('i32.wrap_i64');
    code.get(value);
    code.i64(32);
    code.op('i64.shr_u', 'i32.wrap_i64');
  }

  /** Pushes where the TLB line for an address lies. */
  #pushLine(access: 'read' | 'write' | 'execute', address: Local): void {
    const code = this.#code;
    code.get(address);
    code.op('i32.wrap_i64');
    code.i32(LINE_SHIFT);
    code.op('i32.shr_u');
    code.i32((TLB_LINES[access] - 1) * TLB_LINE_BYTES);
    code.op('i32.and');
    code.i32(TLB_START + TLB_OFFSETS[access]);
    code.op('i32.add');
  }

  #translate(access: 'read' | 'write', width: Width, missed: Label): void {
    const code = this.#code;
    this.#pushLine(access, this.#locals.address);
    code.tee(this.#locals.line);
    code.memory('i64.load', 0);
    code.get(this.#locals.address);
    code.i64(PAGE_MASK | BigInt(width - 1));
    code.op('i64.and');
    code.i32(0);
    code.memory('i64.load', access === 'read' ? KEY_READ : KEY_WRITE);
    code.op('i64.or', 'i64.eq');
    code.if();
    code.get(this.#locals.address);
    code.op('i32.wrap_i64');
    code.get(this.#locals.line);
    code.memory('i32.load', TLB_ADDEND);
    code.op('i32.add');
    code.set(this.#locals.host);
    this.#checkHit(access, this.#locals.address, this.#locals.host);
    code.else();
    this.#pushPc();
    code.set(this.#locals.target);
    const miss = access === 'read' ? this.#imports.readMiss : this.#imports.writeMiss;
    this.#callOut(miss, 1, missed, () => {
      this.#pushWords(this.#locals.address);
      code.i32(width);
    });
    code.end();
  }

  /**
   * Calls out for what the TLB does not know. `host` is an address then; where it is an answer the way leads to `missed`.
   * @param undone 1 where the instruction at `target` has been taken from the budget already. @param push the arguments.
   */
  #callOut(miss: FunctionIndex, undone: 0 | 1, missed: Label, push: () => void): void {
    const code = this.#code;
    code.i32(0);
    code.get(this.#locals.budget);
    code.i32(undone);
    code.op('i32.add');
    code.memory('i32.store', BUDGET_LEFT);
    push();
    code.call(miss);
    code.tee(this.#locals.host);
    code.i32(AGAIN);
    code.op('i32.le_u');
    code.brIf(missed);
  }

  /** Does what `host` answers to a miss of the instruction at `target`, which has not run. */
  #answerMiss({ exit, jump }: Pick<Labels, 'exit' | 'jump'>): void {
    const code = this.#code;
    code.i32(0);
    code.memory('i32.load', BUDGET_LEFT);
    code.set(this.#locals.budget);
    code.get(this.#locals.host);
    code.i32(AGAIN);
    code.op('i32.eq');
    code.if();
    code.get(this.#locals.budget);
    code.brIf(jump);
    this.#stop('budget', exit);
    code.end();
    code.i32(stopCode('interrupted'));
    code.i32(stopCode('page-fault'));
    // PAGE_FAULT is 0, INTERRUPTED is not.
    code.get(this.#locals.host);
    code.op('select');
    code.set(this.#locals.stop);
  }

  #checkHit(access: Access, address: Local, host: Local): void {
    if (!this.#checksHits) return;
    const code = this.#code;
    code.i32(ACCESSES.indexOf(access));
    this.#pushWords(address);
    code.get(host);
    code.call(this.#imports.checkHit);
  }

  #emitter(sizeBytes: 2 | 4, { exit, jump, missed, next }: Labels): Emitter {
    const code = this.#code;
    const pushRegister = (field: number): void => {
      code.get(this.#locals.record);
      code.memory('i32.load16_u', field);
      code.memory('i64.load', REGISTERS);
    };
    const pushImmediate = (): void => {
      code.get(this.#locals.record);
      code.memory('i64.load32_s', RECORD_IMM);
    };
    const jumpByImmediate = (): void => {
      code.get(this.#locals.record);
      code.get(this.#locals.record);
      code.memory('i32.load', RECORD_IMM);
      code.i32(RECORD_SHIFT);
      code.op('i32.shl', 'i32.add');
      code.tee(this.#locals.host);
      code.get(this.#locals.pageRecords);
      code.op('i32.sub');
      code.get(this.#locals.span);
      code.op('i32.lt_u');
      code.if();
      code.get(this.#locals.host);
      code.set(this.#locals.record);
      code.br(next);
      code.end();
      this.#pushPc();
      pushImmediate();
      code.op('i64.add');
      code.set(this.#locals.target);
      code.br(jump);
    };
    return {
      code,
      rs1: () => pushRegister(RECORD_RS1),
      rs2: () => pushRegister(RECORD_RS2),
      imm: pushImmediate,
      pc: () => this.#pushPc(),
      nextPc: () => {
        this.#pushPc();
        code.i64(sizeBytes);
        code.op('i64.add');
      },
      writeRd: (value) => {
        code.get(this.#locals.record);
        code.memory('i32.load16_u', RECORD_RD);
        value();
        code.memory('i64.store', REGISTERS);
      },
      scratch: (n) => this.#locals.scratch[n]!,
      translate: (access, width, address) => {
        address();
        code.set(this.#locals.address);
        this.#translate(access, width, missed);
        return this.#locals.host;
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
        code.call(this.#imports.writeDone);
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
        code.set(this.#locals.target);
        code.br(jump);
      },
      trap: (trap) => {
        // A system call is an instruction of the program's: it has run, though pc still names it.
        if (trap !== 'system-call') this.#addToBudget(1);
        this.#stopAtPc(trap, exit);
      },
    };
  }
}

interface Labels {
  readonly exit: Label;
  readonly jump: Label;
  readonly missed: Label;
  readonly next: Label;
}
