/**
 * What a step is about: a space, a page of it, a capability. Among many of each, two operations would seldom meet on the
 * same page; so many a step comes back to the page that one before it was about, and to the object that shows there.
 */
import type { EagerObject } from './eager-objects.js';
import type { TwinBench, TwinSpace, TwinVmo } from './twin-bench.js';
import { createObject } from './twin-objects.js';
import { type Operation, PAGES, type Step } from './twin-steps.js';

/** Open capabilities: where there are fewer, another is made first. */
const LEAST_VMOS = 4;

/** What makes a page worth coming back to, unless it fails. */
const USES = new Set<Operation>(['access', 'copyIn', 'copyOut', 'prefault', 'commit']);
/** What maps seldom wants to where something is. */
const MAPS = new Set<Operation>(['map', 'mapObject', 'guard']);
/** What ends a space. */
const ENDS = new Set<Operation>(['exit', 'exec']);

interface Place {
  readonly space: TwinSpace;
  readonly page: number;
}

export class Focus {
  readonly #bench: TwinBench;
  #last: Place | undefined;

  constructor(bench: TwinBench) {
    this.#bench = bench;
  }

  /** The space and the page that a step is about. */
  place(step: Step): Place {
    const place = this.#pick(step);
    const { space, page } = place;
    const isUse = USES.has(step.operation) && space.model.access(page, step.access) === 'resolved';
    if (isUse || MAPS.has(step.operation)) this.#last = place;
    return place;
  }

  /** The capability that a step is about, most often one that is open. */
  vmo(step: Step): TwinVmo {
    const bench = this.#bench;
    const isOpen = ({ model }: TwinVmo): boolean => model.isOpen;
    if (bench.vmos.filter(isOpen).length < LEAST_VMOS) createObject(bench, step);
    const shown = step.place === 'again' ? this.#shown : undefined;
    const fitting = bench.vmos.filter(
      ({ model }) => model.isOpen && shown !== undefined && areRelated(model.object, shown.object),
    );
    const usual = step.kind % 8 > 0 ? bench.vmos.filter(isOpen) : bench.vmos;
    const among = fitting.length > 0 ? fitting : usual;
    // What is new is mapped before it is gone.
    const isLast = step.operation === 'mapObject' && step.kind % 3 === 0;
    return isLast ? among.at(-1)! : among[step.which % among.length]!;
  }

  /** The page of what a capability reaches that a step is about. */
  objectPage(step: Step, { model }: TwinVmo): number {
    const shown = step.place === 'again' && step.kind % 4 > 0 ? this.#shown : undefined;
    return shown !== undefined && areRelated(shown.object, model.object)
      ? Math.max(shown.page - model.first, 0)
      : step.objectPage;
  }

  #pick(step: Step): Place {
    const { operation, place } = step;
    const last = this.#isThere ? this.#last : undefined;
    if (place === 'again' && last !== undefined && !MAPS.has(operation) && !ENDS.has(operation)) return last;
    const space = this.#bench.spaces[step.space % this.#bench.spaces.length]!;
    if (place === 'elsewhere' && last !== undefined) return { space, page: last.page };
    const { pages } = space.model;
    const isNew = MAPS.has(operation) && step.page % 4 > 0;
    const among = place === 'any' || pages.size === 0 || isNew ? PAGES : [...pages.keys()];
    return { space, page: among[step.page % among.length]! };
  }

  get #isThere(): boolean {
    return (
      this.#last !== undefined &&
      this.#bench.spaces.includes(this.#last.space) &&
      this.#last.space.model.pages.has(this.#last.page)
    );
  }

  /** The object, and its page, that the last page shows. */
  get #shown() {
    if (!this.#isThere) return undefined;
    const { capability, objectPage } = this.#last!.space.model.pages.get(this.#last!.page)!;
    return capability && { object: capability.object, page: capability.first + objectPage };
  }
}

/** Whether two objects are one, or show pages of the same pager. */
const areRelated = (one: EagerObject, other: EagerObject): boolean =>
  one === other || (one.source !== undefined && one.source === other.source);
