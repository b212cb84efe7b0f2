// @ts-check
/**
 * What a fork costs, what the first writes after it cost, and what the child's end costs, by how much memory has been
 * touched: the fork that shares page tables beside the one that goes page by page.
 */
import { copyOut, virtAddr, VirtualMemory, vpnOf } from '@holstein/core';

const MIB = 2 ** 20;
const PAGE = 4096;
const SIZES_MIB = [1, 16, 64, 256, 1024];
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
  const virtualMemory = VirtualMemory.create({ memoryBytes: Math.min(2 * mib + 8, 4095) * MIB });
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
    // One that takes microseconds is timed more often.
    Array.from({ length: kind === 'tables' ? 501 : ROUNDS }, () => {
      /** @type {import('@holstein/core').AddressSpace | undefined} */
      let child;
      const taken = time(() => (child = space.fork(kind)));
      child?.close();
      return taken;
    }),
  );

/**
 * Forks, writes every page of the child, and closes it.
 * @param {import('@holstein/core').AddressSpace} space
 * @param {import('@holstein/core').ForkKind} kind
 * @param {number} pages
 * @returns {{ fault: number, exit: number }} microseconds for a write fault, tables and all, and for the end; medians
 */
const childTimes = (space, kind, pages) => {
  const first = vpnOf(START);
  /** @type {number[]} */
  const faults = [];
  /** @type {number[]} */
  const exits = [];
  for (let round = 0; round < ROUNDS; round++) {
    const child = space.fork(kind);
    const taken = time(() => {
      for (let page = 0; page < pages; page++) {
        child.handleFault(/** @type {import('@holstein/core').Vpn} */ (first + page), 'write');
      }
    });
    faults.push(taken / pages);
    exits.push(time(() => child.close()));
  }
  return { fault: median(faults), exit: median(exits) };
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

/** Frames that a child holds which only reads. @param {import('@holstein/core').ForkKind} kind */
const idleFrames = (kind) => {
  const space = touchedSpace(64);
  const { memory } = space;
  const before = memory.statistics().inUse;
  const child = space.fork(kind);
  for (let page = 0; page < 100; page++) {
    child.reach(/** @type {import('@holstein/core').Vpn} */ (vpnOf(START) + page), 'read');
  }
  return memory.statistics().inUse - before;
};

/**
 * @param {string} name
 * @param {string} unit
 * @param {number} holstein
 * @param {string} peerName
 * @param {number} peer
 */
const compared = (name, unit, holstein, peerName, peer) => ({
  name,
  unit,
  holstein,
  peer,
  peerName,
  ratio: peer / holstein,
});

export function* measureFork() {
  // Once for nothing: V8 compiles what is hot.
  for (const kind of /** @type {const} */ (['tables', 'pages'])) forkTime(touchedSpace(16), kind);
  for (const mib of SIZES_MIB) {
    const space = touchedSpace(mib);
    const name = mib < 1024 ? `fork-${mib}MiB` : 'fork-1GiB';
    yield compared(name, 'µs', forkTime(space, 'tables'), 'fork by page', forkTime(space, 'pages'));
  }
  const pages = (64 * MIB) / PAGE;
  const space = touchedSpace(64);
  const tables = childTimes(space, 'tables', pages);
  const byPage = childTimes(space, 'pages', pages);
  yield compared('cow-fault-64MiB', 'µs', tables.fault, 'bare copy', copyTime(pages));
  yield compared('exit-64MiB', 'µs', tables.exit, 'fork by page', byPage.exit);
  yield compared('idle-fork-frames', 'frames', idleFrames('tables'), 'fork by page', idleFrames('pages'));
}
