// @ts-check
/**
 * What a fork costs, and what the first writes after it cost, by how much memory has been touched: holstein's
 * page-by-page fork beside its eager one, the copy that it stands for.
 */
import { copyOut, virtAddr, VirtualMemory, vpnOf } from '@holstein/core';

const MIB = 2 ** 20;
const PAGE = 4096;
const SIZES_MIB = [1, 16, 64, 256];
const ROUNDS = 9;
const START = virtAddr(0x10000);

/** @param {number[]} values */
const median = (values) => /** @type {number} */ (values.toSorted((a, b) => a - b)[values.length >> 1]);

/** @param {() => void} work @returns microseconds */
const time = (work) => {
  const start = performance.now();
  work();
  return (performance.now() - start) * 1000;
};

/** @param {number} mib */
const touchedSpace = (mib) => {
  const virtualMemory = VirtualMemory.create({ memoryBytes: (2 * mib + 8) * MIB });
  const space = virtualMemory.createSpace();
  space.map({ at: START, lengthBytes: mib * MIB, protection: 'rw-' });
  copyOut(space, START, new Uint8Array(mib * MIB).fill(1));
  return space;
};

/**
 * @param {import('@holstein/core').AddressSpace} space
 * @param {import('@holstein/core').ForkKind} kind
 * @returns {number} microseconds for a fork, the median of several
 */
const forkTime = (space, kind) =>
  median(
    Array.from({ length: ROUNDS }, () => {
      /** @type {import('@holstein/core').AddressSpace | undefined} */
      let child;
      const taken = time(() => (child = space.fork(kind)));
      child?.close();
      return taken;
    }),
  );

/**
 * @param {import('@holstein/core').AddressSpace} space
 * @param {number} pages
 */
const writeFaultTime = (space, pages) => {
  const first = vpnOf(START);
  return median(
    Array.from({ length: ROUNDS }, () => {
      const child = space.fork('pages');
      const taken = time(() => {
        for (let page = 0; page < pages; page++) {
          child.handleFault(/** @type {import('@holstein/core').Vpn} */ (first + page), 'write');
        }
      });
      child.close();
      return taken / pages;
    }),
  );
};

/** Copying pages and nothing else, into as much memory as the faults fill. @param {number} pages */
const copyTime = (pages) => {
  const bytes = new Uint8Array(2 * pages * PAGE).fill(1);
  return median(
    Array.from({ length: ROUNDS }, () => {
      const taken = time(() => {
        for (let page = 0; page < pages; page++) {
          bytes.copyWithin((pages + page) * PAGE, page * PAGE, (page + 1) * PAGE);
        }
      });
      return taken / pages;
    }),
  );
};

export function* measureFork() {
  // Once for nothing: V8 compiles what is hot.
  forkTime(touchedSpace(16), 'pages');
  for (const mib of SIZES_MIB) {
    const space = touchedSpace(mib);
    const holstein = forkTime(space, 'pages');
    const peer = forkTime(space, 'eager');
    yield {
      name: `fork-${mib}MiB`,
      unit: 'µs',
      holstein,
      peer,
      peerName: 'eager fork',
      ratio: peer / holstein,
    };
  }
  const pages = (64 * MIB) / PAGE;
  const holstein = writeFaultTime(touchedSpace(64), pages);
  const peer = copyTime(pages);
  yield {
    name: 'cow-fault-64MiB',
    unit: 'µs',
    holstein,
    peer,
    peerName: 'bare copy',
    ratio: peer / holstein,
  };
}
