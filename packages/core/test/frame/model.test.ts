/**
 * Random sequences of all that can be done with frames, beside a plain model: for each frame in use its
 * usage, its references and its metadata. What the model refuses must be refused, with its code, and change
 * nothing; what it allows must be done.
 */
import { describe, expect, test } from 'vitest';
import {
  DynPage,
  type ErrorCode,
  FrameMeta,
  type FrameNumber,
  frameNumber,
  frameStart,
  HolsteinError,
  KernelMeta,
  KernelStackMeta,
  type MetadataType,
  Page,
  PAGE_SIZE,
  PageTableMeta,
  type PhysAddr,
  type PhysicalMemory,
  Segment,
  UniquePage,
  Usage,
} from '../../src/frame/index.js';
import { Random } from '../support/random.js';
import { joinedBlocks, makeMemory, stateOf } from './state.js';

type AnyPage = Page<MetadataType>;
type AnyUnique = UniquePage<MetadataType>;
type AnySegment = Segment<MetadataType>;

const TYPES: readonly MetadataType[] = [FrameMeta, PageTableMeta, KernelMeta, KernelStackMeta];

interface ModelFrame {
  readonly type: MetadataType;
  count: number;
  unique: boolean;
  readonly metadata: Record<string, number>;
}

/** Whoever has a reference: a handle, an address, or an inner loop (`plain`). */
type Holder =
  | { readonly kind: 'page'; readonly frames: readonly number[]; readonly handle: AnyPage }
  | { readonly kind: 'dyn'; readonly frames: readonly number[]; readonly handle: DynPage }
  | { readonly kind: 'unique'; readonly frames: readonly number[]; readonly handle: AnyUnique }
  | { readonly kind: 'segment'; readonly frames: readonly number[]; readonly handle: AnySegment }
  | { readonly kind: 'raw'; readonly frames: readonly number[]; readonly raw: PhysAddr }
  | { readonly kind: 'plain'; readonly frames: readonly number[] };
type Kind = Holder['kind'];
type Of<K extends Kind> = Extract<Holder, { kind: K }>;

/** One operation, all its choices made. */
interface Plan {
  readonly name: string;
  /** What it must be refused with, if anything. */
  readonly refusal?: ErrorCode | undefined;
  readonly allocates?: boolean;
  /** Does it to the memory, and then to the model. */
  readonly run: () => void;
}

class Twin {
  readonly memory: PhysicalMemory;
  readonly frames = new Map<number, ModelFrame>();
  readonly done = new Map<string, number>();
  readonly #random: Random;
  #holders: Holder[] = [];
  #deaths = 0;
  #destroyed = 0;

  constructor(seed: number, checking: 'off' | 'on') {
    this.#random = new Random(seed);
    this.memory = makeMemory({ checking });
    for (const type of TYPES) {
      this.memory.setDestructor(type.usage, (frame) => {
        this.#destroyed++;
        expect(this.memory.usage(frame)).toBe(type.usage);
      });
    }
  }

  /** The next operation. Its choices are made now, so that it can be tried, fail, and be tried again. */
  plan(): Plan {
    const plans = [
      () => this.#allocate(),
      () => this.#allocatePage(),
      () => this.#allocateUnique(),
      () => this.#fromUnused(),
      () => this.#segment(),
      () => this.#clone(),
      () => this.#convert(),
      () => this.#raw(),
      () => this.#restore(),
      () => this.#restoreWrongly(),
      () => this.#setMetadata(),
      () => this.#retain(),
      () => this.#releaseWildly(),
      () => this.#cut(),
      () => this.#drop(),
      () => this.#drop(),
      () => this.#drop(),
      () => this.#drop(),
    ];
    return this.#random.pick(plans)() ?? this.plan();
  }

  run(plan: Plan): void {
    this.done.set(plan.name, (this.done.get(plan.name) ?? 0) + 1);
    if (plan.refusal === undefined) {
      plan.run();
      return;
    }
    let error: unknown;
    try {
      plan.run();
    } catch (thrown) {
      error = thrown;
    }
    expect(error, plan.name).toBeInstanceOf(HolsteinError);
    expect((error as HolsteinError).code, `${plan.name}: ${String(error)}`).toBe(plan.refusal);
  }

