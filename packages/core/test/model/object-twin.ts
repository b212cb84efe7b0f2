/**
 * Runs random operations on memory objects, and the same on the oracle's (eager-objects.ts), and compares them as it
 * goes.
 */
import { same, framesInUse } from './object-checks.js';
import { ObjectBench, type ObjectBenchOptions } from './object-bench.js';
import {
  closeHolder,
  createObject,
  duplicateHolder,
  makeChild,
  restrictHolder,
  revokeHolder,
} from './object-capabilities.js';
import { runOnPager } from './object-pagers.js';
import {
  closeView,
  openView,
  readBytes,
  resizeObject,
  runOnRange,
  runOnView,
  takePage,
} from './object-ranges.js';
import type { ObjectStep } from './object-steps.js';

const MAX_HOLDERS = 16;

export class ObjectTwin implements Disposable {
  /** How many operations gave each answer. */
  readonly results = new Map<string, number>();
  readonly #bench: ObjectBench;

  constructor(options: ObjectBenchOptions) {
    this.#bench = new ObjectBench(options);
  }

  step(step: ObjectStep): void {
    try {
      const result = this.#operate(step);
      const key = `${step.operation} ${result}`;
      this.results.set(key, (this.results.get(key) ?? 0) + 1);
      this.#bench.checkFrames();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`${JSON.stringify(step)}: ${why}`, { cause: error });
    }
  }

  /** The audit, and every page that is there: nothing is brought in. */
  check(): void {
    this.#bench.check();
  }

  /** As `check`, with every byte read. */
  readAll(): void {
    this.check();
    for (const holder of this.#bench.holders.all) {
      if (holder.rights.has('read')) readBytes(this.#bench, holder, 0, holder.sizeBytes);
    }
    this.#bench.checkFrames();
    this.check();
  }

  /** Closes everything, in some order, and checks that nothing is left. */
  async finish(which: number): Promise<void> {
    const bench = this.#bench;
    const { holders, objects } = bench;
    this.readAll();
    for (const view of [...holders.views]) closeView(bench, view);
    for (let next = which; holders.all.length > 0; next = next * 7 + 3) {
      closeHolder(bench, holders.pick(next % 64)!, 'discard');
      this.check();
      bench.checkFrames();
    }
    same(framesInUse(objects), 0, 'frames in use at the end');
    same(objects.statistics().objects, 0, 'objects at the end');
    for (const { closed } of bench.pagers.values()) same(closed, 1, 'times that a pager was closed');
    await Promise.all(bench.promises);
  }

  [Symbol.dispose](): void {
    this.#bench[Symbol.dispose]();
  }

  #operate(step: ObjectStep): string {
    const bench = this.#bench;
    const { operation } = step;
    const isFull = bench.holders.all.length >= MAX_HOLDERS;
    const holder = bench.holders.pick(step.which);
    if (operation === 'squeeze') return bench.squeeze();
    if (operation === 'writeView' || operation === 'closeView') return runOnView(bench, step);
    if (holder === undefined) return createObject(bench, step);
    switch (operation) {
      case 'create':
      case 'createPaged':
      case 'createDevice':
        return isFull ? closeHolder(bench, holder, 'discard') : createObject(bench, step);
      case 'child':
        return isFull ? closeHolder(bench, holder, 'discard') : makeChild(bench, step, holder);
      case 'duplicate':
        return isFull ? closeHolder(bench, holder, 'refuse') : duplicateHolder(bench, holder);
      case 'restrict':
        return restrictHolder(bench, step, holder);
      case 'revoke':
        return revokeHolder(bench, holder, step.shape < 12 ? 'refuse' : 'discard');
      case 'close':
        return closeHolder(bench, holder, step.shape < 12 ? 'refuse' : 'discard');
      case 'openView':
        return openView(bench, step, holder);
      case 'resize':
        return resizeObject(bench, step, holder);
      case 'page':
        return takePage(bench, step, holder);
      case 'sync':
      case 'supply':
      case 'detach':
      case 'failPager':
        return runOnPager(bench, step, holder);
      default:
        return runOnRange(bench, step, holder);
    }
  }
}
