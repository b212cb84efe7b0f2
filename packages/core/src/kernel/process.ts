/**
 * A process: an address space, registers, descriptors and a place in the tree of processes.
 *
 *      runnable → blocked       a system call has to wait for a channel, or a page fault for a pager
 *      blocked  → runnable      something happened to the channel, or the process was killed
 *      runnable → zombie        exit, a fault that kills, or kill; memory and files are gone
 *      zombie   → (forgotten)   its parent has waited for it
 */
import { CONTEXT_BYTES } from '../hart/index.js';
import type { AddressSpace } from '../space/index.js';
import type { Channel, OpenFile } from './file.js';
import type { Directory } from './files/directory.js';

export type ProcessState = 'runnable' | 'blocked' | 'zombie';

/** The exit status of a process that was killed or faulted. */
export const KILLED_STATUS = -1;

/** A wait for a pager that has failed, and what the process was about. */
export interface FailedWait {
  readonly what: 'page fault' | 'system call';
  readonly error: Error;
}

export class Process {
  readonly pid: number;
  /** The program's file name, for messages. */
  name: string;
  state: ProcessState = 'runnable';
  /** Undefined for process 1. */
  parent: Process | undefined;
  /** Whether its parent exited, and process 1 has it now. */
  adopted = false;
  /** The working directory, which it holds. */
  workingDirectory: Directory;
  space: AddressSpace;
  /** Registers and pc while another process has the hart. */
  readonly context = new Uint8Array(CONTEXT_BYTES);
  /** Open files by descriptor. */
  readonly files: (OpenFile | undefined)[];
  /** The first address beyond the heap. */
  breakAddress: number;
  /** To exit as soon as it would run. */
  killed = false;
  exitStatus = 0;
  /** While blocked: what for. */
  channel: Channel | undefined;
  /** Where a pager that it waited for has failed: what it waited in. */
  failedWait: FailedWait | undefined;
  /**
   * While a system call is being made again, what its earlier tries have left: bytes that were moved, committed or loaded;
   * of sleep, the tick that it lasts until; of a shrinking sbrk, the break that there was, negative.
   */
  progress: number | undefined;

  constructor(
    pid: number,
    name: string,
    memory: { readonly space: AddressSpace; readonly breakAddress: number },
    files: (OpenFile | undefined)[],
    workingDirectory: Directory,
  ) {
    this.pid = pid;
    this.name = name;
    this.space = memory.space;
    this.breakAddress = memory.breakAddress;
    this.files = files;
    this.workingDirectory = workingDirectory;
  }

  /** As messages name it. */
  toString(): string {
    return `process ${this.pid} (${this.name})`;
  }

  /** It has what it waited for, or is to do without. */
  unblock(): void {
    this.channel = undefined;
    this.state = 'runnable';
  }

  /** The lowest descriptor that is free, or -1. */
  freeDescriptor(): number {
    return this.files.indexOf(undefined);
  }
}
