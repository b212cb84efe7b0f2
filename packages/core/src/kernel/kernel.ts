/**
 * The kernel: processes, their scheduling, and their lives from spawn to wait. System calls are in
 * system-calls.ts.
 *
 * Processes take turns by a budget of instructions, so every run is deterministic. Time is what has been
 * run: an instruction is a unit, a system call and a page fault are some more, and `instructionsPerTick`
 * units are a tick. When all processes sleep, time leaps to the first that wakes.
 *
 * Nothing that a process does throws out of `step`: it gets -1, or is killed with a message.
 */
import { hex, HolsteinError, InvalidArgument, OutOfMemory } from '../frame/index.js';
import { CONTEXT_BYTES, type FaultResolver, type Hart, MAX_BUDGET, type Stop } from '../hart/index.js';
import { type FaultOutcome, UNMAPPED } from '../paging/index.js';
import type { ForkKind, VirtualMemory } from '../space/index.js';
import { Accounting, PAGE_FAULT_COST, SYSTEM_CALL_COST } from './accounting.js';
import { auditProcesses } from './audit.js';
import { Console } from './console.js';
import { faultReason } from './fault-report.js';
import { type Channel, FileTable, type OpenFile } from './file.js';
import { type ImageFailure, loadImage, type ProgramFile, type ProgramImage } from './image.js';
import { checkLimits, type KernelLimits, XV6_LIMITS } from './limits.js';
import { PagerWaits } from './pager-waits.js';
import { type FailedWait, KILLED_STATUS, Process } from './process.js';
import { Programs } from './programs.js';
import { A0, A1, REPLACED, SP, systemCall } from './system-calls.js';

export interface KernelOptions {
  readonly virtualMemory: VirtualMemory;
  readonly hart: Hart;
  /** Gives the ELF file of a path, or undefined where there is none. */
  readonly findProgram: (path: string) => Uint8Array | undefined;
  readonly limits?: Partial<KernelLimits>;
  /** How fork gives the child its memory. Default: 'tables', copy on write. */
  readonly fork?: ForkKind;
  /** Instructions that a process runs before it is another's turn. Default 100,000. */
  readonly quantumInstructions?: number;
  /** Instructions to a tick of the clock. Default 1,000,000. */
  readonly instructionsPerTick?: number;
  /** Hears what befalls processes, a line at a time. */
  readonly log?: (line: string) => void;
}

/**
 * What a step has left behind.
 *
 *      running             there is more to do
 *      waiting-for-input   every process waits, one at least for console input
 *      waiting-for-output  every process waits, one at least for the host to take output
 *      waiting-for-pager   every process waits, one at least for a memory object's pager
 *      stuck               every process waits for another: nothing will ever happen
 *      halted              process 1 has exited
 */
export type KernelState =
  'running' | 'waiting-for-input' | 'waiting-for-output' | 'waiting-for-pager' | 'stuck' | 'halted';

const ECALL_BYTES = 4n;
const REGISTER_BYTES = 8;
const PC_IN_CONTEXT = CONTEXT_BYTES - 8;

export class Kernel {
  readonly limits: KernelLimits;
  readonly hart: Hart;
  readonly virtualMemory: VirtualMemory;
  readonly console: Console;
  readonly fileTable: FileTable;
  readonly #options: KernelOptions;
  readonly #processes = new Map<number, Process>();
  readonly #quantum: number;
  readonly #instructionsPerTick: number;
  /** Process 1, once it has been spawned. */
  #init: Process | undefined;
  #lastPid = 0;
  /** Whose registers and address space the hart has. */
  #onHart: Process | undefined;
  /** The process that ran last: the next turn is for those after it. */
  #lastRun = 0;
  readonly #accounting: Accounting;
  /** What became of the last page fault. */
  #faultOutcome: FaultOutcome = UNMAPPED;
  readonly #programs: Programs;
  readonly #pagerWaits = new PagerWaits((channel) => this.wake(channel));

