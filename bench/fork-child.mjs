// @ts-check
/** Runs fork-program.mjs under the kernel, and times what each child does. */
import { copyOut, Kernel, Machine, virtAddr } from '@holstein/core';
import { forkProgram, PROGRAM_BYTES } from './fork-program.mjs';

const MIB = 2 ** 20;
const PAGE = 4096;
export const START = virtAddr(0x10000);

/** What a child did: all in microseconds. @typedef {{ page: number, groups: number[], exit: number, exitIdle: number }} Child */

/** @template T @param {() => T} work @returns {[microseconds: number, result: T]} */
export const time = (work) => {
  const start = performance.now();
  const result = work();
  return [(performance.now() - start) * 1000, result];
};

/** Writes to free memory of a RAM, all that there is. @param {import('@holstein/core').VirtualMemory} virtualMemory */
export const warmUp = (virtualMemory) => {
  const space = virtualMemory.createSpace();
  // Page tables take a few frames too.
  const mib = Math.floor((virtualMemory.memory.freeFrames * PAGE) / MIB) - 8;
  touch(space, mib);
  space.close();
};

/** @param {import('@holstein/core').AddressSpace} space @param {number} mib */
export const touch = (space, mib) => {
  space.map({ at: START, lengthBytes: mib * MIB, protection: 'rw-' });
  const ones = new Uint8Array(MIB).fill(1);
  for (let done = 0; done < mib; done++) copyOut(space, virtAddr(START + done * MIB), ones);
};

/**
 * A machine that runs the program, ready for its first fork.
 * @param {{ fork: import('@holstein/core').ForkKind, quantumInstructions?: number }} options
 * @param {(write: () => void) => void} [whileItWrites] runs what a child does until all is written.
 * @returns {() => Child} what a child that writes and one that does not have taken
 */
export const startProgram = (options, whileItWrites = (write) => write()) => {
  const { virtualMemory, hart, files } = new Machine({
    memoryBytes: 2 * PROGRAM_BYTES + 16 * MIB,
    files: { '/fork': forkProgram() },
  });
  warmUp(virtualMemory);
  const kernel = new Kernel({ virtualMemory, hart, files, ...options });
  kernel.spawn(['/fork']);
  const faults = () => virtualMemory.statistics().faults.copied;
  /** Steps while a condition holds. @param {() => boolean} condition */
  const stepWhile = (condition) => {
    while (condition()) kernel.step();
  };
  const child = () => {
    const before = faults();
    /** @type {number[]} */
    const groups = [];
    let spent = 0;
    // The parent waits for the child that it has made: then the child runs alone, until it sleeps.
    stepWhile(() => [...kernel.processes.values()].at(-1)?.pid === lastPid);
    const process = /** @type {import('@holstein/core').Process} */ ([...kernel.processes.values()].at(-1));
    lastPid = process.pid;
    whileItWrites(() => {
      while (process.state !== 'blocked') {
        // Frames that are taken are copies, but for a table in 512.
        const free = virtualMemory.memory.freeFrames;
        const [step] = time(() => kernel.step());
        const written = free - virtualMemory.memory.freeFrames;
        spent += step;
        if (written > 0) groups.push(step / written);
      }
    });
    const writes = faults() - before;
    const [exit] = time(() => stepWhile(() => process.state !== 'zombie'));
    return { page: spent / writes, groups, exit };
  };
  let lastPid = 1;
  return () => {
    const writing = child();
    return { ...writing, exitIdle: child().exit };
  };
};
