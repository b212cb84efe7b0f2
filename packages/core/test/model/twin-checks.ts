/** What is compared of worlds and the oracle. */
import { type FrameNumber, NO_FRAME, PAGE_SIZE, vpn } from '../../src/frame/index.js';
import { MAX_PAGES, pteFrame } from '../../src/paging/index.js';
import { MISSING } from '../../src/vmo/memory-object.js';
import type { EagerSpace } from './eager-space.js';
import { same, type TwinBench, type TwinSpace, type TwinVmo } from './twin-bench.js';
import { forgetUnreached, framesOf } from './twin-objects.js';
import type { World } from './world.js';

/** The audit, and every page that is there: no access is made. */
export const checkAll = (bench: TwinBench): void => {
  for (const [index, world] of bench.worlds.entries()) {
    world.check();
    let tables = 0;
    for (const [number, space] of bench.spaces.entries()) {
      const entries = [...space.reals[index]!.table.mappedPages(vpn(0), vpn(MAX_PAGES))];
      tables += tablesNeeded(entries);
      named(`space ${number}, forks ${bench.forks[index]}`, () => checkSpace(world, space, index, entries));
    }
    // Forks share them. Each space has a root of its own, and none has one that it does not need.
    const { PageTable } = world.memory.statistics().byUsage;
    const isEnough = PageTable >= bench.spaces.length && PageTable <= tables;
    same(isEnough, true, `that there are ${PageTable} of ${tables} page tables`);
    for (const [number, vmo] of bench.vmos.entries()) {
      named(`capability ${number}, forks ${bench.forks[index]}`, () => checkVmo(world, vmo, index));
    }
  }
};

/** Sharing never takes more frames than eager copies would. */
export const checkFrames = (bench: TwinBench): void => {
  const own = bench.spaces.reduce((sum, { model }) => sum + model.frames, 0);
  const most = own + framesOf(forgetUnreached(bench));
  for (const { memory } of bench.worlds) {
    const { Frame } = memory.statistics().byUsage;
    if (Frame > most) throw new Error(`${Frame} frames are in use, eager copies would take ${most}`);
  }
};

/** The tables that a space with entries for some pages, in order, has to have. */
const tablesNeeded = (entries: readonly number[]): number => {
  const tables = new Set<number>();
  let last = -1;
  for (const page of entries) {
    if (page >>> 9 === last) continue;
    last = page >>> 9;
    // The leaf table, and the middle one.
    tables.add(last).add(-1 - (page >>> 18));
  }
  return 1 + tables.size;
};

const checkSpace = (
  world: World,
  { reals, model }: TwinSpace,
  index: number,
  entries: readonly number[],
): void => {
  const real = reals[index]!;
  for (const page of entries) {
    if (!model.pages.has(page)) throw new Error(`page ${page} has an entry, and is not mapped`);
  }
  for (const [page, { protection }] of model.pages) {
    same(real.mappings.find(vpn(page))?.protection, protection, `the protection of page ${page}`);
    checkEntry(world, model, page, pteFrame(real.table.entry(vpn(page))));
  }
};

/** What an entry shows must be what the page is now, whether or not it is ever asked again. */
const checkEntry = (world: World, model: EagerSpace, page: number, frame: FrameNumber): void => {
  const { own } = model.pages.get(page)!;
  if (frame === NO_FRAME) {
    if (own === undefined || own.every((byte) => byte === 0)) return;
    throw new Error(`page ${page} has been written, and has no entry`);
  }
  const lost = model.lost(page);
  if (lost !== undefined) throw new Error(`page ${page} is ${lost}, and has an entry`);
  checkPage(world, frame, model.shown(page), `page ${page}`);
};

const checkVmo = (world: World, { reals, model }: TwinVmo, index: number): void => {
  const real = reals[index]!;
  const state = { EBADF: 'closed', ESTALE: 'stale' } as const;
  same(real.state, model.refusal === undefined ? 'open' : state[model.refusal], 'its state');
  if (!model.isOpen) return;
  same(real.size, model.sizeBytes, 'its size');
  const { object } = real.reach;
  for (let page = model.first; page < model.first + model.sizePages; page++) {
    const frame = object.content(page);
    if (frame === MISSING) {
      same(model.object.source !== undefined, true, `page ${page} is missing: that there is a pager`);
      continue;
    }
    const length = Math.min(PAGE_SIZE, model.object.sizeBytes - page * PAGE_SIZE);
    checkPage(world, frame, model.object.page(page).subarray(0, length), `page ${page}`);
  }
};

/** Compares a frame with what it should hold. 0 is no frame, and zeros. */
const checkPage = ({ memory }: World, frame: number, expected: Uint8Array, what: string): void => {
  const start = frame * PAGE_SIZE;
  const actual = frame === 0 ? ZEROS : memory.bytes.subarray(start, start + PAGE_SIZE);
  if (Buffer.compare(actual.subarray(0, expected.length), expected) === 0) return;
  const at = expected.findIndex((byte, index) => byte !== actual[index]);
  same(actual[at], expected[at], `byte ${at} of ${what}`);
};

const ZEROS = new Uint8Array(PAGE_SIZE);

/** Reads every page of every space, as a process would, and every object. */
export const readAll = (bench: TwinBench): void => {
  for (const [index, world] of bench.worlds.entries()) {
    for (const [number, space] of bench.spaces.entries()) {
      named(`space ${number}, forks ${bench.forks[index]}`, () => readSpace(bench, world, space, index));
    }
    for (const [number, vmo] of bench.vmos.entries()) {
      named(`capability ${number}, forks ${bench.forks[index]}`, () => readVmo(bench, vmo, index));
    }
  }
};

const readSpace = (bench: TwinBench, world: World, { reals, model }: TwinSpace, index: number): void => {
  for (const [page, { capability }] of model.pages) {
    if (bench.mayFail(capability?.object)) continue;
    const expected = model.access(page, 'read');
    const reached = reals[index]!.reach(vpn(page), 'read');
    if (typeof reached !== 'object') {
      same('resolved', expected, `read of page ${page}`);
      checkPage(world, reached, model.shown(page), `page ${page}`);
    } else if (bench.worlds.length > 1 || reached.kind !== 'out-of-memory') {
      same(reached.kind, expected, `read of page ${page}`);
    }
  }
};

const readVmo = (bench: TwinBench, { reals, model }: TwinVmo, index: number): void => {
  const canFail = bench.worlds.length === 1 && model.object.source !== undefined;
  if (!model.isOpen || !model.rights.has('read') || bench.mayFail(model.object) || canFail) return;
  const bytes = reals[index]!.readSync(0, new Uint8Array(model.sizeBytes));
  const expected = model.object.content().subarray(model.start, model.start + model.sizeBytes);
  const at = expected.findIndex((byte, position) => byte !== bytes[position]);
  if (at !== -1) same(bytes[at], expected[at], `byte ${at}`);
};

const named = (what: string, check: () => void): void => {
  try {
    check();
  } catch (error) {
    throw new Error(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
};
