/** What is charged for what processes run. */
import { expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/frame/index.js';
import { Accounting } from '../../src/kernel/accounting.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { BareMachine } from '../support/riscv/bare-machine.js';

const CODE = 0x1_0000;

test('each instruction that is decoded costs of the quantum, as often as it is', () => {
  using machine = new BareMachine();
  const { hart, memory } = machine;
  const accounting = new Accounting(hart, machine.virtualMemory, () => 0);
  /** Runs from an address to the next system call. @returns what it costs beside the instructions themselves. */
  const costOf = (at: number): number => {
    hart.enter(machine.space.table);
    hart.pc = BigInt(at);
    accounting.beginTurn(1_000_000);
    accounting.beginRun();
    expect(hart.run(1000)).toBe('system-call');
    accounting.beginHandling();
    const cost = accounting.charge(0);
    expect(accounting.left).toBe(1_000_000 - hart.retired - cost);
    return cost;
  };
  const place = (page: number, length: number): number => {
    const body = Array.from({ length }, () => encode('addi', { rd: x.a0, rs1: x.a0, imm: 1 }));
    machine.place(CODE + page * PAGE_SIZE, codeBytes([...body, encode('ecall')]), 'r-x');
    return CODE + page * PAGE_SIZE;
  };
  const [short, long] = [place(0, 100), place(1, 600)];
  const each = (costOf(long) - costOf(short)) / 500;
  expect(each).toBeGreaterThan(0);
  expect([costOf(long), costOf(short)]).toEqual([0, 0]);
  memory.write(machine.frameAt(long), 40, codeBytes([encode('addi', { rd: x.a0, rs1: x.a0, imm: 2 })]));
  expect(costOf(long)).toBe(each);
});
