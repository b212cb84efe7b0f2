/** Compiled code belongs to frames: it runs wherever they are mapped, and nowhere that they are not. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FrameNumber, PAGE_SIZE, virtAddr, vpn } from '../../src/frame/index.js';
import type { Hart } from '../../src/hart/index.js';
import { PTE_A, PTE_R, PTE_U, PTE_X } from '../../src/paging/index.js';
import { type AddressSpace, copyOut } from '../../src/space/index.js';
import { codeBytes, encode, x } from '../support/riscv/assembler.js';
import { BareMachine, type BareMachineOptions } from '../support/riscv/bare-machine.js';

const CODE = 0x1_0000;
const SECOND = CODE + PAGE_SIZE;
const FAR = 0x3_0000;
const SOURCES = 0x9_0000;
const ECALL = encode('ecall');
const RETURN = encode('jalr', { rs1: x.ra });
const COMPILING: readonly BareMachineOptions[] = [
  { jit: 'eager' },
  { jit: 'auto', jitThreshold: 1 },
  { jit: 'auto', jitThreshold: 3 },
];

const add = (imm: number): number => encode('addi', { rd: x.a0, rs1: x.a0, imm });
const jump = (from: number, to: number, rd: number = x.zero): number => encode('jal', { rd, imm: to - from });

let machine: BareMachine;
let hart: Hart;
/** Pages that a test has put where it wanted them: taken away again before the audit, which knows nothing of them. */
let extra: { readonly space: AddressSpace; readonly page: number; readonly frame: FrameNumber }[];

const begin = (options: BareMachineOptions): void => {
  machine = new BareMachine({ checking: 'on', ...options });
  ({ hart } = machine);
  extra = [];
};

afterEach(() => {
  for (const { space, page, frame } of extra) {
    space.table.unmap(vpn(page));
    machine.memory.release(frame);
  }
  expect(machine.audit()).toEqual([]);
  machine[Symbol.dispose]();
});

/** Maps a frame once more, executable. */
const share = (frame: FrameNumber, at: number, space: AddressSpace = machine.space): void => {
  machine.memory.retain(frame);
  space.table.map(vpn(at / PAGE_SIZE), frame, PTE_U | PTE_R | PTE_X | PTE_A);
  extra.push({ space, page: at / PAGE_SIZE, frame });
};

/** A frame with code, by its place among the sources. */
const frameWith = (number: number, page: Uint8Array): FrameNumber => {
  machine.place(SOURCES + number * PAGE_SIZE, page, 'r-x');
  return machine.frameAt(SOURCES + number * PAGE_SIZE);
};

/** A page with code at some offsets. */
const pageOf = (parts: Readonly<Record<number, readonly number[]>>): Uint8Array => {
  const page = new Uint8Array(PAGE_SIZE);
  for (const [offset, code] of Object.entries(parts)) {
    const bytes = codeBytes(code);
    page.set(bytes.subarray(0, PAGE_SIZE - Number(offset)), Number(offset));
  }
  return page;
};

const call = (at: number, space: AddressSpace = machine.space): number => {
  hart.enter(space.table);
  hart.pc = BigInt(at);
  hart.registers[x.a0] = 0n;
  expect(machine.run(100_000, space)).toBe('system-call');
  return hart.registerAsInt(x.a0);
};

const warm = (at: number, space?: AddressSpace): void => {
  for (let turn = 0; turn < 6; turn++) call(at, space);
};

/** Calls what lies on the next page at its start, twice, and says where it is. */
const CALLER = pageOf({
  0: [jump(0, PAGE_SIZE, x.ra), add(1), jump(8, PAGE_SIZE, x.ra), encode('auipc', { rd: x.a1 }), ECALL],
});
const callee = (value: number): Uint8Array =>
  pageOf({ 0: [add(value), encode('auipc', { rd: x.a2 }), RETURN] });

