/**
 * How a region has an instruction's semantics written: registers are locals, immediates and addresses constants.
 *
 * A region calls nobody. An access that the TLB does not grant, of a page that it does not know, that is watched or that the
 * access crosses, is the interpreter's to make: what can go wrong with it, or must be done for it, is in one place. A call would
 * have V8 keep every register in memory around it, on the way that is always taken too.
 */
import { PAGE_SIZE } from '../../frame/index.js';
import { TLB_ADDEND } from '../../paging/index.js';
import { DYNAMIC, standingBits } from '../float/index.js';
import type { Decoded, Emitter, Width } from '../instructions/index.js';
import { RESERVATION } from '../layout.js';
import { KEYS, PAGE_MASK, pushCheckHit, pushLine } from '../tlb-code.js';
import type { Local } from '../wasm/index.js';
import type { Proof } from './proofs.js';
import type { RegionImports } from './region-border.js';
import type { RegionCode } from './region-code.js';
import type { Placed } from './region.js';

/** How an access is proved together with others. */
export interface Proven {
  readonly proof: Proof;
  /** Whether it is the first of its proof. */
  readonly proves: boolean;
  /** Where the lowest byte of the proof's accesses lies in RAM. */
  readonly lowest: Local;
}

/** The ways on from an instruction that are the region's matter. All that was changed has been put back into RAM. */
export interface Ways {
  /** Goes to a relative address. */
  goTo(relative: number): void;
  /** Goes to the address in `target`. */
  goToTarget(): void;
}

/** Writes the semantics of instructions, one after the other. One for a region: making it costs more than an instruction. */
export interface PlacedWriter {
  /** @param left instructions of the block from this one on. @param proven undefined where its access is proved alone. */
  write(placed: Placed, left: number, proven: Proven | undefined, ways: Ways): void;
}

