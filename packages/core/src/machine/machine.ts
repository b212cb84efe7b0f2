/**
 * The machine: RAM, hart and kernel put together. It boots once, and may then run programs one after
 * another; each run has a kernel of its own, and gives back all the memory that it took.
 */
import { HolsteinError, PhysicalMemory } from '../frame/index.js';
import { CODE_SLOT_BYTES, DEFAULT_CODE_SLOTS, Hart } from '../hart/index.js';
import {
  FileTree,
  Kernel,
  type KernelLimits,
  type KernelState,
  KILLED_STATUS,
  MemoryFiles,
  type SbrkKind,
  type StoreOptions,
  xv6Limits,
} from '../kernel/index.js';
import { Tlb } from '../paging/index.js';
import { type ForkKind, VirtualMemory } from '../space/index.js';
import { globalHost, type Host } from './host.js';
import { type MemoryReport, reportBetween, snapshot } from './memory-report.js';
import { type MachineFiles, putFiles } from './put-files.js';
import { type ByteSink, type ByteSource, InputPump, unlessAborted } from './streams.js';

export interface MachineOptions {
  /** RAM in bytes, the hart's part included: a multiple of 64 KiB, up to 4 GiB less 64 KiB. Default 128 MiB. */
  readonly memoryBytes?: number;
  /** Where the machine's files are. Default: in memory, for as long as the machine is open. */
  readonly root?: StoreOptions;
  /** Other places for files, by the folders where they are seen, such as '/bin'. */
  readonly mounts?: Readonly<Record<string, StoreOptions>>;
  /** Files that are put into the root's store at boot, with the folders that they are in. */
  readonly files?: MachineFiles;
  /** How fork gives a child its memory: 'tables' (the default) and 'pages' copy on write, 'eager' at once. */
  readonly fork?: ForkKind;
  /** What programs may use. Default: what xv6 has room for. */
  readonly limits?: Partial<KernelLimits>;
  /** What sbrk does with its second argument. Default 'by-argument'; 'eager' is for programs older than 2025-08. */
  readonly sbrk?: SbrkKind;
  /** Instructions that a process runs before it is another's turn. Default 100,000. */
  readonly quantumInstructions?: number;
  /** Frames of decoded code that the hart keeps, 32 KiB of RAM each. Default 64, fewer in small RAM. */
  readonly codeSlots?: number;
  /**
   * 'on' compares every hit of the hart's TLB with a fresh walk, and poisons freed frames: some ten times
   * slower. Default 'off'.
   */
  readonly checking?: 'on' | 'off';
  /** Hears of processes that are killed, a line at a time. */
  readonly log?: (line: string) => void;
  readonly host?: Host;
}

export interface RunOptions {
  /** Console input. Without it processes read the end of the file. */
  readonly input?: ByteSource;
  /** Console output. Without it output is dropped. */
  readonly output?: ByteSink;
  /** Ends the run early: all processes are killed. */
  readonly signal?: AbortSignal;
  /** And so does having run so many instructions, 1 or more, all processes together. */
  readonly maxInstructions?: number;
}

export interface RunResult {
  /**
   *      exited    process 1 has exited
   *      aborted   the signal ended the run
   *      limited   it had run as many instructions as it might
   *      stuck     every process waited for another; they were killed
   */
  readonly outcome: 'exited' | 'aborted' | 'limited' | 'stuck';
  /** Process 1's status; -1 where it was killed. */
  readonly exitStatus: number;
  /** Instructions that the run's processes ran. */
  readonly instructions: number;
  readonly memory: MemoryReport;
}

