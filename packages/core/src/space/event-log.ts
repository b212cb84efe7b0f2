/**
 * The event log: the latest memory events of the address spaces of one RAM, in the order in which they
 * happened. Whoever turns it on owns it. It is a ring: the newest event takes the place of the oldest, which
 * is lost, and counted.
 *
 * An event is a slot across typed arrays, so that recording one is a few stores and allocates nothing;
 * iterating makes plain objects of them. What the two numbers of a slot are is the kind's affair:
 *
 *      kind         page          first           second
 *      fault        that faulted  access          what became of it
 *      fork         -             child space     fork kind
 *      split        first below   table's level   -
 *      copy         that has it   frame copied    the copy
 *      close        -             -               -
 *      wait-begin   wanted        wait            access
 *      wait-end     wanted        wait            result
 *
 *      u8 kind | u32 space | f64 page | u32 first | u32 second | f64 time          29 bytes an event
 *
 * A page may be any that a program can name, of 52 bits. Words (access, fork kind, …) are places in their
 * lists. The time is in milliseconds.
 *
 * The log has no clock: it is given one, or counts. A trace for people is made of the events by trace.ts.
 */
import { type FrameNumber, frameNumber, InvalidArgument, type Vpn, vpn } from '../frame/index.js';
import { type Access, ACCESSES } from '../paging/index.js';
import type { ForkKind } from './address-space.js';
import { FAULT_NAMES, type FaultName } from './fault.js';

