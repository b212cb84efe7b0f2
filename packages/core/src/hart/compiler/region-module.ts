/** Makes a WebAssembly module of regions, and what has to be known of each to install it. */
import { type FrameNumber, PAGE_SIZE, type Vpn } from '../../frame/index.js';
import { importFloatFunctions } from '../float/index.js';
import { RECORD_BYTES, RECORDS_IN_PAGE } from '../layout.js';
import { ModuleBuilder } from '../wasm/index.js';
import type { CoveredFrame } from './compiled-code.js';
import { REGION_SIGNATURE, type RegionImports } from './region-border.js';
import { type EntryWords, registersOf, writeRegion } from './region-writer.js';
import { pageOf, type Placed, type Region, targetsOf } from './region.js';

/** A region that is to be compiled, and where its code lies. Pages are distances from the root's. */
export interface PlacedRegion {
  readonly region: Region;
  readonly rootPage: Vpn;
  readonly frames: ReadonlyMap<number, FrameNumber>;
  /** Where the records of each page begin. */
  readonly recordsOf: ReadonlyMap<number, number>;
  readonly functionNumber: number;
  readonly covers: readonly CoveredFrame[];
  readonly instructions: number;
  /** How often it has been compiled before with less code. */
  readonly growth: number;
}

export interface RegionModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of each region, in their order. The n-th is exported as `nameOf(n)`. */
  readonly entryWords: readonly EntryWords[];
}

export const nameOf = (index: number): string => `region${index}`;

export const writeModule = (regions: readonly PlacedRegion[], hits: 'trusted' | 'checked'): RegionModule => {
  const builder = new ModuleBuilder();
  const imports = importAll(
    builder,
    regions.some(({ region }) => registersOf(region, 'f').size > 0),
  );
  const entryWords = regions.map(({ region, ...place }, index) => {
    const code = builder.function(nameOf(index), REGION_SIGNATURE);
    return writeRegion(code, imports, region, place, hits === 'checked');
  });
  return { bytes: builder.toBytes(), entryWords };
};

/** The record of a relative address; undefined where the region has nothing on that page. */
export const recordAt = ({ recordsOf }: PlacedRegion, relative: number): number | undefined => {
  const records = recordsOf.get(pageOf(relative));
  return records === undefined ? undefined : records + halfwordOf(relative) * RECORD_BYTES;
};

export const halfwordOf = (relative: number): number => (relative & (PAGE_SIZE - 1)) >>> 1;

/** The records of what a region leads to and might hold, were there more of it, by the distance of their page. */
export const exitRecords = (placed: PlacedRegion): Map<number, number> => {
  const exits = new Map<number, number>();
  const { blocks, blockAt, continuations } = placed.region;
  for (const relative of blocks.flatMap(({ end }) => targetsOf(end))) {
    if (blockAt.has(relative) || continuations.includes(relative)) continue;
    const record = recordAt(placed, relative);
    if (record !== undefined) exits.set(record, pageOf(relative));
  }
  return exits;
};

const importAll = (builder: ModuleBuilder, floats: boolean): RegionImports => {
  builder.importMemory('ram', 'memory');
  const checkHit = builder.importFunction('hart', 'checkHit', {
    parameters: ['i32', 'i32', 'i32', 'i32'],
    results: [],
  });
  return { float: floats ? importFloatFunctions(builder) : undefined, checkHit };
};

/** The halfwords of frames that a region is made of. */
export const coverage = (
  { blocks }: Region,
  frames: ReadonlyMap<number, FrameNumber>,
): readonly CoveredFrame[] => {
  const covers = new Map<FrameNumber, Uint32Array>();
  const cover = (relative: number): void => {
    const frame = frames.get(pageOf(relative))!;
    let bits = covers.get(frame);
    if (bits === undefined) covers.set(frame, (bits = new Uint32Array(RECORDS_IN_PAGE / 32)));
    const halfword = halfwordOf(relative);
    bits[halfword >>> 5]! |= 1 << (halfword & 31);
  };
  const coverAll = ({ relative, decoded }: Placed): void => {
    for (let byte = 0; byte < decoded.sizeBytes; byte += 2) cover(relative + byte);
  };
  for (const { instructions } of blocks) instructions.forEach(coverAll);
  return [...covers].map(([frame, halfwords]) => ({ frame, halfwords }));
};