  /** Fails where memory and model disagree anywhere. */
  check(): void {
    const { memory, frames } = this;
    expect(memory.audit()).toEqual([]);
    const handles = new Map<number, number>();
    const raws = new Map<number, number>();
    for (const { kind, frames: held } of this.#holders) {
      const counts = kind === 'raw' ? raws : handles;
      if (kind !== 'plain') for (const frame of held) counts.set(frame, (counts.get(frame) ?? 0) + 1);
    }
    for (let index: number = memory.firstAllocatable; index < memory.totalFrames; index++) {
      const frame = frameNumber(index);
      const model = frames.get(index);
      const found = [memory.usage(frame), memory.count(frame)];
      if (model === undefined) {
        if (found[0] !== Usage.Unused || found[1] !== 0) expect(found).toEqual([Usage.Unused, 0]);
        continue;
      }
      const metadata = memory.metadata(frame) / 4;
      expect([...found, memory.slots.handles(frame), memory.slots.raw(frame)]).toEqual([
        model.type.usage,
        model.count,
        handles.get(index) ?? 0,
        raws.get(index) ?? 0,
      ]);
      for (const [field, offset] of Object.entries(model.type.fields)) {
        expect(memory.words[metadata + offset / 4]).toBe(model.metadata[field]);
      }
    }
    expect(memory.freeFrames).toBe(memory.totalFrames - memory.firstAllocatable - frames.size);
    expect(this.#destroyed).toBe(this.#deaths);
    if (memory.ledger !== undefined) {
      const outstanding = [...memory.ledger.outstanding()].map(({ frame }) => frame as number);
      const held = this.#of('raw').flatMap((holder) => holder.frames);
      expect(outstanding.toSorted((a, b) => a - b)).toEqual(held.toSorted((a, b) => a - b));
    }
  }

  /** Drops every reference there is. */
  end(): void {
    while (this.#holders.length > 0) this.#drop()!.run();
    this.check();
    expect(this.frames.size).toBe(0);
  }

  #of<K extends Kind>(...kinds: readonly K[]): Of<K>[] {
    return this.#holders.filter((holder): holder is Of<K> => kinds.includes(holder.kind as K));
  }

  #pick<K extends Kind>(...kinds: readonly K[]): Of<K> | undefined {
    const candidates = this.#of(...kinds);
    return candidates.length === 0 ? undefined : this.#random.pick(candidates);
  }

  #anyFrame(): FrameNumber {
    const { firstAllocatable, totalFrames } = this.memory;
    return frameNumber(firstAllocatable + this.#random.below(totalFrames - firstAllocatable));
  }

  #initial(type: MetadataType): Record<string, number> {
    const own = Object.keys(type.fields).filter((field) => !type.layerFields.includes(field));
    const fields = own.filter(() => this.#random.below(2) === 0);
    return Object.fromEntries(fields.map((field) => [field, this.#random.word() >>> 0]));
  }

  /** A frame is born in the model. */
  #born(frame: number, type: MetadataType, initial: Record<string, number> = {}, unique = false): void {
    expect(this.frames.has(frame)).toBe(false);
    const zeros = Object.fromEntries(Object.keys(type.fields).map((field) => [field, 0]));
    this.frames.set(frame, { type, count: 1, unique, metadata: { ...zeros, ...initial } });
  }

  #dropped(frames: readonly number[]): void {
    for (const frame of frames) {
      const model = this.frames.get(frame)!;
      if (--model.count > 0) continue;
      this.frames.delete(frame);
      this.#deaths++;
    }
  }

  #replace(old: Holder, ...holders: readonly Holder[]): void {
    this.#holders = this.#holders.filter((holder) => holder !== old);
    this.#holders.push(...holders);
  }

