/**
 * Runs one random program on several virtual memories: holstein's, in one world or in several that differ in how they
 * fork, and spaces that share nothing. They must agree on what each operation answers and on every byte.
 *
 *      twin-steps.ts      what a program is made of
 *      twin-focus.ts      what each operation is done to
 *      twin-bench.ts      the worlds, and how an operation is run on all
 *      twin-mappings.ts   the operations: on mappings,
 *      twin-accesses.ts   on bytes of memory, as a hart and as the kernel,
 *      twin-spaces.ts     on spaces,
 *      twin-objects.ts    on memory objects
 *      twin-checks.ts     what is compared
 *      twin-state.ts      what must not change where memory runs out
 *      eager-space.ts, eager-capability.ts, eager-objects.ts
 *                         the oracle
 */
import type { ForkKind } from '../../src/space/index.js';
import { accessByte, copyBytes, forgetUse, prefault } from './twin-accesses.js';
import { DONE, TwinBench, type TwinOptions, type TwinSpace } from './twin-bench.js';
import { checkAll, checkFrames, readAll } from './twin-checks.js';
import { Focus } from './twin-focus.js';
import { changeRange, guard, mapObject, mapZeros, remap, unmapRange } from './twin-mappings.js';
import * as objects from './twin-objects.js';
import { createSpace, exec, exitSpace, forkSpace } from './twin-spaces.js';
import { OBJECT_OPERATIONS, type Step } from './twin-steps.js';

export type { TwinOptions };

const FORK_KINDS: Readonly<Record<string, ForkKind>> = {
  forkTables: 'tables',
  forkPages: 'pages',
  forkEagerly: 'eager',
};

export class Twin implements Disposable {
  readonly #bench: TwinBench;
  readonly #focus: Focus;

  constructor(options: TwinOptions) {
    this.#bench = new TwinBench(options);
    this.#focus = new Focus(this.#bench);
    this.#bench.check = () => checkAll(this.#bench);
  }

  /** How many operations gave each answer: a test that never ran out of memory has not tried that. */
  get results(): ReadonlyMap<string, number> {
    return this.#bench.results;
  }

  /** How many spaces there are now. */
  get spaces(): number {
    return this.#bench.spaces.length;
  }

  step(step: Step): void {
    const bench = this.#bench;
    bench.steps++;
    try {
      bench.note(`${step.operation} ${this.#operate(step)}`);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`step ${bench.steps}, ${JSON.stringify(step)}: ${why}`, { cause: error });
    }
  }

  /** Audits, and compares every byte that has a frame: nothing is brought in. */
  check(): void {
    checkAll(this.#bench);
    checkFrames(this.#bench);
  }

  /** As `check`, and reads every byte, as processes would. */
  readAll(): void {
    this.check();
    readAll(this.#bench);
    this.check();
  }

  [Symbol.dispose](): void {
    this.#bench[Symbol.dispose]();
  }

  #operate(step: Step): string {
    const bench = this.#bench;
    const { operation } = step;
    if (bench.spaces.length === 0 && createSpace(bench) !== DONE) return 'no space';
    const { space, page } = this.#focus.place(step);
    if (bench.spaces.length < bench.leastSpaces && operation === 'create') {
      return forkSpace(bench, space, 'tables', step);
    }
    if ((OBJECT_OPERATIONS as readonly string[]).includes(operation))
      return this.#operateOnObjects(step, space, page);
    switch (operation) {
      case 'map':
        return mapZeros(bench, space, page, step);
      case 'unmap':
        return unmapRange(bench, space, page, step.lengthPages);
      case 'protect':
      case 'commit':
        return changeRange(bench, space, page, step);
      case 'access':
        return accessByte(bench, space, page, step);
      case 'copyIn':
      case 'copyInString':
      case 'copyOut':
        return copyBytes(bench, space, page, step);
      case 'create':
        return createSpace(bench);
      case 'exit':
        return exitSpace(bench, space);
      case 'forgetUse':
        return forgetUse(bench, space, page, step.lengthPages);
      case 'flush':
        // Seldom, or tags would never run out and few lines grow old.
        if (step.value === 0) for (const { tlb } of bench.worlds) tlb.flushAll();
        return DONE;
      default:
        return forkSpace(bench, space, FORK_KINDS[operation]!, step);
    }
  }

  #operateOnObjects(step: Step, space: TwinSpace, page: number): string {
    const bench = this.#bench;
    switch (step.operation) {
      case 'guard':
        return guard(bench, space, page, step);
      case 'remap':
        return remap(bench, space, page, step);
      case 'dontNeed':
      case 'onFork':
        return changeRange(bench, space, page, step);
      case 'prefault':
        return prefault(bench, space, page, step);
      case 'createObject':
        return objects.createObject(bench, step);
      case 'createPaged':
        return objects.createPaged(bench, step);
      default:
        return this.#operateOnVmo(step, space, page);
    }
  }

  #operateOnVmo(chosen: Step, space: TwinSpace, page: number): string {
    const bench = this.#bench;
    const vmo = this.#focus.vmo(chosen);
    const step = { ...chosen, objectPage: this.#focus.objectPage(chosen, vmo) };
    switch (step.operation) {
      case 'mapObject':
        return mapObject(bench, space, page, vmo, step);
      case 'exec':
        return exec(bench, space, step);
      case 'createChild':
        return objects.createChild(bench, vmo, step);
      case 'duplicate':
        return objects.duplicateVmo(bench, vmo);
      case 'closeVmo':
        return objects.closeVmo(bench, vmo);
      case 'revokeVmo':
        return objects.revokeVmo(bench, vmo);
      case 'resizeVmo':
        return objects.resizeObject(bench, vmo, step);
      case 'failPagers':
        return objects.failPagers(bench, vmo);
      default:
        return objects.changeObject(bench, vmo, step);
    }
  }
}
