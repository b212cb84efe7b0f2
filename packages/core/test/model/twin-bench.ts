/**
 * What random programs on address spaces run on: one or several real worlds, the oracle, and how an operation is run on
 * all. Each world has the same spaces and capabilities, in the same order, but for how its forks are made.
 *
 * Where there are several worlds all must answer the same, and none may run out of memory. Where there is one it may,
 * and must then be as it was.
 */
import { HolsteinError, OutOfMemory } from '../../src/frame/index.js';
import type { UsedBitUpdates } from '../../src/paging/index.js';
import type { AddressSpace, ForkKind } from '../../src/space/index.js';
import type { BytesPager, Vmo } from '../../src/vmo/index.js';
import type { EagerCapability } from './eager-capability.js';
import type { EagerObject } from './eager-objects.js';
import type { EagerSpace, Refusals } from './eager-space.js';
import { framesAtHand, stateOf } from './twin-state.js';
import { World } from './world.js';

/** How the forks of a world are made: all in one way, or as each step says. */
export type Forks = ForkKind | 'as the step says';

export interface TwinOptions {
  readonly sizeBytes: number;
  /** A world for each. Default: one, whose forks are as each step says. */
  readonly worlds?: readonly Forks[];
  /** Run every operation with each of its allocations failed first. */
  readonly failAllocations?: boolean;
  /** Who sets A and D: the walk, or the kernel after a fault. */
  readonly updates?: UsedBitUpdates;
  /** Once there are so many spaces, there are never fewer. Default 1. */
  readonly leastSpaces?: number;
}

/** The same address space, in each world and in the oracle. */
export interface TwinSpace {
  readonly reals: readonly AddressSpace[];
  readonly model: EagerSpace;
  /** How many forks led to it. */
  readonly generation: number;
}

/** The same capability, in each world and in the oracle. */
export interface TwinVmo {
  readonly reals: readonly Vmo[];
  readonly model: EagerCapability;
}

/** The end of an operation that took what it is given. Other answers are refusals and failures. */
export const DONE = 'done';
export const NO_MEMORY = 'out-of-memory';

export class TwinBench implements Disposable {
  readonly worlds: readonly World[];
  readonly forks: readonly Forks[];
  readonly leastSpaces: number;
  readonly spaces: TwinSpace[] = [];
  /** Capabilities, some of which are not open any more. */
  readonly vmos: TwinVmo[] = [];
  /** The pagers of an object, one in each world. */
  readonly pagers = new Map<EagerObject, readonly BytesPager[]>();
  /** Before this step all pagers fail, whatever they are asked for. */
  pagersFailUntil = 0;
  /** How often something came about: a test in which it never did has not tried it. */
  readonly results = new Map<string, number>();
  /** Compares all that there is, after each failure that was scripted. */
  check: () => void = () => {};
  steps = 0;
  readonly #failAllocations: boolean;
  readonly #reals = new WeakMap<EagerCapability, readonly Vmo[]>();

  constructor({
    sizeBytes,
    worlds = ['as the step says'],
    failAllocations = false,
    updates = 'hardware',
    leastSpaces = 1,
  }: TwinOptions) {
    this.worlds = worlds.map(() => new World(sizeBytes, { updates }));
    this.forks = worlds;
    this.leastSpaces = leastSpaces;
    this.#failAllocations = failAllocations;
  }

  note(what: string, count = 1): void {
    if (count > 0) this.results.set(what, (this.results.get(what) ?? 0) + count);
  }

  addVmo(vmo: TwinVmo): void {
    this.vmos.push(vmo);
    this.#reals.set(vmo.model, vmo.reals);
  }

  /** The real capabilities, closed or not; none where the oracle alone has it. */
  realsOf(model: EagerCapability): readonly Vmo[] | undefined {
    return this.#reals.get(model);
  }

  get pagersFail(): boolean {
    return this.pagersFailUntil > this.steps;
  }

  /** Whether a pager may be asked for a page of an object, and would fail. */
  mayFail(object: EagerObject | undefined): boolean {
    return object?.source !== undefined && this.pagersFail;
  }

