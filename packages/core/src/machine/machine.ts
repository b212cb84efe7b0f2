/**
 * The machine: RAM, hart and kernel put together. It boots once, and may then run programs one after
 * another; each run has a kernel of its own, and gives back all the memory that it took.
 */
import { hex, HolsteinError, PAGE_SIZE, PhysicalMemory, virtAddr } from '../frame/index.js';
import { CODE_SLOT_BYTES, DEFAULT_CODE_SLOTS, Hart, type Jit } from '../hart/index.js';
import {
  FileTree,
  Kernel,
  type KernelLimits,
  KILLED_STATUS,
  MemoryFiles,
  type ProcessState,
  type SbrkKind,
  type StoreOptions,
  xv6Limits,
} from '../kernel/index.js';
import { Tlb } from '../paging/index.js';
import {
  type AddressSpace,
  copyIn,
  type ForkKind,
  type InspectOptions,
  inspectSpace,
  VirtualMemory,
} from '../space/index.js';
import { readWhole, writeWhole } from './file-access.js';
import { globalHost, type Host } from './host.js';
import { type MemoryReport, reportBetween, snapshot } from './memory-report.js';
import { type MachineFiles, putFiles } from './put-files.js';
import { checkRunOptions, MOST_OUTPUT_BYTES, Run, type RunOptions, type RunOutcome } from './run.js';
import { InputStream, type RunningProgram } from './running.js';

export interface MachineOptions {
  /** RAM in bytes, the hart's part included: a multiple of 64 KiB, up to 4 GiB less 64 KiB. Default 128 MiB. */
  readonly memoryBytes?: number;
  /** Where the machine's files are. Default: in memory, for as long as the machine is open. */
  readonly root?: StoreOptions;
  /** Other places for files, by the directories where they are seen, such as '/bin'. */
  readonly mounts?: Readonly<Record<string, StoreOptions>>;
  /** Files that are put into the root's store at boot, with the directories that they are in. */
  readonly files?: MachineFiles;
  /** How fork gives a child its memory: 'tables' (the default) and 'pages' copy on write, 'eager' at once. */
  readonly fork?: ForkKind;
  /** What programs may use. Default: what xv6 has room for. */
  readonly limits?: Partial<KernelLimits>;
  /** When memory that sbrk gives takes frames. Default 'by-argument'; 'eager' is for programs older than 2025-08. */
  readonly sbrk?: SbrkKind;
  /** Instructions that a process runs before it is another's turn. Default 100,000. */
  readonly quantumInstructions?: number;
  /** Frames of decoded code that the hart keeps, 32 KiB of RAM each. Default 64, fewer in small RAM. */
  readonly codeSlots?: number;
  /**
   * Which code is compiled to WebAssembly: 'auto' (the default) what runs often, 'off' none, 'eager' all before it first
   * runs, which is slow and meant for tests. Runs are the same to the instruction, but for how long they take.
   */
  readonly jit?: Jit;
  /** Jumps to a place after which the code there is compiled ('auto' only), 1 … 65535. Default 32,000. */
  readonly jitThreshold?: number;
  /** Bytes of compiled WebAssembly that the hart keeps, 64 KiB and up; the oldest goes first. Default 32 MiB. */
  readonly jitBytes?: number;
  /**
   * 'on' compares every hit of the hart's TLB with a fresh walk, and poisons freed frames: some ten times
   * slower. Default 'off'.
   */
  readonly checking?: 'on' | 'off';
  /** Hears of processes that are killed, a line at a time. */
  readonly log?: (line: string) => void;
  readonly host?: Host;
}

export interface RunResult {
  readonly outcome: RunOutcome;
  /** Process 1's status; -1 where it was killed. */
  readonly exitStatus: number;
  /** Instructions that the run's processes ran. */
  readonly instructions: number;
  readonly memory: MemoryReport;
}

/** A process, for whoever looks in. */
export interface ProcessInfo {
  readonly pid: number;
  /** Undefined for process 1. */
  readonly parent: number | undefined;
  /** The program's file name. */
  readonly name: string;
  readonly state: ProcessState;
  /** Of its address space, up to the break. */
  readonly sizeBytes: number;
  /** Of what it has in memory, shared or not. */
  readonly residentBytes: number;
}

