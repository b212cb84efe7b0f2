/**
 * Addresses and page numbers, and the only conversions between them.
 *
 * All are plain numbers with a brand, so that a virtual page number cannot be passed for a frame
 * number. Sv39 virtual addresses have 39 bits and physical ones 32, so a double holds each exactly.
 */

declare const brand: unique symbol;

/** A byte offset into RAM, 0 … 2^32 - 1. */
export type PhysAddr = number & { readonly [brand]: 'PhysAddr' };
/** A virtual byte address. Values at or above MAXVA are representable, and refused wherever used. */
export type VirtAddr = number & { readonly [brand]: 'VirtAddr' };
/** A physical address divided by the page size. Frame 0 is never allocatable, so 0 can mean "none". */
export type FrameNumber = number & { readonly [brand]: 'FrameNumber' };
/** A virtual address divided by the page size. */
export type Vpn = number & { readonly [brand]: 'Vpn' };

export const PAGE_BITS = 12;
/** Bytes in a frame and in a page. */
export const PAGE_SIZE = 4096;

/** Not a frame: what a lookup answers when there is none. */
export const NO_FRAME = 0 as FrameNumber;

export const physAddr = (bytes: number): PhysAddr => bytes as PhysAddr;
export const virtAddr = (bytes: number): VirtAddr => bytes as VirtAddr;
export const frameNumber = (index: number): FrameNumber => index as FrameNumber;
export const vpn = (index: number): Vpn => index as Vpn;

/** The physical address of a frame's first byte. */
export const frameStart = (frame: FrameNumber): PhysAddr => (frame * PAGE_SIZE) as PhysAddr;
/** The frame that holds a physical address. */
export const frameOf = (address: PhysAddr): FrameNumber => (address >>> PAGE_BITS) as FrameNumber;
/** The virtual address of a page's first byte. */
export const pageStart = (page: Vpn): VirtAddr => (page * PAGE_SIZE) as VirtAddr;
/** The page that holds a virtual address. */
export const vpnOf = (address: VirtAddr): Vpn => Math.floor(address / PAGE_SIZE) as Vpn;
/** The byte of its page that an address names, 0 … 4095. */
export const pageOffset = (address: VirtAddr): number => address % PAGE_SIZE;
/** How many pages hold `bytes` bytes that start on a page boundary. */
export const pagesIn = (bytes: number): number => Math.ceil(bytes / PAGE_SIZE);

/** An address as errors and reports print it. */
export const hex = (value: number | bigint): string => `0x${value.toString(16)}`;
