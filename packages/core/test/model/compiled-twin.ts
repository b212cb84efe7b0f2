/**
 * One program, run in the same way on several harts that compile more or less of it: what can be seen of them must be the same
 * after each step.
 *
 * A script says what happens: runs with budgets, and between them what a kernel does: it writes code, forks, switches, takes
 * pages away or moves them to other frames. Whatever the program does, it goes on: a page that was taken away comes back when
 * it is missed, and an instruction that cannot run is passed over.
 */
import { type Access } from '../../src/paging/index.js';
import { PAGE_SIZE, virtAddr, type Vpn } from '../../src/frame/index.js';
import { CONTEXT_BYTES, decode, type FaultResolver, type Stop } from '../../src/hart/index.js';
import { type AddressSpace, copyIn, copyOut } from '../../src/space/index.js';
import type { Random } from '../support/random.js';
import { codeBytes, x } from '../support/riscv/assembler.js';
import { BareMachine, type BareMachineOptions } from '../support/riscv/bare-machine.js';
import { type BlocksProgram, CODE, DATA, DATA_PAGES, EXIT_CALL } from '../support/riscv/random-blocks.js';

/** What the kernel does, or for how many instructions the program runs. `page` counts the program's code, then its data. */
export type ScriptStep =
  | { readonly kind: 'run'; readonly budget: number }
  | { readonly kind: 'patch'; readonly patch: number }
  | { readonly kind: 'fork' }
  | { readonly kind: 'switch'; readonly to: number }
  | { readonly kind: 'protect' | 'unmap' | 'move'; readonly page: number };

export interface Script {
  readonly steps: readonly ScriptStep[];
  /** The most that a fault costs which is resolved within a run; 0 where faults are resolved at stops. */
  readonly mostCost: number;
}

const MOST_SPACES = 3;
const FIRST_PAGES = [CODE / PAGE_SIZE, DATA / PAGE_SIZE] as const;

export interface ScriptOptions {
  readonly steps: number;
  readonly mostBudget: number;
  /** Whether the kernel does anything between runs. */
  readonly events: 'none' | 'all';
  readonly mostCost?: number;
}

export const randomScript = (
  random: Random,
  { code, patches }: BlocksProgram,
  { steps, mostBudget, events, mostCost = 0 }: ScriptOptions,
): Script => {
  const pages = code.length / PAGE_SIZE + DATA_PAGES;
  const event = (): ScriptStep => {
    const page = random.below(pages);
    switch (random.below(9)) {
      case 0:
      case 1:
      case 2:
        return { kind: 'patch', patch: random.below(patches.length) };
      case 3:
        return { kind: 'fork' };
      case 4:
      case 5:
        return { kind: 'switch', to: random.below(MOST_SPACES) };
      case 6:
        return { kind: 'protect', page };
      case 7:
        return { kind: 'unmap', page: code.length / PAGE_SIZE + 1 + random.below(DATA_PAGES - 1) };
      default:
        return { kind: 'move', page };
    }
  };
  return {
    mostCost,
    steps: Array.from({ length: steps }, (): ScriptStep => {
      if (events === 'all' && random.below(3) === 0) return event();
      return { kind: 'run', budget: 1 + random.below(1 + random.below(mostBudget)) };
    }),
  };
};

interface Process {
  readonly space: AddressSpace;
  readonly context: Uint8Array;
}

export interface Observed {
  /** A line for each run: why it stopped, and all that can be seen then. */
  readonly lines: readonly string[];
  /** What each address space has in its memory at the end. */
  readonly memories: readonly Uint8Array[];
  readonly retired: number;
  readonly compiledRegions: number;
  readonly thrownAway: number;
}

/** Runs a program as a script says. @throws Error where a budget is not exact, or the audit finds something. */
export const observe = (program: BlocksProgram, script: Script, options: BareMachineOptions): Observed => {
  const run = new ObservedRun(program, script, options);
  try {
    return run.all();
  } finally {
    run.machine[Symbol.dispose]();
  }
};

