/** What the hart may reach is what the page table grants now: the TLB never shows through. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PAGE_SIZE, Usage, virtAddr, vpnOf } from '../../src/frame/index.js';
import { TLB_LINES } from '../../src/paging/index.js';
import { type AddressSpace } from '../../src/space/index.js';
import type { Hart, Stop } from '../../src/hart/index.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { BareMachine, JIT_MODES } from '../support/riscv/bare-machine.js';

const CODE = 0x1_0000;
const DATA = 0x4_0000;
const ECALL = encode('ecall');
const LOAD = CODE;
const STORE = CODE + 8;
/** Tags of 9 bits, of which 0 is none. */
const TAGS = 511;

describe.each(JIT_MODES)('with %o', (mode) => {
  let machine: BareMachine;
  let hart: Hart;

  beforeEach(() => {
    machine = new BareMachine({ ...mode, ramBytes: 32 * 2 ** 20 });
    hart = machine.hart;
  });

  afterEach(() => {
    expect(machine.audit()).toEqual([]);
    machine[Symbol.dispose]();
    expect(machine.memory.statistics().byUsage).toMatchObject({ Frame: 0, PageTable: 0, Kernel: 0 });
  });

  /** A space with code that loads a0 from the address in a1, and that stores it there. */
  const placeCode = (space: AddressSpace = machine.space): void => {
    const code = [
      encode('ld', { rd: x.a0, rs1: x.a1 }),
      ECALL,
      encode('sd', { rs1: x.a1, rs2: x.a0 }),
      ECALL,
    ];
    machine.place(CODE, codeBytes(code), 'r-x', { space });
  };

  /** Runs without resolving page faults, unless they are fetches. */
  const runAt = (at: number, address: number, value: bigint, space: AddressSpace): Stop => {
    hart.enter(space.table);
    hart.registers[x.a0] = value;
    hart.registers[x.a1] = BigInt(address);
    hart.pc = BigInt(at);
    return hart.run(10);
  };

  const load = (address: number, space: AddressSpace = machine.space): bigint | 'page-fault' =>
    runAt(LOAD, address, 0xdeadn, space) === 'page-fault' ? 'page-fault' : hart.registers[x.a0]!;
  const store = (address: number, value: bigint, space: AddressSpace = machine.space): Stop =>
    runAt(STORE, address, value, space);

  describe('the TLB', () => {
    test('protect to read-only: reads go on, writes fault', () => {
      placeCode();
      machine.place(DATA, Uint8Array.of(5), 'rw-');
      expect(store(DATA, 6n)).toBe('system-call');
      expect(load(DATA)).toBe(6n);
      machine.space.protect(virtAddr(DATA), PAGE_SIZE, 'r--');
      expect(store(DATA, 7n)).toBe('page-fault');
      expect(hart.fault.access).toBe('write');
      expect(load(DATA)).toBe(6n);
      machine.space.protect(virtAddr(DATA), PAGE_SIZE, '---');
      expect(load(DATA)).toBe('page-fault');
    });

    test('taking away the right to execute: fetches fault', () => {
      placeCode();
      expect(load(CODE)).not.toBe('page-fault');
      machine.space.protect(virtAddr(CODE), PAGE_SIZE, 'r--');
      expect(load(CODE)).toBe('page-fault');
      expect(hart.fault.access).toBe('execute');
    });

    test('unmap: every access faults, and a new mapping shows its own content', () => {
      placeCode();
      machine.place(DATA, Uint8Array.of(5), 'rw-');
      expect(load(DATA)).toBe(5n);
      expect(store(DATA, 6n)).toBe('system-call');
      machine.space.unmap(virtAddr(DATA), PAGE_SIZE);
      expect(load(DATA)).toBe('page-fault');
      expect(store(DATA, 7n)).toBe('page-fault');
      machine.place(DATA, Uint8Array.of(8), 'rw-');
      expect(load(DATA)).toBe(8n);
    });

    test('after a fork a write faults in parent and child, and each then has its own', () => {
      placeCode();
      machine.place(DATA, Uint8Array.of(5), 'rw-');
      expect(store(DATA, 6n)).toBe('system-call');
      expect(load(DATA)).toBe(6n);
      using child = machine.space.fork();
      expect(store(DATA, 7n)).toBe('page-fault');
      expect(store(DATA, 8n, child)).toBe('page-fault');
      expect(load(DATA)).toBe(6n);
      expect(load(DATA, child)).toBe(6n);
      for (const [space, value] of [
        [child, 8n],
        [machine.space, 7n],
      ] as const) {
        expect(store(DATA, value, space)).toBe('page-fault');
        expect(space.handleFault(hart.fault.page, hart.fault.access).kind).toBe('resolved');
        expect(store(DATA, value, space)).toBe('system-call');
      }
      expect(load(DATA)).toBe(7n);
      expect(load(DATA, child)).toBe(8n);
    });

    test('a read of the zero frame shows zero until the page is written, then what was written', () => {
      placeCode();
      machine.space.map({ at: virtAddr(DATA), lengthBytes: PAGE_SIZE, protection: 'rw-' });
      machine.space.handleFault(vpnOf(virtAddr(DATA)), 'read');
      expect(load(DATA)).toBe(0n);
      expect(store(DATA, 9n)).toBe('page-fault');
      machine.space.handleFault(hart.fault.page, 'write');
      expect(store(DATA, 9n)).toBe('system-call');
      expect(load(DATA)).toBe(9n);
      expect(machine.memory.bytes[machine.virtualMemory.zeroFrame * PAGE_SIZE]).toBe(0);
    });

    test('pages that share a line take turns', () => {
      placeCode();
      const apart = TLB_LINES.read * PAGE_SIZE;
      const addresses = [DATA, DATA + apart, DATA + 2 * apart];
      for (const [index, at] of addresses.entries()) machine.place(at, Uint8Array.of(index + 1), 'rw-');
      for (let turn = 0; turn < 3; turn++) {
        for (const [index, at] of addresses.entries()) {
          expect(load(at)).toBe(BigInt(index + 1 + turn));
          expect(store(at, BigInt(index + 2 + turn))).toBe('system-call');
        }
      }
    });

    test('frames above 2 GiB are reached as those below are', () => {
      using large = new BareMachine({ ...mode, ramBytes: 2 ** 31 + 4 * 2 ** 20 });
      const { memory, hart: hartThere } = large;
      // The first half of RAM is taken.
      while (memory.allocate(Usage.Frame) < 2 ** 31 / PAGE_SIZE);
      const code = [
        encode('sd', { rs1: x.a1, rs2: x.a2, imm: -4 }),
        encode('ld', { rd: x.a0, rs1: x.a1, imm: -4 }),
        encode('amoadd.d', { rd: x.a3, rs1: x.a1, rs2: x.a2 }),
        encode('sd', { rs1: x.a4, rs2: x.a2 }),
        encode('ld', { rd: x.a5, rs1: x.a4 }),
        ECALL,
      ];
      const at = DATA + PAGE_SIZE - 6;
      large.place(at, codeBytes(code), 'rwx', { pages: 2 });
      large.place(DATA - PAGE_SIZE, new Uint8Array(1), 'rw-');
      expect(large.frameAt(at)).toBeGreaterThan(2 ** 31 / PAGE_SIZE);
      for (let turn = 1; turn <= 3; turn++) {
        hartThere.registers[x.a1] = BigInt(DATA + 16);
        hartThere.registers[x.a2] = BigInt(turn);
        // Beside the code, on its page.
        hartThere.registers[x.a4] = BigInt(DATA + PAGE_SIZE + 64);
        hartThere.pc = BigInt(at);
        expect(large.run(10)).toBe('system-call');
        expect(hartThere.registers[x.a0]).toBe(BigInt(turn));
        expect(hartThere.registers[x.a5]).toBe(BigInt(turn));
      }
      expect(hartThere.audit()).toEqual([]);
    });

    test('more address spaces than there are tags never see each other', () => {
      placeCode();
      const spaces = [machine.space];
      machine.place(DATA, new Uint8Array(8), 'rw-');
      for (let index = 1; index < TAGS + 40; index++) {
        const space = machine.virtualMemory.createSpace();
        placeCode(space);
        machine.place(DATA, new Uint8Array(8), 'rw-', { space });
        spaces.push(space);
      }
      for (const [index, space] of spaces.entries()) {
        expect(store(DATA, BigInt(index) * 3n, space)).toBe('system-call');
      }
      // In another order, twice, so that tags of one generation meet lines of the last.
      for (let turn = 0; turn < 2; turn++) {
        for (let step = 0; step < spaces.length; step++) {
          const index = (step * 97) % spaces.length;
          expect(load(DATA, spaces[index])).toBe(BigInt(index) * 3n);
        }
        expect(machine.audit()).toEqual([]);
      }
      for (const space of spaces.slice(1)) space.close();
    });

    test('more forks than there are tags leave no right to write behind', () => {
      placeCode();
      machine.place(DATA, new Uint8Array(8), 'rw-');
      let value = 1n;
      for (let turn = 0; turn < TAGS + 40; turn++) {
        hart.enter(machine.space.table);
        hart.registers[x.a0] = value;
        hart.registers[x.a1] = BigInt(DATA);
        hart.pc = BigInt(STORE);
        expect(machine.run(10)).toBe('system-call');
        using child = machine.space.fork();
        expect(store(DATA, 99n)).toBe('page-fault');
        expect(load(DATA, child)).toBe(value);
        value++;
      }
    });
  });
});
