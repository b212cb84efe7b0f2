/** How much memory spaces have: small cases by hand, and random programs against a naive recount. */
import { describe, expect, test } from 'vitest';
import { type FrameNumber, PAGE_SIZE, Usage, virtAddr, vpn } from '../../src/frame/index.js';
import { MAX_PAGES, PTE_R, PTE_U, PTE_W, pteFrame } from '../../src/paging/index.js';
import { FAULT_NAMES } from '../../src/space/fault.js';
import {
  type AddressSpace,
  memoryStatistics,
  ReverseMap,
  spaceStatistics,
  type VirtualMemory,
} from '../../src/space/index.js';
import { addFractions, type Fraction, type Vmo } from '../../src/vmo/index.js';
import { mapPages, peek, poke } from '../model/touch.js';
import { makeWorld } from '../model/world.js';
import { Random } from '../support/random.js';

const at = (page: number) => virtAddr(page * PAGE_SIZE);
const NOTHING: Fraction = { numerator: 0n, denominator: 1n };

/** So many bytes of whole frames, divided by a number. */
const bytes = (frames: number, divisor = 1): Fraction =>
  addFractions(NOTHING, { numerator: BigInt(frames * PAGE_SIZE), denominator: BigInt(divisor) });

describe('a space', () => {
  test('alone has all it maps to itself, and shares the zero frame with nobody', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 4, 'rw-');
    for (const page of [0, 1, 2]) poke(space, page, 1);
    peek(space, 3);
    expect(spaceStatistics(space)).toEqual({
      residentBytes: 3 * PAGE_SIZE,
      privateBytes: 3 * PAGE_SIZE,
      sharedBytes: 0,
      proportionalBytes: bytes(3),
      zeroPages: 1,
      objectPages: 0,
      ownPages: 3,
      privateTableBytes: 3 * PAGE_SIZE,
      sharedTableBytes: 0,
      proportionalTableBytes: bytes(3),
    });
  });

  test('has a third of what two forks share with it, and half of what one of them has replaced', () => {
    using world = makeWorld(512 * 1024);
    const parent = world.space();
    mapPages(parent, 0, 4, 'rw-');
    for (let page = 0; page < 4; page++) poke(parent, page, 1);
    const [child, other] = [parent.fork(), parent.fork()];
    expect(spaceStatistics(other)).toMatchObject({
      privateBytes: 0,
      sharedBytes: 4 * PAGE_SIZE,
      proportionalBytes: bytes(4, 3),
      privateTableBytes: PAGE_SIZE,
      sharedTableBytes: 2 * PAGE_SIZE,
      proportionalTableBytes: addFractions(bytes(1), bytes(2, 3)),
    });
    poke(child, 2, 2);
    const third = bytes(3, 3);
    expect(spaceStatistics(parent)).toMatchObject({
      privateBytes: 0,
      proportionalBytes: addFractions(third, bytes(1, 2)),
      proportionalTableBytes: addFractions(bytes(1), bytes(2, 2)),
    });
    expect(spaceStatistics(child)).toMatchObject({
      privateBytes: PAGE_SIZE,
      sharedBytes: 3 * PAGE_SIZE,
      proportionalBytes: addFractions(third, bytes(1)),
      privateTableBytes: 3 * PAGE_SIZE,
    });
    expect(memoryStatistics(world.virtualMemory)).toEqual({
      spaces: 3,
      privateFrames: 1,
      sharedFrames: 4,
      framesSaved: 3 * 4 - 5,
      privateTables: 3 + 2,
      sharedTables: 2,
      tablesSaved: 2,
    });
  });

  test('that maps an object twice has its frames once', () => {
    using world = makeWorld(512 * 1024);
    using vmo = world.virtualMemory.objects.create({ size: 2 * PAGE_SIZE });
    const one = world.space();
    const lengthBytes = 2 * PAGE_SIZE;
    for (const page of [0, 100]) {
      one.map({ vmo, lengthBytes, at: at(page), protection: 'rw-', sharing: 'shared' });
      poke(one, page, 1);
    }
    expect(spaceStatistics(one)).toMatchObject({
      residentBytes: PAGE_SIZE,
      privateBytes: PAGE_SIZE,
      proportionalBytes: bytes(1),
      objectPages: 2,
      ownPages: 0,
    });
    const other = world.space();
    other.map({ vmo, lengthBytes, at: at(7), protection: 'r--', sharing: 'shared' });
    peek(other, 7);
    const forks = [one.fork(), one.fork()];
    poke(forks[0]!, 101, 1);
    expect(spaceStatistics(one)).toMatchObject({ privateBytes: 0, proportionalBytes: bytes(1, 4) });
    expect(spaceStatistics(forks[0]!)).toMatchObject({
      residentBytes: 2 * PAGE_SIZE,
      privateBytes: PAGE_SIZE,
      proportionalBytes: addFractions(bytes(1, 4), bytes(1)),
    });
    expect(memoryStatistics(world.virtualMemory)).toMatchObject({
      privateFrames: 1,
      sharedFrames: 1,
      framesSaved: 3,
    });
  });

  test('has every frame of a superpage', () => {
    using world = makeWorld(8 * 1024 * 1024);
    const space = world.space();
    mapPages(space, 512, 512, 'rw-');
    const first = world.memory.allocateRange({ frames: 512, usage: Usage.Frame, alignmentFrames: 512 });
    space.table.map(vpn(512), first, PTE_U | PTE_R | PTE_W, 1);
    space.fork();
    expect(spaceStatistics(space)).toMatchObject({
      residentBytes: 512 * PAGE_SIZE,
      proportionalBytes: bytes(256),
      ownPages: 512,
    });
  });

  test('that is closed has nothing', () => {
    using world = makeWorld();
    const space = world.space();
    mapPages(space, 0, 1, 'rw-');
    poke(space, 0, 1);
    space.close();
    expect(spaceStatistics(space)).toMatchObject({ residentBytes: 0, ownPages: 0, privateTableBytes: 0 });
    expect(memoryStatistics(world.virtualMemory)).toMatchObject({ spaces: 0, privateFrames: 0 });
  });
});

