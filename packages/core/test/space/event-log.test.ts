import { expect, test } from 'vitest';
import { frameNumber, InvalidArgument, vpn } from '../../src/frame/index.js';
import { EVENT_KINDS, EventLog, MAX_LOG_CAPACITY, type MemoryEvent } from '../../src/space/event-log.js';
import { FAULT_NAMES } from '../../src/space/fault.js';

const timesOf = (log: EventLog): number[] => [...log].map(({ time }) => time);

/** Closes spaces `first … end - 1`, an event each. */
const closeSpaces = (log: EventLog, first: number, end: number): void => {
  for (let space = first; space < end; space++) log.closed(space);
};

test('every kind of event comes out as it went in, oldest first', () => {
  const log = new EventLog();
  log.faulted(1, vpn(0x10), 'write', 'zero-filled');
  log.forked(1, 2, 'pages');
  log.split(2, vpn(0x200), 0);
  log.copied(2, vpn(0x201), frameNumber(0x55), frameNumber(0x56));
  const wait = log.waitBegan(2, vpn(7), 'execute');
  log.waitEnded(2, vpn(7), wait, 'failed');
  log.closed(2);
  const events: MemoryEvent[] = [
    { kind: 'fault', time: 0, space: 1, page: vpn(0x10), access: 'write', outcome: 'zero-filled' },
    { kind: 'fork', time: 1, space: 1, child: 2, forkKind: 'pages' },
    { kind: 'split', time: 2, space: 2, level: 0, firstPage: vpn(0x200) },
    { kind: 'copy', time: 3, space: 2, page: vpn(0x201), from: frameNumber(0x55), to: frameNumber(0x56) },
    { kind: 'wait-begin', time: 4, space: 2, page: vpn(7), access: 'execute', wait },
    { kind: 'wait-end', time: 5, space: 2, page: vpn(7), wait, result: 'failed' },
    { kind: 'close', time: 6, space: 2 },
  ];
  expect([...log]).toEqual(events);
  expect(new Set(events.map(({ kind }) => kind))).toEqual(new Set(EVENT_KINDS));
});

test('every word comes out as it went in', () => {
  const log = new EventLog();
  for (const outcome of FAULT_NAMES) {
    for (const access of ['read', 'write', 'execute'] as const) log.faulted(1, vpn(1), access, outcome);
  }
  for (const kind of ['tables', 'pages', 'eager'] as const) log.forked(1, 2, kind);
  for (const result of ['committed', 'failed'] as const) log.waitEnded(1, vpn(1), 1, result);
  const words = [...log].map((event) => {
    if (event.kind === 'fault') return `${event.access} ${event.outcome}`;
    return event.kind === 'fork' ? event.forkKind : event.kind === 'wait-end' && event.result;
  });
  const faults = FAULT_NAMES.flatMap((name) => [`read ${name}`, `write ${name}`, `execute ${name}`]);
  expect(words).toEqual([...faults, 'tables', 'pages', 'eager', 'committed', 'failed']);
});

test('a page beyond any address space is kept whole', () => {
  const log = new EventLog();
  const page = vpn(2 ** 52 - 1);
  log.faulted(2 ** 32 - 1, page, 'read', 'unmapped');
  expect([...log]).toMatchObject([{ space: 2 ** 32 - 1, page }]);
});

test('a full log loses its oldest events, and counts them', () => {
  const log = new EventLog({ capacity: 3 });
  const spacesOf = (): number[] => [...log].map(({ space }) => space);
  expect([log.size, log.lost, spacesOf()]).toEqual([0, 0, []]);
  closeSpaces(log, 1, 4);
  expect([log.size, log.lost, spacesOf()]).toEqual([3, 0, [1, 2, 3]]);
  closeSpaces(log, 4, 5);
  expect([log.size, log.lost, spacesOf()]).toEqual([3, 1, [2, 3, 4]]);
  closeSpaces(log, 5, 12);
  expect([log.size, log.lost, spacesOf()]).toEqual([3, 8, [9, 10, 11]]);
});

test('a log of one event has the latest', () => {
  const log = new EventLog({ capacity: 1 });
  closeSpaces(log, 1, 3);
  expect([...log]).toEqual([{ kind: 'close', time: 1, space: 2 }]);
  expect(log.lost).toBe(1);
});

test('a slot that is used again has nothing of the event that was there', () => {
  const log = new EventLog({ capacity: 1 });
  log.copied(9, vpn(9), frameNumber(9), frameNumber(9));
  log.split(1, vpn(0), 2);
  log.closed(1);
  log.faulted(1, vpn(0), 'read', FAULT_NAMES[0]!);
  expect([...log]).toEqual([
    { kind: 'fault', time: 3, space: 1, page: 0, access: 'read', outcome: FAULT_NAMES[0] },
  ]);
});

test('an iteration gives what the log held when it began, less what is overwritten meanwhile', () => {
  const log = new EventLog({ capacity: 4 });
  closeSpaces(log, 0, 4);
  const seen: number[] = [];
  for (const { space } of log) {
    seen.push(space);
    if (space === 0) closeSpaces(log, 4, 6);
  }
  expect(seen).toEqual([0, 2, 3]);

  const events = log[Symbol.iterator]();
  closeSpaces(log, 6, 7);
  expect(events.next()).toMatchObject({ value: { space: 3 } });
  closeSpaces(log, 7, 100);
  expect(events.next().done).toBe(true);
});

test('the clock is asked once an event', () => {
  const times = [12.5, 12.5, 40];
  const log = new EventLog({ capacity: 8, now: () => times.shift()! });
  closeSpaces(log, 1, 4);
  expect(timesOf(log)).toEqual([12.5, 12.5, 40]);
});

test('without a clock two logs of the same have the same times', () => {
  const logs = [new EventLog({ capacity: 2 }), new EventLog({ capacity: 2 })];
  for (const log of logs) closeSpaces(log, 1, 6);
  expect(logs.map(timesOf)).toEqual([
    [3, 4],
    [3, 4],
  ]);
});

test('a clock that throws leaves the log as it was', () => {
  let broken = false;
  const now = (): number => {
    if (broken) throw new Error('no time');
    return 1;
  };
  const log = new EventLog({ capacity: 2, now });
  closeSpaces(log, 1, 3);
  broken = true;
  expect(() => log.closed(3)).toThrow('no time');
  expect([...log].map(({ space }) => space)).toEqual([1, 2]);
  expect(log.lost).toBe(0);
});

test('waits have numbers of their own, whosever they are', () => {
  const log = new EventLog({ capacity: 1 });
  const waits = [1, 1, 2].map((space) => log.waitBegan(space, vpn(5), 'read'));
  expect(new Set(waits).size).toBe(3);
});

test('a capacity that is not a whole number of 1 … 2^20 is refused', () => {
  for (const capacity of [0, -1, 1.5, MAX_LOG_CAPACITY + 1, Infinity, NaN]) {
    expect(() => new EventLog({ capacity })).toThrow(InvalidArgument);
  }
  for (const capacity of [1, MAX_LOG_CAPACITY]) expect(new EventLog({ capacity }).capacity).toBe(capacity);
});