/** Runs it on a hart that compiles nothing and on others, and compares. @returns what was seen of the last of the others. */
export const compareRuns = (
  program: BlocksProgram,
  script: Script,
  others: readonly BareMachineOptions[],
  common: BareMachineOptions = {},
): Observed => {
  const expected = observe(program, script, { ...common, jit: 'off' });
  let last = expected;
  for (const options of others) {
    last = observe(program, script, { ...common, ...options });
    const differs = last.lines.findIndex((line, index) => line !== expected.lines[index]);
    if (differs !== -1) {
      throw new Error(
        `${JSON.stringify(options)}: line ${differs} is\n${last.lines[differs]}\nand interpreted\n` +
          `${expected.lines[differs]}\nafter\n${expected.lines[differs - 1] ?? 'the start'}`,
      );
    }
    if (last.lines.length !== expected.lines.length)
      throw new Error(`${JSON.stringify(options)}: ends early`);
    for (const [space, memory] of last.memories.entries()) {
      const at = memory.findIndex((byte, index) => byte !== expected.memories[space]![index]);
      if (at !== -1) throw new Error(`${JSON.stringify(options)}: space ${space} differs at byte ${at}`);
    }
  }
  return last;
};

class ObservedRun {
  readonly machine: BareMachine;
  readonly #program: BlocksProgram;
  readonly #script: Script;
  readonly #processes: Process[] = [];
  readonly #lines: string[] = [];
  readonly #codePages: number;
  #current!: Process;
  #retired = 0;
  #isDone = false;

  constructor(program: BlocksProgram, script: Script, options: BareMachineOptions) {
    this.#program = program;
    this.#script = script;
    this.#codePages = program.code.length / PAGE_SIZE;
    this.machine = new BareMachine(options);
    const { space, hart } = this.machine;
    this.machine.place(CODE, program.code, 'rwx');
    this.machine.place(DATA, program.data, 'rw-');
    hart.pc = BigInt(program.entry);
    this.#current = { space, context: new Uint8Array(CONTEXT_BYTES) };
    this.#processes.push(this.#current);
  }

