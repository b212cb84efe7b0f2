// @ts-check
/**
 * Memory objects beside what JavaScript has for the same: arrays of bytes that are copied, and an immutable map of
 * pages. The rounds of both sides alternate, and each figure is the median of its rounds. RAM and arrays have been
 * written once before anything is measured, so that neither side pays for the host's first touch of its memory; what
 * a copy allocates is fresh, for that is what a copy is.
 *
 * lmdb, whose readers see snapshots too, is not here: it is installed by a script, and packages here run none.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MemoryObjects } from '@holstein/core';
import { Map as ImmutableMap } from 'immutable';

const MIB = 2 ** 20;
const PAGE = 4096;
const PIECE = 65536;
const SNAPSHOT_MIB = [1, 256, 1024];
const SNAPSHOTS_AT_ONCE = 500;
const FIRST_WRITE_MIB = 64;
const IO_MIB = 256;
const RANDOM_READS = 2 ** 20;
const ROUNDS = 9;

setFlagsFromString('--expose-gc');
/** @type {() => void} */
const collectGarbage = runInNewContext('gc');

/** What is measured ends here, so that none of it can be left out. */
let sink = 0;

/** @param {number[]} values */
const median = (values) => /** @type {number} */ (values.toSorted((a, b) => a - b)[values.length >> 1]);

/** @param {() => void} work @returns microseconds */
const time = (work) => {
  const start = performance.now();
  work();
  return (performance.now() - start) * 1000;
};

/**
 * @typedef {() => number} Measure measures once, in microseconds.
 * @param {readonly Measure[]} measures
 * @param {number} [rounds]
 * @returns {number[]} the median of each, after two rounds that count for nothing: V8 compiles what is hot.
 */
const alternate = (measures, rounds = ROUNDS) => {
  /** @type {number[][]} */
  const taken = measures.map(() => []);
  for (let round = -2; round < rounds; round++) {
    measures.forEach((measure, index) => {
      collectGarbage();
      const value = measure();
      if (round >= 0) taken[index]?.push(value);
    });
  }
  return taken.map(median);
};

/**
 * @param {string} name
 * @param {'µs' | 'ns'} unit
 * @param {number | undefined} holstein microseconds
 * @param {string} peerName
 * @param {number | undefined} peer microseconds
 */
const compared = (name, unit, holstein = NaN, peerName, peer = NaN) => {
  const scale = unit === 'ns' ? 1000 : 1;
  return { name, unit, holstein: holstein * scale, peer: peer * scale, peerName, ratio: peer / holstein };
};

/** @param {number} length @returns {Uint32Array} the numbers below `length`, in an order that is always the same. */
const shuffled = (length) => {
  const order = Uint32Array.from({ length }, (_, index) => index);
  let seed = 1;
  for (let index = length - 1; index > 0; index--) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    const other = seed % (index + 1);
    [order[index], order[other]] = [
      /** @type {number} */ (order[other]),
      /** @type {number} */ (order[index]),
    ];
  }
  return order;
};

/** @typedef {import('@holstein/core').Vmo<'dup' | 'read' | 'write'>} Bytes */

/** An object all of whose pages are written. @param {MemoryObjects} objects @param {number} mib @returns {Bytes} */
const written = (objects, mib) => {
  const vmo = objects.create({ size: mib * MIB });
  const ones = new Uint8Array(MIB).fill(1);
  for (let at = 0; at < mib * MIB; at += MIB) vmo.writeSync(at, ones);
  return vmo;
};

/** Page number → 4096 bytes. @param {number} mib @returns {ImmutableMap<number, Uint8Array>} */
const immutablePages = (mib) =>
  ImmutableMap(Array.from({ length: (mib * MIB) / PAGE }, (_, page) => [page, new Uint8Array(PAGE).fill(1)]));

/** @param {MemoryObjects} objects @param {Uint8Array} plain */
function* snapshots(objects, plain) {
  const vmos = SNAPSHOT_MIB.map((mib) => written(objects, mib));
  const sizes = vmos.map(({ size }) => size);
  const ours = vmos.map((vmo) => () => {
    /** @type {Bytes[]} */
    const taken = [];
    const spent = time(() => {
      for (let count = 0; count < SNAPSHOTS_AT_ONCE; count++)
        taken.push(vmo.createChild({ kind: 'snapshot' }));
    });
    for (const snapshot of taken) snapshot.close();
    return spent / SNAPSHOTS_AT_ONCE;
  });
  const slices = sizes.map((size) => () => {
    const from = plain.subarray(0, size);
    return time(() => void (sink += from.slice().length));
  });
  const middle = plain.slice(0, 256 * MIB);
  const clone = () => time(() => void (sink += structuredClone(middle).length));
  const map = { pages: immutablePages(256) };
  /** @type {{ pages: typeof map.pages }[]} */
  const versions = [];
  const immutable = () => {
    const spent = time(() => {
      for (let count = 0; count < SNAPSHOTS_AT_ONCE; count++) versions.push({ pages: map.pages });
    });
    sink += versions.length;
    versions.length = 0;
    return spent / SNAPSHOTS_AT_ONCE;
  };
  const medians = alternate([...ours, ...slices, clone, immutable]);
  const count = SNAPSHOT_MIB.length;
  for (const [index, mib] of SNAPSHOT_MIB.entries()) {
    yield compared(
      `snapshot-${mib < 1024 ? `${mib}MiB` : '1GiB'}`,
      'µs',
      medians[index],
      'slice',
      medians[count + index],
    );
  }
  yield compared('snapshot-256MiB-structuredClone', 'µs', medians[1], 'structuredClone', medians[2 * count]);
  yield compared('snapshot-256MiB-immutable', 'µs', medians[1], 'immutable Map', medians[2 * count + 1]);
  for (const vmo of vmos) vmo.close();
}