/** What every space maps, page by page and table by table, from nothing but look-ups. */
const recount = ({ spaces, zeroFrame, memory }: VirtualMemory) => {
  const frames = new Map<FrameNumber, Set<AddressSpace>>();
  const tables = new Map<FrameNumber, Set<AddressSpace>>();
  const note = (map: Map<FrameNumber, Set<AddressSpace>>, frame: FrameNumber, space: AddressSpace): void => {
    map.set(frame, (map.get(frame) ?? new Set()).add(space));
  };
  for (const space of spaces) {
    for (const page of space.table.mappedPages(vpn(0), vpn(MAX_PAGES))) {
      const frame = pteFrame(space.table.entry(page));
      if (frame !== zeroFrame) note(frames, frame, space);
    }
    for (const table of space.table.tables()) note(tables, table, space);
  }
  for (const table of tables.keys()) expect(memory.usage(table)).toBe(Usage.PageTable);
  return { frames, tables };
};

const countsIn = (map: ReadonlyMap<FrameNumber, ReadonlySet<AddressSpace>>, space?: AddressSpace) => {
  let [one, several, saved, part] = [0, 0, 0, NOTHING];
  for (const spaces of map.values()) {
    if (space !== undefined && !spaces.has(space)) continue;
    if (spaces.size === 1) one++;
    else several++;
    saved += spaces.size - 1;
    part = addFractions(part, bytes(1, spaces.size));
  }
  return { one, several, saved, part };
};

const check = (virtualMemory: VirtualMemory): void => {
  const { frames, tables } = recount(virtualMemory);
  let [parts, tableParts] = [NOTHING, NOTHING];
  const reverseMap = new ReverseMap(virtualMemory);
  for (const space of virtualMemory.spaces) {
    const statistics = spaceStatistics(space, reverseMap);
    const ofFrames = countsIn(frames, space);
    const ofTables = countsIn(tables, space);
    expect(statistics).toEqual({
      residentBytes: (ofFrames.one + ofFrames.several) * PAGE_SIZE,
      privateBytes: ofFrames.one * PAGE_SIZE,
      sharedBytes: ofFrames.several * PAGE_SIZE,
      proportionalBytes: ofFrames.part,
      zeroPages: space.table.pagesMapped - space.residentFrames,
      objectPages: space.residentFrames - space.ownFrames,
      ownPages: space.ownFrames,
      privateTableBytes: ofTables.one * PAGE_SIZE,
      sharedTableBytes: ofTables.several * PAGE_SIZE,
      proportionalTableBytes: ofTables.part,
    });
    parts = addFractions(parts, statistics.proportionalBytes);
    tableParts = addFractions(tableParts, statistics.proportionalTableBytes);
  }
  expect(parts).toEqual(bytes(frames.size));
  expect(tableParts).toEqual(bytes(tables.size));
  const [ofFrames, ofTables] = [countsIn(frames), countsIn(tables)];
  expect(memoryStatistics(virtualMemory)).toEqual({
    spaces: virtualMemory.spaces.size,
    privateFrames: ofFrames.one,
    sharedFrames: ofFrames.several,
    framesSaved: ofFrames.saved,
    privateTables: ofTables.one,
    sharedTables: ofTables.several,
    tablesSaved: ofTables.saved,
  });
};