  #outOfMemory(): ErrorCode | undefined {
    return this.memory.freeFrames === 0 ? 'ENOMEM' : undefined;
  }

  #allocate(): Plan {
    const type = this.#random.pick(TYPES);
    const run = (): void => {
      const frame = this.memory.allocate(type.usage);
      this.#born(frame, type);
      this.#holders.push({ kind: 'plain', frames: [frame] });
    };
    return { name: 'allocate', refusal: this.#outOfMemory(), allocates: true, run };
  }

  #allocatePage(): Plan {
    const type = this.#random.pick(TYPES);
    const initial = this.#initial(type);
    const run = (): void => {
      const handle = Page.allocate(this.memory, type, initial);
      this.#born(handle.frame, type, initial);
      this.#holders.push({ kind: 'page', frames: [handle.frame], handle });
    };
    return { name: 'Page.allocate', refusal: this.#outOfMemory(), allocates: true, run };
  }

  #allocateUnique(): Plan {
    const type = this.#random.pick(TYPES);
    const initial = this.#initial(type);
    const run = (): void => {
      const handle = UniquePage.allocate(this.memory, type, initial);
      this.#born(handle.frame, type, initial, true);
      this.#holders.push({ kind: 'unique', frames: [handle.frame], handle });
    };
    return { name: 'UniquePage.allocate', refusal: this.#outOfMemory(), allocates: true, run };
  }

  #fromUnused(): Plan {
    const type = this.#random.pick(TYPES);
    const initial = this.#initial(type);
    const frame = this.#anyFrame();
    const run = (): void => {
      const handle = Page.fromUnused(this.memory, frameStart(frame), type, initial);
      this.#born(frame, type, initial);
      this.#holders.push({ kind: 'page', frames: [frame], handle });
    };
    const refusal = this.frames.has(frame) ? 'EBUSY' : undefined;
    return { name: 'Page.fromUnused', refusal, allocates: true, run };
  }

  #segment(): Plan {
    const type = this.#random.pick(TYPES);
    const initial = this.#initial(type);
    const { memory } = this;
    const frames = 1 + this.#random.below(12);
    const alignmentFrames = 2 ** this.#random.below(4);
    const wanted = this.#anyFrame();
    const place = frameNumber(wanted - (wanted % alignmentFrames));
    const fits = place >= memory.firstAllocatable && place + frames <= memory.totalFrames;
    const at = fits && this.#random.below(2) === 0 ? place : undefined;
    const row = (first: number, length: number): number[] =>
      Array.from({ length }, (_, index) => first + index);
    const isFree = (first: number, length: number): boolean =>
      first >= memory.firstAllocatable &&
      first + length <= memory.totalFrames &&
      row(first, length).every((frame) => !this.frames.has(frame));
    let refusal: ErrorCode | undefined;
    if (at === undefined) {
      // The allocator wants a whole block for it, of which the rest stays free.
      const block = 2 ** Math.ceil(Math.log2(Math.max(frames, alignmentFrames)));
      const starts = row(0, memory.totalFrames / block).map((index) => index * block);
      if (!starts.some((start) => isFree(start, block))) refusal = 'ENOMEM';
    } else if (!isFree(at, frames)) refusal = 'EBUSY';
    const run = (): void => {
      const options = { frames, alignmentFrames, ...(at === undefined ? {} : { at }) };
      const handle = Segment.allocate(memory, type, options, () => initial);
      const first = handle.address / PAGE_SIZE;
      expect(first % alignmentFrames).toBe(0);
      if (at !== undefined) expect(first).toBe(at);
      for (const frame of row(first, frames)) this.#born(frame, type, initial);
      this.#holders.push({ kind: 'segment', frames: row(first, frames), handle });
    };
    return { name: 'Segment.allocate', refusal, allocates: true, run };
  }

  #clone(): Plan | undefined {
    const holder = this.#pick('page', 'dyn');
    if (holder === undefined) return undefined;
    const borrows = this.#random.below(3) === 0;
    const run = (): void => {
      if (holder.kind === 'dyn') {
        this.#holders.push({ kind: 'dyn', frames: holder.frames, handle: holder.handle.clone() });
      } else {
        const handle = borrows ? holder.handle.borrow().clone() : holder.handle.clone();
        this.#holders.push({ kind: 'page', frames: holder.frames, handle });
      }
      this.frames.get(holder.frames[0]!)!.count++;
    };
    return { name: 'clone', run };
  }

  #convert(): Plan | undefined {
    const holder = this.#pick('page', 'dyn', 'unique');
    if (holder === undefined) return undefined;
    const { frames } = holder;
    const model = this.frames.get(frames[0]!)!;
    const type = this.#random.pick(TYPES);
    const toDyn = this.#random.below(2) === 0;
    const run = (): void => {
      if (holder.kind === 'unique') {
        this.#replace(holder, { kind: 'page', frames, handle: holder.handle.share() });
        model.unique = false;
      } else if (holder.kind === 'dyn') {
        const converted = holder.handle.into(type);
        expect(converted.ok).toBe(type === model.type);
        if (converted.ok) this.#replace(holder, { kind: 'page', frames, handle: converted.page });
        else expect(converted.page).toBe(holder.handle);
      } else if (toDyn) {
        this.#replace(holder, { kind: 'dyn', frames, handle: holder.handle.intoDyn() });
      } else {
        const converted = holder.handle.intoUnique();
        expect(converted.ok).toBe(model.count === 1);
        if (converted.ok) {
          this.#replace(holder, { kind: 'unique', frames, handle: converted.page });
          model.unique = true;
        } else expect(converted.page).toBe(holder.handle);
      }
    };
    return { name: `convert a ${holder.kind}`, run };
  }

  #raw(): Plan | undefined {
    const holder = this.#pick('page', 'dyn', 'unique');
    if (holder === undefined) return undefined;
    const run = (): void => {
      const raw = holder.handle.intoRaw();
      expect(raw).toBe(holder.frames[0]! * PAGE_SIZE);
      this.#replace(holder, { kind: 'raw', frames: holder.frames, raw });
      this.frames.get(holder.frames[0]!)!.unique = false;
    };
    return { name: 'intoRaw', run };
  }

  #restore(): Plan | undefined {
    const holder = this.#pick('raw');
    if (holder === undefined) return undefined;
    const { frames, raw } = holder;
    const { type } = this.frames.get(frames[0]!)!;
    const asDyn = this.#random.below(2) === 0;
    const run = (): void => {
      if (asDyn) this.#replace(holder, { kind: 'dyn', frames, handle: DynPage.fromRaw(this.memory, raw) });
      else this.#replace(holder, { kind: 'page', frames, handle: Page.fromRaw(this.memory, raw, type) });
    };
    return { name: 'fromRaw', run };
  }

  #restoreWrongly(): Plan {
    const frame = this.#anyFrame();
    const model = this.frames.get(frame);
    const raws = this.#of('raw').filter(({ frames }) => frames[0] === frame);
    const wrong = TYPES.find((type) => type !== model?.type)!;
    const run = (): void => {
      if (raws.length === 0) DynPage.fromRaw(this.memory, frameStart(frame));
      else Page.fromRaw(this.memory, frameStart(frame), wrong);
    };
    return { name: 'fromRaw of what is not there', refusal: 'EINVAL', run };
  }

  #setMetadata(): Plan | undefined {
    const holder = this.#pick('unique');
    if (holder === undefined) return undefined;
    const model = this.frames.get(holder.frames[0]!)!;
    const changes = this.#initial(model.type);
    const run = (): void => {
      holder.handle.setMetadata(changes);
      Object.assign(model.metadata, changes);
      expect(holder.handle.metadata).toEqual(model.metadata);
    };
    return { name: 'setMetadata', run };
  }

  #retain(): Plan {
    const frame = this.#anyFrame();
    const model = this.frames.get(frame);
    const refusal = model === undefined ? 'EINVAL' : model.unique ? 'EBUSY' : undefined;
    const run = (): void => {
      this.memory.retain(frame);
      model!.count++;
      this.#holders.push({ kind: 'plain', frames: [frame] });
    };
    return { name: 'retain', refusal, run };
  }

  #releaseWildly(): Plan | undefined {
    const frame = this.#anyFrame();
    const model = this.frames.get(frame);
    if (model !== undefined && !model.unique) return undefined;
    const refusal = model === undefined ? 'EINVAL' : 'EBUSY';
    return { name: 'release of what is not there', refusal, run: () => this.memory.release(frame) };
  }

  #cut(): Plan | undefined {
    const holder = this.#pick('segment');
    if (holder === undefined) return undefined;
    const { frames, handle } = holder;
    const at = this.#random.below(frames.length);
    const way = this.#random.below(3);
    const retained = (of: readonly number[]): void => {
      for (const frame of of) this.frames.get(frame)!.count++;
    };
    if (way === 0) {
      const run = (): void => {
        const [before, after] = handle.split(at);
        this.#replace(
          holder,
          { kind: 'segment', frames: frames.slice(0, at), handle: before },
          { kind: 'segment', frames: frames.slice(at), handle: after },
        );
      };
      return { name: 'split', refusal: at === 0 ? 'EINVAL' : undefined, run };
    }
    if (way === 1) {
      const end = at + this.#random.below(frames.length - at + 1);
      const run = (): void => {
        const slice = handle.slice(at, end);
        retained(frames.slice(at, end));
        this.#holders.push({ kind: 'segment', frames: frames.slice(at, end), handle: slice });
      };
      return { name: 'slice', refusal: end === at ? 'EINVAL' : undefined, run };
    }
    const run = (): void => {
      const page = handle.page(at);
      retained([frames[at]!]);
      this.#holders.push({ kind: 'page', frames: [frames[at]!], handle: page });
    };
    return { name: 'page of a segment', run };
  }

  #drop(): Plan | undefined {
    const holder = this.#pick('page', 'dyn', 'unique', 'segment', 'raw', 'plain');
    if (holder === undefined) return undefined;
    const run = (): void => {
      if (holder.kind === 'plain') {
        for (const frame of holder.frames) this.memory.release(frameNumber(frame));
      } else if (holder.kind === 'raw') DynPage.fromRaw(this.memory, holder.raw).close();
      else {
        holder.handle.close();
        expect(holder.handle.isOpen).toBe(false);
        holder.handle.close();
      }
      this.#replace(holder);
      this.#dropped(holder.frames);
    };
    return { name: `drop a ${holder.kind}`, run };
  }
}

