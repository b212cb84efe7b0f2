/**
 * The metadata slot: what is known of one frame. Slots stand in an array in the Meta frames, one for
 * every frame of RAM, and are the only source of truth for usages and reference counts.
 *
 *      0        4       5       6        8               12                          32
 *      +--------+-------+-------+--------+---------------+---------------------------+
 *      | count  | usage | flags |   0    | next free     | the usage's own metadata  |
 *      | u32    | u8    | u8    |        | frame, u32    |                           |
 *      +--------+-------+-------+--------+---------------+---------------------------+
 *
 * `usage` is Unused if and only if the frame is free, and then `count` is 0 and `next free` links the
 * free list. A new frame's slot is complete before its usage is written: usage publishes it.
 * After seed 002 (Asterinas `MetaSlot`).
 */

export const SLOT_BYTES = 32;
export const SLOT_COUNT = 0;
export const SLOT_USAGE = 4;
export const SLOT_FLAGS = 5;
export const SLOT_NEXT_FREE = 8;
export const SLOT_METADATA = 12;
export const SLOT_METADATA_BYTES = SLOT_BYTES - SLOT_METADATA;

/**
 * What each usage keeps in the slot's metadata, as byte offsets into it. All are u32, and zero when the
 * frame is allocated.
 *
 *      Frame        owner | index | read shares | write shares
 *      PageTable    owner | index | entries     | level
 *      KernelStack  owner | index
 *
 * `owner` and `index` are the reverse reference: a number that names the object or table that the frame
 * belongs to, and the frame's place in it.
 */
export const METADATA_OWNER = 0;
export const METADATA_INDEX = 4;
/** Frame: entries that name the frame "readonly and shared", and "writable and shared" (seed 000). */
export const METADATA_READ_SHARES = 8;
export const METADATA_WRITE_SHARES = 12;
/** PageTable: entries that are not empty, and the level (0 = leaf table). */
export const METADATA_ENTRIES = 8;
export const METADATA_LEVEL = 12;

/** A watcher wants to hear of this frame's writes and of its end. */
export const FLAG_WATCHED = 1;

/** What a frame is used for (seed 002's `PageUsage`). */
export const Usage = {
  /** Free. */
  Unused: 0,
  /** Low memory that belongs to the hart: register file, TLB, decoded code. Never freed. */
  Reserved: 1,
  /** Ordinary memory: of processes and memory objects. */
  Frame: 2,
  /** A page table. */
  PageTable: 3,
  /** The metadata slots themselves. Never freed. */
  Meta: 4,
  /** The kernel's own, such as the shared zero frame. */
  Kernel: 5,
  /** A kernel stack (the seed has them; the kernel here runs on the host's). */
  KernelStack: 6,
} as const;

export type Usage = (typeof Usage)[keyof typeof Usage];
export type UsageName = keyof typeof Usage;

/** The usages that `allocate` gives out. */
export type AllocatableUsage = Exclude<
  Usage,
  typeof Usage.Unused | typeof Usage.Reserved | typeof Usage.Meta
>;

const names = Object.keys(Usage) as UsageName[];

/** The name of a usage, for people to read. */
export const usageName = (usage: Usage): UsageName => names[usage]!;

export const USAGE_COUNT = names.length;
