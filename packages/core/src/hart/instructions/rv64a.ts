/**
 * RV64A, atomic memory operations (unprivileged specification, chapter 8). One hart runs at a time and is
 * not interrupted within an instruction, so a plain read and write are atomic.
 *
 * An address that is not a multiple of the operand's size is a trap of its own, not a page fault.
 */
import type { MemoryOpcode, Opcode } from '../wasm/index.js';
import type { Emitter } from './emitter.js';
import type { Instruction } from './instruction.js';

const OPCODE_ATOMIC = 0x2f;
/** Bits 26 and 25, acquire and release, order nothing that is out of order here. */
const MASK = 0xf800_707f | 0;
const MASK_LOAD_RESERVED = MASK | (0x1f << 20);

type OperandWidth = 4 | 8;
const LOADS: Readonly<Record<OperandWidth, MemoryOpcode>> = { 4: 'i64.load32_s', 8: 'i64.load' };
const STORES: Readonly<Record<OperandWidth, MemoryOpcode>> = { 4: 'i64.store32', 8: 'i64.store' };

const encode = (funct5: number, width: OperandWidth): number =>
  (funct5 << 27) | ((width === 4 ? 2 : 3) << 12) | OPCODE_ATOMIC;

const trapIfMisaligned = (e: Emitter, width: OperandWidth): void => {
  e.rs1();
  e.code.i64(width - 1);
  e.code.op('i64.and', 'i64.eqz', 'i32.eqz');
  e.code.if();
  e.trap('misaligned-atomic');
  e.code.end();
};

const loadReserved = (name: string, width: OperandWidth): Instruction => ({
  name,
  format: 'load-reserved',
  match: encode(0x02, width),
  mask: MASK_LOAD_RESERVED,
  emit: (e) => {
    trapIfMisaligned(e, width);
    const host = e.translate('read', width, () => e.rs1());
    e.setReservation(() => e.rs1());
    e.writeRd(() => e.readAt(LOADS[width], host));
  },
});

const storeConditional = (name: string, width: OperandWidth): Instruction => ({
  name,
  format: 'atomic',
  match: encode(0x03, width),
  mask: MASK,
  emit: (e) => {
    trapIfMisaligned(e, width);
    e.reservation();
    e.rs1();
    e.code.op('i64.eq');
    e.code.if();
    const host = e.translate('write', width, () => e.rs1());
    e.writeAt(STORES[width], host, () => e.rs2());
    e.setReservation(() => e.code.i64(-1));
    e.writeRd(() => e.code.i64(0));
    e.written(host);
    e.code.else();
    e.setReservation(() => e.code.i64(-1));
    e.writeRd(() => e.code.i64(1));
    e.code.end();
  },
});

/** An operation that leaves in memory what `combine` pushes of the old value (scratch 0) and rs2 (scratch 1). */
const atomic = (
  name: string,
  funct5: number,
  width: OperandWidth,
  combine: (e: Emitter) => void,
): Instruction => ({
  name,
  format: 'atomic',
  match: encode(funct5, width),
  mask: MASK,
  emit: (e) => {
    trapIfMisaligned(e, width);
    const [old, operand] = [e.scratch(0), e.scratch(1)];
    const host = e.translate('write', width, () => e.rs1());
    e.readAt(LOADS[width], host);
    e.code.set(old);
    e.rs2();
    if (width === 4) e.code.op('i64.extend32_s');
    e.code.set(operand);
    e.writeAt(STORES[width], host, () => combine(e));
    e.writeRd(() => e.code.get(old));
    e.written(host);
  },
});

const both =
  (operation: Opcode) =>
  (e: Emitter): void => {
    e.code.get(e.scratch(0));
    e.code.get(e.scratch(1));
    e.code.op(operation);
  };

/** The old value where the comparison holds, else the operand. Words compare right even unsigned, for both are sign-extended. */
const choose =
  (comparison: Opcode) =>
  (e: Emitter): void => {
    e.code.get(e.scratch(0));
    e.code.get(e.scratch(1));
    both(comparison)(e);
    e.code.op('select');
  };

const swap = (e: Emitter): void => e.code.get(e.scratch(1));

const operations = (suffix: 'w' | 'd', width: OperandWidth): readonly Instruction[] => [
  loadReserved(`lr.${suffix}`, width),
  storeConditional(`sc.${suffix}`, width),
  atomic(`amoswap.${suffix}`, 0x01, width, swap),
  atomic(`amoadd.${suffix}`, 0x00, width, both('i64.add')),
  atomic(`amoxor.${suffix}`, 0x04, width, both('i64.xor')),
  atomic(`amoand.${suffix}`, 0x0c, width, both('i64.and')),
  atomic(`amoor.${suffix}`, 0x08, width, both('i64.or')),
  atomic(`amomin.${suffix}`, 0x10, width, choose('i64.lt_s')),
  atomic(`amomax.${suffix}`, 0x14, width, choose('i64.gt_s')),
  atomic(`amominu.${suffix}`, 0x18, width, choose('i64.lt_u')),
  atomic(`amomaxu.${suffix}`, 0x1c, width, choose('i64.gt_u')),
];

export const RV64A: readonly Instruction[] = [...operations('w', 4), ...operations('d', 8)];
