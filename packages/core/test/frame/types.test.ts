/** What must not compile. `tsc -p tsconfig.check.json` fails where one of these lines has no error. */
import { expect, test } from 'vitest';
import {
  type DynPage,
  FrameMeta,
  KernelMeta,
  type Metadata,
  Page,
  PageTableMeta,
  physAddr,
  Segment,
  UniquePage,
  Usage,
} from '../../src/frame/index.js';
import { makeMemory } from './state.js';

test('metadata is that of the page’s usage, and of no other', () => {
  const memory = makeMemory();
  using table = Page.allocate(memory, PageTableMeta, { index: 3 });
  using frame = Page.allocate(memory, FrameMeta, { owner: 2 });
  using kernel = Page.allocate(memory, KernelMeta);
  expect([table.metadata.index, frame.metadata.owner]).toEqual([3, 2]);
  expect([table.metadata.entries, frame.metadata.readShares]).toEqual([0, 0]);
  // @ts-expect-error: a page table is not shared as frames are.
  expect(table.metadata.readShares).toBeUndefined();
  // @ts-expect-error: a frame of ordinary memory has no entries.
  expect(frame.metadata.entries).toBeUndefined();
  // @ts-expect-error: not through a borrowed page either.
  expect(frame.borrow().metadata.level).toBeUndefined();
  // @ts-expect-error: the kernel's pages have no owner.
  expect(kernel.metadata.owner).toBeUndefined();
  using dyn = frame.clone().intoDyn();
  // @ts-expect-error: what a DynPage's metadata is, is not known.
  expect(dyn.metadata).toBeUndefined();
});

test('metadata is read only: what is written goes nowhere', () => {
  const memory = makeMemory();
  using page = Page.allocate(memory, FrameMeta, { owner: 1 });
  const { metadata } = page;
  // @ts-expect-error: it is a copy.
  metadata.owner = 2;
  expect(page.metadata.owner).toBe(1);
  expect(() => {
    // @ts-expect-error: there is no way to set it whole either.
    page.metadata = { owner: 2, lists: 0, readShares: 0, writeShares: 0 };
  }).toThrow(TypeError);
  // @ts-expect-error: only a sole owner changes metadata.
  expect(page.setMetadata).toBeUndefined();
});

test('initial metadata of another usage, or of another type, does not compile', () => {
  const memory = makeMemory();
  const place = physAddr(memory.sizeBytes - 4096);
  // @ts-expect-error: a frame has no level.
  expect(() => Page.fromUnused(memory, place, FrameMeta, { level: 1 })).toThrow('level');
  // @ts-expect-error: a table has no shares.
  expect(() => Page.allocate(memory, PageTableMeta, { writeShares: 1 })).toThrow('writeShares');
  // @ts-expect-error: the kernel's pages have none.
  expect(() => UniquePage.allocate(memory, KernelMeta, { owner: 1 })).toThrow('owner');
  // @ts-expect-error: metadata are numbers.
  expect(() => Page.allocate(memory, FrameMeta, { owner: 'me' })).toThrow('owner');
  using unique = UniquePage.allocate(memory, FrameMeta);
  // @ts-expect-error: nor can it be set later.
  expect(() => unique.setMetadata({ entries: 1 })).toThrow('entries');
  expect(memory.statistics().byUsage).toMatchObject({ Frame: 1, PageTable: 0, Kernel: 0 });
});

test('metadata that the layers above keep is read, and given or set by nobody else', () => {
  const memory = makeMemory();
  // @ts-expect-error: shares are counted by the page tables.
  expect(() => Page.allocate(memory, FrameMeta, { readShares: 1 })).toThrow('readShares');
  // @ts-expect-error: a table's level is its tree's to say.
  expect(() => Page.allocate(memory, PageTableMeta, { level: 1 })).toThrow('level');
  // @ts-expect-error: and so for the pages of a segment.
  expect(() => Segment.allocate(memory, PageTableMeta, { frames: 1 }, () => ({ entries: 1 }))).toThrow(
    'entries',
  );
  using unique = UniquePage.allocate(memory, FrameMeta);
  // @ts-expect-error: nor can they be set later.
  expect(() => unique.setMetadata({ writeShares: 1 })).toThrow('writeShares');
});

test('pages of one usage do not go for pages of another', () => {
  const memory = makeMemory();
  const entriesOf = (page: Page<typeof PageTableMeta>): number => page.metadata.entries;
  using frame = Page.allocate(memory, FrameMeta);
  // @ts-expect-error: a frame is no page table.
  expect(entriesOf(frame)).toBeUndefined();
  using dyn = frame.clone().intoDyn();
  const converted = dyn.into(PageTableMeta);
  // @ts-expect-error: whether it fits must be asked first.
  expect(converted.page.metadata).toBeUndefined();
  const length = (segment: Segment<typeof PageTableMeta>): number => segment.length;
  const pages = (segment: Segment<typeof FrameMeta>): number =>
    // @ts-expect-error: nor do segments.
    length(segment);
  expect(pages).toBeTypeOf('function');
});

test('frames cannot be allocated as Unused, Reserved or Meta', () => {
  const memory = makeMemory();
  const compiles = (): void => {
    // @ts-expect-error: these are not given out.
    memory.allocate(Usage.Unused);
    // @ts-expect-error: these neither.
    memory.allocate(Usage.Meta);
    // @ts-expect-error: nor these, in a row or not.
    memory.allocateRange({ frames: 1, usage: Usage.Reserved });
  };
  expect(compiles).toBeTypeOf('function');
});

test('metadata that is named by its type is that of the page', () => {
  const table: Metadata<typeof PageTableMeta> = { owner: 1, index: 2, entries: 3, level: 0 };
  const frame: (keyof Metadata<typeof FrameMeta>)[] = ['owner', 'lists', 'readShares', 'writeShares'];
  expect(Object.keys(table)).toHaveLength(frame.length);
  const dyn = (page: DynPage): number => page.referenceCount;
  expect(dyn).toBeTypeOf('function');
});
