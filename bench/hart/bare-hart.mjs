// @ts-check
/**
 * A hart that runs one program without a kernel: RAM, virtual memory, one address space, and two of Linux's system calls.
 * Page faults are resolved as the kernel does it, without leaving the hart (docs/decisions/0016).
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  copyIn,
  copyOut,
  DEFAULT_CODE_SLOTS,
  Hart,
  MAX_BUDGET,
  parseElf,
  PhysicalMemory,
  Tlb,
  virtAddr,
  VirtualMemory,
} from '@holstein/core';

const RAM_BYTES = 64 * 2 ** 20;
const PAGE = 4096;
const SYSTEM_CALL = { write: 64, exit: 93 };
const [A0, A1, A2, A7] = [10, 11, 12, 17];
const ECALL_BYTES = 4n;
/** What a page fault costs of a quantum, as under the kernel. */
const PAGE_FAULT_COST = 200;
/** After so long the event loop has a turn, as under the machine: what is made beside the program can come in. */
const TURN_MS = 10;

/** @typedef {'auto' | 'off' | 'eager'} Jit */

/** @param {Uint8Array} program an ELF file @param {Jit} jit */
export const createBareHart = (program, jit) => {
  const options = { codeSlots: DEFAULT_CODE_SLOTS, jit };
  const memory = new PhysicalMemory({ sizeBytes: RAM_BYTES, reservedBytes: Hart.reservedBytes(options) });
  const tlb = new Tlb(memory);
  const virtualMemory = new VirtualMemory(memory, tlb);
  const hart = new Hart(memory, tlb, options);
  const space = virtualMemory.createSpace();
  load(space, hart, program);
  hart.enter(space.table);
  return new BareHart(hart, space);
};

/**
 * @param {import('@holstein/core').AddressSpace} space
 * @param {Hart} hart
 * @param {Uint8Array} program
 */
const load = (space, hart, program) => {
  const image = parseElf(program);
  if (image.kind === 'problem') throw new Error(`the program ${image.problem}`);
  for (const { address, memoryBytes, offset, fileBytes, protection } of image.segments) {
    const start = address - (address % PAGE);
    const lengthBytes = Math.ceil((address + memoryBytes - start) / PAGE) * PAGE;
    space.map({ at: virtAddr(start), lengthBytes, protection: 'rw-' });
    const copied = copyOut(space, virtAddr(address), program.subarray(offset, offset + fileBytes));
    if (copied !== 'ok') throw new Error(`the program cannot be loaded: ${copied}`);
    space.protect(virtAddr(start), lengthBytes, protection);
  }
  hart.pc = BigInt(image.entry);
};

export class BareHart {
  /** What the program has written. */
  output = '';
  /** @type {number | undefined} its exit status, once it has ended */
  status = undefined;
  /** Instructions that have been run. */
  retired = 0;

  /** @param {Hart} hart @param {import('@holstein/core').AddressSpace} space */
  constructor(hart, space) {
    this.hart = hart;
    this.space = space;
    /** @type {import('@holstein/core').FaultResolver} */
    this.resolver = (page, access) =>
      space.handleFault(page, access).kind === 'resolved' ? PAGE_FAULT_COST : 0;
  }

  /**
   * Runs until the program ends, or so many instructions have been run in all.
   * @param {number} [limit]
   */
  async run(limit = Number.POSITIVE_INFINITY) {
    let turnEnds = performance.now() + TURN_MS;
    while (this.status === undefined && this.retired < limit) {
      const stop = this.hart.run(Math.min(MAX_BUDGET, limit - this.retired), this.resolver);
      this.retired += this.hart.retired;
      if (stop === 'system-call') this.#systemCall();
      else if (stop !== 'budget' && stop !== 'interrupted') throw new Error(this.#explain(stop));
      if (performance.now() < turnEnds) continue;
      await nextTurn();
      turnEnds = performance.now() + TURN_MS;
    }
  }

  #systemCall() {
    const { hart } = this;
    const call = hart.registerAsNumber(A7);
    if (call === SYSTEM_CALL.exit) {
      this.status = hart.registerAsInt(A0) & 0xff;
      return;
    }
    if (call !== SYSTEM_CALL.write) throw new Error(`system call ${call} is not answered here`);
    const bytes = new Uint8Array(hart.registerAsNumber(A2));
    if (copyIn(this.space, virtAddr(hart.registerAsNumber(A1)), bytes) !== 'ok') {
      throw new Error('the program writes what it has no memory for');
    }
    this.output += new TextDecoder().decode(bytes);
    hart.registers[A0] = BigInt(bytes.length);
    hart.pc += ECALL_BYTES;
  }

  /** @param {import('@holstein/core').Stop} stop */
  #explain(stop) {
    const { access, page, offset } = this.hart.fault;
    const where = stop === 'page-fault' ? `: ${access} at 0x${(page * PAGE + offset).toString(16)}` : '';
    return `${stop} at pc 0x${this.hart.pc.toString(16)}${where}`;
  }
}