const DEFAULT_MEMORY_BYTES = 128 * 2 ** 20;
/** In small RAM decoded code gets a 32nd of it, and room for this many frames at least. */
const CODE_SHARE = 32;
const LEAST_CODE_SLOTS = 4;

export class Machine implements Disposable {
  readonly memory: PhysicalMemory;
  readonly hart: Hart;
  readonly virtualMemory: VirtualMemory;
  readonly files: FileTree;
  readonly #options: MachineOptions;
  readonly #host: Host;
  #kernel: Kernel | undefined;
  #run: Run | undefined;

  /**
   * Boots a machine.
   * @throws InvalidArgument where RAM of that size is not possible, or a limit or a store makes no sense; OutOfMemory where
   *   the host has no RAM; HolsteinError where a file cannot be put into the root's store.
   */
  constructor(options: MachineOptions = {}) {
    const { memoryBytes = DEFAULT_MEMORY_BYTES } = options;
    const { codeSlots = codeSlotsFor(memoryBytes), checking = 'off' } = options;
    const hartOptions = { ...options, codeSlots, checking };
    this.#options = options;
    this.#host = options.host ?? globalHost;
    this.memory = new PhysicalMemory({
      sizeBytes: memoryBytes,
      checking,
      reservedBytes: Hart.reservedBytes(hartOptions),
    });
    const tlb = new Tlb(this.memory);
    this.hart = new Hart(this.memory, tlb, hartOptions);
    this.virtualMemory = new VirtualMemory(this.memory, tlb);
    const root = options.root ?? { fileSystem: new MemoryFiles() };
    putFiles(root, options.files ?? {});
    this.files = new FileTree({
      objects: this.virtualMemory.objects,
      root,
      ...(options.mounts === undefined ? {} : { mounts: options.mounts }),
      limits: xv6Limits(options.limits),
    });
  }

  /** The kernel of the run in progress, or of the last one. */
  get kernel(): Kernel | undefined {
    return this.#kernel;
  }

  /**
   * Runs a program as process 1, until it exits.
   * @param argv the program's path, then its arguments.
   * @throws HolsteinError ENOENT, ENOEXEC, EINVAL, ENOMEM and others where the program can't be started; EBUSY
   *   while another run is in progress; EIO where a file's changes could not be written back at the end; whatever `input` or
   *   `output` reject with.
   */
  async run(argv: readonly [path: string, ...rest: string[]], options: RunOptions = {}): Promise<RunResult> {
    checkRunOptions(options);
    if (this.#isRunning) {
      throw new HolsteinError('EBUSY', 'the machine is running a program already');
    }
    const before = snapshot(this.memory, this.virtualMemory);
    const kernel = new Kernel({
      ...this.#options,
      virtualMemory: this.virtualMemory,
      hart: this.hart,
      files: this.files,
    });
    kernel.spawn(argv);
    this.#kernel = kernel;
    try {
      this.#run = new Run(kernel, this.#host, options);
      const outcome = await this.#run.toEnd();
      // Before the report, which is to say that everything has been given back.
      kernel.shutDown();
      if (kernel.unsaved.length > 0) throw new HolsteinError('EIO', kernel.unsaved.join('; '));
      return {
        outcome,
        exitStatus: kernel.exitStatus ?? KILLED_STATUS,
        instructions: kernel.instructions,
        memory: reportBetween(before, snapshot(this.memory, this.virtualMemory)),
      };
    } finally {
      kernel.shutDown();
    }
  }

  /**
   * As `run`, with the console as web streams: to be written to and read from while the program runs.
   * @throws EBUSY as `run`; everything else is what `result` and `output` reject with.
   */
  start(
    argv: readonly [path: string, ...rest: string[]],
    options: Omit<RunOptions, 'input' | 'output'> = {},
  ): RunningProgram<RunResult> {
    const input = new InputStream();
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(
      undefined,
      undefined,
      new ByteLengthQueuingStrategy({ highWaterMark: MOST_OUTPUT_BYTES }),
    );
    const result = this.run(argv, { ...options, input, output: writable });
    result
      .then(
        () => writable.close(),
        (error: unknown) => writable.abort(error),
      )
      // Who reads the output, or awaits the result, hears of it there.
      .catch(() => {})
      .finally(() => input.drop());
    return { input: input.writable, output: readable, result };
  }