  all(): Observed {
    const { hart } = this.machine;
    for (const step of this.#script.steps) {
      if (this.#isDone) break;
      if (step.kind === 'run') this.#run(step.budget);
      else this.#doEvent(step);
    }
    const problems = this.machine.audit();
    if (problems.length > 0) throw new Error(`the audit finds ${problems.join('; ')}`);
    const { compiledRegions, thrownAway } = hart.compilation;
    return {
      lines: this.#lines,
      memories: this.#processes.map(({ space }) => this.#memoryOf(space)),
      retired: this.#retired,
      compiledRegions,
      thrownAway: Object.values(thrownAway).reduce((sum, count) => sum + count, 0),
    };
  }

  /** Runs for a budget; stops on the way are seen, and done something about. */
  #run(budget: number): void {
    const { hart } = this.machine;
    const { mostCost } = this.#script;
    let left = budget;
    while (left > 0 && !this.#isDone) {
      let charged = 0;
      const resolver: FaultResolver = (page, access) => {
        if (!this.#resolve(page, access)) return 0;
        const cost = 1 + ((page * 7919) % mostCost);
        charged += cost;
        return cost;
      };
      const stop = mostCost === 0 ? hart.run(left) : hart.run(left, resolver);
      const { retired } = hart;
      if (stop === 'budget' && charged === 0 && retired !== left) {
        throw new Error(`a budget of ${left} ended after ${retired} instructions`);
      }
      if (retired > left) throw new Error(`${retired} instructions in a budget of ${left}`);
      this.#retired += retired;
      left = Math.max(0, left - retired - charged);
      // Only a hart's own matter: how much it has decoded.
      if (stop === 'interrupted') continue;
      this.#see(stop, left);
      if (stop === 'budget') return;
      this.#goOn(stop);
      // What is passed over takes its turn too: it may lead in circles.
      left--;
    }
  }

  #see(stop: Stop, left: number): void {
    const { hart } = this.machine;
    const { access, page, offset } = hart.fault;
    const fault = stop === 'page-fault' ? ` ${access} 0x${page.toString(16)} ${offset}` : '';
    const hex = (values: BigUint64Array): string =>
      Array.from(values, (value) => value.toString(16)).join(' ');
    this.#lines.push(
      `${stop}${fault} pc ${hart.pc.toString(16)} retired ${this.#retired} left ${left} fcsr ${hart.fcsr}` +
        ` x ${hex(hart.registers)} f ${hex(hart.floatRegisters)}`,
    );
  }

  #goOn(stop: Stop): void {
    const { hart } = this.machine;
    if (stop === 'system-call' && hart.registers[x.a7] === EXIT_CALL) {
      this.#isDone = true;
      return;
    }
    if (stop === 'page-fault') {
      const { page, access } = hart.fault;
      if (this.#resolve(page, access)) return;
      if (access === 'execute') {
        hart.pc = BigInt(this.#program.patches[0]!.address);
        return;
      }
    }
    const low = new Uint8Array(2);
    const read = copyIn(this.#current.space, virtAddr(Number(hart.pc)), low);
    // A page that the program may not read: its instructions are passed over two bytes at a time.
    const size =
      read === 'ok' ? (decode(low[0]! | (low[1]! << 8))?.sizeBytes ?? ((low[0]! & 3) === 3 ? 4 : 2)) : 2;
    hart.pc += BigInt(size);
  }

  /** Makes a page of the program's what it was, if the space has nothing to say about it. */
  #resolve(page: Vpn, access: Access): boolean {
    const { space } = this.#current;
    if (space.handleFault(page, access).kind === 'resolved') return true;
    for (const [first, pages] of [
      [FIRST_PAGES[0], this.#codePages],
      [FIRST_PAGES[1], DATA_PAGES],
    ] as const) {
      if (page < first || page >= first + pages) continue;
      const isCode = first === FIRST_PAGES[0];
      if (access === 'execute' && !isCode) return false;
      const at = virtAddr(page * PAGE_SIZE);
      const protection = isCode ? 'rwx' : 'rw-';
      if (space.mappings.find(page) === undefined) space.map({ at, lengthBytes: PAGE_SIZE, protection });
      else space.protect(at, PAGE_SIZE, protection);
      return true;
    }
    return false;
  }

  #doEvent(step: Exclude<ScriptStep, { kind: 'run' }>): void {
    const { hart } = this.machine;
    const { space } = this.#current;
    switch (step.kind) {
      case 'patch': {
        const { address, word } = this.#program.patches[step.patch]!;
        copyOut(space, virtAddr(address), codeBytes([word]));
        return;
      }
      case 'fork': {
        if (this.#processes.length === MOST_SPACES) return;
        const context = new Uint8Array(CONTEXT_BYTES);
        hart.saveContext(context);
        this.#processes.push({ space: space.fork(), context });
        return;
      }
      case 'switch': {
        const next = this.#processes[step.to % this.#processes.length]!;
        hart.saveContext(this.#current.context);
        if (next !== this.#current) hart.loadContext(next.context);
        this.#current = next;
        hart.enter(next.space.table);
        return;
      }
      default:
        this.#changePage(step.kind, step.page);
    }
  }

  #changePage(kind: 'protect' | 'unmap' | 'move', page: number): void {
    const { space } = this.#current;
    const isCode = page < this.#codePages;
    const vpn = isCode ? FIRST_PAGES[0] + page : FIRST_PAGES[1] + page - this.#codePages;
    const at = virtAddr(vpn * PAGE_SIZE);
    const content = new Uint8Array(PAGE_SIZE);
    if (copyIn(space, at, content) !== 'ok') return;
    if (kind === 'protect') {
      space.protect(at, PAGE_SIZE, 'r--');
      return;
    }
    space.unmap(at, PAGE_SIZE);
    if (kind === 'unmap') return;
    // The same bytes in another frame, or the same one when it is the last that was freed.
    space.map({ at, lengthBytes: PAGE_SIZE, protection: 'rw-' });
    copyOut(space, at, content);
    space.protect(at, PAGE_SIZE, isCode ? 'rwx' : 'rw-');
  }

  #memoryOf(space: AddressSpace): Uint8Array {
    const pages = [
      ...Array.from({ length: this.#codePages }, (_, page) => FIRST_PAGES[0] + page),
      ...Array.from({ length: DATA_PAGES }, (_, page) => FIRST_PAGES[1] + page),
    ];
    const memory = new Uint8Array(pages.length * PAGE_SIZE);
    for (const [index, page] of pages.entries()) {
      const target = memory.subarray(index * PAGE_SIZE, (index + 1) * PAGE_SIZE);
      if (copyIn(space, virtAddr(page * PAGE_SIZE), target) !== 'ok') target.fill(0xee);
    }
    return memory;
  }
}
