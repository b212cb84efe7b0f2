// @ts-check
/**
 * Frames and page tables, an operation at a time, in nanoseconds: each beside the cheapest thing in JavaScript
 * that could be put in its place.
 */
import { PAGE_SIZE, PTE_R, PTE_U, PTE_W, Usage, virtAddr, VirtualMemory, vpn, vpnOf } from '@holstein/core';
import { measure } from 'mitata';

const MIB = 2 ** 20;
const START = virtAddr(0x10000);
const FLAGS = PTE_U | PTE_R | PTE_W;
const COLD_MIB = 64;
const ROUNDS = 9;

/**
 * @param {string} name
 * @param {() => unknown} ours
 * @param {string} peerName
 * @param {() => unknown} theirs
 */
const compare = async (name, ours, peerName, theirs) => {
  const holstein = (await measure(ours)).p50;
  const peer = (await measure(theirs)).p50;
  return { name, unit: 'ns', holstein, peer, peerName, ratio: peer / holstein };
};

const allocateAndFree = () => {
  const { memory } = VirtualMemory.create({ memoryBytes: 64 * MIB });
  const stack = new Uint32Array(1024).fill(7);
  let top = 512;
  const pop = () => {
    if (top === 0) throw new Error('empty');
    return /** @type {number} */ (stack[--top]);
  };
  /** @param {number} value */
  const push = (value) => {
    if (top === stack.length) throw new Error('full');
    stack[top++] = value;
  };
  return compare(
    'frame-alloc-free',
    () => memory.release(memory.allocate(Usage.Frame)),
    'typed-array stack',
    () => push(pop()),
  );
};

/** Pages are asked for in an order that no cache of one entry helps with. */
const walk = () => {
  const pages = 4096;
  const virtualMemory = VirtualMemory.create({ memoryBytes: 64 * MIB });
  const space = virtualMemory.createSpace();
  space.map({ at: START, lengthBytes: pages * PAGE_SIZE, protection: 'rw-' });
  space.commit(START, pages * PAGE_SIZE);
  const first = vpnOf(START);
  const map = new Map(Array.from({ length: pages }, (_, page) => [first + page, page]));
  let at = 0;
  const next = () => vpn(first + ((at = (at + 1021) & (pages - 1)), at));
  return compare(
    'walk',
    () => space.table.translate(next(), 'read'),
    'Map.get',
    () => map.get(next()),
  );
};

const mapAndUnmap = () => {
  const virtualMemory = VirtualMemory.create({ memoryBytes: 64 * MIB });
  const { table } = virtualMemory.createSpace();
  const { memory } = virtualMemory;
  const frame = memory.allocate(Usage.Frame);
  // A neighbour keeps the leaf table.
  memory.retain(frame);
  table.map(vpn(15), frame, FLAGS);
  const page = vpn(16);
  const map = new Map();
  return compare(
    'map-unmap',
    () => {
      table.map(page, frame, FLAGS);
      table.unmap(page);
    },
    'Map.set and delete',
    () => {
      map.set(page, frame);
      map.delete(page);
    },
  );
};

/**
 * A module that imports a memory and exports copy(to, from, bytes), which is one `memory.copy`
 * (WebAssembly core specification, sections 5.4.6 and 5.5).
 */
const COPY_MODULE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  // type 0: three i32 parameters, no result
  ...[0x01, 0x07, 0x01, 0x60, 0x03, 0x7f, 0x7f, 0x7f, 0x00],
  // import "r" "m", a memory of 1 page or more
  ...[0x02, 0x08, 0x01, 0x01, 0x72, 0x01, 0x6d, 0x02, 0x00, 0x01],
  // one function of type 0, exported as "copy"
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x08, 0x01, 0x04, 0x63, 0x6f, 0x70, 0x79, 0x00, 0x00],
  // local.get 0, 1, 2; memory.copy
  ...[0x0a, 0x0e, 0x01, 0x0c, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfc, 0x0a, 0x00, 0x00, 0x0b],
);

/** @param {WebAssembly.Memory} memory @returns {(to: number, from: number, bytes: number) => void} */
const memoryCopy = (memory) => {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(COPY_MODULE), { r: { m: memory } });
  return /** @type {any} */ (instance.exports).copy;
};

/** @param {number[]} values */
const median = (values) => /** @type {number} */ (values.toSorted((a, b) => a - b)[values.length >> 1]);

/** Each fault copies a page that has not been touched for 64 MiB, to one that has not either. */
const cowFault = () => {
  const pages = (COLD_MIB * MIB) / PAGE_SIZE;
  const virtualMemory = VirtualMemory.create({ memoryBytes: (2 * COLD_MIB + 8) * MIB });
  const space = virtualMemory.createSpace();
  space.map({ at: START, lengthBytes: COLD_MIB * MIB, protection: 'rw-' });
  space.commit(START, COLD_MIB * MIB);
  const peerMemory = new WebAssembly.Memory({ initial: (2 * COLD_MIB * MIB) / 65536 });
  new Uint8Array(peerMemory.buffer).fill(1);
  const copy = memoryCopy(peerMemory);
  /** @param {() => void} work */
  const perPage = (work) => {
    const start = performance.now();
    work();
    return ((performance.now() - start) * 1e6) / pages;
  };
  const faults = [];
  const copies = [];
  for (let round = 0; round < ROUNDS; round++) {
    const child = space.fork();
    faults.push(
      perPage(() => {
        for (let page = 0; page < pages; page++) child.handleFault(vpn(vpnOf(START) + page), 'write');
      }),
    );
    child.close();
    copies.push(
      perPage(() => {
        for (let at = 0; at < COLD_MIB * MIB; at += PAGE_SIZE) {
          copy(COLD_MIB * MIB + at, at, PAGE_SIZE);
        }
      }),
    );
  }
  const [holstein, peer] = [median(faults), median(copies)];
  return {
    name: 'cow-fault',
    unit: 'ns',
    holstein,
    peer,
    peerName: 'memory.copy',
    ratio: peer / holstein,
  };
};

export async function* measurePaging() {
  yield await allocateAndFree();
  yield await walk();
  yield await mapAndUnmap();
  yield cowFault();
}
