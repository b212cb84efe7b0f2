/** Turns that the hart interrupts, for code wants much work before it runs: the next step goes on with them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Kernel, type KernelState } from '../../src/kernel/index.js';
import { Machine } from '../../src/machine/index.js';
import { DATA_PAGE, manyPages, writableProgram } from '../support/code-heavy.js';
import { branch, CALL, call, inChild, label, MIB } from '../support/machine.js';

const QUANTUM = 5000;

/** It and its child write a byte each before they jump about for ever. */
const PROGRAM = writableProgram(
  call(CALL.fork),
  inChild(call(CALL.write, 1, DATA_PAGE, 1), branch('jal', 'for ever')),
  call(CALL.write, 1, DATA_PAGE, 1),
  label('for ever'),
  manyPages(1),
  branch('jal', 'for ever'),
);

let machine: Machine;
let kernel: Kernel;
beforeEach(() => {
  machine = new Machine({ memoryBytes: 4 * MIB, files: { '/program': PROGRAM }, codeSlots: 4 });
  const { virtualMemory, hart, files } = machine;
  kernel = new Kernel({ virtualMemory, hart, files, quantumInstructions: QUANTUM });
  kernel.spawn(['/program']);
});
afterEach(() => {
  kernel.shutDown();
  expect([...machine.audit(), ...kernel.audit()]).toEqual([]);
  machine.close();
});

/** Steps until one leaves a turn interrupted. */
const toInterruption = (): void => {
  for (let steps = 0; steps < 1000; steps++) if (kernel.step() === 'interrupted') return;
  throw new Error('no turn is interrupted');
};

/** Steps to the end of a turn. @returns what the last step left. */
const toEndOfTurn = (): KernelState => {
  for (;;) {
    const state = kernel.step();
    if (state !== 'interrupted') return state;
  }
};

describe('a turn that is interrupted', () => {
  test('is as long as any other', () => {
    for (let turn = 0; turn < 4; turn++) toEndOfTurn();
    for (let turn = 0; turn < 6; turn++) {
      const before = kernel.time;
      expect(kernel.step()).toBe('interrupted');
      expect(kernel.time - before).toBeLessThan(QUANTUM);
      expect(toEndOfTurn()).toBe('running');
      expect(kernel.time - before).toBe(QUANTUM);
    }
  });

  test('ends after as many instructions as its next step is given', () => {
    toInterruption();
    const before = kernel.instructions;
    expect(kernel.step(3)).toBe('running');
    expect(kernel.instructions - before).toBe(3);
  });

  test('ends at the next step where its process is killed meanwhile, and the other goes on', () => {
    toEndOfTurn();
    // Turns go round by number: this one is the child's.
    toInterruption();
    const child = kernel.processes.get(2)!;
    const before = kernel.instructions;
    expect(kernel.kill(2)).toBe(true);
    expect(child.state).toBe('runnable');
    expect(kernel.step()).toBe('running');
    expect(child.state).toBe('zombie');
    expect(kernel.instructions).toBe(before);
    expect(toEndOfTurn()).toBe('running');
    expect(kernel.instructions - before).toBe(QUANTUM);
  });

  test('is over where everything ends', () => {
    toInterruption();
    kernel.shutDown();
    expect(kernel.step()).toBe('halted');
    expect(kernel.exitStatus).toBe(-1);
  });
});

test('what an interrupted turn has written is there when its run is aborted', async () => {
  const ending = new AbortController();
  const text: string[] = [];
  let time = 0;
  const run = new Machine({
    memoryBytes: 4 * MIB,
    files: { '/program': PROGRAM },
    codeSlots: 4,
    // A turn of the host after each step; it is the first that is aborted.
    host: {
      now: () => (time += 1000),
      pause: () => {
        ending.abort();
        return Promise.resolve();
      },
    },
  });
  const result = await run.run(['/program'], {
    output: { write: (bytes) => void text.push(String(bytes.length)) },
    signal: ending.signal,
  });
  expect(result.outcome).toBe('aborted');
  expect(text).toEqual(['1']);
  run.close();
});