/** The first 8 bytes written to each page after a snapshot: in order, and in a random order. @param {MemoryObjects} objects */
function* firstWrites(objects) {
  const vmo = written(objects, FIRST_WRITE_MIB);
  const pages = vmo.size / PAGE;
  const eight = new Uint8Array(8).fill(2);
  const from = new Uint8Array(vmo.size).fill(1);
  const to = new Uint8Array(vmo.size).fill(1);
  const map = immutablePages(FIRST_WRITE_MIB);
  const orders = /** @type {const} */ ([
    ['first-write', Uint32Array.from({ length: pages }, (_, page) => page)],
    ['first-write-random', shuffled(pages)],
  ]);
  for (const [name, order] of orders) {
    const ours = () => {
      const snapshot = vmo.createChild({ kind: 'snapshot' });
      const spent = time(() => {
        for (let index = 0; index < pages; index++) {
          vmo.writeSync(/** @type {number} */ (order[index]) * PAGE, eight);
        }
      });
      snapshot.close();
      return spent / pages;
    };
    const copy = () =>
      time(() => {
        for (let index = 0; index < pages; index++) {
          const at = /** @type {number} */ (order[index]) * PAGE;
          to.set(from.subarray(at, at + PAGE), at);
          to.set(eight, at);
        }
      }) / pages;
    const immutable = () =>
      time(() => {
        let changed = map;
        for (let index = 0; index < pages; index++) {
          const page = /** @type {number} */ (order[index]);
          const bytes = /** @type {Uint8Array} */ (changed.get(page)).slice();
          bytes.set(eight);
          changed = changed.set(page, bytes);
        }
        sink += changed.size;
      }) / pages;
    const [holstein, bare, map_] = alternate([ours, copy, immutable]);
    yield compared(name, 'µs', holstein, 'copying 4 KiB', bare);
    yield compared(`${name}-immutable`, 'µs', holstein, 'immutable Map', map_);
  }
  vmo.close();
}

/** @param {MemoryObjects} objects @param {Uint8Array} plain */
function* reads(objects, plain) {
  const vmo = written(objects, IO_MIB);
  const { size } = vmo;
  const pieces = size / PIECE;
  // Where a copy's two ends lie by 16 bytes to one another makes a third of its time, and nobody chooses that: every
  // other piece lies 16 bytes further on.
  const buffer = new Uint8Array(PIECE + 16).fill(3);
  const [even, odd] = [buffer.subarray(0, PIECE), buffer.subarray(16)];
  /** @param {(at: number, piece: Uint8Array) => void} work */
  const perPiece = (work) => () =>
    time(() => {
      for (let at = 0; at < size; at += 2 * PIECE) {
        work(at, even);
        work(at + PIECE, odd);
      }
    }) / pieces;
  const [read, plainRead, write, plainWrite] = alternate([
    perPiece((at, piece) => void vmo.readSync(at, piece)),
    perPiece((at, piece) => piece.set(plain.subarray(at, at + PIECE))),
    perPiece((at, piece) => vmo.writeSync(at, piece)),
    perPiece((at, piece) => plain.set(piece, at)),
  ]);
  yield compared('sequential-read', 'µs', read, 'Uint8Array.set', plainRead);
  yield compared('sequential-write', 'µs', write, 'Uint8Array.set', plainWrite);

  const offsets = shuffled(size / 8)
    .subarray(0, RANDOM_READS)
    .map((index) => index * 8);
  const ours = vmo.dataView();
  const eight = new Uint8Array(8);
  const value = new DataView(eight.buffer);
  const view = new DataView(plain.buffer);
  // Each has a loop of its own, made from its own text: V8 would make one slow loop of all three.
  const loops = [
    () => {
      let sum = 0;
      for (let index = 0; index < RANDOM_READS; index++) {
        sum += ours.getFloat64(/** @type {number} */ (offsets[index]), true);
      }
      sink += sum;
    },
    () => {
      let sum = 0;
      for (let index = 0; index < RANDOM_READS; index++) {
        vmo.readSync(/** @type {number} */ (offsets[index]), eight);
        sum += value.getFloat64(0, true);
      }
      sink += sum;
    },
    () => {
      let sum = 0;
      for (let index = 0; index < RANDOM_READS; index++) {
        sum += view.getFloat64(/** @type {number} */ (offsets[index]), true);
      }
      sink += sum;
    },
  ];
  const [random, randomInto, plainRandom] = alternate(loops.map((loop) => () => time(loop) / RANDOM_READS));
  yield compared('random-read', 'ns', random, 'DataView', plainRandom);
  yield compared('random-read-readSync', 'ns', randomInto, 'DataView', plainRandom);
  vmo.close();
}

export function* measureVmo() {
  const sizeMib = SNAPSHOT_MIB.reduce((sum, mib) => sum + mib, 64);
  const objects = MemoryObjects.create({ memoryBytes: sizeMib * MIB });
  written(objects, sizeMib - 48).close();
  const plain = new Uint8Array(1024 * MIB).fill(1);
  yield* snapshots(objects, plain);
  yield* firstWrites(objects);
  yield* reads(objects, plain);
  objects.close();
  if (Number.isNaN(sink)) throw new Error('unreachable');
}
