/**
 * Typed metadata: which words of the slot a usage gives which names (slot.ts draws them). A page handle is
 * typed by one of these, so what is asked of a page is what its usage has.
 */
import { type FrameNumber } from './address.js';
import type { FrameSlots } from './frame-slots.js';
import { InvalidArgument } from './errors.js';
import {
  type AllocatableUsage,
  METADATA_ENTRIES,
  METADATA_INDEX,
  METADATA_LEVEL,
  METADATA_LISTS,
  METADATA_OWNER,
  METADATA_READ_SHARES,
  METADATA_WRITE_SHARES,
  SLOT_METADATA_BYTES,
  Usage,
} from './slot.js';

export interface MetadataType {
  readonly usage: AllocatableUsage;
  /** Byte offsets of the usage's words within the slot's metadata, by name. */
  readonly fields: Readonly<Record<string, number>>;
  /** Those of them that the layers above keep themselves: to be read only, and zero at first. */
  readonly layerFields: readonly string[];
}

/** Ordinary memory: of processes and memory objects. */
export const FrameMeta = {
  usage: Usage.Frame,
  fields: {
    owner: METADATA_OWNER,
    lists: METADATA_LISTS,
    readShares: METADATA_READ_SHARES,
    writeShares: METADATA_WRITE_SHARES,
  },
  layerFields: ['lists', 'readShares', 'writeShares'],
} as const satisfies MetadataType;

/** A page table: `owner` names its space, `index` the entry that leads to it. */
export const PageTableMeta = {
  usage: Usage.PageTable,
  fields: { owner: METADATA_OWNER, index: METADATA_INDEX, entries: METADATA_ENTRIES, level: METADATA_LEVEL },
  layerFields: ['entries', 'level'],
} as const satisfies MetadataType;

export const KernelMeta = {
  usage: Usage.Kernel,
  fields: {},
  layerFields: [],
} as const satisfies MetadataType;

export const KernelStackMeta = {
  usage: Usage.KernelStack,
  fields: { owner: METADATA_OWNER, index: METADATA_INDEX },
  layerFields: [],
} as const satisfies MetadataType;

/** What a page of a type has: unsigned 32-bit numbers. */
export type Metadata<M extends MetadataType> = { readonly [Field in keyof M['fields']]: number };

/** The fields of a type that its user may set. */
type SettableField<M extends MetadataType> = Exclude<keyof M['fields'], M['layerFields'][number]>;

/** What a page of a type may be given: some of its metadata. Of a type not known when compiling, whatever is checked later. */
export type InitialMetadata<M extends MetadataType> = string extends keyof M['fields']
  ? Readonly<Record<string, number>>
  : [SettableField<M>] extends [never]
    ? Readonly<Record<string, never>>
    : { readonly [Field in SettableField<M>]?: number };

/** The metadata's words, in their places, zero where `initial` has nothing. */
export const metadataWords = <M extends MetadataType>(
  type: M,
  initial: InitialMetadata<M> | undefined,
): readonly number[] => {
  const words: number[] = Array.from({ length: SLOT_METADATA_BYTES / 4 }, () => 0);
  for (const [word, value] of checkedWords(type, initial)) words[word] = value;
  return words;
};

/** Changes a frame's metadata. @throws InvalidArgument for what may not be set; nothing is set then. */
export const writeMetadata = <M extends MetadataType>(
  words: Uint32Array,
  slots: FrameSlots,
  frame: FrameNumber,
  type: M,
  changes: InitialMetadata<M>,
): void => {
  const start = slots.metadata(frame) >>> 2;
  for (const [word, value] of checkedWords(type, changes)) words[start + word] = value;
};

/** @returns what is to be written to which of the metadata's words. */
const checkedWords = (type: MetadataType, values: object = {}): (readonly [word: number, value: number])[] =>
  Object.entries(values as Readonly<Record<string, number>>).map(([field, value]) => {
    const offset = Object.hasOwn(type.fields, field) ? type.fields[field] : undefined;
    if (offset === undefined) throw new InvalidArgument(`${field} is not among the metadata of this usage`);
    if (type.layerFields.includes(field)) {
      throw new InvalidArgument(`metadata ${field} is not to be set: the layers above keep it themselves`);
    }
    if (value >>> 0 !== value)
      throw new InvalidArgument(`metadata ${field} of ${value}: give an unsigned 32-bit number`);
    return [offset >>> 2, value];
  });

/** Reads a frame's metadata as its type has it. */
export const readMetadata = <M extends MetadataType>(
  words: Uint32Array,
  slots: FrameSlots,
  frame: FrameNumber,
  type: M,
): Metadata<M> => {
  const start = slots.metadata(frame);
  return Object.fromEntries(
    Object.entries(type.fields).map(([field, offset]) => [field, words[(start + offset) >>> 2]!]),
  ) as Metadata<M>;
};
