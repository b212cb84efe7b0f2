/** The audit of one address space: DESIGN.md's invariants 1, 3, 5 and 6, recounted from scratch. */
import {
  type FrameNumber,
  frameNumber,
  frameStart,
  hex,
  METADATA_INDEX,
  METADATA_OWNER,
  NO_FRAME,
  PAGE_SIZE,
  pageStart,
  type PhysicalMemory,
  Usage,
  usageName,
  vpn,
  type Vpn,
} from '../frame/index.js';
import {
  formatPte,
  MAX_PAGES,
  PTE_BYTES,
  PTE_COW,
  PTE_R,
  PTE_READONLY_SHARED,
  PTE_RIGHTS,
  PTE_SHARED,
  PTE_U,
  PTE_V,
  PTE_W,
  pteFrame,
  type Sv39PageTable,
  staleLines,
} from '../paging/index.js';
import type { AddressSpace } from './address-space.js';
import { type Backing, isObjects } from './backing.js';
import type { Mapping } from './mapping.js';

/** What the frames should count, recounted: an item for each frame. */
export class ExpectedCounts {
  readonly references: Uint32Array;
  /** Entries that name the frame "readonly and shared", and "writable and shared" (paging/shares.ts). */
  readonly readShares: Uint32Array;
  readonly writeShares: Uint32Array;

  constructor(frames: number) {
    this.references = new Uint32Array(frames);
    this.readShares = new Uint32Array(frames);
    this.writeShares = new Uint32Array(frames);
  }

  /** Tables whose entries are counted: several spaces may have them. */
  readonly #counted = new Set<FrameNumber>();

  /** Counts what the tables of a space own, as far as no space before has had them. */
  addTables(table: Sv39PageTable): void {
    const { words } = table.memory;
    if (table.root === NO_FRAME) return;
    this.references[table.root]!++;
    const isNew = (frame: FrameNumber): boolean => this.#counted.size < this.#counted.add(frame).size;
    for (const { table: frame, level } of table.visitTables(isNew)) {
      const start = frameStart(frame) >>> 2;
      for (let word = start; word < start + PAGE_SIZE / 4; word += PTE_BYTES / 4) {
        if (words[word] !== 0) this.#addEntry(words[word]!, level);
      }
    }
  }

  #addEntry(pte: number, level: number): void {
    const isTable = (pte & PTE_RIGHTS) === 0;
    for (let index = 0; index < (isTable ? 1 : 512 ** level); index++) {
      const frame = pteFrame(pte) + index;
      this.references[frame]!++;
      if (isTable) continue;
      if ((pte & PTE_READONLY_SHARED) !== 0) this.readShares[frame]!++;
      if ((pte & PTE_COW) !== 0) this.writeShares[frame]!++;
    }
  }
}

/**
 * Adds the references that a space holds, and the shares of its entries, to `expected`.
 * @returns a line for each thing that is wrong with the space.
 */
export const auditSpace = (space: AddressSpace, expected: ExpectedCounts): string[] => {
  const problems: string[] = [];
  const { memory, table } = space;
  const usageShouldBe = (frame: FrameNumber, what: string, ...usages: Usage[]): void => {
    if (!usages.includes(memory.usage(frame))) {
      problems.push(`${what}: frame ${hex(frame)} is ${usageName(memory.usage(frame))}`);
    }
  };
  expected.addTables(table);
  for (const { table: frame, isShared } of table.visitTables()) {
    usageShouldBe(frame, 'a page table', Usage.PageTable);
    if (frame !== table.root && !isShared && !isKnownAbove(memory, frame)) {
      problems.push(`page table ${hex(frame)}: the entry that its metadata names does not lead to it`);
    }
  }
  let resident = 0;
  let own = 0;
  for (const page of table.mappedPages(vpn(0), vpn(MAX_PAGES))) {
    const pte = table.entry(page);
    const frame = pteFrame(pte);
    if (frame !== space.virtualMemory.zeroFrame) {
      resident++;
      if (!isObjects(space, frame)) own++;
    }
    const what = `page ${hex(pageStart(page))} (${formatPte(pte)})`;
    usageShouldBe(frame, what, Usage.Frame, Usage.Kernel);
    problems.push(...auditEntry(space, page, pte).map((problem) => `${what}: ${problem}`));
  }
  if (resident !== space.residentFrames || own !== space.ownFrames) {
    problems.push(
      `a space counts ${space.residentFrames} resident frames and ${space.ownFrames} of its own, ${resident} and ${own} were found`,
    );
  }
  for (const backing of space.list.backings) {
    if (!backing.spaces.has(space))
      problems.push(`${backing.object.name} does not know of a space that maps it`);
  }
  problems.push(...staleLines(table));
  return problems;
};