const DEFAULT_MEMORY_BYTES = 128 * 2 ** 20;
/** For how long the machine runs before the host's event loop gets a turn. */
const TURN_MS = 10;
/** And how much output it has before the sink gets it. */
const MOST_OUTPUT_BYTES = 65_536;
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

  /**
   * Boots a machine.
   * @throws InvalidArgument where RAM of that size is not possible, or a limit or a store makes no sense; OutOfMemory where
   *   the host has no RAM; HolsteinError where a file cannot be put where it is to be.
   */
  constructor(options: MachineOptions = {}) {
    const { memoryBytes = DEFAULT_MEMORY_BYTES } = options;
    const { codeSlots = codeSlotsFor(memoryBytes), checking = 'off' } = options;
    const hartOptions = { codeSlots, checking };
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
    if (this.#kernel !== undefined && this.#kernel.exitStatus === undefined) {
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
      const outcome = await this.#runToEnd(kernel, options);
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
   * Recounts every reference and checks DESIGN.md's invariants.
   * @returns a line for each thing that is wrong; none where all is well.
   */
  audit(): string[] {
    return [...this.virtualMemory.audit(), ...this.hart.audit(), ...(this.#kernel?.audit() ?? [])];
  }

  /** Ends what runs, and lets all memory go. */
  close(): void {
    this.#kernel?.shutDown();
    this.virtualMemory.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What Ctrl-C does at a terminal: kills what a shell waits for. @returns whether there was anything. */
  interrupt(): boolean {
    return this.#kernel?.exitStatus === undefined && (this.#kernel?.interrupt() ?? false);
  }

  async #runToEnd(
    kernel: Kernel,
    { input, output, signal, maxInstructions }: RunOptions,
  ): Promise<RunResult['outcome']> {
    const { console } = kernel;
    const pump = input === undefined ? undefined : new InputPump(input, console);
    if (pump === undefined) console.endInput();
    for (;;) {
      const turn = this.#runTurn(kernel, maxInstructions ?? Number.POSITIVE_INFINITY);
      for (const bytes of turn.output) {
        if ((await unlessAborted(output?.write(bytes), signal)) === 'aborted') return 'aborted';
      }
      if (turn.state === 'halted') return 'exited';
      if (turn.state === 'limited') return 'limited';
      if (signal?.aborted === true) return 'aborted';
      if (turn.state === 'stuck') return 'stuck';
      const arrival =
        console.wantsInput && kernel.table.hasWaiterFor(console.inputChannel) ? pump?.ask() : undefined;
      const wait = this.#nextEvent(turn.state, kernel, arrival);
      if ((await unlessAborted(wait, signal)) === 'aborted') return 'aborted';
      pump?.throwFailure();
    }
  }

  /** What to wait for before the next turn. */
  #nextEvent(
    state: KernelState,
    kernel: Kernel,
    arrival: Promise<void> | undefined,
  ): Promise<void> | undefined {
    switch (state) {
      case 'waiting-for-input':
        return arrival;
      case 'waiting-for-pager':
        return Promise.race([kernel.pagerAnswer, arrival].filter((event) => event !== undefined));
      default:
        return this.#host.pause();
    }
  }

  /**
   * Steps until the host should have a turn, or nothing more can be done. Output is taken after each step,
   * so that the room that writers see depends on what has run, never on the host's speed.
   */
  #runTurn(kernel: Kernel, mostInstructions: number): Turn {
    const output: Uint8Array[] = [];
    const end = this.#host.now() + TURN_MS;
    let outputBytes = 0;
    for (;;) {
      const left = mostInstructions - kernel.instructions;
      const state = left > 0 || kernel.exitStatus !== undefined ? kernel.step(left) : 'limited';
      if (kernel.console.outputBytes > 0) {
        output.push(kernel.console.takeOutput());
        outputBytes += output.at(-1)!.length;
      }
      const goesOn = state === 'running' || state === 'waiting-for-output';
      if (!goesOn || outputBytes >= MOST_OUTPUT_BYTES || this.#host.now() >= end) return { state, output };
    }
  }
}

interface Turn {
  readonly state: KernelState | 'limited';
  readonly output: readonly Uint8Array[];
}

/** A size that makes no sense gets the least, and its error from RAM itself. */
const codeSlotsFor = (memoryBytes: number): number => {
  const share = Math.floor(memoryBytes / CODE_SHARE / CODE_SLOT_BYTES);
  return share > LEAST_CODE_SLOTS ? Math.min(share, DEFAULT_CODE_SLOTS) : LEAST_CODE_SLOTS;
};
