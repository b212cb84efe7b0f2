/**
 * What processes have run and what was done for them, in instructions: the kernel's time, and what the process on the
 * hart has left of its quantum (docs/decisions/0005-time.md). What the hart does to run an instruction, such as to
 * decode or compile it, is not the guest's to pay for: it would see in its time how it is run.
 *
 *      beginTurn → beginRun → (beginHandling → charge) … → beginRun → …
 *
 * What is handled while the hart runs, page faults that it goes on after, and what is handled at its stop are charged
 * alike. The instructions that have been run since the last are charged before it: what the hart stopped for besides, for
 * its host's sake, cannot be told from the time.
 */
import type { Hart } from '../hart/index.js';
import type { VirtualMemory } from '../space/index.js';

/** What a system call and a page fault cost of a quantum, in instructions: about their time on the host. */
export const SYSTEM_CALL_COST = 200;
export const PAGE_FAULT_COST = 200;
/** And each frame that either takes, frees or shares. */
const FRAME_COST = 500;
/** And each call to the host's file system. */
const HOST_CALL_COST = 2_000;

export class Accounting {
  /** Since the kernel was made; it leaps where all processes sleep. */
  time = 0;
  /** Instructions that processes have run. */
  instructions = 0;
  /** Of the quantum: 0 or less where it is spent. */
  left = 0;
  readonly #hart: Hart;
  readonly #virtualMemory: VirtualMemory;
  readonly #hostCalls: () => number;
  /** Instructions of the hart's run that have been charged. */
  #charged = 0;
  #framesBefore = 0;
  #hostCallsBefore = 0;
  #spent = 0;

  /** @param hostCalls how often the host's file systems have been called so far. */
  constructor(hart: Hart, virtualMemory: VirtualMemory, hostCalls: () => number) {
    this.#hart = hart;
    this.#virtualMemory = virtualMemory;
    this.#hostCalls = hostCalls;
  }

  beginTurn(quantum: number): void {
    this.left = quantum;
  }

  beginRun(): void {
    this.#charged = 0;
  }

  /** Something is about to be done for the process. What it has run is charged first, so that it finds the time exact. */
  beginHandling(): void {
    this.#chargeRun();
    this.#framesBefore = this.#framesMoved();
    this.#hostCallsBefore = this.#hostCalls();
    this.#spent = 0;
  }

  /** What is done takes so many instructions more. */
  spend(instructions: number): void {
    this.#spent += Math.floor(instructions);
  }

  /**
   * It has been done.
   * @param handling what it costs but for frames, host calls and what was spent. @returns what it costs with them.
   */
  charge(handling: number): number {
    const frames = Math.abs(this.#framesMoved() - this.#framesBefore);
    const calls = this.#hostCalls() - this.#hostCallsBefore;
    const cost = handling + frames * FRAME_COST + calls * HOST_CALL_COST + this.#spent;
    this.#spent = 0;
    this.#chargeRun();
    this.time += cost;
    this.left -= cost;
    return cost;
  }

  #chargeRun(): void {
    const { retired } = this.#hart;
    const run = retired - this.#charged;
    this.#charged = retired;
    this.instructions += run;
    this.time += run;
    this.left -= run;
  }

  /** A number that changes by the frames that are taken, freed or, by a fork that goes page by page, shared. */
  #framesMoved(): number {
    return this.#virtualMemory.counters.entriesSharedByForks - this.#virtualMemory.memory.freeFrames;
  }
}