  /**
   * Runs a call in every world.
   * @param call gives the answer, or throws what is known by its code.
   * @param onFailure whether the world is as it was where memory has run out.
   */
  answer(
    call: (world: number) => string | void,
    onFailure: 'unchanged' | 'partly done' = 'unchanged',
  ): string {
    const answers = this.worlds.map((world, index) => this.#inWorld(world, () => call(index), onFailure));
    for (const [index, answer] of answers.entries()) {
      same(answer, answers[0], `the answer where forks are ${this.forks[index]}, and ${this.forks[0]}`);
    }
    if (this.worlds.length > 1) same(answers.includes(NO_MEMORY), false, 'that memory ran out');
    return answers[0]!;
  }

  /**
   * Runs a call that changes all or nothing, in every world and then on the oracle.
   * @param refusals any of which is right; none where it is to be done.
   * @param perhaps answers that are right as well, for the oracle does not know what decides.
   */
  run(
    refusals: Refusals,
    call: (world: number) => string | void,
    apply: () => void,
    perhaps: Refusals = [],
  ): string {
    const answer = this.answer(call);
    if (answer === NO_MEMORY) return answer;
    if (refusals.length > 0) sameAsOne(answer, refusals, 'the answer');
    else sameAsOne(answer, [DONE, ...perhaps], 'the answer');
    if (answer === DONE) apply();
    return answer;
  }

  [Symbol.dispose](): void {
    for (const world of this.worlds) {
      const objects = world.virtualMemory.objects as { close(options: object): void } | undefined;
      world.check();
      for (const space of [...world.virtualMemory.spaces]) space.close();
      objects?.close({ unwritten: 'discard' });
      world[Symbol.dispose]();
    }
  }

  /** Runs a call in one world, first with each of its allocations failed where that is asked for. */
  #inWorld(world: World, call: () => string | void, onFailure: 'unchanged' | 'partly done'): string {
    const { memory } = world;
    const isUnchanged = onFailure === 'unchanged';
    const before = this.#failAllocations && isUnchanged ? stateOf(world) : '';
    const frames = isUnchanged && this.worlds.length === 1 ? framesAtHand(world) : 0;
    for (let n = 1; this.#failAllocations; n++) {
      const asked = memory.allocations;
      memory.failAllocation(n);
      const answer = answerOf(call);
      memory.failAllocation(0);
      if (memory.allocations - asked < n) return answer;
      // What an object asks of its pager beyond what is wanted may fail, and is asked for again.
      if (answer !== NO_MEMORY && this.pagers.size > 0) return answer;
      same(answer, NO_MEMORY, `the answer where allocation ${n} failed`);
      if (isUnchanged) sameState(stateOf(world), before);
      this.check();
    }
    const answer = answerOf(call);
    if (answer === NO_MEMORY && isUnchanged && this.worlds.length === 1) {
      const after = framesAtHand(world);
      // Where pages were dropped to be brought in again, the tables that led to them may have gone too.
      if (this.pagers.size === 0 || after < frames) same(after, frames, 'free frames after running out');
    }
    return answer;
  }
}

const answerOf = (call: () => string | void): string => {
  try {
    return call() ?? DONE;
  } catch (error) {
    if (error instanceof OutOfMemory) return NO_MEMORY;
    if (error instanceof HolsteinError) return error.code;
    throw error;
  }
};

export const same = (actual: unknown, expected: unknown, what: string): void => {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, should be ${String(expected)}`);
};

export const sameAsOne = (actual: string, expected: readonly string[], what: string): void => {
  if (!expected.includes(actual)) same(actual, expected.join(' or '), what);
};

/** Shows where two states begin to differ. */
const sameState = (actual: string, expected: string): void => {
  if (actual === expected) return;
  let at = 0;
  while (actual[at] === expected[at]) at++;
  const around = (state: string): string => state.slice(Math.max(at - 100, 0), at + 100);
  same(around(actual), around(expected), 'what there is after running out of memory');
};
