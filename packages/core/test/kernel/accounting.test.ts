/** What is charged for what processes run, and what is not. */
import { expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/frame/index.js';
import type { Jit } from '../../src/hart/index.js';
import { Accounting, PAGE_FAULT_COST } from '../../src/kernel/accounting.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { BareMachine } from '../support/riscv/bare-machine.js';

const CODE = 0x1_0000;
const JITS: readonly Jit[] = ['off', 'auto', 'eager'];

test.each(JITS)('with jit %s an instruction is one, however often it was decoded or compiled', (jit) => {
  using machine = new BareMachine({ jit });
  const { hart, memory } = machine;
  const accounting = new Accounting(hart, machine.virtualMemory, () => 0);
  const length = 600;
  const body = Array.from({ length }, () => encode('addi', { rd: x.a0, rs1: x.a0, imm: 1 }));
  machine.place(CODE, codeBytes([...body, encode('ecall')]), 'r-x');
  for (let turn = 0; turn < 3; turn++) {
    hart.enter(machine.space.table);
    hart.pc = BigInt(CODE);
    accounting.beginTurn(1_000_000);
    accounting.beginRun();
    expect(hart.run(1000)).toBe('system-call');
    accounting.beginHandling();
    expect(accounting.charge(7)).toBe(7);
    expect(accounting.left).toBe(1_000_000 - (length + 1) - 7);
    memory.write(machine.frameAt(CODE), 40, codeBytes([encode('addi', { rd: x.a0, rs1: x.a0, imm: 2 })]));
  }
  expect(accounting.instructions).toBe(3 * (length + 1));
  expect(accounting.time).toBe(3 * (length + 1 + 7));
});

test('frames that are taken and given back, calls of the host and what is spent are paid for', () => {
  using machine = new BareMachine();
  let hostCalls = 0;
  const accounting = new Accounting(machine.hart, machine.virtualMemory, () => hostCalls);
  const costOf = (work: () => void): number => {
    accounting.beginTurn(100_000);
    accounting.beginRun();
    accounting.beginHandling();
    work();
    const before = accounting.time;
    const cost = accounting.charge(PAGE_FAULT_COST);
    expect(accounting.time - before).toBe(cost);
    expect(accounting.left).toBe(100_000 - cost);
    return cost - PAGE_FAULT_COST;
  };
  expect(costOf(() => {})).toBe(0);
  expect(costOf(() => accounting.spend(12.9))).toBe(12);
  const call = costOf(() => hostCalls++);
  expect(call).toBeGreaterThan(0);
  expect(costOf(() => (hostCalls += 3))).toBe(3 * call);
  const object = machine.virtualMemory.objects.create({ size: 8 * PAGE_SIZE });
  const taken = costOf(() => object.commitSync());
  expect(taken).toBeGreaterThanOrEqual(8);
  expect(costOf(() => object.close())).toBe(taken);
});
