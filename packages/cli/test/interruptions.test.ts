/** Ctrl-C and signals, one by one: what ends the foreground, the machine, or this very process. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type CtrlC, Interruptions } from '../src/interruptions.js';

class Exit extends Error {}

/** Lets so many milliseconds go by. */
const wait = (milliseconds: number): void => void vi.advanceTimersByTime(milliseconds);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  vi.spyOn(process, 'exit').mockImplementation((code) => {
    throw new Exit(String(code));
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('without a foreground', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends the machine', (signal, exitCode) => {
    using interruptions = new Interruptions();
    expect(interruptions.signal.aborted).toBe(false);
    process.emit(signal);
    expect(interruptions.signal.aborted).toBe(true);
    expect(interruptions.exitCode).toBe(exitCode);
  });

  test('a third signal ends this process, with the exit code of the first', () => {
    using interruptions = new Interruptions();
    process.emit('SIGTERM');
    wait(1000);
    process.emit('SIGINT');
    wait(1000);
    expect(() => process.emit('SIGINT')).toThrow(new Exit('143'));
    expect(interruptions.signal.aborted).toBe(true);
  });
});

describe('with a foreground', () => {
  const withForeground = (answer: CtrlC) => {
    const heard = vi.fn<() => CtrlC>(() => answer);
    return { heard, interruptions: new Interruptions(heard) };
  };

  test('Ctrl-C is the foreground’s, as a signal and as a key', () => {
    const { heard, interruptions } = withForeground('foreground');
    using _ = interruptions;
    process.emit('SIGINT');
    expect(heard).toHaveBeenCalledTimes(1);
    interruptions.interrupt();
    expect(heard).toHaveBeenCalledTimes(2);
    expect(interruptions.signal.aborted).toBe(false);
  });

  test('what the terminal and npm both pass on is one Ctrl-C', () => {
    const { heard, interruptions } = withForeground('foreground');
    using _ = interruptions;
    for (let press = 1; press <= 3; press++) {
      for (let copy = 0; copy < 3; copy++) {
        process.emit('SIGINT');
        wait(20);
      }
      expect(heard).toHaveBeenCalledTimes(press);
      wait(2000);
    }
    expect(interruptions.signal.aborted).toBe(false);
  });

  test('three in a short time end the machine', () => {
    const { interruptions } = withForeground('foreground');
    using _ = interruptions;
    process.emit('SIGINT');
    wait(1000);
    process.emit('SIGINT');
    wait(1000);
    process.emit('SIGINT');
    expect(interruptions.signal.aborted).toBe(false);
    wait(400);
    process.emit('SIGINT');
    expect(interruptions.signal.aborted).toBe(true);
    expect(interruptions.exitCode).toBe(130);
  });

  test('at a prompt they do not, however many', () => {
    const { heard, interruptions } = withForeground('prompt');
    using _ = interruptions;
    for (let press = 0; press < 10; press++) interruptions.interrupt();
    expect(heard).toHaveBeenCalledTimes(10);
    expect(interruptions.signal.aborted).toBe(false);
  });

  test('SIGTERM ends the machine all the same', () => {
    const { heard, interruptions } = withForeground('foreground');
    using _ = interruptions;
    process.emit('SIGTERM');
    expect(heard).not.toHaveBeenCalled();
    expect(interruptions.signal.aborted).toBe(true);
  });
});

test('signals are let alone when it is over', () => {
  const before = process.listenerCount('SIGINT');
  const interruptions = new Interruptions();
  expect(process.listenerCount('SIGINT')).toBe(before + 1);
  interruptions[Symbol.dispose]();
  expect(process.listenerCount('SIGINT')).toBe(before);
});
