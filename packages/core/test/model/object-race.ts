/**
 * Several operations at once on memory objects whose pagers answer later, in any order: reads, writes and all that may
 * wait for a page are begun, each on pages of its own, and meanwhile snapshots are made, objects are cut, capabilities
 * revoked and pagers detached. An operation counts as done when its promise says so; so what each object holds is known
 * at every moment, as the oracle has it (eager-objects.ts).
 */
import { HolsteinError, PAGE_SIZE, type PhysicalMemory } from '../../src/frame/index.js';
import { MemoryObjects, type SnapshotKind } from '../../src/vmo/index.js';
import { EagerObject, pagesOf, spanOf } from './eager-objects.js';
import {
  checkAttribution,
  checkBytes,
  checkObject,
  framesInUse,
  framesWithoutSharing,
  same,
} from './object-checks.js';
import { Holder, Holders } from './object-holders.js';
import { ScriptedPager } from './scripted-pager.js';

const MAX_PAGES = 12;
const MAX_HOLDERS = 10;
/** Promises that may lie between a pager's answer and the caller's. */
const TURNS = 40;

const KINDS: readonly SnapshotKind[] = ['snapshot', 'snapshot-at-least-on-write', 'snapshot-modified'];
const OPERATIONS = [
  'read',
  'read',
  'read',
  'write',
  'write',
  'write',
  'clear',
  'zero',
  'commit',
  'prefetch',
  'hint',
  'view',
  'sync',
] as const;

/** Pages of a paged object, as a capability to it or to a snapshot of it sees them. */
interface Actor {
  readonly holder: Holder;
  /** The page of the paged object that is the holder's first. */
  readonly shift: number;
}

/** A paged object, and what was made from it. */
interface Family {
  readonly root: EagerObject;
  readonly scripted: ScriptedPager;
  readonly actors: Actor[];
}

export class ObjectRace implements Disposable {
  readonly objects: MemoryObjects;
  readonly results = new Map<string, number>();
  operations = 0;
  readonly #next: (below: number) => number;
  readonly #holders = new Holders();
  readonly #families: Family[] = [];
  /** Answers that pagers have not given yet. */
  readonly #waiting: (() => void)[] = [];
  readonly #detached = new Set<EagerObject>();
  #running = 0;
  #cuts = 0;
  #problem: unknown;

  constructor(memory: PhysicalMemory, next: (below: number) => number) {
    this.#next = next;
    this.objects = new MemoryObjects(memory);
  }

