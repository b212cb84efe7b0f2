/** What Ctrl-C ends and what it does not, and how far a step goes. */
import { describe, expect, test } from 'vitest';
import { BUFFER, CALL, CallsWorld, type Guest } from './files/calls-world.js';
import { memoryHost } from './files/hosts.js';

const makeWorld = (): CallsWorld => new CallsWorld(memoryHost());

/** A process, its child, the child's child, and so on. */
const chain = (first: Guest, length: number): Guest[] => {
  const processes: Guest[] = [];
  for (let parent = first; processes.length < length; parent = processes.at(-1)!)
    processes.push(parent.fork());
  return processes;
};

const aliveOf = (world: CallsWorld): number[] =>
  [...world.kernel.processes.values()].filter(({ state }) => state !== 'zombie').map(({ pid }) => pid);

/** Lets everybody run a while. */
const settle = (world: CallsWorld): void => {
  for (let steps = 0; steps < 50; steps++) world.step();
};

describe('an interrupt', () => {
  test('has nothing to kill where there is process 1 alone, or with its own children', () => {
    using world = makeWorld();
    expect(world.kernel.interrupt()).toBe(false);
    const shells = [world.init.fork(), world.init.fork()];
    expect(world.kernel.interrupt()).toBe(false);
    settle(world);
    expect(aliveOf(world)).toEqual([1, ...shells.map(({ process }) => process.pid)]);
  });

  test('kills all that a child of process 1 has started, and what that has started, and nobody else', () => {
    using world = makeWorld();
    const [shell, job, helper] = chain(world.init, 3);
    const second = shell!.fork();
    expect(world.kernel.interrupt()).toBe(true);
    settle(world);
    expect(aliveOf(world)).toEqual([1, shell!.process.pid]);
    // The helper's parent may have ended first: it is process 1's then, and never another's.
    expect(shell!.call(CALL.wait, BUFFER)).toBe(job!.process.pid);
    expect(new Int32Array(shell!.get(BUFFER, 4).slice().buffer)[0]).toBe(-1);
    expect(shell!.call(CALL.wait, BUFFER)).toBe(second.process.pid);
    expect(shell!.call(CALL.wait, BUFFER)).toBe(-1);
    expect(world.init.call(CALL.wait, 0)).toBe(helper!.process.pid);
    expect(world.kernel.interrupt()).toBe(false);
  });

  test('leaves alone what process 1 has adopted, and what that starts', () => {
    using world = makeWorld();
    const [shell, between, job, helper] = chain(world.init, 4);
    expect(between!.call(CALL.exit, 0)).toBeUndefined();
    expect(job!.process.parent).toBe(world.init.process);
    expect(world.kernel.interrupt()).toBe(false);
    const later = job!.fork();
    expect(world.kernel.interrupt()).toBe(false);
    settle(world);
    expect(aliveOf(world)).toEqual(
      [world.init, shell!, job!, helper!, later].map(({ process }) => process.pid),
    );
  });

  test('does not count who has ended and is not yet waited for', () => {
    using world = makeWorld();
    const [shell, job] = chain(world.init, 2);
    expect(job!.call(CALL.exit, 3)).toBeUndefined();
    expect(world.kernel.interrupt()).toBe(false);
    expect(shell!.call(CALL.wait, BUFFER)).toBe(job!.process.pid);
    expect(new Int32Array(shell!.get(BUFFER, 4).slice().buffer)[0]).toBe(3);
  });

  test('ends every wait: for input, a pipe, a child, time', () => {
    using world = makeWorld();
    const shell = world.init.fork();
    const jobs = [1, 2, 3, 4].map(() => shell.fork());
    const [reader, piper, parent, sleeper] = jobs;
    reader!.begin(CALL.read, 0, BUFFER, 10);
    expect(piper!.call(CALL.pipe, BUFFER)).toBe(0);
    const [from] = new Int32Array(piper!.get(BUFFER, 8).slice().buffer);
    piper!.begin(CALL.read, from!, BUFFER, 1);
    parent!.fork();
    parent!.begin(CALL.wait, 0);
    sleeper!.begin(CALL.sleep, 1_000_000);
    settle(world);
    for (const { process } of jobs) expect(process.state).toBe('blocked');
    expect(world.kernel.interrupt()).toBe(true);
    settle(world);
    expect(aliveOf(world)).toEqual([1, shell.process.pid]);
    expect(world.kernel.ticks).toBeLessThan(10);
    for (let count = 0; count < jobs.length; count++) expect(shell.call(CALL.wait, 0)).toBeGreaterThan(0);
    expect(world.audit()).toEqual([]);
  });

  test('drops input that nobody has read, and what comes after is read', () => {
    using world = makeWorld();
    const { console } = world.kernel;
    console.giveInput(new TextEncoder().encode('for the job\n'));
    world.kernel.interrupt();
    console.giveInput(new TextEncoder().encode('for the shell\n'));
    expect(world.init.readText(0, 100)).toBe('for the shell\n');
  });
});

describe('a step', () => {
  test('runs as many instructions as it is told, and not one more', () => {
    using world = makeWorld();
    world.init.fork();
    const { kernel } = world;
    for (const most of [1, 2, 7, 100, 12_345, 1]) {
      const before = kernel.instructions;
      kernel.step(most);
      expect(kernel.instructions - before).toBe(most);
    }
  });

  test('runs no more than a quantum', () => {
    using world = new CallsWorld(memoryHost(), {}, { quantumInstructions: 1000 });
    world.init.fork();
    const { kernel } = world;
    for (const most of [undefined, 1001, Number.POSITIVE_INFINITY]) {
      const before = kernel.instructions;
      kernel.step(most);
      expect(kernel.instructions - before).toBe(1000);
    }
  });
});
