/** Decoded code never differs from memory: whoever writes it, through whatever mapping, wherever it is shared. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FrameNumber, PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import { PTE_A, PTE_D, PTE_R, PTE_U, PTE_W } from '../../src/paging/index.js';
import { type AddressSpace, copyOut } from '../../src/space/index.js';
import type { Hart } from '../../src/hart/index.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { BareMachine, JIT_MODES } from '../support/riscv/bare-machine.js';

const CODE = 0x1_0000;
const OTHER = 0x2_0000;
const ALIAS = 0x8_0000;
const C_NOP = 0x0001;
const ECALL = encode('ecall');
const RETURN = encode('jalr', { rs1: x.ra });
const FENCE_I = encode('fence.i');

/** addi a0, zero, value */
const set = (value: number): number => encode('addi', { rd: x.a0, imm: value });
const add = (value: number): number => encode('addi', { rd: x.a0, rs1: x.a0, imm: value });

describe.each(JIT_MODES)('with %o', (mode) => {
  let machine: BareMachine;
  let hart: Hart;

  beforeEach(() => {
    machine = new BareMachine(mode);
    hart = machine.hart;
  });

  afterEach(() => {
    expect(machine.audit()).toEqual([]);
    machine[Symbol.dispose]();
  });

  /** Runs from an address to the next system call. @returns a0 there. */
  const call = (at: number, space: AddressSpace = machine.space, on: BareMachine = machine): number => {
    on.hart.enter(space.table);
    on.hart.pc = BigInt(at);
    expect(on.run(100_000, space)).toBe('system-call');
    return on.hart.registerAsInt(x.a0);
  };

  const frameAt = (at: number, space?: AddressSpace): FrameNumber => machine.frameAt(at, space);

  /** Maps the frame of a page a second time, writable, in the same space. The audit would call W on a shared frame an error. */
  const withAlias = (at: number, use: () => void): void => {
    const { memory, space } = machine;
    const frame = frameAt(at);
    memory.retain(frame);
    space.table.map(vpn(ALIAS / PAGE_SIZE), frame, PTE_U | PTE_R | PTE_W | PTE_A | PTE_D);
    use();
    space.table.unmap(vpn(ALIAS / PAGE_SIZE));
    memory.release(frame);
  };

  /** Code that stores the word in a1 to the address in a2, then returns to the kernel. */
  const storer = (name: 'sw' | 'sh' | 'sb'): void => {
    machine.place(OTHER, codeBytes([encode(name, { rs1: x.a2, rs2: x.a1 }), ECALL]), 'r-x');
  };

  const store = (address: number, value: number): void => {
    hart.registers[x.a1] = BigInt.asUintN(64, BigInt(value));
    hart.registers[x.a2] = BigInt(address);
    call(OTHER);
  };

  describe('code that is written', () => {
    test("by the hart's own store, then fence.i, runs as written", () => {
      const patch = [
        encode('sw', { rs1: x.a2, rs2: x.a1 }),
        FENCE_I,
        set(1), // at CODE + 8: what is overwritten
        ECALL,
      ];
      machine.place(CODE, codeBytes(patch), 'rwx');
      hart.registers[x.a2] = BigInt(CODE + 8);
      for (const value of [2, 3, 4]) {
        hart.registers[x.a1] = BigInt(set(value));
        expect(call(CODE)).toBe(value);
      }
    });

    test('by the instruction just before it runs as written, as no instruction is fetched ahead', () => {
      machine.place(CODE, codeBytes([encode('sw', { rs1: x.a2, rs2: x.a1 }), set(1), ECALL]), 'rwx');
      hart.registers[x.a2] = BigInt(CODE + 4);
      hart.registers[x.a1] = BigInt(set(2));
      call(CODE);
      hart.registers[x.a1] = BigInt(set(3));
      expect(call(CODE)).toBe(3);
    });

    test('by a store to the page that it runs in, a halfword or a byte at a time', () => {
      machine.place(CODE, codeBytes([set(1), ECALL]), 'rwx');
      expect(call(CODE)).toBe(1);
      storer('sh');
      store(CODE + 2, set(5) >>> 16);
      expect(call(CODE)).toBe(5);
      machine.space.unmap(virtAddr(OTHER), PAGE_SIZE);
      storer('sb');
      store(CODE + 3, 0x12);
      // The highest byte is bits 11 … 4 of the immediate.
      expect(call(CODE)).toBe(0x125);
    });

    test('by an atomic operation that overwrites itself: its result reaches rd, and x0 stays zero', () => {
      const amo = encode('amoswap.w', { rd: x.a0, rs1: x.a2, rs2: x.a1 });
      machine.place(CODE, codeBytes([amo, encode('add', { rd: x.a3 }), ECALL]), 'rwx');
      hart.registers[x.a2] = BigInt(CODE);
      // Once to make the page this space's own, again to meet decoded code.
      for (let turn = 0; turn < 2; turn++) {
        copyOut(machine.space, virtAddr(CODE), codeBytes([amo]));
        hart.registers[x.a0] = 77n;
        hart.registers[x.a1] = BigInt(set(4));
        expect(call(CODE)).toBe(amo);
        expect(hart.registers[x.a3]).toBe(0n);
        expect(call(CODE)).toBe(4);
      }
    });

    test('by a store-conditional that overwrites itself: it says that it succeeded', () => {
      const sc = encode('sc.w', { rd: x.a0, rs1: x.a2, rs2: x.a1 });
      const code = codeBytes([encode('lr.w', { rd: x.a3, rs1: x.a2 }), sc, ECALL]);
      machine.place(CODE, code, 'rwx');
      hart.registers[x.a2] = BigInt(CODE + 4);
      for (let turn = 0; turn < 2; turn++) {
        copyOut(machine.space, virtAddr(CODE), code);
        hart.registers[x.a0] = 77n;
        hart.registers[x.a1] = BigInt(set(4));
        expect(call(CODE)).toBe(0);
        expect(call(CODE)).toBe(4);
      }
    });

    test('by copyOut, from the kernel', () => {
      machine.place(CODE, codeBytes([set(1), ECALL]), 'rwx');
      for (const value of [1, 2, 3]) {
        expect(copyOut(machine.space, virtAddr(CODE), codeBytes([set(value)]))).toBe('ok');
        expect(call(CODE)).toBe(value);
      }
    });

    test('only in its second half, by copyOut and by the hart', () => {
      machine.place(CODE, codeBytes([set(1), ECALL]), 'rwx');
      storer('sh');
      expect(call(CODE)).toBe(1);
      copyOut(machine.space, virtAddr(CODE + 2), Uint8Array.of((set(9) >>> 16) & 0xff, set(9) >>> 24));
      expect(call(CODE)).toBe(9);
      store(CODE + 2, set(10) >>> 16);
      expect(call(CODE)).toBe(10);
    });

    test('in its second half, which lies on the next page', () => {
      machine.place(CODE, new Uint8Array(1), 'rwx', { pages: 2 });
      storer('sh');
      const at = CODE + PAGE_SIZE - 2;
      copyOut(machine.space, virtAddr(at), codeBytes([set(1), ECALL]));
      expect(call(at)).toBe(1);
      store(at + 2, set(2) >>> 16);
      expect(call(at)).toBe(2);
      copyOut(machine.space, virtAddr(at + 2), Uint8Array.of((set(3) >>> 16) & 0xff, set(3) >>> 24));
      expect(call(at)).toBe(3);
      // c.li a0, 7 in the first half's place: what follows is an instruction of its own.
      store(at, 0x451d);
      store(at + 2, C_NOP);
      expect(call(at)).toBe(7);
    });

    test('by a store that crosses from a data page into it, and out of it', () => {
      machine.place(CODE - PAGE_SIZE, new Uint8Array(1), 'rw-', { pages: 1 });
      machine.place(CODE, codeBytes([set(1), ECALL]), 'rwx');
      machine.place(CODE + PAGE_SIZE, new Uint8Array(1), 'rw-');
      storer('sw');
      expect(call(CODE)).toBe(1);
      // The first two bytes of `set(6)` in the upper half of the word: c.li a0, 6.
      store(CODE - 2, (0x4519 << 16) | 0xbeef);
      copyOut(machine.space, virtAddr(CODE + 2), Uint8Array.of(C_NOP, 0));
      expect(call(CODE)).toBe(6);
      expect(machine.read(CODE - 2, 2)).toEqual(Uint8Array.of(0xef, 0xbe));
      copyOut(machine.space, virtAddr(CODE + PAGE_SIZE - 6), codeBytes([ECALL, C_NOP]));
      call(CODE + PAGE_SIZE - 6);
      store(CODE + PAGE_SIZE - 2, 0x1234_0001);
      expect(machine.read(CODE + PAGE_SIZE, 2)).toEqual(Uint8Array.of(0x34, 0x12));
    });

    test('through another mapping of its frame, whether that was written before the code ran or not', () => {
      machine.place(CODE, codeBytes([set(1), ECALL]), 'rwx');
      storer('sw');
      withAlias(CODE, () => {
        // The alias is in the TLB as writable before the frame has decoded code.
        store(ALIAS + 64, 1);
        expect(call(CODE)).toBe(1);
        store(ALIAS, set(2));
        expect(call(CODE)).toBe(2);
        store(ALIAS, set(3));
        expect(call(CODE)).toBe(3);
      });
    });

    test('through a mapping in another space', () => {
      machine.place(CODE, codeBytes([set(1), ECALL]), 'rwx');
      using other = machine.virtualMemory.createSpace();
      const frame = frameAt(CODE);
      machine.memory.retain(frame);
      other.table.map(vpn(CODE / PAGE_SIZE), frame, PTE_U | PTE_R | PTE_W | PTE_A | PTE_D);
      machine.place(OTHER, codeBytes([encode('sw', { rs1: x.a2, rs2: x.a1 }), ECALL]), 'r-x', {
        space: other,
      });
      const storeThere = (value: number): void => {
        hart.registers[x.a1] = BigInt(set(value));
        hart.registers[x.a2] = BigInt(CODE);
        call(OTHER, other);
      };
      storeThere(4);
      for (const value of [5, 6]) {
        expect(call(CODE)).toBe(value - 1);
        storeThere(value);
      }
      expect(call(CODE)).toBe(6);
      other.table.unmap(vpn(CODE / PAGE_SIZE));
      machine.memory.release(frame);
    });

    test('when its frame is freed, and used again for other code', () => {
      for (let value = 1; value < 40; value++) {
        machine.place(CODE, codeBytes([set(value), ECALL]), 'r-x');
        expect(call(CODE)).toBe(value);
        const frame = frameAt(CODE);
        machine.space.unmap(virtAddr(CODE), PAGE_SIZE);
        machine.place(OTHER, codeBytes([C_NOP, set(-value), ECALL]), 'r-x');
        expect(frameAt(OTHER)).toBe(frame);
        expect(call(OTHER)).toBe(-value);
        machine.space.unmap(virtAddr(OTHER), PAGE_SIZE);
      }
    });

    test('when its frame is freed and becomes data', () => {
      machine.place(CODE, codeBytes([set(1), ECALL]), 'r-x');
      call(CODE);
      machine.space.unmap(virtAddr(CODE), PAGE_SIZE);
      storer('sw');
      machine.place(CODE, new Uint8Array(1), 'rw-');
      store(CODE, 0x1234);
      expect(machine.read(CODE, 2)).toEqual(Uint8Array.of(0x34, 0x12));
      hart.pc = BigInt(CODE);
      expect(machine.run(1)).toBe('page-fault');
    });
  });

  describe('code that is shared', () => {
    test('runs on both sides of a fork, and a write on one side changes that side only', () => {
      machine.place(CODE, codeBytes([set(1), ECALL]), 'rwx');
      storer('sw');
      expect(call(CODE)).toBe(1);
      using child = machine.space.fork();
      expect(call(CODE)).toBe(1);
      expect(call(CODE, child)).toBe(1);
      expect(frameAt(CODE, child)).toBe(frameAt(CODE));

      hart.registers[x.a1] = BigInt(set(2));
      hart.registers[x.a2] = BigInt(CODE);
      call(OTHER, child);
      expect(call(CODE, child)).toBe(2);
      expect(call(CODE)).toBe(1);
      expect(frameAt(CODE, child)).not.toBe(frameAt(CODE));

      // The parent is now the frame's only owner: it is written in place.
      store(CODE, set(3));
      expect(call(CODE)).toBe(3);
      expect(call(CODE, child)).toBe(2);
    });

    test('outlives the space that ran it first', () => {
      machine.place(CODE, codeBytes([set(1), ECALL]), 'r-x');
      const child = machine.space.fork();
      expect(call(CODE, child)).toBe(1);
      child.close();
      expect(call(CODE)).toBe(1);
    });

    test('and writes itself in the middle of a copy-on-write page goes on in the copy', () => {
      const program = [encode('sw', { rs1: x.a2, rs2: x.a1 }), set(1), ECALL];
      machine.place(CODE, codeBytes(program), 'rwx');
      using child = machine.space.fork();
      hart.registers[x.a1] = BigInt(set(2));
      hart.registers[x.a2] = BigInt(CODE + 4);
      expect(call(CODE, child)).toBe(2);
      expect(machine.read(CODE + 4, 4)).toEqual(codeBytes([set(1)]));
    });
  });

  describe.each([1, 2, 3])('with %d code slots', (codeSlots) => {
    test('pages of code that call each other all run right', () => {
      using small = new BareMachine({ ...mode, codeSlots });
      const PAGES = 5;
      const at = (page: number): number => CODE + page * PAGE_SIZE + 100 * page;
      // Each adds its bit and calls the next, and adds 1000 on the way back.
      for (let page = 0; page < PAGES; page++) {
        const saved = x.s2 + page;
        const body =
          page === PAGES - 1
            ? [add(1 << page), RETURN]
            : [
                add(1 << page),
                encode('addi', { rd: saved, rs1: x.ra }),
                encode('jal', { rd: x.ra, imm: at(page + 1) - at(page) - 8 }),
                add(1000),
                encode('jalr', { rs1: saved }),
              ];
        small.place(at(page), codeBytes(body), 'r-x');
      }
      small.place(
        OTHER,
        codeBytes([set(0), encode('jal', { rd: x.ra, imm: at(0) - OTHER - 4 }), ECALL]),
        'r-x',
      );
      for (let turn = 0; turn < 3; turn++) {
        expect(call(OTHER, small.space, small)).toBe(31 + 4000);
        expect(small.audit()).toEqual([]);
      }
    });

    test('an instruction across two pages runs right in a loop between them', () => {
      using small = new BareMachine({ ...mode, codeSlots });
      const start = CODE + PAGE_SIZE - 6;
      small.place(
        start,
        codeBytes([
          add(1),
          add(2),
          encode('addi', { rd: x.a1, rs1: x.a1, imm: -1 }),
          encode('bne', { rs1: x.a1, imm: -12 }),
          ECALL,
        ]),
        'rwx',
      );
      small.hart.registers[x.a1] = 500n;
      expect(call(start, small.space, small)).toBe(1500);
      expect(small.audit()).toEqual([]);
    });

    test('a page that gave up its slot may be written and run again', () => {
      using small = new BareMachine({ ...mode, codeSlots });
      for (let page = 0; page < 4; page++)
        small.place(CODE + page * PAGE_SIZE, codeBytes([set(page), ECALL]), 'rwx');
      for (let turn = 0; turn < 20; turn++) {
        const page = (turn * 7) % 4;
        expect(copyOut(small.space, virtAddr(CODE + page * PAGE_SIZE), codeBytes([set(turn)]))).toBe('ok');
        for (let other = 0; other < 4; other++) call(CODE + other * PAGE_SIZE, small.space, small);
        expect(call(CODE + page * PAGE_SIZE, small.space, small)).toBe(turn);
        expect(small.audit()).toEqual([]);
      }
    });
  });

  test('code on ever new pages is interrupted, so that no budget hides the work of decoding it', () => {
    const pages = 100;
    const small = new BareMachine({ ...mode, codeSlots: 4 });
    for (let page = 0; page < pages; page++) {
      // Each page jumps to the next, the last to the first.
      const imm = page === pages - 1 ? -4096 * page : 4096;
      small.place(CODE + page * PAGE_SIZE, codeBytes([encode('jal', { imm })]), 'r-x');
    }
    small.hart.pc = BigInt(CODE);
    let retired = 0;
    for (let run = 0; run < 50; run++) {
      expect(small.hart.run(100_000)).toBe('interrupted');
      expect(small.hart.refills).toBeGreaterThan(0);
      expect(small.hart.retired).toBeLessThan(100);
      retired += small.hart.retired;
      // Exact, wherever it was interrupted.
      expect(small.hart.pc).toBe(BigInt(CODE + (retired % pages) * PAGE_SIZE));
    }
    expect(small.audit()).toEqual([]);
    small[Symbol.dispose]();
  });

  // Where all is compiled before it runs, hardly any of it is decoded.
  if (mode.jit !== 'eager') {
    describe('what is decoded', () => {
      /** The most that one call of `run` decodes. */
      const MOST = 4096;

      test('is counted: each instruction once, until it is written', () => {
        machine.place(CODE, codeBytes([set(1), add(1), C_NOP, add(1), ECALL]), 'rwx');
        expect(call(CODE)).toBe(3);
        expect(hart.decoded).toBe(5);
        expect(call(CODE)).toBe(3);
        expect(hart.decoded).toBe(0);
        expect(copyOut(machine.space, virtAddr(CODE + 4), codeBytes([add(7)]))).toBe('ok');
        expect(call(CODE)).toBe(9);
        expect(hart.decoded).toBe(1);
      });

      test('again and again, as it is written each time, is interrupted, and goes on where it was', () => {
        // Writes the word in a1 to CODE + 8, which is run next.
        const loop = [encode('sw', { rs1: x.a2, rs2: x.a1 }), FENCE_I, add(1), encode('jal', { imm: -12 })];
        machine.place(CODE, codeBytes(loop), 'rwx');
        hart.registers[x.a0] = 0n;
        hart.registers[x.a1] = BigInt(add(3));
        hart.registers[x.a2] = BigInt(CODE + 8);
        hart.enter(machine.space.table);
        hart.pc = BigInt(CODE);
        for (let run = 1; run <= 5; run++) {
          expect(hart.run(1_000_000)).toBe('interrupted');
          expect(hart.decoded).toBe(MOST);
          // It stops before the instruction that is to be decoded.
          expect(hart.pc).toBe(BigInt(CODE + 8));
          expect(hart.registerAsInt(x.a0) % 3).toBe(0);
        }
        const turns = hart.registerAsInt(x.a0) / 3;
        // All but the three others of the loop, once each.
        expect(turns).toBe(5 * MOST - 3);
        expect(hart.retired).toBe(4 * MOST);
      });

      test('is decoded once where it lies across two pages, as long as both are what they were', () => {
        const start = CODE + PAGE_SIZE - 6;
        machine.place(start, codeBytes([add(1), add(2), encode('jal', { imm: -8 })]), 'r-x');
        hart.registers[x.a0] = 0n;
        hart.enter(machine.space.table);
        hart.pc = BigInt(start);
        expect(hart.run(30_000)).toBe('budget');
        expect(hart.decoded).toBeLessThan(10);
        expect(hart.registerAsInt(x.a0)).toBe(30_000);
      });
    });
  }
});
