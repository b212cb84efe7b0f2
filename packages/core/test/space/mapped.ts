/** Short ways to map memory objects in tests, and to say what an access comes to. */
import { NO_FRAME, OutOfMemory, PAGE_SIZE, Usage, virtAddr, vpn } from '../../src/frame/index.js';
import { type Access, MAX_PAGES } from '../../src/paging/index.js';
import type { AddressSpace, MapOptions } from '../../src/space/index.js';
import type { Vmo, VmoOptions } from '../../src/vmo/index.js';
import type { World } from '../model/world.js';

export const FORK_KINDS = ['tables', 'pages', 'eager'] as const;

export const at = (page: number) => virtAddr(page * PAGE_SIZE);
export const bytesOf = (pages: number): number => pages * PAGE_SIZE;

/** The first byte of a page of an object made by `makeTagged`. */
export const tag = (page: number): number => (page % 200) + 10;

type TestVmo = Vmo<'dup' | 'read' | 'write' | 'exec'>;

/** An object of zeros, with all rights. */
export const makeZeros = (world: World, pages: number, options: Partial<VmoOptions> = {}): TestVmo =>
  world.virtualMemory.objects.create({
    size: bytesOf(pages),
    name: 'object',
    ...options,
    rights: ['dup', 'read', 'write', 'exec'],
  });

/** An object each of whose pages begins with its tag. */
export const makeTagged = (world: World, pages: number, options: Partial<VmoOptions> = {}): TestVmo => {
  const vmo = makeZeros(world, pages, options);
  for (let page = 0; page < pages; page++) vmo.writeSync(bytesOf(page), Uint8Array.of(tag(page)));
  return vmo;
};

/** Maps pages, to be read and written unless told. */
export const mapAt = (
  space: AddressSpace,
  page: number,
  pages: number,
  options: Partial<MapOptions> = {},
): void => {
  space.map({ at: at(page), lengthBytes: bytesOf(pages), protection: 'rw-', ...options });
};

/** What an access to a page comes to: how it was resolved, 'ready' where there was no fault, or why it was not. */
export const access = (space: AddressSpace, page: number, kind: Access): string => {
  if (space.table.translate(vpn(page), kind) !== 0) return 'ready';
  const outcome = space.handleFault(vpn(page), kind);
  return outcome.kind === 'resolved' ? outcome.by : outcome.kind;
};

/** Pages of a range that have an entry. */
export const mappedIn = (space: AddressSpace, first: number, pages: number): number[] => [
  ...space.table.mappedPages(vpn(first), vpn(first + pages)),
];

export const vmoByte = (vmo: Vmo<'read'>, page: number, offset = 0): number =>
  vmo.readSync(bytesOf(page) + offset, new Uint8Array(1))[0]!;

export const setVmoByte = (vmo: Vmo<'write'>, page: number, byte: number, offset = 0): void =>
  vmo.writeSync(bytesOf(page) + offset, Uint8Array.of(byte));

/** The `code` of what a call throws. */
export const codeOf = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    return (error as { code?: unknown }).code ?? error;
  }
  return 'done';
};

/** Takes every frame that there is, and that clean pages of objects give back: the world's to drain. */
export const squeeze = (world: World): void => {
  for (;;) {
    try {
      world.held.push(world.memory.allocate(Usage.Kernel));
    } catch (error) {
      if (error instanceof OutOfMemory) return;
      throw error;
    }
  }
};

/**
 * Fills the TLB with what spaces map, as the hart would: the pages in turn with one space's, for a line holds one. An
 * audit finds those that are stale after.
 */
export const warm = (spaces: readonly AddressSpace[]): void => {
  for (const [index, { table }] of spaces.entries()) {
    table.tlb.activate(table.tlbContext);
    for (const page of table.mappedPages(vpn(0), vpn(MAX_PAGES))) {
      if (page % spaces.length !== index) continue;
      for (const kind of ['read', 'write', 'execute'] as const) {
        const frame = table.translate(page, kind);
        if (frame !== NO_FRAME) table.tlb.install(table.tlbContext, kind, page, frame);
      }
    }
  }
};
