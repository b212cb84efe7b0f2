/**
 * The header of the Meta frames: the allocator's state, in RAM so that all workers that share the RAM
 * share it. Words of 32 bits; the slots follow at HEADER_BYTES.
 *
 *      word  0   magic
 *            1   lock: 1 while a thread changes what follows (shared RAM only)
 *            2   total frames
 *            3   first allocatable frame
 *            4   free frames
 *            5   bit o is set where there are free blocks of order o
 *            6   first frame of the cache of single free frames; 7: how many it has
 *            8   frames by usage, 7 words
 *           15   bit u is set where a thread has a destructor for usage u
 *           16   first free block of order 0 … 18
 *           40   number of free blocks of order 0 … 18
 */
export const HEADER_BYTES = 256;
export const HEADER_MAGIC = 0;
export const HEADER_LOCK = 1;
export const HEADER_TOTAL = 2;
export const HEADER_FIRST = 3;
export const HEADER_FREE = 4;
export const HEADER_ORDERS = 5;
export const HEADER_CACHE = 6;
export const HEADER_CACHED = 7;
export const HEADER_BY_USAGE = 8;
export const HEADER_DESTRUCTORS = 15;
export const HEADER_BLOCKS = 16;
export const HEADER_BLOCK_COUNTS = 40;

/** 'hols', little-endian. */
export const MAGIC = 0x736c_6f68;