/** Pages that random programs use: of two lowest tables below each of two others. */
const PLACES = [0, 500, 512, 2 ** 18, 2 ** 18 + 505];
const PLACE_PAGES = 12;

/** One operation of a random program. Those that are not possible are passed over. */
const step = (spaces: AddressSpace[], vmo: Vmo<never>, random: Random): void => {
  const space = random.pick(spaces);
  const page = random.pick(PLACES) + random.below(PLACE_PAGES);
  const lengthBytes = (1 + random.below(4)) * PAGE_SIZE;
  const range = { at: at(page), lengthBytes };
  const mapped = space.mappings.covers(vpn(page), vpn(page + lengthBytes / PAGE_SIZE));
  const place = { ...range, overlap: 'replace', protection: 'rw-' } as const;
  const offsetBytes = random.below(4) * PAGE_SIZE;
  switch (random.below(10)) {
    case 0:
      space.map(place);
      break;
    case 1:
      space.map({ ...place, vmo, offsetBytes, sharing: random.pick(['private', 'shared']) });
      break;
    case 2:
      if (spaces.length < 8) spaces.push(space.fork(random.pick(['tables', 'tables', 'pages', 'eager'])));
      break;
    case 3:
      if (spaces.length < 2) break;
      space.close();
      spaces.splice(spaces.indexOf(space), 1);
      break;
    case 4:
      space.unmap(range.at, lengthBytes);
      break;
    case 5:
      if (mapped) space.remap({ ...range, to: at(2 ** 19 + random.below(600)), overlap: 'replace' });
      break;
    case 6:
      if (space.mappings.find(vpn(page)) !== undefined) peek(space, page);
      break;
    default:
      if (space.mappings.find(vpn(page)) !== undefined) poke(space, page, 1);
  }
};

test.each([1, 2, 3, 4])('a random program of forks and writes is counted as naively (seed %i)', (seed) => {
  using world = makeWorld(4 * 1024 * 1024);
  const { virtualMemory } = world;
  using vmo = virtualMemory.objects.create({ size: 8 * PAGE_SIZE });
  const random = new Random(seed);
  const spaces = [world.space()];
  for (const place of PLACES) mapPages(spaces[0]!, place, PLACE_PAGES, 'rw-');
  let mostShared = 0;
  for (let index = 0; index < 400; index++) {
    step(spaces, vmo, random);
    if (index % 4 === 0) check(virtualMemory);
    mostShared = Math.max(mostShared, memoryStatistics(virtualMemory).sharedTables);
  }
  expect(mostShared).toBeGreaterThan(2);
});

test('what a hundred forks share is counted once', () => {
  using world = makeWorld(16 * 1024 * 1024);
  const parent = world.space();
  mapPages(parent, 0, 1024, 'rw-');
  for (let page = 0; page < 1024; page++) poke(parent, page, 1);
  for (let fork = 0; fork < 100; fork++) parent.fork();
  expect(memoryStatistics(world.virtualMemory)).toEqual({
    spaces: 101,
    privateFrames: 0,
    sharedFrames: 1024,
    framesSaved: 100 * 1024,
    privateTables: 101,
    sharedTables: 3,
    tablesSaved: 100 * 3,
  });
});

test('faults are counted by access and by what became of them, for their space and for all', () => {
  using world = makeWorld();
  const space = world.space();
  const other = world.space();
  mapPages(space, 1, 2, 'rw-');
  for (const counts of Object.values(space.statistics().faults)) {
    expect(counts).toEqual(Object.fromEntries(FAULT_NAMES.map((name) => [name, 0])));
  }
  peek(space, 1);
  poke(space, 1, 1);
  poke(space, 2, 1);
  space.handleFault(vpn(1), 'execute');
  other.handleFault(vpn(1), 'write');
  expect(space.statistics().faults).toMatchObject({
    read: { 'zero-mapped': 1, 'zero-filled': 0 },
    write: { 'zero-filled': 2, unmapped: 0 },
    execute: { protection: 1 },
  });
  expect(space.fork().statistics().faults.write['zero-filled']).toBe(0);
  expect(world.virtualMemory.statistics().faults).toMatchObject({
    'zero-mapped': 1,
    'zero-filled': 2,
    protection: 1,
    unmapped: 1,
  });
});
