// @ts-check
/**
 * What a fork costs, what the first writes after it cost, and what the child's end costs, by how much memory has been
 * touched: holstein's fork, which shares page tables, beside the fork of the host's Linux (fork-host.c, over pages of
 * 4 KiB) and holstein's own that goes page by page, all in one run and in turns.
 *
 * The writes are those of a program on the hart, under the kernel (fork-program.mjs): a figure for a page has the
 * program's loop in it, the fault, its share of page tables that are copied, and the kernel's turns. RAM has been
 * written once before anything is measured, as in any machine that has run for a while: neither side pays for memory
 * that its host has never touched. Figures are medians of rounds; the first round counts for nothing.
 */
import { VirtualMemory, vpnOf } from '@holstein/core';
import { START, startProgram, time, touch, warmUp } from './fork-child.mjs';
import { startHost } from './fork-host.mjs';
import { PROGRAM_BYTES } from './fork-program.mjs';

const MIB = 2 ** 20;
const SIZES_MIB = [1, 16, 64, 256, 1024];
const ROUNDS = 7;
/** Forks of each kind in a round: one that takes microseconds is timed more often. */
const FORKS = { tables: 101, pages: 1, host: 3 };
/** Pages that are timed together: fork-host.c has the same. */
const GROUP = 16;
/** What a write fault costs of a quantum, so that a turn of a process is about a group: see kernel.ts. */
const FAULT_COST = 703;

/** @typedef {import('@holstein/core').ForkKind} ForkKind */
/** @typedef {import('./fork-host.mjs').Host} Host */
/** @typedef {import('./fork-child.mjs').Child} Child */
/** @typedef {'tables' | 'pages' | 'host'} Way */

/** @param {readonly number[]} values @param {number} part 0 … 1 */
const quantile = (values, part) =>
  /** @type {number} */ (
    values.toSorted((a, b) => a - b)[Math.min(Math.floor(values.length * part), values.length - 1)]
  );

/** @param {readonly number[]} values */
const median = (values) => quantile(values, 0.5);

/** @param {readonly number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * Forks of spaces of all sizes, in turns.
 * @param {Host | undefined} host
 * @returns {Promise<Record<Way, number[]>>} microseconds for a fork, by size
 */
const forkTimes = async (host) => {
  const virtualMemory = VirtualMemory.create({ memoryBytes: (SIZES_MIB.reduce((a, b) => a + b) + 64) * MIB });
  warmUp(virtualMemory);
  const spaces = SIZES_MIB.map((mib) => {
    const space = virtualMemory.createSpace();
    touch(space, mib);
    return space;
  });
  /** @type {Record<Way, number[][]>} */
  const taken = { tables: spaces.map(() => []), pages: spaces.map(() => []), host: spaces.map(() => []) };
  for (let round = -1; round < ROUNDS; round++) {
    for (const kind of /** @type {const} */ (['tables', 'pages'])) {
      for (let count = 0; count < FORKS[kind]; count++) {
        for (const [index, space] of spaces.entries()) {
          const [spent, child] = time(() => space.fork(kind));
          child.close();
          if (round >= 0) taken[kind][index]?.push(spent);
        }
      }
    }
    for (const [index, mib] of host === undefined ? [] : SIZES_MIB.entries()) {
      const { forks } = await /** @type {Host} */ (host).measure(mib, FORKS.host, 'forks');
      if (round >= 0) taken.host[index]?.push(...forks.map((nanoseconds) => nanoseconds / 1000));
    }
  }
  virtualMemory.close();
  return { tables: taken.tables.map(median), pages: taken.pages.map(median), host: taken.host.map(median) };
};

/**
 * @param {Host | undefined} host
 * @returns {Promise<Record<Way, Child>>}
 */
const childTimes = async (host) => {
  const programs = {
    tables: startProgram({ fork: 'tables' }),
    pages: startProgram({ fork: 'pages' }),
  };
  const inGroups = {
    tables: startProgram({ fork: 'tables', quantumInstructions: GROUP * FAULT_COST }),
    pages: startProgram({ fork: 'pages', quantumInstructions: GROUP * FAULT_COST }),
  };
  /** @type {Record<Way, Child[]>} */
  const taken = { tables: [], pages: [], host: [] };
  for (let round = -1; round < ROUNDS; round++) {
    for (const kind of /** @type {const} */ (['tables', 'pages'])) {
      const child = { ...programs[kind](), groups: inGroups[kind]().groups };
      if (round >= 0) taken[kind].push(child);
    }
    if (host === undefined) continue;
    const { groups = [], exit = NaN, exitIdle = NaN } = await host.measure(PROGRAM_BYTES / MIB, 0, 'writes');
    const pages = groups.map((nanoseconds) => nanoseconds / 1000 / GROUP);
    if (round >= 0)
      taken.host.push({ page: mean(pages), groups: pages, exit: exit / 1000, exitIdle: exitIdle / 1000 });
  }
  /** @param {Child[]} children */
  const medians = (children) => ({
    page: median(children.map(({ page }) => page)),
    groups: children.flatMap(({ groups }) => groups),
    exit: median(children.map(({ exit }) => exit)),
    exitIdle: median(children.map(({ exitIdle }) => exitIdle)),
  });
  return {
    tables: medians(taken.tables),
    pages: medians(taken.pages),
    host: medians(host === undefined ? taken.pages : taken.host),
  };
};