export const placedWriter = (
  state: RegionCode,
  imports: RegionImports,
  checksHits: boolean,
): PlacedWriter => {
  const { code } = state;
  let relative!: number;
  let left!: number;
  let proven: Proven | undefined;
  let ways!: Ways;
  let decoded!: Decoded;
  const roundingMode = (): number => decoded.rm ?? DYNAMIC;

  /**
   * Sets `line` to what the TLB has of the page of `address`, or leaves, where the `lengthBytes` from there on may not be
   * accessed or lie on two pages: the line is that of the first byte's page, and is compared with the last byte's.
   */
  const lookUp = (access: 'read' | 'write', lengthBytes: number): void => {
    pushLine(code, access, state.address);
    code.tee(state.line);
    code.memory('i64.load', 0);
    code.get(state.address);
    if (lengthBytes > 1) {
      code.i64(lengthBytes - 1);
      code.op('i64.add');
    }
    code.i64(PAGE_MASK);
    code.op('i64.and');
    code.i32(0);
    code.memory('i64.load', KEYS[access]);
    code.op('i64.or', 'i64.ne');
    code.if();
    state.interpret(relative, left);
    code.end();
  };

  /**
   * Pushes where in RAM `address` is, or leaves as `lookUp` does.
   * @param pushDiffers pushes whether the access may not be within the page that an i64 local has.
   */
  const translate = (
    access: 'read' | 'write',
    base: number,
    lengthBytes: number,
    pushDiffers: (page: Local) => void,
  ): void => {
    const remembered = state.remembered(access, base);
    if (remembered === undefined) {
      lookUp(access, lengthBytes);
    } else {
      pushDiffers(remembered.page);
      code.if();
      lookUp(access, lengthBytes);
      code.get(state.address);
      code.i64(PAGE_MASK);
      code.op('i64.and');
      code.set(remembered.page);
      code.get(state.line);
      code.memory('i32.load', TLB_ADDEND);
      code.set(remembered.addend);
      code.end();
    }
    code.get(state.address);
    code.op('i32.wrap_i64');
    if (remembered === undefined) {
      code.get(state.line);
      code.memory('i32.load', TLB_ADDEND);
    } else {
      code.get(remembered.addend);
    }
    code.op('i32.add');
  };

  const translateAlone = (access: 'read' | 'write', width: Width, address: () => void): void => {
    address();
    code.set(state.address);
    translate(access, decoded.rs1, width, (page) => {
      // What is not aligned is left to the TLB.
      code.get(state.address);
      code.i64(PAGE_MASK | (width - 1));
      code.op('i64.and');
      code.get(page);
      code.op('i64.ne');
    });
    code.set(state.host);
  };

  const translateProven = (address: () => void, { proof, proves, lowest }: Proven): void => {
    if (proves) {
      const lengthBytes = proof.high - proof.low;
      state.pushRegister(proof.base);
      code.i64(proof.low);
      code.op('i64.add');
      code.set(state.address);
      translate(proof.kind, proof.base, lengthBytes, (page) => {
        code.get(state.address);
        code.i64(PAGE_MASK);
        code.op('i64.and');
        code.get(page);
        code.op('i64.ne');
        code.get(state.address);
        code.op('i32.wrap_i64');
        code.i32(PAGE_SIZE - 1);
        code.op('i32.and');
        code.i32(PAGE_SIZE - lengthBytes);
        code.op('i32.gt_u', 'i32.or');
      });
      code.set(lowest);
    }
    if (checksHits) {
      address();
      code.set(state.address);
    }
    code.get(lowest);
    code.i32(decoded.imm - proof.low);
    code.op('i32.add');
    code.set(state.host);
  };

  const emitter: Emitter = {
    code,
    rs1: () => state.pushRegister(decoded.rs1),
    rs2: () => state.pushRegister(decoded.rs2),
    imm: () => code.i64(decoded.imm),
    pc: () => state.pushAddress(relative),
    nextPc: () => state.pushAddress(relative + decoded.sizeBytes),
    writeRd: (value) => state.setRegister(decoded.rd, value),
    scratch: (n) => state.scratch[n]!,
    fs1: () => state.pushFloat(decoded.rs1),
    fs2: () => state.pushFloat(decoded.rs2),
    fs3: () => state.pushFloat(decoded.rs3),
    ss1: () => state.pushSingle(decoded.rs1),
    ss2: () => state.pushSingle(decoded.rs2),
    ss3: () => state.pushSingle(decoded.rs3),
    bs1: () => state.pushFloatBits(decoded.rs1),
    bs2: () => state.pushFloatBits(decoded.rs2),
    writeFd: (value) => state.setFloat(decoded.rd, value),
    writeFs: (value) => state.setSingle(decoded.rd, value),
    writeFb: (value) =>
      state.setFloat(decoded.rd, () => {
        value();
        code.op('f64.reinterpret_i64');
      }),
    floatScratch: (n) => state.floatScratch[n]!,
    singleScratch: (n) => state.singleScratch[n]!,
    roundingMode: () => code.i32(roundingMode()),
    get staticRoundingMode() {
      return roundingMode();
    },
    standingBits: () => code.i32(standingBits(roundingMode())),
    callFloat: (name) => code.call(imports.float![name]),
    translate: (access, width, address) => {
      if (proven === undefined) translateAlone(access, width, address);
      else translateProven(address, proven);
      if (checksHits) pushCheckHit(code, imports.checkHit, access, state.address, state.host);
      return state.host;
    },
    readAt: (opcode, host) => {
      code.get(host);
      code.memory(opcode, 0);
    },
    writeAt: (opcode, host, value) => {
      code.get(host);
      value();
      code.memory(opcode, 0);
    },
    // What would have to be redirected has left.
    written: () => {},
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
      state.putBack();
      condition();
      code.if();
      ways.goTo(relative + decoded.imm);
      code.end();
    },
    jump: () => {
      state.putBack();
      ways.goTo(relative + decoded.imm);
    },
    jumpTo: (target) => {
      target();
      code.set(state.target);
      state.putBack();
      ways.goToTarget();
    },
    // Rare: the interpreter does the same once more, and stops.
    trap: () => state.interpret(relative, left),
  };
  return {
    write: (placed, leftOfBlock, provenTogether, waysOn) => {
      ({ relative, decoded } = placed);
      left = leftOfBlock;
      proven = provenTogether;
      ways = waysOn;
      decoded.instruction.emit(emitter);
    },
  };
};

if (PAGE_SIZE !== -PAGE_MASK) throw new Error('a page is not what the TLB takes for one');
