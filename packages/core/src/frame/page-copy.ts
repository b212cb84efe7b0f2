/**
 * Copies pages within a RAM, by a loop over 16-byte vectors in WebAssembly. `Uint8Array.copyWithin` comes to one string
 * instruction of the host's, which takes some 70 ns more where neither page is in a cache, as after a fork.
 */
import { PAGE_SIZE, type PhysAddr } from './address.js';

/** Both are the first byte of a page. */
export type PageCopy = (to: PhysAddr, from: PhysAddr) => void;

const STEP_BYTES = 64;
const GET = 0x20;
const [TO, FROM, LEFT] = [0, 1, 2];
/** i32.const STEP_BYTES, as a signed LEB128 number. */
const STEP = [0x41, 0xc0, 0x00];

/** local.get to; local.get from; v128.load offset; v128.store offset */
const vector = (offset: number): number[] => [
  ...[GET, TO, GET, FROM],
  ...[0xfd, 0x00, 0x04, offset, 0xfd, 0x0b, 0x04, offset],
];

const BODY = [
  0x00, // no locals
  ...[0x03, 0x40], // loop
  ...[0, 16, 32, 48].flatMap(vector),
  ...[GET, TO, ...STEP, 0x6a, 0x21, TO], // to += STEP_BYTES
  ...[GET, FROM, ...STEP, 0x6a, 0x21, FROM],
  ...[GET, LEFT, ...STEP, 0x6b, 0x22, LEFT, 0x0d, 0x00], // br_if loop, while left -= STEP_BYTES
  ...[0x0b, 0x0b],
];

/** A module that imports a memory and exports copy(to, from, bytes) (WebAssembly core specification, section 5.5). */
const MODULE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  // type 0: three i32 parameters, no result
  ...[0x01, 0x07, 0x01, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x00],
  // import "r" "m", a memory of 1 page or more
  ...[0x02, 0x08, 0x01, 0x01, 0x72, 0x01, 0x6d, 0x02, 0x00, 0x01],
  // one function of type 0, exported as "c"
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x05, 0x01, 0x01, 0x63, 0x00, 0x00],
  ...[0x0a, BODY.length + 2, 0x01, BODY.length, ...BODY],
);

/** Made at first use, and the same for every RAM. */
let compiled: WebAssembly.Module | undefined;

/** What copies pages of a RAM: the same, by `copyWithin`, where the RAM is shared, or the host compiles no vectors. */
export const pageCopyFor = (memory: WebAssembly.Memory, bytes: Uint8Array): PageCopy => {
  try {
    compiled ??= new WebAssembly.Module(MODULE);
    const { exports } = new WebAssembly.Instance(compiled, { r: { m: memory } });
    const copy = exports['c'] as (to: number, from: number, bytes: number) => void;
    return (to, from) => copy(to, from, PAGE_SIZE);
  } catch {
    return (to, from) => void bytes.copyWithin(to, from, from + PAGE_SIZE);
  }
};

if (PAGE_SIZE % STEP_BYTES !== 0 || BODY.length + 2 >= 0x80) {
  throw new Error('the loop that copies pages does not hold together');
}