  // ------------------------------------------------------------------ files

  /** A file's bytes, as programs see them. @throws HolsteinError ENOENT, EISDIR and others. */
  readFile(path: string): Uint8Array {
    return this.#betweenRuns(() => readWhole(this.files, path));
  }

  /**
   * Writes a file, which is made where it is not there, with the directories above it. Text is UTF-8.
   * @throws HolsteinError ENOSPC, EFBIG and others. What was there is as it was then.
   */
  writeFile(path: string, content: Uint8Array | string): void {
    this.#betweenRuns(() => writeWhole(this.files, path, content));
  }

  /**
   * Gives the host's file systems what programs have changed in files that they have open still.
   * @throws HolsteinError EIO where a file could not be written back: it is changed still.
   */
  sync(): void {
    const problems = this.files.inodes.sync();
    if (problems.length > 0) throw new HolsteinError('EIO', problems.join('; '));
  }

  // ------------------------------------------------------------------ looking in

  /** The processes there are, zombies included, by their numbers. None when nothing runs. */
  get processes(): readonly ProcessInfo[] {
    if (!this.#isRunning) return [];
    return [...this.#kernel!.processes.values()].map((process) => ({
      pid: process.pid,
      parent: process.parent?.pid,
      name: process.name,
      state: process.state,
      sizeBytes: process.state === 'zombie' ? 0 : process.breakAddress,
      residentBytes: process.state === 'zombie' ? 0 : process.space.residentFrames * PAGE_SIZE,
    }));
  }

  /**
   * Bytes of a process's memory, as it would read them now.
   * @throws HolsteinError ENOENT where there is no such process; EFAULT where it could not read them all; EAGAIN where a
   *   pager would have to be waited for; ENOMEM, EIO.
   */
  readMemory(pid: number, address: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    const copied = copyIn(this.#spaceOf(pid), virtAddr(address), bytes);
    if (copied === 'ok') return bytes;
    const code = typeof copied === 'string' ? copied : 'EAGAIN';
    throw new HolsteinError(code, `process ${pid} cannot read ${lengthBytes} bytes at ${hex(address)}`);
  }

  /** A process's address space as state tables: its mappings and page tables. @throws HolsteinError ENOENT */
  inspect(pid: number, options: InspectOptions = {}): string {
    return inspectSpace(this.#spaceOf(pid), options);
  }

  // ------------------------------------------------------------------ the end

  /**
   * Recounts every reference and checks DESIGN.md's invariants.
   * @returns a line for each thing that is wrong; none where all is well.
   */
  audit(): string[] {
    return [...this.virtualMemory.audit(), ...this.hart.audit(), ...(this.#kernel?.audit() ?? [])];
  }

  /** Ends what runs, and lets all memory go. */
  close(): void {
    this.#kernel?.shutDown();
    this.files.inodes.close();
    this.virtualMemory.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What Ctrl-C does at a terminal: kills what a shell waits for. @returns whether there was anything. */
  interrupt(): boolean {
    const any = this.#isRunning && this.#kernel!.interrupt();
    this.#run?.wake();
    return any;
  }

  get #isRunning(): boolean {
    return this.#kernel !== undefined && this.#kernel.exitStatus === undefined;
  }

  #spaceOf(pid: number): AddressSpace {
    const process = this.#isRunning ? this.#kernel!.processes.get(pid) : undefined;
    if (process === undefined || process.state === 'zombie') {
      throw new HolsteinError('ENOENT', `there is no process ${pid}`);
    }
    return process.space;
  }

  /** While nothing runs, files take no memory. */
  #betweenRuns<T>(work: () => T): T {
    try {
      return work();
    } finally {
      if (!this.#isRunning) this.files.inodes.close();
    }
  }
}

/** A size that makes no sense gets the least, and its error from RAM itself. */
const codeSlotsFor = (memoryBytes: number): number => {
  const share = Math.floor(memoryBytes / CODE_SHARE / CODE_SLOT_BYTES);
  return share > LEAST_CODE_SLOTS ? Math.min(share, DEFAULT_CODE_SLOTS) : LEAST_CODE_SLOTS;
};
