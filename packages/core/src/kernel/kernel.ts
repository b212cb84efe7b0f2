/**
 * The kernel: processes, their scheduling, and their lives from spawn to wait. System calls are in
 * system-calls/.
 *
 * Processes take turns by a budget of instructions, so every run is deterministic. Time is what has been
 * run: an instruction is a unit, a system call and a page fault are some more, and `instructionsPerTick`
 * units are a tick. When all processes sleep, time leaps to the first that wakes.
 *
 * Nothing that a process does throws out of `step`: it gets -1, or is killed with a message.
 */
import { hex, HolsteinError, InvalidArgument, OutOfMemory } from '../frame/index.js';
import { type FaultResolver, type Hart, PC_IN_CONTEXT, type Stop } from '../hart/index.js';
import { type FaultOutcome, UNMAPPED } from '../paging/index.js';
import type { VirtualMemory } from '../space/index.js';
import { Accounting, PAGE_FAULT_COST, SYSTEM_CALL_COST } from './accounting.js';
import { auditProcesses } from './audit.js';
import { Console } from './console.js';
import { Loader, pathText } from './exec.js';
import { faultReason } from './fault-report.js';
import { type Again, type Channel, FileTable, type OpenFile } from './file.js';
import { CONSOLE_MAJOR } from './files/device.js';
import type { FileTree } from './files/file-tree.js';
import { openDevice } from './files/open.js';
import type { FileProblem } from './files/store.js';
import type { ProgramImage } from './image.js';
import { type KernelOptions, type KernelSettings, kernelSettings, type SbrkKind } from './kernel-options.js';
import type { KernelLimits } from './limits.js';
import { PagerWaits } from './pager-waits.js';
import { type FailedWait, KILLED_STATUS, Process } from './process.js';
import { ProcessTable } from './process-table.js';
import { A0, A1, REPLACED, SP, systemCall } from './system-calls/index.js';

/**
 * What a step has left behind.
 *
 *      running             there is more to do
 *      interrupted         a turn is not over, for the host's sake alone: the next step goes on with it, and until then
 *                          nothing is to be done that processes could see, such as to take the console's output
 *      waiting-for-input   every process waits, one at least for console input
 *      waiting-for-output  every process waits, one at least for the host to take output
 *      waiting-for-pager   every process waits, one at least for a memory object's pager
 *      stuck               every process waits for another: nothing will ever happen
 *      halted              process 1 has exited
 */
export type KernelState =
  | 'running'
  | 'interrupted'
  | 'waiting-for-input'
  | 'waiting-for-output'
  | 'waiting-for-pager'
  | 'stuck'
  | 'halted';

const ECALL_BYTES = 4n;
const REGISTER_BYTES = 8;

export class Kernel {
  readonly limits: KernelLimits;
  readonly hart: Hart;
  readonly virtualMemory: VirtualMemory;
  readonly console: Console;
  readonly fileTable: FileTable;
  readonly files: FileTree;
  readonly sbrkKind: SbrkKind;
  /** For the layer's own use. @internal */
  readonly table = new ProcessTable();
  readonly #settings: KernelSettings;
  readonly #loader: Loader;
  /** Process 1, once it has been spawned. */
  #init: Process | undefined;
  /** Whose registers and address space the hart has. */
  #onHart: Process | undefined;
  /** Whose turn it is still, while a turn is interrupted. */
  #interrupted: Process | undefined;
  readonly #accounting: Accounting;
  /** What became of the last page fault. */
  #faultOutcome: FaultOutcome = UNMAPPED;
  readonly #pagerWaits = new PagerWaits((channel) => this.table.wake(channel));
  #unsaved: readonly string[] = [];

  /** @throws HolsteinError EINVAL for a quantum, tick or limit that is not a whole number from 1 up. */
  constructor(options: KernelOptions) {
    const settings = kernelSettings(options);
    this.#settings = settings;
    this.limits = settings.limits;
    this.hart = settings.hart;
    this.virtualMemory = settings.virtualMemory;
    this.files = settings.files;
    this.sbrkKind = settings.sbrk;
    this.#accounting = new Accounting(this.hart, this.virtualMemory, () => this.files.hostCalls);
    this.#loader = new Loader(this.virtualMemory, this.files, this.limits);
    this.console = new Console(this.limits.consoleBytes, (channel) => this.table.wake(channel));
    this.fileTable = new FileTable(this.limits.openFiles);
  }

  /** What its clock counts: instructions, and what was done for processes in instructions, since it was made. */
  get time(): number {
    return this.#accounting.time;
  }

