/** Who reaches the oracle's objects: capabilities, as a tree of which was derived from which, and open views. */
import { PAGE_SIZE } from '../../src/frame/index.js';
import type { PageView, Right, Vmo } from '../../src/vmo/index.js';
import type { MemoryObject } from '../../src/vmo/memory-object.js';
import { type EagerObject, type PageSpan, pagesOf } from './eager-objects.js';

/** A capability, and what it reaches. Its pages are those that it keeps from being freed. */
export class Holder implements PageSpan {
  vmo: Vmo;
  readonly object: EagerObject;
  /** In bytes: where a slice begins, and how long it is; undefined where it is all. */
  readonly start: number;
  readonly sliceBytes: number | undefined;
  rights: ReadonlySet<Right>;
  above: Holder | undefined;
  readonly below = new Set<Holder>();

  constructor(vmo: Vmo, object: EagerObject, above: Holder | undefined, start = 0, sliceBytes?: number) {
    this.vmo = vmo;
    this.object = object;
    this.start = start;
    this.sliceBytes = sliceBytes;
    this.rights = new Set(vmo.rights);
    this.above = above;
    above?.below.add(this);
  }

  get sizeBytes(): number {
    return this.sliceBytes ?? this.object.sizeBytes;
  }

  get first(): number {
    return this.start / PAGE_SIZE;
  }

  get end(): number {
    return this.sliceBytes === undefined ? Infinity : pagesOf(this.start + this.sliceBytes);
  }

  reaches(page: number): boolean {
    return page >= this.first && page < this.end;
  }

  /** This one, and all that were derived from it. */
  *withDerived(): Iterable<Holder> {
    yield this;
    for (const holder of this.below) yield* holder.withDerived();
  }
}

export interface OpenView {
  readonly view: PageView;
  readonly object: EagerObject;
  /** Where byte 0 of what was viewed lies in the object. */
  readonly zero: number;
  /** The pages that stay where they are, whoever closes what. */
  readonly pinned: PageSpan;
}

export class Holders {
  readonly all: Holder[] = [];
  readonly views: OpenView[] = [];
  readonly #reals = new Map<EagerObject, MemoryObject>();

  pick(which: number): Holder | undefined {
    return this.all[which % Math.max(this.all.length, 1)];
  }

  add(holder: Holder): void {
    this.all.push(holder);
    holder.object.reachers.add(holder);
    this.#reals.set(holder.object, holder.vmo.reach.object);
  }

  addView(view: OpenView): void {
    this.views.push(view);
    view.object.pins.add(view.pinned);
    view.object.reachers.add(view.pinned);
  }

  dropView(view: OpenView): void {
    this.views.splice(this.views.indexOf(view), 1);
    view.object.pins.delete(view.pinned);
    view.object.reachers.delete(view.pinned);
    this.#forgetClosed(view.object);
  }

  /** Ends a capability: those derived from it were derived from what it was derived from. */
  close(holder: Holder): void {
    this.#drop(holder);
    for (const derived of holder.below) {
      derived.above = holder.above;
      holder.above?.below.add(derived);
    }
  }

  /** Ends a capability, and all that were derived from it. @returns those. */
  revoke(holder: Holder): Holder[] {
    const all = [...holder.withDerived()];
    for (const each of all) this.#drop(each);
    return all;
  }

  #drop(holder: Holder): void {
    this.all.splice(this.all.indexOf(holder), 1);
    holder.above?.below.delete(holder);
    holder.object.reachers.delete(holder);
    this.#forgetClosed(holder.object);
  }

  #forgetClosed(object: EagerObject): void {
    if (object.isOpen) return;
    this.#reals.delete(object);
    object.base?.object.views.delete(object);
    object.source?.copies.delete(object);
  }

  real(object: EagerObject): MemoryObject {
    return this.#reals.get(object)!;
  }

  /** Objects that someone reaches. */
  open(): Iterable<EagerObject> {
    return this.#reals.keys();
  }

  /** As `open`, and those that only views of them show. */
  shown(): Set<EagerObject> {
    const shown = new Set(this.open());
    for (const { base } of this.open()) if (base !== undefined) shown.add(base.object);
    return shown;
  }
}