const auditEntry = (space: AddressSpace, page: Vpn, pte: number): string[] => {
  const problems: string[] = [];
  const mapping = space.mappings.find(page);
  if (mapping === undefined) return ['no mapping holds it'];
  if ((pte & PTE_V) === 0 || (pte & PTE_RIGHTS) === 0) problems.push('not a valid leaf');
  if ((pte & (PTE_R | PTE_W)) === PTE_W) problems.push('W without R is reserved');
  const granted = pte & (PTE_RIGHTS | PTE_U);
  if ((granted & ~mapping.rights) !== 0)
    problems.push(`grants more than its mapping (${mapping.protection})`);
  if ((mapping.rights & ~granted & ~PTE_W) !== 0) problems.push(`grants less than its mapping allows`);
  const byMapping =
    mapping.sharing === 'shared'
      ? auditShared(space, page, pte, mapping)
      : auditPrivate(space, page, pte, mapping);
  return [...problems, ...byMapping];
};

const auditPrivate = (
  space: AddressSpace,
  page: Vpn,
  pte: number,
  { rights, backing }: Mapping,
): string[] => {
  const problems: string[] = [];
  const writable = (rights & PTE_W) !== 0;
  const copyOnWrite = (pte & PTE_COW) !== 0;
  const written = (pte & PTE_W) !== 0;
  const pinned = space.pins.get(pteFrame(pte))?.pins ?? 0;
  if (written && space.memory.count(pteFrame(pte)) !== 1 + pinned)
    problems.push('is writable, and its frame is shared');
  if (written && copyOnWrite) problems.push('has both W and COW');
  if (written && (pte & PTE_READONLY_SHARED) !== 0) problems.push('is shared for good in a private mapping');
  if (writable && (pte & (PTE_W | PTE_SHARED)) === 0)
    problems.push('is neither writable nor shared in a writable mapping');
  if (!writable && copyOnWrite) problems.push('is COW in a mapping that is not writable');
  if (isObjects(space, pteFrame(pte))) {
    if (backing === undefined) problems.push('names the frame of an object in anonymous memory');
    else problems.push(...auditObjectPage(page, pte, backing));
  }
  return problems;
};

const auditShared = (space: AddressSpace, page: Vpn, pte: number, { backing }: Mapping): string[] => {
  const problems: string[] = [];
  if ((pte & PTE_SHARED) !== PTE_READONLY_SHARED) problems.push('is not shared for good in a shared mapping');
  if ((pte & PTE_W) !== 0 && !backing!.object.isReady(backing!.objectPage(page), 'write')) {
    problems.push('is writable, and its object has not made it its own');
  }
  if (pteFrame(pte) === space.virtualMemory.zeroFrame) {
    if (backing!.object.presentFrame(backing!.objectPage(page)) !== 0)
      problems.push('is zeros, and its object has a frame');
  } else {
    problems.push(...auditObjectPage(page, pte, backing!));
  }
  return problems;
};

/** An entry that names an object's frame names that of the page that the mapping says. */
const auditObjectPage = (page: Vpn, pte: number, backing: Backing): string[] => {
  const { object } = backing;
  const objectPage = backing.objectPage(page);
  if (!object.isOpen) return ['shows an object whose capability is revoked'];
  if (objectPage >= object.endPage) return ['lies beyond the end of its object'];
  const frame = object.presentFrame(objectPage);
  return frame === pteFrame(pte)
    ? []
    : [`names another frame than ${object.name} has for page ${objectPage}, ${hex(frame)}`];
};

/** Whether the reverse reference of a page table is true: the entry that it names leads to the table. */
const isKnownAbove = (memory: PhysicalMemory, table: FrameNumber): boolean => {
  const metadata = memory.metadata(table);
  const owner = frameNumber(memory.words[(metadata + METADATA_OWNER) >>> 2]!);
  const index = memory.words[(metadata + METADATA_INDEX) >>> 2]!;
  return pteFrame(memory.words[(frameStart(owner) + index * PTE_BYTES) >>> 2]!) === table;
};
