import { describe, expect, test } from 'vitest';
import { frameNumber, PhysicalMemory, virtAddr, vpnOf } from '../../src/frame/index.js';
import { Hart, type HartOptions } from '../../src/hart/index.js';
import { PTE_W, pteFrame, Tlb } from '../../src/paging/index.js';
import { copyOut, VirtualMemory } from '../../src/space/index.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { JIT_MODES } from '../support/riscv/bare-machine.js';

const CODE = virtAddr(0x1000);
const DATA = virtAddr(0x2000);

/** A hart in a space with a program that loads and stores at DATA for ever, run until the TLB knows it all. */
const warmHart = (checking: 'on' | 'off', mode: HartOptions) => {
  const memory = new PhysicalMemory({
    sizeBytes: 2 ** 20,
    reservedBytes: Hart.reservedBytes({ codeSlots: 2 }),
  });
  const tlb = new Tlb(memory);
  const virtualMemory = new VirtualMemory(memory, tlb);
  const hart = new Hart(memory, tlb, { ...mode, codeSlots: 2, checking });
  const space = virtualMemory.createSpace();
  space.map({ at: CODE, lengthBytes: 4096, protection: 'rw-' });
  space.map({ at: DATA, lengthBytes: 4096, protection: 'rw-' });
  const loop = [
    encode('lui', { rd: x.t0, imm: DATA }),
    encode('ld', { rd: x.t1, rs1: x.t0 }),
    encode('sd', { rs1: x.t0, rs2: x.t1 }),
    encode('jal', { imm: -8 }),
  ];
  expect(copyOut(space, CODE, codeBytes(loop))).toBe('ok');
  expect(copyOut(space, DATA, Uint8Array.of(1))).toBe('ok');
  space.protect(CODE, 4096, 'r-x');
  hart.enter(space.table);
  hart.pc = BigInt(CODE);
  for (let turn = 0; turn < 5; turn++) expect(hart.run(100)).toBe('budget');
  expect(hart.compilation.keptRegions > 0).toBe(mode.jit !== 'off');
  return { memory, hart, space, entryIndex: (at: typeof CODE) => space.table.slot(vpnOf(at)) >>> 2 };
};

describe.each(JIT_MODES)(
  'with checking on and %o, a hit of the TLB that the page table contradicts is caught',
  (mode) => {
    test('where a page has lost the right to be written behind the TLB’s back', () => {
      const { memory, hart, entryIndex } = warmHart('on', mode);
      memory.words[entryIndex(DATA)]! &= ~PTE_W;
      expect(() => hart.run(100)).toThrow(
        /the TLB lets page 0x2 write at 0x[0-9a-f]+; the page table says that it faults/,
      );
    });

    test('where a page has another frame', () => {
      const { memory, hart, entryIndex } = warmHart('on', mode);
      const pte = memory.words[entryIndex(DATA)]!;
      memory.words[entryIndex(DATA)] = pte + (1 << 10);
      expect(() => hart.run(100)).toThrow(/the TLB lets page 0x2 (read|write).*says frame/);
    });

    test('where a page of code is gone', () => {
      const { memory, hart, entryIndex } = warmHart('on', mode);
      memory.words[entryIndex(CODE)] = 0;
      expect(() => hart.run(100)).toThrow(/the TLB lets page 0x1 execute/);
    });

    test('where a write would go by the code cache', () => {
      const { memory, hart, entryIndex } = warmHart('on', mode);
      memory.watch(frameNumber(pteFrame(memory.words[entryIndex(DATA)]!)));
      expect(() => hart.run(100)).toThrow(/which is watched/);
    });
  },
);

test.each(JIT_MODES)(
  'with checking off and %o such a hit is believed: that is what checking is for',
  (mode) => {
    const { memory, hart, entryIndex } = warmHart('off', mode);
    memory.words[entryIndex(DATA)]! &= ~PTE_W;
    expect(hart.run(100)).toBe('budget');
  },
);