describe.each(COMPILING)('with %o', (options) => {
  beforeEach(() => begin(options));

  test('one frame at two addresses runs at each, and knows where it is', () => {
    const loop = [
      encode('auipc', { rd: x.a1 }),
      add(1),
      encode('addi', { rd: x.a3, rs1: x.a3, imm: -1 }),
      encode('bne', { rs1: x.a3, imm: -8 }),
      jump(16, 24, x.ra),
      ECALL,
      encode('addi', { rd: x.a2, rs1: x.ra }),
      RETURN,
    ];
    const frame = frameWith(0, pageOf({ 0: loop }));
    for (const at of [CODE, FAR]) share(frame, at);
    for (let turn = 0; turn < 10; turn++) {
      const at = turn % 2 === 0 ? CODE : FAR;
      hart.registers[x.a3] = 20n;
      expect(call(at)).toBe(20);
      expect(hart.registers[x.a1]).toBe(BigInt(at));
      expect(hart.registers[x.a2]).toBe(BigInt(at + 20));
      expect(hart.pc).toBe(BigInt(at + 20));
    }
  });

  test('one frame with other neighbours at another address calls those', () => {
    const caller = frameWith(0, CALLER);
    share(caller, CODE);
    share(caller, FAR);
    share(frameWith(1, callee(10)), SECOND);
    share(frameWith(2, callee(200)), FAR + PAGE_SIZE);
    for (let turn = 0; turn < 10; turn++) {
      expect(call(CODE)).toBe(21);
      expect(hart.registers[x.a2]).toBe(BigInt(SECOND + 4));
      expect(call(FAR)).toBe(401);
      expect(hart.registers[x.a2]).toBe(BigInt(FAR + PAGE_SIZE + 4));
      expect(hart.registers[x.a1]).toBe(BigInt(FAR + 12));
    }
  });

  test('one frame with nothing beside it at another address faults there', () => {
    const caller = frameWith(0, CALLER);
    share(caller, CODE);
    share(frameWith(1, callee(10)), SECOND);
    warm(CODE);
    share(caller, FAR);
    hart.pc = BigInt(FAR);
    expect(machine.run(100)).toBe('page-fault');
    expect({ ...hart.fault }).toEqual({ access: 'execute', page: FAR / PAGE_SIZE + 1, offset: 0 });
    expect(hart.pc).toBe(BigInt(FAR + PAGE_SIZE));
    expect(hart.retired).toBe(1);
  });

  test('an instruction that begins in one frame ends in whichever is mapped behind', () => {
    const head = frameWith(0, pageOf({ [PAGE_SIZE - 6]: [add(1), add(0)] }));
    const tail = (value: number): Uint8Array => {
      const bytes = codeBytes([add(value), add(1), ECALL]).subarray(2);
      return pageOf({}).map((_, index) => bytes[index] ?? 0);
    };
    share(head, CODE);
    share(head, FAR);
    share(frameWith(1, tail(50)), SECOND);
    share(frameWith(2, tail(700)), FAR + PAGE_SIZE);
    for (let turn = 0; turn < 8; turn++) {
      expect(call(CODE + PAGE_SIZE - 6)).toBe(52);
      expect(call(FAR + PAGE_SIZE - 6)).toBe(702);
    }
  });

  test.each([0, 1, 2, 3])(
    'one frame on neighbouring pages jumps to the one that is meant (%d first)',
    (first) => {
      const page = pageOf({
        0: [
          encode('auipc', { rd: x.a1 }),
          encode('add', { rd: x.a0, rs1: x.a0, rs2: x.a1 }),
          encode('addi', { rd: x.a3, rs1: x.a3, imm: -1 }),
          encode('bne', { rs1: x.a3, imm: 8 }),
          ECALL,
          encode('jalr', { rs1: x.t2 }),
        ],
        0x100: [jump(0x100, PAGE_SIZE + 0x200)],
        0x200: [encode('jalr', { rs1: x.t1 })],
        0x300: [jump(0x300, 0), 0],
        0x400: [encode('beq', { rs1: x.a4, imm: -0x400 }), jump(0x404, PAGE_SIZE + 0x300)],
      });
      const frame = frameWith(0, page);
      for (const at of [CODE, SECOND, SECOND + PAGE_SIZE]) share(frame, at);
      const starts = [CODE + 0x100, CODE + 0x200, SECOND + 0x200, CODE + 0x400];
      for (let turn = 0; turn < 48; turn++) {
        const at = starts[(turn + first) % 4]!;
        const [t1, t2] = [turn & 4 ? CODE : SECOND, turn & 8 ? CODE : SECOND];
        hart.registers[x.t1] = BigInt(t1);
        hart.registers[x.t2] = BigInt(t2);
        hart.registers[x.a3] = 30n;
        hart.registers[x.a4] = BigInt(turn & 1);
        const place = at !== CODE + 0x400 ? t1 : (turn & 1) === 0 ? CODE : SECOND;
        expect(call(at), `turn ${turn}`).toBe(place + 29 * t2);
        expect(hart.pc).toBe(BigInt(t2 + 16));
      }
    },
  );

  test('one frame on neighbouring pages returns to the page that is meant', () => {
    const [head, start, onward] = [0x40, 0x200, 0x300];
    const page = pageOf({
      // A loop, left by a return to its head on the page that ra names.
      [head]: [
        encode('auipc', { rd: x.a1 }),
        encode('add', { rd: x.a0, rs1: x.a0, rs2: x.a1 }),
        encode('addi', { rd: x.a3, rs1: x.a3, imm: -1 }),
        encode('beq', { rs1: x.a3, imm: 12 }),
        encode('bne', { rs1: x.a4, imm: -16 }),
        RETURN,
        ECALL,
      ],
      [start]: [encode('beq', { rs1: x.a5, imm: head - start }), jump(start + 4, PAGE_SIZE + onward)],
      [onward]: [jump(onward, head)],
    });
    const frame = frameWith(0, page);
    for (const at of [CODE, SECOND]) share(frame, at);
    for (let turn = 0; turn < 24; turn++) {
      const [first, others] = [turn & 1 ? SECOND : CODE, turn & 2 ? SECOND : CODE];
      hart.registers[x.ra] = BigInt(others + head);
      hart.registers[x.a3] = 30n;
      hart.registers[x.a4] = 0n;
      hart.registers[x.a5] = BigInt(turn & 1);
      expect(call(CODE + start), `turn ${turn}`).toBe(first + 29 * others + 30 * head);
      expect(hart.pc).toBe(BigInt(others + head + 24));
    }
  });

  test('the second page of a region may be mapped to another frame, and back', () => {
    share(frameWith(0, CALLER), CODE);
    const frames = [10, 20, 30].map((value, index) => frameWith(index + 1, callee(value)));
    machine.memory.retain(frames[0]!);
    for (let turn = 0; turn < 12; turn++) {
      share(frames[turn % 3]!, SECOND);
      for (let time = 0; time < 3; time++) expect(call(CODE)).toBe(2 * [10, 20, 30][turn % 3]! + 1);
      const { frame, page } = extra.pop()!;
      machine.space.table.unmap(vpn(page));
      machine.memory.release(frame);
      hart.pc = BigInt(CODE);
      expect(machine.run(10)).toBe('page-fault');
      expect(hart.pc).toBe(BigInt(SECOND));
    }
    machine.memory.release(frames[0]!);
  });

  test('pages that may no longer be executed are not, in the middle of a region too', () => {
    machine.place(CODE, CALLER, 'r-x');
    machine.place(SECOND, callee(10), 'r-x');
    warm(CODE);
    for (const page of [SECOND, CODE]) {
      machine.space.protect(virtAddr(page), PAGE_SIZE, 'r--');
      hart.pc = BigInt(CODE);
      expect(machine.run(100)).toBe('page-fault');
      expect({ ...hart.fault }).toEqual({ access: 'execute', page: page / PAGE_SIZE, offset: 0 });
      expect(hart.pc).toBe(BigInt(page));
      machine.space.protect(virtAddr(page), PAGE_SIZE, 'r-x');
      expect(call(CODE)).toBe(21);
    }
  });

  test('other code at the same addresses runs, whether or not it gets the same frames', () => {
    for (let value = 1; value < 20; value++) {
      machine.place(CODE, CALLER, 'r-x');
      machine.place(SECOND, callee(value), 'r-x');
      expect(call(CODE)).toBe(2 * value + 1);
      expect(call(CODE)).toBe(2 * value + 1);
      // The frames come back in another order, or as data.
      machine.space.unmap(virtAddr(value % 3 === 0 ? SECOND : CODE), PAGE_SIZE);
      if (value % 2 === 0) machine.place(FAR + value * PAGE_SIZE, Uint8Array.of(1, 2, 3), 'rw-');
      machine.space.unmap(virtAddr(value % 3 === 0 ? CODE : SECOND), PAGE_SIZE);
    }
  });

  test('both sides of a fork run the code that they have, after either wrote it', () => {
    machine.place(CODE, CALLER, 'rwx');
    machine.place(SECOND, callee(10), 'rwx');
    warm(CODE);
    using child = machine.space.fork();
    using grandchild = child.fork();
    expect([call(CODE), call(CODE, child), call(CODE, grandchild)]).toEqual([21, 21, 21]);
    copyOut(child, virtAddr(SECOND), codeBytes([add(20)]));
    expect([call(CODE), call(CODE, child), call(CODE, grandchild)]).toEqual([21, 41, 21]);
    copyOut(machine.space, virtAddr(CODE + 4), codeBytes([add(3)]));
    for (let turn = 0; turn < 4; turn++) {
      expect([call(CODE), call(CODE, child), call(CODE, grandchild)]).toEqual([23, 41, 21]);
    }
    copyOut(grandchild, virtAddr(SECOND), codeBytes([add(30)]));
    expect([call(CODE), call(CODE, child), call(CODE, grandchild)]).toEqual([23, 41, 61]);
  });

  test('a program that writes the copy-on-write page that it runs from goes on in the copy', () => {
    const code = [add(1), encode('sw', { rs1: x.a2, rs2: x.a1 }), add(1), add(1), ECALL];
    machine.place(CODE, codeBytes(code), 'rwx');
    machine.place(FAR, new Uint8Array(8), 'rw-');
    hart.registers[x.a2] = BigInt(FAR);
    warm(CODE);
    using child = machine.space.fork();
    hart.registers[x.a1] = BigInt(add(100));
    hart.registers[x.a2] = BigInt(CODE + 8);
    expect(call(CODE, child)).toBe(102);
    hart.registers[x.a2] = BigInt(FAR);
    expect(call(CODE, child)).toBe(102);
    expect(call(CODE)).toBe(3);
  });

  test('a writable page of data becomes copy on write under compiled stores', () => {
    const code = [
      encode('ld', { rd: x.a1, rs1: x.a2 }),
      encode('addi', { rd: x.a1, rs1: x.a1, imm: 1 }),
      encode('sd', { rs1: x.a2, rs2: x.a1 }),
      encode('sd', { rs1: x.a2, rs2: x.a1, imm: 8 }),
      add(1),
      encode('bne', { rs1: x.a0, rs2: x.a3, imm: -20 }),
      ECALL,
    ];
    machine.place(CODE, codeBytes(code), 'r-x');
    machine.place(FAR, new Uint8Array(16), 'rw-');
    hart.registers[x.a2] = BigInt(FAR);
    hart.registers[x.a3] = 10n;
    warm(CODE);
    using child = machine.space.fork();
    const numbers = (space: AddressSpace): number[] => [
      ...new Float64Array(Array.from(new BigUint64Array(machine.read(FAR, 16, space).buffer), Number)),
    ];
    call(CODE);
    expect([numbers(machine.space), numbers(child)]).toEqual([
      [70, 70],
      [60, 60],
    ]);
    call(CODE, child);
    call(CODE, child);
    expect([numbers(machine.space), numbers(child)]).toEqual([
      [70, 70],
      [80, 80],
    ]);
    machine.space.protect(virtAddr(FAR), PAGE_SIZE, 'r--');
    hart.enter(machine.space.table);
    hart.pc = BigInt(CODE);
    expect(machine.run(10)).toBe('page-fault');
    expect(hart.fault.access).toBe('write');
    expect(hart.pc).toBe(BigInt(CODE + 8));
    machine.space.protect(virtAddr(FAR), PAGE_SIZE, '---');
    hart.pc = BigInt(CODE);
    expect(machine.run(10)).toBe('page-fault');
    expect(hart.fault.access).toBe('read');
    expect(hart.pc).toBe(BigInt(CODE));
  });
});

test('processes that share frames share what was compiled of them', () => {
  begin({ jit: 'eager' });
  machine.place(CODE, CALLER, 'r-x');
  machine.place(SECOND, callee(10), 'r-x');
  warm(CODE);
  const { compiledRegions } = hart.compilation;
  expect(compiledRegions).toBeGreaterThan(0);
  using child = machine.space.fork();
  expect(call(CODE, child)).toBe(21);
  expect(hart.compilation.compiledRegions).toBe(compiledRegions);
});
