/**
 * A process that makes long calls, beside another that always has something to run: what each turn of the first moves is
 * counted, of frames, and of calls and bytes to and from the host.
 */
import { expect } from 'vitest';
import { PAGE_SIZE } from '../../src/frame/index.js';
import type { MachineOptions } from '../../src/machine/index.js';
import { inspectSpace } from '../../src/space/index.js';
import { MIB } from '../support/machine.js';
import { CALL, CallsWorld, type Guest } from './files/calls-world.js';
import { type HostFiles, memoryHost, watched } from './files/hosts.js';

/** The most that a turn may move. A frame that is taken is filled as well; one that is given back is only noted. */
export const MOST = {
  framesTaken: (8 * MIB) / PAGE_SIZE,
  framesFreed: (72 * MIB) / PAGE_SIZE,
  hostBytes: 10 * MIB,
  hostCalls: 400,
} as const;

/** sbrk's second argument. */
export const EAGER = 1;
export const LAZY = 2;

/** What a turn has moved. */
export interface Turn {
  /** Taken where it is more than 0, given back where it is less. */
  readonly frames: number;
  readonly hostBytes: number;
  readonly hostCalls: number;
}

type Argument = number | string;

export class LongCallsWorld implements Disposable {
  readonly calls: CallsWorld;
  /** Forked by the other: what it has is shared with that. */
  readonly caller: Guest;
  readonly other: Guest;
  readonly #files: HostFiles;
  readonly #directory: string;
  #hostBytes = 0;
  #hostCalls = 0;

  /** Files and folders are not limited, as on a host. */
  constructor({ files = {}, memoryBytes = 96 * MIB, ...machine }: MachineOptions = {}) {
    const host = memoryHost();
    this.#files = host.fileSystem;
    this.#directory = host.directory;
    for (const [path, content] of Object.entries(files)) {
      this.#files.writeFileSync(`${host.directory}${path}`, content);
    }
    const fileSystem = watched(this.#files, (name, args) => {
      this.#hostCalls++;
      if (name === 'readSync' || name === 'writeSync') this.#hostBytes += args[3] as number;
    });
    const root = { fileSystem, directory: host.directory };
    const limits = { fileBytes: 2 ** 30, inodes: 2 ** 30, diskBlocks: 2 ** 30 };
    this.calls = new CallsWorld(host, { memoryBytes, root, limits, ...machine });
    this.other = this.calls.init;
    this.caller = this.other.fork();
  }

  get freeFrames(): number {
    return this.calls.machine.memory.freeFrames;
  }

  /** All that the caller has in memory: its break, and its mappings with the pages that have frames. */
  get state(): string {
    const { breakAddress, space } = this.caller.process;
    return `break ${breakAddress}, ${inspectSpace(space, { depth: 'mappings' })}`;
  }

  /** What the host has of a file. */
  onHost(path: string): Uint8Array {
    return this.#files.readFileSync(`${this.#directory}${path}`);
  }

  /** More memory for the caller, which takes frames when it is touched. @returns where it begins. */
  lazyMemory(bytes: number): number {
    return this.caller.call(CALL.sbrk, bytes, LAZY)!;
  }

  /**
   * Makes a call, whole.
   * @returns what it gives, undefined where the caller has ended; and what each turn has moved, which is checked.
   */
  call(
    number: number,
    ...args: readonly Argument[]
  ): { readonly result: number | undefined; readonly turns: Turn[] } {
    this.caller.begin(number, ...args);
    const turns = this.turns();
    return { result: this.isEnded ? undefined : this.caller.result, turns };
  }

  /**
   * Lets the caller have turns until its call is done, or so many. The other has a turn between any two.
   * @returns what each has moved, which is checked.
   */
  turns(most = Number.POSITIVE_INFINITY): Turn[] {
    const turns: Turn[] = [];
    let othersTurns = 1;
    while (turns.length < most && !this.isEnded && !this.caller.isIdle) {
      const turn = this.#turn();
      if (!this.calls.isOnHart(this.caller.process)) {
        othersTurns++;
        continue;
      }
      expect(othersTurns, 'turns of the other between two of the caller').toBeGreaterThan(0);
      expect(turn.frames, 'frames taken in a turn').toBeLessThanOrEqual(MOST.framesTaken);
      expect(-turn.frames, 'frames freed in a turn').toBeLessThanOrEqual(MOST.framesFreed);
      expect(turn.hostBytes, 'bytes from and to the host in a turn').toBeLessThanOrEqual(MOST.hostBytes);
      expect(turn.hostCalls, 'calls to the host in a turn').toBeLessThanOrEqual(MOST.hostCalls);
      turns.push(turn);
      othersTurns = 0;
    }
    return turns;
  }

  get isEnded(): boolean {
    return this.caller.process.state === 'zombie';
  }

  /** A whole turn of whose turn it is. */
  #turn(): Turn {
    const [frames, hostBytes, hostCalls] = [this.freeFrames, this.#hostBytes, this.#hostCalls];
    this.calls.kernel.step();
    return {
      frames: frames - this.freeFrames,
      hostBytes: this.#hostBytes - hostBytes,
      hostCalls: this.#hostCalls - hostCalls,
    };
  }

  [Symbol.dispose](): void {
    this.calls[Symbol.dispose]();
  }
}