/** The kinds of memory events. */
export const EVENT_KINDS = ['fault', 'fork', 'split', 'copy', 'close', 'wait-begin', 'wait-end'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** How a wait for a pager ended: the page may be had, or the pager failed. */
export type WaitResult = (typeof WAIT_RESULTS)[number];

const WAIT_RESULTS = ['committed', 'failed'] as const;
const FORK_KINDS = ['tables', 'pages', 'eager'] as const satisfies readonly ForkKind[];

/** Most events that a log can hold: 29 MiB of them. */
export const MAX_LOG_CAPACITY = 2 ** 20;

interface EventOf<Kind extends EventKind> {
  readonly kind: Kind;
  /** Milliseconds, of whatever clock the log was given. */
  readonly time: number;
  /** The id of the address space that it happened to. */
  readonly space: number;
}

/** A page fault, and what became of it. */
export interface FaultEvent extends EventOf<'fault'> {
  readonly page: Vpn;
  readonly access: Access;
  readonly outcome: FaultName;
}

/** A fork. `space` is the parent. */
export interface ForkEvent extends EventOf<'fork'> {
  readonly child: number;
  readonly forkKind: ForkKind;
}

/** A page table that a fork had left shared was copied, for something below it was about to change. */
export interface SplitEvent extends EventOf<'split'> {
  /** The table's level: 0 for one whose entries are pages. */
  readonly level: number;
  /** The first of the pages that the table is about. */
  readonly firstPage: Vpn;
}

/** A frame was copied, for one of those who shared it wrote. `space` is the writer. */
export interface CopyEvent extends EventOf<'copy'> {
  readonly page: Vpn;
  readonly from: FrameNumber;
  readonly to: FrameNumber;
}

/** An address space was closed. */
export type CloseEvent = EventOf<'close'>;

/** An access began to wait for a pager. */
export interface WaitBeginEvent extends EventOf<'wait-begin'> {
  readonly page: Vpn;
  readonly access: Access;
  /** What its end is known by. */
  readonly wait: number;
}

/** A pager has answered. The log may have lost the beginning. */
export interface WaitEndEvent extends EventOf<'wait-end'> {
  readonly page: Vpn;
  readonly wait: number;
  readonly result: WaitResult;
}

export type MemoryEvent =
  FaultEvent | ForkEvent | SplitEvent | CopyEvent | CloseEvent | WaitBeginEvent | WaitEndEvent;

export interface EventLogOptions {
  /** How many events it holds, 1 … 2^20. 16384 unless told. */
  readonly capacity?: number;
  /**
   * The time in milliseconds, asked once an event. Unless told it is a counter, 0, 1, 2, …, so that two runs
   * that do the same have the same log; `() => performance.now()` gives real times.
   */
  readonly now?: () => number;
}

export class EventLog implements Iterable<MemoryEvent> {
  /** How many events it holds at most. */
  readonly capacity: number;
  readonly #now: () => number;
  readonly #kinds: Uint8Array;
  readonly #spaces: Uint32Array;
  readonly #pages: Float64Array;
  readonly #first: Uint32Array;
  readonly #second: Uint32Array;
  readonly #times: Float64Array;
  /** Events since it was made. Event n is, or was, in slot n modulo the capacity. */
  #recorded = 0;
  #waits = 0;

  /** @throws InvalidArgument where the capacity is not a whole number of 1 … 2^20. */
  constructor({ capacity = 16_384, now = counter() }: EventLogOptions = {}) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > MAX_LOG_CAPACITY) {
      throw new InvalidArgument(`an event log of ${capacity} events: it holds 1 … ${MAX_LOG_CAPACITY}`);
    }
    this.capacity = capacity;
    this.#now = now;
    this.#kinds = new Uint8Array(capacity);
    this.#spaces = new Uint32Array(capacity);
    this.#pages = new Float64Array(capacity);
    this.#first = new Uint32Array(capacity);
    this.#second = new Uint32Array(capacity);
    this.#times = new Float64Array(capacity);
  }

  /** How many events it holds. */
  get size(): number {
    return Math.min(this.#recorded, this.capacity);
  }

  /** How many events were overwritten by newer ones. */
  get lost(): number {
    return this.#recorded - this.size;
  }

  /** A page fault was resolved, or failed. One that waits for a pager is recorded when it is made again. */
  faulted(space: number, page: Vpn, access: Access, outcome: FaultName): void {
    this.#record(KIND.fault, space, page, ACCESS[access], OUTCOME[outcome]);
  }

  /** A fork is done. */
  forked(parent: number, child: number, kind: ForkKind): void {
    this.#record(KIND.fork, parent, 0, child, FORK_KIND[kind]);
  }

  /** A shared page table was copied. @param firstPage the first of the pages that the table is about. */
  split(space: number, firstPage: Vpn, level: number): void {
    this.#record(KIND.split, space, firstPage, level, 0);
  }

  /** A shared frame was copied. */
  copied(space: number, page: Vpn, from: FrameNumber, to: FrameNumber): void {
    this.#record(KIND.copy, space, page, from, to);
  }

  /** An address space was closed. */
  closed(space: number): void {
    this.#record(KIND.close, space, 0, 0, 0);
  }

  /** An access has to wait for a pager. @returns the wait's number, for `waitEnded`. */
  waitBegan(space: number, page: Vpn, access: Access): number {
    this.#waits = (this.#waits + 1) >>> 0;
    this.#record(KIND['wait-begin'], space, page, this.#waits, ACCESS[access]);
    return this.#waits;
  }

  /** The pager has answered. @param wait what `waitBegan` returned. */
  waitEnded(space: number, page: Vpn, wait: number, result: WaitResult): void {
    this.#record(KIND['wait-end'], space, page, wait, WAIT_RESULT[result]);
  }

  /** The events that it holds now, oldest first. Those that are overwritten meanwhile are left out. */
  *[Symbol.iterator](): Generator<MemoryEvent, void, undefined> {
    const end = this.#recorded;
    for (let n = this.lost; n < end; n = Math.max(n + 1, this.lost)) yield this.#eventIn(n % this.capacity);
  }

  #record(kind: number, space: number, page: number, first: number, second: number): void {
    const time = this.#now();
    const slot = this.#recorded % this.capacity;
    this.#kinds[slot] = kind;
    this.#spaces[slot] = space;
    this.#pages[slot] = page;
    this.#first[slot] = first;
    this.#second[slot] = second;
    this.#times[slot] = time;
    this.#recorded++;
  }

  #eventIn(slot: number): MemoryEvent {
    const kind = EVENT_KINDS[this.#kinds[slot]!]!;
    const when = { time: this.#times[slot]!, space: this.#spaces[slot]! };
    const page = vpn(this.#pages[slot]!);
    const first = this.#first[slot]!;
    const second = this.#second[slot]!;
    switch (kind) {
      case 'fault':
        return { kind, ...when, page, access: ACCESSES[first]!, outcome: FAULT_NAMES[second]! };
      case 'fork':
        return { kind, ...when, child: first, forkKind: FORK_KINDS[second]! };
      case 'split':
        return { kind, ...when, level: first, firstPage: page };
      case 'copy':
        return { kind, ...when, page, from: frameNumber(first), to: frameNumber(second) };
      case 'close':
        return { kind, ...when };
      case 'wait-begin':
        return { kind, ...when, page, access: ACCESSES[second]!, wait: first };
      case 'wait-end':
        return { kind, ...when, page, wait: first, result: WAIT_RESULTS[second]! };
    }
  }
}

const counter = (): (() => number) => {
  let events = 0;
  return () => events++;
};

/** Each word's place in its list. */
const placesIn = <Word extends string>(words: readonly Word[]): Readonly<Record<Word, number>> =>
  Object.fromEntries(words.map((word, place) => [word, place])) as Record<Word, number>;

const KIND = placesIn(EVENT_KINDS);
const ACCESS = placesIn(ACCESSES);
const OUTCOME = placesIn(FAULT_NAMES);
const FORK_KIND = placesIn(FORK_KINDS);
const WAIT_RESULT = placesIn(WAIT_RESULTS);
