/**
 * What random programs on memory objects run on: the real objects, the oracle's, who holds them, and how an operation
 * is run on both. Both must answer the same and hold the same bytes, and the real ones never more frames than the
 * oracle would.
 */
import { type FrameNumber, HolsteinError, type PhysicalMemory, Usage } from '../../src/frame/index.js';
import { MemoryObjects, type Right } from '../../src/vmo/index.js';
import { MISSING } from '../../src/vmo/memory-object.js';
import type { EagerObject } from './eager-objects.js';
import { checkAttribution, checkObject, framesInUse, framesWithoutSharing, same } from './object-checks.js';
import { type Holder, Holders } from './object-holders.js';
import type { Breadth } from './object-steps.js';
import type { ScriptedPager } from './scripted-pager.js';

export interface ObjectBenchOptions {
  /** RAM, with no frame in use. */
  readonly memory: PhysicalMemory;
  /** Whether there are objects with pagers, or only such. */
  readonly pagers: 'none' | 'some' | 'all';
  readonly breadth?: Breadth;
  /** Run every operation with each of its allocations failed first. */
  readonly failAllocations?: boolean;
}

/** What an operation may answer. */
export interface Expected {
  /** The one answer, if it is refused. */
  readonly refused: string | undefined;
  /** Answers that depend on what only the real objects know. */
  readonly perhaps?: readonly (string | false)[];
  /** The most frames that it may want. */
  readonly frames?: number;
  /** Whose pager may be asked. */
  readonly source?: EagerObject | undefined;
}

export class ObjectBench implements Disposable {
  readonly options: ObjectBenchOptions;
  readonly objects: MemoryObjects;
  readonly breadth: Breadth;
  readonly holders = new Holders();
  readonly pagers = new Map<EagerObject, ScriptedPager>();
  readonly detached = new Set<EagerObject>();
  /** Calls that answer with a promise, all of which have done what they do by now. */
  readonly promises: Promise<void>[] = [];
  /** Pages of objects whose pagers are detached that were there. */
  readonly #kept = new Map<EagerObject, Set<number>>();
  #error: unknown;
  #failuresBefore = 0;

  constructor(options: ObjectBenchOptions) {
    this.options = options;
    this.breadth = options.breadth ?? 'small';
    this.objects = new MemoryObjects(options.memory);
  }

  /** The audit, and every page that is there: nothing is brought in. */
  check(): void {
    same(this.objects.audit().join('; '), '', 'the audit');
    for (const object of this.holders.open()) checkObject(this.holders.real(object), object);
    for (const object of this.detached) if (object.isOpen) this.#checkKept(object);
    checkAttribution(this.objects);
  }

  /** What nobody can bring again must stay. */
  #checkKept(object: EagerObject): void {
    const kept = this.#kept.get(object) ?? new Set<number>();
    const real = this.holders.real(object);
    for (let page = 0; page < object.sizePages; page++) {
      if (!object.isReached(page)) continue;
      if (real.content(page) !== MISSING) kept.add(page);
      else if (kept.has(page)) throw new Error(`page ${page} of ${real.name} is gone, and its pager too`);
    }
    this.#kept.set(object, kept);
  }

  [Symbol.dispose](): void {
    this.objects.memory.failAllocationsWhen(undefined);
    for (const { view } of this.holders.views) view.close();
    this.objects.close({ unwritten: 'discard' });
  }

  /** Takes every frame that is free or can be, and gives them back. */
  squeeze(): string {
    const { memory } = this.objects;
    const frames: FrameNumber[] = [];
    const result = this.#attempt(() => {
      for (;;) frames.push(memory.allocate(Usage.Frame));
    });
    for (const frame of frames) memory.release(frame);
    same(result, 'ENOMEM', 'taking every frame');
    return 'done';
  }

  /** Why a call on a range is refused, if it is. */
  refuse(holder: Holder, rights: readonly Right[], offset: number, length: number): string | undefined {
    if (!rights.every((right) => holder.rights.has(right))) return 'EACCES';
    return offset + length > holder.sizeBytes ? 'EINVAL' : undefined;
  }

  /**
   * Runs an operation on the real objects and, where that is done, on the oracle's.
   * @returns its answer.
   */
  run<T>(expected: Expected, call: () => T, apply: (result: T) => void): string {
    let answer: T;
    const outcome = this.#withEachAllocationFailed(() => (answer = call()), expected);
    if (expected.refused !== undefined) {
      this.#same(outcome, expected.refused);
    } else if (outcome === 'done') {
      if (this.#failures > this.#failuresBefore) throw new Error('the pager failed, and nobody heard of it');
      apply(answer!);
    } else {
      this.#checkFailure(outcome, expected);
    }
    return outcome;
  }

  #withEachAllocationFailed(call: () => void, expected: Expected): string {
    if (this.options.failAllocations !== true || expected.refused !== undefined) return this.#attempt(call);
    const { memory } = this.objects;
    const frames = framesInUse(this.objects);
    for (let n = 1; ; n++) {
      let asked = 0;
      memory.failAllocationsWhen(() => ++asked >= n);
      const outcome = this.#attempt(call);
      memory.failAllocationsWhen(undefined);
      if (asked < n) return outcome;
      if (outcome !== 'EIO' || this.#failures === this.#failuresBefore) this.#same(outcome, 'ENOMEM');
      this.check();
      if (this.options.pagers === 'none')
        same(framesInUse(this.objects), frames, 'frames in use after a failure');
    }
  }

  #attempt(call: () => void): string {
    this.#failuresBefore = this.#failures;
    try {
      call();
      return 'done';
    } catch (error) {
      this.#error = error;
      if (!(error instanceof HolsteinError)) throw error;
      return error.code;
    }
  }

  get #failures(): number {
    let failures = 0;
    for (const scripted of this.pagers.values()) failures += scripted.failures;
    return failures;
  }

  /** A failure must have a cause. */
  #checkFailure(outcome: string, { perhaps = [], frames = 0, source }: Expected): void {
    const isFair =
      perhaps.includes(outcome) ||
      (outcome === 'ENOMEM' && this.objects.memory.freeFrames < 2 * frames) ||
      (outcome === 'EIO' &&
        source !== undefined &&
        (this.#failures > this.#failuresBefore || this.detached.has(source)));
    if (!isFair) this.#same(outcome, 'done');
  }

  #same(outcome: string, wanted: string): void {
    if (outcome === wanted) return;
    const why =
      this.#error instanceof Error ? `${this.#error.message}: ${String(this.#error.cause ?? '')}` : '';
    throw new Error(`is ${outcome}, should be ${wanted}; ${why}`, { cause: this.#error });
  }

  checkFrames(): void {
    const frames = framesInUse(this.objects);
    const most = framesWithoutSharing(this.holders.shown());
    if (frames > most) throw new Error(`${frames} frames are in use, and eager copies would take ${most}`);
  }

  /** Whether changed pages of an object can be written back. */
  isWritable(object: EagerObject): boolean {
    return this.pagers.get(object)?.shape.writeBack === true && !this.detached.has(object);
  }
}