/** Frames that a child holds which only reads. @param {ForkKind} kind */
const idleFrames = (kind) => {
  const virtualMemory = VirtualMemory.create({ memoryBytes: 80 * MIB });
  const space = virtualMemory.createSpace();
  touch(space, 64);
  const before = virtualMemory.memory.statistics().inUse;
  const child = space.fork(kind);
  for (let page = 0; page < 100; page++) {
    child.reach(/** @type {import('@holstein/core').Vpn} */ (vpnOf(START) + page), 'read');
  }
  return virtualMemory.memory.statistics().inUse - before;
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

/** @param {number} mib */
const sizeName = (mib) => (mib < 1024 ? `${mib}MiB` : `${mib / 1024}GiB`);

/** @param {readonly (readonly string[])[]} rows @returns {string} columns, the first to the left, the others to the right */
const table = (rows) => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('   '),
    )
    .join('\n');
};

/** @param {number} microseconds */
const figure = (microseconds) => microseconds.toFixed(microseconds < 100 ? 2 : 0);

const WAYS = /** @type {const} */ ({
  host: "the host's Linux",
  pages: 'holstein, by page',
  tables: 'holstein',
});

export async function* measureFork() {
  const host = startHost();
  if (host === undefined) {
    console.error(
      "fork: no C compiler here, so the host's fork is skipped: the fork by page stands in its place",
    );
  }
  const peerName = host === undefined ? 'fork by page' : "the host's Linux";
  const ways = /** @type {Way[]} */ (Object.keys(WAYS)).filter((way) => way !== 'host' || host !== undefined);
  const peerWay = host === undefined ? 'pages' : 'host';
  try {
    const forks = await forkTimes(host);
    yield {
      note: `fork, µs (RAM has been written before, as all that follows)\n${table([
        [
          'touched',
          ...ways.map((way) => WAYS[way]),
          `${peerWay === 'host' ? 'Linux' : 'by page'} / holstein`,
        ],
        ...SIZES_MIB.map((mib, size) => [
          `${mib} MiB`,
          ...ways.map((way) => figure(forks[way][size] ?? NaN)),
          figure((forks[peerWay][size] ?? NaN) / (forks.tables[size] ?? NaN)),
        ]),
      ])}\n`,
    };
    const children = await childTimes(host);
    yield {
      note: `first write to a page after a fork of 64 MiB, µs (all but the mean by groups of ${GROUP} pages)\n${table(
        [
          ['', 'mean', 'min', 'median', 'p90', 'p99', 'max'],
          ...ways.map((way) => {
            const { page, groups } = children[way];
            return [
              WAYS[way],
              figure(page),
              ...[0, 0.5, 0.9, 0.99, 1].map((part) => figure(quantile(groups, part))),
            ];
          }),
        ],
      )}\n`,
    };
    yield {
      note: `exit of a child of 64 MiB, µs\n${table([
        ['', 'wrote all', 'wrote none'],
        ...ways.map((way) => [WAYS[way], figure(children[way].exit), figure(children[way].exitIdle)]),
      ])}\n`,
    };
    for (const [size, mib] of SIZES_MIB.entries()) {
      yield compared(
        `fork-${sizeName(mib)}`,
        'µs',
        forks.tables[size] ?? NaN,
        peerName,
        forks[peerWay][size] ?? NaN,
      );
    }
    const { tables, [peerWay]: peer } = children;
    yield compared('cow-fault-64MiB', 'µs', tables.page, peerName, peer.page);
    yield compared('exit-64MiB', 'µs', tables.exit, peerName, peer.exit);
    yield compared('exit-unwritten-64MiB', 'µs', tables.exitIdle, peerName, peer.exitIdle);
    yield compared('idle-fork-frames', 'frames', idleFrames('tables'), 'fork by page', idleFrames('pages'));
  } finally {
    await host?.close();
  }
}
