/**
 * The metadata slot: what is known of one frame. Slots stand in an array in the Meta frames, one for
 * every frame of RAM, and are the only source of truth for usages and reference counts.
 *
 *      a frame in use                                  a free frame
 *      +----+---------------------------------+       +----+---------------------------------+
 *      |  0 | references            u32       |       |  0 | 0                               |
 *      |  4 | usage u8, flags u8, 0, 0        |       |  4 | Unused, flags u8, order u8, 0   |
 *      |  8 | raw references        u32       |       |  8 | 0                               |
 *      | 12 | the usage's own       16 bytes  |       | 12 | next free block or frame  u32   |
 *      | 28 | open handles          u32       |       | 16 | previous free block       u32   |
 *      +----+---------------------------------+       | 20 | what its last owner left        |
 *                                                     +----+---------------------------------+
 *
 * `usage = Unused` if and only if the frame is free, and then `references` is 0. References are all
 * claims on the frame, whoever has them; open handles and raw references (handles turned into addresses)
 * are those among them that page handles account for; a free frame has none, so that a restored raw
 * reference is refused there however late it comes. All of a new frame's slot is written before its
 * usage, and its count last: they publish it. After seed 002 (Asterinas `MetaSlot`).
 */

export const SLOT_BYTES = 32;
export const SLOT_COUNT = 0;
/** The word of usage (its lowest byte), flags and order. */
export const SLOT_STATE = 4;
export const SLOT_RAW = 8;
export const SLOT_NEXT_FREE = 12;
export const SLOT_PREVIOUS_FREE = 16;
export const SLOT_METADATA = 12;
export const SLOT_HANDLES = 28;
export const SLOT_METADATA_BYTES = SLOT_HANDLES - SLOT_METADATA;

/** Flags, as bits of the state word. A watcher wants to hear of this frame's writes and of its end. */
export const FLAG_WATCHED = 1 << 8;
/** The first frame of a free block, whose order the state word has. */
export const FLAG_FREE_BLOCK = 1 << 9;
/** A free frame that stands in the cache of single frames. */
export const FLAG_CACHED = 1 << 10;
/** A free frame that was filled with the poison pattern (checking mode). */
export const FLAG_POISONED = 1 << 11;
export const STATE_USAGE_MASK = 0xff;
export const STATE_ORDER_SHIFT = 16;

/** The count of a frame that a `UniquePage` has: nobody may retain or release it. */
export const COUNT_UNIQUE = 0xffff_ffff;
/** The most references that a frame can have. */
export const MAX_COUNT = 0xffff_fffe;

/**
 * What each usage keeps in the slot's metadata, as byte offsets into it. All are u32, and zero when the
 * frame is allocated.
 *
 *      Frame        owner | lists | read shares | write shares
 *      PageTable    owner | index | entries     | level
 *      KernelStack  owner | index
 *
 * `owner` and `index` are the reverse reference: a number that names what the frame belongs to, and the
 * frame's place in it. Of a page table they are the frame of the table above it (0 for a root), and the entry
 * there that leads to it; of a memory object's frame `owner` is the object that it was first committed to.
 */
export const METADATA_OWNER = 0;
export const METADATA_INDEX = 4;
/** Frame: slots of memory objects' page lists that name the frame. */
export const METADATA_LISTS = 4;
/** Frame: entries that name the frame "readonly and shared", and "writable and shared" (seed 000). */
export const METADATA_READ_SHARES = 8;
export const METADATA_WRITE_SHARES = 12;
/** PageTable: entries that are not empty, and the level (0 = leaf table). */
export const METADATA_ENTRIES = 8;
export const METADATA_LEVEL = 12;

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