  /** Ticks since the kernel was made. */
  get ticks(): number {
    return Math.floor(this.time / this.#settings.instructionsPerTick);
  }

  /** Instructions that processes have run. */
  get instructions(): number {
    return this.#accounting.instructions;
  }

  /** Settles when some pager that a process waits for has answered; undefined where none waits. */
  get pagerAnswer(): Promise<void> | undefined {
    return this.#pagerWaits.answerTo(this.processes.values());
  }

  get processes(): ReadonlyMap<number, Process> {
    return this.table.all;
  }

  /** After the end: a sentence for each file whose changes its host has not taken. They are lost. */
  get unsaved(): readonly string[] {
    return this.#unsaved;
  }

  /** The exit status of process 1; undefined until it has exited. */
  get exitStatus(): number | undefined {
    return this.#init?.state === 'zombie' ? this.#init.exitStatus : undefined;
  }

  /**
   * Makes process 1, in the root directory, with the console as its descriptors 0, 1 and 2.
   * @param argv the program's path, then its arguments.
   * @throws HolsteinError ENOENT where there is no such program; EACCES, EISDIR, ENOEXEC where it is none; EIO where it cannot be
   *   read; ENOMEM or E2BIG (as EINVAL) where it does not fit. There is no process then.
   */
  spawn(argv: readonly [path: string, ...rest: string[]]): Process {
    const [path] = argv;
    if (this.#init !== undefined) throw new HolsteinError('EBUSY', 'process 1 has been spawned already');
    if (argv.length >= this.limits.arguments) {
      const most = this.limits.arguments - 1;
      throw new InvalidArgument(
        `${argv.length} arguments for ${path}: at most ${most} are possible, with its name`,
      );
    }
    const image = this.#loader.loadNow(argv, this.files.root);
    const process = this.#addProcess(image.name, image, this.#consoleFiles(), this.files.root);
    this.#init = process;
    this.#switchTo(process);
    this.#enterImage(image);
    return process;
  }

  /**
   * Runs the next process for its quantum at most, or on with a turn that was interrupted.
   * @param mostInstructions that are to be run: 1 or more.
   */
  step(mostInstructions = Number.POSITIVE_INFINITY): KernelState {
    if (this.#init === undefined || this.exitStatus !== undefined) return 'halted';
    let process = this.#interrupted;
    if (process === undefined) {
      this.#wakeSleepers();
      process = this.table.nextRunnable();
      if (process === undefined) return this.#whenAllWait();
      this.#switchTo(process);
      this.#accounting.beginTurn(this.#settings.quantumInstructions);
    }
    const isOver = this.#runTurn(process, mostInstructions) === 'over';
    this.#interrupted = isOver ? undefined : process;
    if (this.exitStatus !== undefined) return 'halted';
    return isOver ? 'running' : 'interrupted';
  }

  /** Ends all processes, as if process 1 had been killed. Without processes it does nothing. */
  shutDown(): void {
    if (this.#init !== undefined && this.exitStatus === undefined) this.exit(this.#init, KILLED_STATUS);
  }

  /** Makes a copy of the process on the hart. @returns its pid, or -1 where processes or memory have run out. */
  fork(parent: Process): number {
    if (this.table.size >= this.limits.processes) return -1;
    let space;
    try {
      space = parent.space.fork(this.#settings.fork);
    } catch (error) {
      if (error instanceof OutOfMemory) return -1;
      throw error;
    }
    const { breakAddress } = parent;
    const child = this.#addProcess(
      parent.name,
      { space, breakAddress },
      parent.files.slice(),
      parent.workingDirectory,
    );
    for (const file of child.files) if (file !== undefined) file.references++;
    child.parent = parent;
    this.hart.saveContext(child.context);
    const context = new DataView(child.context.buffer);
    context.setBigUint64(A0 * REGISTER_BYTES, 0n, true);
    context.setBigUint64(PC_IN_CONTEXT, this.hart.pc + ECALL_BYTES, true);
    return child.pid;
  }

  /** Gives the process on the hart another program. Where that fails it is as it was. */
  exec(process: Process, path: Uint8Array, argv: readonly Uint8Array[]): typeof REPLACED | -1 | Again {
    const loaded = process.progress ?? 0;
    const image = this.#loader.load({ path, from: process.workingDirectory, argv, loaded });
    if (typeof image === 'string') return -1;
    if ('again' in image) return image;
    if (image.kind === 'failure') {
      this.#settings.log?.(`${process} cannot run ${pathText(path)}: it ${image.problem}`);
      return -1;
    }
    process.space.close();
    process.name = image.name;
    process.space = image.space;
    process.breakAddress = image.breakAddress;
    this.hart.enter(image.space.table);
    this.#enterImage(image);
    return REPLACED;
  }

  /** Ends a process: its memory and files go at once, its status stays until its parent asks. */
  exit(process: Process, status: number): void {
    for (const [descriptor, file] of process.files.entries()) {
      process.files[descriptor] = undefined;
      if (file !== undefined) this.closeFile(file);
    }
    this.files.inodes.release(process.workingDirectory);
    process.space.close();
    process.state = 'zombie';
    process.exitStatus = status;
    process.channel = undefined;
    if (this.#onHart === process) this.#onHart = undefined;
    if (process === this.#init) {
      this.#halt();
      return;
    }
    for (const child of this.table.childrenOf(process)) {
      child.parent = this.#init;
      child.adopted = true;
      if (child.state === 'zombie') this.table.wake(this.#init!);
    }
    this.table.wake(process.parent!);
  }

  /** Charges the process on the hart for what a call has done, in instructions, besides frames and host calls. */
  spend(instructions: number): void {
    this.#accounting.spend(instructions);
  }

  /** Drops a reference to an open file. @returns why what was written could not be kept, where it was the last. */
  closeFile(file: OpenFile): FileProblem | undefined {
    const problem = this.fileTable.release(file);
    if (problem !== undefined) {
      this.#settings.log?.(
        `a file that was closed could not be written back (${problem}); it is tried again`,
      );
    }
    return problem;
  }

  /**
   * What Ctrl-C does: drops input that nobody has read, and kills the foreground, which is what process 1's own children
   * have started. They themselves go on, as a shell does, and so does what process 1 has adopted.
   * @returns whether there was anything to kill.
   */
  interrupt(): boolean {
    this.console.dropInput();
    let any = false;
    for (const process of this.processes.values()) {
      if (process.state === 'zombie' || !this.#isForeground(process)) continue;
      this.kill(process.pid);
      any = true;
    }
    return any;
  }

  /** Lets a process exit as soon as it would next run. @returns whether there is such a process, zombies included. */
  kill(pid: number): boolean {
    const process = this.processes.get(pid);
    if (process === undefined) return false;
    process.killed = true;
    if (process.state === 'blocked') process.unblock();
    return true;
  }

  /** @returns a line for each thing about processes and files that is wrong. */
  audit(): string[] {
    return auditProcesses(this);
  }

  /** Runs the process on the hart for what is left of its turn. */
  #runTurn(process: Process, mostInstructions: number): 'over' | 'interrupted' {
    const accounting = this.#accounting;
    accounting.left = Math.min(accounting.left, mostInstructions);
    while (accounting.left > 0 && process.state === 'runnable') {
      if (process.killed) {
        this.exit(process, KILLED_STATUS);
        break;
      }
      if (process.failedWait !== undefined) {
        this.#failWait(process, process.failedWait);
        continue;
      }
      accounting.beginRun();
      const stop = this.hart.run(accounting.left, this.#resolveFault);
      if (stop !== 'page-fault') accounting.beginHandling();
      accounting.charge(this.#handle(process, stop));
      if (stop === 'interrupted' && accounting.left > 0) return 'interrupted';
    }
    return 'over';
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
    } else if ('again' in result) {
      process.progress = result.again;
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
    this.#settings.log?.(`${process} killed: ${reason} (pc ${hex(this.hart.pc)})`);
    this.exit(process, KILLED_STATUS);
  }

  /** Process 1 has exited: everything else ends with it. */
  #halt(): void {
    for (const process of this.processes.values()) {
      if (process === this.#init) continue;
      if (process.state !== 'zombie') this.exit(process, KILLED_STATUS);
      this.table.forget(process);
    }
    this.#unsaved = this.files.inodes.close();
  }

  #whenAllWait(): KernelState {
    const waiting = [...this.processes.values()];
    const deadlines = [...this.table.sleepers(this.clock)].map(({ progress }) => progress);
    const { console } = this;
    if (console.outputBytes > 0 && waiting.some(({ channel }) => channel === console.outputChannel)) {
      return 'waiting-for-output';
    }
    // Even where somebody waits for a pager: that one may never answer.
    if (deadlines.length > 0) {
      this.#accounting.time = Math.max(
        this.#accounting.time,
        Math.min(...deadlines) * this.#settings.instructionsPerTick,
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
    for (const process of this.table.sleepers(this.clock)) if (ticks >= process.progress) process.unblock();
  }

  #isForeground(process: Process): boolean {
    for (const shell of this.table.childrenOf(this.#init!)) {
      if (!shell.adopted && this.table.isDescendant(process, shell)) return true;
    }
    return false;
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
    this.hart.clearContext();
    registers[A0] = BigInt(image.argumentCount);
    registers[A1] = BigInt(image.stackPointer);
    registers[SP] = BigInt(image.stackPointer);
    this.hart.pc = BigInt(image.entry);
  }

  #addProcess(
    name: string,
    memory: ConstructorParameters<typeof Process>[2],
    files: (OpenFile | undefined)[],
    workingDirectory: Process['workingDirectory'],
  ): Process {
    // It is a working directory already, or the root, which has room.
    this.files.inodes.hold(workingDirectory);
    return this.table.add((pid) => new Process(pid, name, memory, files, workingDirectory));
  }

  #consoleFiles(): (OpenFile | undefined)[] {
    const files: (OpenFile | undefined)[] = Array.from(
      { length: this.limits.filesPerProcess },
      () => undefined,
    );
    const device = this.files.rootDevice(CONSOLE_NAME, CONSOLE_MAJOR, 0);
    const operations = openDevice(this.files, this.console, device);
    if (typeof operations === 'string') throw new HolsteinError(operations, 'the console cannot be opened');
    const console = this.fileTable.open(operations, { readable: true, writable: true });
    console.references = 3;
    return files.fill(console, 0, 3);
  }
}

const CONSOLE_NAME = 'console';

const STOP_MESSAGES = {
  breakpoint: 'it ran a breakpoint',
  'illegal-instruction': 'it ran an illegal instruction',
  'misaligned-atomic': 'it made an atomic access that is not aligned',
} as const;