  /** @throws HolsteinError EINVAL for a quantum, tick or limit that is not a whole number from 1 up. */
  constructor(options: KernelOptions) {
    this.#options = options;
    this.limits = { ...XV6_LIMITS, ...options.limits };
    checkLimits(this.limits);
    this.hart = options.hart;
    this.virtualMemory = options.virtualMemory;
    this.#accounting = new Accounting(this.hart, this.virtualMemory);
    this.#programs = new Programs(this.virtualMemory.objects);
    this.#quantum = positive('quantumInstructions', options.quantumInstructions ?? 100_000, MAX_BUDGET);
    this.#instructionsPerTick = positive(
      'instructionsPerTick',
      options.instructionsPerTick ?? 1_000_000,
      Number.MAX_SAFE_INTEGER,
    );
    this.console = new Console(this.limits.consoleBytes, (channel) => this.wake(channel));
    this.fileTable = new FileTable(this.limits.openFiles);
  }

  /** Ticks since the kernel was made. */
  get ticks(): number {
    return Math.floor(this.#accounting.time / this.#instructionsPerTick);
  }

  /** Instructions that processes have run. */
  get instructions(): number {
    return this.#accounting.instructions;
  }

  /** Settles when some pager that a process waits for has answered; undefined where none waits. */
  get pagerAnswer(): Promise<void> | undefined {
    return this.#pagerWaits.answerTo(this.#processes.values());
  }

  get processes(): ReadonlyMap<number, Process> {
    return this.#processes;
  }

  /** The exit status of process 1; undefined until it has exited. */
  get exitStatus(): number | undefined {
    return this.#init?.state === 'zombie' ? this.#init.exitStatus : undefined;
  }

  /**
   * Makes process 1, with the console as its descriptors 0, 1 and 2.
   * @param argv the program's path, then its arguments.
   * @throws HolsteinError ENOENT where there is no such program; ENOEXEC where it is none, ENOMEM or E2BIG
   *   (as EINVAL) where it does not fit. There is no process then.
   */
  spawn(argv: readonly [path: string, ...rest: string[]]): Process {
    const [path] = argv;
    if (this.#init !== undefined) throw new HolsteinError('EBUSY', 'process 1 has been spawned already');
    const file = this.#options.findProgram(path);
    if (file === undefined) throw new HolsteinError('ENOENT', `there is no program ${path}`);
    if (argv.length >= this.limits.arguments) {
      const most = this.limits.arguments - 1;
      throw new InvalidArgument(
        `${argv.length} arguments for ${path}: at most ${most} are possible, with its name`,
      );
    }
    const encoder = new TextEncoder();
    const image = loadImage(
      this.virtualMemory,
      this.#programFile(file, path),
      argv.map((argument) => encoder.encode(argument)),
    );
    if (image.kind === 'failure') {
      this.#programs.close();
      throw imageError(path, image);
    }
    const console = this.fileTable.open(this.console, { readable: true, writable: true });
    console.references = 3;
    const files: (OpenFile | undefined)[] = this.#noFiles().fill(console, 0, 3);
    const process = this.#addProcess(nameOf(path), image, files);
    this.#init = process;
    this.#switchTo(process);
    this.#enterImage(image);
    return process;
  }

  /** Runs the next process for its quantum at most. */
  step(): KernelState {
    if (this.#init === undefined || this.exitStatus !== undefined) return 'halted';
    this.#wakeSleepers();
    const process = this.#nextRunnable();
    if (process !== undefined) {
      this.#runSlice(process);
      return this.exitStatus === undefined ? 'running' : 'halted';
    }
    return this.#whenAllWait();
  }

  /** Ends all processes, as if process 1 had been killed. Without processes it does nothing. */
  shutDown(): void {
    if (this.#init !== undefined && this.exitStatus === undefined) this.exit(this.#init, KILLED_STATUS);
  }

  /** Makes a copy of the process on the hart. @returns its pid, or -1 where processes or memory have run out. */
  fork(parent: Process): number {
    if (this.#processes.size >= this.limits.processes) return -1;
    let space;
    try {
      space = parent.space.fork(this.#options.fork);
    } catch (error) {
      if (error instanceof OutOfMemory) return -1;
      throw error;
    }
    const { breakAddress } = parent;
    const child = this.#addProcess(parent.name, { space, breakAddress }, parent.files.slice());
    for (const file of child.files) if (file !== undefined) file.references++;
    child.parent = parent;
    this.hart.saveContext(child.context);
    const context = new DataView(child.context.buffer);
    context.setBigUint64(A0 * REGISTER_BYTES, 0n, true);
    context.setBigUint64(PC_IN_CONTEXT, this.hart.pc + ECALL_BYTES, true);
    return child.pid;
  }

  /** Gives the process on the hart another program. Where that fails it is as it was. */
  exec(process: Process, path: string, argv: readonly Uint8Array[]): typeof REPLACED | -1 {
    const file = this.#options.findProgram(path);
    if (file === undefined) return -1;
    const image = loadImage(this.virtualMemory, this.#programFile(file, path), argv);
    if (image.kind === 'failure') {
      this.#options.log?.(`${process} cannot run ${path}: it ${image.problem}`);
      return -1;
    }
    process.space.close();
    process.name = nameOf(path);
    process.space = image.space;
    process.breakAddress = image.breakAddress;
    this.hart.enter(image.space.table);
    this.#enterImage(image);
    return REPLACED;
  }

  /** Ends a process: its memory and files go at once, its status stays until its parent asks. */
  exit(process: Process, status: number): void {
    for (const [descriptor, file] of process.files.entries()) {
      if (file !== undefined) this.fileTable.release(file);
      process.files[descriptor] = undefined;
    }
    process.space.close();
    process.state = 'zombie';
    process.exitStatus = status;
    process.channel = undefined;
    if (this.#onHart === process) this.#onHart = undefined;
    if (process === this.#init) {
      this.#halt();
      return;
    }
    for (const child of this.#childrenOf(process)) {
      child.parent = this.#init;
      if (child.state === 'zombie') this.wake(this.#init!);
    }
    this.wake(process.parent!);
  }

  /**
   * Looks for a child that has exited.
   * @returns the zombie, to be given to `forget`; 'none' where there are no children at all.
   */
  findZombie(parent: Process): Process | 'none' | 'all-alive' {
    let any = false;
    for (const child of this.#childrenOf(parent)) {
      if (child.state === 'zombie') return child;
      any = true;
    }
    return any ? 'all-alive' : 'none';
  }

  /** Frees the place of a zombie whose parent has its status. */
  forget(zombie: Process): void {
    this.#processes.delete(zombie.pid);
  }

  /** Lets a process exit as soon as it would next run. @returns whether there is such a process, zombies included. */
  kill(pid: number): boolean {
    const process = this.#processes.get(pid);
    if (process === undefined) return false;
    process.killed = true;
    if (process.state === 'blocked') this.#unblock(process);
    return true;
  }

  /** Whether any process waits for a channel. */
  hasWaiterFor(channel: Channel): boolean {
    for (const process of this.#processes.values()) if (process.channel === channel) return true;
    return false;
  }

  /** Makes what waits for a channel try again. */
  wake(channel: Channel): void {
    for (const process of this.#processes.values()) {
      if (process.channel === channel) this.#unblock(process);
    }
  }

  /** @returns a line for each thing about processes and files that is wrong. */
  audit(): string[] {
    return auditProcesses(this);
  }

  #runSlice(process: Process): void {
    this.#switchTo(process);
    const accounting = this.#accounting;
    accounting.beginTurn(this.#quantum);
    while (accounting.left > 0 && process.state === 'runnable') {
      if (process.killed) {
        this.exit(process, KILLED_STATUS);
        return;
      }
      if (process.failedWait !== undefined) {
        this.#failWait(process, process.failedWait);
        continue;
      }
      accounting.beginRun();
      const stop = this.hart.run(accounting.left, this.#resolveFault);
      if (stop !== 'page-fault') accounting.beginHandling();
      accounting.charge(this.#handle(process, stop));
    }
  }

  /** Resolves a page fault of the process on the hart, which runs on then; else it stops for it. */
  readonly #resolveFault: FaultResolver = (page, access) => {
    this.#accounting.beginHandling();
    this.#faultOutcome = this.#onHart!.space.handleFault(page, access);
    return this.#faultOutcome.kind === 'resolved' ? this.#accounting.charge(PAGE_FAULT_COST) : 0;
  };

  /** Does what a stop of the hart asks for. @returns what it costs of the quantum. */
  #handle(process: Process, stop: Stop): number {
    switch (stop) {
      case 'budget':
      case 'interrupted':
        return 0;
      case 'system-call':
        this.#systemCall(process);
        return SYSTEM_CALL_COST;
      case 'page-fault':
        this.#pageFault(process);
        return PAGE_FAULT_COST;
      case 'breakpoint':
      case 'illegal-instruction':
      case 'misaligned-atomic':
        this.#killForFault(process, STOP_MESSAGES[stop]);
        return 0;
    }
  }

  #systemCall(process: Process): void {
    const result = systemCall(this, process);
    if (result === REPLACED) {
      process.progress = undefined;
    } else if (typeof result === 'number') {
      this.#endCall(process, result);
    } else {
      // pc stays at the call: it is made again when the channel wakes.
      process.progress = result.progress ?? process.progress;
      process.channel = result.wait;
      process.state = 'blocked';
      if (result.wait instanceof Promise) this.#pagerWaits.park(process, result.wait, 'system call');
    }
  }

  #endCall(process: Process, result: number): void {
    process.progress = undefined;
    this.hart.registers[A0] = BigInt.asUintN(64, BigInt(result));
    this.hart.pc += ECALL_BYTES;
  }

  #pageFault(process: Process): void {
    const outcome = this.#faultOutcome;
    if (outcome.kind === 'resolved') return;
    if (outcome.kind === 'waiting') {
      this.#pagerWaits.park(process, outcome.until, 'page fault');
    } else {
      this.#killForFault(process, faultReason(process.space, this.hart.fault, outcome));
    }
  }

  /** What a process waited for a pager for has failed. */
  #failWait(process: Process, { what, error }: FailedWait): void {
    process.failedWait = undefined;
    if (what === 'page fault') {
      this.#killForFault(process, `a page that it used did not come: ${error.message}`);
    } else {
      // What a write has moved before counts.
      this.#endCall(process, process.progress || -1);
    }
  }

  #killForFault(process: Process, reason: string): void {
    this.#options.log?.(`${process} killed: ${reason} (pc ${hex(this.hart.pc)})`);
    this.exit(process, KILLED_STATUS);
  }

  /** Process 1 has exited: everything else ends with it. */
  #halt(): void {
    for (const process of this.#processes.values()) {
      if (process === this.#init) continue;
      if (process.state !== 'zombie') this.exit(process, KILLED_STATUS);
      this.forget(process);
    }
    this.#programs.close();
  }

  #whenAllWait(): KernelState {
    const waiting = [...this.#processes.values()];
    const deadlines = waiting.flatMap(({ channel, progress }) => (channel === this.clock ? [progress!] : []));
    const { console } = this;
    if (console.outputBytes > 0 && waiting.some(({ channel }) => channel === console.outputChannel)) {
      return 'waiting-for-output';
    }
    // Even where somebody waits for a pager: that one may never answer.
    if (deadlines.length > 0) {
      this.#accounting.time = Math.max(
        this.#accounting.time,
        Math.min(...deadlines) * this.#instructionsPerTick,
      );
      return 'running';
    }
    if (this.pagerAnswer !== undefined) return 'waiting-for-pager';
    return waiting.some(({ channel }) => channel === console.inputChannel) ? 'waiting-for-input' : 'stuck';
  }

  /** What sleepers wait for; `progress` is the tick that they sleep until. */
  readonly clock: Channel = {};

  #wakeSleepers(): void {
    const { ticks } = this;
    for (const process of this.#processes.values()) {
      if (process.channel === this.clock && ticks >= process.progress!) this.#unblock(process);
    }
  }

  #unblock(process: Process): void {
    process.channel = undefined;
    process.state = 'runnable';
  }

  /** The next in turn: by pid, from the one after the last, and round. */
  #nextRunnable(): Process | undefined {
    let first: Process | undefined;
    let next: Process | undefined;
    for (const process of this.#processes.values()) {
      if (process.state !== 'runnable') continue;
      if (first === undefined || process.pid < first.pid) first = process;
      if (process.pid > this.#lastRun && (next === undefined || process.pid < next.pid)) next = process;
    }
    const chosen = next ?? first;
    if (chosen !== undefined) this.#lastRun = chosen.pid;
    return chosen;
  }

  #switchTo(process: Process): void {
    if (this.#onHart === process) return;
    if (this.#onHart !== undefined) this.hart.saveContext(this.#onHart.context);
    this.hart.loadContext(process.context);
    this.hart.enter(process.space.table);
    this.#onHart = process;
  }

  /** Sets the hart's registers to a program's start. */
  #enterImage(image: ProgramImage): void {
    const { registers } = this.hart;
    registers.fill(0n);
    registers[A0] = BigInt(image.argumentCount);
    registers[A1] = BigInt(image.stackPointer);
    registers[SP] = BigInt(image.stackPointer);
    this.hart.pc = BigInt(image.entry);
  }

  #addProcess(
    name: string,
    memory: ConstructorParameters<typeof Process>[2],
    files: (OpenFile | undefined)[],
  ): Process {
    const process = new Process(++this.#lastPid, name, memory, files);
    this.#processes.set(process.pid, process);
    return process;
  }

  #programFile(bytes: Uint8Array, path: string): ProgramFile {
    const name = nameOf(path);
    return { bytes, object: this.#programs.objectOf(bytes, name), name };
  }

  #noFiles(): (OpenFile | undefined)[] {
    return Array.from({ length: this.limits.filesPerProcess }, () => undefined);
  }

  *#childrenOf(parent: Process): Generator<Process> {
    for (const process of this.#processes.values()) if (process.parent === parent) yield process;
  }
}

const STOP_MESSAGES = {
  breakpoint: 'it ran a breakpoint',
  'illegal-instruction': 'it ran an illegal instruction',
  'misaligned-atomic': 'it made an atomic access that is not aligned',
} as const;

/** As an exception, for whoever spawns. */
const imageError = (path: string, { code, problem }: ImageFailure): HolsteinError => {
  if (code === 'ENOMEM') return new OutOfMemory(`${path} ${problem}`);
  return new HolsteinError(code === 'E2BIG' ? 'EINVAL' : code, `${path} ${problem}`);
};

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

const positive = (name: string, value: number, most: number): number => {
  if (!Number.isSafeInteger(value) || value < 1 || value > most) {
    throw new InvalidArgument(`${name} of ${value}: give a whole number from 1 to ${most}`);
  }
  return value;
};