describe('frames and handles, beside a model', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('100 operations, audited after each (seed %d)', (seed) => {
    const twin = new Twin(seed, seed % 2 === 0 ? 'on' : 'off');
    for (let step = 0; step < 100; step++) {
      twin.run(twin.plan());
      twin.check();
    }
    twin.end();
  });

  test.each([11, 12, 13, 14])('each allocation failed in turn, and then done (seed %d)', (seed) => {
    const twin = new Twin(seed, seed % 2 === 0 ? 'on' : 'off');
    let failed = 0;
    for (let step = 0; step < 150; step++) {
      const plan = twin.plan();
      if (plan.allocates === true) {
        failed++;
        const before = stateOf(twin.memory);
        twin.memory.failAllocation(1);
        expect(plan.run).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
        twin.memory.failAllocation(0);
        expect(stateOf(twin.memory)).toEqual(before);
        twin.check();
      }
      twin.run(plan);
    }
    expect(failed).toBeGreaterThan(30);
    twin.end();
  });

  test.each([
    [21, 'off'],
    [22, 'on'],
  ] as const)('20,000 operations (seed %d, checking %s)', (seed, checking) => {
    const twin = new Twin(seed, checking);
    const whole = joinedBlocks(twin.memory);
    for (let step = 1; step <= 20_000; step++) {
      twin.run(twin.plan());
      if (step % 50 === 0) twin.check();
    }
    // None of the operations was left out.
    expect([...twin.done.values()].every((times) => times > 50)).toBe(true);
    expect(twin.done.size).toBe(24);
    twin.end();
    expect(joinedBlocks(twin.memory)).toEqual(whole);
  });
});