  /** Begins some operations, lets things happen, and waits for their ends. */
  async round(): Promise<void> {
    if (this.#families.length < 3 && this.#holders.all.length < MAX_HOLDERS) this.#createFamily();
    for (const family of this.#families) this.#begin(family);
    await this.#settle();
    while (this.#running > 0) {
      if (this.#next(3) === 0) this.#meanwhile();
      await this.#answer();
    }
    while (this.#waiting.length > 0) await this.#answer();
    this.check();
    if (this.#next(4) === 0) await this.#readAll();
  }

  check(): void {
    if (this.#problem !== undefined) throw this.#problem;
    same(this.objects.audit().join('; '), '', 'the audit');
    for (const object of this.#holders.open()) checkObject(this.#holders.real(object), object);
    checkAttribution(this.objects);
    const most = framesWithoutSharing(this.#holders.shown());
    if (framesInUse(this.objects) > most) {
      throw new Error(`${framesInUse(this.objects)} frames are in use, and eager copies would take ${most}`);
    }
  }

  /** Closes everything, and checks that nothing is left. */
  async finish(): Promise<void> {
    await this.#readAll();
    for (const family of this.#families) await this.#writeBack(family);
    while (this.#holders.all.length > 0) this.#close(this.#holders.pick(this.#next(64))!);
    this.check();
    same(framesInUse(this.objects), 0, 'frames in use at the end');
    same(this.objects.statistics().objects, 0, 'objects at the end');
  }

  [Symbol.dispose](): void {
    this.objects.close({ unwritten: 'discard' });
  }

  // ------------------------------------------------------------------ families

  #createFamily(): void {
    const size = 1 + this.#next(MAX_PAGES * PAGE_SIZE);
    const bytes = this.#bytes(size);
    const later = <T>(answer: () => T): T | Promise<T> =>
      this.#next(4) === 0 ? answer() : this.#later(answer);
    const shape = { update: this.#next(2) > 0, writeBack: this.#next(4) > 0, resize: this.#next(2) > 0 };
    const scripted = new ScriptedPager(bytes.slice(), shape, later);
    const vmo = this.objects.create({ size, resizable: true, pager: scripted.pager });
    const root = new EagerObject({ kind: 'paged', sizeBytes: size, resizable: true, paged: bytes });
    const real = vmo.reach.object;
    scripted.object = root;
    scripted.isCommitted = (page) => real.isCommitted(page);
    const holder = new Holder(vmo.toDyn(), root, undefined);
    this.#holders.add(holder);
    this.#families.push({ root, scripted, actors: [{ holder, shift: 0 }] });
  }

  /** Makes a child of what some actor has, at once. */
  #snapshot(family: Family, { holder, shift }: Actor): void {
    const { object, sizeBytes } = holder;
    if (this.#holders.all.length >= MAX_HOLDERS) return;
    const first = this.#next(object.sizePages + 1);
    const offset = first * PAGE_SIZE;
    const rest = Math.max(sizeBytes - offset, 0);
    // Whole pages: otherwise what the last page has may be asked for, which takes time.
    const size = this.#next(2) === 0 ? rest : this.#next(pagesOf(rest) + 2) * PAGE_SIZE;
    const kind = KINDS[this.#next(KINDS.length)]!;
    const result = this.#attempt(() => {
      const vmo = holder.vmo.createChild({ kind, offset, size, resizable: true });
      const seenBytes = Math.min(size, rest);
      const child = object.snapshot({ kind, start: offset, seenBytes, sizeBytes: size, resizable: true });
      const made = new Holder(vmo.toDyn(), child, holder);
      this.#holders.add(made);
      family.actors.push({ holder: made, shift: shift + first });
    });
    this.#note(`snapshot ${result}`, ['done', 'EAGAIN', 'ENOMEM']);
  }

  #close(holder: Holder): void {
    holder.vmo.close({ unwritten: 'discard' });
    this.#holders.close(holder);
    this.#forget(holder);
  }

  #forget(holder: Holder): void {
    for (const family of [...this.#families]) {
      const at = family.actors.findIndex((actor) => actor.holder === holder);
      if (at !== -1) family.actors.splice(at, 1);
      if (family.actors.length === 0) this.#families.splice(this.#families.indexOf(family), 1);
    }
  }

  // ------------------------------------------------------------------ what happens meanwhile

  #meanwhile(): void {
    const family = this.#families[this.#next(Math.max(this.#families.length, 1))];
    if (family === undefined) return;
    const actor = family.actors[this.#next(family.actors.length)]!;
    const what = this.#next(20);
    if (what < 10) this.#snapshot(family, actor);
    else if (what < 13) this.#resize(family, actor.holder);
    else if (what < 15) family.scripted.failAfter = this.#next(3);
    else if (what < 18) this.#revoke(actor.holder);
    else if (
      what === 18 &&
      this.#next(8) === 0 &&
      actor.holder.object.isPaged &&
      !this.#detached.has(family.root)
    ) {
      this.#detached.add(family.root);
      actor.holder.vmo.detachPager();
    }
  }

  #revoke(holder: Holder): void {
    if (this.#next(4) > 0) return;
    holder.vmo.revoke({ unwritten: 'discard' });
    for (const each of this.#holders.revoke(holder)) this.#forget(each);
    this.#note('revoke done', ['done']);
  }

  #resize({ scripted }: Family, holder: Holder): void {
    const { object } = holder;
    // While a size is told, or bytes are written back, what the pager has is not known.
    if (scripted.isTelling) return;
    const sizeBytes = this.#next(MAX_PAGES * PAGE_SIZE);
    const result = this.#attempt(() => holder.vmo.resizeSync(sizeBytes));
    this.#note(`resize ${result}`, ['done', 'EAGAIN', 'EBUSY', 'EIO', 'ENOMEM']);
    if (result !== 'done') return;
    this.#cuts++;
    object.resize(sizeBytes);
    if (!object.isPaged) return;
    scripted.lowestBytes = Math.min(scripted.lowestBytes, sizeBytes);
    for (const page of scripted.asked)
      if (page >= Math.floor(sizeBytes / PAGE_SIZE)) scripted.asked.delete(page);
  }

  // ------------------------------------------------------------------ operations

  /** Deals the pages of a paged object out, and begins an operation on each part. */
  #begin(family: Family): void {
    for (let first = this.#next(3); first < MAX_PAGES;) {
      const pages = 1 + this.#next(4);
      const { holder, shift } = family.actors[this.#next(family.actors.length)]!;
      const start = Math.max(first - shift, 0) * PAGE_SIZE;
      const end = Math.min(Math.max(first + pages - shift, 0) * PAGE_SIZE, holder.sizeBytes);
      first += pages;
      if (start >= end) continue;
      const offset = start + (this.#next(2) === 0 ? 0 : this.#next(end - start));
      const length = this.#next(2) === 0 ? end - offset : 1 + this.#next(end - offset);
      const times = this.#next(4) === 0 ? 2 : 1;
      const what = OPERATIONS[this.#next(OPERATIONS.length)]!;
      this.#start(family, holder, what, offset, length);
      // Two that want the same pages, and change nothing.
      if (times === 2 && ['read', 'prefetch'].includes(what))
        this.#start(family, holder, 'read', offset, length);
      // And a write while pages are on their way to the pager: they must be changed still.
      if (what === 'sync' && this.#next(2) === 0) this.#start(family, holder, 'write', offset, length);
    }
  }

  #start(
    family: Family,
    holder: Holder,
    what: (typeof OPERATIONS)[number],
    offset: number,
    length: number,
  ): void {
    const { vmo, object } = holder;
    const range = { offset, length };
    const pages = spanOf(offset, length);
    const from = this.#bytes(length);
    const into = new Uint8Array(length);
    const cuts = this.#cuts;
    const failures = family.scripted.failures;
    const isFailing = family.scripted.failAfter !== undefined;
    const call = {
      read: () => vmo.read(offset, into),
      write: () => vmo.write(offset, from),
      clear: () => vmo.clear(range),
      zero: () => vmo.zero(range),
      commit: () => vmo.commit(range),
      prefetch: () => vmo.prefetch(range),
      hint: () => vmo.hint(this.#next(2) === 0 ? 'always-need' : 'dont-need', range),
      view: async () => void (await vmo.view(range)).close(),
      sync: () => vmo.sync(range),
    }[what];
    const apply = (): void => {
      if (what === 'read' && this.#cuts === cuts)
        checkBytes(into, object.content().subarray(offset, offset + length), 'what is read');
      if (what === 'write') object.write(offset, from);
      if (what === 'clear') object.write(offset, new Uint8Array(length));
      if (what === 'zero') object.zero(offset, length);
      if (what === 'commit') object.commit(offset, length);
      if (what === 'view') object.touch(offset, length);
      // What is written while it is written back may be changed, or not.
      if (what === 'sync' || family.scripted.isTelling) object.cleanPerhaps(pages);
    };
    if (what === 'write' || what === 'clear' || what === 'view' || what === 'zero')
      object.soilPerhaps(offset, length);
    if (what === 'sync') object.cleanPerhaps(pages);
    const { beingWritten } = family.scripted;
    if (what === 'write' && object.isPaged) for (const page of pages) beingWritten.add(page);
    this.#running++;
    this.operations++;
    const isFair = (code: string): boolean => {
      if (code === 'EIO')
        return isFailing || family.scripted.failures > failures || this.#detached.has(family.root);
      if (code === 'EINVAL') return this.#cuts > cuts;
      if (code === 'ENOTSUP') return what === 'sync';
      if (code === 'ESTALE' || code === 'EBADF') return !vmo.isOpen;
      return code === 'ENOMEM';
    };
    void (async () => {
      let result = 'done';
      try {
        await call();
        apply();
      } catch (error) {
        result = error instanceof HolsteinError ? error.code : 'threw';
        if (!isFair(result))
          this.#problem ??= new Error(`${what} of ${length} bytes at ${offset}: ${String(error)}`, {
            cause: error,
          });
      }
      if (what === 'write' && object.isPaged) for (const page of pages) beingWritten.delete(page);
      this.#note(`${what} ${result}`, [result]);
      this.#running--;
    })();
  }

  // ------------------------------------------------------------------ answers

  #later<T>(answer: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(answer());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  /** Gives one of the answers that are waited for, and lets what follows from it happen. */
  async #answer(): Promise<void> {
    if (this.#waiting.length > 0) this.#waiting.splice(this.#next(this.#waiting.length), 1)[0]!();
    const before = this.#running;
    await this.#settle();
    if (this.#problem !== undefined) throw this.#problem;
    if (this.#waiting.length === 0 && this.#running > 0 && this.#running === before) {
      throw new Error(`${this.#running} operations wait for what nobody was asked for`);
    }
  }

  /** Lets everything happen that waits for no pager. */
  async #settle(): Promise<void> {
    for (let turn = 0; turn < TURNS; turn++) await Promise.resolve();
  }

  /** Reads every object whole: nothing fails meanwhile. */
  async #readAll(): Promise<void> {
    for (const { scripted } of this.#families) scripted.failAfter = undefined;
    for (const { vmo, object } of this.#holders.all) {
      const into = new Uint8Array(object.sizeBytes);
      const results: string[] = [];
      void vmo.read(0, into).then(
        () => results.push('done'),
        (error: unknown) => results.push(error instanceof HolsteinError ? error.code : String(error)),
      );
      while (results.length === 0) await this.#answer();
      const [result] = results;
      if (result === 'done') checkBytes(into, object.content(), 'an object');
      else if (result !== 'ENOMEM' && !(result === 'EIO' && this.#detached.has(object.source!))) {
        throw new Error(`reading everything: ${result}`);
      }
    }
    while (this.#waiting.length > 0) await this.#answer();
    this.check();
  }

  /** Writes everything back: the pager must have it all then. */
  async #writeBack({ root, scripted, actors }: Family): Promise<void> {
    const holder = actors.find((actor) => actor.holder.object === root)?.holder;
    if (holder === undefined || !scripted.shape.writeBack || this.#detached.has(root)) return;
    const before = this.#running++;
    root.cleanPerhaps(spanOf(0, root.sizeBytes));
    root.soilPerhaps(0, root.sizeBytes);
    void holder.vmo.sync().then(
      () => this.#running--,
      (error: unknown) => (this.#problem = error),
    );
    while (this.#running > before) await this.#answer();
    const end = Math.min(root.sizeBytes, scripted.lowestBytes);
    checkBytes(scripted.bytes.subarray(0, end), root.bytes.subarray(0, end), 'what the pager has');
  }

  #attempt(call: () => void): string {
    try {
      call();
      return 'done';
    } catch (error) {
      if (!(error instanceof HolsteinError)) throw error;
      return error.code;
    }
  }

  #note(what: string, fair: readonly string[]): void {
    this.results.set(what, (this.results.get(what) ?? 0) + 1);
    const result = what.slice(what.indexOf(' ') + 1);
    if (!fair.includes(result)) throw new Error(what);
  }

  #bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const value = this.#next(256);
    for (let index = 0; index < length; index += 1 + (index % 7))
      bytes[index] = value + index + (index >> 12);
    return bytes;
  }
}
