/** What compiled code may cost the host: so many bytes and modules, and no more work than the code is worth. */
import { describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/frame/index.js';
import { type HartOptions } from '../../src/hart/index.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { BareMachine } from '../support/riscv/bare-machine.js';

const CODE = 0x1_0000;
const BUFFER = 0x10_0000;
const BUFFER_PAGES = 3;
const RETURN = encode('jalr', { rs1: x.ra });
const ECALL = encode('ecall');
const COMPILING: readonly HartOptions[] = [{ jit: 'eager' }, { jit: 'auto', jitThreshold: 1 }];

describe('a program that makes code without end', () => {
  /** Writes a function of two instructions behind the last one, or at the start again, and calls it: a0 += 1, 2, 3 … */
  const program = [
    encode('sw', { rs1: x.a2, rs2: x.a1 }),
    encode('sw', { rs1: x.a2, rs2: x.a3, imm: 4 }),
    encode('fence.i'),
    encode('jalr', { rd: x.ra, rs1: x.a2 }),
    encode('add', { rd: x.a1, rs1: x.a1, rs2: x.a5 }),
    // Not right behind the last: what was compiled there would be thrown away.
    encode('addi', { rd: x.a2, rs1: x.a2, imm: 16 }),
    encode('bne', { rs1: x.a2, rs2: x.a6, imm: 8 }),
    encode('add', { rd: x.a2, rs1: x.s2 }),
    encode('addi', { rd: x.a4, rs1: x.a4, imm: -1 }),
    encode('bne', { rs1: x.a4, imm: -36 }),
    ECALL,
  ];
  const start = (options: HartOptions): BareMachine => {
    const machine = new BareMachine(options);
    const { registers } = machine.hart;
    machine.place(CODE, codeBytes(program), 'r-x');
    machine.place(BUFFER, new Uint8Array(1), 'rwx', { pages: BUFFER_PAGES });
    machine.hart.pc = BigInt(CODE);
    registers[x.a1] = BigInt(encode('addi', { rd: x.a0, rs1: x.a0 }));
    registers[x.a2] = registers[x.s2] = BigInt(BUFFER);
    registers[x.a3] = BigInt(RETURN);
    registers[x.a5] = BigInt(1 << 20);
    registers[x.a6] = BigInt(BUFFER + BUFFER_PAGES * PAGE_SIZE);
    return machine;
  };
  const ROUNDS = 900;
  /** What the functions of so many rounds add up to; of 2048 at most, as immediates are signed. */
  const sumOf = (rounds: number): bigint => BigInt((rounds * (rounds - 1)) / 2);

  test.each([
    ['in as many bytes as it is given', { jitBytes: 2 ** 16 }],
    ['in a few slots of decoded code', { codeSlots: 2 }],
  ] as const)('is kept %s', (_, options) => {
    using machine = start({ jit: 'eager', ...options });
    const { hart } = machine;
    hart.registers[x.a4] = BigInt(ROUNDS);
    let stop;
    let most = 0;
    while ((stop = machine.run(500)) === 'budget') {
      const { keptBytes, keptModules, keptRegions } = hart.compilation;
      most = Math.max(most, keptRegions);
      expect(keptModules).toBeLessThanOrEqual(keptRegions);
      // What is compiled last may be more than there is room for.
      if ('jitBytes' in options) expect(keptBytes).toBeLessThan(options.jitBytes * 1.1);
    }
    expect(stop).toBe('system-call');
    expect(hart.registers[x.a0]).toBe(sumOf(ROUNDS));
    const { compiledRegions, keptRegions, thrownAway } = hart.compilation;
    expect(compiledRegions).toBeGreaterThan(ROUNDS / 2);
    expect(most).toBeGreaterThan(50);
    const gone = Object.values(thrownAway).reduce((sum, count) => sum + count, 0);
    expect(compiledRegions - gone).toBe(keptRegions);
    expect(thrownAway['jitBytes' in options ? 'room' : 'decoded-code']).toBeGreaterThan(100);
    expect(machine.audit()).toEqual([]);
  });

  test('is compiled less and less where that does not pay', () => {
    using machine = start({ jit: 'auto', jitThreshold: 1 });
    const { hart } = machine;
    const rounds = 2000;
    hart.registers[x.a4] = BigInt(rounds);
    while (machine.run(500) === 'budget');
    expect(hart.registers[x.a0]).toBe(sumOf(rounds));
    expect(hart.compilation.compiledRegions).toBeLessThan(rounds * 0.8);
    expect(machine.audit()).toEqual([]);
  });
});

describe.each(COMPILING)('with %o', (options) => {
  test.each([301, 1009, 2503])('a loop of %i instructions is compiled a few times at most', (length) => {
    using machine = new BareMachine(options);
    const { hart } = machine;
    const body = Array.from({ length: length - 1 }, () => encode('addi', { rd: x.a0, rs1: x.a0, imm: 1 }));
    machine.place(CODE, codeBytes([...body, encode('jal', { imm: -4 * (length - 1) })]), 'r-x');
    hart.pc = BigInt(CODE);
    for (let turn = 0; turn < 20; turn++) expect(machine.run(length)).toBe('budget');
    expect(hart.registers[x.a0]).toBe(BigInt(20 * (length - 1)));
    expect(hart.pc).toBe(BigInt(CODE));
    expect(hart.compilation.compiledRegions).toBeGreaterThan(0);
    // Not from ever new places in it.
    expect(hart.compilation.compiledRegions).toBeLessThan(length / 10);
    expect(machine.audit()).toEqual([]);
  });
});
